"""Signs below people's messages that tell how far each has come: on disk, with Claude, answered.

| the inbox says                    | the sign    |
|-----------------------------------|-------------|
| assigned (on disk, and admitted)  | `received`  |
| received, for a session (a file)  | `received`  |
| recorded (in Claude's transcript) | `delivered` |
| done: answered                    | `answered`  |
| done: anything else but dropped   | `failed`    |

Whoever may not gets no sign: the first comes after the check of who it is. What several messages
make together (an album, a long text) has its sign below each of them.
"""

from __future__ import annotations

from collections.abc import Callable

from channel_list import read_arrival
from core.model import Chat, FilesSent, LocationSent, Sign, TextSent
from core.ports import Channels
from inbox import Entry

React = Callable[[Chat, int, Sign], None]

_STEPS: dict[str, Sign] = {"received": "received", "assigned": "received", "recorded": "delivered"}
_OUTCOMES: dict[str, Sign] = {
    "answered": "answered",
    "failed": "failed",
    "interrupted": "failed",
    "killed": "failed",
}


class Receipts:
    """The signs of the messages that people send in `channels`, shown by `react`."""

    def __init__(self, channels: Channels, react: React) -> None:
        self._channels = channels
        self._react = react

    def hear_entry(self, entry: Entry, outcome: str | None) -> None:
        """An entry of the inbox has come further, or (`outcome`) to its end."""
        sign = _STEPS.get(entry.step) if outcome is None else _OUTCOMES.get(outcome)
        if sign is None or not entry.session_id:
            return
        for arrival in entry.arrivals:
            sent = read_arrival(self._channels, arrival)
            if isinstance(sent, TextSent | FilesSent | LocationSent):
                self._react(sent.chat, sent.message_id, sign)
