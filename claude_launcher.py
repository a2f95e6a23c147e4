"""Starting Claude Code for a session: a new conversation, or the one it has with `--resume`.

* Never a second process on one session: the registry is asked first, since Claude Code itself lets
  two of them write one history; a lock per session keeps two bridges from asking at once.
* Hooks come by `--settings`, for this process alone; the user's own settings stay as they are.
* A transcript that is not there can't be resumed; whether it should be there is in the session.
* A fork is of the moment it was made: what the original has said since is not in it.
"""

from __future__ import annotations

import logging
import math
import re
import shutil
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import filelock

import shipped_agents
from claude_registry import ClaudeRegistry, find_tty, is_up_to_date, version_of
from core.choices import BYPASS, Choices, mode_in_effect, read_choices, render_options
from core.claude_code import (
    CANNOT_RESUME,
    COPY_NAMED_SINCE,
    SKIPS_BYPASS_DIALOG,
    TOLD_IS_KEPT_SINCE,
    is_there,
    render_version,
    takes_option,
    typing_for,
)
from core.errors import ClaudeDiedError, ClaudeStartError, SessionElsewhereError, TerminalError
from core.events import ClaudeProcess, SessionStarted
from core.file_exchange import add_briefing, render_briefing, render_permissions
from core.hooks import render_settings
from core.screen import render_screen
from durable import replace_file
from orphans import end_orphans, terminal_of
from pulse import Pulse
from replay import Replays
from session import Session
from session_book import files_id
from session_files import FileFolder, SessionFiles
from terminal import Terminal
from tmux_control import Pane
from transcript_keeper import TranscriptKeeper

log = logging.getLogger(__name__)

HOOK = Path(__file__).resolve().with_name("claude_hook.py")

_LEAVING_SECONDS = 3.0
_ENDED_BY_SIGNAL = 128
_EPITAPH = "Pane is dead"  # tmux's own last line
_LAST_WORDS = 6  # lines: the reason stands above the advice
_WOKEN = {
    "idle": "Resumed after a nap.",
    "killed": "Resumed.",
    "left": "Resumed.",
    "cut off": "",  # the chat knows
    None: "Resumed after a restart.",
}
_LOST = (
    "Claude Code no longer has this conversation: its transcript was deleted. "
    "This is a new one, which knows nothing of it."
)

Start = Literal["new", "resumed", "mended", "forked", "copied", "lost", "replayed"]


@dataclass(frozen=True, slots=True)
class Launch:
    """A process that can be started; `lost`: the transcript is gone, so the conversation is new.

    `replayed`: as `lost`, but Claude is told what the bridge had noted; `mended`: as `resumed`, but
    the transcript has become shorter than it was, so Claude is told that too; `copied`: as
    `forked`, from the part of the original's transcript that was there at the fork.

    `choices`: what of the person's it is started with; `name`: the terminal it is for.
    """

    name: str
    command: list[str]
    directory: Path
    start: Start
    choices: Choices


