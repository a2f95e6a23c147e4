"""core.permissions and core.suggestions: what is shown of each tool, and what "always" means."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.events import PermissionAsked
from core.permissions import Permission, make_diff
from core.requests import Answered, Changed
from core.suggestions import read_always
from core.visible_text import make_visible
from tests.test_visible_text import TEXTS, ink, shown

PROJECT = "/home/ada/proj"


def asked(
    tool: str, given: dict[str, Any], *suggestions: dict[str, Any], agent: str = ""
) -> Permission:
    return Permission(
        PermissionAsked("s", "p", "r", tool, given, suggestions, "default", agent and "a1", agent)
    )


def rules(*listed: tuple[str, str | None], scope: str = "localSettings") -> dict[str, Any]:
    found = [
        {"toolName": tool} | ({"ruleContent": content} if content is not None else {})
        for tool, content in listed
    ]
    return {"type": "addRules", "rules": found, "behavior": "allow", "destination": scope}


ACCEPT = {"type": "setMode", "mode": "acceptEdits", "destination": "session"}
FOLDER = {"type": "addDirectories", "directories": [PROJECT], "destination": "session"}


@pytest.mark.parametrize(
    ("tool", "given", "parts"),
    [
        ("Bash", {"command": "touch x1", "description": "make *it*"}, ["make *it*", "touch x1"]),
        ("Bash", {"command": "ls", "run_in_background": True}, ["ls", '"run_in_background": true']),
        ("Read", {"file_path": "/etc/hostname"}, ["Read this file?", "/etc/hostname"]),
        ("Read", {"file_path": "/x", "offset": 7}, ['"offset": 7']),
        ("Write", {"file_path": "/x.py", "content": "a\nb\n"}, ["/x.py", "+a\n+b"]),
        (
            "Edit",
            {"file_path": "/x", "old_string": "a\nb", "new_string": "a\nc", "replace_all": False},
            ["Change this file?", " a\n-b\n+c"],
        ),
        (
            "Edit",
            {"file_path": "/x", "old_string": "a", "new_string": "c", "replace_all": True},
            ['"replace_all": true'],
        ),
        (
            "NotebookEdit",
            {"notebook_path": "/n.ipynb", "new_source": "x=1", "cell_id": "c1"},
            ["/n.ipynb", "+x=1", '"cell_id": "c1"'],
        ),
        ("WebFetch", {"url": "https://a.b/c", "prompt": "sum up"}, ["https://a.b/c", "sum up"]),
        ("WebSearch", {"query": "cats"}, ["Search the web", "cats"]),
        ("mcp__lab__add", {"a": 1, "b": [2]}, ["Use lab: add?", '"a": 1', "2"]),
        ("Skill", {"skill": "pdf"}, ["Use Skill?", '"skill": "pdf"']),
        ("Bash", {"command": ["odd"]}, ['"command"', '"odd"']),
        ("Write", {"file_path": 7, "content": None}, ["7", "+null"]),
    ],
)
def test_a_tool_is_shown_with_all_of_its_input(
    tool: str, given: dict[str, Any], parts: list[str]
) -> None:
    text = shown(asked(tool, given).view({}).text)
    assert [part for part in parts if part not in text] == []


@pytest.mark.parametrize(
    "tool", ["Bash", "Read", "Edit", "Write", "WebFetch", "mcp__a__b", "Skill"]
)
@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_no_text_of_an_input_is_hidden_or_breaks_the_markup(tool: str, data: st.DataObject) -> None:
    names = ["command", "description", "file_path", "old_string", "new_string", "content", "url"]
    given_ = data.draw(st.dictionaries(st.sampled_from(names), TEXTS, min_size=1))
    text = ink(shown(asked(tool, given_).view({}).text))
    for value in given_.values():
        for line in value.split("\n"):
            in_json = json.dumps(line, ensure_ascii=False)[1:-1]
            ways = (make_visible(line), make_visible(line.strip()), make_visible(in_json))
            assert any(ink(way) in text for way in ways)


def test_what_is_too_long_for_a_message_is_whole_in_a_file() -> None:
    command = "\n".join(f"echo {number}" for number in range(2_000))
    view = asked("Bash", {"command": command, "timeout": 5}).view({})
    assert len(shown(view.text)) < 2_000
    assert "more characters" in view.text
    assert "in the file above" in view.text
    assert view.whole == f'{command}\n\n{{\n  "timeout": 5\n}}'
    assert view.file_name == "command.txt"


def test_a_sub_agent_is_named() -> None:
    assert "for a sub-agent (Explore)" in shown(asked("Read", {}, agent="Explore").view({}).text)


@pytest.mark.parametrize(
    ("old", "new", "diff"),
    [
        ("", "a\nb\n", "+a\n+b"),
        ("a\nb\nc", "a\nx\nc", " a\n-b\n+x\n c"),
        ("a", "a\n", " a\n-\\ No new line at the end"),
        ("a", "", "-a"),
        ("", "", ""),
        ("\n", "", "-"),
    ],
)
def test_a_diff_shows_every_line(old: str, new: str, diff: str) -> None:
    assert make_diff(old, new) == diff


@settings(deadline=None)
@given(st.text("ab\n"), st.text("ab\n"))
def test_a_diff_loses_nothing(old: str, new: str) -> None:
    lines = make_diff(old, new).split("\n")
    for text, marks in ((old, " -"), (new, " +")):
        kept = [line[1:] for line in lines if line[:1] in marks and not line[1:].startswith("\\")]
        assert [line for line in kept if line] == [line for line in text.split("\n") if line]


# --- always ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("suggestions", "label", "sentence"),
    [
        (
            [FOLDER, ACCEPT],
            f"Always: work in {PROJECT}, accept edits · this session",
            f"Claude works in “{PROJECT}”; Claude edits files and runs file commands "
            "without asking (until this session ends)",
        ),
        (
            [rules(("Bash", "npm run *"), ("Bash", "git commit *"))],
            "Always: npm run, git commit · this project",
            "commands that begin with “npm run”; commands that begin with “git commit” "
            "(in this project, on this machine)",
        ),
        (
            [rules(("Read", "//etc/**"), ("Bash", "cat /etc/passwd"))],
            "Always: reading in /etc, cat /etc/passwd · this project",
            "reading everything in “/etc”; the command “cat /etc/passwd” "
            "(in this project, on this machine)",
        ),
        (
            [rules(("Read", "//etc/**"), scope="session")],
            "Always: reading in /etc · this session",
            "reading everything in “/etc” (until this session ends)",
        ),
        (
            [rules(("Bash", "git * push"))],
            "Always: git * push · this project",
            "commands like “git * push” (in this project, on this machine)",
        ),
        (
            [rules(("WebFetch", "domain:example.com"))],
            "Always: fetch from example.com · this project",
            "fetching pages from “example.com” (in this project, on this machine)",
        ),
        (
            [rules(("WebSearch", None))],
            "Always: WebSearch · this project",
            "every use of “WebSearch” (in this project, on this machine)",
        ),
        (
            [rules(("mcp__lab__add", None), scope="userSettings")],
            "Always: lab: add · everywhere",
            "every use of “lab: add” (in all your projects)",
        ),
        (
            [rules(("Bash", "ls")), ACCEPT],
            "Always: ls, accept edits · this project + this session",
            "the command “ls” (in this project, on this machine), and Claude edits files and runs "
            "file commands without asking (until this session ends)",
        ),
    ],
)
def test_always_is_told_in_words(
    suggestions: list[dict[str, Any]], label: str, sentence: str
) -> None:
    always = read_always(suggestions)
    assert always is not None
    assert always.label == label
    assert shown(always.sentence) == sentence


@pytest.mark.parametrize(
    "odd",
    [
        {"type": "newKind", "destination": "session"},
        {"type": "setMode", "mode": "newMode", "destination": "session"},
        {**rules(("Bash", "ls")), "behavior": "deny"},
        {**rules(("Bash", "ls")), "destination": "elsewhere"},
        {**rules(("Bash", "ls")), "rules": [{"tool": "Bash"}]},
        {**rules(("Bash", "ls")), "rules": [{"toolName": "Bash", "ruleContent": 7}]},
        {**rules(("Bash", "ls")), "rules": []},
        {**FOLDER, "directories": [7]},
        {},
    ],
)
def test_there_is_no_always_when_a_part_of_it_is_not_understood(odd: dict[str, Any]) -> None:
    assert read_always([ACCEPT, odd]) is None
    assert not any(
        "Always" in choice.label
        for row in asked("Bash", {"command": "ls"}, ACCEPT, odd).view({}).rows
        for choice in row
    )


def test_without_suggestions_there_is_no_always() -> None:
    assert read_always([]) is None


# --- answers --------------------------------------------------------------------------------------


def decision(step: object) -> Any:
    assert isinstance(step, Answered)
    return json.loads(step.answer)["hookSpecificOutput"]["decision"]


def test_the_answers_are_those_of_the_hook() -> None:
    permission = asked("Bash", {"command": "ls"}, FOLDER, ACCEPT)
    assert decision(permission.press("allow", {})) == {"behavior": "allow"}
    assert decision(permission.press("always", {})) == {
        "behavior": "allow",
        "updatedPermissions": [FOLDER, ACCEPT],
    }
    denied = {"behavior": "deny", "message": "The user denied this."}
    assert decision(permission.press("deny", {})) == denied
    assert decision(permission.write("no: ü", {})) == {"behavior": "deny", "message": "no: ü"}


def test_a_reason_is_awaited_after_it_was_announced() -> None:
    step = asked("Bash", {"command": "ls"}).press("why", {})
    assert isinstance(step, Changed)
    assert step.state["awaits"]


@pytest.mark.parametrize("word", ["", "always", "send", "approve default"])
def test_an_unknown_word_decides_nothing(word: str) -> None:
    assert asked("Bash", {"command": "ls"}).press(word, {}) is None


@given(TEXTS)
def test_no_text_lets_anything_run(text: str) -> None:
    assert decision(asked("Bash", {"command": "ls"}).write(text, {}))["behavior"] == "deny"
