"""Starts of Claude Code, as its session's file has them: noted before, and told after.

* Which terminal it will be in is on the disk before there is a process, so that none is nobody's,
  whenever the bridge ends.
* With it is noted what there will be to tell: who finds the process running, this bridge or the
  next one, tells it, once.
"""

from __future__ import annotations

from typing import Any

from claude_launcher import ClaudeLauncher, describe_start, name_to_tell
from core.agent_trail import extend_trail
from core.choices import Choices, note_launched, read_choices
from core.model import Post
from outbox import Outbox
from session import Session, utc_now
from session_book import SessionBook, chat_of


class Wakings:
    """The starts of `launcher`, in `book` and in the chats."""

    def __init__(self, book: SessionBook, launcher: ClaudeLauncher, outbox: Outbox) -> None:
        self._book = book
        self._launcher = launcher
        self._outbox = outbox

    def begin(self, session_id: str, terminal: str, start: str, choices: Choices) -> None:
        """A process is about to be started in that terminal. Raises StoreError."""
        noted = {"start": start, "launched": note_launched(choices), "at": utc_now()}
        changes: dict[str, Any] = {"starting": noted}
        if start == "copied":  # what is in it already is no news
            path = self._launcher.find_transcript(session_id)
            changes |= {"transcript": str(path), "cursor": path.stat().st_size} if path else {}
        self._book.note_terminal(session_id, terminal, **changes)

    def finish(self, session_id: str, *, is_found: bool = False) -> Session:
        """It runs; `is_found`: as a later bridge has found it. Raises StoreError."""
        session = self._book.for_id(session_id)
        noted = _read_noted(session)
        if not noted:
            return session
        choices = read_choices(noted["launched"])
        launches = session.state.get("launches", 0) + 1
        is_told_before = noted["start"] in ("replayed", "mended")
        text = (
            self._launcher.tell_of_replay(session_id)
            if is_told_before
            else describe_start(noted["start"], session.state.get("asleep"))
        )
        if text:
            key = f"woke:{session_id}:{launches}"
            self._outbox.put(Post(key, chat_of(session), text, silent=True))
        forked_at = noted["at"] if is_found else utc_now()
        return self._book.edit_state(
            session_id,
            starting=None,
            launches=launches,
            launched=note_launched(choices),
            asleep=None,
            closed_at=None,
            followed_by=None,
            trail=extend_trail(session.state, choices.agent, utc_now()),
            told_name=name_to_tell(session, self._launcher.version)
            or session.state.get("told_name"),
            **({"forked_at": forked_at} if noted["start"] == "forked" else {}),
            **({"replayed": True} if is_told_before else {}),
        )


def _read_noted(session: Session) -> dict[str, Any]:
    """What the session's state says of a start that is not told yet; empty for none."""
    noted = session.state.get("starting")
    if not isinstance(noted, dict) or not isinstance(noted.get("start"), str):
        return {}
    return noted if isinstance(noted.get("at"), str) else {}
