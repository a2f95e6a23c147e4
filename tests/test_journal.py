"""The journal on a real disk: damage costs the damaged record alone, a refusal costs nothing."""

from __future__ import annotations

import errno
import stat
import zlib
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import StoreError, StoreWriteError
from journal import Journal, Record
from tests.standins.watched_system import RefusingSystem


class Kept:
    """An owner that keeps every record, as the inbox and the outbox keep theirs."""

    def __init__(self, path: Path, **options: Any) -> None:
        self.path = path
        self.records: list[Record] = []
        self.journal = Journal(path, lambda: list(self.records), **options)
        self.records += self.journal.read()

    def append(self, *records: Record) -> None:
        self.journal.append(*records)
        self.records += records


def numbered(count: int) -> list[Record]:
    return [{"n": number, "text": f"{'x' * (number % 7)} é {{}}"} for number in range(count)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "test.journal"


def test_what_was_appended_is_read_again(path: Path) -> None:
    kept = Kept(path)
    kept.append({"a": 1})
    kept.append({"b": "two\nlines"}, {"c": None})
    assert Kept(path).records == [{"a": 1}, {"b": "two\nlines"}, {"c": None}]


def test_the_file_is_its_owners_alone(path: Path) -> None:
    Kept(path).append({"a": 1})
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_no_file_is_no_record(path: Path) -> None:
    assert Kept(path).records == []
    path.touch()
    assert Kept(path).records == []


def test_every_cut_keeps_the_records_before_it(path: Path) -> None:
    records = numbered(4)
    Kept(path).append(*records)
    whole = path.read_bytes()
    ends = [n + 1 for n, byte in enumerate(whole) if byte == 10]
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        found = Kept(path).records
        complete = sum(end <= length + 1 for end in ends)  # a lost newline costs no record
        assert found == records[:complete]


def test_every_flip_keeps_the_other_records(path: Path) -> None:
    records = numbered(4)
    Kept(path).append(*records)
    whole = path.read_bytes()
    for at in range(len(whole)):
        for flip in (0x01, 0x20, 0x80):
            path.write_bytes(whole[:at] + bytes([whole[at] ^ flip]) + whole[at + 1 :])
            number = whole[:at].count(b"\n")
            found = Kept(path).records
            assert [r for r in records if r["n"] != number] == [
                r for r in found if r["n"] != number
            ]


@settings(deadline=None, max_examples=150)
@given(
    st.lists(st.tuples(st.integers(0, 5000), st.binary(max_size=20)), max_size=4),
    st.integers(0, 5000),
)
def test_no_damage_raises_or_makes_a_record_up(
    damages: list[tuple[int, bytes]], length: int
) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "test.journal"
        records = numbered(8)
        Kept(path).append(*records)
        data = path.read_bytes()
        for at, damage in damages:
            at %= len(data)
            data = data[:at] + damage + data[at + len(damage) :]
        path.write_bytes(data[: length or len(data)])
        kept = Kept(path)
        assert [record for record in kept.records if record not in records] == []
        kept.append({"after": True})
        assert Kept(path).records == kept.records


def test_what_is_damaged_is_set_aside_once_and_the_file_mended_by_the_next_write(
    path: Path,
) -> None:
    Kept(path).append(*numbered(3))
    lines = path.read_bytes().split(b"\n")
    path.write_bytes(b"\n".join([lines[0], b"rubbish", lines[2], b""]))
    for _ in range(2):
        assert Kept(path).journal.damaged == 1
    kept = Kept(path)
    kept.append({"n": 9})
    (aside,) = path.parent.glob("test.damaged-*")
    assert aside.read_bytes() == b"rubbish\n"
    assert Kept(path).journal.damaged == 0
    assert [record["n"] for record in Kept(path).records] == [0, 2, 9]


@pytest.mark.parametrize("text", [b"[1]", b'"x"', b"{", b"", b"\xff", b'{"a":' * 100_000])
def test_a_line_that_checks_and_is_no_record_is_damaged(path: Path, text: bytes) -> None:
    path.write_bytes(b"%08x %b\n" % (zlib.crc32(text), text))
    kept = Kept(path)
    assert kept.records == []
    assert kept.journal.damaged == 1


def test_a_file_that_cannot_be_read_is_a_sentence(path: Path) -> None:
    path.mkdir()
    with pytest.raises(StoreError, match=r"test\.journal could not be read"):
        Kept(path)


@pytest.mark.parametrize("call", ["open", "write", "fsync", "replace"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EMFILE, errno.EACCES])
def test_a_refusal_keeps_nothing_and_the_next_append_goes_on(
    path: Path, call: str, number: int
) -> None:
    system = RefusingSystem(number)
    kept = Kept(path, system=system)
    if call != "replace":
        kept.append({"n": 0})
    before = list(kept.records)
    system.refuses = call
    for _ in range(3):
        if call == "open" and before:
            kept.journal.close()  # an open file is not opened again
        with pytest.raises(StoreWriteError):
            kept.append({"n": 1})
        assert Kept(path).records == before
    system.refuses = ""
    kept.append({"n": 2})
    assert Kept(path).records == [*before, {"n": 2}]
    assert [p for p in path.parent.iterdir() if p.name.endswith(".tmp")] == []


def test_after_a_failed_sync_the_file_is_another_one(path: Path) -> None:
    """The kernel may call pages clean that never reached the disk, so it can't be trusted."""
    system = RefusingSystem(errno.EIO)
    kept = Kept(path, system=system)
    kept.append({"n": 0})
    old = path.stat().st_ino
    system.refuses = "fsync"
    with pytest.raises(StoreWriteError):
        kept.append({"n": 1})
    system.refuses = ""
    kept.append({"n": 2})
    assert path.stat().st_ino != old
    assert Kept(path).records == [{"n": 0}, {"n": 2}]


def test_the_file_shrinks_to_what_still_matters(path: Path) -> None:
    matters: list[Record] = []
    journal = Journal(path, lambda: matters, rewrite_at=2000)
    for number in range(500):
        matters[:] = [{"n": number}]
        journal.append({"n": number})
    assert path.stat().st_size < 4000
    assert Journal(path, list).read()[-1] == {"n": 499}


def test_half_of_an_emoji_is_written_as_what_can_be_read(path: Path) -> None:
    kept = Kept(path)
    kept.append({"text": "cut \ud83d", "whole": "\U0001f600"})
    assert Kept(path).records == [{"text": "cut \ufffd", "whole": "\U0001f600"}]


@settings(deadline=None, max_examples=60)
@given(st.lists(st.dictionaries(st.text(max_size=5), st.text(max_size=20)), max_size=10))
def test_every_record_comes_back_as_it_was(records: list[Record]) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "test.journal"
        kept = Kept(path)
        for record in records:
            kept.append(record)
        assert Kept(path).records == records
        assert all(msgspec.json.encode(record) for record in records)
