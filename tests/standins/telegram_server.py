"""HTTP in front of the state: an aiohttp server on 127.0.0.1, in a thread with its own loop."""

import asyncio
import json
import time
from typing import Any

from aiohttp import web
from aiohttp.web_request import FileField

import tests.standins.telegram_chat_methods as chat_methods
from tests.standins.loop_thread import LoopThread
from tests.standins.telegram_faults import Fault, Faults, FloodBudget, When
from tests.standins.telegram_methods import METHODS, find_chat_id
from tests.standins.telegram_rules import Params, RefusedError, Upload
from tests.standins.telegram_state import Call, Json, State

CONFLICT = (
    "Conflict: terminated by other getUpdates request;"
    " make sure that only one bot instance is running"
)
_MAX_BODY = 1024 * 1024 * 1024
_MAX_POLL_SECONDS = 50
_TOPIC_METHODS = ("createforumtopic", "editforumtopic", "closeforumtopic", "reopenforumtopic")
_COUNTED_BY_FLOOD_CONTROL = ("send", "editmessage", *_TOPIC_METHODS)
_FREE_OF_FLOOD_CONTROL = ("sendchataction", "sendmessagedraft")


class DroppedError(Exception):
    """The connection is to be closed without an answer."""


class TelegramServer:
    """Serves one bot's API."""

    def __init__(self, state: State, faults: Faults, *, token: str) -> None:
        self.flood: dict[int | None, FloodBudget] = {}
        self._state = state
        self._faults = faults
        self._token = token
        self._thread: LoopThread | None = None
        self._wake = asyncio.Event()
        self._is_stopping = False
        self._polls = 0
        self._port = 0

    @property
    def url(self) -> str:
        """Where it listens; the same after it was stopped and started again."""
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Listens: on a free port, or after a stop on the same one."""
        self._wake = asyncio.Event()
        self._is_stopping = False
        self._thread = LoopThread(self._application, name="telegram-api")
        self._thread.start(self._port)
        self._port = int(self._thread.url.rpartition(":")[2])
        with self._state.changed:
            self._state.listeners.append(self._ring)

    def stop(self) -> None:
        """Ends open requests, closes the port and joins the thread."""
        with self._state.changed:
            if self._thread is None or self._is_stopping:
                return
            self._is_stopping = True
            self._state.notify()
            self._state.listeners.remove(self._ring)
        self._thread.stop()

    def _ring(self) -> None:
        assert self._thread is not None
        self._thread.call(self._wake.set)

    def _application(self) -> web.Application:
        app = web.Application(client_max_size=_MAX_BODY)
        app.router.add_route("*", "/file/bot{token}/{path:.+}", self._download)
        app.router.add_route("*", "/bot{token}/{method}", self._answer)
        app.router.add_route("*", "/{anything:.*}", _answer_not_found)
        return app

    async def _wait_for_change(self, seconds: float | None) -> None:
        """Returns at the next change; spurious returns are allowed, missed changes are not."""
        self._wake.clear()
        if self._is_stopping:
            return
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _download(self, request: web.Request) -> web.StreamResponse:
        with self._state.changed:
            by_path = {chat_methods.file_path(f): f for f in self._state.files.values()}
            stored = by_path.get(request.match_info["path"])
        if request.match_info["token"] != self._token:
            return _refuse(RefusedError(401, "Unauthorized"))
        if stored is None:
            return _refuse(RefusedError(404, "Not Found"))
        call = self._record("file", Params({"path": request.match_info["path"]}))
        try:
            refused = await self._suffer(call, "before")
            if refused is not None:
                return refused
            return await self._serve(request, call, stored.data)
        except RefusedError as refusal:
            return _refuse(refusal)
        except DroppedError:
            if request.transport is not None:
                request.transport.close()
            return web.Response(status=500)

    async def _serve(self, request: web.Request, call: Call, data: bytes) -> web.StreamResponse:
        """A file's content; trouble "after" comes when one half of it has gone."""
        response = web.StreamResponse(headers={"Content-Type": "application/octet-stream"})
        response.content_length = len(data)
        await response.prepare(request)
        half = len(data) // 2
        await response.write(data[:half])
        await self._suffer(call, "after")
        await response.write(data[half:])
        self._finish(call, 200, "", None)
        return response

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        if request.match_info["token"] != self._token:
            return _refuse(RefusedError(401, "Unauthorized"))
        if method.lower() not in METHODS and method.lower() != "getupdates":
            return _refuse(RefusedError(404, "Not Found"))
        refused: RefusedError | None = None
        params = Params({})
        try:
            params = await _read_params(request, upload_limit=self._state.upload_limit)
        except RefusedError as refusal:
            refused = refusal
        call = self._record(method, params)
        try:
            response = await self._live_through(call, params, refused, request)
        except DroppedError:
            self._finish(call, 0, "connection dropped", None)
            if request.transport is not None:
                request.transport.close()
            return web.Response(status=500)
        return response

    def _record(self, method: str, params: Params) -> Call:
        with self._state.changed:
            chat_id = find_chat_id(self._state, params)
            call = Call(method, dict(params.values), time.monotonic(), chat_id)
            self._state.calls.append(call)
            self._state.notify()
        return call

    def _finish(self, call: Call, status: int, description: str, result: Any) -> None:
        with self._state.changed:
            call.status, call.description, call.result = status, description, result
            call.answered_at = time.monotonic()
            self._state.notify()

    async def _live_through(
        self, call: Call, params: Params, refused: RefusedError | None, request: web.Request
    ) -> web.StreamResponse:
        """The call's whole life, from trouble before it to trouble after it."""
        try:
            early = await self._suffer(call, "before")
            if early is not None:
                return early
            if refused is not None:
                raise refused
            if call.method.lower() == "getupdates":
                result: Any = await self._get_updates(call, params, request)
            else:
                result = self._perform(call, params)
            late = await self._suffer(call, "after")
        except RefusedError as refusal:
            self._finish(call, refusal.status, refusal.description, None)
            return _refuse(refusal)
        if late is not None:
            return late
        self._finish(call, 200, "", result)
        return _respond(200, {"ok": True, "result": result})

    async def _suffer(self, call: Call, when: When) -> web.StreamResponse | None:
        """Lets the faults that are on order have the call; an answer if they gave one."""
        with self._state.changed:
            faults = self._faults.take(call.method, call.chat_id, when)
            if faults:
                self._state.changed.notify_all()
        for fault in faults:
            if fault.kind == "drop":
                raise DroppedError
            if fault.kind == "fail":
                return self._fail(call, fault)
            await self._linger(fault)
        return None

    def _fail(self, call: Call, fault: Fault) -> web.StreamResponse:
        if fault.body is None:
            raise RefusedError(fault.status, fault.description, fault.parameters)
        self._finish(call, fault.status, fault.description, None)
        return web.Response(status=fault.status, text=fault.body, content_type="text/html")

    async def _linger(self, fault: Fault) -> None:
        until = time.monotonic() + fault.seconds
        while not fault.is_over and not self._is_stopping:
            left = until - time.monotonic() if fault.kind == "delay" else None
            if left is not None and left <= 0:
                return
            await self._wait_for_change(left)

    def _perform(self, call: Call, params: Params) -> Any:
        with self._state.changed:
            if call.method.lower().startswith(_COUNTED_BY_FLOOD_CONTROL):
                self._spend(call, params)
            result = METHODS[call.method.lower()](self._state, params)
            self._state.notify()
        return result

    def _spend(self, call: Call, params: Params) -> None:
        if call.method.lower() in _FREE_OF_FLOOD_CONTROL or call.chat_id is None:
            return
        budget = self.flood.get(call.chat_id)
        if budget is None and (shared := self.flood.get(None)) is not None:
            budget = FloodBudget(shared.messages, shared.seconds)
            self.flood[call.chat_id] = budget
        if budget is not None:
            album = params.value("media", "") if call.method.lower() == "sendmediagroup" else [1]
            budget.spend(time.monotonic(), len(album) if isinstance(album, list) else 1)

    async def _get_updates(self, call: Call, params: Params, request: web.Request) -> list[Any]:
        limit = params.integer("limit")
        limit = limit if 1 <= limit <= 100 else 100
        seconds = max(0, min(params.integer("timeout"), _MAX_POLL_SECONDS))
        until = time.monotonic() + seconds
        with self._state.changed:
            self._polls += 1
            mine = self._polls
            self._set_allowed_updates(params)
            self._state.updates.forget(params.integer("offset"))
            self._state.notify()
        while True:
            with self._state.changed:
                if mine != self._polls:
                    raise RefusedError(409, CONFLICT)
                if request.transport is None or request.transport.is_closing():
                    raise DroppedError
                updates = self._state.updates.take(limit)
            left = until - time.monotonic()
            if updates or left <= 0 or self._is_stopping:
                return updates
            await self._wait_for_change(left)
            await self._suffer_while_polling(call)

    async def _suffer_while_polling(self, call: Call) -> None:
        """A conflict or a cut line ends an open long poll too."""
        with self._state.changed:
            fault = self._faults.take_for_open_poll(call.method)
        if fault is not None and fault.kind == "drop":
            raise DroppedError
        if fault is not None:
            raise RefusedError(fault.status, fault.description, fault.parameters)

    def _set_allowed_updates(self, params: Params) -> None:
        allowed = params.value("allowed_updates", "can't parse allowed updates JSON object")
        if allowed is None:
            return
        if not isinstance(allowed, list):
            raise RefusedError(400, "Bad Request: expected an Array of strings as allowed updates")
        self._state.updates.allow(frozenset(str(kind) for kind in allowed))


