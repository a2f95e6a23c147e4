"""requests: what of an answer ends all asking, which not everybody may."""

from __future__ import annotations

from typing import Any

import pytest

from core.requests import Allow, never_asks_again, render_allow, render_deny

MODE = {"type": "setMode", "mode": "bypassPermissions", "destination": "session"}
RULE = {"type": "addRules", "behavior": "allow", "rules": [], "destination": "session"}


@pytest.mark.parametrize(
    ("updates", "ends"),
    [
        ([], False),
        ([RULE], False),
        ([{**MODE, "mode": "acceptEdits"}], False),
        ([MODE], True),
        ([RULE, MODE], True),
    ],
)
def test_only_the_mode_that_never_asks_ends_all_asking(
    updates: list[dict[str, Any]], ends: bool
) -> None:
    assert never_asks_again(render_allow(Allow({"mode": "bypassPermissions"}, updates))) is ends


def test_a_denial_ends_nothing() -> None:
    assert not never_asks_again(render_deny("setMode bypassPermissions"))
