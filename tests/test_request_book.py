"""request_book: open requests survive, and a damaged file costs nobody an answer."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from msgspec.structs import replace

from core.errors import StoreWriteError
from core.model import Chat
from request_book import RequestBook, RequestRecord
from tests.standins.watched_system import RefusingSystem


def record(request: str) -> RequestRecord:
    return RequestRecord(request, "s", Chat("telegram", 1), 7, f"request:{request}", "Bash ls")


def test_a_request_is_there_after_a_restart(tmp_path: Path) -> None:
    made = RequestBook(tmp_path).put(replace(record("r"), state={"at": 1, "written": {"0": "ü"}}))
    again = RequestBook(tmp_path)
    assert again.find("r") == made
    assert again.open == [made]
    assert stat.S_IMODE((tmp_path / "requests.json").stat().st_mode) == 0o600


def test_an_answered_request_keeps_its_answer_for_a_while(tmp_path: Path) -> None:
    book = RequestBook(tmp_path)
    book.put(record("open"))
    for number in range(150):
        book.put(replace(record(f"r{number}"), answer="{}"))
    assert book.find("r0") is None
    assert [r.request for r in RequestBook(tmp_path).answered][-1] == "r149"
    assert [r.request for r in book.open] == ["open"]


def test_a_forgotten_request_is_as_if_it_had_never_been(tmp_path: Path) -> None:
    book = RequestBook(tmp_path)
    book.put(record("r"))
    book.forget("r")
    assert RequestBook(tmp_path).find("r") is None


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"r":{"request":7}}', b"\xff"])
def test_a_damaged_file_is_set_aside(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "requests.json").write_bytes(data)
    book = RequestBook(tmp_path)
    assert book.open == []
    assert [path.read_bytes() for path in tmp_path.glob("requests.damaged-*")] == [data]
    book.put(record("r"))
    assert RequestBook(tmp_path).open


def test_a_refused_write_changes_nothing(tmp_path: Path) -> None:
    system = RefusingSystem()
    book = RequestBook(tmp_path, system=system)
    book.put(record("r"))
    system.refuses = "write"
    with pytest.raises(StoreWriteError):
        book.put(replace(record("r"), answer="{}"))
    assert book.open == [record("r")]
