"""The self-test's steps: what is done at the desk, and which beliefs that shows to be true.

* A step is bounded in time; what it has not shown by then does not hold, and the next one is tried.
* The options that a person can choose are tried in a copy of the plain session, so that one that is
  gone from a new version costs no more than what is shown there.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from claude_catalog import ClaudeCatalog
from core.beliefs import BELIEFS
from core.claude_code import is_there
from core.context_usage import render_context_usage
from core.errors import BridgeError
from core.events import (
    CommandAnswered,
    ContextMeasured,
    ErrorReported,
    PermissionAsked,
    PromptRecorded,
    PromptSubmitted,
    SessionEnded,
    SubagentEnded,
    SubagentStarted,
    TextStreamed,
    ToolEnded,
    ToolStarted,
    TurnEnded,
    TurnInterrupted,
    TurnRecorded,
)
from core.file_change import read_change
from core.session_summary import summarise_session
from self_test_api import AGENT_TASK, WAIT, Answer, Turn, call_tools, render_answer
from self_test_desk import REASON, TOLD, Desk, NotTakenError, is_below, until
from shipped_agents import FOLDER, list_shipped

Found = tuple[bool, str] | str
"""Whether a belief holds, with a note; or why it was not tried."""

_SEEN_SECONDS = 5.0
_PLAIN = "The self-test says hello"
_TEXTS = {
    "lines": "\n".join(f"line {number} of ten" for number in range(10)),
    "long": ("A long text of one line, with words. " * 30)[:1000].rstrip(),
    "special": 'It\'s "quoted"; $HOME `id` {a} #b \\n -x é 漢 🙂;\\',
    "exit word": "exit",
    "shell line": "!touch made-by-a-line",
}
_EXIT_WORDS = ("quit", ":q")
_DRAFT = "a draft"
_USE_TOOLS, _ASK, _FAIL = "Please use tools", "Please ask me", "Please fail"
_DECIDE, _REFUSE, _GO_ON = "Please use more tools", "Please use one more", "Please go on"
_RECALL, _SHOW_PLAN, _LOOK = "What did I say at first?", "Please show a plan", "Please have a look"
_IN_FILE = "Words in a file"
_COLOUR = "Which colour?"
_QUESTION = {
    "question": _COLOUR,
    "header": "Colour",
    "options": [{"label": c, "description": f"{c} it is"} for c in ("Vermilion", "Blue")],
    "multiSelect": False,
}
_TITLE = "A copy of the self-test"
_CHOICES = {"model": "sonnet", "effort": "low"}
_MODE = {"permission_mode": "plan"}


@dataclass(frozen=True, slots=True)
class _Step:
    """`keys`: the beliefs that it shows; `begins`: it needs no process, as it starts one."""

    keys: tuple[str, ...]
    run: Callable[[], Awaitable[None]]
    seconds: float
    begins: bool = False


class Examination:
    """Runs the steps on one desk, and keeps what was seen."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._seen: dict[str, Found] = {}
        self._original = desk.session

    async def run(self, deadline: float) -> dict[str, Found]:
        """Belief -> what was found; `deadline` of the monotonic clock."""
        found: dict[str, Found] = {}
        why_not = ""
        for step in self._list_steps():
            why_not = why_not or self._why_not(step, deadline)
            if not why_not:
                await self._try(step, min(step.seconds, deadline - time.monotonic()))
            for key in step.keys:
                found[key] = self._seen.get(key, why_not or (False, "not seen"))
            if why_not.startswith(_ENDED):
                why_not = ""
            if not why_not and "starts" in step.keys and not self._holds("starts"):
                why_not = f"not tried: {self._seen['starts'][1]}"
                found |= {key: why_not for key in step.keys if key != "starts"}
        return found

    def _list_steps(self) -> list[_Step]:
        return [
            _Step(_START_KEYS, self._start, 20.0, begins=True),
            _Step(_PLAIN_KEYS, self._say_hello, 15.0),
            *(_Step((key,), self._say(key, text), 10.0) for key, text in _TEXTS.items()),
            _Step(("exit words",), self._say("exit words", *_EXIT_WORDS), 12.0),
            _Step(_TOOL_KEYS, self._use_tools, 15.0),
            _Step(("always", "denial"), self._decide, 15.0),
            _Step(("question",), self._ask_question, 10.0),
            _Step(("failure hook", "failure line"), self._fail, 12.0),
            _Step(("command line", "context"), self._show_context, 10.0),
            _Step(("interrupt",), self._interrupt, 10.0),
            _Step(("refusal",), self._refuse, 15.0),
            _Step(("clear", "followed"), self._clear, 12.0),
            _Step(("own rest", "draft"), self._keep_draft, 15.0),
            _Step(_COPY_KEYS, self._copy, 25.0, begins=True),
            _Step(("subagents", "background"), self._run_agent, 12.0),
            _Step(("resume", "told kept"), self._resume, 20.0, begins=True),
            _Step(("mode", "plan"), self._show_plan, 10.0),
            _Step(("catalog", "agents"), self._ask_catalog, 15.0, begins=True),
        ]

    def _why_not(self, step: _Step, deadline: float) -> str:
        if time.monotonic() > deadline:
            return "not tried: the self-test took too long"
        return "" if step.begins or self._desk.is_alive else _ENDED

    async def _try(self, step: _Step, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await step.run()
        except TimeoutError:
            self._note_rest(step.keys, f"not seen within {seconds:.0f} s")
        except (BridgeError, NotTakenError) as error:
            self._note_rest(step.keys, str(error).rstrip("."))

    def _note_rest(self, keys: tuple[str, ...], note: str) -> None:
        for key in keys:
            self._seen.setdefault(key, (False, note))

    def _note(self, key: str, holds: bool, note: str = "") -> None:
        self._seen[key] = (holds, note)

    def _holds(self, key: str) -> bool:
        return self._seen[key][0] is True

    async def _await(self, key: str, is_seen: Callable[[], bool]) -> bool:
        """Note whether it is seen; what this version never had is not waited for."""
        seconds = _SEEN_SECONDS if is_there(_SINCE[key], self._desk.version) else 0.0
        is_there_now = await until(is_seen, seconds)
        self._note(key, is_there_now)
        return is_there_now

    async def _end_turn(self) -> None:
        """Wait for it; what does not come costs its own belief, and not all that follow."""
        await until(lambda: not self._desk.is_turn_open, _SEEN_SECONDS)
        self._desk.is_turn_open = False

    # --- the plain session ----------------------------------------------------------------------

    async def _start(self) -> None:
        desk = self._desk
        problem = await desk.launch()
        self._note("starts", not problem, problem)
        if problem:
            return
        started = desk.find_start()
        path = Path(started.transcript) if started else None
        self._note("session hook", bool(started and path and path.is_absolute()))
        self._note("own home", bool(path and is_below(desk.home, path)), "" if path else "no path")
        await self._await("registry", lambda: desk.process is not None)
        await self._await("status", lambda: desk.status == "idle")
        process = desk.process
        self._note("status time", process is not None and process.since_ms > 0)

    async def _say_hello(self) -> None:
        desk = self._desk
        turn = await desk.ask(_PLAIN)
        self._note("async", desk.is_slow_hook_running)
        self._note("prompt", *_compare(_PLAIN, turn, desk))
        self._note("told", turn.has(TOLD))
        self._note("briefing", turn.has(str(desk.folder.outgoing)))
        await self._await("prompt hook", lambda: desk.has_prompt_hook(_PLAIN))
        await self._await("prompt line", lambda: desk.has_prompt_line(_PLAIN))
        await self._await("answer line", lambda: desk.has_answer(render_answer(turn.prompt)))
        await self._await("stop hook", lambda: bool(desk.hooks(TurnEnded)))
        await self._await("usage", lambda: bool(desk.lines(ContextMeasured)))
        await self._await("turn line", lambda: bool(desk.lines(TurnRecorded)))
        await self._await("live text", lambda: any(e.delta for e in desk.hooks(TextStreamed)))

    def _say(self, key: str, *texts: str) -> Callable[[], Awaitable[None]]:
        async def say() -> None:
            desk = self._desk
            for text in texts:
                turn = await desk.ask(text)
                self._note(key, *_compare(text, turn, desk))
                await self._end_turn()
                if not desk.is_alive:
                    self._note(key, False, "it ended the session")
                if not self._holds(key):
                    return

        return say

    async def _use_tools(self) -> None:
        """One that needs leave, and two in the folders that need none; with a file attached."""
        desk = self._desk
        made, out = desk.project / "made-by-the-self-test", desk.folder.outgoing / "out.txt"
        attached, read = desk.folder.incoming / "a file.txt", desk.folder.incoming / "read.txt"
        for path in (attached, read):
            path.write_text(f"{_IN_FILE}: {path.name}\n")
        planned = call_tools(
            _run(f"touch {made.name}"),
            ("Read", {"file_path": str(read)}),
            ("Write", {"file_path": str(out), "content": "made\n"}),
        )
        desk.model.plan(_USE_TOOLS, planned)
        turn = await desk.ask(f'{_USE_TOOLS}\n\n@"{attached}"')
        self._note("attached", turn.has(f"{_IN_FILE}: {attached.name}"))
        try:
            asked = await until(lambda: bool(desk.hooks(PermissionAsked)), _SEEN_SECONDS)
            has_run = asked and await until(made.exists, _SEEN_SECONDS)
            note = "" if has_run else "the tool did not run" if asked else "no hook"
            self._note("permission", has_run, note)
        finally:
            if not made.exists():
                await desk.press("Escape")
        self._note("waiting", desk.was_waiting)
        await self._end_turn()
        tools = [event.tool for event in desk.hooks(PermissionAsked)]
        is_unasked = out.exists() and tools == ["Bash"]
        self._note("rules", is_unasked, "" if is_unasked else f"it asks for {', '.join(tools)}")
        ids = {event.tool_id for event in desk.lines(ToolStarted)}
        await self._await(
            "tool lines",
            lambda: len(ids) == len(ids & {e.tool_id for e in desk.lines(ToolEnded)}) > 0,
        )
        changes = [read_change(event.result) for event in desk.lines(ToolEnded)]
        self._note("change", str(out) in [change.path for change in changes if change])

    async def _decide(self) -> None:
        """One call is allowed for good and made again, another one is denied."""
        desk = self._desk
        made, denied = "mktemp made.XXXXXX", "touch denied"
        desk.decisions = {made: "always", denied: "deny"}
        desk.model.plan(_DECIDE, call_tools(*(_run(line) for line in (made, made, denied))))
        await desk.ask(_DECIDE)

        def is_told() -> bool:
            return any(REASON in event.text for event in desk.lines(ToolEnded))

        if not await until(is_told, _SEEN_SECONDS):
            await desk.press("Escape")
        await self._end_turn()
        self._note("denial", is_told() and not (desk.project / "denied").exists())
        asked = [event for event in desk.hooks(PermissionAsked) if event.input == _run(made)[1]]
        is_suggested = any(event.suggestions for event in asked)
        has_made = len(list(desk.project.glob("made.*"))) == 2
        note = "" if is_suggested else "it suggests nothing"
        self._note("always", is_suggested and has_made and len(asked) == 1, note)

    async def _ask_question(self) -> None:
        desk = self._desk
        desk.model.plan(_ASK, call_tools(("AskUserQuestion", {"questions": [_QUESTION]})))
        await desk.ask(_ASK)
        answer = f'"{_COLOUR}"="Vermilion"'
        if not await self._await(
            "question", lambda: any(answer in event.text for event in desk.lines(ToolEnded))
        ):
            await desk.press("Escape")
        await self._end_turn()

    async def _fail(self) -> None:
        desk = self._desk
        desk.model.plan(_FAIL, Answer([], status=400))
        await desk.ask(_FAIL)
        await self._await("failure line", lambda: bool(desk.lines(ErrorReported)))
        await self._await("failure hook", lambda: any(e.error for e in desk.hooks(TurnEnded)))
        await self._end_turn()

    async def _show_context(self) -> None:
        desk = self._desk
        answers = len(desk.lines(CommandAnswered))
        await desk.submit("/context", lambda: len(desk.lines(CommandAnswered)) > answers)
        said = [event.command for event in desk.lines(PromptRecorded)]
        self._note("command line", "/context" in said)
        printed = [render_context_usage(event.text) for event in desk.lines(CommandAnswered)]
        self._note("context", any(printed))

    async def _interrupt(self) -> None:
        desk = self._desk
        await desk.ask(WAIT)
        if desk.process is not None and desk.process.status is not None:
            is_busy = await until(lambda: desk.status == "busy", 2.0)
            note = "" if is_busy else "no busy"
            self._note("status", self._holds("status") and is_busy, note)
        await desk.press("Escape")
        await self._await("interrupt", lambda: bool(desk.lines(TurnInterrupted)))
        await self._end_turn()

    async def _refuse(self) -> None:
        """Nobody answers the hook, so that the terminal's dialog is there for the key."""
        desk = self._desk
        interruptions = len(desk.lines(TurnInterrupted))
        refused = "touch refused"
        desk.decisions = {refused: "nothing"}
        desk.model.plan(_REFUSE, call_tools(_run(refused)))
        await desk.ask(_REFUSE)
        note = "" if await desk.shows_dialog() else "no dialog"
        await desk.press("Escape")
        is_told = await until(
            lambda: len(desk.lines(TurnInterrupted)) > interruptions, _SEEN_SECONDS
        )
        self._note("refusal", is_told and not (desk.project / "refused").exists(), note)
        await self._end_turn()

    async def _clear(self) -> None:
        desk = self._desk
        await desk.submit("/clear", lambda: desk.find_start("clear") is not None)
        started = desk.find_start("clear")
        is_new = started is not None and started.session_id != desk.session_id
        self._note("clear", is_new)
        if started is not None and is_new:
            session_id = started.session_id
            await self._await("followed", lambda: desk.is_registered(session_id))

    async def _keep_draft(self) -> None:
        """What is the bridge's own is taken out, and a person's draft put away for a prompt.

        The last step of this process, as a text that stays in the box would cost all that follow.
        """
        desk = self._desk
        await desk.write_draft(_DRAFT)
        is_out = await desk.make_room(_DRAFT)
        self._note("own rest", is_out)
        if is_out:
            await desk.write_draft(_DRAFT)
        if not await desk.make_room():
            self._note("draft", False, "it stays there")
            return
        await desk.ask(_GO_ON)
        await self._end_turn()
        is_back = await desk.holds_in_box(_DRAFT)
        self._note("draft", is_back, "" if is_back else "it does not come back")

    # --- a copy of it, with choices -------------------------------------------------------------

    async def _copy(self) -> None:
        desk = self._desk
        await desk.close()
        ends = desk.hooks(SessionEnded)
        await self._await("end hook", lambda: any(e.reason != "clear" for e in ends))
        original = desk.transcript
        before = original.read_bytes()
        agent = list_shipped()[0]
        choices = _CHOICES if desk.can_resume else _CHOICES | _MODE
        desk.session = desk.make_copy(**choices, agent=agent.name, name=_TITLE)
        problem = await desk.launch()
        if problem:
            self._note_rest(_COPY_KEYS, problem)
            return
        turn = await desk.ask(_RECALL)
        await self._end_turn()
        is_whole = original.read_bytes() == before
        problem = _find_gap(turn) if is_whole else "the original is another now"
        problem = problem if desk.can_resume else _CRASHES
        self._note("copy", not problem, problem)
        self._note("model", _CHOICES["model"] in turn.model)
        self._note("effort", turn.effort == _CHOICES["effort"])
        words = (FOLDER / f"{agent.name.rpartition(':')[2]}.md").read_text().split("\n---\n")[1]
        self._note("agent", turn.has(words.strip().split("\n")[0]))
        await self._await("title", lambda: _read_title(desk.transcript) == _TITLE)

    async def _run_agent(self) -> None:
        desk = self._desk
        tool = "Agent" if "Agent" in desk.model.turns[-1].tools else "Task"
        task = {"description": "Look", "prompt": AGENT_TASK, "subagent_type": "general-purpose"}
        desk.model.plan(_LOOK, call_tools((tool, task)))
        await desk.ask(_LOOK)
        await self._await(
            "subagents",
            lambda: bool(desk.hooks(SubagentStarted) and desk.hooks(SubagentEnded)),
        )
        await self._end_turn()
        turns = desk.hooks(TurnEnded)
        self._note("background", any(event.background is not None for event in turns))

    # --- the session again ----------------------------------------------------------------------

    async def _resume(self) -> None:
        desk = self._desk
        if not desk.can_resume:
            self._note("resume", False, _CRASHES)
            self._seen["told kept"] = "not tried: it can't resume"
            return
        await desk.close()
        desk.session = self._original
        desk.session.state.update(_MODE)
        problem = await desk.launch()
        if problem or desk.find_start() is None:
            self._note("resume", False, problem or "it says that it is another session")
            return
        turn = await desk.ask(_RECALL)
        problem = _find_gap(turn)
        self._note("resume", not problem, problem)
        self._note("told kept", turn.has(TOLD))
        await self._end_turn()

    async def _show_plan(self) -> None:
        desk = self._desk
        desk.model.plan(_SHOW_PLAN, call_tools(("ExitPlanMode", {"plan": "1. Do it"})))
        await desk.ask(_SHOW_PLAN)
        await self._await("mode", lambda: desk.hooks(PromptSubmitted)[-1].mode == "plan")
        if not await self._await(
            "plan", lambda: "acceptEdits" in [event.mode for event in desk.hooks(TurnEnded)]
        ):
            await desk.press("Escape")
        await self._end_turn()

    async def _ask_catalog(self) -> None:
        desk = self._desk
        catalog = await ClaudeCatalog(desk.command, desk.environment).ask(desk.project)
        self._note("catalog", catalog.is_told and bool(catalog.commands))
        self._note("agents", bool(catalog.agents))


_ENDED = "not tried: Claude Code had ended"
_CRASHES = "it crashes when it resumes a session"
_START_KEYS = ("starts", "session hook", "registry", "status", "status time", "own home")
_PLAIN_KEYS = (
    *("prompt", "prompt hook", "prompt line", "answer line", "stop hook", "live text"),
    *("async", "told", "briefing", "usage", "turn line"),
)
_TOOL_KEYS = ("permission", "waiting", "rules", "attached", "tool lines", "change")
_COPY_KEYS = ("end hook", "copy", "model", "effort", "agent", "title")
_SINCE = {belief.key: belief.since for belief in BELIEFS}


def _run(line: str) -> tuple[str, dict[str, Any]]:
    """A call of a tool that runs a command."""
    return "Bash", {"command": line, "description": "Make a file"}


def _find_gap(turn: Turn) -> str:
    """What is wrong with the history that reached the model."""
    return "" if _PLAIN in [text.strip() for text in turn.texts] else "the model saw no history"


def _read_title(transcript: Path) -> str:
    return summarise_session(transcript.read_bytes()).title if transcript.exists() else ""


def _compare(sent: str, turn: Turn, desk: Desk) -> tuple[bool, str]:
    """Whether `sent` came as it is; what Claude Code leaves of white space does not count."""
    read, wanted = turn.prompt, desk.prepared(sent)
    note = "the first Enter was lost" if desk.lost_enter else ""
    if read == wanted:
        return True, note
    if read.strip() == wanted.strip():
        return True, "; ".join(filter(None, [note, "and a space at the end"]))
    return False, f"{len(read)} of {len(wanted)} characters arrived, or others"
