"""The worktrees of sessions: there when Claude starts in one, and settled once it is closed.

* What there is in it is told, and what becomes of it is asked. Nothing is done while a session is
  open in it; one that is to start waits until it is done.
* What a press asks for is noted in the session first, so that a crash in the middle of it is made
  good at the next start: to do it again changes nothing that was done.
* What fails is told with the same question, as things are by then.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from pathlib import Path
from typing import Any

from buttons import Action, Buttons, Press, PressHandler
from claude_launcher import project_directory
from core.errors import ClaudeStartError, StoreError, WorktreeError
from core.worktrees import (
    Deed,
    Worktree,
    ask_about_loss,
    count_commits,
    describe,
    label_deed,
    list_deeds,
    read_worktree,
)
from git_worktrees import GitWorktrees
from outbox import Outbox
from pulse import Background, Pulse
from session import Session
from session_book import chat_of
from sessions import Sessions

log = logging.getLogger(__name__)

_LEAVING_SECONDS = 20.0
_MESSAGE = "Uncommitted work, kept when its worktree was removed"
_AWAY = "That session is not this chat's any more."

Rows = list[list[tuple[str, Action]]]


class SessionWorktrees:
    """Asks and settles what becomes of the worktrees of `sessions`.

    `leaving_seconds`: how long the end of a Claude is waited for.
    """

    def __init__(
        self,
        sessions: Sessions,
        outbox: Outbox,
        buttons: Buttons,
        git: GitWorktrees,
        background: Background,
        *,
        leaving_seconds: float = _LEAVING_SECONDS,
    ) -> None:
        self._sessions = sessions
        self._book = sessions.book
        self._outbox = outbox
        self._buttons = buttons
        self._git = git
        self._background = background
        self._leaving_seconds = leaving_seconds
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self.presses: dict[str, PressHandler] = {"settle worktree": self._press}

    def resume(self) -> None:
        """Finish what a crash left in the middle."""
        for session in self._book.store.list_sessions():
            if "settling" in session.state:
                self._background.run(self._settle(session.session_id))

    async def put_back(self, session: Session) -> None:
        """Have the session's worktree there, for a Claude that is to start in it.

        Raises ClaudeStartError.
        """
        worktree = read_worktree(session.state)
        if worktree is None:
            return
        async with self._locks[worktree.repository]:  # it may be just being removed
            if await asyncio.to_thread(Path(worktree.path).is_dir):
                return
            try:
                origin = await asyncio.to_thread(self._git.put_back, worktree)
            except WorktreeError as error:
                raise ClaudeStartError(str(error)) from error
        new = "" if origin == worktree.branch else ", on a new branch of that name"
        text = f"Its worktree “{worktree.name}” was gone; it is made anew from “{origin}”{new}."
        self._outbox.say(chat_of(session), text)

    async def ask(self, session: Session, post: str) -> tuple[str, Rows]:
        """What there is in the session's worktree, and the buttons for what may become of it.

        Both are empty without one. `post` is the key of the message that will show them.
        """
        worktree = read_worktree(session.state)
        if worktree is None:
            return "", []
        try:
            condition = await asyncio.to_thread(self._git.look, worktree)
        except WorktreeError as error:
            return f"Its worktree {worktree.path} can't be looked at: {error}", []
        text = describe(worktree, condition)
        return text, self._rows(session, worktree, post, list_deeds(condition))

    def _rows(
        self,
        session: Session,
        worktree: Worktree,
        post: str,
        deeds: list[Deed],
        *,
        commits: bool = False,
    ) -> Rows:
        """What brings something to an end stands alone, the others in one row."""
        made = [
            (
                label_deed(deed, worktree.base, commits=commits),
                {
                    "do": "settle worktree",
                    "post": post,
                    "session": session.session_id,
                    "deed": deed,
                },
            )
            for deed in deeds
        ]
        wide = [[button] for button, deed in zip(made, deeds, strict=True) if deed in _WIDE]
        rest = [button for button, deed in zip(made, deeds, strict=True) if deed not in _WIDE]
        return [*wide, *([rest] if rest else [])]

    # --- what is pressed ------------------------------------------------------------------------

    async def _press(self, press: Press) -> str:
        action, chat = press.action, press.event.chat
        session = self._book.store.load(action["session"])
        worktree = read_worktree(session.state) if session is not None else None
        if session is None or worktree is None or chat_of(session) != chat:
            self._outbox.say(chat, _AWAY, edits=action["post"])
            return ""
        if action["deed"] == "keep":
            text = (
                f"Kept: {worktree.path}, on “{worktree.branch}”. /sessions continues the session "
                "there, or settles the worktree another day."
            )
            self._outbox.say(chat, text, edits=action["post"])
            return ""
        person = press.event.person.user_id
        settling = {"deed": action["deed"], "post": action["post"], "person": person}
        self._book.edit_state(session.session_id, settling=settling)
        self._background.run(self._settle(session.session_id))
        return ""

    async def _settle(self, session_id: str) -> None:
        """Do what is noted in the session, and tell what came of it; in a repository one by one."""
        worktree = self._find_worktree(session_id)
        async with self._locks[worktree.repository if worktree is not None else ""]:
            session = self._book.store.load(session_id)
            settling = session.state.get("settling") if session is not None else None
            worktree = self._find_worktree(session_id)
            if session is None or settling is None or worktree is None:
                return
            post = str(settling["post"])
            try:
                await self._check_unused(worktree)
                text, rows = await self._do(session, worktree, settling)
            except WorktreeError as error:
                asked, rows = await self.ask(session, post)
                text = f"{error}\n\n{asked}"
            chat = chat_of(session)
            keyboard = self._buttons.issue(chat, rows, person=settling["person"])
            self._outbox.say(chat, text, keyboard=keyboard, edits=post)
            self._book.edit_state(session_id, settling=None)

    def _find_worktree(self, session_id: str) -> Worktree | None:
        session = self._book.store.load(session_id)
        return read_worktree(session.state) if session is not None else None

    async def _do(
        self, session: Session, worktree: Worktree, settling: dict[str, Any]
    ) -> tuple[str, Rows]:
        """What is told then, with its buttons. Raises WorktreeError."""
        condition = await asyncio.to_thread(self._git.look, worktree)
        branch, is_clean = condition.branch, not condition.uncommitted
        if not (branch or condition.is_there):
            return describe(worktree, condition), []
        if not branch:
            raise WorktreeError("It is on no branch now, so nothing is done.")
        match settling["deed"]:
            case "merge":
                await asyncio.to_thread(self._git.merge, worktree)
                count = count_commits(condition.ahead or 0)
                text = f"Merged “{branch}” into “{worktree.base}”: {count}."
                return f"{text} {await self._remove(worktree)}", []
            case "remove" if condition.is_there and not condition.is_nothing_lost:
                deeds: list[Deed] = ["remove folder", "keep"]
                rows = self._rows(session, worktree, settling["post"], deeds, commits=not is_clean)
                return ask_about_loss(condition), rows
            case "remove":
                return await self._remove(worktree), []
            case _:
                if not is_clean:
                    await asyncio.to_thread(self._git.commit_all, worktree, _MESSAGE)
                await asyncio.to_thread(self._git.remove_folder, worktree)
                return f"The folder is removed. All its work is on the branch “{branch}”.", []

    async def _remove(self, worktree: Worktree) -> str:
        """Remove folder and branch; returns what came of it."""
        try:
            is_gone = await asyncio.to_thread(self._git.remove, worktree)
        except WorktreeError as error:
            return f"The worktree stays: {error}"
        if is_gone:
            return "The worktree and its branch are removed."
        return f"The worktree is removed; the branch “{worktree.branch}” stays, as git wants it."

    async def _check_unused(self, worktree: Worktree) -> None:
        """Raise WorktreeError while a Claude is there; one that was ended takes a while to go."""
        path = Path(worktree.path)
        if self._is_awake_in(path):
            raise WorktreeError("A session is open in it. Close that first.")
        await Pulse().until(lambda: not self._find_processes(path), self._leaving_seconds)
        if found := self._find_processes(path):
            raise WorktreeError(f"Claude Code runs in it (process {found[0]}). End that first.")

    def _find_processes(self, path: Path) -> list[int]:
        """The live Claude Codes that were started there, whoever did it."""
        live = self._sessions.registry.processes()
        return [process.pid for process in live if Path(process.directory).is_relative_to(path)]

    def _is_awake_in(self, path: Path) -> bool:
        """Whether one of ours works there, or is just being started."""
        for runner in self._sessions.runners:
            if runner.is_awake or runner.has_work:
                try:
                    session = self._book.store.load(runner.session_id)
                except StoreError as error:
                    log.error("a session can't be read, so its worktree is in use: %s", error)
                    return True
                if session is not None and project_directory(session).is_relative_to(path):
                    return True
        return False


_WIDE: tuple[Deed, ...] = ("merge", "remove folder")
