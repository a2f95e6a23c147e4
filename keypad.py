"""A terminal that asks something, in the chat: its screen and a row of keys to answer it.

* Shown when nothing better is known of the dialog; no other text from the chat is typed at it.
* Above it stands why it is there, and of a dialog that is known what a person can do about it.
* Where it is certain what can be chosen, each option has a button; a press on it chooses just that.
* A press on a key sends one key, and a reply to the message types its text, without Enter; the
  message then shows what became of the screen.
* When the dialog is gone, however it was answered, the keys go too; and so they do when `is_asked`
  says that it is shown better than by its screen.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from buttons import Action, Buttons, Press, PressHandler
from core.conversation import shorten
from core.errors import BridgeError
from core.model import Keyboard, Post, TextSent
from core.screen import Option, find_dialog, find_options, render_screen
from option_choice import choose_option, is_seen
from outbox import Outbox
from session_book import chat_of
from session_runner import SessionRunner
from sessions import Sessions

log = logging.getLogger(__name__)

_ROWS = (
    (("1", "1"), ("2", "2"), ("3", "3"), ("4", "4"), ("5", "5")),
    (("6", "6"), ("7", "7"), ("8", "8"), ("9", "9"), ("0", "0")),
    (("↑", "Up"), ("↓", "Down"), ("←", "Left"), ("→", "Right")),
    (("Enter ⏎", "Enter"), ("Tab", "Tab"), ("Esc", "Escape")),
)
_STILL_SECONDS = 0.4
_MOST_OPTIONS = 8
_LABEL_LENGTH = 60
_LONGEST_TEXT = 200
_LOOKS = 15


@dataclass(slots=True)
class _Shown:
    """The post of a dialog: its key, the screen that it shows, and whether its keys are used up."""

    key: str
    screen: str = ""
    options: list[Option] = field(default_factory=list)
    needs_keys: bool = False


class Keypad:
    """Shows the dialogs of `sessions`' terminals."""

    def __init__(
        self,
        sessions: Sessions,
        outbox: Outbox,
        buttons: Buttons,
        *,
        is_asked: Callable[[SessionRunner], bool] = lambda runner: False,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._sessions = sessions
        self._outbox = outbox
        self._buttons = buttons
        self._is_asked = is_asked
        self._sleep = sleep
        self.presses: dict[str, PressHandler] = {"key": self._press, "option": self._choose}
        self._shown: dict[str, _Shown] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def notice(self, runner: SessionRunner, reason: str) -> None:
        """Show the runner's terminal, unless that is done or under way."""
        if self._is_asked(runner):
            return
        running = self._tasks.get(runner.name)
        if running is None or running.done():
            self._tasks[runner.name] = asyncio.create_task(
                self._accompany(runner, reason), name=f"dialog {runner.name}"
            )

    async def takes_text(self, message: TextSent) -> bool:
        """Type a reply to a dialog's message into it, without Enter; whether it was such a reply.

        Raises BridgeError: it is one, but can't be typed.
        """
        terminal = self._find_replied(message)
        if terminal is None:
            return False
        runner = next((r for r in self._sessions.runners if r.name == terminal), None)
        shown = self._shown[terminal]
        session_id = runner.session_id if runner is not None else ""
        found = await self._find({"session": session_id, "terminal": terminal, "post": shown.key})
        if isinstance(found, str):
            raise BridgeError(f"{found} Nothing was typed.")
        if not message.text.isascii() or not message.text.isprintable():
            raise BridgeError("Only plain letters, digits and signs in one line can be typed here.")
        if len(message.text) > _LONGEST_TEXT:
            raise BridgeError(f"At most {_LONGEST_TEXT} characters can be typed here.")
        before = await self._sessions.terminal.capture(terminal)
        await self._sessions.terminal.press(terminal, *message.text)
        shown.needs_keys = True
        if not await is_seen(self._sessions.terminal, terminal, before):
            # Claude Code loses keys when it is busy.
            raise BridgeError("The screen shows nothing of that. Look, and reply again if need be.")
        return True

    def _find_replied(self, message: TextSent) -> str | None:
        """The terminal whose dialog the message replies to, if it is this person's to answer."""
        for terminal, shown in self._shown.items():
            runner = next((r for r in self._sessions.runners if r.name == terminal), None)
            if runner is None or message.reply_to not in self._outbox.messages_of(shown.key):
                continue
            session = self._sessions.book.for_id(runner.session_id)
            is_theirs = session.state.get("person") in (None, message.person.user_id)
            if is_theirs and chat_of(session) == message.chat:
                return terminal
        return None

    async def _press(self, press: Press) -> str:
        """Press the button's key."""
        found = await self._find(press.action)
        if isinstance(found, str):
            return found
        runner, shown = found
        await self._sessions.terminal.press(runner.name, press.action["key"])
        shown.needs_keys = True
        return ""

    async def _choose(self, press: Press) -> str:
        """Choose the button's option."""
        found = await self._find(press.action)
        if isinstance(found, str):
            return found
        runner, shown = found
        shown.needs_keys = True
        number, label = press.action["number"], press.action["label"]
        return await choose_option(self._sessions.terminal, runner.name, number, label)

    async def _find(self, action: Action) -> tuple[SessionRunner, _Shown] | str:
        """The terminal whose dialog is as the person saw it; else what to say instead."""
        runner = self._sessions.find_runner(action["session"])
        shown = self._shown.get(action["terminal"])
        if runner is not None and shown is None and _is_blocked(runner):
            self.notice(runner, "")  # the bridge has just been started again
            return "One moment; then press again."
        if runner is None or shown is None or shown.key != action["post"]:
            return "That dialog is gone."
        screen = render_screen(await self._sessions.terminal.capture(runner.name))
        # Last, as a busy Claude Code may show a dialog that somebody has just closed.
        runner.hear_registry(self._sessions.registry.find(runner.session_id))
        if not _is_blocked(runner):
            return "That dialog is gone."
        if _steady(screen) != _steady(shown.screen):
            shown.needs_keys = True
            return "The screen has changed; look again."
        return runner, shown

    async def stop(self) -> None:
        """Leave the posts as they are."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _accompany(self, runner: SessionRunner, reason: str) -> None:
        """From the dialog's first screen to its end."""
        try:
            screen, options = await self._still_screen(runner)
            if not self._needs_keys(runner):
                return
            shown = self._open(runner, screen, options, reason)
            while self._needs_keys(runner) and runner.is_awake:
                await self._sleep(_STILL_SECONDS)
                await self._refresh(runner, shown)
            self._close(runner, shown)
        except BridgeError as error:
            log.warning("a dialog could not be shown: %s", error)

    def _needs_keys(self, runner: SessionRunner) -> bool:
        return _is_blocked(runner) and not self._is_asked(runner)

    def _open(
        self, runner: SessionRunner, screen: str, options: list[Option], reason: str
    ) -> _Shown:
        since = runner.process.since_ms if runner.process is not None else runner.pane_pid
        shown = _Shown(f"dialog:{runner.session_id}:{since}", screen=screen, options=options)
        shown.needs_keys = self._outbox.find_message(shown.key) is not None
        self._shown[runner.name] = shown
        session = self._sessions.book.for_id(runner.session_id)
        dialog = find_dialog(screen)
        words = " ".join(filter(None, [reason, dialog.advice if dialog is not None else ""]))
        if words:
            self._sessions.tell(session, f"{shown.key}:reason", words)
        keyboard = self._keyboard(runner, shown)
        self._outbox.put(Post(shown.key, chat_of(session), screen, "screen", keyboard))
        return shown

    async def _refresh(self, runner: SessionRunner, shown: _Shown) -> None:
        """Show the screen as it is now, if it is another."""
        screen, options = await self._still_screen(runner)
        is_changed = shown.needs_keys or _steady(screen) != _steady(shown.screen)
        if is_changed and self._needs_keys(runner):
            shown.screen, shown.options, shown.needs_keys = screen, options, False
            self._edit(runner, shown, screen, self._keyboard(runner, shown))

    def _close(self, runner: SessionRunner, shown: _Shown) -> None:
        self._shown.pop(runner.name, None)
        end = "(asked with buttons now)" if self._is_asked(runner) else "(answered)"
        self._edit(runner, shown, f"{shown.screen}\n\n{end}", ())

    def _edit(
        self,
        runner: SessionRunner,
        shown: _Shown,
        text: str,
        keyboard: Keyboard,
    ) -> None:
        chat = chat_of(self._sessions.book.for_id(runner.session_id))
        key = f"{shown.key}:{uuid.uuid4()}"
        self._outbox.put(Post(key, chat, text, "screen", keyboard, edits=shown.key))

    def _keyboard(self, runner: SessionRunner, shown: _Shown) -> Keyboard:
        base = {"session": runner.session_id, "terminal": runner.name, "post": shown.key}
        rows: list[list[tuple[str, Action]]] = [
            [(render_option(option), {**base, "do": "option", **_name(option)})]
            for option in shown.options[:_MOST_OPTIONS]
        ]
        rows += [[(label, {**base, "do": "key", "key": key}) for label, key in r] for r in _ROWS]
        session = self._sessions.book.for_id(runner.session_id)
        return self._buttons.issue(chat_of(session), rows, person=session.state.get("person"))

    async def _still_screen(self, runner: SessionRunner) -> tuple[str, list[Option]]:
        """The screen once it has stopped changing, or as it is after some seconds; its options."""
        before, captured = "", ""
        for _ in range(_LOOKS):
            captured = await self._sessions.terminal.capture(runner.name)
            screen = render_screen(captured)
            if screen and screen == before:
                break
            before = screen
            await self._sleep(_STILL_SECONDS)
        return before, find_options(captured) or []


def _is_blocked(runner: SessionRunner) -> bool:
    """Whether a dialog keeps the process, it has come to no session yet, or shows no input box."""
    return runner.process is None or runner.process.status == "waiting" or runner.is_blind


def render_option(option: Option) -> str:
    """An option on a button: `1. Yes`."""
    number = f"{option.number}. " if option.number is not None else ""
    return shorten(f"{number}{option.label}", _LABEL_LENGTH)


def _name(option: Option) -> Action:
    return {"number": option.number, "label": option.label}


def _steady(screen: str) -> str:
    """The screen without what blinks or counts."""
    return "".join(character for character in screen if character.isalpha() or character in "❯☐✔")
