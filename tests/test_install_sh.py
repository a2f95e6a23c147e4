"""install.sh: finds Python, makes the virtual environment, hands over, and runs the tests."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.standins.machine import ROOT, Machine, Terminal, mode_of
from tests.standins.telegram_api import TelegramApi
from tests.world import wait_until

_TOOLS = ("cat", "cksum", "dirname", "rm", "sed", "tail", "uname")

# Records what it is asked; $FAKES/pip-fails makes `pip install` fail.
_PYTHON = """#!/bin/sh
echo "python $*" >> {fakes}/calls
{slow}
case "$*" in
*"pip install"*) [ -z "$TELEGRAM_BOT_TOKEN" ] && [ ! -e {fakes}/pip-fails ] ;;
*ensurepip*) [ ! -e {fakes}/no-venv ] ;;
*"-m venv"*)
    for last; do :; done
    /bin/mkdir -p "$last/bin"
    /bin/rm -f "$last/bin/python"
    /bin/cp "$0" "$last/bin/python" ;;
--version) echo Python 3.12.1 ;;
esac
"""

# Ctrl-C ends it some time later, as Python with its tracebacks.
_SLOW = """
case "$*" in
*"{at}"*)
    [ -e {fakes}/at-it ] || {
        trap '[ "$2" = pip ] || echo a traceback >&2; : > {fakes}/has-ended; exit 130' INT
        : > {fakes}/at-it
        while [ ! -e {fakes}/has-ended ]; do /bin/sleep 0.1; done
    } ;;
