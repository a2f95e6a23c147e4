"""The durable outbox: what waits to be shown, per chat in order, until the chat has it.

* `put` returns when the posts are on disk; a key that was put before is not shown again. Nothing is
  sent before `start`, which first settles what the last run left in the middle of sending.
* Each chat has a lane of its own: a pause that one chat must keep holds up no other.
* What surely did not leave is tried again; what may have arrived (`OutcomeUnknownError`, or a crash
  in the middle of sending) is not, but reported to `on_unknown`, and `again` sends it once more.
* A newer edit of the same message takes the place of one that still waits, or is tried again.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec

from core.errors import (
    ChannelRefusedError,
    ChatUnreachableError,
    FloodLimitError,
    MarkupRefusedError,
    MessageRefusedError,
    NotSentError,
    OutcomeUnknownError,
    StoreWriteError,
)
from core.model import Piece, Post
from core.ports import Channel
from durable import SystemCalls
from journal import Journal, Record

log = logging.getLogger(__name__)

UNKNOWN = "unknown:"
"""How the key of a post begins that asks about another; about it nobody is asked."""

_REMEMBERED = 5_000
_FIRST_PAUSE = 1.0
_LONGEST_PAUSE = 60.0


@dataclass(slots=True)
class _Waiting:
    post: Post
    messages: list[int] = field(default_factory=list)
    is_sending: bool = False


class Outbox:
    """What is in the folder `directory`, on its way to `channels` (by name)."""

    def __init__(
        self,
        directory: Path,
        channels: Mapping[str, Channel],
        *,
        redact: Callable[[str], str] = str,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        system: SystemCalls = os,
    ) -> None:
        self._channels = channels
        self.on_unknown: Callable[[Post], None] = lambda post: None
        self._redact = redact
        self._sleep = sleep
        self._waiting: OrderedDict[str, _Waiting] = OrderedDict()
        self._shown: OrderedDict[str, list[int]] = OrderedDict()
        self._unknown: OrderedDict[str, Post] = OrderedDict()
        self._lanes: dict[tuple[str, int], asyncio.Task[None]] = {}
        self._is_started = False
        self._journal = Journal(directory / "outbox.journal", self._snapshot, system=system)
        for record in self._journal.read():
            try:
                self._apply(record)
            except (KeyError, TypeError, msgspec.ValidationError) as error:
                log.warning("a record of the outbox is of no known kind: %r", error)

    def start(self) -> None:
        """Begin to send what waits; needs the running loop."""
        for waiting in [w for w in self._waiting.values() if w.is_sending]:
            if self._target(waiting.post, len(waiting.messages)) is None:
                self._give_up_unknown(waiting)
            else:
                waiting.is_sending = False
        self._is_started = True
        for waiting in self._waiting.values():
            self._open_lane(waiting.post)

    async def stop(self) -> None:
        """Stop sending; what waits is sent after the next start."""
        self._is_started = False
        for lane in self._lanes.values():
            lane.cancel()
        await asyncio.gather(*self._lanes.values(), return_exceptions=True)
        self._journal.close()

    def put(self, *posts: Post) -> None:
        """Take the posts.

        Raises:
            StoreWriteError: none of them was taken.
        """
        new = {
            post.key: replace(post, text=self._redact(post.text))
            for post in posts
            if not self._knows(post.key)
        }
        if not new:
            return
        edited = {post.edits: post.key for post in new.values() if post.edits}
        old = [w.post for w in self._waiting.values() if not w.is_sending]
        outdated = [
            p.key for p in (*old, *new.values()) if edited.get(p.edits or "", p.key) != p.key
        ]
        records: list[Record] = [
            {"t": "put", "post": msgspec.to_builtins(post)} for post in new.values()
        ]
        records += [{"t": "done", "key": key, "outcome": "superseded"} for key in outdated]
        self._journal.append(*records)
        for record in records:
            self._apply(record)
        for post in new.values():
            self._open_lane(post)

    def again(self, key: str) -> bool:
        """Send once more what may not have arrived; False when that is not known of."""
        post = self._unknown.get(key)
        if post is None:
            return False
        self.put(replace(post, key=f"{key}+"))
        self._note({"t": "again", "key": key})
        return True

    def find_message(self, key: str) -> int | None:
        """The message id of a post that was shown."""
        messages = self._shown.get(key)
        return messages[0] if messages else None

    def messages_of(self, key: str) -> Sequence[int]:
        """The ids of all messages of a post that was shown."""
        return tuple(self._shown.get(key, ()))

    def knows(self, key: str) -> bool:
        """Whether a post of that key was put before."""
        return self._knows(key)

    def is_empty(self) -> bool:
        """Whether nothing waits."""
        return not self._waiting

    def _knows(self, key: str) -> bool:
        return key in self._waiting or key in self._shown

    def _open_lane(self, post: Post) -> None:
        if not self._is_started:
            return
        lane = _lane(post)
        running = self._lanes.get(lane)
        if running is None or running.done():
            self._lanes[lane] = asyncio.create_task(self._run_lane(lane), name=f"outbox {lane}")

    async def _run_lane(self, lane: tuple[str, int]) -> None:
        while True:
            waiting = next((w for w in self._waiting.values() if _lane(w.post) == lane), None)
            if waiting is None:
                return
            try:
                await self._show(waiting)
            except Exception:
                log.exception("a post could not be handled; the next one goes on")
                self._finish(waiting, "failed")

    async def _show(self, waiting: _Waiting) -> None:
        channel = self._channels.get(waiting.post.chat.channel)
        if channel is None:
            self._finish(waiting, "no such channel")
            return
        pieces = channel.split(waiting.post)
        while len(waiting.messages) < len(pieces):
            piece = pieces[len(waiting.messages)]
            try:
                message = await self._deliver(channel, piece, waiting)
            except OutcomeUnknownError:
                self._give_up_unknown(waiting)
                return
            except (ChatUnreachableError, MessageRefusedError) as error:
                log.warning("a message was refused for good: %s", error)
                self._finish(waiting, "refused")
                if isinstance(error, ChatUnreachableError):
                    self._send_elsewhere(waiting.post)
                return
            if message is None:
                self._finish(waiting, "superseded")
                return
            self._note({"t": "sent", "key": waiting.post.key, "message": message})
        self._finish(waiting, "shown")

    async def _deliver(self, channel: Channel, piece: Piece, waiting: _Waiting) -> int | None:
        """Send or edit until it is certain what became of it; None for an outdated edit.

        Raises OutcomeUnknownError, ChatUnreachableError, MessageRefusedError.
        """
        key, pause = waiting.post.key, _FIRST_PAUSE
        edited = self._target(waiting.post, len(waiting.messages))
        while not self._is_outdated(waiting.post):
            self._note({"t": "sending", "key": key})
            try:
                if edited is None:
                    return await channel.send(piece)
                await channel.edit(piece, edited)
                return edited
            except MarkupRefusedError as error:
                if not piece.entities:
                    raise MessageRefusedError(str(error)) from error
                piece = replace(piece, entities=())
                continue
            except FloodLimitError as error:
                seconds = error.seconds
            except (NotSentError, ChannelRefusedError, OutcomeUnknownError) as error:
                if edited is None and isinstance(error, OutcomeUnknownError):
                    raise
                log.info("a message is tried again in %g s: %s", pause, error)
                seconds, pause = pause, min(pause * 2, _LONGEST_PAUSE)
            self._note({"t": "unsent", "key": key})  # an edit repeats nothing when made twice
            await self._sleep(seconds)
        return None

    def _send_elsewhere(self, post: Post) -> None:
        """What a topic can't take any more goes to its chat, so that it is not lost."""
        if post.chat.topic is None or post.edits:
            return
        chat = replace(post.chat, topic=None)
        self.put(
            Post(f"{post.key}:why", chat, "This was for a topic that is gone:", silent=True),
            replace(post, key=f"{post.key}:elsewhere", chat=chat, keyboard=()),
        )

    def _target(self, post: Post, number: int) -> int | None:
        """The message that this piece of an edit takes the place of; None: it is a new one."""
        messages = self._shown.get(post.edits, []) if post.edits else []
        return messages[number] if number < len(messages) else None

    def _is_outdated(self, post: Post) -> bool:
        """Whether it is an edit, and a newer one of the same message waits."""
        edits = [w.post.key for w in self._waiting.values() if w.post.edits == post.edits]
        return bool(post.edits) and edits[-1:] != [post.key]

    def _give_up_unknown(self, waiting: _Waiting) -> None:
        post = waiting.post
        self._finish(waiting, "unknown")
        if post.edits or post.key.startswith(UNKNOWN):
            return
        try:
            self.on_unknown(post)
        except StoreWriteError as error:
            log.error("a chat can't be asked about a message that may be lost: %s", error)

    def _finish(self, waiting: _Waiting, outcome: str) -> None:
        self._note({"t": "done", "key": waiting.post.key, "outcome": outcome})

    def _note(self, record: Record) -> None:
        """Take progress into account even when the disk refuses: only a crash would forget it."""
        self._apply(record)
        try:
            self._journal.append(record)
        except StoreWriteError as error:
            log.error("%s", error)

    def _apply(self, record: Record) -> None:
        match record.get("t"):
            case "put":
                post = msgspec.convert(record["post"], Post)
                self._waiting[post.key] = _Waiting(post)
            case "sending" | "unsent" as kind if record["key"] in self._waiting:
                self._waiting[record["key"]].is_sending = kind == "sending"
            case "sent" if record["key"] in self._waiting:
                waiting = self._waiting[record["key"]]
                waiting.messages.append(record["message"])
                waiting.is_sending = False
                if waiting.post.edits:
                    self._put_target(waiting)
            case "done" if record["key"] in self._waiting:
                waiting = self._waiting.pop(record["key"])
                _keep(self._shown, waiting.post.key, waiting.messages)
                if record["outcome"] == "unknown":
                    _keep(self._unknown, waiting.post.key, waiting.post)
            case "shown":
                _keep(self._shown, record["key"], record["messages"])
            case "unknown":
                _keep(self._unknown, record["key"], msgspec.convert(record["post"], Post))
            case "again":
                self._unknown.pop(record["key"], None)

    def _put_target(self, edit: _Waiting) -> None:
        """An edit that needs more messages than its target had gives it the new ones."""
        messages = self._shown.setdefault(edit.post.edits or "", [])
        messages += edit.messages[len(messages) :]

    def _snapshot(self) -> Iterator[Record]:
        for key, messages in self._shown.items():
            yield {"t": "shown", "key": key, "messages": messages}
        for key, post in self._unknown.items():
            yield {"t": "unknown", "key": key, "post": msgspec.to_builtins(post)}
        for waiting in self._waiting.values():
            key = waiting.post.key
            yield {"t": "put", "post": msgspec.to_builtins(waiting.post)}
            yield from ({"t": "sent", "key": key, "message": m} for m in waiting.messages)
            if waiting.is_sending:
                yield {"t": "sending", "key": key}


def _lane(post: Post) -> tuple[str, int]:
    return (post.chat.channel, post.chat.chat_id)


def _keep(memory: OrderedDict[str, Any], key: str, value: Any) -> None:
    memory[key] = value
    while len(memory) > _REMEMBERED:
        memory.popitem(last=False)
