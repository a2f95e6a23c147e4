"""docs/reliability.md: the figures of the last short and long runs, from docs/reliability.json."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from tests.chaos.experiment import Experiment, Figure
from tests.world import ROOT, find_claude

_TEXT = ROOT / "docs" / "reliability.md"
_DATA = ROOT / "docs" / "reliability.json"
_HEAD = """# Nothing lost, nothing twice, nobody else: the figures

Made by `python -m tests.chaos` (the short form, some minutes, which CI takes too) and
`python -m tests.chaos --long` (hours). Each writes this file; `--only KEY` takes one line anew.
Nothing here is written by hand.
"""


@dataclass(frozen=True)
class Row:
    """A figure and the run that it is from."""

    key: str
    form: str
    size: int
    seed: int
    figure: Figure
    at: str
    versions: str


def make_row(experiment: Experiment, form: str, size: int, seed: int, figure: Figure) -> Row:
    """The figure, stamped with the time and the versions."""
    at = datetime.now(UTC).strftime("%Y-%m-%d %H:%M")
    return Row(experiment.key, form, size, seed, figure, at, find_versions())


def find_versions() -> str:
    """Of Claude Code, tmux and Python, and how many processors there are."""
    claude = find_claude()
    said = _run(str(claude), "--version").split() if claude is not None else []
    parts = [f"Claude Code {said[0] if said else 'missing'}", _run("tmux", "-V") or "no tmux"]
    return ", ".join([*parts, f"Python {platform.python_version()}", f"{os.cpu_count()} CPUs"])


def _run(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip()


def write_report(rows: Sequence[Row], experiments: Sequence[Experiment]) -> None:
    """Put the rows in the place of those of the same experiment and form, and write the page."""
    known = {(row.key, row.form): row for row in [*_read_rows(), *rows]}
    order = [(e.key, form) for form in ("short", "long") for e in experiments]
    kept = [known[place] for place in order if place in known]
    _DATA.write_text(json.dumps([asdict(row) for row in kept], indent=1, ensure_ascii=False) + "\n")
    _TEXT.write_text(render_report(kept, experiments))


def _read_rows() -> list[Row]:
    if not _DATA.exists():
        return []
    stored: list[dict[str, Any]] = json.loads(_DATA.read_text())
    return [Row(**{**row, "figure": Figure(**row["figure"])}) for row in stored]


def render_report(rows: Sequence[Row], experiments: Sequence[Experiment]) -> str:
    """The page."""
    parts = [_HEAD]
    for form, command in (("short", ""), ("long", " --long")):
        chosen = [row for row in rows if row.form == form]
        if chosen:
            parts.append(f"## The {form} form: `python -m tests.chaos{command}`\n")
            parts.append(render_table(chosen))
            parts.append(_render_runs(chosen))
    parts.append("## How each is measured\n")
    parts += [f"**`{experiment.key}`** {experiment.how}\n" for experiment in experiments]
    return "\n".join(parts)


def render_table(rows: Sequence[Row]) -> str:
    """One line a figure."""
    lines = ["| | what | done | measured | to reach | met | s |", "|---|---|---|---|---|---|---|"]
    for row in rows:
        figure = row.figure
        cells = [f"`{row.key}`", figure.name, figure.done, figure.measured, figure.target]
        cells += ["yes" if figure.is_met else "**no**", f"{figure.seconds:.0f}"]
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def _render_runs(rows: Sequence[Row]) -> str:
    """When, with what, and from which seeds."""
    lines: dict[str, list[str]] = {}
    for row in rows:
        stamp = f"{row.at[:10]}, {row.versions}, seed {row.seed}"
        lines.setdefault(stamp, []).append(f"{row.key} ({row.size})")
    said = [f"{stamp}: {', '.join(keys)}." for stamp, keys in lines.items()]
    return "Runs (sizes in brackets; 0 is all there are). " + "\n".join(said) + "\n"
