"""What becomes of a closed session's worktree: on real repositories, without a Claude."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from buttons import Buttons, Press
from core.errors import ClaudeStartError
from core.model import ButtonPressed, Chat, Person
from core.worktrees import Worktree, note_worktree
from pulse import Background
from session import Session, SessionStore
from session_book import SessionBook
from session_worktrees import SessionWorktrees
from tests.standins.outbox_world import ANN, BOB, OutboxWorld, post, running
from tests.standins.repository import Shop


class Desk:
    """A session that was closed, in a worktree with a commit; `live` are processes' folders."""

    def __init__(self, root: Path, world: OutboxWorld) -> None:
        self.world = world
        self.shop = Shop(root)
        self.book = SessionBook(SessionStore(root / "store"))
        self.buttons = Buttons(root)
        self.live: list[str] = []
        self.runners: list[Any] = []
        self.made: Worktree = self.shop.worked()
        facts: dict[str, Any] = {
            "worktree": note_worktree(self.made),
            "closed_at": "2026-11-22T08:00:00Z",
        }
        self.path = Path(self.made.path)
        self.session = self.book.create(ANN, Path(self.made.path), **facts)
        self.worktrees = self.start()

    def start(self) -> SessionWorktrees:
        """The bridge starts, perhaps once more."""
        sessions: Any = SimpleNamespace(
            book=self.book,
            registry=SimpleNamespace(
                processes=lambda: [SimpleNamespace(directory=p, pid=7) for p in self.live]
            ),
            runners=self.runners,
        )
        self.background = Background()
        return SessionWorktrees(
            *(sessions, self.world.outbox, self.buttons, self.shop.worktrees, self.background),
            leaving_seconds=0.05,
        )

    @property
    def state(self) -> dict[str, Any]:
        return self.book.for_id(self.session.session_id).state

    def is_there(self) -> bool:
        """Whether the worktree's folder is there."""
        return self.path.exists()

    async def ask(self, chat: Chat = ANN) -> list[str]:
        """Ask what becomes of it; returns what the buttons say."""
        session = self.book.for_id(self.session.session_id)
        text, rows = await self.worktrees.ask(session, "asked")
        keyboard = self.buttons.issue(chat, rows, person=1)
        self.world.outbox.put(post("asked", text, keyboard=keyboard))
        await self.world.settle()
        return self.labels

    @property
    def _keyboard(self) -> Any:
        return self.world.channel.keyboards[ANN.chat_id, 1]

    @property
    def labels(self) -> list[str]:
        return [button.label for row in self._keyboard for button in row]

    @property
    def shown(self) -> str:
        return self.world.texts()[0]

    async def press(self, label: str) -> str:
        """Press a button; returns what the message shows once it is done."""
        [data] = [b.press for row in self._keyboard for b in row if b.label == label]
        event = ButtonPressed(ANN, Person(1), 1, "1", data)
        action = self.buttons.take(event)
        assert action is not None
        await self.worktrees.presses["settle worktree"](Press(event, action, "key"))
        await self.until_settled()
        return self.shown

    async def until_settled(self) -> None:
        await self.background.finish(20)
        await self.world.go_on(10)
        assert "settling" not in self.state


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with running(tmp_path) as world:
        yield Desk(tmp_path, world)


async def test_a_session_without_a_worktree_is_asked_nothing(desk: Desk) -> None:
    plain = desk.book.create(ANN, desk.shop.path)
    assert await desk.worktrees.ask(plain, "key") == ("", [])


async def test_it_is_merged(desk: Desk) -> None:
    assert await desk.ask() == ["Merge into main", "Keep", "Remove"]
    assert desk.shown == "Its worktree “fix”: 1 commit ahead of “main”."
    shown = await desk.press("Merge into main")
    assert shown == ("Merged “fix” into “main”: 1 commit. The worktree and its branch are removed.")
    assert (desk.shop.path / "fix.txt").exists()
    assert desk.shop.branches() == ["main"]


async def test_it_is_kept(desk: Desk) -> None:
    await desk.ask()
    before = desk.shop.state()
    assert (await desk.press("Keep")).startswith(f"Kept: {desk.made.path}, on “fix”.")
    assert desk.shop.state() == before


async def test_its_commits_stay_on_the_branch_when_the_folder_goes(desk: Desk) -> None:
    await desk.ask()
    assert "not in the branch that it comes from" in await desk.press("Remove")
    assert desk.labels == ["Remove the folder only", "Keep"]
    assert desk.is_there()
    assert "All its work is on the branch “fix”" in await desk.press("Remove the folder only")
    assert not desk.is_there()
    assert desk.shop.git("show", "fix:fix.txt") == "fixed"


