"""What a chat has chosen for itself, on disk: one file, written whole.

A damaged file is set aside, and every chat has the defaults again, which `damage` tells.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import msgspec
from msgspec.structs import replace

from checked_file import CheckedFile
from core.model import Chat
from core.quiet import Quiet
from durable import SystemCalls

_LOST = (
    "What chats had chosen is lost: where /privacy or /quiet was on, switch it on again, and mark "
    "your favourites anew."
)


class _Choices(msgspec.Struct, omit_defaults=True, frozen=True):
    quiet: Quiet | None = None
    private: bool = False
    favourites: tuple[str, ...] = ()


_decoder = msgspec.json.Decoder(dict[str, _Choices])


class ChatSettings:
    """What is in `directory`/chat_settings.json. Raises StoreError: it can't be used."""

    def __init__(self, directory: Path, *, system: SystemCalls = os) -> None:
        path = directory / "chat_settings.json"
        self._file = CheckedFile(path, _decoder, _LOST, system=system)
        self._chats = self._file.read() or {}

    @property
    def damage(self) -> str | None:
        """What was lost of what chats had chosen, to be told; None: nothing."""
        return self._file.damage

    def find_quiet(self, chat: Chat) -> Quiet | None:
        """When the chat is quiet; None: never."""
        return self._choices_of(chat).quiet

    def set_quiet(self, chat: Chat, quiet: Quiet | None) -> None:
        """Let the chat be quiet then. Raises StoreWriteError: it stays as it was."""
        self._put(chat, replace(self._choices_of(chat), quiet=quiet))

    def is_private(self, chat: Chat) -> bool:
        """Whether personal data of the chat is kept out of the histories."""
        return self._choices_of(chat).private

    def set_private(self, chat: Chat, *, private: bool) -> None:
        """Keep it out, or not. Raises StoreWriteError: it stays as it was."""
        self._put(chat, replace(self._choices_of(chat), private=private))

    def find_favourites(self, chat: Chat) -> tuple[str, ...]:
        """The directories that are marked in the chat, whatever its topic."""
        return self._choices_of(_whole(chat)).favourites

    def set_favourites(self, chat: Chat, favourites: Iterable[str]) -> None:
        """Let these be the marked ones. Raises StoreWriteError: they stay as they were."""
        choices = replace(self._choices_of(_whole(chat)), favourites=tuple(favourites))
        self._put(_whole(chat), choices)

    def _choices_of(self, chat: Chat) -> _Choices:
        return self._chats.get(_name(chat)) or _Choices()

    def _put(self, chat: Chat, choices: _Choices) -> None:
        chats = {**self._chats, _name(chat): choices}
        self._file.write(chats)
        self._chats = chats


def _whole(chat: Chat) -> Chat:
    return Chat(chat.channel, chat.chat_id)


def _name(chat: Chat) -> str:
    return f"{chat.channel}:{chat.chat_id}:{chat.topic or 0}"
