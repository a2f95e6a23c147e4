"""An outbox on a real disk, with a channel whose every answer the test decides."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

from core.commands import MenuEntry
from core.flood import FloodLimit
from core.model import Chat, Incoming, Keyboard, Piece, Post, RemoteFile, Sign
from core.ports import Desk, Forum, TakeUpdates
from outbox import Outbox
from tests.standins.watched_system import RefusingSystem

ANN = Chat("fake", 1)
BOB = Chat("fake", 2)


class Clock:
    """Time that stands still until the test lets it go on; it notes what sleeps were asked for."""

    def __init__(self) -> None:
        self.now = 0.0
        self.asked: list[float] = []
        self._sleepers: list[tuple[float, asyncio.Event]] = []

    def time(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.asked.append(seconds)
        sleeper = (self.now + seconds, asyncio.Event())
        self._sleepers.append(sleeper)
        try:
            await sleeper[1].wait()
        finally:
            if sleeper in self._sleepers:
                self._sleepers.remove(sleeper)

    def ring(self) -> None:
        """All who sleep wake up, at the time when the last of them meant to."""
        while self._sleepers:
            self.wake_next()

    def next_wake(self) -> float | None:
        """When the first of those who sleep means to wake."""
        return min((at for at, _ in self._sleepers), default=None)

    def wake_next(self) -> bool:
        """Go on to the time when the first of those who sleep meant to wake; False: none does."""
        if not self._sleepers:
            return False
        sleeper = min(self._sleepers, key=lambda sleeper: sleeper[0])
        self._sleepers.remove(sleeper)
        self.now = max(self.now, sleeper[0])
        sleeper[1].set()
        return True


class FakeChannel:
    """Shows what it is sent; before that, each chat's `answers` are used up, one for each call."""

    name = "fake"
    bot_name = "fake_bot"
    silence = 0.0
    sends_once = False
    cuts_texts = True

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.forum = cast(Forum, None)
        self.limits: Sequence[FloodLimit] = ()
        self.all_chats_limits: Sequence[FloodLimit] = ()
        self.answers: dict[int, deque[Exception | asyncio.Event]] = defaultdict(deque)
        self.shown: dict[int, list[str]] = defaultdict(list)
        self.keyboards: dict[tuple[int, int], Keyboard] = {}
        self.deleted: set[tuple[int, int]] = set()
        self.calls: list[tuple[str, int, str]] = []
        self.times: list[float] = []
        self.changed = asyncio.Event()

    async def send(self, piece: Piece) -> int:
        await self._answer("send", piece.post.chat, piece.text)
        messages = self.shown[piece.post.chat.chat_id]
        messages.append(piece.text)
        self.keyboards[piece.post.chat.chat_id, len(messages)] = piece.post.keyboard
        return len(messages)

    async def edit(self, piece: Piece, message_id: int) -> None:
        await self._answer("edit", piece.post.chat, piece.text)
        self.shown[piece.post.chat.chat_id][message_id - 1] = piece.text
        self.keyboards[piece.post.chat.chat_id, message_id] = piece.post.keyboard

    async def delete(self, chat: Chat, message_id: int) -> None:
        await self._answer("delete", chat, str(message_id))
        self.deleted.add((chat.chat_id, message_id))

    async def react(self, chat: Chat, message_id: int, sign: Sign) -> None:
        await self._answer("react", chat, f"{message_id} {sign}")

    async def download(self, file: RemoteFile, target: Path, limit_bytes: int) -> None: ...

    def flood_limits(self, chat_id: int | None) -> Sequence[FloodLimit]:
        return self.all_chats_limits if chat_id is None else self.limits

    async def _answer(self, call: str, chat: Chat, what: str) -> None:
        chat_id = chat.chat_id
        self.calls.append((call, chat_id, what))
        self.times.append(self.clock.now)
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
        texts = [Piece(post, text, style) for text in post.text.split("|")]
        return texts + [Piece(post, file.name, files=(file,)) for file in post.attachments]

    async def start(self, menu: Sequence[MenuEntry]) -> None: ...

    async def set_menu(self, chat: Chat, menu: Sequence[tuple[str, str]]) -> bool:
        return True

    async def receive(self, take: TakeUpdates) -> None: ...

    async def stop(self) -> None: ...

    def equip(self, desk: Desk) -> None: ...

    def link_to(self, chat: Chat) -> str:
        return f"fake:{chat.chat_id}"

    def make_invitation(self, code: str) -> str | None:
        return None

    def parse(self, raw: dict[str, Any]) -> Incoming | None: ...

    async def show_typing(self, chat: Chat) -> None: ...

    async def answer_press(self, press_id: str, text: str = "") -> None: ...


class OutboxWorld:
    """An outbox on its folder, as it is started, stopped and killed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = Clock()
        self.channel = FakeChannel(self.clock)
        self.system = RefusingSystem()
        self.unknown: list[str] = []
        self.outbox = self.make()

    def make(self) -> Outbox:
        outbox = Outbox(
            self.folder,
            {"fake": self.channel},
            sleep=self.clock.sleep,
            clock=self.clock.time,
            system=self.system,
        )
        outbox.on_unknown = lambda post: self.unknown.append(post.key)
        return outbox

    async def kill_and_start(self) -> None:
        """What is on disk is all that is left."""
        old, self.outbox = self.outbox, self.make()
        await old.stop(patience=0)
        self.outbox.start("fake")

    async def until(self, is_true: Callable[[], bool]) -> None:
        for _ in range(50_000):
            if is_true():
                return
            await asyncio.sleep(0)  # the others' turn
        raise AssertionError(f"never; the calls were {self.channel.calls}")

    async def until_empty(self) -> None:
        await self.until(self.outbox.is_empty)

    async def settle(self) -> None:
        """Let everybody do what can be done at this time."""
        for _ in range(30):
            await asyncio.sleep(0)

    async def go_on(self, seconds: float) -> None:
        """Let that much time pass."""
        await self.settle()
        end = self.clock.now + seconds
        while (wakes := self.clock.next_wake()) is not None and wakes <= end:
            self.clock.wake_next()
            await self.settle()
        self.clock.now = end

    def texts(self, chat: Chat = ANN) -> list[str]:
        """What the chat shows."""
        return [
            text
            for number, text in enumerate(self.channel.shown[chat.chat_id], 1)
            if (chat.chat_id, number) not in self.channel.deleted
        ]

    def answer(self, *answers: Exception | asyncio.Event, chat: Chat = ANN) -> None:
        self.channel.answers[chat.chat_id] += answers


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[OutboxWorld]:
    made = OutboxWorld(folder)
    made.outbox.start("fake")
    yield made
    made.clock.ring()
    await made.outbox.stop(patience=0)


def post(key: str, text: str = "", chat: Chat = ANN, **fields: Any) -> Post:
    return Post(key, chat, text or key, **fields)
