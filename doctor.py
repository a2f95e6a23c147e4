"""`bridge.py doctor`: is everything there that the bridge needs? One line each, with the mend.

* It looks, and changes nothing; with `--fix` it mends what is safe: rights, missing folders, what a
  dead bridge left behind, a service that is installed and does not run.
* No secret is read aloud: of a key or a login only its being there is told.
* Exit status 0 when all is well, else 1.
"""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Literal

import filelock
from telegram import Bot
from telegram.error import InvalidToken, TelegramError
from telegram.request import HTTPXRequest

import self_test
from claude_login import HOW_TO_LOG_IN, find_login
from core.claude_code import is_tested, render_version
from core.config import Config, config_path
from core.environment import claude_environment
from core.errors import BridgeError
from core.hooks import parse_version
from core.service_files import service_environment
from durable import reason_for
from service import BackgroundProcess, Program, Service, find_service
from tmux_control import OLDEST_TMUX

Sign = Literal["good", "bad", "note"]
_SIGNS: dict[Sign, str] = {"good": "✓", "bad": "✗", "note": "–"}

_OLDEST_PYTHON = (3, 11)
_COMMAND_SECONDS = 20.0
_ANSWER_SECONDS = 3.0
_START_SECONDS = 15.0
_PAUSE_SECONDS = 0.1
_LEAST_BYTES = 100 << 20
_FEW_BYTES = 1 << 30
_MOST_SKEW_SECONDS = 60.0
_HOW_TO_GET_CLAUDE = "`curl -fsSL https://claude.ai/install.sh | bash`"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: how it is, what a person can do about it, and what `--fix` would."""

    sign: Sign
    text: str
    mend: str = ""
    fix: Callable[[], None] | None = None

    def __str__(self) -> str:
        return f"{_SIGNS[self.sign]} {self.text}{f' → {self.mend}' if self.mend else ''}"


def run(
    config: Config,
    environ: Mapping[str, str],
    *,
    fix: bool = False,
    clock: Callable[[], float] = time.time,
    free_bytes: Callable[[Path], int] = lambda folder: shutil.disk_usage(folder).free,
) -> int:
    """Check everything and print it line by line; returns the exit status.

    `free_bytes`: how much room the disk of a folder has.
    """
    doctor = Doctor(config, environ, clock, free_bytes)
    signs = []
    for check in doctor.checks():
        findings = check()
        if fix and any(finding.fix for finding in findings):
            _mend(findings)
            findings = check()
        for finding in findings:
            print(finding, flush=True)
            signs.append(finding.sign)
    bad = signs.count("bad")
    print(f"\n{bad} to mend." if bad else "\nAll is well.")
    return 1 if bad else 0


def _mend(findings: Sequence[Finding]) -> None:
    for finding in findings:
        if finding.fix is None:
            continue
        try:
            finding.fix()
            print(f"  mended: {finding.text}")
        except (OSError, BridgeError) as error:
            reason = reason_for(error) if isinstance(error, OSError) else error
            print(f"  could not be mended: {finding.text} ({reason})")


class Doctor:
    """The checks, each of which may be run again."""

    def __init__(
        self,
        config: Config,
        environ: Mapping[str, str],
        clock: Callable[[], float],
        free_bytes: Callable[[Path], int],
    ) -> None:
        self._config = config
        self._clock = clock
        self._free_bytes = free_bytes
        self._environ = dict(environ)
        self._token = config.telegram_bot_token.reveal()
        self._claude_environment = claude_environment(environ, secrets=[self._token])
        self._folder = config.bridge_dir
        self._server_time: float | None = None
        script = Path(__file__).resolve().with_name("bridge.py")
        self._program = Program(
            python=Path(sys.executable),
            script=script,
            home=Path(self._environ.get("HOME") or Path.home()),
            folder=self._folder,
            environment=service_environment(environ, secrets=[self._token]),
            commands=self._environ,
        )

    def checks(self) -> list[Callable[[], list[Finding]]]:
        """In the order in which one may depend on another."""
        return [
            self._check_python,
            self._check_tmux,
            self._check_claude,
            self._check_self_test,
            self._check_login,
            self._check_token,
            self._check_clock,
            self._check_project,
            self._check_folders,
            self._check_rights,
            self._check_disk,
            self._check_leftovers,
            self._check_service,
            self._check_lock,
            self._check_socket,
        ]

    # --- programs -------------------------------------------------------------------------------

    def _check_python(self) -> list[Finding]:
        version = ".".join(map(str, sys.version_info[:3]))
        if sys.version_info < _OLDEST_PYTHON:
            return [Finding("bad", f"Python {version} is too old", "install Python 3.11 or newer")]
        return [Finding("good", f"Python {version}")]

    def _check_tmux(self) -> list[Finding]:
        said = self._ask("tmux", "-V")
        how = "`sudo apt install tmux`, or `brew install tmux`"
        if said is None:
            return [Finding("bad", "tmux is missing", how)]
        version = re.search(r"(\d+)\.(\d+)", said)
        if version and (int(version[1]), int(version[2])) < OLDEST_TMUX:
            return [Finding("bad", f"{said} is too old, 3.2 is needed", how)]
        return [Finding("good", said)]

    def _check_claude(self) -> list[Finding]:
        command = self._config.claude_command
        path = shutil.which(command[0], path=self._environ.get("PATH"))
        if path is None:
            text = f"Claude Code is missing ({command[0]})"
            return [Finding("bad", text, f"{_HOW_TO_GET_CLAUDE}, or set claude_command")]
        said = self._ask(*command, "--version")
        version = parse_version(said or "")
        if not version:
            line = shlex.join([*command, "--version"])
            return [Finding("bad", f"`{line}` gives no version", "run it yourself to see why")]
        text = f"Claude Code {render_version(version)} ({path})"
        if is_tested(version):
            return [Finding("good", f"{text}, a tested version")]
        return [Finding("note", f"{text}: not among the tested versions; the next line counts")]

    def _check_self_test(self) -> list[Finding]:
        for what, command in (("tmux", "tmux"), ("Claude Code", self._config.claude_command[0])):
            if shutil.which(command, path=self._environ.get("PATH")) is None:
                return [Finding("note", f"self-test not run: there is no {what}")]
        report = asyncio.run(self_test.run(self._config.claude_command, self._environ))
        held = sum(check.passed for check in report.checks)
        text = f"self-test: {held} of {len(report.checks)} passed in {report.seconds:.0f} s"
        if report.is_well:
            findings = [Finding("good", text)]
        else:
            findings = [Finding("bad", text, "update Claude Code, or report this")]
        others = [check for check in report.checks if not check.passed]
        if len(others) == len(report.checks):
            return [*findings, Finding("note", f"  {others[0].note}")]
        return findings + [Finding("note", f"  {check}") for check in others]

    def _check_login(self) -> list[Finding]:
        login = find_login(self._environ, self._ask)
        if login is None:
            return [Finding("bad", "Claude Code is not logged in", HOW_TO_LOG_IN)]
        return [Finding("good", f"logged in {login}")]

    # --- Telegram -------------------------------------------------------------------------------

    def _check_token(self) -> list[Finding]:
        if not self._token and self._config.web:
            return [Finding("good", "the page is on, and Telegram is not used")]
        if not self._token:
            return [Finding("bad", "there is no bot token", "run ./install.sh")]
        try:
            name = asyncio.run(self._get_me())
        # "from None" and no text of theirs: the library's errors carry the token.
        except InvalidToken:
            mend = "@BotFather shows the right one (/mybots); then ./install.sh"
            return [Finding("bad", "Telegram does not know the bot token", mend)]
        except TelegramError as error:
            text = f"{self._config.telegram_api_url} gives no answer ({type(error).__name__})"
            return [Finding("bad", text, "check the network")]
        return [Finding("good", f"the bot is @{name}")]

    async def _get_me(self) -> str:
        async def note_time(response: Any) -> None:
            with suppress(KeyError, ValueError):
                self._server_time = parsedate_to_datetime(response.headers["date"]).timestamp()

        request = HTTPXRequest(
            connect_timeout=10,
            read_timeout=20,
            httpx_kwargs={"event_hooks": {"response": [note_time]}},
        )
        base = f"{self._config.telegram_api_url.rstrip('/')}/bot"
        async with Bot(self._token, base_url=base, request=request) as bot:
            return bot.bot.username or ""

    def _check_clock(self) -> list[Finding]:
        if not self._token:
            return []
        if self._server_time is None:
            return [Finding("note", "the clock could not be compared: Telegram told no time")]
        skew = self._clock() - self._server_time
        if abs(skew) > _MOST_SKEW_SECONDS:
            way = "ahead" if skew > 0 else "behind"
            mend = "`sudo timedatectl set-ntp true`, or the date settings"
            return [Finding("bad", f"the clock is {abs(skew):.0f} s {way}", mend)]
        return [Finding("good", "the clock is right")]

    # --- state ----------------------------------------------------------------------------------

    def _check_project(self) -> list[Finding]:
        folder = self._config.project_dir
        if not folder.is_dir():
            mend = "make it, or set project_dir"
            return [Finding("bad", f"the project folder {folder} is not there", mend)]
        return [Finding("good", f"new sessions start in {folder}")]

    def _check_folders(self) -> list[Finding]:
        missing = [f for f in (self._config.state_dir, self._folder) if not f.is_dir()]
        if not missing:
            return [Finding("good", f"the state is in {self._config.state_dir}")]

        def make() -> None:
            for folder in missing:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)

        names = " and ".join(map(str, missing))
        return [Finding("bad", f"{names}: no such folder", "doctor --fix, or ./install.sh", make)]

    def _check_rights(self) -> list[Finding]:
        open_paths = list(self._find_open_paths())
        if not open_paths:
            return [Finding("good", "the state is for its owner alone")]

        def close() -> None:
            for path in open_paths:
                mode = stat.S_IMODE(path.lstat().st_mode)
                path.chmod(mode & 0o700)

        text = f"others may read {open_paths[0]}"
        if len(open_paths) > 1:
            text += f" and {len(open_paths) - 1} more"
        return [Finding("bad", text, "doctor --fix", close)]

    def _find_open_paths(self) -> Iterator[Path]:
        """What anybody but the owner has rights to."""
        places = [config_path(self._environ), self._config.state_dir]
        places += sorted(self._config.state_dir.rglob("*"))
        for path in places:
            with suppress(FileNotFoundError):
                mode = path.lstat().st_mode
                if not stat.S_ISLNK(mode) and mode & 0o077:
                    yield path

    def _check_disk(self) -> list[Finding]:
        folder = self._config.state_dir
        while not folder.exists():
            folder = folder.parent
        free = self._free_bytes(folder)
        text = f"{free / (1 << 30):.1f} GB free on the disk of the state"
        if free < _LEAST_BYTES:
            return [Finding("bad", text, "make room: nothing can be noted down on a full disk")]
        return [Finding("note" if free < _FEW_BYTES else "good", text)]

    def _check_leftovers(self) -> list[Finding]:
        """What a dead bridge left behind, and would mislead nobody but a reader."""
        pid_path = self._folder / "bridge.pid"
        socket_path = self._folder / "hook.sock"
        stale = []
        if pid_path.exists() and BackgroundProcess(self._program).find_pid() is None:
            stale.append(pid_path)
        if socket_path.exists() and not self._is_running() and not self._answers():
            stale.append(socket_path)
        if not stale:
            return []

        def remove() -> None:
            for path in stale:
                path.unlink(missing_ok=True)

        names = " and ".join(path.name for path in stale)
        return [Finding("bad", f"{names} of a dead bridge", "doctor --fix", remove)]

    # --- the running bridge -----------------------------------------------------------------------

    def _check_service(self) -> list[Finding]:
        service = find_service(self._program)
        pid = service.find_pid()
        if pid is not None:
            return [Finding("good", f"the bridge runs as a {service.title} (process {pid})")]
        if not (self._folder / "service.stamp").exists():
            if self._is_locked():
                return [Finding("note", "the service is not installed; a bridge runs by hand")]
            return [Finding("bad", "the service is not installed", "./install.sh")]
        text = f"the {service.title} does not run"
        if not service.is_installed():
            # A start would write a definition with this shell's environment in it.
            return [Finding("bad", text, "./install.sh")]
        return [Finding("bad", text, "doctor --fix, or ./install.sh", lambda: self._start(service))]

    def _start(self, service: Service) -> None:
        """Start the bridge and wait until it listens. Raises ServiceError."""
        service.start()
        until = time.monotonic() + _START_SECONDS
        while not self._answers() and time.monotonic() < until:
            time.sleep(_PAUSE_SECONDS)

    def _check_lock(self) -> list[Finding]:
        if self._is_locked():
            return [Finding("good", "a running bridge holds the lock")]
        if (self._folder / "bridge.lock").exists():
            return [Finding("note", "the lock is free: no bridge runs (its file does no harm)")]
        return [Finding("note", "the lock is free: no bridge has run yet")]

    def _check_socket(self) -> list[Finding]:
        if not self._is_running():
            return [Finding("note", "the hook socket is closed while no bridge runs")]
        if self._answers():
            return [Finding("good", "the hook socket answers")]
        return [Finding("bad", "the hook socket does not answer", "restart the bridge")]

    def _is_running(self) -> bool:
        return find_service(self._program).find_pid() is not None or self._is_locked()

    def _is_locked(self) -> bool:
        """Whether a bridge holds the lock; asked without making the file."""
        path = self._folder / "bridge.lock"
        if not path.exists():
            return False
        lock = filelock.FileLock(path, mode=0o600, timeout=0, fallback_to_soft=False)
        try:
            with lock:
                return False
        except filelock.Timeout:
            return True

    def _answers(self) -> bool:
        """Whether the hook socket takes an empty message: it answers or ends the connection."""
        with tempfile.TemporaryDirectory() as short:  # a socket's path has to be short
            link = Path(short) / "d"
            link.symlink_to(self._folder)
            try:
                with socket.socket(socket.AF_UNIX) as connection:
                    connection.settimeout(_ANSWER_SECONDS)
                    connection.connect(str(link / "hook.sock"))
                    connection.shutdown(socket.SHUT_WR)
                    connection.recv(1)
                    return True
            except OSError:
                return False

    def _ask(self, *words: str) -> str | None:
        """The first line that a program says; None if it can't be run, fails or hangs."""
        path = shutil.which(words[0], path=self._environ.get("PATH"))
        if path is None:
            return None
        try:
            process = subprocess.Popen(
                [path, *words[1:]],
                env=self._claude_environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                encoding="utf-8",
                errors="replace",
                start_new_session=True,
            )
        except OSError:
            return None
        try:
            said, _ = process.communicate(timeout=_COMMAND_SECONDS)
        except subprocess.TimeoutExpired:
            return None
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # with all that it has started
            process.communicate()
        return next(iter(said.strip().splitlines()), "") if process.returncode == 0 else None
