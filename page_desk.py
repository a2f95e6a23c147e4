"""What the page shows beside its chats: the machine's sessions, and the terminal of one, live.

* A key is pressed only into the screen that the person saw; secrets are masked on it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

from core.errors import BridgeError, StoreError, TerminalError
from core.model import AT_THE_PAGE, Chat, PaneScreen, Person
from core.redaction import Redactor
from core.screen_rows import ShownScreen, read_screen
from core.screen_secrets import mask_screen
from session_book import chat_of
from session_listing import SessionListing
from session_runner import SessionRunner
from sessions import Sessions

_SETTLE_SECONDS = 0.15
_ASLEEP = "Claude is asleep; the next message wakes it."
_CHANGED = "The screen has changed; look again."

Note = Callable[[Person, Chat, str, str], None]


class PageDesk:
    """The desk of `sessions`; `masks` hides secrets, `note` writes the audit log."""

    def __init__(
        self,
        sessions: Sessions,
        listing: SessionListing,
        masks: Redactor | None,
        note: Note,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._sessions = sessions
        self._listing = listing
        self._masks = masks
        self._note = note
        self._sleep = sleep
        self._seen: dict[str, tuple[PaneScreen, ShownScreen]] = {}

    async def list_sessions(self) -> list[dict[str, Any]]:
        """Every session of the machine, the most recently used first."""
        found = await self._listing.list_machine(Chat("web", AT_THE_PAGE))
        places = await asyncio.to_thread(self._read_places)
        return [
            {
                "id": listed.session_id,
                "title": listed.title,
                "directory": listed.directory,
                "branch": listed.branch,
                "seconds": round(listed.seconds),
                "state": listed.state,
                "topic": places.get(listed.session_id),
            }
            for listed in found
        ]

    def _read_places(self) -> dict[str, int]:
        """Which conversation of the page a session is in."""
        chats = {s.session_id: chat_of(s) for s in self._sessions.book.store.list_sessions()}
        return {name: chat.topic or 0 for name, chat in chats.items() if chat.channel == "web"}

    async def look(self, chat: Chat) -> ShownScreen | None:
        """The terminal of the chat's session; None while it has none."""
        runner = self._find(chat)
        if runner is None:
            return None
        try:
            screen = await self._sessions.terminal.snapshot(runner.name)
        except TerminalError:
            return None
        before = self._seen.get(runner.name)
        if before is not None and before[0] == screen:
            return before[1]
        shown = await asyncio.to_thread(self._render, screen)
        self._seen = {runner.name: (screen, shown)}
        return shown

    async def press(self, chat: Chat, keys: Sequence[str], mark: str) -> ShownScreen | None:
        """Press keys into the screen of that mark; returns what it shows then.

        Raises BridgeError.
        """
        runner = self._find(chat)
        if runner is None:
            raise BridgeError(_ASLEEP)
        shown = await self.look(chat)
        if shown is None or shown.mark != mark:
            raise BridgeError(_CHANGED)
        await self._sessions.terminal.press(runner.name, *keys)
        self._note(Person(AT_THE_PAGE), chat, f"{len(keys)} keys at the terminal", "done")
        await self._sleep(_SETTLE_SECONDS)
        return await self.look(chat)

    def _find(self, chat: Chat) -> SessionRunner | None:
        try:
            session = self._sessions.book.find_current(chat)
        except StoreError:
            return None
        runner = self._sessions.find_runner(session.session_id) if session is not None else None
        return runner if runner is not None and runner.is_awake else None

    def _render(self, screen: PaneScreen) -> ShownScreen:
        if self._masks is None:
            return read_screen(screen)
        return read_screen(replace(screen, capture=mask_screen(screen.capture, self._masks)))
