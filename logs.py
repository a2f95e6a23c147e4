"""Where the log goes and what it never holds: secrets, and the text of messages.

Under systemd to standard error; otherwise to a rotating file in the state directory, and to the
terminal when there is one. One JSON object a line.
"""

from __future__ import annotations

import logging
import logging.handlers
import os
import sys
from collections.abc import Mapping
from pathlib import Path

import msgspec

from core.foreign_text import replace_halves
from core.redaction import Redactor

_FILE_BYTES = 2 << 20
_FILES = 3
_CHATTY = ("httpx", "httpcore", "telegram", "libtmux", "watchdog", "asyncio")


class _JsonFormatter(logging.Formatter):
    def __init__(self, redactor: Redactor) -> None:
        super().__init__()
        self._redactor = redactor

    def format(self, record: logging.LogRecord) -> str:
        line = {  # masked before it is JSON: afterwards a mask could swallow a quotation mark
            "at": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname.lower(),
            "from": record.name,
            "message": self._clean(record.getMessage()),
        }
        if record.exc_info:
            line["exception"] = self._clean(self.formatException(record.exc_info))
        return msgspec.json.encode(line).decode()

    def _clean(self, text: str) -> str:
        return self._redactor.redact(replace_halves(text))


class _FileHandler(logging.handlers.RotatingFileHandler):
    """Tells once, in a line, that the file can't be written: a traceback would hold secrets."""

    _is_told = False

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's own name
        error = sys.exc_info()[1]
        reason = error.strerror if isinstance(error, OSError) else type(error).__name__
        if not self._is_told:
            print(f"The log {self.baseFilename} can't be written: {reason}", file=sys.stderr)
        self._is_told = True


def set_up_logs(directory: Path, environ: Mapping[str, str], redactor: Redactor) -> None:
    """Send every log record to its place, masked."""
    handlers: list[logging.Handler] = []
    is_journal = _is_journal(environ.get("JOURNAL_STREAM", ""))
    if is_journal or sys.stderr.isatty():
        handlers.append(logging.StreamHandler())
    if not is_journal:
        path = directory / "bridge.log"
        path.touch(mode=0o600)
        path.chmod(0o600)
        handlers.append(
            _FileHandler(path, maxBytes=_FILE_BYTES, backupCount=_FILES, encoding="utf-8")
        )
    for handler in handlers:
        handler.setFormatter(_JsonFormatter(redactor))
    logging.basicConfig(level=logging.INFO, handlers=handlers, force=True)
    for name in _CHATTY:  # at INFO they tell addresses that hold the bot token
        logging.getLogger(name).setLevel(logging.WARNING)
    os.umask(0o077)


def _is_journal(stream: str) -> bool:
    """Whether standard error is systemd's journal: a desktop's shells inherit the variable too."""
    try:
        status = os.fstat(sys.stderr.fileno())
    except (OSError, ValueError):
        return False
    return stream == f"{status.st_dev}:{status.st_ino}"
