"""presses: every role at every button, what a press leaves behind, and what the audit log says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import pytest

from admission import Admission
from audit import AuditLog
from buttons import Action, Buttons, Press
from core.errors import BridgeError
from core.model import ButtonPressed, Chat, Person
from core.ports import Channel
from core.redaction import Redactor
from core.roles import NOT_ALLOWED, Role, deed_of_press, may
from inbox import Arrival, Entry
from people import People
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
        self.folder = folder
        self.buttons = Buttons(folder)
        self.phone = Phone()
        self.done: list[Action] = []
        self.background = Background()
        self.said: str | Exception = "done"
        self.admission = Admission(
            *(People(folder, allowed_users=(1, 2)), (-1001,)),
            AuditLog(folder, Redactor([]), retention_days=30),
            put=lambda post: None,
            is_session=lambda chat: False,
        )
        self.presses = Presses(
            self.buttons,
            {"telegram": cast(Channel, self.phone)},
            self.background,
            handlers=dict.fromkeys(("key", "person", "forget", "continue"), self.do),
            prompting=dict.fromkeys(("again", "take over"), self.do),
            may=lambda person, deed: may(WHO.get(person), deed),
            note=self.admission.note_action,
        )

    async def do(self, press: Press) -> str:
        self.done.append(press.action)
        if isinstance(self.said, Exception):
            raise self.said
        return self.said

    def issue(self, word: str, person: int | None = None, **facts: object) -> str:
        action: dict[str, Any] = {"do": word, **facts}
        return self.buttons.issue(TEAM, [[("Go", action)]], person=person)[0][0].press

    async def press(self, data: str, person: int, chat: Chat = TEAM) -> bool:
        event = ButtonPressed(chat, Person(person, "Ada"), 1, "id", data, chat.chat_id > 0)
        self.admission.admits(event)
        is_done = await self.presses.handle(ENTRY, event)
        await self.background.finish()
        return is_done

    @property
    def noted(self) -> list[tuple[str, str]]:
        """Action and result of every line of the audit log."""
        lines = (self.folder / "audit.jsonl").read_text().splitlines()
        return [(line["action"], line["result"]) for line in map(json.loads, lines)]


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


# --- the audit log --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "facts", "action"),
    [
        ("forget", {"session": "s1", "post": "p"}, "pressed “forget” (session=s1)"),
        (
            "person",
            {"user": 43, "what": "role", "role": "viewer"},
            "pressed “person” (what=role, user=43, role=viewer)",
        ),
        ("person", {"user": 43, "what": "remove"}, "pressed “person” (what=remove, user=43)"),
        ("key", {"key": "Enter", "screen": "x"}, "pressed “key” (key=Enter)"),
        ("continue", {"session": "s2"}, "pressed “continue” (session=s2)"),
        ("nobody knows it", {}, "pressed “nobody knows it”"),
    ],
)
async def test_a_press_is_one_line_that_says_what_was_done(
    desk: Desk, word: str, facts: dict[str, object], action: str
) -> None:
    desk.said = ""
    await desk.press(desk.issue(word, None, **facts), 1)
    is_known = word != "nobody knows it"
    assert desk.noted == [(action, "done" if is_known else "This button no longer works.")]


async def test_the_line_of_a_press_says_who_when_and_from_where(desk: Desk) -> None:
    await desk.press(desk.issue("take over", pid=7), 1)
    (line,) = map(json.loads, (desk.folder / "audit.jsonl").read_text().splitlines())
    assert line.pop("at")
    assert line == {
        "user": 1,
        "name": "Ada",
        "channel": "telegram",
        "chat": -1001,
        "topic": None,
        "action": "pressed “take over” (pid=7)",
        "result": "done",
    }


async def test_what_gives_claude_a_prompt_is_accepted_and_no_more_is_known_yet(desk: Desk) -> None:
    desk.said = ""
    await desk.press(desk.issue("again"), 1)
    assert desk.noted == [("pressed “again”", "accepted")]


async def test_a_press_that_does_nothing_is_not_said_to_be_accepted(desk: Desk) -> None:
    data = desk.issue("take over", person=1)
    await desk.press("forged", 2)
    await desk.press(data, 2)
    await desk.press(data, 1, Chat("telegram", 1))
    await desk.press(desk.issue("take over"), 2)
    await desk.press(data, 1)
    await desk.press(data, 1)
    foreign = "void: another chat's or person's button"
    assert desk.noted == [
        ("pressed a button", "void: used up, or never issued"),
        ("pressed a button", foreign),
        ("pressed a button", foreign),
        ("pressed “take over”", f"refused: {NOT_ALLOWED}"),
        ("pressed “take over”", "done"),
        ("pressed a button", "void: used up, or never issued"),
    ]


@pytest.mark.parametrize(
    ("error", "result"),
    [(BridgeError("No room."), "failed: No room."), (ValueError("no"), "not finished")],
)
async def test_a_press_whose_deed_fails_is_one_line_too(
    desk: Desk, error: Exception, result: str
) -> None:
    desk.said = error
    with pytest.raises(type(error)):
        await desk.press(desk.issue("key", key="Up"), 1)
    assert desk.noted == [("pressed “key” (key=Up)", result)]
