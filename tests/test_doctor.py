"""doctor: one line for each thing, the mend beside it, and what `--fix` mends."""

from __future__ import annotations

import os
import re
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import filelock
import psutil
import pytest

import doctor
from core.beliefs import BELIEFS
from core.config import load_config
from core.service_files import render_systemd_unit, service_environment
from tests.standins.machine import UNIT
from tests.standins.telegram_api import TelegramApi

ROOT = Path(__file__).resolve().parent.parent
RUN = """
import os, sys
import doctor
from core.config import load_config
sys.exit(doctor.run(load_config(os.environ), os.environ, fix=True))
"""
FAKE_CLAUDE = """#!/bin/sh
if [ "$1" = --version ]; then echo '2.1.331 (Claude Code)'; exit; fi
sleep 0.3; echo 'You must log in.'; exit 1
"""

STOPPED_SERVICE = """#!/bin/sh
[ "$2" = show ] && echo MainPID=0 && echo ActiveState=failed
exit 0
"""


class Patient:
    """A machine with an empty HOME and no systemd; its Claude Code is a stand-in at first."""

    def __init__(self, root: Path, api: TelegramApi) -> None:
        self.home = root / "home"
        self.bin = root / "bin"
        self.api = api
        for folder in (self.home, self.bin):
            folder.mkdir()
        self.put_program("claude", FAKE_CLAUDE)
        self.put_program("systemctl", "#!/bin/sh\nexit 1\n")
        self.environ = {
            "HOME": str(self.home),
            "PATH": f"{self.bin}:{os.environ['PATH']}",
            "LANG": "C.UTF-8",
            "BRIDGE_TELEGRAM_API_URL": api.url,
            "TELEGRAM_BOT_TOKEN": api.token,
        }

    @property
    def folder(self) -> Path:
        return self.home / ".claude" / "sessions" / "telegram" / "bridge"

    def put_program(self, name: str, text: str) -> None:
        path = self.bin / name
        path.write_text(text)
        path.chmod(0o755)

    def make_state(self) -> None:
        self.folder.mkdir(mode=0o700, parents=True)
        self.folder.parent.chmod(0o700)

    def write_settings(self) -> None:
        path = self.home / ".config" / "claude-telegram" / "config.toml"
        path.parent.mkdir(parents=True)
        path.write_text(
            f'telegram_bot_token = "{self.api.token}"\n'
            f'telegram_api_url = "{self.api.url}"\nallowed_users = [1]\n'
        )
        path.chmod(0o600)

    def run(self, *, fix: bool = False, **parts: Callable[..., float]) -> int:
        return doctor.run(load_config(self.environ), self.environ, fix=fix, **parts)  # type: ignore[arg-type]

    def run_apart(self) -> subprocess.CompletedProcess[str]:
        """With `--fix`, in a process of its own, which the service that it starts outlives."""
        return subprocess.run(
            [sys.executable, "-c", RUN],
            cwd=ROOT,
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )


@pytest.fixture
def patient(tmp_path: Path) -> Iterator[Patient]:
    with TelegramApi() as api:
        patient = Patient(tmp_path, api)
        yield patient
        pid_path = patient.folder / "bridge.pid"
        if pid_path.exists():
            with suppress(psutil.NoSuchProcess, ValueError):
                bridge = psutil.Process(int(pid_path.read_text()))
                bridge.terminate()
                bridge.wait(20)


