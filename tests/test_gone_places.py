"""gone_places: a chat that is gone is told of once, and its sessions are found again."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from core.errors import (
    ChatUnreachableError,
    StoreWriteError,
    TopicClosedError,
    TopicGoneError,
)
from core.model import Chat, Place, Post
from gone_places import GonePlaces
from places import Places
from session import SessionStore
from session_book import SessionBook

OWNER, BOB = Chat("telegram", 42), Chat("telegram", 43)
TEAM, RED = Chat("telegram", -1001), Chat("telegram", -1001, 7)
BLOCKED = ChatUnreachableError("Forbidden: bot was blocked by the user")
KICKED = ChatUnreachableError("Forbidden: bot was kicked from the supergroup chat")


class Rig:
    """An owner, a member and a group, on a real disk."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.posts: dict[str, Post] = {}
        self.failures = 0
        self.book = SessionBook(SessionStore(folder / "store"))
        self.start()
        self.places.note(Place(BOB, "Bob", is_private=True), 43)
        self.places.note(Place(TEAM, "Team", is_forum=True), 43)
        self.places.note(Place(RED, "Team", is_forum=True, topic_name="red"), 43)

    def start(self) -> None:
        self.places = Places(self.folder)
        self.gone = GonePlaces(
            self.places,
            self.book,
            cast(Any, SimpleNamespace(put=self._put)),
            to_be_told=lambda: [42],
            clock=lambda: 1e9,
        )

    def _put(self, post: Post) -> None:
        if self.failures:
            self.failures -= 1
            raise StoreWriteError("The disk is full.")
        self.posts.setdefault(post.key, post)

    @property
    def told(self) -> list[tuple[Chat, str]]:
        return [(post.chat, post.text) for post in self.posts.values()]


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


def test_an_owner_hears_once_that_somebody_has_blocked_the_bot(rig: Rig) -> None:
    session = rig.book.create(BOB, rig.folder)
    for _ in range(3):
        rig.gone.hear(BOB, BLOCKED)
        rig.start()
    assert rig.told == [
        (
            OWNER,
            "Bob's chat can't be written to any more (Forbidden: bot was blocked by the user). "
            "Its sessions are kept.",
        )
    ]
    assert rig.book.find_current(BOB) == session


def test_a_group_that_removed_the_bot_is_told_of_once_for_all_its_topics(rig: Rig) -> None:
    session = rig.book.create(RED, rig.folder)
    for chat in (RED, TEAM, RED):
        rig.gone.hear(chat, KICKED)
    assert [text.split(" (")[0] for _, text in rig.told] == [
        "Team › General can't be written to any more"
    ]
    assert rig.book.find_current(RED) == session
    assert all(place.is_gone for place in rig.places.list_all() if place.chat.chat_id == -1001)


def test_who_is_heard_again_is_there_again(rig: Rig) -> None:
    rig.gone.hear(BOB, BLOCKED)
    rig.places.note(Place(BOB, "Bob", is_private=True), 43)
    assert not rig.places.is_gone(BOB)


def test_an_owners_own_chat_is_not_told_of_itself(rig: Rig) -> None:
    rig.gone.hear(OWNER, BLOCKED)
    assert rig.told == [] and rig.places.is_gone(OWNER)


@pytest.mark.parametrize("has_current", [True, False])
def test_the_session_of_a_deleted_topic_goes_to_its_chat(rig: Rig, has_current: bool) -> None:
    own = rig.book.create(TEAM, rig.folder) if has_current else None
    session = rig.book.create(RED, rig.folder)
    for _ in range(3):
        rig.gone.hear(RED, TopicGoneError("message thread not found"))
        rig.start()
    assert rig.told == [
        (TEAM, "Team › red is gone. Its session is in /sessions here."),
        (OWNER, "Team › red is gone. Its session is in /sessions of its chat."),
    ]
    current = rig.book.find_current(TEAM)
    assert current is not None
    assert current.session_id == (own or session).session_id
    assert rig.book.for_id(session.session_id).state.get("topic") is None
    assert rig.book.find_current(RED) is None


def test_a_topic_that_was_closed_is_not_gone(rig: Rig) -> None:
    rig.gone.hear(RED, TopicClosedError("TOPIC_CLOSED"))
    assert rig.told == [] and not rig.places.is_gone(RED) and not rig.places.is_gone(TEAM)


def test_a_full_disk_delays_that_and_no_more(rig: Rig) -> None:
    rig.failures = 1
    rig.gone.hear(BOB, BLOCKED)
    assert rig.told == [] and not rig.places.is_gone(BOB)
    rig.gone.hear(BOB, BLOCKED)
    assert len(rig.told) == 1
