"""The picker of /new: what it offers to whom, and that nothing leads out of the roots."""

from __future__ import annotations

import asyncio
import os
import subprocess
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from buttons import Buttons, Press
from chat_settings import ChatSettings
from core.config import Config
from core.errors import BridgeError
from core.model import ButtonPressed, Chat, Person, TextSent
from core.roles import Deed
from git_worktrees import GitWorktrees
from new_sessions import NewSessions
from project_picker import ProjectPicker
from pulse import Background
from session import Session, SessionStore
from session_book import SessionBook
from tests.standins.outbox_world import ANN, BOB, OutboxWorld, running

OWNER, MEMBER = 1, 2


class Desk:
    """/new on a real store and real folders; no session has a process."""

    def __init__(self, root: Path, world: OutboxWorld) -> None:
        self.world = world
        self.code = root / "code"
        self.shop = self.code / "shop"
        self.shop.mkdir(parents=True)
        (root / "elsewhere").mkdir()
        self.elsewhere = root / "elsewhere"
        self.closed = self.code / "bridge"
        self.closed.mkdir()
        self.book = SessionBook(SessionStore(root / "store"))
        self.begun: list[str] = []
        self.gone: list[str] = []
        self.known = {MEMBER}
        sessions: Any = SimpleNamespace(
            book=self.book,
            find_runner=lambda session_id: None,
            runner_of=self.runner_of,
        )
        inbox: Any = SimpleNamespace(pending=list)
        topics: Any = SimpleNamespace(has_topics=lambda chat: False, makes_topic=lambda chat: False)
        config = Config(project_dir=self.shop, project_roots=(self.code,))
        self.buttons, self.background = Buttons(root), Background()
        self.new = NewSessions(
            *(config, sessions, inbox, world.outbox, self.buttons, topics),
            GitWorktrees({"PATH": os.environ["PATH"], "HOME": str(root)}),
            self.background,
            forget=self.forget,
            may=self.may,
        )
        self.picker = ProjectPicker(
            *(config.roots, self.new, self.book, world.outbox, self.buttons, ChatSettings(root)),
            home=str(root),
            closed=[self.closed],
        )

    def may(self, person: int, deed: Deed) -> bool:
        return person == OWNER or (person in self.known and deed == "talk")

    def runner_of(self, session: Session) -> Any:
        return SimpleNamespace(begin=lambda: self.begun.append(session.session_id))

    async def forget(self, session: Session) -> None:
        self.gone.append(session.session_id)
        self.book.store.delete(session.session_id)

    @property
    def shown(self) -> str:
        """The newest message of the chat."""
        return self.world.channel.shown[ANN.chat_id][-1]

    @property
    def labels(self) -> list[str]:
        return [button.label for row in self._keyboard() for button in row]

    def _keyboard(self) -> Any:
        return self.world.channel.keyboards[ANN.chat_id, self._newest]

    @property
    def _newest(self) -> int:
        return len(self.world.channel.shown[ANN.chat_id])

    async def says(self, argument: str = "", person: int = OWNER, session_id: str = "") -> str:
        """/new with that argument."""
        await self.new.begin["new"](ANN, argument, person, session_id or str(uuid.uuid4()))
        await self.world.settle()
        return self.shown

    async def press(self, label: str, person: int = OWNER) -> str:
        """Press a button below the newest message; returns what the message shows then."""
        [data] = [b.press for row in self._keyboard() for b in row if b.label == label]
        event = ButtonPressed(ANN, Person(person, "x"), self._newest, "1", data)
        action = self.buttons.take(event)
        assert action is not None
        self.said = await self.picker.presses[action["do"]](Press(event, action, "key"))
        await self._until_at_rest()
        return self.shown

    async def reply(self, text: str, person: int = OWNER, chat: Chat = ANN) -> bool:
        """Reply to the newest message; whether it was taken."""
        sent = TextSent(chat, Person(person), 99, text, reply_to=self._newest)
        try:
            return await self.picker.takes_text(sent)
        finally:
            await self._until_at_rest()

    async def _until_at_rest(self) -> None:
        await self.background.finish()
        await self.world.go_on(10)

    def current(self) -> Session:
        session = self.book.find_current(ANN)
        assert session is not None
        return session

    def directory(self) -> str:
        return str(self.current().state["project_dir"])


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with running(tmp_path) as world:
        yield Desk(tmp_path, world)


