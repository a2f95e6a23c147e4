"""Posts to messages: whatever the Markdown, Telegram takes every piece and no text is lost."""

from __future__ import annotations

import json
import re

import pytest
import telegramify_markdown
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from channels.telegram_text import LIMIT, render_pieces
from core.foreign_text import replace_halves
from core.model import Button, Chat, Piece, Post, Style
from tests.standins.telegram_entities import entity_text, utf16_length
from tests.standins.telegram_rules import Params, read_text

CHAT = Chat("telegram", 7)
BLANK = re.compile(r"[\s\x00-\x1f]+")
MARKS = (
    *("**", "*", "_", "__", "`", "```", "```py\n", "\n", "\n\n", "> ", "- ", "1. ", "# ", "~~"),
    *("||", "| a | b |\n|---|---|\n| c | d |\n", "[x](http://a.b)", "![i](http://a.b/c.png)"),
    *("<b>", "</b>", "&amp;", "&#1;", "\\", "$x$", "$$y$$", "\U0001f600", "\t", "---\n", "- [ ] "),
    *("\x00", "\r", "\r\n", "\u200b", "\u3000", "[^1]", "[^1]: n\n", "\ud83d", "\u0301", "e\u0301"),
)
MARKDOWN = st.lists(st.sampled_from(MARKS) | st.text(max_size=20), max_size=40).map("".join)
STYLES: st.SearchStrategy[Style] = st.sampled_from(("markdown", "notice", "screen"))


def pieces(text: str, style: Style = "markdown") -> list[Piece]:
    return render_pieces(Post("k", CHAT, text, style))


def check_that_telegram_takes(piece: Piece) -> None:
    values = {"text": piece.text, "entities": json.dumps(list(piece.entities))}
    text, entities = read_text(Params(values), strict=True)
    assert text == piece.text.rstrip().lstrip(" \n") or piece.entities
    for entity in entities:
        entity_text(text, entity)  # raises when it cuts a character in two


def words(text: str) -> str:
    return BLANK.sub("", text)


@settings(deadline=None, max_examples=150, suppress_health_check=list(HealthCheck))
@given(MARKDOWN, STYLES, st.sampled_from([1, 1, 1, 40, 200]))
def test_telegram_takes_every_piece_of_any_text(text: str, style: Style, times: int) -> None:
    found = pieces(text * times, style)
    assert found
    for piece in found:
        assert 1 <= utf16_length(piece.text) <= LIMIT
        check_that_telegram_takes(piece)


@settings(deadline=None, max_examples=100, suppress_health_check=list(HealthCheck))
@given(MARKDOWN, st.sampled_from(["markdown", "notice"]), st.sampled_from([1, 60, 300]))
def test_no_text_is_lost_between_the_pieces(text: str, style: Style, times: int) -> None:
    whole = text * times
    shown = replace_halves(whole)
    if style == "markdown":
        shown, _ = telegramify_markdown.convert(shown, latex_escape=False)
    together = words("".join(piece.text for piece in pieces(whole, style)))
    assert together == (words(shown) or "…")


@pytest.mark.parametrize("text", ["", " ", "\n\n", "\x00\x01", "\u3000", "```\n```", "<!-- -->"])
@pytest.mark.parametrize("style", ["markdown", "notice", "screen"])
def test_nothing_to_show_is_still_one_message(text: str, style: Style) -> None:
    (piece,) = pieces(text, style)
    check_that_telegram_takes(piece)


def test_markdown_becomes_entities() -> None:
    (piece,) = pieces("**bold** and `code`")
    assert piece.text == "bold and code"
    assert [(e["type"], e["offset"], e["length"]) for e in piece.entities] == [
        ("bold", 0, 4),
        ("code", 9, 4),
    ]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("**a `b` c**", [("bold", "a "), ("code", "b"), ("bold", " c")]),
        ("*it **both** it*", [("italic", "it "), ("bold", "both"), ("italic", " it")]),
        ("[see **this**](http://a.b)", [("text_link", "see "), ("bold", "this")]),
        ("`a` `b`", [("code", "a"), ("code", "b")]),
        ("~~**x**~~", [("bold", "x"), ("strikethrough", "x")]),
    ],
)
def test_entities_within_each_other_are_cut_so_that_they_nest(
    text: str, parts: list[tuple[str, str]]
) -> None:
    (piece,) = pieces(text)
    check_that_telegram_takes(piece)
    found = [(e["type"], entity_text(piece.text, e)) for e in piece.entities]
    assert [part for part in parts if part not in found] == []


def test_a_block_of_code_that_goes_on_is_a_block_in_every_piece() -> None:
    code = "\n".join(f"line_{number} = {number}" for number in range(600))
    found = pieces(f"```python\n{code}\n```")
    assert len(found) > 1
    for piece in found:
        assert [(e["type"], e.get("language")) for e in piece.entities] == [("pre", "python")]
        assert piece.entities[0]["offset"] == 0


def test_a_long_text_is_cut_between_paragraphs_lines_and_words() -> None:
    paragraph = "word " * 500
    first, second = pieces(f"{paragraph}\n\n{paragraph}", "notice")
    assert words(first.text) == words(second.text) == words(paragraph)
    lines = "\n".join(["x" * 100] * 60)
    assert all(piece.text.endswith("x" * 100) for piece in pieces(lines, "notice"))
    assert {len(word) for piece in pieces("word " * 2000) for word in piece.text.split()} == {4}


@pytest.mark.parametrize("length", [4095, 4096, 4097, 8192, 8193])
@pytest.mark.parametrize("character", ["x", "\U0001f600"])
def test_the_limit_counts_utf_16_units(length: int, character: str) -> None:
    found = pieces(character * length, "notice")
    units = length * utf16_length(character)
    assert len(found) == -(-units // LIMIT)
    assert "".join(piece.text for piece in found) == character * length


def test_a_screen_is_one_message_with_its_last_lines() -> None:
    (piece,) = pieces("\n".join(f"line {number}" for number in range(2000)), "screen")
    assert piece.text.endswith("line 1999")
    assert piece.entities[0]["type"] == "pre"
    assert len(pieces("x" * 10_000, "screen")) == 1


def test_a_keyboard_hangs_below_the_last_piece_alone() -> None:
    keyboard = ((Button("OK", "id"),),)
    found = render_pieces(Post("k", CHAT, "word " * 2000, "notice", keyboard))
    assert [piece.keyboard for piece in found[:-1]] == [()] * (len(found) - 1)
    assert found[-1].keyboard == keyboard
