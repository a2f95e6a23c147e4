"""Damaged and hostile files: whatever lies in the folder, no session is lost or lied about."""

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from core.session_file import FIELDS, MAX_BYTES, NewerSessionError, render_session
from session import Damage, Session, SessionStore


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "sessions"


@pytest.fixture
def store(folder: Path) -> SessionStore:
    return SessionStore(folder)


def ids(sessions: list[Session]) -> list[str]:
    return [session.session_id for session in sessions]


def put_file(folder: Path, session: Session, **changes: Any) -> Path:
    """Write the session's file as another program would, with some fields changed."""
    folder.mkdir(mode=0o700, exist_ok=True)
    record = json.loads(render_session({name: getattr(session, name) for name in FIELDS}))
    del record["crc"]
    path = folder / f"{session.session_id}.json"
    path.write_text(json.dumps(record | changes))
    return path


HOSTILE = {
    "empty": b"",
    "zeros": b"\0" * 300,
    "torn": b'{"v":1,"session_id":"bad","ch',
    "not an object": b"[]",
    "not UTF-8": b'{"v":1,"session_id":"\xff"}',
    "bottomless": b'{"v":1,"state":' + b"[" * 100_000,
    "no version": b'{"session_id":"bad"}',
    "a version that is a truth": b'{"v":true}',
    "doubled keys": b'{"v":1,"v":1}',
    "NaN": b'{"v":NaN}',
    "a long number": b'{"v":' + b"9" * 5000 + b"}",
    "huge": b" " * (MAX_BYTES + 1),
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_a_broken_file_is_set_aside_and_reported(folder: Path, content: bytes) -> None:
    with SessionStore(folder) as store:
        store.save(Session("good", 1))
    (folder / "bad.json").write_bytes(content)
    reported: list[Damage] = []
    store = SessionStore(folder, on_damage=reported.append)
    assert store.load("bad") is None
    assert ids(store.list_sessions()) == ["good"]
    (damage,) = store.damaged
    assert reported == [damage]
    assert damage.name == "bad.json"
    assert damage.reason
    assert damage.place.parent == folder / "quarantine"
    assert damage.place.read_bytes() == content
    assert not (folder / "bad.json").exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"session_id": "other"},
        {"session_id": 7},
        {"chat_id": None},
        {"created_at": "never"},
        {"state": "text"},
        {"state": {"bound_at": 1}},
        {"extra": 1},
        {"v": "1"},
        {"crc": "00000000"},
        {"crc": 0},
    ],
    ids=str,
)
def test_a_file_that_says_something_wrong_is_set_aside(
    folder: Path, changes: dict[str, Any]
) -> None:
    put_file(folder, Session("bad", 1), **changes)
    store = SessionStore(folder)
    assert [damage.name for damage in store.damaged] == ["bad.json"]
    assert store.list_sessions() == []


def test_a_file_edited_by_hand_says_how_to_put_it_back(store: SessionStore, folder: Path) -> None:
    store.save(Session("a", 1, "old-name"))
    path = folder / "a.json"
    path.write_text(path.read_text().replace("old-name", "new-name"))
    assert store.load("a") is None
    (damage,) = store.damaged
    assert 'take out its "crc"' in damage.reason
    record = json.loads(damage.place.read_text())
    del record["crc"]
    path.write_text(json.dumps(record, indent=4))
    found = store.load("a")
    assert found is not None
    assert found.tmux_session == "new-name"


def make_link(path: Path) -> None:
    path.symlink_to(path.with_name("good.json"))


def make_folder(path: Path) -> None:
    path.mkdir()
    (path / "content").touch()


@pytest.mark.parametrize(
    "make", [make_link, make_folder, os.mkfifo], ids=lambda make: make.__name__
)
@pytest.mark.parametrize("name", ["bad.json", "index.json", "index.log"])
def test_what_is_no_regular_file_is_not_followed(folder: Path, make: Any, name: str) -> None:
    SessionStore(folder).save(Session("good", 1))
    (folder / name).unlink(missing_ok=True)
    make(folder / name)
    with SessionStore(folder) as store:
        assert store.load("bad") is None
        store.save(Session("bad", 1))
        assert sorted(ids(store.list_sessions())) == ["bad", "good"]
    assert stat.S_ISREG((folder / name).lstat().st_mode)


def test_a_name_that_is_no_session_id_is_set_aside(folder: Path) -> None:
    put_file(folder, Session("a", 1)).rename(folder / "not an id\n\udcff.json")
    store = SessionStore(folder)
    assert [damage.name for damage in store.damaged] == ["not_an_id__.json"]
    assert store.list_sessions() == []


