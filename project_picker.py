"""Where a new session is to work, by buttons: recent directories, favourites, and a browser.

* One message, which every press makes anew; its buttons work once, and what they do is checked
  against how things are by then.
* The browser goes nowhere but below the project roots, and not into the bridge's own folders.
* A name is given as a reply to the message that asks for it. What it is for is in the button that
  goes back from there, so that it lives and ends with that.
* Nothing is cloned or fetched: a new directory is empty.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from buttons import Action, Buttons, Press, PressHandler
from chat_settings import ChatSettings
from core.errors import FileRefusedError, ProjectError
from core.file_names import name_on_button
from core.model import Chat, TextSent
from core.projects import (
    ON_A_PAGE,
    check_directory_name,
    check_worktree_name,
    count_pages,
    name_place,
    pick_recent,
    render_folder,
    toggle_favourite,
)
from folder_reader import FolderReader
from git_head import find_branch
from new_sessions import Beginning, NewSessions
from outbox import Outbox
from session import Session
from session_book import SessionBook

_GONE = "That directory is not there any more, or not below the project roots."
_OVERVIEW = (
    "Where shall the new session work?\nA directory starts it there, ★ are your favourites; 📁 "
    "shows what lies in one."
)
_ASKED = {
    "directory": "Reply to this message with the name of the new directory.",
    "worktree": "Reply to this message with a name. The session gets a worktree and a branch that "
    "are called so.",
}

Row = list[tuple[str, Action]]


@dataclass(frozen=True, slots=True)
class _View:
    """What a message shows: a page of the folder `place` below `root`.

    `post` is the message's key, `session` the session that the new one takes the place of if
    nothing was said to it.
    """

    post: str
    session: str
    root: str = ""
    place: str = ""
    page: int = 0

    def action(self, do: str, **more: object) -> Action:
        """What a button of this message does."""
        here = {"root": self.root, "place": self.place, "page": self.page}
        return {"do": do, "post": self.post, "session": self.session, **here, **more}


class ProjectPicker:
    """Offers directories below `roots`, but not below `closed`; `new` begins the sessions."""

    def __init__(
        self,
        roots: Sequence[Path],
        new: NewSessions,
        book: SessionBook,
        outbox: Outbox,
        buttons: Buttons,
        settings: ChatSettings,
        *,
        home: str,
        closed: Sequence[Path],
    ) -> None:
        self._roots = {str(root): root for root in roots}
        self._new = new
        self._book = book
        self._outbox = outbox
        self._buttons = buttons
        self._settings = settings
        self._home = home
        self._closed = tuple(closed)
        self.presses: dict[str, PressHandler] = {
            "list projects": self._press_overview,
            "show project": self._press_folder,
            "mark project": self._press_mark,
            "begin in": self._press_begin,
            "ask for name": self._press_ask,
        }

    # --- presses --------------------------------------------------------------------------------

    async def _press_overview(self, press: Press) -> str:
        await self._show_overview(press.event.chat, press.event.person.user_id, _view(press.action))
        return ""

    async def _press_folder(self, press: Press) -> str:
        return await self._show(press, _view(press.action))

    async def _press_mark(self, press: Press) -> str:
        """The folder becomes a favourite of the chat, or is none any more."""
        chat, view, said = press.event.chat, _view(press.action), ""
        try:
            marked = toggle_favourite(self._settings.find_favourites(chat), press.action["path"])
            self._settings.set_favourites(chat, marked)
        except ProjectError as error:
            said = str(error)
        return await self._show(press, view) or said

    async def _press_begin(self, press: Press) -> str:
        chat, person = press.event.chat, press.event.person.user_id
        try:
            await self._begin(chat, person, _view(press.action), Path(press.action["path"]))
        except ProjectError as error:
            await self._show_overview(chat, person, _view(press.action))
            return str(error)[:200]
        return ""

    async def _press_ask(self, press: Press) -> str:
        """Ask for a name, which comes as a reply to this message."""
        chat, view = press.event.chat, _view(press.action)
        asks: Literal["directory", "worktree"] = press.action["asks"]
        back = view.action("show project", asks=asks)
        person = press.event.person.user_id
        keyboard = self._buttons.issue(chat, [[("‹ Back", back)]], person=person)
        parts = (Path(view.root).name, *Path(view.place).parts)
        shown = "/".join(name_on_button(part) for part in parts)
        text = f"📁 {shown}\n{_ASKED[asks]}"
        self._outbox.say(chat, text, keyboard=keyboard, edits=view.post)
        return ""

    async def takes_text(self, message: TextSent) -> bool:
        """Whether the text is a name that was asked for. Raises BridgeError."""
        chat, person = message.chat, message.person.user_id
        action = self._find_asked(message)
        if action is None:
            return False
        view = _view(action)
        if action["asks"] == "worktree":
            name = check_worktree_name(message.text)
            await self._begin(chat, person, view, await self._locate(view), worktree=name)
        else:
            name = check_directory_name(message.text)
            await asyncio.to_thread(self._reader(view).make_folder, Path(view.place), name)
            place = str(Path(view.place, name))
            await self._show_folder(chat, person, replace(view, place=place, page=0))
        self._buttons.revoke(lambda found: action in found.actions.values())
        return True

    def _find_asked(self, message: TextSent) -> Action | None:
        if message.reply_to is None:
            return None
        actions = self._buttons.list_actions(message.chat, message.person.user_id)
        asking = (
            action for action in actions if "asks" in action and action["do"] != "ask for name"
        )
        is_below = message.reply_to
        return next((a for a in asking if is_below in self._outbox.messages_of(a["post"])), None)

    # --- what is shown --------------------------------------------------------------------------

    async def _show_overview(self, chat: Chat, person: int, view: _View) -> None:
        favourites, recent = await asyncio.to_thread(self._list_known, chat, person)
        view = replace(view, root="", place="", page=0)
        rows = [
            [(f"{sign}{name_place(path, self._home)}", view.action("begin in", path=path))]
            for sign, paths in (("★ ", favourites), ("", recent))
            for path in paths
        ]
        for root in self._roots:
            label = f"📁 {name_place(root, self._home)}"
            rows.append([(label, replace(view, root=root).action("show project"))])
        keyboard = self._buttons.issue(chat, rows, person=person)
        self._outbox.say(chat, _OVERVIEW, keyboard=keyboard, edits=view.post)

    async def _show(self, press: Press, view: _View) -> str:
        """Show a folder; where it is gone, the overview, and the reason is returned."""
        chat, person = press.event.chat, press.event.person.user_id
        try:
            await self._show_folder(chat, person, view)
        except FileRefusedError as error:
            await self._show_overview(chat, person, view)
            return str(error)[:200]
        return ""

    async def _show_folder(self, chat: Chat, person: int, view: _View) -> None:
        """Raises FileRefusedError."""
        path = await self._locate(view)
        place = path.relative_to(self._reader(view).root)
        names = await asyncio.to_thread(self._list_folders, view, place)
        page = min(max(view.page, 0), count_pages(len(names)) - 1)
        view = replace(view, place=str(place), page=page)
        branch = await asyncio.to_thread(find_branch, path) or ""
        shown = names[page * ON_A_PAGE : (page + 1) * ON_A_PAGE]
        is_marked = str(path) in self._settings.find_favourites(chat)
        rows: list[Row] = [
            [(f"📁 {name_on_button(name)}", _below(view, name).action("show project"))]
            for name in shown
        ]
        begins: Row = [("Start here", view.action("begin in", path=str(path)))]
        if branch:
            begins.append(("In a worktree…", view.action("ask for name", asks="worktree")))
        mark = "★ Unmark" if is_marked else "☆ Favourite"
        rows += [
            list(_arrows(view, count_pages(len(names)))),
            begins,
            [
                (mark, view.action("mark project", path=str(path))),
                ("New directory…", view.action("ask for name", asks="directory")),
            ],
        ]
        keyboard = self._buttons.issue(chat, rows, person=person)
        root = Path(view.root).name or view.root
        text = render_folder(root, place.parts, len(names), page, branch)
        self._outbox.say(chat, text, keyboard=keyboard, edits=view.post)

    # --- what is there --------------------------------------------------------------------------

    def _list_known(self, chat: Chat, person: int) -> tuple[list[str], list[str]]:
        """The favourites, and where the chat's sessions work; in one's own chat all of one's.

        Without those that are gone, or where that person may not start.
        """
        is_private = chat.chat_id == person
        sessions = self._book.store.list_sessions()
        used = [
            str(session.state.get("project_dir", ""))
            for session in sessions
            if "worktree" not in session.state  # which is one task's, and goes with it
            and (_is_of(session, chat) or (is_private and session.state.get("person") == person))
        ]
        favourites = self._settings.find_favourites(chat)
        usable = {path for path in {*favourites, *used} if self._find_usable(path, person)}
        recent = pick_recent((path for path in used if path in usable), favourites)
        return [path for path in favourites if path in usable], recent

    def _find_usable(self, path: str, person: int) -> Path | None:
        """The directory without links, if it is still there and that person may start there."""
        try:
            found = Path(path).resolve()
            return found if found.is_dir() and self._new.is_open_to(found, person) else None
        except (OSError, RuntimeError, ValueError):
            return None

    def _list_folders(self, view: _View, place: Path) -> list[str]:
        """What can be opened there, by name; a link counts as what it leads to."""
        reader = self._reader(view)
        found = []
        for listed in reader.list(place):
            if listed.kind == "file" or listed.name.startswith(".") or not _is_text(listed.name):
                continue
            if _can_be_opened(reader, place / listed.name):
                found.append(listed.name)
        return found

    async def _locate(self, view: _View) -> Path:
        """The folder's path without links. Raises FileRefusedError."""
        reader = self._reader(view)
        place = await asyncio.to_thread(reader.locate, Path(view.place))
        if place is None or not await asyncio.to_thread(reader.is_folder, place):
            raise FileRefusedError(_GONE)
        return reader.root / place

    def _reader(self, view: _View) -> FolderReader:
        """Who reads below the root, which was one when the button was made."""
        if view.root not in self._roots:
            raise FileRefusedError(_GONE)
        return FolderReader(self._roots[view.root], self._closed)

    # --- what is done ---------------------------------------------------------------------------

    async def _begin(
        self, chat: Chat, person: int, view: _View, path: Path, *, worktree: str = ""
    ) -> None:
        """Begin a session there. Raises ProjectError."""
        found = await asyncio.to_thread(self._find_usable, str(path), person)
        if found is None:
            raise ProjectError(_GONE)
        beginning = Beginning(found, worktree=worktree)
        text = await self._new.begin_instead(chat, beginning, person, view.session)
        self._outbox.say(chat, text, edits=view.post)


