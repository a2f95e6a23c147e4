"""The chats and topics that the bridge has heard of: their names, and who was heard there.

* One file, replaced whole when something in it changes. Losing it loses names alone: a damaged one
  is set aside, and what is heard next is noted anew.
* A topic whose name is not known for ours counts as named by a person.
* A chat that was found gone is there again as soon as somebody is heard in it.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path

import msgspec
from msgspec.structs import replace

from checked_file import CheckedFile
from core.errors import StoreWriteError
from core.handoff import KnownPlace
from core.model import Chat, Place
from core.topic_names import TopicState, strip_mark
from core.visible_text import make_line
from durable import SystemCalls

log = logging.getLogger(__name__)

_MOST_CHATS = 500
_MOST_TOPICS = 500
_MOST_PEOPLE = 200
_LONGEST_NAME = 128


class _Known(msgspec.Struct, frozen=True, omit_defaults=True):
    title: str = ""
    is_private: bool = False
    is_forum: bool = False
    people: list[int] = []
    topics: dict[int, TopicState] = {}
    is_gone: bool = False


_decoder = msgspec.json.Decoder(dict[str, _Known])


class Places:
    """What is in `directory`/places.json. Raises StoreError: it can't be used."""

    def __init__(self, directory: Path, *, system: SystemCalls = os) -> None:
        path, lost = directory / "places.json", "The names of chats are learned anew."
        self._file = CheckedFile(path, _decoder, lost, system=system)
        self._chats = self._file.read() or {}

    def note(self, place: Place, person: int | None = None) -> None:
        """Take note of a place, and of who was heard there; a disk that refuses loses that."""
        known = self._known(place.chat)
        people, topics = known.people, known.topics
        if person is not None and person not in people:
            people = [*people, person][-_MOST_PEOPLE:]
        topic = place.chat.topic
        if topic is not None and (place.topic_name is not None or topic not in topics):
            topics = _name_topic(topics, topic, place)
        is_forum = place.is_forum or (known.is_forum and place.is_private)
        self._put(
            place.chat,
            _Known(_clean(place.title), place.is_private, is_forum, people, topics),
        )

    def set_topic(self, topic: Chat, state: TopicState) -> None:
        """Take note of what we did to a topic."""
        known = self._known(topic)
        if topic.topic is not None:
            topics = dict([*known.topics.items(), (topic.topic, state)][-_MOST_TOPICS:])
            self._put(topic, replace(known, topics=topics))

    def find_topic(self, topic: Chat) -> TopicState:
        """What is known of a topic."""
        return self._known(topic).topics.get(topic.topic or 0, TopicState())

    def note_gone(self, chat: Chat) -> None:
        """Take note that nothing can be shown there any more."""
        known = self._known(chat)
        if chat.topic is None:
            is_private = known.is_private or chat.chat_id > 0
            self._put(chat, replace(known, is_private=is_private, is_gone=True))
        else:
            self.set_topic(chat, replace(self.find_topic(chat), is_gone=True))

    def is_gone(self, chat: Chat) -> bool:
        """Whether it is known that nothing can be shown there any more."""
        known = self._known(chat)
        return known.is_gone if chat.topic is None else self.find_topic(chat).is_gone

    def find(self, chat: Chat) -> KnownPlace | None:
        """What is known of a chat or of a topic."""
        return next((place for place in self.list_all() if place.chat == chat), None)

    def list_all(self) -> list[KnownPlace]:
        """Every chat, each followed by its topics, those heard of first at the beginning."""
        return [place for key, known in self._chats.items() for place in _expand(key, known)]

    def _known(self, chat: Chat) -> _Known:
        return self._chats.get(_key(chat), _Known())

    def _put(self, chat: Chat, known: _Known) -> None:
        key = _key(chat)
        if self._chats.get(key) == known:
            return
        others = [(name, kept) for name, kept in self._chats.items() if name != key]
        self._chats = dict([*others, (key, known)][-_MOST_CHATS:])
        try:
            self._file.write(self._chats)
        except StoreWriteError as error:
            log.error("%s", error)


def _name_topic(topics: dict[int, TopicState], topic: int, place: Place) -> dict[int, TopicState]:
    """A person's name for a topic counts from now on; a name that nobody chose is ours to give."""
    shown = place.topic_name or ""
    before = topics.get(topic, TopicState())
    name = strip_mark(_clean(shown))
    state = replace(before, name=name, shown=shown, is_chosen=not place.is_name_implicit)
    return dict([*topics.items(), (topic, state)][-_MOST_TOPICS:])


def _expand(key: str, known: _Known) -> list[KnownPlace]:
    channel, _, number = key.rpartition(":")
    about = (known.is_private, known.is_forum, frozenset(known.people))
    topics = [
        KnownPlace(
            Chat(channel, int(number), topic),
            known.title,
            state.name or f"topic {topic}",
            *about,
            is_gone=known.is_gone or state.is_gone,
        )
        for topic, state in known.topics.items()
    ]
    root = Chat(channel, int(number))
    return [KnownPlace(root, known.title, "", *about, is_gone=known.is_gone), *topics]


def _key(chat: Chat) -> str:
    return f"{chat.channel}:{chat.chat_id}"


def _clean(name: str) -> str:
    return make_line(" ".join(name.split()))[:_LONGEST_NAME]
