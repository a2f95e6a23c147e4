"""Which chat talks to which session: the store, asked and changed in the hub's words.

* A chat has one current session (the store's binding) and any number of past ones.
* A change of a session's state is one atomic edit; who held an older copy loses nothing.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from core.choices import FIELDS
from core.conversation import read_title
from core.errors import SessionNotFoundError
from core.events import ToolEnded, TranscriptEvent
from core.model import Chat
from session import Session, SessionStore, utc_now
from session_finder import FoundSession

_KEPT_BY_THE_TERMINAL = (
    *("channel", "topic", "project_dir", "launches", "launched", "starting", "active"),
    *("detour", "routed", "trail", "moves", "worktree"),
    *FIELDS.values(),
)


class SessionBook:
    """The sessions of `store`; `listeners` hear of chats whose sessions have changed.

    `on_taken` is told of transcripts, by session id, that a session here was made of.
    """

    def __init__(self, store: SessionStore) -> None:
        self.store = store
        self.listeners: list[Callable[[Chat], None]] = []
        self.on_taken: Callable[[str, Path], object] = lambda session_id, transcript: None

    def find_current(self, chat: Chat) -> Session | None:
        """The session that this chat's next prompt goes to; none when that one was closed."""
        session = self.store.find_current(chat.chat_id, chat.topic)
        return session if session is not None and not session.state.get("closed_at") else None

    def for_id(self, session_id: str) -> Session:
        """The stored session. Raises SessionNotFoundError."""
        session = self.store.load(session_id)
        if session is None:
            raise SessionNotFoundError(f"Session {session_id} is not known here any more.")
        return session

    def create(self, chat: Chat, directory: Path, *, session_id: str = "", **facts: Any) -> Session:
        """A new session of this chat in that directory, current from now on.

        `facts` are in its state from the first write on. `session_id`: which it is to be; if it is
        there already, it was begun before a crash, and is current from now on.
        """
        if session_id and self.store.load(session_id) is not None:
            return self.make_current(session_id)
        session_id = session_id or str(uuid.uuid4())
        state = {"channel": chat.channel, "topic": chat.topic, "project_dir": str(directory)}
        self.store.save(Session(session_id, chat.chat_id, state={**state, **facts, "cursor": 0}))
        return self.make_current(session_id)

    def switch(self, chat: Chat, session_id: str) -> Session:
        """Make one of the chat's sessions its current one."""
        session = self.edit_state(session_id, followed_by=None, closed_at=None)
        if chat_of(session) != chat:
            self.move(session_id, chat)
        self.store.update_activity(session_id)
        return self.make_current(session_id)

    def move(self, session_id: str, chat: Chat, **changes: Any) -> Session:
        """Give the session to another chat, and change fields of its state, in one step."""
        old = chat_of(self.for_id(session_id))
        moved = self.store.edit(session_id, lambda session: _move(session, chat, changes))
        self._tell(old)
        return moved

    def make_current(self, session_id: str) -> Session:
        """Let its chat's next prompt go to it."""
        session = self.store.bind(session_id)
        self._tell(chat_of(session))
        return session

    def adopt(self, chat: Chat, found: FoundSession, fallback: Path) -> Session:
        """Take a session that was begun elsewhere on this machine into this chat.

        It is not yet the chat's current one. `fallback`: the directory, should its transcript name
        none.
        """
        state = {
            "channel": chat.channel,
            "topic": chat.topic,
            "project_dir": found.directory or str(fallback),
            "transcript": str(found.path),
            "cursor": found.size,
            "has_prompts": True,
            "title": found.title,
        }
        session = Session(found.session_id, chat.chat_id, state=state)
        self.store.save(session)
        self.on_taken(found.session_id, found.path)
        return session

    def fork(
        self,
        chat: Chat,
        found: FoundSession,
        fallback: Path,
        *,
        session_id: str = "",
        **more: Any,
    ) -> Session:
        """A new session of this chat that will have that one's history, current from now on.

        `more` is put into its state; `session_id`: as in `create`.
        """
        if session_id and self.store.load(session_id) is not None:
            return self.make_current(session_id)
        known = self.store.load(found.session_id)
        chosen = known.state if known is not None else {}
        title = read_title(chosen) if chosen else found.title
        carried = (*FIELDS.values(), "worktree")  # the copy works in the same directory
        state = {name: chosen[name] for name in carried if chosen.get(name)}
        state |= {
            "channel": chat.channel,
            "topic": chat.topic,
            "project_dir": chosen.get("project_dir") or found.directory or str(fallback),
            "title": f"{title} (fork)",
            "fork_of": found.session_id,
            "fork_from": str(found.path),
            "fork_size": found.size,
            "forked_at": utc_now(),  # until it is told when the process began
            "cursor": 0,
        }
        state |= more
        session_id = session_id or str(uuid.uuid4())
        self.on_taken(found.session_id, found.path)
        self.store.save(Session(session_id, chat.chat_id, state=state))
        return self.make_current(session_id)

    def follow_terminal(
        self, old: Session, session_id: str, terminal: str, transcript: Path | None
    ) -> None:
        """The process in `terminal` has left the old session for this one; the chat goes along."""
        known = self.store.load(session_id)
        cursor = transcript.stat().st_size if transcript is not None else 0
        state = {"cursor": cursor} | (known.state if known else {})
        state |= {name: old.state.get(name) for name in _KEPT_BY_THE_TERMINAL}
        state |= {"files": files_id(old), "follows": old.session_id}
        state |= dict.fromkeys(("followed_by", "asleep", "closed_at"))
        started = Session(
            session_id,
            old.chat_id,
            tmux_session=terminal,
            created_at=known.created_at if known else utc_now(),
            state={name: value for name, value in state.items() if value is not None},
        )
        self.store.save(started)
        self.finish_following(started)

    def finish_following(self, session: Session) -> None:
        """Do what comes with following the terminal, which a crash may have cut short."""
        old = self.store.load(str(session.state.get("follows") or session.session_id))
        if old is not None and old.session_id != session.session_id:
            current = self.find_current(chat_of(session))
            if current is not None and current.session_id == old.session_id:
                self.make_current(session.session_id)
            self.let_terminal_go(old.session_id, session.tmux_session)
            self.edit_state(old.session_id, followed_by=session.session_id, asleep="left")
        self.edit_state(session.session_id, follows=None)

    def latest(self, session: Session) -> Session:
        """The session, or the one that its terminal has taken up since (/clear)."""
        seen = set()
        while session.state.get("followed_by") and session.session_id not in seen:
            seen.add(session.session_id)
            session = self.store.load(session.state["followed_by"]) or session
        return session

    def note_terminal(self, session_id: str, name: str, **changes: Any) -> Session:
        """Note which terminal the session has, and change fields of its state, in one step."""
        return self.store.edit(session_id, lambda session: _change(session, changes, name))

    def let_terminal_go(self, session_id: str, name: str) -> None:
        """Note that the session has that terminal no more; it may have another one by now."""
        if self.for_id(session_id).tmux_session == name:
            self.note_terminal(session_id, "", starting=None)

    def edit_state(self, session_id: str, **changes: Any) -> Session:
        """Change fields of the state; None removes one."""

        session = self.store.edit(session_id, lambda session: _change(session, changes))
        self._tell(chat_of(session))
        return session

    def _tell(self, chat: Chat) -> None:
        for listener in self.listeners:
            listener(chat)


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


def origin_of(session: Session) -> str:
    """The session that this one is still to be forked from; "" for none."""
    return "" if session.state.get("has_prompts") else str(session.state.get("fork_of") or "")


def has_news(session: Session, transcript: Path) -> bool:
    """Whether there is more in the transcript than the chat was shown."""
    cursor = session.state.get("cursor", 0)
    return transcript.is_file() and transcript.stat().st_size != cursor


def _change(session: Session, changes: dict[str, Any], terminal: str | None = None) -> Session:
    state = {**session.state, **changes}
    state = {name: value for name, value in state.items() if value is not None}
    name = session.tmux_session if terminal is None else terminal
    return replace(session, state=state, tmux_session=name)


def _move(session: Session, chat: Chat, changes: dict[str, Any]) -> Session:
    place = {"channel": chat.channel, "topic": chat.topic}
    return replace(_change(session, {**changes, **place}), chat_id=chat.chat_id)
