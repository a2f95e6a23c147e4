"""/sessions and its relatives: who sees what, and what a button can still do later."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from buttons import Buttons, Press
from claude_registry import ClaudeRegistry
from core.errors import BridgeError
from core.model import ButtonPressed, Chat, Person, Post, TextSent
from git_worktrees import GitWorktrees
from inbox import Arrival, Inbox
from pulse import Background
from session import Session, SessionStore
from session_book import SessionBook, chat_of
from session_commands import SessionCommands
from session_finder import SessionFinder
from session_worktrees import SessionWorktrees
from tests.standins.outbox_world import ANN, BOB, OutboxWorld, running
from tests.standins.transcripts import turn

OWNER, MEMBER = 1, 2
GROUP = Chat("fake", -1001)
GIT = GitWorktrees({})


class Desk:
    """The commands on a real store and real transcripts; no session has a process."""

    def __init__(self, root: Path, world: OutboxWorld) -> None:
        self.world = world
        self.book = SessionBook(SessionStore(root / "store"))
        self.projects = root / "projects" / "-shop"
        self.projects.mkdir(parents=True)
        self.begun: list[str] = []
        self.next_id = str(uuid.uuid4())
        self.runners: dict[str, Any] = {}
        self.inbox = Inbox(root)
        sessions: Any = SimpleNamespace(
            book=self.book,
            registry=ClaudeRegistry(root / "registry"),
            launcher=SimpleNamespace(find_transcript=self.find, transcript_of=self.find_of),
            find_runner=self.runners.get,
            is_asked=lambda runner: False,
            runner_of=self.runner_of,
            kill=self.kill,
        )
        config: Any = SimpleNamespace(project_dir=root)
        self.commands = SessionCommands(
            *(config, sessions, self.inbox, world.outbox, Buttons(root)),
            SessionFinder(root / "projects", root / "found.json"),
            Background(),
            SessionWorktrees(sessions, world.outbox, Buttons(root), GIT, Background()),
            may=lambda person, deed: person == OWNER,
            sees_machine=lambda person, chat: person == OWNER and chat != GROUP,
            redact=lambda text: text.replace("secret", "[masked]"),
        )

    def find(self, session_id: str) -> Path | None:
        path = self.projects / f"{session_id}.jsonl"
        return path if path.exists() else None

    def find_of(self, session: Session) -> Path | None:
        return self.find(session.session_id)

    def runner_of(self, session: Session) -> Any:
        return SimpleNamespace(is_awake=False, begin=lambda: self.begun.append(session.session_id))

    async def kill(self, runner: Any) -> int:
        await asyncio.sleep(0)
        return 0

    def writes(self, prompt: str) -> str:
        """A session that some terminal had; its id."""
        session_id = str(uuid.uuid4())
        (self.projects / f"{session_id}.jsonl").write_bytes(turn(prompt, "ok"))
        return session_id

    async def says(self, name: str, argument: str = "", *, chat: Chat = ANN) -> str:
        """What a command of the owner's shows."""
        return await self.hears(name, argument, OWNER, chat)

    async def hears(self, name: Any, argument: str, person: int, chat: Chat = ANN) -> str:
        if name in self.commands.begin:
            await self.commands.begin[name](chat, argument, person, self.next_id)
        else:
            await self.commands.commands[name](chat, argument, person)
        await self.world.settle()
        return self.world.channel.shown[chat.chat_id][-1]

    async def press(self, do: str, person: int = OWNER, *, chat: Chat = ANN, **action: Any) -> str:
        """Press such a button below the last message of `/sessions`."""
        event = ButtonPressed(chat, Person(person, "x"), 1, "1", "data")
        await self.commands.presses[do](Press(event, {"do": do, **action}, "key"))
        await self.world.settle()
        return self.world.channel.shown[chat.chat_id][-1]


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with running(tmp_path) as world:
        yield Desk(tmp_path, world)


def post_of(desk: Desk) -> str:
    """A message of ours that buttons can edit."""
    desk.world.outbox.put(Post("a list", ANN, "a list"))
    return "a list"


async def test_a_member_never_sees_the_machine(desk: Desk) -> None:
    other = desk.writes("of a terminal")
    mine = desk.book.create(ANN, desk.projects)
    desk.book.edit_state(mine.session_id, title="mine")
    assert "1. mine" in await desk.hears("sessions", "", MEMBER)
    post = post_of(desk)
    shown = await desk.press("list sessions", MEMBER, post=post, page=0, machine=True)
    assert "mine" in shown
    assert "of a terminal" not in shown
    assert "1. of a terminal" in await desk.press("list sessions", post=post, machine=True)
    for do in ("pick", "fork session", "rename session", "close session"):
        with pytest.raises(BridgeError, match="No session with that id"):
            await desk.press(do, MEMBER, post=post, session=other)
    with pytest.raises(BridgeError, match="No session with that id"):
        await desk.hears("resume", other, MEMBER)
    assert [session.session_id for session in desk.book.store.list_sessions()] == [mine.session_id]


