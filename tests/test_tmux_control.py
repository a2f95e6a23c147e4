"""tmux_control: a real tmux, with a program at the far end that writes down what reaches it."""

from __future__ import annotations

import json
import os
import pty
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from core.claude_code import Typing
from core.errors import (
    PaneNotFoundError,
    TerminalError,
    TerminalMissingError,
    TerminalTimeoutError,
)
from tests.world import wait_until
from tmux_control import Pane, TmuxControl

RECORDER = Path(__file__).parent / "fixtures/pane_recorder.py"
AT_ONCE = Typing(in_pieces=True, seconds_before_enter=0.0)
SECRET = "sk-ant-a-secret-value"

pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")


class Desk:
    """A control on a server of its own, and the recorders in its panes."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.sockets = tempfile.mkdtemp(dir="/tmp")  # a socket's path has to be short
        self.socket = f"bridge-test-{uuid.uuid4().hex[:12]}"
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(root),
            "TMUX_TMPDIR": self.sockets,
            "ANTHROPIC_API_KEY": SECRET,
        }
        self.control = self.make_control()

    def make_control(self, **changes: Any) -> TmuxControl:
        settings: dict[str, Any] = {
            "socket": self.socket,
            "environment": self.environment,
            "folder": self.root / "typing",
            "typing": AT_ONCE,
        }
        return TmuxControl(**(settings | changes))

    def record(self, name: str, *arguments: str, control: TmuxControl | None = None) -> Pane:
        """Open a recorder of that name, and wait until it is ready."""
        folder = self.root / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        command = [sys.executable, str(RECORDER), str(folder), *arguments]
        pane = (control or self.control).open(name, command, folder)
        wait_until((folder / "story").exists, "the recorder is ready")
        return pane

    def story(self, name: str) -> dict[str, Any]:
        story: dict[str, Any] = json.loads((self.root / name / "story").read_text())
        return story

    def keys(self, name: str, end: bytes = b"\r") -> bytes:
        """All that was typed, once it ends in `end`."""
        path = self.root / name / "keys"
        wait_until(lambda: path.read_bytes().endswith(end), f"{end!r} at the end of the keys")
        return path.read_bytes()

    def text(self, name: str) -> str:
        """What was pasted before Enter, as a program that knows bracketed paste reads it."""
        keys = self.keys(name).decode()
        assert re.fullmatch(r"(?:\x1b\[200~[^\x1b]*\x1b\[201~)+\r", keys)
        return re.sub(r"\x1b\[20[01]~", "", keys[:-1]).replace("\r", "\n")

    def tmux(self, *arguments: str) -> str:
        """What a person at the machine may do."""
        command = ["tmux", "-L", self.socket, *arguments]
        environment = self.environment
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        return done.stdout.rstrip("\n")

    def server_pid(self) -> int:
        return int(self.tmux("display-message", "-p", "#{pid}"))


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    yield made
    made.control.kill_server()
    shutil.rmtree(made.sockets)


# --- opening and finding ------------------------------------------------------------------------


def test_open_runs_the_command_itself_in_its_directory(desk: Desk) -> None:
    arguments = ["a b", "c;", ";", "#{pane_id}", "$HOME", "it's", "é", "", "-x", "\\;"]
    pane = desk.record("one", *arguments)
    story = desk.story("one")
    assert pane == Pane("one", pane.pane_id, story["pid"], False, None, False)
    assert story["arguments"] == arguments
    assert story["directory"] == str(desk.root / "one")
    assert story["columns"] == 120
    assert desk.control.find("one") == pane
    assert desk.control.panes() == [pane]


def test_a_directory_may_have_any_name(desk: Desk) -> None:
    directory = desk.root / "#{pane_id} #(touch x) 'é' $HOME;"
    directory.mkdir()
    desk.control.open("odd", ["sh", "-c", "pwd > out; exec cat"], directory)
    wait_until(lambda: (directory / "out").exists() and (directory / "out").read_text(), "pwd")
    assert (directory / "out").read_text() == f"{directory}\n"
    assert [path.name for path in directory.iterdir()] == ["out"]


def test_without_a_server_there_are_no_panes(desk: Desk) -> None:
    assert desk.control.panes() == []
    assert desk.control.find("one") is None


def test_a_name_is_given_once(desk: Desk) -> None:
    pane = desk.record("one")
    with pytest.raises(TerminalError, match="already open"):
        desk.control.open("one", ["cat"], desk.root)
    assert desk.control.panes() == [pane]


@pytest.mark.parametrize("name", ["", "a b", "a:b", "a.b", "=a", "é", "a\n", "#{x}", "x" * 65])
def test_a_name_that_tmux_could_take_for_something_else_is_refused(desk: Desk, name: str) -> None:
    with pytest.raises(TerminalError, match="cannot be the name"):
        desk.control.open(name, ["cat"], desk.root)
    with pytest.raises(TerminalError, match="cannot be the name"):
        desk.control.type_text(name, "x")


def test_a_name_is_not_taken_for_the_start_of_another(desk: Desk) -> None:
    desk.record("one-two")
    assert desk.control.find("one") is None
    desk.control.close("one")
    assert desk.control.find("one-two") is not None


@pytest.mark.parametrize("directory", ["/no/such/folder", "relative"])
def test_a_missing_directory_is_refused(desk: Desk, directory: str) -> None:
    with pytest.raises(TerminalError, match="no folder"):
        desk.control.open("one", ["cat"], directory)


def test_the_last_words_of_a_command_that_failed_can_be_read(desk: Desk) -> None:
    desk.control.open("one", ["sh", "-c", "echo No conversation found; exit 3"], desk.root)
    wait_until(lambda: (pane := desk.control.find("one")) and pane.exit_status == 3, "it failed")
    said = (
        "No conversation found\nPane is dead ("  # drawn before tmux knows the status, now and then
    )
    wait_until(lambda: desk.control.capture("one").startswith(said), "tmux says so, too")


def test_a_command_that_does_not_exist_says_so(desk: Desk) -> None:
    def says_so() -> bool:
        desk.control.open("one", ["/no/such/claude"], desk.root)
        wait_until(lambda: (it := desk.control.find("one")) and it.exit_status == 127, "it failed")
        said = desk.control.capture("one")
        desk.control.close("one")
        return "/no/such/claude: not found" in said

    wait_until(says_so, "it says so")  # tmux loses last words now and then


def test_the_last_words_are_whole_lines(desk: Desk) -> None:
    words = "a long line of last words " * 20

    def are_whole() -> bool:
        desk.control.open("one", ["sh", "-c", 'echo "$0"; exit 3', words], desk.root)
        wait_until(lambda: (it := desk.control.find("one")) and it.exit_status == 3, "it ended")
        lines = desk.control.capture("one").split("\n")
        desk.control.close("one")
        return lines[0] == words.strip()

    wait_until(are_whole, "a whole line")


def test_a_killed_command_has_the_exit_status_that_a_shell_gives(desk: Desk) -> None:
    pane = desk.record("one")
    os.kill(pane.pid, signal.SIGKILL)
    wait_until(lambda: (now := desk.control.find("one")) and now.exit_status == 137, "137")


def test_a_command_that_ended_well_leaves_no_pane(desk: Desk) -> None:
    desk.control.open("one", ["true"], desk.root)
    wait_until(lambda: desk.control.find("one") is None, "the pane is gone")


def test_a_dead_pane_makes_room(desk: Desk) -> None:
    desk.control.open("one", ["false"], desk.root)
    wait_until(lambda: (pane := desk.control.find("one")) and pane.is_dead, "it has failed")
    assert not desk.record("one").is_dead


def test_close_hangs_up_and_is_no_error_when_nothing_is_there(desk: Desk) -> None:
    desk.control.close("one")
    desk.record("one")
    desk.control.close("one")
    wait_until((desk.root / "one/hung-up").exists, "the program was hung up on")
    assert desk.control.find("one") is None
    desk.control.close("one")


# --- the server ---------------------------------------------------------------------------------


def test_a_pane_sees_the_environment_of_today_not_of_the_first_start(desk: Desk) -> None:
    desk.environment["CLAUDE_CODE_OLD"] = "old"
    desk.record("first", control=desk.make_control())
    del desk.environment["CLAUDE_CODE_OLD"]
    desk.environment |= {"ANTHROPIC_API_KEY": "another", "CLAUDE_CODE_NEW": "a b;'\n=\\ é"}
    desk.record("second", control=desk.make_control())
    first, second = (desk.story(name)["environment"] for name in ("first", "second"))
    assert (first["ANTHROPIC_API_KEY"], first["CLAUDE_CODE_OLD"]) == (SECRET, "old")
    assert second.items() >= desk.environment.items()
    assert "CLAUDE_CODE_OLD" not in second
    own = {"PWD", "OLDPWD", "SHLVL", "_", "SHELL", "LC_CTYPE", "__CF_USER_TEXT_ENCODING"}
    set_by_tmux = {"TERM", "TERM_PROGRAM", "TERM_PROGRAM_VERSION", "TMUX", "TMUX_PANE", "COLORTERM"}
    assert second.keys() - desk.environment.keys() <= own | set_by_tmux


def test_a_persons_own_configuration_is_not_read(desk: Desk) -> None:
    (desk.root / ".tmux.conf").write_text("set -g prefix C-a\n")
    desk.record("one")
    assert desk.tmux("show-options", "-gv", "prefix") == "C-b"


def test_after_the_server_was_killed_open_starts_another(desk: Desk) -> None:
    desk.record("one")
    server = psutil.Process(desk.server_pid())
    server.kill()
    psutil.wait_procs([server], timeout=10)
    assert desk.control.panes() == []
    with pytest.raises(PaneNotFoundError):
        desk.control.type_text("one", "x")
    desk.control.close("one")
    desk.record("one")
    desk.control.type_text("one", "hello")
    assert desk.text("one") == "hello "


def test_open_right_after_the_server_was_ended_works_every_time(desk: Desk) -> None:
    for _ in range(10):
        desk.control.open("one", ["cat"], desk.root)
        desk.control.kill_server()
    for _ in range(10):
        desk.control.open("one", ["cat"], desk.root)
        desk.control.close("one")


def test_a_server_that_does_not_answer_is_given_up_on_and_may_come_back(desk: Desk) -> None:
    desk.record("one")
    server = desk.server_pid()
    control = desk.make_control(timeout=0.2)
    os.kill(server, signal.SIGSTOP)
    try:
        with pytest.raises(TerminalTimeoutError, match=r"within 0\.2 seconds"):
            control.type_text("one", "x")
        with pytest.raises(TerminalTimeoutError):
            control.panes()
    finally:
        os.kill(server, signal.SIGCONT)
    assert list((desk.root / "typing").iterdir()) == []
    assert desk.control.find("one") is not None


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGHUP, signal.SIGTERM])
def test_panes_outlive_the_process_group_that_opened_them(desk: Desk, sent: int) -> None:
    program = (
        "import sys, time; from pathlib import Path; from tmux_control import TmuxControl\n"
        "from core.claude_code import Typing\n"
        f"control = TmuxControl(socket={desk.socket!r}, environment={desk.environment!r},"
        f" folder=Path({str(desk.root / 'typing')!r}), typing=Typing(True, 0.0))\n"
        f"control.open('one', ['cat'], {str(desk.root)!r})\n"
        "print('open', flush=True); sys.stdin.read()\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=Path(__file__).parent.parent,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert child.stdout is not None and child.stdout.readline() == b"open\n"
    os.killpg(child.pid, sent)
    child.communicate()
    pane = desk.control.find("one")
    assert pane is not None and not pane.is_dead


def test_a_socket_may_be_a_path(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.socket = str(tmp_path / "a b.sock")
    control = desk.make_control()
    try:
        desk.record("one", control=control)
        assert (tmp_path / "a b.sock").is_socket()
        assert f"-S {shlex.quote(desk.socket)} " in control.attach_command("one")
    finally:
        control.kill_server()


@pytest.mark.parametrize("shell", ["sh", "bash", "zsh", "dash"])
def test_the_attach_command_shows_the_pane_in_any_shell(desk: Desk, shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    desk.record("one")
    command = desk.control.attach_command("one")
    child, terminal = pty.fork()
    if child == 0:
        inside = desk.environment | {"TERM": "xterm-256color", "TMUX": "/some/other,1,0"}
        os.execve(shutil.which(shell) or shell, [shell, "-c", command], inside)
    try:
        shown = b""
        while b"recording" not in shown:
            shown += os.read(terminal, 65536)
        wait_until(lambda: desk.tmux("list-clients", "-F", "#{session_name}") == "one", "a client")
    finally:
        desk.tmux("detach-client", "-s", "=one")
        os.close(terminal)
        os.waitpid(child, 0)


def test_check_accepts_the_installed_tmux(desk: Desk) -> None:
    desk.control.check()


@pytest.mark.parametrize(
    ("version", "is_accepted"),
    [
        ("tmux 3.2", True),
        ("tmux 3.7b", True),
        ("tmux next-3.8", True),
        ("tmux master", True),
        ("tmux 3.1c", False),
        ("tmux 2.9a", False),
    ],
)
def test_check_refuses_a_tmux_that_is_too_old(desk: Desk, version: str, is_accepted: bool) -> None:
    fake = desk.root / "tmux"
    fake.write_text(f"#!/bin/sh\necho {version}\n")
    fake.chmod(0o755)
    control = desk.make_control(executable=str(fake))
    if is_accepted:
        control.check()
    else:
        with pytest.raises(TerminalMissingError, match=r"older than 3\.2.*apt install tmux"):
            control.check()


def test_a_missing_tmux_says_how_to_get_it(desk: Desk) -> None:
    control = desk.make_control(executable="no-such-tmux")
    for call in (control.check, control.panes, lambda: control.open("one", ["cat"], desk.root)):
        with pytest.raises(TerminalMissingError, match="brew install tmux"):
            call()
