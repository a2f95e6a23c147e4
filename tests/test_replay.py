"""What Claude is told of a lost conversation: bounded, the latest in full, nothing split."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from core.history import Kind, Record
from core.replay import PART_UNITS, make_replay

FILE = "/files/in/history-of-this-session.md"
LIMIT = 10_000
"""Characters (UTF-16 units) of one hook's words that Claude Code 2.1.330 passes on."""


def when(at: float) -> str:
    return f"12:{at:02.0f}"


def turn(number: int, question: str = "", answer: str = "") -> list[Record]:
    return [
        Record(f"p{number}", number, "prompt", question or f"question {number}", "Ada", 7),
        Record(f"t{number}", number, "tool", f"ls {number}", "Bash"),
        Record(f"a{number}", number, "answer", answer or f"answer {number}", "Claude"),
    ]


def units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def test_a_short_conversation_is_replayed_in_full() -> None:
    records = [
        *turn(1),
        Record("d", 1.5, "decision", "Allowed: Bash rm -rf build", "Ada", 7),
        *turn(2),
    ]
    replay = make_replay(records, when, FILE)
    (part,) = replay.parts
    for said in ("question 1", "answer 1", "question 2", "answer 2", "Allowed: Bash rm -rf", FILE):
        assert said in part
    assert "(You used Bash: ls 2)" in part
    assert "You, 12:02:\nanswer 2" in part
    assert replay.told == (
        "Claude Code's own transcript of this session was lost. This is a replay of what the "
        "bridge had noted: the task, 1 decision and all 2 turns. "
        "Claude can read the whole in a file."
    )


def test_of_a_long_one_the_last_turns_are_in_full_and_the_chat_is_told_how_many() -> None:
    records = [record for n in range(100) for record in turn(n, answer=f"{n} " * 500)]
    replay = make_replay(records, when, FILE)
    whole = "\n".join(replay.parts)
    assert "question 99" in whole
    assert "question 1\n" not in whole
    assert "It began with: question 0" in whole
    shown = whole.count("(You used Bash")
    assert f"the task and the last {shown} turns in full" in replay.told
    assert 5 < shown < 100


def test_claudes_own_last_summary_is_part_of_it() -> None:
    records = [*turn(1), Record("s", 2, "summary", "We built a boat.", "Claude"), *turn(3)]
    assert "We built a boat." in make_replay(records, when, FILE).parts[0]


def test_a_last_turn_that_is_too_long_is_cut_in_its_middle() -> None:
    replay = make_replay(turn(1, answer=f"BEGIN {'x' * 100_000} END"), when, FILE)
    whole = "\n".join(replay.parts)
    assert "BEGIN" in whole
    assert "END" in whole
    assert "cut here" in whole


texts = st.text(max_size=200) | st.sampled_from(["x" * 30_000, "😀" * 12_000, "a\n" * 9_000])
kinds: list[Kind] = ["prompt", "command", "answer", "tool", "decision", "summary", "error"]
records_of = st.lists(
    st.builds(
        Record,
        key=st.uuids().map(str),
        at=st.floats(0, 59),
        kind=st.sampled_from(kinds),
        text=texts,
        who=st.sampled_from(["Ada", "Claude", "terminal", ""]),
    ),
    max_size=12,
)


@given(records_of)
def test_no_part_is_longer_than_claude_code_takes(records: list[Record]) -> None:
    replay = make_replay(records, when, FILE)
    assert replay.told
    assert 1 <= len(replay.parts) <= 8
    for part in replay.parts:
        assert units(part) <= PART_UNITS < LIMIT


@given(records_of)
def test_nothing_is_lost_between_the_parts(records: list[Record]) -> None:
    parts = make_replay(records, when, FILE).parts
    if len(parts) > 1:
        assert [part.partition("\n")[0] for part in parts] == [
            f"[part {n} of {len(parts)}]" for n in range(1, len(parts) + 1)
        ]


def test_when_only_a_part_was_lost_the_chat_is_told_so() -> None:
    told = make_replay(turn(1), when, FILE, is_mended=True).told
    assert told.startswith("A part of Claude Code's own transcript of this session was lost.")
