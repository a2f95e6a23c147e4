"""A disk that refuses: each system call in its turn, and a real file system that is full."""

from __future__ import annotations

import asyncio
import random
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from channels.telegram import TelegramChannel
from core.config import Secret
from core.model import Chat
from inbox import Arrival, Inbox
from tests.chaos.experiment import Figure, NotPossibleHereError, judge, open_world
from tests.chaos.kills import find_prompt_faults
from tests.standins.telegram_api import TelegramApi
from tests.standins.watched_system import FailingSystem
from tests.test_session_crash import ERRORS
from tests.world import World, wait_until

_NEVER = 10**9
_TEXTS_A_FILL = 8
_CHAT = Chat("telegram", 1)


# --- the whole way in -----------------------------------------------------------------------------


class _WayIn:
    """Telegram, the channel and an inbox whose n-th system call fails."""

    def __init__(self, folder: Path, api: TelegramApi) -> None:
        self.faults: list[str] = []
        self.handled: list[str] = []
        self._folder = folder
        self._api = api
        self._first_id = 0
        self._inbox: Inbox | None = None
        self._system = FailingSystem(_NEVER, 0)
        self._failures_left = 0
        self.channel = TelegramChannel(Secret(api.token), api.url, sleep=self._pause)

    def begin(self, at: int, error: int, *, times: int) -> FailingSystem:
        """A new inbox, of which the calls from the n-th on fail until so many pauses are over."""
        self._folder.mkdir()
        self._system = FailingSystem(_NEVER, error, lasting=times > 1)
        self._inbox = Inbox(self._folder, system=self._system)
        self._system.at = self._system.calls + at
        self._failures_left = times
        self.handled = []
        self._first_id = max(self._api.update_ids, default=0) + 1
        return self._system

    def end(self) -> None:
        self.look()
        assert self._inbox is not None
        self._inbox.close()
        shutil.rmtree(self._folder)

    def take(self, updates: list[tuple[str, dict[str, Any]]]) -> None:
        """As the hub's."""
        assert self._inbox is not None
        for entry in self._inbox.receive(Arrival(key, "telegram", raw) for key, raw in updates):
            self.handled.append(entry.key.partition(":")[0])

    async def _pause(self, seconds: float) -> None:
        self.look()
        self._failures_left -= 1
        if self._failures_left <= 0:
            self._system.at, self._system.lasting = -1, False
        await asyncio.sleep(0)

    def look(self) -> None:
        """What Telegram has forgotten must be on disk."""
        waiting = {update["update_id"] for update in self._api.waiting_updates}
        copy = self._folder / "copy"
        copy.mkdir(exist_ok=True)
        journal = self._folder / "inbox.journal"
        if journal.exists():
            shutil.copy(journal, copy)
        on_disk = {entry.key.partition(":")[0] for entry in Inbox(copy).pending()}
        for number in self._api.update_ids:
            is_safe = number < self._first_id or number in waiting or str(number) in on_disk
            if not is_safe:
                self.faults.append(f"update {number} is nowhere ({self._system.failed})")


def fail_on_the_way_in(size: int, seed: int, folder: Path) -> Figure:
    """So many texts arrive while the n-th call that keeps them fails, once or for a while."""
    count, faults = asyncio.run(_fail_on_the_way_in(size, folder))
    return judge(
        "the n-th system call fails (ENOSPC, EIO, EMFILE, EACCES): from Telegram to the inbox",
        f"{count} failures, all n, {size} texts each",
        "the offset never advances past what is on disk; recovers by itself",
        {"not safe": faults},
    )


async def _fail_on_the_way_in(size: int, folder: Path) -> tuple[int, list[str]]:
    count = 0
    with TelegramApi() as api:
        user = api.user(first_name="Ada")
        chat = api.private_chat(user)
        way = _WayIn(folder / "state", api)
        await way.channel.start([])
        for error in ERRORS:
            for times in (1, 3):
                at, failed = 0, "open"
                while failed:
                    system = way.begin(at, error, times=times)
                    task = asyncio.create_task(way.channel.receive(way.take))
                    for number in range(size):
                        api.send_text(chat, user, f"text {number}")
                        await asyncio.sleep(0)
                    await _until_handled(way, api, size)
                    task.cancel()
                    await asyncio.gather(task, return_exceptions=True)
                    way.end()
                    count, at, failed = count + 1, at + 1, system.failed
        await way.channel.stop()
    return count, way.faults