async def _read_params(request: web.Request, *, upload_limit: int) -> Params:
    values: Json = dict(request.query)
    if request.content_type == "application/json":
        try:
            body = json.loads(await request.read() or b"{}")
        except ValueError as error:
            raise RefusedError(400, "Bad Request: can't parse JSON object") from error
        if not isinstance(body, dict):
            raise RefusedError(400, "Bad Request: expected a JSON object")
        return Params(values | body)
    for name, value in (await request.post()).items():
        if isinstance(value, FileField):
            data = await asyncio.to_thread(value.file.read)
            if len(data) > upload_limit:
                raise RefusedError(413, "Request Entity Too Large")
            values[name] = Upload(value.filename, data, value.content_type)
        else:
            values[name] = value
    return Params(values)


def _respond(status: int, body: Json) -> web.Response:
    return web.Response(
        status=status, text=json.dumps(body, ensure_ascii=False), content_type="application/json"
    )


def _refuse(refusal: RefusedError) -> web.Response:
    body: Json = {
        "ok": False,
        "error_code": refusal.status,
        "description": refusal.description,
    }
    return _respond(
        refusal.status, body | ({"parameters": refusal.parameters} if refusal.parameters else {})
    )


async def _answer_not_found(request: web.Request) -> web.StreamResponse:
    return _refuse(RefusedError(404, "Not Found"))
