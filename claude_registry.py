"""Claude Code's own registry of its live processes, read and never written.

It is the cheapest truth about which session a process has and whether it may be typed at. Entries
of processes that were killed stay in it, and process ids are used again: an entry counts only while
the process that wrote it lives.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec
import psutil

from core.claude_code import (
    OLDEST,
    SCRIPTS,
    SESSION_FOLLOWED_SINCE,
    STATUSES,
    RegistryEntry,
    Version,
)
from core.events import ClaudeProcess, Status
from core.foreign_text import decode_json
from core.hooks import parse_version

_CLOCK_SLACK_SECONDS = 10
_LOOKS = 5
_PAUSE_SECONDS = 0.002
_PS_SECONDS = 5.0

_decoder = msgspec.json.Decoder(RegistryEntry)
_STATUSES: dict[str | None, Status] = {status: status for status in STATUSES}


class ClaudeRegistry:
    """The registry in the folder `directory` (Claude Code's `sessions`)."""

    def __init__(self, directory: Path, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self.directory = directory
        self._sleep = sleep

    def processes(self) -> list[ClaudeProcess]:
        """Every live process that has an entry."""
        found = []
        for path in self.directory.glob("*.json"):
            process = self._read(path) if path.stem.isdecimal() else None
            if process is not None:
                found.append(process)
        return found

    def find(self, session_id: str, below: int = 0) -> ClaudeProcess | None:
        """The live process that has this session; of several see `choose`."""
        return choose(self.processes(), session_id, below)

    def find_other(
        self, session_id: str, is_ours: Callable[[ClaudeProcess], bool]
    ) -> ClaudeProcess | None:
        """A person's process that has this session: neither one of ours nor a script."""
        for process in self.processes():
            if process.session_id == session_id and not process.is_script and not is_ours(process):
                return process
        return None

    def find_below(self, pid: int) -> ClaudeProcess | None:
        """The process `pid` itself, or else the nearest below it (Claude may start another).

        None for a version whose entry may be of a session that it has left.
        """
        found = {process.pid: process for process in self.processes() if is_up_to_date(process)}
        generation = [pid]
        while generation:
            for member in generation:
                if member in found:
                    return found[member]
            generation = [child for member in generation for child in _children(member)]
        return None

    def _read(self, path: Path) -> ClaudeProcess | None:
        entry = self._decode(path)
        if entry is None or str(entry.pid) != path.stem or not _wrote(entry):
            return None
        return ClaudeProcess(
            entry.pid,
            entry.sessionId,
            entry.cwd,
            _STATUSES.get(entry.status),
            int(entry.statusUpdatedAt or entry.updatedAt or 0),
            entry.waitingFor or "",
            entry.version or "",
            is_script=(entry.entrypoint or "").startswith(SCRIPTS),
            tmux=(entry.tmux or "").rpartition(":@")[0],
        )

    def _decode(self, path: Path) -> RegistryEntry | None:
        """The entry; None when it is gone, or of a kind that isn't known.

        What can't be read is looked at again, as it may be half written just now, and
        a process that is taken for gone could be resumed a second time.
        """
        for _ in range(_LOOKS):
            try:
                data = path.read_bytes()
            except FileNotFoundError:
                return None
            except OSError:
                data = b""
            entry = decode_json(_decoder, data)
            if entry is not None:
                return entry
            self._sleep(_PAUSE_SECONDS)
        return None


def choose(processes: Iterable[ClaudeProcess], session_id: str, below: int) -> ClaudeProcess | None:
    """Who has this session: of several the one at or below that process id, or who changed last."""
    found = [process for process in processes if process.session_id == session_id]
    if len(found) > 1:
        found = [process for process in found if _is_below(process, below)] or found
    return max(found, key=lambda process: process.since_ms, default=None)


def _is_below(process: ClaudeProcess, pid: int) -> bool:
    return pid in (process.pid, *find_parents(process.pid))


def is_up_to_date(process: ClaudeProcess) -> bool:
    """Whether its entry is of the session that it has now, also after /clear."""
    return version_of(process) >= SESSION_FOLLOWED_SINCE


def version_of(process: ClaudeProcess) -> Version:
    """Its version; the oldest one for those that do not say theirs."""
    return parse_version(process.version) or OLDEST


def is_alive(pid: int) -> bool:
    """Whether the process runs (one that has ended but was not yet reaped does not)."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def is_suspended(pid: int) -> bool:
    """Whether the process was stopped (Ctrl-Z): then it hears of nothing but its end."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_STOPPED
    except psutil.Error:
        return False


def find_parents(pid: int) -> set[int]:
    """The process ids above `pid`."""
    try:
        return {parent.pid for parent in psutil.Process(pid).parents()}
    except psutil.Error:
        return set()


def find_tty(pid: int) -> str | None:
    """The terminal that the process has, as `pts/3`; "" for none, None when that isn't known.

    psutil can't be asked: it knows only the terminals that there were when it was first asked.
    """
    command = ["ps", "-o", "tty=", "-p", str(pid)]
    try:
        said = subprocess.check_output(command, stdin=subprocess.DEVNULL, timeout=_PS_SECONDS)
    except (OSError, subprocess.SubprocessError):
        return None
    return said.decode(errors="replace").strip().strip("?-")


def memory_of(pid: int) -> int:
    """Resident memory in bytes; 0 when the process is gone."""
    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return 0


def _children(pid: int) -> list[int]:
    try:
        return [child.pid for child in psutil.Process(pid).children()]
    except psutil.Error:
        return []


def _wrote(entry: RegistryEntry) -> bool:
    """Whether the entry's process lives and is no later one with the same number."""
    try:
        process = psutil.Process(entry.pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        latest = (entry.startedAt or 0) / 1000 + _CLOCK_SLACK_SECONDS
        return not entry.startedAt or bool(process.create_time() <= latest)
    except psutil.Error:
        return False
