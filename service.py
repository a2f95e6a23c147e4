"""The bridge as a service: a systemd user unit, a launchd agent, or a process in the background.

* `find_service` takes the first of the three that works here; `bring_up` leaves one alone that
  already runs what it should, and believes a start only after the process has stayed up.
* The definitions are 0600: keys and proxies may be in them (core.service_files).
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import psutil

from core.errors import BridgeError
from core.service_files import NAME, render_launchd_agent, render_systemd_unit
from durable import reason_for, replace_file

UNIT = f"{NAME}.service"

_COMMAND_SECONDS = 120.0
_STOP_SECONDS = 30.0
_POLL_SECONDS = 0.1
_LOG_LINES = 15
_LOG_BYTES = 1 << 14
_COULD_NOT_RUN = 127
# Whenever the installer ends, nothing runs that the next one does not find.
_NOTES_ITSELF = 'printf "%s\\n" $$ >"$0" && exec "$@"'


class ServiceError(BridgeError):
    """The service could not be installed, or did not stay up."""


@dataclass(frozen=True, slots=True)
class Program:
    """What the service runs: `python script`, with this environment.

    `folder` is the bridge's own, and `commands` the environment for systemctl and its like.
    """

    python: Path
    script: Path
    home: Path
    folder: Path
    environment: Mapping[str, str]
    commands: Mapping[str, str]

    @property
    def command(self) -> tuple[str, str]:
        """The words that start the bridge."""
        return str(self.python), str(self.script)


class Service(Protocol):
    """One way to keep the bridge running."""

    @property
    def title(self) -> str:
        """What it is, for a person."""

    def definition(self) -> bytes:
        """All that decides how the bridge is started."""

    def is_installed(self) -> bool:
        """Whether this very definition is in place."""

    def start(self) -> None:
        """Put the definition in place and start the bridge anew. Raises ServiceError."""

    def find_pid(self) -> int | None:
        """The bridge's process, if it runs."""

    def read_log(self) -> list[str]:
        """The last lines the bridge has written."""

    def remove(self) -> bool:
        """Stop the bridge and remove the definition; whether there was any."""

    def find_advice(self) -> str | None:
        """What the person has to do so that the bridge stays up, if anything."""


def find_service(program: Program) -> Service:
    """The best way to run the program here."""
    for service in (SystemdService(program), LaunchdService(program)):
        if service.is_available():
            return service
    return BackgroundProcess(program)


def remove_services(program: Program) -> bool:
    """Stop and remove whatever kind there is; whether there was any."""
    kinds: list[Service] = [
        SystemdService(program),
        LaunchdService(program),
        BackgroundProcess(program),
    ]
    found = [service.remove() for service in kinds]
    with suppress(OSError):
        _stamp_path(program).unlink()
    return any(found)


def bring_up(
    service: Service,
    program: Program,
    *,
    content: bytes,
    settle_seconds: float,
) -> bool:
    """Make the bridge run with its present `content` (code, settings); whether it was started.

    Raises ServiceError, with the end of its log, if it does not stay up for `settle_seconds`.
    """
    stamp = _stamp_path(program)
    fingerprint = hashlib.sha256(service.definition() + b"\0" + content).hexdigest()
    if service.is_installed() and service.find_pid() and _read_tail(stamp) == [fingerprint]:
        return False
    stamp.unlink(missing_ok=True)
    if not isinstance(service, BackgroundProcess):
        BackgroundProcess(program).remove()
    service.start()
    if not _stays_up(service, settle_seconds):
        lines = service.read_log() or ["(it has written no log)"]
        raise ServiceError(
            "\n  ".join(["The bridge ended right after its start. It said:", *lines])
        )
    replace_file(stamp, fingerprint.encode() + b"\n")
    return True


def _stamp_path(program: Program) -> Path:
    return program.folder / "service.stamp"


def _stays_up(service: Service, seconds: float) -> bool:
    pid: int | None = None
    since = time.monotonic()
    until = since + seconds + 5.0
    while time.monotonic() < until:
        seen = service.find_pid()
        if pid and seen != pid:
            return False
        if seen and not pid:
            pid, since = seen, time.monotonic()
        if pid and time.monotonic() - since >= seconds:
            return True
        time.sleep(_POLL_SECONDS)
    return False


