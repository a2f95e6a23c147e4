"""Secrets on a screen: masked column by column, also where a line's end breaks them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.redaction import Redactor
from core.screen_secrets import SIGN, mask_screen
from core.transcript import strip_ansi

BODY = "abcdefghij0123456789ABCDEFGHIJ0123456789"
KEY = f"sk-ant-api03-{BODY}{BODY}"
DIALOGS = json.loads((Path(__file__).parent / "fixtures" / "dialogs.json").read_text())


def mask(screen: str, *known: str) -> str:
    return mask_screen(screen, Redactor(known))


def test_a_mask_is_as_wide_as_the_secret() -> None:
    assert mask(f"key = {KEY} # end\nnext") == f"key = {SIGN * len(KEY)} # end\nnext"


def test_colours_inside_of_a_secret_stay_where_they_are() -> None:
    masked = mask(f"\x1b[1mkey\x1b[0m {KEY[:20]}\x1b[38;5;2m{KEY[20:]}\x1b[0m!")
    assert masked == (f"\x1b[1mkey\x1b[0m {SIGN * 20}\x1b[38;5;2m{SIGN * (len(KEY) - 20)}\x1b[0m!")


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ("key = {}", "{}"),  # a terminal breaks it
        ("● key = {}", "  {} and more"),  # an answer
        ("❯ say {}", "  {}"),
        ("│ key = {} │", "│ {} │"),  # a frame
        ("║ key = {}", "║ {}"),
        ("   12 + key = {}", "      + {}"),  # a diff
        ("    1 key = {}   ", "      {}   "),
        ("key = {}  ", "{}"),
    ],
)
@pytest.mark.parametrize("at", [1, 9, 30, len(KEY) - 30])
def test_a_secret_that_a_line_end_breaks_is_masked_on_both_lines(
    first: str, then: str, at: int
) -> None:
    # A line is broken because it is full.
    before = "x" * (len(KEY) + 20) + " "
    screen = f"{first.format(before + KEY[:at])}\n{then.format(KEY[at:])}"
    assert mask(screen) == (
        f"{first.format(before + SIGN * at)}\n{then.format(SIGN * (len(KEY) - at))}"
    )


def test_a_secret_over_three_lines_is_masked_on_all() -> None:
    lines = [f"  key {KEY[:40]}", f"  {KEY[40:82]}", f"  {KEY[82:]} end"]
    masked = [f"  key {SIGN * 40}", f"  {SIGN * 42}", f"  {SIGN * (len(KEY) - 82)} end"]
    assert mask("\n".join(lines)) == "\n".join(masked)


def test_a_known_secret_of_wide_characters_keeps_its_columns() -> None:
    assert mask("pw: 日本語x ok", "日本語x") == f"pw: {SIGN * 7} ok"


def test_what_follows_a_secret_on_a_longer_line_is_no_part_of_it() -> None:
    screen = f"key {KEY}\nordinary_words_that_make_a_line_longer_than_the_first" + "_x" * 40
    assert mask(screen).split("\n")[1] == screen.split("\n")[1]


def test_a_link_behind_the_text_is_not_what_is_masked() -> None:
    screen = f"\x1b]8;;http://x\x07{KEY}\x1b]8;;\x07 after"
    assert mask(screen) == f"\x1b]8;;http://x\x07{SIGN * len(KEY)}\x1b]8;;\x07 after"


@pytest.mark.parametrize("version", DIALOGS)
def test_real_screens_without_secrets_are_left_alone(version: str) -> None:
    for screen in DIALOGS[version].values():
        assert mask(screen) == screen


@settings(deadline=None)
@given(
    st.lists(
        st.one_of(
            st.sampled_from([KEY, KEY[:30], KEY[30:], "\n", "\n  ", "│", "\x1b[1m", "\x1b[", " "]),
            st.text(max_size=4),
        ),
        max_size=14,
    ).map("".join)
)
def test_no_whole_secret_is_left_and_no_other_column_moves(screen: str) -> None:
    masked = mask(screen, KEY)
    assert KEY not in strip_ansi(masked)
    assert masked.count("\n") == screen.count("\n")
    kept = iter(screen)
    assert all(part in kept for part in masked if part != SIGN)
