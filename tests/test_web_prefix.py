"""Behind a proxy the page works below a path prefix; the proxy is a plain one of aiohttp."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from playwright.sync_api import BrowserContext, Page, expect

from core.model import Attachment
from tests.standins.loop_thread import LoopThread
from tests.web_rig import WebRig
from tests.web_world import is_ready, message, say

PREFIX = "/desk/claude"


def make_proxy(target: str) -> web.Application:
    """Passes all below the prefix on, with the `Host` that it was asked for."""

    async def pass_on(request: web.Request) -> web.StreamResponse:
        url = f"{target}{request.raw_path.removeprefix(PREFIX + '/')}"
        hop = ("connection", "upgrade", "transfer-encoding", "content-length")
        headers = {k: v for k, v in request.headers.items() if k.lower() not in hop}
        async with aiohttp.ClientSession(auto_decompress=False) as session:
            if request.headers.get("Upgrade", "").lower() == "websocket":
                return await pass_socket(request, session, url, headers)
            async with session.request(
                *(request.method, url),
                headers=headers,
                data=await request.read(),
                allow_redirects=False,
            ) as answer:
                kept = {k: v for k, v in answer.headers.items() if k.lower() not in hop}
                return web.Response(status=answer.status, headers=kept, body=await answer.read())

    async def pass_socket(
        request: web.Request, session: aiohttp.ClientSession, url: str, headers: dict[str, str]
    ) -> web.StreamResponse:
        own = {k: v for k, v in headers.items() if not k.lower().startswith("sec-websocket")}
        front = web.WebSocketResponse()
        await front.prepare(request)
        async with session.ws_connect(url, headers=own) as back:

            async def forward() -> None:
                async for said in back:
                    await front.send_str(said.data)

            forwarding = asyncio.create_task(forward())
            async for said in front:
                await back.send_str(said.data)
            forwarding.cancel()
        return front

    made = web.Application()
    made.router.add_route("*", f"{PREFIX}/{{rest:.*}}", pass_on)
    return made


@pytest.fixture
def proxied(tmp_path: Path) -> Iterator[tuple[WebRig, str]]:
    """A page, and its address behind the proxy."""
    with WebRig(tmp_path) as rig:
        proxy = LoopThread(lambda: make_proxy(rig.url), name="proxy")
        proxy.start()
        yield rig, f"{proxy.url}{PREFIX}/"
        proxy.stop()


def test_below_a_prefix_everything_works_and_the_page_can_be_installed(
    proxied: tuple[WebRig, str], browser_context: BrowserContext
) -> None:
    rig, address = proxied
    page = browser_context.new_page()
    wrong: list[str] = []
    page.on("response", lambda answer: wrong.append(answer.url) if answer.status >= 400 else None)
    page.goto(f"{address}?key={rig.devices.issue_key()}")
    is_ready(page)
    assert page.url == address
    say(page, "hello")
    expect(message(page, "hello")).to_be_visible()
    topic = rig.hear("message")["topic"]
    picture = rig.folder / "a.png"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n")
    rig.show("here", topic=topic, attachments=(Attachment("a.png", str(picture), "photo"),))
    expect(page.locator("article img")).to_have_count(1)
    (cookie,) = browser_context.cookies()
    assert cookie.get("path") == PREFIX
    find_installed(page, address)
    page.close()
    assert wrong == []


def find_installed(page: Page, address: str) -> None:
    """What Chromium makes of it, were it added to a home screen."""
    protocol = page.context.new_cdp_session(page)
    found = protocol.send("Page.getInstallabilityErrors")["installabilityErrors"]
    assert [one["errorId"] for one in found] == ["in-incognito"]  # as every page is in a test
    manifest = protocol.send("Page.getAppManifest")["manifest"]
    assert (manifest["startUrl"], manifest["scope"], manifest["id"]) == (address,) * 3
    assert manifest["display"] == "kStandalone"
    for icon in manifest["icons"]:
        width = page.evaluate(
            """async (address) => {
                const picture = new Image();
                picture.src = address;
                await picture.decode();
                return [picture.naturalWidth, picture.naturalHeight];
            }""",
            icon["url"],
        )
        if icon["type"] == "image/png":
            assert icon["sizes"] == "{}x{}".format(*width)
    assert {"192x192", "512x512"} <= {icon["sizes"] for icon in manifest["icons"]}
