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
from typing import Any
from urllib.parse import urlencode

import httpx
from telegram import (
    Bot,
    BotCommand,
    CallbackQuery,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    Message,
    MessageEntity,
    Update,
)
from telegram.constants import ChatAction
from telegram.error import (
    BadRequest,
    ChatMigrated,
    Conflict,
    Forbidden,
    InvalidToken,
    NetworkError,
    RetryAfter,
    TelegramError,
)
from telegram.request import HTTPXRequest

from channels.telegram_text import render_pieces
from core.commands import MenuEntry
from core.config import Secret
from core.errors import (
    ChannelError,
    ChannelRefusedError,
    ChatUnreachableError,
    FloodLimitError,
    MarkupRefusedError,
    MessageRefusedError,
    NotSentError,
    OutcomeUnknownError,
    StoreWriteError,
)
from core.model import (
    Button,
    ButtonPressed,
    Chat,
    Incoming,
    KindNotHandled,
    Person,
    Piece,
    Post,
    TextEdited,
)
from core.model import TextSent as Text
from core.ports import TakeUpdates
from core.redaction import Redactor

log = logging.getLogger(__name__)

os.environ.setdefault("PTB_TIMEDELTA", "1")  # the library's own switch: retry_after as timedelta

_POLL_SECONDS = 30
_FIRST_PAUSE = 1.0
_LONGEST_PAUSE = 30.0
_ALLOWED_UPDATES = '["message","edited_message","callback_query"]'
_NEVER_LEFT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)
_REDACTOR = Redactor()
_GONE = ("chat not found", "thread not found", "topic_closed", "topic_deleted", "group chat was")
_MARKUP = ("can't parse entities", "entity", "entities")


class TelegramChannel:
    """The bot of `token` at the Bot API server `api_url`."""

    name = "telegram"

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
                reason = _translate(error)
                if isinstance(reason, ChannelRefusedError):
                    raise reason from None
                log.warning("Telegram can't be reached yet: %s", reason)
            await self._sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def stop(self) -> None:
        """Disconnect."""
        await self._bot.shutdown()

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
                reason = _translate(error)
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
        update = Update.de_json(raw, self._bot)
        if update.callback_query is not None:
            return _from_press(update.callback_query)
        if update.message is not None:
            return _from_message(update.message)
        if update.edited_message is not None:
            return _from_edit(update.edited_message)
        return None

    def split(self, post: Post) -> list[Piece]:
        """The post as messages of at most 4,096 UTF-16 units."""
        return render_pieces(post)

    async def send(self, piece: Piece) -> int:
        """Send one message and return its id. Raises ChannelError's subclasses."""
        chat = piece.post.chat
        try:
            message = await self._bot.send_message(
                chat.chat_id,
                piece.text,
                entities=_entities(piece),
                reply_markup=_markup(piece.keyboard),
                message_thread_id=chat.topic,
                disable_notification=piece.post.silent,
            )
        except TelegramError as error:
            raise _translate(error) from None
        return message.message_id

    async def edit(self, piece: Piece, message_id: int) -> None:
        """Make the piece the content of a message. Raises ChannelError's subclasses."""
        try:
            await self._bot.edit_message_text(
                piece.text,
                piece.post.chat.chat_id,
                message_id,
                entities=_entities(piece),
                reply_markup=_markup(piece.keyboard),
            )
        except TelegramError as error:
            if "message is not modified" not in str(error).lower():
                raise _translate(error) from None

    async def show_typing(self, chat: Chat) -> None:
        """Show "typing…" for five seconds, if that works out."""
        try:
            await self._bot.send_chat_action(
                chat.chat_id, ChatAction.TYPING, message_thread_id=chat.topic
            )
        except TelegramError as error:
            log.debug("no typing sign: %s", _translate(error))

    async def answer_press(self, press_id: str, text: str = "") -> None:
        """End the waiting sign on a pressed button, if that works out."""
        try:
            await self._bot.answer_callback_query(press_id, text or None)
        except TelegramError as error:
            log.debug("a press was not answered: %s", _translate(error))


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