async def test_new_is_done_at_once_and_offers_other_directories(desk: Desk) -> None:
    assert await desk.says() == f"New session in {desk.shop}."
    assert desk.labels == ["Other directory…"]
    assert desk.begun == [desk.current().session_id]
    await desk.says(str(desk.code))
    assert desk.labels == []  # they have said where


async def test_new_that_is_handled_twice_begins_one_session(desk: Desk) -> None:
    session_id = str(uuid.uuid4())
    told = [await desk.says(session_id=session_id) for _ in range(2)]
    assert told == [f"New session in {desk.shop}."] * 2
    assert desk.current().session_id == session_id
    assert len(desk.book.store.list_sessions()) == 1
    assert len(desk.world.channel.shown[ANN.chat_id]) == 1


async def test_the_untouched_session_gives_way_to_the_one_that_was_picked(desk: Desk) -> None:
    await desk.says()
    untouched = desk.current().session_id
    shown = await desk.press("Other directory…")
    assert shown.startswith("Where shall the new session work?")
    assert desk.labels == ["~/code/shop", "📁 ~/code"]
    shown = await desk.press("📁 ~/code")
    assert shown == "📁 code\n1 folder"
    assert desk.labels == [
        *("📁 shop", "‹ Back", "Start here", "☆ Favourite", "New directory…"),
    ]
    assert await desk.press("Start here") == f"New session in {desk.code}."
    assert desk.directory() == str(desk.code)
    assert desk.gone == [untouched]
    assert [s.session_id for s in desk.book.store.list_sessions()] == [desk.current().session_id]


async def test_a_session_that_was_talked_to_stays(desk: Desk) -> None:
    await desk.says()
    old = desk.current().session_id
    desk.book.edit_state(old, has_prompts=True)
    await desk.press("Other directory…")
    await desk.press("~/code/shop")
    assert desk.gone == []
    assert {s.session_id for s in desk.book.store.list_sessions()} == {
        *(old, desk.current().session_id)
    }


async def test_a_session_that_something_was_chosen_for_stays(desk: Desk) -> None:
    await desk.says()
    desk.book.edit_state(desk.current().session_id, name="Named", model="opus")
    await desk.press("Other directory…")
    await desk.press("~/code/shop")
    assert desk.gone == []


@pytest.mark.parametrize("place", ["~nobody-of-that-name/x", "loop/x", "a\0b", "gone", "x" * 5000])
async def test_what_is_no_directory_is_told_in_a_sentence(desk: Desk, place: str) -> None:
    (desk.shop / "loop").symlink_to("loop")
    with pytest.raises(BridgeError, match="no directory"):
        await desk.says(place)
    assert desk.book.find_current(ANN) is None


async def test_recent_places_are_those_that_are_there_and_that_one_may_use(desk: Desk) -> None:
    for place in (desk.elsewhere, desk.code / "gone", desk.code):
        desk.book.create(ANN, place)
    desk.book.create(Chat("fake", 2), desk.code / "bridge")
    await desk.says()
    await desk.press("Other directory…")
    assert desk.labels == ["~/code/shop", "~/code", "~/elsewhere", "📁 ~/code"]
    await desk.says(person=MEMBER)
    await desk.press("Other directory…", MEMBER)
    assert desk.labels == ["~/code/shop", "~/code", "📁 ~/code"]


async def test_in_ones_own_chat_all_that_one_used_is_recent(desk: Desk) -> None:
    desk.book.create(Chat("fake", -5), desk.elsewhere, person=OWNER)
    await desk.says()
    await desk.press("Other directory…")
    assert "~/elsewhere" in desk.labels


