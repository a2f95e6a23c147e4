"""The feed on real files, the real watchdog and a real socket."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from watchdog.observers.api import BaseObserver

import claude_feed as claude_feed_module
from claude_feed import ClaudeFeed
from core.errors import SessionNotFoundError
from core.events import (
    AnswerGiven,
    HookEvent,
    PermissionAsked,
    PromptSubmitted,
    SessionStarted,
    TranscriptEvent,
)
from pulse import Pulse

ROOT = Path(__file__).resolve().parent.parent


def answer(text: str) -> bytes:
    message = {"content": [{"type": "text", "text": text}]}
    return json.dumps({"type": "assistant", "uuid": text, "message": message}).encode() + b"\n"


def hook_message(name: str, **fields: Any) -> bytes:
    payload = {"hook_event_name": name, "session_id": "s", **fields}
    return json.dumps({"pane": "p", "payload": payload}).encode() + b"\n"


class Listener:
    """Keeps what it hears; raises as often as `refusals` says."""

    def __init__(self) -> None:
        self.hooks: list[HookEvent] = []
        self.answers: list[tuple[str, str]] = []
        self.ends: dict[str, int] = {}
        self.looks = 0
        self.refusals = 0
        self.poison, self.lost = "none", list[int]()
        self.gone: set[str] = set()
        self.pulse = Pulse()
        self.asked, self.left = list[PermissionAsked](), list[PermissionAsked]()
        self.answers_to_hooks: asyncio.Queue[str] = asyncio.Queue()

    async def answer(self, event: PermissionAsked) -> str:
        self.asked.append(event)
        self.pulse.beat()
        try:
            return await self.answers_to_hooks.get()
        except asyncio.CancelledError:
            self.left.append(event)
            self.pulse.beat()
            raise

    def hear_hook(self, event: HookEvent) -> None:
        self._refuse()
        self.hooks.append(event)
        self.pulse.beat()

    def hear_transcript(
        self, session_id: str, events: Sequence[tuple[int, TranscriptEvent]], end: int
    ) -> None:
        self._refuse()
        if session_id in self.gone:
            self.gone.remove(session_id)
            raise SessionNotFoundError("it is gone")
        found = [event.text for _, event in events if isinstance(event, AnswerGiven)]
        if self.poison in found:
            raise TypeError("nobody has thought of that")
        self.answers += [(session_id, text) for text in found]
        assert all(self.ends.get(session_id, 0) < offset <= end for offset, _ in events)
        self.ends[session_id] = end
        self.pulse.beat()

    def hear_registry(self) -> None:
        self.looks += 1
        self.pulse.beat()

    def hear_loss(self, session_id: str, end: int) -> None:
        self.lost.append(end)
        self.pulse.beat()

    def _refuse(self) -> None:
        if self.refusals:
            self.refusals -= 1
            self.pulse.beat()
            raise OSError("the disk is full")

    def texts(self, session_id: str = "s") -> list[str]:
        return [text for session, text in self.answers if session == session_id]

    async def until(self, is_true: Callable[[], bool]) -> None:
        assert await self.pulse.until(is_true, 10), (self.answers, self.hooks)


class World:
    """A feed on its folders; `no_look` leaves the file events alone to wake it."""

    def __init__(self, folder: Path) -> None:
        self.state = folder / "state"
        self.registry = folder / "sessions"
        self.project = folder / "projects" / "-home-ada"
        self.path = self.project / "s.jsonl"
        self.state.mkdir(parents=True)
        self.project.mkdir(parents=True)
        self.listener = Listener()
        self.feed = self.make()

    def make(self) -> ClaudeFeed:
        return ClaudeFeed(self.state, self.registry, self.listener)

    def append(self, data: bytes, name: str = "s") -> None:
        with (self.project / f"{name}.jsonl").open("ab") as file:
            file.write(data)

    @property
    def socket_path(self) -> str:
        """From here, as the whole path may be too long for a socket."""
        return os.path.relpath(self.state / "hook.sock")

    async def send(self, message: bytes) -> None:
        """To the socket, and wait until it was read."""
        reader, writer = await asyncio.open_unix_connection(self.socket_path)
        writer.write(message)
        await writer.drain()
        writer.write_eof()
        await reader.read()
        writer.close()


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[World]:
    made = World(folder)
    await made.feed.start()
    try:
        yield made
    finally:
        await made.feed.stop()


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with running(tmp_path) as made:
        yield made


@pytest.fixture
def no_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """The regular look never comes: what is heard was told by file events."""
    monkeypatch.setattr(claude_feed_module, "_LOOK_SECONDS", 3600.0)


@pytest.fixture
def quick_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claude_feed_module, "_LOOK_SECONDS", 0.05)


# --- transcripts -------------------------------------------------------------------------------


@pytest.mark.usefixtures("no_look")
async def test_lines_are_heard_as_they_are_written(world: World) -> None:
    world.feed.follow("s", world.path, 0)  # not there before the first prompt
    for text in ("one", "two"):
        world.append(answer(text))
        await world.listener.until(lambda expected=text: world.listener.texts()[-1:] == [expected])  # type: ignore[misc]
    assert world.listener.texts() == ["one", "two"]
    assert world.listener.ends["s"] == world.path.stat().st_size


@pytest.mark.usefixtures("no_look")
async def test_a_half_written_line_waits_for_its_end(world: World) -> None:
    world.feed.follow("s", world.path, 0)
    line = answer("é \U0001f600")
    world.append(answer("before") + line[:50])
    await world.listener.until(lambda: world.listener.texts() == ["before"])
    for byte in line[50:-1]:
        world.append(bytes([byte]))
        world.feed.look()
    assert world.listener.texts() == ["before"]
    assert world.listener.ends["s"] == len(answer("before"))
    world.append(line[-1:])
    await world.listener.until(lambda: len(world.listener.answers) == 2)
    assert world.listener.texts()[-1] == "é \U0001f600"


async def test_torn_and_foreign_lines_are_passed_over(world: World) -> None:
    world.append(answer("one") + answer("torn")[:40] + b"\n\x00\xff\r\x0b\n\n[]\n" + answer("two"))
    world.feed.follow("s", world.path, 0)
    world.feed.look()
    assert world.listener.texts() == ["one", "two"]
    assert world.listener.ends["s"] == world.path.stat().st_size


async def test_following_begins_behind_the_cursor(world: World) -> None:
    world.append(answer("old") + answer("new"))
    world.feed.follow("s", world.path, len(answer("old")))
    world.feed.look()
    assert world.listener.texts() == ["new"]


async def test_what_was_written_while_nobody_listened_is_heard_once(tmp_path: Path) -> None:
    async with running(tmp_path / "a") as world:
        world.append(answer("one"))
        world.feed.follow("s", world.path, 0)
        world.feed.look()
        await world.feed.stop()
        world.append(answer("two"))
        world.feed = world.make()
        await world.feed.start()
        world.feed.follow("s", world.path, world.listener.ends["s"])
        await world.listener.until(lambda: len(world.listener.answers) == 2)
        assert world.listener.texts() == ["one", "two"]


@pytest.mark.usefixtures("quick_look")
async def test_lines_that_could_not_be_handled_are_heard_again_whole_but_one_that_never_can(
    world: World,
) -> None:
    world.listener.refusals, world.listener.poison = 3, "odd"
    world.append(answer("one") + answer("odd") + answer("two"))
    world.feed.follow("s", world.path, 0)
    await world.listener.until(lambda: bool(world.listener.answers))
    world.append(answer("three"))
    await world.listener.until(lambda: len(world.listener.answers) == 3)
    assert world.listener.texts() == ["one", "two", "three"]
    assert world.listener.lost == [len(answer("one") + answer("odd"))]


@pytest.mark.usefixtures("quick_look")
async def test_one_transcript_that_fails_holds_up_no_other(world: World) -> None:
    world.path.mkdir()
    world.feed.follow("s", world.path, 0)
    world.feed.follow("t", world.project / "t.jsonl", 0)
    world.append(answer("one"), "t")
    await world.listener.until(lambda: world.listener.texts("t") == ["one"])


async def test_a_session_that_was_removed_is_let_go(world: World) -> None:
    world.feed.follow("s", world.path, 0)
    world.listener.gone.add("s")
    world.append(answer("one"))
    await world.listener.until(lambda: not world.feed.follows("s"))
    world.feed.follow("s", world.path, 0)
    await world.listener.until(lambda: len(world.listener.texts()) == 1)


async def test_a_file_that_became_shorter_is_followed_from_its_new_end(world: World) -> None:
    world.append(answer("one") + answer("two"))
    world.feed.follow("s", world.path, 0)
    world.feed.look()
    world.path.write_bytes(answer("x"))
    world.feed.look()
    world.listener.ends.clear()
    world.append(answer("three"))
    world.feed.look()
    assert world.listener.texts() == ["one", "two", "three"]


async def test_a_file_that_is_removed_and_comes_back_is_followed_on(world: World) -> None:
    world.append(answer("one"))
    world.feed.follow("s", world.path, 0)
    world.feed.look()
    world.path.unlink()
    world.feed.look()
    world.append(answer("one") + answer("two"))
    world.feed.look()
    assert world.listener.texts() == ["one", "two"]


async def test_chunks_end_anywhere(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = [str(number) for number in range(200)]
    world.append(b"".join(map(answer, expected)))
    for number, size in enumerate((1, 7, 100, 1000)):
        monkeypatch.setattr(claude_feed_module, "_CHUNK", size)
        world.feed.follow(str(number), world.path, 0)
        world.feed.look()
        assert world.listener.texts(str(number)) == expected


async def test_a_line_longer_than_a_chunk_is_read_whole(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claude_feed_module, "_CHUNK", 1000)
    long = "word " * 20_000
    world.append(answer(long)[:-1])
    world.feed.follow("s", world.path, 0)
    world.feed.look()
    assert world.listener.answers == []
    world.append(b"\n" + answer("after"))
    world.feed.look()
    assert world.listener.texts() == [long.strip(), "after"]


@pytest.mark.usefixtures("no_look")
async def test_many_transcripts_written_at_once_are_all_heard_in_order(world: World) -> None:
    names = [f"session{number}" for number in range(40)]
    for name in names:
        world.feed.follow(name, world.project / f"{name}.jsonl", 0)

    def write() -> None:
        for number in range(10):
            for name in names:
                world.append(answer(f"{number}")[:20], name)
                world.append(answer(f"{number}")[20:], name)

    await asyncio.to_thread(write)
    await world.listener.until(lambda: len(world.listener.answers) == 400)
    expected = [str(number) for number in range(10)]
    assert [world.listener.texts(name) for name in names] == [expected] * 40


@pytest.mark.usefixtures("no_look")
async def test_letting_one_go_leaves_the_other_in_its_folder_watched(world: World) -> None:
    world.feed.follow("s", world.path, 0)
    world.feed.follow("t", world.project / "t.jsonl", 0)
    world.append(answer("last word"))
    world.feed.unfollow("s")
    assert world.listener.texts() == ["last word"]
    world.append(answer("not this"))
    world.append(answer("this"), "t")
    await world.listener.until(lambda: world.listener.texts("t") == ["this"])
    assert world.listener.texts() == ["last word"]
    world.feed.unfollow("t")
    world.feed.unfollow("t")
    world.feed.follow("t", world.project / "t.jsonl", world.listener.ends["t"])
    world.append(answer("and this"), "t")
    await world.listener.until(lambda: world.listener.texts("t") == ["this", "and this"])


@pytest.mark.usefixtures("no_look")
async def test_a_folder_followed_again_and_again_is_watched_once(world: World) -> None:
    world.feed.follow("t", world.project / "t.jsonl", 0)
    for _ in range(20):
        world.feed.follow("s", world.path, 0)
        world.feed.unfollow("s")
    handlers = world.feed._observer._handlers
    assert sorted(len(found) for found in handlers.values()) == [1, 1]


async def test_another_path_takes_the_place_of_the_first(world: World) -> None:
    world.append(answer("old"))
    world.append(answer("new"), "moved")
    world.feed.follow("s", world.path, 0)
    world.feed.follow("s", world.path, 0)
    world.feed.follow("s", world.project / "moved.jsonl", 0)
    world.listener.ends.clear()
    world.feed.look()
    world.append(answer("older"))
    world.feed.look()
    assert world.listener.texts() == ["old", "new"]


@pytest.mark.usefixtures("quick_look")
async def test_folders_that_cannot_be_watched_are_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError("inotify instance limit reached")

    monkeypatch.setattr(BaseObserver, "schedule", refuse)
    async with running(tmp_path) as world:
        world.feed.follow("s", world.path, 0)
        world.append(answer("one"))
        await world.listener.until(lambda: world.listener.texts() == ["one"])
        world.feed.unfollow("s")


# --- hooks -------------------------------------------------------------------------------------


async def test_a_hook_is_heard(world: World) -> None:
    await world.send(hook_message("SessionStart", source="startup"))
    assert world.listener.hooks == [SessionStarted("s", "p", "startup", "", "")]


async def test_a_hook_of_a_megabyte_is_heard_whole(world: World) -> None:
    text = "\U0001f600" * 100_000
    await world.send(hook_message("UserPromptSubmit", prompt=text))
    assert world.listener.hooks == [PromptSubmitted("s", "p", text, "")]


async def test_a_hook_whose_socket_path_is_long_is_heard(tmp_path: Path) -> None:
    async with running(tmp_path.joinpath(*["a-long-name-for-a-folder"] * 8)) as world:
        assert len(str(world.state / "hook.sock")) > 200
        hook = await asyncio.create_subprocess_exec(
            *(
                sys.executable,
                "-I",
                "-S",
                str(ROOT / "claude_hook.py"),
                str(world.state),
                "p",
                "Stop",
            ),
            stdin=subprocess.PIPE,
        )
        payload = {"hook_event_name": "SessionStart", "session_id": "s"}
        await hook.communicate(json.dumps(payload).encode())
        assert hook.returncode == 0
        assert world.listener.hooks == [SessionStarted("s", "p", "", "", "")]


@pytest.mark.parametrize(
    "message", [b"", b"\n", b"{", b"[]\n", hook_message("Stop")[:-5], b"\xff\n"]
)
async def test_rubbish_at_the_socket_is_passed_over(world: World, message: bytes) -> None:
    await world.send(message)
    await world.send(hook_message("SessionStart"))
    assert len(world.listener.hooks) == 1


async def test_a_message_longer_than_any_hooks_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claude_feed_module, "_LONGEST_MESSAGE", 1000)
    async with running(tmp_path) as world:
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(world.socket_path)
            client.setblocking(False)
            loop = asyncio.get_running_loop()
            try:
                await loop.sock_sendall(client, b"x" * 5000)
                await loop.sock_recv(client, 1)
            except ConnectionError:
                pass
        await world.send(hook_message("SessionStart"))
        assert len(world.listener.hooks) == 1


async def test_a_hook_that_could_not_be_handled_holds_up_no_other(world: World) -> None:
    world.listener.refusals = 1
    for _ in range(2):
        await world.send(hook_message("SessionStart"))
    assert len(world.listener.hooks) == 1


async def test_a_hook_that_says_nothing_holds_up_no_other(world: World) -> None:
    with socket.socket(socket.AF_UNIX) as silent:
        silent.connect(world.socket_path)
        await world.send(hook_message("SessionStart"))
        assert len(world.listener.hooks) == 1


async def test_the_socket_is_its_owners_alone_and_an_old_one_is_replaced(tmp_path: Path) -> None:
    world = World(tmp_path)
    (world.state / "hook.sock").touch()
    for _ in range(2):
        world.feed = world.make()
        await world.feed.start()
        assert (world.state / "hook.sock").stat().st_mode & 0o777 == 0o600
        await world.send(hook_message("SessionStart"))
        await world.feed.stop()
    assert len(world.listener.hooks) == 2


async def test_what_was_kept_while_nobody_listened_is_heard_in_order_and_once(
    tmp_path: Path,
) -> None:
    world = World(tmp_path)
    spool = world.state / "spool"
    spool.mkdir()
    for number, source in enumerate(("startup", "clear")):
        (spool / f"{number}-7.json").write_bytes(hook_message("SessionStart", source=source))
    (spool / "2-7.json").write_bytes(b"rubbish")
    (spool / "3-7.json").mkdir()
    (spool / "4-7.part").write_bytes(b"half")
    for _ in range(2):
        await world.feed.start()
        await world.feed.stop()
        world.feed = world.make()
    started = [event for event in world.listener.hooks if isinstance(event, SessionStarted)]
    assert [event.source for event in started] == ["startup", "clear"]


async def test_a_kept_event_that_could_not_be_handled_stops_no_start(tmp_path: Path) -> None:
    world = World(tmp_path)
    (world.state / "spool").mkdir()
    for number in range(2):
        (world.state / "spool" / f"{number}-7.json").write_bytes(hook_message("SessionStart"))
    world.listener.refusals = 1
    await world.feed.start()
    await world.feed.stop()
    assert len(world.listener.hooks) == 1
