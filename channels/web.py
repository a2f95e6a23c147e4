"""The page in a browser as a channel; it is its own chat service, so nothing is ever in doubt.

* What is to be shown is kept first (channels/web_store.py) and told to the open pages then; what
  people do is kept there too, until it was taken.
* There is one person, who sits at the page; a conversation is a topic of theirs.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from aiohttp import web

from channels.web_body import keep_files, make_body
from channels.web_files import WebFiles
from channels.web_guard import Guard
from channels.web_incoming import NAME, chat_of, parse_update, read_place, topic_of
from channels.web_live import OpenPages
from channels.web_server import WebServer
from channels.web_store import ROOT, Body, WebStore
from channels.web_terminal import WatchedTerminals
from core.commands import MenuEntry
from core.config import Config
from core.errors import (
    ChannelRefusedError,
    NotSentError,
    StoreError,
    TopicGoneError,
)
from core.flood import FloodLimit
from core.model import Chat, Incoming, Piece, Place, Post, RemoteFile, Sign
from core.page_address import make_link
from core.ports import Desk, Forum, TakeUpdates
from devices import Devices

log = logging.getLogger(__name__)

_LIMITS = (FloodLimit(200, 1, live=8),)
_RETRY_SECONDS = 5.0
_MOST_TRIES = 6
_SHUTDOWN_SECONDS = 2.0


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except StoreError as error:
        raise NotSentError(str(error)) from error


def _plain(text: str) -> Body:
    return make_body(Post("", chat_of(ROOT), text), (), (), ())


class WebForum:
    """The topics of the page."""

    has_private_topics = True

    def __init__(self, store: WebStore) -> None:
        self._store = store

    def read_place(self, raw: dict[str, Any]) -> Place | None:
        """What this update tells of the place it comes from."""
        return read_place(raw)

    async def create_topic(self, chat: Chat, name: str) -> Chat:
        """Make a topic; returns it."""
        with _translated():
            return chat_of(self._store.create_topic(name))

    async def rename_topic(self, topic: Chat, name: str) -> None:
        """Give a topic a name. Raises TopicGoneError."""
        self._change(topic, name=name)

    async def close_topic(self, topic: Chat) -> None:
        """Close a topic. Raises TopicGoneError."""
        self._change(topic, closed=True)

    async def reopen_topic(self, topic: Chat) -> None:
        """Open a closed topic again. Raises TopicGoneError."""
        self._change(topic, closed=False)

    def _change(self, topic: Chat, *, name: str | None = None, closed: bool | None = None) -> None:
        with _translated():
            is_there = self._store.change_topic(topic_of(topic), name=name, closed=closed)
        if not is_there:
            raise TopicGoneError("The page has no such conversation.")


class WebChannel:
    """The page at the address of the settings, for `devices`; `redact` masks what is kept."""

    name = NAME
    bot_name = "claude"
    sends_once = True
    cuts_texts = False
    silence = 0.0

    def __init__(
        self,
        config: Config,
        devices: Devices,
        *,
        redact: Callable[[str], str],
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._address = (config.web_address, config.web_port)
        self._link = make_link(config.web_address, config.web_port, config.web_url)
        self._sleep = sleep
        folder = config.bridge_dir / "web"
        self._store = WebStore(folder, clock=clock)
        self._files = WebFiles(folder / "files", self._store)
        self._pages = OpenPages(self._store)
        self._guard = Guard(
            devices,
            address=config.web_address,
            port=config.web_port,
            page_url=config.web_url,
        )
        self._server = WebServer(
            *(self._store, self._files, self._pages, self._guard),
            upload_bytes=int(config.upload_megabytes * (1 << 20)),
            redact=redact,
            clock=clock,
        )
        self._terminals = WatchedTerminals()
        self._pages.on_heard = self._terminals.hear
        self._pages.on_closed = self._terminals.forget
        self._runner: web.AppRunner | None = None
        self._arrived = asyncio.Event()
        self._store.on_update = self._arrived.set
        self._closing: set[asyncio.Task[None]] = set()
        devices.on_removed = self._shut_out
        self.forum: Forum = WebForum(self._store)
        if self._store.set_aside:
            text = (
                "What this page showed was damaged and is gone from here; your sessions are as "
                f"they were. It is kept as {self._store.set_aside}."
            )
            self._store.post(f"damaged {self._store.set_aside}", ROOT, _plain(text), text)

    async def start(self, menu: Sequence[MenuEntry]) -> None:
        """Listen, waiting a while if the address is taken. Raises ChannelRefusedError."""
        self._server.menu = [(entry.name, entry.description) for entry in menu]
        application = self._server.make_application()
        self._runner = web.AppRunner(
            application, access_log=None, shutdown_timeout=_SHUTDOWN_SECONDS
        )
        await self._runner.setup()
        host, port = self._address
        for number in range(_MOST_TRIES):
            if number:
                await self._sleep(_RETRY_SECONDS)
            try:
                await web.TCPSite(self._runner, host, port).start()
                return
            except OSError as error:
                reason = error.strerror
                log.warning("the page can't listen at %s, port %d: %s", host, port, reason)
        await self._runner.cleanup()
        raise ChannelRefusedError(
            f"The page can't listen at {host}, port {port}: {reason}. End the program that has the "
            "port, or give the page another one: BRIDGE_WEB_PORT=8428 ./install.sh --web."
        )

    async def set_menu(self, chat: Chat, menu: Sequence[tuple[str, str]]) -> bool:
        """Offer these commands in that conversation."""
        topic = topic_of(chat)
        self._server.menus[topic] = list(menu)
        self._pages.tell(f"menu {topic}", {"type": "menu", "topic": topic, "menu": list(menu)})
        return True

    async def receive(self, take: TakeUpdates) -> None:
        """Hand what people did to `take` until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._terminals.run())
            tasks.create_task(self._hand_over(take))

    async def _hand_over(self, take: TakeUpdates) -> None:
        while True:
            self._arrived.clear()
            try:
                while updates := self._store.read_updates():
                    take([(key, raw) for _, key, raw in updates])
                    self._store.forget_updates([number for number, _, _ in updates])
                await self._arrived.wait()
            except StoreError as error:
                log.error("What came from the page waits until it can be kept: %s", error)
                await self._sleep(_RETRY_SECONDS)

    async def stop(self) -> None:
        """Close the sockets and the address."""
        await self._pages.close()
        if self._runner is not None:
            await self._runner.cleanup()
        self._store.close()

    def _shut_out(self, device_id: str) -> None:
        """Close all that a device which was removed has open."""
        self._guard.cut_off(device_id)
        task = asyncio.create_task(self._pages.close(lambda page: page.device == device_id))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    def equip(self, desk: Desk) -> None:
        """Show this beside the chats."""
        self._terminals.desk = self._server.desk = desk

    def link_to(self, chat: Chat) -> str:
        """The link that opens that conversation in a browser that was let in."""
        return f"{self._link}#t{topic_of(chat)}"

    def make_invitation(self, code: str) -> str | None:
        """Nobody is invited to the page: it is its owner's."""
        return None

    def parse(self, raw: dict[str, Any]) -> Incoming | None:
        """What a person did in this update."""
        return parse_update(raw)

    def flood_limits(self, chat_id: int | None) -> Sequence[FloodLimit]:
        """As much as is pleasant to look at."""
        return _LIMITS

    def split(self, post: Post) -> list[Piece]:
        """A message of the page holds any post."""
        return [Piece(post, post.text, keyboard=post.keyboard, files=post.attachments)]

    async def send(self, piece: Piece) -> int:
        """Show it, once for each key of a post; returns the message's id."""
        with _translated():
            known = self._store.find_post(piece.post.key)
            if known is not None:
                return known
            topic = topic_of(piece.post.chat)
            if topic != ROOT and self._store.find_topic(topic) is None:
                raise TopicGoneError("This conversation was deleted at the page.")
            body = await self._make_body(piece)
            return self._store.post(piece.post.key, topic, body, piece.post.text)

    async def edit(self, piece: Piece, message_id: int) -> None:
        """Make it the content of a message."""
        with _translated():
            before = self._store.find_message(message_id)
            body = await self._make_body(piece)
            if before is not None and not piece.files:
                body = keep_files(body, before.body)
            self._store.edit(message_id, body, piece.post.text)

    async def _make_body(self, piece: Piece) -> Body:
        files, troubles = await self._files.keep(piece.files)
        return await asyncio.to_thread(make_body, piece.post, piece.keyboard, files, troubles)

    async def delete(self, chat: Chat, message_id: int) -> None:
        """Take a message away."""
        with _translated():
            self._store.delete(message_id)

    async def react(self, chat: Chat, message_id: int, sign: Sign) -> None:
        """Put a sign on a message."""
        with _translated():
            self._store.sign(message_id, sign)

    async def download(self, file: RemoteFile, target: Path, limit_bytes: int) -> None:
        """Put a file that was sent at `target`."""
        await self._files.fetch(file.file_id, target, limit_bytes)

    async def show_typing(self, chat: Chat) -> None:
        """Show that an answer is being written."""
        topic = topic_of(chat)
        self._pages.tell(f"typing {topic}", {"type": "typing", "topic": topic})

    async def answer_press(self, press_id: str, text: str = "") -> None:
        """Tell the page that its press was handled."""
        sign = {"type": "pressed", "key": press_id, "text": text}
        self._pages.tell(f"pressed {press_id}", sign)
