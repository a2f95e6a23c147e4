"""The channels at work, each for itself: one that fails costs the others nothing.

* What a channel can't get over is told to who looks after the bridge, by the channels that work,
  once for each reason. It is tried again every minute.
* When none is left that works, the bridge ends and says why.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

from core.errors import BridgeError, ChannelRefusedError
from core.ports import Channel

log = logging.getLogger(__name__)

_RETRY_SECONDS = 60.0

Tell = Callable[[str, str], None]
"""Tells who looks after the bridge, by the channels but this one, that text."""


class ChannelWatch:
    """Keeps the `channels` at work; `broken` are those that could not even be opened."""

    def __init__(
        self,
        channels: Mapping[str, Channel],
        broken: Mapping[str, BridgeError],
        tell: Tell,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._names = {*channels, *broken}
        self._broken = broken
        self._failing: dict[str, str] = {}
        self._tell = tell
        self._sleep = sleep

    def tell_of_broken(self) -> None:
        """Tell which channels could not be opened."""
        for name, error in self._broken.items():
            self._fail(name, error)

    async def keep(
        self,
        name: str,
        start: Callable[[], Awaitable[None]],
        begin: Callable[[], None],
        receive: Callable[[], Awaitable[None]],
    ) -> None:
        """Connect a channel, `begin` once with what waits for it, and receive from it for good.

        Raises ChannelRefusedError when no channel works any more.
        """
        has_begun = False
        while True:
            try:
                await start()
                self._failing.pop(name, None)
                if not has_begun:
                    begin()
                has_begun = True
                await receive()
            except BridgeError as error:
                self._fail(name, error)
            await self._sleep(_RETRY_SECONDS)

    def _fail(self, name: str, error: BridgeError) -> None:
        text = str(error)
        is_known = self._failing.get(name) == text
        self._failing[name] = text
        if self._failing.keys() == self._names:
            raise ChannelRefusedError(" ".join(self._failing.values())) from error
        if not is_known:
            log.error("%s does not work: %s", name, text)
            self._tell(name, text)
