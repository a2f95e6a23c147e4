"""How much of the context is taken, in words."""

from __future__ import annotations

import pytest

from core.context_window import find_window, nearly_full, render_context, render_tokens


@pytest.mark.parametrize(
    ("model", "window"),
    [
        ("claude-opus-5-5", 1_000_000),
        ("claude-sonnet-4-5-20250929", 200_000),
        ("claude-sonnet-4-5-20250929[1m]", 1_000_000),
        ("something-else", None),
        ("", None),
    ],
)
def test_the_window_is_known_of_known_models(model: str, window: int | None) -> None:
    assert find_window(model) == window


def test_a_window_that_is_smaller_than_what_is_in_it_is_not_believed() -> None:
    assert find_window("claude-sonnet-4-5", 300_000) is None


def test_the_share_is_shown_where_the_window_is_known() -> None:
    assert render_context(32_100, "claude-sonnet-4-5") == "context 32k (16 %)"
    assert render_context(32_100, "odd") == "context 32k"


@pytest.mark.parametrize(("tokens", "shown"), [(950, "950"), (1500, "2k"), (1_200_000, "1.2M")])
def test_tokens_in_a_word(tokens: int, shown: str) -> None:
    assert render_tokens(tokens) == shown


@pytest.mark.parametrize(
    ("tokens", "mark"), [(0, 0), (159_999, 0), (160_000, 80), (189_999, 80), (190_000, 95)]
)
def test_a_mark_is_passed_at_80_and_at_95_per_cent(tokens: int, mark: int) -> None:
    assert nearly_full(tokens, "claude-sonnet-4-5") == mark
    assert nearly_full(tokens, "odd") == 0
