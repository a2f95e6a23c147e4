"""How long a search through every history takes, beside the least that it can take.

* 1,000 histories of 200 KB, the worst case: what is looked for is in none of them. They are links
  to one file, since a disk is not what is measured.
* The floor is to read each of them. Floor and search take turns.
* `python -m benchmarks.histories [folder]` prints a table; exit status 1 if the target is missed.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from benchmarks.sessions import Figure, print_table, time_of
from core.history import Record, render_line, split_words
from core.redaction import Redactor
from history import Histories

_HISTORIES = 1_000
_ROUNDS = 5
_SECONDS = 2.0
_SAID = "the quick brown fox jumps over the lazy dog, für größere Häuser "


def main() -> int:
    """Measure in a scratch folder inside the one given, or where temporary files go."""
    within = sys.argv[1] if len(sys.argv) > 1 else None
    with tempfile.TemporaryDirectory(dir=within) as scratch:
        folder = Path(scratch)
        fill(folder)
        figure = measure(folder)
    print_table([figure])
    return 0 if figure.is_met else 1


def fill(folder: Path) -> None:
    """Write one history, and link the others to it."""
    records = (Record(f"u{n}", float(n), "answer", _SAID * 15, "Claude") for n in range(200))
    first = folder / "s0.jsonl"
    first.write_bytes(b"".join(render_line(record) for record in records))
    for number in range(1, _HISTORIES):
        (folder / f"s{number}.jsonl").hardlink_to(first)
    print(f"{_HISTORIES} histories, {first.stat().st_size * _HISTORIES / 1e6:.0f} MB")


def measure(folder: Path) -> Figure:
    histories = Histories(folder, redact=Redactor().redact)
    times, floor = [], []
    for _ in range(_ROUNDS):
        floor.append(time_of(lambda: read_all(folder)))
        times.append(time_of(lambda: search(histories)))
    return Figure("search", times, floor, _SECONDS)


def search(histories: Histories) -> None:
    ids = [f"s{number}" for number in range(_HISTORIES)]
    assert list(histories.search(ids, split_words("nowhere größere"))) == []


def read_all(folder: Path) -> None:
    for path in folder.iterdir():
        path.read_bytes()


if __name__ == "__main__":
    sys.exit(main())
