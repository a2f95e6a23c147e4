"""/sessions, /resume, /rename, /fork, /close, /attach: finding a session, and what to do with it.

* A list and a card are one message, which every press makes anew: its buttons work once, and what
  they do is checked against how things are by then.
* The sessions of the whole machine are listed for who may see them, in a private chat. Everybody
  else, and everybody in a group, has the chat's own; who may can name one of the others by its id.
* A session comes here from another topic only at rest: no turn is begun in one place and answered
  in another.
* Nothing is deleted here: a closed session is in the list, and is continued like any other.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from at_rest import check_at_rest
from buttons import Action, Buttons, Press, PressHandler
from chat_commands import BeginHandler
from core.commands import CommandName
from core.config import Config
from core.conversation import read_title
from core.errors import BridgeError
from core.model import Chat, Post, TextSent
from core.roles import Deed
from core.session_file import is_session_id
from core.session_list import (
    ON_A_PAGE,
    ListedSession,
    count_pages,
    cut_page,
    render_card,
    render_page,
)
from core.session_summary import clean_title
from core.visible_text import render_block
from core.worktrees import read_worktree
from inbox import Inbox
from outbox import Outbox, new_key
from pulse import Background, Pulse
from session import Session, utc_now
from session_book import chat_of
from session_finder import FoundSession, SessionFinder
from session_listing import SessionListing
from session_runner import SessionRunner
from session_worktrees import Rows, SessionWorktrees
from sessions import Sessions

_IN_A_ROW = 4
_WAKING_SECONDS = 20.0
_NO_SESSION = "No session yet. Send a text to start one."
_UNKNOWN = "No session with that id on this machine. /sessions lists those of this chat."
_OF_ANOTHER = "That session belongs to another chat."


@dataclass(frozen=True, slots=True)
class _View:
    """What a message shows: a page of the chat's or the machine's sessions; `post` is its key."""

    post: str
    page: int = 0
    is_machine: bool = False

    def action(self, do: str, **more: object) -> Action:
        """What a button of this message does."""
        return {"do": do, "post": self.post, "page": self.page, "machine": self.is_machine, **more}


class SessionCommands:
    """The commands on `sessions`.

    `may` says whether a person (by user id) may do something, `sees_machine` whether a person is
    shown in a chat what there is on the whole machine. `redact` masks what looks like a secret in a
    title, which ends up on a command line.
    """

    def __init__(
        self,
        config: Config,
        sessions: Sessions,
        inbox: Inbox,
        outbox: Outbox,
        buttons: Buttons,
        finder: SessionFinder,
        background: Background,
        worktrees: SessionWorktrees,
        *,
        may: Callable[[int, Deed], bool],
        sees_machine: Callable[[int, Chat], bool],
        redact: Callable[[str], str],
    ) -> None:
        self._config = config
        self._sessions = sessions
        self._book = sessions.book
        self._inbox = inbox
        self._outbox = outbox
        self._buttons = buttons
        self._finder = finder
        self._background = background
        self._worktrees = worktrees
        self._listing = SessionListing(sessions, finder)
        self._may = may
        self._sees_machine = sees_machine
        self._redact = redact
        self.commands: dict[CommandName, Callable[[Chat, str, int], Awaitable[None]]] = {
            "sessions": self._list,
            "resume": self._resume,
            "rename": self._rename,
            "close": self._close,
            "attach": self._attach,
        }
        self.begin: dict[CommandName, BeginHandler] = {"fork": self._fork}
        self.presses: dict[str, PressHandler] = {
            "list sessions": self._press_page,
            "show session": self._press_card,
            "pick": self._press_continue,
            "fork session": self._press_fork,
            "rename session": self._press_rename,
            "close session": self._press_close,
            "show worktree": self._press_worktree,
        }

    # --- commands -------------------------------------------------------------------------------

    async def _list(self, chat: Chat, argument: str, person: int) -> None:
        await self._show_page(chat, person, _View(new_key()), is_new=True)

    async def _resume(self, chat: Chat, argument: str, person: int) -> None:
        if not argument:
            await self._list(chat, "", person)
            return
        wanted = argument.lower()
        known = [s for s in self._book.store.list_sessions() if s.session_id.startswith(wanted)]
        if not self._sees_machine(person, chat):
            known = [session for session in known if chat_of(session).chat_id == chat.chat_id]
        if len(known) > 1:
            raise BridgeError("Several sessions begin with that; give more of the id.")
        session = self._take(chat, person, known[0].session_id if known else wanted)
        self._outbox.say(chat, self._continue(chat, session))

    async def _rename(self, chat: Chat, argument: str, person: int) -> None:
        self._outbox.say(chat, self._name(self._current(chat), argument))

    async def _fork(self, chat: Chat, argument: str, person: int, session_id: str) -> None:
        begun = self._book.store.load(session_id)  # if a crash came between
        origin = begun.state["fork_of"] if begun is not None else self._current(chat).session_id
        text = self._begin_fork(chat, person, origin, session_id)
        self._outbox.put(Post(f"fork:{session_id}", chat, text, silent=True))

    async def _close(self, chat: Chat, argument: str, person: int) -> None:
        session, view = self._current(chat), _View(new_key())
        question = self._reason_to_ask(session)
        if question:
            action = view.action("close session", session=session.session_id, sure=True)
            keyboard = self._buttons.issue(chat, [[("Close it", action)]], person=person)
            self._outbox.put(Post(view.post, chat, question, keyboard=keyboard, silent=True))
            return
        text, rows = await self._end(session, view)
        keyboard = self._buttons.issue(chat, rows, person=person)
        self._outbox.put(Post(view.post, chat, text, keyboard=keyboard, silent=True))

    async def _attach(self, chat: Chat, argument: str, person: int) -> None:
        runner = self._sessions.runner_of(self._current(chat))
        self._background.run(self._say_how_to_attach(chat, runner))

    async def _say_how_to_attach(self, chat: Chat, runner: SessionRunner) -> None:
        """Wake it, as there is no terminal else; why it does not wake is told by itself."""
        if not runner.is_awake:
            runner.begin()
        if not await Pulse().until(lambda: runner.is_awake, _WAKING_SECONDS):
            return
        command = self._sessions.terminal.attach_command(runner.name)
        leaving = "" if runner.is_joined else " Ctrl-b d leaves the terminal; the chat goes on."
        text = (
            f"At the machine:\n{render_block(command)}\nIt is one Claude, there and here.{leaving}"
        )
        self._outbox.put(Post(new_key(), chat, text, "markdown", silent=True))

    # --- presses --------------------------------------------------------------------------------

    async def _press_page(self, press: Press) -> str:
        await self._show_page(press.event.chat, press.event.person.user_id, _view(press))
        return ""

    async def _press_card(self, press: Press) -> str:
        return await self._show_card(press)

    async def _press_continue(self, press: Press) -> str:
        chat, person = press.event.chat, press.event.person.user_id
        text = self._continue(chat, self._take(chat, person, press.action["session"]))
        self._outbox.say(chat, text, edits=press.action["post"])
        return ""

    async def _press_fork(self, press: Press) -> str:
        chat, person = press.event.chat, press.event.person.user_id
        text = self._begin_fork(chat, person, press.action["session"])
        self._outbox.say(chat, text, edits=press.action["post"])
        return ""

    async def _press_rename(self, press: Press) -> str:
        """Ask for the title, which comes as a reply to this message."""
        chat, view = press.event.chat, _view(press)
        session = self._take(chat, press.event.person.user_id, press.action["session"])
        self._book.edit_state(session.session_id, asked_title=view.post)
        back = view.action("show session", session=session.session_id)
        keyboard = self._buttons.issue(
            chat, [[("‹ Back", back)]], person=press.event.person.user_id
        )
        text = f"“{read_title(session.state)}”\nReply to this message with the new title."
        self._outbox.say(chat, text, keyboard=keyboard, edits=view.post)
        return ""

    async def _press_close(self, press: Press) -> str:
        chat, view = press.event.chat, _view(press)
        session = self._take(chat, press.event.person.user_id, press.action["session"])
        question = "" if press.action.get("sure") else self._reason_to_ask(session)
        person = press.event.person.user_id
        if not question:
            text, rows = await self._end(session, view)
            keyboard = self._buttons.issue(chat, rows, person=person)
            self._outbox.say(chat, text, keyboard=keyboard, edits=view.post)
            return ""
        yes = view.action("close session", session=session.session_id, sure=True)
        back = view.action("show session", session=session.session_id)
        keyboard = self._buttons.issue(chat, [[("Close it", yes), ("‹ Back", back)]], person=person)
        self._outbox.say(chat, question, keyboard=keyboard, edits=view.post)
        return ""

    async def _press_worktree(self, press: Press) -> str:
        """Ask once more what becomes of a closed session's worktree."""
        chat, person, view = press.event.chat, press.event.person.user_id, _view(press)
        session = self._take(chat, person, press.action["session"])
        text, rows = await self._worktrees.ask(session, view.post)
        back = ("‹ Back", view.action("show session", session=session.session_id))
        keyboard = self._buttons.issue(chat, [*rows, [back]], person=person)
        self._outbox.say(chat, text or "It has no worktree.", keyboard=keyboard, edits=view.post)
        return ""

    async def takes_text(self, message: TextSent) -> bool:
        """Whether the text is the title that was asked for. Raises BridgeError."""
        if message.reply_to is None:
            return False
        for session in self._book.store.list_sessions(message.chat.chat_id):
            post = session.state.get("asked_title")
            is_asked = isinstance(post, str) and chat_of(session) == message.chat
            if is_asked and message.reply_to in self._outbox.messages_of(str(post)):
                text = self._name(session, message.text)
                self._outbox.say(message.chat, text, edits=str(post))
                return True
        return False

    # --- what is shown --------------------------------------------------------------------------

    async def _show_page(
        self, chat: Chat, person: int, view: _View, *, is_new: bool = False
    ) -> None:
        may_switch = self._sees_machine(person, chat)
        is_machine = view.is_machine and may_switch
        listing = self._listing.list_machine if is_machine else self._listing.list_chat
        listed = await listing(chat)
        page = min(max(view.page, 0), count_pages(len(listed)) - 1)
        view = _View(view.post, page, is_machine)
        rows = _number_rows(listed, view)
        arrows = [
            (label, _View(view.post, to, is_machine).action("list sessions"))
            for label, to in (("◀", page - 1), ("▶", page + 1))
            if 0 <= to < count_pages(len(listed))
        ]
        switch = _View(view.post, 0, not is_machine).action("list sessions")
        label = "This chat's" if is_machine else "Every session on this machine"
        rows += [row for row in (arrows, [(label, switch)] if may_switch else []) if row]
        keyboard = self._buttons.issue(chat, rows, person=person)
        text = render_page(listed, page, is_machine=is_machine)
        if is_new:
            self._outbox.put(Post(view.post, chat, text, keyboard=keyboard, silent=True))
        else:
            self._outbox.say(chat, text, keyboard=keyboard, edits=view.post)

    async def _show_card(self, press: Press) -> str:
        chat, person, view = press.event.chat, press.event.person.user_id, _view(press)
        known = self._book.store.load(press.action["session"])
        is_here = known is not None and chat_of(known).chat_id == chat.chat_id
        listed = None
        if is_here or self._sees_machine(person, chat):
            listed = await self._listing.find(chat, press.action["session"])
        if listed is None:
            await self._show_page(chat, person, view)
            return "That session is gone."
        if known is not None and known.state.get("asked_title"):  # they went back
            self._book.edit_state(listed.session_id, asked_title=None)
        rows = [*_card_rows(listed, view), [("‹ Back", view.action("list sessions"))]]
        keyboard = self._buttons.issue(chat, rows, person=person)
        self._outbox.say(chat, render_card(listed), keyboard=keyboard, edits=view.post)
        return ""

    # --- what is done ---------------------------------------------------------------------------

    def _current(self, chat: Chat) -> Session:
        session = self._book.find_current(chat)
        if session is None:
            raise BridgeError(_NO_SESSION)
        return session

    def _take(self, chat: Chat, person: int, session_id: str) -> Session:
        """The session, known to the bridge from now on if it was not. Raises BridgeError."""
        if not is_session_id(session_id):
            raise BridgeError(_UNKNOWN)
        session = self._book.store.load(session_id)
        if session is not None and chat_of(session).chat_id != chat.chat_id:
            raise BridgeError(_OF_ANOTHER if self._may(person, "machine") else _UNKNOWN)
        if session is not None:
            return session
        return self._book.adopt(chat, self._find(person, session_id), self._config.project_dir)

    def _find(self, person: int, session_id: str) -> FoundSession:
        """What its transcript says. Raises BridgeError."""
        known = self._book.store.load(session_id)
        launcher = self._sessions.launcher
        path = launcher.transcript_of(known) if known else launcher.find_transcript(session_id)
        found = self._finder.read(path) if path is not None else None
        if found is None or (known is None and not self._may(person, "machine")):
            raise BridgeError("Nothing was said in it yet." if known is not None else _UNKNOWN)
        return found

    def _continue(self, chat: Chat, session: Session) -> str:
        """Go on with it; one that has a topic goes on there. Raises BridgeError."""
        own = chat_of(session)
        if chat.topic is None and own.topic is not None and own.chat_id == chat.chat_id:
            session = self._book.switch(own, session.session_id)
            title = read_title(session.state)
            self._outbox.say(own, f"Continuing “{title}”.")
            return f"“{title}” goes on in its topic."
        if own != chat:
            check_at_rest(self._sessions, self._inbox, session, "continue it here")
        session = self._book.switch(chat, session.session_id)
        runner = self._sessions.runner_of(session)
        if not runner.is_awake and self._sessions.registry.find(session.session_id) is not None:
            runner.begin()  # it joins what is open elsewhere, or says why it can't
        return f"Continuing “{read_title(session.state)}”."

    def _begin_fork(self, chat: Chat, person: int, session_id: str, own_id: str = "") -> str:
        known = self._book.store.load(session_id)
        is_foreign = known is not None and chat_of(known).chat_id != chat.chat_id
        if is_foreign and not self._may(person, "machine"):
            raise BridgeError(_UNKNOWN)
        found = self._find(person, session_id)
        fork = self._book.fork(chat, found, self._config.project_dir, session_id=own_id)
        self._sessions.runner_of(fork).begin()
        title = read_title(known.state) if known is not None else found.title
        worktree = read_worktree(fork.state)
        shared = f" Both work in the worktree “{worktree.name}”." if worktree is not None else ""
        return (
            f"This chat goes on in a copy: “{read_title(fork.state)}”. "
            f"“{title}” stays as it is, see /sessions.{shared}"
        )

    def _name(self, session: Session, text: str) -> str:
        name = self._redact(clean_title(text))
        if not name:
            raise BridgeError("Say the title with it: /rename A better title")
        self._book.edit_state(session.session_id, name=name, asked_title=None)
        return f"It is called “{name}” now."

    def _reason_to_ask(self, session: Session) -> str:
        """What is to be said before the session is closed; "" when nothing would be lost."""
        runner = self._sessions.find_runner(session.session_id)
        if runner is None:
            return ""
        if runner.is_joined:
            title = read_title(session.state)
            return f"“{title}” is open in a terminal of yours. Close it there, too?"
        if not (runner.has_work or runner.is_working):
            return ""
        waiting = len(runner.queue.waiting)
        more = f", and {waiting} more wait" if waiting else ""
        return f"Claude is at work in “{read_title(session.state)}”{more}. Close it all the same?"

    async def _end(self, session: Session, view: _View) -> tuple[str, Rows]:
        """Close it; returns what is told and asked then. Raises BridgeError."""
        runner = self._sessions.find_runner(session.session_id)
        given_up = 0
        if runner is not None and (runner.is_awake or runner.has_work):
            given_up = await self._sessions.kill(runner)
            if runner.has_work:  # in its own topic somebody writes on
                raise BridgeError("A message came for it meanwhile, so it is not closed.")
        elif self._sessions.registry.find(session.session_id) is not None:
            raise BridgeError("It is open in another terminal. Leave it there with /exit first.")
        self._book.edit_state(
            session.session_id,
            closed_at=utc_now(),
            asked_title=None,
            continue_at=None,  # nor does it go on by itself when a limit resets
            continue_for=None,
        )
        lost = f" Messages given up with it: {given_up}." if given_up else ""
        text = (
            f"Closed: “{read_title(session.state)}”.{lost} "
            "/sessions continues it, with all that was said."
        )
        asked, rows = await self._worktrees.ask(session, view.post)
        return (f"{text}\n\n{asked}" if asked else text), rows


def _view(press: Press) -> _View:
    action = press.action
    return _View(action["post"], action.get("page", 0), action.get("machine", False))


def _number_rows(listed: list[ListedSession], view: _View) -> list[list[tuple[str, Action]]]:
    first = 1 + view.page * ON_A_PAGE
    made = [
        (str(number), view.action("show session", session=session.session_id))
        for number, session in enumerate(cut_page(listed, view.page), first)
    ]
    return [made[n : n + _IN_A_ROW] for n in range(0, len(made), _IN_A_ROW)]


def _card_rows(listed: ListedSession, view: _View) -> list[list[tuple[str, Action]]]:
    def button(label: str, do: str) -> tuple[str, Action]:
        return label, view.action(do, session=listed.session_id)

    fork = button("Fork", "fork session")
    if listed.is_foreign:
        return [[fork]]
    first = [fork] if listed.is_current else [button("Continue", "pick"), fork]
    closes = [] if listed.is_closed else [button("Close", "close session")]
    settles = [button("Worktree…", "show worktree")] if listed.worktree and not closes else []
    return [first, [button("Rename", "rename session"), *closes, *settles]]
