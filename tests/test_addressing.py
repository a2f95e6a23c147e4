"""addressing: which messages of a group are for the bot, and that a name is only a name."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.addressing import add_speaker, is_meant, speaker_name, strip_mention
from core.commands import Command, parse_command
from core.delivery import Prompt
from core.keystrokes import prepare_prompt
from core.model import (
    ButtonPressed,
    Chat,
    FilesSent,
    Incoming,
    KindNotHandled,
    LocationSent,
    Person,
    TextEdited,
    TextSent,
)

GROUP, ADA = Chat("telegram", -1001, 7), Person(42, "Ada")
SAID: list[Incoming] = [
    TextSent(GROUP, ADA, 1, "hello", is_private=False),
    FilesSent(GROUP, ADA, 1, "look", (), is_private=False),
    LocationSent(GROUP, ADA, 1, 1.0, 2.0, is_private=False),
    TextEdited(GROUP, ADA, 1, "hello", is_private=False),
    KindNotHandled(GROUP, ADA, "sticker", is_private=False),
    TextSent(GROUP, ADA, 1, "/clear", is_private=False),
    TextSent(GROUP, ADA, 1, "/new@another_bot", is_private=False),
    TextSent(GROUP, ADA, 1, "/new", is_private=False, forwarded_from="Eve"),
]


@pytest.mark.parametrize("incoming", SAID)
def test_talk_between_people_is_not_meant_outside_of_a_session_topic(incoming: Incoming) -> None:
    assert not is_meant(incoming, is_session=False)
    assert is_meant(incoming, is_session=True)


@pytest.mark.parametrize("kind", [TextSent, TextEdited])
def test_what_mentions_or_answers_the_bot_is_meant(kind: type[TextSent | TextEdited]) -> None:
    said = kind(GROUP, ADA, 1, "hello", is_private=False, is_addressed=True)
    assert is_meant(said, is_session=False)


def test_presses_and_own_commands_are_meant() -> None:
    assert is_meant(ButtonPressed(GROUP, ADA, 1, "id", "x", is_private=False), is_session=False)
    assert is_meant(TextSent(GROUP, ADA, 1, "/new", is_private=False), is_session=False)


def test_everything_is_meant_in_a_private_chat() -> None:
    assert is_meant(TextSent(Chat("telegram", 42), ADA, 1, "hello"), is_session=False)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("@our_bot fix it", "fix it"),
        ("@Our_Bot, fix it", "fix it"),
        ("@our_bot: fix\nit", "fix\nit"),
        ("@our_bot", ""),
        ("@our_bot2 fix it", "@our_bot2 fix it"),
        ("ask @our_bot", "ask @our_bot"),
        ("@our_bot /new", "/new"),
    ],
)
def test_the_bots_name_in_front_is_no_part_of_the_words(text: str, left: str) -> None:
    assert strip_mention(text, "our_bot") == left


NAMES = {
    "Ada Lovelace": "Ada Lovelace",
    "/clear": "clear",
    "!rm -rf /": "rm -rf",
    "@/etc/passwd": "etc passwd",
    "#remember": "remember",
    "Ada:\nBob": "Ada Bob",
    "A\u202ed\u200ba": "A d a",
    "\u3164\u2800": "Person 42",
    "": "Person 42",
    "...": "Person 42",
    "José Ñandú": "José Ñandú",
    "张伟": "张伟",
    "Zo" + "\u0301\u0302\u0303\u0304\u0305" + "e": "Zó\u0302\u0303e",
    "x" * 500: "x" * 40,
    "O'Neil-Smith": "O'Neil-Smith",
    "<b>Eve</b>": "b Eve b",
    "Ada 🚀": "Ada",
}


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_cleaned(name: str) -> None:
    assert speaker_name(Person(42, name)) == NAMES[name]


@given(st.text(max_size=80), st.text(max_size=80))
def test_no_name_makes_a_command_or_another_line(name: str, text: str) -> None:
    person = Person(42, name)
    prefix = add_speaker("hello", person, is_private=False).removesuffix("hello")
    assert prefix.endswith(": ") and len(prefix) <= 42
    assert prefix[0].isalnum() and prefix.count(":") == 1
    hidden = {unicodedata.category(character) for character in prefix} & {"Cc", "Cf", "Zl", "Zp"}
    assert not hidden and "\n" not in prefix
    said = add_speaker(text, person, is_private=False)
    if said != text:
        assert not Prompt("", said).is_command
        assert not isinstance(parse_command(said, "our_bot"), Command)
        assert not prepare_prompt(said).startswith(("!", "/", "@", "#"))
    else:
        assert Prompt("", text).is_command


@given(st.text(max_size=80), st.text(max_size=80))
def test_nothing_is_added_in_a_private_chat(name: str, text: str) -> None:
    assert add_speaker(text, Person(42, name), is_private=True) == text


def test_claudes_own_commands_stay_commands() -> None:
    assert add_speaker("/clear", ADA, is_private=False) == "/clear"
    assert add_speaker("/compact the plan", ADA, is_private=False) == "/compact the plan"
    assert add_speaker("!ls", ADA, is_private=False) == "Ada: !ls"
    assert add_speaker("/etc/hosts is wrong", ADA, is_private=False) == "Ada: /etc/hosts is wrong"
