"""core.cut_turn: what a transcript that ends in the middle of a turn tells."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.cut_turn import CutTurn, find_cut, has_gone_on, is_by_shutdown, render_cut
from core.events import (
    AnswerGiven,
    CommandAnswered,
    ContextMeasured,
    ErrorReported,
    LimitWaited,
    PromptRecorded,
    ToolEnded,
    ToolStarted,
    TranscriptEvent,
    TurnInterrupted,
    TurnRecorded,
)
from core.freshness import Moment

ASKED = PromptRecorded("1", "fix it")
BEFORE = AnswerGiven("2", "I look.", is_final=False)
USED = ToolStarted("3", "t", "Bash", {})
RAN = ToolEnded("4", "t", False, "ok", {})
ANSWERED = AnswerGiven("5", "Done.")
RECORDED = TurnRecorded("6", 1.0)
COMMAND = PromptRecorded("7", "/model opus", command="/model opus")
WAITS = LimitWaited("10", "It waits.", is_over=False)
PRINTED = CommandAnswered("8", "Set model")


@pytest.mark.parametrize(
    ("events", "cut"),
    [
        ([], None),
        ([ASKED], CutTurn("1", "fix it")),
        ([ASKED, BEFORE], CutTurn("2", "fix it")),
        ([ASKED, USED], CutTurn("3", "fix it")),
        ([ASKED, USED, RAN], CutTurn("4", "fix it")),
        ([ASKED, USED, RAN, ContextMeasured("4b", 1, "m")], CutTurn("4", "fix it")),
        ([ASKED, ANSWERED], None),
        ([ASKED, ANSWERED, RECORDED], None),
        ([ASKED, TurnInterrupted("9")], None),
        ([ASKED, ErrorReported("9", "overloaded")], None),
        (
            [ASKED, ErrorReported("9", "limit"), LimitWaited("10", "", False)],
            CutTurn("10", "fix it"),
        ),
        ([ASKED, ANSWERED, RECORDED, COMMAND, PRINTED], None),
        ([COMMAND, USED], CutTurn("3", "/model opus")),
        ([ASKED, ANSWERED, RECORDED, USED], CutTurn("3", "fix it")),  # Claude's own turn
        ([USED], CutTurn("3")),  # the prompt is further back than was read
    ],
)
def test_the_table(events: list[TranscriptEvent], cut: CutTurn | None) -> None:
    assert find_cut(events) == cut


def test_a_conversation_has_gone_on_when_something_was_said_after_the_cut() -> None:
    assert not has_gone_on([ASKED, USED], "3")
    assert not has_gone_on([ASKED, USED, COMMAND, PRINTED], "3")
    assert has_gone_on([ASKED, USED, PromptRecorded("9", "continue")], "3")
    assert not has_gone_on([ASKED], "of an older time")


@given(st.lists(st.sampled_from([ASKED, BEFORE, USED, RAN, COMMAND, PRINTED])))
def test_a_turn_that_has_its_end_was_not_cut_off(events: list[TranscriptEvent]) -> None:
    for end in (ANSWERED, RECORDED, TurnInterrupted("9"), ErrorReported("9", "x")):
        assert find_cut([*events, end]) is None
    assert find_cut([*events, ASKED]) == CutTurn("1", "fix it")


def test_what_ended_just_before_the_machine_started_ended_with_it() -> None:
    now = Moment(1_000_000.0, "two", 100.0)  # started at 999,900
    assert is_by_shutdown(999_890.0, now)
    assert not is_by_shutdown(999_000.0, now)
    assert not is_by_shutdown(999_950.0, now)


def test_the_chat_reads_what_was_in_flight_where_and_by_whom() -> None:
    told = render_cut("fix the  tests\nnow", "my cat is called Grace", "security", goes_on=False)
    assert told == (
        "Claude Code ended while it worked at “fix the tests now”, in “my cat is called Grace”, "
        "as security. It has your message and what was done; say “continue”, or press the button."
    )
    first = render_cut("fix the tests", "fix the tests", "", goes_on=True)
    assert first == "Claude Code ended while it worked at “fix the tests”. It goes on where it was."
    assert render_cut("", "", "", goes_on=True).startswith("Claude Code ended while it worked at s")
