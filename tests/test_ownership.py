"""Whose Claude a process is: whatever write is the bridge's last, each has one session, one runner.

The disk and the registry are real, and so are the processes, though they do nothing.
"""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, cast

import pytest

from claude_launcher import ClaudeLauncher
from claude_registry import ClaudeRegistry
from core.delivery import Prompt
from core.errors import BridgeError, TerminalError
from core.events import HookEvent, PromptSubmitted, SessionStarted
from core.model import Chat
from inbox import Arrival, Inbox
from outbox import Outbox
from pulse import Pulse
from session import SessionStore
from sessions import Sessions
from tests.standins.outbox_world import Clock, FakeChannel
from tests.standins.still_terminals import StillTerminals
from tests.standins.watched_system import RefusingSystem, WatchedSystem
from transcript_keeper import TranscriptKeeper

ADA, BOB = Chat("fake", 42), Chat("fake", 43)
MOMENTS = range(40)


class PowerCut(WatchedSystem):
    """The system's calls, none of which does anything from the `left`-th write on."""

    def __init__(self) -> None:
        self.left = 10**9

    def before(self, call: str) -> None:
        self.left -= call == "write"
        if self.left < 0:
            raise OSError(5, "the machine is off")


class Launcher(ClaudeLauncher):
    """For programs that have no terminal, which lost none."""

    async def end_orphans(self, session_id: str = "") -> None:
        """There are none."""


class Bridge:
    """One run of the sessions on `folder`; another one is a start after a `kill -9`."""

    def __init__(self, folder: Path, terminals: StillTerminals, system: Any = os) -> None:
        self.folder = folder
        self.terminals = terminals
        bridge = folder / "bridge"
        bridge.mkdir(parents=True, exist_ok=True)
        self.outbox = Outbox(bridge, {"fake": FakeChannel(Clock())}, system=system)
        self.inbox = Inbox(bridge)
        keeper = TranscriptKeeper(bridge / "transcripts")
        launcher = Launcher(
            cast(Any, terminals),
            ClaudeRegistry(terminals.registry),
            command=["sh"],
            permission_mode="default",
            version=(2, 1, 330),
            directory=bridge,
            projects=folder / "projects",
            environment=os.environ,
            keeper=keeper,
        )
        self.sessions = Sessions(
            store=SessionStore(folder / "state", system=system),
            launcher=launcher,
            terminal=cast(Any, terminals),
            inbox=self.inbox,
            outbox=self.outbox,
            directory=bridge,
            keeper=keeper,
            idle_seconds=3600,
        )
        self.book = self.sessions.book

    async def wakes(self, session_id: str) -> None:
        runner = self.sessions.runner_of(self.book.for_id(session_id))
        runner.begin()
        assert runner._task is not None
        await asyncio.wait([runner._task])

    def posts(self, chat: Chat) -> list[str]:
        waiting = self.outbox._records.waiting.values()
        return [found.post.text for found in waiting if found.post.chat == chat]

    async def ends(self) -> None:
        for runner in self.sessions.runners:
            await runner.stop()
        await self.sessions._leaving.finish()
        self.sessions._feed._observer.start()  # it has a descriptor, which only its end closes
        await self.sessions.stop()
        self.book.store.close()
        self.outbox._records.close()
        self.inbox.close()

    def check(self) -> None:
        """Each process has a runner, and each session one process at the most."""
        owned = {runner.name: runner.session_id for runner in self.sessions.runners}
        names = self.terminals.running.keys()
        assert [name for name in names if not self._is_owned(name)] == [], owned
        held = [s.tmux_session for s in self.book.store.list_sessions() if s.tmux_session]
        assert sorted(held) == sorted(names)
        found = [process.session_id for process in self.sessions.registry.processes()]
        assert len(set(found)) == len(found) == len(names)

    def _is_owned(self, name: str) -> bool:
        runner = self.sessions._runners.get(name)
        return runner is not None and runner.is_awake


