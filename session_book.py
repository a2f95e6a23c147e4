"""Which chat talks to which session: the store, asked and changed in the hub's words.

* A chat has one current session (the store's binding) and any number of past ones.
* A change of a session's state is one atomic edit; who held an older copy loses nothing.
"""

from __future__ import annotations

import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

from core.choices import FIELDS
from core.conversation import make_title, render_event
from core.errors import SessionNotFoundError
from core.events import PromptRecorded, ToolEnded, TranscriptEvent
from core.model import Chat, Post
from core.transcript import parse_line, read_directory
from session import Session, SessionStore, utc_now

_KEPT_BY_THE_TERMINAL = (
    *("channel", "topic", "project_dir", "launches", "launched"),
    *FIELDS.values(),
)


class SessionBook:
    """The sessions of `store`."""

    def __init__(self, store: SessionStore) -> None:
        self.store = store

    def find_current(self, chat: Chat) -> Session | None:
        """The session that this chat's next prompt goes to."""
        return self.store.find_current(chat.chat_id, chat.topic)

    def for_id(self, session_id: str) -> Session:
        """The stored session. Raises SessionNotFoundError."""
        session = self.store.load(session_id)
        if session is None:
            raise SessionNotFoundError(f"Session {session_id} is not known here any more.")
        return session

    def create(self, chat: Chat, directory: Path) -> Session:
        """A new session of this chat in that directory, current from now on."""
        session_id = str(uuid.uuid4())
        state = {"channel": chat.channel, "topic": chat.topic, "project_dir": str(directory)}
        self.store.save(Session(session_id, chat.chat_id, state={**state, "cursor": 0}))
        return self.store.bind(session_id)

    def switch(self, chat: Chat, session_id: str) -> Session:
        """Make one of the chat's sessions its current one."""
        session = self.edit_state(session_id, followed_by=None)
        if chat_of(session) != chat:
            session = self.store.edit(session_id, lambda s: _move(s, chat))
        self.store.update_activity(session_id)
        return self.store.bind(session_id)

    def adopt(self, chat: Chat, session_id: str, transcript: Path, fallback: Path) -> Session:
        """Take a session that was begun elsewhere on this machine into this chat.

        `fallback`: the directory, should its transcript name none.
        """
        with transcript.open("rb") as file:
            directory = read_directory(file) or fallback
        with transcript.open("rb") as file:
            events = (event for line in file for event in parse_line(line))
            prompts = (event for event in events if isinstance(event, PromptRecorded))
            title = next(filter(None, map(make_title, prompts)), None)
        state = {
            "channel": chat.channel,
            "topic": chat.topic,
            "project_dir": str(directory),
            "transcript": str(transcript),
            "cursor": transcript.stat().st_size,
            "has_prompts": True,
            "title": title or "",
        }
        self.store.save(Session(session_id, chat.chat_id, state=state))
        return self.store.bind(session_id)

    def follow_terminal(
        self, old: Session, session_id: str, terminal: str, transcript: Path | None
    ) -> None:
        """The process in `terminal` has left the old session for this one; the chat goes along."""
        known = self.store.load(session_id)
        cursor = transcript.stat().st_size if transcript is not None else 0
        state = {"cursor": cursor} | (known.state if known else {})
        state |= {name: old.state.get(name) for name in _KEPT_BY_THE_TERMINAL}
        state["files"] = files_id(old)
        state = {name: value for name, value in state.items() if value is not None}
        state.pop("followed_by", None)
        started = Session(
            session_id,
            old.chat_id,
            tmux_session=terminal,
            created_at=known.created_at if known else utc_now(),
            state=state,
        )
        current = self.find_current(chat_of(old))
        self.store.save(started)
        self.set_terminal(old.session_id, "")
        self.edit_state(old.session_id, followed_by=session_id, asleep="left")
        if current is not None and current.session_id == old.session_id:
            self.store.bind(session_id)

    def latest(self, session: Session) -> Session:
        """The session, or the one that its terminal has taken up since (/clear)."""
        seen = set()
        while session.state.get("followed_by") and session.session_id not in seen:
            seen.add(session.session_id)
            session = self.store.load(session.state["followed_by"]) or session
        return session

    def set_terminal(self, session_id: str, name: str) -> None:
        """Note which terminal the session has; none once it sleeps."""
        self.store.edit(session_id, lambda session: replace(session, tmux_session=name))

    def edit_state(self, session_id: str, **changes: Any) -> Session:
        """Change fields of the state; None removes one."""

        def change(session: Session) -> Session:
            state = {**session.state, **changes}
            return replace(session, state={k: v for k, v in state.items() if v is not None})

        return self.store.edit(session_id, change)


def chat_of(session: Session) -> Chat:
    """Where the session's posts go."""
    return Chat(
        session.state.get("channel", "telegram"), int(session.chat_id), session.state.get("topic")
    )


def files_id(session: Session) -> str:
    """By which name its folder of files goes: the process was told it, so /clear keeps it."""
    return str(session.state.get("files") or session.session_id)


def is_delivery(session: Session, event: TranscriptEvent) -> bool:
    """Whether this is a file put into the session's outbox, which comes to the chat itself."""
    if not isinstance(event, ToolEnded):
        return False
    return f"/{files_id(session)}/out/" in str(event.result.get("filePath"))


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


def has_news(session: Session, transcript: Path) -> bool:
    """Whether there is more in the transcript than the chat was shown."""
    cursor = session.state.get("cursor", 0)
    return transcript.is_file() and transcript.stat().st_size != cursor


def _move(session: Session, chat: Chat) -> Session:
    state = {**session.state, "channel": chat.channel, "topic": chat.topic}
    return replace(session, chat_id=chat.chat_id, state=state)
