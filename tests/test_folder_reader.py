"""Reading below one folder: no path, link or exchange in the last moment leads out of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from core.errors import FileRefusedError
from folder_reader import FolderReader, Listed


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    (root / "src").mkdir(parents=True)
    (root / "src" / "main.py").write_text("print()")
    (root / "README.md").write_text("read me")
    (root / ".git").mkdir()
    (root / ".env").write_text("x")
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "private").mkdir()
    return root


def test_folders_come_first_and_what_is_hidden_last(project: Path) -> None:
    (project / "Zoo").mkdir()
    (project / "a.txt").write_text("abc")
    os.mkfifo(project / "pipe")
    (project / "link").symlink_to("src")
    assert FolderReader(project).list(Path()) == [
        Listed("src", "folder"),
        Listed("Zoo", "folder"),
        Listed("a.txt", "file", 3),
        Listed("link", "link"),
        Listed("README.md", "file", 7),
        Listed(".git", "folder"),
        Listed(".env", "file", 1),
    ]


@pytest.mark.parametrize(
    "path", ["..", "../secret", "src/../../secret", "/etc/passwd", "/", "~", "~root/x", "out", "up"]
)
def test_what_lies_outside_is_not_located(project: Path, path: str) -> None:
    (project / "out").symlink_to(project.parent / "secret")
    (project / "up").symlink_to("..")
    assert FolderReader(project).locate(Path(path)) is None


@pytest.mark.parametrize("path", ["src", "src/../src", "./src/", "to src", "nothing/../src"])
def test_what_stays_inside_is(project: Path, path: str) -> None:
    (project / "to src").symlink_to(project / "src")
    assert FolderReader(project).locate(Path(path)) == Path("src")
    assert FolderReader(project).locate(project / path) == Path("src")


@pytest.mark.parametrize("path", ["a\0b", "loop", "x" * 5000])
def test_what_is_no_path_is_refused_in_a_sentence(project: Path, tmp_path: Path, path: str) -> None:
    (project / "loop").symlink_to("loop")
    reader = FolderReader(project)
    with pytest.raises(FileRefusedError):
        place = reader.locate(Path(path))
        assert place is not None
        reader.copy(place, tmp_path / "copy")


def test_a_closed_folder_stays_closed_in_the_project_too(project: Path) -> None:
    reader = FolderReader(project, [project / "src"])
    assert reader.locate(Path("src/main.py")) is None
    assert reader.locate(Path("README.md")) == Path("README.md")


def test_a_project_that_is_reached_by_a_link_is_one(project: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(project)
    reader = FolderReader(tmp_path / "link")
    assert reader.copy(Path("README.md"), tmp_path / "copy") == b"read me"


def test_a_file_exchanged_for_a_link_after_it_was_located_is_refused(
    project: Path, tmp_path: Path
) -> None:
    reader = FolderReader(project)
    place = reader.locate(Path("src/main.py"))
    assert place is not None
    (project / "src" / "main.py").unlink()
    (project / "src" / "main.py").symlink_to(tmp_path / "secret")
    with pytest.raises(FileRefusedError):
        reader.copy(place, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_a_folder_exchanged_for_a_link_after_it_was_located_is_refused(
    project: Path, tmp_path: Path
) -> None:
    reader = FolderReader(project)
    place = reader.locate(Path("src/main.py"))
    assert place is not None
    (project / "src").rename(project / "gone")
    (tmp_path / "private" / "main.py").write_text("secret")
    (project / "src").symlink_to(tmp_path / "private")
    with pytest.raises(FileRefusedError):
        reader.copy(place, tmp_path / "copy")
    with pytest.raises(FileRefusedError):
        reader.list(Path("src"))


def test_a_copy_is_whole_and_for_us_alone(project: Path, tmp_path: Path) -> None:
    data = os.urandom(3 << 20)
    (project / "a.bin").write_bytes(data)
    assert FolderReader(project).copy(Path("a.bin"), tmp_path / "copy") == data[:16]
    assert (tmp_path / "copy").read_bytes() == data
    assert (tmp_path / "copy").stat().st_mode & 0o777 == 0o600


def test_what_is_too_large_empty_or_no_file_is_refused(project: Path, tmp_path: Path) -> None:
    with (project / "huge").open("wb") as opened:
        opened.truncate(73 << 20)
    (project / "empty").touch()
    os.mkfifo(project / "pipe")
    reader = FolderReader(project)
    for name, reason in (
        ("huge", "“huge” has 73 MB; Telegram takes at most 50 MB from a bot."),
        ("empty", "“empty” is empty."),
        ("pipe", "“pipe” is not a file."),
        ("src", "“src” is not a file."),
        ("none", "There is no “none”."),
    ):
        with pytest.raises(FileRefusedError) as raised:
            reader.copy(Path(name), tmp_path / "copy")
        assert str(raised.value) == reason
        assert not (tmp_path / "copy").exists()


def test_a_new_folder_is_made_there_and_nowhere_else(project: Path, tmp_path: Path) -> None:
    reader = FolderReader(project)
    before = os.umask(0o077)
    try:
        reader.make_folder(Path("src"), "new shop")
    finally:
        os.umask(before)
    assert (project / "src" / "new shop").stat().st_mode & 0o777 == 0o755
    with pytest.raises(FileRefusedError, match="There is a “new shop” already"):
        reader.make_folder(Path("src"), "new shop")
    (project / "out").symlink_to(tmp_path / "private")
    for place in ("out", "README.md", "nowhere"):
        with pytest.raises(FileRefusedError):
            reader.make_folder(Path(place), "new")
    assert list((tmp_path / "private").iterdir()) == []
