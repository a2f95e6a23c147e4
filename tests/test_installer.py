"""installer: what is asked, checked, kept and printed, in real processes and an empty HOME."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator

import psutil
import pytest

from core.config import load_config
from people import People
from tests.standins.machine import ROOT, UNIT, Machine, Terminal, mode_of
from tests.standins.telegram_api import TelegramApi
from tests.world import wait_until

NOBODYS_PORT = "9"  # a bridge of the person at this machine may have the default one


@pytest.fixture
def terminals() -> Iterator[Callable[..., Terminal]]:
    opened: list[Terminal] = []

    def open_terminal(machine: Machine, *arguments: str, **settings: str) -> Terminal:
        opened.append(Terminal(machine, machine.words(*arguments), **settings))
        return opened[-1]

    yield open_terminal
    for terminal in opened:
        terminal.close()


def test_a_claude_that_is_logged_in_is_not_asked_to(
    machine: Machine, bot_settings: dict[str, str]
) -> None:
    (machine.home / ".claude").mkdir(parents=True)
    (machine.home / ".claude" / ".credentials.json").write_text("{}")
    assert "logged in" not in machine.run(**bot_settings).stdout


def test_at_the_question_for_a_token_enter_alone_ends_and_changes_nothing(
    machine: Machine, terminals: Callable[..., Terminal]
) -> None:
    terminal = terminals(machine, "--telegram")
    terminal.expect("Bot token")
    terminal.type("\n")
    terminal.expect(r"No bot token was given, and nothing was changed\.")
    assert terminal.end() != 0
    assert not machine.config.exists()


def test_a_first_run_installs_the_service_and_prints_how_to_pair(
    machine: Machine, api: TelegramApi, bot_settings: dict[str, str]
) -> None:
    done = machine.run(**bot_settings)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[:5] == [
        "tmux 3.4 is here.",
        "Claude Code 2.1.330 is here.",
        "It is not logged in yet: run `claude` once, and /login.",
        "The bot is @bridge_test_bot.",
        f"The bridge is started (systemd user service {UNIT}).",
    ]
    assert lines[-3:] == [
        "1. Open the chat: https://t.me/bridge_test_bot",
        "2. Send a text, and Claude Code answers. /help shows what else there is.",
        "3. Then see and use the same session on this machine: tmux -L claude-telegram attach",
    ]
    code = re.search(r"https://t\.me/bridge_test_bot\?start=([A-Za-z0-9_-]{16,64})\n", done.stdout)
    assert code and f"/start {code[1]}\n" in done.stdout
    assert sum("█" in line for line in lines) >= 18
    assert People(machine.folder).redeem(code[1], 42, "Ada")
    assert machine.changes() == [
        "systemctl --user daemon-reload",
        f"systemctl --user enable {UNIT}",
        f"systemctl --user restart {UNIT}",
        "loginctl --no-ask-password enable-linger",
    ]


def test_files_and_folders_are_private(machine: Machine, bot_settings: dict[str, str]) -> None:
    machine.run(**bot_settings)
    assert mode_of(machine.config) == 0o600 and mode_of(machine.config.parent) == 0o700
    assert mode_of(machine.unit) == 0o600
    assert mode_of(machine.state) == 0o700 and mode_of(machine.folder) == 0o700
    for path in machine.home.rglob("*"):
        assert mode_of(path) & 0o077 == 0, path


def test_the_token_is_in_config_toml_and_nowhere_else(
    container: Machine, api: TelegramApi, bot_settings: dict[str, str]
) -> None:
    container.put_program("claude", "#!/bin/sh\n/usr/bin/env > {fakes}/seen\necho 2.1.330\n")
    done = container.run(**bot_settings)
    assert done.returncode == 0
    bridge = container.find_bridge()
    assert bridge
    seen = [done.stdout, done.stderr, *bridge.cmdline(), *bridge.environ().values()]
    files = [*container.home.rglob("*"), *container.fakes.rglob("*")]
    seen += [path.read_text() for path in files if path.is_file() and path != container.config]
    secret = api.token.partition(":")[2]
    assert not any(secret in text for text in seen)
    assert secret in container.config.read_text()


def test_settings_from_the_environment_are_kept_for_the_service(
    machine: Machine, bot_settings: dict[str, str]
) -> None:
    project = machine.home / "my project"
    project.mkdir()
    given = {
        "BRIDGE_PROJECT_DIR": str(project),
        "BRIDGE_IDLE_MINUTES": "0.5",
        "BRIDGE_RETENTION_DAYS": "30",
        "BRIDGE_ALLOWED_USERS": "1, 2",
        "BRIDGE_CLAUDE_COMMAND": "claude --model 'an \"opus\"'",
        "BRIDGE_SHELL": "false",
        "BRIDGE_WEB": "on",
        "BRIDGE_WEB_PORT": NOBODYS_PORT,
    }
    done = machine.run(**bot_settings, **given)
    assert done.returncode == 0, done.stderr
    written = load_config({"HOME": str(machine.home)}, machine.config.read_text())
    asked = load_config({"HOME": str(machine.home), **bot_settings, **given})
    assert written.telegram_bot_token.reveal() == asked.telegram_bot_token.reveal()
    assert asked.web
    for name in ("project_dir", "idle_minutes", "allowed_users", "claude_command", "shell", "web"):
        assert getattr(written, name) == getattr(asked, name)
    assert "retention_days = 30\n" in machine.config.read_text()
    assert "These users may use it: 1, 2." in done.stdout


def test_what_stands_in_config_toml_stays(
    machine: Machine, api: TelegramApi, bot_settings: dict[str, str]
) -> None:
    machine.config.parent.mkdir(parents=True)
    text = '# mine\nidle_minutes = 7  # short\n\ntelegram_bot_token = ""\nallowed_users=[5]'
    machine.config.write_text(text)
    done = machine.run(BRIDGE_IDLE_MINUTES="9", BRIDGE_RETENTION_DAYS="3", **bot_settings)
    assert done.returncode == 0, done.stderr
    assert machine.config.read_text() == (
        f'# mine\nidle_minutes = 7  # short\n\ntelegram_bot_token = "{api.token}"\n'
        f'allowed_users=[5]\ntelegram_api_url = "{api.url}"\nretention_days = 3\n'
    )
    assert f"idle_minutes stays as it is in {machine.config}" in done.stdout
    assert mode_of(machine.config) == 0o600


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        ("tmux", "tmux is missing. Get it with: "),
        (
            "claude",
            "Claude Code is missing (claude). Get it with: curl -fsSL https://claude.ai/install.sh"
            " | bash   (or: npm install -g @anthropic-ai/claude-code)",
        ),
    ],
)
def test_a_missing_program_is_one_line(
    machine: Machine, bot_settings: dict[str, str], missing: str, said: str
) -> None:
    (machine.bin / missing).unlink()
    done = machine.run(**bot_settings)
    assert done.returncode == 1
    assert done.stderr.startswith(said) and len(done.stderr.splitlines()) == 1
    assert not machine.unit.exists() and machine.changes() == []


def test_all_that_is_missing_is_told_at_once(machine: Machine) -> None:
    (machine.bin / "tmux").unlink()
    (machine.bin / "claude").unlink()
    done = machine.run()
    assert [line.split()[0] for line in done.stderr.splitlines()] == ["tmux", "Claude"]


@pytest.mark.parametrize(
    ("manager", "words"),
    [
        ("apt-get", "apt install tmux"),
        ("dnf", "dnf install tmux"),
        ("pacman", "pacman -S tmux"),
        ("brew", "brew install tmux"),
        ("none", "the package manager of this system (package tmux)"),
    ],
)
def test_how_to_get_tmux_depends_on_the_system(machine: Machine, manager: str, words: str) -> None:
    (machine.bin / "tmux").unlink()
    machine.put_program(manager, "#!/bin/sh\n")
    assert machine.run().stderr.endswith(f"{words}\n")


@pytest.mark.parametrize(
    ("version", "is_enough"),
    [
        ("tmux 3.1c", False),
        ("tmux 2.9", False),
        ("tmux 3.2", True),
        ("tmux 3.3a", True),
        ("tmux next-3.6", True),
        ("tmux master", True),
        ("tmux 10.0", True),
    ],
)
def test_tmux_must_be_new_enough(machine: Machine, version: str, is_enough: bool) -> None:
    machine.put_program("tmux", f"#!/bin/sh\necho {version}\n")
    done = machine.run()
    assert (f"{version} is here." in done.stdout) is is_enough
    assert (f"{version} is too old, 3.2 is needed." in done.stderr) is not is_enough


def test_a_claude_that_fails_is_told(machine: Machine) -> None:
    machine.put_program("claude", "#!/bin/sh\nexit 1\n")
    done = machine.run()
    assert done.stderr == "`claude --version` failed. Run it yourself to see why.\n"


def test_claude_is_found_where_its_installer_puts_it(
    machine: Machine, bot_settings: dict[str, str]
) -> None:
    local = machine.home / ".local" / "bin"
    local.mkdir(parents=True)
    (machine.bin / "claude").rename(local / "claude")
    assert machine.run(**bot_settings).returncode == 0
    assert f'Environment="PATH={machine.bin}:{local}"' in machine.unit.read_text()


def test_without_a_token_the_page_is_on_alone(container: Machine) -> None:
    done = container.run(BRIDGE_WEB_PORT=NOBODYS_PORT)
    assert done.returncode == 0, done.stderr
    written = load_config({"HOME": str(container.home)}, container.config.read_text())
    assert written.web and not written.telegram_bot_token
    assert "The page does not answer at http://127.0.0.1:9/ yet" in done.stdout
    assert "Telegram on your phone as well: ./install.sh --telegram" in done.stdout
    assert container.run().returncode == 0


def test_with_a_token_the_page_is_off_unless_it_is_asked_for(
    machine: Machine, bot_settings: dict[str, str]
) -> None:
    assert "page" not in machine.run(**bot_settings).stdout
    assert not load_config({"HOME": "/"}, machine.config.read_text()).web
    done = machine.run("--web", BRIDGE_WEB_PORT=NOBODYS_PORT)
    assert "The page does not answer" in done.stdout and "?start=" in done.stdout
    assert load_config({"HOME": "/"}, machine.config.read_text()).web


def test_a_bot_is_added_later(
    container: Machine, api: TelegramApi, terminals: Callable[..., Terminal]
) -> None:
    assert container.run(BRIDGE_TELEGRAM_API_URL=api.url).returncode == 0
    assert "./install.sh --telegram" in container.run("--pair").stderr
    terminal = terminals(container, "--telegram")
    terminal.expect("Bot token from @BotFather")
    terminal.type(f"{api.token}\n")
    terminal.expect("Folder that Claude Code works in")
    terminal.type("\n")
    terminal.expect(r"\?start=(\S+)")
    written = load_config({"HOME": str(container.home)}, container.config.read_text())
    assert written.web and written.telegram_bot_token.reveal() == api.token


def test_at_a_terminal_enter_in_place_of_a_token_means_the_page(
    container: Machine, terminals: Callable[..., Terminal]
) -> None:
    terminal = terminals(container, BRIDGE_WEB_PORT=NOBODYS_PORT)
    terminal.expect(r"needs no bot: just press Enter\.\s+Bot token [^:]+: ")
    terminal.type("\n")
    terminal.expect("Folder that Claude Code works in")
    terminal.type("\n")
    terminal.expect("The page does not answer")
    assert terminal.end() == 0


@pytest.mark.parametrize("token", ["123456:WRONG", "no token", "../../x:y"])
def test_a_wrong_token_is_one_line(machine: Machine, api: TelegramApi, token: str) -> None:
    done = machine.run(TELEGRAM_BOT_TOKEN=token, BRIDGE_TELEGRAM_API_URL=api.url)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1 and "token" in done.stderr
    assert token not in done.stdout + done.stderr
    assert not machine.config.exists() and machine.changes() == []


def test_no_network_is_one_line(machine: Machine) -> None:
    url = "http://127.0.0.1:9"
    done = machine.run(TELEGRAM_BOT_TOKEN="1:x", BRIDGE_TELEGRAM_API_URL=url)
    assert (done.returncode, done.stderr) == (
        1,
        f"{url} can't be reached. Check the network, then run ./install.sh again.\n",
    )


@pytest.mark.parametrize("text", ["idle_minutes = ", "idle_minutes = -1", "nothing = 1"])
def test_a_wrong_config_toml_is_one_line(
    machine: Machine, bot_settings: dict[str, str], text: str
) -> None:
    machine.config.parent.mkdir(parents=True)
    machine.config.write_text(text)
    done = machine.run(**bot_settings)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1 and "config.toml" in done.stderr
    assert machine.config.read_text() == text


def test_a_project_folder_that_is_not_there_is_one_line(
    machine: Machine, bot_settings: dict[str, str]
) -> None:
    done = machine.run(BRIDGE_PROJECT_DIR="/nowhere", **bot_settings)
    assert (done.returncode, done.stderr) == (
        2,
        "project_dir is /nowhere, and there is no such folder.\n",
    )


def test_at_a_terminal_it_asks_and_waits_for_the_phone(
    machine: Machine, api: TelegramApi, terminals: Callable[..., Terminal]
) -> None:
    project = machine.home / "project"
    project.mkdir()
    terminal = terminals(machine, BRIDGE_TELEGRAM_API_URL=api.url)
    terminal.expect(r"Bot token from @BotFather \(stays unseen\): ")
    terminal.type("123456:WRONG\n")
    terminal.expect(r"Telegram does not know this bot token[^:]+: /mybots\.\s+Bot token [^:]+: ")
    terminal.type(f"{api.token}\n")
    terminal.expect(rf"Folder that Claude Code works in \[{machine.home}\]: ")
    terminal.type("~/projekt\n")
    terminal.expect(r"There is no folder .*/projekt\.\s+Folder [^:]+: ")
    terminal.type("~/project\n")
    code = terminal.expect(r"\?start=(\S+)")[1]
    terminal.expect("Waiting for your phone")
    assert People(machine.folder).redeem(code, 42, "Ada")
    terminal.expect(r"Paired with Ada \(id 42\)\.")
    assert terminal.end() == 0
    assert terminal.seen.rstrip().endswith("tmux -L claude-telegram attach")
    assert api.token not in terminal.seen and "WRONG" not in terminal.seen
    written = load_config({"HOME": str(machine.home)}, machine.config.read_text())
    assert written.telegram_bot_token.reveal() == api.token
    assert written.project_dir == project


def test_ctrl_c_ends_the_waiting_but_not_the_installing(
    machine: Machine, bot_settings: dict[str, str], terminals: Callable[..., Terminal]
) -> None:
    terminal = terminals(machine, BRIDGE_PROJECT_DIR=str(machine.home), **bot_settings)
    terminal.expect("Waiting for your phone")
    terminal.process.send_signal(signal.SIGINT)
    terminal.expect(r"Not paired yet\. A new code: \./install\.sh --pair")
    assert terminal.end() == 0
    assert "attach" in terminal.seen


def test_ctrl_c_at_a_question_ends_it_politely(
    machine: Machine, terminals: Callable[..., Terminal]
) -> None:
    terminal = terminals(machine)
    terminal.expect("Bot token")
    terminal.process.send_signal(signal.SIGINT)
    assert terminal.end() == 130
    assert "Stopped. ./install.sh goes on from here." in terminal.seen
    assert "Traceback" not in terminal.seen


def test_ctrl_c_before_it_can_say_anything_just_ends_it(machine: Machine) -> None:
    slow = machine.home / "slow"
    slow.mkdir()
    (slow / "argparse.py").write_text(
        "import pathlib, signal; pathlib.Path(__file__).with_name('at-it').touch(); signal.pause()"
    )
    starting = subprocess.Popen(
        [sys.executable, str(ROOT / "installer_start.py")],
        env=machine.environ | {"PYTHONPATH": str(slow)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        wait_until((slow / "at-it").exists, "it is being loaded")
        starting.send_signal(signal.SIGINT)
        said, _ = starting.communicate(timeout=30)
    finally:
        starting.kill()
    assert (starting.returncode, said) == (-signal.SIGINT, "")


# At the moment when the bridge's process is there.
_KILLED_IN_THE_MIDDLE = """
import os, subprocess
class Popen(subprocess.Popen):
    def __init__(self, *words, **options):
        super().__init__(*words, **options)
        if "umask" in options:
            os.kill(os.getpid(), 9)
