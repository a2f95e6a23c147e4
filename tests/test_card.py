"""The card of a turn: what each event makes of it, and how it looks."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.telegram_text import render_pieces
from core.card import (
    Card,
    Outcome,
    TaskLine,
    advance,
    begin_card,
    end_card,
    follow_up,
    render_card,
    render_seconds,
)
from core.events import (
    AnswerGiven,
    BackgroundTask,
    ContextMeasured,
    HookEvent,
    PromptSubmitted,
    SubagentEnded,
    SubagentStarted,
    TextStreamed,
    ToolEnded,
    ToolStarted,
    TranscriptEvent,
    TurnEnded,
    TurnRecorded,
)
from core.model import Chat, Post
from core.redaction import Redactor
from tests.test_file_change import EDIT, NEW, ROOT, anything

Event = HookEvent | TranscriptEvent
START = Card(100.0, ROOT)


def bash(tool_id: str = "t1", command: str = "npm test") -> ToolStarted:
    return ToolStarted(f"u{tool_id}", tool_id, "Bash", {"command": command})


def ended(
    tool_id: str = "t1",
    text: str = "",
    result: dict[str, Any] | None = None,
    *,
    error: bool = False,
    **fields: Any,
) -> ToolEnded:
    return ToolEnded(f"e{tool_id}", tool_id, error, text, (result or {}) | fields)


def wrote(text: str, message: str = "m", index: int = 0) -> TextStreamed:
    return TextStreamed("s", "p", message, index, text, is_final=False)


def card(*events: Event, start: Card = START) -> Card:
    for event in events:
        start = advance(start, event)
    return start


def text(*events: Event) -> str:
    """The card's text seven seconds after its beginning."""
    return render_card(card(*events), 107.0)[0]


def details(*events: Event) -> str:
    return render_card(card(*events), 107.0)[1]


# --- what goes on now -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("events", "shown"),
    [
        ([], "⏳ 7 s · Thinking…"),
        ([wrote("Hello\n")], "⏳ 7 s · Writing…\n\nHello"),
        ([bash()], "⏳ 7 s · Running Bash: `npm test`"),
        ([bash(), bash("t2", "ls")], "⏳ 7 s · Running Bash: `ls` and 1 more"),
        ([bash(), ended()], "⏳ 7 s · Thinking…"),
        ([ToolStarted("u", "t", "TaskList", {})], "⏳ 7 s · Running TaskList"),
        ([ToolStarted("u", "t", "mcp__a__b", {"query": "q"})], "⏳ 7 s · Running a: b `q`"),
        ([ToolStarted("u", "t", "mcp__a__b_c", {})], "⏳ 7 s · Running `a: b_c`"),
        ([bash("t", "echo `date`")], "⏳ 7 s · Running Bash: ``echo `date` ``"),
        ([bash("t", "a\nb" + "c" * 99)], f"⏳ 7 s · Running Bash: `a b{'c' * 56}…`"),
    ],
)
def test_the_headline_says_what_goes_on(events: list[Event], shown: str) -> None:
    assert text(*events).replace("`` echo", "``echo") == shown


def test_a_notice_takes_the_place_of_the_headline() -> None:
    shown, _ = render_card(replace(card(bash()), notice="Waiting for your answer"), 100.0)
    assert shown == "⏳ 0 s · Waiting for your answer"


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(-3, "0 s"), (7.9, "7 s"), (65, "1 min 5 s"), (3599, "59 min 59 s"), (7380, "2 h 3 min")],
)
def test_elapsed_time(seconds: float, shown: str) -> None:
    assert render_seconds(seconds) == shown


# --- text -----------------------------------------------------------------------------------------


def test_text_that_became_a_message_is_not_shown_again() -> None:
    said = AnswerGiven("u", "Hello\n\nworld")
    assert text(wrote("Hello\n"), said) == "⏳ 7 s · Thinking…"
    assert text(said, wrote("Hello\n")) == "⏳ 7 s · Thinking…"
    assert text(wrote("Hello\n"), said, wrote("More", "m2")).endswith("\n\nMore")


def test_of_a_long_text_the_end_is_shown() -> None:
    shown = text(wrote("".join(f"line {number}\n" for number in range(999))))
    assert "…\nline" in shown
    assert shown.endswith("line 998")
    assert len(shown) < 1600


# --- tools ----------------------------------------------------------------------------------------


def test_each_tool_has_a_line() -> None:
    assert details(
        bash(),
        ended("t1", "Exit code 1\nbad", error=True),
        ToolStarted("u", "t2", "Edit", {"file_path": f"{ROOT}/a.txt"}),
        ended("t2", "", EDIT),
        ToolStarted("u", "t3", "WebFetch", {"url": "https://example.com"}),
        ended("t3", "a page"),
        ToolStarted("u", "t5", "TaskUpdate", {"taskId": "1", "status": "completed"}),
        bash("t4", "sleep 9"),
    ).split("\n") == [
        "💻 Bash npm test — ✗ exit 1",
        "✏️ Edit a.txt — +2 −1",
        "🌐 WebFetch https://example.com",
        "💻 Bash sleep 9 …",
    ]


