"""The durable inbox: what people sent, from its arrival until it is done.

* `receive` returns when the updates are on disk; only then may the channel be told to forget them.
* An update is known by its key, which the channel makes from more than its running number, since
  those start again at random: what was received before is not received again.
* A prompt's way is `received` (which may name its session), `assigned` (to that session), `typed`,
  `recorded` (Claude's transcript has it) and `done`. `typed` is written before the first key.
"""

from __future__ import annotations

import logging
import os
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from core.errors import StoreWriteError
from durable import SystemCalls
from journal import Journal, Record

log = logging.getLogger(__name__)

Step = Literal["received", "assigned", "typed", "recorded"]

EntryListener = Callable[["Entry", str | None], None]
"""Is told of an entry's step, or of its outcome at the end, once that is on disk."""

_REMEMBERED = 10_000
_NO_FACTS = ("t", "key", "merges")


@dataclass(frozen=True, slots=True)
class Arrival:
    """One update as the channel gave it: `key` identifies it, `raw` is its JSON object."""

    key: str
    channel: str
    raw: Record


@dataclass(frozen=True, slots=True)
class Entry:
    """An arrival and how far it has come.

    `session_id`: whose prompt it is; `text`: as it is typed; `typed_from`: the length of the
    transcript, in bytes, just before it was typed; `typed_at`: when, in seconds since the epoch;
    `place`: its number among those that wait, 0 while they are in the order of arrival; `person`:
    the user id of who gave the prompt, 0 where that was not noted; `agent`: which one it is for, ""
    for the session's own. `parts`: the arrivals that go on as a part of this one. `words`: what of
    a message is for Claude, by its arrival's key, where that is not just its text.
    """

    arrival: Arrival
    step: Step = "received"
    session_id: str = ""
    text: str = ""
    typed_from: int = 0
    typed_at: float = 0.0
    place: int = 0
    person: int = 0
    agent: str = ""
    parts: tuple[Arrival, ...] = ()
    words: dict[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """The arrival's key."""
        return self.arrival.key

    @property
    def arrivals(self) -> tuple[Arrival, ...]:
        """All that it is made of, in order."""
        return (self.arrival, *self.parts)


@dataclass(slots=True)
class Inbox:
    """What is in the folder `directory`, which must be there; `listeners` are told of progress."""

    directory: Path
    system: SystemCalls = field(default=os, repr=False)
    listeners: list[EntryListener] = field(default_factory=list, init=False)
    _entries: dict[str, Entry] = field(default_factory=dict, init=False)
    _seen: OrderedDict[str, None] = field(default_factory=OrderedDict, init=False)
    _journal: Journal = field(init=False)

    def __post_init__(self) -> None:
        path = self.directory / "inbox.journal"
        self._journal = Journal(path, self._snapshot, system=self.system)
        for record in self._journal.read():
            try:
                self._apply(record)
            except (KeyError, TypeError) as error:
                log.warning("a record of the inbox is of no known kind: %r", error)

    def receive(self, arrivals: Iterable[Arrival]) -> list[Entry]:
        """Put the new ones among `arrivals` on disk, and return those.

        Raises:
            StoreWriteError: none of them was taken.
        """
        new = {arrival.key: arrival for arrival in arrivals if not self._knows(arrival.key)}
        if not new:
            return []
        records = [
            {"t": "received", "key": a.key, "channel": a.channel, "raw": a.raw}
            for a in new.values()
        ]
        self._journal.append(*records)
        for record in records:
            self._apply(record)
        return [self._entries[key] for key in new]

    def advance(self, key: str, step: Step, *, merges: Sequence[str] = (), **facts: Any) -> Entry:
        """Write down that the entry has come to `step`, with `facts` (fields of Entry).

        The entries of the keys in `merges` go on as a part of this one: they are done with at the
        same moment, in one record.

        Raises:
            KeyError: there is no such entry (any more).
            StoreWriteError: it is where it was.
        """
        replace(self._entries[key], step=step, **facts)
        record = {"t": "step", "key": key, "step": step, **facts}
        record |= {"merges": list(merges)} if merges else {}
        self._journal.append(record)
        self._apply(record)
        self._tell(self._entries[key])
        return self._entries[key]

    def finish(self, key: str, outcome: str) -> None:
        """Write down that nothing more is to be done for this entry.

        It is done even when the disk refuses: the next write that succeeds tells it too, and only a
        crash before that would forget it.
        """
        entry = self._entries.pop(key, None)
        if entry is None:
            return
        try:
            self._journal.append({"t": "done", "key": key, "outcome": outcome})
        except StoreWriteError as error:
            log.error("%s", error)
        self._tell(entry, outcome)

    def pending(self) -> list[Entry]:
        """What is not done, in the order of arrival."""
        return list(self._entries.values())

    def find(self, key: str) -> Entry | None:
        """The entry of that key, unless it is done or was never there."""
        return self._entries.get(key)

    def forget_done(self) -> None:
        """Let the next write leave nothing on the disk of what is done with."""
        self._journal.close()

    def close(self) -> None:
        """Let go of the file."""
        self._journal.close()

    def _tell(self, entry: Entry, outcome: str | None = None) -> None:
        """Tell the listeners; what goes wrong there is no matter of the entry's."""
        for listener in self.listeners:
            try:
                listener(entry, outcome)
            except Exception:
                log.exception("a step of an entry could not be told")

    def _knows(self, key: str) -> bool:
        return key in self._seen or key in self._entries

    def _apply(self, record: Record) -> None:
        match record.get("t"):
            case "received" if record["key"] not in self._entries:
                arrival = Arrival(record["key"], record["channel"], record["raw"])
                self._entries[arrival.key] = Entry(arrival)
                self._remember(arrival.key)
            case "step" if record["key"] in self._entries:
                facts = {name: record[name] for name in record if name not in _NO_FACTS}
                entry = replace(self._entries[record["key"]], **facts)
                for key in record.get("merges", ()):
                    entry = _merge(entry, self._entries.pop(key, None))
                self._entries[entry.key] = entry
            case "done":
                self._entries.pop(record["key"], None)
            case "seen":
                for key in record["keys"]:
                    self._remember(key)

    def _remember(self, key: str) -> None:
        self._seen[key] = None
        while len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)

    def _snapshot(self) -> Iterator[Record]:
        yield {"t": "seen", "keys": list(self._seen)}
        for entry in self._entries.values():
            for arrival in entry.arrivals:
                yield {
                    "t": "received",
                    "key": arrival.key,
                    "channel": arrival.channel,
                    "raw": arrival.raw,
                }
            yield {
                "t": "step",
                "key": entry.key,
                "step": entry.step,
                "session_id": entry.session_id,
                "text": entry.text,
                "typed_from": entry.typed_from,
                "typed_at": entry.typed_at,
                "place": entry.place,
                "person": entry.person,
                **({"agent": entry.agent} if entry.agent else {}),
                **({"words": entry.words} if entry.words else {}),
                **({"merges": [part.key for part in entry.parts]} if entry.parts else {}),
            }


def _merge(entry: Entry, other: Entry | None) -> Entry:
    """The entry with another one as its last part."""
    if other is None:
        return entry
    return replace(
        entry, parts=(*entry.parts, *other.arrivals), words={**entry.words, **other.words}
    )
