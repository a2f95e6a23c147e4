"""The audit log: who did what when, from which chat, with which result; one JSON object a line.

Append-only, secrets masked. Of a prompt it holds the length, not the words: those are in the
session's own transcript.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from core.model import ButtonPressed, Chat, Incoming, Person, TextEdited, TextSent
from core.redaction import Redactor


class AuditLog:
    """The file `directory`/audit.jsonl."""

    def __init__(
        self, directory: Path, redactor: Redactor, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._path = directory / "audit.jsonl"
        self._redactor = redactor
        self._clock = clock

    def note(self, person: Person, chat: Chat, action: str, result: str) -> None:
        """Add one line. Raises OSError."""
        line = {
            "at": datetime.fromtimestamp(self._clock(), UTC).isoformat(timespec="milliseconds"),
            "user": person.user_id,
            "name": person.name,
            "channel": chat.channel,
            "chat": chat.chat_id,
            "topic": chat.topic,
            "action": action,
            "result": result,
        }
        data = self._redactor.redact(msgspec.json.encode(line).decode()).encode() + b"\n"
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW
        fd = os.open(self._path, flags, 0o600)
        try:
            os.write(fd, data)
        finally:
            os.close(fd)


def name_action(incoming: Incoming) -> str:
    """What a person did, for the log: a command with its argument, a prompt by its length."""
    match incoming:
        case TextSent(text=text) if text.startswith("/start "):
            return "sent /start with a code"
        case TextSent(text=text) if text.startswith("/") and "\n" not in text and len(text) < 200:
            return f"sent {text}"
        case TextSent(text=text):
            return f"sent a text of {len(text)} characters"
        case TextEdited():
            return "edited a text"
        case ButtonPressed():
            return "pressed a button"
        case _:
            return f"sent a {incoming.kind}"
