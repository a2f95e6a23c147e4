"""core.flood: a burst is let through, haste is not, whatever the moments."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from core.flood import FloodBudget, FloodLimit


def test_a_burst_within_the_limit_goes_out_at_once() -> None:
    budget = FloodBudget(FloodLimit(3, 10))
    for _ in range(3):
        assert budget.wait(100) == 0
        budget.spend(100)
    assert budget.wait(100) == 10
    assert budget.wait(104) == 6
    assert budget.wait(110) == 0


@given(
    st.integers(1, 5),
    st.floats(0.1, 60),
    st.lists(st.floats(0, 20), min_size=1, max_size=60),
)
def test_no_window_ever_holds_more_than_the_limit(
    messages: int, seconds: float, pauses: list[float]
) -> None:
    budget, now, sent = FloodBudget(FloodLimit(messages, seconds)), 0.0, []
    for pause in pauses:
        now += pause
        now += budget.wait(now)
        budget.spend(now)
        sent.append(now)
    for first, last in zip(sent, sent[messages:], strict=False):
        assert last - first >= seconds * (1 - 1e-9)
