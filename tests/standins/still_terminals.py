"""Terminals without tmux, whose programs are real processes that do nothing but have a session.

They live on when a bridge ends, as tmux's do; what each is started for is in Claude Code's registry
as the real one would have it.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tmux_control import Pane

_WAITS = ("sh", "-c", "read _")
_BOX = "─" * 80


class StillTerminals:
    """What `Terminal` is asked for; `registry`: Claude Code's folder of live processes."""

    def __init__(self, registry: Path) -> None:
        self.registry = registry
        self.registry.mkdir(parents=True)
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self.closed: list[str] = []
        self.typed: list[tuple[str, str]] = []

    async def open(self, name: str, command: Sequence[str], directory: Path) -> Pane:
        """A process with these words on its command line."""
        assert name not in self.running, f"{name} is open already"
        self.running[name] = _start(command)
        words = list(command)
        mark = "--session-id" if "--session-id" in words else "--resume"
        self.takes(name, words[words.index(mark) + 1])
        return self._pane(name)

    def takes(self, name: str, session_id: str) -> None:
        """The process in that terminal has this session from now on."""
        pid, now = self.running[name].pid, time.time() * 1000
        entry: dict[str, Any] = {"pid": pid, "sessionId": session_id, "startedAt": now}
        entry |= {"status": "idle", "statusUpdatedAt": now, "version": "2.1.330"}
        (self.registry / f"{pid}.json").write_text(json.dumps(entry))

    async def panes(self) -> list[Pane]:
        """Those that live."""
        return [self._pane(name) for name in self.running]

    async def find(self, name: str) -> Pane | None:
        """That one, if it lives."""
        return self._pane(name) if name in self.running else None

    async def join(self, name: str, pid: int, typing: object) -> Pane | None:
        """None of them is a person's own."""
        return None

    async def capture(self, name: str, *, colours: bool = False) -> str:
        """An empty input box."""
        return f"{_BOX}\n❯ \n{_BOX}"

    async def type_text(self, name: str, text: str) -> None:
        """Note what is typed, which nobody reads."""
        self.typed.append((name, text))

    async def close(self, name: str) -> None:
        """End the process, at once."""
        process = self.running.pop(name, None)
        if process is not None:
            self.closed.append(name)
            process.kill()
            process.communicate()
            (self.registry / f"{process.pid}.json").unlink(missing_ok=True)

    def end(self) -> None:
        """End all of them."""
        for process in self.running.values():
            process.kill()
            process.communicate()

    def _pane(self, name: str) -> Pane:
        pid = self.running[name].pid
        return Pane(name, "%1", pid, is_dead=False, exit_status=None, in_mode=False)


def _start(words: Sequence[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen([*_WAITS, *words], stdin=subprocess.PIPE)
