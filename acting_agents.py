"""Which agent a prompt is for: the session's, the one that the message names, or the router's.

* What a message names (`@security …`) is noted with it in the inbox, so a crash forgets it not. The
  agent that was chosen stays in the session's state: the other one lies over it while the message
  is under way, and there is nothing to restore afterwards.
* Who acts is decided when a prompt is about to be typed, so never in the middle of a turn.
* A name that is no agent's is just a text.
* A person's own agents go before those of the bridge that are called the same.
"""

from __future__ import annotations

import asyncio
import logging
import re
from dataclasses import dataclass

from claude_catalog import ClaudeCatalog
from claude_launcher import project_directory
from core.agent_trail import describe_agent
from core.catalog import FALLBACK, AgentOffer, Catalog
from core.choices import AUTO, DEFAULT, OUR_PREFIX, OWN_AGENT, read_choices, show_agent
from core.delivery import Prompt
from core.errors import AgentBusyError
from core.events import AnswerGiven, HookEvent, PromptRecorded, TranscriptEvent
from core.model import Post
from core.routing import MOST_RECENT, Route, Rules, route
from inbox import Entry, Inbox
from outbox import Outbox
from session import Session
from session_book import chat_of
from session_runner import SessionRunner
from sessions import Sessions
from transcript_file import read_last_events

log = logging.getLogger(__name__)

_MENTION = re.compile(r"@([A-Za-z0-9_][A-Za-z0-9_:.-]*)\s+(?=\S)")
_NOT_FOR_A_CHAT = (OWN_AGENT, "statusline-setup")
_BY_THE_WORDS = "each message decides, by its words"


@dataclass(frozen=True, slots=True)
class AgentChoice:
    """What may be chosen: its name for people, what is kept of it, and what it is for."""

    name: str
    kept: str
    description: str = ""

    def is_called(self, name: str) -> bool:
        """Whether a person means it by that name."""
        return name.lower() in (self.name.lower(), self.kept.lower())


