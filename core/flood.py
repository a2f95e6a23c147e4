"""The flood budget of a chat: a chat service counts messages and edits alike, and punishes haste.

* A limit is "so many in so many seconds", looked at through a window that slides: a burst may use
  it up at once, and then each further one waits until the oldest has left the window.
* What is live (a card that is edited while something goes on) may use a part of each window only,
  so that an answer finds room; after a few at once it goes out at an even pace.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

_AT_ONCE = 3
_TICK = 1e-6


@dataclass(frozen=True, slots=True)
class FloodLimit:
    """At most `messages` in any `seconds`; a live one only as long as they stay within `live`."""

    messages: int
    seconds: float
    live: int


class FloodBudget:
    """What is left of some limits; times are seconds of a clock that only goes forward."""

    def __init__(self, limits: Sequence[FloodLimit]) -> None:
        self._limits = limits
        self._longest = max((limit.seconds for limit in limits), default=0.0)
        self._pace = max((limit.seconds / limit.live for limit in limits), default=0.0)
        self._spent: deque[float] = deque()
        self._live_until = 0.0  # the live ones so far, put in a row at their pace, end here

    def wait(self, now: float, count: int = 1, *, live: bool = False) -> float:
        """Seconds until `count` messages may go out together; 0 when they may at once."""
        while self._spent and self._spent[0] + self._longest <= now + _TICK:
            self._spent.popleft()
        waits = [self._wait_for(limit, now, count, live=live) for limit in self._limits]
        if live:
            waits.append(self._live_until - (_AT_ONCE - 1) * self._pace - now)
        longest = max(waits, default=0.0)
        return longest if longest > _TICK else 0.0

    def spend(self, now: float, count: int = 1, *, live: bool = False) -> None:
        """Count messages, or edits."""
        self._spent.extend([now] * count)
        if live:
            self._live_until = max(now, self._live_until) + self._pace * count

    def _wait_for(self, limit: FloodLimit, now: float, count: int, *, live: bool) -> float:
        inside = [at for at in self._spent if at + limit.seconds > now + _TICK]
        most = limit.live if live else limit.messages
        surplus = len(inside) + min(count, most) - most
        return inside[surplus - 1] + limit.seconds - now if surplus > 0 else 0.0