class SystemdService:
    """A unit of the user's own systemd."""

    title = f"systemd user service {UNIT}"

    def __init__(self, program: Program) -> None:
        self._program = program
        self._environ = dict(program.commands)
        runtime = Path(f"/run/user/{os.getuid()}")
        if not self._environ.get("XDG_RUNTIME_DIR") and runtime.is_dir():
            self._environ["XDG_RUNTIME_DIR"] = str(runtime)  # as after `su`

    @property
    def path(self) -> Path:
        """The unit file, where systemd itself looks (its environment is not the shell's)."""
        shown = self._systemctl("show-environment").stdout
        found = re.search(r"^XDG_CONFIG_HOME=(/.*)$", shown, re.MULTILINE)
        config = Path(found[1]) if found else self._program.home / ".config"
        return config / "systemd" / "user" / UNIT

    def is_available(self) -> bool:
        """Whether the user has a systemd that answers."""
        return self._systemctl("show-environment").returncode == 0

    def definition(self) -> bytes:
        return render_systemd_unit(self._program.command, self._program.environment)

    def is_installed(self) -> bool:
        is_enabled = self._systemctl("is-enabled", UNIT).returncode == 0
        return is_enabled and _has_content(self.path, self.definition())

    def start(self) -> None:
        path = self.path
        if not _has_content(path, self.definition()):
            _write_private(path, self.definition())
        self._require("daemon-reload")
        self._require("enable", UNIT)
        self._require("restart", UNIT)

    def find_pid(self) -> int | None:
        shown = self._systemctl("show", UNIT, "--property=ActiveState,MainPID").stdout
        values = dict(line.partition("=")[::2] for line in shown.splitlines())
        pid = values.get("MainPID", "")
        if values.get("ActiveState") != "active" or not pid.isdecimal():
            return None
        return int(pid) or None

    def read_log(self) -> list[str]:
        journal = _run(
            ["journalctl", "--user", "-u", UNIT, f"-n{_LOG_LINES}", "--no-pager", "-o", "cat"],
            self._environ,
        )
        lines = journal.stdout.splitlines() if journal.returncode == 0 else []
        return lines or _read_tail(self._program.folder / "bridge.log")

    def remove(self) -> bool:
        path = self.path
        if not path.exists():
            return False
        self._systemctl("disable", "--now", UNIT)
        path.unlink(missing_ok=True)
        (path.parent / "default.target.wants" / UNIT).unlink(missing_ok=True)
        self._systemctl("daemon-reload")
        return True

    def find_advice(self) -> str | None:
        """Let the user's services run without a login, or say how to."""
        user = str(os.getuid())
        shown = _run(["loginctl", "show-user", user, "--property=Linger"], self._environ)
        if shown.returncode == 0 and shown.stdout.strip() == "Linger=yes":
            return None
        enabled = _run(["loginctl", "--no-ask-password", "enable-linger"], self._environ)
        if enabled.returncode == 0:
            return None
        return (
            "The bridge stops when you log out, and starts when you log in. "
            "To have it always: sudo loginctl enable-linger $USER"
        )

    def _systemctl(self, *words: str) -> subprocess.CompletedProcess[str]:
        return _run(["systemctl", "--user", *words], self._environ)

    def _require(self, *words: str) -> None:
        _check(f"systemctl --user {' '.join(words)}", self._systemctl(*words))


class LaunchdService:
    """An agent of the user's own launchd (macOS)."""

    title = f"launchd agent {NAME}"

    def __init__(self, program: Program) -> None:
        self._program = program
        self._path = program.home / "Library" / "LaunchAgents" / f"{NAME}.plist"

    def is_available(self) -> bool:
        """Whether the user has a launchd that answers."""
        return self._find_domain() is not None

    def definition(self) -> bytes:
        program = self._program
        errors = str(_error_path(program))
        return render_launchd_agent(program.command, program.environment, errors)

    def is_installed(self) -> bool:
        return _has_content(self._path, self.definition())

    def start(self) -> None:
        domain = self._find_domain()
        if not self.is_installed():
            _write_private(self._path, self.definition())
        self._unload()
        _empty_private(_error_path(self._program))
        self._launchctl("enable", f"{domain}/{NAME}")
        done = self._launchctl("bootstrap", str(domain), str(self._path))
        _check(f"launchctl bootstrap {domain} {self._path}", done)

    def find_pid(self) -> int | None:
        shown = self._launchctl("print", f"{self._find_domain()}/{NAME}")
        found = re.search(r"^\s*pid = (\d+)$", shown.stdout, re.MULTILINE)
        return int(found[1]) if found and shown.returncode == 0 else None

    def read_log(self) -> list[str]:
        return _read_logs(self._program)

    def remove(self) -> bool:
        if not self._path.exists():
            return False
        self._unload()
        self._path.unlink(missing_ok=True)
        return True

    def find_advice(self) -> str | None:
        return None

    def _unload(self) -> None:
        """Launchd lets go of an agent some time after it said so, and takes no other before."""
        target = f"{self._find_domain()}/{NAME}"
        until = time.monotonic() + _STOP_SECONDS
        self._launchctl("bootout", target)
        while self._launchctl("print", target).returncode == 0 and time.monotonic() < until:
            time.sleep(_POLL_SECONDS)

    def _find_domain(self) -> str | None:
        domains = (f"{kind}/{os.getuid()}" for kind in ("gui", "user"))
        return next(
            (name for name in domains if not self._launchctl("print", name).returncode), None
        )

    def _launchctl(self, *words: str) -> subprocess.CompletedProcess[str]:
        return _run(["launchctl", *words], self._program.commands)