async def test_in_a_group_nobody_is_shown_what_other_chats_talk_of(desk: Desk) -> None:
    of_terminal, mine = desk.writes("of a terminal"), desk.book.create(ANN, desk.projects)
    ours = desk.book.create(GROUP, desk.projects)
    for session, title in ((mine, "what Ann does"), (ours, "what we do")):
        desk.book.edit_state(session.session_id, title=title)
    for person in (OWNER, MEMBER):
        assert "what we do" in await desk.hears("sessions", "", person, GROUP)
        assert desk.world.channel.keyboards[GROUP.chat_id, 1][-1][0].label == "1"  # no switch
        desk.world.outbox.put(Post("g", GROUP, "a list"))
        view: dict[str, Any] = {"chat": GROUP, "post": "g", "page": 0, "machine": True}
        await desk.press("list sessions", person, **view)
        for session_id in (of_terminal, mine.session_id):
            await desk.press("show session", person, session=session_id, **view)
    said = "\n".join(text for _, chat, text in desk.world.channel.calls if chat < 0)
    assert "what we do" in said
    assert "terminal" not in said and "Ann" not in said


async def test_a_card_of_a_session_that_went_to_another_chat_says_no_more_of_it(desk: Desk) -> None:
    moved = desk.book.create(ANN, desk.projects)
    desk.book.edit_state(moved.session_id, title="what Bob does")
    desk.book.move(moved.session_id, BOB)
    post = post_of(desk)
    shown = await desk.press("show session", MEMBER, post=post, session=moved.session_id)
    assert "what Bob does" not in shown
    assert "what Bob does" in await desk.press("show session", post=post, session=moved.session_id)


async def test_an_owner_can_name_a_session_of_a_terminal_in_a_group(desk: Desk) -> None:
    other = desk.writes("of a terminal")
    assert await desk.says("resume", other, chat=GROUP) == "Continuing “of a terminal”."


async def test_a_session_of_another_chat_is_not_taken_away(desk: Desk) -> None:
    theirs = desk.book.create(BOB, desk.projects)
    for do in ("pick", "rename session", "close session"):
        with pytest.raises(BridgeError, match="belongs to another chat"):
            await desk.press(do, post="p", session=theirs.session_id)
    with pytest.raises(BridgeError, match="belongs to another chat"):
        await desk.says("resume", theirs.session_id)
    assert desk.book.find_current(BOB) == desk.book.for_id(theirs.session_id)


