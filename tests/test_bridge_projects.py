"""Sessions in other directories and in worktrees, from end to end."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from tests.test_bridge_sessions import press
from tests.world import World, wait_until


def works_in(world: World, place: object) -> None:
    """The answer to the next text comes from a Claude that works there, as its model is told."""
    world.ask("hello", "Echo: hello")
    told = json.dumps(world.model.turns[-1].body)
    assert f"Primary working directory: {place}\\n" in told


def test_a_session_in_a_directory_that_was_picked_and_in_one_that_was_made(world: World) -> None:
    code = world.root / "code"
    shop = code / "shop"
    shop.mkdir(parents=True)
    world.settings["BRIDGE_PROJECT_ROOTS"] = str(code)
    world.write_claude_settings(trusted=[world.project, code])
    world.start_bridge()
    begun = world.ask("/new", f"New session in {world.project}.")
    listed = press(world, begun, "Other directory…", "Where shall the new session work?")
    root = next(label for label in listed.labels if label.endswith("/code"))
    browsed = press(world, listed, root, "📁 code\n1 folder")
    browsed = press(world, browsed, "📁 shop", "📁 code/shop")
    press(world, browsed, "Start here", f"New session in {shop}.")
    works_in(world, shop)
    assert len(world.sessions()) == 1  # the first was never used

    begun = world.ask("/new", f"New session in {world.project}.")
    listed = press(world, begun, "Other directory…", "Where shall")
    recent = next(label for label in listed.labels if label.endswith("/shop"))
    browsed = press(world, listed, root, "📁 code")
    browsed = press(world, browsed, "📁 shop", "📁 code/shop")
    world.telegram.press(world.chat, world.user, browsed.message_id, "☆ Favourite")
    shown = browsed.message_id
    wait_until(lambda: "★ Unmark" in world.telegram.message(world.chat, shown).labels, "a mark")
    browsed = press(world, browsed, "⬆ Up", "📁 code\n1 folder")
    listed = press(world, browsed, "‹ Back", "Where shall")
    assert f"★ {recent}" in listed.labels
    browsed = press(world, listed, root, "📁 code")
    asked = press(world, browsed, "New directory…", "Reply to this message")
    world.telegram.send_text(world.chat, world.user, "tea", reply_to=asked.message_id)
    wait_until((code / "tea").is_dir, "it is made")
    made = world.reads("📁 code/tea")
    world.kill_bridge()
    world.start_bridge()  # the buttons outlive the bridge
    press(world, made, "Start here", f"New session in {code / 'tea'}.")
    wait_until(lambda: len(world.processes()) == 2, "both run")
    works_in(world, code / "tea")


def git(world: World, *arguments: str, at: Path | None = None) -> str:
    """Run git as the person at the machine could."""
    done = subprocess.run(
        ["git", *arguments],
        cwd=at or world.project,
        env={"PATH": os.environ["PATH"], "HOME": str(world.home)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def make_repository(world: World) -> Path:
    """The project is a repository; returns where its worktrees will be."""
    (world.home / ".gitconfig").write_text("[user]\nname = Ada\nemail = ada@example.org\n")
    git(world, "init", "-q", "-b", "main")
    (world.project / "shop.py").write_text("price = 1\n")
    git(world, "add", "-A")
    git(world, "commit", "-qm", "first")
    return world.root / "project-worktrees"


def test_a_worktree_is_merged_when_its_session_is_closed_and_comes_back_with_it(
    world: World,
) -> None:
    place = make_repository(world) / "fix"
    world.start_bridge()
    begun = world.ask("/new --worktree fix", f"New session in {place}, a worktree")
    assert "on the branch “fix” from “main”" in begun.text
    works_in(world, place)
    assert "Worktree: fix, from “main”" in world.ask("/status", "Session:").text
    (place / "fixed.py").write_text("price = 2\n")
    git(world, "add", "-A", at=place)
    git(world, "commit", "-qm", "fixed", at=place)
    world.wait_for_process("idle")
    asked = world.ask("/close", "Closed: “hello”.")
    assert "Its worktree “fix”: 1 commit ahead of “main”." in asked.text
    assert asked.labels == ["Merge into main", "Keep", "Remove"]
    press(world, asked, "Merge into main", "Merged “fix” into “main”: 1 commit.")
    assert (world.project / "fixed.py").exists()
    assert git(world, "branch", "--format=%(refname:short)") == "main"
    assert not place.exists()

    card = press(world, world.ask("/sessions", "1. hello"), "1", "Worktree: fix")
    press(world, card, "Continue", "Continuing “hello”.")
    world.ask("recall", "You told me: hello")
    world.reads("Its worktree “fix” was gone; it is made anew from “main”")
    assert git(world, "branch", "--show-current", at=place) == "fix"


def test_uncommitted_work_is_committed_before_the_folder_goes(world: World) -> None:
    place = make_repository(world) / "fix"
    world.start_bridge()
    world.ask("/new --worktree fix", f"New session in {place}, a worktree")
    works_in(world, place)
    (place / "new.py").write_text("price = 3\n")
    world.wait_for_process("idle")
    asked = world.ask("/close", "Closed: “hello”.")
    assert "not committed: new.py" in asked.text
    assert asked.labels == ["Keep", "Remove"]
    press(world, asked, "Keep", f"Kept: {place}, on “fix”.")
    card = press(world, world.ask("/sessions", "1. hello"), "1", "Worktree: fix")
    asked = press(world, card, "Worktree…", "not committed: new.py")
    asked = press(world, asked, "Remove", "Not committed: new.py would be lost.")
    assert (place / "new.py").exists()
    assert asked.labels == ["Commit, remove the folder", "Keep"]
    press(world, asked, "Commit, remove the folder", "All its work is on the branch “fix”.")
    assert not place.exists()
    assert git(world, "show", "fix:new.py") == "price = 3"

    card = press(world, world.ask("/sessions", "1. hello"), "1", "Worktree: fix")
    asked = press(world, card, "Worktree…", "(the folder is gone): 1 commit ahead of “main”.")
    assert asked.labels == ["Merge into main", "Keep", "‹ Back"]
    press(world, asked, "Merge into main", "Merged “fix” into “main”: 1 commit.")
    assert (world.project / "new.py").exists()
    assert git(world, "branch", "--format=%(refname:short)") == "main"
