"""The commands of the chat, in one table: it parses them, fills the menu and writes /help.

A text that begins with a slash and isn't in the table is Claude Code's own business and goes there
as it is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

CommandName = Literal[
    "start",
    "new",
    "sessions",
    "resume",
    "stop",
    "queue",
    "kill",
    "status",
    "screen",
    "get",
    "sh",
    "help",
]


@dataclass(frozen=True, slots=True)
class MenuEntry:
    """One row of the table; `arguments` as shown in /help."""

    name: CommandName
    arguments: str
    description: str
    is_in_menu: bool = True


@dataclass(frozen=True, slots=True)
class Command:
    """A command of the table with what follows it, trimmed."""

    name: CommandName
    argument: str = ""


TABLE: tuple[MenuEntry, ...] = (
    MenuEntry("new", "[dir]", "Start a new session, here or in a directory"),
    MenuEntry("sessions", "", "Pick a session to continue"),
    MenuEntry("resume", "[id]", "Continue a session by its id"),
    MenuEntry("stop", "", "Interrupt what Claude is doing"),
    MenuEntry("queue", "", "Show the messages that wait; remove some"),
    MenuEntry("screen", "", "Show the terminal"),
    MenuEntry("get", "[path]", "Get a file of the project, by its path or by looking for it"),
    MenuEntry("status", "", "Show the session, and how to attach to it"),
    MenuEntry("kill", "", "End the Claude process; the session stays"),
    MenuEntry("help", "", "Show what this bot can do"),
    MenuEntry("sh", "<line>", "Run a shell line (off unless switched on)", is_in_menu=False),
    MenuEntry("start", "", "Show what this bot can do", is_in_menu=False),
)

_ALIASES: dict[str, CommandName] = {"reset": "new"}
_NAMES: dict[str, CommandName] = {entry.name: entry.name for entry in TABLE} | _ALIASES
_COMMAND = re.compile(r"/([A-Za-z0-9_]+)(?:@([A-Za-z0-9_]+))?(?=\s|$)")


def parse_command(text: str, bot_name: str) -> Command | str | None:
    """The command that `text` is; else the prompt that it is; None when it is another bot's.

    `bot_name`: our own name, which may be written behind a command (`/new@our_bot`).
    """
    found = _COMMAND.match(text)
    if found is None:
        return text
    word, addressed = found.group(1), found.group(2)
    if addressed and addressed.lower() != bot_name.lower():
        return None
    name = _NAMES.get(word.lower())
    rest = text[found.end() :]
    if name is None:
        return f"/{word}{rest}"
    return Command(name, rest.strip())


def render_help() -> str:
    """What /help says (plain text)."""
    rows = [
        f"/{entry.name}{' ' + entry.arguments if entry.arguments else ''} - {entry.description}"
        for entry in TABLE
        if entry.is_in_menu
    ]
    return (
        "Send a text and Claude Code on your machine answers; this chat and your terminal share "
        "one session, and it remembers.\n\n" + "\n".join(rows) + "\n\n"
        "Every other /command goes to Claude Code as it is: /clear, /compact, /model, your own."
    )
