"""Writers killed in the midst of a write, and many writers at once: the store and the inbox.

A writer counts in shared memory what was acknowledged to it, which a `kill -9` leaves as it is.
"""

from __future__ import annotations

import mmap
import multiprocessing
import os
import random
import signal
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from multiprocessing.process import BaseProcess
from pathlib import Path

from inbox import Arrival, Inbox
from session import Session, SessionStore
from tests.chaos.experiment import Figure, judge

_SESSIONS = 3
_PROCESSES = 8
_THREADS = 16
_COUNT = struct.Struct("<q")
_KINDS = 4  # save, edit, bind, delete

Writer = Callable[[Path, Path, int], None]

_context = multiprocessing.get_context("fork")  # a child a kill has to be cheap


def kill_store_writers(size: int, seed: int, folder: Path) -> Figure:
    """Two writers of one folder are killed at moments drawn by lot; then it is opened again."""
    return _kill_writers(
        size,
        seed,
        folder,
        write_sessions,
        check_sessions,
        "kills inside the store's writer",
    )


def kill_inbox_writers(size: int, seed: int, folder: Path) -> Figure:
    """As above with the journal of the inbox, which one process owns."""
    return _kill_writers(
        size, seed, folder, write_inbox, check_inbox, "kills inside the inbox's writer"
    )


