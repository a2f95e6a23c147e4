"""/get: a file of the project into the chat, by its path or by a browser made of buttons.

* Only what lies in the session's project, or in its outbox; a link that leads out of them is
  refused. The bridge's own folders, which hold the bot's token, are closed also where they lie in
  the project.
* What is sent is a copy, made when it is asked for: nothing can be exchanged until it leaves.
"""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote, unquote_to_bytes

from buttons import Action, Buttons, Press, PressHandler
from chat_commands import CommandHandler
from claude_launcher import project_directory
from core.commands import CommandName
from core.errors import FileRefusedError
from core.file_names import (
    extension_of,
    is_shown_as_photo,
    make_stem,
    name_on_button,
    render_size,
)
from core.foreign_text import replace_halves
from core.model import Attachment, Chat, Keyboard, Post
from folder_reader import FolderReader, Listed
from outbox import Outbox
from session import Session
from session_book import files_id
from session_files import FileFolder, SessionFiles
from sessions import Sessions

_ON_A_PAGE = 8
_SIGNS = {"folder": "📁", "file": "📄", "link": "🔗"}
_OUTSIDE = "That is outside of the project, or a link that leads out of it."


@dataclass(frozen=True, slots=True)
class _View:
    """What a browser shows: which page of which folder, as which post."""

    root: Path
    place: Path
    page: int
    post: str


