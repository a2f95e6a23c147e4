"""All of the machine's sessions; and a key goes into the screen that the person saw, or nowhere."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from core.errors import BridgeError
from core.model import AT_THE_PAGE, Chat, PaneScreen
from core.redaction import Redactor
from core.session_list import ListedSession
from page_desk import PageDesk

CHAT = Chat("web", AT_THE_PAGE, 1)


class Terminal:
    """What a terminal shows, and what was pressed in it."""

    shown = "ready"

    def __init__(self) -> None:
        self.pressed: list[str] = []

    async def snapshot(self, name: str) -> PaneScreen:
        return PaneScreen(self.shown, 80, 2)

    async def press(self, name: str, *keys: str) -> None:
        self.pressed += keys


async def no_pause(seconds: float) -> None:
    """The terminal is quick."""


def make_desk(terminal: Terminal, *, is_awake: bool = True) -> tuple[PageDesk, list[str]]:
    runner = SimpleNamespace(name="one", is_awake=is_awake)
    book = SimpleNamespace(find_current=lambda chat: SimpleNamespace(session_id="one"))
    sessions: Any = SimpleNamespace(
        terminal=terminal, book=book, find_runner=lambda session_id: runner
    )
    noted: list[str] = []
    desk = PageDesk(
        *(sessions, cast(Any, None), Redactor(["the token"])),
        lambda person, chat, action, result: noted.append(action),
        sleep=no_pause,
    )
    return desk, noted


async def test_every_session_of_the_machine_is_listed_however_many_there_are() -> None:
    count = 250
    listed = [
        ListedSession(
            f"{number:08x}", f"session {number}", "/desk", "main", number + 0.4, 1, "asleep"
        )
        for number in range(count)
    ]
    here = SimpleNamespace(
        session_id=listed[3].session_id, chat_id="0", state={"channel": "web", "topic": 7}
    )
    store = SimpleNamespace(list_sessions=lambda: [here])
    sessions: Any = SimpleNamespace(book=SimpleNamespace(store=store))

    class Listing:
        async def list_machine(self, chat: Chat) -> list[ListedSession]:
            return listed

    desk = PageDesk(sessions, cast(Any, Listing()), None, lambda *noted: None)
    found = await desk.list_sessions()
    assert [one["title"] for one in found] == [f"session {number}" for number in range(count)]
    assert [one["topic"] for one in found[:5]] == [None, None, None, 7, None]


async def test_a_key_is_pressed_only_into_the_screen_that_was_seen() -> None:
    terminal = Terminal()
    desk, noted = make_desk(terminal)
    seen = await desk.look(CHAT)
    assert seen is not None
    terminal.shown = "Do you want to proceed?"
    with pytest.raises(BridgeError, match="has changed"):
        await desk.press(CHAT, ["Enter"], seen.mark)
    assert (terminal.pressed, noted) == ([], [])
    seen = await desk.look(CHAT)
    assert seen is not None
    await desk.press(CHAT, ["1", "Enter"], seen.mark)
    assert (terminal.pressed, noted) == (["1", "Enter"], ["2 keys at the terminal"])


async def test_no_secret_is_shown_and_who_sleeps_gets_no_key() -> None:
    terminal = Terminal()
    terminal.shown = "here is the token"
    shown = await make_desk(terminal)[0].look(CHAT)
    assert shown is not None and "the token" not in str(shown.rows)
    desk, _ = make_desk(terminal, is_awake=False)
    assert await desk.look(CHAT) is None
    with pytest.raises(BridgeError, match="asleep"):
        await desk.press(CHAT, ["Enter"], shown.mark)
