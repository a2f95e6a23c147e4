"""Topics of Telegram's forums, and of private chats where the bot has them.

* A private chat tells nothing of its topics: whether the bot has any is in `getMe`, and whether the
  person's chat takes them is learned by trying.
* Private topics can't be closed; that is no error here.
* What is so already (the name, closed, open) is no error.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

from telegram import Bot
from telegram.error import BadRequest, Forbidden, TelegramError

from channels.telegram_errors import translate
from channels.telegram_incoming import read_place
from core.errors import TopicGoneError, TopicRefusedError
from core.model import Chat, Place

LONGEST_NAME = 128

_NO_TOPICS = "This chat has no topics; they are switched on in its settings in Telegram."
_NO_RIGHT = "I may not manage topics here: make me an admin who may, in the group's settings."
_SAME = ("topic_not_modified",)
_GONE = ("topic_id_invalid", "thread not found", "topic_deleted", "chat not found")
_NOT_A_FORUM = ("not a forum", "bot_forum_create_forbidden", "forums_disabled")
_RIGHTS = ("not enough rights", "chat_admin_required", "right_forbidden")


class TelegramForum:
    """The topics of the chats of `bot`."""

    def __init__(self, bot: Bot) -> None:
        self._bot = bot

    @property
    def has_private_topics(self) -> bool:
        """Whether private chats with the bot may have topics; known after `start`."""
        return bool(self._bot.bot.has_topics_enabled)

    def read_place(self, raw: dict[str, Any]) -> Place | None:
        """What this update tells of the chat or topic that it comes from."""
        return read_place(raw, self._bot)

    async def create_topic(self, chat: Chat, name: str) -> Chat:
        """Make a topic. Raises TopicRefusedError, ChannelError."""
        try:
            made = await self._bot.create_forum_topic(chat.chat_id, _cut(name))
        except TelegramError as error:
            raise _explain(error) from None
        return Chat(chat.channel, chat.chat_id, made.message_thread_id)

    async def rename_topic(self, topic: Chat, name: str) -> None:
        """Give a topic a name. Raises TopicRefusedError, TopicGoneError, ChannelError."""
        await _change(self._bot.edit_forum_topic(topic.chat_id, topic.topic or 0, name=_cut(name)))

    async def close_topic(self, topic: Chat) -> None:
        """Close a topic of a group. Raises as `rename_topic`."""
        if topic.chat_id < 0:
            await _change(self._bot.close_forum_topic(topic.chat_id, topic.topic or 0))

    async def reopen_topic(self, topic: Chat) -> None:
        """Open a topic of a group again. Raises as `rename_topic`."""
        if topic.chat_id < 0:
            await _change(self._bot.reopen_forum_topic(topic.chat_id, topic.topic or 0))


async def _change(call: Awaitable[bool]) -> None:
    try:
        await call
    except TelegramError as error:
        if not _says(error, _SAME):
            raise _explain(error) from None


def _explain(error: TelegramError) -> Exception:
    """The error in words that help; a call that is made twice repeats nothing but a new topic."""
    if _says(error, _NOT_A_FORUM):
        return TopicRefusedError(_NO_TOPICS)
    if _says(error, _RIGHTS):
        return TopicRefusedError(_NO_RIGHT)
    if _says(error, _GONE):
        return TopicGoneError("That topic is gone.")
    return translate(error)


def _says(error: TelegramError, parts: tuple[str, ...]) -> bool:
    is_refusal = isinstance(error, BadRequest | Forbidden)
    return is_refusal and any(part in str(error).lower() for part in parts)


def _cut(name: str) -> str:
    """1 to 128 characters, as Telegram takes them."""
    return " ".join(name.split())[:LONGEST_NAME] or "Session"
