"""Reading Claude Code's transcript files, which it writes and may remove at any time."""

from __future__ import annotations

from pathlib import Path

from core.events import TranscriptEvent
from core.transcript import is_older, parse_line

_TAIL_BYTES = 4 << 20


def read_events(
    path: Path | None, start: int = 0, end: int | None = None, since: str = ""
) -> list[TranscriptEvent]:
    """The events from byte `start` to byte `end`, without those of before `since`.

    None when there is no such file.
    """
    if path is None or not path.exists():
        return []
    with path.open("rb") as file:
        file.seek(start)
        lines = file if end is None else file.read(max(0, end - start)).splitlines()
        return [e for line in lines if not is_older(line, since) for e in parse_line(line)]


def read_last_events(path: Path | None, since: str = "") -> list[TranscriptEvent]:
    """As `read_events`, of the last few megabytes, however long it is."""
    if path is None or not path.exists():
        return []
    with path.open("rb") as file:
        start = max(0, path.stat().st_size - _TAIL_BYTES)
        file.seek(start)
        if start:
            file.readline()  # the rest of a line
        return [e for line in file if not is_older(line, since) for e in parse_line(line)]
