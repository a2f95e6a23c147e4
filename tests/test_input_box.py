"""input_box: room for a prompt, also where Claude Code takes its time with a key."""

from __future__ import annotations

from typing import Any, cast

import pytest

from core.screen import read_input_box
from input_box import look_for_room


class SlowBox:
    """A terminal whose Claude Code takes up a key only some looks after it was pressed."""

    def __init__(self, text: str, slowness: int, *, takes_many: bool = True) -> None:
        self.text, self.stash = text, ""
        self._takes_many = takes_many
        self.keys: list[str] = []
        self._slowness = slowness
        self._waiting: list[tuple[int, str]] = []
        self._looks = 0

    async def press(self, name: str, *keys: str) -> None:
        self.keys += keys
        taken = keys if self._takes_many or len(keys) == 1 else ()
        self._waiting += [(self._looks + self._slowness, key) for key in taken]

    async def capture(self, name: str, *, colours: bool) -> str:
        self._looks += 1
        while self._waiting and self._waiting[0][0] <= self._looks:
            self._take(self._waiting.pop(0)[1])
        rule = "─" * 40
        return f"{rule}\n❯\xa0{self.text}\n{rule}\n  ? for shortcuts\n"

    def _take(self, key: str) -> None:
        if key == "C-s":
            self.text, self.stash = self.stash, self.text
        elif key == "C-u":
            self.text = ""


async def no_pause(seconds: float) -> None:
    pass


async def make_room(box: SlowBox, own: list[str]) -> None:
    while not await look_for_room(cast(Any, box), "c", own, sleep=no_pause):
        pass


@pytest.mark.parametrize("slowness", [0, 1, 2, 5, 30])
async def test_a_draft_is_stashed_once_however_slow_claude_is(slowness: int) -> None:
    box = SlowBox("half a thought", slowness)
    assert read_input_box(await box.capture("c", colours=True)) == "half a thought"
    await make_room(box, [])
    assert (box.text, box.stash, box.keys) == ("", "half a thought", ["C-s"])


@pytest.mark.parametrize("slowness", [0, 3])
async def test_the_rest_of_a_text_of_ours_is_cleared(slowness: int) -> None:
    box = SlowBox("the whole th", slowness)
    await make_room(box, ["the whole thing"])
    assert (box.text, box.stash) == ("", "")
    assert set(box.keys) == {"C-u"}


@pytest.mark.parametrize("slowness", [0, 3])
async def test_a_claude_that_takes_no_notice_of_many_keys_at_once_is_given_one(
    slowness: int,
) -> None:
    box = SlowBox("the whole th", slowness, takes_many=False)
    await make_room(box, ["the whole thing"])
    assert box.text == "" and box.stash == ""
