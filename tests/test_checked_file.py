"""State files of one JSON object: damage is set aside and told, and never believed."""

from __future__ import annotations

import errno
import logging
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from chat_settings import ChatSettings
from checked_file import CheckedFile
from core.checksum import unseal
from core.errors import StoreError, StoreWriteError
from core.model import Chat, Place
from core.quiet import Quiet
from devices import Devices
from places import Places
from request_book import RequestBook, RequestRecord
from tests.standins.watched_system import RefusingSystem

CHAT = Chat("telegram", 1)
DECODER = msgspec.json.Decoder(dict[str, int])


def open_file(folder: Path, system: RefusingSystem | None = None) -> CheckedFile[dict[str, int]]:
    system = system or RefusingSystem()
    return CheckedFile(folder / "kept.json", DECODER, "It begins anew.", system=system)


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    open_file(tmp_path).write({"one": 1, "two": 22})
    return tmp_path / "kept.json"


def test_what_was_written_is_read(kept: Path) -> None:
    file = open_file(kept.parent)
    assert (file.read(), file.damage) == ({"one": 1, "two": 22}, None)


def test_no_bit_and_no_cut_makes_another_content(kept: Path) -> None:
    whole = kept.read_bytes()
    flips = [(at, 1 << bit) for at in range(len(whole)) for bit in range(8)]
    damages = [whole[:at] for at in range(len(whole))]
    damages += [whole[:at] + bytes([whole[at] ^ bit]) + whole[at + 1 :] for at, bit in flips]
    for damage in damages:
        kept.write_bytes(damage)
        file = open_file(kept.parent)
        found = file.read()
        if found is None:
            (aside,) = kept.parent.glob("kept.damaged-*")
            assert aside.read_bytes() == damage
            assert (
                file.damage == f"kept.json was damaged and is kept as {aside.name}. It begins anew."
            )
            aside.unlink()
        else:  # the checksum may be written with other letters
            assert found == {"one": 1, "two": 22}


def test_damage_is_told_in_the_log(kept: Path, caplog: pytest.LogCaptureFixture) -> None:
    kept.write_bytes(b"")
    with caplog.at_level(logging.ERROR):
        assert open_file(kept.parent).read() is None
    assert "kept.json was damaged" in caplog.text


def test_what_can_not_be_read_just_now_is_neither_nothing_nor_damage(kept: Path) -> None:
    whole = kept.read_bytes()
    for call in ("open", "read"):
        system = RefusingSystem(errno.EMFILE)
        system.refuses = call
        with pytest.raises(StoreError, match=r"kept\.json could not be read: too many files"):
            open_file(kept.parent, system).read()
    assert [(path, path.read_bytes()) for path in kept.parent.iterdir()] == [(kept, whole)]


def test_damage_that_can_not_be_moved_stays_where_it_is(kept: Path) -> None:
    kept.write_bytes(b"{")
    system = RefusingSystem(errno.EACCES)
    system.refuses = "replace"
    with pytest.raises(StoreWriteError, match=r"kept\.json is damaged and could not be set aside"):
        open_file(kept.parent, system).read()
    assert kept.read_bytes() == b"{"


def test_what_a_killed_writer_left_is_removed(kept: Path) -> None:
    left = kept.with_name(f".kept.json.{'0' * 16}.tmp")
    left.touch()
    system = RefusingSystem(errno.EACCES)
    system.refuses = "unlink"
    assert open_file(kept.parent, system).read() is not None
    assert left.exists()
    open_file(kept.parent).read()
    assert not left.exists()


# --- what earlier versions wrote ------------------------------------------------------------------


def use_settings(folder: Path) -> object:
    settings = ChatSettings(folder)
    if not settings.is_private(CHAT):
        settings.set_private(CHAT, private=True)
        settings.set_quiet(CHAT, Quiet(1320, 420))
    return settings.is_private(CHAT), settings.find_quiet(CHAT)


def use_requests(folder: Path) -> object:
    book = RequestBook(folder)
    if not book.open:
        book.put(RequestRecord("r", "s", CHAT, 7, "request:r", "Bash ls"))
    return book.open


def use_places(folder: Path) -> object:
    places = Places(folder)
    if not places.list_all():
        places.note(Place(CHAT, "Ada", is_private=True), 42)
    return places.list_all()


def use_devices(folder: Path) -> object:
    devices = Devices(folder)
    if not devices.everybody():
        devices.redeem(devices.issue_key(), "Firefox on Linux")
    return devices.everybody()


@pytest.mark.parametrize("use", [use_settings, use_requests, use_places, use_devices])
def test_a_file_of_an_earlier_version_loses_nothing(
    tmp_path: Path, use: Callable[[Path], object]
) -> None:
    expected = use(tmp_path)
    (path,) = tmp_path.glob("*.json")
    text = unseal(path.read_bytes())
    assert text is not None and text != path.read_bytes()
    path.write_bytes(text)
    assert use(tmp_path) == expected
    assert path.read_bytes() == text
