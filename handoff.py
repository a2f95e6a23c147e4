"""/handoff: moves a session to another chat, topic or person, or sends a copy of it there.

* Both sides are checked when the targets are offered, and again when one is pressed.
* A session is moved while nothing goes on in it: what is asked, under way, or waiting would be in
  one chat and be answered in another. Until then the move is refused, with the reason.
* One atomic edit of the session is the truth: with it the session is the other chat's. What follows
  (the session is current there, both chats are told, the old chat's buttons are void) is noted in
  it, done again after a crash, and each part of it happens once.
* A process that never asks does not go along to a chat where that mode is not allowed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import msgspec

from at_rest import check_at_rest
from buttons import Action, Buttons, ButtonSet, Press, PressHandler
from chat_commands import CommandHandler
from claude_launcher import project_directory
from core.choices import BYPASS
from core.commands import CommandName
from core.conversation import read_title
from core.errors import BridgeError, StoreError, StoreWriteError
from core.events import PromptRecorded
from core.handoff import Target, find_targets, name_place, tell_here, tell_there
from core.model import AT_THE_PAGE, Chat, Post
from inbox import Inbox
from outbox import Outbox, new_key
from people import People
from places import Places
from pulse import Background
from session import Session, utc_now
from session_book import chat_of
from session_finder import SessionFinder
from sessions import Sessions
from transcript_file import read_events

log = logging.getLogger(__name__)

_NO_SESSION = "This chat has no session to hand over."
_NOWHERE = (
    "There is no other place that I know and you may use. I know a chat once somebody who may has "
    "written to me there; /invite member lets people in."
)
_NOT_ALLOWED = "That place is not allowed any more."
_AWAY = "That session is not this chat's any more."
_MOST_TARGETS = 20
_LONGEST_TRAIL = 50
_DISK_SECONDS = 5.0


class Handoff:
    """Hands sessions of `sessions` over to the `places` where `people` may use them.

    `groups`: the allowed ones' ids. What is handed over to the page is a conversation of its own
    there, made by `make_topic`; `link_to` makes the link that opens a chat.
    """

    def __init__(
        self,
        sessions: Sessions,
        inbox: Inbox,
        outbox: Outbox,
        buttons: Buttons,
        people: People,
        places: Places,
        finder: SessionFinder,
        background: Background,
        *,
        groups: tuple[int, ...],
        make_topic: Callable[[Chat, str], Awaitable[Chat]],
        link_to: Callable[[Chat], str],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._sessions = sessions
        self._book = sessions.book
        self._inbox = inbox
        self._outbox = outbox
        self._buttons = buttons
        self._people = people
        self._places = places
        self._finder = finder
        self._background = background
        self._groups = groups
        self._make_topic = make_topic
        self._link_to = link_to
        self._sleep = sleep
        self.commands: dict[CommandName, CommandHandler] = {"handoff": self._command}
        self.presses: dict[str, PressHandler] = {"handoff": self._press}

    def resume(self) -> None:
        """Finish what a crash left in the middle."""
        for session in self._book.store.list_sessions():
            if "handing" in session.state:
                self._settle(session)

    def _settle(self, session: Session) -> None:
        """Finish, as soon as there is room on the disk."""
        try:
            self._finish(session)
        except StoreError as error:
            log.error("a handed over session waits to be told of: %s", error)
            self._background.run(self._settle_later(session.session_id))

    async def _settle_later(self, session_id: str) -> None:
        await self._sleep(_DISK_SECONDS)
        session = self._book.for_id(session_id)
        if "handing" in session.state:
            self._settle(session)

    # --- what a person says ---------------------------------------------------------------------

    async def _command(self, chat: Chat, argument: str, person: int) -> None:
        session = self._book.find_current(chat)
        if session is None:
            raise BridgeError(_NO_SESSION)
        targets = self._targets(person, chat)
        if not targets:
            raise BridgeError(_NOWHERE)
        key = new_key()
        base: Action = {"do": "handoff", "session": session.session_id, "post": key}
        rows = [
            [(target.label, {**base, "to": msgspec.to_builtins(target.chat), "how": ""})]
            for target in targets[-_MOST_TARGETS:]
        ]
        keyboard = self._buttons.issue(chat, rows, person=person)
        text = f"Hand over “{read_title(session.state)}”. Where to?"
        self._outbox.put(Post(key, chat, text, keyboard=keyboard, silent=True))

    async def _press(self, press: Press) -> str:
        """A target was chosen, and then whether the session moves there or a copy of it goes."""
        try:
            await self._do(press)
        except StoreWriteError:
            raise
        except BridgeError as error:  # in place of the buttons, which are used up
            self._outbox.say(press.event.chat, str(error), edits=press.action["post"])
            return str(error)[:200]
        return ""

    async def _do(self, press: Press) -> None:
        """Raises BridgeError."""
        action, chat, person = press.action, press.event.chat, press.event.person.user_id
        session = self._book.for_id(action["session"])
        target = self._find_target(action, person, chat)
        self._check_here(session, chat)
        if action["how"] == "copy":
            await self._copy(session, target, press)
        elif action["how"] == "move":
            await self._move(session, target, press)
        else:
            rows = [[("Move it", {**action, "how": "move"}), ("Copy", {**action, "how": "copy"})]]
            keyboard = self._buttons.issue(chat, rows, person=person)
            text = f"“{read_title(session.state)}” to {target.label}: move it, or send a copy?"
            self._outbox.say(chat, text, keyboard=keyboard, edits=action["post"])

    def _targets(self, person: int, here: Chat) -> list[Target]:
        known = self._places.list_all()
        role_of, groups = self._people.role_of, self._groups
        return find_targets(person, here, known, role_of=role_of, groups=groups)

    def _find_target(self, action: Action, person: int, here: Chat) -> Target:
        """The target, if it still is one. Raises BridgeError."""
        wanted = msgspec.convert(action["to"], Chat)
        found = next((t for t in self._targets(person, here) if t.chat == wanted), None)
        if found is None:
            raise BridgeError(_NOT_ALLOWED)
        return found

    # --- moving and copying ---------------------------------------------------------------------

    async def _move(self, session: Session, target: Target, press: Press) -> None:
        here = press.event.chat
        self._check_at_rest(session)
        target = await self._prepare(target, read_title(session.state))
        handing = await self._describe(session, target, press)
        await self._end_if_it_never_asks(session, target)
        session = self._book.for_id(session.session_id)
        self._check_here(session, here)
        self._check_at_rest(session)
        self._find_target(press.action, press.event.person.user_id, here)

        try:
            moved = self._book.move(
                session.session_id,
                target.chat,
                person=target.chat.chat_id if target.is_private else None,
                moves=[*session.state.get("moves", []), handing["step"]][-_LONGEST_TRAIL:],
                handing=handing,
            )
        except StoreError:  # which may be told of a write that is there all the same
            self._background.run(self._settle_later(session.session_id))
            raise
        self._settle(moved)

    async def _prepare(self, target: Target, title: str) -> Target:
        """At the page each session has a conversation of its own."""
        if target.chat != Chat("web", AT_THE_PAGE):
            return target
        return replace(target, chat=await self._make_topic(target.chat, title))

    async def _copy(self, session: Session, target: Target, press: Press) -> None:
        path = self._sessions.launcher.transcript_of(session)
        found = await asyncio.to_thread(self._finder.read, path) if path is not None else None
        if found is None:
            raise BridgeError("Nothing was said in it yet, so there is nothing to copy.")
        target = await self._prepare(target, read_title(session.state))
        handing = await self._describe(session, target, press)
        handing["is_copy"] = True
        here = press.event.chat
        self._check_here(self._book.for_id(session.session_id), here)
        self._find_target(press.action, press.event.person.user_id, here)
        copy = self._book.fork(
            target.chat,
            found,
            project_directory(session),
            moves=[handing["step"]],
            handing=handing,
        )
        self._settle(copy)

    async def _describe(self, session: Session, target: Target, press: Press) -> dict[str, Any]:
        """What there is to be told and to be tidied, as it is kept in the session till then."""
        here, person = press.event.chat, press.event.person
        path = self._sessions.launcher.transcript_of(session)
        events = await asyncio.to_thread(read_events, path)
        turns = sum(isinstance(e, PromptRecorded) and e.command is None for e in events)
        step = {
            "from": msgspec.to_builtins(here),
            "to": msgspec.to_builtins(target.chat),
            "by": person.user_id,
            "at": utc_now(),
        }
        return {
            "key": new_key(),
            "post": press.action["post"],
            "from_label": self._name(here, target.chat),
            "to_label": self._name(target.chat, here),
            "link": self._link_to(target.chat) if target.chat.channel != here.channel else "",
            "turns": turns,
            "step": step,
        }

    def _name(self, chat: Chat, reader: Chat) -> str:
        """The place as those know it who read that chat."""
        known = self._places.find(chat)
        return name_place(known, reader.chat_id) if known is not None else "another chat"

    def _finish(self, session: Session) -> None:
        """All that follows from the edit, each part of it once. Raises StoreError."""
        handing = session.state["handing"]
        here = msgspec.convert(handing["step"]["from"], Chat)
        self._book.make_current(session.session_id)
        title, project = read_title(session.state), project_directory(session).name
        current = self._book.find_current(here)
        next_title = read_title(current.state) if current is not None else None
        self._outbox.put(
            Post(f"{handing['key']}:there", chat_of(session), tell_there(handing, title, project)),
            Post(
                f"{handing['key']}:here",
                here,
                tell_here(handing, title, next_title),
                silent=True,
                edits=handing["post"],
            ),
        )
        if not handing.get("is_copy"):
            self._buttons.revoke(lambda found: _is_of(found, here, session.session_id))
        self._book.edit_state(session.session_id, handing=None)

    # --- what stands in the way -----------------------------------------------------------------

    def _check_here(self, session: Session, here: Chat) -> None:
        if chat_of(session) != here:
            raise BridgeError(_AWAY)

    def _check_at_rest(self, session: Session) -> None:
        """Raise BridgeError while something goes on in the session."""
        check_at_rest(self._sessions, self._inbox, session, "hand it over")

    async def _end_if_it_never_asks(self, session: Session, target: Target) -> None:
        runner = self._sessions.find_runner(session.session_id)
        launcher = self._sessions.launcher
        moved = replace(session, chat_id=target.chat.chat_id)
        if runner is None or not runner.is_awake or launcher.is_trusted(moved):
            return
        if runner.is_joined:
            raise BridgeError("It is open in a terminal. Leave it there with /exit first.")
        if _never_asks(session, launcher.mode_of(session)):
            await self._sessions.kill(runner)


def _never_asks(session: Session, mode: str) -> bool:
    launched = session.state.get("launched") or {}
    return BYPASS in (mode, launched.get("permission_mode"))


def _is_of(found: ButtonSet, chat: Chat, session_id: str) -> bool:
    """Whether a set of buttons of that chat does something to the session."""
    actions = found.actions.values()
    return found.chat == chat and any(a.get("session") == session_id for a in actions)
