"""What the outbox knows: what waits, what was shown as which messages, what may not have arrived.

* All of it is in the journal, but for live posts: these are worth nothing after a crash, so only
  the messages that they became are written down, for the edits that follow.
* Progress counts even when the disk refuses it: only a crash would forget it.
"""

from __future__ import annotations

import logging
import os
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from core.errors import StoreWriteError
from core.model import Chat, Piece, Post
from durable import SystemCalls
from journal import Journal, Record

log = logging.getLogger(__name__)

FIRST_PAUSE = 1.0
_REMEMBERED = 5_000

Lane = tuple[str, int]


@dataclass(slots=True)
class Waiting:
    """A post on its way: `messages` holds one id for each piece that was sent or edited."""

    post: Post
    messages: list[int] = field(default_factory=list)
    is_sending: bool = False
    pieces: list[Piece] | None = None
    pause: float = FIRST_PAUSE


class OutboxRecords:
    """The records of the folder `directory`."""

    def __init__(self, directory: Path, *, system: SystemCalls = os) -> None:
        self.waiting: OrderedDict[str, Waiting] = OrderedDict()
        self.live: OrderedDict[str, Waiting] = OrderedDict()
        self.unknown: OrderedDict[str, Post] = OrderedDict()
        self._shown: OrderedDict[str, list[int]] = OrderedDict()
        self._places: OrderedDict[str, Chat] = OrderedDict()
        self._journal = Journal(directory / "outbox.journal", self._snapshot, system=system)
        for record in self._journal.read():
            try:
                self._apply(record)
            except (KeyError, TypeError, msgspec.ValidationError) as error:
                log.warning("a record of the outbox is of no known kind: %r", error)

    def close(self) -> None:
        """Let go of the file."""
        self._journal.close()

    def forget_shown(self) -> None:
        """Let the next write leave nothing on the disk of what was shown."""
        self._journal.close()

    # --- what is there --------------------------------------------------------------------------

    def knows(self, key: str) -> bool:
        """Whether a post of that key waits or was shown."""
        return key in self.waiting or key in self._shown or key in self.live

    def messages_of(self, key: str) -> Sequence[int]:
        """The messages that a post was shown as, so far."""
        waiting = self.waiting.get(key)
        return self._shown.get(key, waiting.messages if waiting is not None else ())

    def chat_of(self, key: str) -> Chat | None:
        """Where a post is, or will be."""
        waiting = self.waiting.get(key) or self.live.get(key)
        return waiting.post.chat if waiting is not None else self._places.get(key)

    def find_target(self, waiting: Waiting) -> int | None:
        """The message that its next piece takes the place of; None: it is a new one."""
        messages = self.messages_of(waiting.post.edits) if waiting.post.edits else ()
        number = len(waiting.messages)
        if waiting.pieces is not None and len(waiting.pieces[number : number + 1]) == 1:
            messages = messages if len(waiting.pieces[number].files) < 2 else ()  # an album is new
        return messages[number] if number < len(messages) else None

    def find_next(self, lane: Lane) -> Waiting | None:
        """What comes first in a chat: all else in its order, then what is live."""
        for posts in (self.waiting, self.live):
            for waiting in posts.values():
                if lane_of(waiting.post) == lane:
                    return waiting
        return None

    def is_outdated(self, edit: Post) -> bool:
        """Whether a later edit of the same message waits."""
        later = [w.post for w in (*self.waiting.values(), *self.live.values())]
        if not edit.live:
            later = later[[post.key for post in later].index(edit.key) + 1 :]
        return any(_outdates(post, edit) for post in later if post.key != edit.key)

    # --- what happens ---------------------------------------------------------------------------

    def put(self, new: Sequence[Post]) -> None:
        """Take posts that are not known yet. Raises StoreWriteError: none was taken."""
        old = [w.post for w in (*self.waiting.values(), *self.live.values()) if not w.is_sending]
        posts = [*old, *new]
        outdated = [
            post
            for number, post in enumerate(posts)
            if any(_outdates(later, post) for later in posts[max(number + 1, len(old)) :])
        ]
        records: list[Record] = [
            {"t": "put", "post": msgspec.to_builtins(post)} for post in new if not post.live
        ]
        records += [
            {"t": "done", "key": post.key, "outcome": "superseded"}
            for post in outdated
            if not post.live
        ]
        if records:
            self._journal.append(*records)
        for record in records:
            self._apply(record)
        self.live.update((post.key, Waiting(post)) for post in new if post.live)
        for post in outdated:
            self.live.pop(post.key, None)

    def note_sending(self, waiting: Waiting) -> None:
        """From now on until one of the next two it may have arrived."""
        waiting.is_sending = True
        self._note_unless_live(waiting, {"t": "sending", "key": waiting.post.key})

    def note_unsent(self, waiting: Waiting) -> None:
        """It surely did not arrive, or can be made again."""
        waiting.is_sending = False
        self._note_unless_live(waiting, {"t": "unsent", "key": waiting.post.key})

    def note_sent(self, waiting: Waiting, message: int) -> None:
        """Its next piece is this message."""
        if not waiting.post.live:
            self._note({"t": "sent", "key": waiting.post.key, "message": message})
            return
        waiting.is_sending = False
        waiting.messages.append(message)
        key = waiting.post.edits or waiting.post.key
        if message not in self.messages_of(key):
            messages = [*self.messages_of(key), message]
            chat = msgspec.to_builtins(waiting.post.chat)
            self._note({"t": "shown", "key": key, "messages": messages, "chat": chat})

    def note_deleted(self, key: str, message: int) -> None:
        """A message of a post is gone."""
        self._note({"t": "deleted", "key": key, "message": message})

    def note_again(self, key: str) -> None:
        """What may not have arrived was put once more."""
        self._note({"t": "again", "key": key})

    def finish(self, waiting: Waiting, outcome: str) -> None:
        """It waits no longer."""
        self.live.pop(waiting.post.key, None)
        record: Record = {"t": "done", "key": waiting.post.key, "outcome": outcome}
        self._note_unless_live(waiting, record)

    # --- the journal ----------------------------------------------------------------------------

    def _note_unless_live(self, waiting: Waiting, record: Record) -> None:
        if not waiting.post.live:
            self._note(record)

    def _note(self, record: Record) -> None:
        try:  # first, as the journal may begin with a snapshot, which must not have it already
            self._journal.append(record)
        except StoreWriteError as error:
            log.error("%s", error)
        self._apply(record)

    def _apply(self, record: Record) -> None:
        match record.get("t"):
            case "put":
                post = msgspec.convert(record["post"], Post)
                self.waiting[post.key] = Waiting(post)
            case "sending" | "unsent" as kind if record["key"] in self.waiting:
                self.waiting[record["key"]].is_sending = kind == "sending"
            case "sent" if record["key"] in self.waiting:
                self._apply_sent(self.waiting[record["key"]], record["message"])
            case "done" if record["key"] in self.waiting:
                waiting = self.waiting.pop(record["key"])
                _keep(self._shown, waiting.post.key, waiting.messages)
                _keep(self._places, waiting.post.key, waiting.post.chat)
                if record["outcome"] == "unknown":
                    _keep(self.unknown, waiting.post.key, waiting.post)
            case "shown":
                self._apply_shown(record)
            case "deleted" if record["message"] in self._shown.get(record["key"], ()):
                self._shown[record["key"]].remove(record["message"])
            case "unknown":
                _keep(self.unknown, record["key"], msgspec.convert(record["post"], Post))
            case "again":
                self.unknown.pop(record["key"], None)

    def _apply_shown(self, record: Record) -> None:
        _keep(self._shown, record["key"], record["messages"])
        if "chat" in record:  # earlier versions did not note it
            _keep(self._places, record["key"], msgspec.convert(record["chat"], Chat))

    def _apply_sent(self, waiting: Waiting, message: int) -> None:
        """An edit that needs more messages than its target had gives it the new ones."""
        waiting.messages.append(message)
        waiting.is_sending = False
        if waiting.post.edits:
            messages = self._shown.setdefault(waiting.post.edits, [])
            messages += waiting.messages[len(messages) :]

    def _snapshot(self) -> Iterator[Record]:
        for key, messages in self._shown.items():
            chat = self._places.get(key)
            place = {} if chat is None else {"chat": msgspec.to_builtins(chat)}
            yield {"t": "shown", "key": key, "messages": messages, **place}
        for key, post in self.unknown.items():
            yield {"t": "unknown", "key": key, "post": msgspec.to_builtins(post)}
        for waiting in self.waiting.values():
            key = waiting.post.key
            yield {"t": "put", "post": msgspec.to_builtins(waiting.post)}
            yield from ({"t": "sent", "key": key, "message": m} for m in waiting.messages)
            if waiting.is_sending:
                yield {"t": "sending", "key": key}


def lane_of(post: Post) -> Lane:
    """The chat that a post goes to, whatever its topic: that is what a service counts by."""
    return (post.chat.channel, post.chat.chat_id)


def _outdates(later: Post, post: Post) -> bool:
    """Whether nobody needs to see `post` any more; what is live outdates only what is live."""
    if later.edits is None or (later.live and not post.live):
        return False
    return later.edits == post.edits or (post.live and later.edits == post.key)


def _keep(memory: OrderedDict[str, Any], key: str, value: Any) -> None:
    memory[key] = value
    while len(memory) > _REMEMBERED:
        memory.popitem(last=False)
