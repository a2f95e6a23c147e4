"""How long it takes from an empty checkout to the first answer at the page, without a token.

* All is real (install.sh, pip, the bridge, tmux, Claude Code, Chromium without a window) but the
  model. Nothing is there before: no virtual environment, nothing in HOME, nothing in pip's cache.
  The packages come from where pip finds them, as `PIP_…` in the environment say.
* Times count from the start of install.sh. What a person takes to open the link and to write is not
  in them. The link is there when install.sh has ended, which starts the bridge.
* The floor is to make a virtual environment and to install the same packages by hand.
* `python -m benchmarks.install [--rounds N]` prints a table; exit status 1 if a figure misses its
  target, 2 without Chromium, Claude Code (`BRIDGE_TEST_CLAUDE` names it) or tmux.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser

from benchmarks.figures import Figure, print_table
from benchmarks.latency import machine
from tests.standins.messages_api import MessagesApi
from tests.web_world import WebWorld, find_chromium, open_link, reads, running_chromium, say
from tests.world import ROOT, find_claude

_ROUNDS = 3
_ANSWER_SECONDS = 60.0
_LINK = re.compile(r"http://127\.0\.0\.1:\d+/\?key=\S+")
# What a checkout does not have.
_MADE = shutil.ignore_patterns(".git", ".venv*", "node_modules", "__pycache__", ".*_cache")


@dataclass(frozen=True, slots=True)
class Start:
    """Seconds from the start of install.sh."""

    linked: float
    opened: float
    answered: float


def main() -> int:
    """Returns 1 when a figure misses its target, 2 when something it needs is missing."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.install", description=__doc__)
    parser.add_argument("--rounds", type=int, default=_ROUNDS, help="how often it is installed")
    rounds = max(1, parser.parse_args().rounds)
    claude = find_claude()
    if claude is None or shutil.which("tmux") is None or find_chromium() is None:
        print("Chromium, Claude Code (BRIDGE_TEST_CLAUDE) or tmux is missing.", file=sys.stderr)
        return 2
    with running_chromium() as browser:
        pairs = [(start(claude, browser), install_by_hand()) for _ in range(rounds)]
    starts, floors = [one for one, _ in pairs], [floor for _, floor in pairs]
    figures = [
        Figure("to the link", "s", [one.linked for one in starts], floors),
        Figure("to the page", "s", [one.opened for one in starts], floors),
        Figure("to the answer", "s", [one.answered for one in starts], floors, _ANSWER_SECONDS),
    ]
    print_table(figures, "install.sh", "packages")
    return 0 if all(figure.is_met for figure in figures) else 1


def start(claude: Path, browser: Browser) -> Start:
    """A newcomer installs it, opens the link and says hello."""
    with machine(WebWorld, claude, MessagesApi()) as (world, _):
        checkout = world.root / "checkout"
        shutil.copytree(ROOT, checkout, symlinks=True, ignore=_MADE)
        began = time.monotonic()
        try:
            printed = world.install(str(checkout / "install.sh"), **_pip())
            linked = time.monotonic()
            with browser.new_context() as context:
                page = open_link(context, _LINK.findall(printed)[0])
                opened = time.monotonic()
                say(page, "hello")
                reads(page, "Echo: hello")
                answered = time.monotonic()
        finally:
            world.end_installed()
        return Start(linked - began, opened - began, answered - began)


def install_by_hand() -> float:
    """Seconds for a virtual environment with the packages."""
    with tempfile.TemporaryDirectory(prefix="benchmark-") as home:
        environment = {"HOME": home, "PATH": os.environ["PATH"], **_pip()}
        python = f"{home}/venv/bin/python"
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        began = time.monotonic()
        for words in (
            [sys.executable, "-m", "venv", f"{home}/venv"],
            [*pip, "--requirement", str(ROOT / "requirements.txt")],
        ):
            subprocess.run(words, env=environment, check=True)
        return time.monotonic() - began


def _pip() -> dict[str, str]:
    """Where its packages come from; what it has kept of earlier ones does not count."""
    return {k: v for k, v in os.environ.items() if k.startswith("PIP_") and k != "PIP_CACHE_DIR"}


if __name__ == "__main__":
    sys.exit(main())
