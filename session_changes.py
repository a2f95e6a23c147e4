"""The log of changes: which sessions to read again, told from process to process.

* Whoever is about to change a session appends its id, under the lock of the folder. The others
  learn of it at the price of one stat, without the lock.
* As changes follow one another under that lock, only the last id can belong to a change that is
  still under way, or died: it is read again every time until another follows or its writer was this
  one.
* It is a hint, not a record: never synced, and replaced by an empty one when it is long. Where it
  is missing, shorter than before or another file, `None` says that every file must be looked at.
* It is read by everybody and trusted by nobody: a line that is no session id with its checksum
  means None as well, and as long as it is the last one it goes on to.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from core.checksum import checksum
from core.errors import StoreError, StoreWriteError
from core.session_file import is_session_id
from durable import SystemCalls, reason_for, replace_file, write_all

LOG = "index.log"

_FLAGS = os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_LAST_LINES_BYTES = 1024
_MAX_NEWS_BYTES = 1 << 20


class ChangeLog:
    """One process's view of the log. Not thread-safe: its owner holds a lock."""

    def __init__(self, path: Path, *, system: SystemCalls) -> None:
        self.length = 0
        self._path = path
        self._system = system
        self._fd: int | None = None
        self._identity = (0, 0)
        self._in_flight: list[str] = []

    def __del__(self) -> None:
        """Let go of the file also where nobody said that it is not needed any more."""
        if self._fd is not None:
            os.close(self._fd)

    def announce_locked(self, session_id: str) -> None:
        """Say that the session is about to change; `read_news` was called under the same lock.

        A log that cannot be written is removed, so that the others look at every file until there
        is one again. Raises StoreWriteError when not even that is possible: then nothing may be
        changed.
        """
        line = _render_line(session_id)
        try:
            fd = self._open(os.O_CREAT) if self._fd is None else self._fd
            write_all(fd, line, system=self._system)
            self.length += len(line)
            self._in_flight = []
        except OSError:
            self.forget()
            self._remove()

    def read_news(self) -> list[str] | None:
        """The ids of sessions to read again; None if any may have changed. Raises StoreError."""
        try:
            return self._read_news()
        except OSError as error:
            self.forget()
            raise StoreError(
                f"{self._path.name} could not be read: {reason_for(error)}."
            ) from error

    def begin_anew_locked(self) -> None:
        """Replace the log with an empty one, so that all others look at every file.

        Raises StoreError.
        """
        replace_file(self._path, b"", system=self._system)
        self.forget()
        self.read_news()

    def forget(self) -> None:
        """Have the next `read_news` say None."""
        if self._fd is not None:
            os.close(self._fd)
        self._fd = None
        self.length = 0
        self._in_flight = []

    @contextmanager
    def trusted(self) -> Iterator[None]:
        """What is done within may fail in the middle: then nothing is known of what was read."""
        try:
            yield
        except BaseException:
            self.forget()
            raise

    def _read_news(self) -> list[str] | None:
        try:
            status = os.lstat(self._path)
            if (status.st_dev, status.st_ino) != self._identity or status.st_size < self.length:
                self.forget()
            if self._fd is None:
                self._skip_to_end(self._open(0))
                return None
        except FileNotFoundError:
            self.forget()
            return None
        if status.st_size == self.length:
            return self._in_flight
        if status.st_size - self.length > _MAX_NEWS_BYTES:
            self.forget()
            return None
        ids = _find_ids(self._read_rest(self._fd, status.st_size))
        if ids is None:
            self.forget()
            return None
        news = [*self._in_flight, *ids]
        self._in_flight = news[-1:]
        return list(dict.fromkeys(news))

    def _open(self, extra_flags: int) -> int:
        fd = self._system.open(self._path, _FLAGS | extra_flags, 0o600)
        status = os.fstat(fd)
        self._identity = (status.st_dev, status.st_ino)
        self._fd = fd
        return fd

    def _skip_to_end(self, fd: int) -> None:
        size = os.fstat(fd).st_size
        self.length = max(0, size - _LAST_LINES_BYTES)
        tail = self._read_rest(fd, size)
        last = _find_ids(tail[tail[:-1].rfind(b"\n") :]) if tail else []
        if last is None:
            self.forget()
        else:
            self._in_flight = last

    def _read_rest(self, fd: int, size: int) -> bytes:
        rest = self._system.pread(fd, size - self.length, self.length)
        self.length += len(rest)
        return rest

    def _remove(self) -> None:
        try:
            with suppress(FileNotFoundError):
                self._system.unlink(self._path)
        except OSError as error:
            raise StoreWriteError(
                f"{self._path.name} could neither be written nor removed: {reason_for(error)}."
            ) from error


def _render_line(session_id: str) -> bytes:
    """It begins on a line of its own, whatever a writer that was killed has left before it."""
    return b"\n%b:%b\n" % (session_id.encode(), checksum(session_id.encode()))


def _find_ids(lines: bytes) -> list[str] | None:
    """The ids in so many lines; None when that is not all that they say."""
    ids = []
    for line in lines[1:-1].split(b"\n\n"):
        session_id, _, found = line.partition(b":")
        text = session_id.decode("ascii", "replace")
        if found != checksum(session_id) or not is_session_id(text):
            return None
        ids.append(text)
    return ids if lines[:1] == lines[-1:] == b"\n" else None
