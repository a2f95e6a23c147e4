"""A whole world for end-to-end tests: a person's machine, Telegram, and Anthropic.

The bridge, Claude Code and tmux are the real ones, each in processes of their own with a clean
environment and a HOME of the test's own; the two far ends are loopback stand-ins.
"""

from __future__ import annotations

import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Self

import psutil

from claude_registry import ClaudeRegistry
from core.card import FOLDED, LIVE
from core.events import ClaudeProcess
from core.screen import read_input_box
from journal import Journal
from session import Session, SessionStore
from tests.standins.messages_api import API_KEY, MessagesApi
from tests.standins.telegram_api import TelegramApi
from tests.standins.telegram_state import Chat, Message, User

ROOT = Path(__file__).resolve().parent.parent
WAIT_SECONDS = 60.0
_ABOUT_QUEUE = ("Waiting, number", "Waiting: ", "Nothing waits any more.")


def wait_until(is_true: Callable[[], Any], what: str, seconds: float = WAIT_SECONDS) -> Any:
    """The first true value of `is_true`, looked at often, for what gives no sign of its own."""
    deadline = time.monotonic() + seconds
    pause = 0.005
    while time.monotonic() < deadline:
        value = is_true()
        if value:
            return value
        time.sleep(pause)  # a bounded look, not a wait for time to pass
        pause = min(pause * 1.5, 0.1)
    raise AssertionError(f"not within {seconds:g} s: {what}")


