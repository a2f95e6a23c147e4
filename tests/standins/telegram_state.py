"""What the stand-in knows: people, chats, messages, files, calls; one lock and one bell for all.

Every reader and writer holds `State.changed` (a condition on a reentrant lock); whoever changed
something calls `notify`, which wakes `wait_for` and the open long poll. Message ids are counted per
supergroup, and in one series for all private chats, as Telegram does for a bot.
"""

import itertools
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from tests.standins.telegram_entities import Entity
from tests.standins.telegram_updates import UpdateQueue

Json = dict[str, Any]
GENERAL_TOPIC = 1


@dataclass(frozen=True, slots=True)
class User:
    """A person or a bot, as in the Bot API's User."""

    id: int
    first_name: str
    last_name: str = ""
    username: str = ""
    language_code: str = ""
    is_bot: bool = False

    def as_json(self) -> Json:
        """The Bot API object; empty fields left out."""
        optional = {
            "last_name": self.last_name,
            "username": self.username,
            "language_code": self.language_code,
        }
        named = {"id": self.id, "is_bot": self.is_bot, "first_name": self.first_name}
        return named | {key: value for key, value in optional.items() if value}


@dataclass(slots=True)
class Topic:
    """A forum topic; its id is the id of the service message that made it."""

    id: int
    name: str
    icon_color: int = 7322096
    icon_custom_emoji_id: str = ""
    is_closed: bool = False
    is_deleted: bool = False
    is_made_by_bot: bool = False

    def as_json(self) -> Json:
        """The Bot API's ForumTopic."""
        shown = {"message_thread_id": self.id, "name": self.name, "icon_color": self.icon_color}
        emoji = {"icon_custom_emoji_id": self.icon_custom_emoji_id}
        return shown | (emoji if self.icon_custom_emoji_id else {})


