"""topics: brought in line with their sessions, seldom, once, and never against a person."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from core.errors import (
    ChannelError,
    FloodLimitError,
    NotSentError,
    TopicGoneError,
    TopicRefusedError,
)
from core.model import Chat, Person, Place, Post, TextSent
from inbox import Arrival
from outbox import Outbox
from places import Places
from pulse import Background
from session import SessionStore
from session_book import SessionBook
from sessions import Sessions
from topics import Topics

TEAM, ADA = Chat("telegram", -1001), Chat("telegram", 42)


class Forum:
    """Keeps topics by id; `errors` are raised first, one for each call."""

    def __init__(self) -> None:
        self.has_private_topics = False
        self.names: dict[Chat, str] = {}
        self.closed: set[Chat] = set()
        self.calls: list[str] = []
        self.errors: list[ChannelError] = []
        self.place: Place | None = None

    def read_place(self, raw: dict[str, Any]) -> Place | None:
        return self.place

    async def create_topic(self, chat: Chat, name: str) -> Chat:
        self._call("create")
        topic = Chat(chat.channel, chat.chat_id, 7 + len(self.names))
        self.names[topic] = name
        return topic

    async def rename_topic(self, topic: Chat, name: str) -> None:
        self._call("rename")
        self.names[topic] = name

    async def close_topic(self, topic: Chat) -> None:
        self._call("close")
        self.closed.add(topic)

    async def reopen_topic(self, topic: Chat) -> None:
        self._call("reopen")
        self.closed.discard(topic)

    def _call(self, name: str) -> None:
        self.calls.append(name)
        if self.errors:
            raise self.errors.pop(0)


class Desk:
    """Topics over a real store, with a clock that the test turns."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.now = 1000.0
        self.forum = Forum()
        self.book = SessionBook(SessionStore(folder / "state"))
        self.posts: list[Post] = []
        self.wait = 0.0
        self.runners: dict[str, SimpleNamespace] = {}
        self.deleted: list[int] = []
        self.may_show: bool | None = True
        self.gone: list[Chat] = []
        self.start()

    def start(self) -> None:
        self.places = Places(self.folder)
        sessions = SimpleNamespace(
            book=self.book, find_runner=self.runners.get, is_asked=lambda runner: runner.is_asked
        )
        outbox = SimpleNamespace(
            reserve=lambda chat: self.wait,
            may_show=lambda chat: self.may_show,
            on_gone=lambda chat, error: self.gone.append(chat),
            put=self.posts.append,
            say=lambda chat, text: self.posts.append(Post("", chat, text)),
        )
        channel = SimpleNamespace(delete=self._delete, forum=self.forum)
        self.topics = Topics(
            {"telegram": cast(Any, channel)},
            self.places,
            cast(Sessions, sessions),
            cast(Outbox, outbox),
            Background(),
            is_known=lambda place, person: place.chat.chat_id != 666,
            redact=lambda text: text.replace("s3cret", "[masked]"),
            clock=lambda: self.now,
        )
        self.book.listeners[:] = [self.topics.touch]

    async def _delete(self, chat: Chat, message_id: int) -> None:
        self.deleted.append(message_id)

    async def topic_with_session(self, title: str = "fix it") -> tuple[Chat, str]:
        """A topic of ours, and the id of its session, which Claude runs and which is idle."""
        topic = await self.topics.make(TEAM, "project")
        session = self.book.create(topic, Path("/work/project"))
        self.runs(session.session_id, "idle")
        self.book.edit_state(session.session_id, title=title)
        return topic, session.session_id

    def runs(self, session_id: str, status: str) -> None:
        self.runners[session_id] = SimpleNamespace(
            session_id=session_id,
            is_awake=status != "gone",
            has_work=False,
            is_working=status in ("busy", "waiting"),
            is_asked=False,
            process=SimpleNamespace(status=status),
        )

    def tells(self, topic: Chat, **more: Any) -> None:
        """An update comes from the topic."""
        self.forum.place = Place(topic, "Team", is_forum=True, **more)
        said = TextSent(topic, Person(42, "Ada"), 1, "hello", is_private=False)
        self.topics.hear_update(Arrival("k", "telegram", {}), said)

    async def look(self, seconds: float = 0.0) -> float | None:
        """Let some time pass, and look at what is to be done."""
        self.now += seconds
        return await self.topics._look_at_all()


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.mark.parametrize("may_show", [False, None])
async def test_a_topic_of_a_chat_that_may_be_shown_nothing_is_left_as_it_is(
    desk: Desk, may_show: bool | None
) -> None:
    topic, _ = await desk.topic_with_session()
    desk.may_show = may_show
    await desk.look(61)
    assert desk.forum.names[topic] == "project"


