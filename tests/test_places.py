"""places: what chats and topics are called, over restarts and damage."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.model import Chat, Place
from core.topic_names import TopicState
from places import Places
from tests.standins.watched_system import RefusingSystem

TEAM, RED = Chat("telegram", -1001), Chat("telegram", -1001, 7)


def names(places: Places) -> list[tuple[Chat, str, str]]:
    return [(place.chat, place.title, place.topic_name) for place in places.list_all()]


def test_chats_and_topics_are_known_after_a_restart(tmp_path: Path) -> None:
    places = Places(tmp_path)
    places.note(Place(RED, "Team", is_forum=True, topic_name="red"), 42)
    places.note(Place(TEAM, "The team", is_forum=True), 43)
    for found in (places, Places(tmp_path)):
        assert names(found) == [(TEAM, "The team", ""), (RED, "The team", "red")]
        place = found.find(RED)
        assert place is not None and place.people == {42, 43} and place.is_forum
        assert found.find(Chat("telegram", -1001, 8)) is None


def test_a_topic_whose_name_was_never_heard_counts_as_named_by_a_person(tmp_path: Path) -> None:
    places = Places(tmp_path)
    places.note(Place(RED, "Team"))
    assert places.find_topic(RED) == TopicState(is_chosen=True)
    assert names(places)[1] == (RED, "Team", "topic 7")


def test_a_persons_name_for_a_topic_takes_the_place_of_ours(tmp_path: Path) -> None:
    places = Places(tmp_path)
    places.set_topic(RED, TopicState("title", "⏳ title", is_chosen=False))
    places.note(Place(RED, "Team"))
    assert not places.find_topic(RED).is_chosen
    places.note(Place(RED, "Team", topic_name="💤 mine"))
    assert places.find_topic(RED) == TopicState("mine", "💤 mine", is_chosen=True)


def test_a_name_that_nobody_chose_is_ours_to_give(tmp_path: Path) -> None:
    places = Places(tmp_path)
    places.note(Place(RED, "Ada", is_private=True, topic_name="New Chat", is_name_implicit=True))
    assert not places.find_topic(RED).is_chosen


def test_hostile_names_are_one_visible_line(tmp_path: Path) -> None:
    places = Places(tmp_path)
    places.note(Place(RED, "a\nb\u202ec" + "x" * 500, topic_name="\u200b\n"))
    place = places.list_all()[0]
    assert place.title.startswith("a b⟨U+202E⟩c") and len(place.title) == 128


def test_no_more_is_kept_than_anybody_needs(tmp_path: Path) -> None:
    places = Places(tmp_path)
    for number in range(510):
        places.note(Place(Chat("telegram", -number - 1), "Team"))
    assert len(places.list_all()) == 500


@pytest.mark.parametrize("damage", [b"", b"{", b'{"a": 3}', b"\xff\xfe", b'{"t:1": {"title": 4}}'])
def test_a_damaged_file_is_set_aside(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / "places.json").write_bytes(damage)
    places = Places(tmp_path)
    assert places.list_all() == []
    places.note(Place(TEAM, "Team"))
    assert names(Places(tmp_path)) == [(TEAM, "Team", "")]
    assert list(tmp_path.glob("places.damaged-*"))


def test_a_full_disk_loses_only_the_name(tmp_path: Path) -> None:
    system = RefusingSystem()
    places = Places(tmp_path, system=system)
    system.refuses = "write"
    places.note(Place(TEAM, "Team"))
    assert names(places) == [(TEAM, "Team", "")]
    assert Places(tmp_path).list_all() == []
