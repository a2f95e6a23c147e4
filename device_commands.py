"""/devices: which browsers may use the page; lets one more in, and removes one.

* Only in the owner's private chat or at the page, so that nobody else takes the link.
* A browser that is removed is out at once, the pages that it has open too.
* None is called "this one": the list is read in all of them. Their times and numbers tell which.
"""

from __future__ import annotations

from datetime import UTC, datetime

from buttons import Buttons, Press, PressHandler
from chat_commands import CommandHandler
from core.commands import CommandName
from core.config import Config
from core.devices_file import Device, tell_apart
from core.errors import BridgeError
from core.model import Chat, Keyboard, Post
from core.page_address import make_link
from devices import Devices
from outbox import Outbox, new_key

_OFF = "The page is off. BRIDGE_WEB=on switches it on: run ./install.sh --web."
_GONE = "That browser is not let in any more."


class DeviceCommands:
    """The devices of `devices`, for the page of the settings."""

    def __init__(self, config: Config, devices: Devices, outbox: Outbox, buttons: Buttons) -> None:
        self._config = config
        self._devices = devices
        self._outbox = outbox
        self._buttons = buttons
        self.commands: dict[CommandName, CommandHandler] = {"devices": self._list}
        self.presses: dict[str, PressHandler] = {"device": self._press}

    async def _list(self, chat: Chat, argument: str, person: int) -> None:
        if chat.chat_id != person:
            raise BridgeError("Do that in our private chat, where only you read it.")
        if not self._config.web:
            raise BridgeError(_OFF)
        key = new_key()
        text, keyboard = self._render(chat, key, person)
        self._outbox.put(Post(key, chat, text, keyboard=keyboard, silent=True))

    def _render(self, chat: Chat, key: str, person: int) -> tuple[str, Keyboard]:
        base = {"do": "device", "post": key}
        devices = self._devices.everybody()
        found = list(zip(tell_apart(devices), devices, strict=True))
        lines = ["These browsers may use the page:" if found else "No browser may use the page."]
        lines += [f"• {name}, {_describe(device)}" for name, device in found]
        rows = [
            [(f"Remove {name}", {**base, "what": "remove", "device": device.id})]
            for name, device in found
        ]
        rows.append([("Let one more in", {**base, "what": "add"})])
        return "\n".join(lines), self._buttons.issue(chat, rows, person=person)

    async def _press(self, press: Press) -> str:
        """Do what a button of the list says, and show the list as it is then."""
        action, chat, person = press.action, press.event.chat, press.event.person.user_id
        said = ""
        if action["what"] == "add":
            config = self._config
            key = self._devices.issue_key()
            link = make_link(config.web_address, config.web_port, config.web_url, key)
            self._outbox.say(chat, f"This lets in one browser, once, within 10 minutes:\n{link}")
        elif not self._devices.remove(action["device"]):
            said = _GONE
        text, keyboard = self._render(chat, action["post"], person)
        self._outbox.say(chat, text, keyboard=keyboard, edits=action["post"])
        return said


def _describe(device: Device) -> str:
    since = _moment(device.added_at)
    return f"since {_day(since)}, {since:%H:%M}, last here {_day(_moment(device.seen_at))}"


def _day(moment: datetime) -> str:
    return f"{moment.day} {moment:%B}"


def _moment(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC).astimezone()
