"""In a group: which messages are meant for the bot, and who it is that speaks, for Claude.

* Meant is what mentions the bot, replies to it, is one of its commands, or is in a topic that has a
  session. All else is between people.
* A name stands before the words on their first line: `Ada: …`. Whatever somebody calls themselves,
  it is a few letters on one line, and can't begin a command, a shell line or a path.
* Claude Code's own commands go without a name, with which they would be none.
* In a private chat nothing is added and nothing is taken away.
"""

from __future__ import annotations

import re
import unicodedata

from core.commands import Command, parse_command
from core.delivery import Prompt
from core.model import (
    ButtonPressed,
    FilesSent,
    Incoming,
    KindNotHandled,
    LocationSent,
    Person,
    TextEdited,
    TextSent,
)
from core.visible_text import is_inkless

_LONGEST_NAME = 40
_MOST_MARKS = 2
_IN_NAMES = " '’.-"
_GAP = re.compile(r"[ \t]*[,:]?\s*")


def is_meant(incoming: Incoming, *, is_session: bool) -> bool:
    """Whether it is for the bot; `is_session`: all that is said there now is."""
    if incoming.is_private or is_session:
        return True
    match incoming:
        case ButtonPressed():
            return True
        case TextSent(text=text):
            is_command = isinstance(parse_command(text, ""), Command)
            return incoming.is_addressed or (is_command and incoming.forwarded_from is None)
        case FilesSent() | LocationSent() | TextEdited() | KindNotHandled():
            return incoming.is_addressed


def strip_mention(text: str, bot_name: str) -> str:
    """The text without the bot's name at its beginning."""
    name = f"@{bot_name}"
    if text[: len(name)].lower() != name.lower() or re.match(r"\w", text[len(name) :]):
        return text
    rest = text[len(name) :]
    found = _GAP.match(rest)
    return rest[found.end() :] if found else rest


def add_speaker(text: str, person: Person, *, is_private: bool) -> str:
    """The prompt with the name of who speaks, where several may."""
    is_command = Prompt("", text).is_command and not text.lstrip().startswith("!")
    if is_private or is_command:
        return text
    return f"{speaker_name(person)}: {text}"


def speaker_name(person: Person) -> str:
    """What Claude calls them: letters, digits and a few signs, on one line."""
    kept: list[str] = []
    marks = 0
    for character in unicodedata.normalize("NFC", person.name):
        if unicodedata.category(character).startswith("M") and not is_inkless(character):
            marks += 1
            kept += [character] if kept and marks <= _MOST_MARKS else []
            continue
        marks = 0
        is_kept = character.isalnum() or character in _IN_NAMES
        kept.append(character if is_kept and not is_inkless(character) else " ")
    name = " ".join("".join(kept).split()).lstrip(_IN_NAMES)[:_LONGEST_NAME].rstrip()
    return name or f"Person {person.user_id}"
