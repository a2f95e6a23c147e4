"""The outbox on a real disk, with a channel whose every answer the test decides."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from core.commands import MenuEntry
from core.errors import (
    ChannelRefusedError,
    ChatUnreachableError,
    FloodLimitError,
    MarkupRefusedError,
    MessageRefusedError,
    NotSentError,
    OutcomeUnknownError,
    StoreWriteError,
)
from core.model import Chat, Incoming, Piece, Post
from core.ports import TakeUpdates
from journal import Journal
from outbox import Outbox
from tests.standins.refusing_system import RefusingSystem

ANN = Chat("fake", 1)
BOB = Chat("fake", 2)


class FakeChannel:
    """Shows what it is sent; before that, each chat's `answers` are used up, one for each call."""

    name = "fake"
    silence = 0.0

    def __init__(self) -> None:
        self.answers: dict[int, deque[Exception | asyncio.Event]] = defaultdict(deque)
        self.shown: dict[int, list[str]] = defaultdict(list)
        self.calls: list[tuple[str, int, str]] = []
        self.changed = asyncio.Event()

    async def send(self, piece: Piece) -> int:
        await self._answer("send", piece)
        messages = self.shown[piece.post.chat.chat_id]
        messages.append(piece.text)
        return len(messages)

    async def edit(self, piece: Piece, message_id: int) -> None:
        await self._answer("edit", piece)
        self.shown[piece.post.chat.chat_id][message_id - 1] = piece.text

    async def _answer(self, call: str, piece: Piece) -> None:
        chat_id = piece.post.chat.chat_id
        self.calls.append((call, chat_id, piece.text))
        self.changed.set()
        self.changed = asyncio.Event()
        if self.answers[chat_id]:
            answer = self.answers[chat_id].popleft()
            if isinstance(answer, asyncio.Event):
                await answer.wait()
            else:
                raise answer

    def split(self, post: Post) -> list[Piece]:
        if post.text == "breaks":
            raise RuntimeError("no such text")
        style = ({"type": "bold", "offset": 0, "length": 1},) if post.style == "markdown" else ()
        return [Piece(post, text, style) for text in post.text.split("|")]

    async def start(self, menu: Sequence[MenuEntry]) -> None: ...

    async def receive(self, take: TakeUpdates) -> None: ...

    async def stop(self) -> None: ...

    def parse(self, raw: dict[str, Any]) -> Incoming | None: ...

    async def show_typing(self, chat: Chat) -> None: ...

    async def answer_press(self, press_id: str, text: str = "") -> None: ...


class Clock:
    """Sleeps that last until the test ends them; it notes for how long they were meant."""

    def __init__(self) -> None:
        self.asked: list[float] = []
        self._sleepers: list[asyncio.Event] = []

    async def sleep(self, seconds: float) -> None:
        self.asked.append(seconds)
        event = asyncio.Event()
        self._sleepers.append(event)
        await event.wait()

    def ring(self) -> None:
        for event in self._sleepers:
            event.set()
        self._sleepers.clear()


