"""/commands and the menu of a chat: what Claude Code itself can be told there.

The menu shows the commands of the person, the project and the plugins beside ours, spelled as
Telegram wants it; what comes back is spelled as Claude Code wants it. Asking Claude Code costs the
processor a second or two, so that waits until nobody has written for a moment.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable

from core.catalog import CommandOffer, list_menu, restore_name, spell_for_chat
from core.commands import TABLE, CommandName
from core.conversation import shorten
from core.events import HookEvent, TranscriptEvent, TurnEnded
from core.model import Chat
from core.ports import Channels
from outbox import Outbox
from pulse import Background, run_regularly
from session import Session
from session_book import chat_of
from session_runner import SessionRunner
from sessions import Sessions
from steering_commands import SteeringCommands

log = logging.getLogger(__name__)

_MOST_IN_MENU = 100
_MOST_DESCRIBED = 40
_DESCRIPTION_LENGTH = 80
_FRESH_SECONDS = 3600.0
_REST_SECONDS = 4.0
_LOOK_SECONDS = 2.0

Menu = list[tuple[str, str]]


class CommandMenu:
    """The slash commands of the chats' sessions, as `steering` learns them from Claude Code."""

    def __init__(
        self,
        channels: Channels,
        sessions: Sessions,
        outbox: Outbox,
        steering: SteeringCommands,
        background: Background,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._channels = channels
        self._sessions = sessions
        self._outbox = outbox
        self._steering = steering
        self._background = background
        self._clock = clock
        self._menus: dict[int, Menu] = {}
        self._looked_at: dict[int, tuple[str, float]] = {}
        self._ended: dict[int, tuple[SessionRunner, float]] = {}
        self.commands: dict[CommandName, Callable[[Chat, str, int], Awaitable[None]]] = {
            "commands": self._list
        }

    async def restore(self, chat: Chat, text: str) -> str:
        """A prompt whose command may be spelled as in the menu, as Claude Code spells it."""
        session = self._sessions.book.find_current(chat)
        if session is None or not text.startswith("/") or "_" not in text.split(None, 1)[0]:
            return text
        catalog = await self._steering.catalog_of(session)
        return restore_name(text, catalog.commands)

    async def _list(self, chat: Chat, argument: str, person: int) -> None:
        session = self._sessions.book.find_current(chat)
        if session is None:
            self._outbox.say(chat, "No session yet. Send a text to start one.")
            return
        self._background.run(self._show_list(session, chat))

    async def _show_list(self, session: Session, chat: Chat) -> None:
        catalog = await self._steering.catalog_of(session)
        if not catalog.is_told:
            self._outbox.say(chat, "Not known yet. Claude Code tells once it has run here.")
            return
        self._outbox.say(chat, _render(catalog.commands))
        await self._show_menu(session)

    async def _show_menu(self, session: Session) -> None:
        """Have the chat's menu hold the session's commands."""
        catalog = await self._steering.catalog_of(session)
        if not catalog.is_told:
            return
        ours = [(entry.name, entry.description) for entry in TABLE if entry.is_in_menu]
        names = [entry.name for entry in TABLE]
        menu = ours + list_menu(catalog.own_commands, names, _MOST_IN_MENU - len(ours))
        chat = chat_of(session)
        if self._menus.get(chat.chat_id) == menu or not self._outbox.may_show(chat):
            return
        channel = self._channels.get(chat.channel)
        if channel is not None and await channel.set_menu(chat, menu):
            self._menus[chat.chat_id] = menu

    def hear_hook(self, runner: SessionRunner, event: HookEvent) -> None:
        """After a turn there may be other commands than before."""
        if isinstance(event, TurnEnded):
            chat = chat_of(self._sessions.book.for_id(runner.session_id))
            self._ended[chat.chat_id] = (runner, self._clock())

    async def run(self) -> None:
        """Look, until cancelled, what commands there are in the chats that have come to rest."""
        await run_regularly(self.look, _LOOK_SECONDS)

    async def look(self) -> None:
        """Have the menus of chats at rest hold what there is now, where that may have changed."""
        for chat_id, (runner, at) in list(self._ended.items()):
            if runner.is_working:
                continue  # the end of that turn comes, too
            if self._clock() - at < _REST_SECONDS:
                continue
            del self._ended[chat_id]
            session = self._sessions.book.store.load(runner.session_id)
            if session is None:  # forgotten meanwhile
                continue
            directory = session.state.get("project_dir", "")
            before, looked_at = self._looked_at.get(chat_id, ("", 0.0))
            if before != directory or self._clock() - looked_at >= _FRESH_SECONDS:
                self._looked_at[chat_id] = (directory, self._clock())
                await self._show_menu(session)

    def hear_event(self, session: Session, event: TranscriptEvent, *, is_news: bool) -> None:
        """Nothing there changes what commands there are."""

    def hear_status(self, runner: SessionRunner) -> None:
        """Nothing there changes what commands there are."""


def _render(commands: tuple[CommandOffer, ...]) -> str:
    """A line for each of the person's own, then the names of Claude Code's."""
    names = {command: spell_for_chat(command, commands) for command in commands}
    own = [command for command in commands if not command.is_builtin]
    ours = {f"/{entry.name}" for entry in TABLE}
    builtin = [names[c] for c in commands if c.is_builtin and names[c] not in ours]
    lines = [f"{names[c]}{_render_rest(c)}" for c in own[:_MOST_DESCRIBED]]
    lines += ["  ".join(names[c] for c in own[_MOST_DESCRIBED:])]
    blocks = [
        "\n".join(["Yours, the project's, the plugins':", *filter(None, lines)]) if own else "",
        "Claude Code's:\n" + "  ".join(builtin) if builtin else "",
    ]
    return "\n\n".join(filter(None, blocks)) or "There are none."


def _render_rest(command: CommandOffer) -> str:
    hint = f" {command.hint}" if command.hint else ""
    return f"{hint} - {shorten(command.description, _DESCRIPTION_LENGTH)}"
