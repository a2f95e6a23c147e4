"""A use of a tool in a few words: an icon, the argument that matters, and what came of it.

Nothing here may raise, whatever a tool's input and result look like.
"""

from __future__ import annotations

import re
from typing import Any

from core.events import ToolEnded
from core.file_change import read_change, relative_path, render_counts

_ICONS = {
    "Bash": "💻",
    "Read": "📖",
    "Write": "📝",
    "Edit": "✏️",
    "MultiEdit": "✏️",
    "NotebookEdit": "✏️",
    "Grep": "🔎",
    "Glob": "🔎",
    "LS": "📂",
    "WebFetch": "🌐",
    "WebSearch": "🌐",
    "Agent": "🤖",
    "Task": "🤖",
    "TaskCreate": "📋",
    "TaskUpdate": "📋",
    "TaskList": "📋",
    "TodoWrite": "📋",
    "Skill": "🧩",
    "AskUserQuestion": "❓",
    "ExitPlanMode": "🗺️",
}
_PATHS = ("file_path", "notebook_path", "path")
_TELLING = (
    *("command", *_PATHS, "pattern", "url", "query", "subject", "description", "skill", "taskId"),
    *("agent_type", "prompt", "text", "name"),
)
_BY_TOOL = {"Grep": ("pattern",), "Glob": ("pattern",), "Agent": ("description",)}
_ARGUMENT_LENGTH = 80
_OUTCOME_LENGTH = 60
_EXIT = re.compile(r"(?:Error: )?Exit code (\d+)")
_TAG = re.compile(r"</?tool_use_error>")
_NOT_THERE = ("not found", "does not exist", "no such file", "no such tool")
_REFUSED = ("doesn't want to proceed", "doesn't want to take", "permission to use", "user rejected")


def find_icon(name: str) -> str:
    """One emoji for a tool."""
    return _ICONS.get(name) or ("🔌" if name.startswith("mcp__") else "🔧")


def name_tool(tool: str) -> str:
    """A tool in words: an MCP tool by its server's name and its own."""
    parts = tool.split("__", 2)
    return f"{parts[1]}: {parts[2]}" if parts[0] == "mcp" and len(parts) == 3 else tool


def read_argument(name: str, given: dict[str, Any], directory: str) -> str:
    """The part of a tool's input that tells what it is about, on one line; "" if none does."""
    for key in (*_BY_TOOL.get(name, ()), *_TELLING):
        value = given.get(key)
        if isinstance(value, str) and value.strip():
            shown = relative_path(value, directory) if key in _PATHS else value
            return cut_line(shown, _ARGUMENT_LENGTH)
    return ""


def sum_up(name: str, event: ToolEnded) -> str:
    """What came of it in a few words; "" for nothing worth telling."""
    if event.is_error:
        return _sum_up_error(event.text)
    change = read_change(event.result)
    if change is not None:
        counts = render_counts(change.added, change.removed)
        return f"new, {counts}" if change.is_new else counts
    return _sum_up_result(name, event.result) or _sum_up_text(name, event.text)


def _sum_up_error(text: str) -> str:
    plain = _TAG.sub("", text).strip()
    lower = plain.lower()
    exit_code = _EXIT.match(plain)
    if exit_code is not None:
        return f"exit {exit_code[1]}"
    if any(part in lower for part in _REFUSED):
        return "refused"
    if any(part in lower for part in _NOT_THERE):
        return "not found"
    return cut_line(plain.partition("\n")[0], _OUTCOME_LENGTH) or "failed"


def _sum_up_result(name: str, result: dict[str, Any]) -> str:
    file = result.get("file")
    lines = file.get("numLines") if isinstance(file, dict) else None
    change = result.get("statusChange")
    if result.get("interrupted") is True:
        return "interrupted"
    if result.get("backgroundTaskId") or result.get("isAsync") is True:
        return "in the background"
    if isinstance(lines, int):
        return _count(lines, "line")
    if isinstance(change, dict) and isinstance(change.get("to"), str):
        return cut_line(change["to"].replace("_", " "), _OUTCOME_LENGTH)
    for key, noun in (("numFiles", "file"), ("numLines", "line"), ("totalToolUseCount", "tool")):
        number = result.get(key)
        if isinstance(number, int) and not isinstance(number, bool):
            return _count(number, noun)
    return "image" if result.get("type") == "image" else ""


def _sum_up_text(name: str, text: str) -> str:
    if name != "Bash" and not name.startswith("mcp__"):
        return ""
    lines = text.strip().splitlines()
    return _count(len(lines), "line") if lines else "no output"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def cut_line(text: str, length: int) -> str:
    """The text on one line of at most so many characters; of a path the end is what tells."""
    line = " ".join(text.split())
    if len(line) <= length:
        return line
    if line.startswith("/") and " " not in line:
        return f"…{line[1 - length :]}"
    return f"{line[: length - 1].rstrip()}…"
