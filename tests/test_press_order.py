"""presses: a button is used up once, and no press is forgotten, whatever fails in between."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from buttons import Buttons, Press
from core.errors import StoreWriteError
from core.model import ButtonPressed, Chat, Person
from inbox import Arrival, Entry
from presses import Presses

CHAT = Chat("telegram", 7)


class Rig:
    """Two buttons, one of which gives Claude a prompt; `fails` makes what they do fail once."""

    def __init__(self, folder: Path) -> None:
        self.done: list[str] = []
        self.fails = False
        self.said: list[str] = []
        self.noted: list[str] = []
        self.buttons = Buttons(folder)
        channel = SimpleNamespace(answer_press=lambda press_id, text: text)
        self.presses = Presses(
            self.buttons,
            {CHAT.channel: cast(Any, channel)},
            cast(Any, SimpleNamespace(run=self.said.append)),
            handlers={"show": self.do},
            prompting={"ask": self.do},
            may=lambda user, deed: True,
            note=lambda person, chat, action, result: self.noted.append(result),
        )

    async def do(self, press: Press) -> str:
        if self.fails:
            self.fails = False
            raise StoreWriteError("There is no room.")
        self.done.append(press.action["do"])
        return "Done."

    def issue(self, word: str) -> str:
        return self.buttons.issue(CHAT, [[(word, {"do": word})]])[0][0].press

    async def press(self, data: str, user: int = 1) -> bool:
        event = ButtonPressed(CHAT, Person(user), 1, "p", data)
        return await self.presses.handle(Entry(Arrival("k", "telegram", {})), event)


@pytest.mark.parametrize("word", ["show", "ask"])
async def test_a_button_works_once(tmp_path: Path, word: str) -> None:
    rig = Rig(tmp_path)
    data = rig.issue(word)
    assert await rig.press(data) == (word == "show")
    assert await rig.press(data)
    assert rig.done == [word]
    assert rig.said == ["Done.", "This button no longer works."]


async def test_a_press_whose_prompt_could_not_be_noted_can_be_handled_again(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    data = rig.issue("ask")
    rig.fails = True
    with pytest.raises(StoreWriteError):
        await rig.press(data)
    assert not await rig.press(data)
    assert rig.done == ["ask"]


async def test_a_button_of_another_person_does_nothing_and_stays(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    data = rig.buttons.issue(CHAT, [[("x", {"do": "ask"})]], person=1)[0][0].press
    assert await rig.press(data, user=2)
    assert not await rig.press(data, user=1)
    assert rig.done == ["ask"]
