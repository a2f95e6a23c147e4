"""An outbox on a real disk, with a channel whose every answer the test decides."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from core.commands import MenuEntry
from core.model import Chat, Incoming, Piece, Post
from core.ports import TakeUpdates
from outbox import Outbox
from tests.standins.refusing_system import RefusingSystem

ANN = Chat("fake", 1)
BOB = Chat("fake", 2)


class FakeChannel:
    """Shows what it is sent; before that, each chat's `answers` are used up, one for each call."""

    name = "fake"
    bot_name = "fake_bot"
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

    async def set_menu(self, chat: Chat, menu: Sequence[tuple[str, str]]) -> bool:
        return True

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


class OutboxWorld:
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
        for _ in range(50_000):
            if is_true():
                return
            await asyncio.sleep(0)  # the others' turn
        raise AssertionError(f"never; the calls were {self.channel.calls}")

    async def until_empty(self) -> None:
        await self.until(self.outbox.is_empty)

    def texts(self, chat: Chat = ANN) -> list[str]:
        return self.channel.shown[chat.chat_id]

    def answer(self, *answers: Exception | asyncio.Event, chat: Chat = ANN) -> None:
        self.channel.answers[chat.chat_id] += answers


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[OutboxWorld]:
    made = OutboxWorld(folder)
    made.outbox.start()
    yield made
    made.clock.ring()
    await made.outbox.stop()


def post(key: str, text: str = "", chat: Chat = ANN, **fields: Any) -> Post:
    return Post(key, chat, text or key, **fields)
