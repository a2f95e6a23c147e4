"""handoff: whatever call to the disk is the last, the session is whole, in one chat, told once."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from buttons import Buttons, Press
from core.errors import StoreError
from core.model import ButtonPressed, Chat, Person, Place
from handoff import Handoff
from inbox import Inbox
from outbox import Outbox
from people import People
from places import Places
from pulse import Background
from session import Session, SessionStore
from session_book import SessionBook, chat_of
from session_finder import SessionFinder
from sessions import Sessions
from tests.standins.outbox_world import Clock, FakeChannel
from tests.standins.watched_system import WatchedSystem

ADA, BOB = Chat("fake", 42), Chat("fake", 43)


class Dying(WatchedSystem):
    """The system's calls, none of which does anything from the `at`-th on."""

    def __init__(self, at: int) -> None:
        self.left = at

    def before(self, call: str) -> None:
        self.left -= 1
        if self.left < 0:
            raise OSError(5, "the machine is off")


class Machine:
    """All that a hand-over needs, on one folder; a new one is a start after a crash."""

    def __init__(self, folder: Path, system: Any = os) -> None:
        bridge = folder / "bridge"
        bridge.mkdir(parents=True, exist_ok=True)
        self.book = SessionBook(SessionStore(folder / "state", system=system))
        self.buttons = Buttons(bridge, system=system)
        self.outbox = Outbox(bridge, {"fake": FakeChannel(Clock())}, system=system)
        self.places = Places(bridge)
        launcher = SimpleNamespace(transcript_of=lambda session: None)
        sessions = SimpleNamespace(
            book=self.book, find_runner=lambda session_id: None, launcher=launcher
        )
        self.inbox = Inbox(bridge)
        self.background = Background()
        self.can_go_on = asyncio.Event()
        self.handoff = Handoff(
            cast(Sessions, sessions),
            self.inbox,
            self.outbox,
            self.buttons,
            People(bridge, allowed_users=(42, 43)),
            self.places,
            SessionFinder(folder / "projects", bridge / "found.json"),
            self.background,
            groups=(),
            make_topic=self._make_topic,
            link_to=lambda chat: f"{chat.channel}:{chat.chat_id}",
            sleep=self.sleep,
        )

    async def _make_topic(self, chat: Chat, name: str) -> Chat:
        return Chat(chat.channel, chat.chat_id, 1)

    async def sleep(self, seconds: float) -> None:
        await self.can_go_on.wait()

    def posts(self, chat: Chat) -> list[str]:
        waiting = self.outbox._records.waiting.values()
        return [w.post.text for w in waiting if w.post.chat == chat]

    def close(self) -> None:
        self.book.store.close()
        self.inbox.close()
        self.outbox._records.close()


def prepare(folder: Path) -> str:
    """A session of Ada's, and one that Bob has already; returns the id of the first."""
    machine = Machine(folder)
    machine.places.note(Place(ADA, "Ada", is_private=True), 42)
    machine.places.note(Place(BOB, "Bob", is_private=True), 43)
    machine.book.create(BOB, Path("/work/other"))
    session = machine.book.create(ADA, Path("/work/project"))
    machine.book.edit_state(session.session_id, title="fix it", cursor=7, person=42)
    machine.close()
    return session.session_id


async def hand_over(machine: Machine, session_id: str) -> None:
    action = {"do": "handoff", "session": session_id, "post": "list", "how": "move"}
    action["to"] = {"channel": "fake", "chat_id": 43, "topic": None}  # type: ignore[assignment]
    pressed = ButtonPressed(ADA, Person(42, "Ada"), 1, "id", "x")
    await machine.handoff._press(Press(pressed, action, "key"))


def check(machine: Machine, session_id: str) -> str:
    """What must be so after every crash; returns whose the session is."""
    session = machine.book.for_id(session_id)
    kept = {name: session.state.get(name) for name in ("title", "cursor", "project_dir")}
    assert kept == {"title": "fix it", "cursor": 7, "project_dir": "/work/project"}
    assert "handing" not in session.state
    if chat_of(session) == ADA:
        assert current(machine, ADA) == session_id
        assert machine.posts(ADA) == machine.posts(BOB) == []
        return "Ada"
    assert chat_of(session) == BOB and session.state["person"] == 43
    assert current(machine, BOB) == session_id and current(machine, ADA) is None
    assert [text[:24] for text in machine.posts(BOB)] == ["Handed over from Ada's c"]
    assert [text[:22] for text in machine.posts(ADA)] == ["Handed over to Bob's c"]
    assert len(session.state["moves"]) == 1
    return "Bob"


def current(machine: Machine, chat: Chat) -> str | None:
    found: Session | None = machine.book.find_current(chat)
    return found.session_id if found is not None else None


@pytest.mark.parametrize("at", range(90))
async def test_after_a_crash_at_any_moment_it_is_in_one_chat_and_told_once(
    tmp_path: Path, at: int
) -> None:
    session_id = prepare(tmp_path)
    system = Dying(10**9)
    machine = Machine(tmp_path, system)
    system.left = at
    with suppress(StoreError, OSError):
        await hand_over(machine, session_id)
    died = system.left < 0
    system.left = -1
    machine.close()
    for _ in range(2):  # and another start changes nothing
        machine = Machine(tmp_path)
        machine.handoff.resume()
        whose = check(machine, session_id)
        machine.close()
    assert whose == "Bob" or died
    if at == 0:
        assert whose == "Ada"


async def test_a_hand_over_takes_fewer_calls_than_are_tried(tmp_path: Path) -> None:
    session_id = prepare(tmp_path)
    system = Dying(10**9)
    machine = Machine(tmp_path, system)
    system.left = 88
    await hand_over(machine, session_id)
    assert check(machine, session_id) == "Bob" and system.left >= 0
    machine.close()


async def test_on_a_full_disk_the_rest_is_done_once_there_is_room(tmp_path: Path) -> None:
    seen = set()
    for at in range(90):
        folder = tmp_path / str(at)
        session_id = prepare(folder)
        system = Dying(10**9)
        machine = Machine(folder, system)
        system.left = at
        with suppress(StoreError, OSError):
            await hand_over(machine, session_id)
        system.left = 10**9
        machine.can_go_on.set()
        await machine.background.finish()
        if "handing" not in machine.book.for_id(session_id).state:
            seen.add(check(machine, session_id))
        else:
            seen.add("waits")
        machine.close()
    assert seen == {"Ada", "Bob"}