def _view(action: Action) -> _View:
    fields = {name: action[name] for name in ("root", "place", "page") if name in action}
    return _View(action["post"], action["session"], **fields)


def _below(view: _View, name: str) -> _View:
    return replace(view, place=str(Path(view.place, name)), page=0)


def _arrows(view: _View, pages: int) -> Iterator[tuple[str, Action]]:
    if Path(view.place).parts:
        up = replace(view, place=str(Path(view.place).parent), page=0)
        yield "⬆ Up", up.action("show project")
    else:
        yield "‹ Back", view.action("list projects")
    if view.page > 0:
        yield "◀", replace(view, page=view.page - 1).action("show project")
    if view.page < pages - 1:
        yield "▶", replace(view, page=view.page + 1).action("show project")


def _is_of(session: Session, chat: Chat) -> bool:
    return str(session.chat_id) == str(chat.chat_id) and (
        session.state.get("channel", chat.channel) == chat.channel
    )


def _can_be_opened(reader: FolderReader, path: Path) -> bool:
    """Whether it is a folder below the root, or a link to one."""
    try:
        place = reader.locate(path)
        return place is not None and reader.is_folder(place)
    except FileRefusedError:  # a link in a circle, a folder of somebody else
        return False


def _is_text(name: str) -> bool:
    """Whether it can be kept in a button and in a session's file, which are text."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
