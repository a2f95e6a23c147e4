"""A computer with an empty HOME for the installer, whose programs are stand-ins."""

from __future__ import annotations

import os
import re
import select
import stat
import subprocess
import sys
import time
from pathlib import Path

import psutil

from core.config import load_config

ROOT = Path(__file__).resolve().parents[2]
UNIT = "claude-telegram.service"
WAIT_SECONDS = 30.0

_RUN = """
import os, sys
from pathlib import Path
from installer import Installer, main
installer = Installer(os.environ, bridge=Path(sys.argv[1]), settle_seconds=0.3)
sys.exit(main(sys.argv[2:], installer))
"""

BRIDGE = """
import json, os, signal, sys
from pathlib import Path
Path(os.environ["HOME"], "started.json").write_text(json.dumps([sys.argv, dict(os.environ)]))
signal.pause()
"""

# Each keeps what it was asked in $FAKES/calls, and its state in files beside that.
SYSTEMCTL = """#!/bin/sh
PATH=/usr/bin:/bin
echo "systemctl $*" >> {fakes}/calls
[ -e {fakes}/no-systemd ] && { echo "Failed to connect to bus" >&2; exit 1; }
case "$2" in
is-enabled) [ -e {fakes}/enabled ] ;;
enable) : > {fakes}/enabled ;;
disable) rm -f {fakes}/enabled {fakes}/active ;;
restart)
    if [ -e {fakes}/restart-fails ]; then echo "Job failed." >&2; exit 1; fi
    [ -e {fakes}/ends-at-once ] || : > {fakes}/active ;;
show)
    if [ -e {fakes}/active ]; then echo "MainPID=4242"; echo "ActiveState=active"
    else echo "MainPID=0"; echo "ActiveState=failed"; fi ;;
esac
"""

LOGINCTL = """#!/bin/sh
PATH=/usr/bin:/bin
echo "loginctl $*" >> {fakes}/calls
case "$*" in
show-user*) [ -e {fakes}/linger ] && echo Linger=yes || echo Linger=no ;;
*) [ -e {fakes}/no-linger ] && exit 1; : > {fakes}/linger ;;
esac
"""

LAUNCHCTL = """#!/bin/sh
PATH=/usr/bin:/bin
echo "launchctl $*" >> {fakes}/calls
case "$1" in
print)
    case "$2" in
    */claude-telegram)
        [ -e {fakes}/loaded ] || exit 113
        printf '\\tstate = running\\n\\tpid = 77\\n' ;;
    gui/*) exit 125 ;;
    esac ;;
bootstrap) : > {fakes}/loaded ;;
bootout) rm -f {fakes}/loaded ;;
esac
"""


class Machine:
    """A computer with an empty HOME, and a PATH on which only stand-ins are."""

    def __init__(self, root: Path) -> None:
        self.home = root / "home"
        self.bin = root / "bin"
        self.fakes = root / "fakes"
        self.checkout = root / "check out"
        for folder in (self.home, self.bin, self.fakes, self.checkout):
            folder.mkdir()
        self.bridge = self.checkout / "bridge.py"
        self.bridge.write_text(BRIDGE)
        self.environ = {"HOME": str(self.home), "PATH": str(self.bin), "LANG": "C.UTF-8"}
        self.put_program("tmux", "#!/bin/sh\necho tmux 3.4\n")
        self.put_program("systemctl", SYSTEMCTL)
        self.put_program("loginctl", LOGINCTL)
        self.put_program("claude", "#!/bin/sh\necho '2.1.330 (Claude Code)'\n")

    @property
    def config(self) -> Path:
        return self.home / ".config" / "claude-telegram" / "config.toml"

    @property
    def state(self) -> Path:
        return self.home / ".claude" / "sessions" / "telegram"

    @property
    def files(self) -> Path:
        return load_config({"HOME": str(self.home)}).files_dir

    @property
    def folder(self) -> Path:
        return self.state / "bridge"

    @property
    def unit(self) -> Path:
        return self.home / ".config" / "systemd" / "user" / UNIT

    @property
    def calls(self) -> list[str]:
        path = self.fakes / "calls"
        return path.read_text().splitlines() if path.exists() else []

    def put_program(self, name: str, text: str) -> None:
        path = self.bin / name
        path.write_text(text.replace("{fakes}", str(self.fakes)))
        path.chmod(0o755)

    def words(self, *arguments: str) -> list[str]:
        return [sys.executable, "-c", _RUN, str(self.bridge), *arguments]

    def run(self, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.words(*arguments),
            cwd=ROOT,
            env=self.environ | settings,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def changes(self) -> list[str]:
        """What systemd was told, without the questions."""
        told = ("daemon-reload", "enable", "restart", "disable", "enable-linger")
        return [call for call in self.calls if call.split()[2] in told]

    def find_bridge(self) -> psutil.Process | None:
        try:
            process = psutil.Process(int((self.folder / "bridge.pid").read_text()))
            return process if process.status() != psutil.STATUS_ZOMBIE else None
        except (OSError, psutil.Error):
            return None


class Terminal:
    """The program at the far end of a pseudo-terminal, and the person before it."""

    def __init__(self, machine: Machine, words: list[str], **settings: str) -> None:
        self.seen = ""
        self._master, slave = os.openpty()
        self.process = subprocess.Popen(
            words,
            cwd=ROOT,
            env=machine.environ | {"TERM": "xterm"} | settings,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)

    def expect(self, pattern: str) -> re.Match[str]:
        until = time.monotonic() + WAIT_SECONDS
        while not (found := re.search(pattern, self.seen)):
            left = until - time.monotonic()
            assert left > 0 and self._read(left), f"no {pattern!r} in:\n{self.seen}"
        return found

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def end(self) -> int:
        while self._read(WAIT_SECONDS):
            pass
        return self.process.wait(WAIT_SECONDS)

    def close(self) -> None:
        os.close(self._master)
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def _read(self, seconds: float) -> bool:
        ready = select.poll()  # select() takes no descriptor above 1,023
        ready.register(self._master, select.POLLIN)
        if not ready.poll(seconds * 1000):
            return False
        try:
            data = os.read(self._master, 65536)
        except OSError:  # Linux's way to say that the other end is closed
            return False
        self.seen += data.decode(errors="replace")
        return bool(data)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)
