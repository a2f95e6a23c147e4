"""A Telegram update to what a person did in it: nothing of channels, bots and anonymous admins.

Names, captions and numbers in an update are whatever the sender's program wrote.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from telegram import Bot, CallbackQuery, Message, MessageEntity, Update

from core.model import (
    ButtonPressed,
    Chat,
    FileKind,
    FilesSent,
    Incoming,
    KindNotHandled,
    LocationSent,
    Person,
    Place,
    RemoteFile,
    TextEdited,
    TextSent,
)

# an animation comes as a document too, so that it is looked for before
_KINDS: tuple[FileKind, ...] = (
    "animation",
    "document",
    "voice",
    "audio",
    "video_note",
    "video",
)


def parse_update(raw: dict[str, Any], bot: Bot) -> Incoming | None:
    """What a person did in this update, if one did."""
    update = Update.de_json(raw, bot)
    if update.callback_query is not None:
        return _from_press(update.callback_query)
    if update.message is not None:
        return _from_message(update.message)
    if update.edited_message is not None:
        return _from_edit(update.edited_message)
    return None


def read_place(raw: dict[str, Any], bot: Bot) -> Place | None:
    """The chat of an update, and the name of its topic when the update gives it one.

    A name that the bot gave itself is no news.
    """
    update = Update.de_json(raw, bot)
    message = update.effective_message
    if not isinstance(message, Message):
        return None
    chat = message.chat
    made, edited = message.forum_topic_created, message.forum_topic_edited
    name = made.name if made is not None else edited.name if edited is not None else None
    is_ours = message.from_user is not None and message.from_user.id == _id_of(bot)
    return Place(
        _chat(message),
        chat.title or chat.full_name or "",
        is_private=chat.type == "private",
        is_forum=bool(chat.is_forum),
        topic_name=None if is_ours else name,
        own_notice=message.message_id if is_ours and edited is not None else None,
        is_name_implicit=bool(made is not None and made.is_name_implicit),
    )


def _id_of(bot: Bot) -> int | None:
    """The bot's user id; None before it is connected."""
    try:
        return bot.id
    except RuntimeError:
        return None


def _from_message(message: Message) -> Incoming | None:
    sender = message.from_user
    if sender is None or sender.is_bot or message.sender_chat is not None:
        return None
    person = Person(sender.id, sender.full_name)
    chat = _chat(message)
    is_private = message.chat.type == "private"
    origin = message.forward_origin
    forwarded_from = None if origin is None else _origin_name(origin)
    quoted = message.quote.text if message.quote is not None else None
    is_addressed, sent_at = _is_addressed(message), message.date.timestamp()
    common = (is_private, forwarded_from, quoted, _reply_to(message), is_addressed, sent_at)
    if message.text is not None:
        return TextSent(chat, person, message.message_id, message.text, *common)
    if message.location is not None:
        place = message.location
        title = message.venue.title if message.venue is not None else ""
        return LocationSent(
            chat,
            person,
            message.message_id,
            place.latitude,
            place.longitude,
            title,
            is_private,
            forwarded_from,
            _reply_to(message),
            is_addressed,
            sent_at,
        )
    files = _files(message)
    if files:
        caption, album = message.caption or "", message.media_group_id
        return FilesSent(chat, person, message.message_id, caption, files, album, *common)
    if message.effective_attachment is None:
        return None  # a service message: somebody joined, a topic was made
    return KindNotHandled(chat, person, _kind_name(message), is_private, is_addressed)


def _is_addressed(message: Message) -> bool:
    """Whether it mentions the bot by its name, answers it, or gives it a command by name.

    Forwarded words mention nobody.
    """
    bot = message.get_bot()
    bot_id = _id_of(bot)
    if bot_id is None:
        return False
    name = f"@{bot.username}".lower()
    answered = message.reply_to_message if _reply_to(message) is not None else None
    author = answered.from_user if answered is not None else None
    if author is not None and author.id == bot_id:
        return True
    if message.forward_origin is not None:
        return False
    found = {**message.parse_entities(), **message.parse_caption_entities()}
    return any(_names(entity, text, name, bot_id) for entity, text in found.items())


def _names(entity: MessageEntity, text: str, name: str, bot_id: int) -> bool:
    """Whether the entity is the bot's name."""
    match entity.type:
        case MessageEntity.MENTION:
            return text.lower() == name
        case MessageEntity.TEXT_MENTION:
            return entity.user is not None and entity.user.id == bot_id
        case MessageEntity.BOT_COMMAND:
            return text.lower().endswith(name)
        case _:
            return False


def _reply_to(message: Message) -> int | None:
    """In a topic, what answers nothing answers the message that made the topic: that is none."""
    answered = message.reply_to_message
    if answered is None or (message.is_topic_message and answered.forum_topic_created):
        return None
    return answered.message_id


def _files(message: Message) -> tuple[RemoteFile, ...]:
    """The file of a message; a photo comes in sizes, of which the largest counts."""
    if message.photo:
        photo = max(message.photo, key=lambda size: size.width * size.height)
        return (RemoteFile(photo.file_id, "photo", size=photo.file_size),)
    for kind in _KINDS:
        found = getattr(message, kind)
        if found is not None:
            return (_file(kind, found),)
    return ()


def _file(kind: FileKind, found: Any) -> RemoteFile:
    length = getattr(found, "duration", None)
    seconds = length.total_seconds() if isinstance(length, timedelta) else length
    return RemoteFile(
        found.file_id,
        kind,
        getattr(found, "file_name", None) or "",
        getattr(found, "mime_type", None) or "",
        found.file_size,
        None if seconds is None else int(seconds),
    )


def _from_edit(message: Message) -> Incoming | None:
    edited = _from_message(message)
    if not isinstance(edited, TextSent):
        return None
    return TextEdited(
        edited.chat,
        edited.person,
        edited.message_id,
        edited.text,
        edited.is_private,
        edited.is_addressed,
    )


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
    for kind in ("sticker", "contact", "poll"):
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
