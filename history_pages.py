"""/history, /search and /export: what was said before, on the phone.

* /history shows the session's newest page; its buttons go from page to page in the same message.
* /search looks through the chat's own sessions; the owner's private chat sees those of all chats.
  What belongs to another chat or topic can be read, and is not taken away from it.
* Files are read in a thread: however much has been said, nothing else waits for it.
"""

from __future__ import annotations

import asyncio
import itertools
import time
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path

from buttons import Action, Buttons, Press, PressHandler
from chat_commands import CommandHandler
from core.commands import CommandName
from core.conversation import read_title, render_age
from core.errors import BridgeError, FileRefusedError
from core.file_names import make_stem
from core.history import (
    Record,
    count,
    excerpt,
    page_after,
    page_before,
    render_page,
    split_words,
    sum_up,
)
from core.history_export import render_html, render_markdown
from core.model import Attachment, Chat, Keyboard, Post
from durable import replace_file
from history import Histories, render_moment
from outbox import Outbox, new_key
from session import Session
from session_book import chat_of, files_id
from session_files import SessionFiles
from sessions import Sessions

_NO_SESSION = "No session yet. Send a text to start one."
_NOTHING = "Nothing has been said in this session yet."
_GONE = "That session is not here any more."
_MOST_FOUND = 6
_EXCERPT = 160