esac
"""

_NPM = """#!/bin/sh
PATH=/usr/bin:/bin
echo "npm $*" >> {fakes}/calls
mkdir -p node_modules/.bin
printf '#!/bin/sh\\necho "2.1.330 (Claude Code)"\\n' > node_modules/.bin/claude
chmod +x node_modules/.bin/claude
mkdir -p node_modules/axe-core && : > node_modules/axe-core/axe.min.js
"""


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """One with a Python that does nothing, and a checkout."""
    machine = Machine(tmp_path)
    for tool in _TOOLS:
        (machine.bin / tool).symlink_to(str(shutil.which(tool)))
    machine.put_program("python3", _PYTHON.replace("{slow}", ""))
    for name in ("install.sh", "requirements.txt", "requirements-dev.txt"):
        shutil.copy(ROOT / name, machine.checkout)
    (machine.checkout / "tests").mkdir()
    for name in ("claude-cli", "axe"):
        shutil.copytree(
            ROOT / "tests" / name,
            machine.checkout / "tests" / name,
            ignore=shutil.ignore_patterns("node_modules"),
        )
    return machine


def install(machine: Machine, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [machine.checkout / "install.sh", *arguments],
        cwd=machine.home,
        env={**machine.environ, **more},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def times(machine: Machine, words: str) -> int:
    return sum(words in call for call in machine.calls)


def test_help_shows_every_option(machine: Machine) -> None:
    done = install(machine, "--help")
    assert done.returncode == 0
    for option in ("--test", "--uninstall", "--pair", "--web", "--telegram", "--help"):
        assert option in done.stdout
    assert machine.calls == []


def test_an_unknown_option_does_nothing(machine: Machine) -> None:
    done = install(machine, "--unisntall")
    assert done.returncode == 2
    assert done.stderr == (
        "There is no option --unisntall. ./install.sh --help shows what there is.\n"
    )
    assert machine.calls == []


def test_without_a_new_enough_python_it_says_how_to_get_one(machine: Machine) -> None:
    machine.put_program("python3", "#!/bin/sh\nexit 1\n")
    done = install(machine)
    assert done.returncode == 1
    assert done.stderr.startswith("Python 3.11 or newer is missing. Get it with: ")
    assert len(done.stderr.splitlines()) == 1
    assert not (machine.checkout / ".venv").exists()


def test_a_newer_python_beside_an_old_one_is_taken(machine: Machine) -> None:
    machine.put_program("python3", "#!/bin/sh\nexit 1\n")
    machine.put_program("python3.12", _PYTHON.replace("{slow}", ""))
    assert install(machine).returncode == 0


def test_without_the_venv_module_it_says_how_to_get_it(machine: Machine) -> None:
    (machine.fakes / "no-venv").touch()
    done = install(machine)
    assert (done.returncode, done.stderr) == (
        1,
        "Python's venv module is missing. Get it with: sudo apt install python3-venv\n",
    )


def test_it_hands_over_to_the_installer(machine: Machine) -> None:
    for arguments in ([], ["--web"], ["--telegram"], ["--pair"], ["--uninstall"]):
        assert install(machine, *arguments).returncode == 0
        words = ["python", str(machine.checkout / "installer_start.py"), *arguments]
        assert machine.calls[-1] == " ".join(words)


def test_packages_are_installed_only_when_their_list_changed(machine: Machine) -> None:
    for _ in range(2):
        assert install(machine, TELEGRAM_BOT_TOKEN="1:x").returncode == 0
    assert times(machine, "pip install") == 1 and times(machine, "-m venv") == 1
    with (machine.checkout / "requirements.txt").open("a") as file:
        file.write("# newer\n")
    assert install(machine).returncode == 0
    assert times(machine, "pip install") == 2 and times(machine, "-m venv") == 1


def test_packages_that_failed_are_tried_again(machine: Machine) -> None:
    (machine.fakes / "pip-fails").touch()
    done = install(machine)
    assert done.returncode == 1
    assert done.stderr.startswith("The Python packages could not be installed.")
    (machine.fakes / "pip-fails").unlink()
    assert install(machine).returncode == 0
    assert times(machine, "pip install") == 2


@pytest.mark.parametrize("at", ["-m venv", "pip install"])
def test_ctrl_c_waits_for_what_it_ends_and_the_next_run_makes_that_anew(
    machine: Machine, at: str
) -> None:
    slow = _SLOW.replace("{at}", at)
    machine.put_program("python3", _PYTHON.replace("{slow}", slow))
    terminal = Terminal(machine, [str(machine.checkout / "install.sh")])
    try:
        wait_until((machine.fakes / "at-it").exists, "it is at it")
        os.killpg(terminal.process.pid, signal.SIGINT)  # as a terminal does
        assert terminal.end() == 130
    finally:
        terminal.close()
    assert (machine.fakes / "has-ended").exists()
    assert "Stopped. ./install.sh goes on from here." in terminal.seen
    assert "could not" not in terminal.seen and "a traceback" not in terminal.seen
    assert install(machine).returncode == 0
    assert times(machine, "-m venv --clear") == 2 and times(machine, "installer_start.py") == 1
    assert install(machine).returncode == 0
    assert times(machine, "-m venv --clear") == 2 and times(machine, "pip install") < 3


def test_packages_that_failed_leave_the_virtual_environment_as_it_is(machine: Machine) -> None:
    (machine.fakes / "pip-fails").touch()
    for _ in range(2):
        assert install(machine).returncode == 1
    assert times(machine, "-m venv") == 1


def test_a_broken_virtual_environment_is_made_anew(machine: Machine) -> None:
    install(machine)
    python = machine.checkout / ".venv" / "bin" / "python"
    python.unlink()
    python.symlink_to("/nowhere/python3.12")
    assert install(machine).returncode == 0
    assert times(machine, "-m venv --clear") == 2


def test_test_runs_pytest_with_what_follows(machine: Machine) -> None:
    machine.put_program("npm", _NPM)
    machine.put_program("node", '#!/bin/sh\necho "node $*" >> {fakes}/calls\n')
    for arguments in (["--test", "--", "-k", "store"], ["--test", "-k", "store"]):
        assert install(machine, *arguments).returncode == 0
        assert machine.calls[-1] == "python -m pytest -k store"
    assert times(machine, "requirements-dev.txt") == 1
    assert times(machine, "npm ci --ignore-scripts") == 2  # Claude Code, and axe-core
    assert times(machine, "node node_modules/@anthropic-ai/claude-code/install.cjs") == 1


def test_test_goes_on_without_npm(machine: Machine) -> None:
    done = install(machine, "--test")
    assert done.returncode == 0
    assert "npm is missing: tests that need the real Claude Code are skipped." in done.stdout
    assert machine.calls[-1] == "python -m pytest"


def test_the_cli_for_the_tests_is_pinned_and_names_no_registry() -> None:
    folder = ROOT / "tests" / "claude-cli"
    assert '"@anthropic-ai/claude-code": "2.1.330"' in (folder / "package.json").read_text()
    for lock in (folder / "package-lock.json", ROOT / "tests" / "axe" / "package-lock.json"):
        assert "http" not in lock.read_text()


def test_every_package_is_pinned() -> None:
    for name in ("requirements.txt", "requirements-dev.txt"):
        lines = (ROOT / name).read_text().splitlines()
        needed = [line.split("#")[0].strip() for line in lines if not line.startswith(("#", "-r"))]
        loose = [line for line in needed if line and not re.fullmatch(r"[\w.-]+==[\w.]+", line)]
        assert needed and loose == []


def test_shellcheck_finds_nothing() -> None:
    shellcheck = Path(sys.executable).with_name("shellcheck")
    if not shellcheck.exists():
        pytest.skip("shellcheck is missing (requirements-dev.txt has it)")
    done = subprocess.run(
        [shellcheck, ROOT / "install.sh"], capture_output=True, text=True, check=False
    )
    assert done.stdout == ""


@pytest.mark.network
@pytest.mark.timeout(400)
def test_from_an_empty_checkout_to_a_running_bridge(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    (machine.fakes / "no-systemd").touch()
    for source in [*ROOT.glob("*.py"), ROOT / "install.sh", ROOT / "requirements.txt"]:
        if source.name != "bridge.py":
            shutil.copy(source, machine.checkout)
    shutil.copytree(ROOT / "core", machine.checkout / "core")
    machine.environ["PATH"] += os.pathsep + os.environ["PATH"]
    pip = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
    with TelegramApi() as api:
        given = {"TELEGRAM_BOT_TOKEN": api.token, "BRIDGE_TELEGRAM_API_URL": api.url}
        first = install(machine, **pip, **given)
        if "packages could not be installed" in first.stderr and not _can_download(pip, tmp_path):
            pytest.skip("no package index can be reached")
        assert first.returncode == 0, first.stderr
        bridge = machine.find_bridge()
        second = install(machine, **pip)
    try:
        assert "https://t.me/bridge_test_bot?start=" in first.stdout
        assert bridge and bridge.cmdline()[0] == str(machine.checkout / ".venv/bin/python")
        assert second.stdout.splitlines()[0] == "tmux 3.4 is here."
        assert "The bridge runs already" in second.stdout
        assert mode_of(machine.config) == 0o600
        assert "stopped and removed" in install(machine, "--uninstall").stdout
        assert not bridge.is_running()
    finally:
        if bridge and bridge.is_running():
            bridge.kill()


def _can_download(pip: dict[str, str], folder: Path) -> bool:
    words = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet", "segno==1.6.6"]
    done = subprocess.run([*words, "--dest", folder], env={**os.environ, **pip}, check=False)
    return done.returncode == 0
