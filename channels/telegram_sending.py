"""Pieces to messages of Telegram: texts, files with a caption, albums; and the edits of all these.

Errors are those of python-telegram-bot, but for one: when of a piece in several calls a later one
fails, the outcome is unknown, as the first must not be repeated.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from telegram import (
    Bot,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    LinkPreviewOptions,
    MessageEntity,
)
from telegram.error import BadRequest, TelegramError

from channels.telegram_entities import length_of
from channels.telegram_errors import translate
from channels.telegram_files import (
    OpenFile,
    fits_one_request,
    is_photo_refused,
    make_media,
    opened,
)
from channels.telegram_text import CAPTION_LIMIT
from core.errors import OutcomeUnknownError
from core.model import Button, Piece

_UPLOAD_SECONDS = 120
# Telegram takes main.py for a web page, and would show what it finds there
_NO_PREVIEW = LinkPreviewOptions(is_disabled=True)


class Sender:
    """What a bot does to its messages."""

    def __init__(self, bot: Bot) -> None:
        self._bot = bot

    async def send(self, piece: Piece) -> int:
        """Send it; returns the id of the (first) message. Raises TelegramError."""
        if not piece.files:
            return await self._send_text(piece)
        with opened(piece.files) as (files, troubles):
            return await self._send_files(_with_more(piece, troubles), files)

    async def edit(self, piece: Piece, message_id: int) -> None:
        """Make it the content of a message. Raises TelegramError."""
        with opened(piece.files[:1]) as (files, troubles):
            if files:
                await self._edit_file(piece, message_id, files)
            else:
                await self._edit_text(_with_more(piece, troubles), message_id)

    async def _send_text(self, piece: Piece) -> int:
        chat = piece.post.chat
        message = await self._bot.send_message(
            chat.chat_id,
            piece.text,
            entities=_entities(piece),
            reply_markup=_markup(piece.keyboard),
            message_thread_id=chat.topic,
            disable_notification=piece.post.silent,
            link_preview_options=_NO_PREVIEW,
        )
        return message.message_id

    async def _send_files(self, piece: Piece, files: list[OpenFile]) -> int:
        """One call where that is possible."""
        if not files:
            return await self._send_text(piece)
        steps: list[Callable[[], Awaitable[int]]] = []
        if length_of(piece.text) > CAPTION_LIMIT:
            text = replace(piece, keyboard=())
            steps.append(lambda: self._send_text(text))
            piece = replace(piece, text="", entities=())
        groups = [files] if fits_one_request(files) else [[file] for file in files]
        for number, group in enumerate(groups):
            captioned = piece if number == 0 else replace(piece, text="", entities=())
            steps.append(partial(self._send_group, captioned, group))
        first = await steps[0]()
        try:
            for step in steps[1:]:
                await step()
        except TelegramError as error:
            raise OutcomeUnknownError(f"a part was sent ({translate(error)})") from None
        return first

    async def _send_group(self, piece: Piece, files: list[OpenFile]) -> int:
        """As photos if they are and Telegram takes them so, else as documents."""
        is_photo = all(file.is_photo for file in files)
        try:
            return await self._send_media(piece, files, is_photo=is_photo)
        except BadRequest as error:
            if not is_photo or not is_photo_refused(str(error)):
                raise
            return await self._send_media(piece, files, is_photo=False)

    async def _send_media(self, piece: Piece, files: list[OpenFile], *, is_photo: bool) -> int:
        chat, entities = piece.post.chat, _entities(piece) or ()
        common: dict[str, Any] = {
            "chat_id": chat.chat_id,
            "message_thread_id": chat.topic,
            "disable_notification": piece.post.silent,
            "read_timeout": _UPLOAD_SECONDS,
            "write_timeout": _UPLOAD_SECONDS,
        }
        first, *others = files
        media = [make_media(first, piece.text, entities, is_photo=is_photo)]
        media += [make_media(file, is_photo=is_photo) for file in others]
        if len(media) > 1:
            return (await self._bot.send_media_group(media=media, **common))[0].message_id
        common |= {"caption": piece.text, "caption_entities": entities}
        common |= {"reply_markup": _markup(piece.keyboard)}
        if is_photo:
            return (await self._bot.send_photo(photo=media[0].media, **common)).message_id
        document = await self._bot.send_document(
            document=media[0].media, disable_content_type_detection=True, **common
        )
        return document.message_id

    async def _edit_text(self, piece: Piece, message_id: int) -> None:
        """New text; where there is a file, a new caption."""
        chat_id, entities = piece.post.chat.chat_id, _entities(piece)
        markup = _markup(piece.keyboard)
        try:
            await self._bot.edit_message_text(
                piece.text,
                chat_id,
                message_id,
                entities=entities,
                reply_markup=markup,
                link_preview_options=_NO_PREVIEW,
            )
        except BadRequest as error:
            if "no text in the message" not in str(error).lower():
                raise
            await self._bot.edit_message_caption(
                chat_id,
                message_id,
                caption=piece.text,
                caption_entities=entities,
                reply_markup=markup,
            )

    async def _edit_file(self, piece: Piece, message_id: int, files: list[OpenFile]) -> None:
        try:
            await self._edit_media(piece, message_id, files[0], is_photo=files[0].is_photo)
        except BadRequest as error:
            if not files[0].is_photo or not is_photo_refused(str(error)):
                raise
            await self._edit_media(piece, message_id, files[0], is_photo=False)

    async def _edit_media(
        self, piece: Piece, message_id: int, file: OpenFile, *, is_photo: bool
    ) -> None:
        await self._bot.edit_message_media(
            make_media(file, piece.text, _entities(piece) or (), is_photo=is_photo),
            piece.post.chat.chat_id,
            message_id,
            reply_markup=_markup(piece.keyboard),
            read_timeout=_UPLOAD_SECONDS,
            write_timeout=_UPLOAD_SECONDS,
        )


def _with_more(piece: Piece, lines: Sequence[str]) -> Piece:
    """The piece with more lines below its text."""
    return replace(piece, text="\n".join([*filter(None, [piece.text]), *lines]))


def _entities(piece: Piece) -> list[MessageEntity] | None:
    return [MessageEntity(**entity) for entity in piece.entities] or None


def _markup(keyboard: Sequence[Sequence[Button]]) -> InlineKeyboardMarkup | None:
    if not keyboard:
        return None
    return InlineKeyboardMarkup(
        [[InlineKeyboardButton(b.label, callback_data=b.press) for b in row] for row in keyboard]
    )
