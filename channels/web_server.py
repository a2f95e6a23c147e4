"""The page's server: its files, its history, its socket, and what is done at it.

* All addresses are relative to the page's own, so that it works below a path prefix.
* Its own files are for everybody, as they tell nothing: who comes by a link on another site is
  known only once the page itself asks.
* What is done carries a key that the page made: sent again, it is done once.
* A file is given out to be saved, and a picture to be shown; neither can run.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, unquote

import msgspec
from aiohttp import web

from channels.web_body import make_own_body
from channels.web_files import WebFiles, describe, is_picture
from channels.web_guard import DEVICE, Guard, Handler
from channels.web_incoming import (
    EditRequest,
    EnterRequest,
    KeysRequest,
    PressRequest,
    RemoveRequest,
    SendRequest,
    chat_of,
    make_update,
    name_topic,
)
from channels.web_live import OpenPages
from channels.web_sessions import pick_sessions
from channels.web_store import ROOT, KeptFile, Message, Taken, WebStore
from channels.web_terminal import describe as describe_screen
from core.errors import BridgeError, FileTooBigError, StoreError, StoreWriteError
from core.ports import Desk

log = logging.getLogger(__name__)

PAGE = Path(__file__).resolve().parent / "web_page"

_JSON_BYTES = 1 << 20
_MOST_MESSAGES = 200
_MOST_FOUND = 50
_MOST_SESSIONS = 50
_TYPES = {
    ".html": "text/html",
    ".js": "text/javascript",
    ".css": "text/css",
    ".webmanifest": "application/manifest+json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
}
_SANDBOX = "default-src 'none'; sandbox; frame-ancestors 'none'"

Request = TypeVar("Request")


class WebServer:
    """What the page asks for and what is done at it, kept in `store` and `files`."""

    def __init__(
        self,
        store: WebStore,
        files: WebFiles,
        pages: OpenPages,
        guard: Guard,
        *,
        upload_bytes: int,
        redact: Callable[[str], str],
        clock: Callable[[], float],
    ) -> None:
        self._store = store
        self._files = files
        self._pages = pages
        self._guard = guard
        self._upload_bytes = upload_bytes
        self._redact = redact
        self._clock = clock
        self.menu: list[tuple[str, str]] = []
        self.desk: Desk | None = None
        self.menus: dict[int, list[tuple[str, str]]] = {}

    def make_application(self) -> web.Application:
        """The application, with all its addresses."""
        made = web.Application(middlewares=[self._guard.check], client_max_size=_JSON_BYTES)
        made.on_response_prepare.append(self._guard.close)
        made.router.add_get("/", _give_own(PAGE / "index.html"), allow_head=False)
        for path in sorted(PAGE.iterdir()):
            if path.suffix in _TYPES and path.name != "index.html":
                made.router.add_get(f"/{path.name}", _give_own(path))
        made.router.add_post("/enter", _told(self._enter))
        self._add(made, "GET", "/api/state", self._state)
        self._add(made, "GET", "/api/history", self._history)
        self._add(made, "GET", "/api/search", self._search)
        self._add(made, "GET", "/api/live", self._live)
        self._add(made, "GET", "/files/{id}/{name}", self._file)
        self._add(made, "GET", "/api/sessions", self._sessions)
        self._add(made, "POST", "/api/keys", self._keys)
        self._add(made, "POST", "/api/send", self._send)
        self._add(made, "POST", "/api/edit", self._edit)
        self._add(made, "POST", "/api/press", self._press)
        self._add(made, "POST", "/api/files", self._upload)
        self._add(made, "POST", "/api/remove", self._remove)
        return made

    def _add(self, made: web.Application, method: str, path: str, handler: Handler) -> None:
        made.router.add_route(method, path, self._guard.guarded(_told(handler)))

    # --- getting in -----------------------------------------------------------------------------

    async def _enter(self, request: web.Request) -> web.StreamResponse:
        """A browser brings the key of its link; one that was let in before needs none."""
        sent = await _read(request, EnterRequest)
        answer = _json({})
        if self._guard.find_device(request) is None:
            answer.headers.add("Set-Cookie", self._guard.redeem(request, sent.key))
        return answer

    # --- reading --------------------------------------------------------------------------------

    async def _state(self, request: web.Request) -> web.StreamResponse:
        """What the page begins with."""
        topics = self._store.read_topics()
        return _json(
            {
                "upto": self._store.upto,
                "newest": self._store.newest,
                "topics": topics,
                "has_root": bool(self._store.read_page(ROOT, None, 1)),
                "menu": self.menu,
                "menus": self.menus,
                "device": request[DEVICE].name,
                "upload_bytes": self._upload_bytes,
            }
        )

    async def _history(self, request: web.Request) -> web.StreamResponse:
        """A page of a topic's messages: the last ones, or those `before` or `after` one.

        `has_more`: whether it goes on there; with `after` that is towards the newest.
        """
        topic, most = _number(request, "topic", 0), _number(request, "most", 50)
        most = max(1, min(most, _MOST_MESSAGES))
        if "after" in request.query:
            found = self._store.read_on(topic, _number(request, "after", 0), most + 1)
            return _json({"messages": found[:most], "has_more": len(found) > most})
        before = _number(request, "before", 0) or None
        found = self._store.read_page(topic, before, most + 1)
        return _json({"messages": found[-most:], "has_more": len(found) > most})

    async def _search(self, request: web.Request) -> web.StreamResponse:
        """The messages that hold some words."""
        words = request.query.get("words", "").strip()[:200]
        search = self._store.find_words
        found = await asyncio.to_thread(search, words, _MOST_FOUND) if words else []
        return _json({"messages": found})

    async def _sessions(self, request: web.Request) -> web.StreamResponse:
        """The sessions of the machine, as many and of such names as the page asks for."""
        found = await self.desk.list_sessions() if self.desk is not None else []
        words = request.query.get("words", "").strip()[:200]
        most = max(0, _number(request, "most", _MOST_SESSIONS))
        return _json(pick_sessions(found, words, most))

    async def _live(self, request: web.Request) -> web.StreamResponse:
        """The socket."""
        device = request[DEVICE]
        return await self._pages.serve(request, device.id, _number(request, "since", 0))

    async def _file(self, request: web.Request) -> web.StreamResponse:
        """A file, to be saved; a picture also to be shown."""
        file = self._store.find_file(request.match_info["id"])
        if file is None or not self._files.path_of(file).is_file():
            raise web.HTTPNotFound(text="This file is not there.")
        is_shown = is_picture(file) and "save" not in request.query
        kind = "inline" if is_shown else "attachment"
        headers = {
            "Content-Type": file.type if is_shown else "application/octet-stream",
            "Content-Disposition": f"{kind}; filename*=UTF-8''{quote(file.name, safe='')}",
            "Content-Security-Policy": _SANDBOX,
            "Cache-Control": "private, max-age=31536000, immutable",
        }
        return web.FileResponse(self._files.path_of(file), headers=headers)

    # --- doing ----------------------------------------------------------------------------------

    async def _send(self, request: web.Request) -> web.StreamResponse:
        """A message of the person's."""
        sent = await _read(request, SendRequest)
        files = [self._find_file(file_id) for file_id in sent.files]
        if not sent.text.strip() and not files:
            raise web.HTTPBadRequest(text="There is nothing in this message.")
        if sent.topic and self._store.find_topic(sent.topic) is None:
            raise web.HTTPNotFound(text="This conversation is not there.")
        shown, name = self._redact(sent.text), ""
        more: dict[str, Any] = {"text": sent.text, "files": files, "reply_to": sent.reply_to}
        more["at"] = self._clock()
        if sent.topic is None:
            more["topic_name"] = name = name_topic(shown, files)
        taken = self._store.take_message(
            sent.key,
            sent.topic,
            make_own_body(sent.key, shown, files, sent.reply_to),
            shown,
            lambda taken: make_update("message", taken, **more),
            topic_name=name,
        )
        return _json(taken)

    async def _edit(self, request: web.Request) -> web.StreamResponse:
        """Another text for a message of the person's."""
        sent = await _read(request, EditRequest)
        message = self._find_message(sent.message)
        body = msgspec.json.decode(message.body)
        if not message.is_mine or body.get("files") or not sent.text.strip():
            raise web.HTTPBadRequest(text="This message can't be changed.")
        shown = self._redact(sent.text)
        taken = Taken(message.id, message.topic)
        raw = make_update("edit", taken, text=sent.text)
        edited = make_own_body(*(body.get("key", ""), shown, [], body.get("reply")), is_edited=True)
        return _json(self._store.take_update(sent.key, taken, raw, edit=(edited, shown)))

    async def _press(self, request: web.Request) -> web.StreamResponse:
        """A press on a button."""
        sent = await _read(request, PressRequest)
        message = self._find_message(sent.message)
        taken = Taken(message.id, message.topic)
        raw = make_update("press", taken, press=sent.press, press_key=sent.key)
        return _json(self._store.take_update(sent.key, taken, raw))

    async def _keys(self, request: web.Request) -> web.StreamResponse:
        """Keys at a terminal; returns what it shows then."""
        sent = await _read(request, KeysRequest)
        if self.desk is None:
            raise web.HTTPNotFound(text="There is no terminal.")
        try:
            screen = await self.desk.press(chat_of(sent.topic), sent.keys, sent.mark)
        except BridgeError as error:
            raise web.HTTPConflict(text=str(error)) from error
        return _json(describe_screen(sent.topic, screen))

    async def _remove(self, request: web.Request) -> web.StreamResponse:
        """A conversation, deleted for good; its session stays."""
        sent = await _read(request, RemoveRequest)
        if self._store.find_topic(sent.topic) is not None:
            self._files.remove(self._store.remove_topic(sent.topic))
        return _json({})

    async def _upload(self, request: web.Request) -> web.StreamResponse:
        """A file, to be sent with a message later."""
        size = request.content_length
        if size is not None and size > self._upload_bytes:
            limit = self._upload_bytes >> 20
            raise web.HTTPRequestEntityTooLarge(
                self._upload_bytes, size, text=f"This file is too big: I take {limit} MB at most."
            )
        name = unquote(request.headers.get("X-File-Name", ""))[:300]
        try:
            file = await self._files.take(name, _parts(request), self._upload_bytes)
        except FileTooBigError as error:
            raise web.HTTPRequestEntityTooLarge(self._upload_bytes, 0, text=str(error)) from error
        return _json(describe(file))

    def _find_file(self, file_id: str) -> KeptFile:
        file = self._store.find_file(file_id)
        if file is None:
            raise web.HTTPNotFound(text="A file of this message is not there; add it again.")
        return file

    def _find_message(self, message_id: int) -> Message:
        message = self._store.find_message(message_id)
        if message is None:
            raise web.HTTPNotFound(text="This message is not there any more.")
        return message