async def test_a_topic_takes_its_sessions_title(desk: Desk) -> None:
    topic, session_id = await desk.topic_with_session()
    await desk.look(61)
    assert desk.forum.names[topic] == "fix it"
    desk.book.edit_state(session_id, name="better")
    await desk.look(61)
    assert desk.forum.names[topic] == "better"
    desk.book.edit_state(session_id, cursor=5)
    await desk.look(61)
    assert desk.forum.calls == ["create", "rename", "rename"]


async def test_no_secret_is_in_the_name_of_a_topic(desk: Desk) -> None:
    topic, _ = await desk.topic_with_session("use s3cret")
    await desk.look(61)
    assert desk.forum.names[topic] == "use [masked]"
    made = await desk.topics.make(TEAM, "is s3cret right")
    assert desk.forum.names[made] == "is [masked] right"


@pytest.mark.parametrize(("status", "mark"), [("busy", "⏳"), ("waiting", "❓"), ("gone", "💤")])
async def test_a_state_that_lasts_is_shown(desk: Desk, status: str, mark: str) -> None:
    topic, session_id = await desk.topic_with_session()
    await desk.look(61)
    desk.runs(session_id, status)
    desk.topics.touch(topic)
    assert await desk.look(61)  # it has only just begun
    assert await desk.look(16) is None
    assert desk.forum.names[topic] == f"{mark} fix it"


async def test_short_turns_one_after_the_other_change_nothing(desk: Desk) -> None:
    topic, session_id = await desk.topic_with_session()
    await desk.look(61)
    for status in ["busy", "idle"] * 20:
        desk.runs(session_id, status)
        desk.topics.touch(topic)
        await desk.look(2)
    assert desk.forum.calls == ["create", "rename"]


async def test_new_titles_are_shown_every_ten_seconds_at_the_most(desk: Desk) -> None:
    topic, session_id = await desk.topic_with_session()
    for number in range(100):
        desk.book.edit_state(session_id, name=f"title {number}")
        await desk.look(1)
    assert 9 <= desk.forum.calls.count("rename") <= 11
    await desk.look(61)
    assert desk.forum.names[topic] == "title 99"


