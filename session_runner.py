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
import itertools
import logging
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from claude_launcher import ClaudeLauncher
from claude_registry import find_parents, is_alive
from core.choices import is_outdated
from core.delivery import Interruption, Prompt, UnderWay
from core.errors import (
    BridgeError,
    ClaudeDiedError,
    CommandUncertainError,
    PaneNotFoundError,
    PaneNotTypableError,
    StoreWriteError,
    TerminalError,
)
from core.keystrokes import is_same_prompt
from core.model import ClaudeProcess, HookEvent, PromptRecorded, TranscriptEvent
from core.ports import RunnerReports
from core.screen import read_input_box
from inbox import Entry, Inbox
from input_box import is_put_back, look_for_room
from prompt_queue import PromptQueue
from pulse import Pulse
from renewal import end_idle
from session import Session
from terminal import Terminal
from transcript_file import read_events

log = logging.getLogger(__name__)

_PROOF_SECONDS = 3.0
_RECORD_SECONDS = 15.0
_COMMAND_SECONDS = 5.0
_SETTLE_SECONDS = 1.5
_TRIES = 3
_LOOKS = 10
_QUIET_SECONDS = 0.4
_STOP_SECONDS = 5.0
_DISK_SECONDS = 5.0


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
        reports: RunnerReports[SessionRunner],
    ) -> None:
        self.session_id = session_id
        self.name = name
        self.process: ClaudeProcess | None = None
        self.pane_pid = 0
        self.is_blind = False
        self._claude_pid = 0
        self._quiet_until = 0.0
        self._launcher = launcher
        self._terminal = terminal
        self._inbox = inbox
        self._session = session
        self._reports = reports
        self._pulse = Pulse()
        self.queue = PromptQueue(inbox, is_typed=self._is_typing, changed=self._pulse.beat)
        self._under_way: UnderWay | None = None
        self._interrupted = ""
        self._is_renewing = False
        self._unrecorded: deque[str] = deque(maxlen=8)
        self._task: asyncio.Task[None] | None = None

    @property
    def is_awake(self) -> bool:
        """Whether a process of ours runs."""
        return self.pane_pid != 0 and is_alive(self.pane_pid)

    @property
    def has_work(self) -> bool:
        """Whether a prompt waits or is under way, or a process is being started for one."""
        return bool(self.queue) or (self._task is not None and not self._task.done())

    @property
    def is_working(self) -> bool:
        """Whether Claude has something to do, from us or from a person at the terminal."""
        status = self.process.status if self.process is not None else None
        return self._is_typing() or status in ("busy", "waiting")

    def submit(self, prompt: Prompt) -> None:
        """Put a prompt behind those that wait."""
        self.queue.append(prompt)
        self.begin()

    def restore(self, entry: Entry) -> None:
        """As `submit`, for a prompt that was not done when the bridge ended."""
        prompt = Prompt(entry.key, entry.text, place=entry.place)
        is_typed = entry.step in ("typed", "recorded")
        if is_typed:
            self._under_way = UnderWay(prompt, entry.typed_at, is_recorded=entry.step == "recorded")
        self.queue.restore(prompt, is_typed=is_typed)
        self.begin()

    def hear_hook(self, event: HookEvent) -> None:
        """Take a hook's hint."""
        if self._under_way is not None:
            self._under_way.hear_hook(event)
        self._pulse.beat()

    def claims(self, event: TranscriptEvent) -> bool:
        """Take note of a transcript's event; whether it is the record of our own prompt."""
        under_way = self._under_way
        is_ours = under_way is not None and under_way.claims(event)
        if under_way is not None and is_ours:
            under_way.is_shown = True
        if isinstance(event, PromptRecorded) and not is_ours:
            found = next((t for t in self._unrecorded if is_same_prompt(t, event.text)), None)
            is_ours = found is not None
            if found is not None:
                self._unrecorded.remove(found)
        self._pulse.beat()
        return is_ours

    def hear_registry(self, process: ClaudeProcess | None) -> None:
        """Take note of what the registry says of our session."""
        if process is not None and process.pid != self._claude_pid and self._is_ours(process):
            self._claude_pid = process.pid
        if process != self.process:
            self.process = process
            self._pulse.beat()

    def begin(self) -> None:
        """Have a process soon, without waiting for it."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._work(), name=f"session {self.name}")

    async def wake(self) -> bool:
        """Have a process that is ready; whether it had to be started.

        Raises ClaudeError, TerminalError.
        """
        if self.is_awake and self.process is not None:
            return False
        self._claude_pid = 0
        pane = await self._terminal.find(self.name)
        if pane is not None and is_alive(pane.pid):
            self.pane_pid = pane.pid
            await self._until_ready()
            return False
        if pane is not None and not pane.is_dead:
            await self._terminal.close(self.name)
        with self._launcher.holding(self.session_id):
            launch = await self._launcher.launch(self._session(self.session_id), self.name)
            self.pane_pid = launch.pane.pid
            try:
                await self._until_ready()
            except ClaudeDiedError as error:
                raise await self._launcher.explain(self.name, error) from error
        start, self._is_renewing = "renewed" if self._is_renewing else launch.start, False
        self._reports.woke(self, start, launch.choices)
        return True

    async def _renew(self) -> None:
        """Have the process make room for one with the session's present choices, if it may."""
        if not self.is_awake or not is_outdated(self._session(self.session_id).state):
            return
        if await end_idle(self._terminal, self.name, self.process, self._claude_pid):
            self._is_renewing = True
            self._forget_process()

    async def sleep(self) -> None:
        """End the process; the session stays. Raises TerminalError."""
        await self._terminal.close(self.name)
        self._forget_process()
        self._pulse.beat()

    async def interrupt(self, *, spares_waiting: bool = False) -> Interruption:
        """Press Escape and see what becomes of it. Raises TerminalError, ClaudeDiedError.

        What waits and would be typed next is withdrawn when nothing else is at work, or is spared.
        """
        process, under_way = self.process, self._under_way
        is_old = process is not None and time.time() - process.since_ms / 1000 > _SETTLE_SECONDS
        is_working = process is not None and not process.is_idle
        is_typed = self._is_typing() and under_way is not None and not under_way.has_ended
        withdraws = not spares_waiting and not is_typed and not (is_working and is_old)
        if withdraws and self.queue.waiting:
            self.queue.drop(self.queue.waiting[0].key)
            return "withdrawn"
        if not is_working and not is_typed:
            return "nothing"
        if under_way is None or not is_typed:
            await self._press_escape()
            return "interrupted" if await self._until(self._is_idle, _STOP_SECONDS) else "running"
        self._interrupted = under_way.prompt.text
        for _ in range(_TRIES):
            if not self._is_idle():
                await self._press_escape()
            if await self._until(lambda: self._has_left(under_way), _SETTLE_SECONDS):
                is_back = await is_put_back(self._terminal, self.name, self._interrupted)
                return "withdrawn" if is_back and not under_way.has_ended else "interrupted"
            if self._is_idle() and not under_way.is_recorded:
                self._withdraw(under_way)
                return "withdrawn"
        return "running"

    def _has_left(self, under_way: UnderWay) -> bool:
        return under_way.has_ended or self._under_way is not under_way

    def _is_typing(self) -> bool:
        return self._under_way is not None and bool(self._under_way.typed_at)

    async def _press_escape(self) -> None:
        self._quiet_until = time.monotonic() + _QUIET_SECONDS
        await self._terminal.press(self.name, "Escape")

    def hand_over(self) -> list[Prompt]:
        """Stop at once, and give the prompts that wait to who takes this runner's place."""
        if self._task is not None:
            self._task.cancel()
        prompts = self.queue.waiting
        self.queue.clear()
        return prompts

    async def end(self) -> int:
        """End the process and give up every prompt; returns how many Claude never had."""
        await self.stop()
        is_done = self._under_way is not None and self._under_way.is_recorded
        given_up = [prompt for prompt in self.queue if not prompt.is_dropped][is_done:]
        for prompt in self.queue:
            self._inbox.finish(prompt.key, "killed")
        self.queue.clear()
        self._forget_under_way()
        await self.sleep()
        return len(given_up)

    async def stop(self) -> None:
        """Stop working at prompts; what is under way goes on after the next start."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _work(self) -> None:
        """Wake, then deliver what waits until nothing does."""
        try:
            if not self.queue:
                await self._renew()
                await self.wake()
        except BridgeError as error:
            self._reports.failed(self, None, error)
        while self.queue:
            try:
                await self._deliver(self.queue.first)
            except StoreWriteError as error:
                log.error("a prompt waits until it can be noted down: %s", error)
                await asyncio.sleep(_DISK_SECONDS)
                continue
            except BridgeError as error:
                await self._give_up(self.queue.first, error)
            except Exception:
                log.exception("a prompt could not be handled")
                await self._give_up(self.queue.first, BridgeError("The bridge's log says why."))
            self._forget_under_way()
            self.queue.pop()

    def _forget_under_way(self) -> None:
        """It is done with; its record in the transcript may be read only later."""
        under_way, self._under_way = self._under_way, None
        if under_way is not None and under_way.typed_at and not under_way.is_shown:
            self._unrecorded.append(under_way.prompt.text)

    async def _give_up(self, prompt: Prompt, error: BridgeError) -> None:
        """Have the chat told, as soon as there is room on the disk to note that down."""
        while True:
            try:
                self._reports.failed(self, prompt, error)
                self._inbox.finish(prompt.key, "failed")
                return
            except StoreWriteError as refusal:
                log.error("a failure waits until it can be noted down: %s", refusal)
                await asyncio.sleep(_DISK_SECONDS)

    async def _deliver(self, prompt: Prompt) -> None:
        if self._under_way is None or self._under_way.prompt.key != prompt.key:
            self._under_way = UnderWay(prompt)
        under_way = self._under_way
        for _ in range(_TRIES):
            try:
                if not under_way.typed_at:
                    await self._renew()
                is_fresh = await self.wake()
                if not await self._is_there(under_way):
                    await self._type(under_way)
                elif is_fresh:  # the turn went with the process that had the prompt
                    self._reports.interrupted(self, prompt)
                    self._inbox.finish(prompt.key, "interrupted")
                    return
                await self._until_ended(under_way)
                self._inbox.finish(under_way.prompt.key, "answered")
                return
            except (ClaudeDiedError, PaneNotFoundError, PaneNotTypableError):
                await self._let_go()
                if await self._was_cut_off(under_way):
                    return
        raise ClaudeDiedError("Claude Code ended three times while it was given this message.")

    async def _let_go(self) -> None:
        """Forget the process; a script around it that outlived it ends too."""
        if self._claude_pid and not is_alive(self._claude_pid):
            await self._terminal.close(self.name)
        self._forget_process()

    def _forget_process(self) -> None:
        self.pane_pid = self._claude_pid = 0
        self.process = None

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
            raise CommandUncertainError("This may have run or not: the bridge ended meanwhile.")
        await self._until(lambda: self._find_record(under_way) or self._is_settled(under_way))
        return under_way.is_recorded

    def _is_settled(self, under_way: UnderWay) -> bool:
        # Either way, as a clock may have been set back meanwhile.
        return self._is_idle() and abs(time.time() - under_way.typed_at) > _SETTLE_SECONDS

    def _find_record(self, under_way: UnderWay) -> bool:
        """Look for the prompt in the transcript, behind where it ended before the typing."""
        entry = self._inbox.find(under_way.prompt.key)
        for event in read_events(self._transcript(), entry.typed_from) if entry else ():
            under_way.claims(event)
        return under_way.is_recorded

    async def _type(self, under_way: UnderWay) -> None:
        await self._until_box_is_empty(under_way)
        prompt = under_way.prompt = self.queue.first  # it may have been edited or dropped meanwhile
        if prompt.is_dropped:
            under_way.has_ended = True
            return
        path = self._transcript()
        length = path.stat().st_size if path is not None and path.exists() else 0
        now = time.time()
        self._inbox.advance(
            prompt.key, "typed", session_id=self.session_id, typed_from=length, typed_at=now
        )
        under_way.typed_at = now
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
        await self._until(lambda: under_way.is_recorded or under_way.is_withdrawn, _RECORD_SECONDS)
        if under_way.is_recorded:
            self._inbox.advance(under_way.prompt.key, "recorded")
        elif self._is_idle():
            self._withdraw(under_way)

    def _withdraw(self, under_way: UnderWay) -> None:
        """Escape came before Claude had begun: it put the text back into the box, unrecorded."""
        if not under_way.is_withdrawn:
            under_way.is_withdrawn = under_way.has_ended = True
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
                and process.is_idle
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
        """Wait for the input box, empty; when it stays away, have the terminal shown."""
        for attempt in itertools.count():
            # An escape character right before a paste would be taken for a part of it.
            await self._until(lambda: self._is_idle() and time.monotonic() > self._quiet_until)
            own = [under_way.prompt.text, self._interrupted, *self._unrecorded]
            is_empty = await look_for_room(self._terminal, self.name, own)
            self.is_blind = is_empty is None and attempt > _LOOKS
            if is_empty:
                self._interrupted = ""
                return
            if self.is_blind:
                self._reports.blocked(self, "")
            await self._until(lambda: False, 1.0 if self.is_blind else 0.1)

    async def _until(self, is_true: Callable[[], bool], seconds: float | None = None) -> bool:
        """As Pulse.until. Raises ClaudeDiedError when the process is gone before."""

        def look() -> bool:
            if is_true():
                return True
            if not self.is_awake or (self._claude_pid and not is_alive(self._claude_pid)):
                raise ClaudeDiedError("Claude Code has ended.")
            self._look()
            return is_true()

        return await self._pulse.until(look, seconds)

    def _look(self) -> None:
        """Ask the registry ourselves: file events can be late or lost."""
        self.hear_registry(self._launcher.registry.find(self.session_id))

    def _transcript(self) -> Path | None:
        return self._launcher.transcript_of(self._session(self.session_id))

    def _is_ours(self, process: ClaudeProcess) -> bool:
        """Whether it runs in our terminal; one from before may still be on its way out."""
        return self.pane_pid in (process.pid, *find_parents(process.pid))

    def _is_idle(self) -> bool:
        return self.process is not None and self.process.is_idle
