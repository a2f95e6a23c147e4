"""What went wrong with a session or a message, told in the chat with the button that helps."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from buttons import Action, Buttons, Press, PressHandler
from claude_registry import is_suspended
from core.conversation import shorten
from core.delivery import Prompt
from core.errors import (
    BridgeError,
    ClaudeDiedError,
    ClaudeStartError,
    CommandUncertainError,
    SessionElsewhereError,
    TerminalError,
)
from core.model import Keyboard, Post
from core.roles import NOT_ALLOWED, Deed, deed_of_prompt
from core.screen import render_screen
from core.transcript import parse_line
from inbox import Inbox
from outbox import UNKNOWN, Outbox
from pulse import Background, Pulse
from session import Session
from session_book import chat_of
from session_runner import SessionRunner
from sessions import Sessions
from transcript_posts import render_for, render_left_out

log = logging.getLogger(__name__)

_LEAVING_SECONDS = 10.0


class Troubles:
    """Tells of what `sessions` and `outbox` could not do.

    `may` says whether a person (by user id) may do something.
    """

    def __init__(
        self,
        sessions: Sessions,
        inbox: Inbox,
        outbox: Outbox,
        buttons: Buttons,
        background: Background,
        *,
        may: Callable[[int, Deed], bool],
    ) -> None:
        self._may = may
        self._sessions = sessions
        self._inbox = inbox
        self._outbox = outbox
        self._buttons = buttons
        self._background = background
        self.presses: dict[str, PressHandler] = {
            "again": self._send_again,
            "earlier": self._show_earlier,
        }
        self.prompting_presses: dict[str, PressHandler] = {
            "retry": self._retry,
            "take over": self._take_over,
        }

    def tell_failed(self, runner: SessionRunner, prompt: Prompt | None, error: BridgeError) -> None:
        """A prompt was not delivered, or (None) Claude could not be started."""
        if isinstance(error, ClaudeDiedError | ClaudeStartError):
            self._background.run(self._tell_died(runner, prompt, error))
        elif isinstance(error, CommandUncertainError):
            self._tell(runner, prompt, str(error), "Run it (again)", {"do": "retry"})
        elif isinstance(error, SessionElsewhereError):
            action = {"do": "take over", "pid": error.pid}
            self._tell(runner, prompt, str(error), "Take over", action)
        else:
            self._tell(runner, prompt, str(error))

    def ask_about(self, post: Post) -> None:
        """A message may not have arrived."""
        keyboard = self._buttons.issue(
            post.chat, [[("Send again", {"do": "again", "key": post.key})]]
        )
        text = f"This may not have arrived: “{shorten(post.text, 80)}”"
        self._outbox.put(Post(f"{UNKNOWN}{post.key}", post.chat, text, keyboard=keyboard))

    def render_left_out(self, session: Session, place: dict[str, Any]) -> Post:
        """The line that stands for posts that were left out, with a button that shows them."""
        action = {"do": "earlier", "session": session.session_id, **place}
        keyboard = self._buttons.issue(
            chat_of(session), [[("Show them", action)]], person=session.state.get("person")
        )
        return replace(render_left_out(session, place), keyboard=keyboard)

    async def _show_earlier(self, press: Press) -> str:
        """Show what was left out: the posts of a part of the transcript, all but the last ones."""
        action = press.action
        session = self._sessions.book.for_id(action["session"])
        path = Path(session.state["transcript"])
        lines = await asyncio.to_thread(_read_lines, path, action["from"], action["to"])
        posts = [
            render_for(session, event, is_ours=True) for line in lines for event in parse_line(line)
        ]
        # Those that were shown already have keys that are known, so they are not shown again.
        self._outbox.put(*(replace(post, silent=True) for post in posts if post is not None))
        return ""

    async def _send_again(self, press: Press) -> str:
        """The button below a message that may not have arrived."""
        return "" if self._outbox.again(press.action["key"]) else "That is no longer kept."

    async def _retry(self, press: Press) -> str:
        """Give the session the prompt once more, as the press's own inbox entry."""
        session = self._sessions.book.for_id(press.action["session"])
        text, person = press.action["text"], press.event.person.user_id
        self._check(person, text)
        self._sessions.submit(session, Prompt(press.key, text), person)
        return "Trying again."

    def _check(self, person: int, text: str) -> None:
        if not self._may(person, deed_of_prompt(text)):
            raise BridgeError(NOT_ALLOWED)

    async def _take_over(self, press: Press) -> str:
        """The prompt is the session's before anything ends, so a crash in between forgets none."""
        if "text" in press.action:
            session_id, text = press.action["session"], press.action["text"]
            person = press.event.person.user_id
            self._check(person, text)
            facts = {"session_id": session_id, "text": text, "person": person}
            self._inbox.advance(press.key, "assigned", **facts)
        self._background.run(self._end_other_and_retry(press))
        return ""

    async def _end_other_and_retry(self, press: Press) -> None:
        """End the process that has the session, which may take its time, and go on here."""
        try:
            await self._end_other(press.action)
            if "text" in press.action:
                await self._retry(press)
            else:
                session = self._sessions.book.for_id(press.action["session"])
                self._sessions.runner_of(session).begin()
                self._inbox.finish(press.key, "handled")
        except BridgeError as error:
            self._tell_not_taken_over(press, error)
            self._inbox.finish(press.key, "failed")

    def _tell_not_taken_over(self, press: Press, error: BridgeError) -> None:
        """Say why, and offer it again to a prompt that waits for it."""
        if "text" not in press.action:
            self._outbox.say(press.event.chat, str(error), silent=False)
            return
        session = self._sessions.book.for_id(press.action["session"])
        prompt = Prompt(press.key, press.action["text"])
        self.tell_failed(self._sessions.runner_of(session), prompt, error)

    async def _end_other(self, action: Action) -> None:
        """End the other process that has the session. Raises SessionElsewhereError."""
        session_id = action["session"]
        runner = self._sessions.find_runner(session_id)
        if runner is not None and runner.is_awake:
            return  # it is ours by now
        owner = self._sessions.registry.find(session_id)
        if owner is None:
            return
        if owner.pid == action["pid"]:
            with suppress(ProcessLookupError):
                os.kill(owner.pid, signal.SIGKILL if is_suspended(owner.pid) else signal.SIGTERM)
        registry = self._sessions.registry
        if not await Pulse().until(lambda: registry.find(session_id) is None, _LEAVING_SECONDS):
            raise SessionElsewhereError(
                "The other Claude has not ended. End it at its terminal with /exit.", owner.pid
            )

    async def _tell_died(
        self, runner: SessionRunner, prompt: Prompt | None, error: BridgeError
    ) -> None:
        try:
            words = render_screen(await self._sessions.terminal.capture(runner.name))
        except TerminalError:
            words = ""
        if words:
            session = self._sessions.book.for_id(runner.session_id)
            key = f"last words:{uuid.uuid4()}"
            self._outbox.put(Post(key, chat_of(session), words, "screen", silent=True))
        self._tell(runner, prompt, str(error), "Try again", {"do": "retry"})

    def _tell(
        self,
        runner: SessionRunner,
        prompt: Prompt | None,
        text: str,
        label: str = "",
        action: Action | None = None,
    ) -> None:
        """One post; the button, if there is one, brings the prompt along."""
        session = self._sessions.book.for_id(runner.session_id)
        chat = chat_of(session)
        keyboard: Keyboard = ()
        if action is not None and (prompt is not None or action["do"] == "take over"):
            carried = {**action, "session": runner.session_id}
            if prompt is not None:
                carried["text"] = prompt.text
            keyboard = self._buttons.issue(
                chat, [[(label, carried)]], person=session.state.get("person")
            )
        if prompt is not None:
            text = f"Not delivered: “{shorten(prompt.text, 60)}”\n{text}"
        key = prompt.key if prompt is not None else str(uuid.uuid4())
        self._outbox.put(Post(f"failed:{key}", chat, text, keyboard=keyboard))


def _read_lines(path: Path, start: int, end: int) -> list[bytes]:
    with path.open("rb") as file:
        file.seek(start)
        return file.read(end - start).splitlines()
