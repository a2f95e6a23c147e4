"""The transcript's lines: those that the real CLI wrote, and every way a line can be none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.events import (
    AnswerGiven,
    CommandAnswered,
    ContextCompacted,
    ContextMeasured,
    ErrorReported,
    LimitWaited,
    PromptRecorded,
    SummaryWritten,
    ToolEnded,
    ToolStarted,
    TranscriptEvent,
    TurnInterrupted,
    TurnRecorded,
)
from core.transcript import is_older, parse_line, strip_ansi

RECORDED = Path(__file__).parent / "fixtures" / "transcript-2.1.330.jsonl"
LINES = RECORDED.read_bytes().splitlines()

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
FIELDS = (
    *("type", "subtype", "uuid", "message", "content", "attachment", "promptSource"),
    *("isSidechain", "isMeta", "isCompactSummary", "isApiErrorMessage", "durationMs"),
)


def recorded() -> list[TranscriptEvent]:
    return [event for line in LINES for event in parse_line(line)]


def line(kind: str = "user", **fields: Any) -> bytes:
    return json.dumps({"type": kind, "uuid": "u", **fields}).encode()


def prompt_line(text: str, **fields: Any) -> bytes:
    return line(message={"role": "user", "content": text}, **fields)


def texts(kind: type[Any]) -> list[str]:
    return [event.text for event in recorded() if isinstance(event, kind)]


# --- what the real CLI wrote -------------------------------------------------------------------


def test_prompts_are_read_in_their_order_with_those_that_were_queued() -> None:
    prompts = [e.text for e in recorded() if isinstance(e, PromptRecorded) and e.command is None]
    assert prompts == [
        "hello",
        'tool Bash {"command":"ls note.txt","description":"list"}',
        'tool Bash {"command":"rm note.txt","description":"remove"}',
        "what does <command-name> mean?",
        "<bash-input>is a tag",
        "<local-command-caveat> too",
        "[Request interrupted by user]",
        "<command-name>/fake</command-name><command-args>a</command-args>",
        'tool Bash {"command":"sleep 2; ls","description":"wait"}',
        "said in the middle of a turn",
        "hold q",
        "queued text",
        "hold r",
        "fail 400",
        'tool Task {"description":"sub","prompt":"say sub done","subagent_type":"general-purpose"}',
        "after the clear",
    ]


def test_commands_are_read_with_their_arguments() -> None:
    commands = [e.command for e in recorded() if isinstance(e, PromptRecorded) and e.command]
    assert commands == [
        "/greet Bob",
        "/context",
        "/model",
        "/effort high",
        "!echo hi from shell",
        "/compact",
        "/clear",
    ]


def test_answers_are_read_and_those_of_sub_agents_are_not() -> None:
    answers = texts(AnswerGiven)
    assert answers[:3] == ["Echo: hello", "Echo: Say hello to Bob", "The tool said: note.txt"]
    assert answers[-1] == "Echo: after the clear"
    assert "sub done" not in answers


def test_what_a_local_command_printed_is_read_without_colours() -> None:
    printed = texts(CommandAnswered)
    assert printed[0].lstrip().startswith("Context usage")
    assert printed[1] == "Unknown command: /nosuchthing"
    assert printed[2] == "Kept model as `Opus 5.5 (default)`"
    assert printed[3].startswith("Set effort level to high")
    assert printed[4] == "hi from shell"
    assert printed[5].startswith("Compacted (ctrl+o to see full summary)")
    assert len(printed) == 6  # /clear prints nothing
    assert not any("\x1b" in text for text in printed)


def test_an_error_of_the_service_is_told_once() -> None:
    assert texts(ErrorReported) == ["API Error: 400 The stand-in was told to fail"]


def test_both_kinds_of_interruption_are_seen() -> None:
    assert sum(isinstance(event, TurnInterrupted) for event in recorded()) == 2


def test_turns_end_with_a_length_in_seconds() -> None:
    ends = [event.seconds for event in recorded() if isinstance(event, TurnRecorded)]
    assert len(ends) == 16
    assert all(0 < seconds < 60 for seconds in ends)


def test_every_event_has_an_identity_of_its_own() -> None:
    beside = ToolStarted | ToolEnded | ContextMeasured  # of the same line as an answer
    identities = [event.uuid for event in recorded() if not isinstance(event, beside)]
    assert len(identities) == len(set(identities))


def test_a_line_without_a_time_is_not_older_than_any() -> None:
    early, late = "2026-11-22T04:03:03.115Z", "2026-11-22T04:03:16.006Z"
    assert is_older(b'{"timestamp":"%s"}' % early.encode(), late)
    assert not is_older(b'{"timestamp":"%s"}' % late.encode(), late)
    for raw in (b'{"type":"mode"}', b'{"timestamp":1}', b'{"timestamp":""}', b"torn"):
        assert not is_older(raw, late)


# --- what a person typed -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "what does <command-name>/x</command-name> mean?",
        "see <local-command-stdout>this</local-command-stdout>",
        "a [Request interrupted by user] b",
    ],
)
def test_a_prompt_that_quotes_a_tag_is_a_prompt_for_older_versions_too(text: str) -> None:
    assert parse_line(prompt_line(text)) == [PromptRecorded("u", text)]


@pytest.mark.parametrize("source", ["typed", "queued", "suggestion_accepted", "not known yet"])
def test_what_a_person_typed_is_a_prompt_whatever_it_looks_like(source: str) -> None:
    for text in ("<bash-input>ls</bash-input>", "<command-name>/x</command-name>"):
        assert parse_line(prompt_line(text, promptSource=source)) == [PromptRecorded("u", text)]


def test_what_the_program_adds_is_no_prompt() -> None:
    assert parse_line(prompt_line("hint", isMeta=True)) == []
    assert parse_line(prompt_line("summary", isCompactSummary=True)) == [
        SummaryWritten("u", "summary")
    ]
    assert parse_line(prompt_line("to a sub-agent", isSidechain=True)) == []
    notice = "<task-notification>\n<task-id>a</task-id></task-notification>"
    assert parse_line(prompt_line(notice, promptSource="system")) == []
    assert parse_line(prompt_line(notice)) == []


def test_a_tool_result_is_no_prompt_even_with_text_beside_it() -> None:
    blocks = [{"type": "tool_result", "content": "x"}, {"type": "text", "text": "y"}]
    assert parse_line(line(message={"content": blocks})) == []


def test_an_answer_of_several_blocks_is_one() -> None:
    blocks = [
        {"type": "thinking", "thinking": "hm"},
        {"type": "text", "text": "one"},
        {"type": "text", "text": "two"},
        {"type": "tool_use", "name": "Bash"},
        {"type": "text", "text": 3},
        "text",
    ]
    found = parse_line(line("assistant", message={"content": blocks}))
    assert found == [AnswerGiven("u", "one\n\ntwo")]


def test_an_answer_of_white_space_is_none() -> None:
    assert parse_line(line("assistant", message={"content": " \n"})) == []


# --- what is no line ---------------------------------------------------------------------------


def test_an_unknown_kind_yields_nothing() -> None:
    assert parse_line(line("hologram", message={"content": "x"})) == []
    assert parse_line(line("system", subtype="new", content="x")) == []
    assert parse_line(line("attachment", attachment={"type": "new", "prompt": "x"})) == []
    notice = {"type": "queued_command", "prompt": "x", "commandMode": "task-notification"}
    assert parse_line(line("attachment", attachment=notice)) == []


def test_a_line_without_identity_yields_nothing() -> None:
    assert parse_line(prompt_line("x", uuid="")) == []


@pytest.mark.parametrize("number", range(0, len(LINES), 7))
def test_a_torn_line_yields_nothing(number: int) -> None:
    whole = LINES[number]
    assert all(parse_line(whole[:length]) == [] for length in range(0, len(whole), 13))


def test_fields_that_are_null_cost_no_answer() -> None:
    nothing = dict.fromkeys(
        ("isSidechain", "isMeta", "isCompactSummary", "isApiErrorMessage", "durationMs")
    )
    found = parse_line(line("assistant", message={"content": "x"}, **nothing))
    assert found == [AnswerGiven("u", "x")]
    ended = parse_line(line("system", subtype="turn_duration", durationMs=None))
    assert ended == [TurnRecorded("u", 0.0)]


def test_half_of_an_emoji_costs_no_answer() -> None:
    raw = rb'{"type":"assistant","uuid":"u","message":{"content":"cut \ud83d here \ud83d\ude00"}}'
    assert parse_line(raw) == [AnswerGiven("u", "cut \ufffd here \U0001f600")]
    escaped = rb'{"type":"assistant","uuid":"u","message":{"content":"a \\ud83d"},"x":"\udc00"}'
    assert parse_line(escaped) == [AnswerGiven("u", r"a \ud83d")]


def test_nesting_without_end_yields_nothing() -> None:
    assert parse_line(b'{"type":"user","uuid":"u","message":' + b"[" * 200_000) == []
    assert parse_line(b'{"a":' + b'{"a":' * 100_000 + b"1" + b"}" * 100_001) == []


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_no_bytes_raise(raw: bytes) -> None:
    assert parse_line(raw) == []
    assert not is_older(raw, "9")


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(FIELDS), JSON))
def test_no_json_raises_and_what_comes_out_can_be_written_down(fields: dict[str, Any]) -> None:
    for event in parse_line(json.dumps(fields).encode()):
        msgspec.json.encode(event)


@settings(deadline=None)
@given(st.sampled_from(LINES), st.integers(0, 100_000), st.binary(min_size=1, max_size=3))
def test_no_damage_to_a_real_line_raises(whole: bytes, at: int, damage: bytes) -> None:
    at %= len(whole) + 1
    for event in parse_line(whole[:at] + damage + whole[at + len(damage) :]):
        msgspec.json.encode(event)


# --- colours -----------------------------------------------------------------------------------


def test_escape_sequences_are_taken_out_and_nothing_else() -> None:
    coloured = "\x1b[1;38;5;9mred\x1b[0m \x1b]8;;http://x\x07link\x1b]8;;\x1b\\ \x1b(B\x0fend\x1bM"
    assert strip_ansi(coloured) == "red link end"


@settings(deadline=None)
@given(st.text())
def test_a_text_without_escapes_stays_as_it_is(text: str) -> None:
    if not {"\x1b", "\x0e", "\x0f"} & set(text):
        assert strip_ansi(text) == text


# --- tools, context ----------------------------------------------------------------------------


def tool_line(kind: str, content: list[Any], **fields: Any) -> list[TranscriptEvent]:
    usage = {"input_tokens": 1, "cache_creation_input_tokens": 20, "cache_read_input_tokens": 300}
    message = {"content": content, "model": "claude-x", "usage": usage if kind != "user" else None}
    return parse_line(
        json.dumps({"type": kind, "uuid": "u", "message": message, **fields}).encode()
    )


def test_a_tool_starts_with_what_it_is_given() -> None:
    block = {"type": "tool_use", "id": "t1", "name": "Bash", "input": {"command": "ls"}}
    assert tool_line("assistant", [block]) == [
        ToolStarted("u", "t1", "Bash", {"command": "ls"}),
        ContextMeasured("u", 321, "claude-x"),
    ]


def test_a_tool_ends_with_what_claude_reads_of_it() -> None:
    block = {"type": "tool_result", "tool_use_id": "t1", "content": "out", "is_error": False}
    ended = tool_line("user", [block], toolUseResult={"stdout": "out"})
    assert ended == [ToolEnded("u", "t1", False, "out", {"stdout": "out"})]


def test_a_tool_that_failed_says_so_and_has_no_result() -> None:
    content = [{"type": "text", "text": "Exit code 3"}]
    block = {"type": "tool_result", "tool_use_id": "t1", "content": content, "is_error": True}
    ended = tool_line("user", [block], toolUseResult="Error: Exit code 3")
    assert ended == [ToolEnded("u", "t1", True, "Exit code 3", {})]


@pytest.mark.parametrize("odd", [None, 1, "x", [], {"id": 1}, {"type": "tool_use", "id": "t"}])
def test_odd_blocks_of_tools_are_passed_over(odd: object) -> None:
    assert not [e for e in tool_line("assistant", [odd]) if isinstance(e, ToolStarted)]
    assert not tool_line("user", [odd, {"type": "tool_result"}])


def test_a_compaction_tells_who_wanted_it() -> None:
    line = {"type": "system", "subtype": "compact_boundary", "uuid": "u"}
    for trigger, metadata in (("auto", {"trigger": "auto"}), ("", None)):
        raw = json.dumps({**line, "compactMetadata": metadata}).encode()
        assert parse_line(raw) == [ContextCompacted("u", trigger)]


@pytest.mark.parametrize(
    ("stop_reason", "is_final"), [("end_turn", True), ("tool_use", False), (None, True), (3, True)]
)
def test_an_answer_that_a_tool_follows_is_not_final(stop_reason: Any, *, is_final: bool) -> None:
    message = {"content": [{"type": "text", "text": "Hi"}], "stop_reason": stop_reason}
    assert parse_line(line("assistant", message=message)) == [AnswerGiven("u", "Hi", is_final)]


def error_line(**fields: Any) -> bytes:
    message = {"model": "<synthetic>", "content": [{"type": "text", "text": "No."}]}
    return line("assistant", message=message, isApiErrorMessage=True, **fields)


@pytest.mark.parametrize(
    ("fields", "event"),
    [
        ({}, ErrorReported("u", "No.")),
        ({"error": "server_error"}, ErrorReported("u", "No.", "server_error")),
        (
            {"error": "rate_limit", "quotaLimits": {"resetsAt": 1795314417}},
            ErrorReported("u", "No.", "rate_limit", 1795314417.0),
        ),
        ({"error": 3, "quotaLimits": {"resetsAt": "soon"}}, ErrorReported("u", "No.")),
        ({"quotaLimits": {"resetsAt": 10**15}}, ErrorReported("u", "No.")),
        ({"quotaLimits": [1]}, ErrorReported("u", "No.")),
    ],
)
def test_an_error_says_of_which_kind_it_is_and_when_a_limit_ends(
    fields: dict[str, Any], event: ErrorReported
) -> None:
    assert parse_line(error_line(**fields)) == [event]


@pytest.mark.parametrize(
    ("text", "is_over"),
    [
        ("Usage limit reached · set to continue automatically at 2:26am", False),
        ("Usage limit reset · Continuing automatically", True),
    ],
)
def test_claude_says_that_it_waits_for_a_limit_and_goes_on(text: str, *, is_over: bool) -> None:
    found = parse_line(line("system", subtype="informational", content=text))
    assert found == [LimitWaited("u", text, is_over)]


def test_other_information_yields_nothing() -> None:
    assert parse_line(line("system", subtype="informational", content="Usage limit odd")) == []


@pytest.mark.parametrize(
    ("stamp", "at"),
    [
        ("2026-11-22T00:19:06.089Z", 1795306746.089),
        ("2026-11-22T01:19:06+01:00", 1795306746.0),
        ("yesterday", 0.0),
        (None, 0.0),
        (7, 0.0),
        ("0001-01-01T00:00:00+14:00", 0.0),
    ],
)
def test_an_event_says_when_it_was_if_its_line_does(stamp: Any, at: float) -> None:
    (event,) = parse_line(prompt_line("hello", timestamp=stamp))
    assert isinstance(event, PromptRecorded)
    assert event.at == pytest.approx(at)
