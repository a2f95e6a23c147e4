"""The flood budget of a chat: a chat service counts messages and edits alike, and punishes haste.

A budget is "so many in so many seconds", looked at through a window that slides: a burst may use it
up at once, and then each further one waits until the oldest has left the window.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class FloodLimit:
    """At most `messages`, edits among them, in any `seconds`."""

    messages: int
    seconds: float


@dataclass(slots=True)
class FloodBudget:
    """What is left of a limit; times are seconds of a clock that only goes forward."""

    limit: FloodLimit
    _spent: deque[float] = field(default_factory=deque, init=False)

    def wait(self, now: float) -> float:
        """Seconds until the next message may go out; 0 when it may at once."""
        self._forget(now)
        if len(self._spent) < self.limit.messages:
            return 0.0
        return self._spent[0] + self.limit.seconds - now

    def spend(self, now: float) -> None:
        """Count one message or edit."""
        self._spent.append(now)

    def _forget(self, now: float) -> None:
        while self._spent and self._spent[0] + self.limit.seconds <= now:
            self._spent.popleft()
