"""The open pages: each is told what has changed since it last heard, and what only happens now.

* A page has a socket, and says which change it knows. It is sent what came after it; after a break
  it goes on from there, so that nothing is missed and nothing is shown twice.
* What only happens now (somebody types, a press was answered, the terminal) is sent to who is
  there, and kept for nobody; of what has a name, only the newest counts.
* A page that was told nothing for a while is told that, so that it notices when its line is dead.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import msgspec
from aiohttp import WSMsgType, web

from channels.web_store import WebStore
from core.errors import StoreError

log = logging.getLogger(__name__)

_MOST_WAITING = 200
_HEARTBEAT_SECONDS = 25.0
_SEND_SECONDS = 20.0
_QUIET_SECONDS = 20.0

Heard = Callable[["OpenPage", dict[str, Any]], None]


class OpenPage:
    """One socket; `device` is the id of the browser that it belongs to."""

    def __init__(
        self, socket: web.WebSocketResponse, device: str, since: int, quiet_seconds: float
    ) -> None:
        self.socket = socket
        self.device = device
        self._since = since
        self._quiet_seconds = quiet_seconds
        self._signs: dict[str, dict[str, Any]] = {}
        self._stir = asyncio.Event()

    def tell(self, name: str, sign: dict[str, Any]) -> None:
        """Send this, in place of what waits under the same name."""
        if len(self._signs) < _MOST_WAITING or name in self._signs:
            self._signs[name] = sign
        self._stir.set()

    def stir(self) -> None:
        """There are changes."""
        self._stir.set()

    async def run(self, store: WebStore) -> None:
        """Send until the socket is closed."""
        while not self.socket.closed:
            self._stir.clear()
            changes = store.read_changes(self._since)
            if changes.upto != self._since or not changes.is_whole:
                await self._send({"type": "changes", **msgspec.structs.asdict(changes)})
                self._since = changes.upto
            signs, self._signs = self._signs, {}
            for sign in signs.values():
                await self._send(sign)
            with suppress(TimeoutError):
                async with asyncio.timeout(self._quiet_seconds):
                    await self._stir.wait()
            if not self._stir.is_set():
                await self._send({"type": "quiet"})

    async def _send(self, value: dict[str, Any]) -> None:
        async with asyncio.timeout(_SEND_SECONDS):
            await self.socket.send_str(msgspec.json.encode(value).decode())


class OpenPages:
    """All pages that are open; `on_heard` is told what one of them says."""

    def __init__(self, store: WebStore, *, quiet_seconds: float = _QUIET_SECONDS) -> None:
        self._store = store
        self._quiet_seconds = quiet_seconds
        self._pages: set[OpenPage] = set()
        self.on_heard: Heard = lambda page, said: None
        self.on_closed: Callable[[OpenPage], None] = lambda page: None
        store.on_change = self._stir

    def __len__(self) -> int:
        return len(self._pages)

    def tell(self, name: str, sign: dict[str, Any]) -> None:
        """Send what happens now to every page."""
        for page in self._pages:
            page.tell(name, sign)

    async def serve(self, request: web.Request, device: str, since: int) -> web.WebSocketResponse:
        """Serve one page until it goes."""
        socket = web.WebSocketResponse(heartbeat=_HEARTBEAT_SECONDS, max_msg_size=1 << 16)
        await socket.prepare(request)
        page = OpenPage(socket, device, since, self._quiet_seconds)
        self._pages.add(page)
        sending = asyncio.create_task(self._send(page))
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT and page in self._pages:
                    self._hear(page, message.data)
        finally:
            self._leave(page)
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
        return socket

    async def close(self, is_meant: Callable[[OpenPage], bool] = lambda page: True) -> None:
        """Close the sockets of those pages."""
        meant = [page for page in self._pages if is_meant(page)]
        for page in meant:
            self._leave(page)
        await asyncio.gather(*(page.socket.close(code=4001, message=b"closed") for page in meant))

    def _leave(self, page: OpenPage) -> None:
        """It is told nothing more."""
        self._pages.discard(page)
        self.on_closed(page)

    def _stir(self) -> None:
        for page in self._pages:
            page.stir()

    async def _send(self, page: OpenPage) -> None:
        try:
            await page.run(self._store)
        except (ConnectionError, TimeoutError, StoreError) as error:
            log.info("a page is let go: %s", error)
        finally:
            await page.socket.close()

    def _hear(self, page: OpenPage, text: str) -> None:
        try:
            said = msgspec.json.decode(text, type=dict[str, Any])
        except msgspec.DecodeError:
            return
        self.on_heard(page, said)
