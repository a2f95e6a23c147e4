"""/privacy: whether personal data of a chat is kept out of the histories."""

from __future__ import annotations

from buttons import Buttons, Press, PressHandler
from chat_commands import CommandHandler
from chat_settings import ChatSettings
from core.commands import CommandName
from core.errors import BridgeError
from core.model import Chat, Post
from outbox import Outbox, new_key

_TOLD = {
    True: (
        "Privacy: on. From now on e-mail addresses, phone numbers, cards, IBANs and IP addresses "
        "are masked in the history of this chat. Claude and its own transcript have them as before."
    ),
    False: "Privacy: off. The history keeps what is said here, without passwords and keys.",
}


class Privacy:
    """The privacy mode of each chat, in `settings`."""

    def __init__(self, settings: ChatSettings, outbox: Outbox, buttons: Buttons) -> None:
        self._settings = settings
        self._outbox = outbox
        self._buttons = buttons
        self.commands: dict[CommandName, CommandHandler] = {"privacy": self.run}
        self.presses: dict[str, PressHandler] = {"privacy": self._press}

    async def run(self, chat: Chat, argument: str, person: int) -> None:
        """What /privacy does: with an argument it sets, without one it asks. Raises BridgeError."""
        if argument:
            self._set(chat, argument.lower())
            self._outbox.say(chat, self._tell(chat))
            return
        key = new_key()
        row = [(word, {"do": "privacy", "to": word, "post": key}) for word in ("on", "off")]
        keyboard = self._buttons.issue(chat, [row], person=person)
        self._outbox.put(Post(key, chat, self._tell(chat), keyboard=keyboard, silent=True))

    async def _press(self, press: Press) -> str:
        chat, action = press.event.chat, press.action
        self._set(chat, action["to"])
        self._outbox.say(chat, self._tell(chat), edits=action["post"])
        return ""

    def _set(self, chat: Chat, word: str) -> None:
        if word not in ("on", "off"):
            raise BridgeError("Say /privacy on or /privacy off.")
        self._settings.set_private(chat, private=word == "on")

    def _tell(self, chat: Chat) -> str:
        return _TOLD[self._settings.is_private(chat)]
