"""Files to and from Telegram, over real HTTP, against the strict stand-in."""

from __future__ import annotations

import json
import os
import struct
import zlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from channels.telegram import TelegramChannel
from core.config import Secret
from core.errors import (
    FileNotReceivedError,
    FileTooBigError,
    FloodLimitError,
    OutcomeUnknownError,
    StoreWriteError,
)
from core.model import Attachment, Button, Piece, Post, RemoteFile
from core.model import Chat as Place
from tests.standins.telegram_api import TelegramApi
from tests.standins.telegram_entities import entity_text
from tests.standins.telegram_state import Chat, Message, User

pytest_plugins = ["tests.standins.telegram_fixtures"]

KEYBOARD = ((Button("OK", "id"),),)


def png(width: int = 2, height: int = 2) -> bytes:
    """The beginning of a PNG of that size."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + struct.pack(">I", 13)
        + header
        + struct.pack(">I", zlib.crc32(header))
    )


class Desk:
    """A folder with files, and the channel that shows them in a chat."""

    def __init__(self, folder: Path, channel: TelegramChannel, api: TelegramApi, chat: Chat):
        self.folder = folder
        self.channel = channel
        self.api = api
        self.chat = chat

    def file(self, name: str, data: bytes = b"data", kind: Any = "document") -> Attachment:
        path = self.folder / name
        path.write_bytes(data)
        return Attachment(name, str(path), kind)

    def photo(self, name: str, *size: int) -> Attachment:
        return self.file(name, png(*size), "photo")

    def pieces(self, text: str, *files: Attachment, **fields: Any) -> list[Piece]:
        post = Post("k", Place("telegram", self.chat.id), text, attachments=files, **fields)
        return self.channel.split(post)

    async def show(self, text: str, *files: Attachment, **fields: Any) -> list[Message]:
        before = len(self.shown())
        for piece in self.pieces(text, *files, **fields):
            await self.channel.send(piece)
        return self.shown()[before:]

    def shown(self) -> list[Message]:
        return self.api.messages(self.chat, from_bot=True)


@pytest.fixture
async def desk(
    tmp_path: Path, channel: TelegramChannel, api: TelegramApi, chat: Chat
) -> AsyncIterator[Desk]:
    yield Desk(tmp_path, channel, api, chat)


def kinds(messages: list[Message]) -> list[str]:
    return [message.media.kind if message.media else "text" for message in messages]


# --- sending -----------------------------------------------------------------------------------


async def test_a_file_arrives_with_its_name_content_caption_and_keyboard(desk: Desk) -> None:
    (message,) = await desk.show(
        "**see**", desk.file("a.txt", b"abc"), style="markdown", keyboard=KEYBOARD
    )
    assert message.media is not None
    assert (message.media.kind, message.media.file.name, message.data) == (
        "document",
        "a.txt",
        b"abc",
    )
    assert (message.text, message.entities[0]["type"], message.labels) == ("see", "bold", ["OK"])


async def test_a_photo_is_shown_as_one(desk: Desk) -> None:
    (message,) = await desk.show("", desk.photo("a.png"))
    assert kinds([message]) == ["photo"]
    assert message.data == png()


async def test_photos_and_documents_are_albums_of_their_own(desk: Desk) -> None:
    photos = [desk.photo(f"{number}.png") for number in range(3)]
    documents = [desk.file(f"{number}.txt", b"%d" % number) for number in range(12)]
    messages = await desk.show("all", documents[0], *photos, *documents[1:])
    assert kinds(messages) == ["photo"] * 3 + ["document"] * 12
    albums = [message.media_group_id for message in messages]
    assert len(set(albums[:3])) == len(set(albums[3:13])) == len(set(albums[13:])) == 1
    assert [message.text for message in messages] == ["all", *[""] * 14]
    assert [message.data for message in messages[3:]] == [b"%d" % number for number in range(12)]
    calls = [call.method for call in desk.api.calls if call.method.startswith("send")]
    assert calls == ["sendMediaGroup"] * 3


async def test_one_file_left_over_from_an_album_goes_alone(desk: Desk) -> None:
    documents = [desk.file(f"{number}.txt") for number in range(11)]
    messages = await desk.show("", *documents)
    assert len(messages) == 11
    assert messages[-1].media_group_id is None


async def test_with_a_keyboard_files_go_one_by_one_as_no_album_has_one(desk: Desk) -> None:
    messages = await desk.show("x", desk.file("a"), desk.file("b"), keyboard=KEYBOARD)
    assert [message.labels for message in messages] == [[], ["OK"]]


async def test_a_text_too_long_for_a_caption_goes_before_its_files(desk: Desk) -> None:
    messages = await desk.show("x" * 1024, desk.file("a"))
    assert kinds(messages) == ["document"]
    messages = await desk.show("x" * 1025, desk.file("a"), desk.file("b"))
    assert kinds(messages) == ["text", "document", "document"]
    messages = await desk.show("word " * 2000, desk.file("a"))
    assert kinds(messages) == ["text"] * 3 + ["document"]


async def test_details_can_stand_in_a_caption(desk: Desk) -> None:
    (message,) = await desk.show("see", desk.file("a"), details="one\ntwo")
    assert entity_text(message.text, message.entities[0]) == "one\ntwo"


async def test_a_file_of_text_needs_no_file(desk: Desk) -> None:
    (message,) = await desk.show("", Attachment("a.diff", text="+ é\n\ud83d"))
    assert message.data == "+ é\n\ufffd".encode()


@pytest.mark.parametrize("size", [(9000, 1001), (2, 100), (0, 5)])
async def test_a_photo_of_odd_size_goes_as_a_document(desk: Desk, size: tuple[int, int]) -> None:
    (message,) = await desk.show("see", desk.photo("a.png", *size))
    assert kinds([message]) == ["document"]
    assert (message.text, message.data) == ("see", png(*size))


async def test_what_is_no_picture_or_too_large_for_a_photo_goes_as_a_document(desk: Desk) -> None:
    messages = await desk.show("", desk.file("a.png", b"no picture", "photo"))
    messages += await desk.show("", desk.file("b.png", png() + bytes(10 << 20), "photo"))
    assert kinds(messages) == ["document", "document"]
    assert len(desk.api.calls_of("sendPhoto")) == 1  # what is too large is not even tried


async def test_one_odd_photo_makes_its_album_one_of_documents(desk: Desk) -> None:
    messages = await desk.show("x", desk.photo("a.png"), desk.photo("b.png", 2, 100))
    assert kinds(messages) == ["document", "document"]
    assert [message.data for message in messages] == [png(), png(2, 100)]


async def test_what_cannot_be_sent_is_replaced_by_a_sentence(desk: Desk) -> None:
    gone = Attachment("gone.txt", str(desk.folder / "gone.txt"))
    folder = Attachment("folder", str(desk.folder))
    empty = desk.file("empty.txt", b"")
    big = desk.file("big.bin")
    os.truncate(desk.folder / "big.bin", 73 << 20)
    (desk.folder / "link").symlink_to("/etc/hostname")
    link = Attachment("link", str(desk.folder / "link"))
    os.mkfifo(desk.folder / "pipe")
    pipe = Attachment("pipe", str(desk.folder / "pipe"))
    wrong = Attachment("wrong", "a\0b")
    (message,) = await desk.show("Here:", gone, folder, empty, big, link, pipe, wrong)
    head, *lines = message.text.splitlines()
    assert head == "Here:"
    assert lines[0] == "“gone.txt” is gone, so it can't be shown."
    assert lines[1:4] == [
        "“folder” is not a file.",
        "“empty.txt” is empty.",
        "“big.bin” has 73 MB; Telegram takes at most 50 MB from a bot.",
    ]
    assert "“link” can't be read" in lines[4]
    assert lines[5] == "“pipe” is not a file."
    assert "“wrong” can't be read" in lines[6]


async def test_the_rest_of_an_album_is_sent_and_the_missing_one_named(desk: Desk) -> None:
    gone = Attachment("gone.png", str(desk.folder / "gone.png"), "photo")
    messages = await desk.show("See", desk.photo("a.png"), gone, desk.photo("b.png"))
    assert kinds(messages) == ["photo", "photo"]
    assert messages[0].text == "See\n“gone.png” is gone, so it can't be shown."


async def test_a_long_caption_and_sentences_together_go_before_the_file(desk: Desk) -> None:
    gone = [Attachment(f"{number}", str(desk.folder / f"{number}.no")) for number in range(9)]
    messages = await desk.show("x" * 1000, desk.file("a"), *gone)
    assert kinds(messages) == ["text", "document"]
    assert messages[0].text.count("is gone") == 9


async def test_more_than_one_request_holds_is_sent_in_several(desk: Desk) -> None:
    files = [desk.file(f"{number}.bin") for number in range(3)]
    for file in files:
        os.truncate(file.path, 20 << 20)
    messages = await desk.show("x", *files)
    assert [message.media_group_id for message in messages] == [None] * 3
    assert [message.text for message in messages] == ["x", "", ""]


async def test_when_a_later_part_fails_the_outcome_is_unknown(desk: Desk) -> None:
    gone = [Attachment(f"{number}", str(desk.folder / f"{number}.no")) for number in range(9)]
    (piece,) = desk.pieces("x" * 1000, desk.file("a"), *gone)
    desk.api.fail("sendDocument", 429, "Too Many Requests", {"retry_after": 3})
    with pytest.raises(OutcomeUnknownError):
        await desk.channel.send(piece)
    assert kinds(desk.shown()) == ["text"]


async def test_a_pause_that_an_album_is_asked_for_is_one(desk: Desk) -> None:
    (piece,) = desk.pieces("", desk.file("a"), desk.file("b"))
    reason = 'failed to send message #1 with the error message "Too Many Requests: retry after 8"'
    desk.api.fail("sendMediaGroup", 400, f"Bad Request: {reason}")
    with pytest.raises(FloodLimitError) as raised:
        await desk.channel.send(piece)
    assert raised.value.seconds == 8


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("../../etc/passwd", "_.._etc_passwd"),
        ('a"\r\nX: y', "a___X_ y"),
        ("", "file"),
        ("\u202egnp.exe", "_gnp.exe"),
        ("x" * 300 + ".txt", "x" * 40 + "…" + "x" * 36 + ".txt"),
    ],
)
async def test_a_name_is_only_shown(desk: Desk, name: str, shown: str) -> None:
    path = desk.file("a").path
    (message,) = await desk.show("", Attachment(name, path))
    assert message.media is not None
    assert message.media.file.name == shown


async def test_a_file_is_read_when_it_is_sent(desk: Desk) -> None:
    (piece,) = desk.pieces("", desk.file("a.txt", b"old"))
    desk.file("a.txt", b"new")
    await desk.channel.send(piece)
    assert desk.shown()[0].data == b"new"


# --- editing -----------------------------------------------------------------------------------


async def test_an_edit_replaces_the_photo(desk: Desk) -> None:
    (message,) = await desk.show("old", desk.photo("a.png"), keyboard=KEYBOARD)
    (piece,) = desk.pieces("new", desk.photo("b.png", 4, 4), keyboard=KEYBOARD)
    await desk.channel.edit(piece, message.message_id)
    (shown,) = desk.shown()
    assert (shown.text, shown.data, shown.labels) == ("new", png(4, 4), ["OK"])


async def test_an_edit_whose_photo_is_odd_or_gone_says_so(desk: Desk) -> None:
    (message,) = await desk.show("old", desk.photo("a.png"))
    (piece,) = desk.pieces("odd", desk.photo("b.png", 2, 100))
    await desk.channel.edit(piece, message.message_id)
    assert kinds(desk.shown()) == ["document"]
    (piece,) = desk.pieces("lost", Attachment("c.png", str(desk.folder / "c.png"), "photo"))
    await desk.channel.edit(piece, message.message_id)
    assert desk.shown()[0].text == "lost\n“c.png” is gone, so it can't be shown."


async def test_a_text_that_takes_the_place_of_a_file_becomes_its_caption(desk: Desk) -> None:
    (message,) = await desk.show("old", desk.photo("a.png"), keyboard=KEYBOARD)
    (piece,) = desk.pieces("**new**", style="markdown")
    await desk.channel.edit(piece, message.message_id)
    (shown,) = desk.shown()
    assert (shown.text, shown.labels, shown.entities[0]["type"]) == ("new", [], "bold")


async def test_a_file_can_take_the_place_of_a_text(desk: Desk) -> None:
    (message,) = await desk.show("old")
    (piece,) = desk.pieces("new", desk.photo("a.png"))
    await desk.channel.edit(piece, message.message_id)
    assert kinds(desk.shown()) == ["photo"]


# --- fetching ----------------------------------------------------------------------------------


def sent_file(api: TelegramApi, chat: Chat, ann: User, data: bytes, **fields: Any) -> RemoteFile:
    message = api.send_file(chat, ann, data, "a.bin", **fields)
    media = api.message(chat, message).media
    assert media is not None
    return RemoteFile(media.file.file_id, "document", "a.bin", size=media.file.size)


async def test_a_file_that_was_sent_is_fetched_whole_and_for_us_alone(
    desk: Desk, ann: User, tmp_path: Path
) -> None:
    data = os.urandom(300_000)
    target = tmp_path / "in" / "a"
    target.parent.mkdir()
    await desk.channel.download(sent_file(desk.api, desk.chat, ann, data), target, 1 << 20)
    assert target.read_bytes() == data
    assert target.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in target.parent.iterdir()] == ["a"]


@pytest.mark.parametrize("claimed", [21 << 20, None, 5])
async def test_what_is_too_big_is_refused_whatever_it_claims(
    desk: Desk, ann: User, tmp_path: Path, claimed: int | None
) -> None:
    file = sent_file(desk.api, desk.chat, ann, bytes(3000), size=claimed)
    known = RemoteFile(file.file_id, "document", size=None)
    for asked in (file, known):
        with pytest.raises(FileTooBigError) as raised:
            await desk.channel.download(asked, tmp_path / "a", 2048)
    assert str(raised.value) == "This file is too big: I take 2 KB at most."
    assert os.listdir(tmp_path) == []


async def test_the_bot_apis_own_limit_is_named(desk: Desk, ann: User, tmp_path: Path) -> None:
    file = sent_file(desk.api, desk.chat, ann, b"x", size=21 << 20)
    for size in (file.size, None):
        with pytest.raises(FileTooBigError) as raised:
            unsure = RemoteFile(file.file_id, "document", size=size)
            await desk.channel.download(unsure, tmp_path / "a", 100 << 20)
        assert str(raised.value) == "This file is too big: Telegram gives a bot 20 MB at most."


async def test_a_network_that_comes_back_is_waited_for(
    api: TelegramApi, chat: Chat, ann: User, tmp_path: Path
) -> None:
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    channel = TelegramChannel(Secret(api.token), api.url, sleep=sleep)
    await channel.start([])
    file = sent_file(api, chat, ann, b"data")
    api.drop("getFile", times=2)
    await channel.download(file, tmp_path / "a", 1 << 20)
    assert (pauses, (tmp_path / "a").read_bytes()) == ([1, 2], b"data")
    api.drop("getFile", times=None)
    with pytest.raises(FileNotReceivedError, match="could not be fetched") as raised:
        await channel.download(file, tmp_path / "b", 1 << 20)
    assert api.token not in repr(raised.value)
    await channel.stop()


async def test_a_file_that_telegram_no_longer_has_is_one_sentence(
    api: TelegramApi, chat: Chat, tmp_path: Path
) -> None:
    async def sleep(seconds: float) -> None: ...

    channel = TelegramChannel(Secret(api.token), api.url, sleep=sleep)
    await channel.start([])
    with pytest.raises(FileNotReceivedError, match="send it again"):
        await channel.download(RemoteFile("no", "voice"), tmp_path / "a", 1 << 20)
    body = json.dumps({"ok": True, "result": {"file_id": "F", "file_unique_id": "U"}})
    api.fail("getFile", 200, "", body=body, times=None)
    with pytest.raises(FileNotReceivedError, match="send it again"):
        await channel.download(RemoteFile("F", "voice"), tmp_path / "a", 1 << 20)
    await channel.stop()


async def test_what_is_there_already_is_never_replaced(
    desk: Desk, ann: User, tmp_path: Path
) -> None:
    target = tmp_path / "a"
    target.write_bytes(b"mine")
    with pytest.raises(StoreWriteError):
        await desk.channel.download(sent_file(desk.api, desk.chat, ann, b"x"), target, 1 << 20)
    assert target.read_bytes() == b"mine"
    assert os.listdir(tmp_path) == ["a"]