@dataclass(slots=True)
class Chat:
    """A chat; tests may change its options at any time.

    `forbidden` answers every call 403 with that text (blocked, kicked, deleted).
    `allows_reactions=False` refuses reactions; `bot_is_admin` gives the rights in a group, but for
    that to manage topics where `bot_manages_topics` is False.
    """

    id: int
    type: str
    title: str = ""
    is_forum: bool = False
    person: User | None = None
    members: dict[int, User] = field(default_factory=dict)
    topics: dict[int, Topic] = field(default_factory=dict)
    pinned: list[int] = field(default_factory=list)
    forbidden: str | None = None
    is_unknown: bool = False
    migrated_to: int | None = None
    allows_reactions: bool = True
    bot_is_admin: bool = True
    bot_manages_topics: bool = True

    @property
    def is_private(self) -> bool:
        """Whether this is the chat with one person."""
        return self.type == "private"

    def as_json(self) -> Json:
        """The Bot API object, as it appears in messages."""
        if self.person is not None:
            person = self.person.as_json()
            shown = {key: person[key] for key in ("last_name", "username") if key in person}
            named = {"id": self.id, "type": self.type, "first_name": person["first_name"]}
            return named | shown  # that it has topics is told of the bot alone, in getMe
        named = {"id": self.id, "type": self.type, "title": self.title}
        return named | ({"is_forum": True} if self.is_forum else {})


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file the server holds; `size` is what it claims, which may exceed `len(data)`."""

    file_id: str
    data: bytes
    name: str
    mime_type: str
    size: int

    @property
    def unique_id(self) -> str:
        """The same for every bot and never usable for download."""
        return f"U{self.file_id}"


@dataclass(frozen=True, slots=True)
class Media:
    """What a message carries beside text: `kind` is photo, document, voice, video or audio."""

    kind: str
    file: StoredFile
    width: int = 0
    height: int = 0
    duration: int = 0


@dataclass(frozen=True, slots=True)
class Edit:
    """What a message was before it was edited, and when (time.monotonic()) that ended."""

    text: str
    entities: list[Entity]
    reply_markup: Json | None
    until: float


@dataclass(slots=True)
class Message:
    """One message as a person sees it now. `text` is the caption where there is media."""

    message_id: int
    chat_id: int
    sender: User
    date: int
    at: float
    text: str = ""
    entities: list[Entity] = field(default_factory=list)
    topic: int | None = None
    from_bot: bool = False
    reply_markup: Json | None = None
    reply_to: int | None = None
    media: Media | None = None
    media_group_id: str | None = None
    is_silent: bool = False
    is_protected: bool = False
    is_deleted: bool = False
    edit_date: int | None = None
    edits: list[Edit] = field(default_factory=list)
    reactions: list[str] = field(default_factory=list)
    service: Json = field(default_factory=dict)
    extra: Json = field(default_factory=dict)
    params: Json = field(default_factory=dict)

    @property
    def buttons(self) -> list[list[Json]]:
        """Rows of inline buttons, as in the Bot API; empty without a keyboard."""
        rows: list[list[Json]] = (self.reply_markup or {}).get("inline_keyboard", [])
        return rows

    @property
    def labels(self) -> list[str]:
        """Texts of the inline buttons, row after row."""
        return [button["text"] for row in self.buttons for button in row]

    @property
    def data(self) -> bytes | None:
        """The bytes of the photo, document or voice note, if any."""
        return self.media.file.data if self.media else None

    def snapshot(self) -> "Message":
        """A copy that later edits of the message do not touch."""
        return replace(
            self,
            entities=list(self.entities),
            edits=list(self.edits),
            reactions=list(self.reactions),
        )


@dataclass(slots=True)
class Call:
    """One request of the bot. `status` is None while it waits for its answer, 0 if dropped."""

    method: str
    params: Json
    at: float
    chat_id: int | None = None
    status: int | None = None
    description: str = ""
    result: Any = None
    answered_at: float | None = None


@dataclass(frozen=True, slots=True)
class CallbackAnswer:
    """What a person saw after pressing a button."""

    query_id: str
    text: str
    show_alert: bool


class State:
    """All of it. Readers and writers hold `changed`."""

    def __init__(self, *, bot: User, first_update_id: int = 700_000_001) -> None:
        self.changed = threading.Condition(threading.RLock())
        self.listeners: list[Callable[[], None]] = []
        self.bot = bot
        self.updates = UpdateQueue(first_id=first_update_id)
        self.users: dict[int, User] = {bot.id: bot}
        self.chats: dict[int, Chat] = {}
        self.messages: dict[int, dict[int, Message]] = {}
        self.files: dict[str, StoredFile] = {}
        self.calls: list[Call] = []
        self.chat_actions: list[tuple[int, int | None, str]] = []
        self.drafts: dict[tuple[int, int | None], str] = {}
        self.callbacks: dict[str, Json] = {}
        self.callback_answers: list[CallbackAnswer] = []
        self.commands: dict[tuple[str, str], list[Json]] = {}
        self.descriptions: dict[tuple[str, str], str] = {}
        self.upload_limit = 50 * 1024 * 1024
        self.download_limit = 20 * 1024 * 1024
        self.are_entities_strict = True
        self._private_ids = itertools.count(1)
        self._group_ids: dict[int, itertools.count[int]] = {}
        self._serials = itertools.count(1)

    def notify(self) -> None:
        """Wakes everybody who waits for a change."""
        self.changed.notify_all()
        for listener in self.listeners:
            listener()

    def serial(self) -> int:
        """A number that was never given out."""
        return next(self._serials)

    def next_message_id(self, chat: Chat) -> int:
        """Private chats share one series; each group has its own, whose 1 is its own creation."""
        if chat.is_private:
            return next(self._private_ids)
        return next(self._group_ids.setdefault(chat.id, itertools.count(GENERAL_TOPIC + 1)))

    def add_message(self, chat: Chat, sender: User, **fields: Any) -> Message:
        """Stores a new message of that chat and answers it."""
        message = Message(
            message_id=self.next_message_id(chat),
            chat_id=chat.id,
            sender=sender,
            date=int(time.time()),
            at=time.monotonic(),
            from_bot=sender.id == self.bot.id,
            **fields,
        )
        self.messages.setdefault(chat.id, {})[message.message_id] = message
        return message

    def find_message(self, chat_id: int, message_id: int | None) -> Message | None:
        """The message, unless it does not exist or was deleted."""
        message = self.messages.get(chat_id, {}).get(message_id or 0)
        return None if message is None or message.is_deleted else message

    def add_file(
        self, data: bytes, name: str, mime_type: str, size: int | None = None
    ) -> StoredFile:
        """Stores bytes under a new file id."""
        file_id = f"FILE{self.serial():06d}"
        stored = StoredFile(file_id, data, name, mime_type, len(data) if size is None else size)
        self.files[file_id] = stored
        return stored


def record_edit(message: Message) -> None:
    """Keeps what the message was, before the caller changes it."""
    before = Edit(message.text, message.entities, message.reply_markup, time.monotonic())
    message.edits.append(before)
    message.edit_date = int(time.time())


def render_message(state: State, message: Message, *, with_reply: bool = True) -> Json:
    """The Bot API's Message object."""
    chat = state.chats[message.chat_id]
    shown: Json = {
        "message_id": message.message_id,
        "from": message.sender.as_json(),
        "chat": chat.as_json(),
        "date": message.date,
    }
    if message.topic is not None:
        shown |= {"message_thread_id": message.topic, "is_topic_message": True}
    if message.edit_date is not None:
        shown["edit_date"] = message.edit_date
    replied_to = _replied_to(state, message)
    if with_reply and replied_to is not None:
        shown["reply_to_message"] = render_message(state, replied_to, with_reply=False)
    if message.media_group_id is not None:
        shown["media_group_id"] = message.media_group_id
    if message.is_protected:
        shown["has_protected_content"] = True
    shown |= _render_content(message)
    if message.buttons:
        shown["reply_markup"] = message.reply_markup
    return shown | message.service | message.extra


def _replied_to(state: State, message: Message) -> Message | None:
    """In a topic, what answers nothing answers the service message that made the topic."""
    target = message.reply_to or message.topic
    is_itself = target == message.message_id
    return None if is_itself else state.find_message(message.chat_id, target)


def _render_content(message: Message) -> Json:
    if message.media is None:
        return _render_text("text", "entities", message)
    file = message.media.file
    named: Json = {"file_id": file.file_id, "file_unique_id": file.unique_id}
    sized = named | {"file_size": file.size}
    caption = _render_text("caption", "caption_entities", message)
    match message.media.kind:
        case "photo":
            size = {"width": message.media.width or 800, "height": message.media.height or 600}
            return {"photo": [sized | size]} | caption
        case "document":
            return {
                "document": sized | {"file_name": file.name, "mime_type": file.mime_type}
            } | caption
        case "video_note":
            round_one = {"length": message.media.width or 240, "duration": message.media.duration}
            return {"video_note": sized | round_one}
        case kind:
            timed = {"duration": message.media.duration, "mime_type": file.mime_type}
            if kind in ("voice", "audio"):
                return {kind: sized | timed} | caption
            size = {"width": message.media.width or 640, "height": message.media.height or 480}
            shown = sized | timed | size | {"file_name": file.name}
            return {kind: shown} | ({"document": shown} if kind == "animation" else {}) | caption


def _render_text(text_field: str, entities_field: str, message: Message) -> Json:
    shown: Json = {text_field: message.text} if message.text else {}
    return shown | ({entities_field: message.entities} if message.entities else {})
