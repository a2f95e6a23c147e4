"""The system's calls, each told of before it is made: whoever hears of it may refuse it."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch


class WatchedSystem:
    """The module `os`, as far as the program passes it on; `before` hears the name of each call."""

    def before(self, call: str) -> None:
        """May raise: then the call is not made."""

    @contextmanager
    def with_locks(self) -> Iterator[None]:
        """filelock takes and drops locks by itself; while this lasts, that is told too."""
        flock = fcntl.flock

        def watched(fd: int, operation: int) -> None:
            self.before("unlock" if operation == fcntl.LOCK_UN else "flock")
            flock(fd, operation)

        with patch.object(fcntl, "flock", watched):
            yield

    def open(self, path: str | Path, flags: int, mode: int = 0o777, /) -> int:
        self.before("open")
        return os.open(path, flags, mode)

    def read(self, fd: int, length: int, /) -> bytes:
        self.before("read")
        return os.read(fd, length)

    def pread(self, fd: int, length: int, offset: int, /) -> bytes:
        self.before("pread")
        return os.pread(fd, length, offset)

    def write(self, fd: int, data: bytes | memoryview, /) -> int:
        self.before("write")
        return os.write(fd, data)

    def fsync(self, fd: int, /) -> None:
        self.before("fsync")
        os.fsync(fd)

    def replace(self, source: str | Path, target: str | Path, /) -> None:
        self.before("replace")
        os.replace(source, target)

    def mkdir(self, path: str | Path, mode: int = 0o777, /) -> None:
        self.before("mkdir")
        os.mkdir(path, mode)

    def unlink(self, path: str | Path, /) -> None:
        self.before("unlink")
        os.unlink(path)


class BrokenSystem(WatchedSystem):
    """Where a write that is refused has written one half."""

    def write(self, fd: int, data: bytes | memoryview, /) -> int:
        try:
            return super().write(fd, data)
        except OSError:
            os.write(fd, data[: len(data) // 2])
            raise


class FailingSystem(BrokenSystem):
    """The n-th call fails, or all from there on; `failed` names it."""

    def __init__(self, at: int, error: int, *, lasting: bool = False) -> None:
        self.at = at
        self.error = error
        self.lasting = lasting
        self.calls = 0
        self.failed = ""

    def before(self, call: str) -> None:
        is_due = self.calls == self.at or (self.lasting and self.calls > self.at)
        self.calls += 1
        if is_due:
            self.failed = call
            raise OSError(self.error, os.strerror(self.error))


class RefusingSystem(BrokenSystem):
    """`refuses` names the call that fails, "" none."""

    def __init__(self, number: int = errno.ENOSPC) -> None:
        self.refuses = ""
        self.number = number

    def before(self, call: str) -> None:
        if self.refuses == call:
            raise OSError(self.number, os.strerror(self.number))
