"""Files on their way to a prompt: in order, each once, through crashes, refusals and a bad network.

Inbox, outbox, store and folders are real ones on a disk; the channel and Claude are not there.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from core.delivery import Prompt
from core.errors import FileNotReceivedError, StoreWriteError
from core.model import Chat, FilesSent, LocationSent, Person, RemoteFile, TextSent
from core.split_text import seconds_for_more
from inbox import Arrival, Entry, Inbox
from outbox import Outbox
from session import Session, SessionStore
from session_book import SessionBook
from session_files import SessionFiles
from tests.standins.outbox_world import Clock, FakeChannel
from tests.standins.watched_system import RefusingSystem
from transcriber import Transcriber
from uploads import Uploads

ADA = Person(1, "Ada")
CHAT = Chat("fake", 1)
OTHER = Chat("fake", 2)


class Crash(BaseException):
    """The process is gone."""


class CrashingSystem(RefusingSystem):
    """Ends the process at a write, before or after it has reached the disk."""

    def __init__(self, at: int, *, after: bool) -> None:
        super().__init__()
        self.left = at
        self.after = after

    def write(self, fd: int, data: bytes | memoryview, /) -> int:
        self.left -= 1
        if self.left == 0 and not self.after:
            os.write(fd, bytes(data)[: len(data) // 2])
            raise Crash
        written = super().write(fd, data)
        if self.left == 0:
            raise Crash
        return written


class Phone(FakeChannel):
    """A channel whose files hold their own id; `troubles` are met by the next downloads."""

    def __init__(self) -> None:
        super().__init__(Clock())
        self.downloads: list[str] = []
        self.troubles: list[Exception | asyncio.Event] = []

    async def download(self, file: RemoteFile, target: Path, limit_bytes: int) -> None:
        self.downloads.append(file.file_id)
        trouble = self.troubles.pop(0) if self.troubles else None
        if isinstance(trouble, asyncio.Event):
            await trouble.wait()
        elif trouble is not None:
            raise trouble
        await asyncio.sleep(0)
        with target.open("xb") as opened:
            opened.write(file.file_id.encode())


class Takers:
    """Takes prompts as the sessions do: the inbox has them before anything else."""

    def __init__(self, inbox: Inbox, store: SessionStore) -> None:
        self.book = SessionBook(store)
        self._inbox = inbox

    def submit(
        self, session: Session, prompt: Prompt, person: int, *, merges: Sequence[str] = ()
    ) -> None:
        known = {"session_id": session.session_id, "text": prompt.text}
        self._inbox.advance(prompt.key, "assigned", merges=merges, **known)


class Desk:
    """One run of the bridge, as far as it has to do with files."""

    def __init__(
        self,
        folder: Path,
        *,
        system: RefusingSystem | None = None,
        command: Sequence[str] = (),
        quiet_seconds: float = 0.02,
        text_seconds: float = 0.02,
    ) -> None:
        self.folder = folder
        self.phone = Phone()
        self.slept: list[float] = []
        self.removed: set[int] = set()
        self.inbox = Inbox(folder, system=system or RefusingSystem())
        self.outbox = Outbox(folder, {"fake": self.phone})
        self.store = SessionStore(folder / "state")
        self.takers = Takers(self.inbox, self.store)
        self.uploads = Uploads(
            {"fake": self.phone},
            self.inbox,
            self.outbox,
            self.takers,
            SessionFiles(folder / "files"),
            Transcriber(command, "base", {"PATH": os.environ["PATH"]}),
            directory=folder,
            limit_bytes=1000,
            is_welcome=lambda person: person not in self.removed,
            quiet_seconds=quiet_seconds,
            seconds_for_more=lambda text: text_seconds if seconds_for_more(text) else 0.0,
            sleep=self.sleep,
        )

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await asyncio.sleep(0)

    def send(self, message: FilesSent) -> Entry:
        (entry,) = self.inbox.receive([Arrival(f"key{message.message_id}", "fake", {})])
        self.hear(entry, message)
        return entry

    def say(self, text: str, number: int, chat: Chat = CHAT) -> None:
        (entry,) = self.inbox.receive([Arrival(f"key{number}", "fake", {})])
        self.hear(entry, TextSent(chat, ADA, number, text))

    def hear(self, entry: Entry, message: TextSent | FilesSent) -> None:
        """As the hub does."""
        if isinstance(message, FilesSent):
            self.uploads.take(entry, message)
        elif not self.uploads.takes_part(entry, message):
            words = entry.words.get(entry.key, message.text)
            self.uploads.submit_text(entry, message, words)

    def rewrite(self, key: str, words: str) -> bool:
        entry = self.inbox.find(key)
        return entry is not None and self.uploads.rewrite(entry, words)

    def prompts(self) -> list[str]:
        """In the order in which they were given."""
        assigned = [entry for entry in self.inbox.pending() if entry.step == "assigned"]
        return [entry.text for entry in assigned]

    def said(self) -> list[str]:
        return [waiting.post.text for waiting in self.outbox._records.waiting.values()]

    async def until(self, is_true: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while True:
                if is_true():
                    return
                await asyncio.sleep(0.001)

    async def until_done(self) -> None:
        await self.until(lambda: not self.uploads._lines)

    async def live(self, messages: Sequence[TextSent | FilesSent]) -> list[str]:
        """Handle what is pending, and end with all that is under way; the prompts, in order."""
        by_key = {f"key{message.message_id}": message for message in messages}
        try:
            for entry in self.inbox.pending():
                if entry.step == "received":
                    self.hear(entry, by_key[entry.key])
            await asyncio.gather(*self.tasks())
            return self.prompts()
        finally:
            for task in self.tasks():  # else it would go on in the next run, whose files it shares
                task.cancel()
            await asyncio.gather(*self.tasks(), return_exceptions=True)
            self.close()

    def tasks(self) -> list[asyncio.Task[None]]:
        lines = self.uploads._lines.values()
        return [line.task for line in lines if line.task is not None]

    def close(self) -> None:
        self.inbox.close()
        self.outbox._records.close()


def photo(number: int, caption: str = "", album: str | None = None) -> FilesSent:
    file = RemoteFile(f"file{number}", "photo", size=5)
    return FilesSent(CHAT, ADA, number, caption, (file,), album)


def document(number: int, name: str, caption: str = "") -> FilesSent:
    file = RemoteFile(f"file{number}", "document", name, size=5)
    return FilesSent(CHAT, ADA, number, caption, (file,))


def voice(number: int) -> FilesSent:
    return FilesSent(CHAT, ADA, number, "", (RemoteFile(f"file{number}", "voice", seconds=3),))


# --- who may still -----------------------------------------------------------------------------


async def test_what_a_removed_person_sent_is_no_prompt_once_it_is_there(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    for number in (1, 2):
        desk.send(photo(number, "look" if number == 1 else "", album="A"))
    desk.say("and this", 3)
    desk.removed.add(ADA.user_id)
    await desk.until_done()
    assert desk.prompts() == [] and desk.inbox.pending() == []
    desk.close()


# --- order -------------------------------------------------------------------------------------


async def test_a_text_waits_for_the_photo_before_it_and_not_for_one_of_another_chat(
    tmp_path: Path,
) -> None:
    desk = Desk(tmp_path)
    held = asyncio.Event()
    desk.phone.troubles = [held]
    desk.send(photo(1, "see"))
    desk.say("behind", 2)
    desk.say("elsewhere", 3, OTHER)
    await desk.until(lambda: desk.phone.downloads == ["file1"])
    assert desk.prompts() == ["elsewhere"]
    held.set()
    await desk.until_done()
    assert [text.split("\n")[0] for text in desk.prompts()] == ["see", "behind", "elsewhere"]
    steps = [entry.step for entry in desk.inbox.pending()]
    assert steps == ["assigned"] * 3


async def test_a_text_that_waits_behind_a_photo_can_be_edited(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    held = asyncio.Event()
    desk.phone.troubles = [held]
    desk.send(photo(1, "see"))
    desk.say("behind", 2)
    assert desk.rewrite("key2", "changed")
    assert not desk.rewrite("key1", "changed")
    held.set()
    await desk.until_done()
    assert desk.prompts()[1] == "changed"
    assert not desk.rewrite("key2", "too late")


async def test_a_photo_goes_to_the_session_that_was_current_when_it_came(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    held = asyncio.Event()
    desk.phone.troubles = [held]
    entry = desk.send(photo(1))
    old = desk.takers.book.find_current(CHAT)
    desk.takers.book.create(CHAT, tmp_path)
    held.set()
    await desk.until_done()
    found = desk.inbox.find(entry.key)
    assert old is not None
    assert found is not None
    assert found.session_id == old.session_id


async def test_a_place_on_the_map_is_a_prompt(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    (entry,) = desk.inbox.receive([Arrival("a", "fake", {})])
    desk.uploads.submit_location(entry, LocationSent(CHAT, ADA, 1, 52.5, 13.4, 'A "@/x" café'))
    place = "latitude 52.500000, longitude 13.400000"
    assert desk.prompts() == [f"[location “A ___x_ café”: {place}]"]


# --- albums ------------------------------------------------------------------------------------


async def test_the_parts_of_an_album_are_one_prompt(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    for number in (1, 2):
        desk.send(photo(number, "look" if number == 1 else "", "A"))
    await desk.until(lambda: len(desk.phone.downloads) == 2)
    desk.send(photo(3, album="A"))
    await desk.until_done()
    (prompt,) = desk.prompts()
    lines = prompt.splitlines()
    assert lines[0] == "look"
    assert [line.rpartition("/")[2] for line in lines[2:]] == [
        "1-photo.jpg",
        "2-photo.jpg",
        "3-photo.jpg",
    ]
    assert [entry.key for entry in desk.inbox.pending()] == ["key1"]


async def test_an_album_of_ten_is_complete(tmp_path: Path) -> None:
    desk = Desk(tmp_path, quiet_seconds=60)
    for number in range(10):
        desk.send(photo(number + 1, album="A"))
    await desk.until_done()
    assert len(desk.prompts()) == 1


async def test_two_albums_and_a_part_that_came_too_late_are_prompts_of_their_own(
    tmp_path: Path,
) -> None:
    desk = Desk(tmp_path)
    desk.send(photo(1, album="A"))
    desk.send(photo(2, album="B"))
    desk.send(photo(3, album="A"))
    await desk.until_done()
    desk.send(photo(4, album="A"))
    await desk.until_done()
    assert [prompt.count("photo.jpg") for prompt in desk.prompts()] == [2, 1, 1]


@pytest.mark.parametrize("after", [False, True])
async def test_a_crash_at_any_write_neither_loses_nor_repeats_a_file(
    tmp_path: Path, after: bool
) -> None:
    """The updates have arrived; then it is killed at the first write, at the second one, …"""
    at = 0
    while True:
        at += 1
        folder = tmp_path / str(at)
        folder.mkdir()
        seed = Desk(folder)
        messages = [photo(1, "see", "A"), photo(2, album="A"), photo(3, album="A"), photo(4, "end")]
        for message in messages:
            seed.inbox.receive([Arrival(f"key{message.message_id}", "fake", {})])
        seed.close()
        try:
            await Desk(folder, system=CrashingSystem(at, after=after)).live(messages)
            break  # it had less than that to write
        except Crash:
            pass
        prompts = await Desk(folder).live(messages)
        assert [prompt.count("photo.jpg") for prompt in prompts] == [3, 1]
        assert [prompt.split("\n")[0] for prompt in prompts] == ["see", "end"]
    assert at > 5


# --- trouble -----------------------------------------------------------------------------------


async def test_a_network_that_comes_back_is_waited_for(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.phone.troubles = [FileNotReceivedError("no"), StoreWriteError("no")]
    desk.send(photo(1))
    await desk.until_done()
    assert (desk.slept, len(desk.prompts()), desk.said()) == ([2, 15], 1, [])


async def test_what_cannot_be_fetched_is_refused_in_one_sentence(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.phone.troubles = [FileNotReceivedError("The file could not be fetched.")] * 3
    desk.send(photo(1, "see"))
    desk.say("next", 2)
    await desk.until_done()
    assert desk.prompts() == ["next"]
    assert desk.said() == ["The file could not be fetched."]
    assert [entry.key for entry in desk.inbox.pending()] == ["key2"]


async def test_of_an_album_the_rest_is_given_and_what_is_missing_is_named(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.phone.troubles = [FileNotReceivedError("Gone.")] * 3
    first, second = document(1, "a@b.txt", "both"), document(2, "c.txt")
    desk.send(replace(first, album="A"))
    desk.send(replace(second, album="A"))
    await desk.until_done()
    (prompt,) = desk.prompts()
    assert prompt.startswith("both\n\n[document “c.txt”] @")
    assert desk.said() == ["“a_b.txt”: Gone."]


async def test_a_full_disk_is_waited_for_and_nothing_is_forgotten(tmp_path: Path) -> None:
    system = RefusingSystem()
    desk = Desk(tmp_path, system=system)
    held = asyncio.Event()
    desk.phone.troubles = [held]
    desk.send(photo(1, "see"))
    await desk.until(lambda: desk.phone.downloads != [])
    system.refuses = "write"
    held.set()
    await desk.until(lambda: 5.0 in desk.slept)
    system.refuses = ""
    await desk.until_done()
    assert len(desk.prompts()) == 1
    assert desk.said() == []


async def test_a_file_for_which_the_disk_has_no_room_is_refused(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    message = photo(1)
    huge = replace(message, files=(replace(message.files[0], size=1 << 60),))
    desk.send(huge)
    await desk.until_done()
    assert "The disk has too little room for this file" in desk.said()[0]
    assert desk.phone.downloads == []


async def test_what_an_earlier_attempt_left_is_replaced(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    session = desk.takers.book.create(CHAT, tmp_path)
    folder = SessionFiles(tmp_path / "files").folder(session.session_id)
    (folder.incoming / "1-photo.jpg").write_bytes(b"half")
    desk.send(photo(1))
    await desk.until_done()
    assert (folder.incoming / "1-photo.jpg").read_bytes() == b"file1"


# --- what can be attached ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "data", "is_attached"),
    [
        ("a.txt", b"plain", True),
        ("a.py", "é\n\t".encode(), True),
        ("no extension", b"text", True),
        ("a.png", b"\x89PNG\r\n\x1a\n....", True),
        ("a.png", b"\xff\xd8\xff no png", False),
        ("a.webp", b"RIFFxxxxWEBP", True),
        ("a.zip", b"PK\x03\x04\x00\x00", False),
        ("a.txt", b"\xff\xfe", False),
        ("a.txt", b"x" * 100_001, False),
        ("a.txt", b"", False),
        ("a.png", b"\x89PNG\r\n\x1a\n" + bytes(6 << 20), False),
    ],
)
async def test_pictures_and_texts_of_a_sensible_size_are_attached(
    tmp_path: Path, name: str, data: bytes, is_attached: bool
) -> None:
    desk = Desk(tmp_path)

    async def download(file: RemoteFile, target: Path, limit_bytes: int) -> None:
        with target.open("xb") as opened:
            opened.write(data)

    desk.phone.download = download  # type: ignore[method-assign]
    desk.send(document(1, name))
    await desk.until_done()
    (prompt,) = desk.prompts()
    assert ("] @" in prompt) == is_attached


# --- voice -------------------------------------------------------------------------------------


async def test_a_voice_message_is_written_down_and_shown(tmp_path: Path) -> None:
    desk = Desk(tmp_path, command=["cat"])
    desk.send(voice(1))
    await desk.until_done()
    assert desk.prompts() == ["[Dictated, so words may be wrong]\nfile1"]
    assert desk.said() == ["🎙️ “file1”"]


async def test_a_voice_message_that_fails_is_told_and_claude_left_in_peace(tmp_path: Path) -> None:
    desk = Desk(tmp_path, command=["false"])
    desk.send(voice(1))
    await desk.until_done()
    assert desk.prompts() == []
    (said,) = desk.said()
    assert said.startswith("The voice message could not be written down")
    assert desk.inbox.pending() == []
