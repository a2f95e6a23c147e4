"""The browsers that may use the page: what a key does, and what is on the disk of it."""

from __future__ import annotations

import errno
import hmac
import re
import secrets
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from buttons import Buttons, Press
from core.config import Config
from core.devices_file import (
    DamagedDevicesError,
    Record,
    digest,
    name_browser,
    parse_record,
    render_record,
)
from core.errors import BridgeError, StoreWriteError
from core.model import AT_THE_PAGE, ButtonPressed, Chat, Person, Post
from core.page_address import is_from_elsewhere, is_ours, is_same_origin, make_link
from device_commands import DeviceCommands
from devices import Devices
from tests.standins.watched_system import RefusingSystem

CHAT = Chat("web", AT_THE_PAGE)


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def test_a_key_works_once_and_for_ten_minutes(tmp_path: Path) -> None:
    clock = Clock()
    devices = Devices(tmp_path, clock=clock)
    key, late = devices.issue_key(), devices.issue_key()
    token = devices.redeem(key, "Firefox on Linux")
    assert token is not None
    assert devices.redeem(key, "another") is None
    clock.now += 601
    assert devices.redeem(late, "late") is None
    found = devices.find(token)
    assert found is not None and found.name == "Firefox on Linux"
    assert devices.find(token + "x") is None


def test_secrets_are_compared_in_a_time_that_tells_nothing_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[tuple[str, str]] = []

    def compare(one: str, other: str) -> bool:
        compared.append((one, other))
        return one == other

    for module in (hmac, secrets):
        monkeypatch.setattr(module, "compare_digest", compare)
    devices = Devices(tmp_path)
    key = devices.issue_key()
    assert devices.redeem("wrong", "a") is None
    assert compared == [(digest("wrong"), digest(key))]
    token = devices.redeem(key, "a")
    assert token is not None
    compared.clear()
    assert devices.find("wrong") is None
    assert [sorted(pair) for pair in compared] == [sorted((digest("wrong"), digest(token)))]


def test_a_key_of_another_process_works_and_a_removal_counts_there_at_once(tmp_path: Path) -> None:
    bridge, installer = Devices(tmp_path), Devices(tmp_path)
    token = bridge.redeem(installer.issue_key(), "a")
    assert token is not None and installer.find(token) is not None
    assert installer.remove(installer.everybody()[0].id)
    assert bridge.find(token) is None


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"version": 99}', b"\xff"])
def test_a_damaged_file_lets_nobody_in_until_a_new_key_is_issued(
    tmp_path: Path, data: bytes
) -> None:
    devices = Devices(tmp_path)
    token = devices.redeem(devices.issue_key(), "a")
    (tmp_path / "devices.json").write_bytes(data)
    assert token is not None and devices.find(token) is None
    key = devices.issue_key()
    assert devices.find(token) is None
    assert devices.redeem(key, "b") is not None
    assert [path.read_bytes() for path in tmp_path.glob("devices.damaged-*")] == [data]


def test_a_file_that_can_not_be_read_just_now_is_not_written_over(tmp_path: Path) -> None:
    token = Devices(tmp_path).redeem(Devices(tmp_path).issue_key(), "a")
    for call in ("open", "read"):
        system = RefusingSystem(errno.EMFILE)
        devices = Devices(tmp_path, system=system)
        system.refuses = call
        assert token is not None and devices.find(token) is None
        with pytest.raises(StoreWriteError):
            devices.issue_key()
        system.refuses = ""
        assert devices.find(token) is not None


def test_no_flipped_bit_lets_another_browser_in(tmp_path: Path) -> None:
    devices = Devices(tmp_path)
    devices.redeem(devices.issue_key(), "a")
    path = tmp_path / "devices.json"
    whole, everybody = path.read_bytes(), devices.everybody()
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert Devices(tmp_path).everybody() in ((), everybody)


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_whatever_is_in_the_file_is_read_or_damaged(data: bytes) -> None:
    for text in (data, render_record(Record())[:-5] + data):
        with suppress(DamagedDevicesError):
            parse_record(text)


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/150.0", "Firefox on Linux"),
        ("Mozilla/5.0 (Linux; Android 16) AppleWebKit/537 Chrome/156 Mobile", "Chrome on Android"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 20 like Mac OS X) Safari/604", "Safari on iPhone"),
        ("<script>", "A browser"),
    ],
)
def test_a_browser_has_a_name_of_two_words(agent: str, name: str) -> None:
    assert name_browser(agent) == name


