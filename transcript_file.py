"""Reading Claude Code's transcript files, which it writes and may remove at any time."""

from __future__ import annotations

from pathlib import Path

from core.events import TranscriptEvent
from core.transcript import parse_line


def read_events(path: Path | None, start: int = 0, end: int | None = None) -> list[TranscriptEvent]:
    """The events behind byte `start` and before byte `end`; none when there is no such file."""
    if path is None or not path.exists():
        return []
    with path.open("rb") as file:
        file.seek(start)
        lines = file if end is None else file.read(max(0, end - start)).splitlines()
        return [event for line in lines for event in parse_line(line)]
