"""Signs below people's messages: the newest of each message, best effort, in no message's way.

* They are held in memory alone, and a chat's pause is theirs too; a pause that a sign brought about
  holds up other signs only.
* A chat that takes no reactions is left alone for an hour.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from core.errors import (
    ChannelError,
    ChannelRefusedError,
    ChatUnreachableError,
    FloodLimitError,
    NotSentError,
    OutcomeUnknownError,
    ReactionRefusedError,
)
from core.model import Chat, Sign
from core.ports import Channel

log = logging.getLogger(__name__)

_LEFT_ALONE = 3_600.0
_ATTEMPTS = 4
_MOST = 200


@dataclass(slots=True)
class _Signs:
    """The signs of one chat that wait, by message, with how often they failed."""

    waiting: OrderedDict[int, tuple[Chat, Sign, int]] = field(default_factory=OrderedDict)
    paused_until: float = float("-inf")
    refused_until: float = float("-inf")
    task: asyncio.Task[None] | None = None


class Reactions:
    """The signs on their way to `channels`; `paused_until` tells a chat's pause."""

    def __init__(
        self,
        channels: Mapping[str, Channel],
        paused_until: Callable[[Chat], float],
        *,
        sleep: Callable[[float], Awaitable[None]],
        clock: Callable[[], float],
    ) -> None:
        self._channels = channels
        self._paused_until = paused_until
        self._sleep = sleep
        self._clock = clock
        self._chats: dict[tuple[str, int], _Signs] = {}

    def put(self, chat: Chat, message_id: int, sign: Sign) -> None:
        """Show the sign as soon as that may be; needs the running loop."""
        signs = self._chats.setdefault((chat.channel, chat.chat_id), _Signs())
        if chat.channel not in self._channels or self._clock() < signs.refused_until:
            return
        signs.waiting[message_id] = (chat, sign, 0)
        if len(signs.waiting) > _MOST:
            signs.waiting.popitem(last=False)
        if signs.task is None or signs.task.done():
            signs.task = asyncio.create_task(self._run(signs), name="reactions")

    async def stop(self) -> None:
        """Forget what waits."""
        tasks = [signs.task for signs in self._chats.values() if signs.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, signs: _Signs) -> None:
        while signs.waiting:
            message_id, (chat, sign, failures) = next(iter(signs.waiting.items()))
            seconds = max(signs.paused_until, self._paused_until(chat)) - self._clock()
            if seconds > 0:
                await self._sleep(seconds)
                continue
            del signs.waiting[message_id]
            try:
                await self._channels[chat.channel].react(chat, message_id, sign)
            except FloodLimitError as error:
                self._try_later(signs, message_id, (chat, sign, failures), error.seconds)
            except (NotSentError, OutcomeUnknownError, ChannelRefusedError):
                again = (chat, sign, failures + 1)
                self._try_later(signs, message_id, again, float(2**failures))
            except (ReactionRefusedError, ChatUnreachableError) as error:
                log.info("a chat takes no reactions: %s", error)
                signs.refused_until = self._clock() + _LEFT_ALONE
                signs.waiting.clear()
            except ChannelError as error:
                log.info("a message takes no reaction: %s", error)
            except Exception:
                log.exception("a reaction could not be shown")

    def _try_later(
        self, signs: _Signs, message_id: int, what: tuple[Chat, Sign, int], seconds: float
    ) -> None:
        """After a pause, unless a newer sign of the message has come meanwhile."""
        signs.paused_until = self._clock() + seconds
        if what[2] < _ATTEMPTS:
            signs.waiting.setdefault(message_id, what)
