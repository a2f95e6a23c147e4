"""The system's calls, of which one can be made to fail, as on a disk that is full or broken."""

from __future__ import annotations

import errno
import os
from pathlib import Path


class RefusingSystem:
    """`refuses` names the call that fails, "" none; a refused write has written one half."""

    def __init__(self, number: int = errno.ENOSPC) -> None:
        self.refuses = ""
        self.number = number

    def open(self, path: str | Path, flags: int, mode: int = 0o777, /) -> int:
        self._check("open")
        return os.open(path, flags, mode)

    def write(self, fd: int, data: bytes | memoryview, /) -> int:
        if self.refuses == "write":
            os.write(fd, bytes(data)[: len(data) // 2])
        self._check("write")
        return os.write(fd, data)

    def fsync(self, fd: int, /) -> None:
        self._check("fsync")
        os.fsync(fd)

    def replace(self, source: str | Path, target: str | Path, /) -> None:
        self._check("replace")
        os.replace(source, target)

    def _check(self, call: str) -> None:
        if self.refuses == call:
            raise OSError(self.number, os.strerror(self.number))