class World:
    """One owner with a private chat, one project, one bridge."""

    def __init__(self, root: Path, claude: Path) -> None:
        self.root = root
        self.home = root / "home"
        self.project = root / "project"
        self.claude = claude
        self.socket = f"bridge-test-{uuid.uuid4().hex[:12]}"
        self.telegram = TelegramApi()
        self.model = MessagesApi()
        self.user = self.telegram.user(first_name="Ada")
        self.chat = self.telegram.private_chat(self.user)
        self.bridge: subprocess.Popen[bytes] | None = None
        self.settings: dict[str, str] = {}

    def __enter__(self) -> Self:
        self.home.mkdir()
        self.project.mkdir()
        self.telegram.start()
        self.model.__enter__()
        self.write_claude_settings(trusted=[self.project])
        return self

    def __exit__(self, *_: object) -> None:
        with ExitStack() as stack:  # whatever fails, nothing is left
            stack.callback(self.model.__exit__)
            stack.callback(self.telegram.stop)
            stack.callback(self.tmux, "kill-server")
            self.stop_bridge()

    # --- the machine ----------------------------------------------------------------------------

    @property
    def state(self) -> Path:
        """The bridge's state directory."""
        return self.home / ".claude" / "sessions" / "telegram"

    @property
    def environment(self) -> dict[str, str]:
        """What the person's processes see, and nothing of the test's own."""
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        return {
            "HOME": str(self.home),
            "PATH": path,
            "LANG": "C.UTF-8",
            "TERM": "xterm-256color",
            "TELEGRAM_BOT_TOKEN": self.telegram.token,
            "BRIDGE_TELEGRAM_API_URL": self.telegram.url,
            "BRIDGE_ALLOWED_USERS": str(self.user.id),
            "BRIDGE_PROJECT_DIR": str(self.project),
            "BRIDGE_CLAUDE_COMMAND": str(self.claude),
            "BRIDGE_TMUX_SOCKET": self.socket,
            "ANTHROPIC_BASE_URL": self.model.url,
            "ANTHROPIC_API_KEY": API_KEY,
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "CLAUDE_CODE_DISABLE_OFFICIAL_MARKETPLACE_AUTOINSTALL": "1",
            "DISABLE_TELEMETRY": "1",
            "DISABLE_AUTOUPDATER": "1",
            "DISABLE_ERROR_REPORTING": "1",
            "IS_SANDBOX": "1",
            **self.settings,
        }

    def write_claude_settings(self, trusted: list[Path]) -> None:
        """Claude Code as somebody has it who has used it before."""
        settings = {
            "hasCompletedOnboarding": True,
            "theme": "dark",
            "lastOnboardingVersion": "2.1.330",
            "lastReleaseNotesSeen": "2.1.330",
            "hasSeenAutoDefaultNudge": True,
            "customApiKeyResponses": {"approved": [API_KEY[-20:]], "rejected": []},
            "projects": {str(path): {"hasTrustDialogAccepted": True} for path in trusted},
        }
        (self.home / ".claude.json").write_text(json.dumps(settings))

    def tmux(self, *arguments: str) -> str:
        """Run tmux on the bridge's server, as the person at the machine could."""
        environment = {k: v for k, v in self.environment.items() if not k.startswith("TELEGRAM")}
        return subprocess.run(
            ["tmux", "-u", "-L", self.socket, *arguments],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        ).stdout

    @contextmanager
    def attached(self) -> Iterator[None]:
        """A person attaches to the one session, in a terminal of their own."""
        parent, child = pty.openpty()
        attach = ["tmux", "-L", self.socket, "attach"]
        environment = {k: v for k, v in self.environment.items() if not k.startswith("TELEGRAM")}
        client = subprocess.Popen(attach, env=environment, stdin=child, stdout=child, stderr=child)
        try:
            wait_until(lambda: self.tmux("list-clients"), "somebody is attached")
            yield
        finally:
            client.terminate()
            client.wait()
            os.close(parent)
            os.close(child)

    def processes(self) -> list[ClaudeProcess]:
        """The live Claude Code processes, without those that the bridge asks something."""
        found = ClaudeRegistry(self.home / ".claude" / "sessions").processes()
        return [process for process in found if not _is_asked(process.pid)]

    def wait_for_process(self, status: str = "idle") -> ClaudeProcess:
        """The one process that has this status."""
        found: list[ClaudeProcess] = wait_until(
            lambda: [p for p in self.processes() if p.status == status], f"a process {status}"
        )
        return found[0]

    def screen(self) -> str:
        """What the first terminal shows."""
        panes = self.tmux("list-panes", "-a", "-F", "#{pane_id}").split()
        return self.tmux("capture-pane", "-p", "-t", panes[0]) if panes else ""

    def type_at_terminal(self, text: str, terminal: str = "") -> None:
        """A person at a terminal, the first there is, enters a line, and sees to it that it goes.

        Claude Code loses an Enter now and then when it is busy drawing.
        """
        names = self.tmux("list-sessions", "-F", "#{session_name}").split()
        target = f"={terminal or names[0]}:"

        def stands() -> bool:
            return read_input_box(self.tmux("capture-pane", "-pe", "-t", target)) == text

        self.tmux("send-keys", "-t", target, "-l", text)
        wait_until(stands, f"{text!r} stands in the box")
        for _ in range(5):
            self.tmux("send-keys", "-t", target, "Enter")
            with suppress(AssertionError):
                wait_until(lambda: not stands(), f"{text!r} is taken", seconds=3)
                return
        raise AssertionError(f"{text!r} is not taken: {self.screen()}")

    def transcripts(self) -> str:
        """All that Claude Code has written down, but what it notes before a prompt is recorded."""
        found = (self.home / ".claude" / "projects").glob("*/*.jsonl")
        lines = (line for path in found for line in path.read_text().splitlines())
        return "\n".join(line for line in lines if not line.startswith('{"type":"last-prompt"'))

    def kill_claude(self) -> None:
        """`kill -9` of every Claude Code process."""
        for process in self.processes():
            os.kill(process.pid, signal.SIGKILL)
        wait_until(lambda: not self.processes(), "Claude is gone")

    def let_in(self, role: str, name: str) -> tuple[User, Chat, str]:
        """The owner invites somebody, who uses the link; its code is used up."""
        link = self.ask(f"/invite {role}", "https://t.me/bridge_test_bot?start=")
        code = re.findall(r"start=(\S+)", link.text)[0]
        user = self.telegram.user(first_name=name)
        chat = self.telegram.private_chat(user)
        sent = self.telegram.send_text(chat, user, f"/start {code}")
        self.reads("You are in", after=sent, chat=chat)
        self.reads(f"{name} is in now, as {role}.")
        return user, chat, code

    def end_claude(self) -> None:
        """/kill, and wait for the end of what it ends: Claude Code writes until then."""
        pids = [process.pid for process in self.processes()]
        self.ask("/kill", "Ended.")
        wait_until(lambda: not any(map(_runs, pids)), "Claude has ended")

    def kill_tmux(self) -> None:
        """`kill -9` of the tmux server."""
        pid = int(self.tmux("display-message", "-p", "#{pid}"))
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not _runs(pid), "tmux is gone")
        wait_until(lambda: not self.processes(), "Claude went with tmux")

    # --- the bridge -----------------------------------------------------------------------------

    @property
    def _said(self) -> Path:
        """What the bridge says on standard error."""
        return self.root / "bridge.stderr"

    def start_bridge(self) -> None:
        """Run `bridge.py` in the foreground of a process of its own."""
        calls = len(self.telegram.calls_of("getUpdates"))
        self._launch(
            lambda: len(self.telegram.calls_of("getUpdates")) > calls, "the bridge asks for updates"
        )

    def _launch(self, is_up: Callable[[], bool], what: str) -> None:
        """Start the bridge, and wait until it is up."""
        with self._said.open("wb") as said:  # a file: a pipe that nobody empties would block it
            self.bridge = subprocess.Popen(
                [sys.executable, str(ROOT / "bridge.py")],
                env=self.environment,
                cwd=self.root,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=said,
            )
        bridge = self.bridge

        def listens() -> bool:
            assert bridge.poll() is None, self.log()
            return is_up()

        wait_until(listens, what)

    def stop_bridge(self) -> int | None:
        """End it as a service manager does; returns its exit status."""
        if self.bridge is None:
            return None
        self.bridge.terminate()
        status = self.bridge.wait(WAIT_SECONDS)
        self.bridge = None
        said = self._said.read_text()
        assert "Traceback" not in said, said
        return status

    def kill_bridge(self, *, at_rest: bool = True) -> None:
        """`kill -9`, unless told otherwise once it has noted what became of its messages."""
        assert self.bridge is not None
        if at_rest:
            wait_until(self._is_noted, "the outbox is at rest")
        self.bridge.kill()
        self.bridge.wait(WAIT_SECONDS)
        self.bridge = None

    def _is_noted(self) -> bool:
        """Whether no message of the bridge is between being sent and being known as sent."""
        path = self.state / "bridge" / "outbox.journal"
        if not path.exists():
            return True
        copy = self.root / "outbox.journal"
        copy.write_bytes(path.read_bytes())
        records = list(Journal(copy, list).read())
        sending = {record["key"] for record in records if record["t"] == "sending"}
        shown = {n for record in records if record["t"] == "shown" for n in record["messages"]}
        live = {card.message_id for card in self.cards()[-1:] if card.text.startswith(LIVE)}
        done = {record["key"] for record in records if record["t"] == "done"}
        return sending <= done and live <= shown

    def listens_at(self) -> list[tuple[str, int]]:
        """The addresses and ports of the network that the bridge takes connections at."""
        assert self.bridge is not None
        found = psutil.Process(self.bridge.pid).net_connections("inet")
        return [(c.laddr.ip, c.laddr.port) for c in found if c.status == psutil.CONN_LISTEN]

    def log(self) -> str:
        """What the bridge has logged."""
        path = self.state / "bridge" / "bridge.log"
        said = path.read_text() if path.exists() else ""
        return said + (self._said.read_text() if self._said.exists() else "")

    def describe(self) -> list[tuple[str, str]]:
        """What an observer would look at first when something went wrong, under headings."""
        said = [f"{m.message_id}: {m.text!r}" for m in self.telegram.messages(self.chat)]
        asked = [repr(request.user_texts[-1:]) for request in self.model.requests]
        ends = [line[:300] for line in self.transcripts().splitlines()[-20:]]
        return [
            ("the screen", self.screen()),
            ("the chat", "\n".join(said)),
            ("what the model was asked last", "\n".join(asked[-10:])),
            ("Claude Code's processes", "\n".join(repr(process) for process in self.processes())),
            ("the transcripts' ends", "\n".join(ends)),
            ("the inbox", self._tail("inbox.journal")),
            ("the bridge's log", self.log()),
        ]

    def _tail(self, name: str) -> str:
        path = self.state / "bridge" / name
        lines = path.read_text(errors="replace").splitlines() if path.exists() else []
        return "\n".join(line[:300] for line in lines[-60:])

    def sessions(self) -> list[Session]:
        """What the store holds, most recent first."""
        with SessionStore(self.state) as store:
            return store.list_sessions()

    # --- the person at the phone ----------------------------------------------------------------

    def say(self, text: str) -> int:
        """Send a text to the bot."""
        return self.telegram.send_text(self.chat, self.user, text)

    def reads(
        self, part: str, *, after: int = 0, chat: Chat | None = None, topic: int | None = None
    ) -> Message:
        """Wait until a message of the bot, other than the card of a turn, says it.

        In the owner's own chat, unless another one is named.
        """

        def found() -> Message | None:
            said = self._messages(are_cards=False, chat=chat)
            new = (message for message in said if message.message_id > after)
            there = (message for message in new if topic is None or message.topic == topic)
            return next((message for message in there if part in message.text), None)

        try:
            message = self.telegram.wait_for(found, WAIT_SECONDS, what=repr(part))
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log()}") from error
        assert message is not None
        return message

    def ask(self, text: str, answer: str) -> Message:
        """Send a text, and wait for the answer to it."""
        return self.reads(answer, after=self.say(text))

    def texts(self) -> list[str]:
        """What the bot has said, oldest first; the cards of turns are no texts.

        Without the line about what waits, which comes or not by how fast the machine is.
        """
        texts = [message.text or "" for message in self._messages(are_cards=False)]
        return [text for text in texts if not text.startswith(_ABOUT_QUEUE)]

    def cards(self) -> list[Message]:
        """The live cards of turns, and those that were folded, oldest first."""
        return self._messages(are_cards=True)

    def _messages(self, *, are_cards: bool, chat: Chat | None = None) -> list[Message]:
        said = self.telegram.messages(chat or self.chat, from_bot=True)
        return [message for message in said if is_card(message) == are_cards]


def find_claude() -> Path | None:
    """The pinned CLI that `./install.sh --test` installs, or the one that the environment names."""
    named = os.environ.get("BRIDGE_TEST_CLAUDE")
    path = Path(named) if named else ROOT / "tests/claude-cli/node_modules/.bin/claude"
    return path if shutil.which(path) else None


def _is_asked(pid: int) -> bool:
    """Whether it is `claude -p`: it ends by itself, and has no terminal."""
    try:
        return "-p" in psutil.Process(pid).cmdline()
    except psutil.Error:
        return False


def is_card(message: Message) -> bool:
    """Whether it is the card of a turn, which comes or not by how fast the machine is."""
    first = message.edits[0].text if message.edits else message.text
    return (first or "").startswith((LIVE, *FOLDED))


def entries_below(folder: Path) -> dict[Path, bytes]:
    """Every file with its content, and every folder, though some may go while this looks."""
    found: dict[Path, bytes] = {}
    for place, folders, files in os.walk(folder):
        found |= {Path(place, name): b"" for name in folders}
        for path in (Path(place, name) for name in files):
            with suppress(FileNotFoundError):
                found[path] = path.read_bytes() if path.is_file() else b""
    return found


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
