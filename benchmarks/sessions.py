"""How long it takes to list every session on a machine, beside the least that it can take.

* 1,000 transcripts of 200 MB in all, as Claude Code writes them, in 40 projects. The floor of a
  cold look is to open each file and read its two ends; that of a warm look is to look each file up.
* Cold is without the finder's cache, and with the files out of the system's, where it lets go of
  them (`posix_fadvise`). Warm is a finder that has only the cache on disk. Floor and finder take
  turns.
* `python -m benchmarks.sessions [folder]` prints a table; exit status 1 if a target is missed.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from core.session_summary import CHUNK
from session_finder import SessionFinder
from tests.standins.transcripts import line, turn

_SESSIONS = 1_000
_PROJECTS = 40
_BYTES = 200_000_000
_ROUNDS = 5
_COLD_SECONDS = 3.0
_WARM_SECONDS = 0.3


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table, times in seconds."""

    what: str
    times: list[float]
    floor: list[float]
    target: float

    @property
    def median(self) -> float:
        return statistics.median(self.times)

    @property
    def is_met(self) -> bool:
        return self.median <= self.target


def main() -> int:
    """Measure in a scratch folder inside the one given, or where temporary files go."""
    within = sys.argv[1] if len(sys.argv) > 1 else None
    with tempfile.TemporaryDirectory(dir=within) as scratch:
        folder = Path(scratch)
        projects, cache = folder / "projects", folder / "found.json"
        fill(projects)
        figures = [measure_cold(projects, cache), measure_warm(projects, cache)]
        paths = list(projects.glob("*/*.jsonl"))
        size = sum(path.stat().st_size for path in paths)
        print(f"{len(paths)} transcripts, {size / 1e6:.0f} MB")
    print_table(figures)
    return 0 if all(figure.is_met for figure in figures) else 1


def fill(projects: Path) -> None:
    """Write the transcripts: of many sizes, half of them with a title."""
    mean = _BYTES // _SESSIONS
    for number in range(_SESSIONS):
        folder = projects / f"-home-ada-project-{number % _PROJECTS}"
        folder.mkdir(parents=True, exist_ok=True)
        size = mean * (1 + number % 10) * 2 // 11
        (folder / f"{uuid.uuid4()}.jsonl").write_bytes(make_transcript(number, size))
    os.sync()


def make_transcript(number: int, size: int) -> bytes:
    """A session of about that many bytes."""
    day = f"2026-11-{1 + number % 21:02d}T10:00:00.000Z"
    title = line("ai-title", aiTitle=f"The work number {number}") if number % 2 else b""
    turns = [turn(f"Please look at part {number} of it", "Here is what I found.", at=day) + title]
    while sum(map(len, turns)) < size:
        turns.append(turn("And now the next one", "Done: " + "word " * 400, at=day) + title)
    return b"".join(turns)


def measure_cold(projects: Path, cache: Path) -> Figure:
    times, floor = [], []
    for _ in range(_ROUNDS):
        let_go(projects)
        floor.append(time_of(lambda: read_ends(projects)))
        let_go(projects)
        cache.unlink(missing_ok=True)
        times.append(time_of(lambda: find_all(projects, cache)))
    return Figure("cold", times, floor, _COLD_SECONDS)


def measure_warm(projects: Path, cache: Path) -> Figure:
    times, floor = [], []
    find_all(projects, cache)
    for _ in range(_ROUNDS * 4):
        floor.append(time_of(lambda: look_up(projects)))
        times.append(time_of(lambda: find_all(projects, cache)))
    return Figure("warm", times, floor, _WARM_SECONDS)


def find_all(projects: Path, cache: Path) -> None:
    found = SessionFinder(projects, cache).find_all()
    assert len(found) == _SESSIONS, len(found)


def read_ends(projects: Path) -> None:
    for path in projects.glob("*/*.jsonl"):
        with path.open("rb", buffering=0) as file:
            file.read(CHUNK)
            file.seek(-min(CHUNK, path.stat().st_size), os.SEEK_END)
            file.read(CHUNK)


def look_up(projects: Path) -> None:
    for folder in os.scandir(projects):
        for entry in os.scandir(folder.path):
            entry.stat()


def let_go(projects: Path) -> None:
    """Have the system forget what it knows of the files, as after a start of the machine."""
    if not hasattr(os, "posix_fadvise"):
        return
    for path in projects.glob("*/*.jsonl"):
        descriptor = os.open(path, os.O_RDONLY)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


def time_of(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def print_table(figures: list[Figure]) -> None:
    print(
        f"{'':8}{'n':>4}{'median s':>10}{'worst s':>10}"
        f"{'floor s':>10}{'x floor':>9}{'target s':>10}"
    )
    for figure in figures:
        floor = statistics.median(figure.floor)
        print(
            f"{figure.what:8}{len(figure.times):4}{figure.median:10.3f}{max(figure.times):10.3f}"
            f"{floor:10.3f}{figure.median / floor:9.1f}{figure.target:10.1f}"
            f"  {'met' if figure.is_met else 'MISSED'}"
        )


if __name__ == "__main__":
    sys.exit(main())
