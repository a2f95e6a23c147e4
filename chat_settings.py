"""What a chat has chosen for itself, on disk: one file, written whole.

A file that can't be read is set aside, and every chat has the defaults again.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import msgspec
from msgspec.structs import replace

from core.model import Chat
from core.quiet import Quiet
from durable import SystemCalls, replace_file

log = logging.getLogger(__name__)


class _Choices(msgspec.Struct, omit_defaults=True, frozen=True):
    quiet: Quiet | None = None
    private: bool = False
    favourites: tuple[str, ...] = ()


_decoder = msgspec.json.Decoder(dict[str, _Choices])


class ChatSettings:
    """What is in `directory`/chat_settings.json."""

    def __init__(self, directory: Path, *, system: SystemCalls = os) -> None:
        self._system = system
        self._path = directory / "chat_settings.json"
        self._chats = self._read()

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
        replace_file(self._path, msgspec.json.encode(chats), system=self._system)
        self._chats = chats

    def _read(self) -> dict[str, _Choices]:
        try:
            return _decoder.decode(self._path.read_bytes())
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:  # msgspec's errors are ValueErrors
            log.warning("the settings of the chats can't be read and are set aside: %s", error)
            with suppress(OSError):
                self._path.rename(
                    self._path.with_name(f"{self._path.name}.damaged-{time.time_ns()}")
                )
            return {}


def _whole(chat: Chat) -> Chat:
    return Chat(chat.channel, chat.chat_id)


def _name(chat: Chat) -> str:
    return f"{chat.channel}:{chat.chat_id}:{chat.topic or 0}"
