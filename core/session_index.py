"""The index of sessions: which there are, whose they are and in what order, without their state.

* Pure values: it is told each file's row and knows no file.
* Most recent activity first: over all, per chat, and per place, which is a chat and one of its
  topics or None. Ties are broken by creation, then by id, so that every process sees the same
  order.
* The current session of a place is the one bound last, whatever was active since.
* A rendered index carries a checksum: it is only a cache, so any doubt means building it anew.
"""

import zlib
from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple, TypeVar

import msgspec

from core.session_file import DamagedFileError

VERSION = 1

Stamp = tuple[int, int, int]
"""Modification time in nanoseconds, inode and size: equal only for the same version of a file."""

Place = tuple[str | None, ...]
"""() is everywhere, (chat,) a chat with all its topics, (chat, topic) one topic or None."""

_Key = TypeVar("_Key", tuple[int, int, str], tuple[int, str])


class Row(NamedTuple):
    """What the index knows of one session; times in microseconds since 1970."""

    session_id: str
    chat: str
    topic: str | None
    active: int
    created: int
    bound: tuple[int, str] | None
    stamp: Stamp


class SessionIndex:
    """The rows, kept in order as they change. Not thread-safe: its owner holds a lock."""

    def __init__(self, rows: Iterable[Row] = ()) -> None:
        self.edits = 0
        self._rows = {row.session_id: row for row in rows}
        self._folded = {session_id.lower(): session_id for session_id in self._rows}
        self._active: defaultdict[Place, list[tuple[int, int, str]]] = defaultdict(list)
        self._bound: defaultdict[Place, list[tuple[int, str]]] = defaultdict(list)
        self._last_order = 0
        for row in self._rows.values():
            for place in _places(row):
                self._active[place].append((row.active, row.created, row.session_id))
            if row.bound is not None:
                self._bound[row.chat, row.topic].append((row.bound[0], row.session_id))
                self._last_order = max(self._last_order, row.bound[0])
        for keys in self._active.values():
            keys.sort()
        for bindings in self._bound.values():
            bindings.sort()

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows.values())

    @property
    def next_order(self) -> int:
        """Above the number of every binding so far: it, not the clock, says who was bound last."""
        return self._last_order + 1

    def put(self, row: Row) -> None:
        """Add the row, or put it in the place of the one with the same id."""
        if self._rows.get(row.session_id) == row:
            return
        self.remove(row.session_id)
        self.edits += 1
        self._rows[row.session_id] = row
        self._folded[row.session_id.lower()] = row.session_id
        for place in _places(row):
            insort(self._active[place], (row.active, row.created, row.session_id))
        if row.bound is not None:
            insort(self._bound[row.chat, row.topic], (row.bound[0], row.session_id))
            self._last_order = max(self._last_order, row.bound[0])

    def remove(self, session_id: str) -> None:
        """Forget the session, if it is known."""
        row = self._rows.pop(session_id, None)
        if row is None:
            return
        self.edits += 1
        if self._folded.get(session_id.lower()) == session_id:
            del self._folded[session_id.lower()]
        for place in _places(row):
            _take_out(self._active, place, (row.active, row.created, session_id))
        if row.bound is not None:
            _take_out(self._bound, (row.chat, row.topic), (row.bound[0], session_id))

    def find(self, session_id: str) -> Row | None:
        return self._rows.get(session_id)

    def find_twin(self, session_id: str) -> str | None:
        """The stored id that differs from this unknown one by case only: one file on some disks."""
        return None if session_id in self._rows else self._folded.get(session_id.lower())

    def recent_ids(self, chat: str | None = None) -> Iterator[str]:
        """The ids of the chat or of all, most recent activity first, as they are now."""
        place: Place = () if chat is None else (chat,)
        return (key[-1] for key in self._active.get(place, [])[::-1])

    def find_latest(self, chat: str, topic: str | None) -> str | None:
        keys = self._active.get((chat, topic))
        return keys[-1][-1] if keys else None

    def find_current(self, chat: str, topic: str | None) -> str | None:
        bindings = self._bound.get((chat, topic))
        return bindings[-1][-1] if bindings else None

    def current_ids(self) -> set[str]:
        """The current session of every place that has one."""
        return {bindings[-1][-1] for bindings in self._bound.values()}


def render_index(rows: Iterable[Row]) -> bytes:
    """The bytes of `index.json`."""
    body = msgspec.json.encode(list(rows))
    return b'{"v":%d,"crc":"%08x","rows":%s}\n' % (VERSION, zlib.crc32(body), body)


def parse_index(data: bytes) -> list[Row]:
    """The rows in `index.json`; raises DamagedFileError."""
    try:
        envelope = _ENVELOPE.decode(data)
        body = bytes(envelope.rows)
        if envelope.v != VERSION or envelope.crc != f"{zlib.crc32(body):08x}":
            raise DamagedFileError("it has another version or does not match its checksum")
        return _ROWS.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise DamagedFileError(f"it is not an index: {error}") from error


class _Envelope(msgspec.Struct, forbid_unknown_fields=True):
    v: int
    crc: str
    rows: msgspec.Raw


_ENVELOPE = msgspec.json.Decoder(_Envelope)
_ROWS = msgspec.json.Decoder(list[Row])


def _places(row: Row) -> tuple[Place, ...]:
    return (), (row.chat,), (row.chat, row.topic)


def _take_out(shelf: dict[Place, list[_Key]], place: Place, key: _Key) -> None:
    keys = shelf[place]
    del keys[bisect_left(keys, key)]
    if not keys:
        del shelf[place]