class BackgroundProcess:
    """A process of its own, where there is neither systemd nor launchd (containers)."""

    title = "process in the background"

    def __init__(self, program: Program) -> None:
        self._program = program
        self._pid_path = program.folder / "bridge.pid"

    def definition(self) -> bytes:
        return json.dumps([self._program.command, dict(self._program.environment)]).encode()

    def is_installed(self) -> bool:
        return True

    def start(self) -> None:
        self.remove()
        program = self._program
        names = ("HOME", "USER", "LOGNAME", "SHELL")
        person = {name: program.commands[name] for name in names if name in program.commands}
        error_path = _error_path(program)
        _empty_private(error_path)
        try:
            with error_path.open("ab") as errors:
                subprocess.Popen(
                    ["/bin/sh", "-c", _NOTES_ITSELF, str(self._pid_path), *program.command],
                    env={**person, **program.environment},
                    cwd=program.home,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=errors,
                    start_new_session=True,
                    umask=0o077,
                )
        except OSError as error:
            raise ServiceError(f"The bridge could not be started: {reason_for(error)}.") from error

    def find_pid(self) -> int | None:
        process = self._find_process()
        return process.pid if process else None

    def read_log(self) -> list[str]:
        return _read_logs(self._program)

    def remove(self) -> bool:
        process = self._find_process()
        if process:
            with suppress(psutil.Error):
                _end(process)
        self._pid_path.unlink(missing_ok=True)
        return process is not None

    def find_advice(self) -> str | None:
        again = shlex.quote(str(self._program.script.with_name("install.sh")))
        return (
            "There is no systemd or launchd for you here, so nothing starts the bridge "
            f"after a reboot. This does: {again}"
        )

    def _find_process(self) -> psutil.Process | None:
        """The process in the pid file, unless the number belongs to another program by now."""
        try:
            process = psutil.Process(int(self._pid_path.read_text()))
            is_ours = str(self._program.script) in process.cmdline()
            return process if is_ours and process.status() != psutil.STATUS_ZOMBIE else None
        except (OSError, ValueError, psutil.Error):
            return None


def _run(words: list[str], environ: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a short command; one that can't be run, or hangs, answers like one that failed."""
    try:
        return subprocess.run(
            words,
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=_COMMAND_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(words, _COULD_NOT_RUN, "", "it does not answer")
    except OSError as error:
        return subprocess.CompletedProcess(words, _COULD_NOT_RUN, "", reason_for(error))


def _check(what: str, done: subprocess.CompletedProcess[str]) -> None:
    if done.returncode != 0:
        lines = (done.stderr or done.stdout).strip().splitlines() or [f"status {done.returncode}"]
        raise ServiceError(f"`{what}` failed: {lines[-1]}")


def _has_content(path: Path, data: bytes) -> bool:
    try:
        return path.read_bytes() == data
    except OSError:
        return False


def _write_private(path: Path, data: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ServiceError(f"{path.parent} can't be made: {reason_for(error)}.") from error
    replace_file(path, data)


def _empty_private(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
        path.touch(mode=0o600)
    except OSError as error:
        raise ServiceError(f"{path} can't be written: {reason_for(error)}.") from error


def _end(process: psutil.Process) -> None:
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except psutil.TimeoutExpired:
        process.kill()
        process.wait(_STOP_SECONDS)


def _error_path(program: Program) -> Path:
    return program.folder / "bridge.err"


def _read_logs(program: Program) -> list[str]:
    return _read_tail(_error_path(program)) or _read_tail(program.folder / "bridge.log")


def _read_tail(path: Path) -> list[str]:
    """The last lines of a file; none if it can't be read."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _LOG_BYTES))
            return file.read().decode("utf-8", "replace").splitlines()[-_LOG_LINES:]
    except OSError:
        return []
