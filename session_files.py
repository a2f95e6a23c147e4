"""The folders through which a session's files come and go, below one root that is ours alone.

    <root>/<name>/in      what people sent: Claude may read it
    <root>/<name>/out     Claude's outbox: what is put there is sent to the chat
    <root>/<name>/sent    where it goes from there, until it is old

`name` is the id of the session that the terminal was started for; a later one in it keeps that.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import time
from collections.abc import Callable, Container
from dataclasses import dataclass
from pathlib import Path

log = logging.getLogger(__name__)

_NAME = re.compile(r"[0-9A-Za-z-]{1,64}")
_DAY_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True)
class FileFolder:
    """The folders of one session; `base` is absolute and without links."""

    base: Path

    @property
    def name(self) -> str:
        """By which the session knows it."""
        return self.base.name

    @property
    def incoming(self) -> Path:
        """What people sent."""
        return self.base / "in"

    @property
    def outgoing(self) -> Path:
        """What Claude wants to be sent."""
        return self.base / "out"

    @property
    def sent(self) -> Path:
        """What was given to the chat, or is on its way there."""
        return self.base / "sent"


class SessionFiles:
    """All folders below `root`."""

    def __init__(self, root: Path, *, clock: Callable[[], float] = time.time) -> None:
        self._root = root.resolve()
        self._clock = clock

    def folder(self, name: str) -> FileFolder:
        """The folders of that name, which are there when this returns. Raises OSError."""
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no session's id")
        found = FileFolder(self._root / name)
        for path in (self._root, found.base, found.incoming, found.outgoing, found.sent):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        return found

    def find(self, name: str) -> FileFolder | None:
        """The folders of that name, if they are there."""
        found = FileFolder(self._root / name)
        return found if _NAME.fullmatch(name) and found.outgoing.is_dir() else None

    def all(self) -> list[FileFolder]:
        """Every session's folders."""
        if not self._root.is_dir():
            return []
        names = sorted(path.name for path in self._root.iterdir())
        return [folder for folder in map(self.find, names) if folder is not None]

    def remove(self, name: str) -> None:
        """Remove the folders of that name with all that is in them."""
        folder = self.find(name)
        if folder is not None:
            shutil.rmtree(folder.base, ignore_errors=True)  # never follows a link

    def clean_up(self, known: Container[str], days: float) -> None:
        """Remove the folders of no `known` session, and what is older than that in the others.

        What still waits in an outbox stays: it was not sent yet.
        """
        oldest = self._clock() - days * _DAY_SECONDS
        for folder in self.all():
            if folder.name not in known:
                shutil.rmtree(folder.base, ignore_errors=True)  # never follows a link
                log.info("the files of session %s are removed", folder.name)
                continue
            for path in (*folder.incoming.iterdir(), *folder.sent.iterdir()):
                _remove_if_older(path, oldest)


def _remove_if_older(path: Path, oldest: float) -> None:
    """A moved file keeps the time of its last change, so when it came here is told by the ctime."""
    try:
        status = os.lstat(path)
        if max(status.st_mtime, status.st_ctime) < oldest:
            path.unlink()
    except OSError as error:
        log.warning("an old file could not be removed: %s", error.strerror)
