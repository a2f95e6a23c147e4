"""Who gets into the page over real HTTP, and what other pages can do through its browser."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest

from channels.web_server import PAGE
from core.model import Attachment, Chat
from core.screen_rows import ShownScreen
from tests.web_site import KEY, Site, enter, history, send, until

pytest_plugins = ["tests.standins.web_fixtures"]

# --- where it listens --------------------------------------------------------------------------


async def test_it_listens_at_this_machines_own_address_alone(site: Site) -> None:
    """As it does unless the settings name another."""
    assert site.channel._runner is not None
    assert site.channel._runner.addresses == [("127.0.0.1", site.port)]


# --- getting in --------------------------------------------------------------------------------


async def test_a_key_lets_in_one_browser_once(site: Site, stranger: aiohttp.ClientSession) -> None:
    url, body = site.url("enter"), {"key": site.devices.issue_key()}
    headers = {"Origin": site.origin}
    async with stranger.post(url, json=body, headers=headers) as answer:
        cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly; SameSite=Strict" in cookie
    assert "Path" not in cookie  # the page's own folder, whatever prefix it has
    async with stranger.get(site.url("api/state")) as answer:
        assert answer.status == 200
    other = aiohttp.ClientSession(headers=headers)
    async with other, other.post(url, json=body) as answer:
        assert answer.status == 401
        assert "Set-Cookie" not in answer.headers
    assert [device.name for device in site.devices.everybody()] == ["A browser"]


@pytest.mark.parametrize(("scheme", "is_secure"), [("https", True), ("http", False)])
async def test_behind_https_the_cookie_goes_over_https_alone(
    site: Site, scheme: str, is_secure: bool
) -> None:
    headers = {"Origin": site.origin, "X-Forwarded-Proto": scheme}
    body = {"key": site.devices.issue_key()}
    async with (
        aiohttp.ClientSession(headers=headers) as proxied,
        proxied.post(site.url("enter"), json=body) as answer,
    ):
        assert ("Secure" in answer.headers["Set-Cookie"].split("; ")) == is_secure


async def test_a_key_is_not_used_up_by_looking_at_the_link_nor_by_who_is_in(
    site: Site, stranger: aiohttp.ClientSession, browser: aiohttp.ClientSession
) -> None:
    key = site.devices.issue_key()
    async with stranger.get(site.url(f"?key={key}")) as answer:  # a mail's scanner
        assert (answer.status, "Set-Cookie" in answer.headers) == (200, False)
    assert await enter(browser, site, key) == 200
    assert len(site.devices.everybody()) == 1
    assert await enter(stranger, site, key) == 200


async def test_another_page_lets_no_browser_in(site: Site, stranger: aiohttp.ClientSession) -> None:
    body = {"key": site.devices.issue_key()}
    for origin in ("", "null", "http://evil.example"):
        headers = {"Origin": origin} if origin else None
        async with stranger.post(site.url("enter"), json=body, headers=headers) as answer:
            assert answer.status == 403
    assert site.devices.everybody() == ()


async def test_on_the_disk_there_is_neither_a_key_nor_a_cookie(
    site: Site, stranger: aiohttp.ClientSession
) -> None:
    unused, key = site.devices.issue_key(), site.devices.issue_key()
    await enter(stranger, site, key)
    (token,) = [cookie.value for cookie in stranger.cookie_jar]
    path = site.config.bridge_dir / "devices.json"
    kept = path.read_text()
    assert all(secret not in kept for secret in (unused, key, token))
    files = [p for p in site.config.bridge_dir.rglob("*") if p.is_file()]
    assert {p.stat().st_mode & 0o077 for p in files} == {0}


def routes_of(site: Site) -> list[tuple[str, str]]:
    """Each address that tells or does something: all but the page's own files, and /enter."""
    assert site.channel._runner is not None
    found = {
        (route.method, re.sub(r"\{\w+\}", "x", route.resource.canonical))
        for route in site.channel._runner.app.router.routes()
        if route.resource is not None and route.method != "HEAD"
    }
    return sorted(found - {("POST", "/enter"), *(("GET", path) for path in own_files())})