def test_damage_never_overwrites_earlier_damage(store: SessionStore, folder: Path) -> None:
    for content in (b"1", b"2", b"3"):
        store.save(Session("a", 1))
        (folder / "a.json").write_bytes(content)
        assert store.load("a") is None
    assert [damage.place.read_bytes() for damage in store.damaged] == [b"1", b"2", b"3"]


def test_saving_over_an_unnoticed_broken_file_sets_it_aside_first(
    store: SessionStore, folder: Path
) -> None:
    store.save(Session("a", 1))
    (folder / "a.json").write_bytes(b"broken")
    store.save(Session("a", 2))
    assert store.load_by_chat(2) == store.load("a")
    assert [damage.place.read_bytes() for damage in store.damaged] == [b"broken"]


def test_a_file_of_a_newer_version_is_reported_and_left_alone(folder: Path) -> None:
    path = put_file(folder, Session("a", 1), v=2, news="from the future")
    content = path.read_bytes()
    store = SessionStore(folder)
    assert [(damage.name, damage.place) for damage in store.damaged] == [("a.json", path)]
    assert store.list_sessions() == []
    for call in (store.load, store.delete, lambda id_: store.save(Session(id_, 1))):
        with pytest.raises(NewerSessionError, match="update"):
            call("a")
    assert path.read_bytes() == content


def test_a_session_file_cut_off_anywhere_is_set_aside(store: SessionStore, folder: Path) -> None:
    session = Session("a", 1, "claude-a", state={"topic": 7})
    store.save(session)
    whole = (folder / "a.json").read_bytes()
    for length in range(len(whole) - 1):
        (folder / "a.json").write_bytes(whole[:length])
        assert store.load("a") is None
        assert store.damaged[-1].place.read_bytes() == whole[:length]
    assert len(store.damaged) == len(whole) - 1
    (folder / "a.json").write_bytes(whole[:-1])  # nothing but the last newline is missing
    assert store.load("a") == session


def test_a_flipped_bit_in_a_session_file_is_noticed(store: SessionStore, folder: Path) -> None:
    session = Session("a", 1, "claude-a", state={"topic": 7, "n": [1.5, True, None, "é"]})
    store.save(session)
    whole = (folder / "a.json").read_bytes()
    for position in range(len(whole)):
        for bit in range(8):
            flipped = bytearray(whole)
            flipped[position] ^= 1 << bit
            (folder / "a.json").write_bytes(flipped)
            assert was_noticed(store, session), (position, bit)


def was_noticed(store: SessionStore, session: Session) -> bool:
    """Whether the file is damage, of a newer version, or only spelled differently."""
    found_before = len(store.damaged)
    try:
        found = store.load(session.session_id)
    except NewerSessionError:
        return True
    return found == session or (found is None and len(store.damaged) > found_before)


def test_a_cut_off_or_altered_index_tells_no_lies(folder: Path) -> None:
    with SessionStore(folder) as store:
        for number in range(2):
            store.save(Session(f"s{number}", number, state={"topic": number}))
            store.bind(f"s{number}")
        expected = store.list_sessions()
    index = folder / "index.json"
    whole = index.read_bytes()
    flips = [whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :] for at in range(len(whole))]
    for content in flips + [whole[:length] for length in range(len(whole))]:
        index.write_bytes(content)
        store = SessionStore(folder)
        assert store.list_sessions() == expected
        assert [store.find_current(n, topic=n) for n in (1, 0)] == expected
        assert store.damaged == ()


def test_a_log_of_changes_with_a_flipped_bit_hides_nothing(
    store: SessionStore, folder: Path
) -> None:
    store.save(Session("first-session", 1))
    log = folder / "index.log"
    size = log.stat().st_size
    for at in range(size, 2 * size):
        log.write_bytes(log.read_bytes()[:size])
        other = SessionStore(folder)
        changed = store.edit("first-session", lambda s: Session(s.session_id, s.chat_id))
        data = log.read_bytes()
        with log.open("r+b") as opened:
            opened.seek(at)
            opened.write(bytes([data[at] ^ 2]))
        assert other.load_by_chat(1) == changed


def test_a_log_of_changes_cut_off_anywhere_hides_nothing_done_since(
    store: SessionStore, folder: Path
) -> None:
    store.save(Session("first-session", 1))
    store.save(Session("second-session", 1))
    whole = (folder / "index.log").read_bytes()
    for length in range(len(whole)):
        other = SessionStore(folder)
        os.truncate(folder / "index.log", length)
        changed = store.edit("first-session", lambda s: Session(s.session_id, s.chat_id))
        assert other.load_by_chat(1) == changed
