"""What an experiment is: something done so many times, what came of it, and what should have."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from tests.world import World, find_claude

_SHOWN = 3


@dataclass(frozen=True)
class Figure:
    """One line of the table: `done` says what was done how often, `seconds` how long it took."""

    name: str
    done: str
    measured: str
    target: str
    is_met: bool
    seconds: float


class NotPossibleHereError(Exception):
    """The machine lacks what the experiment needs; the text says what."""


NOT_POSSIBLE = "not possible here"

Run = Callable[[int, int, Path], Figure]


@dataclass(frozen=True)
class Experiment:
    """`run(size, seed, folder)` in its two sizes; `how`: the way it is measured, in plain words."""

    key: str
    run: Run
    short: int
    long: int
    how: str

    def take(self, size: int, seed: int, folder: Path) -> Figure:
        """The figure; whatever breaks the experiment off leaves it not met."""
        began = time.monotonic()
        folder.mkdir(parents=True, exist_ok=True)
        try:
            figure = self.run(size, seed, folder)
        except NotPossibleHereError as error:
            figure = Figure(self.key, "nothing", f"{NOT_POSSIBLE}: {error}", "", False, 0.0)
        except (AssertionError, OSError, LookupError, ValueError) as error:
            said = " ".join(str(error).split())[:300]
            figure = Figure(self.key, f"size {size}", f"broken off: {said}", "to end", False, 0.0)
        return replace(figure, seconds=time.monotonic() - began)


def judge(
    name: str, done: str, target: str, faults: Mapping[str, Sequence[object]], *notes: str
) -> Figure:
    """Met when no kind of fault was seen; the first few of each are in the text."""
    parts = []
    for kind, found in faults.items():
        examples = "; ".join(f"{example!s:.400}" for example in found[:_SHOWN])
        parts.append(f"{len(found)} {kind}" + (f" ({examples})" if found else ""))
    is_met = not any(faults.values())
    return Figure(name, done, ", ".join([*parts, *notes]), target, is_met, 0.0)


STORY = "story.txt"
"""What is left of a world when an experiment is over, for who wants to know why it failed."""


@contextmanager
def open_world(folder: Path, **settings: str) -> Iterator[World]:
    """A machine with the real Claude Code and tmux, and the two far ends; no bridge runs yet."""
    claude = find_claude()
    if claude is None:
        raise AssertionError("Claude Code is missing: ./install.sh --test, or BRIDGE_TEST_CLAUDE")
    with World(folder, claude) as world:
        world.settings.update(settings)
        yield world
        story = "\n".join(f"--- {title}\n{text}" for title, text in world.describe())
        (folder / STORY).write_text(story)


def percentile(values: Sequence[float], part: float) -> float:
    """The value that so large a part of them does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))] if ordered else 0.0
