"""Claude's outbox folder: what is sent, once, and what no trick makes the bridge send."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import cast

import pytest

import outbox_folder
from core.errors import StoreWriteError
from core.events import ToolEnded
from core.model import Attachment, Chat, Post
from deliveries import Deliveries
from outbox import Outbox
from outbox_folder import OutboxFolder
from session import Session, SessionStore
from session_book import SessionBook
from session_files import FileFolder, SessionFiles
from sessions import Sessions
from tests.standins.outbox_world import Clock, FakeChannel

CHAT = Chat("fake", 1)
PNG = b"\x89PNG\r\n\x1a\n....................."


@pytest.fixture
def folder(tmp_path: Path) -> FileFolder:
    return SessionFiles(tmp_path / "files").folder("abc")


def put(folder: FileFolder, name: str, data: bytes = b"data") -> Path:
    path = folder.outgoing / name
    path.write_bytes(data)
    return path


def content(path: str) -> bytes:
    return Path(path).read_bytes()


def names(files: list[Attachment]) -> list[tuple[str, str]]:
    return [(file.name, file.kind) for file in files]


# --- the folder --------------------------------------------------------------------------------


def test_files_are_moved_away_under_names_of_ours(folder: FileFolder) -> None:
    for name in ("-rf", "a b.txt", "e\nf.txt", "\u202egnp.exe", "x" * 200 + ".csv"):
        put(folder, name, name.encode())
    put(folder, "c.png", PNG)
    box = OutboxFolder(folder)
    taken = box.take("b1", box.look())
    assert box.look() == []
    for file in taken:
        path = Path(file.path)
        assert path.parent == folder.sent
        assert path.name.isascii()
        assert path.name.startswith("b1-")
        assert len(path.name) < 80
        assert path.read_bytes() == (PNG if file.kind == "photo" else file.name.encode())
    assert ("c.png", "photo") in names(taken)
    assert ("-rf", "document") in names(taken)


def test_a_name_that_is_no_text_is_sent_all_the_same(folder: FileFolder) -> None:
    with open(os.fsencode(folder.outgoing) + b"/a\xff.txt", "wb") as opened:
        opened.write(b"data")
    box = OutboxFolder(folder)
    (file,) = box.take("b1", box.look())
    assert file.name == "a\ufffd.txt"
    assert Path(file.path).read_bytes() == b"data"


def test_links_folders_and_pipes_are_refused_with_a_reason(
    folder: FileFolder, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    (folder.outgoing / "link").symlink_to(secret)
    (folder.outgoing / "dangling").symlink_to("/no/such")
    os.link(secret, folder.outgoing / "hard")
    (folder.outgoing / "folder").mkdir()
    os.mkfifo(folder.outgoing / "pipe")
    with put(folder, "huge").open("wb") as opened:
        opened.truncate(60 << 20)
    refusals = {file.name: file.refusal for file in OutboxFolder(folder).look()}
    assert refusals == {
        "dangling": "“dangling” is a link to a file, and is not sent.",
        "folder": "“folder” is a folder; only files are sent.",
        "hard": "“hard” is a link to a file, and is not sent.",
        "huge": "“huge” has 60 MB; Telegram takes at most 50 MB from a bot.",
        "link": "“link” is a link to a file, and is not sent.",
        "pipe": "“pipe” is not a file.",
    }


def test_a_file_exchanged_for_a_link_after_the_look_is_not_taken(
    folder: FileFolder, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    path = put(folder, "a.txt")
    box = OutboxFolder(folder)
    found = box.look()
    path.unlink()
    path.symlink_to(secret)
    assert box.take("b1", found) == []
    assert path.is_symlink()
    assert [left.name for left in folder.sent.iterdir() if not left.name.startswith(".")] == []


def test_an_outbox_exchanged_for_a_link_is_not_looked_into(
    folder: FileFolder, tmp_path: Path
) -> None:
    (tmp_path / "private").mkdir()
    (tmp_path / "private" / "id").write_text("secret")
    folder.outgoing.rmdir()
    folder.outgoing.symlink_to(tmp_path / "private")
    with pytest.raises(OSError):
        OutboxFolder(folder).look()


def test_what_somebody_still_writes_is_known(folder: FileFolder) -> None:
    path = put(folder, "a.txt")
    box = OutboxFolder(folder)
    assert [file.is_open for file in box.look()] == [False]
    with path.open("ab") as opened:
        assert [file.is_open for file in box.look()] == [True]
        opened.write(b"more")
    assert [file.is_open for file in box.look()] == [False]


@pytest.mark.parametrize("moved", [0, 1, 2])
def test_a_crash_in_the_middle_of_the_moves_is_made_good(folder: FileFolder, moved: int) -> None:
    put(folder, "a.txt", b"a")
    put(folder, "b.txt", b"b")
    box = OutboxFolder(folder)
    taken = box.take("b1", box.look())
    for file in taken[moved:]:  # as if it had not come so far
        os.rename(file.path, folder.outgoing / file.name)
    ((batch, again),) = OutboxFolder(folder).resume()
    assert (batch, again) == ("b1", taken)
    box.forget("b1")
    assert list(box.resume()) == []
    assert box.look() == []


def test_a_new_file_under_a_noted_name_is_another_file(folder: FileFolder) -> None:
    put(folder, "a.txt", b"old")
    box = OutboxFolder(folder)
    (taken,) = box.take("b1", box.look())
    put(folder, "a.txt", b"new")
    ((_, again),) = box.resume()
    assert again == [taken]
    assert [file.name for file in box.look()] == ["a.txt"]


def test_a_damaged_note_is_no_reason_to_stop(folder: FileFolder) -> None:
    (folder.sent / ".b1.moves").write_bytes(b"{")
    assert list(OutboxFolder(folder).resume()) == [("b1", [])]


def test_what_was_moved_is_sent_whatever_happened_to_its_note(folder: FileFolder) -> None:
    put(folder, "a b.txt", b"a")
    box = OutboxFolder(folder)
    (taken,) = box.take("b1", box.look())
    note = folder.sent / ".b1.moves"
    whole = note.read_bytes()
    for at in range(len(whole)):
        for data in (whole[:at], whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :]):
            note.write_bytes(data)
            ((batch, (file,)),) = box.resume()
            assert (batch, file.path) == ("b1", taken.path)
            assert file.name in (taken.name, Path(taken.path).name)


def test_a_note_of_an_earlier_version_is_gone_on_with(folder: FileFolder) -> None:
    put(folder, "a b.txt", b"a")
    box = OutboxFolder(folder)
    taken = box.take("b1", box.look())
    note = folder.sent / ".b1.moves"
    note.write_bytes(note.read_bytes().partition(b"\n")[2])
    assert list(box.resume()) == [("b1", taken)]


# --- the deliveries ----------------------------------------------------------------------------


class Crash(BaseException):
    """The process is gone."""


class Desk:
    """Deliveries over real folders, a real store and a real outbox."""

    def __init__(self, root: Path) -> None:
        self.files = SessionFiles(root / "files")
        self.outbox = Outbox(root, {"fake": FakeChannel(Clock())})
        self.book = SessionBook(SessionStore(root / "state"))
        self.session = self.book.find_current(CHAT) or self.book.create(CHAT, root)
        self.folder = self.files.folder(self.session.session_id)
        self.deliveries = Deliveries(
            cast(Sessions, self), self.outbox, self.files, sleep=self._sleep
        )

    async def _sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / 20)

    def tool_ends(self) -> None:
        event = ToolEnded("u", "t", False, "", {})
        self.deliveries.hear_event(self.session, event, is_news=True)

    async def until_done(self) -> None:
        await asyncio.gather(*self.deliveries._tasks.values())

    def posts(self) -> list[Post]:
        return [waiting.post for waiting in self.outbox._records.waiting.values()]

    def sent(self) -> list[list[str]]:
        return [sorted(f.name for f in post.attachments) for post in self.posts() if not post.text]

    def close(self) -> None:
        self.outbox._records.close()


async def test_several_files_are_one_post_and_nothing_is_sent_twice(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    for name in ("a.txt", "b.txt"):
        put(desk.folder, name)
    desk.tool_ends()
    desk.tool_ends()
    await desk.until_done()
    desk.deliveries.start()
    await desk.until_done()
    assert desk.sent() == [["a.txt", "b.txt"]]


async def test_the_same_name_again_is_sent_again(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    for data in (b"one", b"two"):
        put(desk.folder, "a.txt", data)
        desk.tool_ends()
        await desk.until_done()
    paths = [post.attachments[0].path for post in desk.posts()]
    assert [content(path) for path in paths] == [b"one", b"two"]


async def test_a_file_that_is_still_being_written_waits(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    with put(desk.folder, "a.txt", b"half").open("ab") as opened:
        desk.tool_ends()
        await asyncio.sleep(0.3)
        assert desk.sent() == []
        opened.write(b" whole")
    await desk.until_done()
    (post,) = desk.posts()
    assert content(post.attachments[0].path) == b"half whole"


async def test_one_that_takes_long_does_not_hold_up_the_others(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.deliveries._clock = _fast_clock()
    with put(desk.folder, "slow.bin").open("ab"):
        put(desk.folder, "a.txt")
        desk.tool_ends()
        async with asyncio.timeout(10):
            while desk.sent() != [["a.txt"]]:
                await asyncio.sleep(0.01)
                continue
    await desk.until_done()
    assert desk.sent() == [["a.txt"], ["slow.bin"]]


def _fast_clock() -> Callable[[], float]:
    began = time.time()
    return lambda: began + (time.time() - began) * 20


async def test_what_is_never_sent_is_named_once(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    (desk.folder.outgoing / "link").symlink_to("/etc/hostname")
    put(desk.folder, "a.txt")
    desk.tool_ends()
    await desk.until_done()
    desk.deliveries.start()
    await desk.until_done()
    assert [post.text for post in desk.posts()] == [
        "“link” is a link to a file, and is not sent.",
        "",
    ]


async def test_after_clear_the_new_session_sends_from_the_folder_it_was_told_of(
    tmp_path: Path,
) -> None:
    desk = Desk(tmp_path)
    new = "11111111-1111-4111-8111-111111111111"
    desk.book.follow_terminal(desk.session, new, "t", None)
    put(desk.folder, "a.txt")
    event = ToolEnded("u", "t", False, "", {})
    desk.deliveries.hear_event(desk.book.for_id(new), event, is_news=True)
    await desk.until_done()
    assert desk.sent() == [["a.txt"]]


@pytest.mark.parametrize("at", range(1, 7))
async def test_a_crash_at_any_step_neither_loses_nor_repeats_a_file(
    tmp_path: Path, at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed before the note, after it, between the moves, around the post, around its end."""
    first = Desk(tmp_path)
    put(first.folder, "a.txt")
    put(first.folder, "b.txt")
    steps: list[tuple[object, str]] = [
        (outbox_folder, "replace_file"),
        (os, "rename"),
        (Outbox, "put"),
        (OutboxFolder, "forget"),
    ]
    left = [at]
    for owner, name in steps:
        monkeypatch.setattr(owner, name, _crashing(getattr(owner, name), left))
    first.tool_ends()
    with suppress(Crash):
        await first.until_done()
    monkeypatch.undo()
    before = first.sent()
    first.close()
    second = Desk(tmp_path)
    assert second.sent() == before
    second.deliveries.start()
    await second.until_done()
    assert second.sent() == [["a.txt", "b.txt"]]


