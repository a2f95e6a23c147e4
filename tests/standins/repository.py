"""A git repository on the disk, with a person at it and the bridge's worktrees."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from core.worktrees import Worktree
from git_worktrees import GitWorktrees


class Shop:
    """A repository with one commit on `main`, and a home of its own."""

    def __init__(self, root: Path) -> None:
        self.home = root / "home"
        self.home.mkdir()
        (self.home / ".gitconfig").write_text("[user]\nname = Ada\nemail = ada@example.org\n")
        self.environ = {"PATH": os.environ["PATH"], "HOME": str(self.home)}
        self.path = root / "shop"
        self.path.mkdir()
        self.git("init", "-q", "-b", "main")
        self.write("a.txt", "one\n")
        self.write("src/b.txt", "b\n")
        self.commit()
        self.worktrees = GitWorktrees(self.environ)

    def git(self, *arguments: str, at: Path | None = None) -> str:
        done = subprocess.run(
            ["git", *arguments],
            cwd=at or self.path,
            env=self.environ | {"GIT_CONFIG_NOSYSTEM": "1"},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    def write(self, name: str, text: str, at: Path | None = None) -> None:
        path = (at or self.path) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def commit(self, at: Path | None = None) -> None:
        self.git("add", "-A", at=at)
        self.git("commit", "-qm", "work", at=at)

    def add(self, name: str = "fix", directory: Path | None = None) -> Worktree:
        survey = self.worktrees.survey(directory or self.path)
        return self.worktrees.add(survey, name)[0]

    def worked(self, name: str = "fix") -> Worktree:
        """A worktree with a commit of its own."""
        made = self.add(name)
        self.write(f"{name}.txt", "fixed\n", Path(made.path))
        self.commit(Path(made.path))
        return made

    def branches(self) -> list[str]:
        return self.git("branch", "--format=%(refname:short)").splitlines()

    def state(self) -> tuple[str, ...]:
        """All that git knows, and what lies in the main checkout."""
        refs = self.git("for-each-ref")
        files = sorted(str(p) for p in self.path.rglob("*") if ".git" not in p.parts)
        return (refs, self.git("status", "--porcelain"), self.git("worktree", "list"), *files)