def _kill_writers(
    size: int,
    seed: int,
    folder: Path,
    write: Writer,
    check: Callable[[Path, int], list[str]],
    name: str,
) -> Figure:
    chance = random.Random(seed)
    faults: dict[str, list[str]] = {"corrupt": [], "acknowledged but lost": []}
    left_over: set[str] = set()
    state, acknowledged, turn = folder / "state", folder / "acknowledged", 0
    state.mkdir(mode=0o700)
    for number in range(size):
        done = _write_until_killed(write, state, acknowledged, turn, chance)
        for fault in check(state, done):
            kind = "acknowledged but lost" if "lost" in fault else "corrupt"
            faults[kind].append(f"kill {number}: {fault}")
        left_over |= {path.name for path in state.glob(".*.tmp")}
        faults["corrupt"] += [path.name for path in state.rglob("*damaged*")]
        turn = (done // (_SESSIONS * _KINDS) + 2) * _SESSIONS * _KINDS
    target = "0 corrupt, 0 acknowledged but lost, 0 temporary files after the start"
    left = {"temporary files": sorted(left_over)}
    return judge(name, f"{size} kills, {turn} changes", target, faults | left)


def _write_until_killed(
    write: Writer, state: Path, acknowledged: Path, first: int, chance: random.Random
) -> int:
    """The last turn that was acknowledged to the writer before it was killed."""
    acknowledged.write_bytes(_COUNT.pack(first - 1))
    with acknowledged.open("r+b") as file, mmap.mmap(file.fileno(), _COUNT.size) as count:
        child = _context.Process(target=write, args=(state, acknowledged, first), daemon=True)
        child.start()
        turns = chance.choice([0, 1, chance.randrange(40)])
        _wait_for_turns(child, count, first + turns - 1)
        moment = time.perf_counter() + chance.randrange(30_000 if turns == 0 else 3_000) / 1e6
        while time.perf_counter() < moment:
            pass
        assert child.pid is not None
        os.kill(child.pid, signal.SIGKILL)
        child.join()
        child.close()
        return int(_COUNT.unpack(count[:])[0])


def _wait_for_turns(child: BaseProcess, count: mmap.mmap, turn: int) -> None:
    deadline = time.monotonic() + 30
    while _COUNT.unpack(count[:])[0] < turn:
        assert child.is_alive(), "the writer died by itself"
        assert time.monotonic() < deadline, "the writer stands still"
        time.sleep(0)


def _acknowledge(acknowledged: Path) -> Callable[[int], None]:
    with acknowledged.open("r+b") as file:
        count = mmap.mmap(file.fileno(), _COUNT.size)

    def acknowledge(turn: int) -> None:
        count[:] = _COUNT.pack(turn)

    return acknowledge


# --- the store ------------------------------------------------------------------------------------


def write_sessions(state: Path, acknowledged: Path, first: int) -> None:
    """Save, edit, bind and delete each of a few sessions in turn, for ever."""
    acknowledge = _acknowledge(acknowledged)
    store, turn = SessionStore(state), first
    while True:
        name = f"s{turn % _SESSIONS}"
        match turn // _SESSIONS % _KINDS:
            case 0:
                store.save(Session(name, 1, state={"n": turn}))
            case 1:
                text = "x" * (turn % 9000)
                store.edit(name, lambda s, n=turn, t=text: replace(s, state={"n": n, "text": t}))  # type: ignore[misc]
            case 2:
                store.bind(name)
            case _:
                store.delete(name)
        acknowledge(turn)
        turn += 1


def check_sessions(state: Path, done: int) -> list[str]:
    """What is wrong after the kill: each session is as its last turn left it, or the one after."""
    with SessionStore(state) as store:
        faults = [f"{damage.name} {damage.reason}" for damage in store.damaged]
        for number in range(_SESSIONS):
            last = done - (done - number) % _SESSIONS
            allowed = {_outcome(last)}
            if (done + 1) % _SESSIONS == number:
                allowed.add(_outcome(done + 1))
            session = store.load(f"s{number}")
            found = session and (session.state["n"], "bound_at" in session.state)
            if found not in allowed:
                faults.append(f"s{number} is lost or old: {found} instead of {allowed}")
        for number in range(_SESSIONS):
            store.delete(f"s{number}")
    return faults


def _outcome(turn: int) -> tuple[int, bool] | None:
    """What this turn leaves of its session: the `n` inside and whether it is bound, or nothing."""
    match turn // _SESSIONS % _KINDS if turn >= 0 else _KINDS - 1:
        case 0 | 1:
            return turn, False
        case 2:
            return turn - _SESSIONS, True
        case _:
            return None


# --- the inbox ------------------------------------------------------------------------------------


def write_inbox(state: Path, acknowledged: Path, first: int) -> None:
    """Receive, assign, type and finish each of a few updates in turn, for ever."""
    acknowledge = _acknowledge(acknowledged)
    inbox, turn = Inbox(state), first
    while True:
        key = _key(turn)
        match turn // _SESSIONS % _KINDS:
            case 0:
                inbox.receive([Arrival(key, "telegram", {"text": "x" * (turn % 3000)})])
            case 1:
                inbox.advance(key, "assigned", session_id="s", text=f"text {turn}")
            case 2:
                inbox.advance(key, "typed", typed_from=turn)
            case _:
                inbox.finish(key, "answered")
        acknowledge(turn)
        turn += 1


def _key(turn: int) -> str:
    return f"{turn // (_SESSIONS * _KINDS)}:{turn % _SESSIONS}"


def check_inbox(state: Path, done: int) -> list[str]:
    """What is wrong after the kill: each update is at its last step, or the one after."""
    inbox, faults = Inbox(state), []
    for number in range(_SESSIONS):
        last = done - (done - number) % _SESSIONS
        allowed = {_step_after(last)}
        if (done + 1) % _SESSIONS == number:
            allowed.add(_step_after(done + 1))
        keys = {_key(last), _key(done + 1)} if (done + 1) % _SESSIONS == number else {_key(last)}
        entries = [entry for key in keys if (entry := inbox.find(key)) is not None]
        found = entries[0].step if entries else None
        if found not in allowed:
            faults.append(f"update {number} is lost or old: {found} instead of {allowed}")
    for entry in inbox.pending():
        inbox.finish(entry.key, "over")
    inbox.close()
    return faults


def _step_after(turn: int) -> str | None:
    steps = ("received", "assigned", "typed", None)
    return steps[turn // _SESSIONS % _KINDS] if turn >= 0 else None


# --- many writers ---------------------------------------------------------------------------------


def add_up_at_once(size: int, seed: int, folder: Path) -> Figure:
    """Processes and threads each add 1 to one session so many times."""
    with SessionStore(folder) as store:
        store.save(Session("sum", 1, state={"n": 0}))
    children = [
        _context.Process(target=add_in_threads, args=(folder, size)) for _ in range(_PROCESSES)
    ]
    for child in children:
        child.start()
    for child in children:
        child.join(600)
    failed = [f"process {child.pid}" for child in children if child.exitcode]
    with SessionStore(folder) as store:
        session = store.load("sum")
    wanted = _PROCESSES * _THREADS * size
    found = session.state["n"] if session is not None else None
    return judge(
        f"{_PROCESSES} processes x {_THREADS} threads on one store",
        f"{wanted} changes",
        "the exact sum",
        {"wrong sums": [] if found == wanted else [found], "processes failed": failed},
        f"sum {found}",
    )


def add_in_threads(folder: Path, times: int) -> None:
    """What each process does: all its threads share one store."""
    store = SessionStore(folder, lock_timeout=300)

    def add() -> None:
        for _ in range(times):
            store.edit("sum", lambda s: replace(s, state={**s.state, "n": s.state["n"] + 1}))

    threads = [threading.Thread(target=add) for _ in range(_THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    store.close()
