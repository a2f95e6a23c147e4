"""What a person did at the page: the request as it is checked, and the update that it becomes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec

from channels.web_store import ROOT, KeptFile, Taken
from core.model import (
    AT_THE_PAGE,
    ButtonPressed,
    Chat,
    FilesSent,
    Incoming,
    Person,
    Place,
    RemoteFile,
    TextEdited,
    TextSent,
)

NAME = "web"
_PERSON = Person(AT_THE_PAGE, "You")
_TITLE = "The page"

_Key = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_-]{8,64}$")]
_Text = Annotated[str, msgspec.Meta(max_length=100_000)]
_Number = Annotated[int, msgspec.Meta(ge=0, le=1 << 53)]
_FileId = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{32}$")]


class EnterRequest(msgspec.Struct, forbid_unknown_fields=True):
    """The key of the link that a browser was opened by."""

    key: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]


class SendRequest(msgspec.Struct, forbid_unknown_fields=True):
    """A message, in a new topic when `topic` is none. `key` is the page's own, one for each."""

    key: _Key
    text: _Text = ""
    topic: _Number | None = None
    reply_to: _Number | None = None
    files: Annotated[list[_FileId], msgspec.Meta(max_length=20)] = []


class EditRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Another text for a message of the person's own."""

    key: _Key
    message: _Number
    text: _Text


class PressRequest(msgspec.Struct, forbid_unknown_fields=True):
    """A press on a button below a message."""

    key: _Key
    message: _Number
    press: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]


class RemoveRequest(msgspec.Struct, forbid_unknown_fields=True):
    """A conversation that is to be deleted for good."""

    topic: Annotated[int, msgspec.Meta(ge=1, le=1 << 53)]


class KeysRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Keys for the terminal of a topic, as the screen of that mark was seen."""

    topic: _Number
    keys: Annotated[
        list[Annotated[str, msgspec.Meta(max_length=8)]], msgspec.Meta(min_length=1, max_length=64)
    ]
    mark: Annotated[str, msgspec.Meta(max_length=16)]


class _Update(msgspec.Struct):
    kind: Literal["message", "edit", "press"]
    topic: int
    message: int
    text: str = ""
    files: list[KeptFile] = []
    reply_to: int | None = None
    press: str = ""
    press_key: str = ""
    topic_name: str | None = None
    at: float = 0.0


def make_update(kind: str, taken: Taken, **more: Any) -> dict[str, Any]:
    """The update as it is kept."""
    update: dict[str, Any] = msgspec.to_builtins(
        {"kind": kind, "topic": taken.topic, "message": taken.message, **more}
    )
    return update


def chat_of(topic: int) -> Chat:
    """The chat of a topic of the page."""
    return Chat(NAME, AT_THE_PAGE, None if topic == ROOT else topic)


def topic_of(chat: Chat) -> int:
    """The number of a chat's topic."""
    return ROOT if chat.topic is None else chat.topic


def parse_update(raw: dict[str, Any]) -> Incoming | None:
    """What a person did; None for what no person did."""
    update = _convert(raw)
    if update is None:
        return None
    chat = chat_of(update.topic)
    match update.kind:
        case "press":
            return ButtonPressed(chat, _PERSON, update.message, update.press_key, update.press)
        case "edit":
            return TextEdited(chat, _PERSON, update.message, update.text)
        case "message" if update.files:
            files = tuple(_remote(file) for file in update.files)
            return FilesSent(
                *(chat, _PERSON, update.message, update.text, files),
                reply_to=update.reply_to,
                sent_at=update.at,
            )
        case "message":
            return TextSent(
                *(chat, _PERSON, update.message, update.text),
                reply_to=update.reply_to,
                sent_at=update.at,
            )


def read_place(raw: dict[str, Any]) -> Place | None:
    """The place that an update comes from, and the name of its topic when it is new."""
    update = _convert(raw)
    if update is None:
        return None
    return Place(
        chat_of(update.topic),
        _TITLE,
        is_private=True,
        is_forum=True,
        topic_name=update.topic_name,
        is_name_implicit=True,
    )


def name_topic(text: str, files: Sequence[KeptFile]) -> str:
    """What a conversation is called that begins with that."""
    words = " ".join(text.split()) or (files[0].name if files else "")
    return (f"{words[:59].rstrip()}…" if len(words) > 60 else words) or "New conversation"


def _convert(raw: dict[str, Any]) -> _Update | None:
    try:
        return msgspec.convert(raw, _Update)
    except msgspec.ValidationError:
        return None


def _remote(file: KeptFile) -> RemoteFile:
    is_photo = file.type.startswith("image/")
    name = file.name
    return RemoteFile(file.id, "photo" if is_photo else "document", name, file.type, file.size)