def test_a_tool_told_of_twice_is_one() -> None:
    once = card(bash(), ended("t1", "", EDIT))
    assert card(bash(), ended("t1", "", EDIT), start=once) == once


def test_the_end_of_an_unknown_tool_is_passed_over() -> None:
    assert card(ended("other")) == START


# --- tasks ----------------------------------------------------------------------------------------


def test_tasks_are_made_and_ticked_off() -> None:
    shown = text(
        ToolStarted("u", "t1", "TaskCreate", {"subject": "Find it"}),
        ended("t1", task={"id": "1", "subject": "Find it"}),
        ToolStarted("u", "t2", "TaskCreate", {"subject": "Mend_it"}),
        ended("t2", task={"id": "2", "subject": "Mend_it"}),
        ToolStarted("u", "t3", "TaskUpdate", {"taskId": "1", "status": "completed"}),
    )
    assert shown.endswith("\n\n☑ Find it  \n☐ Mend\\_it  ")


def test_a_deleted_task_is_gone() -> None:
    made = ToolStarted("u", "t1", "TaskCreate", {}), ended("t1", task={"id": "1", "subject": "x"})
    gone = ToolStarted("u", "t2", "TaskUpdate", {"taskId": "1", "status": "deleted"})
    assert card(*made, gone).tasks == ()


def test_an_old_list_of_tasks_comes_whole() -> None:
    todos = [
        {"content": "Find it", "status": "completed", "activeForm": "Finding it"},
        {"content": "Mend it", "status": "in_progress", "activeForm": "Mending it"},
        "odd",
    ]
    shown = text(ToolStarted("u", "t", "TodoWrite", {"todos": todos}))
    assert shown.endswith("☑ Find it  \n▶ Mend it  ")


def test_of_many_tasks_those_around_the_next_one_are_shown() -> None:
    tasks = tuple(
        TaskLine(str(n), f"t{n}", "completed" if n < 20 else "pending") for n in range(40)
    )
    shown, _ = render_card(replace(START, tasks=tasks), 100.0)
    lines = [line.strip() for line in shown.split("\n")[2:]]
    assert lines[:4] == ["… 18 before", "☑ t18", "☑ t19", "☐ t20"]
    assert lines[-1] == "… 10 more"


def test_unfinished_tasks_go_on_in_the_next_turn_and_finished_ones_do_not() -> None:
    open_tasks = (TaskLine("1", "a", "completed"), TaskLine("2", "b"))
    assert follow_up(replace(START, tasks=open_tasks)).tasks == open_tasks
    assert follow_up(replace(START, tasks=open_tasks[:1])).tasks == ()


def test_a_secret_is_masked_in_text_that_is_written_also_when_its_beginning_is_not_shown() -> None:
    key = "-----BEGIN PRIVATE KEY-----\n" + "".join(f"MIIE{n:04}ab\n" for n in range(200))
    shown, _ = render_card(card(wrote(f"The key:\n{key}")), 107.0, Redactor().redact_unfinished)
    assert "MIIE" not in shown and "The key:\n[masked]" in shown
    shown, _ = render_card(card(wrote("It is ghp_a1B2a1B2")), 107.0, Redactor().redact_unfinished)
    assert shown.endswith("It is …")


@pytest.mark.parametrize(
    ("before", "outcome", "after", "shown"),
    [
        ([], "done", [wrote("Now this", "m2")], "Now this"),
        ([wrote("First.", "m1")], "done", [wrote("Now this", "m2")], "Now this"),
        ([], "done", [wrote("First.", "m1")], ""),
        ([wrote("First.", "m1"), wrote("Now this", "m2")], "done", [], "Now this"),
        ([wrote("Cut off", "m2")], "stopped", [], ""),
    ],
    ids=["overtook", "one after the other", "late", "overtook the end", "never said"],
)
def test_text_that_overtakes_its_prompt_is_on_the_next_card(
    before: list[TextStreamed], outcome: Outcome, after: list[TextStreamed], shown: str
) -> None:
    first = end_card(card(*before, AnswerGiven("u", "First.", is_final=True)), outcome, 107.0)
    following = follow_up(first)
    for event in after:
        following = advance(following, event)
    begun = begin_card(following, 200.0)
    assert begun.text == shown
    assert begun.started_at == 200.0
    assert advance(begun, AnswerGiven("v", "First.", is_final=True)).told == ("First.",)


# --- the background -------------------------------------------------------------------------------

