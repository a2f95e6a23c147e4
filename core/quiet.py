"""When a chat is quiet: never, always, or between two times of the day.

`22-7` and `22:30-7:15` are times of the machine's clock; they may go over midnight.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_DAY = 24 * 60
_HOURS = re.compile(r"(\d{1,2})(?::(\d{2}))?\s*(?:-|–|to)\s*(\d{1,2})(?::(\d{2}))?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Quiet:
    """From `start` to `end`, in minutes after midnight; all day when they are the same."""

    start: int
    end: int

    def holds(self, minute: int) -> bool:
        """Whether it is quiet at this minute of the day."""
        if self.start < self.end:
            return self.start <= minute < self.end
        return minute >= self.start or minute < self.end


ALWAYS = Quiet(0, 0)


def parse_quiet(text: str) -> Quiet | str | None:
    """What `/quiet TEXT` asks for: a time, "off", or None for what is none."""
    word = text.strip().lower()
    if word in ("on", "off"):
        return ALWAYS if word == "on" else "off"
    found = _HOURS.fullmatch(word)
    if found is None:
        return None
    hours, minutes = (int(found[1]), int(found[3])), (int(found[2] or 0), int(found[4] or 0))
    if max(hours) > 24 or max(minutes) > 59:
        return None
    start, end = (60 * hour + minute for hour, minute in zip(hours, minutes, strict=True))
    if max(start, end) > _DAY or start % _DAY == end % _DAY:
        return None
    return Quiet(start % _DAY, end % _DAY)


def render_quiet(quiet: Quiet | None) -> str:
    """`off`, `on`, or `from 22:00 to 07:00`."""
    if quiet is None:
        return "off"
    if quiet == ALWAYS:
        return "on"
    return f"from {_render_time(quiet.start)} to {_render_time(quiet.end)}"


def _render_time(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"
