"""Which pane a process runs in, in any tmux server of this user.

The process's own environment mostly names the server; if it does not, every socket that there is
is asked. A socket counts only if it is this user's. Nothing is started, and nothing is changed.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from core.errors import TerminalError
from core.foreign_pane import FORMAT, ForeignPane, find_joinable, parse_panes, read_socket
from tmux_server import TmuxServer

_MOST_SOCKETS = 50


@dataclass(frozen=True, slots=True)
class FoundPane:
    """A pane, and the server that it is of (`socket`: its path)."""

    pane: ForeignPane
    server: TmuxServer
    socket: str


def find_pane(pid: int, *, server: Callable[[str], TmuxServer], folder: Path) -> FoundPane | None:
    """The pane that the process can be typed at in.

    `server` makes one from its socket's path; `folder` is where tmux keeps its sockets.
    """
    try:
        process = psutil.Process(pid)
        if process.status() in (psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE):
            return None  # it was suspended: the shell behind it is in front
        ancestors = {pid, *(parent.pid for parent in process.parents())}
        leader = os.getpgid(pid)
        named = read_socket(_variable(process, "TMUX"))
    except (psutil.Error, OSError):
        return None
    for socket in dict.fromkeys([*([named] if named else []), *_sockets(folder)]):
        if not _is_own(socket):
            continue
        asked = server(socket)
        pane = find_joinable(list_panes(asked), ancestors, leader)
        if pane is not None:
            return FoundPane(pane, asked, socket)
    return None


def list_panes(server: TmuxServer) -> list[ForeignPane]:
    """All its panes; none when it does not answer."""
    try:
        return parse_panes(server.cmd("list-panes", "-a", "-F", FORMAT).stdout)
    except TerminalError:
        return []


def _variable(process: psutil.Process, name: str) -> str:
    """A variable of its environment; "" where that can't be read."""
    try:
        return str(process.environ().get(name, ""))
    except (psutil.Error, OSError):
        return ""


def _sockets(folder: Path) -> Iterator[str]:
    try:
        yield from sorted(str(path) for path in list(folder.iterdir())[:_MOST_SOCKETS])
    except OSError:
        return


def _is_own(socket: str) -> bool:
    try:
        status = os.lstat(socket)
    except OSError:
        return False
    return stat.S_ISSOCK(status.st_mode) and status.st_uid == os.getuid()
