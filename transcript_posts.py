"""What a session's transcript says, put into the outbox for its chat.

* It is in the outbox, on disk, before the session's cursor moves on.
* Of much that was said while nobody listened the last answer is shown, and a line for the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from core.absence import summarise_absence
from core.conversation import make_title, render_event
from core.events import PromptRecorded, TranscriptEvent
from core.model import Post
from outbox import Outbox
from session import Session
from session_book import SessionBook, chat_of, is_delivery

Equip = Callable[[Session, TranscriptEvent, Post], Post]


class TranscriptPosts:
    """The posts of the sessions of `book`; `equips` give the post of an event its buttons.

    `on_typed` hears of the sessions in which a person has typed a prompt at the terminal; `on_read`
    is given each event, and whether it is a prompt of ours, before it counts as read.
    """

    def __init__(self, book: SessionBook, outbox: Outbox) -> None:
        self.equips: list[Equip] = []
        self.render_left_out: Callable[[Session, dict[str, Any]], Post] = render_left_out
        self.on_typed: Callable[[Session], None] = lambda session: None
        self.on_read: Callable[[Session, list[tuple[TranscriptEvent, bool]]], None] = (
            lambda session, events: None
        )
        self._book = book
        self._outbox = outbox
        self._unread: set[str] = set()
        self._ours: set[str] = set()

    def expect_old(self, session_id: str) -> None:
        """What is read of it next was said while nobody listened."""
        self._unread.add(session_id)

    def is_news(self, session_id: str) -> bool:
        """Whether what is read of it next has just been said."""
        return session_id not in self._unread

    def expect_ours(self, uuid: str) -> None:
        """The record of that id is of a prompt from the chat, of which no runner knows any more."""
        self._ours.add(uuid)

    def put(
        self,
        session: Session,
        events: Sequence[tuple[int, TranscriptEvent]],
        end: int,
        *,
        claims: Callable[[TranscriptEvent], bool],
    ) -> Session:
        """Put the posts, and then move the cursor to `end`; returns the session as it is now.

        `claims` knows, and takes note, whether an event is the record of a prompt from the chat.
        """
        changes: dict[str, Any] = {"cursor": end}
        posts: dict[str, tuple[Post, TranscriptEvent]] = {}
        read = [(event, claims(event) or self._is_known(event)) for _, event in events]
        for event, is_ours in read:
            if isinstance(event, PromptRecorded):
                changes["has_prompts"] = True
                if not session.state.get("title") and "title" not in changes:
                    changes["title"] = make_title(event)
            post = render_for(session, event, is_ours=is_ours)
            if post is not None:
                posts[post.key] = (post, event)
        self._show(session, posts, end)
        self.on_read(session, read)
        session = self._book.edit_state(session.session_id, **changes)
        if any(isinstance(event, PromptRecorded) and not is_ours for event, is_ours in read):
            self._book.store.update_activity(session.session_id)
            self.on_typed(session)
        return session

    def _is_known(self, event: TranscriptEvent) -> bool:
        return isinstance(event, PromptRecorded) and event.uuid in self._ours

    def _show(
        self, session: Session, posts: dict[str, tuple[Post, TranscriptEvent]], end: int
    ) -> None:
        """Put the posts; of many that came while nobody listened, the last answer will do."""
        left_out, shown = 0, [post for post, _ in posts.values()]
        if session.session_id in self._unread:
            self._unread.discard(session.session_id)
            left_out, shown = summarise_absence(shown)
        if left_out:
            place = {"from": session.state.get("cursor", 0), "to": end, "count": left_out}
            self._outbox.put(self.render_left_out(session, place))
        self._outbox.put(*(self._equip(session, posts[post.key][1], post) for post in shown))

    def _equip(self, session: Session, event: TranscriptEvent, post: Post) -> Post:
        for equip in self.equips:
            post = equip(session, event, post)
        return post


def render_for(session: Session, event: TranscriptEvent, *, is_ours: bool) -> Post | None:
    """The post of an event for the session's chat, if it is shown there."""
    if is_delivery(session, event):
        return None
    directory = session.state.get("project_dir", "")
    chat = chat_of(session)
    return render_event(event, session.session_id, chat, is_ours=is_ours, directory=directory)


def render_left_out(session: Session, place: dict[str, Any]) -> Post:
    """The line that stands for posts that were left out (without a button)."""
    key = f"earlier:{session.session_id}:{place['from']}"
    return Post(key, chat_of(session), f"{place['count']} earlier messages", silent=True)
