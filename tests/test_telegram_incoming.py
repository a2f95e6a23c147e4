"""What people send by Telegram: files, places, replies, and what can't be taken."""

from __future__ import annotations

from typing import Any

import pytest

from channels.telegram import TelegramChannel
from core.config import Secret
from core.model import Chat as Place
from core.model import FilesSent, Incoming, KindNotHandled, LocationSent, RemoteFile, TextSent
from tests.standins.telegram_api import TelegramApi
from tests.standins.telegram_state import Chat, User

pytest_plugins = ["tests.standins.telegram_fixtures"]


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> TelegramChannel:
    monkeypatch.setenv("PTB_TIMEDELTA", "1")
    return TelegramChannel(Secret("1:x"), "http://127.0.0.1:9")


def last(api: TelegramApi, channel: TelegramChannel) -> Incoming | None:
    update: dict[str, Any] = api.waiting_updates[-1]
    return channel.parse(update)


def files(incoming: Incoming | None) -> FilesSent:
    assert isinstance(incoming, FilesSent)
    return incoming


@pytest.mark.parametrize(
    ("kind", "seconds"),
    [
        ("document", None),
        ("voice", 7),
        ("audio", 7),
        ("video", 7),
        ("video_note", 7),
        ("animation", 7),
    ],
)
def test_a_file_comes_with_what_is_known_of_it(
    api: TelegramApi, reader: TelegramChannel, chat: Chat, ann: User, kind: str, seconds: int | None
) -> None:
    message = api.send_file(
        chat, ann, b"abc", "../a.bin", kind=kind, mime_type="x/y", caption="see", duration=7
    )
    sent = files(last(api, reader))
    assert (sent.chat, sent.person.user_id, sent.message_id) == (
        Place("telegram", chat.id),
        ann.id,
        message,
    )
    (file,) = sent.files
    caption = "" if kind == "video_note" else "see"
    assert (sent.caption, sent.album, sent.is_private) == (caption, None, True)
    assert (file.kind, file.size, file.seconds) == (kind, 3, seconds)
    assert sent.kind == kind.replace("_", " ")


def test_of_a_photo_the_largest_size_counts(
    api: TelegramApi, reader: TelegramChannel, chat: Chat, ann: User
) -> None:
    sizes = [
        {"file_id": f"F{w}", "file_unique_id": f"U{w}", "width": w, "height": w, "file_size": w}
        for w in (90, 1280, 320)
    ]
    api.send_raw(chat, ann, {"photo": sizes})
    assert files(last(api, reader)).files == (RemoteFile("F1280", "photo", size=1280),)


def test_the_parts_of_an_album_and_its_topic_are_known(
    api: TelegramApi, reader: TelegramChannel, forum: Chat, ann: User
) -> None:
    topic = api.create_topic(forum, ann, "red")
    for _ in range(2):
        api.send_file(forum, ann, b"x", "a.txt", topic=topic, media_group_id="g")
        sent = files(last(api, reader))
        assert (sent.album, sent.chat.topic, sent.is_private) == ("g", topic, False)
        assert sent.reply_to is None  # in a topic every message answers the one that made it


def test_a_reply_tells_what_it_answers(
    api: TelegramApi, reader: TelegramChannel, chat: Chat, ann: User
) -> None:
    first = api.send_text(chat, ann, "one")
    api.send_text(chat, ann, "two", reply_to=first)
    text = last(api, reader)
    assert isinstance(text, TextSent)
    assert text.reply_to == first
    api.send_file(chat, ann, b"x", "a.txt", reply_to=first)
    assert files(last(api, reader)).reply_to == first
    api.send_text(chat, ann, "three")
    text = last(api, reader)
    assert isinstance(text, TextSent)
    assert text.reply_to is None


def test_a_reply_in_a_topic_tells_what_it_answers(
    api: TelegramApi, reader: TelegramChannel, forum: Chat, ann: User
) -> None:
    topic = api.create_topic(forum, ann, "red")
    first = api.send_text(forum, ann, "one", topic=topic)
    api.send_text(forum, ann, "two", topic=topic, reply_to=first)
    text = last(api, reader)
    assert isinstance(text, TextSent)
    assert text.reply_to == first


def test_a_place_has_its_name_and_coordinates(
    api: TelegramApi, reader: TelegramChannel, chat: Chat, ann: User
) -> None:
    place = {"latitude": 52.5, "longitude": 13.4}
    api.send_raw(chat, ann, {"location": place})
    found = last(api, reader)
    assert isinstance(found, LocationSent)
    assert (found.latitude, found.longitude, found.title) == (52.5, 13.4, "")
    venue = {"location": place, "title": "The Office", "address": "x"}
    api.send_raw(chat, ann, {"location": place, "venue": venue})
    found = last(api, reader)
    assert isinstance(found, LocationSent)
    assert (found.title, found.kind) == ("The Office", "location")


def test_a_forwarded_file_tells_whose_it_was(
    api: TelegramApi, reader: TelegramChannel, chat: Chat, ann: User
) -> None:
    origin = {"type": "hidden_user", "sender_user_name": "Harry", "date": 1}
    api.send_file(chat, ann, b"x", "a.txt", extra={"forward_origin": origin})
    assert files(last(api, reader)).forwarded_from == "Harry"


def test_files_of_channels_bots_and_anonymous_admins_are_nothing(
    api: TelegramApi, reader: TelegramChannel, forum: Chat, ann: User
) -> None:
    robot = api.user(first_name="Robot", is_bot=True)
    api.send_file(forum, robot, b"x")
    assert last(api, reader) is None
    api.send_file(forum, ann, b"x", extra={"sender_chat": forum.as_json()})
    assert last(api, reader) is None
    api.send_raw(forum, robot, {"location": {"latitude": 1, "longitude": 1}})
    assert last(api, reader) is None


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        ({"dice": {"emoji": "\U0001f3b2", "value": 3}}, "message of this kind"),
        ({"contact": {"phone_number": "1", "first_name": "Bob"}}, "contact"),
        (
            {
                "sticker": {
                    "file_id": "F",
                    "file_unique_id": "U",
                    "type": "regular",
                    "width": 1,
                    "height": 1,
                    "is_animated": False,
                    "is_video": False,
                }
            },
            "sticker",
        ),
    ],
)
def test_what_cannot_be_taken_is_named(
    api: TelegramApi,
    reader: TelegramChannel,
    chat: Chat,
    ann: User,
    content: dict[str, Any],
    kind: str,
) -> None:
    api.send_raw(chat, ann, content)
    found = last(api, reader)
    assert isinstance(found, KindNotHandled)
    assert found.kind == kind
