"""The self-test's own Claude Code: a HOME, a project, a tmux server, a model, and what was seen.

* It waits for Claude Code, types at it and looks at it as the bridge does; where the registry does
  not say whether it is idle, the screen has to.
* It gets the hooks that the bridge gets, and answers what is asked with the bridge's own answers.
  One more hook, in the throw-away HOME's settings, is slow, to see whether it is waited for.
"""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal, TypeVar

from claude_feed import ClaudeFeed
from claude_launcher import ClaudeLauncher
from claude_registry import ClaudeRegistry, is_alive
from core.claude_code import (
    REGISTRY_FOLDER,
    STILL_SECONDS,
    TRANSCRIPTS_FOLDER,
    UNAWAITED_SINCE,
    Version,
    is_there,
    render_version,
    typing_for,
)
from core.errors import BridgeError, PaneNotFoundError
from core.events import (
    AnswerGiven,
    ClaudeProcess,
    ErrorReported,
    HookEvent,
    PermissionAsked,
    PromptRecorded,
    PromptSubmitted,
    SessionStarted,
    TranscriptEvent,
    TurnEnded,
    TurnInterrupted,
)
from core.history import Record
from core.keystrokes import is_same_prompt, prepare_prompt
from core.permissions import Permission
from core.plans import Plan
from core.questions import read_questions
from core.requests import Answered, Request, Step
from core.screen import find_dialog, is_quiet, read_input_box, render_screen
from history import Histories
from input_box import look_for_room
from replay import Replays
from self_test_api import API_KEY, ModelServer, Turn
from session import Session
from session_files import FileFolder, SessionFiles
from terminal import Terminal
from tmux_control import TmuxControl

NAME = "self-test"
TOLD = "The self-test was here before"
REASON = "Because the self-test wants it so"

_START_SECONDS = 15.0
_LOOK_SECONDS = 1.0
_READY_SECONDS = 5.0
_PROOF_SECONDS = 1.0
_TAKEN_SECONDS = 6.0
_WAITING_SECONDS = 1.0
_SCREEN_SECONDS = 2.0
_LEAVING_SECONDS = 5.0
_PAUSE_SECONDS = 0.02
_PASSED_ON = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TMPDIR", "VOLTA_HOME", "ASDF_DATA_DIR")
# Of a stack trace of its own code.
_CRASHED = "/cli.js:"
_SLOW_SECONDS = 4
_PRESSES = {"AskUserQuestion": "pick 0", "ExitPlanMode": "approve acceptEdits"}
Decision = Literal["allow", "always", "deny", "nothing"]

_Event = TypeVar("_Event")


class NotTakenError(Exception):
    """Claude Code did not take what was typed."""


