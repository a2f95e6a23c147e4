"""receiving: a channel that has fallen silent is started afresh, an error is handed on."""

from __future__ import annotations

import asyncio

import pytest

from core.errors import ChannelRefusedError
from receiving import keep_receiving


class Silent:
    """A channel whose first calls hang without an answer, as on a dead connection."""

    name = "silent"
    silence = 1000.0

    def __init__(self, hangs: int) -> None:
        self.calls = 0
        self.hangs = hangs

    async def receive(self, take: object) -> None:
        self.calls += 1
        if self.calls <= self.hangs:
            await asyncio.Event().wait()
        raise ChannelRefusedError("no")


async def test_a_channel_that_falls_silent_is_started_afresh() -> None:
    channel = Silent(hangs=3)
    with pytest.raises(ChannelRefusedError):
        await keep_receiving(channel, print, silence_seconds=0.01, look_seconds=0.005)  # type: ignore[arg-type]
    assert channel.calls == 4


async def test_a_channel_that_is_heard_is_left_alone() -> None:
    channel = Silent(hangs=1)
    channel.silence = 0.0
    task = asyncio.create_task(
        keep_receiving(channel, print, silence_seconds=0.01, look_seconds=0.001)  # type: ignore[arg-type]
    )
    await asyncio.wait({task}, timeout=0.1)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert channel.calls == 1