async def test_the_sign_is_changed_once_a_minute_at_the_most(desk: Desk) -> None:
    topic, session_id = await desk.topic_with_session()
    for number in range(600):
        desk.runs(session_id, "busy" if number // 20 % 2 else "waiting")
        desk.topics.touch(topic)
        await desk.look(1)
    assert 9 <= desk.forum.calls.count("rename") <= 12


async def test_nothing_is_changed_while_the_flood_budget_is_used_up(desk: Desk) -> None:
    topic, _ = await desk.topic_with_session()
    desk.wait = 20.0
    assert await desk.look(61) == 20.0
    assert desk.forum.names[topic] == "project"
    desk.wait = 0.0
    await desk.look(20)
    assert desk.forum.names[topic] == "fix it"


async def test_a_pause_that_telegram_asks_for_is_kept_for_the_whole_group(desk: Desk) -> None:
    topic, _ = await desk.topic_with_session()
    desk.forum.errors = [FloodLimitError(30)]
    assert await desk.look(61) == 30
    calls = list(desk.forum.calls)
    await desk.look(29)
    assert desk.forum.calls == calls
    await desk.look(2)
    assert desk.forum.names[topic] == "fix it"


async def test_a_persons_name_for_a_topic_wins_and_only_gets_the_sign(desk: Desk) -> None:
    topic, session_id = await desk.topic_with_session()
    await desk.look(61)
    desk.tells(topic, topic_name="my own")
    desk.forum.names[topic] = "my own"
    desk.book.edit_state(session_id, name="another title")
    await desk.look(61)
    assert desk.forum.names[topic] == "my own"
    desk.runs(session_id, "gone")
    desk.topics.touch(topic)
    await desk.look(61)
    await desk.look(61)
    assert desk.forum.names[topic] == "💤 my own"
    desk.start()  # and after a restart
    desk.topics.touch(topic)
    await desk.look(61)
    await desk.look(61)
    assert desk.forum.names[topic] == "💤 my own"


async def test_a_topic_whose_name_was_never_heard_is_left_alone(desk: Desk) -> None:
    topic = Chat("telegram", -1001, 99)
    desk.tells(topic)
    session = desk.book.create(topic, Path("/work/project"))
    desk.book.edit_state(session.session_id, title="fix it")
    await desk.look(61)
    assert desk.forum.calls == []


async def test_a_topic_is_closed_and_opened_with_its_session_and_never_deleted(
    desk: Desk,
) -> None:
    topic, session_id = await desk.topic_with_session()
    desk.book.edit_state(session_id, closed_at="2026-01-01T00:00:00+00:00")
    await desk.look(61)
    assert desk.forum.closed == {topic}
    desk.start()
    desk.topics.touch(topic)
    await desk.look(61)
    assert desk.forum.calls.count("close") == 1
    desk.book.switch(topic, session_id)
    await desk.look(61)
    assert desk.forum.closed == set()


async def test_a_topic_stays_closed_when_its_session_is_forgotten(desk: Desk) -> None:
    topic, session_id = await desk.topic_with_session()
    desk.book.edit_state(session_id, closed_at="2026-01-01T00:00:00+00:00")
    await desk.look(61)
    desk.book.store.delete(session_id)
    desk.topics.touch(topic)
    await desk.look(61)
    assert desk.forum.closed == {topic} and "reopen" not in desk.forum.calls


async def test_a_topic_that_a_person_closed_is_not_opened(desk: Desk) -> None:
    topic, session_id = await desk.topic_with_session()
    desk.forum.closed.add(topic)
    desk.book.edit_state(session_id, title="another")
    await desk.look(61)
    assert desk.forum.closed == {topic}


async def test_missing_rights_are_told_once_and_nothing_is_tried_again(desk: Desk) -> None:
    topic, session_id = await desk.topic_with_session()
    desk.forum.errors = [TopicRefusedError("No right.")]
    await desk.look(61)
    desk.book.edit_state(session_id, name="another")
    await desk.look(61)
    assert desk.forum.calls == ["create", "rename"]
    told = [post.text for post in desk.posts]
    assert told == ["No right. Without that, sessions go on without topics of their own."]
    assert desk.posts[0].chat == TEAM
    desk.start()
    desk.forum.errors = [TopicRefusedError("No right.")]
    desk.topics.touch(topic)
    await desk.look(61)
    assert len({post.key for post in desk.posts}) == 1  # the outbox shows a key once


async def test_a_topic_that_is_gone_is_left_alone(desk: Desk) -> None:
    topic, session_id = await desk.topic_with_session()
    desk.forum.errors = [TopicGoneError("gone")]
    await desk.look(61)
    desk.book.edit_state(session_id, name="another")
    assert await desk.look(61) is None
    assert desk.forum.calls == ["create", "rename"] and desk.posts == []
    assert desk.gone == [topic]


async def test_a_network_that_is_away_is_tried_again(desk: Desk) -> None:
    topic, _ = await desk.topic_with_session()
    desk.forum.errors = [NotSentError("no connection")]
    assert await desk.look(61) == 30
    await desk.look(30)
    assert desk.forum.names[topic] == "fix it"


@pytest.mark.parametrize("error", [TopicRefusedError("No right."), NotSentError("no connection")])
async def test_where_no_topic_can_be_made_the_session_is_in_the_chat(
    desk: Desk, error: ChannelError
) -> None:
    desk.forum.errors = [error]
    assert await desk.topics.make(TEAM, "project") == TEAM
    assert len(desk.posts) == 1


def test_new_sessions_get_topics_in_forums_and_in_private_chats_that_have_them(
    desk: Desk,
) -> None:
    def note(chat: Chat, **more: Any) -> None:
        desk.places.note(Place(chat, "Name", **more))

    plain = Chat("telegram", -1002)
    note(TEAM, is_forum=True)
    note(plain)
    note(ADA, is_private=True)
    asks: Callable[[Chat], bool] = desk.topics.makes_topic
    assert [asks(chat) for chat in (TEAM, plain, ADA)] == [True, False, False]
    desk.forum.has_private_topics = True
    assert asks(ADA)
    assert not asks(Chat("telegram", -1001, 7)) and not asks(Chat("telegram", -1003))
    assert desk.topics.has_topics(Chat("telegram", -1001, 7))


async def test_the_line_that_a_change_of_ours_leaves_is_taken_away(desk: Desk) -> None:
    topic, _ = await desk.topic_with_session()
    desk.tells(topic, own_notice=12)
    await desk.topics._background.finish()
    assert desk.deleted == [12]


def test_a_place_that_is_not_allowed_is_not_remembered(desk: Desk) -> None:
    desk.tells(Chat("telegram", 666), topic_name="x")
    assert desk.places.list_all() == []


async def test_after_a_start_every_topic_is_looked_at(desk: Desk) -> None:
    topic, _ = await desk.topic_with_session()
    desk.start()
    desk.now += 61
    running = asyncio.create_task(desk.topics.run())
    for _ in range(1000):
        if desk.forum.names[topic] == "💤 fix it" or desk.forum.names[topic] == "fix it":
            break
        await asyncio.sleep(0.01)
    running.cancel()
    assert desk.forum.names[topic] == "fix it"
