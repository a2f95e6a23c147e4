"""A page's channel that listens, and what a browser asks it over HTTP."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import aiohttp

from channels.web import WebChannel
from core.config import Config
from core.errors import StoreWriteError
from core.model import (
    AT_THE_PAGE,
    Chat,
    Post,
)
from devices import Devices
from tests.web_world import free_port

ROOT = Chat("web", AT_THE_PAGE)
KEY = "key-of-the-page-"


class Site:
    """A channel that listens, and what was taken from it."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.port = free_port()
        self.config = Config(
            state_dir=folder, web=True, web_port=self.port, upload_megabytes=1, **settings
        )
        self.devices = Devices(self.config.bridge_dir)
        self.channel = WebChannel(
            self.config, self.devices, redact=lambda text: text.replace("secret", "[masked]")
        )
        self.taken: list[tuple[str, dict[str, Any]]] = []
        self.refuses = False
        self.receiving: asyncio.Task[None] | None = None

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def url(self, path: str) -> str:
        return f"{self.origin}/{path}"

    def take(self, updates: list[tuple[str, dict[str, Any]]]) -> None:
        if self.refuses:
            raise StoreWriteError("the disk is full")
        self.taken += updates

    def receive(self) -> None:
        self.receiving = asyncio.create_task(self.channel.receive(self.take))

    async def show(self, text: str, chat: Chat = ROOT, key: str = "", **more: Any) -> int:
        (piece,) = self.channel.split(Post(key or text, chat, text, **more))
        return await self.channel.send(piece)

    async def stop(self) -> None:
        if self.receiving is not None:
            self.receiving.cancel()
        await self.channel.stop()


async def enter(browser: aiohttp.ClientSession, site: Site, key: str) -> int:
    """Bring a key, as the page does when it was opened by a link; returns the status."""
    headers = {"Origin": site.origin}
    async with browser.post(site.url("enter"), json={"key": key}, headers=headers) as answer:
        return answer.status


async def send(
    browser: aiohttp.ClientSession, site: Site, what: str = "send", **body: Any
) -> tuple[int, Any]:
    async with browser.post(site.url(f"api/{what}"), json=body) as answer:
        return answer.status, await (answer.json() if answer.status == 200 else answer.text())


async def history(
    browser: aiohttp.ClientSession, site: Site, topic: int = 0, **query: int
) -> dict[str, Any]:
    words = {"topic": topic, **query}
    async with browser.get(site.url("api/history"), params=words) as answer:
        found: dict[str, Any] = await answer.json()
        return found


async def until(is_true: Any) -> None:
    async with asyncio.timeout(10):
        while not is_true():  # noqa: ASYNC110 - what gives no sign of its own
            await asyncio.sleep(0.005)  # a bounded look, not a wait for time to pass
