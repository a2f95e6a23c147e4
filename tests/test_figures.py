"""The table of a benchmark says what was met and what was not."""

from __future__ import annotations

import pytest

from benchmarks.figures import Figure, print_table


def test_a_target_is_met_by_the_median_a_bound_by_every_value() -> None:
    values = [0.1, 0.2, 0.9]
    assert Figure("what", "s", values, [], target=0.2).is_met
    assert not Figure("what", "s", values, [], target=0.19).is_met
    assert not Figure("what", "s", values, [], target=0.2, is_bound=True).is_met
    assert Figure("what", "s", values, [], target=0.9, is_bound=True).is_met
    assert Figure("what", "s", values, []).is_met


def test_a_line_has_its_ratio_to_the_floor_where_that_is_not_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    figures = [
        Figure("slow", "s", [0.3, 0.1, 0.2], [0.1], target=0.1),
        Figure("none", "s", [0.0], [0.0], target=0.1),
        Figure("bare", "", [4.0], []),
    ]
    print_table(figures, "bridge", "by hand")
    _, _, *lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines] == [
        ["slow", "3", "s", "0.200", "0.300", "0.100", "0.100", "2.00", "0.1", "missed"],
        ["none", "1", "s", "0.000", "0.000", "0.000", "0.000", "0.1", "met"],
        ["bare", "1", "4.000", "4.000"],
    ]
