"""What a benchmark has measured, beside a floor of the same run, as lines of a table."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table; `target` is what the median may reach, or each value if `is_bound`."""

    what: str
    unit: str
    values: list[float]
    floors: list[float]
    target: float | None = None
    is_bound: bool = False

    @property
    def is_met(self) -> bool:
        if self.target is None:
            return True
        return (max if self.is_bound else statistics.median)(self.values) <= self.target


def p95(values: list[float]) -> float:
    """The smallest value that 95 % are not above."""
    return sorted(values)[math.ceil(0.95 * len(values)) - 1]


def print_table(figures: list[Figure], measured: str, floor: str) -> None:
    """What was measured and the floor have these headings."""
    print(f"{'':28}{measured:>9}{'':9}{floor:>9}")
    print(f"{'':21}{'n':>3}{'':4}{'median':>9}{'p95':>9}", end="")
    print(f"{'median':>9}{'p95':>9}{'x floor':>9}{'target':>9}")
    for figure in figures:
        columns = [statistics.median(figure.values), p95(figure.values)]
        ratio = ""
        if figure.floors:
            columns += [statistics.median(figure.floors), p95(figure.floors)]
            ratio = f"{columns[0] / columns[2]:.2f}" if columns[2] else ""
        shown = "".join(f"{value:9.3f}" for value in columns).ljust(36)
        target, verdict = "", ""
        if figure.target is not None:
            target, verdict = f"{figure.target:g}", "met" if figure.is_met else "missed"
        print(
            f"{figure.what:20}{len(figure.values):4} {figure.unit:3}{shown}{ratio:>9}{target:>9}"
            f"  {verdict}".rstrip()
        )
