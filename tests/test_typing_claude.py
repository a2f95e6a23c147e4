"""The real Claude Code reads what `prepare_prompt` says, and is as touchy as its tables say."""

from __future__ import annotations

import json
import os
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from core.claude_code import EXIT_WORDS, typing_for
from core.keystrokes import LONGEST_PROMPT, MOST_LINES, is_same_prompt, prepare_prompt
from tests.fixtures.hostile_texts import KEPT, REMOVED, REWRITTEN
from tests.standins.messages_api import API_KEY, MessagesApi
from tests.world import wait_until
from tmux_control import TmuxControl

NAME = "claude"
LONG = {
    "one line": ('It\'s "long"; $x `y` {z} # é 漢 🙂 ' * 500)[:LONGEST_PROMPT].rstrip(),
    "emoji": "🙂" * 3000,
    "the most lines": "\n".join(f"line {number}" for number in range(MOST_LINES)),
    "the most of all": "\n".join(["x" * 31] * MOST_LINES)[:LONGEST_PROMPT],
    "blank lines": "x" + "\n" * (MOST_LINES - 1) + "y",
    "code": "\n".join(f"{'    ' * (number % 9)}if x[{number}]: # \\" for number in range(200)),
    "images": "\n".join(f"/nonexist/{number}.png" for number in range(100)),
}


class Desk:
    """One Claude Code in a pane, in a HOME of its own, with a stand-in for the model."""

    def __init__(self, root: Path, claude: Path, model: MessagesApi) -> None:
        self.home = root / "home"
        self.project = root / "project"
        self.model = model
        self.socket = f"bridge-test-{uuid.uuid4().hex[:12]}"
        self.environment = {
            "HOME": str(self.home),
            "PATH": os.environ["PATH"],
            "TERM": "xterm-256color",
            "LANG": "C.UTF-8",
            "TMUX_TMPDIR": str(root),
            "ANTHROPIC_BASE_URL": model.url,
            "ANTHROPIC_API_KEY": API_KEY,
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "CLAUDE_CODE_DISABLE_OFFICIAL_MARKETPLACE_AUTOINSTALL": "1",
            "DISABLE_AUTOUPDATER": "1",
            "DISABLE_TELEMETRY": "1",
            "DISABLE_ERROR_REPORTING": "1",
            "IS_SANDBOX": "1",
        }
        self.control = TmuxControl(
            socket=self.socket,
            environment=self.environment,
            folder=root / "typing",
            typing=typing_for(()),
        )
        # One byte for every turn that has ended.
        self.ends = root / "ends"
        hook = {"type": "command", "command": f"printf . >> {self.ends}"}
        settings = json.dumps({"hooks": {"Stop": [{"hooks": [hook]}]}})
        self.command = [str(claude), "--permission-mode", "default", "--settings", settings]

    def open(self) -> None:
        (self.project / ".claude/commands").mkdir(parents=True)
        (self.project / ".claude/commands/greet.md").write_text("Say hello to '$ARGUMENTS'.")
        self.home.mkdir()
        (self.home / ".claude.json").write_text(
            json.dumps(
                {
                    "hasCompletedOnboarding": True,
                    "theme": "dark",
                    "lastOnboardingVersion": "2.1.330",
                    "lastReleaseNotesSeen": "2.1.330",
                    "hasSeenAutoDefaultNudge": True,
                    "customApiKeyResponses": {"approved": [API_KEY[-20:]], "rejected": []},
                    "projects": {str(self.project): {"hasTrustDialogAccepted": True}},
                }
            )
        )
        self.control.open(NAME, self.command, self.project)
        self.wait_for_status("idle")

    def wait_for_status(self, status: str) -> None:
        wait_until(lambda: self.status() == status, f"Claude is {status}")

    def status(self) -> str | None:
        """What Claude's own registry says; None while there is no such process."""
        for path in (self.home / ".claude/sessions").glob("*.json"):
            try:
                status = json.loads(path.read_text()).get("status")
            except (OSError, ValueError):  # gone, or half written
                continue
            return str(status)
        return None

    def type(self, text: str) -> str:
        """Type as the bridge does; what the model then read, once Claude is idle again."""
        before, ended = len(self.model.turns), self.ended_turns()
        self.control.type_text(NAME, text)
        read = self.read_by_model(before)
        self.wait_for_turns(ended + 1)
        return read

    def ended_turns(self) -> int:
        return self.ends.stat().st_size if self.ends.exists() else 0

    def wait_for_turns(self, count: int) -> None:
        """Until so many have ended: what is typed before waits in a queue, and is changed."""
        wait_until(lambda: self.ended_turns() >= count, "the turn has ended")
        self.wait_for_status("idle")

    def paste(self, text: str) -> None:
        """Type as it is: in one paste, and Enter."""
        (self.project / "paste").write_text(text)
        path = str(self.project / "paste")
        paste = ["paste-buffer", "-p", "-d", "-b", "x", "-t", f"={NAME}:"]
        load, enter = ["load-buffer", "-b", "x", path], ["send-keys", "-t", f"={NAME}:", "Enter"]
        command = ["tmux", "-L", self.socket, *load, ";", *paste, ";", *enter]
        subprocess.run(command, env=self.environment, check=True, capture_output=True)

    def read_by_model(self, before: int) -> str:
        """The last text of the person's in the first request after the first `before`."""
        return self.model.wait_for(lambda _: True, after=before).user_texts[-1]

    def transcript(self) -> list[Any]:
        """The person's own prompts as Claude recorded them."""
        lines = []
        for path in (self.home / ".claude/projects").glob("*/*.jsonl"):
            lines += [json.loads(line) for line in path.read_text().splitlines()]
        return [line["message"]["content"] for line in lines if line["type"] == "user"]


