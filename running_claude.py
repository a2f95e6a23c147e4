"""The Claude Code in one terminal: whether it lives, what it does, and how to wait for it.

* `process` is what is known of it, None before it has come to a session; `pane_pid` is the pane's
  own process, which may be a script around it.
* One that a person has in a tmux of their own (`is_joined`) tells nothing by hooks, and is theirs.
* Who waits for something learns at once when the process is gone.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress

from claude_registry import ClaudeRegistry, find_parents, is_alive
from claude_status import RegistryStatus, StatusSource, status_source
from core.claude_code import Version
from core.errors import ClaudeDiedError
from core.events import ClaudeProcess, HookEvent, TranscriptEvent
from pulse import Pulse
from terminal import Terminal

_QUIET_SECONDS = 0.4


class RunningClaude:
    """The process that has `session_id`, in the terminal called `name`; at first there is none."""

    def __init__(
        self,
        session_id: str,
        name: str,
        *,
        terminal: Terminal,
        registry: ClaudeRegistry,
        version: Version,
    ) -> None:
        self.session_id = session_id
        self.name = name
        self.process: ClaudeProcess | None = None
        self._pane_pid = 0
        self._claude_pid = 0
        self.is_joined = False
        self._quiet_until = 0.0
        self._terminal = terminal
        self._registry = registry
        self._pulse = Pulse()
        self._version = version
        self._status: StatusSource = status_source(version, name, terminal, self.look)

    @property
    def pane_pid(self) -> int:
        """The process id of what runs in the pane; 0 when nothing of ours does."""
        return self._pane_pid

    @property
    def pid(self) -> int:
        """Claude Code's own process id; 0 while it is not known."""
        return self._claude_pid

    def adopt(self, pane_pid: int, *, is_new: bool = False) -> None:
        """Take what runs in the pane for ours; `is_new`: it was started just now."""
        if self.is_joined:
            self.is_joined = False
            self._status = status_source(self._version, self.name, self._terminal, self.look)
        self._pane_pid = pane_pid
        self._claude_pid = 0
        self._status.watch(pane_pid, is_new=is_new)

    def join(self, pid: int) -> None:
        """Take a process of the person's own, which the registry tells all about."""
        self.adopt(0)
        self._status = RegistryStatus()
        self._pane_pid, self.is_joined = pid, True

    def forget(self) -> None:
        """There is no process any more."""
        self.adopt(0)
        self.process = None
        self._pulse.beat()

    @property
    def is_awake(self) -> bool:
        """Whether a process of ours runs."""
        return self._pane_pid != 0 and is_alive(self._pane_pid)

    @property
    def has_ended(self) -> bool:
        """Whether the process is gone, whatever may still run in the pane."""
        return not self.is_awake or self.is_outlived

    @property
    def is_outlived(self) -> bool:
        """Whether Claude Code itself is gone, and at best a script around it runs on."""
        return self._claude_pid != 0 and not is_alive(self._claude_pid)

    @property
    def is_idle(self) -> bool:
        """Whether it may be given a prompt."""
        return self.process is not None and self.process.is_idle

    @property
    def may_be_typed_at(self) -> bool:
        """As `is_idle`; but an escape character right before a paste would be a part of it."""
        return self.is_idle and time.monotonic() > self._quiet_until

    def hear_registry(self, entry: ClaudeProcess | None) -> None:
        """Take note of what the registry says of our session."""
        process = self._status.judge(self.session_id, entry)
        if process is not None and process.pid != self._claude_pid and self._is_ours(process):
            self._claude_pid = process.pid
        if process != self.process:
            self.process = process
            self._pulse.beat()

    def hear_hook(self, event: HookEvent) -> None:
        """Take a hook's hint."""
        self._status.hear_hook(event)
        self._pulse.beat()

    def hear_transcript(self, event: TranscriptEvent) -> None:
        """Take note of a new event of the transcript."""
        self._status.hear_transcript(event)
        self._pulse.beat()

    def hear_prompt(self, prompt: str) -> None:
        """It has this prompt from an earlier bridge, and may still be at it."""
        self._status.hear_prompt(prompt)

    def look(self) -> None:
        """Ask the registry ourselves: file events can be late or lost."""
        self.hear_registry(self._registry.find(self.session_id, self._pane_pid))

    def beat(self) -> None:
        """Let everybody who waits look again."""
        self._pulse.beat()

    async def until(self, is_true: Callable[[], bool], seconds: float | None = None) -> bool:
        """As Pulse.until. Raises ClaudeDiedError when the process is gone before."""

        def look() -> bool:
            if is_true():
                return True
            if self.has_ended:
                raise ClaudeDiedError("Claude Code has ended.")
            self.look()
            return is_true()

        return await self._pulse.until(look, seconds)

    def end(self) -> None:
        """Have it end in good order; nothing else that runs in its terminal is harmed."""
        entry = self._registry.find(self.session_id)
        if entry is not None and entry.pid == self._pane_pid:
            with suppress(ProcessLookupError):
                os.kill(entry.pid, signal.SIGTERM)

    async def press_escape(self) -> None:
        """Interrupt it. Raises TerminalError."""
        self._quiet_until = time.monotonic() + _QUIET_SECONDS
        await self._terminal.press(self.name, "Escape")
        self._status.hear_escape()

    def _is_ours(self, process: ClaudeProcess) -> bool:
        """Whether it runs in our terminal; one from before may still be on its way out."""
        return self._pane_pid in (process.pid, *find_parents(process.pid))
