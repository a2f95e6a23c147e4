"""/stop and /queue: what Claude does is ended, what waits is put in another order or dropped.

* The buttons of a queue go on working: each press shows it anew in the same message.
* What has to wait is said in one silent line per queue, which is kept up to date.
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from buttons import Action, Buttons, Press, PressHandler
from core.commands import CommandName
from core.conversation import shorten
from core.delivery import Prompt
from core.errors import StoreError
from core.events import HookEvent, PromptSubmitted, TranscriptEvent
from core.model import Chat, Keyboard, Post
from outbox import Outbox, new_key
from session import Session
from session_book import chat_of
from session_runner import SessionRunner
from sessions import Sessions

log = logging.getLogger(__name__)

_LISTED = 8
_TEXT_LENGTH = 200
_TWICE_SECONDS = 6.0
_MOMENT_SECONDS = 2.0
_GONE = "That is no longer waiting."


@dataclass(slots=True)
class _Line:
    """The line about a queue: the post's key, and how many messages it speaks of.

    `person` pressed its button, and is shown the whole queue there.
    """

    key: str
    count: int
    person: int | None = None


class QueueCommands:
    """What waits in `sessions`, and what runs there."""

    def __init__(
        self,
        sessions: Sessions,
        outbox: Outbox,
        buttons: Buttons,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sessions = sessions
        self._outbox = outbox
        self._buttons = buttons
        self._clock = clock
        self._stopped_at: dict[Chat, float] = {}
        self._lines: dict[str, _Line] = {}
        self._looks: dict[str, asyncio.TimerHandle] = {}
        self.commands: dict[CommandName, Callable[[Chat, str, int], Awaitable[None]]] = {
            "stop": self._stop,
            "queue": self._queue,
        }
        self.presses: dict[str, PressHandler] = {
            "stop": self._press_stop,
            "queue": self._press_queue,
        }

    # --- stopping -------------------------------------------------------------------------------

    async def _stop(self, chat: Chat, argument: str, person: int) -> None:
        session = self._sessions.book.find_current(chat)
        runner = self._sessions.find_runner(session.session_id) if session else None
        text = await self._end_turn(chat, runner)
        if text:
            self._outbox.say(chat, text)

    async def _press_stop(self, press: Press) -> str:
        """Stop the session of the button; `session` is in its action."""
        runner = self._sessions.find_runner(press.action["session"])
        return await self._end_turn(press.event.chat, runner)

    async def _end_turn(self, chat: Chat, runner: SessionRunner | None) -> str:
        """Stop, the second time with all that waits; what to say, "" when the transcript tells."""
        now, before = self._clock(), self._stopped_at.get(chat)
        self._stopped_at[chat] = now
        if runner is None or not (runner.is_awake or runner.has_work):
            return "Claude is not doing anything."
        if before is not None and now - before < _TWICE_SECONDS:
            return await self._clear(runner)
        text = ""
        match await runner.interrupt():
            case "nothing":
                text = "Claude is not doing anything."
            case "running":
                text = "Claude has not stopped yet. /screen shows what it does."
            case "withdrawn":
                text = "Stopped before Claude had begun."
            case "stopped":
                text = "Stopped."
            case "finished":
                text = "Claude had finished before it could be stopped."
            case "interrupted":
                pass  # the transcript tells, and so the chat
        waiting = len(runner.queue.waiting)
        if waiting:
            rest = f"{_count(waiting)} still to come; /stop again removes them."
            text = f"{text} {rest}".strip()
        self._refresh_line(runner)
        return text

    async def _clear(self, runner: SessionRunner) -> str:
        removed, was_working = runner.queue.drop_all(), runner.is_working
        if was_working:
            await runner.interrupt(spares_waiting=True)
        self._refresh_line(runner)
        if removed:
            return f"{_count(removed)} removed."
        return "" if was_working else "Claude is not doing anything."

    # --- the queue ------------------------------------------------------------------------------

    async def _queue(self, chat: Chat, argument: str, person: int) -> None:
        session = self._sessions.book.find_current(chat)
        runner = self._sessions.find_runner(session.session_id) if session else None
        if runner is None or not runner.queue.waiting:
            self._outbox.say(chat, "Nothing waits.")
            return
        key = new_key()
        text, keyboard = self._render(runner, chat, key, person)
        self._outbox.put(Post(key, chat, text, keyboard=keyboard, silent=True))

    async def _press_queue(self, press: Press) -> str:
        """Do what the button says to the queue, and show it as it is then."""
        action, chat = press.action, press.event.chat
        runner = self._sessions.find_runner(action["session"])
        said = await self._change(runner, action) if runner is not None else _GONE
        text = "Nothing waits."
        keyboard: Keyboard = ()
        if runner is not None and runner.queue.waiting:
            person = press.event.person.user_id
            text, keyboard = self._render(runner, chat, action["post"], person)
        self._outbox.say(chat, text, keyboard=keyboard, edits=action["post"])
        if runner is not None:
            self._take_over_line(runner, press)
            self._refresh_line(runner)
        return said

    def _take_over_line(self, runner: SessionRunner, press: Press) -> None:
        """A queue that was unfolded in the line itself stays so."""
        line = self._lines.get(runner.name)
        if line is not None and line.key == press.action["post"]:
            line.count, line.person = len(runner.queue.waiting), press.event.person.user_id
            if not line.count:
                del self._lines[runner.name]

    async def _change(self, runner: SessionRunner, action: Action) -> str:
        queue, key = runner.queue, action["key"]
        match action["what"]:
            case "clear":
                return f"{queue.drop_all()} removed."
            case "drop":
                return "Removed." if queue.drop(key) else "Claude has that one already."
            case "up":
                return "" if queue.move_up(key) else _GONE
            case "now":
                if not queue.move_up(key, to_front=True):
                    return _GONE
                if runner.is_working:
                    await runner.interrupt(spares_waiting=True)
                return "Sent next."
        return ""

    def _render(
        self, runner: SessionRunner, chat: Chat, key: str, person: int
    ) -> tuple[str, Keyboard]:
        """The queue's text, and its buttons for the post of that key."""
        waiting = runner.queue.waiting
        shown = waiting[:_LISTED]
        lines = [f"{n}. {shorten(prompt.text, _TEXT_LENGTH)}" for n, prompt in enumerate(shown, 1)]
        lines += [f"and {len(waiting) - _LISTED} more"] if len(waiting) > _LISTED else []
        base = {"do": "queue", "session": runner.session_id, "post": key}
        rows: list[list[tuple[str, Action]]] = []
        for n, prompt in enumerate(shown, 1):
            names = [("now", "Now"), *([("up", "Up")] if n > 1 else []), ("drop", "Remove")]
            rows.append(
                [(f"{name} {n}", {**base, "what": what, "key": prompt.key}) for what, name in names]
            )
        if len(waiting) > 1:
            rows.append([("Remove all", {**base, "what": "clear", "key": ""})])
        text = "Waiting, in this order. Edit a message to change it.\n" + "\n".join(lines)
        return text, self._buttons.issue(chat, rows, person=person)

    # --- the line that says so ------------------------------------------------------------------

    def notice(self, runner: SessionRunner, prompt: Prompt) -> None:
        """A prompt was given; say that it has to wait, if it does for more than a moment."""
        session = self._sessions.book.for_id(runner.session_id)
        self._stopped_at.pop(chat_of(session), None)  # the next /stop is about something new
        if runner.name in self._lines:
            self._refresh_line(runner)
        elif runner.name not in self._looks:
            loop = asyncio.get_running_loop()
            self._looks[runner.name] = loop.call_later(_MOMENT_SECONDS, self._look, runner)

    async def stop(self) -> None:
        """Say nothing more."""
        for look in self._looks.values():
            look.cancel()

    def _look(self, runner: SessionRunner) -> None:
        del self._looks[runner.name]
        try:
            self._tell(runner)
        except StoreError as error:
            log.warning("a chat is not told what waits: %s", error)

    def _tell(self, runner: SessionRunner) -> None:
        waiting = runner.queue.waiting
        if not waiting or not runner.is_working or runner.name in self._lines:
            return
        if runner.process is not None and runner.process.status == "waiting":
            return  # said already, and why
        session = self._sessions.book.for_id(runner.session_id)
        line = self._lines[runner.name] = _Line(f"queue:{uuid.uuid4()}", len(waiting))
        text = "Waiting, number 1" if len(waiting) == 1 else f"Waiting: {_count(len(waiting))}"
        chat, keyboard = chat_of(session), self._line_keyboard(session, runner, line)
        self._outbox.put(Post(line.key, chat, text, keyboard=keyboard, silent=True))

    def _refresh_line(self, runner: SessionRunner) -> None:
        line, count = self._lines.get(runner.name), len(runner.queue.waiting)
        if line is None or line.count == count:
            return
        line.count = count
        session = self._sessions.book.for_id(runner.session_id)
        text, keyboard = f"Waiting: {_count(count)}", self._line_keyboard(session, runner, line)
        if count and line.person is not None:
            text, keyboard = self._render(runner, chat_of(session), line.key, line.person)
        if not count:
            text, keyboard = "Nothing waits any more.", ()
            del self._lines[runner.name]
        post = Post(
            f"{line.key}:{uuid.uuid4()}",
            chat_of(session),
            text,
            keyboard=keyboard,
            silent=True,
            edits=line.key,
        )
        self._outbox.put(post)

    def _line_keyboard(self, session: Session, runner: SessionRunner, line: _Line) -> Keyboard:
        action = {"do": "queue", "what": "show", "key": "", "session": runner.session_id}
        rows = [[("Show the queue", {**action, "post": line.key})]]
        return self._buttons.issue(chat_of(session), rows, person=session.state.get("person"))

    # --- what happens ---------------------------------------------------------------------------

    def hear_hook(self, runner: SessionRunner, event: HookEvent) -> None:
        """A prompt that Claude has taken waits no longer."""
        if isinstance(event, PromptSubmitted):
            self._refresh_line(runner)

    def hear_event(self, session: Session, event: TranscriptEvent, *, is_news: bool) -> None:
        """The hook was faster."""

    def hear_status(self, runner: SessionRunner) -> None:
        """A queue that is empty by other ways than a prompt's is told of too."""
        if not runner.has_work:
            self._refresh_line(runner)


def _count(number: int) -> str:
    return "1 message" if number == 1 else f"{number} messages"
