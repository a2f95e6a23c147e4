"""/model, /effort, /mode and /agent: what a session is run with, by buttons or by a word.

* A choice is kept with the session. A live process is started again with it when it is idle: typed,
  these commands would change the person's own settings for all their sessions.
* What a permission or a person at the terminal changed counts as chosen too: both windows show one
  session.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from acting_agents import ActingAgents
from buttons import Action, Buttons, Press, PressHandler
from core.agent_trail import describe_trail
from core.catalog import Catalog
from core.choices import (
    AUTO,
    DEFAULT,
    FIELDS,
    OUR_PREFIX,
    OWN_AGENT,
    Kind,
    is_outdated,
    is_usable,
    list_efforts,
    list_modes,
    note_launched,
    read_choices,
    show_agent,
)
from core.commands import CommandName
from core.config import Config
from core.conversation import shorten
from core.errors import BridgeError
from core.events import HookEvent, PromptSubmitted, TranscriptEvent, TurnEnded
from core.model import Chat, Keyboard, Post
from core.roles import Deed
from outbox import Outbox, new_key
from pulse import Background
from session import Session
from session_runner import SessionRunner
from sessions import Sessions

_NAMES: dict[Kind, str] = {
    "model": "Model",
    "effort": "Effort",
    "mode": "Mode",
    "agent": "Agent",
}
_WORDS = {"manual": DEFAULT, "ask": DEFAULT, "accept": "acceptEdits", "bypass": "bypassPermissions"}
_IN_A_ROW = 2
_DESCRIPTION_LENGTH = 90


@dataclass(frozen=True, slots=True)
class _Offer:
    """One thing to choose: its name for people, what it is for, and what is kept of it.

    `kept`: None for the name itself, "" for nothing at all.
    """

    value: str
    description: str = ""
    kept: str | None = None


def _is_claudes(offer: _Offer) -> bool:
    """Whether Claude Code told of that agent, so that it tells of all."""
    kept = offer.kept or ""
    return kept not in (OWN_AGENT, AUTO) and not kept.startswith(OUR_PREFIX)


class SteeringCommands:
    """The choices of `sessions`; `agents` knows who there is to be.

    `may` says whether a person (by user id) may do something: not everybody may choose the mode
    that never asks.
    """

    def __init__(
        self,
        config: Config,
        sessions: Sessions,
        outbox: Outbox,
        buttons: Buttons,
        agents: ActingAgents,
        background: Background,
        *,
        may: Callable[[int, Deed], bool],
    ) -> None:
        self._config = config
        self._sessions = sessions
        self._outbox = outbox
        self._buttons = buttons
        self._agents = agents
        self._background = background
        self._may = may
        self._book = sessions.book
        self.commands: dict[CommandName, Callable[[Chat, str, int], Awaitable[None]]] = {
            "model": partial(self._command, "model"),
            "effort": partial(self._command, "effort"),
            "mode": partial(self._command, "mode"),
            "agent": partial(self._command, "agent"),
        }
        self.presses: dict[str, PressHandler] = {"choose": self._press}

    # --- what a person says ---------------------------------------------------------------------

    async def _command(self, kind: Kind, chat: Chat, argument: str, person: int) -> None:
        session = self._book.find_current(chat) or self._book.create(chat, self._config.project_dir)
        if not argument:
            self._background.run(self._list(kind, session, chat, person))
            return
        # Not in the background: a message that comes next is meant to be run with it.
        offers = [] if kind == "model" else await self._offers(kind, session, person)
        text = self._choose(session, kind, _find_offer(kind, argument, offers))
        self._outbox.say(chat, text)

    async def _list(self, kind: Kind, session: Session, chat: Chat, person: int) -> None:
        offers = await self._offers(kind, session, person)
        key = new_key()
        text = f"{_NAMES[kind]}: {self.describe(session, kind)}"
        listed = [
            f"• {offer.value}: {shorten(offer.description, _DESCRIPTION_LENGTH)}"
            for offer in offers
            if offer.description
        ]
        trail = describe_trail(session.state) if kind == "agent" else ""
        text = "\n".join([text, *([trail] if trail else []), *([""] if listed else []), *listed])
        keyboard = self._keyboard(session, chat, kind, offers, key, person)
        self._outbox.put(Post(key, chat, text, keyboard=keyboard, silent=True))

    async def _press(self, press: Press) -> str:
        """A button of such a list was pressed; the list stays, with the new mark."""
        action, chat = press.action, press.event.chat
        kind: Kind = action["kind"]
        session = self._book.for_id(action["session"])
        key, person = action["post"], press.event.person.user_id
        offers = await self._offers(kind, session, person)
        text = self._choose(session, kind, _find_offer(kind, action["value"], offers))
        session = self._book.for_id(session.session_id)
        keyboard = self._keyboard(session, chat, kind, offers, key, person)
        self._outbox.say(chat, text, keyboard=keyboard, edits=key)
        return ""

    def _keyboard(
        self,
        session: Session,
        chat: Chat,
        kind: Kind,
        offers: list[_Offer],
        key: str,
        person: int,
    ) -> Keyboard:
        base = {"do": "choose", "kind": kind, "session": session.session_id, "post": key}
        made: list[tuple[str, Action]] = [
            (
                f"{'✓ ' if self._is_chosen(session, kind, o) else ''}{o.value}",
                base | {"value": o.value},
            )
            for o in offers
        ]
        rows = [made[n : n + _IN_A_ROW] for n in range(0, len(made), _IN_A_ROW)]
        return self._buttons.issue(chat, rows, person=person)

    # --- what there is, and what is chosen ------------------------------------------------------

    async def catalog_of(self, session: Session) -> Catalog:
        """What Claude Code offers in the session's directory, if that is known to be trusted."""
        return await self._agents.catalog_of(session)

    async def _offers(self, kind: Kind, session: Session, person: int) -> list[_Offer]:
        launcher = self._sessions.launcher
        if kind == "mode":
            with_bypass = launcher.has_bypass(session) and self._may(person, "bypass")
            modes = list_modes(launcher.version, with_bypass=with_bypass)
            return [_Offer(mode, meaning) for mode, meaning in modes.items()]
        if kind == "agent":
            choices = await self._agents.choices(session)
            return [_Offer(found.name, found.description, found.kept) for found in choices]
        catalog = await self.catalog_of(session)
        if kind == "model":
            return [_Offer(model.value, model.description) for model in catalog.models]
        known = catalog.efforts_of(read_choices(session.state).model)
        levels = list_efforts(known, launcher.version)
        return [_Offer(DEFAULT, kept=""), *(_Offer(level) for level in levels)]

    def present(self, session: Session, kind: Kind) -> str:
        """What is chosen now, in the words of the buttons."""
        choices = read_choices(session.state)
        match kind:
            case "model":
                return choices.model or DEFAULT
            case "effort":
                return choices.effort or DEFAULT
            case "agent":
                chosen = str(session.state.get("agent") or "")
                return "auto" if chosen == AUTO else show_agent(chosen)
            case "mode":
                mode = self._sessions.launcher.mode_of(session)
                return DEFAULT if mode == "manual" else mode

    def describe(self, session: Session, kind: Kind) -> str:
        """As `present`, with what is in effect at this moment where that is something else."""
        return self._agents.describe(session) if kind == "agent" else self.present(session, kind)

    def _is_chosen(self, session: Session, kind: Kind, offer: _Offer) -> bool:
        if kind == "agent":
            return offer.kept == (session.state.get("agent") or OWN_AGENT)
        return offer.value == self.present(session, kind)

    def _choose(self, session: Session, kind: Kind, offer: _Offer) -> str:
        """Keep the choice and have it applied; returns what to say."""
        if self._is_chosen(session, kind, offer):
            return f"{_NAMES[kind]}: {offer.value}, as before"
        kept = offer.value if offer.kept is None else offer.kept
        changes: dict[str, Any] = {FIELDS[kind]: kept or None}
        if kept == AUTO:  # who is there stays until a message is for another
            changes["routed"] = {"agent": read_choices(session.state).agent}
        session = self._book.edit_state(session.session_id, **changes)
        runner = self._sessions.find_runner(session.session_id)
        when = self._apply(runner) if is_outdated(session.state) else "from the next message on"
        return f"{_NAMES[kind]}: {offer.value}, {when}"

    def _apply(self, runner: SessionRunner | None) -> str:
        """Have an idle process started again; returns from when on the choice holds."""
        if runner is None or not runner.is_awake:
            return "from the next message on"
        if runner.is_joined:
            return "once it runs here again: now it is open in a terminal of yours"
        status = runner.process.status if runner.process is not None else None
        if status == "shell":
            return "once the command in the background has ended"
        if status == "waiting":
            return "once Claude's question is answered and the turn has ended"
        if runner.is_working:
            return "after this turn"
        runner.begin()
        return "from now on"

    # --- what happens in the terminal -----------------------------------------------------------

    def hear_hook(self, runner: SessionRunner, event: HookEvent) -> None:
        """Take note of the permission mode that the process is in."""
        if not isinstance(event, PromptSubmitted | TurnEnded) or not event.mode:
            return
        if event.session_id != runner.session_id:
            return
        session = self._book.for_id(runner.session_id)
        if is_outdated(session.state) or event.mode == self.present(session, "mode"):
            return
        launcher = self._sessions.launcher
        if event.mode not in list_modes(launcher.version, with_bypass=launcher.has_bypass(session)):
            return
        choices = read_choices(session.state | {FIELDS["mode"]: event.mode})
        self._book.edit_state(
            session.session_id, permission_mode=event.mode, launched=note_launched(choices)
        )

    def hear_event(self, session: Session, event: TranscriptEvent, *, is_news: bool) -> None:
        """The transcript tells nothing that matters here."""

    def hear_status(self, runner: SessionRunner) -> None:
        """Apply what was chosen while the process worked."""
        process = runner.process
        if process is None or process.status != "idle" or runner.has_work or not runner.is_awake:
            return
        if not runner.is_joined and is_outdated(self._book.for_id(runner.session_id).state):
            runner.begin()


def _find_offer(kind: Kind, given: str, offers: list[_Offer]) -> _Offer:
    """What is meant. Raises BridgeError."""
    word = (_WORDS.get(given.lower(), given) if kind == "mode" else given).lower()
    for offer in offers:
        if word in (offer.value.lower(), (offer.kept or offer.value).lower()):
            return offer
    is_open = kind == "model" or (kind == "agent" and not any(map(_is_claudes, offers)))
    if is_open and is_usable(given):
        return _Offer(given.lower() if kind == "model" else given)
    if is_open:
        raise BridgeError(f"“{shorten(given, 40)}” can't be the name of a {kind}.")
    listed = ", ".join(offer.value for offer in offers)
    raise BridgeError(f"There is no {kind} “{shorten(given, 40)}” here. There is: {listed}.")
