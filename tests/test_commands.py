"""Chat text to command or prompt, and the table to menu and help."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.commands import TABLE, Command, MenuEntry, parse_command, render_help
from tests.standins.telegram_rules import Params, read_commands

BOT = "our_bot"


def parse(text: str) -> Command | str | None:
    return parse_command(text, BOT)


@pytest.mark.parametrize(
    "entry", [entry for entry in TABLE if not entry.is_claudes], ids=lambda entry: entry.name
)
def test_every_row_of_the_table_is_understood(entry: object) -> None:
    name = entry.name  # type: ignore[attr-defined]
    for text in (f"/{name}", f"/{name.upper()}", f"/{name}@{BOT}", f"/{name}@OUR_Bot  "):
        assert parse(text) == Command(name)
    assert parse(f"/{name} a  b \n") == Command(name, "a  b")
    assert parse(f"/{name}\na") == Command(name, "a")


@pytest.mark.parametrize("entry", [entry for entry in TABLE if entry.is_claudes])
def test_a_row_of_claudes_own_goes_to_claude(entry: MenuEntry) -> None:
    assert parse(f"/{entry.name} some words") == f"/{entry.name} some words"


def test_reset_is_another_word_for_new() -> None:
    assert parse("/reset") == Command("new")


def test_claude_codes_own_continue_is_resume_which_knows_whose_sessions_are_whose() -> None:
    assert parse("/continue 1234") == Command("resume", "1234")


def test_another_bots_command_is_nobodys() -> None:
    assert parse("/new@their_bot") is None
    assert parse("/compact@their_bot") is None


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "hello", " /new", "/", "//new", "/new-thing", "/new.", "/new/x", "/новый"),
        *("say /new", "/new@", "/home/ada/x.py is broken", "/@our_bot", "／new"),
    ],
)
def test_what_only_looks_like_a_command_is_a_prompt(text: str) -> None:
    found = parse(text)
    assert isinstance(found, str | None)
    assert found == text


@pytest.mark.parametrize(
    ("text", "prompt"),
    [
        ("/compact", "/compact"),
        ("/Compact keep the plan", "/Compact keep the plan"),
        ("/compact@our_bot keep\n the plan", "/compact keep\n the plan"),
        ("/my_own", "/my_own"),
    ],
)
def test_any_other_command_goes_to_claude_without_our_name(text: str, prompt: str) -> None:
    assert parse(text) == prompt


@settings(deadline=None)
@given(st.text())
def test_a_text_without_a_slash_arrives_to_the_letter(text: str) -> None:
    if not text.startswith("/"):
        assert parse(text) == text


@settings(deadline=None)
@given(st.text())
def test_no_slash_raises(text: str) -> None:
    parse(f"/{text}")


def test_telegram_takes_the_menu() -> None:
    menu = [{"command": e.name, "description": e.description} for e in TABLE if e.is_in_menu]
    assert read_commands(Params({"commands": json.dumps(menu)})) == menu


def test_help_names_every_command_of_the_menu() -> None:
    for entry in TABLE:
        assert (f"\n/{entry.name}" in render_help()) == entry.is_in_menu
