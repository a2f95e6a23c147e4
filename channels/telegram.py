"""Telegram as a channel: the only module that knows python-telegram-bot.

* Updates are fetched here rather than by the library, whose polling acknowledges before anybody has
  handled them: the offset that makes Telegram forget an update is sent only after `take` returned.
* The library's errors become those of core.errors, once, without the token that some of them quote.
* A send that broke off after the request left is `OutcomeUnknownError`, never taken for a failure.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from telegram import (
    Bot,
    BotCommand,
    BotCommandScopeChat,
    ReactionTypeEmoji,
)
from telegram.constants import ChatAction, ReactionEmoji
from telegram.error import Conflict, TelegramError
from telegram.request import HTTPXRequest

from channels.telegram_errors import translate
from channels.telegram_files import check_size, fetch, too_big
from channels.telegram_incoming import parse_update
from channels.telegram_sending import Sender
from channels.telegram_text import render_pieces
from channels.telegram_topics import TelegramForum
from core.commands import MenuEntry
from core.config import Secret
from core.errors import (
    ChannelRefusedError,
    FileNotReceivedError,
    MessageRefusedError,
    ReactionRefusedError,
    StoreWriteError,
)
from core.flood import FloodLimit
from core.model import Chat, Incoming, Piece, Post, RemoteFile, Sign
from core.ports import Desk, Forum, TakeUpdates

log = logging.getLogger(__name__)

os.environ.setdefault("PTB_TIMEDELTA", "1")  # the library's own switch: durations as timedelta

_POLL_SECONDS = 30
_FIRST_PAUSE = 1.0
_LONGEST_PAUSE = 30.0
_DOWNLOAD_ATTEMPTS = 4
_ALLOWED_UPDATES = '["message","edited_message","callback_query"]'
# Edits count like messages, and about 20 of them a minute are let through in any chat. A group
# takes 20 messages a minute, a private chat one a second with short bursts. The windows are a
# little longer than Telegram's, as not all messages are on the way equally long.
_GROUP_LIMITS = (FloodLimit(20, 63, live=13),)
_PRIVATE_LIMITS = (FloodLimit(20, 21, live=12), FloodLimit(60, 63, live=20))
_ALL_CHATS_LIMITS = (FloodLimit(28, 1, live=20),)
_SIGNS: dict[Sign, ReactionEmoji] = {
    "received": ReactionEmoji.EYES,
    "delivered": ReactionEmoji.WRITING_HAND,
    "answered": ReactionEmoji.OK_HAND_SIGN,
    "failed": ReactionEmoji.BROKEN_HEART,
}


class TelegramChannel:
    """The bot of `token` at the Bot API server `api_url`."""

    name = "telegram"
    sends_once = False
    cuts_texts = True

    def __init__(
        self,
        token: Secret,
        api_url: str,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        base = api_url.rstrip("/")
        self._polling = HTTPXRequest(connection_pool_size=1)
        self._bot = Bot(
            token.reveal(),
            base_url=f"{base}/bot",
            base_file_url=f"{base}/file/bot",
            request=HTTPXRequest(connection_pool_size=16, read_timeout=20, pool_timeout=20),
            get_updates_request=self._polling,
        )
        self._sender = Sender(self._bot)
        self.forum: Forum = TelegramForum(self._bot)
        self._sleep = sleep
        self._heard_at = time.monotonic()

    @property
    def silence(self) -> float:
        """Seconds since Telegram last answered a call for updates."""
        return time.monotonic() - self._heard_at

    @property
    def bot_name(self) -> str:
        """The bot's user name; known after `start`."""
        return self._bot.username

    async def start(self, menu: Sequence[MenuEntry]) -> None:
        """Connect, waiting as long as the network takes. Raises ChannelRefusedError."""
        pause = _FIRST_PAUSE
        while True:
            try:
                await self._bot.initialize()
                await self._bot.set_my_commands(
                    [BotCommand(entry.name, entry.description) for entry in menu]
                )
                return
            except TelegramError as error:
                reason = translate(error)
                if isinstance(reason, ChannelRefusedError):
                    raise reason from None
                log.warning("Telegram can't be reached yet: %s", reason)
            await self._sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def set_menu(self, chat: Chat, menu: Sequence[tuple[str, str]]) -> bool:
        """Show these commands in that chat's menu, in place of everybody's, if that works out."""
        try:
            await self._bot.set_my_commands(
                [BotCommand(name, description) for name, description in menu],
                scope=BotCommandScopeChat(chat.chat_id),
            )
        except TelegramError as error:
            log.info("a chat's menu could not be set: %s", translate(error))
            return False
        return True

    async def stop(self) -> None:
        """Disconnect."""
        await self._bot.shutdown()

    def equip(self, desk: Desk) -> None:
        """There is no room beside a chat on a phone."""

    def link_to(self, chat: Chat) -> str:
        """The link that opens the chat with the bot."""
        return f"https://t.me/{self._bot.username}"

    def make_invitation(self, code: str) -> str:
        """The link that opens the chat with the bot and sends it the code."""
        return f"https://t.me/{self._bot.username}?start={code}"

    async def receive(self, take: TakeUpdates) -> None:
        """Hand updates to `take` until cancelled. Raises ChannelRefusedError."""
        offset: int | None = None
        pause = _FIRST_PAUSE
        is_contested = False
        while True:
            try:
                updates = await self._fetch(offset)
                self._heard_at = time.monotonic()
                if updates:
                    take([(_key(update), update) for update in updates])
                    offset = max(update["update_id"] for update in updates) + 1
                pause, is_contested = _FIRST_PAUSE, False
                continue
            except Conflict:
                if not is_contested:
                    log.warning("Another program uses this bot's token; end it. Trying on.")
                is_contested = True
            except StoreWriteError as error:
                log.error("Messages wait at Telegram until they can be kept here: %s", error)
            except TelegramError as error:
                reason = translate(error)
                if isinstance(reason, ChannelRefusedError):
                    raise reason from None
                log.info("Telegram can't be reached: %s", reason)
            await self._sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def _fetch(self, offset: int | None) -> list[dict[str, Any]]:
        query = {"timeout": _POLL_SECONDS, "allowed_updates": _ALLOWED_UPDATES}
        if offset is not None:
            query["offset"] = offset
        found = await self._polling.post(
            f"{self._bot.base_url}/getUpdates?{urlencode(query)}",
            read_timeout=_POLL_SECONDS + 15,
        )
        updates = found if isinstance(found, list) else []
        return [u for u in updates if isinstance(u, dict) and isinstance(u.get("update_id"), int)]

    def parse(self, raw: dict[str, Any]) -> Incoming | None:
        """What a person did in this update; None for channels, bots and anonymous admins."""
        return parse_update(raw, self._bot)

    def flood_limits(self, chat_id: int | None) -> Sequence[FloodLimit]:
        """What Telegram asks bots to keep within; groups have negative numbers."""
        if chat_id is None:
            return _ALL_CHATS_LIMITS
        return _GROUP_LIMITS if chat_id < 0 else _PRIVATE_LIMITS

    def split(self, post: Post) -> list[Piece]:
        """The post as messages of at most 4,096 UTF-16 units."""
        return render_pieces(post)

    async def send(self, piece: Piece) -> int:
        """Send one message or album; returns the (first) id. Raises ChannelError's subclasses."""
        try:
            return await self._sender.send(piece)
        except TelegramError as error:
            raise translate(error) from None

    async def edit(self, piece: Piece, message_id: int) -> None:
        """Make the piece the content of a message. Raises ChannelError's subclasses."""
        try:
            await self._sender.edit(piece, message_id)
        except TelegramError as error:
            if "message is not modified" not in str(error).lower():
                raise translate(error) from None

    async def delete(self, chat: Chat, message_id: int) -> None:
        """Delete a message; one that is gone is no error. Raises ChannelError's subclasses."""
        try:
            await self._bot.delete_message(chat.chat_id, message_id)
        except TelegramError as error:
            if "message to delete not found" not in str(error).lower():
                raise translate(error) from None

    async def react(self, chat: Chat, message_id: int, sign: Sign) -> None:
        """Put the emoji of a sign on a message. Raises ChannelError's subclasses."""
        try:
            emoji = ReactionTypeEmoji(_SIGNS[sign])
            await self._bot.set_message_reaction(chat.chat_id, message_id, emoji)
        except TelegramError as error:
            reason = translate(error)
            if isinstance(reason, MessageRefusedError) and "not found" not in str(reason):
                raise ReactionRefusedError(str(reason)) from None
            raise reason from None

    async def download(self, file: RemoteFile, target: Path, limit_bytes: int) -> None:
        """Fetch a file, trying again while the network is away for some seconds.

        Raises FileTooBigError, FileNotReceivedError, StoreWriteError.
        """
        check_size(file.size, limit_bytes)
        pause = _FIRST_PAUSE
        for _ in range(_DOWNLOAD_ATTEMPTS - 1):
            with suppress(FileNotReceivedError):
                return await self._download(file, target, limit_bytes)
            await self._sleep(pause)
            pause *= 2
        return await self._download(file, target, limit_bytes)

    async def _download(self, file: RemoteFile, target: Path, limit_bytes: int) -> None:
        try:
            found = await self._bot.get_file(file.file_id)
        except TelegramError as error:
            if "file is too big" in str(error).lower():
                raise too_big(limit_bytes) from None
            reason = translate(error)
            raise FileNotReceivedError(
                f"The file could not be fetched ({reason}); send it again."
            ) from None
        check_size(found.file_size, limit_bytes)
        await fetch(found.file_path or "", target, limit_bytes)

    async def show_typing(self, chat: Chat) -> None:
        """Show "typing…" for five seconds, if that works out."""
        try:
            await self._bot.send_chat_action(
                chat.chat_id, ChatAction.TYPING, message_thread_id=chat.topic
            )
        except TelegramError as error:
            log.debug("no typing sign: %s", translate(error))

    async def answer_press(self, press_id: str, text: str = "") -> None:
        """End the waiting sign on a pressed button, if that works out."""
        try:
            await self._bot.answer_callback_query(press_id, text or None)
        except TelegramError as error:
            log.debug("a press was not answered: %s", translate(error))


def _key(update: dict[str, Any]) -> str:
    """Identity beyond the running number, which starts again at random after a quiet week."""
    press = _part(update, "callback_query")
    message = _part(update, "message") or _part(update, "edited_message")
    parts = [update.get("update_id"), press.get("id", ""), _part(message, "chat").get("id", "")]
    parts += [message.get("message_id", ""), message.get("date", "")]
    parts += [message.get("edit_date", "")]
    return ":".join(str(part) for part in parts)


def _part(update: dict[str, Any], name: str) -> dict[str, Any]:
    """One object within another; {} for what is none, as nothing was checked yet."""
    part = update.get(name)
    return part if isinstance(part, dict) else {}
