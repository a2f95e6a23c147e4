"""bridge.Hub: which lane an update is handled in, and what holds up that lane alone."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from assembly import Parts
from bridge import Hub
from core.config import Config
from core.errors import StoreWriteError
from core.model import (
    ButtonPressed,
    Chat,
    Incoming,
    KindNotHandled,
    Person,
    Place,
    Post,
    TextEdited,
    TextSent,
)
from inbox import Entry, Inbox

ANN, BOB, TOPIC = Chat("fake", 1), Chat("fake", 2), Chat("fake", 1, 7)
ADA = Person(1)


class Desk:
    """A hub with an inbox; what is done with an update is noted, or fails, or takes long."""

    def __init__(self, folder: Path) -> None:
        self.inbox = Inbox(folder)
        self.updates: dict[str, Incoming | Place | None] = {}
        self.done: list[str] = []
        self.ended: list[Incoming] = []
        self.parts: set[int] = set()
        self.held: dict[str, asyncio.Event] = {}
        self.raises: dict[str, Exception] = {}
        self.told: list[Post] = []
        self.full = ""
        channel = SimpleNamespace(
            parse=self._parse, forum=SimpleNamespace(read_place=self._read_place)
        )
        parts = SimpleNamespace(
            channels={"fake": channel},
            inbox=self.inbox,
            sessions=None,
            topics=SimpleNamespace(hear_update=lambda arrival, incoming: True),
            admission=SimpleNamespace(admits=self._admits, note_end=lambda incoming, result: None),
            outbox=SimpleNamespace(put=self.told.append),
            messages=SimpleNamespace(
                handle_edit=self._handle, end_text=self._end_text, takes_part=self._takes_part
            ),
            presses=SimpleNamespace(handle=lambda entry, press: self._handle(press)),
            fresh_starts=SimpleNamespace(note=lambda chat: None),
            people=SimpleNamespace(to_be_told=[42]),
            say=lambda chat, text: self.done.append("said"),
        )
        self.hub = Hub(Config(state_dir=folder), cast(Parts, parts))
        (folder / "bridge").mkdir()

    def _parse(self, raw: dict[str, Any]) -> Incoming | None:
        if raw["name"] == "poison":
            raise ValueError("no such update")
        found = self.updates[raw["name"]]
        return None if isinstance(found, Place) else found

    def _read_place(self, raw: dict[str, Any]) -> Place | None:
        found = self.updates[raw["name"]]
        return found if isinstance(found, Place) else None

    def _admits(self, incoming: Incoming) -> bool:
        if self.full and self.updates[self.full] is incoming:
            raise StoreWriteError("the disk is full")
        return True

    async def _end_text(self, incoming: Incoming) -> None:
        self.ended.append(incoming)

    def _takes_part(self, entry: Entry, message: TextSent) -> bool:
        return message.message_id in self.parts

    async def _handle(self, incoming: Any) -> bool:
        name = next(name for name, found in self.updates.items() if found is incoming)
        if name in self.held:
            await self.held[name].wait()
        if name in self.raises:
            raise self.raises[name]
        self.done.append(name)
        return True

    def take(self, **updates: Incoming | Place | None) -> None:
        self.updates |= updates
        self.hub._take("fake", [(name, {"name": name}) for name in updates])

    async def until(self, is_true: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while True:
                if is_true():
                    return
                await asyncio.sleep(0)

    async def until_done(self) -> None:
        await self.until(lambda: not len(self.hub._lanes))


def edit(chat: Chat) -> TextEdited:
    return TextEdited(chat, ADA, 1, "text")


def press(chat: Chat) -> ButtonPressed:
    return ButtonPressed(chat, ADA, 1, "id", "data")


async def test_presses_and_edits_of_a_chat_wait_for_what_came_before_and_no_topic_does(
    tmp_path: Path,
) -> None:
    desk = Desk(tmp_path)
    desk.held["one"] = asyncio.Event()
    desk.take(one=edit(ANN), two=press(ANN), three=edit(ANN), topic=edit(TOPIC), other=press(BOB))
    await desk.until(lambda: len(desk.done) == 2)
    assert desk.done == ["topic", "other"]
    desk.held["one"].set()
    await desk.until_done()
    assert desk.done[2:] == ["one", "two", "three"]
    assert desk.inbox.pending() == []


async def test_a_disk_that_refuses_holds_up_one_lane_and_loses_nothing(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.full = "one"
    desk.take(one=edit(ANN), two=edit(ANN), other=edit(BOB), another=press(BOB))
    await desk.until(lambda: len(desk.done) == 2)
    await desk.hub._lanes.stop()
    assert desk.done == ["other", "another"]
    assert [entry.key for entry in desk.inbox.pending()] == ["one", "two"]


async def test_what_cannot_be_read_is_set_aside_and_holds_up_nobody(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.held["one"] = asyncio.Event()
    desk.take(one=edit(ANN), poison=None, nobody=None, two=edit(BOB))
    await desk.until(lambda: len(desk.inbox.pending()) == 1)
    assert desk.done == ["two"]
    assert len(list((tmp_path / "bridge" / "quarantine").iterdir())) == 1
    await desk.hub._lanes.stop()


@pytest.mark.parametrize("error", [KeyError("x"), RecursionError(), AssertionError()])
async def test_what_cannot_be_handled_is_set_aside_told_and_the_next_handled_without_a_pause(
    tmp_path: Path, error: Exception
) -> None:
    desk = Desk(tmp_path)
    desk.raises["one"] = error
    desk.take(one=edit(ANN), two=press(ANN), three=edit(BOB))
    for _ in range(50):  # turns of the loop: too short a time for any pause
        await asyncio.sleep(0)
    assert sorted(desk.done) == ["three", "two"]
    assert desk.inbox.pending() == [] and not len(desk.hub._lanes)
    (kept,) = (tmp_path / "bridge" / "quarantine").iterdir()
    assert json.loads(kept.read_text()) == {"name": "one"}
    (post,) = desk.told
    assert post.chat == Chat("telegram", 42) and "set aside" in post.text


async def test_what_is_told_of_a_topic_is_in_order_with_what_is_said_there(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.held["one"] = asyncio.Event()
    desk.take(one=edit(TOPIC), named=Place(TOPIC, "Team", topic_name="new"), sent=press(TOPIC))
    desk.take(sticker=KindNotHandled(BOB, ADA, "sticker"))
    await desk.until(lambda: desk.done == ["said"])
    assert [entry.key for entry in desk.inbox.pending()] == ["one", "named", "sent"]
    desk.held["one"].set()
    await desk.until_done()
    assert desk.done == ["said", "one", "sent"] and desk.inbox.pending() == []


async def test_whatever_a_person_does_ends_their_text_but_an_edit_and_its_next_part(
    tmp_path: Path,
) -> None:
    desk = Desk(tmp_path)
    desk.parts = {2}
    pressed, sticker = press(ANN), KindNotHandled(BOB, ADA, "sticker")
    desk.take(part=TextSent(ANN, ADA, 2, "more"), change=edit(ANN), press=pressed, other=sticker)
    await desk.until_done()
    assert sorted(map(repr, desk.ended)) == sorted(map(repr, [pressed, sticker]))
    assert [entry.key for entry in desk.inbox.pending()] == ["part"]
