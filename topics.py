"""Topics as sessions: made by /new, named by their session, closed and opened again with it.

* What a topic should be like follows from its session; whenever something may have changed, what it
  is like is brought there: by as few changes as core/topic_names.py allows, in the flood budget.
  A crash in between costs nothing: the next start looks at every topic.
* A topic is closed and opened again with its session, and never deleted. What a person closed or
  named stays so.
* Where the rights are missing that is told once; sessions, and topics that people make, work
  without.
"""

from __future__ import annotations

import asyncio
import logging
import time
import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from msgspec.structs import replace

from claude_launcher import project_directory
from core.errors import (
    ChannelError,
    ChatUnreachableError,
    FloodLimitError,
    StoreError,
    TopicRefusedError,
)
from core.events import HookEvent, TranscriptEvent
from core.model import Chat, Incoming, Place, Post
from core.ports import Channels
from core.topic_names import (
    State,
    TopicState,
    render_name,
    seconds_to_wait,
    strip_mark,
)
from inbox import Arrival
from outbox import Outbox
from places import Places
from pulse import Background
from session import Session
from session_book import chat_of
from session_runner import SessionRunner
from sessions import Sessions

log = logging.getLogger(__name__)

_BETWEEN_LOOKS = 1.0
_RETRY_SECONDS = 30.0
_PATIENCE = 10.0
_LONG_AGO = -1e9


@dataclass(slots=True)
class _Look:
    """What a topic's session did when it was looked at, since when, and when we changed it."""

    state: State
    since: float
    changed_at: float = _LONG_AGO


