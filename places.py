"""The chats and topics that the bridge has heard of: their names, and who was heard there.

One file, replaced whole when something in it changes. Losing it loses names alone: a file that
can't be read is set aside, and what is heard next is noted anew.
"""

from __future__ import annotations

import logging
import os
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from core.errors import StoreWriteError
from core.model import Chat, Place
from core.visible_text import make_line
from durable import SystemCalls, replace_file

log = logging.getLogger(__name__)

_MOST_CHATS = 500
_MOST_TOPICS = 200
_MOST_PEOPLE = 200
_LONGEST_NAME = 60


class _Known(msgspec.Struct, omit_defaults=True):
    title: str
    is_private: bool = False
    is_forum: bool = False
    people: list[int] = []
    topics: dict[int, str] = {}


_decoder = msgspec.json.Decoder(dict[str, _Known])


@dataclass(frozen=True, slots=True)
class KnownPlace:
    """A chat or a topic, and who was heard in the chat; `topic_name` is empty for no topic."""

    chat: Chat
    title: str
    topic_name: str
    is_private: bool
    is_forum: bool
    people: frozenset[int]


class Places:
    """What is in `directory`/places.json."""

    def __init__(self, directory: Path, *, system: SystemCalls = os) -> None:
        self._system = system
        self._path = directory / "places.json"
        self._chats = self._read()

    def note(self, place: Place, person: int | None = None) -> None:
        """Take note of a place, and of who was heard there; a disk that refuses loses that."""
        key = f"{place.chat.channel}:{place.chat.chat_id}"
        before = self._chats.get(key)
        now = _renew(before, place, person)
        if now == before:
            return
        others = {name: known for name, known in self._chats.items() if name != key}
        chats = dict([*others.items(), (key, now)][-_MOST_CHATS:])
        self._chats = chats
        try:
            replace_file(self._path, msgspec.json.encode(chats), system=self._system)
        except StoreWriteError as error:
            log.error("%s", error)

    def find(self, chat: Chat) -> KnownPlace | None:
        """What is known of a chat or of a topic."""
        return next((place for place in self.list_all() if place.chat == chat), None)

    def list_all(self) -> list[KnownPlace]:
        """Every chat, each followed by its topics, those heard of last at the end."""
        return [place for key, known in self._chats.items() for place in _expand(key, known)]

    def _read(self) -> dict[str, _Known]:
        try:
            return _decoder.decode(self._path.read_bytes())
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:  # msgspec's errors are ValueErrors
            log.warning("the names of chats can't be read and are set aside: %s", error)
            with suppress(OSError):
                name = f"{self._path.name}.damaged-{time.time_ns()}"
                self._path.rename(self._path.with_name(name))
            return {}


def _renew(before: _Known | None, place: Place, person: int | None) -> _Known:
    known = before if before is not None else _Known("")
    people, topics = list(known.people), dict(known.topics)
    if person is not None and person not in people:
        people = [*people, person][-_MOST_PEOPLE:]
    topic = place.chat.topic
    if topic is not None and (place.topic_name or topic not in topics):
        name = _clean(place.topic_name or "") or topics.get(topic) or f"topic {topic}"
        topics = dict([*topics.items(), (topic, name)][-_MOST_TOPICS:])
    return _Known(_clean(place.title), place.is_private, place.is_forum, people, topics)


def _expand(key: str, known: _Known) -> list[KnownPlace]:
    channel, _, number = key.rpartition(":")
    about = (known.is_private, known.is_forum, frozenset(known.people))
    chat = Chat(channel, int(number))
    topics = [
        KnownPlace(Chat(channel, int(number), topic), known.title, name, *about)
        for topic, name in known.topics.items()
    ]
    return [KnownPlace(chat, known.title, "", *about), *topics]


def _clean(name: str) -> str:
    return make_line(" ".join(name.split()))[:_LONGEST_NAME]
