"""When an idle process ends: nobody uses it, or a person opened its session in another one.

* One that a person sits at, or that has half a text in its box, is theirs for now.
* Two processes would split one history. Which of two terminals of ours gives way is not decided
  here: each would see the other, and both would end.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from claude_launcher import ClaudeLauncher
from core.events import ClaudeProcess
from core.screen import read_input_box
from session_book import SessionBook
from session_runner import SessionRunner
from terminal import Terminal


class Rest:
    """Of the processes that `launcher` started; idle for `idle_seconds` is for long."""

    def __init__(
        self,
        book: SessionBook,
        launcher: ClaudeLauncher,
        terminal: Terminal,
        *,
        idle_seconds: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._book = book
        self._launcher = launcher
        self._terminal = terminal
        self._idle_seconds = idle_seconds
        self._clock = clock

    async def is_due(self, runner: SessionRunner, other: ClaudeProcess | None) -> bool:
        """Whether the process is to end; `other` is a person's, which has its session too."""
        if runner.process is None or runner.process.status != "idle":
            return False
        is_unused = self._is_idle_for_long(runner) and not self._is_kept_awake(runner)
        if other is None and not is_unused:
            return False
        return not (await self.is_watched(runner.name) or runner.has_work)

    async def is_watched(self, terminal: str) -> bool:
        """Whether a person sits at the terminal, or has left half a text in it."""
        pane = await self._terminal.find(terminal)
        if pane is None or pane.is_attached:
            return pane is not None
        return bool(read_input_box(await self._terminal.capture(terminal, colours=True)))

    def _is_idle_for_long(self, runner: SessionRunner) -> bool:
        process = runner.process
        if process is None or not self._launcher.can_resume:
            return False
        return self._clock() - process.since_ms / 1000 > self._idle_seconds

    def _is_kept_awake(self, runner: SessionRunner) -> bool:
        """Whether Claude Code waits by itself for a time that is yet to come."""
        until = self._book.for_id(runner.session_id).state.get("awake_until")
        return isinstance(until, int | float) and self._clock() < until
