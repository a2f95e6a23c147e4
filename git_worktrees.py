"""git worktrees: made, looked at, merged, removed, by plain calls of git.

* No shell, no hooks, no prompt, no program that watches files; a time limit for each call.
* What can fail is found out before anything is changed. A merge is made whole as a commit first,
  and then a branch is moved to it, forwards only.
* git itself has the last word on what would be lost: nothing is forced. What it refuses is told in
  a sentence, and things are as they were.
* What was done before and is asked for again is done already.
"""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from core.errors import WorktreeError
from core.worktrees import (
    Checkout,
    Condition,
    Worktree,
    explain,
    parse_checkouts,
    parse_status,
    place_for,
)
from durable import reason_for

_SECONDS = 60.0
_REMOVING_SECONDS = 600.0  # ended in the middle, it would leave half a folder
_LEAVING_SECONDS = 5.0
_CONFLICT = 1
_NEW_LINK = ":000000 160000 "
_QUIET = (
    *("-c", f"core.hooksPath={os.devnull}", "-c", "core.fsmonitor=false"),
    *("-c", "gc.auto=0", "-c", "maintenance.auto=false", "-c", "advice.detachedHead=false"),
)
_PASSED_ON = (
    *("PATH", "HOME", "USER", "LOGNAME", "TMPDIR", "TZ", "GNUPGHOME", "XDG_CONFIG_HOME"),
    *("XDG_RUNTIME_DIR",),
)
_HALF_DONE = ("rebase-merge/head-name", "rebase-apply/head-name", "BISECT_START")


@dataclass(frozen=True, slots=True)
class Survey:
    """A directory in a git repository: what a worktree made from there is made of.

    `repository`: the main checkout. `base`, `commit`: the branch that is checked out, and its
    commit. `prefix`: where the directory is in its checkout.
    """

    repository: Path
    base: str
    commit: str
    prefix: str


@dataclass(frozen=True, slots=True)
class _Said:
    status: int
    out: str
    error: str


