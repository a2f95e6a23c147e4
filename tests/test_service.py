"""service: systemd, launchd or the background, and what a second run leaves alone."""

from __future__ import annotations

import os
import plistlib
import subprocess
import sys
from typing import Any

import pytest

from tests.standins.machine import BRIDGE, LAUNCHCTL, UNIT, Machine, mode_of


def test_the_unit_runs_the_bridge_with_what_claude_needs(
    machine: Machine, bot_settings: dict[str, str]
) -> None:
    given = {"ANTHROPIC_API_KEY": "sk-ant-x", "CLAUDE_CODE_CHILD_SESSION": "1", "SECRET": "2"}
    machine.run(**bot_settings, **given)
    lines = machine.unit.read_text().splitlines()
    assert f'ExecStart="{sys.executable}" "{machine.bridge}"' in lines
    assert [line for line in lines if line.startswith("Environment")] == [
        'Environment="ANTHROPIC_API_KEY=sk-ant-x"',
        'Environment="LANG=C.UTF-8"',
        f'Environment="PATH={machine.bin}"',
    ]
    for line in (
        "Type=simple",
        "KillMode=process",
        "Restart=on-failure",
        "RestartPreventExitStatus=2 75",
        "UMask=0077",
        "WantedBy=default.target",
    ):
        assert line in lines


def test_a_second_run_changes_nothing(machine: Machine, bot_settings: dict[str, str]) -> None:
    machine.run(BRIDGE_ALLOWED_USERS="42", **bot_settings)
    before = {path: path.stat() for path in machine.home.rglob("*") if path.is_file()}
    told = machine.changes()
    done = machine.run()
    assert done.returncode == 0
    assert f"The bridge runs already (systemd user service {UNIT})." in done.stdout
    assert machine.changes() == told
    after = {path: path.stat() for path in machine.home.rglob("*") if path.is_file()}
    assert {path: (s.st_ino, s.st_mtime_ns) for path, s in before.items()} == {
        path: (s.st_ino, s.st_mtime_ns) for path, s in after.items()
    }


@pytest.mark.parametrize("change", ["code", "setting", "environment", "dead", "disabled"])
def test_a_service_that_is_not_right_is_restarted(
    machine: Machine, bot_settings: dict[str, str], change: str
) -> None:
    machine.run(BRIDGE_ALLOWED_USERS="42", **bot_settings)
    told = len(machine.changes())
    match change:
        case "code":
            machine.bridge.write_text(BRIDGE + "# newer\n")
        case "setting":
            machine.config.write_text(machine.config.read_text() + "idle_minutes = 5\n")
        case "environment":
            machine.environ["HTTPS_PROXY"] = "http://127.0.0.1:3128"
        case "dead":
            (machine.fakes / "active").unlink()
        case "disabled":
            (machine.fakes / "enabled").unlink()
    done = machine.run()
    assert "The bridge is started" in done.stdout
    assert f"systemctl --user restart {UNIT}" in machine.changes()[told:]


def test_linger_that_is_refused_is_told(machine: Machine, bot_settings: dict[str, str]) -> None:
    (machine.fakes / "no-linger").touch()
    done = machine.run(**bot_settings)
    assert done.returncode == 0
    assert "sudo loginctl enable-linger $USER" in done.stdout


def test_a_bridge_that_ends_at_once_is_no_success(
    machine: Machine, bot_settings: dict[str, str]
) -> None:
    (machine.fakes / "ends-at-once").touch()
    journal = "#!/bin/sh\necho 'project_dir is no folder.'\n"
    machine.put_program("journalctl", journal)
    done = machine.run(**bot_settings)
    assert done.returncode == 1
    assert "ended right after its start. It said:\n  project_dir is no folder." in done.stderr
    assert "t.me" not in done.stdout


def test_a_systemctl_that_fails_is_told(machine: Machine, bot_settings: dict[str, str]) -> None:
    (machine.fakes / "restart-fails").touch()
    done = machine.run(**bot_settings)
    assert (done.returncode, done.stderr) == (
        1,
        f"`systemctl --user restart {UNIT}` failed: Job failed.\n",
    )


