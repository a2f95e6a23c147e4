"""topic_names: what a topic is called, whose name it is, and how seldom it changes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.topic_names import (
    BETWEEN_SECONDS,
    BETWEEN_TITLES_SECONDS,
    LASTING_SECONDS,
    LONGEST_NAME,
    State,
    TopicState,
    render_name,
    seconds_to_wait,
    strip_mark,
)

OURS = TopicState("old", "old", is_chosen=False)
STATES: list[State] = ["idle", "working", "waiting", "asleep"]


@pytest.mark.parametrize(
    ("state", "name"),
    [
        ("idle", "fix it"),
        ("working", "⏳ fix it"),
        ("waiting", "❓ fix it"),
        ("asleep", "💤 fix it"),
    ],
)
def test_a_topic_of_ours_has_its_sessions_title_and_a_sign(state: State, name: str) -> None:
    assert render_name(OURS, "fix  it", state) == name


@pytest.mark.parametrize("state", STATES)
def test_a_persons_name_stays_and_only_gets_the_sign(state: State) -> None:
    chosen = TopicState("mine", "mine", is_chosen=True)
    assert strip_mark(render_name(chosen, "title", state)) == "mine"


@pytest.mark.parametrize("state", STATES)
def test_a_name_that_was_never_heard_is_left_alone(state: State) -> None:
    assert render_name(TopicState(), "title", state) == ""
    assert render_name(TopicState(shown="kept"), "title", state) == "kept"


@given(st.text(max_size=300), st.sampled_from(STATES))
def test_a_name_fits_and_its_sign_can_be_taken_off(title: str, state: State) -> None:
    name = render_name(OURS, title, state)
    assert 1 <= len(name) <= LONGEST_NAME
    assert strip_mark(strip_mark(name)) == strip_mark(name)


@given(
    st.sampled_from(STATES),
    st.floats(0, 1e5),
    st.floats(0, 1e5),
    st.booleans(),
)
def test_what_has_lasted_and_long_not_changed_is_shown_and_nothing_else(
    state: State, lasted: float, since_change: float, is_new: bool
) -> None:
    seconds = seconds_to_wait(state, lasted=lasted, since_change=since_change, is_new_title=is_new)
    is_due = since_change >= BETWEEN_SECONDS and lasted >= LASTING_SECONDS[state]
    if is_new:
        is_due = since_change >= BETWEEN_TITLES_SECONDS
    assert (seconds == 0) is is_due
    # having waited, it is due, if nothing changed meanwhile
    assert (
        seconds_to_wait(
            state,
            lasted=lasted + seconds + 1e-6,
            since_change=since_change + seconds + 1e-6,
            is_new_title=is_new,
        )
        == 0
    )
