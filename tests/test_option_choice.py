"""Choosing an option of a dialog that takes its keys when it comes to them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from option_choice import choose_option
from tests.test_screen import RULE

LABELS = ("No, exit", "Yes, I trust this folder", "Ask me later")


class Dialog:
    """A dialog without numbers; each key is taken so many looks after it was pressed.

    Something in it blinks, as a spinner does. A delay of None is a key that is lost.
    """

    def __init__(self, *delays: int | None) -> None:
        self.pressed: list[str] = []
        self.chosen: list[str] = []
        self._delays = list(delays)
        self._coming: list[tuple[int, str]] = []
        self._marked = 0
        self._looks = 0

    async def capture(self, name: str) -> str:
        self._looks += 1
        while self._coming and self._coming[0][0] <= self._looks:
            self._take(self._coming.pop(0)[1])
        if self.chosen:
            return "done"
        lines = [f" {'❯' if n == self._marked else ' '} {label}" for n, label in enumerate(LABELS)]
        blink = "." * (self._looks % 2)
        return "\n".join(
            [RULE, f" Accessing{blink}", "", *lines, "", " Enter to confirm · Esc to cancel"]
        )

    async def press(self, name: str, *keys: str) -> None:
        for key in keys:
            self.pressed.append(key)
            delay = self._delays.pop(0) if self._delays else 0
            if delay is not None:
                behind = self._coming[-1][0] if self._coming else 0
                self._coming.append((max(behind, self._looks + delay), key))

    async def finish(self) -> None:
        """All that was pressed is taken."""
        while self._coming:
            await self.capture("")

    def _take(self, key: str) -> None:
        step = {"Down": 1, "Up": -1}.get(key, 0)
        self._marked = (self._marked + step) % len(LABELS)
        if key == "Enter" and not self.chosen:
            self.chosen.append(LABELS[self._marked])


async def pause(seconds: float) -> None:
    """No time passes."""


async def choose(dialog: Dialog, label: str) -> str:
    said = await choose_option(dialog, "", None, label, looks=10, sleep=pause)
    await dialog.finish()
    return said


async def test_each_key_is_pressed_once_however_late_it_is_seen() -> None:
    dialog = Dialog(8, 0, 9)
    assert await choose(dialog, "Ask me later") == ""
    assert (dialog.pressed, dialog.chosen) == (["Down", "Down", "Enter"], ["Ask me later"])


async def test_a_key_that_nothing_is_seen_of_is_not_pressed_again() -> None:
    dialog = Dialog(None)
    assert "nothing of that yet" in await choose(dialog, "Ask me later")
    assert (dialog.pressed, dialog.chosen) == (["Down"], [])


async def test_an_option_that_is_not_there_is_left_to_the_keys() -> None:
    dialog = Dialog()
    assert "use the keys" in await choose(dialog, "Another")
    assert dialog.pressed == []


@given(st.lists(st.one_of(st.none(), st.integers(0, 40)), max_size=4), st.sampled_from(LABELS))
async def test_no_delay_and_no_loss_leads_to_another_option(
    delays: list[int | None], label: str
) -> None:
    dialog = Dialog(*delays)
    said = await choose(dialog, label)
    assert dialog.chosen in ([], [label])
    if said == "":
        assert dialog.chosen == [label] or None in delays