async def test_a_favourite_is_marked_kept_and_unmarked(desk: Desk) -> None:
    await desk.says()
    await desk.press("Other directory…")
    await desk.press("📁 ~/code")
    await desk.press("☆ Favourite")
    assert "★ Unmark" in desk.labels
    await desk.press("‹ Back")
    assert desk.labels == ["★ ~/code", "~/code/shop", "📁 ~/code"]
    await desk.press("📁 ~/code")
    await desk.press("★ Unmark")
    await desk.press("‹ Back")
    assert desk.labels == ["~/code/shop", "📁 ~/code"]


async def test_the_browser_has_pages_goes_down_and_up_and_shows_no_files(desk: Desk) -> None:
    for number in range(18):
        (desk.shop / f"part {number:02}").mkdir()
    (desk.shop / "file.txt").write_text("x")
    (desk.shop / ".hidden").mkdir()
    await desk.says()
    await desk.press("Other directory…")
    await desk.press("📁 ~/code")
    assert await desk.press("📁 shop") == "📁 code/shop\n18 folders · page 1 of 3"
    assert await desk.press("▶") == "📁 code/shop\n18 folders · page 2 of 3"
    assert desk.labels[:8] == [f"📁 part {number:02}" for number in range(8, 16)]
    assert desk.labels[8:11] == ["⬆ Up", "◀", "▶"]
    assert await desk.press("📁 part 09") == "📁 code/shop/part 09\nNo folders"
    assert await desk.press("⬆ Up") == "📁 code/shop\n18 folders · page 1 of 3"


async def test_links_out_of_the_roots_and_the_bridges_folders_are_not_there(desk: Desk) -> None:
    (desk.code / "out").symlink_to(desk.elsewhere)
    (desk.code / "in").symlink_to(desk.shop)
    (desk.code / "up").symlink_to("..")
    (desk.code / "loop").symlink_to("loop")
    (desk.code / "to bridge").symlink_to(desk.closed)
    await desk.says()
    await desk.press("Other directory…")
    await desk.press("📁 ~/code")
    assert [label for label in desk.labels if label.startswith("📁")] == ["📁 shop", "📁 in"]
    await desk.press("📁 in")
    assert await desk.press("Start here") == f"New session in {desk.shop}."


async def test_a_folder_exchanged_for_a_link_after_it_was_shown_is_refused(desk: Desk) -> None:
    await desk.says()
    await desk.press("Other directory…")
    await desk.press("📁 ~/code")
    await desk.press("📁 shop")
    desk.shop.rename(desk.code / "gone")
    desk.shop.symlink_to(desk.elsewhere)
    before = desk.directory()
    shown = await desk.press("☆ Favourite")
    assert shown.startswith("Where shall the new session work?")
    assert "outside" in desk.said or "not there any more" in desk.said
    assert desk.directory() == before


async def test_a_new_directory_is_asked_for_by_a_reply_and_then_shown(desk: Desk) -> None:
    await desk.says()
    await desk.press("Other directory…")
    await desk.press("📁 ~/code")
    shown = await desk.press("New directory…")
    assert shown == "📁 code\nReply to this message with the name of the new directory."
    with pytest.raises(BridgeError, match="Reply with another"):
        await desk.reply("../etc")
    assert not await desk.reply("tea", MEMBER)
    assert not await desk.reply("tea", chat=Chat("fake", 2))
    assert await desk.reply(" tea shop ")
    assert desk.shown == "📁 code/tea shop\nNo folders"
    assert (desk.code / "tea shop").stat().st_mode & 0o777 == 0o755
    assert not await desk.reply("another")  # it was asked for one
    assert await desk.press("Start here") == f"New session in {desk.code / 'tea shop'}."


async def test_who_goes_back_is_not_asked_any_more(desk: Desk) -> None:
    await desk.says()
    await desk.press("Other directory…")
    await desk.press("📁 ~/code")
    await desk.press("New directory…")
    await desk.press("‹ Back")
    assert not await desk.reply("tea")
    assert not (desk.code / "tea").exists()


