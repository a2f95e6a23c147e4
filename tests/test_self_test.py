"""self_test on the real Claude Code, and on programs that are none."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from core.beliefs import BELIEFS, Belief
from self_test import Check, Report, run
from self_test_api import FAILED, Answer, ModelServer, call_tools, render_answer
from tests.world import ROOT, wait_until

VERSION = "if [ \"$1\" = --version ]; then echo '2.1.330 (Claude Code)'; exit; fi\n"


class Fake:
    """A program in the place of Claude Code, which notes what it is given."""

    def __init__(self, root: Path) -> None:
        self.path = root / "claude"
        self.notes = root / "notes"
        self.notes.mkdir()

    def write(self, body: str) -> list[str]:
        note = f'env > "{self.notes}/$$"\n'
        self.path.write_text(f"#!/bin/sh\n{note}{body}\n")
        self.path.chmod(0o755)
        return [str(self.path)]

    @property
    def environments(self) -> list[dict[str, str]]:
        texts = [path.read_text() for path in self.notes.iterdir()]
        return [dict(line.split("=", 1) for line in t.splitlines() if "=" in line) for t in texts]


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[Fake]:
    """Afterwards nothing that it started may be left: no process, no tmux, no folder."""
    fake = Fake(tmp_path)
    yield fake
    homes = {environment["HOME"] for environment in fake.environments}
    assert homes, "it was run"
    assert [process for process in psutil.process_iter() if home_of(process) in homes] == []
    assert [home for home in homes if Path(home).parent.exists()] == []


def home_of(process: psutil.Process) -> str | None:
    try:
        return process.environ().get("HOME")
    except (psutil.Error, OSError):
        return None


def examine(
    command: list[str], settings: dict[str, str] | None = None, *, seconds: float = 60.0
) -> Report:
    environ = {"PATH": os.environ["PATH"], **(settings or {})}
    return asyncio.run(run(command, environ, seconds=seconds))


def test_everything_holds_on_the_pinned_version_in_under_20_seconds_of_its_own(
    claude_command: Path, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    git = tmp_path / "bin" / "git"  # what clones from elsewhere is noted
    git.parent.mkdir()
    asked = f'case "$*" in *://*|*@*) echo "$*" >> {tmp_path}/asked;; esac'
    git.write_text(f'#!/bin/sh\n{asked}\nPATH=${{PATH#*:}}\nexec git "$@"\n')
    git.chmod(0o755)
    path = f"{git.parent}:{os.environ['PATH']}"
    settings = {"HOME": str(home), "ANTHROPIC_API_KEY": "sk-ant-of-the-user", "PATH": path}
    report = examine([str(claude_command)], settings, seconds=110)
    assert [str(check) for check in report.checks if not check.passed] == []
    crowding = os.getloadavg()[0] / (os.cpu_count() or 1)
    assert report.is_well and report.seconds < 20 * max(1, crowding)
    assert report.summary() == f"Claude Code 2.1.330: {len(BELIEFS)} of {len(BELIEFS)} work."
    assert report.capabilities.has_live_text and report.capabilities.can_resume
    assert list(home.iterdir()) == []
    assert not (tmp_path / "asked").exists()
    assert [process for process in psutil.process_iter() if is_of_self_test(process)] == []


def test_an_option_that_is_gone_costs_no_more_than_the_copy_with_options(
    claude_command: Path, tmp_path: Path
) -> None:
    gone = "echo \"error: unknown option '--effort'\" >&2; exit 1"
    claude = tmp_path / "claude"
    pinned = shlex.quote(str(claude_command))
    line = f'case " $* " in *" --effort "*) {gone};; esac; exec {pinned} "$@"'
    claude.write_text(f"#!/bin/sh\n{line}\n")
    claude.chmod(0o755)
    report = examine([str(claude)])
    failed = {check.belief.key: check for check in report.checks if check.outcome == "failed"}
    assert {"copy", "model", "effort", "agent", "title"} <= set(failed)
    assert not {"starts", "prompt", "permission", "resume", "mode", "catalog"} & set(failed)
    assert failed["effort"].note.endswith("It said: error: unknown option '--effort'")
    skipped = [check.belief.key for check in report.checks if check.outcome == "skipped"]
    assert skipped == ["subagents", "background"]
    assert report.capabilities.can_resume


def is_of_self_test(process: psutil.Process) -> bool:
    """Whether it belongs to a self-test that has ended."""
    home = home_of(process) or ""
    return Path(home).parent.name.startswith("bridge-") and not Path(home).exists()


def test_a_program_that_fails_is_told_in_one_line(fake: Fake) -> None:
    report = examine(fake.write("exit 1"))
    expected = f"`{fake.path} --version` ended with exit status 1"
    assert {check.note for check in report.checks} == {expected}
    assert len(report.checks) == len(BELIEFS) and not report.is_well
    assert (
        report.summary()
        == f"Claude Code of an unknown version: 0 of {len(BELIEFS)} work: {expected}."
    )


def test_a_program_that_hangs_is_told_in_one_line(fake: Fake) -> None:
    report = examine(fake.write("trap '' HUP TERM\nsleep 60 & wait"), seconds=1)
    assert {check.note for check in report.checks} == {
        f"`{fake.path} --version` did not end within 1 s"
    }


def test_a_program_that_is_not_there_is_told_in_one_line(tmp_path: Path) -> None:
    report = examine([str(tmp_path / "nothing")])
    assert "can't be run" in report.checks[0].note and not report.is_well


def test_a_claude_that_ends_at_its_start_is_told_with_its_last_words(fake: Fake) -> None:
    report = examine(fake.write(f"{VERSION}sleep 0.3; echo 'You must log in.'; exit 1"))
    assert report.checks[0].note.endswith("It said: You must log in")
    others = {check.note for check in report.checks[1:]}
    assert others == {f"not tried: {report.checks[0].note}"}
    assert all("\n" not in str(check) for check in report.checks)


def test_a_claude_that_hangs_at_its_start_leaves_nothing(fake: Fake) -> None:
    report = examine(fake.write(f"{VERSION}trap '' HUP TERM\nsleep 60 & wait"), seconds=3)
    assert not report.checks[0].passed and report.checks[0].note.startswith("not seen within")
    assert {check.outcome for check in report.checks[1:]} == {"skipped"}


def test_what_a_killed_self_test_leaves_is_ended_and_removed_by_the_next(
    fake: Fake, tmp_path: Path
) -> None:
    command = fake.write(f"{VERSION}trap '' HUP TERM\nsleep 600 & wait")
    run_one = "import asyncio, sys; from self_test import run; asyncio.run(run(sys.argv[1:], {}))"
    words = [sys.executable, "-c", run_one, *command]
    environment = {**os.environ, "PATH": os.environ["PATH"], "TMPDIR": str(tmp_path)}
    killed = subprocess.Popen(words, cwd=ROOT, env=environment)
    other = tmp_path / "bridge-other"
    other.mkdir()
    try:
        wait_until(lambda: len(fake.environments) > 1, "Claude Code is started in its terminal")
    finally:
        killed.kill()
        killed.wait()
    [home] = {environment["HOME"] for environment in fake.environments}
    assert [process for process in psutil.process_iter() if home_of(process) == home]
    sweep = [sys.executable, "-c", "from self_test import *; sweep_leftovers()"]
    subprocess.run(sweep, cwd=ROOT, env=environment, check=True)
    assert not Path(home).exists() and other.exists()  # the fixture looks for processes


def test_a_self_test_that_runs_is_swept_by_no_other(fake: Fake) -> None:
    command = fake.write(f"{VERSION}exit 1")

    async def both() -> tuple[Report, Report]:
        environ = {"PATH": os.environ["PATH"]}
        return await asyncio.gather(run(command, environ), run(command, environ))

    for report in asyncio.run(both()):
        assert "It said" in report.checks[0].note or "exit" in report.checks[0].note


def test_a_claude_that_shows_a_dialog_is_told_by_its_name(fake: Fake) -> None:
    dialog = "printf '\\n  Settings Error\\n\\n  > 1. Exit and fix manually\\n'"
    report = examine(fake.write(f"{VERSION}{dialog}; exec sleep 60"))
    assert report.checks[0].note == "it shows the settings dialog"


def test_nothing_of_the_user_reaches_the_program(fake: Fake, tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / ".claude").mkdir(parents=True)
    secrets = {"ANTHROPIC_API_KEY": "sk-ant-of-the-user", "TELEGRAM_BOT_TOKEN": "1:x"}
    examine(
        fake.write(f"{VERSION}exit 1"), {"HOME": str(home), "HTTPS_PROXY": "http://p", **secrets}
    )
    for environment in fake.environments:
        assert not {"TELEGRAM_BOT_TOKEN", "HTTPS_PROXY"} & set(environment)
        assert environment["ANTHROPIC_BASE_URL"].startswith("http://127.0.0.1:")
        assert environment["ANTHROPIC_API_KEY"] != secrets["ANTHROPIC_API_KEY"]
        assert environment["HOME"] != str(home)
    assert list((home / ".claude").iterdir()) == []


def test_what_a_version_never_had_is_missing_and_no_fault() -> None:
    belief = Belief("live text", "MessageDisplay hook", "no live text")
    checks = (Check(belief, "missing"), Check(Belief("prompt", "a prompt", "nothing"), "passed"))
    report = Report((2, 1, 100), checks, 1.0)
    assert report.is_well and not report.capabilities.has_live_text
    assert report.summary() == (
        "Claude Code 2.1.100: 1 of 2 work. MessageDisplay hook: no. Instead: no live text."
    )


def test_the_model_answers_by_what_the_person_wrote() -> None:
    with ModelServer() as model:
        said = ask(model, [{"role": "user", "content": "hello"}])
        assert said["content"][0]["text"] == render_answer("hello")
        model.plan("look", call_tools(("Read", {"file_path": "/a"})))
        asked = ask(model, [{"role": "user", "content": [{"type": "text", "text": "look here"}]}])
        assert asked["stop_reason"] == "tool_use" and asked["content"][0]["name"] == "Read"
        model.plan("fail", Answer([], status=400))
        with pytest.raises(urllib.error.HTTPError, match="400") as failed:
            ask(model, [{"role": "user", "content": "fail"}])
        assert FAILED in failed.value.read().decode()
        assert [turn.prompt for turn in model.turns] == ["hello", "look here", "fail"]


@pytest.mark.parametrize(
    "newest",
    [
        "Warmup",
        "[SUGGESTION MODE: what next?]",
        "<task-notification>an agent has ended</task-notification>",
        [{"type": "tool_result", "tool_use_id": "t", "content": "done"}],
    ],
)
def test_what_claude_code_adds_by_itself_is_no_turn(newest: Any) -> None:
    before: list[dict[str, object]] = [
        {"role": "user", "content": "hello"},
        {"role": "assistant", "content": "Hi."},
    ]
    with ModelServer() as model:
        ask(model, [*before, {"role": "user", "content": newest}])
        assert model.turns == []


def test_what_is_said_after_a_refused_tool_is_a_turn() -> None:
    refused = {"type": "tool_result", "tool_use_id": "t", "content": "refused", "is_error": True}
    mark = {"type": "text", "text": "[Request interrupted by user for tool use]"}
    with ModelServer() as model:
        ask(model, [{"role": "user", "content": [refused, mark]}])
        assert model.turns == []
        ask(
            model, [{"role": "user", "content": [refused, mark, {"type": "text", "text": "go on"}]}]
        )
        assert [turn.prompt for turn in model.turns] == ["go on"]


def test_a_turn_tells_what_reached_the_model() -> None:
    with ModelServer() as model:
        reminder = "<system-reminder>Words of a hook</system-reminder>"
        ask(model, [{"role": "user", "content": reminder}, {"role": "user", "content": "hello"}])
        [turn] = model.turns
        assert turn.texts == ["hello"] and turn.has("Words of a hook") and not turn.has("bye")
        assert (turn.model, turn.effort, turn.tools) == ("m", "", ["Bash"])


def ask(model: ModelServer, messages: list[dict[str, object]]) -> dict[str, Any]:
    body = {"model": "m", "messages": messages, "tools": [{"name": "Bash"}], "stream": False}
    request = urllib.request.Request(f"{model.url}/v1/messages", json.dumps(body).encode())
    with urllib.request.urlopen(request, timeout=5) as response:
        answer: dict[str, Any] = json.load(response)
        return answer
