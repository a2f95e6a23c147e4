"""The live card of each turn in its chat: shown while Claude works, folded to one line at the end.

* A turn begins with a prompt, whoever gave it, and ends by the hook, the transcript, or when the
  process is idle again or gone. A quick one shows no card.
* A card is edited when something has changed, and else now and then for the time that has passed.
  Without a turn under way nothing runs here.
* A session remembers the card that is open: after a restart it goes on, or is folded.
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from buttons import Buttons, Press, PressHandler
from core.card import Card, Outcome, advance, begin_card, end_card, follow_up, render_card
from core.errors import BridgeError, StoreWriteError
from core.events import (
    ErrorReported,
    HookEvent,
    PromptRecorded,
    PromptSubmitted,
    SessionEnded,
    SessionStarted,
    TextStreamed,
    TranscriptEvent,
    TurnEnded,
    TurnInterrupted,
    TurnRecorded,
)
from core.keystrokes import is_same_prompt
from core.model import Chat, Keyboard, Post
from core.screen import read_retry
from core.transcript import parse_line
from outbox import Outbox
from pulse import happens
from session import Session
from session_book import chat_of
from session_runner import SessionRunner
from sessions import Sessions

log = logging.getLogger(__name__)

_FIRST_LOOK_SECONDS = 0.7
_SECOND_LOOK_SECONDS = 0.5
_LAST_WORDS_SECONDS = 1.0  # the transcript is written a little after the hook has told the end
_IDLE_SECONDS = 3.0
_BETWEEN_SECONDS = 0.2
_TICK_SECONDS = 10.0
_LONGEST_TICK_SECONDS = 60.0
_SILENCE_SECONDS = 5.0
_ASKED = "Waiting for your answer"

ChatCommand = Callable[[Chat, int], Awaitable[None]]


@dataclass(slots=True)
class _Turn:
    """A turn under way: `since` is when it began, `ends_at` when its card is to be folded.

    `is_noted`: its session remembers the card; `is_open`: the chat has it.
    """

    session_id: str
    key: str
    card: Card
    since: float
    cursor: int
    prompt: str = ""
    prompt_id: str = ""
    heard_at: float = 0.0
    is_noted: bool = False
    is_open: bool = False
    is_recorded: bool = False
    is_stopped: bool = False
    is_written: bool = False
    needs_keys: bool = True
    keyboard: Keyboard = ()
    shown: tuple[str, str] | None = None
    next_tick: float = 0.0
    look_at: float = 0.0
    outcome: Outcome = "done"
    ends_at: float | None = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None


class LiveCards:
    """The cards of `sessions`; `stop` and `screen` are what the commands of these names do.

    `redact` masks secrets in a text that is still being written.
    """

    def __init__(
        self,
        sessions: Sessions,
        outbox: Outbox,
        buttons: Buttons,
        *,
        stop: ChatCommand,
        screen: ChatCommand,
        redact: Callable[[str], str] = str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._sessions = sessions
        self._outbox = outbox
        self._buttons = buttons
        self._stop_command = stop
        self._screen_command = screen
        self._redact = redact
        self._clock = clock
        self._turns: dict[str, _Turn] = {}
        self._next: dict[str, Card] = {}
        self._begun_by: deque[str] = deque(maxlen=16)
        self._unfolded: list[_Turn] = []
        self.presses: dict[str, PressHandler] = {
            "stop turn": self._press_stop,
            "show screen": self._press_screen,
        }

    def resume(self) -> None:
        """Take up the cards that were open when the bridge ended."""
        for session in self._sessions.book.store.list_sessions():
            self._find(session)

    async def stop(self) -> None:
        """Leave the cards as they are: the next start goes on with them."""
        tasks = [turn.task for turn in self._turns.values() if turn.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # --- what happens -----------------------------------------------------------------------------

    def hear_hook(self, runner: SessionRunner, event: HookEvent) -> None:
        """A hook fired."""
        session_id = event.session_id
        turn = self._turns.get(session_id)
        if isinstance(event, PromptSubmitted) and (turn is None or turn.ends_at is not None):
            self._begun_by.append(event.prompt)
            session = self._sessions.book.for_id(session_id)
            self._begin(session, event.prompt_id, event)
            turn = self._turns.get(session_id)
        if turn is None:
            # Hooks are processes of their own, and that of the prompt may be overtaken.
            if session_id in self._next:
                self._next[session_id] = advance(self._next[session_id], event)
            return
        self._apply(turn, event)
        match event:
            case TextStreamed():
                turn.is_written = event.is_final
            case TurnEnded() if event.may_end(turn.prompt_id):
                outcome: Outcome = "done" if event.error is None else "failed"
                self._end_soon(turn, outcome)
            case SessionEnded():
                self._close(turn, "unknown")
            case SessionStarted(source="startup" | "resume"):
                self._close(turn, "died")

    def hear_event(self, session: Session, event: TranscriptEvent, *, is_news: bool) -> None:
        """The transcript has this."""
        turn = self._find(session)
        if turn is None:
            if isinstance(event, PromptRecorded) and self._begins(session, event, is_news=is_news):
                self._begin(session, event.uuid)
            return
        self._apply(turn, event)
        match event:
            case PromptRecorded():
                self._knows(event)
                turn.is_recorded |= not turn.prompt or is_same_prompt(turn.prompt, event.text)
            case TurnRecorded() if turn.is_recorded or turn.ends_at is not None:
                self._close(turn, turn.outcome)
            case TurnInterrupted() if turn.is_recorded:
                self._close(turn, "stopped")
            case ErrorReported() if turn.is_recorded:
                self._end_soon(turn, "failed")

    def hear_status(self, runner: SessionRunner) -> None:
        """The process may wait for a person, be idle, or be gone."""
        while self._unfolded:
            if not self._fold(self._unfolded[-1]):
                return
            self._unfolded.pop()
        found = self._turns.get(runner.session_id)
        if found is not None:
            before = found.look_at
            self._look(found, runner)
            if found.look_at != before:
                found.changed.set()

    def _look(self, turn: _Turn, runner: SessionRunner | None) -> None:
        process = runner.process if runner is not None else None
        if runner is None or not runner.is_awake:
            self._close(turn, "died")
        elif process is not None and process.is_idle:
            idle_since = process.since_ms / 1000
            if idle_since <= turn.since:
                return
            if idle_since < self._clock() - _IDLE_SECONDS:
                unseen: Outcome = "stopped" if turn.is_stopped else "unknown"
                self._close(turn, turn.outcome if turn.ends_at is not None else unseen)
            else:
                turn.look_at = idle_since + _IDLE_SECONDS + _BETWEEN_SECONDS
        else:
            is_asked = process is not None and process.status == "waiting"
            if is_asked != (turn.card.notice == _ASKED):
                turn.card = replace(turn.card, notice=_ASKED if is_asked else "")
                turn.changed.set()

    # --- a turn -----------------------------------------------------------------------------------

    def _begins(self, session: Session, event: PromptRecorded, *, is_news: bool) -> bool:
        """Whether a turn begins with this record, of which no hook has told."""
        if self._knows(event):
            return False
        runner = self._sessions.find_runner(session.session_id)
        process = runner.process if runner is not None else None
        is_busy = process is not None and process.status in ("busy", "waiting")
        return event.command is None and (is_news or is_busy)

    def _knows(self, event: PromptRecorded) -> bool:
        """Whether a hook has told of this prompt before."""
        known = next((p for p in self._begun_by if is_same_prompt(p, event.text)), None)
        if known is not None:
            self._begun_by.remove(known)
        return known is not None

    def _begin(self, session: Session, name: str, event: PromptSubmitted | None = None) -> None:
        session_id, now = session.session_id, self._clock()
        before = self._turns.get(session_id)
        if before is not None:
            self._close(before, before.outcome)
        card = self._next.pop(session_id, Card(now, session.state.get("project_dir", "")))
        key = f"card:{session_id}:{name or uuid.uuid4()}"
        cursor = session.state.get("cursor", 0)
        turn = _Turn(session_id, key, begin_card(card, now), now, cursor)
        if event is not None:
            turn.prompt, turn.prompt_id = event.prompt, event.prompt_id
        self._run(turn)

    def _find(self, session: Session) -> _Turn | None:
        """The session's turn; one that the last run of the bridge had a card for is taken up."""
        turn = self._turns.get(session.session_id)
        if turn is not None or "card" not in session.state:
            return turn
        noted = self._sessions.book.for_id(session.session_id).state.get("card")
        if any(turn.session_id == session.session_id for turn in self._unfolded):
            return None
        match noted:
            case {"key": str(key), "since": int() | float() as since, "from": int(start)}:
                card = Card(since, session.state.get("project_dir", ""))
                turn = _Turn(session.session_id, key, card, since, start)
            case _:
                return None
        turn.is_noted = True
        turn.is_open = self._outbox.find_message(turn.key) is not None
        is_over = _replay(turn, session)
        self._run(turn)
        if is_over:
            self._close(turn, turn.outcome)
        return self._turns.get(session.session_id)

    def _run(self, turn: _Turn) -> None:
        self._turns[turn.session_id] = turn
        turn.heard_at = self._clock()
        turn.task = asyncio.create_task(self._accompany(turn), name=turn.key)

    def _apply(self, turn: _Turn, event: HookEvent | TranscriptEvent) -> None:
        card = advance(turn.card, event)
        if card is not turn.card:
            turn.card = card
            turn.heard_at = self._clock()
            turn.changed.set()

    def _end_soon(self, turn: _Turn, outcome: Outcome) -> None:
        turn.outcome = outcome if turn.outcome == "done" else turn.outcome
        turn.ends_at = turn.ends_at or self._clock() + _LAST_WORDS_SECONDS
        turn.changed.set()

    def _close(self, turn: _Turn, outcome: Outcome) -> None:
        """The turn is over; its card, if there is one, becomes a line."""
        if turn.card.outcome is not None:
            return
        self._turns.pop(turn.session_id, None)
        turn.card = end_card(turn.card, outcome, self._clock())
        self._next[turn.session_id] = follow_up(turn.card)
        if turn.task is not None and turn.task is not asyncio.current_task():
            turn.task.cancel()
        if turn.is_noted and not self._fold(turn):
            self._unfolded.append(turn)

    # --- its card ---------------------------------------------------------------------------------

    async def _accompany(self, turn: _Turn) -> None:
        """From the moment that a turn is worth a card to its end."""
        if not turn.is_open:
            await asyncio.sleep(_FIRST_LOOK_SECONDS)
            turn.changed.clear()
            if turn.ends_at is None and not _has_begun(turn):
                await self._wait(turn, _SECOND_LOOK_SECONDS)
        while turn.ends_at is None or self._clock() < turn.ends_at:
            if turn.ends_at is None:
                self._look(turn, self._sessions.find_runner(turn.session_id))
                if self._turns.get(turn.session_id) is not turn:
                    return
                await self._peek(turn)
                await self._show(turn)
            await self._wait(turn, self._seconds_to_wait(turn))
        self._close(turn, turn.outcome)

    async def _peek(self, turn: _Turn) -> None:
        """After a silence, see whether Claude can't reach the model: only the screen tells."""
        now = self._clock()
        if (
            turn.card.running
            or turn.card.notice == _ASKED
            or now - turn.heard_at < _SILENCE_SECONDS
        ):
            return
        runner = self._sessions.find_runner(turn.session_id)
        if runner is None:
            return
        try:
            found = read_retry(await self._sessions.terminal.capture(runner.name))
        except BridgeError as error:
            log.debug("a screen could not be read: %s", error)
            return
        turn.card = replace(turn.card, notice=f"⚠️ {found}" if found else "")

    async def _wait(self, turn: _Turn, seconds: float) -> None:
        if await happens(turn.changed, seconds):
            turn.changed.clear()

    def _seconds_to_wait(self, turn: _Turn) -> float:
        """How long nothing needs to be done when nothing happens."""
        now = self._clock()
        if turn.ends_at is not None:
            return max(0.0, turn.ends_at - now)
        if turn.card.notice == _ASKED:
            return _LONGEST_TICK_SECONDS
        times = [turn.next_tick, turn.look_at]
        if not turn.card.running:
            times.append(turn.heard_at + _SILENCE_SECONDS)
        return max(_BETWEEN_SECONDS, min((at for at in times if at > now), default=now) - now)

    async def _show(self, turn: _Turn) -> None:
        """Show the card as it is now, if that is another look or the time to tell the time."""
        now = self._clock()
        looks = render_card(turn.card, turn.card.started_at, self._redact)
        if looks == turn.shown and now < turn.next_tick and not turn.needs_keys:
            return
        try:
            self._put(turn, now)
        except BridgeError as error:
            log.warning("a card could not be shown: %s", error)
        turn.shown = looks
        elapsed = now - turn.card.started_at
        turn.next_tick = now + min(max(_TICK_SECONDS, elapsed / 10), _LONGEST_TICK_SECONDS)
        await asyncio.sleep(_BETWEEN_SECONDS)

    def _put(self, turn: _Turn, now: float) -> None:
        book = self._sessions.book
        session = book.for_id(turn.session_id)
        if turn.needs_keys:
            turn.keyboard = self._issue_keys(turn, session)
            turn.needs_keys = False
        if not turn.is_open:
            noted = {"key": turn.key, "since": turn.since, "from": turn.cursor}
            session = book.edit_state(turn.session_id, card=noted)
            turn.is_open = turn.is_noted = True
            key, edits = turn.key, None
        else:
            key, edits = f"{turn.key}:{uuid.uuid4()}", turn.key
        text, details = render_card(turn.card, now, self._redact)
        self._outbox.put(
            Post(
                key,
                chat_of(session),
                text,
                "card",
                turn.keyboard,
                silent=True,
                edits=edits,
                live=True,
                details=details,
            )
        )

    def _issue_keys(self, turn: _Turn, session: Session) -> Keyboard:
        base = {"session": turn.session_id, "card": turn.key}
        row = [
            ("⏹️ Stop", {"do": "stop turn", **base}),
            ("🖥️ Screen", {"do": "show screen", **base}),
        ]
        person = session.state.get("person")
        return self._buttons.issue(chat_of(session), [row], person=person)

    def _fold(self, turn: _Turn) -> bool:
        """Make the card one line, for good; False while the disk refuses."""
        book = self._sessions.book
        text, _ = render_card(turn.card, self._clock())
        try:
            chat = chat_of(book.for_id(turn.session_id))
            post = Post(f"{turn.key}:end", chat, text, "card", silent=True, edits=turn.key)
            if turn.is_open:
                self._outbox.put(post)
            book.edit_state(turn.session_id, card=None)
        except StoreWriteError as error:
            log.error("a card waits to be folded: %s", error)
            return False
        except BridgeError as error:
            log.warning("a card can't be folded: %s", error)
        return True

    # --- its buttons ------------------------------------------------------------------------------

    async def _press_stop(self, press: Press) -> str:
        """Do what /stop does, if it is still this turn that it would stop."""
        turn = self._pressed(press)
        current = self._sessions.book.find_current(press.event.chat)
        if turn is None or current is None or current.session_id != turn.session_id:
            return "That turn is over."
        turn.is_stopped = True
        await self._stop_command(press.event.chat, press.event.person.user_id)
        return ""

    async def _press_screen(self, press: Press) -> str:
        """Do what /screen does."""
        self._pressed(press)
        await self._screen_command(press.event.chat, press.event.person.user_id)
        return ""

    def _pressed(self, press: Press) -> _Turn | None:
        """The turn of the card, which has used up its buttons."""
        turn = self._turns.get(press.action["session"])
        if turn is None or turn.key != press.action["card"]:
            return None
        turn.needs_keys = True
        turn.changed.set()
        return turn


def _has_begun(turn: _Turn) -> bool:
    """Whether there is something to see and more to come; after a whole text comes the end."""
    return bool(turn.card.tools) or (bool(turn.card.text) and not turn.is_written)


def _replay(turn: _Turn, session: Session) -> bool:
    """Go through what the chat was shown of the turn so far; whether the turn is over by that."""
    known = session.state.get("transcript")
    cursor = session.state.get("cursor", 0)
    try:
        with Path(known or "").open("rb") as file:
            file.seek(turn.cursor)
            lines = file.read(max(0, cursor - turn.cursor)).splitlines()
    except OSError:
        return False
    is_over = False
    for event in (event for line in lines for event in parse_line(line)):
        turn.card = advance(turn.card, event)
        match event:
            case PromptRecorded():
                turn.is_recorded = True
            case TurnRecorded() | TurnInterrupted() if turn.is_recorded:
                turn.outcome = "done" if isinstance(event, TurnRecorded) else "stopped"
                is_over = True
            case ErrorReported() if turn.is_recorded:
                turn.outcome = "failed"
    return is_over