class Desk:
    """One Claude Code in a pane; `root` is a folder of its own that goes away afterwards."""

    def __init__(
        self, command: Sequence[str], environ: Mapping[str, str], root: Path, model: ModelServer
    ) -> None:
        root = root.resolve()
        self.home = root / "home"
        self.project = root / "project"
        self.model = model
        self.version: Version = ()
        self.lost_enter = False
        self.was_waiting = False
        self.decisions: dict[str, Decision] = {}
        self.is_turn_open = False
        self.command = tuple(command)
        self._state = root / "state"
        for folder in (self.home, self.project, self._state):
            folder.mkdir(mode=0o700)
        self.environment = _environment(environ, self.home, root, model)
        self._slow = root / "slow"
        self._files = SessionFiles(root / "files")
        self._pane_pid = 0
        self._starts: list[SessionStarted] = []
        self._hooks: list[HookEvent] = []
        self._lines: list[TranscriptEvent] = []
        # It was there before, and its transcript is lost: so Claude is told of it.
        self.session = self._make_session(has_prompts=True)
        self._histories = Histories(root / "history", redact=lambda text: text)
        self._histories.note(self.session_id, [Record("told", time.time(), "prompt", TOLD)])
        self._control: TmuxControl | None = None

    @property
    def session_id(self) -> str:
        """Of the session that is, or will be, started."""
        return self.session.session_id

    @property
    def folder(self) -> FileFolder:
        """Where the session's files come and go."""
        return self._files.folder(self.session_id)

    @property
    def transcript(self) -> Path:
        """The session's transcript, as its hook has said."""
        return Path(self.session.state["transcript"])

    def make_copy(self, **choices: str) -> Session:
        """A session with these choices: a copy of this one, or new if it can't be."""
        origin = {"fork_of": self.session_id, "fork_from": str(self.transcript)}
        return self._make_session(**(origin if self.can_resume else {}), **choices)

    @property
    def can_resume(self) -> bool:
        """Whether a session can go on in another process."""
        return self._launcher.can_resume

    def _make_session(self, **state: object) -> Session:
        base = {"channel": NAME, "project_dir": str(self.project)}
        return Session(str(uuid.uuid4()), 0, state=base | state)

    # --- life -----------------------------------------------------------------------------------

    async def open(self, version: Version) -> None:
        """Prepare everything for this version. Raises TerminalError."""
        self.version = version
        self._write_settings()
        self._control = TmuxControl(
            socket=NAME,
            environment=self.environment,
            folder=self._state / "typing",
            typing=typing_for(version),
        )
        self._control.check()
        self._terminal = Terminal(self._control)
        claude = self.home / ".claude"
        self._registry = ClaudeRegistry(claude / REGISTRY_FOLDER)
        self._launcher = ClaudeLauncher(
            self._terminal,
            self._registry,
            command=self.command,
            permission_mode="default",
            version=version,
            directory=self._state,
            projects=claude / TRANSCRIPTS_FOLDER,
            environment=self.environment,
            files=self._files,
            replays=Replays(self._histories, self._files),
        )
        self._feed = ClaudeFeed(self._state, self._registry.directory, self)
        await self._feed.start()

    async def shut(self) -> None:
        """End the tmux server and what runs in it, and stop listening."""
        if self._control is not None:
            await asyncio.to_thread(self._control.kill_server)
            await self._feed.stop()

    async def launch(self) -> str:
        """Start or resume the session; what is wrong, "" when it is ready for a prompt."""
        self._starts.clear()
        self._hooks.clear()
        self.is_turn_open = False
        launch = await self._launcher.prepare(self.session, NAME)
        self._pane_pid = (await self._launcher.open(launch)).pid
        deadline = time.monotonic() + _START_SECONDS
        while not self._starts and self.is_alive and time.monotonic() < deadline:
            await until(lambda: bool(self._starts) or not self.is_alive, _LOOK_SECONDS)
            if not self._starts and find_dialog(await self._capture()):
                break
        if self._starts and await self._until_idle(_READY_SECONDS):
            return ""
        return await self._explain()

    async def close(self) -> None:
        """End the process, and wait until it has ended."""
        await self._terminal.close(NAME)
        await until(lambda: not self.is_alive, _LEAVING_SECONDS)

    @property
    def is_alive(self) -> bool:
        """Whether the process runs."""
        return self._pane_pid != 0 and is_alive(self._pane_pid)

    # --- what it does ---------------------------------------------------------------------------

    def prepared(self, text: str) -> str:
        """What should reach the model of `text`."""
        return prepare_prompt(text)

    async def ask(self, text: str) -> Turn:
        """Type as the bridge does; returns what reached the model. Raises NotTakenError."""
        before = len(self.model.turns)
        await self.submit(
            prepare_prompt(text), lambda: len(self.model.turns) > before, opens_turn=True
        )
        return self.model.turns[before]

    async def submit(
        self, prompt: str, is_taken: Callable[[], bool], *, opens_turn: bool = False
    ) -> None:
        """Type it; one more Enter when the text still stands in the box. Raises NotTakenError.

        The hook of a prompt can come after that of the turn's end, so it does not open the turn.
        """
        self.lost_enter = False
        if not await self._until_idle(_TAKEN_SECONDS):
            raise NotTakenError("Claude Code did not become idle")
        self.is_turn_open = opens_turn
        await self._terminal.type_text(NAME, prompt)
        if await until(is_taken, _PROOF_SECONDS):
            return
        if read_input_box(await self._capture()):
            self.lost_enter = True
            await self.press("Enter")
        if not await until(is_taken, _TAKEN_SECONDS):
            raise NotTakenError("what was typed was not taken")

    async def press(self, *keys: str) -> None:
        """Press some keys."""
        await self._terminal.press(NAME, *keys)

    async def write_draft(self, text: str) -> None:
        """Leave a text in the input box, as a person may."""
        await self.press(*text)
        await self.holds_in_box(text)

    async def holds_in_box(self, text: str) -> bool:
        """Whether the input box comes to hold this text."""
        return await self._comes_to_show(lambda screen: read_input_box(screen) == text)

    async def make_room(self, *own: str) -> bool:
        """Empty the input box as the bridge does; whether it is empty then."""
        await look_for_room(self._terminal, NAME, own)
        return await self.holds_in_box("")

    async def shows_dialog(self) -> bool:
        """Whether the screen comes to show a dialog."""
        return await self._comes_to_show(lambda screen: find_dialog(screen) is not None)

    # --- what was seen --------------------------------------------------------------------------

    @property
    def process(self) -> ClaudeProcess | None:
        """The entry of the registry."""
        return self._registry.find(self.session_id)

    def is_registered(self, session_id: str) -> bool:
        """Whether the registry has an entry of this session."""
        return self._registry.find(session_id) is not None

    @property
    def status(self) -> str | None:
        """The status in the registry."""
        process = self.process
        return process.status if process else None

    def find_start(self, source: str = "") -> SessionStarted | None:
        """The SessionStart hook with this source; without one, of our session."""
        for started in self._starts:
            if started.source == source or (not source and started.session_id == self.session_id):
                return started
        return None

    def hooks(self, kind: type[_Event]) -> list[_Event]:
        """The hooks of this kind that came since the last start."""
        return [event for event in self._hooks if isinstance(event, kind)]

    def lines(self, kind: type[_Event]) -> list[_Event]:
        """The events of this kind that transcripts told."""
        return [event for event in self._lines if isinstance(event, kind)]

    def has_prompt_hook(self, text: str) -> bool:
        """Whether the UserPromptSubmit hook told this prompt."""
        return any(is_same_prompt(text, event.prompt) for event in self.hooks(PromptSubmitted))

    def has_prompt_line(self, text: str) -> bool:
        """Whether the transcript has this prompt."""
        return any(is_same_prompt(text, event.text) for event in self.lines(PromptRecorded))

    def has_answer(self, text: str) -> bool:
        """Whether the transcript has this answer."""
        return text.strip() in [event.text for event in self.lines(AnswerGiven)]

    @property
    def is_slow_hook_running(self) -> bool:
        """Whether the slow hook has begun, and has not ended."""
        return self._slow.exists() and not self._slow.with_suffix(".ended").exists()

    # --- the feed's listener --------------------------------------------------------------------

    def hear_hook(self, event: HookEvent) -> None:
        """Keep it, and follow the transcript that a start names."""
        if isinstance(event, SessionStarted):
            event = self._launcher.correct(event, self.session)
        self._hooks.append(event)
        match event:
            case SessionStarted():
                self._starts.append(event)
                if event.session_id == self.session_id:
                    self.session.state.update(transcript=event.transcript, has_prompts=True)
                self._feed.follow(event.session_id, Path(event.transcript), 0)
            case TurnEnded():
                self.is_turn_open = False

    async def answer(self, event: PermissionAsked) -> str:
        """Answer as a person does, once the registry says that it waits.

        By `decisions`, which has what to do about a command; all else is allowed, as the press of
        the first button does, and so is what can't be allowed always.
        """
        process = self.process
        if process is not None and process.status is not None:
            self.was_waiting |= await until(lambda: self.status == "waiting", _WAITING_SECONDS)
        request = _read_request(event)
        decision = self.decisions.get(str(event.input.get("command")), "allow")
        if request is None or decision == "nothing":
            return ""
        if decision == "deny":
            answered: Step | None = request.write(REASON, {})
        else:
            always = request.press("always", {}) if decision == "always" else None
            answered = always or request.press(_PRESSES.get(event.tool, "allow"), {})
        return answered.answer if isinstance(answered, Answered) else ""

    def hear_transcript(
        self, session_id: str, events: Sequence[tuple[int, TranscriptEvent]], end: int
    ) -> None:
        """Keep the events."""
        for _, event in events:
            self._lines.append(event)
            if isinstance(event, TurnInterrupted | ErrorReported):
                self.is_turn_open = False

    def hear_loss(self, session_id: str, end: int) -> None:
        """A line could not be handled, which the checks see by what is missing."""

    def hear_registry(self) -> None:
        """The registry is read when it is asked."""

    # --- inside ---------------------------------------------------------------------------------

    async def _until_idle(self, seconds: float) -> bool:
        """Wait for an empty input box that may be typed at: by the registry, or the screen."""
        deadline = time.monotonic() + seconds
        last, since = "", time.monotonic()
        while time.monotonic() < deadline and self.is_alive:
            screen = await self._capture()
            if screen != last:
                last, since = screen, time.monotonic()
            process = self.process
            if process is not None and process.status is not None:
                is_idle = process.status == "idle"
            else:
                is_idle = time.monotonic() - since >= STILL_SECONDS and is_quiet(screen)
            if is_idle and not self.is_turn_open and read_input_box(screen) == "":
                return True
            await asyncio.sleep(_PAUSE_SECONDS)
        return False

    async def _comes_to_show(self, is_shown: Callable[[str], bool]) -> bool:
        deadline = time.monotonic() + _SCREEN_SECONDS
        while not is_shown(await self._capture()):
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(_PAUSE_SECONDS)
        return True

    async def _capture(self) -> str:
        try:
            return await self._terminal.capture(NAME, colours=True)
        except PaneNotFoundError:
            return ""

    async def _explain(self) -> str:
        """Why there is no session, by what the terminal shows."""
        screen = await self._capture()
        dialog = find_dialog(screen)
        if dialog is not None:
            return f"it shows the {dialog.name} dialog"
        if not self.is_alive:
            error = await self._launcher.explain(NAME, BridgeError("nothing"))
            return str(error).rstrip(".")
        if _CRASHED in screen:
            return "it crashed"
        lines = render_screen(screen).split("\n")
        return f"it is not ready; its terminal says: {lines[-1] or 'nothing'}"

    def _write_settings(self) -> None:
        """A Claude Code that was used before, and hooks that keep what they are given."""
        version = render_version(self.version)
        settings = {
            "hasCompletedOnboarding": True,
            "theme": "dark",
            "lastOnboardingVersion": version,
            "lastReleaseNotesSeen": version,
            "hasSeenAutoDefaultNudge": True,
            "customApiKeyResponses": {"approved": [API_KEY[-20:]], "rejected": []},
            "projects": {str(self.project): {"hasTrustDialogAccepted": True}},
        }
        (self.home / ".claude.json").write_text(json.dumps(settings))
        hooks = [{"hooks": [self._render_slow_hook()]}] if self._has_slow_hook else []
        folder = self.home / ".claude"
        folder.mkdir(mode=0o700)
        (folder / "settings.json").write_text(json.dumps({"hooks": {"UserPromptSubmit": hooks}}))

    @property
    def _has_slow_hook(self) -> bool:
        """Whether this version does not wait for it, so that it can be tried."""
        return is_there(UNAWAITED_SINCE, self.version)

    def _render_slow_hook(self) -> dict[str, object]:
        """It is slow only the first time."""
        begun = shlex.quote(str(self._slow))
        line = f"[ -e {begun} ] || {{ > {begun}; sleep {_SLOW_SECONDS}; > {begun}.ended; }}"
        return {"type": "command", "command": line, "async": True}