@contextmanager
def open_desk(root: Path, claude: Path) -> Iterator[Desk]:
    with MessagesApi() as model:
        desk = Desk(root, claude, model)
        try:
            desk.open()
            yield desk
        finally:
            desk.control.kill_server()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, frugal_claude: Path) -> Iterator[Desk]:
    """One session for all texts that must arrive, so that one would spoil the next."""
    with open_desk(tmp_path_factory.mktemp("shared"), frugal_claude) as desk:
        yield desk


@pytest.fixture
def desk(tmp_path: Path, frugal_claude: Path) -> Iterator[Desk]:
    with open_desk(tmp_path, frugal_claude) as desk:
        yield desk


@pytest.mark.parametrize("text", KEPT, ids=ascii)
def test_a_hostile_text_is_read_exactly(shared: Desk, text: str) -> None:
    assert shared.type(prepare_prompt(text)) == text


@pytest.mark.parametrize("text", REWRITTEN, ids=ascii)
def test_a_text_that_was_put_right_is_read_exactly(shared: Desk, text: str) -> None:
    assert shared.type(prepare_prompt(text)) == REWRITTEN[text]


@pytest.mark.parametrize("text", LONG.values(), ids=LONG.keys())
def test_a_long_text_is_read_exactly(shared: Desk, text: str) -> None:
    assert shared.type(prepare_prompt(text)) == text


def test_the_transcript_has_what_was_typed(shared: Desk) -> None:
    texts = ["  lead <pasted_content>", "می\u200cخواهم \u2003 ❤\ufe0f", "a\\", "!x"]
    prompts = [prepare_prompt(text) for text in texts]
    for prompt in prompts:
        shared.type(prompt)
    wait_until(lambda: shared.transcript()[-len(prompts) :] == prompts, "the transcript has them")
    assert not is_same_prompt(prompts[0], shared.transcript()[-1])


def test_a_command_gets_its_arguments_without_the_closing_space(shared: Desk) -> None:
    assert shared.type("/greet Bob") == "Say hello to 'Bob'."


def test_a_text_typed_while_claude_works_runs_afterwards(shared: Desk) -> None:
    ended = shared.ended_turns()
    shared.control.type_text(NAME, "hold it")
    shared.wait_for_status("busy")
    shared.control.type_text(NAME, prepare_prompt("  !later a.png"))
    wait_until(lambda: "later" in shared.control.capture(NAME), "it is queued")
    shared.model.release("it")
    shared.model.wait_for_text("!later a.png")  # without the white space before it
    shared.wait_for_turns(ended + 2)


@pytest.mark.parametrize(
    ("text", "shown", "read"),
    [
        pytest.param("a\\", "❯ a", "a\nb", id="a backslash takes it"),
        pytest.param("a.gif", "❯ a.gif", "a.gifb", id="an image takes it"),
        pytest.param("x :smi", "❯ x 😄", "x 😄 b", id="it takes an emoji"),
    ],
)
def test_typed_as_it_is_an_enter_would_not_send(
    desk: Desk, text: str, shown: str, read: str
) -> None:
    desk.paste(text)
    wait_until(lambda: shown in desk.control.capture(NAME).replace("\u00a0", " "), shown)
    desk.paste("b")
    assert desk.read_by_model(0) == read


@pytest.mark.parametrize(
    ("text", "read"),
    [
        pytest.param("!echo hi", "<bash-stdout>hi</bash-stdout>", id="a command is run"),
        pytest.param("x" * 1000, "<pasted_content ", id="a long paste is wrapped"),
        pytest.param("a\nb\nc\nd", "<pasted_content ", id="a paste of many lines is wrapped"),
        pytest.param("a\tb\x0bc\x07d e\u0301", "a    b\ncd é", id="characters are changed"),
        pytest.param(" <pasted_content>  ", " <\\pasted_content>", id="a tag is escaped"),
    ],
)
def test_typed_as_it_is_a_text_would_be_read_otherwise(desk: Desk, text: str, read: str) -> None:
    desk.paste(text)
    assert read in desk.read_by_model(0)


@pytest.mark.parametrize("word", [*sorted(EXIT_WORDS), "\u00a0exit\u3000"], ids=ascii)
def test_typed_as_it_is_a_word_would_end_the_session(desk: Desk, word: str) -> None:
    desk.paste(word)
    wait_until(lambda: desk.control.find(NAME) is None, "Claude has ended")


def test_typed_as_they_are_invisible_characters_would_take_the_enter(desk: Desk) -> None:
    desk.paste("|".join(f"a{character}b" for character in REMOVED))
    wait_until(lambda: "press Enter to send" in desk.control.capture(NAME), "the warning")

    def is_read_after_another_enter() -> bool:
        desk.control.press(NAME, "Enter")
        return bool(desk.model.turns)

    wait_until(is_read_after_another_enter, "the text is sent")
    assert desk.read_by_model(0) == "|".join(["ab"] * len(REMOVED))
