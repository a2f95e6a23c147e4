"""What Claude waits for a person with: asked in the chat, and answered there or at the terminal.

* The terminal's own dialog is open meanwhile, and whoever answers first wins. That it was answered
  there is learned from the registry, the transcript, or the end of the hook; then the message says
  so and its buttons go.
* A sub-agent has no dialog while its hook waits. When somebody is attached to the terminal, its
  request is theirs after half a minute: the hook ends, and the dialog with the key pad opens.
* Claude Code asks one thing at a time, but for sub-agents, whose requests come all at once.
* A request outlives the bridge: its hook brings it again, under the same id. What does not come
  again within some seconds is no longer asked.
* A text answers only as a reply to the request's message, or when the person has just said that it
  will; and a text never lets anything run.
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from msgspec.structs import replace

from buttons import Press, PressHandler
from core.conversation import shorten
from core.errors import StoreWriteError
from core.events import (
    HookEvent,
    PermissionAsked,
    PromptSubmitted,
    SessionEnded,
    ToolEnded,
    ToolStarted,
    TranscriptEvent,
    TurnEnded,
    TurnInterrupted,
)
from core.model import ButtonPressed, Chat, Person, TextSent
from core.permissions import Permission
from core.plans import Plan
from core.questions import read_questions
from core.requests import Answered, Changed, Request, Step, never_asks_again
from core.roles import NOT_ALLOWED, Deed
from core.visible_text import escape_markdown
from pulse import Background, Pulse
from request_book import RequestBook, RequestRecord
from request_posts import RequestPosts
from session import Session
from session_book import chat_of
from session_runner import SessionRunner
from sessions import Sessions

log = logging.getLogger(__name__)

_RETURN_SECONDS = 10.0
_UNSEEN_SECONDS = 10.0
_HAND_OVER_SECONDS = 30.0
_LATE_SECONDS = 1.0
_WORDS_SECONDS = 0.25
_LOOK_SECONDS = 3.0
_DISK_SECONDS = 5.0
_LONGEST_PLAN = 1 << 20
_MOST_TOOLS = 200
_SUMMARY_LENGTH = 200

_AT_THE_TERMINAL = "☑️ **Answered at the terminal.**"
_ENDED = "⏹️ **No longer asked:** answered at the terminal, or stopped."
_LOST = "⏹️ **No longer asked:** it was answered at the terminal, or Claude Code ended."
_HANDED_OVER = "🖥️ **Now asked at the terminal,** where somebody is."
_TOO_LATE = "⚠️ **It ran: the terminal had allowed it before you denied it.**"
_GONE = "That is no longer asked."
_NOBODY = Person(0, "somebody at the terminal")


@dataclass(slots=True, eq=False)
class _Open:
    """A request whose hook waits; `was_seen`: the registry has said that Claude waits for it."""

    runner: SessionRunner
    asked: PermissionAsked
    request: Request
    answer: asyncio.Future[str]
    since: float = field(default_factory=time.monotonic)
    was_seen: bool = False
    tool_id: str = ""

    @property
    def is_main(self) -> bool:
        return not self.asked.agent_id

    @property
    def is_new(self) -> bool:
        """Whether late news of what came before it may still arrive."""
        return not self.was_seen and time.monotonic() - self.since < _LATE_SECONDS


class PendingRequests:
    """The requests of `sessions`; `note` writes the audit log, `plans` is Claude's own folder.

    `may` says whether a person (by user id) may do something: not everybody may end all asking.
    `redact` masks secrets in what is noted, before it is cut: half a secret looks like none.
    `on_decided` is told of each request that is not open any more, and by whose doing.
    """

    def __init__(
        self,
        sessions: Sessions,
        book: RequestBook,
        posts: RequestPosts,
        background: Background,
        *,
        note: Callable[[Person, Chat, str, str], None],
        may: Callable[[int, Deed], bool],
        plans: Path,
        redact: Callable[[str], str] = str,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        words_seconds: float = _WORDS_SECONDS,
    ) -> None:
        self._sessions = sessions
        self._book = book
        self._posts = posts
        self._background = background
        self._note = note
        self._may = may
        self._plans = plans
        self._redact = redact
        self._sleep = sleep
        self._words_seconds = words_seconds
        self.presses: dict[str, PressHandler] = {"request": self._press}
        self.on_decided: Callable[[RequestRecord, Person], None] = lambda record, person: None
        self._open: dict[str, _Open] = {}
        self._tools: dict[str, dict[str, ToolStarted]] = {}
        self._denied: dict[str, str] = {}
        self._done_since: dict[str, int] = {}
        self._with_auto: set[str] = set()
        self._pulse = Pulse()
        self._is_stopping = False
        self._is_settled = not book.open

    # --- life -----------------------------------------------------------------------------------

    def start(self) -> None:
        """Give the hooks of before some seconds to come again."""
        self._background.run(self._settle())

    async def stop(self) -> None:
        """Leave everything as it is: the hooks come again."""
        self._is_stopping = True

    async def _settle(self) -> None:
        missing = {record.request for record in self._book.open}
        await self._pulse.until(lambda: missing <= self._open.keys(), _RETURN_SECONDS)
        self._is_settled = True
        for record in self._book.open:
            if record.request not in self._open:
                self._book.forget(record.request)
                self._posts.conclude(record, _LOST)
        self._pulse.beat()

    def covers(self, runner: SessionRunner) -> bool:
        """Whether the dialog at the runner's terminal is shown here, with buttons of its own."""
        if any(found.runner is runner and found.is_main for found in self._open.values()):
            return True
        ids = {r.session_id for r in self._book.open if r.is_main} if not self._is_settled else ()
        return runner.session_id in ids

    # --- the hook -------------------------------------------------------------------------------

    async def ask(self, runner: SessionRunner, asked: PermissionAsked) -> str:
        """The answer to a hook, as soon as there is one; "" leaves it to the terminal."""
        request = self._read(asked)
        record = self._book.find(asked.request)
        if request is None or (record is not None and record.answer is not None):
            return record.answer or "" if record is not None else ""
        if record is None and not asked.agent_id:
            # What Claude said before it asked is to stand above the question: it is written down,
            # with the tool's use, some hundredths of a second after the hook came.
            await self._pulse.until(lambda: self._tool_of(asked) != "", self._words_seconds)
        found = _Open(runner, asked, request, asyncio.get_running_loop().create_future())
        if self._is_old_news(found):
            return ""
        self._end_older(found)
        self._open[asked.request] = found
        try:
            self._is_over(found)  # the registry knew of it before the hook came
            await self._show(found)
            self._find_tool(found)
            self._pulse.beat()
            return await self._wait(found)
        except asyncio.CancelledError:
            if not self._is_stopping and not found.answer.done():
                self._close(found, _ENDED)
            raise
        finally:
            if self._open.get(asked.request) is found:
                del self._open[asked.request]

    def _read(self, asked: PermissionAsked) -> Request | None:
        """What is asked; None for what only the terminal can show."""
        match asked.tool:
            case "AskUserQuestion":
                return read_questions(asked)
            case "ExitPlanMode":
                has_auto = asked.session_id in self._with_auto
                return Plan(asked, self._read_plan(asked), has_auto)
            case _:
                return Permission(asked)

    def _read_plan(self, asked: PermissionAsked) -> str:
        """The plan's text; from its file only when that lies in Claude's own folder."""
        plan, path = asked.input.get("plan"), asked.input.get("planFilePath")
        if isinstance(plan, str) or not isinstance(path, str):
            return plan if isinstance(plan, str) else ""
        try:
            file = Path(path).resolve(strict=True)
            if not file.is_relative_to(self._plans.resolve()):
                return ""
            with file.open("rb") as opened:
                return opened.read(_LONGEST_PLAN).decode(errors="replace")
        except (OSError, ValueError, RuntimeError) as error:
            log.warning("a plan can't be read: %s", type(error).__name__)
            return ""

    async def _show(self, found: _Open) -> None:
        """Show it, unless that was done before a restart."""
        while True:
            record = self._book.find(found.asked.request)
            if record is not None and self._posts.is_shown(record):
                return
            try:
                self._posts.show(record or self._make_record(found), found.request)
                return
            except StoreWriteError as error:
                log.error("a request waits until it can be noted down: %s", error)
                await self._sleep(_DISK_SECONDS)

    def _make_record(self, found: _Open) -> RequestRecord:
        asked = found.asked
        session = self._sessions.book.for_id(found.runner.session_id)
        return RequestRecord(
            asked.request,
            session.session_id,
            chat_of(session),
            session.state.get("person"),
            f"request:{asked.request}:{uuid.uuid4()}",
            shorten(self._redact(found.request.summary), _SUMMARY_LENGTH),
            is_main=found.is_main,
        )

    async def _wait(self, found: _Open) -> str:
        """Wait for the answer; a sub-agent's request goes to the terminal if somebody is there."""
        while found.asked.agent_id:
            await asyncio.wait({found.answer}, timeout=_LOOK_SECONDS)
            if found.answer.done():
                break
            is_due = time.monotonic() - found.since > _HAND_OVER_SECONDS
            if is_due and await self._is_attached(found.runner) and not found.answer.done():
                self._close(found, _HANDED_OVER)
        return await asyncio.shield(found.answer)

    async def _is_attached(self, runner: SessionRunner) -> bool:
        pane = await self._sessions.terminal.find(runner.name)
        return pane is not None and pane.is_attached

    # --- answered in the chat -------------------------------------------------------------------

    async def _press(self, press: Press) -> str:
        record = self._book.find(press.action["request"])
        if record is None or record.answer is not None:
            return _GONE
        found = self._open.get(record.request)
        if found is None:
            self._background.run(self._press_later(press))
            return "One moment…"
        return self._take_press(found, press)

    async def _press_later(self, press: Press) -> None:
        """The bridge has just been started again, and the hook has not come back yet."""
        request = press.action["request"]
        if await self._pulse.until(lambda: request in self._open or self._is_settled, None):
            found = self._open.get(request)
            if found is not None:
                self._take_press(found, press)

    def _take_press(self, found: _Open, press: Press) -> str:
        record = self._book.find(found.asked.request)
        if record is None or record.answer is not None or self._has_ended(found):
            return _GONE
        step = found.request.press(press.action["word"], record.state)
        ends_asking = isinstance(step, Answered) and never_asks_again(step.answer)
        if ends_asking and not self._may(press.event.person.user_id, "bypass"):
            step = Changed(record.state, NOT_ALLOWED)
        return self._take_step(found, record, step or Changed(record.state), press.event)

    async def takes_text(self, message: TextSent) -> bool:
        """Whether the text answers a request, and is done with. Raises StoreWriteError."""
        place = (message.chat, message.message_id)
        if any((record.chat, record.answered_by) == place for record in self._book.answered):
            return True  # the bridge ended before it could note that the text was handled
        record = self._find_addressed(message)
        if record is None:
            return False
        request = record.request
        await self._pulse.until(lambda: request in self._open or self._is_settled, _RETURN_SECONDS)
        found = self._open.get(request)
        record = self._book.find(request)  # as it is now, after that wait
        if found is None or record is None or self._has_ended(found):
            return False
        self._take_step(found, record, found.request.write(message.text, record.state), message)
        return True

    def awaits(self, chat: Chat, person: int) -> bool:
        """Whether the next text of that person in that chat answers a request."""
        return any(
            record.chat == chat and record.person in (None, person) and record.state.get("awaits")
            for record in self._book.open
        )

    def release(self, person: int) -> None:
        """Let everybody who may press answer what that person alone could.

        Raises StoreWriteError.
        """
        for record in self._book.open:
            found = self._open.get(record.request)
            if record.person == person and found is not None:
                self._posts.show(replace(record, person=None), found.request)
            elif record.person == person:
                self._book.put(replace(record, person=None))

    def _find_addressed(self, message: TextSent) -> RequestRecord | None:
        """The open request that a text is for."""
        for record in self._book.open:
            is_theirs = record.person in (None, message.person.user_id)
            if record.chat != message.chat or not is_theirs:
                continue
            if message.reply_to is None and record.state.get("awaits"):
                return record
            if message.reply_to is not None and self._posts.shows(record, message.reply_to):
                return record
        return None

    def _take_step(
        self, found: _Open, record: RequestRecord, step: Step, by: ButtonPressed | TextSent
    ) -> str:
        match step:
            case Changed(state, said):
                record = replace(record, state=state)
                self._posts.show(record, found.request)
                return said
            case Answered():
                text_id = by.message_id if isinstance(by, TextSent) else None
                record = replace(record, answer=step.answer, answered_by=text_id)
                self._settle_with(found, self._book.put(record))
                self.on_decided(record, by.person)
                if not step.is_allowed and found.tool_id:
                    self._denied[found.tool_id] = record.request
                who = "" if by.is_private else f"\n_by {escape_markdown(by.person.name)}_"
                self._posts.conclude(record, f"{step.outcome}{who}")
                self._note(by.person, record.chat, f"{step.decision}: {record.summary}", "done")
                return ""

    # --- answered at the terminal ---------------------------------------------------------------

    def hear_hook(self, runner: SessionRunner, event: HookEvent) -> None:
        """The end of a turn is the end of what was asked in it."""
        match event:
            case PromptSubmitted(mode="auto") | TurnEnded(mode="auto"):
                self._with_auto.add(event.session_id)
            case TurnEnded() | SessionEnded():
                is_waiting = runner.process is not None and runner.process.status == "waiting"
                for found in self._main_of(runner):
                    if not is_waiting and not found.is_new:
                        self._close(found, _ENDED)

    def hear_event(self, session: Session, event: TranscriptEvent, *, is_news: bool) -> None:
        """A tool that has ended is not asked about any more."""
        session_id = session.session_id
        match event:
            case ToolStarted():
                tools = self._tools.setdefault(session_id, {})
                tools[event.tool_id] = event
                if len(tools) > _MOST_TOOLS:
                    del tools[next(iter(tools))]
                for found in self._open.values():
                    self._find_tool(found)
                self._pulse.beat()
            case ToolEnded():
                self._tools.get(session_id, {}).pop(event.tool_id, None)
                self._hear_end(event)
            case TurnInterrupted() if is_news:
                for found in list(self._open.values()):
                    is_its = found.is_main and found.runner.session_id == session_id
                    if is_its and not found.is_new:
                        self._close(found, _ENDED)

    def hear_status(self, runner: SessionRunner) -> None:
        """A process that no longer waits has been answered."""
        for found in self._main_of(runner):
            self._is_over(found)

    def _main_of(self, runner: SessionRunner) -> list[_Open]:
        return [found for found in self._open.values() if found.runner is runner and found.is_main]

    def _hear_end(self, event: ToolEnded) -> None:
        for found in list(self._open.values()):
            if found.tool_id == event.tool_id:
                self._close(found, _ENDED if event.is_error else _AT_THE_TERMINAL)
        denied = self._denied.pop(event.tool_id, None)
        record = self._book.find(denied) if denied is not None else None
        if record is not None and not event.is_error:
            self._posts.conclude(record, _TOO_LATE)

    def _find_tool(self, found: _Open) -> None:
        if not found.tool_id and found.is_main:
            found.tool_id = self._tool_of(found.asked)

    def _tool_of(self, asked: PermissionAsked) -> str:
        """Which use of a tool it is, "" while that is not known; the hook does not say."""
        taken = {other.tool_id for other in self._open.values()}
        for tool_id, tool in self._tools.get(asked.session_id, {}).items():
            is_same = tool.name == asked.tool and _is_input_of(tool, asked)
            if tool_id not in taken and is_same:
                return tool_id
        return ""

    def _has_ended(self, found: _Open) -> bool:
        """As `_is_over`, after asking the registry."""
        runner = found.runner
        runner.hear_registry(self._sessions.registry.find(runner.session_id))
        return found.answer.done() or self._is_over(found)

    def _is_over(self, found: _Open) -> bool:
        """Whether the registry says that the dialog is gone; then it is closed here too."""
        process = found.runner.process
        if not found.is_main or process is None or process.status is None:
            return False
        if process.status == "waiting":
            found.was_seen |= process.since_ms != self._done_since.get(found.runner.name)
            return False
        if not found.was_seen and time.monotonic() - found.since < _UNSEEN_SECONDS:
            return False  # the dialog opens a moment after the hook has begun
        self._close(found, _ENDED if process.is_idle else _AT_THE_TERMINAL)
        return True

    def _is_old_news(self, found: _Open) -> bool:
        """Whether a hook comes with what was answered at the terminal while the bridge was away."""
        began = found.asked.request.partition("-")[0]
        age = time.time() - int(began) / 1e9 if began.isdecimal() else 0.0
        found.since -= max(age, 0.0)
        runner = found.runner
        runner.hear_registry(self._sessions.registry.find(runner.session_id))
        if self._book.find(found.asked.request) is None:
            process = runner.process
            is_asked = process is None or process.status in (None, "waiting")
            return found.is_main and not is_asked and age > _UNSEEN_SECONDS
        return self._is_over(found)

    def _end_older(self, new: _Open) -> None:
        """Claude Code asks one thing at a time: what it asked before is answered."""
        for found in self._main_of(new.runner) if new.is_main else ():
            if found.asked.request != new.asked.request:
                self._close(found, _AT_THE_TERMINAL)

    def _close(self, found: _Open, outcome: str) -> None:
        """It was not answered here; the hook goes away without an answer."""
        record = self._book.find(found.asked.request)
        if found.answer.done() or record is None or record.answer is not None:
            return
        try:
            closed = self._book.put(replace(record, answer=""))
            self._settle_with(found, closed)
            self.on_decided(closed, _NOBODY)
            self._posts.conclude(record, outcome)
        except StoreWriteError as error:
            log.error("what is no longer asked could not be noted down: %s", error)
            return
        self._note(_NOBODY, record.chat, f"answered: {record.summary}", "not in the chat")

    def _settle_with(self, found: _Open, record: RequestRecord) -> None:
        """Give the hook its answer."""
        process = found.runner.process
        if process is not None and process.status == "waiting":
            self._done_since[found.runner.name] = process.since_ms
        if not found.answer.done():
            found.answer.set_result(record.answer or "")


def _is_input_of(tool: ToolStarted, asked: PermissionAsked) -> bool:
    """Whether it has that input; Claude Code fills in what the model left out, and the plan."""
    if tool.name == "ExitPlanMode":
        return True
    return all(asked.input.get(name) == value for name, value in tool.input.items())
