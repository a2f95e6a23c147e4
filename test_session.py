"""The contract of the session store, on the real thing in a scratch folder."""

from tests.own_python import use_own_python

if __name__ == "__main__":
    use_own_python()

import stat
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from core.errors import (
    ConfigError,
    InvalidSessionIdError,
    SessionNotFoundError,
    StoreError,
    StoreWriteError,
)
from core.session_file import MAX_BYTES, InvalidSessionError
from session import Session, SessionStore, get_session_store, session_directory, utc_now

ROOT = Path(__file__).resolve().parent
COUNTING = """
import concurrent.futures, dataclasses, sys
from session import SessionStore

def count(_):
    for _ in range(int(sys.argv[3])):
        store.edit("counter", lambda s: dataclasses.replace(s, state={"n": s.state["n"] + 1}))

store, threads = SessionStore(sys.argv[1]), int(sys.argv[2])
with concurrent.futures.ThreadPoolExecutor(threads) as pool:
    list(pool.map(count, range(threads)))
"""


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, 12, tzinfo=UTC)

    def __call__(self) -> str:
        return self.now.isoformat(timespec="microseconds")

    def move(self, **by: float) -> None:
        self.now += timedelta(**by)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "sessions"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(folder: Path, clock: Clock) -> Iterator[SessionStore]:
    with SessionStore(folder, clock=clock) as store:
        yield store


def ids(sessions: list[Session]) -> list[str]:
    return [session.session_id for session in sessions]


def active(session_id: str, minute: int, chat: int | str = 1, **state: Any) -> Session:
    return Session(session_id, chat, last_activity=f"2026-01-01T12:{minute:02}:00Z", state=state)


# What a session is


def test_only_the_id_and_the_chat_of_a_session_must_be_given() -> None:
    before, session, after = utc_now(), Session("a", 7), utc_now()
    assert (session.tmux_session, session.state) == ("", {})
    assert before <= session.created_at <= session.last_activity <= after


@pytest.mark.parametrize(
    "wrong",
    [
        {"chat_id": None},
        {"chat_id": True},
        {"chat_id": 1.5},
        {"chat_id": ""},
        {"chat_id": 2**64},
        {"chat_id": "\ud800"},
        {"tmux_session": None},
        {"created_at": 0},
        {"created_at": "yesterday"},
        {"last_activity": "2026-01-01T12:00:00+02:00"},
        {"state": []},
        {"state": {1: 2}},
        {"state": {"a": (1, 2)}},
        {"state": {"a": float("nan")}},
        {"state": {"a": float("inf")}},
        {"state": {"a": 2**63}},
        {"state": {"a": {1, 2}}},
        {"state": {"topic": True}},
        {"state": {"topic": []}},
        {"state": {"bound_at": "now"}},
    ],
)
def test_a_session_refuses_what_could_not_be_read_back(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidSessionError):
        Session("a", **{"chat_id": 1, **wrong})


def test_a_state_that_goes_round_in_circles_is_refused() -> None:
    state: dict[str, Any] = {}
    state["itself"] = state
    with pytest.raises(InvalidSessionError):
        Session("a", 1, state=state)


BAD_IDS = [
    "", ".", "..", "a/b", "../a", "/etc/passwd", "a.json", "a b", "a\n", "a\0", "-a", "_a", "é",
    "٣", "a" * 129, "index", "INDEX", None, 7, b"a",
]  # fmt: skip


@pytest.mark.parametrize("bad", BAD_IDS)
def test_an_id_that_is_not_plain_is_refused_everywhere(store: SessionStore, bad: Any) -> None:
    with pytest.raises(InvalidSessionIdError):
        Session(bad, 1)
    for call in (store.load, store.delete, store.bind, store.update_activity):
        with pytest.raises(InvalidSessionIdError):
            call(bad)


# Saving and finding


def test_what_was_not_there_is_loaded_by_every_store_once_saved(
    store: SessionStore, folder: Path
) -> None:
    state = {"project": "/home/ü", "topic": 7, "deep": [{"x": None, "y": 1.5}], "half": "\ud83d"}
    session = Session("a-1_B", -100123, "claude-1", state=state)
    assert store.load("a-1_B") is None
    store.save(session)
    assert store.load("a-1_B") == session
    assert SessionStore(folder).load("a-1_B") == session


