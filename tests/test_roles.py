"""roles: the whole table of who may do what, and that nothing else may anything."""

from __future__ import annotations

from itertools import pairwise
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.commands import CommandName
from core.model import ButtonPressed, Chat, Person, TextSent
from core.roles import (
    DEEDS,
    ROLES,
    Deed,
    Role,
    deed_of,
    deed_of_command,
    deed_of_press,
    deed_of_prompt,
    is_higher,
    may,
    sees_machine,
)

TABLE: dict[Deed, set[Role]] = {
    "talk": {"owner", "member"},
    "command": {"owner", "member"},
    "press": {"owner", "member"},
    "machine": {"owner"},
    "bypass": {"owner"},
    "people": {"owner"},
}
CHAT, ADA = Chat("telegram", 42), Person(42, "Ada")


@pytest.mark.parametrize("deed", DEEDS)
@pytest.mark.parametrize("role", ROLES)
def test_a_role_may_what_the_table_says_and_nothing_else(role: Role, deed: Deed) -> None:
    assert may(role, deed) is (role in TABLE[deed])


@given(st.text(), st.sampled_from(DEEDS))
def test_no_other_word_is_a_role(word: str, deed: Deed) -> None:
    if word not in ROLES:
        assert not may(word, deed)  # type: ignore[arg-type]
    assert not may(None, deed)


@given(st.sampled_from(ROLES), st.text())
def test_no_other_word_is_a_deed(role: Role, word: str) -> None:
    if word not in DEEDS:
        assert not may(role, word)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", get_args(CommandName))
def test_a_viewer_may_give_no_command(name: CommandName) -> None:
    assert not may("viewer", deed_of_command(name))


@pytest.mark.parametrize("name", ["people", "invite", "sh"])
def test_some_commands_are_the_owners_alone(name: CommandName) -> None:
    assert [role for role in ROLES if may(role, deed_of_command(name))] == ["owner"]


@pytest.mark.parametrize("word", ["person", "take over"])
def test_some_buttons_are_the_owners_alone(word: str) -> None:
    assert [role for role in ROLES if may(role, deed_of_press(word))] == ["owner"]


def test_what_belongs_to_others_is_shown_to_owners_in_their_private_chat_alone() -> None:
    home, group = Chat("telegram", ADA.user_id), Chat("telegram", -1001)
    shown = {
        (role, chat)
        for role in ROLES
        for chat in (home, group, CHAT)
        if sees_machine(role, ADA.user_id, chat)
    }
    assert shown == {("owner", home)}
    assert not sees_machine(None, ADA.user_id, home)


def test_a_shell_line_is_the_owners_alone_however_often_it_is_given() -> None:
    assert [role for role in ROLES if may(role, deed_of_prompt("!ls"))] == ["owner"]
    assert [role for role in ROLES if may(role, deed_of_prompt(" !ls"))] == ["owner", "member"]


@given(st.text())
def test_a_viewer_may_press_nothing(word: str) -> None:
    assert not may("viewer", deed_of_press(word))
    assert deed_of(ButtonPressed(CHAT, ADA, 1, "press", word)) == "press"


def test_what_is_no_press_is_talk() -> None:
    assert deed_of(TextSent(CHAT, ADA, 1, "/people")) == "talk"


def test_roles_are_in_the_order_of_their_rights() -> None:
    assert [(one, two) for one in ROLES for two in ROLES if is_higher(one, two)] == [
        ("owner", "member"),
        ("owner", "viewer"),
        ("member", "viewer"),
    ]
    assert all(is_higher(role, None) for role in ROLES)
    for role, lesser in pairwise(ROLES):
        assert {d for d in DEEDS if may(lesser, d)} <= {d for d in DEEDS if may(role, d)}
