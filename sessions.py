"""The sessions and their runners: which chat talks to which, what Claude says goes to its chat.

* A chat has one current session (the store's binding) and any number of past ones.
* A runner belongs to a terminal. When the process in it takes another session (/clear, /resume),
  the chat follows to the new id, and the old session stays in the list.
* What a transcript says is in the outbox, on disk, before the session's cursor moves on.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from claude_feed import ClaudeFeed
from claude_launcher import ClaudeLauncher, terminal_name
from claude_registry import ClaudeRegistry
from core.absence import summarise_absence
from core.choices import Choices, note_launched
from core.conversation import make_title
from core.delivery import Prompt
from core.errors import BridgeError, TerminalError
from core.events import (
    HookEvent,
    PermissionAsked,
    PromptRecorded,
    SessionEnded,
    SessionStarted,
    TranscriptEvent,
    TurnEnded,
)
from core.model import Chat, Post
from core.screen import read_input_box
from inbox import Entry, Inbox
from outbox import Outbox
from process_end import CAN_TELL, ProcessEnds
from session import Session, SessionStore
from session_book import SessionBook, chat_of, has_news, render_for, render_left_out
from session_runner import SessionRunner
from terminal import Terminal
from transcript_keeper import TranscriptKeeper

log = logging.getLogger(__name__)

_LOOK_SECONDS = 15.0
_BLIND_LOOK_SECONDS = 1.5
_WOKEN = {
    "idle": "Resumed after a nap.",
    "killed": "Resumed.",
    "left": "Resumed.",
    None: "Resumed after a restart.",
}
_LOST = (
    "Claude Code no longer has this conversation: its transcript was deleted. "
    "This is a new one, which knows nothing of it."
)


Equip = Callable[[Session, TranscriptEvent, Post], Post]


class SessionObserver(Protocol):
    """Who is told what happens in the sessions, after the sessions have taken note themselves.

    What must not be forgotten in a crash belongs into a post of `render_event`, not here.
    """

    def hear_hook(self, runner: SessionRunner, event: HookEvent) -> None:
        """A hook fired in one of our terminals."""

    def hear_event(self, session: Session, event: TranscriptEvent, *, is_news: bool) -> None:
        """The transcript has this; not `is_news`: since a time when nobody listened."""

    def hear_status(self, runner: SessionRunner) -> None:
        """The process of the session may have another status now, or be gone."""


class Sessions:
    """Every session of `store`.

    `on_blocked` shows a terminal that only a person can set free; `on_failed` tells of a prompt
    that was not delivered, or (None) of a Claude that did not start; `on_waiting` hears of each
    prompt that was given; `on_asked` finds the answer (JSON, "" for none) to a hook that waits for
    one; `is_asked` knows whether one of the runner's does. `on_read` is given each event of the
    transcripts (and whether it is a prompt of ours) before it counts as read. `equips` give the
    post of an event its buttons. `observers` are told what happens.
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
        self.on_read: Callable[[Session, list[tuple[TranscriptEvent, bool]]], None] = (
            lambda session, events: None
        )
        self.equips: list[Equip] = []
        self.observers: list[SessionObserver] = []
        self.keeper = keeper
        self._inbox = inbox
        self._outbox = outbox
        self._idle_seconds = idle_seconds
        self._clock = clock
        self._feed = ClaudeFeed(directory, self.registry.directory, self)
        self._ends = ProcessEnds(self._hear_end)
        self._is_stirred = asyncio.Event()
        self._runners: dict[str, SessionRunner] = {}
        self._unread: set[str] = set()
        self.render_left_out: Callable[[Session, dict[str, Any]], Post] = render_left_out

    # --- life -----------------------------------------------------------------------------------

    async def adopt_terminals(self) -> None:
        """Take up what still runs; restore the prompts under way after it, and then start."""
        panes = {pane.name: pane for pane in await self.terminal.panes()}
        for session in await asyncio.to_thread(self.book.store.list_sessions):
            pane = panes.get(session.tmux_session)
            if pane is not None and pane.is_dead:
                await self.terminal.close(pane.name)
                pane = None
            if pane is None and session.tmux_session:
                self.book.set_terminal(session.session_id, "")
            if pane is not None:
                runner = self._runner(session)
                runner.pane_pid = pane.pid

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
        for runner in self.runners:
            self._follow_process(runner)
        self._feed.look()
        for session_id in self._feed.followed - awake_ids(self.runners):
            self._feed.unfollow(session_id)

    async def keep_watch(self) -> None:
        """Look after the processes until cancelled: when one has ended, and now and then."""
        seconds = min(_LOOK_SECONDS if CAN_TELL else _BLIND_LOOK_SECONDS, self._idle_seconds)
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._is_stirred.wait(), max(seconds, _BLIND_LOOK_SECONDS))
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
        self._inbox.advance(
            prompt.key, "assigned", merges=merges, session_id=session_id, text=prompt.text
        )
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
        for runner in list(self._runners.values()):
            if runner.has_work or runner.pane_pid == 0:
                continue
            if not runner.is_awake:
                await self._retire(runner)
            elif self._is_idle_for_long(runner) and not self._is_kept_awake(runner):
                if await self._is_watched(runner) or runner.has_work:
                    continue
                self.book.edit_state(runner.session_id, asleep="idle")
                await self._retire(runner)

    async def kill(self, runner: SessionRunner) -> int:
        """End the process at a person's word; the session stays.

        Returns how many prompts are given up with it.
        """
        self.book.edit_state(runner.session_id, asleep="killed")
        given_up = await runner.end()
        self._feed.unfollow(runner.session_id)
        return given_up

    async def let_go(self, session_id: str) -> None:
        """End the session's process, if there is one, and have nothing more to do with it."""
        runner = self.find_runner(session_id)
        if runner is not None:
            await self.kill(runner)
            self._runners.pop(runner.name, None)
        self._feed.unfollow(session_id)

    async def _retire(self, runner: SessionRunner) -> None:
        try:
            await runner.sleep()
        except TerminalError as error:
            log.warning("a terminal could not be closed: %s", error)
        runner.pane_pid = 0
        self._feed.unfollow(runner.session_id)
        self.book.set_terminal(runner.session_id, "")

    async def _is_watched(self, runner: SessionRunner) -> bool:
        """Whether a person sits at the terminal, or has left half a text in it."""
        pane = await self.terminal.find(runner.name)
        if pane is None or pane.is_attached:
            return pane is not None
        return bool(read_input_box(await self.terminal.capture(runner.name, colours=True)))

    def _is_idle_for_long(self, runner: SessionRunner) -> bool:
        process = runner.process
        if process is None or process.status != "idle" or not self.launcher.can_resume:
            return False
        return self._clock() - process.since_ms / 1000 > self._idle_seconds

    def _is_kept_awake(self, runner: SessionRunner) -> bool:
        """Whether Claude Code waits by itself for a time that is yet to come."""
        until = self.book.for_id(runner.session_id).state.get("awake_until")
        return isinstance(until, int | float) and self._clock() < until

    def _runner(self, session: Session) -> SessionRunner:
        name = session.tmux_session or self._free_name(session)
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

    def _free_name(self, session: Session) -> str:
        """A terminal's name that no other has: after /clear one goes by an old session's id."""
        name = base = terminal_name(session)
        number = 2
        while name in self._runners:
            name = f"{base}-{number}"
            number += 1
        return name

    # --- what runners report --------------------------------------------------------------------

    def woke(self, runner: SessionRunner, start: str, choices: Choices) -> None:
        """Tell the chat, once, with which history Claude runs again."""
        session = self.book.for_id(runner.session_id)
        launches = session.state.get("launches", 0) + 1
        asleep = session.state.get("asleep")
        session = self.book.edit_state(
            runner.session_id,
            launches=launches,
            launched=note_launched(choices),
            asleep=None,
            followed_by=None,
        )
        self.book.set_terminal(runner.session_id, runner.name)
        self._follow(session)
        key = f"woke:{runner.session_id}:{launches}"
        if start == "resumed":  # and not "renewed", which is a person's wish
            self.tell(session, key, _WOKEN.get(asleep, _WOKEN[None]))
        elif start in ("replayed", "mended"):
            self.book.edit_state(session.session_id, replayed=True)
            self.tell(session, key, self.launcher.tell_of_replay(session.session_id))
        elif start == "lost":
            self.tell(session, key, _LOST)

    def failed(self, runner: SessionRunner, prompt: Prompt | None, error: BridgeError) -> None:
        """Have the chat told why a prompt was not delivered, or Claude not started."""
        self.on_failed(runner, prompt, error)

    def interrupted(self, runner: SessionRunner, prompt: Prompt) -> None:
        """Tell the chat that an answer was cut off; nothing is run twice by itself."""
        text = "Claude Code ended while it worked at this. It has your message; say “continue”."
        chat = chat_of(self.book.for_id(runner.session_id))
        self._outbox.put(Post(f"cut:{prompt.key}", chat, text))

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
                self._has_started(runner, event)
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
        changes: dict[str, Any] = {"cursor": end}
        posts: dict[str, tuple[Post, TranscriptEvent]] = {}
        read: list[tuple[TranscriptEvent, bool]] = []
        for _, event in events:
            is_ours = runner.claims(event) if runner is not None else False
            read.append((event, is_ours))
            if isinstance(event, PromptRecorded):
                changes["has_prompts"] = True
                if not session.state.get("title") and "title" not in changes:
                    changes["title"] = make_title(event)
            post = render_for(session, event, is_ours=is_ours)
            if post is not None:
                posts[post.key] = (post, event)
        is_news = session_id not in self._unread
        self._show(session, posts, end)
        self.on_read(session, read)
        session = self.book.edit_state(session_id, **changes)
        if session.state.get("transcript"):
            self.keeper.keep(session_id, Path(session.state["transcript"]))
        for observer in self.observers:
            for _, event in events:
                observer.hear_event(session, event, is_news=is_news)

    def _show(
        self, session: Session, posts: dict[str, tuple[Post, TranscriptEvent]], end: int
    ) -> None:
        """Put the posts; of many that came while nobody listened, the last answer will do."""
        left_out, shown = 0, [post for post, _ in posts.values()]
        if session.session_id in self._unread:
            self._unread.discard(session.session_id)
            left_out, shown = summarise_absence(shown)
        if left_out:
            place = {"from": session.state.get("cursor", 0), "to": end, "count": left_out}
            self._outbox.put(self.render_left_out(session, place))
        self._outbox.put(*(self._equip(session, posts[post.key][1], post) for post in shown))

    def _equip(self, session: Session, event: TranscriptEvent, post: Post) -> Post:
        for equip in self.equips:
            post = equip(session, event, post)
        return post

    def hear_registry(self) -> None:
        """Processes came, went, or changed their status."""
        if not self._runners:
            return
        found = {process.session_id: process for process in self.registry.processes()}
        for runner in list(self._runners.values()):
            runner.hear_registry(found.get(runner.session_id))
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
        self.book.follow_terminal(old, session_id, runner.name, transcript)
        others = [r for r in self.runners if r.session_id == session_id and r is not runner]
        runner.session_id = session_id
        runner.process = None
        for other in others:
            del self._runners[other.name]
            for prompt in other.hand_over():
                runner.submit(prompt)

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
            self._unread.add(session.session_id)
        self._feed.follow(session.session_id, path, session.state.get("cursor", 0))


async def _answer_nothing(runner: SessionRunner, event: PermissionAsked) -> str:
    return ""


def awake_ids(runners: Iterable[SessionRunner]) -> set[str]:
    """The sessions that a process runs for."""
    return {runner.session_id for runner in runners if runner.is_awake}
