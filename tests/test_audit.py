"""audit: whole lines, for the owner's eyes alone, kept as long as the retention says."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from audit import AuditLog
from core.model import Chat, Person
from core.redaction import Redactor
from tests.world import ROOT

ADA, CHAT = Person(42, "Ada"), Chat("telegram", 42)
DAY = 86_400.0
TOKEN = "123456789:AAabcdefghijklmnopqrstuvwxyz0123456"
GITHUB = "ghp_" + "a1B2" * 9


def make(folder: Path, now: float = 0.0, full_bytes: int = 1000) -> AuditLog:
    return AuditLog(
        folder,
        Redactor(['say "hi"']),
        retention_days=30,
        full_bytes=full_bytes,
        clock=lambda: now or time.time(),
    )


def actions(folder: Path) -> list[str]:
    """What all the files say, the oldest first."""
    closed = sorted(folder.glob("audit-*.jsonl"), key=lambda path: path.lstat().st_mtime_ns)
    current = [path for path in [folder / "audit.jsonl"] if path.exists()]
    lines = [line for path in [*closed, *current] for line in path.read_text().splitlines()]
    return [json.loads(line)["action"] for line in lines]


def test_a_line_says_who_did_what_when_from_which_chat_with_which_result(tmp_path: Path) -> None:
    place = Chat("telegram", -1001, 7)
    make(tmp_path, now=1e9).note(ADA, place, "sent /new é", "failed: no\nroom")
    (line,) = (tmp_path / "audit.jsonl").read_text().splitlines()
    assert json.loads(line) == {
        "at": "2001-09-09T01:46:40.000+00:00",
        "user": 42,
        "name": "Ada",
        "channel": "telegram",
        "chat": -1001,
        "topic": 7,
        "action": "sent /new é",
        "result": "failed: no\nroom",
    }


@pytest.mark.parametrize(
    "text",
    [
        f"at http://x/bot{TOKEN}/getMe",
        f"token {TOKEN}",
        'said say "hi"',
        "sent /foo -----BEGIN PRIVATE KEY----- abc",
        "-----BEGIN PRIVATE KEY-----\nabc",
        "see http://x and a@b",
        f"sent /model\t{GITHUB}",
        f"line\n{GITHUB}",
        "a file's name \udce9",
    ],
)
@pytest.mark.parametrize("place", ["name", "action", "result"])
def test_no_secret_is_written_and_every_line_stays_json(
    tmp_path: Path, text: str, place: str
) -> None:
    told = {"name": "Ada", "action": "sent /x", "result": "accepted", place: text}
    make(tmp_path).note(Person(42, told["name"]), CHAT, told["action"], told["result"])
    (line,) = (tmp_path / "audit.jsonl").read_text().splitlines()
    found = {key: json.loads(line)[key] for key in told}
    assert {key: kept for key, kept in found.items() if key != place} == {
        key: kept for key, kept in told.items() if key != place
    }
    for secret in (TOKEN, GITHUB, "abc", 'say "hi"'):
        assert secret not in found[place]


def test_a_full_file_is_closed_and_a_new_one_begun_without_losing_a_line(tmp_path: Path) -> None:
    for number in range(100):
        make(tmp_path).note(ADA, CHAT, f"action {number}", "accepted")
    assert actions(tmp_path) == [f"action {number}" for number in range(100)]
    files = list(tmp_path.iterdir())
    assert len(files) > 10
    assert all(path.stat().st_size < 1300 for path in files)
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


def test_with_a_clock_that_stands_still_no_file_takes_anothers_place(tmp_path: Path) -> None:
    for number in range(100):
        make(tmp_path, now=1e9).note(ADA, CHAT, f"action {number}", "accepted")
    assert sorted(actions(tmp_path)) == sorted(f"action {number}" for number in range(100))


def test_a_file_goes_when_all_in_it_is_older_than_the_retention(tmp_path: Path) -> None:
    now = time.time()
    for name, days in (("old", 31), ("young", 29)):
        path = tmp_path / f"audit-{name}.jsonl"
        path.write_text('{"action": "before"}\n')
        os.utime(path, (now - days * DAY, now - days * DAY))
    make(tmp_path).note(ADA, CHAT, "action", "accepted")
    make(tmp_path).remove_expired()
    assert not (tmp_path / "audit-old.jsonl").exists()
    assert actions(tmp_path)[-1] == "action"
    assert (tmp_path / "audit-young.jsonl").exists()


_FILLS_THE_DISK = """
import resource, signal, sys
from pathlib import Path
from tests.test_audit import ADA, CHAT, make
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
log = make(Path(sys.argv[1]), full_bytes=1 << 20)
log.note(ADA, CHAT, "first", "accepted")
resource.setrlimit(resource.RLIMIT_FSIZE, (250, resource.RLIM_INFINITY))
for number in range(2):
    try:
        log.note(ADA, CHAT, "lost", "accepted")
    except OSError as error:
        print(error.strerror)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
log.note(ADA, CHAT, "last", "accepted")
"""


def test_a_full_disk_leaves_no_half_line(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _FILLS_THE_DISK, str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == ["No space left on device"] * 2
    assert actions(tmp_path) == ["first", "last"]


def test_a_link_in_the_files_place_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "audit.jsonl").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError):
        make(tmp_path).note(ADA, CHAT, "action", "accepted")
    assert not (tmp_path / "elsewhere").exists()
