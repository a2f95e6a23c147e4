"""Asking Claude Code what it offers: the real one, and programs that behave badly."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import psutil
import pytest

from claude_catalog import ClaudeCatalog
from core.catalog import FALLBACK
from tests.world import World

GOOD = json.dumps(
    {
        "type": "control_response",
        "response": {"response": {"models": [{"value": "only"}], "commands": [], "agents": []}},
    }
)


def program(folder: Path, text: str) -> list[str]:
    """A Claude Code that does this with its standard input."""
    path = folder / "claude.py"
    path.write_text(f"import os, sys, time\n{text}\n")
    return [sys.executable, "-I", "-S", str(path)]


async def test_the_real_one_tells_models_efforts_agents_and_commands(world: World) -> None:
    folder = world.project / ".claude" / "agents"
    folder.mkdir(parents=True)
    (folder / "security.md").write_text("---\nname: security\ndescription: sec\n---\nYou are it.")
    environment = {k: v for k, v in world.environment.items() if not k.startswith("TELEGRAM")}
    found = await ClaudeCatalog([str(world.claude)], environment).ask(world.project)
    assert found.is_told
    assert {"default", "opus", "sonnet", "haiku"} <= {model.value for model in found.models}
    assert found.efforts_of("opus")[0] == "low"
    assert "security" in {agent.name for agent in found.agents}
    assert {"compact", "context"} <= {command.name for command in found.commands}
    assert not world.model.turns
    assert not list((world.home / ".claude" / "projects").glob("*/*.jsonl"))


async def test_what_was_told_is_good_for_some_minutes(tmp_path: Path) -> None:
    now = [0.0]
    counts = tmp_path / "runs"
    text = f"open({str(counts)!r}, 'a').write('x'); sys.stdin.readline(); print({GOOD!r})"
    catalog = ClaudeCatalog(program(tmp_path, text), {}, lasts=60, clock=lambda: now[0])
    for now[0] in (0.0, 59.0, 61.0):
        assert (await catalog.ask(tmp_path)).models[0].value == "only"
    assert counts.read_text() == "xx"


async def test_one_that_takes_long_in_a_directory_holds_up_no_other(tmp_path: Path) -> None:
    slow, quick, go_on = tmp_path / "slow", tmp_path / "quick", tmp_path / "go on"
    for folder in (slow, quick):
        folder.mkdir()
    wait = f"while os.getcwd() == {str(slow)!r} and not os.path.exists({str(go_on)!r}): "
    text = f"{wait}time.sleep(0.01)\nsys.stdin.readline(); print({GOOD!r})"
    catalog = ClaudeCatalog(program(tmp_path, text), {}, patience=60.0)
    asking = asyncio.create_task(catalog.ask(slow))
    assert (await catalog.ask(quick)).is_told
    assert not asking.done()
    go_on.touch()
    assert (await asking).is_told


@pytest.mark.parametrize(
    "text",
    [
        "sys.exit(1)",
        "print('no JSON'); sys.exit(0)",
        "sys.stdin.readline(); print('x' * (9 << 20))",
        "os.close(0); sys.exit(3)",
    ],
)
async def test_one_that_says_nothing_usable_leaves_what_every_version_knows(
    tmp_path: Path, text: str
) -> None:
    assert await ClaudeCatalog(program(tmp_path, text), {}).ask(tmp_path) == FALLBACK


async def test_a_command_that_is_not_there_is_no_error(tmp_path: Path) -> None:
    assert await ClaudeCatalog([str(tmp_path / "no")], {}).ask(tmp_path) == FALLBACK
    assert await ClaudeCatalog([sys.executable], {}).ask(tmp_path / "gone") == FALLBACK


async def test_it_is_given_the_end_of_its_input_and_ends_by_itself(tmp_path: Path) -> None:
    ended = tmp_path / "ended"
    wait = f"sys.stdin.read(); open({str(ended)!r}, 'w')"
    text = f"sys.stdin.readline(); print({GOOD!r}, flush=True); {wait}"
    assert (await ClaudeCatalog(program(tmp_path, text), {}).ask(tmp_path)).is_told
    assert ended.exists()


async def test_one_that_never_answers_is_ended(tmp_path: Path) -> None:
    place = tmp_path / "pid"
    text = (
        "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        f"open({str(place)!r}, 'w').write(str(os.getpid()))\n"
        "time.sleep(600)"
    )
    catalog = ClaudeCatalog(program(tmp_path, text), {}, patience=1.0, leaving=0.1)
    assert await catalog.ask(tmp_path) == FALLBACK
    assert not psutil.pid_exists(int(place.read_text()))