def test_saving_again_replaces(store: SessionStore) -> None:
    store.save(Session("a", 1, state={"n": 1}))
    store.save(Session("a", 2, state={"n": 2}))
    found = store.load("a")
    assert found is not None
    assert found.state == {"n": 2}
    assert store.load_by_chat(1) is None
    assert ids(store.list_sessions()) == ["a"]


def test_a_chat_finds_its_most_recently_active_session(store: SessionStore) -> None:
    for session in (active("a", 1), active("b", 3), active("c", 2), active("d", 4, chat=2)):
        store.save(session)
    assert store.load_by_chat(1) == store.load("b")
    assert store.load_by_chat("1") == store.load("b")
    assert store.load_by_chat(3) is None


def test_each_topic_of_a_chat_has_sessions_of_its_own(store: SessionStore) -> None:
    for session in (active("a", 1), active("b", 2, topic=7), active("c", 3, topic="8")):
        store.save(session)
    for topic, expected in ((None, "a"), (7, "b"), ("7", "b"), (8, "c")):
        assert store.load_by_chat(1, topic=topic) == store.load(expected)
    assert store.load_by_chat(1, topic=9) is None


def test_the_list_begins_with_the_most_recent_activity(store: SessionStore) -> None:
    for minute, session_id in ((2, "b"), (1, "a"), (3, "c")):
        store.save(active(session_id, minute, chat="odd" if minute % 2 else "even"))
    assert ids(store.list_sessions()) == ["c", "b", "a"]
    assert ids(store.list_sessions(chat_id="odd")) == ["c", "a"]
    assert ids(store.list_sessions(limit=2)) == ["c", "b"]


def test_times_are_compared_as_times_whatever_their_spelling(store: SessionStore) -> None:
    for session_id, spelling in (("a", "2026-01-01T12:00:00.5+00:00"), ("b", "20260101T120001Z")):
        store.save(Session(session_id, 1, last_activity=spelling))
    assert ids(store.list_sessions()) == ["b", "a"]


def test_a_deleted_session_is_gone_for_good(store: SessionStore, folder: Path) -> None:
    store.save(Session("a", 1))
    assert store.delete("a") is True
    assert store.delete("a") is False
    assert store.load("a") is None
    assert SessionStore(folder).list_sessions() == []


def test_ids_that_differ_by_case_only_are_refused(store: SessionStore) -> None:
    store.save(Session("abc", 1))
    with pytest.raises(InvalidSessionIdError):
        store.save(Session("ABC", 1))
    assert store.load("ABC") is None
    assert store.delete("ABC") is False
    store.delete("abc")
    store.save(Session("ABC", 1))


def test_a_state_changed_for_the_worse_is_refused_when_it_is_saved(store: SessionStore) -> None:
    session = Session("a", 1)
    store.save(session)
    session.state["bad"] = object()
    with pytest.raises(InvalidSessionError):
        store.save(session)
    assert store.load("a") == Session("a", 1, "", session.created_at, session.last_activity)


def test_a_session_too_large_to_read_is_not_written(store: SessionStore) -> None:
    with pytest.raises(InvalidSessionError, match="too large"):
        store.save(Session("a", 1, state={"text": "x" * MAX_BYTES}))
    assert store.load("a") is None


# Changing


def test_an_edit_that_raises_changes_nothing(store: SessionStore) -> None:
    store.save(Session("a", 1, state={"n": 1}))

    def fail(session: Session) -> Session:
        session.state["n"] = 2
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        store.edit("a", fail)
    found = store.load("a")
    assert found is not None
    assert found.state == {"n": 1}


def test_an_edit_cannot_give_another_id(store: SessionStore) -> None:
    store.save(Session("a", 1))
    with pytest.raises(InvalidSessionError):
        store.edit("a", lambda session: replace(session, session_id="b"))
    assert ids(store.list_sessions()) == ["a"]


def test_changing_an_unknown_session_is_an_error(store: SessionStore) -> None:
    for call in (store.update_activity, store.bind, lambda id_: store.edit(id_, lambda s: s)):
        with pytest.raises(SessionNotFoundError):
            call("nobody")


def test_activity_moves_a_session_to_the_front(store: SessionStore, clock: Clock) -> None:
    for minute, session_id in ((1, "a"), (2, "b")):
        store.save(active(session_id, minute))
    clock.move(minutes=3)
    assert store.update_activity("a").last_activity == clock()
    assert store.load_by_chat(1) == store.load("a")


