"""An append-only file of JSON records, each of them on disk before `append` returns.

* A line is a CRC-32 in hexadecimal, a space, the record, a newline. The rest of a record at the end
  was never acknowledged and is dropped; any other line that does not check is copied to
  `<stem>.damaged-…` and reported, and the rest is read on. A lost newline costs no record.
* The owner gives `snapshot`, the records that still matter: the file is rewritten to them when it
  has grown, and after a refused write (whose file can't be trusted any more).
* One process owns a journal; the bridge's instance lock sees to that.
"""

from __future__ import annotations

import json
import logging
import os
import re
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec

from core.errors import StoreError, StoreWriteError
from core.foreign_text import decode_json, replace_halves
from durable import (
    SystemCalls,
    append_durably,
    read_file,
    reason_for,
    remove_temporaries_of,
    replace_file,
)

log = logging.getLogger(__name__)

Record = dict[str, Any]

_RECORD = re.compile(rb"[0-9a-f]{8} \{")
_decoder = msgspec.json.Decoder(Record)


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
        """Every record that checks, oldest first; the file is left as it is.

        Raises:
            StoreError: the file can't be read.
            StoreWriteError: what is damaged can't be set aside.
        """
        remove_temporaries_of(self._path, system=self._system)
        try:
            data = read_file(self._path, system=self._system)
        except FileNotFoundError:
            return []
        except OSError as error:
            reason = reason_for(error)
            raise StoreError(f"{self._path.name} could not be read: {reason}.") from error
        records: list[Record] = []
        bad: list[bytes] = []
        *lines, torn = data.split(b"\n")
        for line in lines:
            found = _read_line(line)
            records += found
            if len(found) != 1:
                bad.append(line)
        records += _read_line(torn) or _read_line(torn[:-1])
        if bad:
            self.damaged = len(bad)
            log.warning("%d damaged lines of %s are set aside", len(bad), self._path.name)
            text = b"\n".join(bad) + b"\n"
            replace_file(
                self._path.with_suffix(f".damaged-{zlib.crc32(text):08x}"),
                text,
                system=self._system,
            )
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

    def __del__(self) -> None:
        self.close()

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
    try:
        text = msgspec.json.encode(record)
    except UnicodeEncodeError:  # half of a surrogate pair
        text = replace_halves(json.dumps(record, ensure_ascii=False)).encode()
    return b"%08x %b\n" % (zlib.crc32(text), text)


def _read_line(line: bytes) -> list[Record]:
    """The records of a line: one, or several when the newlines between them are damaged."""
    record = _decode(line)
    if record is not None:
        return [record]
    for start in (found.start() for found in _RECORD.finditer(line, 1)):
        first = _decode(line[: start - 1])
        if first is not None:
            return [first, *_read_line(line[start:])]
        last = _decode(line[start:])
        if last is not None:
            return [last]
    return []


def _decode(line: bytes) -> Record | None:
    checksum, _, text = line.partition(b" ")
    if checksum != b"%08x" % zlib.crc32(text):
        return None
    return decode_json(_decoder, text)