def lines_of(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().out.splitlines()


def test_a_fresh_machine_is_told_what_to_do(
    patient: Patient, capsys: pytest.CaptureFixture[str]
) -> None:
    del patient.environ["TELEGRAM_BOT_TOKEN"]
    assert patient.run() == 1
    lines = lines_of(capsys)
    assert "✗ there is no bot token → run ./install.sh" in lines
    assert "✗ Claude Code is not logged in → run `claude` once, and /login" in lines
    assert "✗ the service is not installed → ./install.sh" in lines
    assert any(line.startswith(f"✗ self-test: 0 of {len(BELIEFS)} passed") for line in lines)
    assert any("It said: You must log in" in line for line in lines), lines
    assert any("2.1.331" in line and "not among the tested" in line for line in lines)
    assert lines[-1].endswith(" to mend.")
    assert not patient.folder.exists()


def test_a_machine_on_which_all_is_well(patient: Patient, frugal_claude: Path) -> None:
    patient.environ["BRIDGE_CLAUDE_COMMAND"] = str(frugal_claude)
    patient.environ["ANTHROPIC_API_KEY"] = "sk-ant-of-the-user"
    patient.write_settings()
    patient.make_state()
    (patient.folder / "service.stamp").touch(mode=0o600)
    done = patient.run_apart()
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert "  mended: the process in the background does not run" in lines
    assert any(line.startswith("✓ the bridge runs as a process in the backg") for line in lines)
    assert any(
        line.startswith(f"✓ self-test: {len(BELIEFS)} of {len(BELIEFS)} passed") for line in lines
    )
    assert "✓ the bot is @bridge_test_bot" in lines
    assert "✓ the clock is right" in lines
    assert "✓ logged in by ANTHROPIC_API_KEY" in lines
    assert lines[-1] == "All is well."
    said = done.stdout + done.stderr
    assert "sk-ant-of-the-user" not in said and patient.api.token not in said


def test_rights_and_folders_are_mended(
    patient: Patient, capsys: pytest.CaptureFixture[str]
) -> None:
    patient.run(fix=True)
    assert stat.S_IMODE(patient.folder.stat().st_mode) == 0o700
    path = patient.folder / "people.json"
    path.write_text("{}")
    path.chmod(0o644)
    capsys.readouterr()
    patient.run()
    assert f"✗ others may read {path} → doctor --fix" in lines_of(capsys)
    patient.run(fix=True)
    assert "✓ the state is for its owner alone" in lines_of(capsys)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_a_dead_bridge_left_is_removed(
    patient: Patient, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    patient.make_state()
    (patient.folder / "bridge.pid").write_text("999999999\n")
    monkeypatch.chdir(patient.folder)
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind("hook.sock")
    patient.run()
    assert "✗ bridge.pid and hook.sock of a dead bridge → doctor --fix" in lines_of(capsys)
    patient.run(fix=True)
    assert not (patient.folder / "bridge.pid").exists()
    assert not (patient.folder / "hook.sock").exists()


def test_a_bridge_that_runs_by_hand_is_seen_and_left_alone(
    patient: Patient, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    patient.make_state()
    monkeypatch.chdir(patient.folder)
    with (
        filelock.FileLock(patient.folder / "bridge.lock", fallback_to_soft=False),
        socket.socket(socket.AF_UNIX) as bound,
    ):
        bound.bind("hook.sock")
        bound.listen()

        def answer() -> None:
            bound.accept()[0].close()

        thread = threading.Thread(target=answer)
        thread.start()
        patient.run(fix=True)
        thread.join(5)
        lines = lines_of(capsys)
        assert "– the service is not installed; a bridge runs by hand" in lines
        assert "✓ a running bridge holds the lock" in lines
        assert "✓ the hook socket answers" in lines
        assert (patient.folder / "hook.sock").exists()


def test_a_wrong_token_and_a_silent_server_are_told_apart(
    patient: Patient, capsys: pytest.CaptureFixture[str]
) -> None:
    patient.environ["TELEGRAM_BOT_TOKEN"] = "123456:wrong-token-AAAAAAAAAAAAAAAAAAAAAAAAA"
    patient.run()
    assert any("Telegram does not know the bot token" in line for line in lines_of(capsys))
    patient.api.stop()
    patient.run()
    assert any("gives no answer (NetworkError)" in line for line in lines_of(capsys))


def test_a_clock_that_is_wrong_is_told(
    patient: Patient, capsys: pytest.CaptureFixture[str]
) -> None:
    patient.run(clock=lambda: time.time() + 600)
    assert any(re.match("✗ the clock is 60[0-9] s ahead", line) for line in lines_of(capsys))
    patient.run(clock=lambda: time.time() - 600)
    assert any(re.match("✗ the clock is [56][0-9]+ s behind", line) for line in lines_of(capsys))


@pytest.mark.parametrize(
    ("free", "sign"), [(5 << 30, "✓ 5.0"), (1 << 29, "– 0.5"), (1 << 20, "✗ 0.0")]
)
def test_a_disk_that_is_full_or_soon_will_be_and_a_project_that_is_gone_are_told(
    patient: Patient, capsys: pytest.CaptureFixture[str], free: int, sign: str
) -> None:
    patient.environ["BRIDGE_PROJECT_DIR"] = str(patient.home / "gone")
    patient.make_state()
    patient.run(free_bytes=lambda folder: free if folder == patient.folder.parent else 0)
    lines = lines_of(capsys)
    assert [line for line in lines if line.startswith(f"{sign} GB free on the disk of the state")]
    gone = f"✗ the project folder {patient.home / 'gone'} is not there"
    assert f"{gone} → make it, or set project_dir" in lines


def test_a_service_that_is_gone_and_one_that_has_stopped_are_told_apart(
    patient: Patient, capsys: pytest.CaptureFixture[str]
) -> None:
    patient.put_program("systemctl", STOPPED_SERVICE)
    patient.make_state()
    (patient.folder / "service.stamp").touch(mode=0o600)
    stopped = f"✗ the systemd user service {UNIT} does not run"
    patient.run()
    assert f"{stopped} → ./install.sh" in lines_of(capsys)
    unit = patient.home / ".config" / "systemd" / "user" / UNIT
    unit.parent.mkdir(parents=True)
    environment = service_environment(patient.environ, secrets=[patient.api.token])
    unit.write_bytes(render_systemd_unit([sys.executable, str(ROOT / "bridge.py")], environment))
    patient.run()
    assert f"{stopped} → doctor --fix, or ./install.sh" in lines_of(capsys)


def test_a_bridge_that_no_longer_answers_its_hooks_is_told(
    patient: Patient, capsys: pytest.CaptureFixture[str]
) -> None:
    patient.make_state()
    with filelock.FileLock(patient.folder / "bridge.lock", fallback_to_soft=False):
        patient.run()
    assert "✗ the hook socket does not answer → restart the bridge" in lines_of(capsys)


def test_an_old_tmux_and_a_missing_claude_are_told(
    patient: Patient, capsys: pytest.CaptureFixture[str]
) -> None:
    patient.put_program("tmux", "#!/bin/sh\necho tmux 3.1c\n")
    patient.environ["BRIDGE_CLAUDE_COMMAND"] = "no-such-claude"
    assert patient.run() == 1
    lines = lines_of(capsys)
    assert any(line.startswith("✗ tmux 3.1c is too old, 3.2 is needed") for line in lines)
    assert any(line.startswith("✗ Claude Code is missing (no-such-claude)") for line in lines)


def test_help_says_what_there_is_and_starts_nothing(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "bridge.py"), "--help"],
        env={"HOME": str(tmp_path), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "bridge.py doctor --fix" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_word_that_is_not_known_starts_nothing(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "bridge.py"), "docter"],
        env={"HOME": str(tmp_path), "PATH": os.environ["PATH"], "BRIDGE_WEB": "on"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr == "docter: only `doctor` and `doctor --fix` are known.\n"
    assert list(tmp_path.iterdir()) == []
