"""admission: every role at every kind of update, the codes that let people in, the audit log."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from pathlib import Path

import pytest

from admission import Admission
from audit import AuditLog
from core.errors import StoreError
from core.model import (
    AT_THE_PAGE,
    ButtonPressed,
    Chat,
    FilesSent,
    Incoming,
    KindNotHandled,
    LocationSent,
    Person,
    Post,
    TextEdited,
    TextSent,
)
from core.redaction import Redactor
from people import People

ADA, BOB, VIC, EVE = 42, 43, 44, 666
ROLES = {ADA: "owner", BOB: "member", VIC: "viewer", EVE: None}
GROUP, TOPIC = Chat("telegram", -1001), Chat("telegram", -1001, 7)


class Door:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.people = People(folder, allowed_users=(ADA,))
        for user_id, role in ((BOB, "member"), (VIC, "viewer")):
            self.people.redeem(self.people.invite(role), user_id, "")  # type: ignore[arg-type]
        self.posts: list[Post] = []
        self.topics = {TOPIC}
        self.admission = Admission(
            self.people,
            (-1001,),
            AuditLog(folder, Redactor([]), retention_days=30),
            put=self.posts.append,
            is_session=self.is_session,
        )

    def is_session(self, chat: Chat) -> bool:
        return chat in self.topics

    @property
    def results(self) -> list[str]:
        lines = (self.folder / "audit.jsonl").read_text().splitlines()
        return [json.loads(line)["result"] for line in lines]


@pytest.fixture
def door(tmp_path: Path) -> Door:
    return Door(tmp_path)


def updates(chat: Chat, user_id: int) -> list[Incoming]:
    """One of each kind, meant for the bot."""
    person, private = Person(user_id, "Somebody"), chat.chat_id > 0
    return [
        TextSent(chat, person, 1, "hello", private, is_addressed=True),
        TextSent(chat, person, 1, "/people", private),
        TextSent(chat, person, 1, "/start x", private),
        FilesSent(chat, person, 1, "", (), is_private=private, is_addressed=True),
        LocationSent(chat, person, 1, 1.0, 2.0, is_private=private, is_addressed=True),
        TextEdited(chat, person, 1, "hello", private, is_addressed=True),
        ButtonPressed(chat, person, 1, "id", "forged", private),
        KindNotHandled(chat, person, "sticker", private, is_addressed=True),
    ]


@pytest.mark.parametrize("user_id", ROLES)
@pytest.mark.parametrize("number", range(8))
def test_owners_and_members_are_heard_in_private_and_in_allowed_groups(
    door: Door, user_id: int, number: int
) -> None:
    for chat in (Chat("telegram", user_id), GROUP, TOPIC):
        incoming = updates(chat, user_id)[number]
        assert door.admission.admits(incoming) is (ROLES[user_id] in ("owner", "member"))
    elsewhere = updates(Chat("telegram", -2002), user_id)[number]
    assert not door.admission.admits(elsewhere)
    assert door.posts == []  # nobody who is refused gets an answer


def test_a_viewer_is_ignored_with_one_line_in_the_audit_log(
    door: Door, caplog: pytest.LogCaptureFixture
) -> None:
    for incoming in updates(TOPIC, VIC):
        assert not door.admission.admits(incoming)
    assert door.results == ["refused: viewer"] * 8
    assert not caplog.records and not door.posts


def test_a_stranger_is_ignored_with_a_line_in_both_logs(
    door: Door, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert not door.admission.admits(updates(TOPIC, EVE)[0])
    assert door.results == ["refused: not allowed"]
    assert "refused user 666" in caplog.text


def test_talk_between_people_is_acknowledged_and_audited_as_not_meant(door: Door) -> None:
    said = TextSent(GROUP, Person(ADA, "Ada"), 1, "lunch?", is_private=False)
    assert not door.admission.admits(said)
    assert door.results == ["ignored: not meant for the bot"]
    assert door.admission.admits(replace(said, chat=TOPIC))
    assert door.admission.admits(replace(said, is_addressed=True))
    assert not door.posts


def test_a_topic_whose_session_cannot_be_read_is_still_a_session(door: Door) -> None:
    def fail(chat: Chat) -> bool:
        raise StoreError("broken")

    door.is_session = fail  # type: ignore[method-assign]
    admission = Admission(
        *(door.people, (-1001,), AuditLog(door.folder, Redactor([]), retention_days=30)),
        put=door.posts.append,
        is_session=fail,
    )
    said = TextSent(TOPIC, Person(ADA, "Ada"), 1, "hello", is_private=False)
    assert admission.admits(said)


def bring(door: Door, code: str, user_id: int, chat_id: int = 0) -> bool:
    chat = Chat("telegram", chat_id or user_id)
    person = Person(user_id, "Eve\n/clear")
    said = TextSent(chat, person, 5, f"/start {code}", is_private=chat.chat_id > 0)
    return door.admission.admits(said)


@pytest.mark.parametrize("role", ["member", "viewer"])
def test_an_invitation_lets_one_in_and_tells_both(door: Door, role: str) -> None:
    code = door.people.invite(role)  # type: ignore[arg-type]
    assert not bring(door, code, EVE)  # it is done with, and no message to handle
    assert door.people.role_of(EVE) == role
    assert [post.chat.chat_id for post in door.posts] == [EVE, ADA]
    assert door.posts[1].text == f"Eve clear is in now, as {role}."
    assert door.results == [f"admitted as {role}"]
    assert code not in (door.folder / "audit.jsonl").read_text()


def test_an_invitation_is_worth_nothing_in_a_group_or_twice(door: Door) -> None:
    code = door.people.invite("member")
    assert not bring(door, code, EVE, -1001)
    assert door.people.role_of(EVE) is None
    bring(door, code, EVE)
    bring(door, code, 777)
    assert door.people.role_of(EVE) == "member" and door.people.role_of(777) is None


def test_a_viewer_may_bring_an_invitation_that_is_worth_more(door: Door) -> None:
    bring(door, door.people.invite("member"), VIC)
    assert door.people.role_of(VIC) == "member"


def test_who_is_removed_is_a_stranger_with_the_next_update(door: Door) -> None:
    door.people.remove(BOB)
    assert not any(door.admission.admits(incoming) for incoming in updates(TOPIC, BOB))


def test_a_text_that_was_asked_for_is_meant_from_that_person_there_alone(door: Door) -> None:
    door.admission.is_awaited = lambda chat, person: (chat, person) == (GROUP, BOB)
    said = TextSent(GROUP, Person(BOB, "Bob"), 1, "because", is_private=False)
    assert door.admission.admits(said)
    assert not door.admission.admits(replace(said, person=Person(ADA, "Ada")))
    assert not door.admission.admits(replace(said, person=Person(VIC, "Vic")))
    assert not door.admission.admits(replace(said, chat=Chat("telegram", -1001, 8)))


def test_an_album_is_meant_as_a_whole(door: Door) -> None:
    first = FilesSent(
        GROUP, Person(ADA, "Ada"), 1, "@bot look", (), "album", is_private=False, is_addressed=True
    )
    other = replace(first, message_id=2, caption="", is_addressed=False)
    assert not door.admission.admits(other)
    assert door.admission.admits(first)
    assert door.admission.admits(other)
    assert not door.admission.admits(replace(other, album="another"))
    assert not door.admission.admits(replace(other, album=None))


def test_a_text_in_parts_is_meant_as_a_whole_also_after_a_restart(door: Door) -> None:
    first = TextSent(
        GROUP, Person(ADA, "Ada"), 1, "@bot " + "long " * 800, False, is_addressed=True
    )
    other = replace(first, message_id=2, text="the end", is_addressed=False)
    assert not door.admission.admits(other)
    assert door.admission.admits(first)
    assert door.admission.admits(other)
    for changed in ({"message_id": 99}, {"person": Person(BOB, "Bob")}, {"sent_at": 9.0}):
        assert not door.admission.admits(replace(other, **changed))
    door = Door(door.folder)
    assert not door.admission.admits(other)
    door.admission.expect_more(first)
    assert door.admission.admits(other)


def test_a_member_may_bring_the_pairing_code_where_nobody_is_paired(door: Door) -> None:
    assert not bring(door, door.people.issue_code(), BOB)
    assert door.people.owner == BOB and door.people.role_of(BOB) == "owner"


def test_an_owner_uses_up_no_invitation(door: Door) -> None:
    code = door.people.invite("member")
    assert bring(door, code, ADA)  # as any /start
    assert not bring(door, code, EVE) and door.people.role_of(EVE) == "member"


def test_a_code_written_at_the_page_is_not_used_up(tmp_path: Path) -> None:
    people = People(tmp_path, allowed_users=(AT_THE_PAGE,))
    code = people.issue_code()
    admission = Admission(
        *(people, (), AuditLog(tmp_path, Redactor([]), retention_days=30)),
        put=lambda post: None,
        is_session=lambda chat: False,
    )
    page = Chat("web", AT_THE_PAGE)
    assert admission.admits(TextSent(page, Person(AT_THE_PAGE), 1, f"/start {code}"))
    assert people.redeem(code, ADA, "Ada") == "owner"


def test_shown_is_something_to_those_who_have_a_role_and_in_allowed_groups(door: Door) -> None:
    shown = {Chat("telegram", who): door.admission.may_show(Chat("telegram", who)) for who in ROLES}
    assert {chat.chat_id: is_shown for chat, is_shown in shown.items()} == {
        ADA: True,
        BOB: True,
        VIC: True,
        EVE: False,
    }
    assert door.admission.may_show(TOPIC) and not door.admission.may_show(Chat("telegram", -2002))
    door.people.remove(BOB)
    assert door.admission.may_show(Chat("telegram", BOB, 3)) is False


def test_with_a_damaged_list_of_people_nobody_can_tell_who_may_be_shown(door: Door) -> None:
    door.people.path.write_text("{")
    assert door.admission.may_show(Chat("telegram", BOB)) is None
    assert door.admission.may_show(Chat("telegram", ADA)) is True  # the settings say so