@pytest.fixture
async def terminals(tmp_path: Path) -> AsyncIterator[StillTerminals]:
    made = StillTerminals(tmp_path / "registry")
    yield made
    made.end()


@asynccontextmanager
async def running(
    folder: Path, terminals: StillTerminals, system: Any = os
) -> AsyncIterator[Bridge]:
    bridge = Bridge(folder, terminals, system)
    yield bridge
    await bridge.ends()


async def killed_in(bridge: Bridge, system: PowerCut, moment: int, act: Awaitable[None]) -> bool:
    """Do that, with no write from the `moment`-th on; whether it was done before."""
    system.left = moment
    with suppress(BridgeError):
        await act
        await bridge.sessions._leaving.finish()
    return system.left >= 0


async def begins(bridge: Bridge, chat: Chat) -> str:
    """A session of that chat, with a process."""
    session_id = bridge.book.create(chat, bridge.folder).session_id
    await bridge.wakes(session_id)
    return session_id


async def test_no_moment_of_a_start_leaves_a_claude_that_is_nobodys(
    tmp_path: Path, terminals: StillTerminals
) -> None:
    for moment in MOMENTS:
        folder, system = tmp_path / str(moment), PowerCut()
        async with running(folder, terminals, system) as bridge:
            session_id = bridge.book.create(ADA, tmp_path).session_id
            bridge.book.edit_state(session_id, asleep="idle")
            is_whole = await killed_in(bridge, system, moment, bridge.wakes(session_id))
        async with running(folder, terminals) as bridge:
            for session in await bridge.sessions.adopt_terminals():
                bridge.book.let_terminal_go(session.session_id, session.tmux_session)
            bridge.check()
            await bridge.wakes(session_id)
            bridge.check()
            state = bridge.book.for_id(session_id).state
            assert (state["launches"], state.get("asleep"), state.get("starting")) == (
                1,
                None,
                None,
            )
            await bridge.sessions.let_go(session_id)
        if is_whole:
            return
    raise AssertionError("a start takes more writes than are tried")


async def test_no_moment_of_going_to_sleep_leaves_a_claude_that_is_nobodys(
    tmp_path: Path, terminals: StillTerminals
) -> None:
    for moment in MOMENTS:
        folder, system = tmp_path / str(moment), PowerCut()
        async with running(folder, terminals, system) as bridge:
            session_id = await begins(bridge, ADA)
            bridge.sessions.rest._idle_seconds = -1
            is_whole = await killed_in(bridge, system, moment, bridge.sessions._look_after())
        async with running(folder, terminals) as bridge:
            for session in await bridge.sessions.adopt_terminals():
                bridge.book.let_terminal_go(session.session_id, session.tmux_session)
            bridge.check()
            is_awake = bool(terminals.running)
            assert (bridge.book.for_id(session_id).state.get("asleep") is None) == is_awake
            await bridge.sessions.let_go(session_id)
        if is_whole:
            assert not is_awake
            return
    raise AssertionError("a rest takes more writes than are tried")


def started(session_id: str, pane: str, source: str) -> SessionStarted:
    return SessionStarted(session_id, pane, source, "", "")


async def test_no_moment_of_a_clear_leaves_the_chat_with_the_old_session(
    tmp_path: Path, terminals: StillTerminals
) -> None:
    """Claude Code's registry has it by the next start, or the hook that nobody heard is kept."""
    for moment in MOMENTS:
        folder, system, new = tmp_path / str(moment), PowerCut(), str(uuid.uuid4())
        async with running(folder, terminals, system) as bridge:
            old = await begins(bridge, ADA)
            [runner] = bridge.sessions.runners
            terminals.takes(runner.name, new)
            hook = started(new, runner.name, "clear")
            is_whole = await killed_in(bridge, system, moment, hears(bridge, hook))
        async with running(folder, terminals) as bridge:
            assert await bridge.sessions.adopt_terminals() == []
            bridge.check()
            current = bridge.book.find_current(ADA)
            assert current is not None
            assert current.session_id == new
            assert bridge.book.latest(bridge.book.for_id(old)).session_id == new
            assert "follows" not in current.state
            await bridge.sessions.let_go(new)
        if is_whole:
            return
    raise AssertionError("a clear takes more writes than are tried")


