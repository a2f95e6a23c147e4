"""Trouble on order: refusals, dropped connections, late answers, and flood control per chat.

A fault applies to the next calls of a method (`"*"` for all, `"file"` for the download of one), for
one chat or any, a number of times or until `end`. Faults are asked in the order in which they were
ordered.
"""

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from tests.standins.telegram_rules import RefusedError
from tests.standins.telegram_state import Json

Kind = Literal["fail", "drop", "delay", "hold"]
When = Literal["before", "after"]


@dataclass(eq=False, slots=True)
class Fault:
    """One ordered trouble; `end` stops it, and releases the calls it holds."""

    kind: Kind
    method: str
    chat_id: int | None = None
    times: int | None = 1
    when: When = "before"
    seconds: float = 0.0
    status: int = 500
    description: str = "Internal Server Error"
    parameters: Json = field(default_factory=dict)
    body: str | None = None
    hits: int = 0
    is_over: bool = False
    notify: Callable[[], None] = lambda: None

    def end(self) -> None:
        """No further call is hit; calls that are held go on."""
        self.is_over = True
        self.notify()

    @property
    def is_final(self) -> bool:
        """Whether the call it hits goes no further."""
        return self.kind in {"fail", "drop"}

    def matches(self, method: str, chat_id: int | None, when: When) -> bool:
        """Whether the call is to be hit at this point of its life."""
        is_left = not self.is_over and (self.times is None or self.hits < self.times)
        is_method = self.method == "*" or self.method.lower() == method.lower()
        is_chat = self.chat_id is None or self.chat_id == chat_id
        return is_left and is_method and is_chat and self.when == when


class Faults:
    """All that is on order. The caller holds the state's lock."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def add(self, fault: Fault) -> Fault:
        """Orders a fault."""
        self._faults.append(fault)
        return fault

    def take(self, method: str, chat_id: int | None, when: When) -> list[Fault]:
        """The faults that hit this call, counted: delays, then at most one that ends it."""
        hit: list[Fault] = []
        for fault in self._faults:
            if fault.matches(method, chat_id, when):
                fault.hits += 1
                hit.append(fault)
                if fault.is_final:
                    break
        return hit

    def take_for_open_poll(self, method: str) -> Fault | None:
        """The fault that ends a long poll which is already waiting, counted."""
        for fault in self._faults:
            if fault.is_final and fault.matches(method, None, "before"):
                fault.hits += 1
                return fault
        return None

    def end_all(self) -> None:
        """The network is well again."""
        for fault in self._faults:
            fault.end()
        self._faults.clear()


@dataclass(slots=True)
class FloodBudget:
    """`messages` per `seconds`; beyond that 429 until the window is free again."""

    messages: int
    seconds: float
    stamps: deque[float] = field(default_factory=deque)
    blocked_until: float = 0.0

    def spend(self, now: float, count: int) -> None:
        """Counts messages; raises the 429 RefusedError where the real server would."""
        count = min(count, self.messages)
        while self.stamps and self.stamps[0] <= now - self.seconds:
            self.stamps.popleft()
        if now >= self.blocked_until and len(self.stamps) + count > self.messages:
            oldest = self.stamps[0] if self.stamps else now
            self.blocked_until = oldest + self.seconds
        if now < self.blocked_until:
            wait = max(1, math.ceil(self.blocked_until - now))
            raise RefusedError(429, f"Too Many Requests: retry after {wait}", {"retry_after": wait})
        self.stamps.extend([now] * count)
