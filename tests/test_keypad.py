"""keypad: what stands above the screen of a dialog."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from buttons import Buttons
from core.claude_code import DIALOGS
from core.model import Chat, Post
from keypad import Keypad
from session import SessionStore
from session_book import SessionBook

DIALOG_SCREENS = json.loads((Path(__file__).parent / "fixtures" / "dialogs.json").read_text())
ADVICE = {dialog.name: dialog.advice for dialog in DIALOGS}
WHY = "Claude Code asks something before it starts."


class Rig:
    """A terminal that shows one screen for a while, and then no dialog any more."""

    def __init__(self, folder: Path, screen: str) -> None:
        (folder / "bridge").mkdir()
        self.book = SessionBook(SessionStore(folder / "store"))
        session = self.book.create(Chat("telegram", 42), folder)
        self.screen = screen
        self.told: list[str] = []
        self.posts: list[Post] = []
        self.runner = SimpleNamespace(
            name="c", session_id=session.session_id, process=None, pane_pid=1, is_blind=True
        )
        self.runner.is_awake = True
        sessions = SimpleNamespace(
            book=self.book,
            terminal=SimpleNamespace(capture=self._capture),
            tell=lambda session, key, text: self.told.append(text),
        )
        outbox = SimpleNamespace(put=self._put, find_message=lambda key: None)
        self.keypad = Keypad(
            cast(Any, sessions), cast(Any, outbox), Buttons(folder / "bridge"), sleep=self._sleep
        )

    async def show(self, reason: str) -> None:
        self.keypad.notice(cast(Any, self.runner), reason)
        async with asyncio.timeout(10):
            await asyncio.gather(*self.keypad._tasks.values())

    async def _capture(self, name: str) -> str:
        return self.screen

    async def _sleep(self, seconds: float) -> None:
        self.runner.is_awake = not self.posts

    def _put(self, post: Post) -> None:
        self.posts.append(post)


async def test_above_a_dialog_stands_why_it_is_there_and_what_to_do_about_it(
    tmp_path: Path,
) -> None:
    rig = Rig(tmp_path, "Claude Code\n\n Select login method:\n\n ❯ 1. Claude account")
    await rig.show(WHY)
    assert rig.told == [f"{WHY} {ADVICE['login']}"]
    assert "/login" in rig.told[0]
    assert [post.style for post in rig.posts] == ["screen", "screen"]


async def test_a_first_run_is_told_as_such_also_where_no_reason_is_known(tmp_path: Path) -> None:
    rig = Rig(tmp_path, DIALOG_SCREENS["2.1.50"]["theme"])
    await rig.show("")
    assert rig.told == [ADVICE["theme"]]


@pytest.mark.parametrize("name", ["permission", "model"])
async def test_a_dialog_that_says_all_itself_stands_alone(name: str, tmp_path: Path) -> None:
    rig = Rig(tmp_path, DIALOG_SCREENS["2.1.330"][name])
    await rig.show("")
    assert rig.told == [] and rig.posts


@pytest.mark.parametrize("version", DIALOG_SCREENS)
async def test_a_folder_that_is_not_trusted_yet_is_told_as_such(
    version: str, tmp_path: Path
) -> None:
    rig = Rig(tmp_path, DIALOG_SCREENS[version]["trust"])
    await rig.show(WHY)
    assert rig.told == [f"{WHY} {ADVICE['trust']}"]
