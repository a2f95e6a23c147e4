"""What the model's service refuses, and how full the context is: the button that helps for each.

| told by Claude Code           | button                                                         |
|-------------------------------|----------------------------------------------------------------|
| an error                      | Retry: the prompt once more                                    |
| that it is not logged in      | the same, and how to log in                                    |
| the prompt is too long        | Compact                                                        |
| a usage limit                 | Continue when it resets; or, where Claude Code waits by itself |
|                               | to go on, Cancel, and the process is kept awake for it         |
| the context is 80 or 95 % full| Compact                                                        |

* A session remembers until when it waits, so that a restart of the bridge forgets nothing.
* It goes on for who has asked for that, if they still may when the time has come.
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from buttons import Action, Buttons, Press, PressHandler
from core.claude_code import ASKS_TO_LOG_IN, GOES_ON_SINCE, LIMIT_WAIT_SIGN, is_there
from core.context_window import nearly_full, render_context
from core.delivery import Prompt
from core.errors import BridgeError, StoreWriteError
from core.events import (
    ContextCompacted,
    ContextMeasured,
    ErrorReported,
    HookEvent,
    LimitWaited,
    PromptRecorded,
    TranscriptEvent,
)
from core.keystrokes import prepare_prompt
from core.model import Keyboard, Post
from core.roles import Deed
from core.transcript import parse_line
from inbox import Arrival, Inbox
from outbox import Outbox
from session import Session
from session_book import chat_of
from session_runner import SessionRunner
from sessions import Sessions

log = logging.getLogger(__name__)

_LATE_SECONDS = 600.0  # it goes on a minute or so after the time that it named
_LONGEST_WAIT = 12 * 3600.0  # for a limit whose end is not known
_LONGEST_SLEEP = 60.0  # a machine that was suspended has a clock that jumps
_GO_ON = "The usage limit has reset. Continue where you stopped; repeat nothing that is done."
_NOT_FOR_THEM = "Claude does not go on by itself: who asked for that may not any more."
_DISK_SECONDS = 5.0
_TOO_LONG = "prompt is too long"
_LOG_IN = "Run “claude” once in a terminal on your machine, and /login there; then press Retry."


class ServiceErrors:
    """The errors in the transcripts of `sessions`; `version` is Claude Code's.

    `may` says whether a person (by user id) may do something.
    """

    def __init__(
        self,
        sessions: Sessions,
        inbox: Inbox,
        outbox: Outbox,
        buttons: Buttons,
        *,
        version: tuple[int, ...],
        may: Callable[[int, Deed], bool],
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._may = may
        self._sleep = sleep
        self._sessions = sessions
        self._book = sessions.book
        self._inbox = inbox
        self._outbox = outbox
        self._buttons = buttons
        self._goes_on_by_itself = is_there(GOES_ON_SINCE, version)
        self._clock = clock
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self.presses: dict[str, PressHandler] = {
            "continue later": self._press_later,
            "do not continue": self._press_not,
            "end waiting": self._press_end_waiting,
        }
        self.prompting_presses: dict[str, PressHandler] = {
            "ask again": self._press_retry,
            "compact": self._press_compact,
        }

    def resume(self) -> None:
        """Go on waiting for limits to reset."""
        for session in self._book.store.list_sessions():
            if isinstance(session.state.get("continue_at"), int | float):
                self._wait(session.session_id)

    async def stop(self) -> None:
        """Stop waiting; the next start goes on with it."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    # --- what the chat is shown -------------------------------------------------------------------

    def equip(self, session: Session, event: TranscriptEvent, post: Post) -> Post:
        """The post of an error with the button that helps; every other post as it is."""
        match event:
            case ErrorReported(resets_at=float(at)) if at > self._clock():
                if self._goes_on_by_itself:
                    return post
                action: Action = {"do": "continue later", "at": at, "post": post.key}
                return self._with_button(session, post, "Continue when it resets", action)
            case ErrorReported() if event.text.lower().startswith(_TOO_LONG):
                return self._with_button(session, post, "Compact", {"do": "compact"})
            case ErrorReported():
                if ASKS_TO_LOG_IN in event.text:
                    post = replace(post, text=f"{post.text}\n{_LOG_IN}")
                action = {"do": "ask again", "uuid": event.uuid}
                return self._with_button(session, post, "Retry", action)
            case LimitWaited(is_over=False):
                action = {"do": "end waiting", "post": post.key}
                return self._with_button(session, post, "Cancel", action)
            case _:
                return post

    def _with_button(self, session: Session, post: Post, label: str, action: Action) -> Post:
        return replace(post, keyboard=self._issue(session, label, action))

    def _issue(self, session: Session, label: str, action: Action) -> Keyboard:
        carried = {**action, "session": session.session_id}
        person = session.state.get("person")
        return self._buttons.issue(chat_of(session), [[(label, carried)]], person=person)

    # --- what happens -----------------------------------------------------------------------------

    def hear_hook(self, runner: SessionRunner, event: HookEvent) -> None:
        """Nothing is told by a hook alone."""

    def hear_status(self, runner: SessionRunner) -> None:
        """Nothing is told by the registry."""

    def hear_event(self, session: Session, event: TranscriptEvent, *, is_news: bool) -> None:
        """The transcript has this."""
        told = session.state.get("context_told", 0)
        match event:
            case ErrorReported(resets_at=float(at)):
                self._book.edit_state(session.session_id, resets_at=at)
            case LimitWaited(is_over=False):
                known = self._book.for_id(session.session_id).state.get("resets_at")
                until = known or self._clock() + _LONGEST_WAIT
                self._book.edit_state(session.session_id, awake_until=until + _LATE_SECONDS)
            case LimitWaited(is_over=True) | PromptRecorded() if "awake_until" in session.state:
                self._book.edit_state(session.session_id, awake_until=None, resets_at=None)
            case ContextCompacted() if "context_told" in session.state:
                self._book.edit_state(session.session_id, context_told=None)
            case ContextMeasured() if nearly_full(event.tokens, event.model) != told:
                self._measure(session, event)

    def _measure(self, session: Session, event: ContextMeasured) -> None:
        """Tell once that the context is nearly full."""
        mark = nearly_full(event.tokens, event.model)
        session = self._book.for_id(session.session_id)
        told = session.state.get("context_told", 0)
        if mark == told:
            return
        if mark > told:
            text = f"The {render_context(event.tokens, event.model)} is nearly full. Compact it?"
            keyboard = self._issue(session, "Compact", {"do": "compact"})
            key = f"context:{session.session_id}:{event.uuid}"
            self._outbox.put(Post(key, chat_of(session), text, keyboard=keyboard, silent=True))
        self._book.edit_state(session.session_id, context_told=mark or None)

    # --- buttons that ask Claude ------------------------------------------------------------------

    async def _press_retry(self, press: Press) -> str:
        """Give the session the prompt that failed once more, as the press's own inbox entry."""
        session = self._book.for_id(press.action["session"])
        path = Path(session.state.get("transcript", ""))
        text = await asyncio.to_thread(_find_prompt, path, press.action["uuid"])
        if text is None:
            raise BridgeError("That message is no longer in Claude's transcript; send it again.")
        prompt = Prompt(press.key, prepare_prompt(text))
        self._sessions.submit(session, prompt, press.event.person.user_id)
        return "Trying again."

    async def _press_compact(self, press: Press) -> str:
        session = self._book.for_id(press.action["session"])
        prompt = Prompt(press.key, "/compact")
        self._sessions.submit(session, prompt, press.event.person.user_id)
        return "Compacting."

    # --- buttons of a limit -----------------------------------------------------------------------

    async def _press_later(self, press: Press) -> str:
        """Let the session go on when the limit has reset."""
        at, shown = press.action["at"], press.action["post"]
        person = press.event.person.user_id
        session = self._book.edit_state(
            press.action["session"], continue_at=at, continue_for=person
        )
        when = datetime.fromtimestamp(at).astimezone().strftime("%H:%M")
        keyboard = self._issue(session, "Cancel", {"do": "do not continue", "post": shown})
        self._edit(session, shown, f"⏰ Claude is told to go on at {when}.", keyboard)
        self._wait(session.session_id)
        return ""

    async def _press_not(self, press: Press) -> str:
        session = self._book.edit_state(press.action["session"], continue_at=None)
        task = self._tasks.pop(session.session_id, None)
        if task is not None:
            task.cancel()
        self._edit(session, press.action["post"], "Claude will not go on by itself.")
        return ""

    async def _press_end_waiting(self, press: Press) -> str:
        """Press Escape, if Claude Code's screen says that it waits."""
        session_id = press.action["session"]
        runner = self._sessions.find_runner(session_id)
        session = self._book.edit_state(session_id, awake_until=None)
        if runner is not None and runner.is_awake:
            screen = await self._sessions.terminal.capture(runner.name)
            if LIMIT_WAIT_SIGN in screen:
                await self._sessions.terminal.press(runner.name, "Escape")
        self._edit(session, press.action["post"], "Claude will not go on by itself.")
        return ""

    def _edit(
        self,
        session: Session,
        key: str,
        text: str,
        keyboard: Keyboard = (),
    ) -> None:
        name = f"{key}:{uuid.uuid4()}"
        post = Post(name, chat_of(session), text, keyboard=keyboard, silent=True, edits=key)
        self._outbox.put(post)

    def _wait(self, session_id: str) -> None:
        running = self._tasks.get(session_id)
        if running is None or running.done():
            self._tasks[session_id] = asyncio.create_task(self._continue_later(session_id))

    async def _continue_later(self, session_id: str) -> None:
        while True:
            session = self._book.store.load(session_id)
            at = session.state.get("continue_at") if session is not None else None
            if session is None or not isinstance(at, int | float):
                return
            seconds = at - self._clock()
            if seconds <= 0:
                break
            await self._sleep(min(seconds, _LONGEST_SLEEP))
        while True:
            try:
                self._continue(session, at)
                return
            except StoreWriteError as error:
                log.error("a session goes on once that can be noted down: %s", error)
                await self._sleep(_DISK_SECONDS)

    def _continue(self, session: Session, at: float) -> None:
        """Tell Claude to go on, once however often this is begun. Raises StoreWriteError."""
        person = session.state.get("continue_for", 0)
        key = f"continue:{session.session_id}:{at}"
        if self._may(person, "talk"):
            self._inbox.receive([Arrival(key, chat_of(session).channel, {"update_id": 0})])
            entry = self._inbox.find(key)
            if entry is not None and entry.step == "received":
                self._sessions.submit(session, Prompt(key, _GO_ON), person)
        else:
            self._outbox.put(Post(f"{key}:not", chat_of(session), _NOT_FOR_THEM, silent=True))
        self._book.edit_state(session.session_id, continue_at=None, continue_for=None)


def _find_prompt(path: Path, error_uuid: str) -> str | None:
    """The last prompt before that error."""
    text = None
    try:
        with path.open("rb") as file:
            for event in (event for line in file for event in parse_line(line)):
                if isinstance(event, PromptRecorded):
                    text = event.command or event.text
                elif isinstance(event, ErrorReported) and event.uuid == error_uuid:
                    return text
    except OSError as error:
        log.warning("a transcript can't be read: %s", error.strerror)
    return None
