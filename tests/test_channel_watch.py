"""A channel that fails costs the others nothing, and the owner is told what to do."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest

from channel_watch import ChannelWatch
from core.errors import BridgeError, ChannelRefusedError, StoreError
from tests.web_site import Site


class Watch:
    """A watch on two channels; `told` is what the owner was told, `begun` who works."""

    def __init__(self, *, broken: dict[str, BridgeError] | None = None) -> None:
        self.told: list[tuple[str, str]] = []
        self.begun: list[str] = []
        self.pauses = asyncio.Semaphore(0)
        channels = cast(Any, dict.fromkeys(("telegram", "web")))
        self.watch = ChannelWatch(
            *(channels, broken or {}, lambda name, text: self.told.append((name, text))),
            sleep=lambda seconds: self._pause(),
        )

    async def _pause(self) -> None:
        await self.pauses.acquire()

    def keep(self, name: str, *results: Callable[[], Awaitable[None]]) -> asyncio.Task[None]:
        """Keep a channel at work that starts like that, one time after the other."""
        starts = iter(results)

        async def start() -> None:
            await next(starts)()

        async def receive() -> None:
            await asyncio.Event().wait()

        begin = partial(self.begun.append, name)
        return asyncio.create_task(self.watch.keep(name, start, begin, receive))


async def works() -> None:
    """It is connected."""


def refuses(text: str) -> Callable[[], Awaitable[None]]:
    async def refuse() -> None:
        raise ChannelRefusedError(text)

    return refuse


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_a_channel_that_is_refused_is_told_of_once_and_the_other_goes_on() -> None:
    made = Watch()
    failing = made.keep("telegram", refuses("no"), refuses("no"), refuses("still no"), works)
    other = made.keep("web", works)
    for _ in range(3):
        await settle()
        made.pauses.release()
    await settle()
    assert made.told == [("telegram", "no"), ("telegram", "still no")]
    assert made.begun == ["web", "telegram"]
    assert not failing.done() and not other.done()
    for task in (failing, other):
        task.cancel()


async def test_when_no_channel_works_the_reasons_of_all_are_told() -> None:
    made = Watch()
    other = made.keep("web", refuses("the port is taken."))
    await settle()
    failing = made.keep("telegram", refuses("the token is wrong."))
    with pytest.raises(ChannelRefusedError, match=r"the port is taken\. the token is wrong\."):
        await failing
    other.cancel()


async def test_a_channel_that_could_not_be_opened_counts_too() -> None:
    made = Watch(broken={"post": StoreError("broken")})
    made.watch.tell_of_broken()
    assert made.told == [("post", "broken")]
    tasks = [made.keep("web", refuses("a")), made.keep("telegram", refuses("b"))]
    with pytest.raises(ChannelRefusedError, match="broken a b"):
        await tasks[1]
    tasks[0].cancel()


async def test_a_port_that_stays_taken_is_a_sentence_and_one_that_is_freed_is_used(
    tmp_path: Path,
) -> None:
    site = Site(tmp_path)
    taken = socket.create_server(("127.0.0.1", site.port))
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 7:
            taken.close()

    site.channel._sleep = pause
    with pytest.raises(ChannelRefusedError, match="BRIDGE_WEB_PORT"):
        await site.channel.start([])
    await site.channel.start([])
    assert len(pauses) == 7
    await site.stop()
