"""The whole of a long change to a file, for who presses the button below what was shown of it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from buttons import Buttons, Press, PressHandler
from core.events import ToolEnded, TranscriptEvent
from core.file_change import is_cut, name_file, read_change, render_file
from core.model import Attachment, Post
from core.transcript import parse_line
from outbox import Outbox
from session import Session
from session_book import SessionBook, chat_of, render_for

_LABEL = "Show the whole"


class FileChanges:
    """The changes in the transcripts of `book`'s sessions."""

    def __init__(self, book: SessionBook, outbox: Outbox, buttons: Buttons) -> None:
        self._book = book
        self._outbox = outbox
        self._buttons = buttons
        self.presses: dict[str, PressHandler] = {"whole change": self._show_whole}

    def equip(self, session: Session, event: TranscriptEvent, post: Post) -> Post:
        """The post of a long change with its button; every other post as it is."""
        change = read_change(event.result) if isinstance(event, ToolEnded) else None
        if change is None or not isinstance(event, ToolEnded) or not is_cut(change):
            return post
        action = {
            "do": "whole change",
            "session": session.session_id,
            "uuid": event.uuid,
            "tool": event.tool_id,
        }
        person = session.state.get("person")
        keyboard = self._buttons.issue(chat_of(session), [[(_LABEL, action)]], person=person)
        return replace(post, keyboard=keyboard)

    async def _show_whole(self, press: Press) -> str:
        """Send the change as a file; the button has done its work."""
        action = press.action
        session = self._book.for_id(action["session"])
        path = Path(session.state.get("transcript", ""))
        event = await asyncio.to_thread(_find_event, path, action["uuid"], action["tool"])
        change = read_change(event.result) if event is not None else None
        if event is None or change is None:
            return "That is no longer in Claude's transcript."
        text = render_file(change, session.state.get("project_dir", ""))
        file = Attachment(name_file(change), text=text)
        key = f"whole:{action['uuid']}:{action['tool']}"
        self._outbox.put(
            Post(key, chat_of(session), "", "notice", silent=True, attachments=(file,))
        )
        shown = render_for(session, event, is_ours=True)
        if shown is not None:
            self._outbox.put(replace(shown, key=f"{key}:shown", edits=shown.key))
        return ""


def _find_event(path: Path, uuid: str, tool_id: str) -> ToolEnded | None:
    try:
        with path.open("rb") as file:
            for line in file:
                if uuid.encode() in line:
                    for event in parse_line(line):
                        if isinstance(event, ToolEnded) and event.tool_id == tool_id:
                            return event
    except OSError:
        return None
    return None
