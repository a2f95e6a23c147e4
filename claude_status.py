"""What tells how a Claude Code does (idle, busy, waiting): its registry, or its hooks and screen.

The registry is the better one, and every version that keeps status and session id in it up to date
is asked there. An older one is watched: its terminal is looked at several times a second while it
works, and now and then while it is idle.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Protocol

from core.claude_code import SESSION_FOLLOWED_SINCE, Version, is_there
from core.errors import PaneNotFoundError, TerminalError
from core.events import ClaudeProcess, HookEvent, TranscriptEvent
from core.observed_status import ObservedStatus
from pulse import happens
from terminal import Terminal

log = logging.getLogger(__name__)

_LOOK_SECONDS = 0.15
_IDLE_LOOK_SECONDS = 1.0


class StatusSource(Protocol):
    """Tells how the process in one pane does."""

    def judge(self, session_id: str, entry: ClaudeProcess | None) -> ClaudeProcess | None:
        """The process with its status; `entry` is what the registry says of it.

        None before it has come to a session.
        """

    def watch(self, pane_pid: int, *, is_new: bool) -> None:
        """Another process runs in the pane (0: none); `is_new`: it has only just been started."""

    def hear_hook(self, event: HookEvent) -> None:
        """A hook fired."""

    def hear_transcript(self, event: TranscriptEvent) -> None:
        """The transcript has a new event."""

    def hear_prompt(self, prompt: str) -> None:
        """Claude has this prompt since an earlier bridge, and may still be at it."""

    def hear_escape(self) -> None:
        """Escape was pressed."""


class RegistryStatus:
    """Claude Code's own word."""

    def judge(self, session_id: str, entry: ClaudeProcess | None) -> ClaudeProcess | None:
        """The entry as it is."""
        return entry

    def watch(self, pane_pid: int, *, is_new: bool) -> None:
        """The registry needs no watching."""

    def hear_hook(self, event: HookEvent) -> None:
        """The registry knows."""

    def hear_transcript(self, event: TranscriptEvent) -> None:
        """The registry knows."""

    def hear_prompt(self, prompt: str) -> None:
        """The registry knows."""

    def hear_escape(self) -> None:
        """The registry knows."""


class WatchedStatus:
    """By hooks, transcript and the screen of the terminal `name`; `on_change` after each change."""

    def __init__(self, name: str, terminal: Terminal, on_change: Callable[[], None]) -> None:
        self._name = name
        self._terminal = terminal
        self._on_change = on_change
        self._pane_pid = 0
        self._observed = ObservedStatus()
        self._since_ms = 0
        self._look_now = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def judge(self, session_id: str, entry: ClaudeProcess | None) -> ClaudeProcess | None:
        """The entry (or the pane's process, for want of one) with the status that was observed."""
        if not self._pane_pid or not self._observed.is_ready:
            return None
        return replace(
            entry or ClaudeProcess(self._pane_pid, session_id, "", None),
            status=self._observed.status,
            since_ms=self._since_ms,
            waiting_for=self._observed.waiting_for,
        )

    def watch(self, pane_pid: int, *, is_new: bool) -> None:
        """Look at the pane's screen from now on; at none for 0."""
        if pane_pid == self._pane_pid:
            return
        self._pane_pid = pane_pid
        self._observed = ObservedStatus(is_ready=not is_new)
        if self._task is not None:
            self._task.cancel()
            self._task = None
        if pane_pid:
            self._task = asyncio.create_task(self._look_on(), name=f"screen {self._name}")

    def hear_hook(self, event: HookEvent) -> None:
        """Opens and ends turns."""
        self._change(partial(self._observed.hear_hook, event))

    def hear_transcript(self, event: TranscriptEvent) -> None:
        """Ends turns."""
        self._change(partial(self._observed.hear_transcript, event))

    def hear_prompt(self, prompt: str) -> None:
        """Opens a turn."""
        self._change(partial(self._observed.inherit_turn, prompt))

    def hear_escape(self) -> None:
        """A turn may end without a word."""
        self._change(self._observed.hear_escape)

    def _change(self, observe: Callable[[], None]) -> None:
        before = self._observed.is_ready, self._observed.status
        observe()
        self._look_now.set()
        if self._observed.status != before[1]:
            self._since_ms = int(time.time() * 1000)
        if (self._observed.is_ready, self._observed.status) != before:
            self._on_change()

    async def _look_on(self) -> None:
        while True:
            try:
                screen = await self._terminal.capture(self._name, colours=True)
            except PaneNotFoundError:
                return
            except TerminalError as error:
                log.warning("a terminal could not be looked at: %s", error)
            else:
                self._change(partial(self._observed.see, screen, time.monotonic()))
            self._look_now.clear()
            is_idle = self._observed.status == "idle"
            await happens(self._look_now, _IDLE_LOOK_SECONDS if is_idle else _LOOK_SECONDS)


def status_source(
    version: Version, name: str, terminal: Terminal, on_change: Callable[[], None]
) -> StatusSource:
    """The better one of those that this version has."""
    if is_there(SESSION_FOLLOWED_SINCE, version):
        return RegistryStatus()
    return WatchedStatus(name, terminal, on_change)
