"""Claude Code's own suggestions for "always allow", in words.

All suggestions of one request belong together: they are what the terminal's second option does. If
one of them is of an unknown kind, there is no "always" at all, rather than one that hides a part.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from core.conversation import shorten
from core.tool_use import name_tool
from core.visible_text import escape_line, make_line

_LABEL_LENGTH = 60
_SCOPES = {
    "session": ("this session", "until this session ends"),
    "localSettings": ("this project", "in this project, on this machine"),
    "projectSettings": ("this project", "in this project, for everybody who works in it"),
    "userSettings": ("everywhere", "in all your projects"),
}
_MODES = {
    "acceptEdits": ("accept edits", "Claude edits files and runs file commands without asking"),
    "default": ("ask each time", "Claude asks each time"),
    "plan": ("plan mode", "Claude only plans"),
    "auto": ("auto mode", "Claude decides by itself what needs asking"),
    "dontAsk": ("don't ask", "what would be asked is denied"),
    "bypassPermissions": ("NEVER ASK AGAIN", "Claude runs everything without asking"),
}
_FILE_TOOLS = {"Read": "reading", "Edit": "editing", "Write": "writing"}


@dataclass(frozen=True, slots=True)
class Always:
    """What "always" means: a button's label, and the whole of it as Markdown."""

    label: str
    sentence: str


@dataclass(frozen=True, slots=True)
class _Part:
    """One permission: in short, in full, and its scope's key in `_SCOPES`."""

    short: str
    long: str
    scope: str


def read_always(suggestions: Sequence[dict[str, Any]]) -> Always | None:
    """The suggestions in words; None when there are none, or not all are understood."""
    parts: list[_Part] = []
    for suggestion in suggestions:
        read = _read(suggestion)
        if not read:
            return None
        parts += read
    if not parts:
        return None
    scopes = list(dict.fromkeys(part.scope for part in parts))
    where = " + ".join(dict.fromkeys(_SCOPES[scope][0] for scope in scopes))
    room = _LABEL_LENGTH - len(where)
    what = shorten(make_line(", ".join(dict.fromkeys(part.short for part in parts))), room)
    sentences = []
    for scope in scopes:
        listed = "; ".join(part.long for part in parts if part.scope == scope)
        sentences.append(f"{listed} ({_SCOPES[scope][1]})")
    return Always(f"Always: {what} · {where}", ", and ".join(sentences))


def _read(suggestion: dict[str, Any]) -> list[_Part]:
    """The parts of one suggestion; none when it is not understood in full."""
    scope = suggestion.get("destination")
    if scope not in _SCOPES:
        return []
    match suggestion:
        case {"type": "addRules", "behavior": "allow", "rules": [*rules]}:
            read = [_read_rule(rule, scope) for rule in rules]
        case {"type": "addDirectories", "directories": [*directories]}:
            read = [_read_directory(directory, scope) for directory in directories]
        case {"type": "setMode", "mode": str(mode)} if mode in _MODES:
            short, long = _MODES[mode]
            read = [_Part(short, long, scope)]
        case _:
            read = []
    return [part for part in read if part is not None] if None not in read else []


def _read_directory(directory: Any, scope: str) -> _Part | None:
    if not isinstance(directory, str):
        return None
    return _Part(f"work in {directory}", f"Claude works in {_code(directory)}", scope)


def _read_rule(rule: Any, scope: str) -> _Part | None:
    match rule:
        case {"toolName": str(tool), "ruleContent": str(content)}:
            return _Part(*_words(tool, content), scope)
        case {"toolName": str(tool)} if "ruleContent" not in rule:
            return _Part(name_tool(tool), f"every use of {_code(name_tool(tool))}", scope)
        case _:
            return None


def _words(tool: str, content: str) -> tuple[str, str]:
    """A rule in short and in full."""
    if tool == "Bash":
        begin = content.removesuffix(":*").removesuffix(" *")
        if begin != content:
            return begin, f"commands that begin with {_code(begin)}"
        what = "commands like" if "*" in content else "the command"
        return content, f"{what} {_code(content)}"
    if tool in _FILE_TOOLS:
        place = content.replace("//", "/", 1) if content.startswith("//") else content
        verb = _FILE_TOOLS[tool]
        if place.endswith("/**"):
            return f"{verb} in {place[:-3]}", f"{verb} everything in {_code(place[:-3] or '/')}"
        return f"{verb} {place}", f"{verb} {_code(place)}"
    if content.startswith("domain:"):
        host = content.removeprefix("domain:")
        return f"fetch from {host}", f"fetching pages from {_code(host)}"
    return f"{name_tool(tool)} {content}", f"{_code(name_tool(tool))} with {_code(content)}"


def _code(text: str) -> str:
    """The text as it is, set apart."""
    return f"“{escape_line(text)}”"
