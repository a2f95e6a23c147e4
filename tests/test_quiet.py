"""When a chat is quiet, and how one says so."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.quiet import ALWAYS, Quiet, parse_quiet, render_quiet


@pytest.mark.parametrize(
    ("text", "quiet"),
    [
        ("on", ALWAYS),
        (" OFF ", "off"),
        ("22-7", Quiet(1320, 420)),
        ("22:30 - 7:15", Quiet(1350, 435)),
        ("13–14", Quiet(780, 840)),
        ("22 to 7", Quiet(1320, 420)),
        ("20-24", Quiet(1200, 0)),
        ("0-7", Quiet(0, 420)),
        ("7-7", None),
        ("0-24", None),
        ("25-7", None),
        ("24:30-7", None),
        ("22:60-7", None),
        ("soon", None),
        ("", None),
    ],
)
def test_what_a_person_may_say(text: str, quiet: Quiet | str | None) -> None:
    assert parse_quiet(text) == quiet


@pytest.mark.parametrize(
    ("quiet", "minute", "holds"),
    [
        (Quiet(1320, 420), 1320, True),
        (Quiet(1320, 420), 0, True),
        (Quiet(1320, 420), 419, True),
        (Quiet(1320, 420), 420, False),
        (Quiet(1320, 420), 1319, False),
        (Quiet(780, 840), 800, True),
        (Quiet(780, 840), 840, False),
        (Quiet(1200, 0), 1439, True),
        (Quiet(1200, 0), 0, False),
        (ALWAYS, 0, True),
        (ALWAYS, 1439, True),
    ],
)
def test_when_it_holds(quiet: Quiet, minute: int, *, holds: bool) -> None:
    assert quiet.holds(minute) == holds


def test_in_words() -> None:
    shown = [render_quiet(quiet) for quiet in (None, ALWAYS, Quiet(1350, 435))]
    assert shown == ["off", "on", "from 22:30 to 07:15"]


@given(st.text(max_size=12))
def test_anything_may_be_said(text: str) -> None:
    parse_quiet(text)


@given(st.integers(0, 1439), st.integers(0, 1439), st.integers(0, 1439))
def test_a_day_is_quiet_or_not_the_other_way_round(start: int, end: int, minute: int) -> None:
    if start != end:
        assert Quiet(start, end).holds(minute) != Quiet(end, start).holds(minute)
