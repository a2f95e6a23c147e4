"""Worktrees on real repositories: made, merged, removed, and nothing lost whatever there is."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from core.errors import WorktreeError
from core.worktrees import Worktree
from git_worktrees import GitWorktrees
from tests.standins.repository import Shop


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def test_a_worktree_lies_beside_the_repository_on_a_branch_of_its_own(shop: Shop) -> None:
    worktree, directory, is_new = shop.worktrees.add(shop.worktrees.survey(shop.path), "fix")
    assert is_new
    path = shop.path.parent / "shop-worktrees" / "fix"
    assert worktree == Worktree(str(path), "fix", "main", str(shop.path))
    assert directory == path
    assert (path / "a.txt").read_text() == "one\n"
    assert shop.git("branch", "--show-current", at=path) == "fix"
    assert shop.git("status", "--porcelain") == ""  # the project does not show it
    assert (path / "a.txt").stat().st_mode & 0o777 == 0o644
    assert shop.worktrees.look(worktree).is_nothing_lost


def test_a_session_below_the_top_is_below_the_top_of_the_worktree(shop: Shop) -> None:
    survey = shop.worktrees.survey(shop.path / "src")
    worktree, directory, _ = shop.worktrees.add(survey, "fix")
    assert directory == Path(worktree.path) / "src"


def test_what_is_asked_for_again_is_there(shop: Shop) -> None:
    first = shop.add()
    shop.write("new.txt", "x", Path(first.path))
    again, directory, is_new = shop.worktrees.add(shop.worktrees.survey(shop.path), "fix")
    assert (again, directory, is_new) == (first, Path(first.path), False)
    assert (directory / "new.txt").exists()


def test_a_worktree_of_a_worktree_goes_back_to_that_ones_branch(shop: Shop) -> None:
    first = shop.worked("first")
    second = shop.add("second", Path(first.path))
    assert (second.base, second.repository) == ("first", str(shop.path))
    assert Path(second.path).parent == Path(first.path).parent


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda shop: shop.git("branch", "fix"), "There is a branch “fix” already"),
        (lambda shop: shop.git("branch", "fix/deep"), "git refused: .*fix"),
        (
            lambda shop: (shop.path.parent / "shop-worktrees" / "fix").mkdir(parents=True),
            "There is a .*/shop-worktrees/fix already",
        ),
        (lambda shop: shop.write("../shop-worktrees", "x"), "can't be made"),
        (lambda shop: shop.git("checkout", "-q", "--detach"), "is on no branch"),
        (lambda shop: shop.git("update-ref", "-d", "refs/heads/main"), "has no commits yet"),
        (lambda shop: (shop.path / ".git").rename(shop.path / "no"), "not in a git repository"),
    ],
)
def test_why_there_can_be_no_worktree(
    shop: Shop, spoil: Callable[[Shop], object], reason: str
) -> None:
    spoil(shop)
    before = sorted(shop.path.parent.rglob("*"))
    with pytest.raises(WorktreeError, match=reason):
        shop.add()
    after = [p for p in sorted(shop.path.parent.rglob("*")) if ".git" not in p.parts]
    assert set(after) <= {*before, shop.path.parent / "shop-worktrees"}


def test_a_place_on_another_branch_is_left_alone(shop: Shop) -> None:
    made = shop.add()
    shop.git("checkout", "-qb", "other", at=Path(made.path))
    with pytest.raises(WorktreeError, match="already, on “other”"):
        shop.add()


def test_git_that_is_missing_or_hangs_is_told_in_a_sentence(shop: Shop, tmp_path: Path) -> None:
    with pytest.raises(WorktreeError, match="git is not installed"):
        GitWorktrees(shop.environ, command="no-such-git").survey(shop.path)
    slow = tmp_path / "slow"
    slow.write_text("#!/bin/sh\nsleep 60\n")
    slow.chmod(0o755)
    with pytest.raises(WorktreeError, match=r"longer than 0.2 seconds"):
        GitWorktrees(shop.environ, command=str(slow), seconds=0.2).survey(shop.path)


def test_what_is_set_for_another_repository_is_not_passed_on(shop: Shop) -> None:
    environ = shop.environ | {"GIT_DIR": "/nowhere", "GIT_INDEX_FILE": "/nowhere", "GIT_TRACE": "1"}
    assert GitWorktrees(environ).survey(shop.path).base == "main"


def test_a_worktree_that_takes_too_long_is_not_half_there(shop: Shop) -> None:
    shop.write(".gitattributes", "*.txt filter=slow\n")
    shop.commit()
    shop.git("config", "filter.slow.smudge", "sleep 60")
    shop.worktrees = GitWorktrees(shop.environ, seconds=1)
    with pytest.raises(WorktreeError, match="git took longer than 1 seconds and was ended"):
        shop.add()
    assert shop.branches() == ["main"]
    assert shop.git("worktree", "list").count("\n") == 0
    assert not (shop.path.parent / "shop-worktrees" / "fix").exists()
    shop.git("config", "--unset", "filter.slow.smudge")
    shop.add()


def test_a_git_that_can_not_try_a_merge_still_moves_a_branch_forward(
    shop: Shop, tmp_path: Path
) -> None:
    old = tmp_path / "git-2.34"
    old.write_text(
        '#!/bin/sh\ncase "$*" in *merge-tree*) echo "usage: git merge-tree" >&2; exit 129;; esac\n'
        'exec git "$@"\n'
    )
    old.chmod(0o755)
    shop.worktrees = GitWorktrees(shop.environ, command=str(old))
    made = shop.worked()
    shop.worktrees.merge(made)
    assert shop.git("rev-parse", "main") == shop.git("rev-parse", "fix")
    shop.write("fix.txt", "more", Path(made.path))
    shop.commit(Path(made.path))
    shop.write("main.txt", "m")
    shop.commit()
    before = shop.state()
    with pytest.raises(WorktreeError, match="have “main” merged there first"):
        shop.worktrees.merge(made)
    assert shop.state() == before


def test_no_hook_and_no_watcher_of_the_project_is_run(shop: Shop, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    for name in ("post-checkout", "pre-commit", "post-merge", "reference-transaction", "watch"):
        hook = shop.path / ".git" / "hooks" / name
        hook.write_text(f"#!/bin/sh\ntouch {ran}\n")
        hook.chmod(0o755)
    shop.git("config", "core.fsmonitor", str(shop.path / ".git" / "hooks" / "watch"))
    made = shop.add()
    shop.write("new.txt", "x", Path(made.path))
    shop.worktrees.commit_all(made, "Work")
    shop.worktrees.merge(made)
    assert shop.worktrees.remove(made)
    assert not ran.exists()


# --- merging -------------------------------------------------------------------------------------


def test_a_merge_moves_the_base_forward_and_the_worktree_goes(shop: Shop) -> None:
    made = shop.worked()
    tip = shop.git("rev-parse", "fix")
    condition = shop.worktrees.look(made)
    assert (condition.ahead, condition.uncommitted, condition.branch) == (1, (), "fix")
    shop.worktrees.merge(made)
    assert shop.git("rev-parse", "main") == tip
    assert (shop.path / "fix.txt").read_text() == "fixed\n"
    assert shop.git("status", "--porcelain") == ""
    assert shop.worktrees.remove(made)
    assert shop.branches() == ["main"]
    assert not Path(made.path).parent.exists()


def test_both_sides_went_on_and_are_joined(shop: Shop) -> None:
    made = shop.worked()
    shop.write("main.txt", "m")
    shop.commit()
    old = shop.git("rev-parse", "main")
    shop.worktrees.merge(made)
    assert shop.git("rev-parse", "main^1", "main^2").split() == [old, shop.git("rev-parse", "fix")]
    assert shop.git("log", "-1", "--format=%s %an") == "Merge branch 'fix' Ada"
    assert (shop.path / "fix.txt").exists()
    assert shop.git("status", "--porcelain") == ""


def test_a_base_that_is_checked_out_nowhere_is_moved_alone(shop: Shop) -> None:
    made = shop.worked()
    shop.git("checkout", "-qb", "other")
    shop.worktrees.merge(made)
    assert shop.git("rev-parse", "main") == shop.git("rev-parse", "fix")
    assert not (shop.path / "fix.txt").exists()
    shop.worktrees.remove(made)
    assert not Path(made.path).exists()


def test_a_base_in_another_worktree_is_merged_there(shop: Shop) -> None:
    first = shop.worked("first")
    second = shop.add("second", Path(first.path))
    shop.write("second.txt", "x", Path(second.path))
    shop.commit(Path(second.path))
    shop.worktrees.merge(second)
    assert (Path(first.path) / "second.txt").exists()
    assert not (shop.path / "second.txt").exists()


def _conflict(shop: Shop, made: Worktree) -> None:
    shop.write("a.txt", "two\n", Path(made.path))
    shop.commit(Path(made.path))
    shop.write("a.txt", "three\n")
    shop.commit()


def _detach(shop: Shop, made: Worktree) -> None:
    shop.git("checkout", "-q", "--detach", at=Path(made.path))


def _rebase(shop: Shop, made: Worktree) -> None:
    """A rebase of main is under way in the main checkout."""
    shop.git("branch", "side")
    shop.write("a.txt", "two\n")
    shop.commit()
    shop.git("checkout", "-q", "side")
    shop.write("a.txt", "three\n")
    shop.commit()
    shop.git("checkout", "-q", "main")
    with pytest.raises(subprocess.CalledProcessError):
        shop.git("rebase", "side")


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (_conflict, "“fix” and “main” have both changed a.txt"),
        (lambda shop, made: shop.write("a.txt", "changed"), "1 changed files are not committed"),
        (lambda shop, made: shop.write("fix.txt", "mine"), "git refused"),
        (lambda shop, made: shop.write("x", "x", Path(made.path)), "Not everything is committed"),
        (_rebase, "“main” is being rebased"),
        (_detach, "can't be merged now"),
        (lambda shop, made: shop.git("branch", "-m", "main", "trunk"), "can't be merged now"),
    ],
)
def test_what_can_not_be_merged_changes_nothing(
    shop: Shop, spoil: Callable[[Shop, Worktree], object], reason: str
) -> None:
    made = shop.worked()
    spoil(shop, made)
    before = shop.state()
    with pytest.raises(WorktreeError, match=reason):
        shop.worktrees.merge(made)
    assert shop.state() == before


def test_a_merge_without_a_name_to_sign_with_changes_nothing(shop: Shop) -> None:
    made = shop.worked()
    shop.write("main.txt", "m")
    shop.commit()
    (shop.home / ".gitconfig").write_text("[user]\nuseConfigOnly = true\n")
    before = shop.state()
    with pytest.raises(WorktreeError, match="git refused"):
        shop.worktrees.merge(made)
    assert shop.state() == before


# --- removing ------------------------------------------------------------------------------------


def _nested(shop: Shop, path: Path) -> None:
    shop.git("init", "-q", "inner", at=path)
    shop.write("inner/x", "x", path)
    shop.git("add", "-A", at=path / "inner")
    shop.git("commit", "-qm", "inner", at=path / "inner")


def _leave_half(shop: Shop, path: Path) -> None:
    """A commit on no branch."""
    shop.git("checkout", "-q", "--detach", at=path)
    shop.write("lost.txt", "x", path)
    shop.commit(path)


def _stage(shop: Shop, path: Path) -> None:
    shop.write("staged.txt", "x", path)
    shop.git("add", "staged.txt", at=path)


def _commit(shop: Shop, path: Path) -> None:
    shop.write("committed.txt", "x", path)
    shop.commit(path)


WORK: dict[str, Callable[[Shop, Path], object]] = {
    "a new file": lambda shop, path: shop.write("new.txt", "x", path),
    "a changed file": lambda shop, path: shop.write("a.txt", "changed", path),
    "a file that is gone": lambda shop, path: (path / "a.txt").unlink(),
    "a staged file": _stage,
    "a commit": _commit,
    "a repository in it": _nested,
    "a commit on no branch": _leave_half,
    "a name that is odd": lambda shop, path: shop.write("-n \n ä", "x", path),
}


@pytest.mark.parametrize("work", WORK.values(), ids=WORK.keys())
def test_work_that_is_nowhere_else_is_not_removed(
    shop: Shop, work: Callable[[Shop, Path], object]
) -> None:
    made = shop.add()
    work(shop, Path(made.path))
    found = sorted(Path(made.path).rglob("*"))
    assert not shop.worktrees.look(made).is_nothing_lost
    with pytest.raises(WorktreeError):
        shop.worktrees.remove(made)
    if work is not _commit:  # which is on the branch, and so may lose the folder
        with pytest.raises(WorktreeError):
            shop.worktrees.remove_folder(made)
    assert sorted(Path(made.path).rglob("*")) == found
    assert "fix" in shop.branches()


@pytest.mark.parametrize(
    "work", [work for work in WORK if work not in ("a repository in it", "a commit on no branch")]
)
def test_what_is_committed_first_is_on_the_branch_when_the_folder_is_gone(
    shop: Shop, work: str
) -> None:
    made = shop.add()
    path = Path(made.path)
    WORK[work](shop, path)
    there = {p.name: p.read_bytes() for p in path.iterdir() if p.is_file() and p.name != ".git"}
    if shop.worktrees.look(made).uncommitted:
        shop.worktrees.commit_all(made, "Kept")
    assert shop.worktrees.look(made).uncommitted == ()
    shop.worktrees.remove_folder(made)
    assert not path.exists()
    shop.git("checkout", "-q", "fix")
    assert there == {p.name: p.read_bytes() for p in shop.path.iterdir() if p.is_file()}
    assert not shop.worktrees.remove(made) or "fix" in shop.branches()


def test_a_repository_in_it_is_neither_committed_nor_removed(shop: Shop) -> None:
    made = shop.add()
    path = Path(made.path)
    _nested(shop, path)
    shop.write("new.txt", "x", path)
    shop.git("add", "new.txt", at=path)
    before = (shop.state(), shop.git("status", "--porcelain", at=path))
    with pytest.raises(WorktreeError, match="another git repository in it"):
        shop.worktrees.commit_all(made, "Kept")
    assert (shop.state(), shop.git("status", "--porcelain", at=path)) == before
    with pytest.raises(WorktreeError):
        shop.worktrees.remove_folder(made)
    assert (path / "inner" / "x").exists()


def test_what_git_ignores_is_told_and_goes_with_the_folder(shop: Shop) -> None:
    shop.write(".gitignore", "cache/\n")
    shop.commit()
    made = shop.add()
    shop.write("cache/x", "x", Path(made.path))
    condition = shop.worktrees.look(made)
    assert condition.has_ignored
    assert condition.is_nothing_lost
    assert shop.worktrees.remove(made)
    assert not Path(made.path).exists()


def test_only_its_own_branch_goes_with_it(shop: Shop) -> None:
    made = shop.add()
    shop.git("checkout", "-qb", "other", at=Path(made.path))
    assert shop.worktrees.remove(made)
    assert shop.branches() == ["main", "other"]


def test_all_is_done_already_when_it_is_asked_for_again(shop: Shop) -> None:
    made = shop.worked()
    shop.worktrees.merge(made)
    shop.worktrees.merge(made)
    shop.worktrees.remove_folder(made)
    shop.worktrees.remove_folder(made)
    assert shop.worktrees.remove(made)
    assert shop.worktrees.remove(made)
    assert shop.branches() == ["main"]
    assert not shop.worktrees.look(made).is_there


# --- putting back --------------------------------------------------------------------------------


@pytest.mark.parametrize("is_known_to_git", [True, False])
def test_a_folder_that_is_gone_comes_back_from_its_branch(
    shop: Shop, is_known_to_git: bool
) -> None:
    made = shop.worked()
    if is_known_to_git:
        subprocess.run(["rm", "-rf", made.path], check=True)
    else:
        shop.worktrees.remove_folder(made)
    assert shop.worktrees.put_back(made) == "fix"
    assert (Path(made.path) / "fix.txt").exists()
    assert shop.git("branch", "--show-current", at=Path(made.path)) == "fix"


def test_one_that_was_merged_comes_back_from_its_base(shop: Shop) -> None:
    made = shop.worked()
    shop.worktrees.merge(made)
    assert shop.worktrees.remove(made)
    assert shop.worktrees.put_back(made) == "main"
    assert (Path(made.path) / "fix.txt").exists()
    assert shop.git("branch", "--show-current", at=Path(made.path)) == "fix"


def test_what_comes_back_from_nowhere_is_told(shop: Shop) -> None:
    made = shop.worked()
    subprocess.run(["rm", "-rf", made.path], check=True)
    shop.git("checkout", "-q", "--detach")
    shop.git("worktree", "prune")
    shop.git("branch", "-D", "fix", "main")
    with pytest.raises(WorktreeError, match="so are its branch “fix” and “main”"):
        shop.worktrees.put_back(made)
    subprocess.run(["rm", "-rf", str(shop.path)], check=True)
    with pytest.raises(WorktreeError, match="is not there any more"):
        shop.worktrees.put_back(made)


def test_a_branch_that_is_in_use_elsewhere_is_not_put_back(shop: Shop) -> None:
    made = shop.worked()
    shop.worktrees.remove_folder(made)
    shop.git("checkout", "-q", "fix")
    with pytest.raises(WorktreeError, match="already checked out"):
        shop.worktrees.put_back(made)
    assert not Path(made.path).exists()
