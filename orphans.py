"""Claude Code processes that were started here and have lost their terminal: ended.

* When tmux dies, Claude Code ends by itself, but now and then it does not. Nobody can see such a
  process any more, or answer it, and its session could not be resumed while it lives.
* Ours is only what runs with settings that were written here; no other process is touched.
"""

from __future__ import annotations

import logging
import signal
from contextlib import suppress
from pathlib import Path

import psutil

from claude_registry import ClaudeRegistry, find_tty, is_alive
from core.events import ClaudeProcess
from pulse import Pulse

log = logging.getLogger(__name__)

_LEAVING_SECONDS = 3.0


def terminal_of(process: ClaudeProcess, launches: Path) -> str:
    """The terminal it was started for with settings from that folder; "" for anybody else's."""
    try:
        words = psutil.Process(process.pid).cmdline()
    except psutil.Error:
        return ""
    return next((Path(word).stem for word in words if Path(word).parent == launches), "")


def is_orphan(process: ClaudeProcess, launches: Path) -> bool:
    """Whether it runs with settings from that folder, and in no terminal."""
    return bool(terminal_of(process, launches)) and find_tty(process.pid) == ""


async def end_orphans(registry: ClaudeRegistry, launches: Path, session_id: str = "") -> None:
    """End those of the session (of any, without an id): kindly first, and then by force."""
    found = [process for process in registry.processes() if is_orphan(process, launches)]
    for process in found:
        if session_id not in ("", process.session_id):
            continue
        log.warning("process %d has lost its terminal, and is ended", process.pid)
        for sign in (signal.SIGTERM, signal.SIGKILL):
            with suppress(psutil.Error):
                psutil.Process(process.pid).send_signal(sign)
            if await Pulse().until(lambda pid=process.pid: not is_alive(pid), _LEAVING_SECONDS):  # type: ignore[misc]
                break