class ActingAgents:
    """The agents of `sessions`; `catalog` says which there are beside those in `shipped`."""

    def __init__(
        self,
        sessions: Sessions,
        inbox: Inbox,
        outbox: Outbox,
        rules: Rules,
        catalog: ClaudeCatalog,
        *,
        shipped: tuple[AgentOffer, ...],
    ) -> None:
        self._sessions = sessions
        self._book = sessions.book
        self._inbox = inbox
        self._outbox = outbox
        self._rules = rules
        self._shipped = shipped
        self._catalog = catalog
        self._without_detour: set[str] = set()

    # --- what there is ----------------------------------------------------------------------------

    async def catalog_of(self, session: Session) -> Catalog:
        """What Claude Code offers in the session's directory, if that is known to be trusted."""
        is_trusted = bool(session.state.get("transcript"))
        return await self._catalog.ask(project_directory(session)) if is_trusted else FALLBACK

    async def choices(self, session: Session | None) -> list[AgentChoice]:
        """What a session may be; of a chat without one, what every session may be."""
        catalog = await self.catalog_of(session) if session is not None else FALLBACK
        own = [
            AgentChoice(agent.name, agent.name, agent.description)
            for agent in catalog.agents
            if agent.name not in _NOT_FOR_A_CHAT
        ]
        taken = {choice.name.lower() for choice in own}
        ours = [
            AgentChoice(_name_beside(taken, agent.name), agent.name, agent.description)
            for agent in self._shipped
        ]
        auto = AgentChoice(AUTO if "auto" in taken else "auto", AUTO, _BY_THE_WORDS)
        return [AgentChoice(DEFAULT, OWN_AGENT), auto, *ours, *own]

    async def split(self, session: Session | None, text: str) -> tuple[str, str]:
        """(the agent that a message is for, the rest of it); ("", text) when it names none."""
        found = _MENTION.match(text)
        if found is None:
            return "", text
        choices = [choice for choice in await self.choices(session) if choice.kept != AUTO]
        agent = next((choice.kept for choice in choices if choice.is_called(found[1])), "")
        return (agent, text[found.end() :]) if agent else ("", text)

    def note(self, entry: Entry, agent: str) -> None:
        """Write down whom a message is for. Raises StoreWriteError."""
        if entry.agent != agent:
            self._inbox.advance(entry.key, entry.step, agent=agent)

    def describe(self, session: Session) -> str:
        """The agent in effect, in words."""
        return describe_agent(self._without_old_detour(session))

    # --- who acts ---------------------------------------------------------------------------------

    async def prepare(self, runner: SessionRunner, prompt: Prompt) -> None:
        """Decide who is to have a prompt that is about to be typed. Raises StoreError."""
        session = self._book.for_id(runner.session_id)
        entry = self._inbox.find(prompt.key)
        if entry is not None and entry.agent:
            self._without_detour.discard(session.session_id)
            detour = {"agent": entry.agent, "key": prompt.key}
            if session.state.get("detour") != detour:
                self._book.edit_state(session.session_id, detour=detour)
            return
        if "detour" in session.state:
            session = self._book.edit_state(session.session_id, detour=None)
        if session.state.get("agent") == AUTO and not prompt.is_command:
            await self._route(session, prompt)

    def check(self, runner: SessionRunner) -> None:
        """The process could not be started anew as whom it should be. Raises AgentBusyError."""
        state = self._book.for_id(runner.session_id).state
        if "detour" in state:
            agent = show_agent(read_choices(state).agent)
            raise AgentBusyError(
                f"{agent} can't take over now: a command runs in the background, a text stands in "
                "the terminal's input box, or the session runs in a terminal of yours. Send it "
                "again when that is over."
            )

    async def _route(self, session: Session, prompt: Prompt) -> None:
        path = self._sessions.launcher.transcript_of(session)
        events = await asyncio.to_thread(read_last_events, path)
        recent = [event.text for event in events if isinstance(event, PromptRecorded | AnswerGiven)]
        choices = [choice for choice in await self.choices(session) if choice.kept != AUTO]
        now = read_choices(session.state).agent or OWN_AGENT
        names = {choice.kept: choice.name for choice in choices}
        found = route(self._rules, prompt.text, recent[-MOST_RECENT:], names.get(now, now))
        kept = next((choice.kept for choice in choices if choice.is_called(found.agent)), None)
        if kept is None:
            log.warning("the routing rules name an agent that is not there: %s", found.agent)
            return
        taken = kept if kept != now else read_choices(session.state).agent
        routed = {"agent": taken, "confidence": found.confidence, "words": list(found.words)}
        session = self._book.edit_state(session.session_id, routed=routed)
        if kept != now:
            post = Post(f"routed:{prompt.key}", chat_of(session), _render(found), silent=True)
            self._outbox.put(post)

    # --- the way back -----------------------------------------------------------------------------

    def hear_entry(self, entry: Entry, outcome: str | None) -> None:
        """A message is done: who had it for this once gives way, after all that it is done with."""
        if outcome is not None and entry.agent:
            asyncio.get_running_loop().call_soon(self._end_detour, entry.session_id)

    def hear_status(self, runner: SessionRunner) -> None:
        """A detour that a crash has left is ended when Claude is idle."""
        process, session_id = runner.process, runner.session_id
        if session_id in self._without_detour or process is None or process.status != "idle":
            return
        if not runner.has_work:
            self._without_detour.add(session_id)
            self._end_detour(session_id)

    def hear_hook(self, runner: SessionRunner, event: HookEvent) -> None:
        """The end of a message is told by the inbox."""

    def hear_event(self, session: Session, event: TranscriptEvent, *, is_news: bool) -> None:
        """The end of a message is told by the inbox."""

    def _end_detour(self, session_id: str) -> None:
        session = self._book.store.load(session_id)
        if session is None or self._without_old_detour(session) is session.state:
            return
        self._book.edit_state(session_id, detour=None)
        runner = self._sessions.find_runner(session_id)
        if runner is not None and runner.is_awake and not runner.has_work:
            runner.begin()

    def _without_old_detour(self, session: Session) -> dict[str, object]:
        """The state, without a detour whose message is done."""
        detour = session.state.get("detour")
        if not isinstance(detour, dict) or self._inbox.find(str(detour.get("key"))) is not None:
            return session.state
        return {name: value for name, value in session.state.items() if name != "detour"}


def _name_beside(taken: set[str], name: str) -> str:
    short = name.removeprefix(OUR_PREFIX)
    return name if short in taken else short


def _render(found: Route) -> str:
    words = f": {', '.join(found.words[:3])}" if found.words else ""
    return f"Agent: {found.agent} ({found.confidence:.0%} sure{words})"
