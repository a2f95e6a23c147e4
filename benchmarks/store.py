"""What the session store costs, beside the least a durable file can cost on the same disk.

* The floor is one raw durable replace of the same bytes in the same folder: temporary file, fsync,
  rename, fsync of the folder. Floor and save take turns, so that a busy disk slows both alike.
* `python -m benchmarks.store [folder]` prints a table; exit status 1 if a figure misses its target.
"""

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import cycle
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from core.session_file import FIELDS, render_session
from session import Session, SessionStore

_TURNS = 400
_OPENINGS = 5


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table, times in seconds; `target` is what the median may reach."""

    what: str
    sessions: int
    times: list[float]
    target: float
    floor: float | None = None

    @property
    def median(self) -> float:
        return statistics.median(self.times)

    @property
    def is_met(self) -> bool:
        return self.median <= self.target


def main() -> int:
    """Measure in a scratch folder inside the one given, or where temporary files go."""
    within = sys.argv[1] if len(sys.argv) > 1 else None
    figures: list[Figure] = []
    for count in (10, 10_000):
        with tempfile.TemporaryDirectory(dir=within) as scratch:
            folder = Path(scratch) / "store"
            fill(folder, count)
            figures += measure_openings(folder, count)
            with SessionStore(folder) as store:
                figures += measure_saves(store, count)
                figures += measure_reads(store, count)
    print_table(figures)
    return 0 if all(figure.is_met for figure in figures) else 1


def fill(folder: Path, count: int) -> None:
    """Put `count` session files there, five for each chat."""
    folder.mkdir(mode=0o700)
    for number in range(count):
        session = make_session(number)
        fields = {name: getattr(session, name) for name in FIELDS}
        (folder / f"{session.session_id}.json").write_bytes(render_session(fields))
    os.sync()  # Replacing a file that never reached the disk would be cheaper than it ever is.


def make_session(number: int) -> Session:
    topic = number % 2 or None
    return Session(
        session_id=f"{number:08d}-4ab2-4b7e-9a3d-1f6c2d8e5a70",
        chat_id=number // 5,
        tmux_session=f"claude-{number}",
        state={"project": "/home/someone/projects/example", "topic": topic, "agent": "claude"},
    )


def measure_openings(folder: Path, count: int) -> Iterator[Figure]:
    without, good = [], []
    for _ in range(_OPENINGS):
        (folder / "index.json").unlink(missing_ok=True)
        without.append(time_of(lambda: SessionStore(folder)))
        good.append(time_of(lambda: SessionStore(folder)))
    yield Figure("open, no index", count, without, target=2.0)
    yield Figure("open, good index", count, good, target=0.15)


def measure_saves(store: SessionStore, count: int) -> Iterator[Figure]:
    sessions = cycle([make_session(number) for number in range(min(count, _TURNS))])
    floor_times, save_times = [], []
    raw = store.directory / "floor.raw"
    for _ in range(_TURNS):
        session = next(sessions)
        data = (store.directory / f"{session.session_id}.json").read_bytes()
        floor_times.append(time_of(partial(replace_raw, raw, data)))
        save_times.append(time_of(partial(store.save, session)))
    floor = statistics.median(floor_times)
    yield Figure("floor", count, floor_times, target=float("inf"), floor=floor)
    yield Figure("save", count, save_times, target=2 * floor, floor=floor)


def replace_raw(path: Path, data: bytes) -> None:
    temporary = f"{path}.tmp"
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    os.write(fd, data)
    os.fsync(fd)
    os.close(fd)
    os.replace(temporary, path)
    fd = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    os.fsync(fd)
    os.close(fd)


def measure_reads(store: SessionStore, count: int) -> Iterator[Figure]:
    chats = cycle(range(max(1, count // 5)))
    ids = cycle([make_session(number).session_id for number in range(count)])
    calls: dict[str, Callable[[], object]] = {
        "load": lambda: store.load(next(ids)),
        "load_by_chat": lambda: store.load_by_chat(next(chats)),
        "list_sessions(limit=20)": lambda: store.list_sessions(limit=20),
        "list_sessions(chat)": lambda: store.list_sessions(chat_id=next(chats)),
    }
    for what, call in calls.items():
        yield Figure(what, count, [time_of(call) for _ in range(_TURNS)], target=0.001)


def time_of(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def print_table(figures: list[Figure]) -> None:
    print(f"{'':24}{'sessions':>9}{'median ms':>11}{'p99 ms':>9}{'target ms':>11}{'x floor':>9}")
    for figure in figures:
        p99 = statistics.quantiles(figure.times, n=100, method="inclusive")[98]
        ratio = f"{figure.median / figure.floor:.2f}" if figure.floor else ""
        print(
            f"{figure.what:24}{figure.sessions:9}{figure.median * 1e3:11.3f}{p99 * 1e3:9.3f}"
            f"{figure.target * 1e3:11.3f}{ratio:>9}{'' if figure.is_met else '  MISSED'}"
        )


if __name__ == "__main__":
    sys.exit(main())
