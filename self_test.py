"""Tries what the program believes about Claude Code on the user's own installed `claude`.

* Nothing of the user's is used but the program itself: a throw-away HOME, a loopback model, a tmux
  server of its own. No account, no cost, no internet.
* The program's own parts do the work (launcher, terminal, feed, registry), so a belief that holds
  here holds for the bridge.
* Every step is bounded in time, and whatever happens, no process and no tmux server is left. What a
  self-test leaves that is killed itself, the next one ends and removes: a folder of which nobody
  holds the lock.
* What an old version never had is "missing", not "failed"; what could not be tried is "skipped".
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psutil
from filelock import FileLock, Timeout

from child_process import run_child
from core.beliefs import BELIEFS, Belief
from core.claude_code import Version, is_there, render_version
from core.errors import BridgeError, ChildError
from core.hooks import parse_version
from self_test_api import ModelServer
from self_test_desk import Desk
from self_test_steps import Examination, Found

Outcome = Literal["passed", "missing", "failed", "skipped"]

WHOLE_SECONDS = 90.0
_VERSION_SECONDS = 15.0
_END_SECONDS = 3.0
_SWEEPS = 3
_PREFIX = "bridge-"
_LOCK = ".self-test.lock"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Check:
    """What became of one belief; `note` says how, or why not."""

    belief: Belief
    outcome: Outcome
    note: str = ""

    @property
    def passed(self) -> bool:
        """Whether it holds."""
        return self.outcome == "passed"

    def __str__(self) -> str:
        note = f" ({self.note})" if self.note else ""
        match self.outcome:
            case "passed" | "skipped":
                return f"{self.belief.text}{note}"
            case "missing" | "failed":
                return f"{self.belief.text}: no{note}. Instead: {self.belief.instead}."


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What the bridge can count on with this version."""

    has_registry: bool
    has_status: bool
    has_live_text: bool
    has_permission_hook: bool
    has_long_prompts: bool
    can_interrupt: bool
    can_resume: bool


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome for one version; `version` is () when it can't be had."""

    version: Version
    checks: tuple[Check, ...]
    seconds: float

    @property
    def capabilities(self) -> Capabilities:
        """What holds, in the bridge's terms."""
        held = {check.belief.key for check in self.checks if check.passed}
        return Capabilities(
            has_registry="registry" in held,
            has_status="status" in held,
            has_live_text="live text" in held,
            has_permission_hook="permission" in held,
            has_long_prompts={"lines", "long"} <= held,
            can_interrupt="interrupt" in held,
            can_resume="resume" in held,
        )

    @property
    def is_well(self) -> bool:
        """Whether everything holds that this version ever had."""
        return all(check.outcome in ("passed", "missing") for check in self.checks)

    def summary(self) -> str:
        """One line for the owner: what works, and what is done instead where something doesn't."""
        held = sum(check.passed for check in self.checks)
        text = f"Claude Code {render_version(self.version)}: {held} of {len(self.checks)} work"
        others = [check for check in self.checks if not check.passed]
        if not others:
            return f"{text}."
        if all(check.outcome in ("failed", "skipped") for check in self.checks):
            return f"{text}: {others[0].note}."
        return f"{text}. " + " ".join(str(c) for c in others if c.outcome != "skipped")


async def run(
    command: Sequence[str], environ: Mapping[str, str], *, seconds: float = WHOLE_SECONDS
) -> Report:
    """Try every belief on the Claude Code that `command` starts.

    Args:
        environ: the user's, of which only the PATH, the locale and the like are taken.
        seconds: after which what is left is not tried.
    """
    begun = time.monotonic()
    version: Version = ()
    found: dict[str, Found] = {}
    await asyncio.to_thread(sweep_leftovers)
    with (
        tempfile.TemporaryDirectory(prefix=_PREFIX, ignore_cleanup_errors=True) as name,
        FileLock(Path(name, _LOCK), timeout=0, mode=0o600, fallback_to_soft=False),
        ModelServer() as model,
    ):
        desk = Desk(command, environ, Path(name), model)
        try:
            version, problem = await _ask_version(
                command, desk.environment, min(seconds, _VERSION_SECONDS)
            )
            if not problem:
                await desk.open(version)
                found = await Examination(desk).run(begun + seconds)
        except (BridgeError, OSError) as error:
            problem = str(error).rstrip(".")
        finally:
            await desk.shut()
            await asyncio.to_thread(_sweep, desk.home)
    checks = [_judge(belief, found.get(belief.key, problem), version) for belief in BELIEFS]
    return Report(version, tuple(checks), time.monotonic() - begun)


def sweep_leftovers() -> None:
    """End and remove what self-tests have left that were killed."""
    for lock in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*/{_LOCK}"):
        try:
            if lock.lstat().st_uid != os.geteuid():
                continue
            with FileLock(lock, timeout=0, mode=0o600, fallback_to_soft=False):
                root = lock.parent.resolve()
                _sweep(root / "home", patience=0)
                shutil.rmtree(root, ignore_errors=True)
        except (Timeout, OSError) as error:  # it runs, or it is gone by now
            log.debug("a folder of a self-test is let be: %s", error)
        else:
            log.info("what a killed self-test had left is removed: %s", root)


def _judge(belief: Belief, found: Found, version: Version) -> Check:
    if isinstance(found, str):
        outcome: Outcome = "skipped" if found.startswith("not tried") else "failed"
        return Check(belief, outcome, found)
    holds, note = found
    if holds:
        return Check(belief, "passed", note)
    return Check(belief, "failed" if is_there(belief.since, version) else "missing", note)


async def _ask_version(
    command: Sequence[str], environment: Mapping[str, str], seconds: float
) -> tuple[Version, str]:
    """The version, and what is wrong."""
    asked = f"`{command[0]} --version`"
    try:
        ended = await run_child([*command, "--version"], environment=environment, seconds=seconds)
    except ChildError as error:
        return (), f"{asked} {error}"
    if ended.status != 0:
        return (), f"{asked} ended with exit status {ended.status}"
    return parse_version(ended.text), ""


def _sweep(home: Path, patience: float = _END_SECONDS) -> None:
    """End what still runs with this HOME, which nothing but the self-test's own processes has."""
    for _ in range(_SWEEPS):  # one that is ended may just have started another
        left = [process for process in psutil.process_iter() if _home_of(process) == str(home)]
        _, alive = psutil.wait_procs(left, timeout=patience)
        if not alive:
            return
        for process in alive:
            with suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(alive, timeout=_END_SECONDS)


def _home_of(process: psutil.Process) -> str | None:
    try:
        return process.environ().get("HOME")
    except (psutil.Error, OSError):
        return None
