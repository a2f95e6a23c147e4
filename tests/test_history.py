"""The histories: nothing twice, nothing lost, no secret on the disk; found again, page by page."""

from __future__ import annotations

import json
import os
import stat
import zlib
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InvalidSessionIdError
from core.events import (
    AnswerGiven,
    ContextMeasured,
    PromptRecorded,
    SummaryWritten,
    ToolEnded,
    ToolStarted,
    TurnInterrupted,
)
from core.history import (
    Author,
    Kind,
    Record,
    excerpt,
    find_best,
    page_after,
    page_before,
    parse_lines,
    read_event,
    render_line,
    render_page,
    split_turns,
    split_words,
    sum_up,
)
from core.redaction import MASK, Redactor
from history import Histories
from tests.standins.watched_system import RefusingSystem

ADA = Author("Ada", 7)
SECRET = "ghp_" + "a1B2" * 10
RECORD = Record("u1", 1000.0, "prompt", "hello", "Ada", 7)


def open_histories(tmp_path: Path, system: RefusingSystem | None = None) -> Histories:
    return Histories(
        tmp_path / "histories", redact=Redactor().redact, system=system or RefusingSystem()
    )


def record(number: int, text: str = "", kind: Kind = "answer", who: str = "Claude") -> Record:
    return Record(f"u{number}", float(number), kind, text or f"text {number}", who)


def file_of(tmp_path: Path, session_id: str = "one") -> Path:
    return tmp_path / "histories" / f"{session_id}.jsonl"


# --- records --------------------------------------------------------------------------------------


def test_a_record_says_who_said_what_when_and_as_which_agent() -> None:
    said = read_event(PromptRecorded("u", "hello", at=5.0), ADA)
    assert said == Record("u", 5.0, "prompt", "hello", "Ada", 7)
    answered = read_event(AnswerGiven("v", "hi", at=6.0), Author(""), agent="security")
    assert answered == Record("v", 6.0, "answer", "hi", "Claude", agent="security")


def test_a_tool_is_its_name_and_one_line() -> None:
    used = ToolStarted("u", "t", "Read", {"file_path": "/p/a/b.py"}, at=5.0)
    assert read_event(used, ADA, directory="/p") == Record("u:t", 5.0, "tool", "a/b.py", "Read")


def test_a_plan_that_was_approved_is_kept_whole() -> None:
    ended = ToolEnded("u", "t", is_error=False, text="approved", result={"plan": "# A\n1. do it"})
    found = read_event(ended, Author(""), now=5.0)
    assert found == Record("u:t", 5.0, "plan", "# A\n1. do it", "Claude")
    assert read_event(replace(ended, result={"stdout": "x"}), Author("")) is None


def test_an_event_that_does_not_say_when_is_from_now() -> None:
    found = read_event(TurnInterrupted("u"), Author(""), now=9.0)
    assert found is not None
    assert found.at == 9.0


def test_figures_are_no_history() -> None:
    assert read_event(ContextMeasured("u", 100, "opus"), Author("")) is None


def test_the_task_is_its_first_and_latest_wish_its_summary_and_its_figures() -> None:
    records = [
        record(1, "make it", "prompt", "Ada"),
        record(2, "ls", "tool", "Bash"),
        record(3, "a.py", "tool", "Read"),
        record(4, "pwd", "tool", "Bash"),
        record(5, "all so far", "summary"),
        record(6, "Allowed: ls", "decision", "Ada"),
        record(7, "test it", "prompt", "Ada"),
    ]
    task = sum_up(records)
    assert (task.first, task.latest, task.summary) == ("make it", "test it", "all so far")
    assert (task.turns, task.decisions, task.tools) == (2, 1, (("Bash", 2), ("Read", 1)))
    assert [len(turn) for turn in split_turns(records)] == [6, 1]


def test_a_summary_of_claudes_is_kept() -> None:
    found = read_event(SummaryWritten("u", "all so far", at=3.0), Author(""))
    assert found == Record("u", 3.0, "summary", "all so far", "Claude")


@given(st.text(), st.text())
def test_any_text_comes_back_from_its_line(text: str, who: str) -> None:
    made = Record("u", 1.5, "prompt", text, who)
    line = render_line(made)
    assert line.count(b"\n") == 1
    ((back,), _) = parse_lines(line)
    assert (back.key, back.at) == ("u", 1.5)
    if text.isprintable() and who.isprintable():
        assert back == made


@given(st.binary())
def test_any_bytes_can_be_read(data: bytes) -> None:
    parse_lines(data)


@pytest.mark.parametrize(
    "line",
    [
        b"{",
        b"null",
        b'{"key": "a"}',
        b'{"key":"u","at":1,"kind":"new kind","text":""}',
        b'{"key":"u","at":1e300,"kind":"prompt","text":""}',
    ],
)
def test_a_line_that_is_none_is_passed_over(line: bytes) -> None:
    assert parse_lines(line + b"\n" + render_line(RECORD)) == ([RECORD], 1)


# --- the file -------------------------------------------------------------------------------------


