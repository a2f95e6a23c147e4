"""TmuxControl.join: a pane of a person's own tmux, with a shell behind the program in it."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.claude_code import Typing
from core.errors import PaneNotFoundError, PaneNotTypableError
from tests.test_tmux_control import AT_ONCE, RECORDER, Desk, desk
from tests.world import wait_until

__all__ = ["desk"]  # the fixture

pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")

_SETTINGS = "set -g prefix C-a\nunbind C-b\nset -g mode-keys vi\nset -g default-command sh\n"


class Person:
    """A tmux of a person's own, with keys of their own, and a recorder in its one pane."""

    def __init__(self, desk: Desk) -> None:
        self.root = desk.root
        self.folder = desk.root / "theirs"
        self.folder.mkdir()
        self.environment = desk.environment
        self.socket = f"{desk.socket}-theirs"
        (self.root / "settings").write_text(_SETTINGS)
        size = ("-x", "90", "-y", "25")
        self.tmux("new-session", "-d", "-s", "my work", *size)

    def tmux(self, *arguments: str) -> str:
        return subprocess.run(
            ["tmux", "-L", self.socket, "-f", str(self.root / "settings"), *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        ).stdout

    def types(self, line: str) -> None:
        self.tmux("send-keys", "-t", "my work", "-l", line)
        self.tmux("send-keys", "-t", "my work", "Enter")

    def records(self, prefix: str = "") -> int:
        """Start a recorder below the shell; its process id."""
        command = shlex.join([sys.executable, str(RECORDER), str(self.folder)])
        self.types(f"{prefix}{command}")
        wait_until((self.folder / "story").exists, "the recorder is ready")
        pid: int = json.loads((self.folder / "story").read_text())["pid"]
        return pid

    @property
    def keys(self) -> bytes:
        return (self.folder / "keys").read_bytes()

    def shows(self, text: str) -> bool:
        return text in self.tmux("capture-pane", "-p", "-t", "my work")


@pytest.fixture
def person(desk: Desk) -> Iterator[Person]:
    made = Person(desk)
    yield made
    made.tmux("kill-server")


def test_a_pane_of_another_server_is_typed_at_and_looked_at(desk: Desk, person: Person) -> None:
    pid = person.records()
    pane = desk.control.join("theirs", pid, AT_ONCE)
    assert pane is not None
    assert (pane.pid, pane.is_joined, pane.place) == (pid, True, "tmux session “my work”")
    assert desk.control.find("theirs") == pane
    desk.control.type_text("theirs", "hello\nyou ✓")
    desk.control.press("theirs", "Escape")
    wait_until(lambda: person.keys.endswith(b"\x1b"), "all has arrived")
    assert person.keys == b"\x1b[200~hello\ryou \xe2\x9c\x93 \x1b[201~\r\x1b"
    assert "recording ✓" in desk.control.capture("theirs")
    assert desk.control.snapshot("theirs").columns == 90
    assert person.tmux("list-buffers") == ""


def test_copy_mode_is_left_before_typing(desk: Desk, person: Person) -> None:
    desk.control.join("theirs", person.records(), AT_ONCE)
    person.tmux("copy-mode", "-t", "my work")
    desk.control.type_text("theirs", "hello")
    wait_until(lambda: person.keys.endswith(b"hello \x1b[201~\r"), "it has arrived")


def test_the_shell_behind_never_gets_a_key(desk: Desk, person: Person) -> None:
    pid = person.records()
    desk.control.join("theirs", pid, AT_ONCE)
    os.kill(pid, 9)
    wait_until(lambda: person.shows("Killed"), "the shell is in front")
    with pytest.raises(PaneNotTypableError):
        desk.control.press("theirs", "a")
    with pytest.raises(PaneNotTypableError):
        desk.control.type_text("theirs", "touch harm")
    assert not person.shows("harm")
    assert not person.shows("a\n")


def test_keys_that_would_go_to_other_panes_too_are_not_pressed(desk: Desk, person: Person) -> None:
    desk.control.join("theirs", person.records(), AT_ONCE)
    person.tmux("split-window", "-t", "my work")
    person.tmux("set-option", "-w", "-t", "my work", "synchronize-panes", "on")
    with pytest.raises(PaneNotTypableError):
        desk.control.type_text("theirs", "hello")
    assert person.keys == b""


def test_a_program_that_was_suspended_is_not_joined(desk: Desk, person: Person) -> None:
    pid = person.records()
    os.kill(pid, 19)
    wait_until(lambda: person.shows("topped"), "the shell is in front")
    assert desk.control.join("theirs", pid, AT_ONCE) is None
    os.kill(pid, 18)


def test_a_server_that_the_program_does_not_name_is_found(desk: Desk, person: Person) -> None:
    pid = person.records(prefix=f"env -i PATH={shlex.quote(os.environ['PATH'])} ")
    assert desk.control.join("theirs", pid, AT_ONCE) is not None


def test_a_program_in_no_tmux_is_not_joined(desk: Desk, tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "60"], env={"TMUX": f"{tmp_path}/nowhere,1,0"}) as process:
        assert desk.control.join("theirs", process.pid, AT_ONCE) is None
        process.kill()
    assert desk.control.join("theirs", process.pid, AT_ONCE) is None


def test_a_pane_of_a_bridge_is_not_joined(desk: Desk) -> None:
    pane = desk.record("ours")
    assert desk.make_control().join("theirs", pane.pid, AT_ONCE) is None


def test_a_joined_pane_is_left_and_not_closed(desk: Desk, person: Person) -> None:
    pid = person.records()
    desk.control.join("theirs", pid, AT_ONCE)
    desk.control.close("theirs")
    assert desk.control.find("theirs") is None
    os.kill(pid, 0)
    assert person.shows("recording")
    with pytest.raises(PaneNotFoundError):
        desk.control.press("theirs", "a")


def test_a_pane_that_was_closed_is_gone(desk: Desk, person: Person) -> None:
    desk.control.join("theirs", person.records(), AT_ONCE)
    person.tmux("kill-server")
    assert desk.control.find("theirs") is None


def test_it_is_typed_at_as_its_version_needs(desk: Desk, person: Person) -> None:
    desk.control.join("theirs", person.records(), Typing(in_pieces=False, seconds_before_enter=0.1))
    desk.control.type_text("theirs", "x" * 1000)
    wait_until(lambda: person.keys.endswith(b"\r"), "it has arrived")
    assert person.keys == b"\x1b[200~" + b"x" * 1000 + b" \x1b[201~\r"


def test_the_line_that_attaches_shows_the_persons_pane(desk: Desk, person: Person) -> None:
    desk.control.join("theirs", person.records(), AT_ONCE)
    command = desk.control.attach_command("theirs")
    desk.tmux("new-session", "-d", "-s", "viewer", command)
    wait_until(lambda: "recording" in desk.tmux("capture-pane", "-p", "-t", "viewer"), "it shows")
