"""What the Telegram channel does to messages, over real HTTP, against the strict stand-in."""

from __future__ import annotations

import pytest

from channels.telegram import TelegramChannel
from core.config import Secret
from core.errors import MessageRefusedError
from core.model import Chat as Place
from core.model import Piece, Post
from tests.standins.telegram_api import TelegramApi
from tests.standins.telegram_state import Chat

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
