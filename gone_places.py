"""Chats and topics in which nothing can be shown any more: told once, and no session is lost.

* A chat that has blocked the bot, or removed it: its sessions stay where they are, for when
  somebody is heard there again. An owner is told in one line.
* A topic that was deleted: its sessions go to its chat, where they are found and continued; that
  chat is told in one line, and so is an owner.
* What is noted comes last, so a crash in between tells it again under a key that is known.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace

from core.errors import ChatUnreachableError, StoreError, TopicClosedError, TopicGoneError
from core.handoff import name_place
from core.model import Chat, Post, private_chat
from outbox import Outbox
from places import Places
from session_book import SessionBook, chat_of

log = logging.getLogger(__name__)

_DAY_SECONDS = 86_400.0


class GonePlaces:
    """What of `places` is gone; `to_be_told`: the user ids of those who hear of that."""

    def __init__(
        self,
        places: Places,
        book: SessionBook,
        outbox: Outbox,
        *,
        to_be_told: Callable[[], list[int]],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._places = places
        self._book = book
        self._outbox = outbox
        self._to_be_told = to_be_told
        self._clock = clock

    def hear(self, chat: Chat, error: ChatUnreachableError) -> None:
        """The channel says that nothing can be shown there."""
        root = replace(chat, topic=None)
        try:
            if isinstance(error, TopicGoneError):
                if not self._places.is_gone(chat):
                    self._bring_home(chat, root)
            elif not (isinstance(error, TopicClosedError) or self._places.is_gone(root)):
                self._tell_of_chat(root, error)
        except StoreError as error_of_disk:
            log.error("a chat that is gone is told of later: %s", error_of_disk)

    def _tell_of_chat(self, chat: Chat, error: ChatUnreachableError) -> None:
        text = f"{self._name(chat)} can't be written to any more ({error}). Its sessions are kept."
        self._tell_owners(chat, text)
        self._places.note_gone(chat)

    def _bring_home(self, topic: Chat, root: Chat) -> None:
        """Raises StoreError."""
        current = self._book.find_current(root)
        sessions = self._book.store.list_sessions(topic.chat_id)
        moved = [session for session in sessions if chat_of(session) == topic]
        for session in moved:
            self._book.move(session.session_id, root)
        if moved and current is not None:  # it stays that, whichever was current there last
            self._book.make_current(current.session_id)
        name = self._name(topic)
        if moved:
            text = f"{name} is gone. Its session is in /sessions here."
            self._outbox.put(Post(f"{self._key(topic)}:here", root, text, silent=True))
        kept = "Its session is in /sessions of its chat." if moved else "It had no session."
        self._tell_owners(topic, f"{name} is gone. {kept}")
        self._places.note_gone(topic)

    def _tell_owners(self, chat: Chat, text: str) -> None:
        """One line, but not in the chat that it is about."""
        for user_id in self._to_be_told():
            home = private_chat(user_id)
            if home.chat_id != chat.chat_id:
                self._outbox.put(Post(f"{self._key(chat)}:{user_id}", home, text, silent=True))

    def _name(self, chat: Chat) -> str:
        known = self._places.find(chat)
        if known is None:
            return "A chat" if chat.topic is None else "A topic"
        return name_place(known, chat.chat_id if chat.topic is not None else 0)

    def _key(self, chat: Chat) -> str:
        day = int(self._clock() // _DAY_SECONDS)
        return f"gone:{chat.channel}:{chat.chat_id}:{chat.topic}:{day}"
