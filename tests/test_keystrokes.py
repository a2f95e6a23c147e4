"""core.keystrokes: what is made of a text before it is typed, row by row of the module's tables.

That Claude Code really behaves so is shown by test_typing_claude.py.
"""

from __future__ import annotations

import time
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core.claude_code import EXIT_WORDS, LONGEST_PIECE, MOST_NEWLINES_IN_PIECE, Typing
from core.errors import EmptyPromptError, PromptTooLongError
from core.keystrokes import (
    LONGEST_PROMPT,
    MOST_LINES,
    is_same_prompt,
    prepare_prompt,
    split_pieces,
)
from tests.fixtures.hostile_texts import KEPT, REMOVED, REWRITTEN

SPECIAL = "".join({*KEPT, *REMOVED, *REWRITTEN}) + "!:\\/<> exitquw\ud83d\ude42"
IN_PIECES = Typing(in_pieces=True, seconds_before_enter=0.0)
TEXTS = st.one_of(st.text(), st.text(st.sampled_from(SPECIAL)), st.sampled_from(sorted(REWRITTEN)))


@pytest.mark.parametrize("text", KEPT, ids=ascii)
def test_what_arrives_exactly_is_left_alone(text: str) -> None:
    assert prepare_prompt(text) == text


@pytest.mark.parametrize(("text", "prepared"), REWRITTEN.items(), ids=ascii)
def test_what_would_arrive_otherwise_is_put_right(text: str, prepared: str) -> None:
    assert prepare_prompt(text) == prepared


@pytest.mark.parametrize("invisible", REMOVED, ids=ascii)
def test_an_invisible_character_between_latin_letters_is_removed(invisible: str) -> None:
    assert prepare_prompt(f"a{invisible}b") == "ab"


@pytest.mark.parametrize("text", ["", " \n\t ", "\u200b\ufeff", "\x1b[0m", "\u3164"], ids=ascii)
def test_nothing_to_read_is_refused(text: str) -> None:
    with pytest.raises(EmptyPromptError, match="no text"):
        prepare_prompt(text)


@pytest.mark.parametrize("text", ["x" * (LONGEST_PROMPT + 1), "x\n" * MOST_LINES + "x"])
def test_too_much_is_refused_with_the_limits(text: str) -> None:
    with pytest.raises(PromptTooLongError, match=r"at most 16,000 in 500"):
        prepare_prompt(text)


def test_the_limits_themselves_are_allowed() -> None:
    prepare_prompt("x" * LONGEST_PROMPT)
    prepare_prompt("\n".join("x" * MOST_LINES))


@given(TEXTS)
@example("\u05d0\u200e\u0302\u200c")
@example("e\u034f\u0301")
@example("\x1b\x1b[31m[31m")
@example("<\u200bpasted_content")
@example("\u200b!x")
def test_a_prepared_text_is_left_as_it_is(text: str) -> None:
    try:
        prepared = prepare_prompt(text)
    except (EmptyPromptError, PromptTooLongError):
        return
    assert prepare_prompt(prepared) == prepared
    assert unicodedata.normalize("NFC", prepared) == prepared
    assert prepared.strip() not in EXIT_WORDS
    assert not prepared.startswith("!")
    assert prepared.rstrip() == prepared != ""
    prepared.encode()


@given(TEXTS.map(lambda text: text * 40))
def test_pieces_keep_their_limits_and_join_to_the_text_and_a_space(text: str) -> None:
    pieces = split_pieces(text, IN_PIECES)
    assert "".join(pieces) == f"{text} "
    for piece in pieces:
        assert 0 < len(piece.encode("utf-16-le", "surrogatepass")) // 2 <= LONGEST_PIECE
        assert piece.count("\n") <= MOST_NEWLINES_IN_PIECE


@pytest.mark.parametrize("text", ["see /tmp/a.png", "'a.JPG' b.gif\nc.webp x", "a.jpeg.png"])
def test_no_piece_holds_the_name_of_an_image(text: str) -> None:
    pieces = split_pieces(text, IN_PIECES)
    for piece in pieces:
        for extension in (".png", ".jpg", ".jpeg", ".gif", ".webp"):
            assert extension not in piece.lower()


def test_a_long_text_of_small_characters_has_no_more_pieces_than_it_needs() -> None:
    assert len(split_pieces("x" * 399, IN_PIECES)) == 1
    assert len(split_pieces("x" * LONGEST_PROMPT, IN_PIECES)) == LONGEST_PROMPT // LONGEST_PIECE + 1
    assert len(split_pieces("\U0001f642" * 400, IN_PIECES)) == 3


@given(TEXTS.map(lambda text: text * 40))
def test_a_version_that_takes_no_pieces_gets_one_paste(text: str) -> None:
    assert split_pieces(text, Typing(in_pieces=False, seconds_before_enter=0.6)) == [f"{text} "]


@given(TEXTS)
def test_a_prompt_is_the_same_as_itself_with_other_spaces(text: str) -> None:
    assert is_same_prompt(text, f"\n{text}\u00a0 \u200b\r\n")
    assert is_same_prompt(unicodedata.normalize("NFD", text), text)


@pytest.mark.parametrize(
    ("sent", "received"),
    [
        ("a b", "a\n    b"),
        ("a\tb", "a    b"),
        ("<pasted_content>", "<\\pasted_content>"),
        ("می\u200cخواهم", "میخواهم"),
        ("❤\ufe0f", "❤"),
        ("x\x07", "x"),
    ],
)
def test_what_claude_changed_on_the_way_is_the_same_prompt(sent: str, received: str) -> None:
    assert is_same_prompt(sent, received)


@pytest.mark.parametrize(
    ("sent", "received"), [("yes", "yes!"), ("a\\", "a"), ("A", "a"), ("1", "2"), ("x", "")]
)
def test_another_text_is_another_prompt(sent: str, received: str) -> None:
    assert not is_same_prompt(sent, received)


@pytest.mark.parametrize(
    "unit", ["a\u200e", "\u05d0\u200e.", "\u0e01\u200b", "\u0628\u200c", "\u0301\u200d", "\x1b]"]
)
def test_a_long_hostile_text_takes_no_second_of_the_processor(unit: str) -> None:
    started = time.process_time()
    prepare_prompt(f"x{unit * 4000}.")
    assert time.process_time() - started < 1
