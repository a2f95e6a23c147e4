"""Waiting: for a condition that others make true, and for the next time something is due."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any

log = logging.getLogger(__name__)

_LOOK_SECONDS = 0.5


class Pulse:
    """`beat` after every change; `until` looks at each beat, and twice a second besides."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def beat(self) -> None:
        """Let everybody who waits look again."""
        self._event.set()
        self._event = asyncio.Event()

    async def until(self, is_true: Callable[[], bool], seconds: float | None = None) -> bool:
        """Whether `is_true` became true within so many seconds (None: wait on)."""
        deadline = None if seconds is None else time.monotonic() + seconds
        while not is_true():
            left = _LOOK_SECONDS if deadline is None else deadline - time.monotonic()
            if left <= 0:
                return False
            await happens(self._event, min(left, _LOOK_SECONDS))
        return True


async def happens(event: asyncio.Event, seconds: float) -> bool:
    """Whether the event is set within so many seconds.

    Not by `asyncio.wait_for`: in Python 3.11 that loses a cancellation that comes together with the
    event, and the task goes on as if nobody had ended it.
    """
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
    return event.is_set()


class Background:
    """Work that nobody waits for, so that a slow network or program holds up nothing else."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Begin it; what it raises is logged."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._end)

    async def finish(self, seconds: float = 5.0) -> None:
        """Wait for what runs, and end what takes longer."""
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=seconds)
            for task in late:
                task.cancel()

    def _end(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("work in the background failed", exc_info=task.exception())


async def run_regularly(
    step: Callable[[], Awaitable[None]], seconds: float, *, at_once: bool = False
) -> None:
    """Await `step` every so many seconds, whatever it raises."""
    while True:
        if not at_once:
            await asyncio.sleep(seconds)
        at_once = False
        try:
            await step()
        except Exception:
            log.exception("a regular step failed; it is tried again")
