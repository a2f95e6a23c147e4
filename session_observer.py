"""Who is told what happens in the sessions: the protocol of all that watches them."""

from __future__ import annotations

from typing import Protocol

from core.events import HookEvent, TranscriptEvent
from session import Session
from session_runner import SessionRunner


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
