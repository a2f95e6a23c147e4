"""Every session on the machine, found by the transcripts."""

from __future__ import annotations

import os
import stat
import uuid
from pathlib import Path

import pytest

import session_finder
from core.redaction import Redactor
from session_finder import SessionFinder
from tests.standins.transcripts import line, message, turn


@pytest.fixture
def projects(tmp_path: Path) -> Path:
    folder = tmp_path / "projects"
    folder.mkdir()
    return folder


def finder(projects: Path) -> SessionFinder:
    return SessionFinder(projects, projects.parent / "found.json", redact=Redactor().redact)


def write(projects: Path, data: bytes, *, project: str = "-home-ada-shop", name: str = "") -> Path:
    path = projects / project / f"{name or uuid.uuid4()}.jsonl"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)
    return path


def titles(projects: Path) -> list[str]:
    return [found.title for found in finder(projects).find_all()]


def test_the_most_recent_is_first_by_what_was_said_in_it(projects: Path) -> None:
    write(projects, turn("older", "a", at="2026-11-20T10:00:00Z"))
    newer = write(projects, turn("newer", "a", at="2026-11-21T10:00:00Z"), project="-other")
    os.utime(newer, (0, 0))
    assert titles(projects) == ["newer", "older"]


def test_a_session_is_found_with_all_that_a_list_shows(projects: Path) -> None:
    path = write(projects, turn("fix it", "ok") + line("custom-title", customTitle="Mine"))
    [found] = finder(projects).find_all()
    assert found.session_id == path.stem
    assert (found.title, found.directory, found.branch) == ("Mine", "/home/ada/shop", "main")
    assert (found.path, found.size) == (path, path.stat().st_size)
    assert finder(projects).read(path) == found
    assert finder(projects).read(path.with_name("gone.jsonl")) is None


def test_scripts_sub_agents_and_files_of_others_are_no_sessions(projects: Path) -> None:
    write(projects, turn("by a script", "ok", entrypoint="sdk-cli"))
    write(projects, turn("an agent's", "ok"), name="agent-a101")
    write(projects, b"")
    kept = write(projects, turn("kept", "ok"))
    (kept.parent / f"{uuid.uuid4()}.txt").write_bytes(turn("no transcript", "ok"))
    (kept.parent / f"{uuid.uuid4()}.jsonl").symlink_to(kept)
    os.mkfifo(kept.parent / f"{uuid.uuid4()}.jsonl")
    (projects / "a-file").write_text("x")
    (projects / "linked").symlink_to(kept.parent)
    assert titles(projects) == ["kept"]


def test_a_session_that_is_in_two_folders_is_listed_once(projects: Path) -> None:
    name = str(uuid.uuid4())
    write(projects, turn("a", "b", at="2026-11-20T10:00:00Z"), name=name, project="one")
    write(projects, turn("b", "b", at="2026-11-21T10:00:00Z"), name=name, project="two")
    assert titles(projects) == ["b"]


def test_without_any_folder_there_are_no_sessions(tmp_path: Path) -> None:
    assert finder(tmp_path / "nowhere").find_all() == []


def test_only_what_has_changed_is_read_again(
    projects: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stays, grows = write(projects, turn("stays", "a")), write(projects, turn("grows", "a"))
    goes = write(projects, turn("goes", "a"))
    assert len(titles(projects)) == 3
    read: list[str] = []
    ends = session_finder._read_ends

    def note(path: str) -> tuple[bytes, bytes]:
        read.append(path)
        return ends(path)

    monkeypatch.setattr(session_finder, "_read_ends", note)
    assert len(titles(projects)) == 3
    assert read == []
    with grows.open("ab") as file:
        file.write(message("user", "more"))
    goes.unlink()
    assert sorted(titles(projects)) == ["grows", "stays"]
    assert read == [str(grows)]
    assert stays.exists()


def test_a_long_transcript_is_not_read_whole(projects: Path) -> None:
    path = write(projects, turn("long", "a"))
    with path.open("ab") as file:
        file.truncate(1 << 34)  # a hole of 16 GB, which no reading would come to the end of
        file.seek(0, os.SEEK_END)
        file.write(b"\n" + line("ai-title", aiTitle="At the end"))
    assert titles(projects) == ["At the end"]


@pytest.mark.parametrize("damage", [b"", b"{}", b"00000000\n{}", b"\xff" * 100])
def test_a_broken_cache_is_made_anew(projects: Path, damage: bytes) -> None:
    write(projects, turn("kept", "a"))
    assert titles(projects) == ["kept"]
    cache = projects.parent / "found.json"
    whole = cache.read_bytes()
    cache.write_bytes(damage)
    assert titles(projects) == ["kept"]
    assert cache.read_bytes() == whole
    cache.write_bytes(whole.replace(b"kept", b"fake"))
    assert titles(projects) == ["kept"]


def test_the_cache_is_private_and_holds_no_secret(projects: Path) -> None:
    write(projects, turn("my key is sk-ant-api03-abcdefghijklmnopqrstuv", "a"))
    assert titles(projects) == ["my key is [masked]"]
    cache = projects.parent / "found.json"
    assert stat.S_IMODE(cache.stat().st_mode) == 0o600
    assert b"sk-ant" not in cache.read_bytes()


def test_a_cache_that_can_not_be_written_costs_only_time(projects: Path) -> None:
    write(projects, turn("kept", "a"))
    found = SessionFinder(projects, projects / "nowhere" / "found.json").find_all()
    assert [session.title for session in found] == ["kept"]
