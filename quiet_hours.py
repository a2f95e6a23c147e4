"""/quiet: when a chat's messages make no sound."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from buttons import Buttons, Press, PressHandler
from chat_commands import CommandHandler
from chat_settings import ChatSettings
from core.commands import CommandName
from core.errors import BridgeError
from core.model import Chat, Post
from core.quiet import Quiet, parse_quiet, render_quiet
from outbox import Outbox, new_key

_CHOICES = ("off", "on", "22-7")


class QuietHours:
    """The quiet times in `settings`; `now` is the machine's local time."""

    def __init__(
        self,
        settings: ChatSettings,
        outbox: Outbox,
        buttons: Buttons,
        *,
        now: Callable[[], datetime] = lambda: datetime.now().astimezone(),
    ) -> None:
        self._settings = settings
        self._outbox = outbox
        self._buttons = buttons
        self._now = now
        self.commands: dict[CommandName, CommandHandler] = {"quiet": self.run}
        self.presses: dict[str, PressHandler] = {"quiet": self._press}

    def is_quiet(self, chat: Chat) -> bool:
        """Whether a message of the chat is to make no sound now."""
        quiet = self._settings.find_quiet(chat)
        now = self._now()
        return quiet is not None and quiet.holds(60 * now.hour + now.minute)

    def describe(self, chat: Chat) -> str:
        """In a few words, for /status."""
        return render_quiet(self._settings.find_quiet(chat))

    async def run(self, chat: Chat, argument: str, person: int) -> None:
        """What /quiet does: with an argument it sets, without one it asks. Raises BridgeError."""
        if argument:
            self._set(chat, argument)
            self._outbox.say(chat, self._tell(chat))
            return
        key = new_key()
        row = [(choice, {"do": "quiet", "to": choice, "post": key}) for choice in _CHOICES]
        keyboard = self._buttons.issue(chat, [row], person=person)
        text = f"{self._tell(chat)}\nOther hours: /quiet 23:30-6"
        self._outbox.put(Post(key, chat, text, keyboard=keyboard, silent=True))

    async def _press(self, press: Press) -> str:
        chat, action = press.event.chat, press.action
        self._set(chat, action["to"])
        text = self._tell(chat)
        self._outbox.say(chat, text, edits=action["post"])
        return ""

    def _set(self, chat: Chat, argument: str) -> None:
        found = parse_quiet(argument)
        if found is None:
            raise BridgeError("Say /quiet on, /quiet off, or hours such as /quiet 22-7.")
        self._settings.set_quiet(chat, found if isinstance(found, Quiet) else None)

    def _tell(self, chat: Chat) -> str:
        if self._settings.find_quiet(chat) is None:
            return "Quiet: off. Questions, final answers and failures make a sound."
        return f"Quiet: {self.describe(chat)}. Then nothing makes a sound."
