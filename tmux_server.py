"""A tmux server, asked in a bounded time and a clean environment (the only libtmux).

What is asked is not logged, and what went wrong is an error of `core.errors`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import libtmux
from libtmux.common import tmux_cmd

from core.errors import (
    PaneNotFoundError,
    TerminalError,
    TerminalMissingError,
    TerminalTimeoutError,
)

NO_SERVER = ("no server running", "error connecting", "server exited", "lost server")
_NO_PANE = ("can't find", "no sessions", "no current", *NO_SERVER)


Answer = tmux_cmd


class _OwnAnswer(tmux_cmd):
    """What tmux said, in libtmux's shape, without libtmux having run (and logged) it."""

    def __init__(self, done: subprocess.CompletedProcess[str]) -> None:
        self.cmd = [str(part) for part in done.args]
        self.returncode = done.returncode
        self.stdout = done.stdout.rstrip("\n").split("\n") if done.stdout.strip("\n") else []
        self.stderr = [line for line in done.stderr.split("\n") if line]


class TmuxServer(libtmux.Server):
    """libtmux's server; `socket`: its name (`-L`), or its path if it has a "/" (`-S`)."""

    def __init__(
        self, socket: str, environment: Mapping[str, str], timeout: float, executable: str
    ) -> None:
        is_path = "/" in socket
        super().__init__(
            socket_name=None if is_path else socket,
            socket_path=socket if is_path else None,
            config_file=os.devnull,
            tmux_bin=executable,
        )
        self._environment = dict(environment)
        self._timeout = timeout

    def cmd(
        self, cmd: str, *args: Any, target: str | int | None = None, folder: Path | None = None
    ) -> Answer:
        """Run one tmux command, or several with ";" between them, from `folder`."""
        aim = [] if target is None else ["-t", str(target)]
        where = f"-S{self.socket_path}" if self.socket_path else f"-L{self.socket_name}"
        # -u: without it, and without a UTF-8 locale, tmux prints "_" for every character it has.
        return self.run("-u", f"-f{self.config_file}", where, cmd, *aim, *args, folder=folder)

    def run(self, *args: Any, folder: Path | None = None) -> Answer:
        """Run the tmux program itself."""
        executable = self.tmux_bin or "tmux"
        try:
            done = subprocess.run(
                [executable, *(str(part) for part in args)],
                env=self._environment,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=self._timeout,
                # The server that this may start must not share the bridge's terminal or group.
                start_new_session=True,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise TerminalTimeoutError(
                f"tmux did not answer within {self._timeout:g} seconds; "
                "whether it did what was asked is not known."
            ) from error
        except OSError as error:
            if shutil.which(executable, path=self._environment.get("PATH", os.defpath)):
                raise TerminalError(f"tmux could not be run: {error.strerror}.") from error
            raise TerminalMissingError(how_to_get_tmux("tmux is not installed")) from error
        return _OwnAnswer(done)


def how_to_get_tmux(problem: str) -> str:
    """The problem, and what helps."""
    return (
        f"{problem}. Install it with `sudo apt install tmux` (Debian, Ubuntu) or "
        "`brew install tmux` (macOS)."
    )


def error_for(answer: Answer, name: str) -> TerminalError:
    """What it means that tmux refused something about the terminal `name`."""
    said = " ".join(answer.stderr) or f"exit status {answer.returncode}"
    if any(sign in said for sign in _NO_PANE):
        return PaneNotFoundError(f"The terminal {name} is gone.")
    return TerminalError(f"tmux refused: {said[:200]}")
