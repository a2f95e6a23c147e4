"""Which branch a directory is on, read from git's own files: no program of the project's is run."""

from __future__ import annotations

from pathlib import Path

_MOST_BYTES = 4096
_BRANCH = "ref: refs/heads/"
_COMMIT_DIGITS = 8


def find_branch(directory: Path) -> str | None:
    """The branch, or the beginning of the commit's id; None outside of any repository."""
    for folder in (directory, *directory.parents):
        place = folder / ".git"
        if place.is_dir():
            return _read_head(place)
        if place.is_file():  # a worktree, or a submodule: the file names the folder
            named = _read(place).removeprefix("gitdir:").strip()
            return _read_head(folder / named) if named else None
    return None


def _read_head(place: Path) -> str | None:
    head = _read(place / "HEAD").strip()
    if head.startswith(_BRANCH):
        return head.removeprefix(_BRANCH)
    return head[:_COMMIT_DIGITS] or None


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_MOST_BYTES).decode(errors="replace")
    except OSError:
        return ""
