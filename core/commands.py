"""The commands of the chat, in one table: it parses them, fills the menu and writes /help.

A text that begins with a slash and isn't in the table is Claude Code's own business and goes there
as it is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, get_args

CommandName = Literal[
    "start",
    "new",
    "sessions",
    "resume",
    "rename",
    "fork",
    "close",
    "attach",
    "stop",
    "queue",
    "model",
    "effort",
    "mode",
    "agent",
    "compact",
    "context",
    "commands",
    "kill",
    "history",
    "search",
    "export",
    "forget",
    "status",
    "cost",
    "screen",
    "quiet",
    "privacy",
    "get",
    "handoff",
    "people",
    "invite",
    "devices",
    "sh",
    "help",
]
Group = Literal["Sessions", "This turn", "How Claude works", "See", "People", "Help"]


@dataclass(frozen=True, slots=True)
class MenuEntry:
    """One row of the table; `arguments` as shown in /help.

    `is_claudes`: Claude Code's own command, which is only named here so that people find it.
    """

    name: CommandName
    arguments: str
    description: str
    group: Group
    is_in_menu: bool = True
    is_claudes: bool = False


@dataclass(frozen=True, slots=True)
class Command:
    """A command of the table with what follows it, trimmed."""

    name: CommandName
    argument: str = ""


TABLE: tuple[MenuEntry, ...] = (
    MenuEntry(
        "new",
        "[dir] [--worktree name]",
        "Start a session: here, elsewhere, in a worktree",
        "Sessions",
    ),
    MenuEntry("sessions", "", "Pick a session: continue, fork, rename, close", "Sessions"),
    MenuEntry("resume", "[id]", "Continue a session by its id", "Sessions"),
    MenuEntry("rename", "<title>", "Give the session another title", "Sessions"),
    MenuEntry("fork", "", "Go on in a copy; the original stays as it is", "Sessions"),
    MenuEntry("close", "", "End the session; /sessions can continue it", "Sessions"),
    MenuEntry("attach", "", "Show the command that opens it in a terminal", "Sessions"),
    MenuEntry("handoff", "", "Move or copy the session to another chat", "Sessions"),
    MenuEntry("kill", "", "End the Claude process; the session stays", "Sessions"),
    MenuEntry("history", "", "Read what was said, page by page", "Sessions"),
    MenuEntry("search", "<words>", "Find a session by what was said in it", "Sessions"),
    MenuEntry("export", "[md|html]", "Get the session as a file", "Sessions"),
    MenuEntry("forget", "", "Delete the session for good, after asking", "Sessions"),
    MenuEntry("stop", "", "Interrupt Claude; twice: drop what waits too", "This turn"),
    MenuEntry("queue", "", "Messages that wait: reorder, drop, send now", "This turn"),
    MenuEntry("model", "[name]", "Choose the model", "How Claude works"),
    MenuEntry("effort", "[level]", "Choose how hard it thinks", "How Claude works"),
    MenuEntry("mode", "[name]", "Choose what it asks before it does it", "How Claude works"),
    MenuEntry(
        "agent", "[name]", "Choose which agent it is; @name asks one once", "How Claude works"
    ),
    MenuEntry("compact", "[words]", "Summarise to make room", "How Claude works", is_claudes=True),
    MenuEntry("status", "", "Show how the session is, and how to attach to it", "See"),
    MenuEntry("context", "", "Show what fills the context", "See", is_claudes=True),
    MenuEntry("cost", "", "Show the tokens used so far, and their cost", "See"),
    MenuEntry("screen", "", "Show the terminal", "See"),
    MenuEntry("get", "[path]", "Get a file of the project", "See"),
    MenuEntry("quiet", "[on|off|22-7]", "Choose when messages make no sound", "See"),
    MenuEntry("privacy", "[on|off]", "Keep personal data out of the history", "See"),
    MenuEntry("people", "", "See who may use this bot; remove, change roles", "People"),
    MenuEntry("invite", "<member|viewer>", "Make a one-time link for somebody new", "People"),
    MenuEntry("devices", "", "See which browsers may use the page; remove, add", "People"),
    MenuEntry("commands", "", "List your and Claude Code's own commands", "Help"),
    MenuEntry("help", "", "Show what this bot can do", "Help"),
    MenuEntry("sh", "<line>", "Run a shell line, where switched on", "Help", is_in_menu=False),
    MenuEntry("start", "", "Show what this bot can do", "Help", is_in_menu=False),
)

_ALIASES: dict[str, CommandName] = {"reset": "new", "usage": "cost", "continue": "resume"}
_NAMES: dict[str, CommandName] = {
    entry.name: entry.name for entry in TABLE if not entry.is_claudes
} | _ALIASES
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


def is_command(text: str) -> bool:
    """Whether it reads like a command, whoever's it is."""
    return _COMMAND.match(text) is not None


def render_help() -> str:
    """What /help says (plain text)."""
    blocks = []
    for group in get_args(Group):
        rows = [
            f"/{entry.name}{' ' + entry.arguments if entry.arguments else ''} - {entry.description}"
            for entry in TABLE
            if entry.is_in_menu and entry.group == group
        ]
        blocks.append("\n".join([group, *rows]))
    return (
        "Send a text and Claude Code on your machine answers; this chat and your terminal share "
        "one session, and it remembers.\n\n" + "\n\n".join(blocks) + "\n\n"
        "Every other /command goes to Claude Code as it is: /clear, /init, your own."
    )
