"""The buttons below our messages: opaque ids on the outside, what they do on the inside.

* An id is 96 random bits, bound to a chat, perhaps to one person, and to what it does.
* Buttons are issued as a set; one press uses up the whole set. A used, forged or foreign id finds
  nothing.
* They are on disk before they are shown, so they live through a restart.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from checked_file import CheckedFile
from core.model import Button, ButtonPressed, Chat, Keyboard
from durable import SystemCalls

Action = dict[str, Any]

_MOST_SETS = 500


@dataclass(frozen=True, slots=True)
class Press:
    """A valid press: who and where, what the button does, and the key of its inbox entry."""

    event: ButtonPressed
    action: Action
    key: str


PressHandler = Callable[[Press], Awaitable[str]]
"""Does what a button does; returns what to say, in a word, to the person who pressed it.

That word is in the audit log too: it holds nothing of what was said in a session.
"""


class ButtonSet(msgspec.Struct):
    """Buttons that were issued together: for which chat, for which person alone, what they do."""

    chat: Chat
    person: int | None
    actions: dict[str, Action]


_decoder = msgspec.json.Decoder(dict[str, ButtonSet])


class Buttons:
    """What is in `directory`/buttons.json. Raises StoreError: it can't be used."""

    def __init__(self, directory: Path, *, system: SystemCalls = os) -> None:
        path, lost = directory / "buttons.json", "The buttons that were shown are void."
        self._file = CheckedFile(path, _decoder, lost, system=system)
        self._sets = self._file.read() or {}

    def issue(
        self,
        chat: Chat,
        rows: Sequence[Sequence[tuple[str, Action]]],
        *,
        person: int | None = None,
    ) -> Keyboard:
        """Buttons (label, action) by rows, for that chat, and for that person alone if given.

        Raises:
            StoreWriteError: there are no such buttons.
        """
        made = [[(Button(label, _new_id()), action) for label, action in row] for row in rows]
        actions = {button.press: action for row in made for button, action in row}
        if actions:
            sets = self._sets | {next(iter(actions)): ButtonSet(chat, person, actions)}
            self._replace(dict(list(sets.items())[-_MOST_SETS:]))
        return tuple(tuple(button for button, _ in row) for row in made)

    def knows(self, data: str) -> bool:
        """Whether a button of that id is still good."""
        return any(data in found.actions for found in self._sets.values())

    def take(self, press: ButtonPressed) -> Action | None:
        """What the pressed button does, once; None for one that isn't valid here.

        Raises:
            StoreWriteError: the button is as good as before.
        """
        name = self._find_set(press)
        if name is None:
            return None
        found = self._sets[name]
        self._replace({key: kept for key, kept in self._sets.items() if key != name})
        return found.actions[press.data]

    def find(self, press: ButtonPressed) -> Action | None:
        """What the pressed button would do, without using it up."""
        name = self._find_set(press)
        return None if name is None else self._sets[name].actions[press.data]

    def list_actions(self, chat: Chat, person: int) -> Iterator[Action]:
        """What all buttons do that this person may press in that chat."""
        for found in self._sets.values():
            if found.chat == chat and found.person in (None, person):
                yield from found.actions.values()

    def revoke(self, is_void: Callable[[ButtonSet], bool]) -> None:
        """Make all sets of buttons void for which that is true. Raises StoreWriteError."""
        kept = {name: found for name, found in self._sets.items() if not is_void(found)}
        if len(kept) < len(self._sets):
            self._replace(kept)

    def _find_set(self, press: ButtonPressed) -> str | None:
        for name, found in self._sets.items():
            if press.data in found.actions:
                is_theirs = found.person in (None, press.person.user_id)
                return name if found.chat == press.chat and is_theirs else None
        return None

    def _replace(self, sets: dict[str, ButtonSet]) -> None:
        self._file.write(sets)
        self._sets = sets


def _new_id() -> str:
    return secrets.token_urlsafe(12)
