"""Fixtures for all tests: the real CLI, and a whole world around the bridge."""

from __future__ import annotations

import gc
import os
import shlex
import shutil
import subprocess
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from playwright.sync_api import Browser, BrowserContext

from tests.standins.machine import Machine
from tests.standins.telegram_api import TelegramApi
from tests.web_world import WebWorld, running_chromium, watched
from tests.world import World, find_claude

# How long an example takes says more of the machine than of the program.
settings.register_profile("unhurried", settings(), deadline=None)
settings.load_profile("unhurried")


def pytest_collection_finish() -> None:
    """What was loaded stays: a stand-in's end looks for garbage, several hundred times in a run."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def claude_command() -> Path:
    """The pinned Claude Code; without it (or tmux) the test is skipped, and fails in CI."""
    claude = find_claude()
    missing = "Claude Code (./install.sh --test installs it)" if claude is None else None
    missing = missing or (None if shutil.which("tmux") else "tmux")
    if missing is not None or claude is None:
        if os.environ.get("BRIDGE_TEST_REQUIRE_REAL"):
            pytest.fail(f"{missing} is missing")
        pytest.skip(f"{missing} is missing")
    return claude


# Its runtime does without what pays only in a long life: a third of what a start and a turn cost.
_FRUGAL = "BUN_GC_TIMER_DISABLE=1 BUN_JSC_useDFGJIT=0"


@pytest.fixture(scope="session")
def frugal_claude(claude_command: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same Claude Code, made for several hundred short lives; asked for its version once."""
    asked = [str(claude_command), "--version"]
    version = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
    path = tmp_path_factory.mktemp("claude") / "claude"
    path.write_text(
        f"""#!/bin/sh
[ "$*" = --version ] && exec echo {shlex.quote(version)}
export {_FRUGAL}
exec {shlex.quote(str(claude_command))} "$@"
"""
    )
    path.chmod(0o755)
    return path


@pytest.fixture
def world(tmp_path: Path, frugal_claude: Path) -> Iterator[World]:
    """A machine, a chat and the two far ends; the bridge is not started yet."""
    with World(tmp_path, frugal_claude) as made:
        yield made


@pytest.fixture
def web_world(tmp_path: Path, frugal_claude: Path) -> Iterator[WebWorld]:
    """A machine and a model; the person sits at the page, and the bridge is not started yet."""
    with WebWorld(tmp_path, frugal_claude) as made:
        yield made


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """One with systemd."""
    machine = Machine(tmp_path)
    yield machine
    if process := machine.find_bridge():
        process.kill()


@pytest.fixture
def container(machine: Machine) -> Machine:
    """One without systemd."""
    (machine.fakes / "no-systemd").touch()
    return machine


@pytest.fixture
def api() -> Iterator[TelegramApi]:
    """Telegram, with nobody there yet."""
    with TelegramApi() as api:
        yield api


@pytest.fixture
def bot_settings(api: TelegramApi) -> dict[str, str]:
    """What a person sets for a bot there."""
    return {"TELEGRAM_BOT_TOKEN": api.token, "BRIDGE_TELEGRAM_API_URL": api.url}


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A browser for all tests of a module."""
    with running_chromium() as browser:
        yield browser


@pytest.fixture
def browser_context(chromium: Browser) -> Iterator[BrowserContext]:
    """A person's browser, with no cookies yet; a page in it that fails is a failure."""
    with watched(chromium.new_context(viewport={"width": 1280, "height": 800})) as context:
        yield context


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that fails shows the world that it failed in, which is gone right after."""
    report = yield
    made = getattr(item, "funcargs", {})
    world = made.get("world") or made.get("web_world")
    if call.when == "call" and report.failed and isinstance(world, World):
        report.sections.extend(world.describe())
    return report
