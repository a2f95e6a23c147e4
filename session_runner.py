"""One session's running: wake it, give it its prompts one at a time, see each to its end.

* At most one prompt is under way; the others wait in the inbox, in order.
* A prompt that was typed is typed again only when it is certain that Claude does not have it: the
  transcript lacks it, and Claude is idle or gone. A slash command leaves no such proof and is never
  typed twice.
* A Claude that dies is woken again with `--resume`, three times for one prompt at the most.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from pathlib import Path

from claude_launcher import ClaudeLauncher
from claude_registry import is_alive
from core.choices import is_outdated
from core.delivery import Interruption, Prompt, UnderWay
from core.errors import (
    BridgeError,
    ClaudeDiedError,
    PaneNotFoundError,
    PaneNotTypableError,
    StoreWriteError,
    TerminalError,
)
from core.events import ClaudeProcess, HookEvent, PromptRecorded, TranscriptEvent, TurnInterrupted
from core.ports import RunnerReports
from inbox import Entry, Inbox
from prompt_queue import PromptQueue
from pulse import Pulse
from renewal import end_idle
from running_claude import RunningClaude
from session import Session
from terminal import Terminal
from tmux_control import Pane
from typist import Typist

log = logging.getLogger(__name__)

_SETTLE_SECONDS = 1.5
_TRIES = 3
_STOP_SECONDS = 5.0
_DISK_SECONDS = 5.0
_LEAVING_SECONDS = 3.0


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
        self.name = name
        self._launcher = launcher
        self._terminal = terminal
        self._inbox = inbox
        self._session = session
        self._reports = reports
        self._claude = RunningClaude(
            session_id,
            name,
            terminal=terminal,
            registry=launcher.registry,
            version=launcher.version,
        )
        self._typist = Typist(
            self._claude,
            terminal=terminal,
            inbox=inbox,
            transcript=self._transcript,
            since=lambda: self._session(self.session_id).state.get("forked_at", ""),
            on_blind=lambda: reports.blocked(self, ""),
        )
        self.queue = PromptQueue(inbox, typed=self._typed_keys, changed=self._claude.beat)
        self._under_way: UnderWay | None = None
        self._restored: dict[str, UnderWay] = {}
        self._interruptions = 0
        self._is_renewing = False
        self._task: asyncio.Task[None] | None = None

    @property
    def session_id(self) -> str:
        """The session that the process has: another one after /clear."""
        return self._claude.session_id

    @session_id.setter
    def session_id(self, session_id: str) -> None:
        self._claude.session_id = session_id

    @property
    def process(self) -> ClaudeProcess | None:
        """What is known of the process; None before it has come to a session."""
        return self._claude.process

    @process.setter
    def process(self, process: ClaudeProcess | None) -> None:
        self._claude.process = process

    @property
    def pane_pid(self) -> int:
        """The process id of what runs in the pane; 0 when nothing of ours does."""
        return self._claude.pane_pid

    @pane_pid.setter
    def pane_pid(self, pane_pid: int) -> None:
        self._claude.adopt(pane_pid)

    @property
    def is_awake(self) -> bool:
        """Whether a process of ours runs."""
        return self._claude.is_awake

    @property
    def is_joined(self) -> bool:
        """Whether that process is a person's own, in a tmux of theirs."""
        return self._claude.is_joined

    @property
    def is_blind(self) -> bool:
        """Whether the terminal shows no input box to type at."""
        return self._typist.is_blind

    @property
    def has_work(self) -> bool:
        """Whether a prompt waits or is under way, or a process is being started for one."""
        return bool(self.queue) or (self._task is not None and not self._task.done())

    @property
    def is_working(self) -> bool:
        """Whether Claude has something to do, from us or from a person at the terminal."""
        status = self.process.status if self.process is not None else None
        return self._is_typing() or status in ("busy", "waiting")

    def _is_typing(self) -> bool:
        return self._under_way is not None and bool(self._under_way.typed_at)

    def _typed_keys(self) -> set[str]:
        return {under_way.prompt.key for under_way in self._all_under_way if under_way.typed_at}

    @property
    def _all_under_way(self) -> list[UnderWay]:
        """The prompt that is being delivered, and those that an earlier bridge had typed."""
        return [*filter(None, [self._under_way]), *self._restored.values()]

    def submit(self, prompt: Prompt) -> None:
        """Put a prompt behind those that wait."""
        self.queue.append(prompt)
        self.begin()

    def restore(self, entry: Entry) -> None:
        """As `submit`, for a prompt that was not done when the bridge ended."""
        prompt = Prompt(entry.key, entry.text, place=entry.place)
        is_typed = entry.step in ("typed", "recorded")
        if is_typed:
            is_recorded = entry.step == "recorded"
            self._restored[prompt.key] = UnderWay(prompt, entry.typed_at, is_recorded=is_recorded)
            if is_recorded:
                self._claude.hear_prompt(prompt.text)
        self.queue.restore(prompt, is_typed=is_typed)
        self.begin()

    def hear_hook(self, event: HookEvent) -> None:
        """Take a hook's hint."""
        for under_way in self._all_under_way:
            under_way.hear_hook(event)
        self._claude.hear_hook(event)

    def claims(self, event: TranscriptEvent) -> bool:
        """Take note of a transcript's event; whether it is the record of a prompt of ours."""
        is_ours = False
        for under_way in self._all_under_way:
            if under_way.claims(event):
                under_way.is_shown = is_ours = True
                break
        if isinstance(event, PromptRecorded) and not is_ours:
            is_ours = self._typist.claims_late(event.text)
        self._interruptions += isinstance(event, TurnInterrupted)
        self._claude.hear_transcript(event)
        return is_ours

    def hear_registry(self, entry: ClaudeProcess | None) -> None:
        """Take note of what the registry says of our session."""
        self._claude.hear_registry(entry)

    def begin(self) -> None:
        """Have a process soon, without waiting for it."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._work(), name=f"session {self.name}")

    async def wake(self) -> bool:
        """Have a process that is ready; whether it had to be started.

        One that a person has in a tmux of their own is joined there.

        Raises ClaudeError, TerminalError.
        """
        if self.is_awake and self.process is not None:
            return False
        pane = await self._terminal.find(self.name)
        if pane is not None and is_alive(pane.pid):
            self.take_up(pane)
            await self._until_ready()
            self._reports.woke(self)
            return False
        self._claude.forget()
        if pane is not None and not pane.is_dead:
            await self._terminal.close(self.name)
        with self._launcher.holding(self.session_id):
            joined = await self._launcher.join(self._session(self.session_id), self.name)
            if joined is not None:
                self.take_up(joined)
                self._reports.joined(self, joined.place)
                await self._until_ready()
                return False
            launch = await self._launcher.prepare(self._session(self.session_id), self.name)
            is_wished = self._is_renewing and launch.start == "resumed"
            self._reports.waking(self, "renewed" if is_wished else launch.start, launch.choices)
            pane = await self._launcher.open(launch)
            self._claude.adopt(pane.pid, is_new=True)
            try:
                await self._until_ready()
            except ClaudeDiedError as error:
                raise await self._launcher.explain(self.name, error) from error
        self._is_renewing = False
        self._reports.woke(self)
        return True

    def take_up(self, pane: Pane) -> None:
        """Go on with the process that runs in this pane."""
        if pane.is_joined:
            self._claude.join(pane.pid)
        else:
            self._claude.adopt(pane.pid)

    async def _renew(self) -> None:
        """Have the process make room for one with the session's present choices, if it may."""
        is_theirs = self.is_joined or not self.is_awake
        if is_theirs or not is_outdated(self._session(self.session_id).state):
            return
        if await end_idle(self._terminal, self.name, self.process, self._claude.pid):
            self._is_renewing = True
            self._claude.forget()

    async def _prepare(self, prompt: Prompt) -> None:
        """Have a process that is who the prompt is for, once this one is idle.

        Raises ClaudeError, TerminalError, StoreError.
        """
        await self._reports.prepare(self, prompt)
        if self.is_awake and is_outdated(self._session(self.session_id).state):
            await self.wake()  # it may still be starting, and have something to ask
            await self._claude.until(lambda: self._claude.is_idle)
            await self._renew()
            if self.is_awake:
                self._reports.not_renewed(self)

    async def sleep(self) -> None:
        """End the process; the session stays. Raises TerminalError."""
        await self._terminal.close(self.name)
        self._claude.forget()

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
        if under_way is not None and is_typed:
            outcome = await self._interrupt_prompt(under_way)
            is_for_next = not spares_waiting and not is_old and bool(self.queue.waiting)
            return await self.interrupt() if outcome == "finished" and is_for_next else outcome
        return await self._interrupt_process() if is_working else "nothing"

    async def _interrupt_process(self) -> Interruption:
        """Stop what was begun at the terminal."""
        before = self._interruptions
        await self._claude.press_escape()
        if not await self._claude.until(lambda: self._claude.is_idle, _STOP_SECONDS):
            return "running"
        is_told = await self._claude.until(lambda: self._interruptions > before, _SETTLE_SECONDS)
        return "interrupted" if is_told else "stopped"

    async def _interrupt_prompt(self, under_way: UnderWay) -> Interruption:
        """Stop a prompt of ours, which Claude may not have begun with."""
        is_pressed = False
        self._typist.expect_back(under_way.prompt.text)
        for _ in range(_TRIES):
            if not self._claude.is_idle:
                await self._claude.press_escape()
                is_pressed = under_way.is_stopping = True
            await self._claude.until(lambda: under_way.has_ended, _SETTLE_SECONDS)
            if under_way.is_interrupted:
                return "interrupted"
            if under_way.has_ended:
                return "withdrawn" if under_way.is_withdrawn else "finished"
            if self._claude.is_idle and not under_way.is_recorded:
                self._typist.withdraw(under_way)
                return "withdrawn"
            if self._claude.is_idle and is_pressed:
                return "stopped"
        return "running"

    async def take_over(self, other: SessionRunner) -> None:
        """Have another's session and prompts from now on; its process ends first, if it is ours.

        Raises StoreError.
        """
        is_ours, process = not other.is_joined, other.process
        await other.stop()
        typed = other.take_typed()
        try:
            if is_ours:
                await self._terminal.close(other.name)
            if is_ours and process is not None:  # it writes until then
                await Pulse().until(lambda: not is_alive(process.pid), _LEAVING_SECONDS)
        except TerminalError as error:  # it may yet have what was typed: the next start will know
            log.warning("a terminal could not be closed: %s", error)
            typed.clear()
        for under_way in typed:
            self._typist.find_record(under_way)
            if under_way.is_recorded and self._typist.is_cut(under_way):
                self._reports.interrupted(self, under_way.prompt)
                self._finish(under_way, "interrupted")
            elif under_way.is_recorded or under_way.prompt.is_command:
                self._finish(under_way, under_way.outcome)
            else:
                self.submit(under_way.prompt)
        for prompt in other.queue.waiting:
            self.submit(prompt)
        other.queue.clear()

    def take_typed(self) -> list[UnderWay]:
        """What was typed at a process that is not to be used any more; it is forgotten here."""
        typed = [found for found in self._all_under_way if found.typed_at]
        for under_way in typed:
            self.queue.remove(under_way.prompt.key)
        self._under_way = None
        self._restored.clear()
        return typed

    async def end(self) -> int:
        """End the process and give up every prompt; returns how many Claude never had."""
        if self.is_joined:
            self._claude.end()
        await self.stop()
        done = {under_way.prompt.key for under_way in self._all_under_way if under_way.is_recorded}
        given_up = [p for p in self.queue if not p.is_dropped and p.key not in done]
        for prompt in self.queue:
            self._inbox.finish(prompt.key, "killed")
        self.queue.clear()
        self._forget_under_way()
        self._restored.clear()
        await self.sleep()
        return len(given_up)

    async def stop(self) -> None:
        """Stop working at prompts; what is under way goes on after the next start."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._claude.adopt(0)

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
        under_way, self._under_way = self._under_way, None
        if under_way is not None:
            self._typist.forget(under_way)

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
            self._under_way = self._restored.pop(prompt.key, None) or UnderWay(prompt)
        under_way = self._under_way
        for _ in range(_TRIES):
            try:
                if not under_way.typed_at:
                    await self._prepare(prompt)
                is_fresh = await self.wake()
                if not await self._typist.is_there(under_way):
                    await self._typist.type(under_way, lambda: self.queue.first)
                elif is_fresh and self._typist.is_cut(under_way):  # with the process that had it
                    self._reports.interrupted(self, prompt)
                    self._finish(under_way, "interrupted")
                    return
                await self._typist.until_ended(under_way)
                self._finish(under_way, under_way.outcome)
                return
            except (ClaudeDiedError, PaneNotFoundError, PaneNotTypableError):
                await self._let_go()
                if await self._was_cut_off(under_way):
                    return
        raise ClaudeDiedError("Claude Code ended three times while it was given this message.")

    def _finish(self, under_way: UnderWay, outcome: str) -> None:
        """Be done with a prompt that Claude has, once its record is known as ours."""
        if under_way.is_recorded and not under_way.is_shown:
            self._reports.catch_up(self)
        self._inbox.finish(under_way.prompt.key, outcome)

    async def _let_go(self) -> None:
        """Forget the process; a script around it that outlived it ends too.

        A terminal with nothing alive in it stays: it shows the last words.
        """
        pane = await self._terminal.find(self.name) if self._claude.is_outlived else None
        if pane is not None and not pane.is_dead:
            await self._terminal.close(self.name)
        self._claude.forget()

    async def _was_cut_off(self, under_way: UnderWay) -> bool:
        """Whether the Claude that ended had the prompt, which is then done with."""
        if under_way.prompt.is_command and under_way.typed_at:
            self._inbox.finish(under_way.prompt.key, "ended")  # /exit does that, for one
            return True
        self._typist.find_record(under_way)
        if not under_way.is_recorded:
            return False
        if not self._typist.is_cut(under_way):
            self._finish(under_way, under_way.outcome)
            return True
        self._reports.interrupted(self, under_way.prompt)
        self._finish(under_way, "interrupted")
        try:
            await self.wake()
        except BridgeError as error:
            self._reports.failed(self, None, error)
        return True

    async def _until_ready(self) -> None:
        """Wait until the process has come to its session; when that takes long, say so."""

        def is_ready() -> bool:
            self._claude.look()
            return self.process is not None

        if not await self._claude.until(is_ready, self._launcher.patience):
            self._reports.blocked(self, "Claude Code asks something before it starts.")
            await self._claude.until(is_ready)

    def _transcript(self) -> Path | None:
        return self._launcher.transcript_of(self._session(self.session_id))
