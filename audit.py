"""The audit log: who did what when, from which chat, with which result; one JSON object a line.

* Append-only, secrets masked. Of a prompt it holds the length, not the words: those are in the
  session's own transcript. A press is noted by what its button does, once that is decided.
* A full file is closed for good, under a name that tells until when it was written; a new one is
  begun. Such a file goes when all in it is older than the retention, at the daily clean-up.
* A line is whole or not there, also on a full disk.
"""

from __future__ import annotations

import errno
import logging
import os
import secrets
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from core.foreign_text import replace_halves
from core.model import ButtonPressed, Chat, Incoming, Person, TextEdited, TextSent
from core.redaction import Redactor

_FULL_BYTES = 8 << 20
_DAY_SECONDS = 86_400.0
_FACTS = (  # what tells two buttons of one kind apart; none is anything that was said
    *("what", "kind", "value", "deed", "word", "number", "key", "user", "role", "device", "pid"),
    *("to", "how", "sure", "session", "request", "place", "path", "at"),
)

log = logging.getLogger(__name__)


class AuditLog:
    """The file `directory`/audit.jsonl, and those before it."""

    def __init__(
        self,
        directory: Path,
        redactor: Redactor,
        *,
        retention_days: float,
        full_bytes: int = _FULL_BYTES,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._path = directory / "audit.jsonl"
        self._redactor = redactor
        self._retention_seconds = retention_days * _DAY_SECONDS
        self._full_bytes = full_bytes
        self._clock = clock

    def note(self, person: Person, chat: Chat, action: str, result: str) -> None:
        """Add one line. Raises OSError."""
        line = {  # masked before it is JSON: afterwards a mask could swallow a quotation mark
            "at": datetime.fromtimestamp(self._clock(), UTC).isoformat(timespec="milliseconds"),
            "user": person.user_id,
            "name": self._clean(person.name),
            "channel": chat.channel,
            "chat": chat.chat_id,
            "topic": chat.topic,
            "action": self._clean(action),
            "result": self._clean(result),
        }
        size = self._append(msgspec.json.encode(line) + b"\n")
        if size >= self._full_bytes:
            self._begin_anew()

    def _clean(self, text: str) -> str:
        return self._redactor.redact(replace_halves(text))

    def _append(self, data: bytes) -> int:
        """Returns how large the file is then."""
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        fd = os.open(self._path, flags, 0o600)
        try:
            size = os.fstat(fd).st_size
            if os.write(fd, data) < len(data):
                os.ftruncate(fd, size)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        finally:
            os.close(fd)
        return size + len(data)

    def _begin_anew(self) -> None:
        """Close the file: the next line begins another."""
        until = datetime.fromtimestamp(self._clock(), UTC).strftime("%Y%m%dT%H%M%SZ")
        name = f"audit-{until}-{secrets.token_hex(4)}.jsonl"  # whatever the clock says, a new one
        self._path.rename(self._path.with_name(name))

    def remove_expired(self) -> None:
        """Remove the files of which nothing is to be kept any more. Raises OSError."""
        now = self._clock()
        for old in self._path.parent.glob("audit-*.jsonl"):
            if now - old.lstat().st_mtime > self._retention_seconds:
                log.info("%s is older than what is kept, and removed", old.name)
                old.unlink()


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


def name_press(action: Mapping[str, Any]) -> str:
    """What a press does, for the log: the deed, and to what."""
    facts = ", ".join(f"{name}={action[name]}" for name in _FACTS if action.get(name))
    return f"pressed “{action['do']}”" + (f" ({facts})" if facts else "")
