"""Processes that have lost their terminal: which are ours, and that they end."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from claude_registry import ClaudeRegistry, find_tty, is_alive
from orphans import end_orphans
from tests.world import wait_until

PLAIN = "import time; print(1, flush=True); time.sleep(600)"
DEAF = f"from signal import *; signal(SIGTERM, SIG_IGN); {PLAIN}"


class Machine:
    """A registry, and processes that have an entry in it."""

    def __init__(self, root: Path, stack: ExitStack) -> None:
        self.registry = ClaudeRegistry(root / "sessions")
        self.registry.directory.mkdir()
        self.launches = root / "launches"
        self._stack = stack

    def runs(
        self, session_id: str, *, settings: Path, tty: int | None = None, code: str = PLAIN
    ) -> int:
        """A process with those settings in its command line; its id."""
        process = subprocess.Popen(
            [sys.executable, "-c", code, "--settings", str(settings)],
            stdin=tty if tty is not None else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        self._stack.enter_context(process)
        self._stack.callback(process.kill)
        assert process.stdout is not None
        process.stdout.readline()
        entry = {"pid": process.pid, "sessionId": session_id, "startedAt": time.time() * 1000}
        (self.registry.directory / f"{process.pid}.json").write_text(json.dumps(entry))
        return process.pid


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    with ExitStack() as stack:
        yield Machine(tmp_path, stack)


async def test_ours_without_a_terminal_ends_and_nobody_elses(machine: Machine) -> None:
    ours = machine.runs("one", settings=machine.launches / "project-one.json")
    theirs = machine.runs("two", settings=machine.launches.parent / "settings.json")
    await end_orphans(machine.registry, machine.launches)
    assert not is_alive(ours)
    assert is_alive(theirs)


async def test_of_one_session_only_its_own_ends(machine: Machine) -> None:
    one = machine.runs("one", settings=machine.launches / "project-one.json")
    two = machine.runs("two", settings=machine.launches / "project-two.json")
    await end_orphans(machine.registry, machine.launches, "one")
    assert (is_alive(one), is_alive(two)) == (False, True)


async def test_one_that_hears_nothing_is_ended_by_force(machine: Machine) -> None:
    deaf = machine.runs("one", settings=machine.launches / "project-one.json", code=DEAF)
    await end_orphans(machine.registry, machine.launches)
    assert not is_alive(deaf)


async def test_one_in_a_terminal_runs_on(machine: Machine) -> None:
    main, tty = pty.openpty()
    # A session leader takes the first terminal that it opens as its own.
    hears_nothing = "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)"
    code = f"import os; os.open(os.ttyname(0), os.O_RDWR); {hears_nothing}; {PLAIN}"
    seen = machine.runs("one", settings=machine.launches / "one.json", tty=tty, code=code)
    await end_orphans(machine.registry, machine.launches)
    assert is_alive(seen)
    os.close(main)  # tmux is gone
    os.close(tty)
    wait_until(lambda: find_tty(seen) == "", "it has lost its terminal")
    await end_orphans(machine.registry, machine.launches)
    assert not is_alive(seen)
