"""The terminals that open pages look at: shown anew whenever they have changed."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import msgspec

from channels.web_incoming import chat_of
from channels.web_live import OpenPage
from core.ports import Desk
from core.screen_rows import ShownScreen

log = logging.getLogger(__name__)

_LOOK_SECONDS = 0.4


class WatchedTerminals:
    """Which page looks at the terminal of which topic; the screens are those of `desk`."""

    def __init__(self) -> None:
        self.desk: Desk | None = None
        self._watched: dict[OpenPage, int] = {}
        self._shown: dict[OpenPage, ShownScreen | None] = {}
        self._stir = asyncio.Event()

    def hear(self, page: OpenPage, said: dict[str, Any]) -> None:
        """The page says which terminal it looks at from now on: `{"watch": topic or null}`."""
        topic = said.get("watch")
        self.forget(page)
        if type(topic) is int and topic >= 0:
            self._watched[page] = topic
            self._stir.set()

    def forget(self, page: OpenPage) -> None:
        """The page looks at none any more."""
        self._watched.pop(page, None)
        self._shown.pop(page, None)

    async def run(self) -> None:
        """Show what has changed, as long as anybody looks, until cancelled."""
        while True:
            self._stir.clear()
            if not self._watched:
                await self._stir.wait()
            for topic in set(self._watched.values()):
                try:
                    await self._show(topic)
                except Exception:
                    log.exception("a terminal could not be shown at the page")
            await asyncio.sleep(_LOOK_SECONDS)

    async def _show(self, topic: int) -> None:
        screen = await self.desk.look(chat_of(topic)) if self.desk is not None else None
        for page, watched in list(self._watched.items()):
            if watched == topic and (page not in self._shown or self._shown[page] != screen):
                self._shown[page] = screen
                page.tell("screen", describe(topic, screen))


def describe(topic: int, screen: ShownScreen | None) -> dict[str, Any]:
    """The screen as the page gets it; of a run, what is empty at the end is left out."""
    made: dict[str, Any] = {"type": "screen", "topic": topic}
    if screen is None:
        return made
    rows = [
        [[run.text, run.foreground, run.background, run.flags] for run in row]
        for row in screen.rows
    ]
    more = {"columns": screen.columns, "cursor": screen.cursor, "mark": screen.mark}
    return {**made, "rows": msgspec.to_builtins(rows), **more}
