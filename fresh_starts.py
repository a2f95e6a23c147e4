"""New conversations that begin by themselves, as core/freshness.py has it, and the way back.

* A message that begins one goes there, whatever crashes in between: the new session knows by which
  message it was begun, and the message is in the inbox until it is that session's prompt.
* What was chosen for the old conversation (folder, model, mode, …) holds for the new one.
* Slash commands are about the conversation that is there, so they begin none.
* A press on the button goes back to the old one. The message stays where it is: it is never sent
  to a second conversation.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from buttons import Buttons, Press, PressHandler
from claude_launcher import project_directory
from core.choices import FIELDS
from core.conversation import read_title
from core.delivery import Prompt
from core.errors import StoreError
from core.freshness import (
    Activity,
    FreshnessPolicy,
    Moment,
    Reason,
    find_reason,
    follow,
    note_activity,
    read_activity,
    render_reason,
    silence_before,
)
from core.model import Chat, Post
from inbox import Entry, Inbox
from machine_clock import read_moment
from outbox import Outbox
from session import Session
from sessions import Sessions

log = logging.getLogger(__name__)

_CARRIED = ("person", "worktree", *FIELDS.values())


class FreshStarts:
    """The chats' conversations in `sessions`, by `policy`."""

    def __init__(
        self,
        policy: FreshnessPolicy,
        sessions: Sessions,
        inbox: Inbox,
        outbox: Outbox,
        buttons: Buttons,
        *,
        clock: Callable[[], Moment] = read_moment,
    ) -> None:
        self._policy = policy
        self._sessions = sessions
        self._book = sessions.book
        self._inbox = inbox
        self._outbox = outbox
        self._buttons = buttons
        self._clock = clock
        self.presses: dict[str, PressHandler] = {"go back": self._press_back}

    def begin_if_due(self, entry: Entry, chat: Chat, text: str, sent_at: float) -> None:
        """Give the chat a new conversation, if this message is to begin one.

        `sent_at`: in seconds since the epoch, 0 when that is not known. Raises StoreError.
        """
        if self._policy.mode == "none" or entry.session_id or Prompt(entry.key, text).is_command:
            return
        current = self._book.find_current(chat)
        if current is None:
            return
        if current.state.get("begun_by") == entry.key:  # a crash came between
            self._tell(current)
            return
        now = self._clock()
        sent = now.before(now.wall - sent_at) if sent_at else now
        activity = read_activity(current.state.get("active"))
        is_at_work = self._is_at_work(current, entry)
        is_at_work |= _is_cut_off(current, activity)
        reason = find_reason(self._policy, activity, sent, is_at_work=is_at_work)
        if reason is not None and activity is not None:
            self._begin(entry, chat, current, reason, silence_before(activity, sent))

    def note(self, chat: Chat) -> None:
        """The person has just done something in this chat."""
        if self._policy.mode == "none":
            return
        try:
            current = self._book.find_current(chat)
        except StoreError as error:
            log.error("a person's activity can't be noted: %s", error)
            return
        if current is not None:
            self.note_in(current)

    def note_in(self, session: Session) -> None:
        """The person has just done something in this session."""
        if self._policy.mode == "none":
            return
        before = read_activity(session.state.get("active"))
        active = note_activity(follow(self._policy, before, self._clock()))
        try:
            self._book.edit_state(session.session_id, active=active)
        except StoreError as error:  # what they did is done, and must not be done again
            log.error("a person's activity can't be noted: %s", error)

    def _is_at_work(self, session: Session, entry: Entry) -> bool:
        """Whether something is under way, or waits, in the session."""
        state, session_id = session.state, session.session_id
        pending = (other for other in self._inbox.pending() if other.key != entry.key)
        if "awake_until" in state or any(other.session_id == session_id for other in pending):
            return True
        runner = self._sessions.find_runner(session_id)
        if runner is None:
            return "continue_at" in state
        is_in_background = runner.process is not None and runner.process.status == "shell"
        is_busy = runner.is_working or runner.has_work or is_in_background
        return is_busy or self._sessions.is_asked(runner) or "continue_at" in state

    def _begin(
        self, entry: Entry, chat: Chat, old: Session, reason: Reason, silence: float
    ) -> None:
        facts = {name: old.state[name] for name in _CARRIED if name in old.state}
        begun = {"begun_by": entry.key, "begun_after": old.session_id}
        told = render_reason(reason, silence)
        session = self._book.create(
            chat, project_directory(old), **facts, **begun, begun_because=told
        )
        self._tell(session)

    def _tell(self, session: Session) -> None:
        state = session.state
        key = f"fresh:{session.session_id}"
        chat = Chat(state["channel"], int(session.chat_id), state.get("topic"))
        action = {"do": "go back", "session": state["begun_after"], "post": key}
        keyboard = self._buttons.issue(
            chat, [[("Go on with the old one", action)]], person=state.get("person")
        )
        self._outbox.put(Post(key, chat, state["begun_because"], keyboard=keyboard, silent=True))

    async def _press_back(self, press: Press) -> str:
        """The old conversation is the chat's current one again."""
        chat = press.event.chat
        session = self._book.switch(chat, press.action["session"])
        text = (
            f"Going on with “{read_title(session.state)}”. What you sent since then stays in the "
            "other conversation; send it again if it belongs here."
        )
        self._outbox.say(chat, text, edits=press.action["post"])
        return ""


def _is_cut_off(session: Session, activity: Activity | None) -> bool:
    """Whether its work was cut off since: the message may be the word to go on."""
    match session.state.get("cut_off"):
        case {"at": int() | float() as at}:
            return activity is not None and at > activity.at.wall
        case _:
            return False
