"""Which sessions there are to pick from: those of a chat, or every one on this machine.

What the transcripts say, what the bridge knows, and what the live processes do, put together.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from claude_launcher import project_directory
from claude_registry import find_tty
from core.conversation import read_title
from core.events import ClaudeProcess
from core.model import Chat
from core.session_list import ListedSession
from core.session_summary import clean_title
from core.worktrees import name_worktree, read_worktree
from session import Session
from session_book import chat_of
from session_finder import FoundSession, SessionFinder
from sessions import Sessions

_AT_WORK = {"busy": ", working", "waiting": ", asks something", "shell": ", a command runs"}


@dataclass(frozen=True, slots=True)
class _Seen:
    """How things are at one moment: the chat's current session, and the live processes."""

    chat: Chat
    current: str
    live: dict[str, ClaudeProcess]
    now: float


class SessionListing:
    """Lists what `finder` finds and `sessions` have."""

    def __init__(
        self,
        sessions: Sessions,
        finder: SessionFinder,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._sessions = sessions
        self._finder = finder
        self._clock = clock

    async def list_chat(self, chat: Chat) -> list[ListedSession]:
        """The chat's own, the most recently used first."""
        known, found = await asyncio.to_thread(self._look)
        mine = [session for session in known.values() if chat_of(session) == chat]
        seen = self._see(chat)
        return [self._describe(seen, s, found.get(s.session_id)) for s in mine]

    async def list_machine(self, chat: Chat) -> list[ListedSession]:
        """Every session that has a transcript, the most recently used first, for that chat."""
        known, found = await asyncio.to_thread(self._look)
        seen = self._see(chat)
        return [self._describe(seen, known.get(name), f) for name, f in found.items()]

    async def find(self, chat: Chat, session_id: str) -> ListedSession | None:
        """One session, as that chat sees it."""
        known, found = await asyncio.to_thread(self._look)
        session, transcript = known.get(session_id), found.get(session_id)
        if session is None and transcript is None:
            return None
        return self._describe(self._see(chat), session, transcript)

    def _look(self) -> tuple[dict[str, Session], dict[str, FoundSession]]:
        sessions = self._sessions.book.store.list_sessions()
        known = {session.session_id: session for session in sessions}
        return known, {found.session_id: found for found in self._finder.find_all()}

    def _see(self, chat: Chat) -> _Seen:
        current = self._sessions.book.find_current(chat)
        live = {process.session_id: process for process in self._sessions.registry.processes()}
        return _Seen(chat, current.session_id if current is not None else "", live, self._clock())

    def _describe(
        self, seen: _Seen, session: Session | None, found: FoundSession | None
    ) -> ListedSession:
        name = session.session_id if session is not None else found.session_id if found else ""
        state = session.state if session is not None else {}
        name_here = state.get("name") if state.get("name") != state.get("told_name") else ""
        title = name_here or (found.title if found else "") or read_title(state)
        directory = str(project_directory(session)) if session else found.directory if found else ""
        worktree = read_worktree(state)
        times = [found.active if found else 0.0, _used(session)]
        return ListedSession(
            session_id=name,
            title=title,
            directory=directory,
            branch=found.branch if found else "",
            seconds=max(0.0, seen.now - max(times)),
            size=found.size if found else 0,
            state=self._state_of(name, state, seen.live.get(name)),
            is_current=seen.current == name,
            is_closed=bool(state.get("closed_at")),
            worktree=name_worktree(worktree) if worktree is not None else "",
            is_foreign=session is not None and chat_of(session).chat_id != seen.chat.chat_id,
        )

    def _state_of(
        self, session_id: str, state: dict[str, object], process: ClaudeProcess | None
    ) -> str:
        runner = self._sessions.find_runner(session_id)
        if runner is not None and runner.is_awake:
            status = runner.process.status if runner.process is not None else None
            where = ", in your tmux" if runner.is_joined else ""
            return f"awake{where}{_AT_WORK.get(status or '', '')}"
        if process is not None:
            return f"open {_place_of(process)}{_AT_WORK.get(process.status or '', '')}"
        return "closed" if state.get("closed_at") else "asleep"


def _place_of(process: ClaudeProcess) -> str:
    if process.tmux:
        return f"in tmux “{clean_title(process.tmux)}”"
    tty = find_tty(process.pid)
    return f"in a terminal ({tty})" if tty else "elsewhere"


def _used(session: Session | None) -> float:
    return datetime.fromisoformat(session.last_activity).timestamp() if session else 0.0
