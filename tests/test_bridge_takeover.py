"""A session that moves between a terminal and the chat, from end to end."""

from __future__ import annotations

import os
import pty
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from claude_registry import is_suspended
from core.events import ClaudeProcess
from tests.standins.messages_api import ModelRequest, Reply, UseTool, answer_by_prompt
from tests.standins.telegram_state import Message
from tests.test_bridge_sessions import press
from tests.world import World, wait_until

_SETTINGS = "set -g prefix C-a\nunbind C-b\nset -g mode-keys vi\nset -g default-command sh\n"


class Terminal:
    """A tmux of the person's own, with keys of their own and a shell in its one pane."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.socket = f"{world.socket}-own"
        self.settings = world.root / "tmux.conf"
        self.settings.write_text(_SETTINGS)
        self.tmux("new-session", "-d", "-s", "work", "-x", "100", "-c", str(world.project))

    def tmux(self, *arguments: str) -> str:
        environment = self.world.environment
        shown = {k: v for k, v in environment.items() if not k.startswith("TELEGRAM")}
        return subprocess.run(
            ["tmux", "-u", "-L", self.socket, "-f", str(self.settings), *arguments],
            env=shown,
            capture_output=True,
            text=True,
            check=False,
        ).stdout

    def types(self, line: str) -> None:
        self.tmux("send-keys", "-t", "work", "-l", line)
        end = line[-15:]
        wait_until(lambda: end in self.screen.replace("\n", ""), f"{end!r} is on the screen")
        self.tmux("send-keys", "-t", "work", "Enter")

    @property
    def screen(self) -> str:
        return self.tmux("capture-pane", "-p", "-t", "work")

    def begins(self, prompt: str) -> ClaudeProcess:
        """The person starts Claude here, and asks something."""
        session_id = str(uuid.uuid4())
        self.types(f"{self.world.claude} --session-id {session_id} --permission-mode default")
        process = self.world.wait_for_process("idle")
        self.types(prompt)
        wait_until(lambda: f"Echo: {prompt}" in self.world.transcripts(), "Claude has answered")
        self.world.wait_for_process("idle")
        return process


@pytest.fixture
def terminal(world: World) -> Iterator[Terminal]:
    made = Terminal(world)
    yield made
    made.tmux("kill-server")


def joins(world: World, process: ClaudeProcess) -> None:
    world.ask(f"/resume {process.session_id}", "Joined where it is open: tmux session “work”.")


def pids(world: World) -> list[int]:
    return [process.pid for process in world.processes()]


def test_a_session_in_a_tmux_is_joined_in_place(world: World, terminal: Terminal) -> None:
    process = terminal.begins("my cat is called Grace")
    world.start_bridge()
    joins(world, process)
    terminal.tmux("copy-mode", "-t", "work")
    assert world.ask("recall", "You told me").text == "You told me: my cat is called Grace"
    assert pids(world) == [process.pid]
    assert "You told me: my cat is called Grace" in terminal.screen
    assert "Echo: my cat is called Grace" not in world.texts()
    # What is typed at the terminal is seen in the chat, also after the bridge was away.
    world.kill_bridge()
    terminal.types("and a dog")
    wait_until(lambda: "Echo: and a dog" in world.transcripts(), "Claude has answered")
    world.start_bridge()
    world.reads("⌨️ and a dog")
    world.reads("Echo: and a dog")
    world.ask("hello", "Echo: hello")
    assert pids(world) == [process.pid]
    # When the pane goes away, the session is asleep, and is resumed in the bridge's own tmux.
    terminal.tmux("kill-server")
    wait_until(lambda: not world.processes(), "Claude went with its pane")
    told = world.ask("recall", "You told me")
    assert told.text == "You told me: my cat is called Grace | recall | and a dog | hello"
    assert len(pids(world)) == 1
    assert "hello" in world.screen()


def test_the_chat_follows_what_happens_in_the_joined_terminal(
    world: World, terminal: Terminal
) -> None:
    process = terminal.begins("my cat is called Grace")
    world.start_bridge()
    joins(world, process)
    terminal.types("/clear")
    wait_until(
        lambda: [p for p in world.processes() if p.session_id != process.session_id],
        "it has another session",
    )
    assert world.ask("recall", "You told me").text == "You told me:"
    assert pids(world) == [process.pid]
    # Its permission prompts, of which no hook tells, are answered by keys.
    world.model.answer = _asks_first
    world.say("go")
    asked = world.reads("touch made")
    wait_until(lambda: _is_allowed(world, asked), "the tool ran")
    world.reads("The tool said:")
    # The person leaves Claude: it is not typed at the shell, but resumed here.
    world.model.answer = answer_by_prompt
    terminal.types("/exit")
    wait_until(lambda: not world.processes(), "Claude has ended")
    world.ask("hello", "Echo: hello")
    assert "hello" not in terminal.screen.rpartition("/exit")[2]


def _is_allowed(world: World, asked: Message) -> bool:
    """Press the first answer, again if the screen was not yet still; whether the tool ran."""
    asked = world.telegram.message(world.chat, asked.message_id)
    if asked.labels and asked.labels[0].startswith("1. Yes"):
        world.telegram.press(world.chat, world.user, asked.message_id, asked.labels[0])
    return (world.project / "made").exists()


def _asks_first(request: ModelRequest) -> Reply:
    if request.last_result is None and "go" in request.user_texts:
        return UseTool("Bash", {"command": "touch made", "description": "Make it"})
    return answer_by_prompt(request)


def test_closing_what_is_open_in_a_terminal_asks_first(world: World, terminal: Terminal) -> None:
    process = terminal.begins("my cat is called Grace")
    world.start_bridge()
    joins(world, process)
    asked = world.ask("/close", "is open in a terminal of yours. Close it there, too?")
    assert pids(world) == [process.pid]
    press(world, asked, "Close it", "Closed: “my cat is called Grace”.")
    wait_until(lambda: not world.processes(), "it has ended")
    in_front = ("display-message", "-p", "-t", "work", "#{pane_current_command}")
    wait_until(lambda: terminal.tmux(*in_front).strip() == "sh", "the shell is in front")
    terminal.types("echo the shell is $((1 + 1))")
    wait_until(lambda: "the shell is 2" in terminal.screen, "the shell lives")


def test_a_suspended_claude_is_not_typed_at_and_can_be_taken_over(
    world: World, terminal: Terminal
) -> None:
    process = terminal.begins("my cat is called Grace")
    terminal.tmux("send-keys", "-t", "work", "C-z")
    wait_until(lambda: is_suspended(process.pid), "the shell is in front")
    world.start_bridge()
    told = world.ask(f"/resume {process.session_id}", "not in a tmux that could be joined")
    shown = terminal.screen
    world.telegram.press(world.chat, world.user, told.message_id, "Take over")
    wait_until(lambda: pids(world) not in ([], [process.pid]), "it runs here")
    assert world.ask("recall", "You told me").text == "You told me: my cat is called Grace"
    assert terminal.screen.startswith(shown.rstrip())


@contextmanager
def plain_terminal(world: World, *command: str) -> Iterator[None]:
    """A terminal window without any tmux, in which that runs."""
    parent, child = pty.openpty()
    environment = {k: v for k, v in world.environment.items() if not k.startswith("TELEGRAM")}
    process = subprocess.Popen(
        ["setsid", "--ctty", *command],
        env=environment,
        cwd=world.project,
        stdin=child,
        stdout=child,
        stderr=child,
    )
    os.close(child)
    os.set_blocking(parent, False)
    try:
        yield
    finally:
        process.kill()
        process.wait()
        os.close(parent)


def test_a_session_in_no_tmux_is_taken_over_at_a_press(world: World) -> None:
    world.start_bridge()
    world.ask("my cat is called Grace", "Echo")
    before = world.wait_for_process("idle")
    world.ask("/kill", "Ended.")
    wait_until(lambda: not psutil.pid_exists(before.pid), "Claude is gone")
    session_id = before.session_id
    claude = [str(world.claude), "--resume", session_id, "--permission-mode", "default"]
    with plain_terminal(world, *claude):
        other = world.wait_for_process("idle")
        listed = world.ask("/sessions", "open in a terminal (pts/")
        press(world, listed, "1", "State: open in a terminal (pts/")
        told = world.reads("Leave it there with /exit", after=world.say("recall"))
        assert pids(world) == [other.pid]
        # Continuing it tells the same, and both buttons are good for it.
        continued = world.ask(f"/resume {session_id}", "Leave it there with /exit")
        world.telegram.press(world.chat, world.user, continued.message_id, "Take over")
        wait_until(lambda: pids(world) not in ([], [other.pid]), "it runs here")
        world.telegram.press(world.chat, world.user, told.message_id, "Take over")
        assert world.reads("You told me").text == "You told me: my cat is called Grace"
        assert len(pids(world)) == 1


def test_the_bridge_gives_way_to_a_terminal_that_opens_its_session(
    world: World, terminal: Terminal
) -> None:
    world.start_bridge()
    world.ask("my cat is called Grace", "Echo")
    ours = world.wait_for_process("idle")
    terminal.types(f"{world.claude} --resume {ours.session_id} --permission-mode default")
    world.reads("You opened this session in a terminal, so its process here has ended.")
    wait_until(lambda: ours.pid not in pids(world), "it has ended")
    [theirs] = pids(world)
    world.wait_for_process("idle")
    wait_until(lambda: "Echo: my cat" in terminal.screen, "Claude shows the conversation")
    terminal.types("and a dog")
    wait_until(lambda: "Echo: and a dog" in world.transcripts(), "Claude has answered")
    world.wait_for_process("idle")
    world.say("recall")
    world.reads("Joined where it is open: tmux session “work”.")
    told = world.reads("You told me")
    assert told.text == "You told me: my cat is called Grace | and a dog"
    assert pids(world) == [theirs]
    assert world.reads("⌨️ and a dog").message_id < told.message_id


def test_attach_wakes_the_session_and_detaching_gives_it_back(
    world: World, terminal: Terminal
) -> None:
    world.start_bridge()
    world.ask("my cat is called Grace", "Echo")
    world.ask("/kill", "Ended.")
    wait_until(lambda: not world.processes(), "Claude is gone")
    told = world.ask("/attach", "At the machine:")
    command = next(line for line in told.text.split("\n") if " attach " in line)
    process = world.wait_for_process("idle")
    terminal.types(command)
    wait_until(lambda: world.tmux("list-clients"), "somebody is attached")
    terminal.types("typed at the desk")
    world.reads("⌨️ typed at the desk")
    world.reads("Echo: typed at the desk")
    assert world.ask("from the phone", "Echo: from the phone")
    wait_until(lambda: "Echo: from the phone" in terminal.screen, "both see it")
    world.wait_for_process("idle")
    terminal.tmux("send-keys", "-t", "work", "C-b")
    terminal.tmux("send-keys", "-t", "work", "d")
    wait_until(lambda: not world.tmux("list-clients"), "nobody is attached any more")
    told = world.ask("recall", "You told me")
    assert told.text == "You told me: my cat is called Grace | typed at the desk | from the phone"
    assert pids(world) == [process.pid]


def test_attach_names_the_persons_own_tmux(world: World, terminal: Terminal) -> None:
    process = terminal.begins("hello")
    world.start_bridge()
    joins(world, process)
    told = world.ask("/attach", "At the machine:")
    assert f"{terminal.socket} attach -t" in told.text
    assert Path(told.text.partition("-S ")[2].split()[0]).is_socket()
