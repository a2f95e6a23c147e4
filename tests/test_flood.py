"""core.flood: a burst is let through, haste is not, and an answer never waits for a live card."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.flood import FloodBudget, FloodLimit

LIMITS = st.lists(
    st.builds(
        lambda messages, seconds, live: FloodLimit(messages, seconds, min(live, messages)),
        st.integers(1, 8),
        st.floats(0.1, 60),
        st.integers(1, 8),
    ),
    min_size=1,
    max_size=3,
)
STEPS = st.lists(st.tuples(st.floats(0, 20), st.booleans(), st.integers(1, 2)), max_size=80)


def test_a_burst_within_the_limit_goes_out_at_once() -> None:
    budget = FloodBudget([FloodLimit(3, 10, 2)])
    for _ in range(3):
        assert budget.wait(100) == 0
        budget.spend(100)
    assert budget.wait(100) == 10
    assert budget.wait(104) == 6
    assert budget.wait(110) == 0


def test_the_strictest_of_several_limits_counts() -> None:
    budget = FloodBudget([FloodLimit(2, 1, 1), FloodLimit(3, 60, 1)])
    for now in (0.0, 0.0, 1.0):
        assert budget.wait(now) == 0
        budget.spend(now)
    assert budget.wait(1.0) == 59


def test_without_limits_nothing_waits() -> None:
    budget = FloodBudget([])
    for _ in range(100):
        budget.spend(5, live=True)
    assert budget.wait(5, 10, live=True) == budget.wait(5) == 0


def test_live_ones_go_a_few_at_once_and_then_evenly() -> None:
    budget, now, sent = FloodBudget([FloodLimit(60, 60, 20)]), 0.0, []
    for _ in range(8):
        now += budget.wait(now, live=True)
        budget.spend(now, live=True)
        sent.append(now)
    assert sent == pytest.approx([0, 0, 0, 3, 6, 9, 12, 15])


def test_answers_find_room_however_many_live_ones_there_were() -> None:
    budget = FloodBudget([FloodLimit(20, 63, 13)])
    now = 0.0
    for _ in range(200):
        now += budget.wait(now, live=True)
        budget.spend(now, live=True)
    for _ in range(7):
        assert budget.wait(now) == 0
        budget.spend(now)
    assert budget.wait(now, live=True) > 0


def test_an_album_waits_until_all_of_it_has_room() -> None:
    budget = FloodBudget([FloodLimit(4, 10, 2)])
    budget.spend(0)
    budget.spend(3)
    assert budget.wait(5, 2) == 0
    assert budget.wait(5, 3) == 5
    assert budget.wait(5, 4) == 8
    assert budget.wait(5, 9) == 8  # more than ever fit: as soon as the window is empty


@given(LIMITS, STEPS)
def test_no_window_ever_holds_more_than_the_limit(
    limits: list[FloodLimit], steps: list[tuple[float, bool, int]]
) -> None:
    budget, now, sent = FloodBudget(limits), 0.0, []
    for pause, live, count in steps:
        now += pause
        now += budget.wait(now, count, live=live)
        assert budget.wait(now, count, live=live) == 0
        budget.spend(now, count, live=live)
        sent += [now] * min(count, *(limit.messages for limit in limits))
    for limit in limits:
        for first, last in zip(sent, sent[limit.messages :], strict=False):
            assert last - first >= limit.seconds - 1e-5