class FileBrowser:
    """Shows the project folders of `sessions`, but nothing below `closed`.

    A chat without a session gets one in `directory`.
    """

    def __init__(
        self,
        sessions: Sessions,
        outbox: Outbox,
        buttons: Buttons,
        files: SessionFiles,
        directory: Path,
        *,
        closed: Sequence[Path],
    ) -> None:
        self._sessions = sessions
        self._outbox = outbox
        self._buttons = buttons
        self._files = files
        self._directory = directory
        self._closed = tuple(closed)
        self.commands: dict[CommandName, CommandHandler] = {"get": self.get}
        self.presses: dict[str, PressHandler] = {
            "browse": self._press,
            "as file": self._send_as_file,
        }

    async def get(self, chat: Chat, argument: str, person: int) -> None:
        """Send the file that the argument names, or open the browser there.

        Raises FileRefusedError, StoreWriteError.
        """
        session = self._session(chat)
        folder = await asyncio.to_thread(self._folder_of, session)
        wanted = Path(argument)
        readers = [FolderReader(project_directory(session), self._closed)]
        if wanted.is_absolute():
            readers += [FolderReader(folder.outgoing), FolderReader(folder.sent)]
        for reader in readers:
            place = await asyncio.to_thread(reader.locate, wanted)
            if place is not None:
                view = _View(reader.root, place, 0, f"get:{uuid.uuid4()}")
                await self._open(chat, person, view, is_new=True)
                return
        raise FileRefusedError(_OUTSIDE)

    async def _press(self, press: Press) -> str:
        """A name or an arrow was pressed; the browser stays, with new buttons."""
        action, chat, person = press.action, press.event.chat, press.event.person.user_id
        view = _View(
            _parse(action["root"]), _parse(action["place"]), action["page"], action["post"]
        )
        reader = self._reader_of(self._session(chat), view.root)
        try:
            place = await asyncio.to_thread(reader.locate, view.place)
            if place is None:
                raise FileRefusedError(_OUTSIDE)
            is_sent = await self._open(chat, person, replace(view, place=place), is_new=False)
        except FileRefusedError as error:
            await self._go_back(chat, person, reader, action, view)
            return str(error)[:200]
        if is_sent:
            await self._go_back(chat, person, reader, action, view)
            return "Sent."
        return ""

    async def _go_back(
        self, chat: Chat, person: int, reader: FolderReader, action: Action, view: _View
    ) -> None:
        """Show the folder again that the button was in: its buttons are used up."""
        back = replace(view, place=_parse(action["from"]), page=action["from page"])
        try:
            await self._show(chat, person, reader, back, is_new=False)
        except FileRefusedError as error:  # it is gone
            key = f"{view.post}:{uuid.uuid4()}"
            self._outbox.put(Post(key, chat, str(error), edits=view.post))

    async def _open(self, chat: Chat, person: int, view: _View, *, is_new: bool) -> bool:
        """Show a folder, or send a file; whether it was a file. Raises FileRefusedError."""
        session = self._session(chat)
        reader = self._reader_of(session, view.root)
        if await asyncio.to_thread(reader.is_folder, view.place):
            await self._show(chat, person, reader, view, is_new=is_new)
            return False
        folder = await asyncio.to_thread(self._folder_of, session)
        name = view.place.name
        extension = extension_of(name)
        stem = make_stem(name.removesuffix(f".{extension}")) or "file"
        target = folder.sent / f"get-{uuid.uuid4().hex[:12]}-{stem}"
        target = target.with_name(f"{target.name}.{extension}") if extension else target
        head = await asyncio.to_thread(reader.copy, view.place, target)
        shown = replace_halves(name)
        is_photo = is_shown_as_photo(name, head)
        keyboard: Keyboard = ()
        if is_photo:
            action = {"do": "as file", "path": str(target), "name": shown}
            keyboard = self._buttons.issue(chat, [[("As a file", action)]], person=person)
        file = Attachment(shown, str(target), "photo" if is_photo else "document")
        post = Post(f"got:{target.name}", chat, "", keyboard=keyboard, attachments=(file,))
        self._outbox.put(post)
        return True

    async def _send_as_file(self, press: Press) -> str:
        """A photo is wanted as it is, not as Telegram makes it smaller."""
        file = Attachment(press.action["name"], press.action["path"])
        self._outbox.put(Post(f"as file:{press.key}", press.event.chat, "", attachments=(file,)))
        return ""

    async def _show(
        self, chat: Chat, person: int, reader: FolderReader, view: _View, *, is_new: bool
    ) -> None:
        listed = await asyncio.to_thread(reader.list, view.place)
        pages = max(1, -(-len(listed) // _ON_A_PAGE))
        view = replace(view, page=min(max(view.page, 0), pages - 1))
        rows = [[self._button(view, entry)] for entry in _page_of(listed, view.page)]
        arrows = list(self._arrows(view, pages))
        keyboard = self._buttons.issue(chat, [*rows, arrows] if arrows else rows, person=person)
        text = _render(view, listed, pages)
        if is_new:
            self._outbox.put(Post(view.post, chat, text, keyboard=keyboard, silent=True))
        else:
            key = f"{view.post}:{uuid.uuid4()}"
            self._outbox.put(Post(key, chat, text, keyboard=keyboard, edits=view.post))

    def _button(self, view: _View, entry: Listed) -> tuple[str, Action]:
        size = f" · {render_size(entry.size)}" if entry.kind == "file" else ""
        label = f"{_SIGNS[entry.kind]} {name_on_button(entry.name)}{size}"
        return label, _action(view, view.place / entry.name, 0)

    def _arrows(self, view: _View, pages: int) -> Iterator[tuple[str, Action]]:
        if view.place.parts:
            yield "⬆", _action(view, view.place.parent, 0)
        if view.page > 0:
            yield "◀", _action(view, view.place, view.page - 1)
        if view.page < pages - 1:
            yield "▶", _action(view, view.place, view.page + 1)

    # --- where --------------------------------------------------------------------------------

    def _session(self, chat: Chat) -> Session:
        book = self._sessions.book
        return book.find_current(chat) or book.create(chat, self._directory)

    def _folder_of(self, session: Session) -> FileFolder:
        try:
            return self._files.folder(files_id(session))
        except OSError as error:
            raise FileRefusedError(f"There is no place for files: {error.strerror}.") from error

    def _reader_of(self, session: Session, root: Path) -> FolderReader:
        """Who reads below this root, which was the chat's when the button was made."""
        is_outbox = root.name in ("out", "sent") and root.parent.name == files_id(session)
        return FolderReader(root, () if is_outbox else self._closed)


def _action(view: _View, place: Path, page: int) -> Action:
    return {
        "do": "browse",
        "root": _quote(view.root),
        "place": _quote(place),
        "page": page,
        "from": _quote(view.place),
        "from page": view.page,
        "post": view.post,
    }


def _quote(path: Path) -> str:
    """A name need not be text, and what is kept of a button must be."""
    return quote(os.fsencode(path))


def _parse(quoted: str) -> Path:
    return Path(os.fsdecode(unquote_to_bytes(quoted)))


def _page_of(listed: Sequence[Listed], page: int) -> Sequence[Listed]:
    return listed[page * _ON_A_PAGE : (page + 1) * _ON_A_PAGE]


def _render(view: _View, listed: Sequence[Listed], pages: int) -> str:
    path = "/".join(name_on_button(part) for part in (view.root.name, *view.place.parts))
    folders = sum(entry.kind == "folder" for entry in listed)
    counts = []
    if folders:
        counts.append("1 folder" if folders == 1 else f"{folders} folders")
    if others := len(listed) - folders:
        counts.append("1 file" if others == 1 else f"{others} files")
    below = ", ".join(counts) or "Nothing is in here."
    page = f" · page {view.page + 1} of {pages}" if pages > 1 else ""
    return f"📁 {path}\n{below}{page}"
