"""/invite and /people: an owner lets people in by one-time links, gives them roles, removes them.

* Only in the owner's private chat, so that nobody else in a group takes the link or sees the list.
* Who is removed, or may only read from now on, loses at once what they had: their buttons, the
  prompts of theirs that wait, the links that were not used, and the processes of their own chat.
  What a request of Claude's waits for is then anybody's who may press.
* It is written down first that they may not; what is left of them after a crash is refused by that.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

from buttons import Buttons, Press, PressHandler
from chat_commands import CommandHandler
from core.addressing import speaker_name
from core.commands import CommandName
from core.errors import BridgeError, StoreError
from core.model import Chat, Keyboard, Person, Post, private_chat
from core.ports import Channels
from core.roles import Guest, may
from inbox import Inbox
from outbox import Outbox, new_key
from people import People, Somebody
from places import Places
from sessions import Sessions

_GONE = "That is no longer so; /people shows how it is."
_HOW_TO_INVITE = "Say who comes: /invite member, or /invite viewer (who only reads along)."
_NO_DOOR = "Others come in by Telegram alone; ./install.sh adds a bot."
_ROLES: dict[Guest, str] = {
    "member": "has sessions of their own, and may write and press in shared groups",
    "viewer": "only reads along in groups that they share with this bot",
}


class PeopleCommands:
    """The people of `people`; `release` gives up what Claude asks one person alone."""

    def __init__(
        self,
        people: People,
        channels: Channels,
        inbox: Inbox,
        sessions: Sessions,
        outbox: Outbox,
        buttons: Buttons,
        places: Places,
        *,
        release: Callable[[int], None],
    ) -> None:
        self._people = people
        self._channels = channels
        self._inbox = inbox
        self._sessions = sessions
        self._outbox = outbox
        self._buttons = buttons
        self._places = places
        self._release = release
        self.commands: dict[CommandName, CommandHandler] = {
            "invite": self._invite,
            "people": self._list,
        }
        self.presses: dict[str, PressHandler] = {"person": self._press}

    # --- inviting -------------------------------------------------------------------------------

    async def _invite(self, chat: Chat, argument: str, person: int) -> None:
        _check_private(chat, person)
        role = next((name for name in get_args(Guest) if name == argument.lower()), None)
        if role is None:
            raise BridgeError(_HOW_TO_INVITE)
        makers = [c.make_invitation for c in self._channels.values() if c.make_invitation("")]
        if not makers:
            raise BridgeError(_NO_DOOR)
        link = makers[0](self._people.invite(role))
        text = f"Good for one {role}, once, for 10 minutes. A {role} {_ROLES[role]}.\n{link}"
        self._outbox.say(chat, text)

    # --- the list -------------------------------------------------------------------------------

    async def _list(self, chat: Chat, argument: str, person: int) -> None:
        _check_private(chat, person)
        key = new_key()
        text, keyboard = self._render(chat, key, person)
        self._outbox.put(Post(key, chat, text, keyboard=keyboard, silent=True))

    def _render(self, chat: Chat, key: str, person: int) -> tuple[str, Keyboard]:
        lines, rows = ["Who may use this bot:"], []
        for somebody in self._people.everybody():
            name = self._name(somebody)
            lines.append(f"• {name}, {somebody.role}")
            if somebody.is_guest:
                other: Guest = "viewer" if somebody.role == "member" else "member"
                base = {"do": "person", "user": somebody.user_id, "post": key}
                rows.append(
                    [
                        (f"{name}: make {other}", {**base, "what": "role", "role": other}),
                        (f"Remove {name}", {**base, "what": "ask"}),
                    ]
                )
        lines.append("\n/invite member and /invite viewer make a link for somebody new.")
        return "\n".join(lines), self._buttons.issue(chat, rows, person=person)

    async def _press(self, press: Press) -> str:
        """Do what a button of the list says, and show the list as it is then."""
        action, chat, person = press.action, press.event.chat, press.event.person.user_id
        found = next((s for s in self._people.everybody() if s.user_id == action["user"]), None)
        said = _GONE if found is None else ""
        if found is not None and action["what"] == "ask":
            self._ask(found, chat, action, person)
            return ""
        if found is not None and action["what"] == "role":
            await self._set_role(found, action["role"])
        elif found is not None and action["what"] == "remove":
            said = (
                f"{self._name(found)} is removed." if self._people.remove(found.user_id) else _GONE
            )
            await self._part_from(found.user_id)
        text, keyboard = self._render(chat, action["post"], person)
        self._outbox.say(chat, text, keyboard=keyboard, edits=action["post"])
        return said

    def _ask(self, somebody: Somebody, chat: Chat, action: dict[str, Any], person: int) -> None:
        base = {**action, "user": somebody.user_id}
        rows = [[("Remove", {**base, "what": "remove"}), ("Keep", {**base, "what": "keep"})]]
        keyboard = self._buttons.issue(chat, rows, person=person)
        text = (
            f"Remove {self._name(somebody)}? Their buttons, what waits of theirs and all unused "
            "links are void then, and their Claude processes end. Their sessions stay."
        )
        self._outbox.say(chat, text, keyboard=keyboard, edits=action["post"])

    async def _set_role(self, somebody: Somebody, role: Guest) -> None:
        if self._people.set_role(somebody.user_id, role) and not may(role, "talk"):
            await self._part_from(somebody.user_id)

    def _name(self, somebody: Somebody) -> str:
        """By the name at the pairing, or by that of the private chat."""
        place = self._places.find(private_chat(somebody.user_id))
        name = somebody.name or (place.title if place is not None else "")
        return speaker_name(Person(somebody.user_id, name))

    # --- parting --------------------------------------------------------------------------------

    async def _part_from(self, user_id: int) -> None:
        """Let nothing of theirs go on."""
        self._buttons.revoke(lambda found: user_id in (found.chat.chat_id, found.person))
        runners = self._sessions.runners
        for entry in self._inbox.pending():
            if entry.person == user_id:
                any(runner.queue.drop(entry.key) for runner in runners)
        book = self._sessions.book
        for session in book.store.list_sessions():
            if session.state.get("person") == user_id:
                book.edit_state(session.session_id, person=None)
            if session.state.get("continue_for") == user_id:
                book.edit_state(session.session_id, continue_at=None, continue_for=None)
        self._release(user_id)
        for runner in runners:
            try:
                is_theirs = book.for_id(runner.session_id).chat_id == user_id
            except StoreError:
                continue
            if is_theirs and (runner.is_awake or runner.has_work):
                await self._sessions.kill(runner)


def _check_private(chat: Chat, person: int) -> None:
    if chat.chat_id != person:
        raise BridgeError("Do that in our private chat, where only you read it.")
