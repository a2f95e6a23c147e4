"""The sessions and their runners: which chat talks to which, what Claude says goes to its chat.

* A chat has one current session (the store's binding) and any number of past ones.
* A runner belongs to a terminal. When the process in it takes another session (/clear, /resume),
  the chat follows to the new id, and the old session stays in the list.
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from claude_feed import ClaudeFeed
from claude_launcher import ClaudeLauncher
from claude_registry import ClaudeRegistry, choose
from core.choices import Choices
from core.conversation import read_title
from core.delivery import Prompt
from core.errors import BridgeError, TerminalError
from core.events import (
    ClaudeProcess,
    HookEvent,
    PermissionAsked,
    PromptSubmitted,
    SessionEnded,
    SessionStarted,
    TranscriptEvent,
    TurnEnded,
)
from core.model import Chat, Post
from inbox import Entry, Inbox
from outbox import Outbox
from process_end import CAN_TELL, ProcessEnds
from pulse import Background, happens
from resting import Rest
from session import Session, SessionStore
from session_book import SessionBook, chat_of, has_news
from session_observer import SessionObserver
from session_runner import SessionRunner
from taking_up import awake_ids, find_name, find_strays, finish_following, is_stray, left_for_later
from terminal import Terminal
from tmux_control import Pane
from transcript_keeper import TranscriptKeeper
from transcript_posts import TranscriptPosts
from wakings import Wakings

log = logging.getLogger(__name__)

_LOOK_SECONDS = 15.0
_BLIND_LOOK_SECONDS = 1.5
_LOST = "A part of what Claude did could not be shown; the bridge's log says why."


class Sessions:
    """Every session of `store`.

    `on_blocked` shows a terminal that only a person can set free; `on_failed` tells of a prompt
    that was not delivered, or (None) of a Claude that did not start, `on_interrupted` of one that
    Claude ended at, `on_lost` of a Claude that is gone by itself; `on_prepare` decides who is to
    have a prompt, `on_not_renewed` refuses it; `on_waiting` hears of each prompt that was given;
    `on_asked` finds the answer (JSON, "" for none) to a hook that waits for one; `is_asked` knows
    whether one of the runner's does. `posts` shows what transcripts say. `observers` are told what
    happens.
    """

    def __init__(
        self,
        *,
        store: SessionStore,
        launcher: ClaudeLauncher,
        terminal: Terminal,
        inbox: Inbox,
        outbox: Outbox,
        directory: Path,
        keeper: TranscriptKeeper,
        idle_seconds: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.book = SessionBook(store)
        self.launcher = launcher
        self.terminal = terminal
        self.registry: ClaudeRegistry = launcher.registry
        self.on_blocked: Callable[[SessionRunner, str], None] = lambda runner, reason: None
        self.on_failed: Callable[[SessionRunner, Prompt | None, BridgeError], None] = (
            lambda runner, prompt, error: None
        )
        self.on_waiting: Callable[[SessionRunner, Prompt], None] = lambda runner, prompt: None
        self.on_asked: Callable[[SessionRunner, PermissionAsked], Awaitable[str]] = _answer_nothing
        self.is_asked: Callable[[SessionRunner], bool] = lambda runner: False
        self.on_prepare: Callable[[SessionRunner, Prompt], Awaitable[None]] = _prepare_nothing
        self.on_not_renewed: Callable[[SessionRunner], None] = lambda runner: None
        self.on_interrupted: Callable[[SessionRunner, Prompt], None] = lambda runner, prompt: None
        self.on_lost: Callable[[SessionRunner], None] = lambda runner: None
        self.posts = TranscriptPosts(self.book, outbox)
        self.observers: list[SessionObserver] = []
        self.keeper, self.book.on_taken = keeper, keeper.keep
        self._inbox = inbox
        self._outbox = outbox
        self._idle_seconds = idle_seconds
        self._wakings = Wakings(self.book, launcher, outbox)
        self.rest = Rest(self.book, launcher, terminal, idle_seconds=idle_seconds, clock=clock)
        self._feed = ClaudeFeed(directory, self.registry.directory, self)
        self._ends = ProcessEnds(self._hear_end)
        self._is_stirred = asyncio.Event()
        self._leaving = Background()
        self._runners: dict[str, SessionRunner] = {}

    # --- life -----------------------------------------------------------------------------------

    async def adopt_terminals(self) -> list[Session]:
        """Take up what still runs; restore the prompts under way after it, and then start.

        Returns the sessions that have a terminal no more, which is still noted in them.
        """
        await self.launcher.end_orphans()
        finish_following(self.book, self.launcher, self._feed.read_kept())
        lost = []
        panes = {pane.name: pane for pane in await self.terminal.panes()}
        for session in await asyncio.to_thread(self.book.store.list_sessions):
            pane = panes.get(session.tmux_session)
            if pane is None and session.tmux_session:  # it may be a person's own
                pane = await self.launcher.join(session, session.tmux_session)
            if pane is not None and pane.is_dead:
                await self.terminal.close(pane.name)
                pane = None
            if pane is None and session.tmux_session:
                lost.append(session)
            if pane is not None:
                self._take_up(session, pane)
        with left_for_later():
            await self._take_in_strays()
        for runner in self.runners:
            with left_for_later():
                self._follow_process(runner)
        return lost

    def _take_up(self, session: Session, pane: Pane) -> None:
        """Go on with the process in this pane, that an earlier bridge has left there."""
        with left_for_later():
            session = self._wakings.finish(session.session_id, is_found=True)
            if session.state.get("asleep"):  # it was to be put to sleep, and was not
                self.book.edit_state(session.session_id, asleep=None)
        self._runner(session).take_up(pane)

    def restore(self, entry: Entry) -> None:
        """Go on with a prompt that had been assigned to a session when the bridge ended."""
        session = self.book.store.load(entry.session_id)
        if session is None:
            self._inbox.finish(entry.key, "its session is gone")
            return
        self.runner_of(self.book.latest(session)).restore(entry)

    async def start(self) -> None:
        """Listen, and hand on what was said while the bridge was away."""
        await self._feed.start()
        known = self.launcher.find_transcripts()
        awake = awake_ids(self.runners)
        for session in await asyncio.to_thread(self.book.store.list_sessions):
            path = Path(session.state.get("transcript") or known.get(session.session_id) or "")
            if session.session_id in awake or has_news(session, path):
                self._follow(session)
        for runner in self.runners:  # the registry has the last word about what was kept
            with left_for_later():
                self._follow_process(runner)
        self._feed.look()
        for session_id in self._feed.followed - awake_ids(self.runners):
            self._feed.unfollow(session_id)

    async def keep_watch(self) -> None:
        """Look after the processes until cancelled: when one has ended, and now and then."""
        seconds = min(_LOOK_SECONDS if CAN_TELL else _BLIND_LOOK_SECONDS, self._idle_seconds)
        while True:
            await happens(self._is_stirred, max(seconds, _BLIND_LOOK_SECONDS))
            self._is_stirred.clear()
            try:
                await self._look_after()
            except Exception:
                log.exception("the processes could not be looked after; that is tried again")

    async def stop(self) -> None:
        """Leave everything as it is; Claude runs on."""
        self._ends.close()
        for runner in self._runners.values():
            await runner.stop()
        await self._feed.stop()

    # --- runners --------------------------------------------------------------------------------

    @property
    def runners(self) -> list[SessionRunner]:
        """Every runner that there is."""
        return list(self._runners.values())

    def find_runner(self, session_id: str) -> SessionRunner | None:
        """The runner that has this session now."""
        return next((r for r in self._runners.values() if r.session_id == session_id), None)

    def runner_of(self, session: Session) -> SessionRunner:
        """The session's runner, made if there is none."""
        return self.find_runner(session.session_id) or self._runner(session)

    def submit(
        self, session: Session, prompt: Prompt, person: int, *, merges: Sequence[str] = ()
    ) -> None:
        """Give the session a person's prompt; buttons that come of it are for that person alone.

        It is also the prompt of the inbox entries in `merges`.
        """
        if session.state.get("person") != person:
            session = self.book.edit_state(session.session_id, person=person)
        session_id = session.session_id
        facts = {"session_id": session_id, "text": prompt.text, "person": person}
        self._inbox.advance(prompt.key, "assigned", merges=merges, **facts)
        self.book.store.update_activity(session_id)
        runner = self.runner_of(session)
        is_waiting = runner.process is not None and runner.process.status == "waiting"
        if is_waiting or self.is_asked(runner):
            text = "This message waits: Claude asks something first, see above."
            self.tell(session, f"waits:{prompt.key}", text)
        runner.submit(prompt)
        self.on_waiting(runner, prompt)

    async def _look_after(self) -> None:
        """Notice what died, and put to sleep what has been idle for long."""
        await self._take_in_strays()
        for runner in self.runners:
            if runner.has_work or runner.pane_pid == 0:
                continue
            if not runner.is_awake:
                self.on_lost(runner)
                await self._retire(runner)
            elif not runner.is_joined:
                await self._let_rest(runner)

    async def _let_rest(self, runner: SessionRunner) -> None:
        """End an idle process if nobody uses it, or a person opened another."""
        session_id = runner.session_id
        other = self.registry.find_other(session_id, self._is_ours)
        if not await self.rest.is_due(runner, other) or self.find_runner(session_id) is not runner:
            return
        if other is not None:
            text = "You opened this session in a terminal, so its process here has ended."
            self.tell(self.book.for_id(session_id), f"gave way:{session_id}:{other.pid}", text)
        self.book.edit_state(session_id, asleep="idle" if other is None else "left")
        await self._retire(runner)

    def _is_ours(self, process: ClaudeProcess) -> bool:
        return bool(self.launcher.terminal_of(process))

    async def _take_in_strays(self) -> None:
        """Have a runner for each process of ours; of two with one session, one ends."""
        for process, name in find_strays(self.launcher, self.registry.processes(), self._runners):
            pane = await self.terminal.find(name)
            session = self.book.store.load(process.session_id)
            if pane is None or pane.is_dead or session is None or not is_stray(name, self._runners):
                continue
            runner = self.find_runner(session.session_id)
            if runner is not None and (runner.is_awake or runner.has_work):
                if process.is_idle:
                    log.warning("a second process of a session is ended: %s", name)
                    await self.terminal.close(name)
                continue
            if runner is not None:
                del self._runners[runner.name]
            self._take_up(self.book.note_terminal(session.session_id, name), pane)

    async def kill(self, runner: SessionRunner) -> int:
        """End the process at a person's word; the session stays.

        Returns how many prompts are given up with it.
        """
        self.book.edit_state(runner.session_id, asleep="killed")
        given_up = await runner.end()
        self._feed.unfollow(runner.session_id)
        self.book.let_terminal_go(runner.session_id, runner.name)
        return given_up

    async def let_go(self, session_id: str) -> None:
        """End the session's process, if there is one, and have nothing more to do with it."""
        runner = self.find_runner(session_id)
        if runner is not None:
            await self.kill(runner)
            self._runners.pop(runner.name, None)
        self._feed.unfollow(session_id)

    async def _retire(self, runner: SessionRunner) -> None:
        """End its process; the terminal is the session's until there is none any more."""
        if runner.is_joined:
            self.book.edit_state(runner.session_id, asleep="left")
        try:
            await runner.sleep()
        except TerminalError as error:
            log.warning("a terminal could not be closed, which is tried again: %s", error)
            return
        runner.pane_pid = 0
        self._feed.unfollow(runner.session_id)
        self.book.let_terminal_go(runner.session_id, runner.name)

    def _runner(self, session: Session) -> SessionRunner:
        name = session.tmux_session or find_name(session, self._runners)
        runner = SessionRunner(
            session.session_id,
            name,
            launcher=self.launcher,
            terminal=self.terminal,
            inbox=self._inbox,
            session=self.book.for_id,
            reports=self,
        )
        self._runners[name] = runner
        return runner

    # --- what runners report --------------------------------------------------------------------

    def waking(self, runner: SessionRunner, start: str, choices: Choices) -> None:
        """Note down whose the process will be that is about to be started."""
        self._wakings.begin(runner.session_id, runner.name, start, choices)

    def woke(self, runner: SessionRunner) -> None:
        """Tell the chat, once, with which history Claude runs again."""
        self._follow(self._wakings.finish(runner.session_id))

    def joined(self, runner: SessionRunner, place: str) -> None:
        """Tell the chat where its Claude runs, which is a person's own."""
        noted = {"asleep": None, "closed_at": None}
        session = self.book.note_terminal(runner.session_id, runner.name, **noted)
        self._follow(session)
        self.tell(session, f"joined:{uuid.uuid4()}", f"Joined where it is open: {place}.")

    def failed(self, runner: SessionRunner, prompt: Prompt | None, error: BridgeError) -> None:
        """Have the chat told why a prompt was not delivered, or Claude not started."""
        self.on_failed(runner, prompt, error)

    async def prepare(self, runner: SessionRunner, prompt: Prompt) -> None:
        """Have it decided who is to have a prompt."""
        await self.on_prepare(runner, prompt)

    def not_renewed(self, runner: SessionRunner) -> None:
        """Have it refused what another agent was to have. Raises AgentBusyError."""
        self.on_not_renewed(runner)

    def interrupted(self, runner: SessionRunner, prompt: Prompt) -> None:
        """Have the chat told that an answer was cut off; nothing is run twice by itself."""
        self.on_interrupted(runner, prompt)

    def catch_up(self, runner: SessionRunner) -> None:
        """Read the session's transcript now; after that nobody would know whose prompt it has."""
        self._follow(self.book.for_id(runner.session_id))
        self._feed.look()

    def blocked(self, runner: SessionRunner, reason: str) -> None:
        """Show the terminal that has to be answered before a prompt can be typed."""
        self.on_blocked(runner, reason)

    def busy_chats(self) -> set[Chat]:
        """Where Claude works at an answer."""
        busy = [r for r in self._runners.values() if r.process and r.process.status == "busy"]
        return {chat_of(self.book.for_id(runner.session_id)) for runner in busy}

    def tell(self, session: Session, key: str, text: str) -> None:
        """One plain line for the session's chat, once."""
        self._outbox.put(Post(key, chat_of(session), text, silent=True))

    # --- what the feed hears --------------------------------------------------------------------

    def hear_hook(self, event: HookEvent) -> None:
        """A hook fired in one of our terminals."""
        runner = self._runners.get(event.pane)
        if runner is None:
            return
        match event:
            case SessionStarted():
                event = self.launcher.correct(event, self.book.for_id(runner.session_id))
                self._has_started(runner, event)
            case PromptSubmitted() if event.session_id not in ("", runner.session_id):
                self._has_changed(runner, event.session_id)  # nobody had heard of its start
            case SessionEnded(reason="prompt_input_exit" | "logout"):
                self.book.edit_state(event.session_id, asleep="left")
            case TurnEnded() | SessionEnded():
                self._feed.look()
        runner.hear_hook(event)
        for observer in self.observers:
            observer.hear_hook(runner, event)

    async def answer(self, event: PermissionAsked) -> str:
        """The answer to a hook that waits for one."""
        runner = self._runners.get(event.pane)
        return await self.on_asked(runner, event) if runner is not None else ""

    def hear_transcript(
        self, session_id: str, events: Sequence[tuple[int, TranscriptEvent]], end: int
    ) -> None:
        """New lines of a transcript: posts first, then the cursor."""
        if not events:
            return
        session = self.book.for_id(session_id)
        runner = self.find_runner(session_id)
        is_news = self.posts.is_news(session_id)
        claims = runner.claims if runner is not None else _claim_nothing
        session = self.posts.put(session, events, end, claims=claims)
        if session.state.get("transcript"):
            self.keeper.keep(session_id, Path(session.state["transcript"]))
        for observer in self.observers:
            for _, event in events:
                observer.hear_event(session, event, is_news=is_news)

    def hear_loss(self, session_id: str, end: int) -> None:
        """A line that ends at `end` is passed over; its chat is told."""
        self.tell(self.book.for_id(session_id), f"lost:{session_id}:{end}", _LOST)

    def hear_registry(self) -> None:
        """Processes came, went, or changed their status."""
        found = self.registry.processes()
        has_two = len({process.session_id for process in found}) < len(found)
        if has_two or find_strays(self.launcher, found, self._runners):
            self._is_stirred.set()
        for runner in list(self._runners.values()):
            if runner.is_joined:  # no hook tells of another session in it
                self._follow_process(runner)
            else:
                runner.hear_registry(choose(found, runner.session_id, runner.pane_pid))
            if runner.process is not None:
                self._ends.watch(runner.process.pid)
            if runner.is_awake and runner.process and not self._feed.follows(runner.session_id):
                self._follow(self.book.for_id(runner.session_id))  # no hook told where it is
            if runner.process is not None and runner.process.status == "waiting":
                self.on_blocked(runner, "")
            for observer in self.observers:
                observer.hear_status(runner)

    def _hear_end(self) -> None:
        self._is_stirred.set()
        self.hear_registry()

    def _has_started(self, runner: SessionRunner, event: SessionStarted) -> None:
        if event.session_id != runner.session_id:
            self._has_changed(runner, event.session_id)
        session = self.book.for_id(event.session_id)
        if event.transcript and session.state.get("transcript") != event.transcript:
            session = self.book.edit_state(event.session_id, transcript=event.transcript)
        self._follow(session)

    def _has_changed(self, runner: SessionRunner, session_id: str) -> None:
        """The process in the terminal has taken another session; chat and queue go along."""
        old = self.book.for_id(runner.session_id)
        self._feed.unfollow(old.session_id)
        transcript = self.launcher.find_transcript(session_id)
        other = self.find_runner(session_id)
        if other is not None and other.is_awake:
            title = read_title(old.state)
            text = f"The terminal of “{title}” has taken this session, so it goes on there."
            key = f"taken:{session_id}:{runner.pane_pid}:{other.pane_pid}"
            self.tell(self.book.for_id(session_id), key, text)
        self.book.follow_terminal(old, session_id, runner.name, transcript)
        runner.session_id = session_id
        runner.process = None
        if other is not None:  # two processes would split the session's history
            del self._runners[other.name]
            self._leaving.run(runner.take_over(other))

    def _follow_process(self, runner: SessionRunner) -> None:
        """After a restart: the terminal may have another session by now than is stored."""
        process = self.registry.find_below(runner.pane_pid)
        if process is not None and process.session_id != runner.session_id:
            self._has_changed(runner, process.session_id)
            self._follow(self.book.for_id(process.session_id))
        runner.hear_registry(process)

    def _follow(self, session: Session) -> None:
        known = session.state.get("transcript")
        path = Path(known) if known else self.launcher.find_transcript(session.session_id)
        if path is None:
            return
        if not known:
            self.book.edit_state(session.session_id, transcript=str(path))
        if session.state.get("cursor") and not path.is_file():  # it is lost, and begins anew
            session = self.book.edit_state(session.session_id, cursor=0)
        if not self._feed.follows(session.session_id) and has_news(session, path):
            self.posts.expect_old(session.session_id)
        cursor, since = session.state.get("cursor", 0), session.state.get("forked_at", "")
        self._feed.follow(session.session_id, path, cursor, since=since)


async def _prepare_nothing(runner: SessionRunner, prompt: Prompt) -> None:
    pass


async def _answer_nothing(runner: SessionRunner, event: PermissionAsked) -> str:
    return ""


def _claim_nothing(event: TranscriptEvent) -> bool:
    return False
