"""Ending a Claude Code that is to be started again with other choices, where nothing is lost by it.

Not while it works, while a command of its own runs on in the background, or while a text of a
person's stands in its input box. The terminal stays, for who looks at it.
"""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress

from claude_registry import is_alive
from core.events import ClaudeProcess
from core.screen import read_input_box
from terminal import Terminal

_LOOKS = 150
_PAUSE_SECONDS = 0.02


async def end_idle(terminal: Terminal, name: str, process: ClaudeProcess | None, pid: int) -> bool:
    """End the process `pid` in the terminal if it is idle; whether it was. Raises TerminalError."""
    if process is None or process.status != "idle":
        return False
    pane = await terminal.find(name)
    if pane is None or read_input_box(await terminal.capture(name, colours=True)) != "":
        return False
    if pid:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    if not pid or not await _has_ended(terminal, name, pane.pid):
        await terminal.close(name)
    return True


async def _has_ended(terminal: Terminal, name: str, pid: int) -> bool:
    """Whether the process ends soon, and tmux has noticed."""
    for _ in range(_LOOKS):
        if not is_alive(pid):
            pane = await terminal.find(name)
            if pane is None or pane.is_dead:
                return True
        await asyncio.sleep(_PAUSE_SECONDS)
    return False
