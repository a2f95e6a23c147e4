"""fresh_starts: the message that begins a new conversation, with a clock that a test sets."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from buttons import Buttons, Press
from core.freshness import FreshnessPolicy, Moment
from core.model import ButtonPressed, Chat, Person, Post
from fresh_starts import FreshStarts
from inbox import Arrival, Entry, Inbox
from session import Session, SessionStore
from session_book import SessionBook

CHAT = Chat("telegram", 7)
HOUR = 3600.0
POLICY = FreshnessPolicy("idle", idle_seconds=8 * HOUR)


@dataclass
class Rig:
    """A chat's conversations on a real disk; `posts` is what it was told."""

    folder: Path
    now: Moment = field(default_factory=lambda: Moment(1_790_000_000.0, "boot", 50_000.0))
    posts: dict[str, Post] = field(default_factory=dict)
    runner: Any = None
    policy: FreshnessPolicy = POLICY

    def __post_init__(self) -> None:
        self.open()
        self.book.create(CHAT, self.folder)
        self.fresh.note(CHAT)

    def open(self) -> None:
        """As after a start of the bridge."""
        self.book = SessionBook(SessionStore(self.folder / "sessions"))
        (self.folder / "bridge").mkdir(exist_ok=True)
        self.inbox = Inbox(self.folder / "bridge")
        sessions = SimpleNamespace(
            book=self.book,
            find_runner=lambda session_id: self.runner,
            is_asked=lambda runner: runner.is_asked,
        )
        outbox = SimpleNamespace(
            put=lambda post: self.posts.setdefault(post.key, post),
            say=lambda chat, text, edits: self.posts.update({edits: Post(edits, chat, text)}),
        )
        self.fresh = FreshStarts(
            self.policy,
            cast(Any, sessions),
            self.inbox,
            cast(Any, outbox),
            Buttons(self.folder / "bridge"),
            clock=lambda: self.now,
        )

    def wait(self, seconds: float) -> None:
        self.now = replace(self.now, wall=self.now.wall + seconds, uptime=self.now.uptime + seconds)

    def receive(self, key: str) -> Entry:
        return self.inbox.receive([Arrival(key, "telegram", {})])[0]

    def send(self, key: str, text: str = "hello", *, sent_at: float = 0.0) -> Session:
        """A message, up to its being the session's prompt; returns that session."""
        entry = self.receive(key)
        self.fresh.begin_if_due(entry, CHAT, text, sent_at)
        session = self.current
        self.inbox.advance(key, "assigned", session_id=session.session_id)
        self.inbox.finish(key, "answered")
        self.fresh.note(CHAT)
        return session

    @property
    def current(self) -> Session:
        found = self.book.find_current(CHAT)
        assert found is not None
        return found


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


def test_after_a_silence_a_message_begins_a_new_conversation_and_the_old_one_stays(
    rig: Rig,
) -> None:
    old = rig.book.edit_state(rig.current.session_id, agent="security", permission_mode="plan")
    assert rig.send("a").session_id == old.session_id
    rig.wait(9 * HOUR)
    new = rig.send("b")
    assert new.session_id != old.session_id
    assert new.state["permission_mode"] == "plan"  # what was chosen holds
    assert {s.session_id for s in rig.book.store.list_sessions()} == {
        old.session_id,
        new.session_id,
    }
    (told,) = rig.posts.values()
    assert told.text == "New conversation after 9 h of silence. The old one is in /sessions."
    assert rig.send("c").session_id == new.session_id


def test_a_crash_after_the_beginning_neither_begins_another_nor_forgets_to_tell(rig: Rig) -> None:
    rig.wait(9 * HOUR)
    entry = rig.receive("b")
    rig.fresh.begin_if_due(entry, CHAT, "hello", 0.0)
    begun = rig.current.session_id
    rig.posts.clear()  # it ended before the chat was told
    rig.open()
    (again,) = rig.inbox.pending()
    rig.fresh.begin_if_due(again, CHAT, "hello", 0.0)
    rig.fresh.begin_if_due(again, CHAT, "hello", 0.0)
    assert rig.current.session_id == begun
    assert len(rig.book.store.list_sessions()) == 2
    assert list(rig.posts) == [f"fresh:{begun}"]


