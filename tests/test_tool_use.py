"""Tools in a few words."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.events import ToolEnded
from core.tool_use import find_icon, read_argument, sum_up
from tests.test_file_change import EDIT, NEW, ROOT, anything


@pytest.mark.parametrize(
    ("name", "given_input", "shown"),
    [
        ("Bash", {"command": "npm  test\n--all", "description": "Run"}, "npm test --all"),
        ("Read", {"file_path": f"{ROOT}/core/a.py", "limit": 3}, "core/a.py"),
        ("Edit", {"file_path": "/etc/hosts", "old_string": "x"}, "/etc/hosts"),
        ("Grep", {"pattern": "TODO", "path": f"{ROOT}/core"}, "TODO"),
        ("WebFetch", {"url": "https://example.com", "prompt": "x"}, "https://example.com"),
        ("Agent", {"description": "Look around", "prompt": "…"}, "Look around"),
        ("TaskCreate", {"subject": "Find it", "description": "long"}, "Find it"),
        ("mcp__x__y", {"query": "q"}, "q"),
        ("Read", {"file_path": 3}, ""),
        ("TaskList", {}, ""),
        ("Bash", {"command": "x" * 100}, "x" * 79 + "…"),
        (
            "Read",
            {"file_path": "/" + "long/" * 30 + "a.py"},
            "…" + ("/" + "long/" * 30 + "a.py")[-79:],
        ),
    ],
)
def test_the_argument_that_matters(name: str, given_input: dict[str, Any], shown: str) -> None:
    assert read_argument(name, given_input, ROOT).removesuffix("\n") == shown


def ended(
    text: str = "", result: dict[str, Any] | None = None, *, error: bool = False
) -> ToolEnded:
    return ToolEnded("u", "t", error, text, result or {})


@pytest.mark.parametrize(
    ("name", "event", "shown"),
    [
        ("Bash", ended("out\nerr", {"stdout": "out\nerr"}), "2 lines"),
        ("Bash", ended("", {"stdout": ""}), "no output"),
        ("Bash", ended("", {"backgroundTaskId": "b9"}), "in the background"),
        ("Bash", ended("", {"interrupted": True}), "interrupted"),
        ("Bash", ended("Exit code 3\nhi", error=True), "exit 3"),
        ("Read", ended("1 x", {"type": "text", "file": {"numLines": 1}}), "1 line"),
        ("Read", ended("", {"type": "image", "file": {}}), "image"),
        ("Read", ended("File does not exist. Note: …", error=True), "not found"),
        ("Edit", ended("", EDIT), "+2 −1"),
        ("Write", ended("", NEW), "new, +2"),
        (
            "Edit",
            ended(
                "<tool_use_error>String to replace not found in file.\nString: x</tool_use_error>",
                error=True,
            ),
            "not found",
        ),
        ("Bash", ended("The user doesn't want to proceed with this.", error=True), "refused"),
        ("Bash", ended("<tool_use_error>Odd.\nMore</tool_use_error>", error=True), "Odd."),
        ("Bash", ended("", error=True), "failed"),
        ("Grep", ended("", {"numFiles": 3}), "3 files"),
        ("TaskUpdate", ended("", {"statusChange": {"to": "in_progress"}}), "in progress"),
        ("Agent", ended("", {"isAsync": True, "agentId": "a"}), "in the background"),
        ("Agent", ended("", {"totalToolUseCount": 2}), "2 tools"),
        ("WebFetch", ended("a\nb"), ""),
        ("mcp__x__y", ended("a\nb"), "2 lines"),
    ],
)
def test_what_came_of_it(name: str, event: ToolEnded, shown: str) -> None:
    assert sum_up(name, event) == shown


@given(st.text(), st.dictionaries(st.text(), anything), st.text(), st.booleans())
def test_nothing_that_a_tool_says_raises(
    name: str, what: dict[str, Any], text: str, is_error: bool
) -> None:
    assert "\n" not in read_argument(name, what, ROOT)
    assert len(sum_up(name, ToolEnded("u", "t", is_error, text, what))) <= 60
    assert find_icon(name)