class World:
    """An outbox on its folder, as it is started, stopped and killed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.channel = FakeChannel()
        self.clock = Clock()
        self.system = RefusingSystem()
        self.unknown: list[str] = []
        self.outbox = self.make()

    def make(self) -> Outbox:
        outbox = Outbox(
            self.folder, {"fake": self.channel}, sleep=self.clock.sleep, system=self.system
        )
        outbox.on_unknown = lambda post: self.unknown.append(post.key)
        return outbox

    async def kill_and_start(self) -> None:
        """What is on disk is all that is left."""
        old, self.outbox = self.outbox, self.make()
        await old.stop()
        self.outbox.start()

    async def until(self, is_true: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not is_true():
                await asyncio.sleep(0)

    async def until_empty(self) -> None:
        await self.until(self.outbox.is_empty)

    def texts(self, chat: Chat = ANN) -> list[str]:
        return self.channel.shown[chat.chat_id]

    def answer(self, *answers: Exception | asyncio.Event, chat: Chat = ANN) -> None:
        self.channel.answers[chat.chat_id] += answers


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with running(tmp_path) as made:
        yield made


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[World]:
    made = World(folder)
    made.outbox.start()
    yield made
    made.clock.ring()
    await made.outbox.stop()


def post(key: str, text: str = "", chat: Chat = ANN, **fields: Any) -> Post:
    return Post(key, chat, text or key, **fields)


# --- order and identity ------------------------------------------------------------------------


async def test_posts_are_shown_in_order(world: World) -> None:
    world.outbox.put(*(post(str(number)) for number in range(20)))
    world.outbox.put(post("last"))
    await world.until_empty()
    assert world.texts() == [*map(str, range(20)), "last"]


async def test_a_key_is_shown_once(world: World) -> None:
    world.outbox.put(post("a", "first"), post("a", "second"), post("b"))
    world.outbox.put(post("a", "third"))
    await world.until_empty()
    world.outbox.put(post("a", "fourth"))
    await world.until_empty()
    assert len(world.texts()) == 2
    await world.kill_and_start()
    world.outbox.put(post("a", "fifth"), post("b"))
    await world.until_empty()
    assert len(world.texts()) == 2


async def test_a_post_in_pieces_is_shown_whole_and_not_mixed(world: World) -> None:
    world.outbox.put(post("a", "1|2|3"), post("b", "4|5"))
    await world.until_empty()
    assert world.texts() == ["1", "2", "3", "4", "5"]
    assert world.outbox.find_message("a") == 1
    assert world.outbox.find_message("b") == 4
    assert world.outbox.find_message("c") is None


async def test_nothing_is_sent_before_the_start(tmp_path: Path) -> None:
    """The start settles first what a crash left; a lane opened before would send that again."""
    world = World(tmp_path)
    world.outbox.put(post("early"))
    for _ in range(20):
        await asyncio.sleep(0)
    assert world.channel.calls == []
    world.outbox.start()
    await world.until_empty()
    assert world.texts() == ["early"]
    await world.outbox.stop()


async def test_a_post_for_no_channel_or_that_breaks_holds_up_no_other(world: World) -> None:
    world.outbox.put(post("a", chat=Chat("pigeon", 1)), post("b", "breaks"), post("c"))
    await world.until_empty()
    assert world.texts() == ["c"]


# --- what goes wrong on the way ----------------------------------------------------------------


async def test_a_flood_limit_on_one_chat_does_not_delay_another(world: World) -> None:
    world.answer(FloodLimitError(30))
    world.outbox.put(post("a1"), post("b1", chat=BOB), post("a2"), post("b2", chat=BOB))
    await world.until(lambda: world.texts(BOB) == ["b1", "b2"])
    assert world.texts() == []
    assert world.clock.asked == [30]
    world.clock.ring()
    await world.until_empty()
    assert world.texts() == ["a1", "a2"]


@pytest.mark.parametrize("error", [NotSentError("x"), ChannelRefusedError("x"), FloodLimitError(3)])
async def test_what_surely_did_not_leave_is_sent_until_it_does(
    world: World, error: Exception
) -> None:
    world.answer(error, error, error)
    world.outbox.put(post("a"), post("b"))
    for number in range(1, 4):
        await world.until(lambda expected=number: len(world.clock.asked) == expected)  # type: ignore[misc]
        world.clock.ring()
    await world.until_empty()
    assert world.texts() == ["a", "b"]


async def test_pauses_grow_and_have_an_end(world: World) -> None:
    world.answer(*[NotSentError("x")] * 9)
    world.outbox.put(post("a"))
    for number in range(1, 10):
        await world.until(lambda expected=number: len(world.clock.asked) == expected)  # type: ignore[misc]
        world.clock.ring()
    await world.until_empty()
    assert world.clock.asked == [1, 2, 4, 8, 16, 32, 60, 60, 60]


async def test_what_may_have_arrived_is_not_sent_again_but_asked_about(world: World) -> None:
    world.answer(OutcomeUnknownError("no answer"))
    world.outbox.put(post("a"), post("b"))
    await world.until_empty()
    assert world.texts() == ["b"]
    assert world.unknown == ["a"]
    assert world.outbox.again("a")
    await world.until_empty()
    assert world.texts() == ["b", "a"]
    assert not world.outbox.again("a")
    assert not world.outbox.again("never")


async def test_what_may_have_arrived_can_be_sent_again_after_a_restart(world: World) -> None:
    world.answer(OutcomeUnknownError("no answer"))
    world.outbox.put(post("a"))
    await world.until_empty()
    await world.kill_and_start()
    assert world.outbox.again("a")
    await world.until_empty()
    assert world.texts() == ["a"]


@pytest.mark.parametrize("error", [MessageRefusedError("x"), ChatUnreachableError("x")])
async def test_what_is_refused_for_good_holds_up_no_other(world: World, error: Exception) -> None:
    world.answer(error)
    world.outbox.put(post("a"), post("b"))
    await world.until_empty()
    assert world.texts() == ["b"]
    assert world.unknown == []


async def test_markup_that_is_refused_goes_out_as_plain_text(world: World) -> None:
    world.answer(MarkupRefusedError("x"))
    world.outbox.put(post("a", style="markdown"))
    await world.until_empty()
    assert world.texts() == ["a"]
    assert len(world.channel.calls) == 2


async def test_plain_text_whose_markup_is_refused_is_refused(world: World) -> None:
    world.answer(*[MarkupRefusedError("x")] * 5)
    world.outbox.put(post("a"), post("b", style="markdown"))
    await world.until_empty()
    assert len(world.channel.calls) == 3


# --- edits -------------------------------------------------------------------------------------


async def test_an_edit_takes_the_place_of_its_post(world: World) -> None:
    world.outbox.put(post("a"), post("b"))
    world.outbox.put(post("a2", "changed", edits="a"))
    await world.until_empty()
    assert world.texts() == ["changed", "b"]


async def test_only_the_newest_of_the_edits_that_wait_is_made(world: World) -> None:
    gate = asyncio.Event()
    world.answer(gate)
    world.outbox.put(post("a"))
    await world.until(lambda: len(world.channel.calls) == 1)
    for number in range(5):
        world.outbox.put(post(f"e{number}", edits="a"))
    world.outbox.put(post("e5", edits="a"), post("e6", edits="a"), post("other"))
    gate.set()
    await world.until_empty()
    assert world.texts() == ["e6", "other"]
    assert [call for call, _, _ in world.channel.calls] == ["send", "edit", "send"]


async def test_an_edit_that_is_held_up_gives_way_to_a_newer_one(world: World) -> None:
    world.outbox.put(post("a"))
    await world.until_empty()
    world.answer(FloodLimitError(30))
    world.outbox.put(post("e1", edits="a"))
    await world.until(lambda: world.clock.asked == [30])
    world.outbox.put(post("e2", edits="a"))
    world.clock.ring()
    await world.until_empty()
    assert [text for _, _, text in world.channel.calls] == ["a", "e1", "e2"]
    assert world.texts() == ["e2"]


async def test_an_answer_never_gives_way_to_an_edit(world: World) -> None:
    world.answer(NotSentError("x"))
    world.outbox.put(post("a"), post("e", edits="a"))
    await world.until(lambda: len(world.clock.asked) == 1)
    world.clock.ring()
    await world.until_empty()
    assert [text for _, _, text in world.channel.calls] == ["a", "a", "e"]


async def test_an_edit_whose_outcome_is_unknown_is_made_again(world: World) -> None:
    world.outbox.put(post("a"))
    await world.until_empty()
    world.answer(OutcomeUnknownError("x"))
    world.outbox.put(post("e", edits="a"))
    await world.until(lambda: len(world.clock.asked) == 1)
    world.clock.ring()
    await world.until_empty()
    assert world.texts() == ["e"]
    assert world.unknown == []


async def test_an_edit_that_outgrows_its_message_goes_on_in_new_ones(world: World) -> None:
    world.outbox.put(post("a", "1"))
    world.outbox.put(post("e1", "1|2", edits="a"))
    await world.until_empty()
    assert world.texts() == ["1", "2"]
    world.outbox.put(post("e2", "one|two|three", edits="a"))
    await world.until_empty()
    assert world.texts() == ["one", "two", "three"]
    await world.kill_and_start()
    world.outbox.put(post("e3", "ONE|TWO|THREE", edits="a"))
    await world.until_empty()
    assert world.texts() == ["ONE", "TWO", "THREE"]


async def test_an_edit_of_what_was_never_shown_is_a_message(world: World) -> None:
    world.answer(MessageRefusedError("x"))
    world.outbox.put(post("a"), post("e", edits="a"))
    await world.until_empty()
    assert world.texts() == ["e"]


# --- restarts ----------------------------------------------------------------------------------


async def test_what_waits_is_sent_after_a_kill(world: World) -> None:
    world.answer(FloodLimitError(30))
    world.outbox.put(post("a"), post("b"), post("c", chat=BOB))
    await world.until(lambda: world.texts(BOB) == ["c"])
    await world.kill_and_start()
    await world.until_empty()
    assert world.texts() == ["a", "b"]
    assert world.texts(BOB) == ["c"]
    assert world.unknown == []


@pytest.mark.parametrize("error", [NotSentError("x"), FloodLimitError(30)])
async def test_a_kill_while_the_network_is_away_loses_and_doubts_nothing(
    world: World, error: Exception
) -> None:
    world.answer(error)
    world.outbox.put(post("a", "1|2"))
    await world.until(lambda: len(world.clock.asked) == 1)
    await world.kill_and_start()
    await world.until_empty()
    assert world.texts() == ["1", "2"]
    assert world.unknown == []


async def test_a_kill_in_the_middle_of_sending_leaves_a_doubt_and_no_double(world: World) -> None:
    world.answer(asyncio.Event())
    world.outbox.put(post("a"), post("b"))
    await world.until(lambda: len(world.channel.calls) == 1)
    await world.kill_and_start()
    await world.until_empty()
    assert world.texts() == ["b"]
    assert world.unknown == ["a"]


async def test_a_post_that_comes_before_the_start_does_not_send_the_doubtful_one(
    world: World,
) -> None:
    world.answer(asyncio.Event())
    world.outbox.put(post("a"))
    await world.until(lambda: len(world.channel.calls) == 1)
    old, world.outbox = world.outbox, world.make()
    await old.stop()
    world.outbox.put(post("b"))
    for _ in range(20):
        await asyncio.sleep(0)
    world.outbox.start()
    await world.until_empty()
    assert world.texts() == ["b"]
    assert world.unknown == ["a"]


async def test_a_kill_between_two_pieces_goes_on_with_the_second(world: World) -> None:
    world.outbox.put(post("a", "1"))
    await world.until_empty()
    world.answer(NotSentError("x"))
    world.channel.answers[1].appendleft(done := asyncio.Event())
    done.set()
    world.outbox.put(post("b", "2|3"))
    await world.until(lambda: len(world.clock.asked) == 1)
    await world.kill_and_start()
    await world.until_empty()
    assert world.texts() == ["1", "2", "3"]


async def test_a_kill_in_the_middle_of_an_edit_makes_it_again(world: World) -> None:
    world.outbox.put(post("a"))
    await world.until_empty()
    world.answer(asyncio.Event())
    world.outbox.put(post("e", edits="a"))
    await world.until(lambda: len(world.channel.calls) == 2)
    await world.kill_and_start()
    await world.until_empty()
    assert world.texts() == ["e"]
    assert world.unknown == []


async def test_what_was_shown_is_known_after_the_file_was_rewritten(world: World) -> None:
    world.outbox.put(post("a", "1|2"))
    await world.until_empty()
    for _ in range(3):
        await world.kill_and_start()
        world.outbox.put(post("a"), post(f"b{_}"))
        await world.until_empty()
    assert world.texts() == ["1", "2", "b0", "b1", "b2"]
    assert world.outbox.find_message("a") == 1


async def test_records_of_an_unknown_kind_cost_nothing_else(tmp_path: Path) -> None:
    strange = [{"t": "put", "post": {"key": 1}}, {"t": "sent"}, {"t": "hologram"}, {"x": 1}]
    Journal(tmp_path / "outbox.journal", list).append(*strange)
    async with running(tmp_path) as world:
        world.outbox.put(post("a"))
        await world.until_empty()
        assert world.texts() == ["a"]


# --- a disk that refuses -----------------------------------------------------------------------


@pytest.mark.parametrize("call", ["write", "fsync"])
async def test_a_refusing_disk_takes_no_post(world: World, call: str) -> None:
    world.outbox.put(post("a"))
    await world.until_empty()
    world.system.refuses = call
    with pytest.raises(StoreWriteError):
        world.outbox.put(post("b"))
    for _ in range(20):
        await asyncio.sleep(0)
    assert world.texts() == ["a"]
    world.system.refuses = ""
    world.outbox.put(post("b"))
    await world.until_empty()
    assert world.texts() == ["a", "b"]


async def test_what_is_under_way_goes_on_while_the_disk_refuses(world: World) -> None:
    gate = asyncio.Event()
    world.answer(gate)
    world.outbox.put(post("a", "1|2"), post("b"))
    await world.until(lambda: len(world.channel.calls) == 1)
    world.system.refuses = "write"
    gate.set()
    await world.until_empty()
    assert world.texts() == ["1", "2", "b"]
    world.system.refuses = ""
    world.outbox.put(post("c"))
    await world.until_empty()
    await world.kill_and_start()
    await world.until_empty()
    assert world.texts() == ["1", "2", "b", "c"]
    assert world.unknown == []


async def test_a_question_that_cannot_be_kept_holds_up_no_start(world: World) -> None:
    def refuse(post: Post) -> None:
        raise StoreWriteError("the disk is full")

    world.answer(asyncio.Event())
    world.outbox.put(post("a"), post("b"))
    await world.until(lambda: len(world.channel.calls) == 1)
    old, world.outbox = world.outbox, world.make()
    await old.stop()
    world.outbox.on_unknown = refuse
    world.outbox.start()
    await world.until_empty()
    assert world.texts() == ["b"]


async def test_half_of_an_emoji_is_taken_and_kept(world: World) -> None:
    world.answer(FloodLimitError(30))
    world.outbox.put(post("a", "cut \ud83d"))
    await world.until(lambda: world.clock.asked == [30])
    await world.kill_and_start()
    await world.until_empty()
    assert world.texts() == ["cut \ufffd"]


def test_a_posts_every_field_lives_through_a_restart(tmp_path: Path) -> None:
    whole = replace(post("a", "x", Chat("fake", 1, 9)), style="screen", silent=True)
    Outbox(tmp_path, {}).put(whole)
    records = Journal(tmp_path / "outbox.journal", list).read()
    assert records[0]["post"]["chat"] == {"channel": "fake", "chat_id": 1, "topic": 9}
    assert (records[0]["post"]["style"], records[0]["post"]["silent"]) == ("screen", True)