def test_activity_never_goes_backwards_with_the_clock(store: SessionStore, clock: Clock) -> None:
    store.save(active("a", 30))
    clock.move(days=-1)
    assert store.update_activity("a").last_activity == "2026-01-01T12:30:00Z"


def test_no_increment_of_many_processes_and_threads_is_lost(
    store: SessionStore, folder: Path
) -> None:
    store.save(Session("counter", 1, state={"n": 0}))
    command = [sys.executable, "-c", COUNTING, str(folder), "4", "5"]
    children = [subprocess.Popen(command, cwd=ROOT) for _ in range(4)]
    assert [child.wait(60) for child in children] == [0] * 4
    found = store.load_by_chat(1)
    assert found is not None
    assert found.state == {"n": 4 * 4 * 5}


def test_threads_may_share_a_store(store: SessionStore) -> None:
    def work(number: int) -> None:
        for turn in range(10):
            store.save(Session(f"s{number}-{turn}", number))
            store.list_sessions(limit=3)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert len(store.list_sessions()) == 80


def test_two_stores_see_each_others_changes_at_once(store: SessionStore, folder: Path) -> None:
    other = SessionStore(folder)
    store.save(active("a", 1))
    assert other.load_by_chat(1) == store.load("a")
    other.save(active("b", 2))
    assert ids(store.list_sessions()) == ["b", "a"]
    other.delete("b")
    assert ids(store.list_sessions()) == ["a"]
    other.bind("a")
    assert store.find_current(1) == other.load("a")


def test_a_lost_log_of_changes_hides_nothing(store: SessionStore, folder: Path) -> None:
    other = SessionStore(folder)
    for turn, session_id in enumerate("abc"):
        store.save(active(session_id, turn))
        (folder / "index.log").unlink()
        assert other.load_by_chat(1) == store.load(session_id)
    (folder / "index.log").write_bytes(b"\0\0../../x\n\n" * 9)
    store.save(active("d", 9))
    assert ids(other.list_sessions()) == list("dcba")


def test_a_long_log_of_changes_begins_anew_unnoticed(store: SessionStore, folder: Path) -> None:
    other = SessionStore(folder)
    long_id = "x" * 128
    for number in range(1020):
        store.save(Session(long_id, number))
        if number == 1:
            assert ids(other.list_sessions()) == [long_id]
    assert (folder / "index.log").stat().st_size < 10_000
    assert other.load_by_chat(1019) == store.load(long_id)
    other.save(Session("a", 1))
    assert store.load_by_chat(1) == other.load("a")


# The current session of a chat


def test_a_chat_without_a_binding_has_no_current_session(store: SessionStore) -> None:
    store.save(active("a", 1))
    assert store.find_current(1) is None


def test_the_current_session_is_the_one_bound_last(store: SessionStore, clock: Clock) -> None:
    for minute, session_id in ((1, "a"), (2, "b"), (3, "c")):
        store.save(active(session_id, minute))
    store.bind("b")
    clock.move(days=-1)
    store.bind("a")
    store.update_activity("b")
    assert store.find_current(1) == store.load("a")
    assert store.find_current("1") == store.load("a")
    assert store.find_current(1, topic=7) is None


def test_each_topic_has_its_own_current_session(store: SessionStore) -> None:
    for session in (active("a", 1), active("b", 2, topic=7)):
        store.save(session)
        store.bind(session.session_id)
    assert store.find_current(1) == store.load("a")
    assert store.find_current(1, topic=7) == store.load("b")


def test_a_binding_outlives_saves_of_older_copies(store: SessionStore, folder: Path) -> None:
    stale = active("a", 1)
    store.save(stale)
    store.bind("a")
    store.save(stale)
    store.edit("a", lambda session: replace(session, state={}))
    assert SessionStore(folder).find_current(1) == store.load("a") != stale


def test_a_copy_under_another_id_does_not_inherit_the_binding(store: SessionStore) -> None:
    store.save(active("a", 1))
    store.save(replace(store.bind("a"), session_id="b"))
    assert store.find_current(1) == store.load("a")


def test_a_deleted_current_session_gives_way_to_the_one_before(store: SessionStore) -> None:
    for session_id in ("a", "b"):
        store.save(active(session_id, 1))
        store.bind(session_id)
    store.delete("b")
    assert store.find_current(1) == store.load("a")


