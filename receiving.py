"""Receiving that does not fall silent: a channel that hears nothing for long is started afresh."""

from __future__ import annotations

import asyncio
import logging
import time

from core.ports import Channel, TakeUpdates

log = logging.getLogger(__name__)

SILENCE_SECONDS = 90.0
_LOOK_SECONDS = 5.0


async def keep_receiving(
    channel: Channel,
    take: TakeUpdates,
    *,
    silence_seconds: float = SILENCE_SECONDS,
    look_seconds: float = _LOOK_SECONDS,
) -> None:
    """Receive until cancelled; raises what `channel.receive` raises.

    A long poll answers at least twice a minute. With none for `silence_seconds` the connection is
    dead though nothing said so, or the network is away: a fresh start helps in both cases.
    """
    while True:
        started = time.monotonic()
        receiving = asyncio.create_task(channel.receive(take), name=f"receive {channel.name}")
        try:
            while not receiving.done():
                await asyncio.wait({receiving}, timeout=look_seconds)
                if min(channel.silence, time.monotonic() - started) > silence_seconds:
                    log.warning(
                        "%s was not heard for %.0f s; trying afresh", channel.name, silence_seconds
                    )
                    break
            else:
                receiving.result()
        finally:
            receiving.cancel()
            await asyncio.gather(receiving, return_exceptions=True)
