"""What is remembered of a worktree, what git tells of it, and what may become of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.worktrees import (
    Checkout,
    Condition,
    Deed,
    Worktree,
    ask_about_loss,
    describe,
    explain,
    list_deeds,
    list_names,
    note_worktree,
    parse_checkouts,
    parse_status,
    place_for,
    read_worktree,
)

FIX = Worktree("/code/shop-worktrees/fix", "fix", "main", "/code/shop")


def test_what_is_noted_is_read_again() -> None:
    assert read_worktree({"worktree": note_worktree(FIX)}) == FIX
    assert FIX.name == "fix"


@pytest.mark.parametrize(
    "noted", [None, "", {}, [], {"path": "/x"}, note_worktree(FIX) | {"base": 3}]
)
def test_what_is_no_worktree_is_read_as_none(noted: Any) -> None:
    assert read_worktree({"worktree": noted}) is None
    assert read_worktree({}) is None


@pytest.mark.parametrize(
    ("repository", "place"),
    [
        ("/code/shop", "/code/shop-worktrees/fix"),
        ("/code/shop.git", "/code/shop-worktrees/fix"),
        ("/shop", "/shop-worktrees/fix"),
        ("/", "/-worktrees/fix"),
    ],
)
def test_worktrees_lie_beside_their_repository(repository: str, place: str) -> None:
    assert place_for(PurePath(repository), "fix") == PurePath(place)


def test_the_list_of_checkouts() -> None:
    text = (
        "worktree /code/shop\nHEAD 12ab\nbranch refs/heads/main\n\n"
        "worktree /code/shop worktrees/a b\nHEAD 12ab\nbranch refs/heads/feature/x\nlocked busy\n\n"
        "worktree /code/detached\nHEAD 12ab\ndetached\n\n"
        "worktree /code/gone\nHEAD 12ab\nbranch refs/heads/y\nprunable gone\n\n"
    )
    assert parse_checkouts(text) == [
        Checkout("/code/shop", "main"),
        Checkout("/code/shop worktrees/a b", "feature/x"),
        Checkout("/code/detached", ""),
        Checkout("/code/gone", "y"),
    ]
    assert parse_checkouts("worktree /code/shop.git\nbare\n\n") == [Checkout("/code/shop.git", "")]
    assert parse_checkouts("") == []


@pytest.mark.parametrize(
    ("text", "names", "has_ignored"),
    [
        ("", (), False),
        ("?? new.txt\0", ("new.txt",), False),
        (" M a\0A  b c\0R  new\0old\0 D gone\0", ("a", "b c", "new", "gone"), False),
        ("!! cache/\0?? x\ny\0", ("x\ny",), True),
        ("UU both\0", ("both",), False),
        ("R  new", ("new",), False),  # a torn line
    ],
)
def test_what_is_not_committed(text: str, names: tuple[str, ...], has_ignored: bool) -> None:
    assert parse_status(text) == (names, has_ignored)


@given(st.text())
def test_whatever_git_prints_is_read(text: str) -> None:
    parse_checkouts(text)
    parse_status(text)
    assert "\n" not in explain(text)
    assert len(explain(text)) <= 300


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("Preparing\nfatal: 'x' is already checked out at '/y'\n", "'x' is already checked"),
        ("hint: one\nerror: two\nhint: three\n", "two"),
        ("something\nelse.\n", "else"),
        ("", "no reason was given"),
        ("fatal: a\x1b[31mb\u202e", "a"),
    ],
)
def test_the_reason_is_one_line(said: str, reason: str) -> None:
    assert explain(said).startswith(reason)
    assert "\x1b" not in explain(said)


def stands(**facts: Any) -> Condition:
    return replace(Condition("fix", is_there=True, ahead=0), **facts)


@pytest.mark.parametrize(
    ("condition", "deeds", "told"),
    [
        (stands(), ["keep", "remove"], "“fix”: no commits that “main” has not."),
        (stands(ahead=1), ["merge", "keep", "remove"], "“fix”: 1 commit ahead of “main”."),
        (
            stands(ahead=2, uncommitted=("a", "b")),
            ["keep", "remove"],
            "2 commits ahead of “main”, not committed: a, b. To merge it, continue the session",
        ),
        (stands(uncommitted=("a",)), ["keep", "remove"], "not committed: a."),
        (stands(has_ignored=True), ["keep", "remove"], "they go with the folder"),
        (stands(branch="", ahead=None), [], "is on no branch"),
        (stands(ahead=None), ["keep", "remove"], "“main”, which it comes from, is gone"),
        (stands(is_there=False), ["keep", "remove"], "(the folder is gone)"),
        (stands(is_there=False, ahead=3), ["merge", "keep"], "(the folder is gone): 3 commits"),
        (stands(is_there=False, ahead=None), ["keep"], "(the folder is gone): “main”, which"),
        (stands(branch="", is_there=False, ahead=None), [], "/fix and its branch are gone"),
    ],
)
def test_what_is_told_and_offered(condition: Condition, deeds: list[Deed], told: str) -> None:
    assert told in describe(FIX, condition)
    assert list_deeds(condition) == deeds


@given(
    st.builds(
        Condition,
        branch=st.sampled_from(["", "fix", "other"]),
        is_there=st.booleans(),
        ahead=st.none() | st.integers(0, 3),
        uncommitted=st.sampled_from([(), ("a",)]),
        has_ignored=st.booleans(),
    )
)
def test_a_merge_is_offered_only_where_all_is_committed(condition: Condition) -> None:
    deeds = list_deeds(condition)
    assert ("merge" in deeds) <= (bool(condition.ahead) and not condition.uncommitted)
    assert (deeds == []) or "keep" in deeds
    assert describe(FIX, condition)
    if condition.is_nothing_lost:
        assert not condition.uncommitted
        assert condition.ahead == 0


def test_what_would_be_lost_is_named() -> None:
    asked = ask_about_loss(stands(uncommitted=("a", "b", "c", "d\n")))
    assert "a, b, c and 1 more would be lost" in asked
    assert "The branch stays, with all of them" in ask_about_loss(stands(ahead=1))
    assert list_names(["a\u202eb"]) == "a_b"
