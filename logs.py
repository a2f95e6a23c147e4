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

from core.redaction import Redactor

_FILE_BYTES = 2 << 20
_FILES = 3
_CHATTY = ("httpx", "httpcore", "telegram", "libtmux", "watchdog", "asyncio")


class _JsonFormatter(logging.Formatter):
    def __init__(self, redactor: Redactor) -> None:
        super().__init__()
        self._redactor = redactor

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "at": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname.lower(),
            "from": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return self._redactor.redact(msgspec.json.encode(line).decode())


def set_up_logs(directory: Path, environ: Mapping[str, str], redactor: Redactor) -> None:
    """Send every log record to its place, masked."""
    handlers: list[logging.Handler] = []
    if "JOURNAL_STREAM" in environ or sys.stderr.isatty():
        handlers.append(logging.StreamHandler())
    if "JOURNAL_STREAM" not in environ:
        path = directory / "bridge.log"
        path.touch(mode=0o600)
        handlers.append(
            logging.handlers.RotatingFileHandler(
                path, maxBytes=_FILE_BYTES, backupCount=_FILES, encoding="utf-8"
            )
        )
    for handler in handlers:
        handler.setFormatter(_JsonFormatter(redactor))
    logging.basicConfig(level=logging.INFO, handlers=handlers, force=True)
    for name in _CHATTY:  # at INFO they tell addresses that hold the bot token
        logging.getLogger(name).setLevel(logging.WARNING)
    os.umask(0o077)
