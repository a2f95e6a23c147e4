"""Buttons: one press each, only in their chat, through restarts; all else finds nothing."""

from __future__ import annotations

import secrets
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import buttons as buttons_module
from buttons import Buttons
from core.errors import StoreWriteError
from core.model import Button, ButtonPressed, Chat, Person
from tests.standins.watched_system import RefusingSystem

CHAT = Chat("telegram", 7, 3)
ADA = Person(42)
ACTION = {"do": "key", "key": "1"}


def press(data: str, chat: Chat = CHAT, person: Person = ADA) -> ButtonPressed:
    return ButtonPressed(chat, person, 1, "q", data)


def issue(buttons: Buttons, person: int | None = None) -> list[Button]:
    rows = [[("1", ACTION), ("2", {"do": "key", "key": "2"})], [("Esc", {"do": "esc"})]]
    return [button for row in buttons.issue(CHAT, rows, person=person) for button in row]


def test_a_press_does_what_its_button_says(tmp_path: Path) -> None:
    buttons = Buttons(tmp_path)
    assert [button.label for button in issue(buttons)] == ["1", "2", "Esc"]
    assert buttons.take(press(issue(buttons)[0].press)) == ACTION


def test_one_press_uses_up_the_whole_set(tmp_path: Path) -> None:
    buttons = Buttons(tmp_path)
    one, two, three = issue(buttons)
    assert buttons.take(press(two.press)) is not None
    assert [buttons.take(press(b.press)) for b in (one, two, three)] == [None] * 3


def test_buttons_live_through_a_restart_and_used_ones_do_not(tmp_path: Path) -> None:
    first, second = issue(Buttons(tmp_path)), issue(Buttons(tmp_path))
    assert Buttons(tmp_path).take(press(first[0].press)) == ACTION
    assert Buttons(tmp_path).take(press(first[0].press)) is None
    assert Buttons(tmp_path).take(press(second[0].press)) == ACTION


@pytest.mark.parametrize(
    "chat", [Chat("telegram", 8, 3), Chat("telegram", 7), Chat("telegram", 7, 4), Chat("web", 7, 3)]
)
def test_another_chats_press_does_nothing_and_uses_nothing_up(tmp_path: Path, chat: Chat) -> None:
    buttons = Buttons(tmp_path)
    (button, *_) = issue(buttons)
    assert buttons.take(press(button.press, chat)) is None
    assert buttons.take(press(button.press)) == ACTION


def test_a_button_for_one_person_is_for_nobody_else(tmp_path: Path) -> None:
    buttons = Buttons(tmp_path)
    (button, *_) = issue(buttons, person=ADA.user_id)
    assert buttons.take(press(button.press, person=Person(43))) is None
    assert Buttons(tmp_path).take(press(button.press)) == ACTION


def test_ids_are_random_short_and_never_alike(tmp_path: Path) -> None:
    buttons = Buttons(tmp_path)
    ids = [button.press for _ in range(50) for button in issue(buttons)]
    assert len(set(ids)) == 150
    assert all(16 <= len(name) <= 64 and name.isascii() for name in ids)


@settings(deadline=None, max_examples=30)
@given(st.text() | st.binary(max_size=12).map(lambda b: b.hex()))
def test_a_forged_press_does_nothing(data: str) -> None:
    buttons = Buttons(Path("/nonexistent"))
    assert buttons.take(press(data)) is None


def test_a_thousand_guesses_use_nothing_up(tmp_path: Path) -> None:
    buttons = Buttons(tmp_path)
    (button, *_) = issue(buttons)
    before = (tmp_path / "buttons.json").stat()
    for _ in range(1000):
        assert buttons.take(press(secrets.token_urlsafe(12))) is None
    assert (tmp_path / "buttons.json").stat() == before
    assert buttons.take(press(button.press)) == ACTION


def test_the_oldest_sets_go_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buttons_module, "_MOST_SETS", 3)
    buttons = Buttons(tmp_path)
    sets = [issue(buttons) for _ in range(5)]
    found = [Buttons(tmp_path).take(press(made[0].press)) is not None for made in sets]
    assert found == [False, False, True, True, True]


def test_no_buttons_are_no_set(tmp_path: Path) -> None:
    assert Buttons(tmp_path).issue(CHAT, []) == ()
    assert Buttons(tmp_path).issue(CHAT, [[]]) == ((),)


@pytest.mark.parametrize("call", ["open", "write", "fsync", "replace"])
def test_a_refusing_disk_leaves_every_button_as_it_was(tmp_path: Path, call: str) -> None:
    system = RefusingSystem()
    buttons = Buttons(tmp_path, system=system)
    (button, *_) = issue(buttons)
    system.refuses = call
    with pytest.raises(StoreWriteError):
        issue(buttons)
    with pytest.raises(StoreWriteError):
        buttons.take(press(button.press))
    system.refuses = ""
    assert buttons.take(press(button.press)) == ACTION
    assert buttons.take(press(button.press)) is None


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"a": {"chat": 1}}', b"\xff", b"[" * 200_000])
def test_a_damaged_file_voids_old_buttons_and_no_new_ones(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "buttons.json").write_bytes(data)
    buttons = Buttons(tmp_path)
    (button, *_) = issue(buttons)
    assert Buttons(tmp_path).take(press(button.press)) == ACTION


def test_every_part_of_a_press_but_person_and_chat_is_free(tmp_path: Path) -> None:
    buttons = Buttons(tmp_path)
    (button, *_) = issue(buttons)
    other = replace(press(button.press), message_id=99, press_id="z", is_private=False)
    assert buttons.take(other) == ACTION


def test_looking_what_a_button_does_uses_nothing_up(tmp_path: Path) -> None:
    buttons = Buttons(tmp_path)
    (button, *_) = issue(buttons, person=42)
    assert buttons.find(press(button.press)) == ACTION
    assert buttons.find(press(button.press, person=Person(43))) is None
    assert buttons.find(press("x" * 16)) is None
    assert buttons.take(press(button.press)) == ACTION


def test_revoked_buttons_are_void_also_after_a_restart(tmp_path: Path) -> None:
    buttons = Buttons(tmp_path)
    theirs, others = issue(buttons, person=42), issue(buttons)
    buttons.revoke(lambda found: found.person == 42)
    for found in (buttons, Buttons(tmp_path)):
        assert not found.knows(theirs[0].press)
        assert found.knows(others[0].press)
