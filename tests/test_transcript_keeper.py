"""Transcripts on a real disk: held, deleted or damaged by somebody, put back."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from transcript_keeper import TranscriptKeeper

ID = "3f1d0c9e-5a53-4a26-9a8e-0d1f2b3c4d5e"
ONE = '{"type":"user","uuid":"a","message":{"role":"user","content":"one"}}\n'
TWO = ONE.replace("one", "two")


@pytest.fixture
def keeper(tmp_path: Path) -> TranscriptKeeper:
    return TranscriptKeeper(tmp_path / "kept")


@pytest.fixture
def transcript(tmp_path: Path) -> Path:
    path = tmp_path / "projects" / "-home-ada" / f"{ID}.jsonl"
    path.parent.mkdir(parents=True)
    path.write_text(ONE)
    return path


@pytest.fixture(params=["links", "no links"])
def links(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    def refuse(source: Path, target: Path) -> None:
        raise OSError(18, "Invalid cross-device link")

    if request.param == "no links":
        monkeypatch.setattr(os, "link", refuse)
    return bool(request.param == "links")


def test_a_deleted_transcript_is_put_back_whole(
    keeper: TranscriptKeeper, transcript: Path, links: bool
) -> None:
    assert keeper.keep(ID, transcript)
    with transcript.open("a") as file:
        file.write(TWO)
    assert keeper.keep(ID, transcript)
    os.utime(transcript, (1, 1))
    transcript.unlink()
    assert keeper.put_back(ID, transcript)
    assert transcript.read_text() == ONE + TWO
    assert transcript.stat().st_mtime > 1_000_000, "or it would be deleted again at once"


def test_a_link_takes_no_room_and_follows_every_line(
    keeper: TranscriptKeeper, transcript: Path, tmp_path: Path
) -> None:
    keeper.keep(ID, transcript)
    assert transcript.stat().st_nlink == 2
    with transcript.open("a") as file:
        file.write("more\n")
    (kept,) = (tmp_path / "kept").iterdir()
    assert kept.read_text().endswith("more\n")


def test_what_is_kept_is_for_nobody_else(
    keeper: TranscriptKeeper, transcript: Path, tmp_path: Path, links: bool
) -> None:
    transcript.chmod(0o600)
    keeper.keep(ID, transcript)
    (kept,) = (tmp_path / "kept").iterdir()
    assert kept.stat().st_mode & 0o077 == 0
    assert kept.parent.stat().st_mode & 0o077 == 0


def test_a_transcript_that_is_there_is_not_touched(
    keeper: TranscriptKeeper, transcript: Path
) -> None:
    keeper.keep(ID, transcript)
    transcript.unlink()
    transcript.write_text(TWO)
    assert keeper.put_back(ID, transcript)
    assert transcript.read_text() == TWO


def test_a_file_that_took_the_place_of_another_is_kept_instead(
    keeper: TranscriptKeeper, transcript: Path, links: bool
) -> None:
    keeper.keep(ID, transcript)
    other = transcript.with_name("new")
    other.write_text(TWO)
    other.replace(transcript)
    keeper.keep(ID, transcript)
    transcript.unlink()
    assert keeper.put_back(ID, transcript)
    assert transcript.read_text() == TWO


def test_a_deletion_does_not_take_what_is_kept(keeper: TranscriptKeeper, transcript: Path) -> None:
    keeper.keep(ID, transcript)
    transcript.unlink()
    assert not keeper.keep(ID, transcript)
    assert keeper.put_back(ID, transcript)


def test_what_was_never_kept_cannot_be_put_back(keeper: TranscriptKeeper, tmp_path: Path) -> None:
    assert not keeper.put_back(ID, tmp_path / "x" / f"{ID}.jsonl")
    assert not (tmp_path / "x").exists()


def test_removed_sessions_are_let_go(keeper: TranscriptKeeper, transcript: Path) -> None:
    keeper.keep(ID, transcript)
    keeper.keep("other", transcript)
    keeper.forget_others({"other"})
    transcript.unlink()
    assert not keeper.put_back(ID, transcript)
    assert keeper.put_back("other", transcript)


def test_a_folder_that_cannot_be_written_is_no_obstacle(tmp_path: Path, transcript: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    assert not TranscriptKeeper(tmp_path / "file").keep(ID, transcript)


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        ONE.encode()[:-5],
        b"\0" * 500,
        b"no JSON at all\n",
        b'{"type":"mode","mode":"plan","uuid":"x"}\n',
        b'{"type":"user","isMeta":true}\n',
    ],
)
def test_a_transcript_without_a_line_of_the_conversation_is_gone(
    keeper: TranscriptKeeper, transcript: Path, tmp_path: Path, damage: bytes
) -> None:
    """Claude Code 2.1.330 ends at such a file, or starts with an empty conversation."""
    keeper.keep(ID, transcript)
    transcript.write_bytes(damage)  # in place, so the link is damaged with it
    assert not keeper.put_back(ID, transcript)
    assert not transcript.exists()
    damaged = sorted((tmp_path / "kept" / "damaged").iterdir())
    assert [path.read_bytes() for path in damaged] == [damage, damage]
    keeper.forget_others({ID})
    assert sorted((tmp_path / "kept" / "damaged").iterdir()) == damaged
    keeper.forget_others(set())
    assert list((tmp_path / "kept" / "damaged").iterdir()) == []


def test_a_copy_takes_the_place_of_a_damaged_transcript(
    keeper: TranscriptKeeper, transcript: Path
) -> None:
    keeper.keep(ID, transcript)
    transcript.unlink()
    transcript.write_bytes(b"\0" * 500)
    assert keeper.put_back(ID, transcript)
    assert transcript.read_text() == ONE


def test_a_torn_end_is_no_reason_to_give_up_the_rest(
    keeper: TranscriptKeeper, transcript: Path
) -> None:
    transcript.write_text(ONE + TWO[:-9])
    assert keeper.put_back(ID, transcript)
    assert transcript.read_text() == ONE + TWO[:-9]


def test_a_session_that_is_forgotten_leaves_nothing(
    keeper: TranscriptKeeper, transcript: Path, tmp_path: Path
) -> None:
    keeper.keep(ID, transcript)
    transcript.write_bytes(b"")
    keeper.put_back(ID, transcript)
    transcript.write_text(ONE)
    keeper.keep(ID, transcript)
    keeper.forget(ID)
    assert [path for path in (tmp_path / "kept").rglob("*") if path.is_file()] == []
