"""Handing a session over: where to, and what both sides are told.

* A target is a place that the bot knows, where somebody may use it: the private chat of one who may
  talk, or an allowed group (each of its topics for itself) in which the person was heard.
* An owner may hand over to all of these. Others reach the owners and the people that they share a
  group with, and the groups that they were heard in.
* In a group everybody reads the offer, so it names only what they share: the group's own topics,
  the people heard there, and the person's own chat.
* What a topic of a private chat is called is that person's business (and at home the owner's).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

from core.addressing import speaker_name
from core.model import AT_THE_PAGE, Chat, Person
from core.roles import Role, may

GENERAL = "General"


@dataclass(frozen=True, slots=True)
class KnownPlace:
    """A chat or a topic, and who was heard in the chat; `topic_name` is empty for no topic.

    `is_gone`: nothing can be shown there.
    """

    chat: Chat
    title: str
    topic_name: str
    is_private: bool
    is_forum: bool
    people: frozenset[int]
    is_gone: bool = False


@dataclass(frozen=True, slots=True)
class Target:
    """Where a session can go: the place, and its name for a button."""

    chat: Chat
    label: str
    is_private: bool


def find_targets(
    person: int,
    here: Chat,
    places: Sequence[KnownPlace],
    *,
    role_of: Callable[[int], Role | None],
    groups: Collection[int],
) -> list[Target]:
    """Where that person may hand a session of the chat `here` over to."""
    is_at_home = here.chat_id == person
    sees_all = is_at_home and role_of(person) == "owner"
    read_by = [  # the groups that the person may be told of here
        place
        for place in places
        if place.chat.chat_id in groups and (is_at_home or place.chat.chat_id == here.chat_id)
    ]
    met = {other for place in read_by if person in place.people for other in place.people}

    def is_open(place: KnownPlace) -> bool:
        other = place.chat.chat_id
        if not place.is_private:
            is_theirs = role_of(person) == "owner" or person in place.people
            return place in read_by and is_theirs
        is_met = other in (person, *met) or (is_at_home and role_of(other) == "owner")
        is_told = place.chat.topic is None or (is_at_home and other == person)
        return may(role_of(other), "talk") and (sees_all or (is_met and is_told))

    return [
        Target(place.chat, name_place(place, person, sees_all=sees_all), place.is_private)
        for place in places
        if place.chat != here and not place.is_gone and is_open(place)
    ]


def name_place(place: KnownPlace, reader: int, *, sees_all: bool = False) -> str:
    """A place in a few words, as that reader (a person, or the chat that is told) knows it."""
    is_open = not place.is_private or reader == place.chat.chat_id or sees_all
    name = speaker_name(Person(place.chat.chat_id, place.title)) if place.is_private else ""
    if place.chat.chat_id == AT_THE_PAGE:
        name = "The page"
    elif place.is_private:
        name = "My private chat" if place.chat.chat_id == reader else f"{name}'s chat"
    title = name or place.title or "a group"
    topic = place.topic_name or (GENERAL if place.is_forum and not place.is_private else "")
    return f"{title} › {topic}" if topic and is_open else title


def tell_there(handing: dict[str, Any], title: str, project: str) -> str:
    """What the new chat reads: where it comes from, and what it is."""
    turns = handing.get("turns", 0)
    count = "1 turn" if turns == 1 else f"{turns} turns"
    how = "A copy of a session" if handing.get("is_copy") else "Handed over"
    return (
        f"{how} from {handing['from_label']}: “{title}”, {project}, {count}. "
        "What you send now goes on with it."
    )


def tell_here(handing: dict[str, Any], title: str, next_title: str | None) -> str:
    """The trail that stays in the old chat, and where its next text goes."""
    opens = f"\nOpen it: {handing['link']}" if handing.get("link") else ""
    if handing.get("is_copy"):
        return (
            f"A copy of “{title}” goes to {handing['to_label']}: with the first message there, and "
            f"all that was said until then. This chat keeps its own.{opens}"
        )
    goes = f"goes to “{next_title}”" if next_title is not None else "starts a new session"
    return f"Handed over to {handing['to_label']}: “{title}”. A text here {goes} now.{opens}"