def own_files() -> set[str]:
    """The addresses that are for everybody."""
    return {"/", *(f"/{path.name}" for path in PAGE.iterdir())}


async def test_who_was_not_let_in_gets_nothing(site: Site, stranger: aiohttp.ClientSession) -> None:
    routes = routes_of(site)
    assert {("GET", "/api/state"), ("GET", "/files/x/x"), ("POST", "/api/send")} <= {*routes}
    for method, path in routes:
        headers = {"Origin": site.origin}
        async with stranger.request(method, site.origin + path, headers=headers) as answer:
            assert (answer.status, path) == (401, path)
    assert site.taken == []


async def test_wrong_keys_are_tried_ten_times_a_minute_at_most(
    site: Site, stranger: aiohttp.ClientSession
) -> None:
    statuses = [await enter(stranger, site, f"wrong{number}") for number in range(12)]
    assert statuses == [401] * 10 + [429] * 2
    assert await enter(stranger, site, site.devices.issue_key()) == 429


async def test_a_device_that_is_removed_is_out_at_once_with_all_that_it_has_open(
    site: Site, browser: aiohttp.ClientSession, tmp_path: Path
) -> None:
    big = tmp_path / "big"
    with big.open("wb") as file:
        file.truncate(100 << 20)
    await site.show("here", attachments=(Attachment("big", str(big)),))
    (shown,) = (await history(browser, site))["messages"]
    looked: list[Chat] = []
    site.channel.equip(Watched(looked))
    live = site.url("api/live?since=0")
    file_url = site.url(f"files/{shown['body']['files'][0]['id']}/big")
    async with browser.ws_connect(live) as one, browser.ws_connect(live) as other:
        await one.send_json({"watch": 0})
        await until(lambda: looked)
        async with browser.get(file_url) as download:
            await download.content.readexactly(1)
            (device,) = site.devices.everybody()
            assert site.devices.remove(device.id)
            with pytest.raises(aiohttp.ClientPayloadError):
                await download.read()
        for socket in (one, other):
            async with asyncio.timeout(30):
                while (said := await socket.receive()).type is not aiohttp.WSMsgType.CLOSE:
                    pass
            assert said.data == 4001
    assert site.channel._terminals._watched == {}
    assert (await send(browser, site, key=KEY, text="hello"))[0] == 401
    assert site.taken == []


class Watched:
    """A desk whose terminals are empty; `looked` has who looked at one."""

    def __init__(self, looked: list[Chat]) -> None:
        self._looked = looked

    async def list_sessions(self) -> list[dict[str, Any]]:
        return []

    async def look(self, chat: Chat) -> ShownScreen | None:
        self._looked.append(chat)
        return None

    async def press(self, chat: Chat, keys: Sequence[str], mark: str) -> ShownScreen | None:
        return None


# --- other pages -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "null"},
        {},
        {"Origin": "", "Sec-Fetch-Site": "same-site"},
    ],
)
async def test_another_page_can_do_nothing_through_the_browser(
    site: Site, browser: aiohttp.ClientSession, headers: dict[str, str]
) -> None:
    cookies = {c.key: c.value for c in browser.cookie_jar}
    async with aiohttp.ClientSession(cookies=cookies, headers=headers) as other:
        body = {"key": KEY, "text": "hello"}
        async with other.post(site.url("api/send"), json=body) as answer:
            assert answer.status == 403
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await other.ws_connect(site.url("api/live?since=0"))
        assert refused.value.status == 403
    assert site.taken == []


async def test_nothing_is_done_that_does_not_come_from_the_page(
    site: Site, browser: aiohttp.ClientSession
) -> None:
    for method, path in [*routes_of(site), ("POST", "/enter")]:
        if method == "GET":
            continue
        for origin in ("null", "http://evil.example"):
            headers = {"Origin": origin}
            async with browser.request(method, site.origin + path, headers=headers) as answer:
                assert (answer.status, path) == (403, path)


