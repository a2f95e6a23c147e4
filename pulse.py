"""Waiting for a condition that others make true."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

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
            try:
                await asyncio.wait_for(self._event.wait(), min(left, _LOOK_SECONDS))
            except TimeoutError:
                continue
        return True
