"""The short form of every experiment; `python -m tests.chaos --long` takes the long one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.experiment import NOT_POSSIBLE, STORY, Experiment
from tests.chaos.experiments import EXPERIMENTS, SEED


# The faults that are provoked leave clients of the experiments with half-open connections.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.timeout(600)
@pytest.mark.parametrize("experiment", EXPERIMENTS, ids=lambda experiment: experiment.key)
def test_the_figure_is_met(
    experiment: Experiment, tmp_path: Path, frugal_claude: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BRIDGE_TEST_CLAUDE", str(frugal_claude))
    figure = experiment.take(experiment.short, SEED, tmp_path / "w")
    if figure.measured.startswith(NOT_POSSIBLE):
        pytest.skip(figure.measured)
    for story in () if figure.is_met else (tmp_path / "w").rglob(STORY):
        print(story.read_text())
    assert figure.is_met, f"{figure.measured}, to reach: {figure.target}"