LAUNCHED = ended("t1", isAsync=True, agentId="a1", description="Look around")
AGENT = ToolStarted("u", "t1", "Agent", {"description": "Look around"})


def test_a_subagent_is_shown_until_it_ends() -> None:
    begun = SubagentStarted("s", "p", "a1", "general-purpose")
    assert text(AGENT, LAUNCHED, begun).endswith("🤖 Look around")
    assert text(AGENT, begun, LAUNCHED).endswith("🤖 Look around")
    assert text(AGENT, begun).endswith("🤖 general-purpose")
    assert "🤖" not in text(AGENT, LAUNCHED, SubagentEnded("s", "p", "a1"))


def test_claudes_own_notice_ends_what_ran_in_the_background() -> None:
    shell = card(bash(), ended("t1", backgroundTaskId="b9"))
    assert [task.kind for task in shell.background] == ["shell"]
    notice = PromptSubmitted("s", "p", "<task-notification>\n<task-id>b9</task-id>…", "id")
    assert card(notice, start=shell).background == ()


def test_stop_tells_what_still_runs() -> None:
    left = (BackgroundTask("b1", "shell", "sleep"),)
    assert card(AGENT, LAUNCHED, TurnEnded("s", "p", background=left)).background == left
    assert card(AGENT, LAUNCHED, TurnEnded("s", "p")).background != ()


# --- the end --------------------------------------------------------------------------------------


def test_at_the_end_one_line_sums_up() -> None:
    done = card(
        ToolStarted("u", "t1", "Edit", {}),
        ended("t1", "", EDIT),
        ToolStarted("u", "t2", "Write", {}),
        ended("t2", "", NEW),
        ToolStarted("u", "t3", "Edit", {}),
        ended("t3", "", EDIT),
        ContextMeasured("u", 160_000, "claude-opus-5-5"),
        TurnRecorded("u", 65.0),
    )
    assert render_card(end_card(done, "done", 300.0), 999.0) == (
        "✅ Done in 1 min 5 s · 3 tools · 2 files +6 −2 · context 160k (16 %)",
        "",
    )


@pytest.mark.parametrize(
    ("outcome", "shown"),
    [
        ("done", "✅ Done in 7 s"),
        ("failed", "❌ Failed after 7 s"),
        ("stopped", "⏹️ Stopped after 7 s"),
        ("died", "💥 Claude Code ended after 7 s"),
        ("unknown", "☑️ Ended after 7 s"),
    ],
)
def test_the_line_says_how_it_ended(outcome: Any, shown: str) -> None:
    assert render_card(end_card(START, outcome, 107.0), 0.0) == (shown, "")


def test_the_line_says_what_works_on() -> None:
    left = end_card(card(AGENT, LAUNCHED), "done", 107.0)
    assert "1 still running in the background" in render_card(left, 107.0)[0]


# --- whatever comes -------------------------------------------------------------------------------

names = st.sampled_from(["Bash", "Edit", "TodoWrite", "TaskCreate", "TaskUpdate", "Agent", "x_y"])
inputs = st.dictionaries(
    st.sampled_from(["command", "file_path", "todos", "status", "taskId", "description"]), anything
)
results = st.dictionaries(
    st.sampled_from(
        [*EDIT, "task", "statusChange", "agentId", "isAsync", "backgroundTaskId", "file"]
    ),
    anything,
)
ids = st.sampled_from(["1", "2", "3"])
events = st.one_of(
    st.builds(ToolStarted, st.just("u"), ids, names, inputs),
    st.builds(ToolEnded, st.just("u"), ids, st.booleans(), st.text(), results),
    st.builds(
        TextStreamed, st.just("s"), st.just("p"), ids, st.integers(0, 9), st.text(), st.booleans()
    ),
    st.builds(AnswerGiven, st.just("u"), st.text()),
    st.builds(SubagentStarted, st.just("s"), st.just("p"), ids, st.text()),
    st.builds(SubagentEnded, st.just("s"), st.just("p"), ids),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(events, max_size=20), st.sampled_from([None, "done"]))
def test_whatever_happens_a_card_is_one_message(happened: list[Event], outcome: Any) -> None:
    found = card(*happened)
    found = found if outcome is None else end_card(found, outcome, 200.0)
    shown, below = render_card(found, 200.0)
    pieces = render_pieces(Post("k", Chat("telegram", 1), shown, "card", details=below))
    assert len(pieces) == 1
    assert 0 < len(pieces[0].text.encode("utf-16-le")) <= 2 * 4096


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text("ab \n", min_size=1), min_size=1, max_size=6), st.integers())
def test_the_order_of_the_deltas_does_not_matter(deltas: list[str], seed: int) -> None:
    parts = [wrote(delta, index=index) for index, delta in enumerate(deltas)]
    shuffled = [*parts, *parts]
    Random(seed).shuffle(shuffled)
    assert text(*shuffled) == text(*parts)
