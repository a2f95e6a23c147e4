"""Reading a transcript from a place on, and without what was copied into it."""

from __future__ import annotations

import json
from pathlib import Path

from transcript_file import read_events

_SINCE = "2026-11-22T04:03:10.000123+00:00"


def answer(text: str, seconds: str) -> bytes:
    message = {"content": [{"type": "text", "text": text}]}
    at = f"2026-11-22T04:03:{seconds}Z"
    line = {"type": "assistant", "uuid": text, "message": message, "timestamp": at}
    return json.dumps(line).encode() + b"\n"


def test_what_a_fork_has_copied_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "transcript.jsonl"
    path.write_bytes(answer("old", "03.115") + answer("old, too", "09.999"))
    assert read_events(path, since=_SINCE) == []
    with path.open("ab") as file:
        file.write(answer("new", "16.006"))
    assert {getattr(event, "uuid", "new") for event in read_events(path, since=_SINCE)} == {"new"}


def test_reading_begins_at_a_place_and_without_a_file_there_is_nothing(tmp_path: Path) -> None:
    path = tmp_path / "transcript.jsonl"
    first = answer("one", "01.000")
    path.write_bytes(first + answer("two", "02.000"))
    assert {getattr(event, "uuid", "two") for event in read_events(path, len(first))} == {"two"}
    assert read_events(tmp_path / "none.jsonl") == [] and read_events(None) == []
