"""Who may do what: one table of roles and deeds, and which deed a command or a button is.

| deed    | owner | member | viewer | what it is                                                  |
|---------|-------|--------|--------|-------------------------------------------------------------|
| talk    | yes   | yes    | -      | give prompts and files, edit what waits                     |
| command | yes   | yes    | -      | commands on the sessions of the chat they are sent in       |
| press   | yes   | yes    | -      | buttons, of which each is bound to its chat and person      |
| machine | yes   | -      | -      | what goes beyond the chat: other sessions of the machine,   |
|         |       |        |        | any directory, a shell line, the end of others' processes   |
| bypass  | yes   | -      | -      | let Claude run everything without asking                    |
| people  | yes   | -      | -      | add and remove people, change their roles                   |

* A viewer only reads along in a shared group: whatever a viewer does is ignored without an answer.
* What goes beyond the chat is listed in the private chat of who may see it, and never in a group,
  where others read along.
* A role that is not known, or none, may nothing.
"""

from __future__ import annotations

from typing import Literal, get_args

from core.commands import CommandName
from core.model import ButtonPressed, Chat, Incoming

Role = Literal["owner", "member", "viewer"]
Guest = Literal["member", "viewer"]
Deed = Literal["talk", "command", "press", "machine", "bypass", "people"]

ROLES: tuple[Role, ...] = get_args(Role)
GUESTS: tuple[Guest, ...] = get_args(Guest)
DEEDS: tuple[Deed, ...] = get_args(Deed)
NOT_ALLOWED = "Only the owner may do that."

_MAY: dict[Role, frozenset[Deed]] = {
    "owner": frozenset(DEEDS),
    "member": frozenset({"talk", "command", "press"}),
    "viewer": frozenset(),
}
_COMMANDS: dict[CommandName, Deed] = {
    "people": "people",
    "invite": "people",
    "devices": "people",
    "sh": "machine",
}
_PRESSES: dict[str, Deed] = {"person": "people", "device": "people", "take over": "machine"}


def may(role: Role | None, deed: Deed) -> bool:
    """Whether somebody of that role (None: of none) may do it."""
    return role is not None and deed in _MAY.get(role, frozenset())


def sees_machine(role: Role | None, person: int, chat: Chat) -> bool:
    """Whether a person of that role is shown in that chat what belongs to others."""
    return may(role, "machine") and chat.chat_id == person


def deed_of(incoming: Incoming) -> Deed:
    """What it takes to have this handled at all."""
    return "press" if isinstance(incoming, ButtonPressed) else "talk"


def deed_of_command(name: CommandName) -> Deed:
    """What it takes to give the command."""
    return _COMMANDS.get(name, "command")


def deed_of_prompt(text: str) -> Deed:
    """What it takes to have that given to Claude: as it is typed, a shell line begins with `!`."""
    return deed_of_command("sh") if text.startswith("!") else "talk"


def deed_of_press(word: str) -> Deed:
    """What it takes to press a button whose action is that word."""
    return _PRESSES.get(word, "press")


def is_higher(role: Role, than: Role | None) -> bool:
    """Whether it is the role of more rights."""
    return than is None or ROLES.index(role) < ROLES.index(than)
