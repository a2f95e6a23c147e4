"""The page's channel with nobody behind it: a test shows posts and hears what is done."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self, TypeVar

from channels.web import WebChannel
from core.commands import TABLE
from core.config import Config
from core.model import AT_THE_PAGE, Button, Chat, Post
from core.screen_rows import Run, ShownScreen
from devices import Devices
from tests.web_world import free_port
from tests.world import wait_until

Value = TypeVar("Value")


class WebRig:
    """A page at a port of its own; `heard` are the updates that were taken."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.port = free_port()
        self.folder = folder
        self.config = Config(state_dir=folder, web=True, web_port=self.port, **settings)
        self.devices = Devices(self.config.bridge_dir)
        self.heard: list[tuple[str, dict[str, Any]]] = []
        self.number = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._task: asyncio.Task[None] | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        self.do(self._begin)
        return self

    def __exit__(self, *_: object) -> None:
        self.do(self._end)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://127.0.0.1:{self.port}/"

    def link(self) -> str:
        """A link that lets a browser in."""
        return f"{self.url}?key={self.devices.issue_key()}"

    def do(self, work: Callable[[], Any]) -> Any:
        """Run it, with the channel, in its loop."""

        async def run() -> Any:
            result = work()
            return await result if asyncio.iscoroutine(result) else result

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(30)

    def wait(self, is_true: Callable[[], bool]) -> None:
        """Until that is so; the page goes on meanwhile."""
        wait_until(is_true, "what the page does")

    def equip(self, *sessions: dict[str, Any]) -> RigDesk:
        """Put a desk with those sessions beside the chats."""
        desk = RigDesk(*sessions)
        self.do(lambda: self.channel.equip(desk))
        return desk

    def hear(self, kind: str) -> dict[str, Any]:
        """The one update of that kind, once it was taken."""
        self.wait(lambda: any(raw["kind"] == kind for _, raw in self.heard))
        (found,) = [raw for _, raw in self.heard if raw["kind"] == kind]
        return found

    def show(self, text: str, *, topic: int | None = None, **more: Any) -> int:
        """Show a post; returns the message's id."""
        self.number += 1
        chat = Chat("web", AT_THE_PAGE, topic)
        post = Post(more.pop("key", f"post {self.number}"), chat, text, **more)
        (piece,) = self.channel.split(post)
        return int(self.do(lambda: self.channel.send(piece)))

    def change(self, message_id: int, text: str, *, topic: int | None = None, **more: Any) -> None:
        """Give a message another content."""
        self.number += 1
        post = Post(f"edit {self.number}", Chat("web", AT_THE_PAGE, topic), text, **more)
        (piece,) = self.channel.split(post)
        self.do(lambda: self.channel.edit(piece, message_id))

    def make_topic(self, name: str) -> int:
        """A new conversation."""
        chat = self.do(lambda: self.channel.forum.create_topic(Chat("web", AT_THE_PAGE), name))
        return int(chat.topic)

    async def _begin(self) -> None:
        self.channel = WebChannel(self.config, self.devices, redact=str)
        await self.channel.start([entry for entry in TABLE if entry.is_in_menu])
        self._task = asyncio.create_task(self.channel.receive(self.heard.extend))

    async def _end(self) -> None:
        if self._task is not None:
            self._task.cancel()
        await self.channel.stop()


class RigDesk:
    """A desk whose sessions and screen the test decides; `pressed` has the keys that came."""

    def __init__(self, *sessions: dict[str, Any]) -> None:
        self.sessions = list(sessions)
        self.rows: tuple[tuple[Run, ...], ...] = ((Run("ready"),),)
        self.pressed: list[str] = []

    async def list_sessions(self) -> list[dict[str, Any]]:
        return self.sessions

    async def look(self, chat: Chat) -> ShownScreen | None:
        return ShownScreen(self.rows, 80, (0, 0), "as it is")

    async def press(self, chat: Chat, keys: Sequence[str], mark: str) -> ShownScreen | None:
        self.pressed += keys
        return await self.look(chat)


def machine_session(number: int, title: str, **more: Any) -> dict[str, Any]:
    """A session of the machine that is in no conversation of the page, unless `more` says so."""
    return {
        "id": f"{number:08x}",
        "title": title,
        "directory": "/home/ada/desk",
        "branch": "main",
        "seconds": 4000,
        "state": "asleep",
        "topic": None,
        **more,
    }


def keys(*rows: str) -> tuple[tuple[Button, ...], ...]:
    """Buttons, whose labels are given in rows, parted by bars."""
    return tuple(tuple(Button(label, f"press {label}") for label in row.split("|")) for row in rows)
