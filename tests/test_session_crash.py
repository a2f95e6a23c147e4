"""Crashes and refusing disks: what was acknowledged is there, and nothing is half done."""

import errno
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from core.errors import StoreError, StoreWriteError
from durable import append_durably, replace_file
from session import Session, SessionStore
from tests.standins.watched_system import FailingSystem, RefusingSystem

ROOT = Path(__file__).resolve().parent.parent
ROUNDS = 30
SESSIONS = 3

# Goes through its sessions for ever: turn n saves, edits, binds or deletes, then is acknowledged.
WRITER = """
import os, sys
from dataclasses import replace
from session import Session, SessionStore

folder, writer, first, count = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
store = SessionStore(folder)
n = first
while True:
    session_id = f"{writer}-{n % count}"
    kind = n // count % 4
    if kind == 0:
        store.save(Session(session_id, writer, state={"n": n}))
    elif kind == 1:
        store.edit(session_id, lambda s: replace(s, state={"n": n, "text": "x" * (n % 9000)}))
    elif kind == 2:
        store.bind(session_id)
    else:
        store.delete(session_id)
    os.write(1, b"%d\\n" % n)
    n += 1
"""


class Writer:
    """A child process that changes its own sessions until it is killed."""

    def __init__(self, folder: Path, name: str, first: int) -> None:
        self.name = name
        self.done = first - 1
        arguments = [sys.executable, "-c", WRITER, str(folder), name, str(first), str(SESSIONS)]
        self.child = subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.PIPE)

    def kill_after(self, turns: int, microseconds: int) -> None:
        """Kill it that long after it acknowledged so many turns; 0 turns: while it starts."""
        assert self.child.stdout is not None
        acknowledged = b""
        while acknowledged.count(b"\n") < turns:
            part = os.read(self.child.stdout.fileno(), 65536)
            assert part, "the writer died by itself"
            acknowledged += part
        moment = time.perf_counter() + microseconds / 1e6
        while time.perf_counter() < moment:
            pass
        self.child.send_signal(signal.SIGKILL)
        acknowledged += self.child.stdout.read()
        self.child.stdout.close()
        self.child.wait()
        lines = acknowledged.split(b"\n")
        if len(lines) > 1:
            self.done = int(lines[-2])

    def check(self, store: SessionStore) -> None:
        """Each session is as its last acknowledged turn left it, or one as the turn after it."""
        for number in range(SESSIONS):
            last = self.done - (self.done - number) % SESSIONS
            following = self.done + 1
            allowed = {outcome(last)}
            if following % SESSIONS == number:
                allowed.add(outcome(following))
            assert self.found(store, number) in allowed, (self.name, number, self.done)

    def found(self, store: SessionStore, number: int) -> tuple[int, bool] | None:
        session = store.load(f"{self.name}-{number}")
        return None if session is None else (session.state["n"], "bound_at" in session.state)


def outcome(turn: int) -> tuple[int, bool] | None:
    """What turn n leaves of its session: the `n` inside and whether it is bound, or nothing."""
    match turn // SESSIONS % 4 if turn >= 0 else 3:
        case 0 | 1:
            return turn, False
        case 2:
            return turn - SESSIONS, True
        case _:
            return None


def test_nothing_acknowledged_is_lost_when_writers_are_killed(tmp_path: Path) -> None:
    """Two at a time, so that one goes on and sees what the other left."""
    chance = random.Random(20261121)
    first = {"left": 0, "right": 0}
    for _ in range(ROUNDS):
        writers = [Writer(tmp_path, name, turn) for name, turn in first.items()]
        for writer in writers:
            turns = chance.choice([0, 1, chance.randrange(60)])
            writer.kill_after(turns, chance.randrange(60_000 if turns == 0 else 2_000))
        with SessionStore(tmp_path) as store:
            assert store.damaged == ()
            assert not list(tmp_path.glob(".*.tmp"))
            for writer in writers:
                writer.check(store)
                first[writer.name] = start_over(store, writer.name, writer.done)