def _read_request(asked: PermissionAsked) -> Request | None:
    match asked.tool:
        case "AskUserQuestion":
            return read_questions(asked)
        case "ExitPlanMode":
            return Plan(asked, "")
        case _:
            return Permission(asked)


async def until(is_true: Callable[[], bool], seconds: float) -> bool:
    """Whether it became true within so many seconds; looked at often, as nothing tells of it."""
    deadline = time.monotonic() + seconds
    while not is_true():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(_PAUSE_SECONDS)
    return True


def is_below(folder: Path, path: Path) -> bool:
    """Whether the path is inside the folder."""
    return path.resolve().is_relative_to(folder.resolve())


def _environment(
    environ: Mapping[str, str], home: Path, root: Path, model: ModelServer
) -> dict[str, str]:
    """All that the processes see: of the user's own, only what finds programs and writes text."""
    passed_on = {name: environ[name] for name in _PASSED_ON if environ.get(name)}
    passed_on.setdefault("PATH", os.defpath)
    own = {
        "HOME": str(home),
        "TERM": "xterm-256color",
        "TMUX_TMPDIR": str(root),
        "ANTHROPIC_BASE_URL": model.url,
        "ANTHROPIC_API_KEY": API_KEY,
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "CLAUDE_CODE_DISABLE_OFFICIAL_MARKETPLACE_AUTOINSTALL": "1",  # it is not traffic enough
        "GIT_ALLOW_PROTOCOL": "file",
        "DISABLE_AUTOUPDATER": "1",
        "DISABLE_TELEMETRY": "1",
        "DISABLE_ERROR_REPORTING": "1",
    }
    if os.geteuid() == 0:
        own["IS_SANDBOX"] = "1"
    return {"LANG": "C.UTF-8", **passed_on, **own}
