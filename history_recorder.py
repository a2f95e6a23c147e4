"""Writes down what happens in the sessions, before the bridge counts it as read.

* Told by `Sessions.on_read` before the cursor moves on, so that a crash costs no record; told
  again after it, each is still there once.
* A session that was not begun here, or before there were histories, gets what its transcript had.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from core.agent_trail import find_agent
from core.events import PromptRecorded, TranscriptEvent
from core.history import TERMINAL, Author, Record, read_event
from core.keystrokes import is_same_prompt
from core.model import Chat, Incoming, Person
from core.requests import describe_answer
from history import Histories
from inbox import Arrival, Inbox
from request_book import RequestBook, RequestRecord
from session import Session
from session_book import SessionBook, chat_of
from transcript_file import read_events

log = logging.getLogger(__name__)

_MOST_CAUGHT_UP = 8 << 20


class HistoryRecorder:
    """Notes in `histories`.

    `parse` reads an update that lies in the inbox; `is_private` says of a chat that personal data
    is to be left out.
    """

    def __init__(
        self,
        histories: Histories,
        book: SessionBook,
        inbox: Inbox,
        *,
        parse: Callable[[Arrival], Incoming | None],
        is_private: Callable[[Chat], bool],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._histories = histories
        self._book = book
        self._inbox = inbox
        self._parse = parse
        self._is_private = is_private
        self._clock = clock

    def record(self, session: Session, events: Sequence[tuple[TranscriptEvent, bool]]) -> None:
        """Note what the transcript said; with each event, whether it is a prompt of ours.

        A history is no reason to hold up a turn: what goes wrong here is only logged.
        """
        try:
            self._record(session, events)
        except Exception:
            log.exception("what happened in a session could not be noted")

    async def note_earlier(self) -> None:
        """Note what the transcripts have of sessions that nothing was noted of yet."""
        for session in await asyncio.to_thread(self._book.store.list_sessions):
            cursor = session.state.get("cursor", 0)
            if cursor and not self._histories.has(session.session_id):
                found = await asyncio.to_thread(self._read_earlier, session, cursor)
                if self._book.store.load(session.session_id) is not None:
                    self._note(session, found)

    def _record(self, session: Session, events: Sequence[tuple[TranscriptEvent, bool]]) -> None:
        cursor = session.state.get("cursor", 0)
        if cursor and not self._histories.has(session.session_id):
            self._note(session, self._read_earlier(session, cursor))
        found = [
            self._read(session, event, self._author_of(session, event, is_ours=is_ours))
            for event, is_ours in events
        ]
        self._note(session, found)

    def record_decision(self, request: RequestRecord, person: Person) -> None:
        """Note what was decided, and by whom."""
        session = self._book.store.load(request.session_id)
        if session is None or request.answer is None:
            return
        asked_at = request.request.partition("-")[0]
        at = int(asked_at) / 1e9 if asked_at.isdecimal() else self._clock()
        text = f"{describe_answer(request.answer)}: {request.summary}"
        key = f"request:{request.request}"
        self._note(session, [Record(key, at, "decision", text, person.name, person.user_id)])

    def catch_up(self, requests: RequestBook) -> None:
        """Note what was decided in the moment before a crash; by whom is not known any more."""
        for request in requests.answered:
            self.record_decision(request, Person(0))

    def _note(self, session: Session, records: Sequence[Record | None]) -> None:
        found = [record for record in records if record is not None]
        if found:
            is_private = self._is_private(chat_of(session))
            self._histories.note(session.session_id, found, is_private=is_private)

    def _read(self, session: Session, event: TranscriptEvent, author: Author) -> Record | None:
        now = self._clock()
        return read_event(
            event,
            author,
            agent=find_agent(session.state, getattr(event, "at", 0.0) or now),
            directory=str(session.state.get("project_dir") or ""),
            now=now,
        )

    def _author_of(self, session: Session, event: TranscriptEvent, *, is_ours: bool) -> Author:
        """Who wrote a prompt; a person is known by the update that brought it."""
        if not isinstance(event, PromptRecorded):
            return Author("")
        if not is_ours:
            return Author(TERMINAL)
        for entry in self._inbox.pending():
            is_its = entry.session_id == session.session_id
            if is_its and is_same_prompt(entry.text, event.command or event.text):
                sent = self._parse(entry.arrival)
                if sent is not None:
                    return Author(sent.person.name, sent.person.user_id)
        return Author("", int(session.state.get("person") or 0))

    def _read_earlier(self, session: Session, cursor: int) -> list[Record | None]:
        """What the transcript had before anything was noted; whose prompts those are is unknown."""
        transcript = session.state.get("transcript")
        if not transcript:
            return []
        try:
            events = read_events(Path(transcript), max(0, cursor - _MOST_CAUGHT_UP), cursor)
        except OSError as error:
            log.warning("the beginning of a session can't be noted: %s", error.strerror)
            return []
        return [self._read(session, event, Author("")) for event in events]
