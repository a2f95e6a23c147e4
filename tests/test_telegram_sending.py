"""What the Telegram channel does to messages, over real HTTP, against the strict stand-in."""

from __future__ import annotations

import json
from typing import get_args

import pytest

from channels.telegram import TelegramChannel
from core.config import Secret
from core.errors import (
    ChatUnreachableError,
    FloodLimitError,
    MessageRefusedError,
    ReactionRefusedError,
)
from core.model import Chat as Place
from core.model import Piece, Post, Sign
from tests.standins.telegram_api import TelegramApi
from tests.standins.telegram_state import Chat, User

pytest_plugins = ["tests.standins.telegram_fixtures"]


def piece(chat: Chat, text: str = "x") -> Piece:
    return Piece(Post("k", Place("telegram", chat.id), text), text)


async def test_a_deleted_message_is_gone_and_deleting_it_again_no_error(
    api: TelegramApi, channel: TelegramChannel, chat: Chat
) -> None:
    message_id = await channel.send(piece(chat))
    place = Place("telegram", chat.id)
    await channel.delete(place, message_id)
    await channel.delete(place, message_id)
    assert api.messages(chat, from_bot=True) == []
    api.fail("deleteMessage", 400, "Bad Request: message can't be deleted for everyone")
    with pytest.raises(MessageRefusedError):
        await channel.delete(place, message_id)


def test_a_groups_limits_are_stricter_than_a_private_chats() -> None:
    channel = TelegramChannel(Secret("1:x"), "http://127.0.0.1:9")
    (group,) = channel.flood_limits(-1001)
    assert (group.messages, group.seconds >= 60) == (20, True)
    for chat_id in (7, -1001, None):
        assert all(limit.live < limit.messages for limit in channel.flood_limits(chat_id))


@pytest.mark.parametrize("sign", get_args(Sign))
async def test_every_sign_is_an_emoji_that_telegram_allows(
    api: TelegramApi, channel: TelegramChannel, chat: Chat, ann: User, sign: Sign
) -> None:
    message_id = api.send_text(chat, ann, "hi")
    await channel.react(Place("telegram", chat.id), message_id, "received")
    before = api.reactions(chat, message_id)
    await channel.react(Place("telegram", chat.id), message_id, sign)
    (emoji,) = api.reactions(chat, message_id)
    assert (emoji == before[0]) == (sign == "received")


async def test_a_chat_without_reactions_is_told_from_a_message_that_is_gone(
    api: TelegramApi, channel: TelegramChannel, chat: Chat, ann: User
) -> None:
    message_id, place = api.send_text(chat, ann, "hi"), Place("telegram", chat.id)
    with pytest.raises(MessageRefusedError):
        await channel.react(place, 999, "received")
    chat.allows_reactions = False
    with pytest.raises(ReactionRefusedError):
        await channel.react(place, message_id, "received")
    api.fail("setMessageReaction", 429, "Too Many Requests", {"retry_after": 4})
    with pytest.raises(FloodLimitError):
        await channel.react(place, message_id, "received")
    api.block(ann)
    with pytest.raises(ChatUnreachableError):
        await channel.react(place, message_id, "received")


async def test_no_page_is_previewed_as_file_names_look_like_pages(
    api: TelegramApi, channel: TelegramChannel, chat: Chat
) -> None:
    message_id = await channel.send(piece(chat, "see main.py"))
    await channel.edit(piece(chat, "see README.md"), message_id)
    for method in ("sendMessage", "editMessageText"):
        (call,) = api.calls_of(method)
        assert json.loads(call.params["link_preview_options"]) == {"is_disabled": True}