async def hears(bridge: Bridge, *hooks: HookEvent) -> None:
    for hook in hooks:
        bridge.sessions.hear_hook(hook)


def takes(bridge: Bridge, mine: str, theirs: str) -> SessionStarted:
    """/resume is typed at the one's terminal, with the other's id; what the hook tells of it."""
    terminal = bridge.sessions.runner_of(bridge.book.for_id(mine)).name
    bridge.terminals.takes(terminal, theirs)
    return started(theirs, terminal, "resume")


async def test_no_moment_of_a_taking_leaves_two_claudes_or_none(
    tmp_path: Path, terminals: StillTerminals
) -> None:
    for moment in MOMENTS:
        folder, system = tmp_path / str(moment), PowerCut()
        async with running(folder, terminals, system) as bridge:
            mine, theirs = await begins(bridge, ADA), await begins(bridge, BOB)
            hook = started(
                theirs, bridge.sessions.runner_of(bridge.book.for_id(mine)).name, "resume"
            )
            terminals.takes(hook.pane, theirs)
            is_whole = await killed_in(bridge, system, moment, hears(bridge, hook))
            told = bridge.posts(BOB)
        async with running(folder, terminals) as bridge:
            await bridge.sessions.adopt_terminals()
            await bridge.sessions._leaving.finish()
            await bridge.sessions._look_after()
            bridge.check()
            assert [*terminals.running] == [hook.pane]
            current = bridge.book.find_current(ADA)
            assert current is not None
            assert (current.session_id, bridge.book.find_current(BOB)) == (theirs, None)
            text = "The terminal of “New session” has taken this session, so it goes on there."
            assert {*told, *bridge.posts(BOB)} == {text}
            await bridge.sessions.let_go(theirs)
        if is_whole:
            return
    raise AssertionError("a taking takes more writes than are tried")


@pytest.mark.parametrize("is_heard_first", [True, False])
async def test_two_terminals_that_see_each_other_with_one_session_do_not_both_end(
    tmp_path: Path, terminals: StillTerminals, is_heard_first: bool
) -> None:
    async with running(tmp_path, terminals) as bridge:
        mine, theirs = await begins(bridge, ADA), await begins(bridge, BOB)
        hook = takes(bridge, mine, theirs)
        if is_heard_first:
            bridge.sessions.hear_registry()
            await asyncio.gather(bridge.sessions._look_after(), hears(bridge, hook))
        else:
            await asyncio.gather(hears(bridge, hook), bridge.sessions._look_after())
        await bridge.sessions._leaving.finish()
        bridge.check()
        assert [*terminals.running] == [hook.pane]
        assert bridge.book.for_id(theirs).state.get("asleep") is None


async def test_a_start_that_the_next_bridge_finds_late_is_taken_in(
    tmp_path: Path, terminals: StillTerminals
) -> None:
    """tmux can still be at it when the next bridge has looked already."""
    async with running(tmp_path, terminals) as bridge:
        session_id = await begins(bridge, ADA)
        [name] = terminals.running
        process = terminals.running.pop(name)
    async with running(tmp_path, terminals) as bridge:
        [lost] = await bridge.sessions.adopt_terminals()
        bridge.book.let_terminal_go(session_id, lost.tmux_session)
        terminals.running[name] = process
        bridge.sessions.hear_registry()
        assert bridge.sessions._is_stirred.is_set()
        await bridge.sessions._look_after()
        bridge.check()


async def test_a_second_claude_of_a_session_is_ended_once_it_is_idle(
    tmp_path: Path, terminals: StillTerminals
) -> None:
    async with running(tmp_path, terminals) as bridge:
        await begins(bridge, ADA)
        [name] = terminals.running
        settings = bridge.folder / "bridge" / "launches" / "another.json"
        session_id = bridge.sessions.runners[0].session_id
        command = ["claude", "--settings", str(settings), "--resume", session_id]
        await terminals.open("another", command, tmp_path)
        await bridge.sessions._look_after()
        bridge.check()
        assert [*terminals.running] == [name]