async def test_a_member_starts_below_the_roots_only(desk: Desk) -> None:
    (desk.code / "out").symlink_to(desk.elsewhere)
    for place in (desk.elsewhere, "/", "..", "../..", desk.code / "out"):
        if str(place) == "..":
            continue  # the root itself
        with pytest.raises(BridgeError, match="Only the owner"):
            await desk.says(str(place), MEMBER)
    await desk.says(str(desk.code), MEMBER)
    await desk.says(str(desk.elsewhere), OWNER)
    assert desk.directory() == str(desk.elsewhere)


def make_repository(path: Path) -> None:
    environ = {"PATH": os.environ["PATH"], "HOME": str(path)}
    (path / ".gitconfig").write_text("[user]\nname = Ada\nemail = ada@example.org\n")
    for words in ("init -q -b main", "add -A", "commit -qm first --allow-empty"):
        subprocess.run(["git", *words.split()], cwd=path, env=environ, check=True)


async def test_a_worktree_is_made_from_the_project_or_the_picked_folder(desk: Desk) -> None:
    make_repository(desk.shop)
    place = desk.code / "shop-worktrees"
    shown = await desk.says("--worktree fix")
    assert shown.startswith(f"New session in {place / 'fix'}, a worktree on the branch “fix”")
    assert desk.current().state["worktree"]["base"] == "main"
    assert desk.labels == []
    await desk.says()
    await desk.press("Other directory…")
    assert "~/code/shop-worktrees/fix" not in desk.labels  # it is one task's, and goes with it
    await desk.press("📁 ~/code")
    await desk.press("📁 shop")
    assert "In a worktree…" in desk.labels
    shown = await desk.press("In a worktree…")
    assert shown.startswith("📁 code/shop\nReply to this message with a name.")
    with pytest.raises(BridgeError, match="try-2 would do"):
        await desk.reply("try 2")
    assert await desk.reply("try-2")
    assert desk.shown.startswith(f"New session in {place / 'try-2'}, a worktree")
    assert desk.directory() == str(place / "try-2")
    before = desk.directory()
    with pytest.raises(BridgeError, match="is not in a git repository"):
        await desk.says(f"{desk.elsewhere} --worktree fix")
    assert desk.directory() == before


async def test_two_chats_that_want_the_same_worktree_at_once_share_it(desk: Desk) -> None:
    make_repository(desk.shop)
    new, ids = desk.new.begin["new"], (str(uuid.uuid4()), str(uuid.uuid4()))
    wishes = zip((ANN, BOB), ids, strict=True)
    await asyncio.gather(*(new(chat, "--worktree fix", OWNER, name) for chat, name in wishes))
    found = [desk.book.find_current(chat) for chat in (ANN, BOB)]
    places = {session.state["project_dir"] for session in found if session is not None}
    assert places == {str(desk.code / "shop-worktrees" / "fix")}
    assert None not in found


async def test_who_is_removed_while_a_worktree_is_made_gets_no_session(desk: Desk) -> None:
    make_repository(desk.shop)
    new = desk.new.begin["new"](ANN, "--worktree fix", MEMBER, str(uuid.uuid4()))
    making = asyncio.ensure_future(new)
    await asyncio.sleep(0)  # it has begun
    desk.known.clear()
    with pytest.raises(BridgeError):
        await making
    assert desk.book.store.list_sessions() == []


async def test_a_worktree_of_more_than_a_member_may_see_is_the_owners(desk: Desk) -> None:
    (desk.shop / "a.txt").write_text("a")
    make_repository(desk.code.parent)
    with pytest.raises(BridgeError, match="Only the owner"):
        await desk.says("--worktree fix", MEMBER)
    assert not list(desk.code.parent.parent.glob("*-worktrees"))
    await desk.says("--worktree fix", OWNER)
    assert desk.directory().endswith("-worktrees/fix/code/shop")
