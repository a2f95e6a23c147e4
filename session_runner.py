"""One session's running: wake it, give it its prompts one at a time, and prove that each arrived.

* At most one prompt is under way; the others wait in the inbox, in order.
* Nothing is typed but at a proven input box: the registry says that this very session is idle, and
  the screen shows the box, empty.
* A prompt that was typed is typed again only when it is certain that Claude does not have it: the
  transcript lacks it, and Claude is idle or gone. A slash command leaves no such proof and is never
  typed twice.
* A Claude that dies is woken again with `--resume`, three times for one prompt at the most.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Literal, Protocol

from claude_launcher import ClaudeLauncher, Start
from claude_registry import is_alive
from core.delivery import Prompt, UnderWay
from core.errors import (
    BridgeError,
    ClaudeDiedError,
    PaneNotFoundError,
    PaneNotTypableError,
    StoreWriteError,
    TerminalError,
)
from core.keystrokes import is_same_prompt
from core.model import (
    ClaudeProcess,
    HookEvent,
    PromptRecorded,
    TranscriptEvent,
)
from core.screen import read_input_box
from core.transcript import parse_line
from inbox import Entry, Inbox
from pulse import Pulse
from session import Session
from terminal import Terminal

log = logging.getLogger(__name__)

_PROOF_SECONDS = 3.0
_RECORD_SECONDS = 15.0
_COMMAND_SECONDS = 5.0
_SETTLE_SECONDS = 1.5
_TRIES = 3
_CLEARING_KEYS = 40
_DISK_SECONDS = 5.0


Interruption = Literal["running", "interrupted", "withdrawn"]


class RunnerReports(Protocol):
    """Who is told what a runner meets."""

    def woke(self, runner: SessionRunner, start: Start) -> None:
        """Claude runs; `start` says with which history."""

    def failed(self, runner: SessionRunner, prompt: Prompt | None, error: BridgeError) -> None:
        """The prompt could not be delivered, or (None) Claude could not be started."""

    def interrupted(self, runner: SessionRunner, prompt: Prompt) -> None:
        """Claude died while it worked at the prompt, which it has."""

    def blocked(self, runner: SessionRunner, reason: str) -> None:
        """Prompts wait until a person has done something at the terminal."""


class SessionRunner:
    """The running of `session_id`, in the terminal called `name`."""

    def __init__(
        self,
        session_id: str,
        name: str,
        *,
        launcher: ClaudeLauncher,
        terminal: Terminal,
        inbox: Inbox,
        session: Callable[[str], Session],
        reports: RunnerReports,
    ) -> None:
        self.session_id = session_id
        self.name = name
        self.process: ClaudeProcess | None = None
        self.pane_pid = 0
        self._launcher = launcher
        self._terminal = terminal
        self._inbox = inbox
        self._session = session
        self._reports = reports
        self._queue: deque[Prompt] = deque()
        self._pulse = Pulse()
        self._under_way: UnderWay | None = None
        self._unrecorded: deque[str] = deque(maxlen=8)
        self._task: asyncio.Task[None] | None = None

    # --- what others ask and tell ---------------------------------------------------------------

    @property
    def is_awake(self) -> bool:
        """Whether a process of ours runs."""
        return self.pane_pid != 0 and is_alive(self.pane_pid)

    @property
    def has_work(self) -> bool:
        """Whether a prompt waits or is under way, or a process is being started for one."""
        return bool(self._queue) or (self._task is not None and not self._task.done())

    @property
    def waiting_prompts(self) -> list[Prompt]:
        """The prompts that were not typed yet, in order."""
        is_typed = self._under_way is not None and self._under_way.typed_at
        return list(self._queue)[1 if is_typed else 0 :]

    def submit(self, prompt: Prompt) -> None:
        """Put a prompt behind those that wait."""
        self._queue.append(prompt)
        self.begin()

    def restore(self, entry: Entry) -> None:
        """As `submit`, for a prompt that was not done when the bridge ended."""
        prompt = Prompt(entry.key, entry.text)
        if entry.step in ("typed", "recorded"):
            self._under_way = UnderWay(prompt, entry.typed_at, is_recorded=entry.step == "recorded")
        self.submit(prompt)

    def drop_queue(self) -> int:
        """Forget the prompts that wait; returns how many."""
        return sum(self.drop(prompt.key) for prompt in self.waiting_prompts)

    def drop(self, key: str) -> bool:
        """Forget a prompt that waits; False when it is not among them any more."""
        found = next((p for p in self.waiting_prompts if p.key == key), None)
        if found is None:
            return False
        self._inbox.finish(key, "dropped")
        if found is self._queue[0]:  # the work is waiting to type it
            self._queue[0] = replace(found, is_dropped=True)
        else:
            self._queue.remove(found)
        self._pulse.beat()
        return True

    def rewrite(self, key: str, text: str) -> bool:
        """Give a prompt that waits another text; False when it is not among them any more."""
        for number, prompt in enumerate(self._queue):
            if prompt.key == key and prompt in self.waiting_prompts:
                self._inbox.advance(key, "assigned", session_id=self.session_id, text=text)
                self._queue[number] = replace(prompt, text=text)
                return True
        return False

    def hear_hook(self, event: HookEvent) -> None:
        """Take a hook's hint."""
        if self._under_way is not None:
            self._under_way.hear_hook(event)
        self._pulse.beat()

    def claims(self, event: TranscriptEvent) -> bool:
        """Take note of a transcript's event; whether it is the record of our own prompt."""
        is_ours = self._under_way is not None and self._under_way.claims(event)
        if isinstance(event, PromptRecorded) and not is_ours:
            is_ours = any(is_same_prompt(text, event.text) for text in self._unrecorded)
        self._pulse.beat()
        return is_ours

    def hear_registry(self, process: ClaudeProcess | None) -> None:
        """Take note of what the registry says of our session."""
        if process != self.process:
            self.process = process
            self._pulse.beat()

    def begin(self) -> None:
        """Have a process soon, without waiting for it."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._work(), name=f"session {self.name}")

    async def wake(self) -> None:
        """Have a process that is ready. Raises ClaudeError, TerminalError."""
        if self.is_awake and self.process is not None:
            return
        pane = await self._terminal.find(self.name)
        if pane is not None and is_alive(pane.pid):
            self.pane_pid = pane.pid
            await self._until_ready()
            return
        await self._terminal.close(self.name)
        with self._launcher.holding(self.session_id):
            launch = await self._launcher.launch(self._session(self.session_id), self.name)
            self.pane_pid = launch.pane.pid
            try:
                await self._until_ready()
            except ClaudeDiedError as error:
                raise await self._launcher.explain(self.name, error) from error
        self._reports.woke(self, launch.start)

    async def sleep(self) -> None:
        """End the process; the session stays. Raises TerminalError."""
        await self._terminal.close(self.name)
        self.pane_pid = 0
        self.process = None
        self._pulse.beat()

    async def interrupt(self, seconds: float) -> Interruption:
        """Press Escape and see what becomes of it. Raises TerminalError, ClaudeDiedError."""
        await self._terminal.press(self.name, "Escape")
        if not await self._until(self._is_idle, seconds):
            return "running"
        under_way = self._under_way
        if under_way is None or not under_way.typed_at:
            return "interrupted"
        if await self._until(lambda: under_way.is_recorded, _SETTLE_SECONDS):
            return "interrupted"
        self._withdraw(under_way)
        return "withdrawn"

    async def end(self) -> int:
        """End the process and give up every prompt; returns how many had not been answered."""
        await self.stop()
        given_up = [prompt.key for prompt in self._queue if not prompt.is_dropped]
        for key in given_up:
            self._inbox.finish(key, "killed")
        self._queue.clear()
        if self._under_way is not None and not self._under_way.is_recorded:
            self._unrecorded.append(self._under_way.prompt.text)
        self._under_way = None
        await self.sleep()
        return len(given_up)

    async def stop(self) -> None:
        """Stop working at prompts; what is under way goes on after the next start."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    # --- the work -------------------------------------------------------------------------------

    async def _work(self) -> None:
        """Wake, then deliver what waits until nothing does."""
        try:
            if not self._queue:
                await self.wake()
        except BridgeError as error:
            self._reports.failed(self, None, error)
        while self._queue:
            try:
                await self._deliver(self._queue[0])
            except StoreWriteError as error:
                log.error("a prompt waits until it can be noted down: %s", error)
                await asyncio.sleep(_DISK_SECONDS)
                continue
            except BridgeError as error:
                self._give_up(self._queue[0], error)
            except Exception:
                log.exception("a prompt could not be handled")
                self._give_up(self._queue[0], BridgeError("The bridge's log has the reason."))
            self._under_way = None
            self._queue.popleft()

    def _give_up(self, prompt: Prompt, error: BridgeError) -> None:
        self._reports.failed(self, prompt, error)
        self._inbox.finish(prompt.key, "failed")

    async def _deliver(self, prompt: Prompt) -> None:
        if self._under_way is None or self._under_way.prompt.key != prompt.key:
            self._under_way = UnderWay(prompt)
        under_way = self._under_way
        for _ in range(_TRIES):
            try:
                await self.wake()
                if not await self._is_there(under_way):
                    await self._type(under_way)
                await self._until_ended(under_way)
                self._inbox.finish(prompt.key, "answered")
                return
            except (ClaudeDiedError, PaneNotFoundError, PaneNotTypableError):
                self.pane_pid = 0
                if await self._was_cut_off(under_way):
                    return
        raise ClaudeDiedError("Claude Code ended three times while it was given this message.")

    async def _was_cut_off(self, under_way: UnderWay) -> bool:
        """Whether the Claude that ended had the prompt, which is then done with."""
        if under_way.prompt.is_command and under_way.typed_at:
            self._inbox.finish(under_way.prompt.key, "ended")  # /exit does that, for one
            return True
        if not under_way.is_recorded and not self._find_record(under_way):
            return False
        self._reports.interrupted(self, under_way.prompt)
        self._inbox.finish(under_way.prompt.key, "interrupted")
        try:
            await self.wake()
        except BridgeError as error:
            self._reports.failed(self, None, error)
        return True

    async def _is_there(self, under_way: UnderWay) -> bool:
        """Whether Claude has the prompt that an earlier typing was begun for."""
        if under_way.is_recorded:
            return True
        if not under_way.typed_at:
            return False
        if under_way.prompt.is_command:
            under_way.has_ended = True
            return True
        await self._until(lambda: self._find_record(under_way) or self._is_settled(under_way))
        return under_way.is_recorded

    def _is_settled(self, under_way: UnderWay) -> bool:
        return self._is_idle() and time.time() - under_way.typed_at > _SETTLE_SECONDS

    def _find_record(self, under_way: UnderWay) -> bool:
        """Look for the prompt in the transcript, behind where it ended before the typing."""
        entry = self._inbox.find(under_way.prompt.key)
        path = _transcript(self._session(self.session_id))
        if entry is None or path is None or not path.exists():
            return False
        with path.open("rb") as file:
            file.seek(entry.typed_from)
            events = [event for line in file for event in parse_line(line)]
        for event in events:
            self.claims(event)
        return under_way.is_recorded

    async def _type(self, under_way: UnderWay) -> None:
        await self._until_box_is_empty(under_way)
        prompt = under_way.prompt = self._queue[0]  # it may have been edited or dropped meanwhile
        if prompt.is_dropped:
            under_way.has_ended = True
            return
        path = _transcript(self._session(self.session_id))
        length = path.stat().st_size if path is not None and path.exists() else 0
        under_way.typed_at = time.time()
        self._inbox.advance(
            prompt.key,
            "typed",
            session_id=self.session_id,
            typed_from=length,
            typed_at=under_way.typed_at,
        )
        await self._terminal.type_text(self.name, prompt.text)
        await self._until_taken(under_way)

    async def _until_taken(self, under_way: UnderWay) -> None:
        """Wait for Claude's word that it has the prompt; one more Enter if the first was lost."""
        if under_way.prompt.is_command:
            await self._until_command_taken(under_way)
            return
        if not await self._until(lambda: under_way.is_taken, _PROOF_SECONDS):
            box = read_input_box(await self._terminal.capture(self.name, colours=True))
            if box and self._is_idle():
                await self._terminal.press(self.name, "Enter")
            if not await self._until(lambda: under_way.is_taken, _RECORD_SECONDS):
                raise TerminalError(
                    "Claude Code did not take this message; /screen shows the terminal."
                )
        await self._until(lambda: under_way.is_recorded or under_way.has_ended, _RECORD_SECONDS)
        if under_way.is_recorded:
            self._inbox.advance(under_way.prompt.key, "recorded")
        elif self._is_idle():
            self._withdraw(under_way)

    def _withdraw(self, under_way: UnderWay) -> None:
        """Escape came before Claude had begun: it put the text back into the box, unrecorded."""
        if not under_way.has_ended:
            under_way.has_ended = True
            self._unrecorded.append(under_way.prompt.text)
            self._pulse.beat()

    async def _until_command_taken(self, under_way: UnderWay) -> None:
        """A slash command shows in one of many ways that it ran, or not at all."""
        typed_from = under_way.typed_at * 1000
        session_id = self.session_id

        def shows() -> bool:
            process = self.process
            return (
                under_way.is_taken
                or self.session_id != session_id
                or (process is not None and process.since_ms > typed_from)
            )

        await self._until(shows, _COMMAND_SECONDS)
        if not under_way.is_submitted:
            under_way.has_ended = True

    async def _until_ended(self, under_way: UnderWay) -> None:
        """Wait for the end of the turn, by the hook, the transcript or the registry."""

        def ended() -> bool:
            process = self.process
            is_idle_again = (
                under_way.is_recorded
                and process is not None
                and process.status == "idle"
                and process.since_ms > under_way.typed_at * 1000
            )
            return under_way.has_ended or is_idle_again

        await self._until(ended)

    async def _until_ready(self) -> None:
        """Wait for the process's entry in the registry; without one after a while, say so."""

        def is_ready() -> bool:
            self._look()
            return self.process is not None

        if not await self._until(is_ready, self._launcher.patience):
            self._reports.blocked(self, "Claude Code asks something before it starts.")
            await self._until(is_ready)

    async def _until_box_is_empty(self, under_way: UnderWay) -> None:
        """Wait for the input box, and put aside what stands in it."""
        told = False
        for attempt in range(1_000_000):
            await self._until(self._is_idle)
            box = read_input_box(await self._terminal.capture(self.name, colours=True))
            if box == "":
                return
            if box is not None:
                await self._put_aside(box, under_way)
            elif attempt > 10 and not told:
                told = True
                self._reports.blocked(self, "The terminal does not show Claude's input box.")
            await self._until(lambda: False, 0.1 if attempt < 10 else 1.0)

    async def _put_aside(self, box: str, under_way: UnderWay) -> None:
        """Clear the rest of our own typing; stash what a person wrote (it comes back by itself)."""
        own = [under_way.prompt.text, *self._unrecorded]
        if any(is_same_prompt(text, box) or text.startswith(box) for text in own):
            await self._terminal.press(self.name, *["C-u"] * min(_CLEARING_KEYS, 2 * len(box)))
        else:
            await self._terminal.press(self.name, "C-s")

    async def _until(self, is_true: Callable[[], bool], seconds: float | None = None) -> bool:
        """As Pulse.until. Raises ClaudeDiedError when the process is gone before."""

        def look() -> bool:
            if is_true():
                return True
            if not self.is_awake:
                raise ClaudeDiedError("Claude Code has ended.")
            self._look()
            return is_true()

        return await self._pulse.until(look, seconds)

    def _look(self) -> None:
        """Ask the registry ourselves: file events can be late or lost."""
        self.process = self._launcher.registry.find(self.session_id)

    def _is_idle(self) -> bool:
        return self.process is not None and self.process.status == "idle"


def _transcript(session: Session) -> Path | None:
    path = session.state.get("transcript")
    return Path(path) if path else None