def test_what_was_noted_is_there_after_a_restart(tmp_path: Path) -> None:
    open_histories(tmp_path).note("one", [RECORD])
    assert open_histories(tmp_path).read("one") == [RECORD]


def test_what_is_told_twice_is_there_once(tmp_path: Path) -> None:
    histories = open_histories(tmp_path)
    histories.note("one", [record(1), record(2), record(1)])
    histories.note("one", [record(2), record(3)])
    histories = open_histories(tmp_path)
    histories.note("one", [record(1), record(3), record(4)])
    assert [found.key for found in histories.read("one")] == ["u1", "u2", "u3", "u4"]
    assert len(file_of(tmp_path).read_bytes().splitlines()) == 4


def test_a_torn_last_line_costs_that_record_alone(tmp_path: Path) -> None:
    open_histories(tmp_path).note("one", [record(1), record(2)])
    path = file_of(tmp_path)
    path.write_bytes(path.read_bytes()[:-9])
    histories = open_histories(tmp_path)
    histories.note("one", [record(3)])
    assert [found.key for found in histories.read("one")] == ["u1", "u3"]
    histories.note("one", [record(2)])
    assert [found.key for found in open_histories(tmp_path).read("one")] == ["u1", "u2", "u3"]


def test_a_line_of_an_earlier_version_is_believed_as_it_is() -> None:
    line = b'{"key":"u1","at":1000.0,"kind":"prompt","text":"hello","who":"Ada","person":7}\n'
    assert parse_lines(line + render_line(record(2))) == ([record(2), RECORD], 0)


def test_a_line_of_a_newer_version_is_no_damage() -> None:
    line = render_line(RECORD)[: -len(',"crc":"01234567"}\n')].replace(b"prompt", b"thought")
    sealed = line + b',"crc":"%08x"}\n' % zlib.crc32(line + b"}")
    assert parse_lines(sealed + render_line(record(2))) == ([record(2)], 0)


def test_no_flipped_bit_is_believed_and_none_costs_more_than_its_line() -> None:
    records = [record(number, f'"crc":"{number}"}} é') for number in range(3)]
    whole = b"".join(map(render_line, records))
    for at in range(len(whole)):
        for bit in range(8):
            data = whole[:at] + bytes([whole[at] ^ 1 << bit]) + whole[at + 1 :]
            found, damaged = parse_lines(data)
            number = whole[:at].count(b"\n")
            rest = [kept for kept in records if kept.key != f"u{number}"]
            assert found == records or (found == rest and damaged), (at, bit)


def test_a_damaged_line_stays_and_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    open_histories(tmp_path).note("one", [record(1), record(2)])
    path = file_of(tmp_path)
    damaged = path.read_bytes().replace(b"text 1", b"text 9")
    path.write_bytes(damaged)
    histories = open_histories(tmp_path)
    histories.note("one", [record(3)])
    assert [found.key for found in histories.read("one")] == ["u2", "u3"]
    assert path.read_bytes().startswith(damaged)
    assert histories.damaged == {"one": 1}
    assert caplog.text.count("1 damaged lines in the history one.jsonl") == 1
    histories.note("one", [record(1)])  # the transcript tells it once more
    assert [found.key for found in histories.read("one")] == ["u1", "u2", "u3"]


def test_secrets_do_not_touch_the_disk(tmp_path: Path) -> None:
    open_histories(tmp_path).note("one", [record(1, f"my token is {SECRET}, ada@example.org")])
    text = file_of(tmp_path).read_text()
    assert SECRET not in text
    assert MASK in text
    assert "ada@example.org" in text


def test_in_privacy_mode_personal_data_does_not_either(tmp_path: Path) -> None:
    histories = open_histories(tmp_path)
    histories.note("one", [record(1, f"{SECRET} ada@example.org")], is_private=True)
    assert [found.text for found in histories.read("one")] == [f"{MASK} {MASK}"]


