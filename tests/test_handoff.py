"""handoff: who may hand a session over to where, and what both sides read."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from core.handoff import KnownPlace, find_targets, name_place, tell_here, tell_there
from core.model import Chat
from core.roles import Role, may

ADA, BOB, CY, VIC, EVE = 42, 43, 44, 45, 666
ROLES: dict[int, Role] = {ADA: "owner", BOB: "member", CY: "member", VIC: "viewer"}
TEAM, OTHERS, CLOSED = -1001, -1002, -1003
HERE = Chat("telegram", BOB)


def private(user_id: int, name: str) -> KnownPlace:
    return KnownPlace(Chat("telegram", user_id), name, "", True, False, frozenset({user_id}))


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
    ]


def test_a_member_reaches_owners_and_who_and_what_they_share() -> None:
    assert labels(BOB, HERE) == ["Ada's chat", "Team › General", "Team › red"]


def test_from_a_group_ones_own_chat_is_a_target() -> None:
    assert labels(BOB, Chat("telegram", TEAM, 7)) == [
        "Ada's chat",
        "My private chat",
        "Team › General",
    ]


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
