"""/new: what was asked for, the names that may be made, and how places read."""

from __future__ import annotations

import os
import re
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import ProjectError
from core.file_names import LONGEST_LABEL
from core.projects import (
    MOST_FAVOURITES,
    MOST_RECENT,
    Wish,
    check_directory_name,
    check_worktree_name,
    name_place,
    parse_new,
    pick_recent,
    render_folder,
    toggle_favourite,
)


@pytest.mark.parametrize(
    ("argument", "wish"),
    [
        ("", Wish("")),
        ("shop", Wish("shop")),
        ("~/my shop", Wish("~/my shop")),
        ("--worktree fix", Wish("", "fix")),
        ("--worktree=fix", Wish("", "fix")),
        ("—worktree fix-login", Wish("", "fix-login")),  # a telephone's idea of two hyphens
        ("~/my shop  --worktree  fix ", Wish("~/my shop", "fix")),
        ("my--worktree fix", Wish("my--worktree fix")),
        ("--worktrees fix", Wish("--worktrees fix")),
    ],
)
def test_what_follows_new(argument: str, wish: Wish) -> None:
    assert parse_new(argument) == wish


def test_a_worktree_without_a_good_name_is_refused_with_one_that_would_do() -> None:
    with pytest.raises(ProjectError, match="Say the worktree's name with it"):
        parse_new("shop --worktree")
    with pytest.raises(ProjectError, match="Fix-the-login would do"):
        parse_new("--worktree Fix the login")


@pytest.mark.parametrize(
    "name", ["fix", "Fix-1.2_b", "0", "a" * 60, "v1.0", "a-", "headless", "lock"]
)
def test_good_names_of_worktrees(name: str) -> None:
    assert check_worktree_name(f" {name}\n") == name


@pytest.mark.parametrize(
    "name",
    [
        *("", "-d", ".git", "a/b", "a b", "a..b", "a.", "a.lock", "HEAD", "head", "a" * 61, "ä"),
        *("a\n-b", "a@{1}", "a~1", "a^", "a:b", "a?", "a*", "a[", "a\\b", "--force", "a\0", ".."),
        *("$(id)", "@"),
    ],
)
def test_bad_names_of_worktrees(name: str) -> None:
    with pytest.raises(ProjectError):
        check_worktree_name(name)


@given(st.one_of(st.text(max_size=70), st.from_regex(r"[A-Za-z0-9._-]{1,20}", fullmatch=True)))
def test_no_name_of_a_worktree_is_anything_but_one_word(name: str) -> None:
    try:
        found = check_worktree_name(name)
    except ProjectError:
        return
    assert re.fullmatch(r"[A-Za-z0-9][\w.-]*", found, re.ASCII)
    assert os.path.basename(os.path.normpath(found)) == found


@pytest.mark.parametrize("name", ["a", "a.b", "a-b", "x" * 60, "a.lockb", "1"])
def test_git_takes_the_names_that_are_taken(name: str) -> None:
    check_worktree_name(name)
    subprocess.run(["git", "check-ref-format", "--branch", name], check=True, capture_output=True)


@pytest.mark.parametrize("name", ["shop", "My shop", "Bücher", "店", "a.b", "it's", "a" * 100])
def test_good_names_of_directories(name: str) -> None:
    assert check_directory_name(f" {name} ") == name


@pytest.mark.parametrize(
    "name",
    [
        *("", " ", ".", "..", ".git", "a/b", "/etc", "~", "~root", "-rf", "a\nb", "a\0b", "a\\b"),
        *("a\u202eb", "a\u200bb", "\ud800", "é" * 51),
    ],
)
def test_bad_names_of_directories(name: str) -> None:
    with pytest.raises(ProjectError):
        check_directory_name(name)


@given(st.text(max_size=120))
def test_no_name_of_a_directory_leads_anywhere_else(name: str) -> None:
    try:
        found = check_directory_name(name)
    except ProjectError:
        return
    assert os.path.normpath(os.path.join("/shops", found)) == f"/shops/{found}"
    assert found.isprintable()
    assert len(found.encode()) <= 100
    assert check_directory_name(found) == found


def test_recent_places_are_named_once_without_the_favourites() -> None:
    used = ["/b", "/a", "/b", "/c", "/fav", "/a"]
    assert pick_recent(used, ["/fav"]) == ["/b", "/a", "/c"]
    assert len(pick_recent(map(str, range(50)), [])) == MOST_RECENT


def test_a_favourite_is_marked_and_unmarked_and_there_is_an_end_of_them() -> None:
    marked: list[str] = []
    for number in range(MOST_FAVOURITES):
        marked = toggle_favourite(marked, f"/{number}")
    with pytest.raises(ProjectError, match="12 favourites already"):
        toggle_favourite(marked, "/more")
    assert toggle_favourite(marked, "/3") == [path for path in marked if path != "/3"]


@pytest.mark.parametrize(
    ("place", "shown"),
    [
        ("/home/ada/code/shop", "~/code/shop"),
        ("/home/ada", "~"),
        ("/home/adam/x", "/home/adam/x"),
        ("/", "/"),
        ("/srv/a\nb\u202e", "/srv/a_b_"),
    ],
)
def test_a_place_on_a_button(place: str, shown: str) -> None:
    assert name_place(place, "/home/ada") == shown


def test_a_long_place_keeps_its_end() -> None:
    shown = name_place("/home/ada/" + "long/" * 20 + "shop", "/home/ada")
    assert len(shown) <= LONGEST_LABEL
    assert shown.endswith("long/shop")


def test_what_stands_above_a_folder() -> None:
    assert render_folder("code", (), 0, 0, "") == "📁 code\nNo folders"
    text = render_folder("code", ("shop", "a\nb"), 17, 1, "main")
    assert text == "📁 code/shop/a_b\nBranch: main\n17 folders · page 2 of 3"
