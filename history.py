"""The histories of the sessions on disk: a file of JSON lines for each, which only grows.

* `note` never raises: what the disk refuses is kept in memory, and written with the next record
  that it takes. What was noted before is not written again, whoever tells it twice.
* Secrets are masked before anything is written; personal data too where that is asked for.
* A line torn by a crash, or damaged, stays where it is, is told in the log and passed over; what
  follows begins on a line of its own.
* Any thread may read and search; the event loop's alone writes.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from importlib import import_module
from pathlib import Path

from msgspec.structs import replace

from core.errors import StoreError, StoreWriteError
from core.history import Record, find_best, parse_lines, possible_bytes, render_line
from core.session_file import check_session_id
from durable import (
    SystemCalls,
    append_durably,
    make_folder,
    read_file,
    reason_for,
    syncing_folder,
)

log = logging.getLogger(__name__)

_SUFFIX = ".jsonl"
_FLAGS = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
_MOST_WAITING = 10_000
_MOST_KNOWN = 64
_DAY_SECONDS = 86_400.0


class Histories:
    """What is in `folder`, which is made when first needed; `redact` masks secrets."""

    def __init__(
        self,
        folder: Path,
        *,
        redact: Callable[[str], str],
        system: SystemCalls = os,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._folder = folder
        self.redact = redact
        self._system = system
        self._clock = clock
        self._known: dict[str, set[str]] = {}
        self._waiting: dict[str, list[Record]] = {}
        self._is_refused = False
        self.damaged: dict[str, int] = {}

    def note(self, session_id: str, records: Iterable[Record], *, is_private: bool = False) -> None:
        """Add the records that are not there yet; `is_private`: without personal data."""
        known = self._keys_of(session_id)
        new = {record.key: record for record in records if record.key not in known}
        known.update(new)
        self._waiting.setdefault(session_id, []).extend(
            self._mask(record, is_private=is_private) for record in new.values()
        )
        for waiting in list(self._waiting):
            self._write(waiting)

    def has(self, session_id: str) -> bool:
        """Whether anything was noted of the session."""
        return self._path(session_id).exists() or bool(self._waiting.get(session_id))

    def knows(self, session_id: str, key: str) -> bool:
        """Whether the session has a record of that key."""
        return key in self._keys_of(session_id)

    def read(self, session_id: str) -> list[Record]:
        """All of the session's records, oldest first. Raises StoreError."""
        data = self._read_bytes(session_id) + self._render_waiting(session_id)
        return self._parse(session_id, data)

    def search(
        self, session_ids: Iterable[str], words: Sequence[str]
    ) -> Iterator[tuple[str, Record]]:
        """The sessions in which every word is, in that order, each with the record that fits best.

        To be called in a thread of its own. What can't be read is passed over.
        """
        needed = [possible_bytes(word) for word in words]
        for session_id in session_ids:
            try:
                data = self._read_bytes(session_id) + self._render_waiting(session_id)
            except StoreError as error:
                log.warning("a history is left out of a search: %s", error)
                continue
            lower = data.lower()
            if all(any(form in lower for form in forms) for forms in needed):
                best = find_best(self._parse(session_id, data), words)
                if best is not None:
                    yield session_id, best

    def remove(self, session_id: str) -> None:
        """Forget the session's history for good. Raises StoreWriteError."""
        self._waiting.pop(session_id, None)
        self._known.pop(session_id, None)
        self.damaged.pop(session_id, None)
        try:
            if self._folder.is_dir():
                path = self._path(session_id)
                with syncing_folder(self._folder, system=self._system), suppress(FileNotFoundError):
                    self._system.unlink(path)
        except OSError as error:
            raise StoreWriteError(
                f"The history could not be removed: {reason_for(error)}."
            ) from error

    def forget_others(self, known: Collection[str], days: float) -> None:
        """Remove the histories of all sessions but these, if nothing was added for so long.

        A session that could not be read just now must not lose its history for it.
        """
        oldest = self._clock() - days * _DAY_SECONDS
        for path in self._folder.glob(f"*{_SUFFIX}"):
            try:
                if path.stem not in known and path.stat().st_mtime < oldest:
                    self.remove(path.stem)
            except (StoreError, OSError) as error:
                log.warning("an old history can't be removed: %s", error)

    # --- the files ------------------------------------------------------------------------------

    def _path(self, session_id: str) -> Path:
        check_session_id(session_id)
        return self._folder / f"{session_id}{_SUFFIX}"

    def _read_bytes(self, session_id: str) -> bytes:
        try:
            return read_file(self._path(session_id), system=self._system)
        except FileNotFoundError:
            return b""
        except OSError as error:
            raise StoreError(f"The history could not be read: {reason_for(error)}.") from error

    def _parse(self, session_id: str, data: bytes) -> list[Record]:
        """The records; a number of damaged lines that is new is told and kept in `damaged`."""
        records, damaged = parse_lines(data)
        if damaged > self.damaged.get(session_id, 0):
            self.damaged[session_id] = damaged
            name = self._path(session_id).name
            log.error("%d damaged lines in the history %s are passed over", damaged, name)
        return records

    def _render_waiting(self, session_id: str) -> bytes:
        waiting = tuple(self._waiting.get(session_id, ()))
        return b"\n" + b"".join(map(render_line, waiting)) if waiting else b""

    def _keys_of(self, session_id: str) -> set[str]:
        known = self._known.pop(session_id, None)
        if known is None:
            try:
                known = {record.key for record in self.read(session_id)}
            except StoreError as error:  # asked again: written twice, a record is still one
                log.warning("%s", error)
                return set()
        self._known[session_id] = known
        for oldest in list(self._known)[:-_MOST_KNOWN]:
            if not self._waiting.get(oldest):
                del self._known[oldest]
        return known

    def _mask(self, record: Record, *, is_private: bool) -> Record:
        text = self.redact(record.text)
        if is_private:  # the world's phone numbers take 4 MB, which most bridges do without
            text = import_module("core.personal_data").mask_personal(text)
        return replace(record, text=text)

    def _write(self, session_id: str) -> None:
        """Write what waits, if the disk takes it."""
        records = self._waiting[session_id]
        try:
            if records:
                self._append(session_id, b"".join(map(render_line, records)))
        except (StoreWriteError, OSError) as error:
            if not self._is_refused:
                log.error("the history waits until it can be written: %s", error)
            self._is_refused = True
            del records[:-_MOST_WAITING]
            return
        if self._is_refused and records:
            log.info("the history is written again")
            self._is_refused = False
        del self._waiting[session_id]

    def _append(self, session_id: str, data: bytes) -> None:
        path = self._path(session_id)
        is_new = not path.exists()
        if is_new:
            make_folder(self._folder, system=self._system)
        fd = self._system.open(path, _FLAGS, 0o600)
        try:
            size = os.fstat(fd).st_size
            if size and self._system.pread(fd, 1, size - 1) != b"\n":
                data = b"\n" + data  # what a crash has torn
            append_durably(fd, data, system=self._system)
        finally:
            os.close(fd)
        if is_new:
            with suppress(OSError), syncing_folder(self._folder, system=self._system):
                pass


def render_moment(at: float) -> str:
    """A moment in the machine's own time."""
    return datetime.fromtimestamp(at).astimezone().strftime("%Y-%m-%d %H:%M")