class GitWorktrees:
    """Runs git with what `environ` says of the person and the machine, and nothing else."""

    def __init__(
        self, environ: Mapping[str, str], *, command: str = "git", seconds: float = _SECONDS
    ) -> None:
        self._command = command
        self._seconds = seconds
        self._environment = {
            **{name: environ[name] for name in _PASSED_ON if name in environ},
            "LC_ALL": "C.UTF-8",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_EDITOR": "true",
            "GIT_OPTIONAL_LOCKS": "0",
        }

    # --- making ---------------------------------------------------------------------------------

    def survey(self, directory: Path) -> Survey:
        """What there is to make a worktree of. Raises WorktreeError."""
        found = self._run(directory, "rev-parse", "--show-toplevel", "--show-prefix")
        if found.status:
            raise WorktreeError(
                f"{directory} is not in a git repository, so there can be no worktree of it: "
                f"{explain(found.error)}."
            )
        prefix = found.out.partition("\n")[2].rstrip("\n")
        commit = self._find_commit(directory, "HEAD")
        if commit is None:
            raise WorktreeError(
                f"The repository of {directory} has no commits yet; a worktree needs one."
            )
        base = self._run(directory, "symbolic-ref", "-q", "--short", "HEAD").out.strip()
        if not base:
            raise WorktreeError(
                f"{directory} is on no branch, so nothing could be merged back; check one out "
                "there first."
            )
        return Survey(Path(self._list(directory)[0].path), base, commit, prefix)

    def add(self, survey: Survey, name: str) -> tuple[Worktree, Path, bool]:
        """The worktree and the branch of that name, made if they are not there.

        Returns it, the directory in it that is like the surveyed one, and whether it was made now.
        Raises WorktreeError.
        """
        repository = survey.repository
        wanted = place_for(repository, name)
        path = Path(os.path.realpath(wanted.parent), name)  # as git has it in its list
        worktree = Worktree(str(path), name, survey.base, str(repository))
        is_new = not self._is_there_already(worktree)
        if is_new:
            self._add_new(worktree, survey.commit)
        below = path / survey.prefix
        return worktree, below if below.is_dir() else path, is_new

    def put_back(self, worktree: Worktree) -> str:
        """Make a worktree anew whose folder is gone; returns the branch it comes from.

        That is its own, or the base where its own is gone, too. Raises WorktreeError.
        """
        repository = Path(worktree.repository)
        self._forget_folder(worktree)
        origin = worktree.branch
        if self._find_commit(repository, _full(worktree.branch)) is None:
            origin = worktree.base
            commit = self._find_commit(repository, _full(worktree.base))
            if commit is None:
                raise WorktreeError(
                    f"The worktree {worktree.path} is gone, and so are its branch "
                    f"“{worktree.branch}” and “{worktree.base}”. Begin another session with /new."
                )
            self._add_new(worktree, commit)
        else:
            self._prepare(worktree)
            self._do(repository, "worktree", "add", worktree.path, worktree.branch)
        return origin

    def _is_there_already(self, worktree: Worktree) -> bool:
        """Raises WorktreeError where something else is in its place."""
        path, repository = Path(worktree.path), Path(worktree.repository)
        known = next((c for c in self._list(repository) if c.path == worktree.path), None)
        if known is not None and path.is_dir():
            if known.branch == worktree.branch:
                return True
            raise WorktreeError(
                f"There is a worktree {path} already, on “{known.branch or 'no branch'}”. "
                "Take another name."
            )
        if self._find_commit(repository, _full(worktree.branch)) is not None:
            raise WorktreeError(
                f"There is a branch “{worktree.branch}” already. Take another name."
            )
        if path.exists():
            raise WorktreeError(f"There is a {path} already. Take another name.")
        return False

    def _add_new(self, worktree: Worktree, commit: str) -> None:
        repository, branch = Path(worktree.repository), worktree.branch
        self._prepare(worktree)
        try:
            self._do(repository, "worktree", "add", "-b", branch, worktree.path, commit)
        except WorktreeError:
            if not Path(worktree.path).exists():
                self._run(repository, "branch", "-d", branch)  # nothing is on it yet
            raise

    def _prepare(self, worktree: Worktree) -> None:
        folder = Path(worktree.path).parent
        try:
            folder.mkdir(mode=0o755, exist_ok=True)
        except OSError as error:
            raise WorktreeError(f"{folder} can't be made: {reason_for(error)}.") from error

    # --- looking --------------------------------------------------------------------------------

    def look(self, worktree: Worktree) -> Condition:
        """How it stands. Raises WorktreeError."""
        repository, path = Path(worktree.repository), Path(worktree.path)
        checkout = next((c for c in self._list(repository) if c.path == worktree.path), None)
        is_there = checkout is not None and path.is_dir()
        branch = checkout.branch if checkout is not None and is_there else worktree.branch
        if not is_there and self._find_commit(repository, _full(branch)) is None:
            return Condition("", is_there, None)
        ahead = self._count_ahead(repository, branch, worktree.base) if branch else None
        if not is_there:
            return Condition(branch, is_there, ahead)
        if any(self._half_done(path)):
            return Condition("", is_there, None)
        said = self._do(
            *(path, "status", "--porcelain", "-z", "--untracked-files=normal"),
            *("--ignored=traditional", "--ignore-submodules=none"),
        )
        uncommitted, has_ignored = parse_status(said)
        return Condition(branch, is_there, ahead, uncommitted, has_ignored)

    def _count_ahead(self, repository: Path, branch: str, base: str) -> int | None:
        if base == branch:
            return 0
        said = self._run(repository, "rev-list", "--count", f"{_full(base)}..{_full(branch)}", "--")
        return int(said.out) if said.status == 0 else None

    def _list(self, directory: Path) -> list[Checkout]:
        found = parse_checkouts(self._do(directory, "worktree", "list", "--porcelain"))
        if not found:
            raise WorktreeError(f"git knows no checkout of {directory}.")
        return found

    def _find_commit(self, directory: Path, revision: str) -> str | None:
        said = self._run(directory, "rev-parse", "--verify", "-q", f"{revision}^{{commit}}")
        return said.out.strip() if said.status == 0 else None

    def _half_done(self, checkout: Path) -> list[str]:
        """What of a rebase or the like is under way in a checkout: the branches it is about."""
        found = []
        for name in _HALF_DONE:
            place = self._do(checkout, "rev-parse", "--git-path", name).strip()
            with suppress(OSError):
                found.append((checkout / place).read_text(errors="replace").strip() or name)
        return found

    # --- merging --------------------------------------------------------------------------------

    def merge(self, worktree: Worktree) -> None:
        """Bring what its branch has into the base, or nothing. Raises WorktreeError."""
        condition = self.look(worktree)
        branch, base, repository = condition.branch, worktree.base, Path(worktree.repository)
        if not branch or condition.ahead is None:
            raise WorktreeError(f"“{branch or worktree.branch}” can't be merged now.")
        if condition.uncommitted:
            raise WorktreeError("Not everything is committed; have that done first.")
        if condition.ahead == 0:
            return
        checkout = self._find_checkout(worktree)
        old, new = self._make_merge(repository, branch, base)
        if checkout is None:
            self._do(repository, "update-ref", "-m", f"merge {branch}", _full(base), new, old)
        else:
            self._do(checkout, "merge", "--ff-only", "-q", new)

    def _find_checkout(self, worktree: Worktree) -> Path | None:
        """Where the base is checked out, if it is, and takes a merge. Raises WorktreeError."""
        base = worktree.base
        checkouts = [c for c in self._list(Path(worktree.repository)) if Path(c.path).is_dir()]
        for checkout in checkouts:
            if checkout.branch == base:
                path = Path(checkout.path)
                changed = self._do(path, "status", "--porcelain", "-z", "--untracked-files=no")
                if changed:
                    names = parse_status(changed)[0]
                    raise WorktreeError(
                        f"“{base}” is checked out in {path}, where {len(names)} changed files are "
                        "not committed. Commit or stash them there first."
                    )
                return path
        for checkout in checkouts:
            path = Path(checkout.path)
            if not checkout.branch and {base, _full(base)} & set(self._half_done(path)):
                raise WorktreeError(f"“{base}” is being rebased or bisected in {path}.")
        return None

    def _make_merge(self, repository: Path, branch: str, base: str) -> tuple[str, str]:
        """The commits where the base is and where it is to be. Raises WorktreeError."""
        old, tip = (self._do(repository, "rev-parse", _full(n)).strip() for n in (base, branch))
        is_behind = self._run(repository, "merge-base", "--is-ancestor", old, tip).status == 0
        if is_behind:
            return old, tip
        merged = self._run(repository, "merge-tree", "--write-tree", "--name-only", old, tip)
        if merged.status == _CONFLICT and merged.out:
            names = [name for name in merged.out.split("\n\n")[0].splitlines()[1:] if name]
            raise WorktreeError(
                f"“{branch}” and “{base}” have both changed {', '.join(names[:3])}, so git can't "
                f"merge them by itself. Continue the session and have “{base}” merged there first."
            )
        if merged.status:
            raise WorktreeError(
                f"git can't merge “{branch}” into “{base}” from here ({explain(merged.error)}). "
                f"Continue the session and have “{base}” merged there first."
            )
        into = "" if base in ("main", "master") else f" into {base}"
        tree = merged.out.splitlines()[0]
        message = f"Merge branch '{branch}'{into}"
        return old, self._commit(repository, tree, old, tip, message=message)

    # --- removing -------------------------------------------------------------------------------

    def commit_all(self, worktree: Worktree, title: str) -> None:
        """Commit all that is not ignored to the branch that is checked out, or change nothing.

        Raises WorktreeError.
        """
        path = Path(worktree.path)
        if not self.look(worktree).branch:
            raise WorktreeError("It is on no branch to which that could be committed.")
        head = self._do(path, "rev-parse", "HEAD").strip()
        with tempfile.TemporaryDirectory() as folder:
            index = Path(folder, "index")
            self._do(path, "read-tree", head, index=index)
            self._do(path, "add", "--all", index=index)
            changed = self._do(path, "diff", "--cached", "--raw", "-z", head, index=index).split(
                "\0"
            )
            if any(field.startswith(_NEW_LINK) for field in changed):
                raise WorktreeError(
                    "There is another git repository in it, which can't be committed to this one. "
                    "Move that away first."
                )
            tree = self._do(path, "write-tree", index=index).strip()
        new = self._commit(path, tree, head, message=title)
        self._do(path, "update-ref", "-m", f"commit: {title}", "HEAD", new, head)
        self._do(path, "reset", "-q")

    def _commit(self, directory: Path, tree: str, *parents: str, message: str) -> str:
        """The id of a new commit, signed if the person has theirs signed."""
        signs = self._run(directory, "config", "--type=bool", "commit.gpgsign").out.strip()
        signed = ("-S",) if signs == "true" else ()
        above = [option for parent in parents for option in ("-p", parent)]
        return self._do(directory, "commit-tree", *signed, tree, *above, "-m", message).strip()

    def remove(self, worktree: Worktree) -> bool:
        """Remove folder and branch if nothing in them is nowhere else; whether the branch went.

        Raises WorktreeError.
        """
        condition = self.look(worktree)
        if condition.is_there and not condition.is_nothing_lost:
            raise WorktreeError("There is work in it that is nowhere else.")
        self.remove_folder(worktree)
        repository, branch = Path(worktree.repository), worktree.branch
        if self._find_commit(repository, _full(branch)) is None:
            return True
        held = (c.path for c in self._list(repository) if c.branch == worktree.base)
        where = next((Path(path) for path in held if Path(path).is_dir()), repository)
        return self._run(where, "branch", "-d", branch).status == 0

    def remove_folder(self, worktree: Worktree) -> None:
        """Remove the folder, unless something in it is not committed. Raises WorktreeError."""
        condition = self.look(worktree)
        if not condition.is_there:
            self._forget_folder(worktree)
            return
        if not condition.branch:
            raise WorktreeError("It is on no branch, so its commits could get lost.")
        remove = ("worktree", "remove", worktree.path)
        self._do(Path(worktree.repository), *remove, seconds=_REMOVING_SECONDS)
        with suppress(OSError):  # others are in it
            Path(worktree.path).parent.rmdir()

    def _forget_folder(self, worktree: Worktree) -> None:
        """Have git know that the folder is gone, so that its branch is free."""
        repository = Path(worktree.repository)
        if not repository.is_dir():
            raise WorktreeError(f"The repository {repository} is not there any more.")
        is_listed = any(c.path == worktree.path for c in self._list(repository))
        if is_listed and not Path(worktree.path).exists():
            self._do(repository, "worktree", "remove", worktree.path)

    # --- git ------------------------------------------------------------------------------------

    def _do(
        self, directory: Path, *arguments: str, seconds: float = 0, index: Path | None = None
    ) -> str:
        """What git prints; `index` takes the place of the checkout's own. Raises WorktreeError."""
        said = self._run(directory, *arguments, seconds=seconds, index=index)
        if said.status:
            raise WorktreeError(f"git refused: {explain(said.error)}.")
        return said.out

    def _run(
        self, directory: Path, *arguments: str, seconds: float = 0, index: Path | None = None
    ) -> _Said:
        limit = max(self._seconds, seconds)
        more = {"GIT_INDEX_FILE": str(index)} if index is not None else {}
        if not directory.is_dir():
            raise WorktreeError(f"{directory} is not there any more.")
        command = [self._command, *_QUIET, *arguments]
        try:
            process = subprocess.Popen(
                command,
                cwd=directory,
                env={**self._environment, **more},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                umask=0o022,  # the bridge's own is for its own files
                start_new_session=True,
            )
        except FileNotFoundError as error:
            raise WorktreeError("git is not installed on this machine.") from error
        except OSError as error:
            raise WorktreeError(f"git can't be run: {reason_for(error)}.") from error
        with process:
            try:
                out, said = process.communicate(timeout=limit)
            except subprocess.TimeoutExpired as error:
                _end(process)
                raise WorktreeError(
                    f"git took longer than {limit:g} seconds and was ended."
                ) from error
        return _Said(process.returncode, _text(out), _text(said))


def _full(branch: str) -> str:
    return f"refs/heads/{branch}"


def _text(data: bytes) -> str:
    return os.fsdecode(data)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End git and what it has started; it tidies up after itself if it is let."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=_LEAVING_SECONDS)
            return
