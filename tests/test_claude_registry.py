"""The registry of live processes: the entry that the real CLI wrote, and its lookalikes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from claude_registry import ClaudeRegistry, find_parents, is_alive, memory_of
from core.events import ClaudeProcess

RECORDED: dict[str, Any] = {
    "pid": 25094,
    "sessionId": "8870b6d9-336a-4a03-99df-db74396f9e67",
    "cwd": "/home/ada/project",
    "startedAt": 1795298943484,
    "procStart": "422824",
    "version": "2.1.330",
    "peerProtocol": 1,
    "peerFeatures": ["notify_idle", "reply_across_default_dirs", "artifact_yield"],
    "kind": "interactive",
    "entrypoint": "cli",
    "tmux": "c0:@0.%0",
    "name": "proj-fe",
    "status": "idle",
    "updatedAt": 1795299000589,
    "statusUpdatedAt": 1795299000589,
}


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    """A process that lives until the test ends it."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


def started_ms(pid: int) -> float:
    return psutil.Process(pid).create_time() * 1000


def write(folder: Path, pid: int, name: str = "", **fields: Any) -> None:
    entry = {**RECORDED, "pid": pid, "startedAt": started_ms(pid), **fields}
    (folder / (name or f"{pid}.json")).write_text(json.dumps(entry))


def test_a_live_process_is_found_as_the_real_cli_wrote_it(tmp_path: Path) -> None:
    pid = os.getpid()
    write(tmp_path, pid)
    expected = ClaudeProcess(
        pid=pid,
        session_id=RECORDED["sessionId"],
        directory="/home/ada/project",
        status="idle",
        since_ms=1795299000589,
        version="2.1.330",
        tmux="c0",
    )
    registry = ClaudeRegistry(tmp_path)
    assert registry.processes() == [expected]
    assert registry.find(RECORDED["sessionId"]) == expected
    assert registry.find("another") is None


def test_a_process_that_a_program_runs_is_told_apart(tmp_path: Path) -> None:
    write(tmp_path, os.getpid(), entrypoint="sdk-cli", tmux=None)
    (found,) = ClaudeRegistry(tmp_path).processes()
    assert (found.is_script, found.tmux) == (True, "")


def test_of_two_processes_with_one_session_each_side_finds_its_own(
    tmp_path: Path, child: subprocess.Popen[bytes]
) -> None:
    write(tmp_path, os.getpid(), statusUpdatedAt=2)
    write(tmp_path, child.pid, statusUpdatedAt=1)
    session_id = RECORDED["sessionId"]
    registry = ClaudeRegistry(tmp_path)
    last, ours = registry.find(session_id), registry.find(session_id, child.pid)
    assert last is not None
    assert ours is not None
    assert (last.pid, ours.pid) == (os.getpid(), child.pid)
    theirs = registry.find_other(session_id, lambda process: process.pid == child.pid)
    assert theirs is not None
    assert theirs.pid == os.getpid()
    assert registry.find_other(session_id, lambda process: True) is None


def test_a_waiting_process_says_for_what(tmp_path: Path) -> None:
    write(tmp_path, os.getpid(), status="waiting", waitingFor="permission prompt")
    (found,) = ClaudeRegistry(tmp_path).processes()
    assert (found.status, found.waiting_for) == ("waiting", "permission prompt")


def test_an_unknown_status_and_an_old_version_without_one_are_no_status(tmp_path: Path) -> None:
    write(tmp_path, os.getpid(), status="dreaming")
    assert ClaudeRegistry(tmp_path).processes()[0].status is None
    old = {"pid": os.getpid(), "sessionId": "s", "status": None, "startedAt": None, "version": None}
    (tmp_path / f"{os.getpid()}.json").write_text(json.dumps({**old, "statusUpdatedAt": None}))
    (found,) = ClaudeRegistry(tmp_path).processes()
    assert (found.session_id, found.status, found.since_ms) == ("s", None, 0)


def test_the_entry_of_a_killed_process_does_not_count(
    tmp_path: Path, child: subprocess.Popen[bytes]
) -> None:
    write(tmp_path, child.pid)
    assert len(ClaudeRegistry(tmp_path).processes()) == 1
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # a zombie, not yet reaped
    assert not is_alive(child.pid)
    assert ClaudeRegistry(tmp_path).processes() == []
    child.wait()
    assert ClaudeRegistry(tmp_path).processes() == []


def test_a_later_process_with_the_same_number_does_not_count(tmp_path: Path) -> None:
    write(tmp_path, os.getpid(), startedAt=started_ms(os.getpid()) - 60_000)
    assert ClaudeRegistry(tmp_path).processes() == []


@pytest.mark.parametrize("pid", [-1, 0, 2**31, 2**63 - 1, 2**64 + 1, "x", None, 1.5])
def test_a_number_that_is_no_process_does_not_count(tmp_path: Path, pid: Any) -> None:
    for name in ("7.json", f"{pid}.json"):
        (tmp_path / name).write_text(json.dumps({**RECORDED, "pid": pid}))
    assert ClaudeRegistry(tmp_path).processes() == []


def test_an_entry_that_names_another_process_does_not_count(tmp_path: Path) -> None:
    write(tmp_path, os.getpid(), name="7.json")
    assert ClaudeRegistry(tmp_path).processes() == []


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\xff", b"[" * 100_000, b'{"pid": "x"}'])
def test_a_broken_entry_hides_no_other(tmp_path: Path, data: bytes) -> None:
    write(tmp_path, os.getpid())
    (tmp_path / "1.json").write_bytes(data)
    (tmp_path / "2.json").mkdir()
    (tmp_path / "telegram").mkdir()
    (tmp_path / "notes.json").write_text("{}")
    assert [found.pid for found in ClaudeRegistry(tmp_path).processes()] == [os.getpid()]


def test_no_folder_is_no_process(tmp_path: Path) -> None:
    assert ClaudeRegistry(tmp_path / "none").processes() == []


def test_an_entry_that_is_written_just_now_is_waited_for(tmp_path: Path) -> None:
    """One that is taken for gone could be resumed a second time."""
    path, pid = tmp_path / f"{os.getpid()}.json", os.getpid()
    whole = json.dumps({**RECORDED, "pid": pid, "startedAt": started_ms(pid)})
    path.write_text(whole[:40])

    def finish(seconds: float) -> None:
        path.write_text(whole)

    registry = ClaudeRegistry(tmp_path, sleep=finish)
    assert [found.pid for found in registry.processes()] == [pid]


def test_of_two_processes_with_one_session_the_later_change_counts(
    tmp_path: Path, child: subprocess.Popen[bytes]
) -> None:
    write(tmp_path, os.getpid(), statusUpdatedAt=5)
    write(tmp_path, child.pid, statusUpdatedAt=9)
    found = ClaudeRegistry(tmp_path).find(RECORDED["sessionId"])
    assert found is not None
    assert found.pid == child.pid


def test_a_process_is_found_by_the_one_that_started_it(
    tmp_path: Path, child: subprocess.Popen[bytes]
) -> None:
    write(tmp_path, child.pid)
    registry = ClaudeRegistry(tmp_path)
    for pid in (child.pid, os.getpid()):
        found = registry.find_below(pid)
        assert found is not None
        assert found.pid == child.pid
    assert registry.find_below(2**22) is None
    assert os.getpid() in find_parents(child.pid)


def test_a_process_that_is_gone_has_no_memory_and_no_parents() -> None:
    assert memory_of(os.getpid()) > 1 << 20
    assert (memory_of(2**22), find_parents(2**22), is_alive(2**22)) == (0, set(), False)
