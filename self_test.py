"""Tries what the program believes about Claude Code on the user's own installed `claude`.

* Nothing of the user's is used but the program itself: a throw-away HOME, a loopback model, a tmux
  server of its own. No account, no cost, no internet.
* The program's own parts do the work (launcher, terminal, feed, registry), so a belief that holds
  here holds for the bridge.
* Every step is bounded in time, and whatever happens, no process and no tmux server is left.
* What an old version never had is "missing", not "failed"; what could not be tried is "skipped".
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psutil

from child_process import run_child
from core.claude_code import BELIEFS, Belief, Version, is_there, render_version
from core.errors import BridgeError, ChildError
from core.hooks import parse_version
from self_test_api import MADE_FILE, USE_TOOL, WAIT, ModelServer, render_answer
from self_test_desk import Desk, NotTakenError, is_below, until

Outcome = Literal["passed", "missing", "failed", "skipped"]

WHOLE_SECONDS = 90.0
_VERSION_SECONDS = 15.0
_SEEN_SECONDS = 5.0
_END_SECONDS = 3.0

_PLAIN = "The self-test says hello"
_TEXTS = {
    "lines": "\n".join(f"line {number} of ten" for number in range(10)),
    "long": ("A long text of one line, with words. " * 30)[:1000].rstrip(),
    "special": 'It\'s "quoted"; $HOME `id` {a} #b \\n -x é 漢 🙂;\\',
    "exit word": "exit",
}
_RECALL = "What did I say at first?"


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


class _Examination:
    """Runs the steps on one desk, and keeps what was seen."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._seen: dict[str, tuple[bool, str]] = {}

    async def run(self, deadline: float) -> dict[str, tuple[bool, str] | str]:
        """Belief -> (holds, note), or why it was not tried."""
        steps: list[tuple[tuple[str, ...], Callable[[], Awaitable[None]], float]] = [
            (_START_KEYS, self._start, 20.0),
            (_PLAIN_KEYS, self._say_hello, 15.0),
            *(((key,), self._say(key, text), 10.0) for key, text in _TEXTS.items()),
            (("permission",), self._use_tool, 12.0),
            (("interrupt",), self._interrupt, 10.0),
            (("clear", "followed"), self._clear, 12.0),
            (("resume",), self._resume, 20.0),
        ]
        found: dict[str, tuple[bool, str] | str] = {}
        why_not = ""
        for keys, step, seconds in steps:
            why_not = why_not or self._why_not(keys, deadline)
            if not why_not:
                await self._try(keys, step, min(seconds, deadline - time.monotonic()))
            for key in keys:
                found[key] = self._seen.get(key, why_not or (False, "not seen"))
            if not why_not and "starts" in keys and not self._seen["starts"][0]:
                why_not = f"not tried: {self._seen['starts'][1]}"
                found |= {key: why_not for key in keys if key != "starts"}
        return found

    def _why_not(self, keys: tuple[str, ...], deadline: float) -> str:
        if time.monotonic() > deadline:
            return "not tried: the self-test took too long"
        if not {"starts", "resume"} & set(keys) and not self._desk.is_alive:
            return "not tried: Claude Code had ended"
        return ""

    async def _try(
        self, keys: tuple[str, ...], step: Callable[[], Awaitable[None]], seconds: float
    ) -> None:
        try:
            async with asyncio.timeout(seconds):
                await step()
        except TimeoutError:
            self._note_rest(keys, f"not seen within {seconds:.0f} s")
        except (BridgeError, NotTakenError) as error:
            self._note_rest(keys, str(error).rstrip("."))

    def _note_rest(self, keys: tuple[str, ...], note: str) -> None:
        for key in keys:
            self._seen.setdefault(key, (False, note))

    def _note(self, key: str, holds: bool, note: str = "") -> None:
        self._seen[key] = (holds, note)

    # --- the steps ------------------------------------------------------------------------------

    async def _start(self) -> None:
        desk = self._desk
        problem = await desk.launch()
        self._note("starts", not problem, problem)
        if problem:
            return
        started = desk.find_start("startup")
        path = Path(started.transcript) if started else None
        self._note("session hook", bool(started and path and path.is_absolute()))
        self._note("own home", bool(path and is_below(desk.home, path)), "" if path else "no path")
        await until(lambda: desk.process is not None, 2.0)
        self._note("registry", desk.process is not None)
        await until(lambda: desk.status == "idle", 2.0)
        self._note("status", desk.status == "idle")
        process = desk.process
        self._note("status time", process is not None and process.since_ms > 0)

    async def _say_hello(self) -> None:
        desk = self._desk
        read = await desk.ask(_PLAIN)
        self._note("prompt", *_compare(_PLAIN, read, desk))
        seen = {
            "prompt hook": lambda: desk.has_prompt_hook(_PLAIN),
            "prompt line": lambda: desk.has_prompt_line(_PLAIN),
            "answer line": lambda: desk.has_answer(render_answer(read)),
            "stop hook": lambda: desk.has_stop_hook,
        }
        for key, is_seen in seen.items():
            self._note(key, await until(is_seen, _SEEN_SECONDS))
        if desk.asks_for("MessageDisplay"):
            await until(lambda: bool(desk.probed("MessageDisplay")), _SEEN_SECONDS)
        displayed = desk.probed("MessageDisplay")
        self._note("live text", any("delta" in payload for payload in displayed))

    def _say(self, key: str, text: str) -> Callable[[], Awaitable[None]]:
        async def say() -> None:
            desk = self._desk
            read = await desk.ask(text)
            self._note(key, *_compare(text, read, desk))
            await until(lambda: not desk.is_turn_open, _SEEN_SECONDS)
            if not desk.is_alive:
                self._note(key, False, "it ended the session")

        return say

    async def _use_tool(self) -> None:
        desk = self._desk
        made = desk.project / MADE_FILE
        await desk.ask(USE_TOOL)
        try:
            is_asked = await until(lambda: bool(desk.probed("PermissionRequest")), _SEEN_SECONDS)
            has_run = is_asked and await until(made.exists, _SEEN_SECONDS)
            note = "" if has_run else "the tool did not run" if is_asked else "no hook"
            self._note("permission", has_run, note)
        finally:
            if not made.exists():
                await desk.press("Escape")
        await until(lambda: not desk.is_turn_open, _SEEN_SECONDS)

    async def _interrupt(self) -> None:
        desk = self._desk
        await desk.ask(WAIT)
        if desk.process is not None and desk.process.status is not None:
            is_busy = await until(lambda: desk.status == "busy", 2.0)
            self._note("status", self._seen["status"][0] and is_busy, "" if is_busy else "no busy")
        await desk.press("Escape")
        is_told = await until(lambda: desk.was_interrupted, _SEEN_SECONDS)
        self._note("interrupt", is_told)

    async def _resume(self) -> None:
        desk = self._desk
        await desk.close()
        problem = await desk.launch()
        if problem or desk.find_start("resume") is None:
            self._note("resume", False, problem or "it says that it is another session")
            return
        await desk.ask(_RECALL)
        has_history = _PLAIN in [text.strip() for text in desk.model.turns[-1]]
        self._note("resume", has_history, "" if has_history else "the model saw no history")
        await until(lambda: not desk.is_turn_open, _SEEN_SECONDS)

    async def _clear(self) -> None:
        desk = self._desk
        await desk.command("/clear", lambda: desk.find_start("clear") is not None)
        started = desk.find_start("clear")
        is_new = started is not None and started.session_id != desk.session_id
        self._note("clear", is_new)
        if started is not None and is_new:
            session_id = started.session_id
            self._note("followed", await until(lambda: desk.is_registered(session_id), 2.0))