def test_uninstall_names_no_sessions_where_none_are_open(machine: Machine) -> None:
    machine.put_program("tmux", '#!/bin/sh\n[ "$1" = -V ] && echo tmux 3.4\n')
    assert "kill-server" not in machine.run("--uninstall").stdout


def test_uninstall_removes_the_service_and_keeps_the_data(
    machine: Machine, bot_settings: dict[str, str]
) -> None:
    machine.run(**bot_settings)
    done = machine.run("--uninstall")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "The service is stopped and removed.",
        f"Your data stays: {machine.state} (sessions), {machine.files} (files)",
        f"and {machine.config} (settings).",
        "Claude sessions still open in tmux end with: tmux -L claude-telegram kill-server",
    ]
    assert not machine.unit.exists()
    assert f"systemctl --user disable --now {UNIT}" in machine.changes()
    assert machine.config.exists() and (machine.folder / "people.json").exists()
    assert "No service was installed." in machine.run("--uninstall").stdout
    assert "The bridge is started" in machine.run().stdout


def test_without_systemd_the_bridge_runs_in_the_background(
    container: Machine, bot_settings: dict[str, str]
) -> None:
    done = container.run(**bot_settings)
    assert done.returncode == 0, done.stderr
    assert "The bridge is started (process in the background)." in done.stdout
    assert f"after a reboot. This does: '{container.checkout}/install.sh'" in done.stdout
    first = container.find_bridge()
    assert first and os.getsid(first.pid) == first.pid
    assert first.environ()["HOME"] == str(container.home)
    assert "The bridge runs already" in container.run().stdout
    assert container.find_bridge() == first
    container.bridge.write_text(BRIDGE + "# newer\n")
    assert "The bridge is started" in container.run().stdout
    second = container.find_bridge()
    assert second and second != first and not first.is_running()
    assert "stopped and removed" in container.run("--uninstall").stdout
    assert not second.is_running() and not (container.folder / "bridge.pid").exists()


def test_what_a_background_bridge_said_at_its_end_is_shown(
    container: Machine, bot_settings: dict[str, str]
) -> None:
    container.bridge.write_text("import sys; sys.exit('idle_minutes is wrong.')")
    done = container.run(**bot_settings)
    assert done.returncode == 1
    assert done.stderr.endswith("It said:\n  idle_minutes is wrong.\n")


def test_a_pid_of_another_program_is_left_alone(
    container: Machine, bot_settings: dict[str, str]
) -> None:
    container.folder.mkdir(parents=True)
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        (container.folder / "bridge.pid").write_text(str(other.pid))
        assert container.run(**bot_settings).returncode == 0
        assert other.poll() is None
    finally:
        other.kill()
        other.communicate()


def test_with_systemd_the_background_bridge_makes_room(
    container: Machine, bot_settings: dict[str, str]
) -> None:
    container.run(**bot_settings)
    bridge = container.find_bridge()
    (container.fakes / "no-systemd").unlink()
    assert "systemd user service" in container.run().stdout
    assert bridge and not bridge.is_running()


def test_on_macos_it_is_a_launchd_agent(machine: Machine, bot_settings: dict[str, str]) -> None:
    (machine.bin / "systemctl").unlink()
    machine.put_program("launchctl", LAUNCHCTL)
    done = machine.run(**bot_settings)
    assert "The bridge is started (launchd agent claude-telegram)." in done.stdout, done.stderr
    path = machine.home / "Library" / "LaunchAgents" / "claude-telegram.plist"
    agent: dict[str, Any] = plistlib.loads(path.read_bytes())
    assert agent["ProgramArguments"] == [sys.executable, str(machine.bridge)]
    assert agent["AbandonProcessGroup"] is True and agent["RunAtLoad"] is True
    assert agent["KeepAlive"] == {"SuccessfulExit": False}
    assert agent["EnvironmentVariables"]["PATH"] == str(machine.bin)
    assert agent["StandardErrorPath"] == str(machine.folder / "bridge.err")
    assert mode_of(path) == 0o600
    domain = f"user/{os.getuid()}"
    assert f"launchctl bootstrap {domain} {path}" in machine.calls
    assert "The bridge runs already" in machine.run().stdout
    assert "stopped and removed" in machine.run("--uninstall").stdout
    assert machine.calls[-2] == f"launchctl bootout {domain}/claude-telegram"
    assert not path.exists()
