"""What becomes of a press: the button is used up, and whoever issued it does what it says.

* A handler is found by the action's own word, `do`; a word that nobody knows is an old button.
* What takes a right that the person has not (or no longer) is not done, and the button stays good
  for who has it.
* Every press is a line in the audit log, with what it does and what became of it. Of a press that
  finds no button here, nobody can say more than that.
* What only shows or changes something uses up its button first. What gives Claude a prompt has that
  prompt in the inbox before the button is used up: a crash in between forgets no press.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from audit import name_action, name_press
from buttons import Buttons, Press, PressHandler
from core.errors import BridgeError
from core.model import ButtonPressed, Chat, Person
from core.ports import Channels
from core.roles import NOT_ALLOWED, Deed, deed_of_press
from inbox import Entry
from pulse import Background

_GONE = "This button no longer works."
_VOID = "void: used up, or never issued"
_FOREIGN = "void: another chat's or person's button"


class Presses:
    """The presses on `buttons`.

    `handlers`: by the action's word; those in `prompting` give a session a prompt, whose end its
    runner tells. `may` says whether a person (by user id) may do something, `note` writes the audit
    log.
    """

    def __init__(
        self,
        buttons: Buttons,
        channels: Channels,
        background: Background,
        *,
        handlers: Mapping[str, PressHandler],
        prompting: Mapping[str, PressHandler],
        may: Callable[[int, Deed], bool],
        note: Callable[[Person, Chat, str, str], None],
    ) -> None:
        self._buttons = buttons
        self._channels = channels
        self._background = background
        self._handlers = {**handlers, **prompting}
        self._prompting = frozenset(prompting)
        self._may = may
        self._note = note

    async def handle(self, entry: Entry, event: ButtonPressed) -> bool:
        """Do what the button does; False when that made the press a prompt. Raises BridgeError."""
        action = self._buttons.find(event)
        if action is None:
            is_foreign = self._buttons.knows(event.data)
            self._end(event, name_action(event), _FOREIGN if is_foreign else _VOID, _GONE)
            return True
        name = name_press(action)
        if not self._may(event.person.user_id, deed_of_press(action["do"])):
            self._end(event, name, f"refused: {NOT_ALLOWED}", NOT_ALLOWED)
            return True
        is_prompting = action["do"] in self._prompting
        if not is_prompting:
            self._buttons.take(event)
        said, result = "", "not finished"
        try:
            said = await self._do(Press(event, action, entry.key))
            if is_prompting:
                self._buttons.take(event)
            result = said or ("accepted" if is_prompting else "done")
        except BridgeError as error:
            result = f"failed: {error}"
            raise
        finally:  # also when it fails: the phone shows a waiting sign until it is answered
            self._end(event, name, result, said)
        return not is_prompting

    async def _do(self, press: Press) -> str:
        handler = self._handlers.get(press.action["do"])
        return _GONE if handler is None else await handler(press)

    def _end(self, event: ButtonPressed, name: str, result: str, said: str) -> None:
        self._note(event.person, event.chat, name, result)
        channel = self._channels[event.chat.channel]
        self._background.run(channel.answer_press(event.press_id, said))