# Cleaning up


def test_only_what_is_old_and_spare_is_cleaned_up(store: SessionStore, clock: Clock) -> None:
    for session_id in ("old", "current", "awake", "fresh"):
        store.save(active(session_id, 0))
    store.bind("current")
    clock.move(days=30, minutes=1)
    store.update_activity("fresh")
    assert store.cleanup_old_sessions(30, keep={"awake"}) == ["old"]
    assert sorted(ids(store.list_sessions())) == ["awake", "current", "fresh"]
    assert store.cleanup_old_sessions(30, keep=lambda id_: id_ == "awake") == []
    assert store.cleanup_old_sessions(30) == ["awake"]


def test_an_age_that_makes_no_sense_is_refused(store: SessionStore) -> None:
    for age in (-1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="max_age_days"):
            store.cleanup_old_sessions(age)


# The folder


def test_only_the_owner_can_read_what_is_stored(folder: Path) -> None:
    folder.mkdir(mode=0o755)
    with SessionStore(folder) as store:
        store.save(Session("a", 1))
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert modes == dict.fromkeys([".lock", "a.json", "index.json", "index.log"], 0o600)


def test_a_folder_that_cannot_be_one_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError):
        SessionStore(tmp_path / "file")


def test_leftover_temporary_files_are_swept_when_the_store_opens(folder: Path) -> None:
    folder.mkdir()
    leftover, foreign = folder / ".a.json.0123456789abcdef.tmp", folder / ".a.json.swp"
    leftover.touch()
    foreign.touch()
    SessionStore(folder)
    assert (leftover.exists(), foreign.exists()) == (False, True)


def test_a_lock_that_is_never_released_is_an_error(folder: Path) -> None:
    with SessionStore(folder) as holder:
        holder.save(Session("a", 1))
        impatient = SessionStore(folder, lock_timeout=0)

        def change(session: Session) -> Session:
            with pytest.raises(StoreWriteError, match="locked"):
                impatient.save(Session("b", 1))
            assert impatient.load("a") == session
            return session

        holder.edit("a", change)
        impatient.save(Session("b", 1))


@pytest.mark.parametrize(
    "content", [None, b"", b"{}", b"[" * 100_000, b'{"v":2,"crc":"","rows":[]}']
)
def test_an_index_that_is_lost_or_broken_is_built_anew(folder: Path, content: bytes | None) -> None:
    with SessionStore(folder) as store:
        store.save(active("a", 1))
        store.bind("a")
    index = folder / "index.json"
    good = index.read_bytes()
    index.unlink()
    if content is not None:
        index.write_bytes(content)
    with SessionStore(folder) as store:
        assert store.find_current(1) == store.load("a")
        assert store.damaged == ()
    assert index.read_bytes() == good


def test_an_index_from_the_past_is_not_believed(folder: Path) -> None:
    with SessionStore(folder) as store:
        for minute, session_id in enumerate("abc"):
            store.save(active(session_id, minute))
    old_index = (folder / "index.json").read_bytes()
    with SessionStore(folder) as store:
        store.save(active("a", 9))
        store.delete("c")
    (folder / "index.json").write_bytes(old_index)
    assert ids(SessionStore(folder).list_sessions()) == ["a", "b"]


# The one store of the process


def test_the_folder_follows_the_environment() -> None:
    def directory(**environ: str) -> str:
        return str(session_directory(environ))

    assert directory() == str(Path.home() / ".claude/sessions/telegram")
    assert directory(CLAUDE_CONFIG_DIR="/c") == "/c/sessions/telegram"
    assert directory(CLAUDE_CONFIG_DIR="/c", BRIDGE_STATE_DIR="/s") == "/s"
    with pytest.raises(ConfigError, match="Claude Code's own"):
        directory(CLAUDE_CONFIG_DIR="/c", BRIDGE_STATE_DIR="/c/sessions")


def test_a_process_has_one_store(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BRIDGE_STATE_DIR", str(folder))
    with ThreadPoolExecutor(8) as pool:
        stores = list(pool.map(lambda _: get_session_store(), range(8)))
    assert len(set(map(id, stores))) == 1
    assert stores[0].directory == folder


if __name__ == "__main__":
    sys.exit(pytest.main([__file__, *sys.argv[1:]]))