def _crashing(real: Callable[..., object], left: list[int]) -> Callable[..., object]:
    def call(*args: object, **kwargs: object) -> object:
        left[0] -= 1
        if left[0] == 0:
            raise Crash
        return real(*args, **kwargs)

    return call


async def test_a_full_disk_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(tmp_path)
    put(desk.folder, "a.txt")
    real, left = desk.outbox.put, 2

    def refuse(*posts: Post) -> None:
        nonlocal left
        left -= 1
        if left >= 0:
            raise StoreWriteError("The disk is full.")
        real(*posts)

    monkeypatch.setattr(desk.outbox, "put", refuse)
    desk.tool_ends()
    await desk.until_done()
    assert desk.sent() == [["a.txt"]]


# --- cleaning up -------------------------------------------------------------------------------


def test_what_is_old_or_nobodys_is_removed_and_what_waits_stays(tmp_path: Path) -> None:
    now = time.time()
    files = SessionFiles(tmp_path, clock=lambda: now)
    kept, gone = files.folder("kept"), files.folder("gone")
    for folder in (kept, gone):
        for place in (folder.incoming, folder.outgoing, folder.sent):
            (place / "a").write_text("a")
    (tmp_path / "stranger").mkdir()
    files.clean_up({"kept"}, 30)
    assert not gone.base.exists()
    assert len(list(kept.base.glob("*/a"))) == 3
    now += 31 * 86_400
    files.clean_up({"kept"}, 30)
    assert [path.parent.name for path in kept.base.glob("*/a")] == ["out"]
    assert (tmp_path / "stranger").is_dir()


def test_a_folder_is_ours_alone_and_its_name_a_sessions(tmp_path: Path) -> None:
    files = SessionFiles(tmp_path / "x" / "files")
    folder = files.folder("abc")
    for path in (folder.base, folder.incoming, folder.outgoing, folder.sent):
        assert path.stat().st_mode & 0o777 == 0o700
    for name in ("..", "a/b", "", "a" * 65):
        with pytest.raises(ValueError):
            files.folder(name)
        assert files.find(name) is None


def test_the_files_of_a_session_keep_their_place_over_clear(tmp_path: Path) -> None:
    book = SessionBook(SessionStore(tmp_path))
    old = book.create(CHAT, tmp_path)
    ids = [f"{n}1111111-1111-4111-8111-111111111111" for n in (1, 2)]
    book.follow_terminal(old, ids[0], "t", None)
    book.follow_terminal(book.for_id(ids[0]), ids[1], "t", None)
    session: Session = book.for_id(ids[1])
    assert session.state["files"] == old.session_id
