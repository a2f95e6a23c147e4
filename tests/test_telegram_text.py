"""Posts to messages: whatever the Markdown, Telegram takes every piece and no text is lost."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from channels.telegram_markdown import render_markdown
from channels.telegram_text import CAPTION_LIMIT, LIMIT, render_pieces
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
STYLES: st.SearchStrategy[Style] = st.sampled_from(("markdown", "notice", "screen", "card"))
DETAILS = st.lists(
    st.sampled_from(["Read a.py", "x" * 90, "\U0001f600" * 50]) | st.text(max_size=30)
)


def pieces(text: str, style: Style = "markdown", details: str = "") -> list[Piece]:
    return render_pieces(Post("k", CHAT, text, style, details=details))


def check_that_telegram_takes(piece: Piece) -> None:
    values = {"text": piece.text, "entities": json.dumps(list(piece.entities))}
    text, entities = read_text(Params(values), strict=True)
    assert text == piece.text.rstrip().lstrip(" \n") or piece.entities
    for entity in entities:
        entity_text(text, entity)  # raises when it cuts a character in two


def words(text: str) -> str:
    return BLANK.sub("", text)


@settings(deadline=None, max_examples=150, suppress_health_check=list(HealthCheck))
@given(MARKDOWN, STYLES, DETAILS, st.sampled_from([1, 1, 1, 40, 200]))
def test_telegram_takes_every_piece_of_any_text(
    text: str, style: Style, details: list[str], times: int
) -> None:
    found = pieces(text * times, style, "\n".join(details * times))
    assert found
    assert style != "card" or len(found) == 1
    for piece in found:
        assert 1 <= utf16_length(piece.text) <= LIMIT
        check_that_telegram_takes(piece)


@settings(deadline=None, max_examples=100, suppress_health_check=list(HealthCheck))
@given(MARKDOWN, st.sampled_from(["markdown", "notice"]), st.sampled_from([1, 60, 300]))
def test_no_text_is_lost_between_the_pieces(text: str, style: Style, times: int) -> None:
    whole = text * times
    shown = replace_halves(whole)
    if style == "markdown":
        shown = render_markdown(shown).text
    found = pieces(whole, style)
    if found[-1].files:
        assert [file.text for file in found[-1].files] == [whole]
        assert words(shown).startswith(words("".join(piece.text for piece in found[:-1])))
    else:
        assert words("".join(piece.text for piece in found)) == (words(shown) or "…")


@pytest.mark.parametrize("text", ["", " ", "\n\n", "\x00\x01", "\u3000", "```\n```", "<!-- -->"])
@pytest.mark.parametrize("style", ["markdown", "notice", "screen", "card"])
def test_nothing_to_show_is_still_one_message(text: str, style: Style) -> None:
    (piece,) = pieces(text, style)
    check_that_telegram_takes(piece)


def test_a_very_long_answer_is_its_first_messages_and_a_file() -> None:
    paragraphs = "\n\n".join(f"Paragraph {number} " + "word " * 40 for number in range(200))
    *texts, file = pieces(paragraphs)
    assert len(texts) == 3
    assert all(piece.text.startswith("Paragraph") for piece in texts)
    assert [(attachment.name, attachment.text) for attachment in file.files] == [
        ("answer.md", paragraphs)
    ]
    assert utf16_length(file.text) <= CAPTION_LIMIT
    assert len(pieces("word " * 3200)) == 4  # what four messages hold is shown in full
    assert not pieces("word " * 9000, "notice")[-1].files


def test_code_and_entities_that_fit_a_message_are_never_cut() -> None:
    code = "```py\n" + "\n".join(f"line_{number} = {number}" for number in range(120)) + "\n```"
    text = "\n\n".join(["Here is the *first* part of it:", code, "And then:", code, code, "End."])
    found = pieces(text)
    assert len(found) > 1
    blocks = [entity_text(p.text, e) for p in found for e in p.entities if e["type"] == "pre"]
    assert [block.splitlines()[-1] for block in blocks] == ["line_119 = 119"] * 3
    link = "[" + "word " * 100 + "](http://a.example.org)"
    found = pieces(f"{'word ' * 790}{link} end")
    (linked,) = [e for p in found for e in p.entities]
    assert linked["length"] >= 499


def test_more_entities_than_a_message_takes_make_more_messages() -> None:
    found = pieces(" ".join(f"**{number}**" for number in range(250)))
    assert [len(piece.entities) for piece in found] == [100, 100, 50]


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
    assert 1 < len(found) <= 4
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


# --- details and cards -------------------------------------------------------------------------


def test_details_hang_folded_below_the_text() -> None:
    (piece,) = pieces("**Working** \U0001f600", "card", "Read *a.py*\nEdit b.py")
    assert piece.text == "Working \U0001f600\nRead *a.py*\nEdit b.py"
    assert [(e["type"], entity_text(piece.text, e)) for e in piece.entities] == [
        ("bold", "Working"),
        ("expandable_blockquote", "Read *a.py*\nEdit b.py"),
    ]


@pytest.mark.parametrize("style", ["card", "markdown", "notice"])
def test_details_alone_are_a_message(style: Style) -> None:
    (piece,) = pieces("", style, "one\ntwo")
    assert piece.text == "one\ntwo"
    assert piece.entities[0]["type"] == "expandable_blockquote"


def test_of_too_many_details_the_oldest_are_left_out_and_counted() -> None:
    lines = [f"Bash: command number {number}" for number in range(400)]
    (piece,) = pieces("Working", "card", "\n".join(lines))
    text, missing, *kept = piece.text.split("\n")
    assert text == "Working"
    assert kept == lines[-len(kept) :]
    assert missing == f"… {400 - len(kept)} earlier"
    assert LIMIT - 40 < utf16_length(piece.text) <= LIMIT


def test_a_long_text_takes_at_most_half_of_a_card_with_details() -> None:
    text = "\n".join(f"- step **{number}**" for number in range(1000))
    details = "\n".join(f"Read file {number}" for number in range(1000))
    (piece,) = pieces(text, "card", details)
    shown, _, folded = piece.text.partition("\n… ")
    assert shown.startswith("…\n")
    assert shown.endswith("step 999")
    assert folded.endswith("Read file 999")
    assert min(utf16_length(shown), utf16_length(folded)) > LIMIT // 2 - 50
    bold = [entity_text(piece.text, e) for e in piece.entities if e["type"] == "bold"]
    assert bold
    assert all(word.isdigit() for word in bold)


def test_a_card_that_is_too_long_shows_its_end_whole_words_and_its_code_as_code() -> None:
    code = "\n".join(f"line {number}" for number in range(2000))
    (piece,) = pieces(f"```py\n{code}\n```", "card")
    assert piece.text.startswith("…\nline ")
    assert piece.text.endswith("line 1999")
    assert [(e["type"], e["offset"]) for e in piece.entities] == [("pre", 2)]
    (piece,) = pieces("word " * 3000, "card")
    assert set(piece.text.split()) == {"…", "word"}
    (piece,) = pieces("\U0001f600" * 3000, "card")
    assert piece.text.strip("…\n") == "\U0001f600" * (LIMIT // 2 - 1)


def test_details_below_a_text_that_fills_its_message_get_one_of_their_own() -> None:
    text, own = pieces("x" * 4000, "notice", "a" * 300)
    assert (text.text, own.text) == ("x" * 4000, "a" * 300)
    (both,) = pieces("x" * 3600, "notice", "a" * 300)
    assert both.text == "x" * 3600 + "\n" + "a" * 300


def test_one_endless_line_of_details_shows_its_end() -> None:
    (piece,) = pieces("Working", "card", "x" * 9000 + "end")
    assert piece.text.endswith("xend")
    assert utf16_length(piece.text) <= LIMIT