async def test_of_two_chats_that_take_the_same_session_at_once_one_has_it(desk: Desk) -> None:
    other = desk.writes("of a terminal")
    resume = desk.commands.commands["resume"]
    taken = [resume(chat, other, OWNER) for chat in (ANN, BOB)]
    outcomes = await asyncio.gather(*taken, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [type(None), BridgeError]
    assert desk.book.find_current(ANN) == desk.book.for_id(other)
    assert desk.book.find_current(BOB) is None


async def test_a_session_for_which_a_message_comes_while_it_is_closed_stays_open(
    desk: Desk,
) -> None:
    """In its own topic somebody writes on, while the press comes from another one."""
    topic = Chat(ANN.channel, ANN.chat_id, 7)
    session = desk.book.create(topic, desk.projects)
    desk.runners[session.session_id] = SimpleNamespace(
        is_awake=True, is_joined=False, has_work=True
    )
    with pytest.raises(BridgeError, match="it is not closed"):
        await desk.press("close session", post="p", session=session.session_id, sure=True)
    assert desk.book.find_current(topic) == desk.book.for_id(session.session_id)


async def test_a_button_of_an_earlier_version_continues(desk: Desk) -> None:
    first = desk.book.create(ANN, desk.projects)
    desk.book.create(ANN, desk.projects)
    await desk.press("pick", post=post_of(desk), session=first.session_id)
    current = desk.book.find_current(ANN)
    assert current is not None
    assert current.session_id == first.session_id
    assert desk.begun == []  # it sleeps on until there is something for it


@pytest.mark.parametrize("wanted", ["../../etc/passwd", "", "x" * 500, "index"])
async def test_no_id_leads_out_of_the_folders(desk: Desk, wanted: str) -> None:
    with pytest.raises(BridgeError):
        await desk.press("pick", post="p", session=wanted)


async def test_a_session_at_work_is_not_taken_to_another_topic(desk: Desk) -> None:
    there, here = replace(ANN, topic=5), replace(ANN, topic=6)
    session_id = desk.book.create(there, desk.projects).session_id
    idle = SimpleNamespace(process=None, has_work=False, is_working=False, is_awake=True)
    runner = SimpleNamespace(**{**vars(idle), "is_working": True})
    desk.runners[session_id] = runner
    with pytest.raises(BridgeError, match="Claude is at work in it"):
        await desk.says("resume", session_id, chat=here)
    desk.runners[session_id] = idle
    desk.inbox.receive([Arrival("key", "fake", {})])
    desk.inbox.advance("key", "assigned", session_id=session_id, text="hi")
    with pytest.raises(BridgeError, match="Messages wait for it"):
        await desk.says("resume", session_id, chat=here)
    assert chat_of(desk.book.for_id(session_id)) == there
    desk.inbox.finish("key", "answered")
    assert "Continuing" in await desk.says("resume", session_id, chat=here)
    assert chat_of(desk.book.for_id(session_id)) == here
    desk.runners[session_id] = runner  # where it is already, it is only the current one again
    assert "Continuing" in await desk.says("resume", session_id, chat=here)


async def test_a_session_without_a_word_can_not_be_forked(desk: Desk) -> None:
    desk.book.create(ANN, desk.projects)
    with pytest.raises(BridgeError, match="Nothing was said in it yet"):
        await desk.says("fork")


async def test_a_fork_keeps_what_was_chosen_for_the_original(desk: Desk) -> None:
    other = desk.writes("fix it")
    await desk.says("resume", other)
    desk.book.edit_state(other, model="opus", name="Mine")
    assert "“Mine (fork)”" in await desk.says("fork")
    fork = desk.book.find_current(ANN)
    assert fork is not None
    assert (fork.state["model"], fork.state["fork_of"]) == ("opus", other)
    assert desk.begun == [fork.session_id]


async def test_a_fork_that_is_handled_twice_is_one(desk: Desk) -> None:
    other = desk.writes("fix it")
    await desk.says("resume", other)
    told = await desk.says("fork")
    shown = len(desk.world.channel.shown[ANN.chat_id])
    assert await desk.says("fork") == told
    assert len(desk.world.channel.shown[ANN.chat_id]) == shown
    assert len(desk.book.store.list_sessions()) == 2
    current = desk.book.find_current(ANN)
    assert current is not None
    assert (current.session_id, current.state["fork_of"]) == (desk.next_id, other)


async def test_a_name_of_a_person_wins_until_the_terminal_gives_another(desk: Desk) -> None:
    other = desk.writes("the first prompt")
    await desk.says("resume", other)
    await desk.says("rename", "My  secret\nplan")
    assert "1. My [masked] plan" in await desk.says("sessions")
    desk.book.edit_state(other, told_name="My [masked] plan")
    path = desk.projects / f"{other}.jsonl"
    path.write_bytes(path.read_bytes() + b'{"type":"custom-title","customTitle":"Newer"}\n')
    assert "1. Newer" in await desk.says("sessions")
    with pytest.raises(BridgeError, match="/rename A better title"):
        await desk.says("rename", " \n ")


async def test_a_title_is_taken_only_from_a_reply_while_it_is_asked_for(desk: Desk) -> None:
    session = desk.book.create(ANN, desk.projects)
    post = post_of(desk)
    await desk.world.settle()
    await desk.press("rename session", post=post, session=session.session_id)
    [message_id] = desk.world.outbox.messages_of(post)

    def text(reply_to: int | None) -> TextSent:
        return TextSent(ANN, Person(OWNER, "x"), 9, "A title", reply_to=reply_to)

    assert not await desk.commands.takes_text(text(None))
    assert not await desk.commands.takes_text(text(message_id + 7))
    await desk.press("show session", post=post, session=session.session_id)
    assert not await desk.commands.takes_text(text(message_id))
    await desk.press("rename session", post=post, session=session.session_id)
    assert await desk.commands.takes_text(text(message_id))
    assert desk.book.for_id(session.session_id).state["name"] == "A title"
    assert not await desk.commands.takes_text(text(message_id))


async def test_a_closed_session_is_not_the_chats_until_it_is_continued(desk: Desk) -> None:
    session = desk.book.create(ANN, desk.projects)
    assert "Closed" in await desk.says("close")
    assert desk.book.find_current(ANN) is None
    with pytest.raises(BridgeError, match="No session yet"):
        await desk.says("close")
    await desk.says("resume", session.session_id[:8])
    assert desk.book.find_current(ANN) is not None


async def test_the_worktree_goes_along_with_a_fork_a_clear_and_to_another_chat(desk: Desk) -> None:
    worktree = {"path": "/shop-worktrees/fix", "branch": "fix", "base": "main", "repository": "/s"}
    other = desk.writes("fix it")
    await desk.says("resume", other)
    desk.book.edit_state(other, worktree=worktree, project_dir="/shop-worktrees/fix")
    assert "Both work in the worktree “fix”." in await desk.says("fork")
    fork = desk.book.find_current(ANN)
    assert fork is not None
    assert fork.state["worktree"] == worktree
    after = str(uuid.uuid4())
    desk.book.follow_terminal(fork, after, "t", None)
    assert desk.book.for_id(after).state["worktree"] == worktree
    assert desk.book.move(after, BOB).state["worktree"] == worktree


async def test_a_closed_session_tells_of_a_worktree_that_can_not_be_looked_at(desk: Desk) -> None:
    worktree = {"path": "/x-worktrees/fix", "branch": "fix", "base": "main", "repository": "/gone"}
    session = desk.book.create(ANN, desk.projects, worktree=worktree)
    told = await desk.says("close")
    assert "Its worktree /x-worktrees/fix can't be looked at: /gone is not there any more." in told
    shown = await desk.press("show session", post=post_of(desk), session=session.session_id)
    assert "Worktree: fix, from “main” of /gone" in shown
