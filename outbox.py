"""The durable outbox: what waits to be shown, per chat in order, until the chat has it.

* `put` returns when the posts are on disk; a key that was put before is not shown again. Nothing is
  sent before `start`, which first settles what the last run left in the middle of sending.
* What is for a channel that is off, or not started yet, waits. A chat that may be shown nothing
  (any more) is shown nothing, whenever that was put; while nobody can tell, it waits.
* Each chat has a lane of its own: a pause that one chat must keep holds up no other. A lane keeps
  within the chat's flood limits, which leave room for answers beside a live card.
* Live posts are worth only as much as their newest state: all others go first (among themselves in
  order), a newer one takes the place of one that waits, and one that fails is forgotten.
* What is not live and surely did not leave is tried again; what may have arrived
  (`OutcomeUnknownError`, or a crash in the middle of sending) is not, but reported to `on_unknown`,
  and `again` sends it once more.
* An edit goes to the chat of the post that it edits, wherever who puts it believes that to be.
* A newer edit of the same message takes the place of one that still waits, or is tried again. One
  with fewer pieces than the message had deletes the rest, one with more sends more.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from core.errors import (
    ChannelError,
    ChannelRefusedError,
    ChatUnreachableError,
    FloodLimitError,
    MarkupRefusedError,
    MessageRefusedError,
    NotSentError,
    OutcomeUnknownError,
    StoreWriteError,
    TopicClosedError,
    TopicGoneError,
)
from core.flood import FloodBudget
from core.model import Chat, Keyboard, Piece, Post, Sign
from core.ports import Channel, Channels
from durable import SystemCalls
from outbox_records import FIRST_PAUSE, Lane, OutboxRecords, Waiting, lane_of
from pulse import happens
from reactions import Reactions

log = logging.getLogger(__name__)

UNKNOWN = "unknown:"
"""How the key of a post begins that asks about another; about it nobody is asked."""

_PATIENCE = 5.0
_LONGEST_PAUSE = 60.0
_LOCKED_SECONDS = 5.0
_OF_GONE = "This was for a topic that is gone:"
_OF_CLOSED = "This was for a topic that is closed:"


@dataclass(slots=True)
class _Traffic:
    """What goes on in one lane; `at_rest`: no call to the channel is under way."""

    budget: FloodBudget
    task: asyncio.Task[None] | None = None
    paused_until: float = float("-inf")
    has_more: asyncio.Event = field(default_factory=asyncio.Event)
    at_rest: asyncio.Event = field(default_factory=asyncio.Event)


def new_key() -> str:
    """A key for a post that nothing else could make again."""
    return f"say:{uuid.uuid4()}"


class Outbox:
    """What is in the folder `directory`, on its way to `channels` (by name)."""

    def __init__(
        self,
        directory: Path,
        channels: Channels,
        *,
        redact: Callable[[str], str] = str,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
        system: SystemCalls = os,
    ) -> None:
        self._channels = channels
        self.on_unknown: Callable[[Post], None] = lambda post: None
        self.is_quiet: Callable[[Chat], bool] = lambda chat: False
        self.may_show: Callable[[Chat], bool | None] = lambda chat: True
        self.on_gone: Callable[[Chat, ChatUnreachableError], None] = lambda chat, error: None
        self._redact = redact
        self._sleep = sleep
        self._clock = clock
        self._records = OutboxRecords(directory, system=system)
        self._traffic: dict[Lane, _Traffic] = {}
        self._all_chats = {
            name: FloodBudget(channel.flood_limits(None)) for name, channel in channels.items()
        }
        self._reactions = Reactions(channels, self._paused_until, sleep=sleep, clock=clock)
        self._started: set[str] = set()

    def start(self, name: str) -> None:
        """Begin to send what waits for the channel of that name; needs the running loop."""
        for waiting in [w for w in self._records.waiting.values() if w.is_sending]:
            if waiting.post.chat.channel != name:
                continue
            if self._records.find_target(waiting) or self._channels[name].sends_once:
                waiting.is_sending = False
            else:
                self._give_up_unknown(waiting)
        self._started.add(name)
        for waiting in (*self._records.waiting.values(), *self._records.live.values()):
            self._open_lane(lane_of(waiting.post))

    async def stop(self, patience: float = _PATIENCE) -> None:
        """Stop sending; what waits is sent after the next start.

        What is on its way is given `patience` seconds to arrive: cut off, it would be in doubt.
        """
        self._started.clear()
        running = [t for t in self._traffic.values() if t.task is not None and not t.task.done()]
        for traffic in running:
            if traffic.task is not None and traffic.at_rest.is_set():
                traffic.task.cancel()
        tasks = [traffic.task for traffic in running if traffic.task is not None]
        if tasks:
            await asyncio.wait(tasks, timeout=patience)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._reactions.stop()
        self._records.close()

    def put(self, *posts: Post) -> None:
        """Take the posts.

        Raises:
            StoreWriteError: none of them was taken.
        """
        new = {post.key: self._mask(post) for post in posts if not self._records.knows(post.key)}
        if not new:
            return
        self._records.put(list(new.values()))
        for lane in {lane_of(post) for post in new.values()}:
            self._open_lane(lane)

    def say(
        self,
        chat: Chat,
        text: str,
        *,
        keyboard: Keyboard = (),
        edits: str | None = None,
        silent: bool = True,
    ) -> None:
        """Answer what a person has just done, in a post of its own. Raises StoreWriteError."""
        self.put(Post(new_key(), chat, text, keyboard=keyboard, silent=silent, edits=edits))

    def forget_shown(self) -> None:
        """Keep no text of what was shown, from the next write on."""
        self._records.forget_shown()

    def again(self, key: str) -> bool:
        """Send once more what may not have arrived; False when that is not known of."""
        post = self._records.unknown.get(key)
        if post is None:
            return False
        self.put(replace(post, key=f"{key}+"))
        self._records.note_again(key)
        return True

    def react(self, chat: Chat, message_id: int, sign: Sign) -> None:
        """Put a sign on a person's message, in place of the one before, if that works out."""
        if self.may_show(chat):
            self._reactions.put(chat, message_id, sign)

    async def until_at_rest(self, chat: Chat, patience: float = _PATIENCE) -> None:
        """Wait until it is known which message the chat has just been sent, if it is sent one.

        Who answers a message may be faster than the service's word that it is there.
        """
        traffic = self._traffic.get((chat.channel, chat.chat_id))
        if traffic is not None:
            await happens(traffic.at_rest, patience)

    def find_message(self, key: str) -> int | None:
        """The message id of a post that was shown."""
        return next(iter(self._records.messages_of(key)), None)

    def messages_of(self, key: str) -> Sequence[int]:
        """The ids of all messages of a post that was shown."""
        return self._records.messages_of(key)

    def knows(self, key: str) -> bool:
        """Whether a post of that key was put before."""
        return self._records.knows(key)

    def reserve(self, chat: Chat) -> float:
        """Seconds to wait before another call may be made for that chat; 0: it is counted now."""
        if chat.channel not in self._started:
            return FIRST_PAUSE
        traffic, now = self._traffic_of((chat.channel, chat.chat_id)), self._clock()
        budgets = (traffic.budget, self._all_chats[chat.channel])
        seconds = max(
            traffic.paused_until - now, *(budget.wait(now, 1, live=True) for budget in budgets)
        )
        if seconds <= 0:
            for budget in budgets:
                budget.spend(now, 1, live=True)
        return max(0.0, seconds)

    def is_empty(self) -> bool:
        """Whether nothing waits."""
        return not self._records.waiting and not self._records.live

    def _paused_until(self, chat: Chat) -> float:
        traffic = self._traffic.get((chat.channel, chat.chat_id))
        return float("-inf") if traffic is None else traffic.paused_until

    def _hush(self, piece: Piece) -> Piece:
        """The piece without a sound, if its chat is quiet when it is sent."""
        if piece.post.silent or not self.is_quiet(piece.post.chat):
            return piece
        return replace(piece, post=replace(piece.post, silent=True))

    def _mask(self, post: Post) -> Post:
        place = self._records.chat_of(post.edits) if post.edits else None
        return replace(
            post,
            chat=place or post.chat,
            text=self._redact(post.text),
            details=self._redact(post.details),
            attachments=tuple(
                replace(file, name=self._redact(file.name), text=self._redact(file.text))
                for file in post.attachments
            ),
            keyboard=tuple(
                tuple(replace(button, label=self._redact(button.label)) for button in row)
                for row in post.keyboard
            ),
        )

    # --- a lane ---------------------------------------------------------------------------------

    def _open_lane(self, lane: Lane) -> None:
        if lane[0] not in self._started:
            return
        traffic = self._traffic_of(lane)
        traffic.has_more.set()
        if traffic.task is None or traffic.task.done():
            work = self._run_lane(lane, traffic)
            traffic.task = asyncio.create_task(work, name=f"outbox {lane}")

    def _traffic_of(self, lane: Lane) -> _Traffic:
        traffic = self._traffic.get(lane)
        if traffic is None:
            limits = self._channels[lane[0]].flood_limits(lane[1])
            traffic = self._traffic[lane] = _Traffic(FloodBudget(limits))
            traffic.at_rest.set()
        return traffic

    async def _run_lane(self, lane: Lane, traffic: _Traffic) -> None:
        """One call to the channel after the other; before each, what comes first is looked up."""
        while lane[0] in self._started:
            waiting = self._records.find_next(lane)
            if waiting is None:
                return
            try:
                await self._move(waiting, traffic)
            except Exception:
                log.exception("a post could not be handled; the next one goes on")
                self._records.finish(waiting, "failed")

    async def _move(self, waiting: Waiting, traffic: _Traffic) -> None:
        """Bring a post one message further, or wait until that may be."""
        may_show = self.may_show(waiting.post.chat)
        if may_show is None:
            await self._sleep(_LOCKED_SECONDS)
            return
        if not may_show:
            log.info("a message is for a chat that may be shown nothing any more")
            self._records.finish(waiting, "refused")
            return
        channel = self._channels[waiting.post.chat.channel]
        if waiting.pieces is None:
            waiting.pieces = channel.split(waiting.post)
        done = len(waiting.messages)
        if done < len(waiting.pieces):
            piece = waiting.pieces[done]
            if not await self._has_waited(waiting.post, traffic, len(piece.files) or 1):
                await self._call(waiting, traffic, self._deliver(channel, piece, waiting))
            return
        surplus = self._find_surplus(waiting, len(waiting.pieces))
        if surplus is None:
            self._records.finish(waiting, "shown")
        elif not await self._has_waited(waiting.post, traffic, 1):
            await self._call(waiting, traffic, self._delete(channel, waiting.post, surplus))

    async def _has_waited(self, post: Post, traffic: _Traffic, count: int) -> bool:
        """Wait as the chat's pause and flood limits demand of so many messages; False: no need."""
        now = self._clock()
        if now < traffic.paused_until:
            await self._sleep(traffic.paused_until - now)
            return True
        budgets = (traffic.budget, self._all_chats[post.chat.channel])
        seconds = max(budget.wait(now, count, live=post.live) for budget in budgets)
        if seconds > 0:
            await self._rest(seconds, traffic)
            return True
        for budget in budgets:
            budget.spend(now, count, live=post.live)
        return False

    async def _rest(self, seconds: float, traffic: _Traffic) -> None:
        """Sleep, but no longer than until something new is put: it may go first."""
        traffic.has_more.clear()
        sleeping = asyncio.ensure_future(self._sleep(seconds))
        waking = asyncio.ensure_future(traffic.has_more.wait())
        try:
            await asyncio.wait((sleeping, waking), return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeping.cancel()
            waking.cancel()

    # --- one call -------------------------------------------------------------------------------

    async def _call(self, waiting: Waiting, traffic: _Traffic, call: Awaitable[None]) -> None:
        """Let the channel do it, and draw the conclusions from what it says."""
        traffic.at_rest.clear()
        try:
            await call
        except FloodLimitError as error:
            log.info("a chat must pause for %g s", error.seconds)
            self._try_later(waiting, traffic, error.seconds)
        except OutcomeUnknownError as error:
            channel = self._channels[waiting.post.chat.channel]
            if self._records.find_target(waiting) or channel.sends_once:
                self._try_again(waiting, traffic, error)  # made twice it repeats nothing
            else:
                self._give_up_unknown(waiting)
        except (NotSentError, ChannelRefusedError) as error:
            self._try_again(waiting, traffic, error)
        except (ChatUnreachableError, MessageRefusedError) as error:
            log.warning("a message was refused for good: %s", error)
            self._records.finish(waiting, "refused")
            if isinstance(error, ChatUnreachableError):
                self.on_gone(waiting.post.chat, error)
                self._send_elsewhere(waiting.post, error)
        finally:
            traffic.at_rest.set()

    async def _deliver(self, channel: Channel, piece: Piece, waiting: Waiting) -> None:
        """Send or edit. Raises ChannelError's subclasses."""
        target = self._records.find_target(waiting)
        self._records.note_sending(waiting)
        try:
            if target is None:
                message = await channel.send(self._hush(piece))
            else:
                await channel.edit(piece, target)
                message = target
        except MarkupRefusedError as error:
            if not piece.entities or waiting.pieces is None:
                raise MessageRefusedError(str(error)) from error
            waiting.pieces[len(waiting.messages)] = replace(piece, entities=())
            self._records.note_unsent(waiting)
            return
        self._records.note_sent(waiting, message)

    async def _delete(self, channel: Channel, edit: Post, message: int) -> None:
        """Take away a message that an edit has no piece for."""
        try:
            await channel.delete(edit.chat, message)
        except (ChatUnreachableError, MessageRefusedError) as error:
            log.info("a message can't be deleted: %s", error)
        self._records.note_deleted(edit.edits or "", message)

    def _try_later(self, waiting: Waiting, traffic: _Traffic, seconds: float) -> None:
        self._records.note_unsent(waiting)
        traffic.paused_until = self._clock() + seconds
        if waiting.post.edits and self._records.is_outdated(waiting.post):
            self._records.finish(waiting, "superseded")

    def _try_again(self, waiting: Waiting, traffic: _Traffic, error: ChannelError) -> None:
        if waiting.post.live:
            log.info("a live card could not be shown: %s", error)
            self._records.finish(waiting, "dropped")
            return
        log.info("a message is tried again in %g s: %s", waiting.pause, error)
        self._try_later(waiting, traffic, waiting.pause)
        waiting.pause = min(waiting.pause * 2, _LONGEST_PAUSE)

    def _give_up_unknown(self, waiting: Waiting) -> None:
        post = waiting.post
        self._records.finish(waiting, "unknown")
        if post.live or post.edits or post.key.startswith(UNKNOWN):
            return
        try:
            self.on_unknown(post)
        except StoreWriteError as error:
            log.error("a chat can't be asked about a message that may be lost: %s", error)

    def _send_elsewhere(self, post: Post, error: ChatUnreachableError) -> None:
        """What a topic can't take any more goes to its chat, so that it is not lost."""
        if post.chat.topic is None or post.edits or post.live:
            return
        match error:
            case TopicGoneError():
                why = Post(f"{_name(post.chat)}:why", _root(post.chat), _OF_GONE, silent=True)
            case TopicClosedError():
                why = Post(f"{post.key}:why", _root(post.chat), _OF_CLOSED, silent=True)
            case _:
                return
        elsewhere = replace(post, key=f"{post.key}:elsewhere", chat=_root(post.chat), keyboard=())
        self.put(why, elsewhere)

    def _find_surplus(self, edit: Waiting, pieces: int) -> int | None:
        """The last message of what it edits that it has no piece for."""
        messages = self._records.messages_of(edit.post.edits) if edit.post.edits else ()
        return messages[-1] if len(messages) > pieces else None


def _root(chat: Chat) -> Chat:
    return replace(chat, topic=None)


def _name(chat: Chat) -> str:
    return f"gone:{chat.channel}:{chat.chat_id}:{chat.topic}"