async def test_a_session_that_only_a_prompt_tells_of_is_followed(
    tmp_path: Path, terminals: StillTerminals
) -> None:
    """The hook of its start was lost, and old versions' registry does not know of /clear."""
    async with running(tmp_path, terminals) as bridge:
        await begins(bridge, ADA)
        [runner], new = bridge.sessions.runners, str(uuid.uuid4())
        await hears(bridge, PromptSubmitted(new, runner.name, "hi", ""))
        assert runner.session_id == new
        current = bridge.book.find_current(ADA)
        assert current is not None
        assert current.session_id == new


async def test_a_terminal_that_can_not_be_closed_stays_its_sessions(
    tmp_path: Path, terminals: StillTerminals, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(name: str) -> None:
        raise TerminalError("tmux did not answer")

    async with running(tmp_path, terminals) as bridge:
        await begins(bridge, ADA)
        bridge.sessions.rest._idle_seconds = -1
        with monkeypatch.context() as patch:
            patch.setattr(terminals, "close", refuse)
            await bridge.sessions._look_after()
        bridge.check()
        await bridge.sessions._look_after()
        bridge.check()
        assert not terminals.running


async def test_a_full_disk_at_the_start_leaves_no_claude_without_a_runner(
    tmp_path: Path, terminals: StillTerminals
) -> None:
    async with running(tmp_path, terminals) as bridge:
        session_id = await begins(bridge, ADA)
        bridge.book.edit_state(session_id, starting={"start": "new", "launched": {}, "at": "now"})
        [name] = terminals.running
    full = RefusingSystem()
    async with running(tmp_path, terminals, full) as bridge:
        full.refuses = "write"
        assert await bridge.sessions.adopt_terminals() == []
        assert bridge.sessions._runners[name].is_awake
        full.refuses = ""
        await bridge.wakes(session_id)
        assert bridge.book.for_id(session_id).state["launches"] == 1


async def test_what_waits_for_a_session_goes_along_to_the_terminal_that_takes_it(
    tmp_path: Path, terminals: StillTerminals
) -> None:
    async with running(tmp_path, terminals) as bridge:
        mine, theirs = await begins(bridge, ADA), await begins(bridge, BOB)
        loser = bridge.sessions.runner_of(bridge.book.for_id(theirs))
        bridge.inbox.receive([Arrival("waits", "fake", {})])
        bridge.inbox.advance("waits", "assigned", session_id=theirs, text="paint it")
        loser.queue.append(Prompt("waits", "paint it"))
        hook = takes(bridge, mine, theirs)
        await hears(bridge, hook)
        assert await Pulse().until(lambda: bool(terminals.typed), 30)
        assert terminals.typed == [(hook.pane, "paint it")]
        assert terminals.closed == [loser.name]
        assert not loser.queue


async def test_a_clear_that_has_happened_is_not_said_to_be_uncertain(
    tmp_path: Path, terminals: StillTerminals
) -> None:
    """The bridge ended right after it had typed it."""
    async with running(tmp_path, terminals) as bridge:
        old = await begins(bridge, ADA)
        [name] = terminals.running
        bridge.inbox.receive([Arrival("clear", "fake", {})])
        facts: dict[str, Any] = {"session_id": old, "text": "/clear", "typed_at": 5.0}
        bridge.inbox.advance("clear", "typed", **facts)
    terminals.takes(name, str(uuid.uuid4()))
    async with running(tmp_path, terminals) as bridge:
        failures: list[object] = []
        bridge.sessions.on_failed = lambda runner, prompt, error: failures.append(error)
        await bridge.sessions.adopt_terminals()
        [entry] = bridge.inbox.pending()
        bridge.sessions.restore(entry)
        assert await Pulse().until(lambda: not bridge.inbox.pending(), 30)
        assert (failures, terminals.typed) == ([], [])
