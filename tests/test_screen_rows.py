"""A captured screen as rows of runs: its styles, and nothing that could rearrange it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.model import PaneScreen
from core.screen_rows import Run, read_screen


def read(capture: str, columns: int = 80, rows: int = 1) -> tuple[tuple[Run, ...], ...]:
    return read_screen(PaneScreen(capture, columns, rows)).rows


@pytest.mark.parametrize(
    ("line", "runs"),
    [
        ("plain", [Run("plain")]),
        ("\x1b[1;31mred\x1b[0m x", [Run("red", "#cd3131", flags="b"), Run(" x")]),
        ("\x1b[38;5;208ma\x1b[39mb", [Run("a", "#ff8700"), Run("b")]),
        ("\x1b[38;2;1;2;3;48;2;255;0;300mc", [Run("c", "#010203", "#ff00ff")]),
        ("\x1b[38:2:1:2:3mc", [Run("c", "#010203")]),
        ("\x1b[97;100md\x1b[49me", [Run("d", "#ffffff", "#666666"), Run("e", "#ffffff")]),
        ("\x1b[7;4mf\x1b[27mg\x1b[24mh", [Run("f", flags="ur"), Run("g", flags="u"), Run("h")]),
        ("\x1b[1;2mi\x1b[22mj", [Run("i", flags="bd"), Run("j")]),
        ("\x0elqk\x0f|", [Run("┌─┐"), Run("|")]),
        (
            "\x1b[2J\x1b[5;5Hk\x1b]0;title\x07l\x1b]8;;http://x\x1b\\m",
            [Run("k"), Run("l"), Run("m")],
        ),
        ("\x1b[4:3mo", [Run("o", flags="u")]),
        ("\x1b[38m\x1b[38;5m\x1b[38;2;1mn", [Run("n")]),
    ],
)
def test_styles_are_read_and_all_else_is_dropped(line: str, runs: list[Run]) -> None:
    assert read(line) == (tuple(runs),)


def test_the_screen_has_its_rows_and_no_more() -> None:
    assert read("a\nb\nc", rows=2) == ((Run("a"),), (Run("b"),))
    assert read("a", rows=3) == ((Run("a"),), (), ())
    assert len(read("x", rows=10_000)) == 200


def test_the_mark_changes_with_the_words_and_not_with_what_counts_or_blinks() -> None:
    def mark(capture: str) -> str:
        return read_screen(PaneScreen(capture, 80, 2)).mark

    assert mark("Working 1 s ✻\n❯ 1. Yes") == mark("Working 2 s ✶\n\x1b[31m❯ 1. Yes")
    assert mark("❯ 1. Yes") != mark("❯ 1. No")


@given(st.text(alphabet=st.sampled_from("ab\x1b[]0123456789;:mHJ\x07\x0e\x0f\n\\"), max_size=200))
def test_whatever_is_on_it_no_control_character_is_left(capture: str) -> None:
    for row in read(capture, rows=5):
        assert all(run.text.isprintable() for run in row)
        assert all(run.foreground in ("", run.foreground[:7]) for run in row)