def test_the_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    open_histories(tmp_path).note("one", [RECORD])
    path = file_of(tmp_path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("session_id", ["../one", "a/b", "", ".", "index"])
def test_only_a_plain_id_becomes_a_file(tmp_path: Path, session_id: str) -> None:
    with pytest.raises(InvalidSessionIdError):
        open_histories(tmp_path).note(session_id, [RECORD])


@pytest.mark.parametrize("call", ["open", "write", "fsync"])
def test_a_full_disk_holds_nothing_up_and_costs_nothing(tmp_path: Path, call: str) -> None:
    system = RefusingSystem()
    histories = open_histories(tmp_path, system)
    histories.note("one", [record(1)])
    system.refuses = call
    histories.note("one", [record(2)])
    histories.note("two", [record(3)])
    system.refuses = ""
    assert [found.key for found in histories.read("one")] == ["u1", "u2"]
    histories.note("one", [record(4)])
    again = open_histories(tmp_path)
    assert [found.key for found in again.read("one")] == ["u1", "u2", "u4"]
    assert [found.key for found in again.read("two")] == ["u3"]


def test_a_history_is_removed_for_good(tmp_path: Path) -> None:
    histories = open_histories(tmp_path)
    for name in ("one", "two", "three"):
        histories.note(name, [RECORD])
    histories.remove("one")
    histories.remove("never-there")
    histories.forget_others({"two"}, days=1)
    assert histories.has("three")
    os.utime(file_of(tmp_path, "three"), (0, 0))
    os.utime(file_of(tmp_path, "two"), (0, 0))
    histories.forget_others({"two"}, days=1)
    assert [path.name for path in (tmp_path / "histories").iterdir()] == ["two.jsonl"]
    histories.note("one", [RECORD])
    assert histories.read("one") == [RECORD]


@given(st.lists(st.text(max_size=20), min_size=1, max_size=6), st.data())
def test_wherever_a_crash_cuts_the_file_what_is_whole_before_stays(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("cut")
    lines = [render_line(record(number, text)) for number, text in enumerate(texts)]
    cut = data.draw(st.integers(0, sum(map(len, lines))))
    path = file_of(folder)
    path.parent.mkdir()
    path.write_bytes(b"".join(lines)[:cut])
    whole, length = 0, 0
    while whole < len(lines) and length + len(lines[whole]) - 1 <= cut:
        length += len(lines[whole])
        whole += 1
    histories = open_histories(folder)
    histories.note("one", [record(99, "after")])
    keys = [found.key for found in open_histories(folder).read("one")]
    assert keys == [*(f"u{number}" for number in range(whole)), "u99"]


# --- finding --------------------------------------------------------------------------------------


def test_a_session_is_found_when_every_word_is_somewhere_in_it(tmp_path: Path) -> None:
    histories = open_histories(tmp_path)
    histories.note("one", [record(1, "The Postgres upgrade"), record(2, "and nginx")])
    histories.note("two", [record(1, "postgres alone")])
    found = list(histories.search(["two", "gone", "one"], split_words("nginx POSTGRES")))
    assert [(name, best.key) for name, best in found] == [("one", "u2")]


def test_of_several_records_the_one_with_most_words_is_shown() -> None:
    records = [record(1, "red and blue"), record(2, "red"), record(3, "green")]
    best = find_best(records, ("red", "blue"))
    assert best is not None
    assert best.key == "u1"
    assert find_best(records, ("red", "yellow")) is None


@pytest.mark.parametrize(
    "word", ["Straße", 'say"so', "back\\slash", "ÉCOLE", "日本", "a/b", "gRÖße", "ÄÖÜäöüÄÖÜx"]
)
def test_words_of_all_kinds_are_found(tmp_path: Path, word: str) -> None:
    histories = open_histories(tmp_path)
    histories.note("one", [record(1, f"before {word} after")])
    for asked in (word, word.lower()):
        assert [name for name, _ in histories.search(["one"], split_words(asked))] == ["one"]


def test_an_excerpt_is_one_line_around_the_word() -> None:
    text = f"{'before ' * 50}\nthe needle\n{'after ' * 50}"
    shown = excerpt(text, ("needle",), 60)
    assert "needle" in shown
    assert shown.startswith("…")
    assert len(shown) <= 61
    assert excerpt("short needle", ("needle",), 60) == "short needle"


# --- pages ----------------------------------------------------------------------------------------

records_of = st.lists(st.integers(0, 4000), min_size=1, max_size=60).map(
    lambda lengths: [record(n, "x" * length) for n, length in enumerate(lengths)]
)


@given(records_of)
def test_the_pages_back_hold_every_record_once(records: list[Record]) -> None:
    end, seen = len(records), list[Record]()
    while end > 0:
        begin, end = page_before(records, end)
        assert begin < end
        seen = [*records[begin:end], *seen]
        end = begin
    assert seen == records


@given(records_of, st.integers(0, 60))
def test_the_page_behind_a_page_begins_where_that_ended(records: list[Record], at: int) -> None:
    begin, end = page_after(records, at)
    assert begin == min(at, len(records))
    assert end > begin or begin == len(records)
    assert len(render_page(records[begin:end], lambda at: "12:00")) <= 4096


def test_a_page_shows_who_said_what_with_the_tools_together() -> None:
    records = [
        record(1, "fix it", "prompt", "Ada"),
        record(2, "ls", "tool", "Bash"),
        record(3, "a.py", "tool", "Read"),
        record(4, "Allowed: Bash ls", "decision", "Ada"),
        record(5, "Done."),
    ]
    assert render_page(records, lambda at: f"12:0{at:.0f}") == (
        "12:01 Ada:\nfix it\n\n💻 Bash ls\n📖 Read a.py\n\n☑️ Allowed: Bash ls · Ada\n\n"
        "12:05 Claude:\nDone."
    )


def test_a_record_is_one_json_object_a_line(tmp_path: Path) -> None:
    open_histories(tmp_path).note("one", [RECORD])
    found = json.loads(file_of(tmp_path).read_text())
    assert found.pop("crc")
    assert found == {
        "key": "u1",
        "at": 1000.0,
        "kind": "prompt",
        "text": "hello",
        "who": "Ada",
        "person": 7,
    }
