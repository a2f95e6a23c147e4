"""What chats have chosen, over restarts and damage."""

from __future__ import annotations

from pathlib import Path

import pytest

from chat_settings import ChatSettings
from core.errors import StoreWriteError
from core.model import Chat
from core.quiet import ALWAYS, Quiet
from tests.standins.watched_system import RefusingSystem

ADA, TOPIC = Chat("telegram", 1), Chat("telegram", 1, 5)
NIGHT = Quiet(1320, 420)


def test_each_chat_and_each_topic_has_its_own(tmp_path: Path) -> None:
    settings = ChatSettings(tmp_path)
    settings.set_quiet(ADA, NIGHT)
    settings.set_quiet(TOPIC, ALWAYS)
    for found in (settings, ChatSettings(tmp_path)):
        assert found.find_quiet(ADA) == NIGHT
        assert found.find_quiet(TOPIC) == ALWAYS
        assert found.find_quiet(Chat("telegram", 2)) is None


def test_a_choice_can_be_taken_back(tmp_path: Path) -> None:
    settings = ChatSettings(tmp_path)
    settings.set_quiet(ADA, NIGHT)
    settings.set_quiet(ADA, None)
    assert ChatSettings(tmp_path).find_quiet(ADA) is None


@pytest.mark.parametrize("damage", [b"", b"{", b'{"a": 3}', b"\xff\xfe", b'{"a": {"quiet": "x"}}'])
def test_a_damaged_file_is_set_aside(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / "chat_settings.json").write_bytes(damage)
    settings = ChatSettings(tmp_path)
    assert settings.find_quiet(ADA) is None
    settings.set_quiet(ADA, NIGHT)
    assert ChatSettings(tmp_path).find_quiet(ADA) == NIGHT
    assert [path.read_bytes() for path in tmp_path.glob("*.damaged-*")] == [damage]


def test_what_the_disk_refuses_is_not_chosen(tmp_path: Path) -> None:
    system = RefusingSystem()
    settings = ChatSettings(tmp_path, system=system)
    system.refuses = "fsync"
    with pytest.raises(StoreWriteError):
        settings.set_quiet(ADA, NIGHT)
    assert settings.find_quiet(ADA) is None


def test_nobody_else_may_read_it(tmp_path: Path) -> None:
    ChatSettings(tmp_path).set_quiet(ADA, NIGHT)
    assert (tmp_path / "chat_settings.json").stat().st_mode & 0o777 == 0o600


def test_privacy_and_quiet_times_leave_each_other_alone(tmp_path: Path) -> None:
    settings = ChatSettings(tmp_path)
    settings.set_quiet(ADA, NIGHT)
    settings.set_private(ADA, private=True)
    settings.set_private(TOPIC, private=True)
    settings.set_private(TOPIC, private=False)
    settings.set_quiet(ADA, ALWAYS)
    for found in (settings, ChatSettings(tmp_path)):
        assert (found.is_private(ADA), found.find_quiet(ADA)) == (True, ALWAYS)
        assert not found.is_private(TOPIC)
        assert not found.is_private(Chat("telegram", 2))


def test_favourites_are_the_whole_chats_and_leave_the_rest_as_it_is(tmp_path: Path) -> None:
    settings = ChatSettings(tmp_path)
    settings.set_quiet(ADA, NIGHT)
    settings.set_favourites(TOPIC, ["/shop", "/api"])
    settings.set_quiet(TOPIC, ALWAYS)
    for found in (settings, ChatSettings(tmp_path)):
        assert found.find_favourites(ADA) == found.find_favourites(TOPIC) == ("/shop", "/api")
        assert found.find_quiet(ADA) == NIGHT
        assert found.find_favourites(Chat("telegram", 2)) == ()
