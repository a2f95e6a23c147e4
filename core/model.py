"""The values that cross a boundary to people: what they send, and what a chat is shown.

All are frozen. The union `Incoming` is closed: who reads it handles every case or none. What Claude
Code does is in core/events.py.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

# --- where and who -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Chat:
    """One conversation's place: a chat of a channel, or one topic of it."""

    channel: str
    chat_id: int
    topic: int | None = None


@dataclass(frozen=True, slots=True)
class Person:
    """Who sent something; `user_id` is the channel's own number, the name is only for showing."""

    user_id: int
    name: str = ""


AT_THE_PAGE = 1 << 52
"""The user id of who sits at the page, which is an owner; Telegram's ids have 52 bits at most."""


def private_chat(user_id: int) -> Chat:
    """Where that person alone reads."""
    return Chat("web" if user_id == AT_THE_PAGE else "telegram", user_id)


@dataclass(frozen=True, slots=True)
class Place:
    """What a channel tells of a place: its title, and of a topic the name that it has from now on.

    `is_private`: one person's; `is_forum`: it has topics; `is_name_implicit`: nobody chose the
    topic's name; `own_notice`: the service message about a change of the bot's own.
    """

    chat: Chat
    title: str
    is_private: bool = False
    is_forum: bool = False
    topic_name: str | None = None
    is_name_implicit: bool = False
    own_notice: int | None = None


# --- what people send --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TextSent:
    """A text message; `forwarded_from` tells that the words are another's, `quoted` holds some.

    `reply_to` is the message, of anybody's, that it answers. `is_addressed`: it mentions the bot,
    or answers a message of the bot's. `sent_at`: when it was sent, by the channel's clock in
    seconds since the epoch (0: not known), which identifies nothing.
    """

    chat: Chat
    person: Person
    message_id: int
    text: str
    is_private: bool = True
    forwarded_from: str | None = None
    quoted: str | None = None
    reply_to: int | None = None
    is_addressed: bool = False
    sent_at: float = field(default=0.0, compare=False)


FileKind = Literal["photo", "document", "voice", "audio", "video", "video_note", "animation"]


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file at the channel's service, to be fetched by `Channel.download`.

    `name` and `mime_type` are the sender's words: for showing, never for a path. `size` in bytes,
    None when the service does not tell.
    """

    file_id: str
    kind: FileKind
    name: str = ""
    mime_type: str = ""
    size: int | None = None
    seconds: int | None = None


@dataclass(frozen=True, slots=True)
class FilesSent:
    """Files with a caption; what came as one album arrives one by one, with the same `album`."""

    chat: Chat
    person: Person
    message_id: int
    caption: str
    files: tuple[RemoteFile, ...]
    album: str | None = None
    is_private: bool = True
    forwarded_from: str | None = None
    quoted: str | None = None
    reply_to: int | None = None
    is_addressed: bool = False
    sent_at: float = field(default=0.0, compare=False)

    @property
    def kind(self) -> str:
        """In words, as after "a"."""
        return self.files[0].kind.replace("_", " ") if self.files else "file"


@dataclass(frozen=True, slots=True)
class LocationSent:
    """A place on the map; `title` is its name when it has one."""

    chat: Chat
    person: Person
    message_id: int
    latitude: float
    longitude: float
    title: str = ""
    is_private: bool = True
    forwarded_from: str | None = None
    reply_to: int | None = None
    is_addressed: bool = False
    sent_at: float = field(default=0.0, compare=False)

    @property
    def kind(self) -> str:
        """In words, as after "a"."""
        return "location"


@dataclass(frozen=True, slots=True)
class TextEdited:
    """A text message sent before was given another text."""

    chat: Chat
    person: Person
    message_id: int
    text: str
    is_private: bool = True
    is_addressed: bool = False


@dataclass(frozen=True, slots=True)
class ButtonPressed:
    """A press on a button below one of our messages; `data` may be forged."""

    chat: Chat
    person: Person
    message_id: int
    press_id: str
    data: str
    is_private: bool = True


@dataclass(frozen=True, slots=True)
class KindNotHandled:
    """Something from a person that the bridge can't take yet, named in words (`"a sticker"`)."""

    chat: Chat
    person: Person
    kind: str
    is_private: bool = True
    is_addressed: bool = False


Incoming = TextSent | FilesSent | LocationSent | TextEdited | ButtonPressed | KindNotHandled


# --- what a chat is shown ----------------------------------------------------------------------

Style = Literal["markdown", "notice", "screen", "card"]
Sign = Literal["received", "delivered", "answered", "failed"]
"""What a reaction below a person's message says about it."""


@dataclass(frozen=True, slots=True)
class Button:
    """A button: `press` is the opaque id that comes back in `ButtonPressed.data`."""

    label: str
    press: str


Keyboard = tuple[tuple[Button, ...], ...]
"""The rows of buttons below a message."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file to show: what is at `path` (absolute, without links) when it is sent, or the `text`.

    `name` is only shown. What can't be shown as a `photo` is sent as a document.
    """

    name: str
    path: str = ""
    kind: Literal["document", "photo"] = "document"
    text: str = ""


@dataclass(frozen=True, slots=True)
class Post:
    """One thing to show in a chat, once.

    `key` is its identity: a post with a key that was put before is not shown again. With `edits` it
    takes the place of the post of that key instead of being a new message. Style: `markdown` is
    Claude's own text, `notice` one plain line of the bridge, `screen` a terminal's text, `card`
    Markdown that always fits one message: of a longer text the end is shown. `details` are plain
    lines below the text, folded away; where there is no room for all, the oldest are left out.
    A `live` post is worth only as much as its newest state: others may overtake it, a newer edit
    takes its place, and it is forgotten when it fails. What must arrive is not live.
    """

    key: str
    chat: Chat
    text: str
    style: Style = "notice"
    keyboard: Keyboard = ()
    silent: bool = False
    edits: str | None = None
    live: bool = False
    details: str = ""
    attachments: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True)
class Piece:
    """What one message of a channel holds of a post; with several `files` it is an album.

    `entities` is the channel's own formatting of `text`, () for plain text.
    """

    post: Post
    text: str
    entities: tuple[dict[str, Any], ...] = ()
    keyboard: Keyboard = ()
    files: tuple[Attachment, ...] = ()


# --- the terminal ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PaneScreen:
    """What a terminal shows: its lines with their colour sequences and blank cells.

    `cursor` is its column and row from 0; None while it is hidden.
    """

    capture: str
    columns: int
    rows: int
    cursor: tuple[int, int] | None = None
