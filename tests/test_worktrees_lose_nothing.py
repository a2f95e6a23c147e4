"""People, Claude and the bridge work on one worktree, in any order."""

from __future__ import annotations

import hashlib
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from core.errors import WorktreeError
from tests.standins.repository import Shop

FILES = ("a.txt", "new.txt", "deep/x.txt")
PERSONS = (
    "write",
    "stage",
    "commit",
    "commit to main",
    "branch",
    "detach",
    "go back",
    "dirty main",
)
OURS = ("merge", "remove", "commit all", "remove folder", "put back", "add")


class Play:
    """People and the bridge work on one worktree, in any order."""

    def __init__(self, root: Path) -> None:
        self.shop = Shop(root)
        self.made = self.shop.add()
        self.path = Path(self.made.path)
        self.written = {"one\n"}

    def do(self, step: str, file: str) -> None:
        """What a person or Claude does; much of it is not possible just then."""
        text = f"text {len(self.written)}\n"
        shop, path = self.shop, self.path
        where = shop.path if step in ("commit to main", "dirty main") else path
        if not where.exists():
            return
        if step in ("write", "commit to main", "dirty main"):
            self.written.add(text)
            shop.write(file, text, where)
        with suppress(subprocess.CalledProcessError):
            match step:
                case "stage":
                    shop.git("add", "-A", at=path)
                case "commit" | "commit to main":
                    shop.commit(where)
                case "branch":
                    shop.git("checkout", "-q", "-b", "other", at=path)
                case "detach":
                    shop.git("checkout", "-q", "--detach", at=path)
                case "go back":
                    shop.git("checkout", "-q", "fix", at=path)

    def settle(self, step: str) -> None:
        """What the bridge does; it may refuse."""
        worktrees = self.shop.worktrees
        match step:
            case "merge":
                worktrees.merge(self.made)
            case "remove":
                worktrees.remove(self.made)
            case "commit all":
                worktrees.commit_all(self.made, "Kept")
            case "remove folder":
                worktrees.remove_folder(self.made)
            case "put back" if not self.path.exists():
                worktrees.put_back(self.made)
            case _:
                self.shop.add()

    def alive(self) -> set[str]:
        """What was written and is still somewhere: in a file, or in what a branch has."""
        roots = [root for root in (self.shop.path, self.path) if root.exists()]
        files = [root / file for root in roots for file in FILES]
        found = {file.read_text() for file in files if file.exists()}
        objects = "".join(
            self.shop.git("rev-list", "--objects", "--all", "HEAD", at=root) for root in roots
        )
        return found | {text for text in self.written if _blob(text) in objects}


def _blob(text: str) -> str:
    data = text.encode()
    return hashlib.sha1(b"blob %d\0%s" % (len(data), data), usedforsecurity=False).hexdigest()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.tuples(st.sampled_from(PERSONS), st.sampled_from(FILES))
        | st.tuples(st.sampled_from(OURS), st.just("")),
        max_size=14,
    )
)
@example([("detach", "a.txt"), ("write", "new.txt"), ("commit", "a.txt"), ("remove folder", "")])
@example([("write", "a.txt"), ("commit", "a.txt"), ("branch", "a.txt"), ("remove", "")])
def test_nothing_that_the_bridge_does_loses_what_was_written(steps: list[tuple[str, str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        play = Play(Path(folder))
        for step, file in steps:
            if file:
                play.do(step, file)
                continue
            before = play.alive()
            with suppress(WorktreeError):
                play.settle(step)
            assert before <= play.alive(), step
