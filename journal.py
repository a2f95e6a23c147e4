"""An append-only file of JSON records, each of them on disk before `append` returns.

* A line is a CRC-32 in hexadecimal, a space, the record, a newline. A last line without its newline
  was never acknowledged and is dropped; any other line that does not check is copied to
  `<name>.damaged-…` and reported, and the rest is read on.
* The owner gives `snapshot`, the records that still matter: the file is rewritten to them when it
  has grown, and after a refused write (whose file can't be trusted any more).
* One process owns a journal; the bridge's instance lock sees to that.
"""

from __future__ import annotations

import logging
import os
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec

from core.errors import StoreWriteError
from durable import SystemCalls, append_durably, reason_for, replace_file

log = logging.getLogger(__name__)

Record = dict[str, Any]


class Journal:
    """The file at `path`; `read` once, then `append`."""

    def __init__(
        self,
        path: Path,
        snapshot: Callable[[], Iterable[Record]],
        *,
        rewrite_at: int = 4 << 20,
        system: SystemCalls = os,
    ) -> None:
        """`rewrite_at`: the size in bytes from which on the file is rewritten to `snapshot()`."""
        self._path = path
        self._snapshot = snapshot
        self._rewrite_at = rewrite_at
        self._system = system
        self._fd: int | None = None
        self._size = 0
        self._limit = rewrite_at
        self.damaged = 0

    def read(self) -> list[Record]:
        """Every record that checks, oldest first."""
        data = self._path.read_bytes() if self._path.exists() else b""
        whole, _, torn = data.rpartition(b"\n")
        records, bad = [], []
        for line in whole.split(b"\n") if whole else ():
            record = _decode(line)
            if record is None:
                bad.append(line)
            else:
                records.append(record)
        if bad:
            self.damaged = len(bad)
            log.warning("%d damaged lines of %s are set aside", len(bad), self._path.name)
            text = b"\n".join(bad) + b"\n"
            replace_file(self._path.with_suffix(f".damaged-{zlib.crc32(text):08x}"), text)
        if bad or torn:
            self._write_all(_encode(record) for record in records)
        return records

    def append(self, *records: Record) -> None:
        """Write the records, all of them or none; they are on disk when this returns.

        Raises:
            StoreWriteError: the disk refused; the next append starts from the snapshot.
        """
        data = b"".join(_encode(record) for record in records)
        if self._fd is None or self._size > self._limit:
            self.rewrite()
        assert self._fd is not None
        try:
            append_durably(self._fd, data, system=self._system)
        except StoreWriteError:
            self.close()
            raise
        self._size += len(data)

    def rewrite(self) -> None:
        """Make the snapshot the whole file."""
        self._write_all(_encode(record) for record in self._snapshot())
        flags = os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            self._fd = self._system.open(self._path, flags, 0o600)
        except OSError as error:
            reason = reason_for(error)
            raise StoreWriteError(f"{self._path.name} could not be opened: {reason}.") from error

    def close(self) -> None:
        """Let go of the file; an append opens it again."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _write_all(self, lines: Iterable[bytes]) -> None:
        self.close()
        data = b"".join(lines)
        replace_file(self._path, data, system=self._system)
        self._size = len(data)
        self._limit = max(self._rewrite_at, 4 * len(data))


def _encode(record: Record) -> bytes:
    text = msgspec.json.encode(record)
    return b"%08x %b\n" % (zlib.crc32(text), text)


def _decode(line: bytes) -> Record | None:
    checksum, _, text = line.partition(b" ")
    if checksum != b"%08x" % zlib.crc32(text):
        return None
    record = msgspec.json.decode(text)
    return record if isinstance(record, dict) else None
