"""The branch of a directory, by git's own files."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from git_head import find_branch


def git(where: Path, *arguments: str) -> None:
    name = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
    subprocess.run(
        ["git", "-C", str(where), *name, *arguments],
        check=True,
        capture_output=True,
        env={"PATH": "/usr/bin:/bin", "HOME": str(where)},
    )


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "-b", "main")
    git(folder, "commit", "--allow-empty", "-m", "first")
    return folder


def test_a_branch_with_a_slash_seen_from_a_folder_below(repository: Path) -> None:
    git(repository, "checkout", "-b", "feature/new thing".replace(" ", "-"))
    below = repository / "a" / "b"
    below.mkdir(parents=True)
    assert find_branch(below) == "feature/new-thing"


def test_a_worktree_has_a_branch_of_its_own(repository: Path) -> None:
    git(repository, "worktree", "add", "../tree", "-b", "side")
    assert find_branch(repository.parent / "tree") == "side"
    assert find_branch(repository) == "main"


def test_a_commit_without_a_branch_is_named_by_its_beginning(repository: Path) -> None:
    git(repository, "checkout", "--detach")
    found = find_branch(repository)
    assert found is not None
    assert len(found) == 8


def test_no_repository_and_a_broken_one_have_no_branch(tmp_path: Path) -> None:
    assert find_branch(tmp_path) is None
    (tmp_path / ".git").write_text("gitdir: /nowhere/at/all\n")
    assert find_branch(tmp_path) is None
    (tmp_path / ".git").write_bytes(b"")
    assert find_branch(tmp_path) is None
