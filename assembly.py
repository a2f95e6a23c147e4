"""Everything the bridge is made of, wired by its settings; nothing runs yet."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from admission import Admission
from base_assembly import Base, build_base
from chat_messages import ChatMessages
from command_menu import CommandMenu
from core.config import Config
from core.errors import BridgeError
from core.model import Chat
from core.ports import Channels
from core.redaction import Redactor
from deliveries import Deliveries
from feature_assembly import Features, Stop, build_features
from fresh_starts import FreshStarts
from handoff import Handoff
from history import Histories
from inbox import Inbox
from live_cards import LiveCards
from outbox import Outbox
from page_desk import PageDesk
from pending_requests import PendingRequests
from people import People
from presses import Presses
from pulse import Background
from receipts import Receipts
from restoration import Restoration
from service_errors import ServiceErrors
from session_files import SessionFiles
from session_listing import SessionListing
from session_worktrees import SessionWorktrees
from sessions import Sessions
from topics import Topics
from version_check import try_out


@dataclass(frozen=True, slots=True)
class Parts:
    """What the hub works with; `stops` ends them, in this order.

    `damage`: what was lost of what chats had chosen, to be told.
    """

    channels: Channels
    broken: Mapping[str, BridgeError]
    people: People
    damage: str | None
    inbox: Inbox
    outbox: Outbox
    sessions: Sessions
    handoff: Handoff
    worktrees: SessionWorktrees
    topics: Topics
    cards: LiveCards
    errors: ServiceErrors
    admission: Admission
    messages: ChatMessages
    fresh_starts: FreshStarts
    restoration: Restoration
    presses: Presses
    requests: PendingRequests
    files: SessionFiles
    histories: Histories
    deliveries: Deliveries
    menu: CommandMenu
    background: Background
    try_out: Callable[[], Awaitable[str | None]]
    note_earlier: Callable[[], Coroutine[Any, Any, None]]
    stops: tuple[Stop, ...]

    def say(self, chat: Chat, text: str) -> None:
        """One line of our own for a chat."""
        _say(self.outbox, chat, text)


def build_parts(config: Config, environ: Mapping[str, str], redactor: Redactor) -> Parts:
    """The parts. Raises BridgeError."""
    base = build_base(config, environ, redactor)
    features = build_features(base)
    _connect(base, features)
    messages = ChatMessages(
        *(config, base.channels, base.inbox, base.sessions, features.commands, features.menu),
        *(features.uploads, base.outbox, features.fresh_starts, features.agents),
        takes_text=(
            *(features.requests.takes_text, features.keypad.takes_text),
            *(features.picking.takes_text, features.projects.picker.takes_text),
        ),
    )
    return Parts(
        channels=base.channels,
        broken=base.broken,
        people=base.people,
        damage=base.settings.damage,
        inbox=base.inbox,
        outbox=base.outbox,
        sessions=base.sessions,
        handoff=features.handoff,
        worktrees=features.projects.worktrees,
        topics=base.topics,
        admission=base.admission,
        messages=messages,
        fresh_starts=features.fresh_starts,
        restoration=features.restoration,
        presses=_build_presses(base, features),
        requests=features.requests,
        cards=features.cards,
        errors=features.errors,
        files=base.files,
        histories=base.histories,
        deliveries=features.deliveries,
        menu=features.menu,
        background=base.background,
        note_earlier=features.history.recorder.note_earlier,
        try_out=partial(try_out, config, base.environment, base.version),
        stops=(
            *features.stops,
            *(base.background.finish, base.sessions.stop, base.outbox.stop),
            *(channel.stop for channel in base.channels.values()),
        ),
    )


def _connect(base: Base, features: Features) -> None:
    """Have what happens told to who deals with it."""
    sessions, troubles, requests = base.sessions, features.troubles, features.requests
    sessions.on_blocked, sessions.on_waiting = features.keypad.notice, features.queue.notice
    sessions.on_asked, sessions.is_asked = requests.ask, requests.covers
    sessions.on_failed = troubles.tell_failed
    sessions.on_interrupted = features.restoration.hear_interrupted
    sessions.on_lost = features.restoration.hear_lost
    sessions.launcher.prepare_place = features.projects.worktrees.put_back
    sessions.on_prepare, sessions.on_not_renewed = features.agents.prepare, features.agents.check
    recorder = features.history.recorder
    sessions.posts.on_read, requests.on_decided = recorder.record, recorder.record_decision
    sessions.posts.on_typed = features.fresh_starts.note_in
    sessions.posts.render_left_out = troubles.render_left_out
    sessions.posts.equips += [features.changes.equip, features.errors.equip]
    sessions.observers += [
        *(requests, features.agents, features.steering, features.queue, features.menu),
        base.topics,
        *(features.cards, features.errors, features.deliveries),
    ]
    base.admission.is_awaited = requests.awaits
    base.outbox.on_unknown, base.outbox.is_quiet = troubles.ask_about, features.quiet.is_quiet
    desk = _build_desk(base)
    for channel in base.channels.values():
        channel.equip(desk)
    receipts = Receipts(base.channels, base.outbox.react)
    base.inbox.listeners += [receipts.hear_entry, features.agents.hear_entry]


def _build_desk(base: Base) -> PageDesk:
    listing = SessionListing(base.sessions, base.finder)
    return PageDesk(base.sessions, listing, base.masks, base.admission.note_action)


def _build_presses(base: Base, features: Features) -> Presses:
    found = [feature.presses for feature in features.with_buttons]
    handlers = {word: do for presses in found for word, do in presses.items()}
    prompting = features.troubles.prompting_presses | features.errors.prompting_presses
    prompting |= features.restoration.prompting_presses
    return Presses(
        *(base.buttons, base.channels, base.background),
        handlers=handlers,
        prompting=prompting,
        may=base.people.may,
        note=base.admission.note_action,
    )


def _say(outbox: Outbox, chat: Chat, text: str) -> None:
    outbox.say(chat, text, silent=False)  # what is told so is mostly why something failed