_START_KEYS = ("starts", "session hook", "registry", "status", "status time", "own home")
_PLAIN_KEYS = ("prompt", "prompt hook", "prompt line", "answer line", "stop hook", "live text")


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
    found: dict[str, tuple[bool, str] | str] = {}
    with (
        tempfile.TemporaryDirectory(prefix="bridge-", ignore_cleanup_errors=True) as name,
        ModelServer() as model,
    ):
        desk = Desk(command, environ, Path(name), model)
        try:
            version, problem = await _ask_version(
                command, desk.environment, min(seconds, _VERSION_SECONDS)
            )
            if not problem:
                await desk.open(version)
                found = await _Examination(desk).run(begun + seconds)
        except (BridgeError, OSError) as error:
            problem = str(error).rstrip(".")
        finally:
            await desk.shut()
            await asyncio.to_thread(_sweep, desk.home)
    checks = [_judge(belief, found.get(belief.key, problem), version) for belief in BELIEFS]
    return Report(version, tuple(checks), time.monotonic() - begun)


def _judge(belief: Belief, found: tuple[bool, str] | str, version: Version) -> Check:
    if isinstance(found, str):
        outcome: Outcome = "skipped" if found.startswith("not tried") else "failed"
        return Check(belief, outcome, found)
    holds, note = found
    if holds:
        return Check(belief, "passed", note)
    return Check(belief, "failed" if is_there(belief.since, version) else "missing", note)


def _compare(sent: str, read: str, desk: Desk) -> tuple[bool, str]:
    """Whether `read` is what was meant; what Claude Code leaves of white space does not count."""
    wanted = desk.prepared(sent)
    note = "the first Enter was lost" if desk.lost_enter else ""
    if read == wanted:
        return True, note
    if read.strip() == wanted.strip():
        return True, "; ".join(filter(None, [note, "and a space at the end"]))
    return False, f"{len(read)} of {len(wanted)} characters arrived, or others"


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


def _sweep(home: Path) -> None:
    """End what still runs with this HOME, which nothing but the self-test's own processes has."""
    left = [process for process in psutil.process_iter() if _home_of(process) == str(home)]
    _, alive = psutil.wait_procs(left, timeout=_END_SECONDS)
    for process in alive:
        with suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(alive, timeout=_END_SECONDS)


def _home_of(process: psutil.Process) -> str | None:
    try:
        return process.environ().get("HOME")
    except (psutil.Error, OSError):
        return None
