"""Lanes: what has the same key is handled strictly in order, and no lane waits for another.

* A lane is there only as long as something waits in it or is being handled.
* What a handler could not do is logged, and the lane goes on with what comes next.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

log = logging.getLogger(__name__)

Key = TypeVar("Key", bound=Hashable)
Item = TypeVar("Item")


@dataclass(slots=True)
class _Lane(Generic[Item]):
    """What waits in one lane."""

    waiting: deque[Item] = field(default_factory=deque)
    task: asyncio.Task[None] | None = None


class Lanes(Generic[Key, Item]):
    """Handles items by `handle`, which is to see to its own failures."""

    def __init__(self, handle: Callable[[Item], Awaitable[None]]) -> None:
        self._handle = handle
        self._lanes: dict[Key, _Lane[Item]] = {}

    def __len__(self) -> int:
        return len(self._lanes)

    def put(self, key: Key, item: Item) -> None:
        """Have it handled after all that was put under this key before; needs the running loop."""
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = _Lane()
            lane.task = asyncio.create_task(self._work(key, lane), name=f"lane {key}")
        lane.waiting.append(item)

    async def stop(self) -> None:
        """Leave off, in the middle too; what is not done is the caller's to know."""
        tasks = [lane.task for lane in self._lanes.values() if lane.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._lanes.clear()

    async def _work(self, key: Key, lane: _Lane[Item]) -> None:
        while lane.waiting:
            try:
                await self._handle(lane.waiting.popleft())
            except Exception:
                log.exception("something could not be handled; its lane goes on")
        del self._lanes[key]
