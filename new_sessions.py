"""/new: a new session, here, in another directory, or in a git worktree of its own.

* Who may do less than the owner starts below the project roots only, links resolved.
* What comes after /new in the chat is for the new session, so /new is done when that is there.
* A session to which nothing was ever said leaves no trace once the person has gone elsewhere.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from buttons import Buttons
from chat_commands import BeginHandler
from claude_launcher import project_directory
from core.choices import FIELDS
from core.commands import CommandName
from core.config import Config
from core.errors import BridgeError, ProjectError
from core.file_names import name_on_button
from core.model import Chat, Post
from core.projects import is_below, parse_new
from core.roles import NOT_ALLOWED, Deed
from core.session_summary import clean_title
from core.worktrees import Worktree, note_worktree, read_worktree
from git_worktrees import GitWorktrees
from inbox import Inbox
from outbox import Outbox
from pulse import Background
from session import Session
from session_book import chat_of
from sessions import Sessions
from topics import Topics

_TOUCHED = frozenset(("has_prompts", "name", *FIELDS.values()))
"""What is in the state of a session to which a person has said or done something."""


@dataclass(frozen=True, slots=True)
class Beginning:
    """How a session begins: where, by which title of a person's (or ""), in which worktree."""

    directory: Path
    title: str = ""
    worktree: str = ""


class NewSessions:
    """Begins sessions of `sessions`.

    `forget` deletes one for good; `may` says whether a person (by user id) may do something.
    """

    def __init__(
        self,
        config: Config,
        sessions: Sessions,
        inbox: Inbox,
        outbox: Outbox,
        buttons: Buttons,
        topics: Topics,
        git: GitWorktrees,
        background: Background,
        *,
        forget: Callable[[Session], Awaitable[None]],
        may: Callable[[int, Deed], bool],
    ) -> None:
        self._config = config
        self._sessions = sessions
        self._book = sessions.book
        self._inbox = inbox
        self._outbox = outbox
        self._buttons = buttons
        self._topics = topics
        self._git = git
        self._background = background
        self._forget = forget
        self._may = may
        self._making: defaultdict[tuple[Path, str], asyncio.Lock] = defaultdict(asyncio.Lock)
        self.begin: dict[CommandName, BeginHandler] = {"new": self._new}

    async def _new(self, chat: Chat, argument: str, person: int, session_id: str) -> None:
        wish = parse_new(argument)
        directory, title = self._project(wish.place), ""
        if not _is_there(directory) and _is_name(wish.place) and self._topics.has_topics(chat):
            directory, title = self._project(""), clean_title(wish.place)
        self.check_open(directory, person)
        if not _is_there(directory):
            raise BridgeError(f"There is no directory {directory}. Make it first, or name another.")
        beginning = Beginning(directory, title, wish.worktree)
        if self._book.store.load(session_id) is not None:  # a crash came between
            session = self._book.make_current(session_id)
        else:
            session = await self._begin(chat, beginning, person, session_id)
        place, key = chat_of(session), f"new:{session_id}"
        if place != chat:
            name = title or project_directory(session).name
            told = f"New session in a topic: “{name}”."
            self._outbox.put(Post(f"{key}:topic", chat, told, silent=True))
        keyboard = self._buttons.issue(
            place,
            [] if argument else [[("Other directory…", _offer(key, session))]],
            person=person,
        )
        text = _tell_where(session)
        self._outbox.put(Post(key, place, text, keyboard=keyboard, silent=True))
        self._sessions.runner_of(session).begin()

    def is_open_to(self, directory: Path, person: int) -> bool:
        """Whether that person may start a session in it; it is a path without links."""
        roots = (root.resolve() for root in self._config.roots)
        return self._may(person, "machine") or is_below(directory, roots)

    def check_open(self, directory: Path, person: int) -> None:
        """Raise BridgeError unless that person may start a session there."""
        if not self.is_open_to(directory, person):
            raise BridgeError(NOT_ALLOWED)

    async def _begin(
        self, chat: Chat, beginning: Beginning, person: int, session_id: str = ""
    ) -> Session:
        """A new session of the chat, or of a topic made for it there. It has no process yet.

        Raises BridgeError.
        """
        directory = beginning.directory
        facts: dict[str, Any] = {}
        if beginning.worktree:
            worktree, directory = await self._add_worktree(beginning, person)
            facts["worktree"] = note_worktree(worktree)
        place = chat
        if beginning.title or self._topics.makes_topic(chat):
            place = await self._topics.make(chat, beginning.title or directory.name)
        if not self._may(person, "talk"):  # who was removed while all that was made
            raise BridgeError(NOT_ALLOWED)
        if beginning.title:
            facts["name"] = beginning.title
        return self._book.create(place, directory, session_id=session_id, **facts)

    async def _add_worktree(self, beginning: Beginning, person: int) -> tuple[Worktree, Path]:
        """The worktree, and where in it the session is to work. Raises BridgeError.

        All of the repository will be in it, so all of it has to be open to the person.
        """
        survey = await asyncio.to_thread(self._git.survey, beginning.directory)
        self.check_open(survey.repository, person)
        name = beginning.worktree
        async with self._making[survey.repository, name]:  # two chats may want the same one
            worktree, directory, _ = await asyncio.to_thread(self._git.add, survey, name)
        return worktree, directory

    async def begin_instead(self, chat: Chat, beginning: Beginning, person: int, old: str) -> str:
        """Begin a session in place of an untouched one, and say where. Raises BridgeError."""
        session = await self._begin(chat, beginning, person)
        self._sessions.runner_of(session).begin()
        self._background.run(self._forget_untouched(old, chat))
        return _tell_where(session)

    async def _forget_untouched(self, session_id: str, chat: Chat) -> None:
        """Remove a session of the chat's to which nothing was ever said."""
        session = self._book.store.load(session_id)
        if session is None or chat_of(session) != chat or _TOUCHED & session.state.keys():
            return
        runner = self._sessions.find_runner(session_id)
        if runner is not None and runner.is_awake:
            is_used = bool(runner.queue) or runner.is_joined
            if is_used or await self._sessions.rest.is_watched(runner.name):
                return
        if any(entry.session_id == session_id for entry in self._inbox.pending()):
            return
        await self._forget(session)

    def _project(self, argument: str) -> Path:
        """The directory that is meant, without links. Raises ProjectError."""
        project = self._config.project_dir
        try:
            return (
                (project / Path(argument).expanduser()).resolve() if argument else project.resolve()
            )
        except (OSError, RuntimeError, ValueError) as error:  # nobody's home, a link in a circle
            shown = name_on_button(argument)
            raise ProjectError(f"“{shown}” is no directory that can be opened.") from error


def _offer(post: str, session: Session) -> dict[str, str]:
    """What the button does that offers other directories instead of the session's."""
    return {"do": "list projects", "post": post, "session": session.session_id}


def _tell_where(session: Session) -> str:
    text, worktree = f"New session in {project_directory(session)}", read_worktree(session.state)
    if worktree is None:
        return f"{text}."
    on = f"on the branch “{worktree.branch}” from “{worktree.base}”"
    return f"{text}, a worktree {on}. /close asks what becomes of it."


def _is_there(directory: Path) -> bool:
    try:
        return directory.is_dir()
    except OSError:  # in a folder of somebody else
        return False


def _is_name(argument: str) -> bool:
    """Whether it can be meant as a title; what looks like a path is one."""
    return bool(clean_title(argument)) and not set(argument) & {"/", "~"}