class ClaudeLauncher:
    """Starts processes in `terminal`.

    `prepare_place` has the directory there that was made for a session; it may raise ClaudeError.

    Args:
        version: the installed Claude Code's; () when it is not known.
        directory: the state directory, where the hooks find the bridge's socket.
        projects: Claude Code's folder of transcripts.
        environment: what the processes see (to find the command as they would).
        keeper: gives back a transcript that Claude Code has deleted.
        allows_bypass: whether a session may have the permission mode that never asks, if
            `is_trusted` says so of it too.
        files: where files come and go; without it, Claude Code is told of no such place.
        replays: what Claude is told of a conversation whose transcript is lost.
        patience: seconds after which a start that has not come to a session is looked into.
    """

    def __init__(
        self,
        terminal: Terminal,
        registry: ClaudeRegistry,
        *,
        command: Sequence[str],
        permission_mode: str,
        version: tuple[int, ...],
        directory: Path,
        projects: Path,
        environment: Mapping[str, str],
        keeper: TranscriptKeeper | None = None,
        allows_bypass: bool = False,
        files: SessionFiles | None = None,
        replays: Replays | None = None,
        patience: float = 6.0,
    ) -> None:
        self._keeper = keeper
        self._files = files
        self._replays = replays
        self.registry = registry
        self.patience = patience
        self.version = version
        self.allows_bypass = allows_bypass
        self.is_trusted: Callable[[Session], bool] = lambda session: True
        self.prepare_place: Callable[[Session], Awaitable[None]] = _prepare_nothing
        self._terminal = terminal
        self._command = tuple(command)
        self._permission_mode = permission_mode
        self._directory = directory
        self._launches = directory / "launches"
        self._projects = projects
        self._environment = environment

    def _lock_path(self, session_id: str) -> Path:
        return self.registry.directory / "telegram" / "locks" / f"{session_id}.lock"

    @property
    def can_resume(self) -> bool:
        """Whether a session can go on in another process."""
        return self.version not in CANNOT_RESUME

    @contextmanager
    def holding(self, session_id: str) -> Iterator[None]:
        """Keep other bridges of this machine from starting the session meanwhile.

        Raises:
            SessionElsewhereError: one of them is just doing that.
        """
        path = self._lock_path(session_id)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = filelock.FileLock(path, mode=0o600, timeout=0, fallback_to_soft=False)
        try:
            lock.acquire()
        except filelock.Timeout as error:
            raise SessionElsewhereError("Another bridge is starting this session.", 0) from error
        try:
            yield
        finally:
            lock.release()

    async def join(self, session: Session, name: str) -> Pane | None:
        """Let the terminal `name` be that of a process that has the session open already.

        None when there is none, or not in a tmux in which it can be typed at; nor can one that may
        have left the session, which older versions do not tell. Nobody knows what such a process
        asks before it does it, so it is only for who may do without. Raises TerminalError.
        """
        owner = self.registry.find(session.session_id) if self.is_trusted(session) else None
        if owner is None or owner.is_script or not is_up_to_date(owner):
            return None
        return await self._terminal.join(name, owner.pid, typing_for(version_of(owner)))

    async def prepare(self, session: Session, name: str) -> Launch:
        """How Claude Code is started for the session in the terminal `name`; nothing runs yet.

        Raises:
            SessionElsewhereError: another process has the session open.
            ClaudeStartError: the command or the project directory is not there, or this version
                can't resume.
            StoreWriteError: what Claude is to be told can't be written down.
        """
        await self._check(session)
        start = self._start_of(session)
        is_resumed = start in ("resumed", "forked", "copied", "mended")
        if is_resumed and not self.can_resume:
            raise ClaudeStartError(
                f"Claude Code {render_version(self.version)} crashes when it resumes a session. "
                "Update Claude Code, start the bridge again, and send the message again; or begin "
                "another session with /new."
            )
        if start == "copied":
            _copy_transcript(session)
        choices, mode = read_choices(session.state), self.mode_of(session)
        folders = self._folders_of(session)
        at_start: list[list[str]] = []
        if self._replays is not None and self._is_told(session, start):
            at_start = self._replays.prepare(session, is_mended=is_resumed)
        settings = self._write_settings(name, mode, folders, at_start)
        command = [*self._command, "--settings", str(settings)]
        if folders:
            briefing = render_briefing(str(folders[0].incoming), str(folders[0].outgoing))
            command = add_briefing(command, briefing)
        command += render_options(
            choices,
            mode=mode,
            is_resumed=is_resumed,
            version=self.version,
            our_agents=str(shipped_agents.FOLDER),
        )
        command += render_identity(session, start, self.version)
        return Launch(name, command, project_directory(session), start, choices)

    async def open(self, launch: Launch) -> Pane:
        """Start it. Raises TerminalError."""
        return await self._terminal.open(launch.name, launch.command, launch.directory)

    def mode_of(self, session: Session) -> str:
        """The permission mode that the session is, or would be, started with."""
        choices = read_choices(session.state)
        with_bypass = self.has_bypass(session)
        configured = self._permission_mode
        if configured == BYPASS and not with_bypass:
            configured = "default"
        return mode_in_effect(choices, configured, with_bypass=with_bypass, version=self.version)

    def has_bypass(self, session: Session) -> bool:
        """Whether the session may have the permission mode that never asks."""
        return self.allows_bypass and self.is_trusted(session)

    async def explain(self, name: str, error: Exception) -> ClaudeStartError:
        """Why the process in `name` ended before it had a session, by its last words.

        Raises ClaudeDiedError when it was ended from outside, which is no fault of the start.
        """
        try:
            pane = await self._terminal.find(name)
            if pane is None or not pane.is_dead or (pane.exit_status or 0) > _ENDED_BY_SIGNAL:
                raise ClaudeDiedError(str(error))
            words = render_screen(await self._terminal.capture(name))
            await self._terminal.close(name)
        except TerminalError:
            words = ""
        lines = [line.strip() for line in words.split("\n") if not line.startswith(_EPITAPH)]
        last = [line for line in lines if line][-_LAST_WORDS:] or [str(error)]
        said = f" {last[0]}" if len(last) == 1 else "\n" + "\n".join(last)
        return ClaudeStartError(f"Claude Code did not start. It said:{said}")

    def correct(self, event: SessionStarted, session: Session) -> SessionStarted:
        """The start of a process for the session, as it is meant by this version."""
        return correct_start(event, session, self.version)

    def tell_of_replay(self, session_id: str) -> str:
        """What the chat is told of the replay that the session was started with; "" for none."""
        return self._replays.tell(session_id) if self._replays is not None else ""

    def forget(self, session: Session) -> None:
        """Remove what was written for starting the session. Raises OSError."""
        for path in self._launches.glob(f"{terminal_name(session)}.*json"):
            path.unlink(missing_ok=True)
        self._lock_path(session.session_id).unlink(missing_ok=True)

    def find_transcripts(self) -> dict[str, Path]:
        """The transcripts of all sessions on this machine, by id."""
        return {path.stem: path for path in self._projects.glob("*/*.jsonl")}

    def find_transcript(self, session_id: str) -> Path | None:
        """The transcript of any session on this machine, by its id."""
        found = list(self._projects.glob(f"*/{session_id}.jsonl"))
        return max(found, key=lambda path: path.stat().st_mtime, default=None)

    def transcript_of(self, session: Session) -> Path | None:
        """Where the session's transcript is; without a hook's word it is looked for."""
        known = session.state.get("transcript")
        return Path(known) if known else self.find_transcript(session.session_id)

    async def _check(self, session: Session) -> None:
        owner = await self._find_owner(session.session_id)
        if owner is not None:
            raise SessionElsewhereError(
                f"This session is open in another terminal ({_place_of(owner)}), and not in a "
                "tmux that could be joined. Leave it there with /exit and send the message again, "
                "or take it over: that ends the other process, and what it is doing.",
                owner.pid,
            )
        await self.prepare_place(session)
        directory = project_directory(session)
        if not directory.is_dir():
            raise ClaudeStartError(
                f"The project directory {directory} is not there any more. "
                "Put it back, or start elsewhere with /new DIRECTORY."
            )
        if shutil.which(self._command[0], path=self._environment.get("PATH")) is None:
            raise ClaudeStartError(
                f"The command {self._command[0]} was not found. Install Claude Code, "
                "or say where it is with BRIDGE_CLAUDE_COMMAND."
            )

    async def _find_owner(self, session_id: str) -> ClaudeProcess | None:
        """Another process that has the session; one of ours may still be on its way out."""
        pulse = Pulse()
        if not await pulse.until(lambda: self.registry.find(session_id) is None, _LEAVING_SECONDS):
            await self.end_orphans(session_id)
        return self.registry.find(session_id)

    def terminal_of(self, process: ClaudeProcess) -> str:
        """The terminal that it was started for here; "" for anybody else's."""
        return terminal_of(process, self._launches)

    async def end_orphans(self, session_id: str = "") -> None:
        """End what was started here (for the session, if one is named) and has no terminal."""
        await end_orphans(self.registry, self._launches, session_id)

    def _start_of(self, session: Session) -> Start:
        session_id, known = session.session_id, session.state.get("transcript")
        places = [self._place_of(Path(known))] if known else []
        for place in filter(None, [*places, self.find_transcript(session_id)]):
            if self._has_transcript(session_id, place):
                is_whole = place.stat().st_size >= session.state.get("cursor", 0)
                return "resumed" if is_whole or not self._has_replay(session) else "mended"
        if session.state.get("has_prompts"):
            return "replayed" if self._has_replay(session) else "lost"
        origin, path = session.state.get("fork_of"), session.state.get("fork_from")
        if origin and path and self._has_transcript(origin, Path(path)):
            length = session.state.get("fork_size", math.inf)
            return "copied" if Path(path).stat().st_size > length else "forked"
        return "lost" if origin else "new"

    def _is_told(self, session: Session, start: Start) -> bool:
        """Whether Claude has to be told of what was said before; old versions forget it again."""
        is_forgotten = not is_there(TOLD_IS_KEPT_SINCE, self.version)
        is_told_again = is_forgotten and bool(session.state.get("replayed"))
        return start in ("replayed", "mended") or (is_told_again and self._has_replay(session))

    def _has_replay(self, session: Session) -> bool:
        return self._replays is not None and self._replays.is_there(session)

    def _place_of(self, transcript: Path) -> Path:
        """Where Claude Code looks for it: on another machine its folder may be another."""
        if transcript.is_relative_to(self._projects):
            return transcript
        return self._projects / transcript.parent.name / transcript.name

    def _has_transcript(self, session_id: str, path: Path) -> bool:
        """Whether it is there, if need be because it was put back."""
        if self._keeper is None:
            return path.is_file()
        try:
            return self._keeper.put_back(session_id, path)
        except OSError as error:
            log.error("a transcript can't be put back: %s", error.strerror or error)
            return path.is_file()

    def _folders_of(self, session: Session) -> list[FileFolder]:
        """Those of its terminal first, which it is told of; it may have had others of its own."""
        if self._files is None:
            return []
        try:
            own = self._files.find(session.session_id)
            folder = self._files.folder(files_id(session))
        except OSError as error:
            log.error("there is no place for a session's files: %s", error.strerror)
            return []
        return [folder] if own is None or own == folder else [folder, own]

    def _write_settings(
        self,
        name: str,
        mode: str,
        folders: Sequence[FileFolder],
        at_start: Sequence[Sequence[str]] = (),
    ) -> Path:
        folder = self._launches
        folder.mkdir(mode=0o700, exist_ok=True)
        hook = [sys.executable, "-I", "-S", str(HOOK), str(self._directory), name]
        path = folder / f"{name}.json"
        # The owner has agreed by the setting.
        others: dict[str, Any] = {SKIPS_BYPASS_DIALOG: True} if mode == BYPASS else {}
        if folders:
            others["permissions"] = render_permissions(
                [str(found.incoming) for found in folders],
                [str(found.outgoing) for found in folders],
            )
        settings = render_settings(hook, self.version, at_start=at_start, **others)
        replace_file(path, settings.encode())
        return path