class HistoryPages:
    """The pages of `histories`; `sees_all`: whether a person is shown all chats in a chat."""

    def __init__(
        self,
        sessions: Sessions,
        histories: Histories,
        files: SessionFiles,
        outbox: Outbox,
        buttons: Buttons,
        *,
        sees_all: Callable[[int, Chat], bool],
    ) -> None:
        self._sessions = sessions
        self._book = sessions.book
        self._histories = histories
        self._files = files
        self._outbox = outbox
        self._buttons = buttons
        self._sees_all = sees_all
        self.commands: dict[CommandName, CommandHandler] = {
            "history": self._history,
            "search": self._search,
            "export": self._export,
        }
        self.presses: dict[str, PressHandler] = {
            "history": self._turn_page,
            "continue": self._continue,
        }

    # --- pages ----------------------------------------------------------------------------------

    async def _history(self, chat: Chat, argument: str, person: int) -> None:
        session, records = await self._read_current(chat)
        key, span = new_key(), page_before(records, len(records))
        text, keyboard = self._render(session, records, span, chat, person, key)
        self._outbox.put(Post(key, chat, text, keyboard=keyboard, silent=True))

    async def _turn_page(self, press: Press) -> str:
        action, chat = press.action, press.event.chat
        session = self._find_here(chat, action)
        if session is None:
            return _GONE
        records = await asyncio.to_thread(self._histories.read, session.session_id)
        is_back = "before" in action
        span = page_before(records, action["before"]) if is_back else None
        span = span or page_after(records, action["from"])
        person, key = press.event.person.user_id, action["post"]
        text, keyboard = self._render(session, records, span, chat, person, key)
        self._outbox.say(chat, text, keyboard=keyboard, edits=key)
        return ""

    def _render(
        self,
        session: Session,
        records: Sequence[Record],
        span: tuple[int, int],
        chat: Chat,
        person: int,
        key: str,
    ) -> tuple[str, Keyboard]:
        begin, end = span
        heading = f"📖 {read_title(session.state)} · {count(sum_up(records).turns, 'turn')}"
        place = f"{begin + 1}–{end} of {len(records)}"
        text = f"{heading} · {place}\n\n{render_page(records[begin:end], render_moment)}"
        base: Action = {"do": "history", "session": session.session_id, "post": key}
        row = [("◀ Older", {**base, "before": begin})] if begin else []
        row += [("Newer ▶", {**base, "from": end})] if end < len(records) else []
        return text, self._buttons.issue(chat, [row] if row else [], person=person)

    async def _read_current(self, chat: Chat) -> tuple[Session, list[Record]]:
        """Raises BridgeError when nothing is there."""
        session = self._book.find_current(chat)
        if session is None:
            raise BridgeError(_NO_SESSION)
        records = await asyncio.to_thread(self._histories.read, session.session_id)
        if not records:
            raise BridgeError(_NOTHING)
        return session, records

    # --- searching ------------------------------------------------------------------------------

    async def _search(self, chat: Chat, argument: str, person: int) -> None:
        words = split_words(argument)
        if not words:
            raise BridgeError("Say what to look for: /search docker network")
        found = await asyncio.to_thread(self._find, chat, person, words)
        if not found:
            self._outbox.say(chat, "Nothing was found.")
            return
        lines, rows, key = list[str](), list[list[tuple[str, Action]]](), new_key()
        for number, (session, record) in enumerate(found[:_MOST_FOUND], 1):
            title, is_here = read_title(session.state), chat_of(session) == chat
            place = "" if is_here else " · in another chat or topic"
            lines.append(f"{number}. {title} · {_age(record)}{place}")
            lines.append(f"{record.who or 'You'}: {excerpt(record.text, words, _EXCERPT)}\n")
            if is_here:
                action = {"do": "continue", "session": session.session_id, "post": key}
                rows.append([(f"Continue {number}. {title}", action)])
        if len(found) > _MOST_FOUND:
            lines.append("There are more; more words find fewer.")
        keyboard = self._buttons.issue(chat, rows, person=person)
        text = "\n".join(lines).strip()
        self._outbox.put(Post(key, chat, text, keyboard=keyboard, silent=True))

    def _find(self, chat: Chat, person: int, words: Sequence[str]) -> list[tuple[Session, Record]]:
        """The sessions with all the words that the person may see in this chat, newest first."""
        sees_all = chat.topic is None and self._sees_all(person, chat)
        sessions = self._book.store.list_sessions(None if sees_all else chat.chat_id)
        by_id = {s.session_id: s for s in sessions if sees_all or _is_of(s, chat)}
        found = self._histories.search(by_id, words)
        return [(by_id[name], best) for name, best in itertools.islice(found, _MOST_FOUND + 1)]

    async def _continue(self, press: Press) -> str:
        action, chat = press.action, press.event.chat
        session = self._find_here(chat, action)
        if session is None:
            return _GONE
        session = self._book.switch(chat, session.session_id)
        text = f"Continuing “{read_title(session.state)}”."
        self._outbox.say(chat, text, edits=action["post"])
        return ""

    def _find_here(self, chat: Chat, action: Action) -> Session | None:
        """The button's session, if it is still of this chat."""
        session = self._book.store.load(action["session"])
        return session if session is not None and chat_of(session) == chat else None

    # --- files ----------------------------------------------------------------------------------

    async def _export(self, chat: Chat, argument: str, person: int) -> None:
        kind = argument.lower() or "md"
        if kind not in ("md", "html"):
            raise BridgeError("Say /export md or /export html.")
        session, records = await self._read_current(chat)
        title = self._histories.redact(read_title(session.state))
        render = render_html if kind == "html" else render_markdown
        path = await asyncio.to_thread(self._make_file, session, kind)
        text = await asyncio.to_thread(render, title, records, render_moment)
        await asyncio.to_thread(replace_file, path, text.encode(errors="replace"))
        file = Attachment(f"{make_stem(title) or 'session'}.{kind}", str(path))
        self._outbox.put(Post(new_key(), chat, "", attachments=(file,)))

    def _make_file(self, session: Session, kind: str) -> Path:
        """Where the export waits until it is sent, and is removed with the session."""
        try:
            folder = self._files.folder(files_id(session))
        except OSError as error:
            raise FileRefusedError(f"There is no place for files: {error.strerror}.") from error
        return folder.sent / f"export-{uuid.uuid4().hex}.{kind}"


def _is_of(session: Session, chat: Chat) -> bool:
    there = chat_of(session)
    return (there.channel, there.chat_id) == (chat.channel, chat.chat_id)


def _age(record: Record) -> str:
    return render_age(time.time() - record.at)
