"""What each command of the chat does."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Mapping

from core.commands import Command, CommandName, render_help
from core.errors import BridgeError
from core.model import Chat, TextSent
from core.roles import NOT_ALLOWED, Deed, deed_of_command
from outbox import Outbox
from screen_view import ScreenView
from session_runner import SessionRunner
from sessions import Sessions

CommandHandler = Callable[[Chat, str, int], Awaitable[None]]
"""Does what was asked in that chat, with that argument, by the person of that user id."""

BeginHandler = Callable[[Chat, str, int, str], Awaitable[None]]
"""The same for what begins a session, which is to have that id: after a crash in the middle the
message is handled again, and begins no second one."""


class ChatCommands:
    """The commands, on the sessions of `sessions`; `others` and `begin` do what is not done here.

    `may` says whether a person (by user id) may do something.
    """

    def __init__(
        self,
        sessions: Sessions,
        outbox: Outbox,
        screens: ScreenView,
        *,
        others: Mapping[CommandName, CommandHandler],
        begin: Mapping[CommandName, BeginHandler],
        may: Callable[[int, Deed], bool],
    ) -> None:
        self._screens = screens
        self._begin = dict(begin)
        self._may = may
        self._sessions = sessions
        self._outbox = outbox
        self._book = sessions.book
        self._handlers: dict[CommandName, CommandHandler] = {
            "start": self._help,
            "help": self._help,
            "kill": self._kill,
            "screen": self._screen,
            **others,
        }

    async def run(self, command: Command, message: TextSent) -> None:
        """Do what was asked, and say so in the chat. Raises BridgeError."""
        self.check(message.person.user_id, deed_of_command(command.name))
        asked = message.chat, command.argument, message.person.user_id
        if command.name in self._begin:
            await self._begin[command.name](*asked, name_session(message))
        else:
            await self._handlers[command.name](*asked)

    def check(self, person: int, deed: Deed) -> None:
        """Raise BridgeError unless that person may do it."""
        if not self._may(person, deed):
            raise BridgeError(NOT_ALLOWED)

    async def show_screen(self, chat: Chat, person: int) -> None:
        """As /screen. Raises BridgeError."""
        await self._screen(chat, "", person)

    async def _help(self, chat: Chat, argument: str, person: int) -> None:
        self._outbox.say(chat, render_help())

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


def name_session(message: TextSent) -> str:
    """The id of the session that this message begins: the same however often it is handled.

    A channel that begins to count again gives an old message's number to a new one, so the time is
    a part of it.
    """
    chat = message.chat
    facts = chat.channel, chat.chat_id, chat.topic, message.message_id, message.sent_at
    return str(uuid.uuid5(uuid.NAMESPACE_OID, repr((*facts, message.text))))