async def _prepare_nothing(session: Session) -> None:
    pass


def describe_start(start: str, asleep: str | None) -> str:
    """What the chat is told of a start, "" for nothing; `asleep`: why the process was not there."""
    if start == "lost":
        return _LOST
    return _WOKEN.get(asleep, _WOKEN[None]) if start == "resumed" else ""


def name_to_tell(session: Session, version: tuple[int, ...]) -> str:
    """The title that a person gave in the chat, if Claude Code does not know it and can.

    It is told once: from then on a title given at the terminal is the newer one.
    """
    name = str(session.state.get("name") or "")
    is_known = name == session.state.get("told_name")
    return "" if is_known or not takes_option("--name", version) else name


def _place_of(owner: ClaudeProcess) -> str:
    tty = find_tty(owner.pid)
    return f"{tty}, process {owner.pid}" if tty else f"process {owner.pid}, in {owner.directory}"


def render_identity(session: Session, start: Start, version: tuple[int, ...]) -> list[str]:
    """The part of the command line that says which session it is, and how a person calls it."""
    name, own = name_to_tell(session, version), ["--session-id", session.session_id]
    named = [f"--name={name}"] if name else []
    match start:
        case "resumed" | "mended" | "copied":
            return [*named, "--resume", session.session_id]
        case "forked":
            return [*named, "--resume", session.state["fork_of"], "--fork-session", *own]
        case _:
            return [*named, *own]


