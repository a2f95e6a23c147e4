"""presses: every role at every button, and a press that may not be leaves the button as it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from buttons import Action, Buttons, Press
from core.model import ButtonPressed, Chat, Person
from core.ports import Channel
from core.roles import Role, deed_of_press, may
from inbox import Arrival, Entry
from presses import Presses
from pulse import Background

TEAM = Chat("telegram", -1001)
WHO: dict[int, Role] = {1: "owner", 2: "member", 3: "viewer"}
ENTRY = Entry(Arrival("key", "telegram", {}))


class Phone:
    """Takes the answers to presses."""

    def __init__(self) -> None:
        self.said: list[str] = []

    async def answer_press(self, press_id: str, text: str = "") -> None:
        self.said.append(text)


class Desk:
    """Buttons with two kinds of actions: one for everybody who may press, one for owners."""

    def __init__(self, folder: Path) -> None:
        self.buttons = Buttons(folder)
        self.phone = Phone()
        self.done: list[Action] = []
        self.background = Background()
        self.presses = Presses(
            self.buttons,
            {"telegram": cast(Channel, self.phone)},
            self.background,
            handlers={"key": self.do, "person": self.do},
            prompting={"again": self.do},
            may=lambda person, deed: may(WHO.get(person), deed),
        )

    async def do(self, press: Press) -> str:
        self.done.append(press.action)
        return "done"

    def issue(self, word: str, person: int | None = None) -> str:
        action: dict[str, Any] = {"do": word}
        return self.buttons.issue(TEAM, [[("Go", action)]], person=person)[0][0].press

    async def press(self, data: str, person: int, chat: Chat = TEAM) -> bool:
        event = ButtonPressed(chat, Person(person), 1, "id", data, is_private=False)
        is_done = await self.presses.handle(ENTRY, event)
        await self.background.finish()
        return is_done


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.mark.parametrize("word", ["key", "person", "again"])
@pytest.mark.parametrize("person", [1, 2, 3, 666])
async def test_a_press_does_what_the_role_allows_and_nothing_else(
    desk: Desk, person: int, word: str
) -> None:
    data = desk.issue(word)
    is_done = await desk.press(data, person)
    is_allowed = may(WHO.get(person), deed_of_press(word))
    assert desk.done == ([{"do": word}] if is_allowed else [])
    assert is_done is not (is_allowed and word == "again")
    assert desk.phone.said == (["done"] if is_allowed else ["Only the owner may do that."])
    assert desk.buttons.knows(data) is not is_allowed


async def test_a_refused_press_leaves_the_button_to_who_may(desk: Desk) -> None:
    data = desk.issue("person")
    await desk.press(data, 2)
    await desk.press(data, 1)
    assert desk.done == [{"do": "person"}]
    await desk.press(data, 1)  # a replay
    assert desk.done == [{"do": "person"}]
    assert desk.phone.said[-1] == "This button no longer works."


@pytest.mark.parametrize("person", [2, 3, 666])
async def test_another_persons_button_or_chat_or_a_forged_one_does_nothing(
    desk: Desk, person: int
) -> None:
    data = desk.issue("key", person=1)
    await desk.press(data, person)
    await desk.press(data, 1, Chat("telegram", person))
    await desk.press("forged", person)
    assert desk.done == [] and desk.buttons.knows(data)