async def _until_handled(way: _WayIn, api: TelegramApi, size: int) -> None:
    """Until all came, once and in order, and Telegram was told to forget them."""
    wanted = [str(number) for number in api.update_ids[-size:]]
    with suppress(AssertionError):
        await api.wait_for_async(lambda: way.handled == wanted and not api.waiting_updates, 10)
    if way.handled != wanted:
        way.faults.append(f"{way.handled} instead of {wanted} were handled")


# --- a real full disk -----------------------------------------------------------------------------


def fill_the_disk(size: int, seed: int, folder: Path) -> Figure:
    """The bridge's state is on a small file system that fills up and is freed, again and again."""
    chance = random.Random(seed)
    sent: list[str] = []
    forgotten: list[str] = []
    starts = held = 0
    with open_world(folder) as world, small_disk(world.state):
        world.start_bridge()
        world.ask("begin", "Echo")
        for number in range(size):
            with filled(world.state):
                for part in range(_TEXTS_A_FILL):
                    sent.append(f"text {number}.{part} {'x' * 300}")
                    world.say(sent[-1])
                time.sleep(chance.uniform(0, 2.0))  # how long it is full is drawn by lot
                if number % 2:
                    world.kill_bridge(at_rest=False)
                    starts += _starts_on_a_full_disk(world)
                held += len(world.telegram.waiting_updates)
                forgotten += _find_forgotten(world)
            if world.bridge is None or world.bridge.poll() is not None:
                world.start_bridge()
            last = f"Echo: {sent[-1]}"
            wait_until(lambda last=last: last in world.texts(), "the answers", 60)  # type: ignore[misc]
        faults = find_prompt_faults(world, sent)
        world.kill_bridge(at_rest=False)
    return judge(
        "a full disk, end to end",
        f"filled and freed {size} times, {len(sent)} prompts",
        "the offset never advances past what is on disk; recovers by itself; nothing lost or twice",
        {"forgotten by Telegram and not on disk": forgotten, **faults},
        f"{held} updates held back at Telegram meanwhile",
        f"started on a full disk: {starts} of {size // 2}",
    )


@contextmanager
def small_disk(place: Path) -> Iterator[None]:
    """A file system of 1 MB at `place`. Raises NotPossibleHereError."""
    place.mkdir(parents=True, mode=0o700, exist_ok=True)
    options = "size=1m,mode=700"
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "chaos", str(place)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise NotPossibleHereError(done.stderr.strip() or "mount failed")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(place)], check=False, capture_output=True)


@contextmanager
def filled(place: Path) -> Iterator[None]:
    """The file system at `place`, full to the last byte."""
    filler = place / "filler"
    try:
        with filler.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
    except OSError:
        pass
    try:
        yield
    finally:
        filler.unlink()


def _starts_on_a_full_disk(world: World) -> bool:
    """Whether it does; if not, it may have ended, and may also go on trying."""
    try:
        world.start_bridge()
    except AssertionError:
        return False
    return True


def _find_forgotten(world: World) -> list[str]:
    """Updates that Telegram has forgotten and the inbox does not have."""
    copy = world.root / "copy"
    copy.mkdir(exist_ok=True)
    waiting = {update["update_id"] for update in world.telegram.waiting_updates}
    shutil.copy(world.state / "bridge" / "inbox.journal", copy)
    inbox = Inbox(copy)
    known = {key.partition(":")[0] for key in (*inbox._seen, *inbox._entries)}
    missing = [number for number in world.telegram.update_ids if str(number) not in known]
    return [f"update {number}" for number in missing if number not in waiting]