def _copy_transcript(session: Session) -> None:
    """Make the fork's transcript as Claude Code does, but of what was said until then.

    Raises StoreWriteError.
    """
    origin, state = session.state["fork_of"], session.state
    path = Path(state["fork_from"])
    with path.open("rb") as file:
        data = file.read(state["fork_size"])
    lines = data[: data.rfind(b"\n") + 1]
    named = re.compile(rb'"(session_?[Ii]d)":"' + re.escape(origin.encode()) + b'"')
    own = named.sub(rb'"\1":"' + session.session_id.encode() + b'"', lines)
    replace_file(path.with_name(f"{session.session_id}.jsonl"), own)


def correct_start(
    event: SessionStarted, session: Session, version: tuple[int, ...]
) -> SessionStarted:
    """The start of a process for the session, which old versions call the original's in a copy."""
    is_copy = event.source == "resume" and event.session_id == session.state.get("fork_of")
    if not is_copy or session.state.get("has_prompts") or is_there(COPY_NAMED_SINCE, version):
        return event
    transcript = Path(event.transcript).parent / f"{session.session_id}.jsonl"
    return replace(
        event,
        session_id=session.session_id,
        transcript=str(transcript) if event.transcript else "",
    )


def project_directory(session: Session) -> Path:
    """Where the session works."""
    return Path(session.state.get("project_dir") or Path.home())


def terminal_name(session: Session) -> str:
    """The tmux session's name: made from the project's name and our id, so it never goes stale."""
    project = re.sub(r"[^A-Za-z0-9_-]+", "-", project_directory(session).name).strip("-")
    return f"{project[:24] or 'claude'}-{session.session_id[:8]}"