@pytest.mark.parametrize("site_of", ["cross-site", "same-site"])
async def test_another_page_can_read_nothing_through_the_browser(
    site: Site, browser: aiohttp.ClientSession, site_of: str
) -> None:
    await site.show("private")
    headers = {"Sec-Fetch-Site": site_of, "Sec-Fetch-Mode": "no-cors"}
    async with browser.get(site.url("api/history"), headers=headers) as answer:
        assert answer.status == 403
    async with browser.get(site.url("api/history")) as answer:
        assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.parametrize(
    ("host", "status"),
    [
        *(("evil.example", 421), ("127.0.0.1.evil.example", 421), ("", 421), ("a b", 421)),
        *(("localhost:1", 200), ("127.0.0.1", 200), ("[::1]:80", 200), ("10.0.0.7", 200)),
    ],
)
async def test_a_name_that_is_not_ours_is_refused(
    site: Site, browser: aiohttp.ClientSession, host: str, status: int
) -> None:
    async with browser.get(site.url("api/state"), headers={"Host": host}) as answer:
        assert answer.status == status


@pytest.mark.parametrize("host", ["desk.example.net", "127.0.0.1"])  # which a proxy passes on
async def test_behind_a_proxy_the_page_has_the_name_that_it_was_given(
    tmp_path: Path, host: str
) -> None:
    site = Site(tmp_path, web_url="https://desk.example.net/claude/")
    await site.channel.start([])
    token = site.devices.redeem(site.devices.issue_key(), "A browser")
    headers = {
        "Host": host,
        "Origin": "https://desk.example.net",
        "Cookie": f"bridge_{site.port}={token}",
    }
    async with aiohttp.ClientSession(headers=headers) as proxied:
        assert (await send(proxied, site, key=KEY, text="hello"))[0] == 200
        async with proxied.ws_connect(site.url("api/live?since=0")) as live:
            said = await live.receive_json()
            assert said["messages"][0]["body"]["text"] == "hello"
        async with proxied.post(
            site.url("api/send"), json={}, headers={"Origin": "https://evil.example.net"}
        ) as answer:
            assert answer.status == 403
    await site.stop()


async def test_nothing_may_run_or_be_loaded_but_the_page_itself(
    site: Site, browser: aiohttp.ClientSession, stranger: aiohttp.ClientSession
) -> None:
    paths = ["", "app.js", "style.css", "manifest.webmanifest", "api/state", "nothing/here"]
    for who in (browser, stranger):
        for path in paths:
            async with who.get(site.url(path)) as answer:
                policy = answer.headers["Content-Security-Policy"]
                assert "default-src 'none'" in policy
                assert "script-src 'self'" in policy
                assert "unsafe" not in policy
                assert "frame-ancestors 'none'" in policy
                assert answer.headers["Referrer-Policy"] == "no-referrer"


async def test_one_browser_does_not_do_too_much_at_once(
    site: Site, browser: aiohttp.ClientSession
) -> None:
    statuses = [
        (await send(browser, site, key=f"{KEY}{n}", text="x", topic=0))[0] for n in range(62)
    ]
    assert statuses == [200] * 60 + [429] * 2


def test_the_page_makes_no_markup_of_texts_and_loads_nothing_from_elsewhere() -> None:
    folder = Path(__file__).resolve().parent.parent / "channels" / "web_page"
    for path in folder.iterdir():
        if path.suffix in (".js", ".html", ".css"):
            text = path.read_text()
            for forbidden in (
                "innerHTML",
                "outerHTML",
                "insertAdjacent",
                "document.write",
                "eval(",
            ):
                assert forbidden not in text, path.name
            assert "://" not in text.replace("https?:\\/\\/", ""), path.name
            assert not re.search(r"\s(on[a-z]+|style)=", text), path.name


def test_every_address_of_the_page_is_relative() -> None:
    folder = Path(__file__).resolve().parent.parent / "channels" / "web_page"
    for name in ("index.html", "closed.html"):
        for part in (folder / name).read_text().split('"')[1::2]:
            assert not part.startswith("/"), part
            assert not urlsplit(part).netloc, part
