"""The stand-in for Telegram reads text, entities, HTML and MarkdownV2 as Telegram does."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from telegram import (
    Bot,
    MessageEntity,
    ReplyParameters,
)
from telegram.error import (
    BadRequest,
)

from tests.standins.telegram_api import TelegramApi
from tests.standins.telegram_entities import (
    EntityError,
    entity_text,
    utf16_length,
)
from tests.standins.telegram_markup import parse_html, parse_markdown_v2
from tests.standins.telegram_state import Chat

pytest_plugins = ["tests.standins.telegram_fixtures"]


@pytest.mark.parametrize(
    ("text", "options", "refused"),
    [
        ("", {}, "Message text is empty"),
        (" \n ", {}, "Text must be non-empty"),
        ("<b></b>", {"parse_mode": "HTML"}, "Text must be non-empty"),
        ("😀" * 2049, {}, "Message is too long"),
        ("x", {"parse_mode": "LaTeX"}, "Unsupported parse_mode"),
        ("<b>x", {"parse_mode": "HTML"}, 'end tag corresponding to start tag "b"'),
        ("a.b", {"parse_mode": "MarkdownV2"}, "Character '.' is reserved"),
        ("x", {"message_thread_id": 7}, "Message thread not found"),
        ("x", {"reply_to_message_id": 99}, "Message to be replied not found"),
    ],
)
async def test_a_text_is_refused_in_the_real_words(
    chat: Chat, bot: Bot, text: str, options: dict[str, Any], refused: str
) -> None:
    with pytest.raises(BadRequest, match=re.compile(re.escape(refused), re.IGNORECASE)):
        await bot.send_message(chat.id, text, **options)


async def test_length_counts_after_the_markup_is_parsed(
    api: TelegramApi, chat: Chat, bot: Bot
) -> None:
    await bot.send_message(chat.id, f"<b>{'&lt;' * 4096}</b>", parse_mode="HTML")
    assert len(api.messages(chat)[0].text) == 4096


async def test_markup_is_repaired_as_telegram_does_it(
    api: TelegramApi, chat: Chat, bot: Bot
) -> None:
    await bot.send_message(chat.id, "<b>see <code>x</code> now</b>", parse_mode="HTML")
    (message,) = api.messages(chat)
    spans = [(e["type"], entity_text(message.text, e)) for e in message.entities]
    assert spans == [("bold", "see "), ("code", "x"), ("bold", " now")]


async def test_lenient_entities_are_repaired_too(api: TelegramApi, chat: Chat, bot: Bot) -> None:
    api.are_entities_strict = False
    entities = [MessageEntity("bold", 0, 3), MessageEntity("code", 1, 1)]
    await bot.send_message(chat.id, "abc", entities=entities)
    assert [e["type"] for e in api.messages(chat)[0].entities] == ["bold", "code", "bold"]


async def test_a_missing_reply_may_be_allowed(api: TelegramApi, chat: Chat, bot: Bot) -> None:
    reply = ReplyParameters(99, allow_sending_without_reply=True)
    await bot.send_message(chat.id, "x", reply_parameters=reply)
    assert api.messages(chat)[0].reply_to is None


@pytest.mark.parametrize(
    ("spans", "refused"),
    [
        ([("bold", 0, 9)], "ends after the end of the text"),
        ([("bold", 2, 1)], "begins in a middle of a UTF-16 symbol"),
        ([("bold", 0, 2)], "ends in a middle of a UTF-16 symbol"),
        ([("glitter", 0, 1)], "Unsupported type specified"),
        ([("bold", 0, 3), ("italic", 1, 3)], "bold and italic cross"),
        ([("code", 0, 4), ("bold", 1, 2)], "code can't contain bold"),
        ([("bold", 0, 4), ("pre", 1, 2)], "bold can't contain pre"),
        ([("blockquote", 0, 4), ("blockquote", 1, 2)], "blockquote can't contain blockquote"),
        ([("text_link", 0, 1)], 'find field "url"'),
        ([("bold", 0, 1)] * 101, "more than 100"),
    ],
)
async def test_entities_must_fit_the_text(
    chat: Chat, bot: Bot, spans: list[tuple[str, int, int]], refused: str
) -> None:
    entities = [MessageEntity(*span) for span in spans]
    with pytest.raises(BadRequest, match=re.compile(re.escape(refused), re.IGNORECASE)):
        await bot.send_message(chat.id, "a😀b", entities=entities)


HTML = [
    ("a <b>b</b>", "a b", [("bold", "b")]),
    ("<b>a<i>b</i></b>", "ab", [("bold", "ab"), ("italic", "b")]),
    ("<blockquote expandable>q</blockquote>", "q", [("expandable_blockquote", "q")]),
    ('<pre><code class="language-py">x</code></pre>', "x", [("pre", "x")]),
    ('<a href="https://a.example/?x=1&amp;y">l</a>', "l", [("text_link", "l")]),
    ('<a href="nowhere">l</a>', "l", []),
    ('<span class="tg-spoiler">s</span>', "s", [("spoiler", "s")]),
    ("&lt;&amp;&#39;&#x1F600;&nbsp;", "<&'😀&nbsp;", []),
    ("<B>up</b>", "up", [("bold", "up")]),
]


@pytest.mark.parametrize(("source", "text", "spans"), HTML)
def test_html_becomes_text_and_entities(
    source: str, text: str, spans: list[tuple[str, str]]
) -> None:
    parsed, entities = parse_html(source)
    assert parsed == text
    assert sorted((e["type"], entity_text(parsed, e)) for e in entities) == sorted(spans)


@pytest.mark.parametrize(
    ("source", "refused"),
    [
        ("<a href=:>x</a>", "Unexpected end of name token at byte offset 8"),
        ("é<h1>x</h1>", 'Unsupported start tag "h1" at byte offset 2'),
        ("<b>x</i>", 'Unmatched end tag at byte offset 4, expected "</b>", found "</i>"'),
        ("x</b>", "Unexpected end tag at byte offset 1"),
        ("a < b", 'Unsupported start tag "" at byte offset 2'),
        ("a <b", "Unclosed start tag at byte offset 2"),
        ("<span>x</span>", 'Tag "span" must have class "tg-spoiler" at byte offset 0'),
        ("<br/>", 'Unsupported start tag "br/" at byte offset 0'),
    ],
)
def test_wrong_html_is_refused_with_its_place(source: str, refused: str) -> None:
    with pytest.raises(EntityError, match=re.escape(refused)):
        parse_html(source)


@pytest.mark.parametrize(
    ("source", "text", "spans"),
    [
        (r"a\.b *c* __d__ _e_", "a.b c d e", [("bold", "c"), ("italic", "e"), ("underline", "d")]),
        ("```py\nx = 1.5\n```", "x = 1.5\n", [("pre", "x = 1.5\n")]),
        ("`a.b`", "a.b", [("code", "a.b")]),
        ("[l](https://a.example/)", "l", [("text_link", "l")]),
        (">q\n>r\nend", "q\nr\nend", [("blockquote", "q\nr\n")]),
        (">q\n>r||", "q\nr", [("expandable_blockquote", "q\nr")]),
        ("||s||", "s", [("spoiler", "s")]),
    ],
)
def test_markdown_becomes_text_and_entities(
    source: str, text: str, spans: list[tuple[str, str]]
) -> None:
    parsed, entities = parse_markdown_v2(source)
    assert parsed == text
    assert sorted((e["type"], entity_text(parsed, e)) for e in entities) == spans


@pytest.mark.parametrize(
    ("source", "refused"),
    [
        ("*x", "Can't find end of Bold entity at byte offset 0"),
        ("é`x", "Can't find end of Code entity at byte offset 2"),
        ("a-b", "Character '-' is reserved and must be escaped with the preceding '\\'"),
        ("[x](http://a", "Can't find end of a URL at byte offset 4"),
    ],
)
def test_wrong_markdown_is_refused(source: str, refused: str) -> None:
    with pytest.raises(EntityError, match=re.escape(refused)):
        parse_markdown_v2(source)


@given(st.text(alphabet="<>/&;ab \"'=#x\n\\*_~`|>[]()!.-😀é", max_size=40))
def test_any_markup_is_either_refused_or_gives_entities_inside_the_text(source: str) -> None:
    for parse in (parse_html, parse_markdown_v2):
        try:
            text, entities = parse(source)
        except EntityError:
            continue
        assert all(e["length"] >= 0 and entity_text(text, e) is not None for e in entities)
        assert utf16_length(text) <= utf16_length(source)
