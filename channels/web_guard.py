"""Who gets in: every request is checked here before anything is done, and every answer is closed.

* The host must be ours and what changes something must come from the page itself, so that no other
  page can act through the person's browser.
* A key becomes a cookie that scripts can't read. It comes by a post of the page's own: whoever only
  looks at a link (a mail's scanner, a chat's preview) uses up no key.
* A device that was removed is out at once, also with what it is just being given.
* Nothing in an answer may run but the page's own script; nothing is loaded from elsewhere.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

from aiohttp import hdrs, web

from core.devices_file import Device, name_browser
from core.errors import StoreWriteError
from core.flood import FloodBudget, FloodLimit
from core.page_address import is_from_elsewhere, is_ours, is_same_origin, name_of
from devices import Devices

log = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

DEVICE: web.RequestKey[Device] = web.RequestKey("device", Device)

_HEADERS = {
    "Content-Security-Policy": "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' blob:",
            "connect-src 'self'",
            "manifest-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        )
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
_COOKIE_SECONDS = 400 * 86_400  # browsers keep none for longer
_LONGEST_TOKEN = 100
_WRONG_KEYS = (FloodLimit(10, 60, live=10),)
_REQUESTS = (FloodLimit(60, 10, live=60),)
_CHANGING = ("POST", "PUT", "DELETE")
_MOST_BUDGETS = 200


class Guard:
    """Checks requests to the page, which goes by `address`, `port` and `page_url`."""

    def __init__(
        self,
        devices: Devices,
        *,
        address: str,
        port: int,
        page_url: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._devices = devices
        self._page_url = page_url
        self._names = {address.lower(), name_of(page_url)} - {""}
        self._cookie = f"bridge_{port}"
        self._clock = clock
        self._wrong_keys = FloodBudget(_WRONG_KEYS)
        self._budgets: dict[str, FloodBudget] = {}
        self._working: defaultdict[str, set[asyncio.Task[Any]]] = defaultdict(set)

    @web.middleware
    async def check(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """The middleware of all requests."""
        refusal = self._find_refusal(request)
        if refusal is not None:
            log.warning("a request to the page was refused: %s", refusal[1])
            return web.Response(status=refusal[0], text=refusal[1])
        return await handler(request)

    async def close(self, request: web.Request, answer: web.StreamResponse) -> None:
        """Put on every answer what keeps anything in it from acting."""
        for name, value in _HEADERS.items():
            answer.headers.setdefault(name, value)

    def _find_refusal(self, request: web.Request) -> tuple[int, str] | None:
        host = request.headers.get(hdrs.HOST, "")
        if not is_ours(host, self._names):
            text = "This name is not known here. BRIDGE_WEB_URL tells which one the page has."
            return HTTPStatus.MISDIRECTED_REQUEST, text
        is_socket = _is_socket(request)
        if request.method in _CHANGING or is_socket:
            origin = request.headers.get(hdrs.ORIGIN)
            if not is_same_origin(origin, host, self._page_url):
                return HTTPStatus.FORBIDDEN, "This did not come from the page itself."
        is_page = request.headers.get("Sec-Fetch-Mode") == "navigate" and not is_socket
        if not is_page and is_from_elsewhere(request.headers.get("Sec-Fetch-Site")):
            return HTTPStatus.FORBIDDEN, "This did not come from the page itself."
        return None

    def find_device(self, request: web.Request) -> Device | None:
        """The device that the request's cookie belongs to."""
        token = request.cookies.get(self._cookie, "")
        if not token or len(token) > _LONGEST_TOKEN:
            return None
        found = self._devices.find(token)
        if found is not None:
            self._devices.note_seen(found)
        return found

    def guarded(self, handler: Handler) -> Handler:
        """The handler, for devices alone, and none of them too often."""

        async def handle(request: web.Request) -> web.StreamResponse:
            device = self.find_device(request)
            if device is None:
                text = "This browser was not let in, or was removed."
                raise web.HTTPUnauthorized(text=text)
            if request.method in _CHANGING and not self._spend(device):
                raise web.HTTPTooManyRequests(text="That was too much at once; wait a moment.")
            request[DEVICE] = device
            if not _is_socket(request):  # that one is told why it is closed
                self._note_work(device)
            return await handler(request)

        return handle

    def _note_work(self, device: Device) -> None:
        """The request's task ends once its answer was sent, a file to its end."""
        task = asyncio.current_task()
        if task is not None:
            working = self._working[device.id]
            working.add(task)
            task.add_done_callback(working.discard)

    def cut_off(self, device_id: str) -> None:
        """End what is being done for a device, whose connections break."""
        for task in self._working.pop(device_id, ()):
            task.cancel()

    def redeem(self, request: web.Request, key: str) -> str:
        """The cookie for a browser that brings a good key. Raises web.HTTPException."""
        now = self._clock()
        if self._wrong_keys.wait(now) > 0:
            raise web.HTTPTooManyRequests(text="Too many wrong keys; wait a minute.")
        name = name_browser(request.headers.get(hdrs.USER_AGENT, ""))
        try:
            token = self._devices.redeem(key, name)
        except StoreWriteError as error:
            raise web.HTTPServiceUnavailable(text=str(error)) from error
        if token is None:
            self._wrong_keys.spend(now)
            raise web.HTTPUnauthorized(text="This link was used, or is too old.")
        # No Path: a browser takes the page's own folder, also below a prefix of a proxy's.
        is_secure = request.headers.get("X-Forwarded-Proto") == "https" or request.secure
        more = "; Secure" if is_secure else ""
        cookie = f"{self._cookie}={token}; Max-Age={_COOKIE_SECONDS}"
        return f"{cookie}; HttpOnly; SameSite=Strict{more}"

    def _spend(self, device: Device) -> bool:
        """Whether the device may do one thing more now; it is counted then."""
        if len(self._budgets) > _MOST_BUDGETS:
            self._budgets.clear()
        budget, now = self._budgets.setdefault(device.id, FloodBudget(_REQUESTS)), self._clock()
        if budget.wait(now) > 0:
            return False
        budget.spend(now)
        return True


def _is_socket(request: web.Request) -> bool:
    return request.headers.get(hdrs.UPGRADE, "").lower() == "websocket"
