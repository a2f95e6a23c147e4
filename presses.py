"""What becomes of a press: the button is used up, and whoever issued it does what it says.

* A handler is found by the action's own word, `do`; a word that nobody knows is an old button.
* What takes a right that the person has not (or no longer) is not done, and the button stays good
  for who has it.
* What only shows or changes something uses up its button first. What gives Claude a prompt has that
  prompt in the inbox before the button is used up: a crash in between forgets no press.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from buttons import Buttons, Press, PressHandler
from core.model import ButtonPressed
from core.ports import Channels
from core.roles import NOT_ALLOWED, Deed, deed_of_press
from inbox import Entry
from pulse import Background

_GONE = "This button no longer works."


class Presses:
    """The presses on `buttons`.

    `handlers`: by the action's word; those in `prompting` give a session a prompt, whose end its
    runner tells. `may` says whether a person (by user id) may do something.
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
    ) -> None:
        self._buttons = buttons
        self._channels = channels
        self._background = background
        self._handlers = {**handlers, **prompting}
        self._prompting = frozenset(prompting)
        self._may = may

    async def handle(self, entry: Entry, event: ButtonPressed) -> bool:
        """Do what the button does; False when that made the press a prompt. Raises BridgeError."""
        found = self._buttons.find(event)
        if found is not None and not self._may(event.person.user_id, deed_of_press(found["do"])):
            self._answer(event, NOT_ALLOWED)
            return True
        is_prompting = found is not None and found["do"] in self._prompting
        action = (found if is_prompting else self._buttons.take(event)) or {"do": None}
        handler = self._handlers.get(action["do"] or "")
        press = Press(event, action, entry.key)
        said = "" if handler is not None else _GONE
        try:
            if handler is not None:
                said = await handler(press)
            if is_prompting:
                self._buttons.take(event)
        finally:  # also when it fails: the phone shows a waiting sign until it is answered
            self._answer(event, said)
        return not is_prompting

    def _answer(self, event: ButtonPressed, said: str) -> None:
        channel = self._channels[event.chat.channel]
        self._background.run(channel.answer_press(event.press_id, said))