class Topics:
    """The topics in `channels`, for `sessions`.

    `is_known` says whether a place is one to be remembered, for what a person (or None) did there;
    `redact` masks secrets in names.
    """

    def __init__(
        self,
        channels: Channels,
        places: Places,
        sessions: Sessions,
        outbox: Outbox,
        background: Background,
        *,
        is_known: Callable[[Place, int | None], bool],
        redact: Callable[[str], str] = str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._channels = channels
        self._places = places
        self._sessions = sessions
        self._outbox = outbox
        self._background = background
        self._is_known = is_known
        self._redact = redact
        self._clock = clock
        self._dirty: set[Chat] = set()
        self._looks: dict[Chat, _Look] = {}
        self._gone: set[Chat] = set()
        self._refused: set[tuple[str, int]] = set()
        self._paused_until: dict[int, float] = {}
        self._stir = asyncio.Event()

    # --- what happens ---------------------------------------------------------------------------

    def hear_update(self, arrival: Arrival, incoming: Incoming | None) -> bool:
        """Take note of the place that an update comes from, and of what a topic is called.

        Returns whether it is a place that may be remembered.
        """
        place = self._channels[arrival.channel].forum.read_place(arrival.raw)
        person = incoming.person.user_id if incoming is not None else None
        if place is None or not self._is_known(place, person):
            return False
        self._places.note(place, person)
        if place.topic_name is not None:
            self.touch(place.chat)
        if place.own_notice is not None:
            self._background.run(self._tidy(place.chat, place.own_notice))
        return True

    def touch(self, chat: Chat) -> None:
        """Something about the chat's session may have changed."""
        if chat.topic is not None and chat not in self._gone:
            self._dirty.add(chat)
            self._stir.set()

    def hear_hook(self, runner: SessionRunner, event: HookEvent) -> None:
        """A hook fired."""
        self.hear_status(runner)

    def hear_event(self, session: Session, event: TranscriptEvent, *, is_news: bool) -> None:
        """The transcript has this; what of it matters is in the session's state."""

    def hear_status(self, runner: SessionRunner) -> None:
        """The process may do something else now."""
        with suppress(StoreError):
            self.touch(chat_of(self._sessions.book.for_id(runner.session_id)))

    async def _tidy(self, chat: Chat, message_id: int) -> None:
        """Take away the line that a change of ours left in the topic, if that may be."""
        with suppress(ChannelError):
            await self._channels[chat.channel].delete(chat, message_id)

    # --- a new topic ----------------------------------------------------------------------------

    def makes_topic(self, chat: Chat) -> bool:
        """Whether a new session of that chat gets a topic of its own."""
        if chat.topic is not None or (chat.channel, chat.chat_id) in self._refused:
            return False
        place = self._places.find(chat)
        if place is not None and place.is_private:
            return self._channels[chat.channel].forum.has_private_topics
        return place is not None and place.is_forum

    def has_topics(self, chat: Chat) -> bool:
        """Whether there can be a topic of another name beside this one."""
        return self.makes_topic(Chat(chat.channel, chat.chat_id))

    async def make(self, chat: Chat, name: str) -> Chat:
        """A new topic of that name; the chat as it is where that can't be, which is told."""
        root, name = Chat(chat.channel, chat.chat_id), self._redact(name)
        try:
            async with asyncio.timeout(_PATIENCE):
                topic = await self._channels[root.channel].forum.create_topic(root, name)
        except TopicRefusedError as error:
            self._refuse(root, error)
            return chat
        except (ChannelError, TimeoutError) as error:
            log.info("no topic could be made: %s", error)
            self._outbox.say(chat, "No topic could be made just now; the session is here instead.")
            return chat
        self._places.set_topic(topic, TopicState(name=name, shown=name, is_chosen=False))
        return topic

    def _refuse(self, root: Chat, error: TopicRefusedError) -> None:
        """Tell once, and try no more before the next start."""
        self._refused.add((root.channel, root.chat_id))
        key = f"topics:{root.chat_id}:{zlib.crc32(str(error).encode()):08x}"
        text = f"{error} Without that, sessions go on without topics of their own."
        self._outbox.put(Post(key, root, text, silent=True))

    # --- bringing topics in line ----------------------------------------------------------------

    async def run(self) -> None:
        """Keep the topics in line with their sessions, until cancelled."""
        for session in await asyncio.to_thread(self._sessions.book.store.list_sessions):
            self.touch(chat_of(session))
        while True:
            self._stir.clear()
            seconds = await self._look_at_all()
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._stir.wait()
            await asyncio.sleep(_BETWEEN_LOOKS)

    async def _look_at_all(self) -> float | None:
        """Do what may be done now; returns the seconds until there is more, None if unknown."""
        waits = []
        for topic in sorted(self._dirty, key=lambda chat: (chat.chat_id, chat.topic or 0)):
            self._dirty.discard(topic)
            try:
                seconds = await self._bring(topic)
            except Exception:
                log.exception("a topic could not be looked at")
                continue
            if seconds:
                self._dirty.add(topic)
                waits.append(seconds)
        return min(waits, default=None)

    async def _bring(self, topic: Chat) -> float:
        """Bring a topic one step further; returns the seconds until the next, 0 when it is done."""
        is_off = topic.channel not in self._channels or not self._outbox.may_show(topic)
        if is_off or topic in self._gone or (topic.channel, topic.chat_id) in self._refused:
            return 0.0
        pause = self._paused_until.get(topic.chat_id, _LONG_AGO) - self._clock()
        if pause > 0:
            return pause
        try:
            return await self._change(topic)
        except TopicRefusedError as error:
            self._refuse(Chat(topic.channel, topic.chat_id), error)
        except ChatUnreachableError as error:
            log.info("a topic is gone: %s", error)
            self._gone.add(topic)
            self._outbox.on_gone(topic, error)
        except FloodLimitError as error:
            self._paused_until[topic.chat_id] = self._clock() + error.seconds
            return error.seconds
        except (ChannelError, StoreError) as error:
            log.info("a topic is changed later: %s", error)
            return _RETRY_SECONDS
        return 0.0

    async def _change(self, topic: Chat) -> float:
        """Open, close or rename it, if one of these is due."""
        session = self._sessions.book.store.find_current(topic.chat_id, topic.topic)
        known = self._places.find_topic(topic)
        should_be_closed = bool(session.state.get("closed_at")) if session else known.is_closed
        if known.is_closed != should_be_closed:
            if seconds := self._outbox.reserve(topic):
                return seconds
            forum = self._channels[topic.channel].forum
            change = forum.close_topic if should_be_closed else forum.reopen_topic
            await change(topic)
            self._places.set_topic(
                topic, replace(self._places.find_topic(topic), is_closed=should_be_closed)
            )
        return await self._rename(topic, session)

    async def _rename(self, topic: Chat, session: Session | None) -> float:
        known, now = self._places.find_topic(topic), self._clock()
        title = strip_mark(known.shown)
        if session is not None and (_has_title(session) or not title):
            title = self._redact(title_of(session))
        state = self._state_of(session)
        look = self._look_of(topic, state)
        name = render_name(known, title, state)
        if name == known.shown:
            return 0.0
        lasted, since_change = now - look.since, now - look.changed_at
        is_new = strip_mark(name) != strip_mark(known.shown)
        seconds = seconds_to_wait(
            state, lasted=lasted, since_change=since_change, is_new_title=is_new
        )
        seconds = seconds or self._outbox.reserve(topic)
        if seconds:
            return seconds
        await self._channels[topic.channel].forum.rename_topic(topic, name)
        look.changed_at = self._clock()
        latest = self._places.find_topic(topic)
        if latest.shown == known.shown:  # else a person has renamed it meanwhile
            ours = latest if latest.is_chosen else replace(latest, name=title)
            self._places.set_topic(topic, replace(ours, shown=name))
        return 0.0

    def _look_of(self, topic: Chat, state: State) -> _Look:
        look = self._looks.setdefault(topic, _Look(state, self._clock()))
        if look.state != state:
            look.state, look.since = state, self._clock()
        return look

    def _state_of(self, session: Session | None) -> State:
        if session is None or session.state.get("closed_at"):
            return "idle"
        runner = self._sessions.find_runner(session.session_id)
        if runner is None or not (runner.is_awake or runner.has_work):
            return "asleep"
        is_asked = runner.process is not None and runner.process.status == "waiting"
        if is_asked or self._sessions.is_asked(runner):
            return "waiting"
        return "working" if runner.is_working else "idle"


def _has_title(session: Session) -> bool:
    """Whether it is known what the session is about."""
    return bool(session.state.get("name") or session.state.get("title"))


def title_of(session: Session) -> str:
    """What a topic is called after; before anything was said, the project."""
    title = session.state.get("name") or session.state.get("title")
    return str(title or project_directory(session).name or "New session")
