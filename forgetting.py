"""/forget: a session deleted for good, after asking.

* All that is kept of it goes: Claude's own transcript and what belongs to that, the bridge's link
  to it, the history, its files, the session. If it is awake, it is ended first.
* Claude Code writes its transcript until it has ended, so that is waited for.
* The session itself goes last, so that what a crash in the middle has left can be forgotten again.
* What was said stays in the chat: that is the person's to delete.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
from pathlib import Path

from buttons import Buttons, Press, PressHandler
from chat_commands import CommandHandler
from claude_launcher import terminal_name
from claude_registry import is_alive
from core.commands import CommandName
from core.conversation import read_title
from core.errors import StoreWriteError
from core.model import Chat, Post
from core.worktrees import read_worktree
from durable import reason_for
from history import Histories
from inbox import Inbox
from outbox import Outbox, new_key
from pulse import Pulse
from request_book import RequestBook
from session import Session
from session_book import chat_of, files_id
from session_files import SessionFiles
from sessions import Sessions

log = logging.getLogger(__name__)

_ENDING_SECONDS = 10.0
# What Claude Code keeps of a session beside its transcripts, each in a folder named by its id.
_BESIDE = ("file-history", "session-env", "tasks")


class Forgetting:
    """Forgets sessions; `claude` is Claude Code's own folder."""

    def __init__(
        self,
        sessions: Sessions,
        histories: Histories,
        files: SessionFiles,
        requests: RequestBook,
        inbox: Inbox,
        outbox: Outbox,
        buttons: Buttons,
        *,
        claude: Path,
    ) -> None:
        self._sessions = sessions
        self._book = sessions.book
        self._histories = histories
        self._files = files
        self._requests = requests
        self._inbox = inbox
        self._outbox = outbox
        self._buttons = buttons
        self._claude = claude
        self.commands: dict[CommandName, CommandHandler] = {"forget": self._ask}
        self.presses: dict[str, PressHandler] = {"forget": self._press}

    async def _ask(self, chat: Chat, argument: str, person: int) -> None:
        session = self._book.find_current(chat)
        if session is None:
            self._outbox.say(chat, "No session yet. Send a text to start one.")
            return
        key = new_key()
        action = {"do": "forget", "session": session.session_id, "post": key}
        row = [("Forget it for good", {**action, "is_meant": True})]
        row.append(("Keep it", {**action, "is_meant": False}))
        worktree = read_worktree(session.state)
        stays = f" The worktree {worktree.path} stays." if worktree is not None else ""
        text = (
            f"Forget “{read_title(session.state)}”? Its history, its files and Claude's own "
            f"transcript are deleted, and nothing brings them back.{stays}"
        )
        keyboard = self._buttons.issue(chat, [row], person=person)
        self._outbox.put(Post(key, chat, text, keyboard=keyboard, silent=True))

    async def _press(self, press: Press) -> str:
        action, chat = press.action, press.event.chat
        session = self._book.store.load(action["session"])
        if session is None or chat_of(session) != chat:
            text = "That session is not in this chat any more."
        elif not action["is_meant"]:
            text = f"“{read_title(session.state)}” is kept."
        else:
            await self.forget(session)
            following = self._book.find_current(chat)
            then = (
                f"This chat continues “{read_title(following.state)}”."
                if following is not None
                else "The next text begins a new session."
            )
            text = f"Forgotten. What was said stays in this chat until you delete it here. {then}"
        self._outbox.say(chat, text, edits=action["post"])
        return ""

    async def forget(self, session: Session) -> None:
        """Delete the session and all that is kept of it. Raises StoreWriteError."""
        session_id = session.session_id
        runner = self._sessions.find_runner(session_id)
        pid = runner.process.pid if runner is not None and runner.process is not None else 0
        await self._sessions.let_go(session_id)
        await Pulse().until(lambda: not pid or not is_alive(pid), _ENDING_SECONDS)
        known = session.state.get("transcript")
        found = self._sessions.launcher.find_transcript(session_id)
        transcripts = {Path(path) for path in (known, found) if path}
        try:
            await asyncio.to_thread(self._delete_claudes, session_id, transcripts)
        except OSError as error:
            raise StoreWriteError(
                f"Claude's transcript could not be deleted: {reason_for(error)}."
            ) from error
        if all(runner.name != terminal_name(session) for runner in self._sessions.runners):
            self._sessions.launcher.forget(session)
        self._sessions.keeper.forget(session_id)
        self._histories.remove(session_id)
        for request in [*self._requests.open, *self._requests.answered]:
            if request.session_id == session_id:
                self._requests.forget(request.request)
        others = await asyncio.to_thread(self._book.store.list_sessions)
        used = {files_id(other) for other in others if other.session_id != session_id}
        for name in {session_id, files_id(session)} - used:
            await asyncio.to_thread(self._files.remove, name)
        self._book.store.delete(session_id)
        self._inbox.forget_done()
        self._outbox.forget_shown()
        log.info("session %s is forgotten", session_id)

    def _delete_claudes(self, session_id: str, transcripts: set[Path]) -> None:
        for path in transcripts:
            if path.stem == session_id:
                path.unlink(missing_ok=True)
                shutil.rmtree(path.with_suffix(""), ignore_errors=True)  # never follows a link
        for name in _BESIDE:
            shutil.rmtree(self._claude / name / session_id, ignore_errors=True)
