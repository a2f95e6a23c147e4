"""Turns that were cut off: told in the chat once, with a button to go on, or gone on with.

* Silent unless work was cut off. Whether it was, the end of the transcript says (core/cut_turn.py);
  it is asked when a process that should be there is gone: at the start, and while the bridge runs.
* What is found is noted in the session before its terminal is forgotten, and told when the chat has
  what was said until then; a crash in between forgets nothing and repeats nothing.
* Nothing is run twice: Claude is told to go on, once for each cut, by a press or, where that is
  set, at the start of the bridge. What ends again soon after that waits for a person, or a task
  that brings the machine down would do so for ever.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from buttons import Buttons, Press, PressHandler
from core.choices import DEFAULT, read_choices, show_agent
from core.cut_turn import CutTurn, find_cut, has_gone_on, is_by_shutdown, render_cut
from core.delivery import Prompt, UnderWay
from core.errors import BridgeError, StoreError
from core.events import PromptRecorded, TranscriptEvent
from core.freshness import Moment
from core.keystrokes import prepare_prompt
from core.model import Keyboard, Post
from inbox import Arrival, Entry, Inbox
from machine_clock import read_moment
from outbox import Outbox
from session import Session
from session_book import chat_of
from session_runner import SessionRunner
from sessions import Sessions
from transcript_file import read_events, read_last_events

log = logging.getLogger(__name__)

GO_ON = (
    "Continue where you were cut off: Claude Code ended in the middle of your work. "
    "See first what is done already, and repeat nothing that is."
)
_CUT_OFF = "cut off"
_AGAIN_SECONDS = 600.0
_BEFORE_OTHERS = -1


class Restoration:
    """The cut turns of `sessions`; `goes_on`: what a restart cut off is gone on with by itself."""

    def __init__(
        self,
        sessions: Sessions,
        inbox: Inbox,
        outbox: Outbox,
        buttons: Buttons,
        *,
        goes_on: bool,
        clock: Callable[[], Moment] = read_moment,
    ) -> None:
        self._sessions = sessions
        self._book = sessions.book
        self._inbox = inbox
        self._outbox = outbox
        self._buttons = buttons
        self._goes_on = goes_on
        self._clock = clock
        self._untold: list[str] = []
        self._settled: dict[str, str] = {}
        self.prompting_presses: dict[str, PressHandler] = {"go on": self._press}

    # --- at the start -----------------------------------------------------------------------------

    def look(self, lost: Sequence[Session]) -> None:
        """Note what was cut off in the sessions whose process is gone; before anything is woken."""
        for session in lost:
            with _left_for_the_next_start():
                self._look_into(session)
        for session in self._book.store.list_sessions():
            if session.state.get("followed_by"):  # what it was given, its process knows no more
                with _left_for_the_next_start():
                    self._settle_entries(session, None)
            with _left_for_the_next_start():
                noted = _read_noted(session)
                if self._goes_on and self._is_to_go_on(session, noted):
                    noted = self._go_on(session, noted)
                elif self._goes_on and _may_go_on(noted):  # from now on it waits for a person
                    noted = {**noted, "waits": True}
                    self._book.edit_state(session.session_id, cut_off=noted)
                if noted and not noted.get("told"):
                    self._untold.append(session.session_id)

    def is_settled(self, key: str) -> bool:
        """Whether Claude had that prompt, so that nobody has to deliver it."""
        return key in self._settled

    def tell(self) -> None:
        """Tell the chats, once each has been given what was said before.

        Only then are the prompts done with: what is read before has to be known as theirs.
        """
        with _left_for_the_next_start():
            while self._settled:
                self._inbox.finish(*self._settled.popitem())
        for session_id in self._untold:
            with _left_for_the_next_start():
                self._tell(self._book.for_id(session_id))
        self._untold.clear()

    def _look_into(self, session: Session) -> None:
        is_elsewhere = self._sessions.registry.find(session.session_id) is not None
        is_meant = session.state.get("asleep") not in (None, _CUT_OFF)  # a person ended it
        cut = None if is_elsewhere else self._find(session)
        if cut is not None and not is_meant:
            self._note(session, cut, restarted=True)
        if not is_elsewhere:
            self._settle_entries(session, cut)
        self._book.let_terminal_go(session.session_id, session.tmux_session)

    def _settle_entries(self, session: Session, cut: CutTurn | None) -> None:
        """Find the prompts that Claude had; the others are delivered by the runner."""
        path = self._sessions.launcher.transcript_of(session)
        for entry in self._inbox.pending():
            if entry.session_id != session.session_id or not _is_typed(entry):
                continue
            under_way = UnderWay(Prompt(entry.key, entry.text), entry.typed_at)
            if under_way.prompt.is_command:
                continue
            for event in read_events(path, entry.typed_from):
                if under_way.claims(event) and isinstance(event, PromptRecorded):
                    self._sessions.posts.expect_ours(event.uuid)
            if under_way.is_recorded:
                is_over = under_way.has_ended or cut is None
                self._settled[entry.key] = under_way.outcome if is_over else "interrupted"

    def _go_on(self, session: Session, noted: dict[str, Any]) -> dict[str, Any]:
        """Give the session the prompt that goes on, before all others; what is noted then."""
        session_id, key = session.session_id, f"go on:{session.session_id}:{noted['mark']}"
        self._inbox.receive([Arrival(key, chat_of(session).channel, {"update_id": 0})])
        entry = self._inbox.find(key)
        if entry is not None and entry.step == "received":
            text = prepare_prompt(GO_ON)
            facts = {"agent": noted.get("for", ""), "place": _BEFORE_OTHERS}
            facts["person"] = session.state.get("person", 0)  # whom it is from as long as they may
            self._inbox.advance(
                key, "assigned", merges=(), session_id=session_id, text=text, **facts
            )
        changed = {**noted, "gone_on": True, "told": False}
        self._book.edit_state(session_id, cut_off=changed, went_on_at=self._clock().wall)
        return changed

    def _is_to_go_on(self, session: Session, noted: dict[str, Any]) -> bool:
        """Whether a restart has cut it off that nobody has gone on with, or only long ago."""
        now = self._clock()
        is_new = noted.get("restarted") and not noted.get("told")
        if not _may_go_on(noted) or session.state.get("closed_at"):
            return False
        if not self._outbox.may_show(chat_of(session)):  # whose chat it is may nothing any more
            return False
        if not (is_new or is_by_shutdown(noted["at"], now)):
            return False
        last = session.state.get("went_on_at")
        if isinstance(last, int | float) and abs(now.wall - last) < _AGAIN_SECONDS:
            return False
        return not has_gone_on(self._events(session), noted["mark"])

    # --- at any time ------------------------------------------------------------------------------

    def hear_interrupted(self, runner: SessionRunner, prompt: Prompt) -> None:
        """Claude ended while it worked at this prompt, which it has."""
        session = self._book.for_id(runner.session_id)
        cut = self._find(session)
        self._note(session, CutTurn(cut.mark if cut else prompt.key, prompt.text))
        self._tell(self._book.for_id(session.session_id))

    def hear_lost(self, runner: SessionRunner) -> None:
        """A process is gone that no prompt of ours was under way with."""
        session = self._book.for_id(runner.session_id)
        cut = self._find(session)
        if cut is not None and session.state.get("asleep") is None:
            self._note(session, cut)
            self._tell(self._book.for_id(session.session_id))

    def _find(self, session: Session) -> CutTurn | None:
        return find_cut(self._events(session))

    def _events(self, session: Session) -> list[TranscriptEvent]:
        """What it did last; of a fork, nothing that was copied into it."""
        path = self._sessions.launcher.transcript_of(session)
        return read_last_events(path, session.state.get("forked_at", ""))

    def _note(self, session: Session, cut: CutTurn, *, restarted: bool = False) -> None:
        """Write it down, unless that was done before."""
        if _read_noted(session).get("mark") == cut.mark:
            return
        noted: dict[str, Any] = {"mark": cut.mark, "prompt": cut.prompt, "at": self._clock().wall}
        noted |= {"restarted": True} if restarted else {}
        noted |= {"agent": read_choices(session.state).agent}
        detour = session.state.get("detour")
        if isinstance(detour, dict) and self._inbox.find(str(detour.get("key"))) is not None:
            noted |= {"for": detour["agent"]}  # and that one goes on with it
        self._book.edit_state(session.session_id, cut_off=noted, asleep=_CUT_OFF)

    def _tell(self, session: Session) -> None:
        noted = _read_noted(session)
        if not noted or noted.get("told"):
            return
        prompt, title = str(noted.get("prompt") or ""), str(session.state.get("title") or "")
        agent, goes_on = show_agent(str(noted.get("agent") or "")), bool(noted.get("gone_on"))
        text = render_cut(prompt, title, "" if agent == DEFAULT else agent, goes_on=goes_on)
        chat, key = chat_of(session), f"cut:{session.session_id}:{noted['mark']}"
        if goes_on:
            edits = key if self._outbox.knows(key) else None  # told before the machine went down
            self._outbox.put(Post(f"{key}:on", chat, text, edits=edits))
        else:
            keyboard = self._issue(session, noted["mark"])
            self._outbox.put(Post(key, chat, text, keyboard=keyboard))
        self._book.edit_state(session.session_id, cut_off={**noted, "told": True})

    def _issue(self, session: Session, mark: str) -> Keyboard:
        action = {"do": "go on", "session": session.session_id, "mark": mark}
        person = session.state.get("person")
        return self._buttons.issue(chat_of(session), [[("Continue", action)]], person=person)

    async def _press(self, press: Press) -> str:
        """Tell Claude to go on, if nothing else was said since; the press is the prompt's entry."""
        session = self._book.for_id(press.action["session"])
        mark, noted = press.action["mark"], _read_noted(session)
        if noted.get("mark") != mark or has_gone_on(self._events(session), mark):
            raise BridgeError("This conversation has gone on since then; just write.")
        if noted.get("for"):
            self._inbox.advance(press.key, "received", agent=noted["for"])
        prompt = Prompt(press.key, prepare_prompt(GO_ON))
        self._sessions.submit(session, prompt, press.event.person.user_id)
        return "Going on."


@contextmanager
def _left_for_the_next_start() -> Iterator[None]:
    """A session that can't be read or written now keeps what is noted in it, and holds up no other.

    Nothing is lost by that: the next start finds it as this one did.
    """
    try:
        yield
    except (StoreError, OSError) as error:
        log.error("what was cut off in a session can't be restored now: %s", error)


def _read_noted(session: Session) -> dict[str, Any]:
    """What the session's state says of its cut turn; empty for none."""
    noted = session.state.get("cut_off")
    if not isinstance(noted, dict) or not isinstance(noted.get("mark"), str):
        return {}
    return noted if isinstance(noted.get("at"), int | float) else {}


def _may_go_on(noted: dict[str, Any]) -> bool:
    return bool(noted) and not noted.get("gone_on") and not noted.get("waits")


def _is_typed(entry: Entry) -> bool:
    return entry.step in ("typed", "recorded")
