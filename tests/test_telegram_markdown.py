"""Markdown as a person reads it in Telegram: nothing lost, nothing broken, readable on a phone."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

import pyromark
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from channels.telegram_markdown import _OPTIONS, render_markdown
from channels.telegram_tables import WIDEST, width_of
from channels.telegram_text import LIMIT, render_pieces
from core.foreign_text import replace_halves
from core.model import Chat, Post
from tests.fixtures.markdown_documents import documents
from tests.standins.telegram_entities import entity_text, utf16_length
from tests.standins.telegram_rules import Params, read_text

CORPUS = list(documents(400))


def shown(markdown: str) -> list[tuple[str, str]]:
    rendered = render_markdown(markdown)
    return [(e["type"], entity_text(rendered.text, e)) for e in rendered.entities]


def squeeze(text: str) -> str:
    return re.sub(r"\s+", "", text)


def check_that_nothing_is_lost(markdown: str, text: str) -> None:
    """Every text that the parser finds is there."""
    left = squeeze(text)
    for event in pyromark.events(markdown, options=_OPTIONS):
        match event:
            case {"InlineHtml": str(tag)} if re.fullmatch(r"<br\s*/?>", tag, re.IGNORECASE):
                continue
            case {"Text": str(words)} | {"Code": str(words)}:
                assert squeeze(words) in left
            case {"Html": str(words)} | {"InlineHtml": str(words)}:
                assert squeeze(words) in left


# --- the corpus --------------------------------------------------------------------------------


def test_the_corpus_is_large_and_has_long_documents() -> None:
    assert len(set(CORPUS)) >= 390
    assert sum(len(document) > 3 * LIMIT for document in CORPUS) > 20


@pytest.mark.parametrize("number", range(0, len(CORPUS), 20))
def test_of_every_document_nothing_is_lost_and_telegram_takes_every_piece(number: int) -> None:
    for document in CORPUS[number : number + 20]:
        rendered = render_markdown(document)
        check_that_nothing_is_lost(document, rendered.text)
        *pieces, last = render_pieces(Post("k", Chat("telegram", 7), document, "markdown"))
        for piece in [*pieces, last]:
            assert 1 <= utf16_length(piece.text) <= LIMIT
            values = {"text": piece.text, "entities": json.dumps(list(piece.entities))}
            assert read_text(Params(values), strict=True)[0]
        if last.files:
            assert last.files[0].text == document
        else:
            together = "".join(piece.text for piece in [*pieces, last])
            assert squeeze(together) == (squeeze(rendered.text) or "…")


def covered(text: str, entities: Iterable[dict[str, Any]]) -> list[tuple[str, str]]:
    """What each entity covers, without the white space around it, which a cut may take away."""
    units = text.encode("utf-16-le")
    parts = [
        (e["type"], units[2 * e["offset"] : 2 * (e["offset"] + e["length"])]) for e in entities
    ]
    return [(kind, part.decode("utf-16-le").strip()) for kind, part in parts]


@pytest.mark.parametrize("number", range(0, len(CORPUS), 40))
def test_no_code_and_no_entity_that_fits_is_broken(number: int) -> None:
    for document in CORPUS[number : number + 40]:
        pieces = render_pieces(Post("k", Chat("telegram", 7), document, "markdown"))
        if pieces[-1].files:
            continue
        rendered = render_markdown(document)
        found = [part for piece in pieces for part in covered(piece.text, piece.entities)]
        for kind, text in covered(rendered.text, rendered.entities):
            assert utf16_length(text) > LIMIT or (kind, text) in found


MARKS = (
    *("|", "| a | b |\n|---|--:|\n", "\n", "- ", "> ", "`", "**", "<b>", "</b>", "<!-- x -->"),
    *("[x](y)", "![](z)", "[](http://a.b)", "1. ", "  ", "```\n", "# ", "- [x] ", "&lt;", "<br>"),
)


@settings(deadline=None, max_examples=200, suppress_health_check=list(HealthCheck))
@given(st.lists(st.sampled_from(MARKS) | st.text(max_size=8), max_size=40).map("".join))
def test_of_any_text_nothing_is_lost(text: str) -> None:
    text = replace_halves(text)
    check_that_nothing_is_lost(text, render_markdown(text).text)


# --- what it looks like ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("markdown", "text"),
    [
        ("a\n\nb\nc", "a\n\nb\nc"),
        ("- a\n  - b\n    - c\n- d", "• a\n  • b\n    • c\n• d"),
        ("- a\n\n- b\n\ntext", "• a\n• b\n\ntext"),
        ("3. a\n4. b\n   - c", "3. a\n4. b\n  • c"),
        ("- a\n  more\n\n  second", "• a\n  more\n  second"),
        ("- [ ] a\n- [x] b", "⬜ a\n✅ b"),
        ("- - a", "• \n  • a"),
        ("-\n- b", "• \n• b"),
        ("# a\ntext\n## b\ntext", "a\n\ntext\n\nb\n\ntext"),
        ("a\n\n---\n\nb", "a\n\n———\n\nb"),
        ("use <div> and List<T>", "use <div> and List<T>"),
        ("<div>\n a\n</div>\n\nb", "<div>\n a\n</div>\n\nb"),
        ("a<br>b<br/>c", "a\nb\nc"),
        ("$PATH:$HOME and $x$", "$PATH:$HOME and $x$"),
        ("a || b || c", "a || b || c"),
        ("[a](src/a.py), [b](#b), <m@a.b>, [](x)", "a (src/a.py), b, m@a.b, x"),
        ("![cat](cat.png)", "🖼 cat (cat.png)"),
        ("text\n```py\nx\n```\nend", "text\n\nx\n\nend"),
        ("```\n\n```", ""),
    ],
)
def test_text_looks_as_it_was_meant(markdown: str, text: str) -> None:
    assert render_markdown(markdown).text == text


@pytest.mark.parametrize(
    ("markdown", "entities"),
    [
        ("# a\n## b", [("bold", "a"), ("underline", "a"), ("bold", "b")]),
        ("```py title\nx\ny\n```", [("pre", "x\ny")]),
        ("[a](http://a.b/c)", [("text_link", "a")]),
        ("[a](http://localhost:1)", []),
        ("![a](https://a.b/c.png)", [("text_link", "a")]),
        ("> a\n> > b", [("blockquote", "a\n\nb")]),
        ("- **a** `b`\n- > c", [("bold", "a"), ("code", "b"), ("blockquote", "c")]),
    ],
)
def test_entities_cover_what_they_should(markdown: str, entities: list[tuple[str, str]]) -> None:
    assert sorted(shown(markdown)) == sorted(entities)


def test_a_long_quote_is_folded() -> None:
    assert [kind for kind, _ in shown("> " + "word " * 200)] == ["expandable_blockquote"]


# --- tables ------------------------------------------------------------------------------------


def test_a_narrow_table_is_shown_in_columns_that_line_up() -> None:
    table = "| a | number |\n|---|--:|\n| 漢字 | 1 |\n| `x` | 200 |"
    ((kind, text),) = shown(table)
    assert kind == "pre"
    assert text.splitlines() == [
        "a    | number",
        "-----+-------",
        "漢字 |      1",
        "x    |    200",
    ]
    assert {width_of(line) for line in text.splitlines()} == {13}


def test_a_wide_table_of_two_columns_is_a_list() -> None:
    long = "a long explanation that no phone shows on one line"
    rendered = render_markdown(f"| Flag | Meaning |\n|--|--|\n| `-q` | {long} |\n| `-v` |  |")
    assert rendered.text == f"Flag — Meaning\n• -q — {long}\n• -v"
    assert ("code", "-q") in shown(f"| Flag | Meaning |\n|--|--|\n| `-q` | {long} |")


def test_a_wider_table_is_shown_row_by_row_with_its_headers() -> None:
    header = "| File | What was changed | Why |\n|--|--|--|"
    table = f"{header}\n| a.py | the whole of it | [x](http://a.b) |\n| b.py | | y |"
    rendered = render_markdown(table)
    assert rendered.text == (
        "File: a.py\n• What was changed: the whole of it\n• Why: x\n\n"
        "File: b.py\n• What was changed: –\n• Why: y"
    )
    assert shown(table) == [("bold", "File: a.py"), ("text_link", "x"), ("bold", "File: b.py")]


@settings(deadline=None, max_examples=100)
@given(
    st.lists(
        st.lists(st.text("ab é漢\U0001f600", max_size=12), min_size=1, max_size=4),
        min_size=1,
        max_size=6,
    )
)
def test_a_table_in_columns_is_never_wider_than_a_phone(rows: list[list[str]]) -> None:
    columns = len(rows[0])
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    lines.insert(1, "|" + "--|" * columns)
    for kind, text in shown("\n".join(lines)):
        if kind == "pre":
            assert max(width_of(line) for line in text.splitlines()) <= WIDEST
