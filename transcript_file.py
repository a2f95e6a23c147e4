"""Reading Claude Code's transcript files, which it writes and may remove at any time."""

from __future__ import annotations

from pathlib import Path

from core.events import TranscriptEvent
from core.transcript import parse_line

_TAIL_BYTES = 4 << 20


def read_events(path: Path | None, start: int = 0) -> list[TranscriptEvent]:
    """The events behind byte `start`; none when there is no such file."""
    if path is None or not path.exists():
        return []
    with path.open("rb") as file:
        file.seek(start)
        return [event for line in file for event in parse_line(line)]


def read_last_events(path: Path | None) -> list[TranscriptEvent]:
    """The events of the last few megabytes, however long it is; none when there is no such file."""
    if path is None or not path.exists():
        return []
    with path.open("rb") as file:
        start = max(0, path.stat().st_size - _TAIL_BYTES)
        file.seek(start)
        if start:
            file.readline()  # the rest of a line
        return [event for line in file for event in parse_line(line)]
