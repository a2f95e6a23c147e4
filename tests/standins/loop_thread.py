"""An aiohttp application on a loopback port, served from an event loop in a thread of its own."""

from __future__ import annotations

import asyncio
import gc
import threading
import warnings
from collections.abc import Callable

from aiohttp import web


class LoopThread:
    """Serves `application()` on 127.0.0.1 between `start()` and `stop()`."""

    def __init__(self, application: Callable[[], web.Application], *, name: str) -> None:
        self._application = application
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=name, daemon=True)
        self._runner: web.AppRunner | None = None
        self._port = 0

    @property
    def url(self) -> str:
        """Where it listens, without a trailing slash."""
        return f"http://127.0.0.1:{self._port}"

    def start(self, port: int = 0) -> None:
        """Listen; port 0 takes a free one."""
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(port), self._loop).result(10)

    def stop(self) -> None:
        """Close the port, drop what is open, end the thread."""
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()
        # asyncio forgets a connection that comes in while it closes: open, it would keep its client
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            gc.collect()

    def call(self, function: Callable[[], object]) -> None:
        """Run `function` in the server's loop."""
        self._loop.call_soon_threadsafe(function)

    async def _listen(self, port: int) -> None:
        self._runner = web.AppRunner(self._application(), shutdown_timeout=0.2)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port)
        await site.start()
        assert site._server is not None
        sockets = site._server.sockets  # type: ignore[attr-defined]
        self._port = sockets[0].getsockname()[1]

    async def _close(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
