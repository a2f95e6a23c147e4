"""The terminal in the chat: a picture of it, made afresh at a press, with keys to press in it.

* A key is pressed only into the screen that the person saw: when it has changed meanwhile, the new
  one is shown first.
* A picture that can't be drawn is replaced by the screen's text; secrets are masked in both.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path

from buttons import Action, Buttons, Press, PressHandler
from core.errors import PictureError
from core.model import Attachment, Chat, Keyboard, PaneScreen, Post
from core.screen import render_screen
from durable import replace_file
from outbox import Outbox
from screen_picture import ScreenPictures
from session_runner import SessionRunner
from sessions import Sessions
from terminal import Terminal

_KEYS = (
    (("1", "1"), ("2", "2"), ("3", "3"), ("4", "4"), ("5", "5")),
    (("↑", "Up"), ("↓", "Down"), ("←", "Left"), ("→", "Right")),
    (("Enter ⏎", "Enter"), ("Tab", "Tab"), ("⇧Tab", "BTab"), ("Esc", "Escape")),
)
_KEPT = 30
_SETTLE_SECONDS = 0.4
_GONE = "That terminal is gone. The next message wakes the session."


class ScreenView:
    """Shows the terminals of `sessions`; its pictures wait in `folder` until they are sent."""

    def __init__(
        self,
        sessions: Sessions,
        outbox: Outbox,
        buttons: Buttons,
        pictures: ScreenPictures,
        folder: Path,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.presses: dict[str, PressHandler] = {
            "screen": self._refresh,
            "screen file": self._send_file,
            "screen key": self._press_key,
        }
        self._sessions = sessions
        self._outbox = outbox
        self._buttons = buttons
        self._pictures = pictures
        self._folder = folder
        self._sleep = sleep

    async def show(self, chat: Chat, runner: SessionRunner, person: int) -> None:
        """Show the runner's terminal in a message of its own. Raises BridgeError."""
        key = f"screen:{uuid.uuid4()}"
        await self._put(chat, runner, person, key, is_edit=False)

    async def _refresh(self, press: Press) -> str:
        runner = self._find(press.action)
        if runner is None:
            return _GONE
        await self._put_again(press, runner)
        return ""

    async def _send_file(self, press: Press) -> str:
        """The picture as a file, which no phone makes smaller."""
        runner = self._find(press.action)
        if runner is None:
            return _GONE
        screen = await self._terminal.snapshot(runner.name)
        path = await asyncio.to_thread(self._keep, await self._pictures.draw(screen))
        attachment = Attachment("screen.png", str(path))
        key = f"screen file:{uuid.uuid4()}"
        self._outbox.put(Post(key, press.event.chat, "", silent=True, attachments=(attachment,)))
        await self._put_again(press, runner)
        return ""

    async def _press_key(self, press: Press) -> str:
        runner = self._find(press.action)
        if runner is None:
            return _GONE
        said = ""
        screen = await self._terminal.snapshot(runner.name)
        if _identify(screen) == press.action["screen"]:
            await self._terminal.press(runner.name, press.action["key"])
            await self._sleep(_SETTLE_SECONDS)
        else:
            said = "The screen has changed; look again."
        await self._put_again(press, runner)
        return said

    async def _put_again(self, press: Press, runner: SessionRunner) -> None:
        person = press.event.person.user_id
        await self._put(press.event.chat, runner, person, press.action["post"], is_edit=True)

    async def _put(
        self, chat: Chat, runner: SessionRunner, person: int, key: str, *, is_edit: bool
    ) -> None:
        screen = await self._terminal.snapshot(runner.name)
        keyboard = self._issue(chat, runner, person, key, screen)
        own_key, edited = (f"{key}:{uuid.uuid4()}", key) if is_edit else (key, None)
        try:
            picture = await self._pictures.draw(screen)
            path = await asyncio.to_thread(self._keep, picture)
        except PictureError as error:
            text = f"{render_screen(screen.capture)}\n\n({error})"
            post = Post(own_key, chat, text, "screen", keyboard, silent=True, edits=edited)
        else:
            shown = (Attachment("screen.png", str(path), "photo"),)
            post = Post(
                own_key, chat, "", "notice", keyboard, silent=True, edits=edited, attachments=shown
            )
        self._outbox.put(post)

    def _issue(
        self, chat: Chat, runner: SessionRunner, person: int, key: str, screen: PaneScreen
    ) -> Keyboard:
        base: Action = {"terminal": runner.name, "session": runner.session_id, "post": key}
        pressed = {**base, "do": "screen key", "screen": _identify(screen)}
        rows: list[list[tuple[str, Action]]] = [
            [(label, {**pressed, "key": name}) for label, name in row] for row in _KEYS
        ]
        rows.append(
            [
                ("🔄 Refresh", {**base, "do": "screen"}),
                ("Full size", {**base, "do": "screen file"}),
            ]
        )
        return self._buttons.issue(chat, rows, person=person)

    def _find(self, action: Action) -> SessionRunner | None:
        runners = (r for r in self._sessions.runners if r.name == action["terminal"])
        runner = next(runners, None)
        return runner if runner is not None and runner.is_awake else None

    def _keep(self, picture: bytes) -> Path:
        """A file of its own for the picture; old ones go."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        path = self._folder / f"{uuid.uuid4()}.png"
        replace_file(path, picture)
        known = sorted(self._folder.glob("*.png"), key=lambda found: found.stat().st_mtime_ns)
        for old in known[:-_KEPT]:
            old.unlink(missing_ok=True)
        return path.resolve()

    @property
    def _terminal(self) -> Terminal:
        return self._sessions.terminal


def _identify(screen: PaneScreen) -> str:
    """What makes a screen another for who presses a key: its words, not what blinks or counts."""
    words = render_screen(screen.capture)
    return "".join(c for c in words if c.isalpha() or c in "❯☐✔")[-400:]
