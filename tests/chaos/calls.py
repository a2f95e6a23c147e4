"""Each system call of each state file fails in its turn, and what has become of the change."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from buttons import Buttons
from chat_settings import ChatSettings
from core.errors import StoreError
from core.history import Record
from core.model import ButtonPressed, Chat, Person, Place, Post
from core.quiet import ALWAYS
from devices import Devices
from history import Histories
from inbox import Arrival, Inbox
from outbox_records import OutboxRecords
from people import People
from places import Places
from request_book import RequestBook, RequestRecord
from session import Session, SessionStore
from tests.chaos.experiment import Figure, judge
from tests.standins.watched_system import FailingSystem, WatchedSystem
from tests.test_session_crash import ERRORS, STEPS, all_files, contents

_NEVER = 10**9
_CHAT = Chat("telegram", 1)
_CLOCK = 1_000_000.0
_PRECIOUS = b"precious\n"


class Keeper:
    """Who keeps a state file.

    `never_raises`: what the disk refuses is done all the same, and is on the disk with the next
    change that it takes, which `go_on` makes.
    """

    name = ""
    file = ""
    never_raises = False

    def open(self, place: Path, system: WatchedSystem) -> Any:
        """What keeps the file in that folder. Raises StoreError."""
        raise NotImplementedError

    def prepare(self, kept: Any) -> Any:
        """Make what is there before; returns what the change needs."""
        raise NotImplementedError

    def change(self, kept: Any, given: Any) -> object:
        """Make the change; false when it was not made. Raises StoreError."""
        raise NotImplementedError

    def go_on(self, kept: Any) -> None:
        """Make another change."""

    def view(self, kept: Any) -> object:
        """What it knows."""
        raise NotImplementedError


def fail_each_call(size: int, seed: int, folder: Path) -> Figure:
    """The n-th call fails, for all n, in all that is done with the files of the state."""
    faults: dict[str, list[str]] = {"half done": [], "left over": []}
    count = 0
    for error in ERRORS:
        for what, change in STEPS.items():
            for fault in _fail_in_store(folder / "store", change, error):
                count += 1
                faults["half done"] += [f"{what}: {fault}"] if fault else []
        for keeper in KEEPERS:
            for trial in (_Trial.of_change, _Trial.of_damage):
                for found in _fail_each(trial, keeper, folder, error):
                    count += 1
                    faults["half done"] += [f"{keeper.name}, {fault}" for fault in found.faults]
                    faults["left over"] += found.left_over
    return judge(
        "the n-th system call fails (ENOSPC, EIO, EMFILE, EACCES): every state file",
        f"{count} failures, all n",
        "all or nothing; works again by itself",
        faults,
    )


# --- the sessions ---------------------------------------------------------------------------------


def _fail_in_store(
    place: Path, change: Callable[[SessionStore], object], error: int
) -> Iterator[str | None]:
    """What is wrong after each n; None if nothing is."""
    at, failed = 0, "open"
    while failed:
        shutil.rmtree(place, ignore_errors=True)
        with SessionStore(place) as prepared:
            prepared.save(Session("old", 1, last_activity="2026-01-01T00:00:00Z"))
            prepared.save(Session("other", 1))
        before = contents(prepared)
        system = FailingSystem(_NEVER, error)
        store = SessionStore(place, system=system, clock=lambda: "2026-06-01T00:00:00Z")
        (place / "broken.json").write_bytes(_PRECIOUS)
        with system.with_locks():
            system.at = system.calls + at
            is_refused = _is_refused(change, store)
            system.at = -1
        yield _find_store_fault(store, place, before if is_refused else None, system.failed)
        failed, at = system.failed, at + 1


def _find_store_fault(
    store: SessionStore, place: Path, before: dict[str, Session] | None, failed: str
) -> str | None:
    found = contents(store)
    if found != contents(SessionStore(place)):
        return f"memory and disk differ after {failed}"
    if before is not None and failed != "fsync" and found != before:
        return f"refused at {failed}, and done"
    if _PRECIOUS not in all_files(place):
        return f"a damaged file is gone after {failed}"
    return f"a temporary file is left after {failed}" if list(place.glob(".*.tmp")) else None


def _is_refused(change: Callable[[SessionStore], object], store: SessionStore) -> bool:
    try:
        change(store)
    except StoreError:
        return True
    return False


# --- all the others -------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Trial:
    """One failure, and what was wrong after it."""

    failed: str
    faults: list[str]
    left_over: list[str]

    @classmethod
    def of_change(cls, keeper: Keeper, place: Path, system: FailingSystem) -> _Trial:
        """The change is made whole or not at all, memory and disk agree, and it can be made again.

        When it was the fsync of the folder that failed, either may be found.
        """
        real = WatchedSystem()
        given = keeper.prepare(keeper.open(place, real))
        before = keeper.view(keeper.open(place, real))
        kept, is_done = None, False
        with suppress(StoreError), system.with_locks():
            kept = keeper.open(place, system)
            is_done = bool(keeper.change(kept, given))
        system.at = -1
        left_over = [path.name for path in place.rglob(".*.tmp")]
        found = keeper.view(keeper.open(place, real))
        faults = []
        if not keeper.never_raises and system.failed != "fsync":
            if kept is not None and keeper.view(kept) != found:
                faults.append("memory and disk differ")
            if is_done == (found == before):
                faults.append("done, and not on the disk" if is_done else "refused, and done")
        kept = keeper.open(place, real) if kept is None else kept
        if keeper.view(kept) == before:
            keeper.change(kept, given)
        keeper.go_on(kept)
        after = keeper.view(keeper.open(place, real))
        if keeper.view(kept) != after and (keeper.never_raises or system.failed != "fsync"):
            faults.append("memory and disk differ from then on")
        if after == before:
            faults.append("it can't be done again")
        return cls(system.failed, [f"{system.failed}: {fault}" for fault in faults], left_over)

    @classmethod
    def of_damage(cls, keeper: Keeper, place: Path, system: FailingSystem) -> _Trial:
        """A damaged file is still there, wherever that is, and no trouble once the disk is well."""
        real = WatchedSystem()
        given = keeper.prepare(keeper.open(place, real))
        (place / keeper.file).write_bytes(_PRECIOUS)
        with suppress(StoreError), system.with_locks():
            keeper.change(keeper.open(place, system), given)
        system.at = -1
        with suppress(StoreError):
            keeper.change(keeper.open(place, real), given)
        is_kept = any(_PRECIOUS in data for data in all_files(place))
        faults = [] if is_kept else [f"{system.failed}: a damaged file is gone"]
        return cls(system.failed, faults, [path.name for path in place.rglob(".*.tmp")])


def _fail_each(
    trial: Callable[[Keeper, Path, FailingSystem], _Trial],
    keeper: Keeper,
    folder: Path,
    error: int,
) -> Iterator[_Trial]:
    at, failed = 0, "open"
    while failed:
        place = folder / "keeper"
        place.mkdir()
        found = trial(keeper, place, FailingSystem(at, error))
        yield found
        shutil.rmtree(place)
        at, failed = at + 1, found.failed


class _ButtonsKeeper(Keeper):
    name, file = "buttons", "buttons.json"

    def open(self, place: Path, system: WatchedSystem) -> Buttons:
        return Buttons(place, system=system)

    def prepare(self, kept: Buttons) -> ButtonPressed:
        (row,) = kept.issue(_CHAT, [[("yes", {"do": "it"})]])
        return ButtonPressed(_CHAT, Person(1, "Ada"), 1, "q", row[0].press)

    def change(self, kept: Buttons, given: ButtonPressed) -> object:
        return kept.take(given)

    def view(self, kept: Buttons) -> object:
        return list(kept.list_actions(_CHAT, 1))


class _PeopleKeeper(Keeper):
    name, file = "people", "people.json"

    def open(self, place: Path, system: WatchedSystem) -> People:
        return People(place, clock=lambda: _CLOCK, system=system)

    def prepare(self, kept: People) -> str:
        kept.redeem(kept.issue_code(), 6, "Ada")
        return kept.invite("member")

    def change(self, kept: People, given: str) -> object:
        return kept.redeem(given, 7, "Bob")

    def view(self, kept: People) -> object:
        return kept.everybody()


class _DevicesKeeper(Keeper):
    name, file = "devices", "devices.json"

    def open(self, place: Path, system: WatchedSystem) -> Devices:
        return Devices(place, clock=lambda: _CLOCK, system=system)

    def prepare(self, kept: Devices) -> str:
        kept.redeem(kept.issue_key(), "Firefox on Linux")
        return kept.issue_key()

    def change(self, kept: Devices, given: str) -> object:
        token = kept.redeem(given, "Chrome on Android")
        return token or (kept.issue_key() if not kept.everybody() else None)

    def view(self, kept: Devices) -> object:
        return kept._current()


class _RequestsKeeper(Keeper):
    name, file = "requests", "requests.json"

    def open(self, place: Path, system: WatchedSystem) -> RequestBook:
        return RequestBook(place, system=system)

    def prepare(self, kept: RequestBook) -> RequestRecord:
        return kept.put(RequestRecord("r", "s", _CHAT, 7, "post", "Bash ls"))

    def change(self, kept: RequestBook, given: RequestRecord) -> object:
        return kept.put(replace(given, answer="{}"))

    def view(self, kept: RequestBook) -> object:
        return kept.open, kept.answered


class _SettingsKeeper(Keeper):
    name, file = "settings", "chat_settings.json"

    def open(self, place: Path, system: WatchedSystem) -> ChatSettings:
        return ChatSettings(place, system=system)

    def prepare(self, kept: ChatSettings) -> None:
        kept.set_private(_CHAT, private=True)

    def change(self, kept: ChatSettings, given: object) -> object:
        kept.set_quiet(_CHAT, ALWAYS)
        return True

    def view(self, kept: ChatSettings) -> object:
        return kept.is_private(_CHAT), kept.find_quiet(_CHAT)


class _InboxKeeper(Keeper):
    name, file = "inbox", "inbox.journal"

    def open(self, place: Path, system: WatchedSystem) -> Inbox:
        return Inbox(place, system)

    def prepare(self, kept: Inbox) -> None:
        kept.receive([Arrival("old", "telegram", {})])

    def change(self, kept: Inbox, given: object) -> object:
        return kept.receive([Arrival("new", "telegram", {})])

    def view(self, kept: Inbox) -> object:
        return [(entry.key, entry.step) for entry in kept.pending()]


class _InboxStepKeeper(_InboxKeeper):
    name = "a step in the inbox"

    def change(self, kept: Inbox, given: object) -> object:
        if kept.find("old") is None:  # it was damaged
            return False
        return kept.advance("old", "assigned", session_id="s", text="one")


class _InboxEndKeeper(_InboxKeeper):
    name, never_raises = "an end in the inbox", True

    def change(self, kept: Inbox, given: object) -> object:
        kept.finish("old", "answered")
        return True

    def go_on(self, kept: Inbox) -> None:
        kept.receive([Arrival("newer", "telegram", {})])


class _OutboxKeeper(Keeper):
    name, file = "outbox", "outbox.journal"

    def open(self, place: Path, system: WatchedSystem) -> OutboxRecords:
        return OutboxRecords(place, system=system)

    def prepare(self, kept: OutboxRecords) -> None:
        kept.put([Post("old", _CHAT, "old")])

    def change(self, kept: OutboxRecords, given: object) -> object:
        kept.put([Post("new", _CHAT, "new")])
        return True

    def view(self, kept: OutboxRecords) -> object:
        return [(key, w.messages, w.is_sending) for key, w in kept.waiting.items()]


class _OutboxProgressKeeper(_OutboxKeeper):
    name, never_raises = "progress in the outbox", True

    def change(self, kept: OutboxRecords, given: object) -> object:
        waiting = kept.waiting.get("old")
        if waiting is not None and not waiting.messages:
            kept.note_sending(waiting)
            kept.note_sent(waiting, 5)
        return True

    def go_on(self, kept: OutboxRecords) -> None:
        kept.put([Post("newer", _CHAT, "newer")])


class _PlacesKeeper(Keeper):
    name, file, never_raises = "places", "places.json", True

    def open(self, place: Path, system: WatchedSystem) -> Places:
        return Places(place, system=system)

    def prepare(self, kept: Places) -> None:
        kept.note(Place(_CHAT, "Ada", is_private=True))

    def change(self, kept: Places, given: object) -> object:
        kept.note(Place(Chat("telegram", -7), "Team"))
        return True

    def go_on(self, kept: Places) -> None:
        kept.note(Place(Chat("telegram", -8), "Others"))

    def view(self, kept: Places) -> object:
        return sorted(kept.list_all(), key=lambda place: place.chat.chat_id)


class _HistoryKeeper(Keeper):
    name, file, never_raises = "a history", "histories/one.jsonl", True

    def open(self, place: Path, system: WatchedSystem) -> Histories:
        return Histories(place / "histories", redact=str, system=system)

    def prepare(self, kept: Histories) -> None:
        kept.note("one", [Record("old", 1.0, "answer", "old")])

    def change(self, kept: Histories, given: object) -> object:
        kept.note("one", [Record("new", 2.0, "answer", "new")])
        return True

    def go_on(self, kept: Histories) -> None:
        kept.note("one", [Record("newer", 3.0, "answer", "newer")])

    def view(self, kept: Histories) -> object:
        return kept.read("one")


KEEPERS: tuple[Keeper, ...] = (
    *(_ButtonsKeeper(), _PeopleKeeper(), _DevicesKeeper(), _RequestsKeeper(), _SettingsKeeper()),
    *(_InboxKeeper(), _InboxStepKeeper(), _InboxEndKeeper()),
    *(_OutboxKeeper(), _OutboxProgressKeeper(), _PlacesKeeper(), _HistoryKeeper()),
)
