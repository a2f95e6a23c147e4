"""What each command of the chat does."""

from __future__ import annotations

import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from pathlib import Path

from buttons import Buttons, Press, PressHandler
from claude_launcher import project_directory
from core.commands import Command, CommandName, render_help
from core.config import Config
from core.conversation import read_title, render_age
from core.errors import BridgeError
from core.model import Chat, Post, TextSent
from core.roles import NOT_ALLOWED, Deed, deed_of_command
from outbox import Outbox, new_key
from screen_view import ScreenView
from session import Session
from session_book import chat_of
from session_runner import SessionRunner
from sessions import Sessions

CommandHandler = Callable[[Chat, str, int], Awaitable[None]]
"""Does what was asked in that chat, with that argument, by the person of that user id."""

_LISTED = 8
_UNKNOWN = "No session with that id on this machine. /sessions lists those of this chat."


class ChatCommands:
    """The commands, on the sessions of `sessions`; `others` do what is not done here.

    `may` says whether a person (by user id) may do something.
    """

    def __init__(
        self,
        config: Config,
        sessions: Sessions,
        outbox: Outbox,
        buttons: Buttons,
        screens: ScreenView,
        *,
        others: Mapping[CommandName, CommandHandler],
        may: Callable[[int, Deed], bool],
    ) -> None:
        self._screens = screens
        self._may = may
        self._config = config
        self._sessions = sessions
        self._outbox = outbox
        self._buttons = buttons
        self._book = sessions.book
        self.presses: dict[str, PressHandler] = {"pick": self._pick}
        self._handlers: dict[CommandName, CommandHandler] = {
            "start": self._help,
            "help": self._help,
            "new": self._new,
            "sessions": self._list,
            "resume": self._resume,
            "kill": self._kill,
            "screen": self._screen,
            **others,
        }

    async def run(self, command: Command, message: TextSent) -> None:
        """Do what was asked, and say so in the chat. Raises BridgeError."""
        self.check(message.person.user_id, deed_of_command(command.name))
        await self._handlers[command.name](message.chat, command.argument, message.person.user_id)

    def check(self, person: int, deed: Deed) -> None:
        """Raise BridgeError unless that person may do it."""
        if not self._may(person, deed):
            raise BridgeError(NOT_ALLOWED)

    async def show_screen(self, chat: Chat, person: int) -> None:
        """As /screen. Raises BridgeError."""
        await self._screen(chat, "", person)

    async def _pick(self, press: Press) -> str:
        """A session was picked from the list, which it takes the place of."""
        chat = press.event.chat
        session = self._book.switch(chat, press.action["session"])
        text = f"Continuing “{read_title(session.state)}”."
        self._outbox.say(chat, text, edits=press.action["post"])
        return ""

    async def _help(self, chat: Chat, argument: str, person: int) -> None:
        self._outbox.say(chat, render_help())

    async def _new(self, chat: Chat, argument: str, person: int) -> None:
        directory = self._directory(argument)
        if not directory.is_relative_to(self._config.project_dir.resolve()):
            self.check(person, "machine")
        session = self._book.create(chat, directory)
        self._outbox.say(chat, f"New session in {directory}.")
        self._sessions.runner_of(session).begin()

    def _directory(self, argument: str) -> Path:
        path = Path(argument).expanduser() if argument else self._config.project_dir
        path = path if path.is_absolute() else self._config.project_dir / path
        if not path.is_dir():
            raise BridgeError(f"There is no directory {path}. Make it first, or name another.")
        return path.resolve()

    async def _list(self, chat: Chat, argument: str, person: int) -> None:
        current = self._book.find_current(chat)
        mine = [s for s in self._book.store.list_sessions(chat.chat_id) if chat_of(s) == chat]
        if not mine:
            self._outbox.say(chat, "No session yet. Send a text to start one.")
            return
        lines, rows = [], []
        key = new_key()
        for number, session in enumerate(mine[:_LISTED], 1):
            mark = "▸" if current and session.session_id == current.session_id else " "
            title = read_title(session.state)
            place = project_directory(session).name
            lines.append(f"{mark} {number}. {title} · {place} · {_age(session)}")
            action = {"do": "pick", "session": session.session_id, "post": key}
            rows.append([(f"{number}. {title}", action)])
        keyboard = self._buttons.issue(chat, rows, person=person)
        self._outbox.put(Post(key, chat, "\n".join(lines), keyboard=keyboard, silent=True))

    async def _resume(self, chat: Chat, argument: str, person: int) -> None:
        if not argument:
            await self._list(chat, "", person)
            return
        wanted = argument.lower()
        known = [s for s in self._book.store.list_sessions() if s.session_id.startswith(wanted)]
        if not self._may(person, "machine"):
            known = [session for session in known if chat_of(session).chat_id == chat.chat_id]
        if len(known) > 1:
            raise BridgeError("Several sessions begin with that; give more of the id.")
        if known and chat_of(known[0]).chat_id != chat.chat_id:
            raise BridgeError("That session belongs to another chat.")
        if not known and not self._may(person, "machine"):
            raise BridgeError(_UNKNOWN)
        session = (
            self._book.switch(chat, known[0].session_id) if known else self._adopt(chat, wanted)
        )
        self._outbox.say(chat, f"Continuing “{read_title(session.state)}”.")

    def _adopt(self, chat: Chat, session_id: str) -> Session:
        transcript = None
        if _is_uuid(session_id):
            transcript = self._sessions.launcher.find_transcript(session_id)
        if transcript is None:
            raise BridgeError(_UNKNOWN)
        return self._book.adopt(chat, session_id, transcript, self._config.project_dir)

    async def _kill(self, chat: Chat, argument: str, person: int) -> None:
        runner = self._awake_runner(chat)
        if runner is None:
            self._outbox.say(chat, "No Claude process runs for this chat.")
            return
        given_up = await self._sessions.kill(runner)
        lost = f" Messages given up with it: {given_up}." if given_up else ""
        text = f"Ended.{lost} The next message resumes it with its history; /new starts afresh."
        self._outbox.say(chat, text)

    async def _screen(self, chat: Chat, argument: str, person: int) -> None:
        runner = self._awake_runner(chat)
        if runner is None:
            self._outbox.say(
                chat, "No Claude process runs for this chat. The next message wakes it."
            )
            return
        await self._screens.show(chat, runner, person)

    def _awake_runner(self, chat: Chat) -> SessionRunner | None:
        session = self._book.find_current(chat)
        runner = self._sessions.find_runner(session.session_id) if session else None
        return runner if runner is not None and runner.is_awake else None


def _age(session: Session) -> str:
    then = datetime.fromisoformat(session.last_activity).timestamp()
    return render_age(time.time() - then)


def _is_uuid(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False