async def test_work_that_came_while_it_was_asked_is_not_lost(desk: Desk) -> None:
    await desk.ask()
    desk.shop.write("late.txt", "x", desk.path)
    shown = await desk.press("Merge into main")
    assert shown.startswith("Not everything is committed; have that done first.\n\nIts worktree")
    assert desk.labels == ["Keep", "Remove"]
    await desk.press("Remove")
    await desk.press("Commit, remove the folder")
    assert desk.shop.git("show", "fix:late.txt") == "x"
    assert not desk.is_there()


async def test_what_fails_is_told_and_asked_again(desk: Desk) -> None:
    desk.shop.write("a.txt", "changed")
    await desk.ask()
    before = desk.shop.state()
    shown = await desk.press("Merge into main")
    assert "changed files are not committed. Commit or stash them there first." in shown
    assert desk.labels == ["Merge into main", "Keep", "Remove"]
    assert desk.shop.state() == before
    desk.shop.git("checkout", "a.txt")
    assert (await desk.press("Merge into main")).startswith("Merged")


async def test_nothing_is_done_while_a_session_is_open_in_it(desk: Desk) -> None:
    desk.live = [f"{desk.made.path}/src", str(desk.shop.path)]
    await desk.ask()
    before = desk.shop.state()
    for label in ("Merge into main", "Remove"):
        shown = await desk.press(label)
        assert shown.startswith(
            "Claude Code runs in it (process 7). End that first.\n\nIts worktree"
        )
    desk.live = []
    desk.runners.append(SimpleNamespace(is_awake=True, session_id=desk.session.session_id))
    shown = await desk.press("Remove")
    assert shown.startswith("A session is open in it. Close that first.\n\nIts worktree")
    assert desk.shop.state() == before
    desk.runners.clear()
    desk.live = [f"{desk.made.path}-2", str(desk.shop.path)]
    assert (await desk.press("Merge into main")).startswith("Merged")


@pytest.mark.parametrize("done", ["nothing", "merged", "folder", "all"])
async def test_what_a_crash_cut_off_is_finished_at_the_next_start(desk: Desk, done: str) -> None:
    await desk.ask()
    settling = {"deed": "merge", "post": "asked", "person": 1}
    desk.book.edit_state(desk.session.session_id, settling=settling)
    if done != "nothing":
        desk.shop.worktrees.merge(desk.made)
    if done in ("folder", "all"):
        desk.shop.worktrees.remove_folder(desk.made)
    if done == "all":
        desk.shop.worktrees.remove(desk.made)
    desk.worktrees = desk.start()
    desk.worktrees.resume()
    await desk.until_settled()
    assert (desk.shop.path / "fix.txt").exists()
    assert desk.shop.branches() == ["main"]
    assert not desk.is_there()
    gone = "gone; nothing is left to do." if done == "all" else "and its branch are removed."
    assert desk.shown.endswith(gone)


async def test_a_session_that_went_to_another_chat_is_left_alone(desk: Desk) -> None:
    await desk.ask()
    desk.book.move(desk.session.session_id, BOB)
    before = desk.shop.state()
    assert await desk.press("Merge into main") == "That session is not this chat's any more."
    assert desk.shop.state() == before


async def test_a_claude_that_starts_finds_its_worktree_and_the_chat_is_told(desk: Desk) -> None:
    desk.shop.worktrees.remove_folder(desk.made)
    session = desk.book.for_id(desk.session.session_id)
    await desk.worktrees.put_back(session)
    assert (desk.path / "fix.txt").exists()
    await desk.world.settle()
    assert desk.shown == "Its worktree “fix” was gone; it is made anew from “fix”."
    await desk.worktrees.put_back(session)
    await desk.worktrees.put_back(desk.book.create(ANN, desk.shop.path))
    await desk.world.settle()
    assert len(desk.world.texts()) == 1


async def test_a_claude_that_starts_waits_for_what_is_just_being_settled(desk: Desk) -> None:
    await desk.ask()
    settling = {"deed": "merge", "post": "asked", "person": 1}
    session = desk.book.edit_state(desk.session.session_id, settling=settling)
    desk.worktrees.resume()
    await asyncio.sleep(0)  # it has begun
    await desk.worktrees.put_back(session)
    assert desk.shop.branches() == ["fix", "main"]
    assert desk.is_there()
    await desk.until_settled()


async def test_a_worktree_that_can_not_come_back_is_why_claude_does_not_start(desk: Desk) -> None:
    desk.shop.worktrees.remove_folder(desk.made)
    desk.shop.git("checkout", "-q", "fix")
    session: Session = desk.book.for_id(desk.session.session_id)
    with pytest.raises(ClaudeStartError, match="already checked out"):
        await desk.worktrees.put_back(session)