def test_a_message_that_was_a_sessions_prompt_already_stays_there(rig: Rig) -> None:
    old = rig.current.session_id
    rig.receive("a")
    entry = rig.inbox.advance("a", "received", session_id=old)
    rig.wait(9 * HOUR)
    rig.fresh.begin_if_due(entry, CHAT, "hello", 0.0)
    assert rig.current.session_id == old


@pytest.mark.parametrize(
    "runner",
    [
        {"is_working": True},
        {"has_work": True},
        {"is_asked": True},
        {"process": SimpleNamespace(status="shell")},
    ],
)
def test_nothing_begins_while_claude_has_something_to_do(
    rig: Rig, runner: dict[str, object]
) -> None:
    idle = {"is_working": False, "has_work": False, "is_asked": False, "process": None}
    rig.runner = SimpleNamespace(**{**idle, **runner})
    old = rig.current.session_id
    rig.wait(9 * HOUR)
    assert rig.send("a").session_id == old


def test_nothing_begins_while_a_prompt_waits_in_the_inbox(rig: Rig) -> None:
    old = rig.current.session_id
    rig.receive("waits")
    rig.inbox.advance("waits", "assigned", session_id=old)
    rig.wait(9 * HOUR)
    assert rig.send("a").session_id == old


def test_nothing_begins_where_work_was_cut_off_as_the_message_may_say_to_go_on(rig: Rig) -> None:
    old = rig.current.session_id
    rig.book.edit_state(old, cut_off={"mark": "m", "at": rig.now.wall + 60})
    rig.wait(9 * HOUR)
    assert rig.send("a", "continue").session_id == old
    rig.wait(9 * HOUR)
    assert rig.send("b").session_id != old


def test_a_slash_command_is_about_the_conversation_that_is_there(rig: Rig) -> None:
    old = rig.current.session_id
    rig.wait(9 * HOUR)
    assert rig.send("a", "/compact").session_id == old


def test_a_message_that_was_sent_in_time_begins_nothing(rig: Rig) -> None:
    old, sent_at = rig.current.session_id, rig.now.wall + HOUR
    rig.wait(9 * HOUR)
    assert rig.send("a", sent_at=sent_at).session_id == old


def test_clocks_that_jump_begin_nothing(rig: Rig) -> None:
    old = rig.current.session_id
    for jump in (400 * 24 * HOUR, -30 * 24 * HOUR):
        rig.now = replace(rig.now, wall=rig.now.wall + jump)
        assert rig.send(f"a{jump}").session_id == old


def test_without_the_setting_nothing_is_written_down_and_nothing_begins(tmp_path: Path) -> None:
    rig = Rig(tmp_path, policy=FreshnessPolicy())
    old = rig.current.session_id
    assert "active" not in rig.current.state
    rig.wait(1000 * HOUR)
    assert rig.send("a").session_id == old


async def test_the_button_goes_back_to_the_old_one_with_no_message_sent_twice(rig: Rig) -> None:
    old = rig.current.session_id
    rig.wait(9 * HOUR)
    new = rig.send("b").session_id
    (told,) = rig.posts.values()
    event = ButtonPressed(CHAT, Person(1), 1, "p", told.keyboard[0][0].press)
    action = Buttons(rig.folder / "bridge").take(event)
    assert action is not None
    await rig.fresh.presses[action["do"]](Press(event, action, "press"))
    rig.fresh.note(CHAT)
    assert rig.current.session_id == old
    assert rig.inbox.pending() == []
    assert rig.posts[f"fresh:{new}"].text.startswith("Going on with “New session”.")
    assert rig.send("c").session_id == old
