"""core.service_files: the unit and the agent, and what they carry of the environment."""

from __future__ import annotations

import os
import plistlib
import shutil
import subprocess
from pathlib import Path

import pytest

from core.service_files import render_launchd_agent, render_systemd_unit, service_environment


def test_the_service_gets_what_claude_needs_and_nothing_else() -> None:
    kept = {
        "ANTHROPIC_BASE_URL": "http://127.0.0.1:1",
        "CLAUDE_CODE_USE_BEDROCK": "1",
        "CLAUDE_CONFIG_DIR": "/data/my claude",
        "HTTPS_PROXY": "http://proxy:3128",
        "LANG": "de_DE.UTF-8",
        "LC_TIME": "C",
        "PATH": "/usr/bin",
        "no_proxy": "localhost",
    }
    dropped = {
        "TELEGRAM_BOT_TOKEN": "1:x",
        "BRIDGE_IDLE_MINUTES": "5",
        "CLAUDE_CODE_CHILD_SESSION": "1",
        "CLAUDE_CODE_ENTRYPOINT": "cli",
        "CLAUDECODE": "1",
        "PYTHONPATH": "/x",
        "LD_PRELOAD": "/x",
        "PATHS": "x",
        "ANTHROPIC_TORN": "a\nb",
        "ANTHROPIC_COPY": "copy of 1:x",
        "SSH_AUTH_SOCK": "/tmp/ssh-1/agent",
        "TERM": "xterm",
        "XDG_SESSION_ID": "3",
    }
    got = service_environment(dropped | kept, secrets=["1:x"])
    assert list(got.items()) == list(kept.items())


def test_special_characters_reach_the_unit_quoted() -> None:
    unit = render_systemd_unit(
        ["/venv 1/bin/python", '/a "b" $HOME 100%/bridge.py'], {"PATH": '/a b:/c"d:/e%h:$X\\'}
    ).decode()
    assert 'ExecStart="/venv 1/bin/python" "/a \\"b\\" $$HOME 100%%/bridge.py"\n' in unit
    assert 'Environment="PATH=/a b:/c\\"d:/e%%h:$X\\\\"\n' in unit


def test_the_agent_leaves_tmux_alone() -> None:
    agent = plistlib.loads(render_launchd_agent(["/p", "/b"], {"PATH": "/usr/bin"}, "/s/err"))
    assert agent["AbandonProcessGroup"] is True
    assert agent["KeepAlive"] == {"SuccessfulExit": False}
    assert agent["Umask"] == 0o077


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is missing")
@pytest.mark.parametrize("folder", ["plain", "with blank", "a'b\"c $X 100% \\n äö"])
def test_systemd_accepts_the_unit(tmp_path: Path, folder: str) -> None:
    python = tmp_path / folder / "python"
    python.parent.mkdir()
    shutil.copy("/bin/true", python)
    unit = tmp_path / "claude-telegram.service"
    command = [str(python), str(python.with_name("bridge.py"))]
    unit.write_bytes(render_systemd_unit(command, {"PATH": str(python.parent)}))
    runtime = tmp_path / "runtime"
    runtime.mkdir(mode=0o700)
    done = subprocess.run(
        ["systemd-analyze", "--user", "verify", unit],
        env={**os.environ, "XDG_RUNTIME_DIR": str(runtime)},
        capture_output=True,
        text=True,
        check=False,
    )
    if "initialize manager" in done.stderr:
        pytest.skip("systemd-analyze doesn't work here")
    assert (done.returncode, done.stderr) == (0, "")
