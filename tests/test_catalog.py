"""What Claude Code says it offers, and its commands in Telegram's menu."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.catalog import (
    FALLBACK,
    CommandOffer,
    list_menu,
    parse_catalog,
    restore_name,
    spell_for_chat,
    spell_for_menu,
)
from tests.standins.telegram_rules import Params, read_commands


def answer(**found: Any) -> bytes:
    line = {"type": "control_response", "response": {"subtype": "success", "response": found}}
    return json.dumps(line).encode()


TOLD = answer(
    commands=[
        {"name": "greet-me", "description": "Greets\n(project)", "argumentHint": "[name]"},
        {"name": "git:push", "description": "Push (user)", "argumentHint": ""},
        {"name": "compact", "description": "Free up context", "builtin": True},
        {"name": "__remote-workflow", "description": "Hidden", "builtin": True},
        {"description": "has no name"},
        "no command",
    ],
    models=[
        {
            "value": "default",
            "displayName": "Default (recommended)",
            "description": "Opus 5.5",
            "supportedEffortLevels": ["low", "high", 7],
        },
        {"value": "haiku", "displayName": "Haiku"},
        {"displayName": "has no value"},
    ],
    agents=[{"name": "security", "description": "sec"}, {"description": "none"}],
)


def test_what_is_told_is_read() -> None:
    found = parse_catalog(TOLD)
    assert found is not None
    assert found.is_told
    assert [(m.value, m.name, m.efforts) for m in found.models] == [
        ("default", "Default (recommended)", ("low", "high")),
        ("haiku", "Haiku", ()),
    ]
    assert [agent.name for agent in found.agents] == ["security"]
    assert [command.name for command in found.own_commands] == ["greet-me", "git:push"]
    assert found.commands[0] == CommandOffer("greet-me", "Greets (project)", "[name]")
    assert found.commands[2].is_builtin
    assert len(found.commands) == 3


def test_versions_that_do_not_mark_their_own_say_where_the_others_are_from() -> None:
    found = parse_catalog(
        answer(
            commands=[
                {"name": "greet-me", "description": "Greets (project)"},
                {"name": "plug:zip", "description": "(plug) Zips"},
                {"name": "compact", "description": "Free up context"},
            ]
        )
    )
    assert found is not None
    assert [command.name for command in found.own_commands] == ["greet-me", "plug:zip"]


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{",
        b'{"type":"system","subtype":"hook_started"}',
        b'{"type":"control_response"}',
        b'{"type":"control_response","response":{"subtype":"error","error":"no"}}',
        b'{"type":"control_response","response":7}',
        b"\xff\xfe",
    ],
)
def test_another_line_is_no_catalog(line: bytes) -> None:
    assert parse_catalog(line) is None


def test_an_answer_without_models_leaves_what_every_version_takes() -> None:
    found = parse_catalog(answer(commands=None, models="no", agents=[7]))
    assert found is not None
    assert found.models == FALLBACK.models
    assert found.commands == ()


@pytest.mark.parametrize(
    ("model", "efforts"),
    [
        ("", ("low", "high")),
        ("default", ("low", "high")),
        ("haiku", ("low", "high")),
        ("claude-opus-5-5", ("low", "high")),
    ],
)
def test_efforts_are_those_of_the_model_or_else_all(model: str, efforts: tuple[str, ...]) -> None:
    found = parse_catalog(TOLD)
    assert found is not None
    assert found.efforts_of(model) == efforts


@pytest.mark.parametrize(
    ("name", "spelled"),
    [
        ("greet-me", "greet_me"),
        ("git:push", "git_push"),
        ("Review", "review"),
        ("a" * 32, "a" * 32),
        ("a" * 33, None),
        ("größe", None),
        ("a.b", None),
        ("", None),
    ],
)
def test_a_name_is_spelled_as_a_menu_takes_it(name: str, spelled: str | None) -> None:
    assert spell_for_menu(name) == spelled


def test_two_that_would_be_spelled_alike_are_left_out_of_the_menu() -> None:
    commands = [CommandOffer(name, "x") for name in ("a-b", "a:b", "c-d", "new", "status-line")]
    assert list_menu(commands, ["new"], 100) == [("c_d", "x"), ("status_line", "x")]
    assert list_menu(commands, [], 1) == [("c_d", "x")]


@pytest.mark.parametrize(
    ("text", "prompt"),
    [
        ("/git_push", "/git:push"),
        ("/git_push now -f", "/git:push now -f"),
        ("/Git_Push\nnow", "/git:push\nnow"),
        ("/own_one x", "/own_one x"),
        ("/a_b", "/a_b"),
        ("/unknown_one", "/unknown_one"),
        ("/git_push/x", "/git_push/x"),
        ("say /git_push", "say /git_push"),
        ("", ""),
    ],
)
def test_what_comes_back_is_spelled_as_claude_wants_it(text: str, prompt: str) -> None:
    names = ("git:push", "own_one", "own-one", "a-b", "a:b")
    assert restore_name(text, [CommandOffer(name) for name in names]) == prompt


@pytest.mark.parametrize(
    ("name", "written"),
    [("git:push", "/git_push"), ("a-b", "/a-b"), ("own-one", "/own-one"), ("own_one", "/own_one")],
)
def test_a_command_is_written_so_that_a_touch_on_it_sends_it(name: str, written: str) -> None:
    commands = [CommandOffer(n) for n in ("git:push", "own_one", "own-one", "a-b", "a:b")]
    assert spell_for_chat(CommandOffer(name), commands) == written


@given(st.lists(st.builds(CommandOffer, st.text("abAB-_:.9", min_size=1), st.text()), max_size=120))
def test_telegram_takes_every_menu_and_each_row_comes_back_as_one_command(
    commands: list[CommandOffer],
) -> None:
    menu = list_menu(commands, ["new"], 100)
    rows = [{"command": name, "description": text.strip() or "x"} for name, text in menu]
    assert read_commands(Params({"commands": json.dumps(rows)})) or not rows
    for name, _ in menu:
        restored = restore_name(f"/{name}", commands).removeprefix("/")
        assert restored in {command.name for command in commands}
        assert spell_for_menu(restored) == name