def _told(handler: Handler) -> Handler:
    """The handler; what the disk refuses is told to the page, which tries again."""

    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except StoreWriteError as error:
            raise web.HTTPServiceUnavailable(text=str(error)) from error
        except StoreError as error:
            log.error("%s", error)
            raise web.HTTPInternalServerError(text=str(error)) from error

    return handle


def _give_own(path: Path) -> Handler:
    async def give(request: web.Request) -> web.StreamResponse:
        return _own(path)

    return give


def _own(path: Path) -> web.Response:
    """A file of the page's own, which a browser looks for anew each time."""
    headers = {"Content-Type": f"{_TYPES[path.suffix]}; charset=utf-8", "Cache-Control": "no-cache"}
    return web.Response(body=path.read_bytes(), headers=headers)


def _json(value: Any) -> web.Response:
    headers = {"Content-Type": "application/json", "Cache-Control": "no-store"}
    return web.Response(body=msgspec.json.encode(value), headers=headers)


async def _read(request: web.Request, kind: type[Request]) -> Request:
    """Raises web.HTTPException."""
    if request.content_type != "application/json":
        raise web.HTTPUnsupportedMediaType(text="The page sends JSON.")
    try:
        return msgspec.json.decode(await request.read(), type=kind)
    except msgspec.DecodeError as error:
        raise web.HTTPBadRequest(text=f"This is no request of the page: {error}.") from error


def _number(request: web.Request, name: str, default: int) -> int:
    text = request.query.get(name, "")
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or len(text) > 15:
        raise web.HTTPBadRequest(text=f"{name} is no number.")
    return int(text)


async def _parts(request: web.Request) -> AsyncIterator[bytes]:
    async for part in request.content.iter_chunked(1 << 18):
        yield part
