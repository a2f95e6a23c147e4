"""A session's git worktree: what is remembered of it, how it stands, and what may become of it.

* A worktree lies beside its repository, in a folder for all of them: not in the project, whose git
  would show it, and not below `.claude`, where Claude Code asks before it writes.
* Nothing that is nowhere else is given up: what is not committed is committed first, and a branch
  goes only when git finds all of it in another.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import PurePath
from typing import Any, Literal

from core.file_names import name_on_button
from core.visible_text import make_line

Deed = Literal["merge", "keep", "remove", "remove folder"]
"""What may become of a worktree; the last one leaves the branch."""

_NAMED = 3
_LONGEST_REASON = 300
_BRANCHES = "refs/heads/"


@dataclass(frozen=True, slots=True)
class Worktree:
    """A worktree at `path` on `branch`, begun at the branch `base` of the `repository`.

    `repository` is the path of the main checkout.
    """

    path: str
    branch: str
    base: str
    repository: str

    @property
    def name(self) -> str:
        """What its folder is called."""
        return PurePath(self.path).name


@dataclass(frozen=True, slots=True)
class Checkout:
    """A line of git's list of worktrees: where it is and on which branch ("" for none)."""

    path: str
    branch: str


@dataclass(frozen=True, slots=True)
class Condition:
    """How a worktree stands.

    `branch`: the one that is checked out there, "" for none (in the middle of a rebase, say); of a
    folder that is gone its own, "" if that is gone, too.
    `ahead`: how many commits its branch has that the base has not; None where one of the two is
    gone. `uncommitted`: what would be lost, by name. `has_ignored`: whether there is something that
    git ignores.
    """

    branch: str
    is_there: bool
    ahead: int | None
    uncommitted: tuple[str, ...] = ()
    has_ignored: bool = False

    @property
    def is_nothing_lost(self) -> bool:
        """Whether folder and branch hold nothing that is not in the base."""
        return not self.uncommitted and self.ahead == 0


def note_worktree(worktree: Worktree) -> dict[str, str]:
    """As it is kept in a session's state."""
    return asdict(worktree)


def read_worktree(state: Mapping[str, Any]) -> Worktree | None:
    """The worktree that a session's state tells of."""
    match state.get("worktree"):
        case {
            "path": str(path),
            "branch": str(branch),
            "base": str(base),
            "repository": str(repository),
        }:
            return Worktree(path, branch, base, repository)
        case _:
            return None


def place_for(repository: PurePath, name: str) -> PurePath:
    """Where the repository's worktree of that name is."""
    return repository.parent / f"{repository.name.removesuffix('.git')}-worktrees" / name


def parse_checkouts(text: str) -> list[Checkout]:
    """What `git worktree list --porcelain` prints; the first is the repository's own."""
    found = []
    for block in text.split("\n\n"):
        fields = dict(line.partition(" ")[::2] for line in block.splitlines())
        if "worktree" in fields:
            branch = fields.get("branch", "").removeprefix(_BRANCHES)
            found.append(Checkout(fields["worktree"], branch))
    return found


def parse_status(text: str) -> tuple[tuple[str, ...], bool]:
    """What is not committed, and whether something is ignored, by `git status --porcelain -z`."""
    names, has_ignored = [], False
    fields = iter(text.split("\0"))
    for field in fields:
        sign, name = field[:2], field[3:]
        if not name:
            continue
        if sign == "!!":
            has_ignored = True
            continue
        names.append(name)
        if sign[0] in "RC" or sign[1] in "RC":
            next(fields, None)  # the name that it had
    return tuple(names), has_ignored


def explain(said: str) -> str:
    """git's reason, of what it printed on standard error."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    told = [line for line in lines if line.startswith(("fatal:", "error:"))]
    reason = told[0] if told else lines[-1] if lines else "no reason was given"
    plain = make_line(reason.removeprefix("fatal:").removeprefix("error:").strip())
    return plain[:_LONGEST_REASON].rstrip(".")


def name_worktree(worktree: Worktree) -> str:
    """The worktree in a few words, for who looks at its session."""
    return f"{worktree.name}, from “{worktree.base}” of {worktree.repository}"


def describe(worktree: Worktree, condition: Condition) -> str:
    """What there is in it, for who decides what becomes of it."""
    if not condition.branch and condition.is_there:
        return (
            f"Its worktree {worktree.path} is on no branch; something may be half done there, "
            "a rebase say. It is left as it is. Finish that at the machine."
        )
    if not condition.branch:
        return f"Its worktree {worktree.path} and its branch are gone; nothing is left to do."
    facts = [_tell_commits(condition.ahead, worktree.base)]
    if condition.uncommitted:
        facts.append(f"not committed: {list_names(condition.uncommitted)}")
    gone = "" if condition.is_there else " (the folder is gone)"
    text = f"Its worktree “{condition.branch}”{gone}: {', '.join(facts)}."
    if condition.uncommitted:
        text += " To merge it, continue the session and have that committed first."
    if condition.has_ignored:
        text += " Files that git ignores are in it, too; they go with the folder."
    return text


def list_deeds(condition: Condition) -> list[Deed]:
    """What is offered."""
    if not condition.branch:
        return []
    is_mergeable = bool(condition.ahead) and not condition.uncommitted
    is_removable = condition.is_there or condition.ahead == 0
    merges: list[Deed] = ["merge"] if is_mergeable else []
    removes: list[Deed] = ["remove"] if is_removable else []
    return [*merges, "keep", *removes]


def label_deed(deed: Deed, base: str, *, commits: bool) -> str:
    """What its button says; `commits`: what is there is committed first."""
    match deed:
        case "merge":
            return f"Merge into {name_on_button(base)}"
        case "keep":
            return "Keep"
        case "remove":
            return "Remove"
        case "remove folder":
            return "Commit, remove the folder" if commits else "Remove the folder only"


def ask_about_loss(condition: Condition) -> str:
    """What is asked before a folder goes whose work is nowhere else."""
    branch = condition.branch
    if condition.uncommitted:
        what = f"{list_names(condition.uncommitted)} would be lost. Commit it to the branch"
        return f"Not committed: {what} “{branch}”, and remove only the folder? The branch stays."
    return (
        f"The commits of “{branch}” are not in the branch that it comes from. Remove only the "
        "folder? The branch stays, with all of them."
    )


def list_names(names: Iterable[str]) -> str:
    """A few of the names, and how many there are besides."""
    every = [name_on_button(name) for name in names]
    more = len(every) - _NAMED
    shown = ", ".join(every[:_NAMED])
    return f"{shown} and {more} more" if more > 0 else shown


def count_commits(number: int) -> str:
    """`1 commit`, `3 commits`."""
    return "1 commit" if number == 1 else f"{number} commits"


def _tell_commits(ahead: int | None, base: str) -> str:
    if ahead is None:
        return f"“{base}”, which it comes from, is gone"
    if ahead == 0:
        return f"no commits that “{base}” has not"
    return f"{count_commits(ahead)} ahead of “{base}”"