@pytest.mark.parametrize(
    ("host", "ours"),
    [
        *(("127.0.0.1:80", True), ("[::1]:80", True), ("LOCALHOST", True), ("a.localhost", True)),
        *(("desk.example", True), ("DESK.example.:80", True), ("192.168.1.7:8427", True)),
        *(("evil.example", False), ("desk.example.evil", False), ("", False), ("a@b", False)),
        *(("127.0.0.1.nip.example", False), ("[::1", False), ("a:b", False), ("2130706433", False)),
    ],
)
def test_which_names_are_ours(host: str, ours: bool) -> None:
    assert is_ours(host, {"desk.example"}) == ours


@pytest.mark.parametrize(
    ("origin", "same"),
    [
        *(("http://h:1", True), ("https://H:1", True), ("https://desk.example", True)),
        *(("http://desk.example", False), ("http://h:2", False), ("http://h", False)),
        *(
            ("null", False),
            (None, False),
            ("", False),
            ("http://h:1/", False),
            ("ftp://h:1", False),
        ),
        *(("http://h:1.evil", False), ("https://desk.example.evil", False)),
    ],
)
def test_which_origins_are_the_pages(origin: str | None, same: bool) -> None:
    assert is_same_origin(origin, "h:1", "https://desk.example/claude") == same


def test_who_asks_is_told_by_the_browser() -> None:
    assert [is_from_elsewhere(site) for site in (None, "same-origin", "none")] == [False] * 3
    assert [is_from_elsewhere(site) for site in ("same-site", "cross-site", "x")] == [True] * 3


@pytest.mark.parametrize(
    ("address", "url", "link"),
    [
        ("127.0.0.1", "", "http://127.0.0.1:8427/?key=k"),
        ("0.0.0.0", "", "http://127.0.0.1:8427/?key=k"),
        ("::", "", "http://[::1]:8427/?key=k"),
        ("127.0.0.1", "https://desk.example/claude", "https://desk.example/claude/?key=k"),
    ],
)
def test_the_link_to_the_page(address: str, url: str, link: str) -> None:
    assert make_link(address, 8427, url, "k") == link


# --- /devices ----------------------------------------------------------------------------------


class Desk:
    """/devices, and what it says."""

    def __init__(self, folder: Path, *, web: bool = True) -> None:
        self.devices = Devices(folder)
        self.buttons = Buttons(folder)
        self.posts: list[Post] = []
        self.commands = DeviceCommands(
            Config(state_dir=folder, web=web),
            self.devices,
            cast(Any, SimpleNamespace(put=self.posts.append, say=self._say)),
            self.buttons,
        )

    def _say(self, chat: Chat, text: str, **more: Any) -> None:
        self.posts.append(Post("", chat, text, **more))

    async def list(self, chat: Chat = CHAT) -> Post:
        await self.commands.commands["devices"](chat, "", AT_THE_PAGE)
        return self.posts[-1]

    async def press(self, label: str) -> str:
        rows = next(post.keyboard for post in reversed(self.posts) if post.keyboard)
        button = next(b for row in rows for b in row if b.label == label)
        event = ButtonPressed(CHAT, Person(AT_THE_PAGE), 1, "p", button.press)
        action = self.buttons.take(event)
        assert action is not None
        return await self.commands.presses["device"](Press(event, action, "k"))


async def test_devices_are_listed_added_and_removed(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    assert (await desk.list()).text == "No browser may use the page."
    await desk.press("Let one more in")
    link = desk.posts[-2].text.splitlines()[-1]
    assert desk.devices.redeem(link.partition("?key=")[2], "Firefox on Linux")
    assert "• Firefox on Linux, since " in (await desk.list()).text
    assert await desk.press("Remove Firefox on Linux") == ""
    assert desk.devices.everybody() == ()
    assert desk.posts[-1].text == "No browser may use the page."


async def test_two_browsers_of_one_name_are_told_apart(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    for name in ("Chrome on Linux", "Firefox on Linux", "Chrome on Linux"):
        desk.devices.redeem(desk.devices.issue_key(), name)
    shown = (await desk.list()).text.splitlines()[1:]
    assert [line.partition(", since ")[0] for line in shown] == [
        *("• Chrome on Linux (1)", "• Firefox on Linux", "• Chrome on Linux (2)")
    ]
    assert all(re.search(r", since \d+ \w+, \d\d:\d\d, last here \d+ \w+$", line) for line in shown)
    first, _, last = desk.devices.everybody()
    await desk.press("Remove Chrome on Linux (2)")
    assert last not in desk.devices.everybody()
    assert first in desk.devices.everybody()
    assert "• Chrome on Linux, since " in desk.posts[-1].text


async def test_devices_are_for_the_owner_alone_and_a_page_that_is_on(tmp_path: Path) -> None:
    with pytest.raises(BridgeError, match="private chat"):
        await Desk(tmp_path).list(Chat("telegram", -100))
    with pytest.raises(BridgeError, match="The page is off"):
        await Desk(tmp_path, web=False).list()
