"""The page's server over real HTTP: what is done is done once, and nothing of a file runs."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from core.errors import FileNotReceivedError
from core.model import (
    AT_THE_PAGE,
    Attachment,
    ButtonPressed,
    Chat,
    FilesSent,
    Post,
    TextEdited,
    TextSent,
)
from tests.web_site import KEY, ROOT, Site, history, send, until

pytest_plugins = ["tests.standins.web_fixtures"]

# --- what a person does ------------------------------------------------------------------------


async def test_a_message_sent_again_is_one_message(
    site: Site, browser: aiohttp.ClientSession
) -> None:
    first = await send(browser, site, key=KEY, text="Fix it\nplease")
    again = await send(browser, site, key=KEY, text="Fix it\nplease")
    assert first == again
    await until(lambda: len(site.taken) == 1)
    taken = first[1]
    (name, raw) = site.taken[0]
    assert name == f"web:{KEY}"
    sent = site.channel.parse(raw)
    assert isinstance(sent, TextSent)
    assert (sent.text, sent.message_id) == ("Fix it\nplease", taken["message"])
    assert sent.chat == Chat("web", AT_THE_PAGE, taken["topic"])
    place = site.channel.forum.read_place(raw)
    assert place is not None and (place.topic_name, place.is_private) == ("Fix it please", True)
    shown = (await history(browser, site, taken["topic"]))["messages"]
    assert [message["body"]["text"] for message in shown] == ["Fix it\nplease"]


async def test_what_was_sent_is_handed_over_though_the_disk_was_full_and_the_bridge_killed(
    tmp_path: Path,
) -> None:
    first = Site(tmp_path)
    await first.channel.start([])
    first.refuses = True
    first.receive()
    token = first.devices.redeem(first.devices.issue_key(), "A browser")
    headers = {"Origin": first.origin, "Cookie": f"bridge_{first.port}={token}"}
    async with aiohttp.ClientSession(headers=headers) as browser:
        assert (await send(browser, first, key=KEY, text="hello"))[0] == 200
    await first.stop()
    second = Site(tmp_path)
    second.receive()
    await until(lambda: second.taken)
    await second.stop()
    third = Site(tmp_path)
    third.receive()
    await asyncio.sleep(0)
    assert [key for key, _ in second.taken] == [f"web:{KEY}"]
    assert third.taken == []
    await third.stop()


async def test_presses_and_changes_become_updates(
    site: Site, browser: aiohttp.ClientSession
) -> None:
    asked = await site.show("May I?")
    _, taken = await send(browser, site, key=KEY, text="helo", topic=0)
    await send(browser, site, "edit", key=KEY + "2", message=taken["message"], text="hello")
    await send(browser, site, "press", key=KEY + "3", message=asked, press="abc")
    await until(lambda: len(site.taken) == 3)
    _, edited, pressed = [site.channel.parse(raw) for _, raw in site.taken]
    assert isinstance(edited, TextEdited) and edited.text == "hello"
    assert isinstance(pressed, ButtonPressed)
    assert (pressed.data, pressed.message_id, pressed.press_id) == ("abc", asked, KEY + "3")
    own = (await history(browser, site))["messages"][-1]["body"]
    assert (own["text"], own["edited"]) == ("hello", True)


async def test_secrets_are_masked_in_what_is_kept_and_reach_claude_as_they_are(
    site: Site, browser: aiohttp.ClientSession
) -> None:
    await send(browser, site, key=KEY, text="the secret", topic=0)
    await until(lambda: site.taken)
    sent = site.channel.parse(site.taken[0][1])
    assert isinstance(sent, TextSent) and sent.text == "the secret"
    assert (await history(browser, site))["messages"][0]["body"]["text"] == "the [masked]"


@pytest.mark.parametrize(
    "body",
    [
        *({}, {"key": "short", "text": "x"}, {"key": KEY, "text": " "}, {"key": KEY, "text": 1}),
        *({"key": KEY, "text": "x", "topic": 77}, {"key": KEY, "text": "x", "topic": -1}),
        {"key": KEY, "text": "x", "files": ["../../etc/passwd"]},
        {"key": KEY, "text": "x", "files": ["0" * 32]},
        {"key": KEY, "text": "x", "more": 1},
    ],
)
async def test_what_is_no_request_of_the_page_is_refused(
    site: Site, browser: aiohttp.ClientSession, body: dict[str, Any]
) -> None:
    status, _ = await send(browser, site, **body)
    assert 400 <= status < 500
    assert (await history(browser, site))["messages"] == []


# --- what is shown -----------------------------------------------------------------------------


async def test_a_post_shown_twice_is_one_message(
    site: Site, browser: aiohttp.ClientSession
) -> None:
    first = await site.show("hello", key="k")
    assert await site.show("hello", key="k") == first
    assert len((await history(browser, site))["messages"]) == 1


async def test_a_page_that_was_away_is_told_what_changed_and_nothing_else(
    site: Site, browser: aiohttp.ClientSession
) -> None:
    old, edited, gone = await site.show("old"), await site.show("before"), await site.show("gone")
    async with browser.get(site.url("api/state")) as answer:
        since = (await answer.json())["upto"]
    (piece,) = site.channel.split(Post("e", ROOT, "after"))
    await site.channel.edit(piece, edited)
    await site.channel.edit(piece, edited)  # the same once more changes nothing
    await site.channel.delete(ROOT, gone)
    new = await site.show("new")
    for _ in range(2):  # a second page, or the same once more, is told the same
        async with browser.ws_connect(site.url(f"api/live?since={since}")) as socket:
            said = await socket.receive_json()
        changed = {m["id"]: m for m in said["messages"]}
        assert changed.keys() == {edited, gone, new} and old not in changed
        assert changed[edited]["body"]["nodes"] == ["after"]
        assert changed[gone]["is_deleted"] and changed[gone]["body"] == {}
    async with browser.ws_connect(site.url(f"api/live?since={said['upto']}")) as socket:
        last = await site.show("last")
        assert [m["id"] for m in (await socket.receive_json())["messages"]] == [last]


async def test_a_page_is_told_that_nothing_happens(
    site: Site, browser: aiohttp.ClientSession
) -> None:
    site.channel._pages._quiet_seconds = 0.01
    async with browser.ws_connect(site.url("api/live?since=0")) as socket:
        assert await socket.receive_json() == {"type": "quiet"}


async def test_a_page_that_missed_very_much_begins_anew(
    site: Site, browser: aiohttp.ClientSession
) -> None:
    for number in range(502):
        site.channel._store.post(f"p{number}", 0, {"nodes": ["x"]}, "x")
    async with browser.ws_connect(site.url("api/live?since=0")) as socket:
        said = await socket.receive_json()
    assert (said["is_whole"], said["messages"], said["upto"]) == (False, [], 502)


async def test_history_comes_page_by_page(site: Site, browser: aiohttp.ClientSession) -> None:
    ids = [await site.show(f"number {n}") for n in range(7)]
    last = await history(browser, site, most=3)
    assert ([m["id"] for m in last["messages"]], last["has_more"]) == (ids[4:], True)
    rest = await history(browser, site, most=10, before=ids[4])
    assert ([m["id"] for m in rest["messages"]], rest["has_more"]) == (ids[:4], False)


async def test_search_finds_words_as_they_are(site: Site, browser: aiohttp.ClientSession) -> None:
    found = await site.show("100% of `files_here`", style="markdown")
    await site.show("something else")
    for words in ("100%", "FILES_here", "0% of"):
        async with browser.get(site.url("api/search"), params={"words": words}) as answer:
            assert [m["id"] for m in (await answer.json())["messages"]] == [found]
    async with browser.get(site.url("api/search"), params={"words": "f%s"}) as answer:
        assert (await answer.json())["messages"] == []


# --- files -------------------------------------------------------------------------------------


async def test_a_file_goes_in_and_is_fetched_whole(
    site: Site, browser: aiohttp.ClientSession, tmp_path: Path
) -> None:
    data = bytes(range(256)) * 2000
    async with browser.post(
        site.url("api/files"), data=data, headers={"X-File-Name": "..%2Fa%20b.bin"}
    ) as answer:
        kept = await answer.json()
    assert (kept["name"], kept["size"], kept["photo"]) == ("_a b.bin", len(data), False)
    await send(browser, site, key=KEY, text="look", files=[kept["id"]], topic=0)
    await until(lambda: site.taken)
    sent = site.channel.parse(site.taken[0][1])
    assert isinstance(sent, FilesSent)
    target = tmp_path / "fetched"
    await site.channel.download(sent.files[0], target, 1 << 20)
    assert target.read_bytes() == data
    assert target.stat().st_mode & 0o777 == 0o600


async def test_a_file_that_is_too_big_is_refused_and_not_kept(
    site: Site, browser: aiohttp.ClientSession
) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"x" * (1 << 17)

    for data in (io.BytesIO(b"x" * ((1 << 20) + 1)), endless()):
        async with browser.post(site.url("api/files"), data=data) as answer:
            assert answer.status == 413
            assert "too big" in await answer.text()
    folder = site.config.bridge_dir / "web" / "files"
    assert not folder.exists() or list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "data", "shown"),
    [
        ("page.html", b"<script>alert(1)</script>", False),
        ("drawing.svg", b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>", False),
        ("picture.png", b"<script>alert(1)</script>", False),
        ("picture.html", b"\x89PNG\r\n\x1a\n rest", True),
    ],
)
async def test_a_file_is_saved_and_only_what_is_a_picture_is_shown(
    site: Site,
    browser: aiohttp.ClientSession,
    tmp_path: Path,
    name: str,
    data: bytes,
    shown: bool,
) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    await site.show("here", attachments=(Attachment(name, str(path), "photo"),))
    path.unlink()  # the page shows what it was
    (file,) = (await history(browser, site))["messages"][0]["body"]["files"]
    assert file["photo"] == shown
    async with browser.get(site.url(f"files/{file['id']}/x.html")) as answer:
        kind = answer.headers["Content-Disposition"].partition(";")[0]
        assert (kind, answer.content_type) == (
            ("inline", "image/png") if shown else ("attachment", "application/octet-stream")
        )
        assert "sandbox" in answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert await answer.read() == data


async def test_a_file_that_can_not_be_shown_says_why(
    site: Site, browser: aiohttp.ClientSession, tmp_path: Path
) -> None:
    files = (Attachment("a.txt", str(tmp_path / "none")), Attachment("b", str(tmp_path)))
    await site.show("two", attachments=files)
    (shown,) = (await history(browser, site))["messages"]
    assert "“a.txt” is gone, so it can't be shown." in shown["body"]["nodes"][0]
    assert "“b” is not a file." in shown["body"]["nodes"][0]


async def test_an_edit_without_files_keeps_those_that_were_there(
    site: Site, browser: aiohttp.ClientSession
) -> None:
    number = await site.show("one", attachments=(Attachment("a.txt", text="A"),))
    (piece,) = site.channel.split(Post("e", ROOT, "two"))
    await site.channel.edit(piece, number)
    (shown,) = (await history(browser, site))["messages"]
    assert [file["name"] for file in shown["body"]["files"]] == ["a.txt"]


async def test_a_file_that_is_gone_can_be_sent_again(site: Site, tmp_path: Path) -> None:
    raw = {
        "kind": "message",
        "topic": 0,
        "message": 1,
        "files": [{"id": "0" * 32, "name": "a", "type": "", "size": 1}],
    }
    sent = site.channel.parse(raw)
    assert isinstance(sent, FilesSent)
    with pytest.raises(FileNotReceivedError, match="send it again"):
        await site.channel.download(sent.files[0], tmp_path / "x", 10)


@pytest.mark.parametrize("raw", [{}, {"update_id": 0}, {"kind": "dance", "topic": 0, "message": 1}])
def test_what_no_person_did_is_nothing(tmp_path: Path, raw: dict[str, Any]) -> None:
    site = Site(tmp_path)
    assert site.channel.parse(raw) is None
    assert site.channel.forum.read_place(raw) is None
    site.channel._store.close()