subprocess.Popen = Popen
"""


def test_who_is_killed_while_the_bridge_starts_leaves_none_that_the_next_run_does_not_find(
    container: Machine, bot_settings: dict[str, str]
) -> None:
    words = container.words()
    words[2] = _KILLED_IN_THE_MIDDLE + words[2]
    environ = container.environ | bot_settings
    killed = subprocess.run(words, cwd=ROOT, env=environ, capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL
    wait_until(container.find_bridge, "the bridge is found", 10)
    assert container.run().returncode == 0
    found = container.find_bridge()
    running = [
        process.pid
        for process in psutil.process_iter(["cmdline"])
        if str(container.bridge) in (process.info["cmdline"] or [])
    ]
    assert found and running == [found.pid]
    assert "stopped and removed" in container.run("--uninstall").stdout
    assert not found.is_running()


def test_who_is_paired_is_not_asked_again(machine: Machine, bot_settings: dict[str, str]) -> None:
    people = People(machine.folder)
    assert people.redeem(people.issue_code(), 42, "Ada")
    done = machine.run(**bot_settings)
    assert "Paired with Ada (id 42)." in done.stdout
    assert "?start=" not in done.stdout


def test_a_broken_pairing_is_told_before_the_new_code(
    machine: Machine, bot_settings: dict[str, str]
) -> None:
    people = People(machine.folder)
    assert people.redeem(people.issue_code(), 42, "Ada")
    people.path.write_text("{")
    done = machine.run(**bot_settings)
    assert "people.json was damaged and is now in " in done.stdout
    assert "?start=" in done.stdout


def test_pair_prints_a_new_code(machine: Machine, bot_settings: dict[str, str]) -> None:
    machine.run(**bot_settings)
    done = machine.run("--pair")
    assert done.returncode == 0
    code = re.search(r"\?start=(\S+)", done.stdout)
    assert code and "█" in done.stdout
    assert People(machine.folder).redeem(code[1], 42, "Ada")
    again = machine.run("--pair")
    assert again.returncode == 0
    assert "Already paired with Ada (id 42)." in again.stdout and "?start=" not in again.stdout
