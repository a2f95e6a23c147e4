"""The buttons below our messages: opaque ids on the outside, what they do on the inside.

* An id is 96 random bits, bound to a chat, perhaps to one person, and to what it does.
* Buttons are issued as a set; one press uses up the whole set. A used, forged or foreign id finds
  nothing.
* They are on disk before they are shown, so they live through a restart.
"""

from __future__ import annotations

import logging
import secrets
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from core.model import Button, ButtonPressed, Chat
from durable import replace_file

log = logging.getLogger(__name__)

Action = dict[str, Any]

_MOST_SETS = 500


class _Set(msgspec.Struct):
    chat: Chat
    person: int | None
    actions: dict[str, Action]


class Buttons:
    """What is in `directory`/buttons.json."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / "buttons.json"
        self._sets: OrderedDict[str, _Set] = OrderedDict()
        self._read()

    def issue(
        self,
        chat: Chat,
        rows: Sequence[Sequence[tuple[str, Action]]],
        *,
        person: int | None = None,
    ) -> tuple[tuple[Button, ...], ...]:
        """Buttons (label, action) by rows, for that chat, and for that person alone if given."""
        made = [[(Button(label, _new_id()), action) for label, action in row] for row in rows]
        actions = {button.press: action for row in made for button, action in row}
        self._sets[next(iter(actions))] = _Set(chat, person, actions)
        while len(self._sets) > _MOST_SETS:
            self._sets.popitem(last=False)
        self._write()
        return tuple(tuple(button for button, _ in row) for row in made)

    def take(self, press: ButtonPressed) -> Action | None:
        """What the pressed button does, once; None for one that isn't valid here."""
        for name, found in self._sets.items():
            if press.data in found.actions:
                is_theirs = found.person in (None, press.person.user_id)
                if found.chat != press.chat or not is_theirs:
                    return None
                del self._sets[name]
                self._write()
                return found.actions[press.data]
        return None

    def _read(self) -> None:
        try:
            self._sets = OrderedDict(
                msgspec.json.decode(self._path.read_bytes(), type=dict[str, _Set])
            )
        except FileNotFoundError:
            pass
        except (OSError, msgspec.DecodeError) as error:
            log.warning("old buttons are void, their file can't be read: %s", error)

    def _write(self) -> None:
        replace_file(self._path, msgspec.json.encode(self._sets))


def _new_id() -> str:
    return secrets.token_urlsafe(12)