def start_over(store: SessionStore, name: str, done: int) -> int:
    """Delete the writer's sessions and return the first turn of its next complete round."""
    for number in range(SESSIONS):
        store.delete(f"{name}-{number}")
    whole_round = 4 * SESSIONS
    return (done // whole_round + 1) * whole_round


STEPS: dict[str, Callable[[SessionStore], object]] = {
    "save a new session": lambda store: store.save(Session("new", 1)),
    "save over a session": lambda store: store.save(Session("old", 2)),
    "edit": lambda store: store.edit("old", lambda s: replace(s, tmux_session="t")),
    "bind": lambda store: store.bind("old"),
    "update the activity": lambda store: store.update_activity("old"),
    "delete": lambda store: store.delete("old"),
    "clean up": lambda store: store.cleanup_old_sessions(1),
    "load": lambda store: store.load("old"),
    "list": lambda store: store.list_sessions(),
    "set damage aside": lambda store: store.load("broken"),
    "close": lambda store: store.close(),
}
ERRORS = [errno.ENOSPC, errno.EIO, errno.EMFILE, errno.EACCES]


def contents(store: SessionStore) -> dict[str, Session]:
    return {session.session_id: session for session in store.list_sessions()}


def all_files(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize("error", ERRORS, ids=errno.errorcode.get)
@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_any_single_failure_leaves_all_or_nothing_of_a_change(
    tmp_path: Path, step: Callable[[SessionStore], object], error: int
) -> None:
    at = 0
    while True:
        folder = tmp_path / str(at)
        with SessionStore(folder) as prepared:
            prepared.save(Session("old", 1, last_activity="2026-01-01T00:00:00Z"))
            prepared.save(Session("other", 1))
        before = contents(prepared)
        system = FailingSystem(10**9, error)
        store = SessionStore(folder, system=system, clock=lambda: "2026-06-01T00:00:00Z")
        (folder / "broken.json").write_bytes(b"precious")
        system.at = system.calls + at
        try:
            step(store)
            refused = False
        except StoreError:
            refused = True
        finally:
            system.at = -1
        assert not list(folder.glob(".*.tmp"))
        found = contents(store)
        assert found == contents(SessionStore(folder))
        assert b"precious" in all_files(folder)
        if refused and system.failed != "fsync":
            assert found == before
        if not system.failed:
            assert not refused
            break
        at += 1


@pytest.mark.parametrize("error", ERRORS, ids=errno.errorcode.get)
def test_a_store_opens_or_refuses_to_but_loses_nothing(tmp_path: Path, error: int) -> None:
    with SessionStore(tmp_path) as store:
        for number in range(3):
            store.save(Session(f"s{number}", number))
    expected = contents(store)
    at, failed = 0, "open"
    while failed:
        (tmp_path / "index.json").write_bytes(b"broken")
        (tmp_path / "broken.json").write_bytes(b"precious")
        system = FailingSystem(at, error)
        try:
            opened = SessionStore(tmp_path, system=system)
            system.at = -1
            assert contents(opened) == expected
        except StoreError:
            pass
        assert contents(SessionStore(tmp_path)) == expected
        assert b"precious" in all_files(tmp_path)
        at, failed = at + 1, system.failed


def test_a_full_disk_says_so_and_can_be_cleaned_up(tmp_path: Path) -> None:
    with SessionStore(tmp_path) as store:
        store.save(Session("old", 1, last_activity="2026-01-01T00:00:00Z"))
    bystander = SessionStore(tmp_path)
    system = RefusingSystem(errno.ENOSPC)
    full = SessionStore(tmp_path, system=system)
    system.refuses = "write"
    with pytest.raises(StoreWriteError, match="the disk is full"):
        full.save(Session("new", 1))
    assert list(contents(bystander)) == ["old"]
    assert full.cleanup_old_sessions(1) == ["old"]
    assert bystander.list_sessions() == []
    full.close()


class InterruptedSystem(FailingSystem):
    """The module `os`, but another store looks just before a file is replaced."""

    def __init__(self, look: Callable[[], object]) -> None:
        super().__init__(-1, 0)
        self.look = look

    def replace(self, source: str | Path, target: str | Path, /) -> None:
        self.look()
        os.replace(source, target)


@pytest.mark.parametrize("changes_until_the_next_look", [1, 2])
def test_who_looks_in_the_midst_of_a_change_still_sees_it_later(
    tmp_path: Path, changes_until_the_next_look: int
) -> None:
    with SessionStore(tmp_path) as store:
        for session_id in ("first", "second"):
            store.save(Session(session_id, 1))
    bystander = SessionStore(tmp_path)
    system = InterruptedSystem(bystander.list_sessions)
    writer = SessionStore(tmp_path, system=system)
    writer.save(Session("first", 2))
    system.look = lambda: None
    if changes_until_the_next_look == 2:
        writer.save(Session("second", 2))
    assert len(bystander.list_sessions(chat_id=2)) == changes_until_the_next_look
    assert contents(bystander) == contents(SessionStore(tmp_path))


def test_a_refused_replacement_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    replace_file(path, b"old")
    for at in range(4):
        with pytest.raises(StoreWriteError):
            replace_file(path, b"new", system=FailingSystem(at, errno.ENOSPC))
        assert [entry.name for entry in tmp_path.iterdir()] == ["file"]
        assert path.read_bytes() == b"old"


def test_a_refused_append_leaves_no_torn_record(tmp_path: Path) -> None:
    fd = os.open(tmp_path / "journal", os.O_RDWR | os.O_CREAT | os.O_APPEND)
    append_durably(fd, b"first\n")
    for at in range(2):
        with pytest.raises(StoreWriteError, match="the disk is full"):
            append_durably(fd, b"second\n", system=FailingSystem(at, errno.ENOSPC))
        assert os.pread(fd, 100, 0) == b"first\n"
    append_durably(fd, b"third\n")
    assert os.pread(fd, 100, 0) == b"first\nthird\n"
    os.close(fd)
