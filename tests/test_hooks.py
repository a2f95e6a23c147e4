"""Hook payloads: those that the real CLI sent, and every way a message can be none."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.events import (
    BackgroundTask,
    HookEvent,
    PermissionAsked,
    PromptSubmitted,
    SessionEnded,
    SessionStarted,
    SubagentEnded,
    SubagentStarted,
    TextStreamed,
    TurnEnded,
)
from core.hooks import parse_hook, parse_version, render_settings

RECORDED = Path(__file__).parent / "fixtures" / "hooks-2.1.330.jsonl"
PAYLOADS = [json.loads(text) for text in RECORDED.read_text().splitlines()]
PANE = "claude-1"


def message(payload: object, pane: object = PANE) -> bytes:
    return json.dumps({"pane": pane, "payload": payload}).encode() + b"\n"


def event(name: str, **fields: Any) -> HookEvent | None:
    return parse_hook(message({"hook_event_name": name, "session_id": "s", **fields}))


def recorded(kind: type[Any]) -> list[Any]:
    events = [parse_hook(message(payload)) for payload in PAYLOADS]
    return [found for found in events if isinstance(found, kind)]


# --- what the real CLI sent --------------------------------------------------------------------


def test_starts_say_how_where_and_with_which_transcript() -> None:
    starts = recorded(SessionStarted)
    assert [start.source for start in starts] == ["startup", "compact", "clear"]
    for start in starts:
        assert start.pane == PANE
        assert start.transcript.endswith(f"/{start.session_id}.jsonl")
        assert start.directory == "/home/ada/project"
    assert starts[0].session_id == starts[1].session_id != starts[2].session_id


def test_an_end_says_why() -> None:
    assert [end.reason for end in recorded(SessionEnded)] == ["clear"]


def test_a_prompt_is_carried_to_the_letter() -> None:
    assert recorded(PromptSubmitted)[0].prompt == "hello"
    assert all(found.prompt_id for found in recorded(PromptSubmitted))


def test_turns_end_with_an_error_only_when_there_was_one() -> None:
    errors = [ended.error for ended in recorded(TurnEnded)]
    assert errors.count("unknown") == 1
    assert set(errors) == {None, "unknown"}


def test_hooks_that_nobody_follows_are_no_event() -> None:
    others = [p for p in PAYLOADS if p["hook_event_name"] in ("PreToolUse", "PreCompact")]
    assert others
    assert [parse_hook(message(payload)) for payload in others] == [None] * len(others)


# --- what is no message ------------------------------------------------------------------------


def test_an_unknown_event_is_none() -> None:
    assert event("HologramShown") is None
    assert event("Stop", session_id="") is None


def test_a_torn_message_is_none() -> None:
    whole = message(PAYLOADS[0])
    assert all(parse_hook(whole[:length]) is None for length in range(len(whole) - 2))


def test_a_field_of_another_kind_does_not_cost_the_event() -> None:
    found = event("SessionStart", source=None, cwd=["/a"], transcript_path=3)
    assert found == SessionStarted("s", PANE, "", "", "")
    assert event("UserPromptSubmit", prompt=[{"text": "x"}]) == PromptSubmitted("s", PANE, "", "")


def test_half_of_an_emoji_does_not_cost_the_event() -> None:
    found = event("UserPromptSubmit", prompt="cut \ud83d", prompt_id="p")
    assert found == PromptSubmitted("s", PANE, "cut \ufffd", "p")


@pytest.mark.parametrize("raw", [b"[" * 200_000, b'{"pane":"x","payload":' + b"[" * 200_000])
def test_nesting_without_end_is_none(raw: bytes) -> None:
    assert parse_hook(raw) is None


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_no_bytes_raise(raw: bytes) -> None:
    assert parse_hook(raw) is None


@settings(deadline=None)
@given(st.sampled_from(PAYLOADS), st.integers(0, 10_000), st.binary(min_size=1, max_size=3))
def test_no_damage_to_a_real_message_raises(payload: object, at: int, damage: bytes) -> None:
    whole = message(payload)
    at %= len(whole)
    parse_hook(whole[:at] + damage + whole[at + len(damage) :])


# --- settings and versions ---------------------------------------------------------------------


def test_the_command_is_quoted_for_the_shell_that_runs_it() -> None:
    command = ["/opt/my python", "it's.py", "$HOME; rm -rf"]
    settings = json.loads(render_settings(command, (2, 1, 330)))
    hooks = [hook for entries in settings["hooks"].values() for e in entries for hook in e["hooks"]]
    assert {hook["type"] for hook in hooks} == {"command"}
    assert all(shlex.split(hook["command"])[:-1] == command for hook in hooks)


def test_each_command_is_told_which_hook_it_is() -> None:
    settings = json.loads(render_settings(["hook"], (2, 1, 330)))
    for name, entries in settings["hooks"].items():
        assert [hook["command"] for e in entries for hook in e["hooks"]] == [f"hook {name}"]


def test_claude_waits_only_for_hooks_that_answer_or_tell_which_session_it_is() -> None:
    """Before 2.1.50 nothing is known of hooks that are not waited for."""
    for version, waited_for in (
        ((2, 1, 330), {"SessionStart", "SessionEnd", "PermissionRequest"}),
        (
            (2, 1, 0),
            {"SessionStart", "SessionEnd", "PermissionRequest", "UserPromptSubmit", "Stop"},
        ),
    ):
        hooks = json.loads(render_settings(["hook"], version))["hooks"]
        found = {name for name, [entry] in hooks.items() if "async" not in entry["hooks"][0]}
        assert found == waited_for


def test_a_request_is_given_days() -> None:
    hooks = json.loads(render_settings(["hook"], (2, 1, 330)))["hooks"]
    (entry,) = hooks["PermissionRequest"]
    assert entry["hooks"][0]["timeout"] >= 86_400


# --- requests and streamed text ----------------------------------------------------------------


def test_a_request_carries_what_would_run() -> None:
    payload = {
        "hook_event_name": "PermissionRequest",
        "session_id": "s",
        "permission_mode": "default",
        "tool_name": "Bash",
        "tool_input": {"command": "ls"},
        "permission_suggestions": [{"type": "setMode"}, "odd"],
        "agent_id": "a1",
        "agent_type": "Explore",
    }
    asked = parse_hook(json.dumps({"pane": "p", "request": "r", "payload": payload}).encode())
    assert asked == PermissionAsked(
        "s", "p", "r", "Bash", {"command": "ls"}, ({"type": "setMode"},), "default", "a1", "Explore"
    )


def test_a_request_that_nobody_waits_for_is_none() -> None:
    assert event("PermissionRequest", tool_name="Bash") is None


def test_streamed_text_tells_its_place() -> None:
    found = event("MessageDisplay", turn_id="t", message_id="m", index=2, final=True, delta="x\n")
    assert found == TextStreamed("s", PANE, "m", 2, "x\n", is_final=True)


def test_only_hooks_that_the_version_knows_are_asked_for() -> None:
    """One unknown name makes Claude Code skip the whole file behind a dialog."""
    for version in ((), (2, 1, 0), (2, 1, 79)):
        assert "StopFailure" not in json.loads(render_settings(["x"], version))["hooks"]
    assert "StopFailure" in json.loads(render_settings(["x"], (2, 1, 80)))["hooks"]


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ("2.1.330 (Claude Code)\n", (2, 1, 330)),
        ("2.1.330", (2, 1, 330)),
        ("2.2.0-beta.1 (Claude Code)", (2, 2, 0)),
        ("3.0.0+build5", (3, 0, 0)),
        ("", ()),
        ("claude: command not found", ()),
        ("v2.1.330", ()),
        ("2.1.x", ()),
        ("2..1", ()),
        ("9" * 5000 + ".1", ()),
    ],
)
def test_a_version_is_read_or_it_is_none(said: str, version: tuple[int, ...]) -> None:
    assert parse_version(said) == version


@settings(deadline=None)
@given(st.text())
def test_no_text_is_a_version_that_raises(said: str) -> None:
    parse_version(said)


def test_subagents_come_and_go_and_claudes_own_assistants_are_passed_over() -> None:
    begun = event("SubagentStart", agent_id="a1", agent_type="general-purpose")
    assert begun == SubagentStarted("s", PANE, "a1", "general-purpose")
    ended = event("SubagentStop", agent_id="a1", agent_type="general-purpose")
    assert ended == SubagentEnded("s", PANE, "a1")
    assert event("SubagentStop", agent_id="a2", agent_type="") is None
    assert event("SubagentStop") is None


def test_a_stop_says_what_works_on() -> None:
    tasks = [
        {"id": "a1", "type": "subagent", "status": "running", "description": "Look around"},
        {"id": "b1", "type": "shell", "status": "completed", "description": "sleep"},
        "odd",
        {"id": 3},
    ]
    found = event("Stop", background_tasks=tasks)
    assert isinstance(found, TurnEnded)
    left = (BackgroundTask("a1", "subagent", "Look around"), BackgroundTask("", "", ""))
    assert found.background == left
    silent = event("Stop")
    assert isinstance(silent, TurnEnded)
    assert silent.background is None


def test_what_claude_is_told_at_its_start_is_printed_by_commands_of_that_launch() -> None:
    settings = json.loads(
        render_settings(["hook"], (2, 1, 330), at_start=[["cat", "/a b/1"], ["cat", "/2"]])
    )
    ours, told = settings["hooks"]["SessionStart"]
    assert ours["hooks"][0]["command"] == "hook SessionStart"
    assert told["matcher"] == "startup|resume"
    assert [hook["command"] for hook in told["hooks"]] == ["cat '/a b/1'", "cat /2"]
    assert not any("async" in hook for hook in told["hooks"])
    assert len(json.loads(render_settings(["hook"], (2, 1, 330)))["hooks"]["SessionStart"]) == 1