def _from_message(message: Message) -> Incoming | None:
    sender = message.from_user
    if sender is None or sender.is_bot or message.sender_chat is not None:
        return None
    person = Person(sender.id, sender.full_name)
    chat = _chat(message)
    is_private = message.chat.type == "private"
    if message.text is None:
        kind = message.effective_attachment
        if kind is None:
            return None  # a service message: somebody joined, a topic was made
        return KindNotHandled(chat, person, _kind_name(message), is_private)
    origin = message.forward_origin
    return Text(
        chat,
        person,
        message.message_id,
        message.text,
        is_private=is_private,
        forwarded_from=None if origin is None else _origin_name(origin),
        quoted=message.quote.text if message.quote is not None else None,
        reply_to=_replied_to(message),
    )


def _replied_to(message: Message) -> int | None:
    """The message that it answers; in a topic every message is one to the topic's beginning."""
    replied = message.reply_to_message
    is_topic = replied is not None and replied.forum_topic_created is not None
    return replied.message_id if replied is not None and not is_topic else None


def _from_edit(message: Message) -> Incoming | None:
    edited = _from_message(message)
    if not isinstance(edited, Text):
        return None
    return TextEdited(edited.chat, edited.person, edited.message_id, edited.text, edited.is_private)


def _from_press(query: CallbackQuery) -> Incoming | None:
    message = query.message
    if query.from_user.is_bot or not isinstance(message, Message) or query.data is None:
        return None
    return ButtonPressed(
        _chat(message),
        Person(query.from_user.id, query.from_user.full_name),
        message.message_id,
        query.id,
        query.data,
        is_private=message.chat.type == "private",
    )


def _chat(message: Message) -> Chat:
    topic = message.message_thread_id if message.is_topic_message else None
    return Chat("telegram", message.chat.id, topic)


def _kind_name(message: Message) -> str:
    for kind in ("photo", "voice", "video", "document", "sticker", "location", "audio", "contact"):
        if getattr(message, kind):
            return kind
    return "message of this kind"


def _origin_name(origin: Any) -> str:
    user = getattr(origin, "sender_user", None)
    chat = getattr(origin, "sender_chat", None) or getattr(origin, "chat", None)
    if user is not None:
        return str(user.full_name)
    return str(
        getattr(origin, "sender_user_name", None) or getattr(chat, "title", None) or "someone"
    )


def _entities(piece: Piece) -> list[MessageEntity] | None:
    return [MessageEntity(**entity) for entity in piece.entities] or None


def _markup(keyboard: Sequence[Sequence[Button]]) -> InlineKeyboardMarkup | None:
    if not keyboard:
        return None
    return InlineKeyboardMarkup(
        [[InlineKeyboardButton(b.label, callback_data=b.press) for b in row] for row in keyboard]
    )


def _translate(error: TelegramError) -> ChannelError:
    """The library's error as ours; its text is kept only where it can't hold the token."""
    text = _REDACTOR.redact(str(error))  # a proxy's page, quoted by the library, has our address
    match error:
        case InvalidToken():
            return ChannelRefusedError(
                "Telegram does not know this bot token; get it anew from @BotFather."
            )
        case RetryAfter():
            pause = error.retry_after
            return FloodLimitError(pause if isinstance(pause, int) else pause.total_seconds())
        case Forbidden() | ChatMigrated():
            return ChatUnreachableError(text)
        case BadRequest():
            return _translate_refusal(text)
        case NetworkError():
            cause = error.__cause__
            if isinstance(cause, _NEVER_LEFT):
                return NotSentError(f"no connection ({type(cause).__name__})")
            reason = "an answer that is none" if cause is None else type(cause).__name__
            return OutcomeUnknownError(f"no answer ({reason})")
        case _:
            return MessageRefusedError(text)


def _translate_refusal(text: str) -> ChannelError:
    lower = text.lower()
    if any(part in lower for part in _GONE):
        return ChatUnreachableError(text)
    if any(part in lower for part in _MARKUP):
        return MarkupRefusedError(text)
    return MessageRefusedError(text)
