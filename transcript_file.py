"""Reading Claude Code's transcript files, which it writes and may remove at any time."""

from __future__ import annotations

from pathlib import Path

from core.events import TranscriptEvent
from core.transcript import is_older, parse_line


def read_events(path: Path | None, start: int = 0, since: str = "") -> list[TranscriptEvent]:
    """The events behind byte `start`, without those of before `since`; none without a file."""
    if path is None or not path.exists():
        return []
    with path.open("rb") as file:
        file.seek(start)
        return [e for line in file if not is_older(line, since) for e in parse_line(line)]
