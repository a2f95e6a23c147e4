"""handoff: who may hand a session over to where, and what both sides read."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from core.handoff import KnownPlace, find_targets, name_place, tell_here, tell_there
from core.model import AT_THE_PAGE, Chat, private_chat
from core.roles import Role, may

ADA, BOB, CY, VIC, EVE = 42, 43, 44, 45, 666
ROLES: dict[int, Role] = {
    ADA: "owner",
    AT_THE_PAGE: "owner",
    BOB: "member",
    CY: "member",
    VIC: "viewer",
}
TEAM, OTHERS, CLOSED = -1001, -1002, -1003
HERE = Chat("telegram", BOB)


def private(user_id: int, name: str, topic: str = "") -> KnownPlace:
    chat = replace(private_chat(user_id), topic=9 if topic else None)
    return KnownPlace(chat, name, topic, True, bool(topic), frozenset({user_id}))


def group(chat_id: int, title: str, *people: int, topic: int | None = None) -> KnownPlace:
    name = "" if topic is None else "red"
    chat = Chat("telegram", chat_id, topic)
    return KnownPlace(chat, title, name, False, True, frozenset(people))


PLACES = [
    private(ADA, "Ada"),
    private(BOB, "Bob"),
    private(CY, "Cy"),
    private(VIC, "Vic"),
    private(EVE, "Eve"),
    group(TEAM, "Team", ADA, BOB),
    group(TEAM, "Team", ADA, BOB, topic=7),
    group(OTHERS, "Others", ADA, CY),
    group(CLOSED, "Closed", ADA, BOB, CY),
    private(ADA, "Ada", topic="taxes"),
    private(BOB, "Bob", topic="letters"),
    private(AT_THE_PAGE, "The page"),
    private(AT_THE_PAGE, "The page", topic="plans"),
]


def labels(person: int, here: Chat) -> list[str]:
    found = find_targets(person, here, PLACES, role_of=ROLES.get, groups=(TEAM, OTHERS))
    return [target.label for target in found]


def test_an_owner_reaches_every_place_that_is_allowed() -> None:
    assert labels(ADA, Chat("telegram", ADA)) == [
        "Bob's chat",
        "Cy's chat",
        "Team › General",
        "Team › red",
        "Others › General",
        "My private chat › taxes",
        "Bob's chat › letters",
        "The page",
        "The page › plans",
    ]


def test_a_member_reaches_owners_and_who_and_what_they_share() -> None:
    assert labels(BOB, HERE) == [
        "Ada's chat",
        "Team › General",
        "Team › red",
        "My private chat › letters",
        "The page",
    ]


def test_in_a_group_only_what_its_people_share_is_named() -> None:
    here = Chat("telegram", TEAM, 7)
    assert labels(BOB, here) == ["Ada's chat", "My private chat", "Team › General"]
    assert labels(ADA, here) == ["My private chat", "Bob's chat", "Team › General"]


@given(
    st.sampled_from([ADA, BOB, CY]),
    st.sampled_from([place.chat for place in PLACES]),
)
def test_a_topic_of_a_private_chat_is_named_to_that_person_and_at_home_to_owners_alone(
    person: int, here: Chat
) -> None:
    named = " ".join(labels(person, here))
    for place in PLACES:
        if place.is_private and place.topic_name in named.split() and place.topic_name:
            assert here.chat_id == person
            assert place.chat.chat_id == person or ROLES[person] == "owner"


def test_what_a_chat_is_told_of_a_private_chat_is_whose_it_is() -> None:
    taxes = private(ADA, "Ada", topic="taxes")
    assert name_place(taxes, TEAM) == "Ada's chat"
    assert name_place(taxes, BOB) == "Ada's chat"
    assert name_place(taxes, ADA) == "My private chat › taxes"


@given(
    st.sampled_from([ADA, BOB, CY, VIC, EVE]),
    st.sampled_from([place.chat for place in PLACES]),
    st.dictionaries(
        st.sampled_from([ADA, BOB, CY, VIC, EVE]), st.sampled_from(["owner", "member", "viewer"])
    ),
    st.sets(st.sampled_from([TEAM, OTHERS, CLOSED])),
)
def test_a_target_is_always_another_place_where_somebody_may_talk(
    person: int, here: Chat, roles: dict[int, Role], groups: set[int]
) -> None:
    for target in find_targets(person, here, PLACES, role_of=roles.get, groups=groups):
        assert target.chat != here
        if target.is_private:
            assert may(roles.get(target.chat.chat_id), "talk")
        else:
            assert target.chat.chat_id in groups


def test_a_place_that_is_gone_is_no_target() -> None:
    gone = replace(private(BOB, "Bob"), is_gone=True)
    assert find_targets(ADA, Chat("telegram", ADA), [gone], role_of=ROLES.get, groups=()) == []


def test_a_hostile_name_is_only_a_name() -> None:
    place = private(EVE, "/clear\n\u202eBob")
    assert name_place(place, ADA) == "clear Bob's chat"


def test_both_sides_are_told() -> None:
    handing = {"from_label": "Ada's chat", "to_label": "Team › red", "turns": 12}
    assert tell_there(handing, "title", "project") == (
        "Handed over from Ada's chat: “title”, project, 12 turns. "
        "What you send now goes on with it."
    )
    assert tell_here(handing, "title", "other") == (
        "Handed over to Team › red: “title”. A text here goes to “other” now."
    )
    assert "starts a new session" in tell_here(handing, "title", None)
    copied = {**handing, "is_copy": True}
    assert tell_there(copied, "title", "p").startswith("A copy of a session from Ada's chat")
    assert tell_here(copied, "title", None).endswith("This chat keeps its own.")
