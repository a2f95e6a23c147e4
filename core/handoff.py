"""Handing a session over: where to, and what both sides are told.

* A target is a place that the bot knows, where somebody may use it: the private chat of one who may
  talk, or an allowed group (each of its topics for itself) in which the person was heard.
* An owner may hand over to all of these. Others reach the owners and the people that they share a
  group with, and the groups that they were heard in.
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
    """A chat or a topic, and who was heard in the chat; `topic_name` is empty for no topic."""

    chat: Chat
    title: str
    topic_name: str
    is_private: bool
    is_forum: bool
    people: frozenset[int]


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
    shared = {
        other
        for place in places
        if place.chat.chat_id in groups and person in place.people
        for other in place.people
    }
    is_owner = role_of(person) == "owner"
    found = []
    for place in places:
        other = place.chat.chat_id
        if place.chat == here:
            continue
        if place.is_private:
            role = role_of(other)
            is_met = other == person or is_owner or role == "owner" or other in shared
            is_allowed = may(role, "talk") and is_met
        else:
            is_allowed = other in groups and (is_owner or person in place.people)
        if is_allowed:
            found.append(Target(place.chat, name_place(place, person), place.is_private))
    return found


def name_place(place: KnownPlace, person: int) -> str:
    """A place in a few words, as that person knows it."""
    if place.chat.chat_id == AT_THE_PAGE:
        return f"The page › {place.topic_name}" if place.topic_name else "The page"
    name = speaker_name(Person(place.chat.chat_id, place.title)) if place.is_private else ""
    if place.is_private:
        name = "My private chat" if place.chat.chat_id == person else f"{name}'s chat"
    title = name or place.title or "a group"
    topic = place.topic_name or (GENERAL if place.is_forum and not place.is_private else "")
    return f"{title} › {topic}" if topic else title


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
