"""A pane of a person's own tmux: which one Claude Code is in, and when it takes keys."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.foreign_pane import find_joinable, parse_panes, read_socket

PANE = "%3|100|0|0|1|claude||work"


@pytest.mark.parametrize(
    ("line", "ancestors", "leader", "is_joinable"),
    [
        (PANE, {200, 100, 1}, 200, True),
        (PANE, {200, 101, 1}, 200, False),  # another pane's
        ("%3|100|1|0|1|claude||work", {200, 100}, 200, False),  # dead
        ("%3|100|0|0|1|claude|shop-1|work", {200, 100}, 200, False),  # a bridge has it
        ("%3|100|0|0|1|bash||work", {200, 100}, 200, False),  # the shell behind is in front
        ("%3|100|0|0|1|sh||work", {200, 100}, 100, True),  # a script is all that the pane runs
        ("%3|100|0|0|1|a}b||work", {200, 100}, 200, False),
        ("3|100|0|0|1|claude||work", {200, 100}, 200, False),
        ("%3|x|0|0|1|claude||work", {200, 100}, 200, False),
        ("%3|100|0|0|1|claude||a|b", {200, 100}, 200, True),
        ("%3|100|0", {200, 100}, 200, False),
    ],
)
def test_a_pane_is_joined_only_when_it_is_certain_who_gets_the_keys(
    line: str, ancestors: set[int], leader: int, *, is_joinable: bool
) -> None:
    found = find_joinable(parse_panes([line]), ancestors, leader)
    assert (found is not None) is is_joinable


def test_a_pane_that_two_sessions_show_is_one() -> None:
    [pane] = parse_panes([PANE, PANE.replace("work", "other")])
    assert (pane.session, pane.is_attached, pane.in_mode) == ("work", True, False)


@pytest.mark.parametrize(
    ("variable", "socket"),
    [
        ("/tmp/tmux-0/default,6170,0", "/tmp/tmux-0/default"),
        ("", None),
        ("relative,1,0", None),
        ("/no/numbers,a,b", None),
    ],
)
def test_the_socket_is_in_the_variable(variable: str, socket: str | None) -> None:
    assert read_socket(variable) == socket


@given(st.text(), st.text())
def test_no_text_is_an_error(line: str, variable: str) -> None:
    assert find_joinable(parse_panes([line]), {1}, 1) is None
    read_socket(variable)
