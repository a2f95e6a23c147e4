"""Everything the bridge is made of, wired by its settings; nothing runs yet."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from acting_agents import ActingAgents
from admission import Admission
from audit import AuditLog
from buttons import Buttons, PressHandler
from channel_list import open_channels
from chat_commands import ChatCommands, CommandHandler
from chat_messages import ChatMessages
from chat_settings import ChatSettings
from claude_catalog import ClaudeCatalog
from command_menu import CommandMenu
from core.commands import CommandName
from core.config import Config, claude_config_dir, config_path, routing_path
from core.environment import claude_environment
from core.model import Chat
from core.ports import Channels
from core.redaction import Redactor
from core.routing import RULES, parse_rules
from deliveries import Deliveries
from device_commands import DeviceCommands
from devices import Devices
from file_browser import FileBrowser
from file_changes import FileChanges
from fresh_starts import FreshStarts
from handoff import Handoff
from inbox import Inbox
from keypad import Keypad
from live_cards import LiveCards
from outbox import Outbox
from pending_requests import PendingRequests
from people import People
from people_commands import PeopleCommands
from places import Places
from presses import Presses
from pulse import Background
from queue_commands import QueueCommands
from quiet_hours import QuietHours
from receipts import Receipts
from request_book import RequestBook
from request_posts import RequestPosts
from restoration import Restoration
from screen_picture import ScreenPictures
from screen_view import ScreenView
from service_errors import ServiceErrors
from session import Session
from session_assembly import build_sessions, find_version
from session_commands import SessionCommands
from session_files import SessionFiles
from session_finder import SessionFinder
from sessions import Sessions
from shipped_agents import list_shipped
from state_folder import read_settings
from status_report import StatusReport
from steering_commands import SteeringCommands
from topics import Topics
from transcriber import Transcriber
from troubles import Troubles
from uploads import Uploads
from version_check import try_out

log = logging.getLogger(__name__)

Stop = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Parts:
    """What the hub works with; `stops` ends them, in this order."""

    channels: Channels
    people: People
    inbox: Inbox
    outbox: Outbox
    sessions: Sessions
    handoff: Handoff
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
    deliveries: Deliveries
    background: Background
    try_out: Callable[[], Awaitable[str | None]]
    stops: tuple[Stop, ...]

    def say(self, chat: Chat, text: str) -> None:
        """One line of our own for a chat."""
        _say(self.outbox, chat, text)


@dataclass(frozen=True, slots=True)
class _Base:
    """What all features stand on; `masks` hides secrets in what is shown, if they are hidden."""

    config: Config
    environ: Mapping[str, str]
    environment: Mapping[str, str]
    version: tuple[int, ...]
    redactor: Redactor
    masks: Redactor | None
    channels: Channels
    people: People
    background: Background
    buttons: Buttons
    inbox: Inbox
    outbox: Outbox
    files: SessionFiles
    sessions: Sessions
    finder: SessionFinder
    places: Places
    topics: Topics
    admission: Admission
    devices: Devices

    @property
    def directory(self) -> Path:
        return self.config.bridge_dir


class _Feature(Protocol):
    """A part with buttons of its own: what each of them does, by the word in its action."""

    presses: dict[str, PressHandler]


@dataclass(frozen=True, slots=True)
class _Features:
    """What a person can see and do, beyond texts and answers."""

    requests: PendingRequests
    keypad: Keypad
    quiet: QuietHours
    agents: ActingAgents
    steering: SteeringCommands
    queue: QueueCommands
    menu: CommandMenu
    screens: ScreenView
    browser: FileBrowser
    people: PeopleCommands
    devices: DeviceCommands
    picking: SessionCommands
    handoff: Handoff
    commands: ChatCommands
    cards: LiveCards
    troubles: Troubles
    changes: FileChanges
    errors: ServiceErrors
    deliveries: Deliveries
    uploads: Uploads
    fresh_starts: FreshStarts
    restoration: Restoration

    @property
    def with_buttons(self) -> tuple[_Feature, ...]:
        return (
            *(self.requests, self.keypad, self.quiet, self.steering, self.queue, self.screens),
            *(self.browser, self.people, self.devices, self.picking, self.handoff, self.cards),
            *(self.troubles, self.changes, self.errors, self.fresh_starts),
        )

    @property
    def stops(self) -> tuple[Stop, ...]:
        return (
            *(self.uploads.stop, self.deliveries.stop, self.requests.stop, self.keypad.stop),
            *(self.queue.stop, self.cards.stop, self.errors.stop),
        )


def build_parts(config: Config, environ: Mapping[str, str], redactor: Redactor) -> Parts:
    """The parts. Raises BridgeError."""
    base = _build_base(config, environ, redactor)
    features = _build_features(base)
    _connect(base, features)
    messages = ChatMessages(
        *(config, base.channels, base.inbox, base.sessions, features.commands, features.menu),
        *(features.uploads, base.outbox, features.fresh_starts, features.agents),
        takes_text=(
            *(features.requests.takes_text, features.keypad.takes_text),
            features.picking.takes_text,
        ),
    )
    return Parts(
        channels=base.channels,
        people=base.people,
        inbox=base.inbox,
        outbox=base.outbox,
        sessions=base.sessions,
        handoff=features.handoff,
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
        deliveries=features.deliveries,
        background=base.background,
        try_out=partial(try_out, config, base.environment, base.version),
        stops=(
            *features.stops,
            *(base.background.finish, base.sessions.stop, base.outbox.stop),
            *(channel.stop for channel in base.channels.values()),
        ),
    )


def _build_features(base: _Base) -> _Features:
    config, sessions, outbox, buttons = base.config, base.sessions, base.outbox, base.buttons
    requests = _build_requests(base)
    quiet = QuietHours(ChatSettings(base.directory), outbox, buttons)
    agents = _build_agents(base)
    steering, queue, menu = _build_steering(base, agents)
    status = StatusReport(sessions, outbox, steering, describe_quiet=quiet.describe)
    screens, browser = _build_screens(base), _build_browser(base)
    people = PeopleCommands(
        *(base.people, base.channels, base.inbox, sessions, outbox, buttons, base.places),
        release=requests.release,
    )
    others: dict[CommandName, CommandHandler] = {"quiet": quiet.run, "get": browser.get}
    picking = _build_session_commands(base)
    devices = DeviceCommands(config, base.devices, outbox, buttons)
    handoff = _build_handoff(base)
    others |= people.commands | status.commands | menu.commands | steering.commands | queue.commands
    others |= picking.commands | handoff.commands | devices.commands
    commands = ChatCommands(
        config, sessions, outbox, screens, base.topics, others=others, may=base.people.may
    )
    return _Features(
        requests=requests,
        keypad=Keypad(sessions, outbox, buttons, is_asked=requests.covers),
        quiet=quiet,
        agents=agents,
        steering=steering,
        queue=queue,
        menu=menu,
        screens=screens,
        browser=browser,
        people=people,
        devices=devices,
        picking=picking,
        handoff=handoff,
        commands=commands,
        cards=LiveCards(
            *(sessions, outbox, buttons),
            stop=lambda chat, person: queue.commands["stop"](chat, "", person),
            screen=commands.show_screen,
        ),
        troubles=Troubles(sessions, base.inbox, outbox, buttons, base.background),
        changes=FileChanges(sessions.book, outbox, buttons),
        errors=ServiceErrors(sessions, base.inbox, outbox, buttons, version=base.version),
        deliveries=Deliveries(sessions, outbox, base.files),
        uploads=_build_uploads(base),
        fresh_starts=FreshStarts(config.freshness, sessions, base.inbox, outbox, buttons),
        restoration=Restoration(
            *(sessions, base.inbox, outbox, buttons), goes_on=config.resume_on_start
        ),
    )


def _connect(base: _Base, features: _Features) -> None:
    """Have what happens told to who deals with it."""
    sessions, troubles, requests = base.sessions, features.troubles, features.requests
    sessions.on_blocked, sessions.on_waiting = features.keypad.notice, features.queue.notice
    sessions.on_asked, sessions.is_asked = requests.ask, requests.covers
    sessions.on_failed = troubles.tell_failed
    sessions.on_interrupted = features.restoration.hear_interrupted
    sessions.on_lost = features.restoration.hear_lost
    sessions.on_prepare, sessions.on_not_renewed = features.agents.prepare, features.agents.check
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
    receipts = Receipts(base.channels, base.outbox.react)
    base.inbox.listeners += [receipts.hear_entry, features.agents.hear_entry]


def _build_base(config: Config, environ: Mapping[str, str], redactor: Redactor) -> _Base:
    directory = config.bridge_dir
    environment = claude_environment(environ, secrets=[config.telegram_bot_token.reveal()])
    version = find_version(config, environment)
    inbox = Inbox(directory)
    masks = redactor if config.mask_secrets else None
    redact = masks.redact if masks is not None else str
    devices = Devices(directory)
    channels = open_channels(config, devices, redact)
    outbox = Outbox(directory, channels, redact=redact)
    people = People(directory, allowed_users=config.owners)
    audit = AuditLog(directory, redactor)
    files = SessionFiles(config.files_dir)
    sessions = build_sessions(config, environ, environment, version, inbox, outbox, files)
    sessions.launcher.is_trusted = partial(_is_trusted, people)
    admission = Admission(
        *(people, config.allowed_groups, audit),
        put=outbox.put,
        is_session=lambda chat: sessions.book.find_current(chat) is not None,
    )
    background, places = Background(), Places(directory)
    topics = Topics(
        *(channels, places, sessions, outbox, background),
        is_known=admission.is_known,
    )
    sessions.book.listeners.append(topics.touch)
    projects = claude_config_dir(environ) / "projects"
    found = directory / "found_sessions.json"
    return _Base(
        config=config,
        environ=environ,
        environment=environment,
        version=version,
        redactor=redactor,
        masks=masks,
        channels=channels,
        people=people,
        background=background,
        buttons=Buttons(directory),
        inbox=inbox,
        outbox=outbox,
        files=files,
        sessions=sessions,
        finder=SessionFinder(projects, found, redact=redactor.redact),
        places=places,
        topics=topics,
        admission=admission,
        devices=devices,
    )


def _build_requests(base: _Base) -> PendingRequests:
    book = RequestBook(base.directory)
    posts = RequestPosts(book, base.outbox, base.buttons, base.masks)
    return PendingRequests(
        *(base.sessions, book, posts, base.background),
        note=base.admission.note_action,
        may=base.people.may,
        plans=claude_config_dir(base.environ) / "plans",
    )


def _build_agents(base: _Base) -> ActingAgents:
    rules = parse_rules(read_settings(routing_path(base.environ)) or RULES)
    catalog = ClaudeCatalog(base.config.claude_command, base.environment)
    return ActingAgents(
        *(base.sessions, base.inbox, base.outbox, rules, catalog), shipped=list_shipped()
    )


def _build_steering(
    base: _Base, agents: ActingAgents
) -> tuple[SteeringCommands, QueueCommands, CommandMenu]:
    sessions, outbox = base.sessions, base.outbox
    steering = SteeringCommands(
        *(base.config, sessions, outbox, base.buttons, agents, base.background),
        may=base.people.may,
    )
    queue = QueueCommands(sessions, outbox, base.buttons)
    return steering, queue, CommandMenu(base.channels, sessions, outbox, steering, base.background)


def _build_handoff(base: _Base) -> Handoff:
    return Handoff(
        *(base.sessions, base.inbox, base.outbox, base.buttons, base.people),
        *(base.places, base.finder, base.background),
        groups=base.config.allowed_groups,
    )


def _build_session_commands(base: _Base) -> SessionCommands:
    return SessionCommands(
        *(base.config, base.sessions, base.outbox, base.buttons, base.finder, base.background),
        sees_machine=lambda person: base.people.may(person, "machine"),
        redact=base.redactor.redact,
    )


def _build_screens(base: _Base) -> ScreenView:
    pictures = ScreenPictures(redactor=base.masks, environment=base.environ)
    folder = base.directory / "screens"
    return ScreenView(base.sessions, base.outbox, base.buttons, pictures, folder)


def _build_browser(base: _Base) -> FileBrowser:
    config = base.config
    closed = (config.state_dir, config.files_dir, config_path(base.environ).parent)
    return FileBrowser(
        *(base.sessions, base.outbox, base.buttons, base.files, config.project_dir), closed=closed
    )


def _build_presses(base: _Base, features: _Features) -> Presses:
    found = [feature.presses for feature in features.with_buttons]
    handlers = {word: do for presses in found for word, do in presses.items()}
    prompting = features.troubles.prompting_presses | features.errors.prompting_presses
    prompting |= features.restoration.prompting_presses
    return Presses(
        *(base.buttons, base.channels, base.background),
        handlers=handlers,
        prompting=prompting,
        may=base.people.may,
    )


def _build_uploads(base: _Base) -> Uploads:
    config = base.config
    transcriber = Transcriber(
        config.transcribe_command,
        config.whisper_model,
        base.environ,
        secrets=[config.telegram_bot_token.reveal()],
    )
    return Uploads(
        *(base.channels, base.inbox, base.outbox, base.sessions, base.files, transcriber),
        directory=config.project_dir,
        limit_bytes=int(config.upload_megabytes * (1 << 20)),
        is_welcome=lambda person: base.people.may(person, "talk"),
    )


def _is_trusted(people: People, session: Session) -> bool:
    """Whether its chat is an owner's, or a group, where an owner has let everybody in."""
    chat_id = int(session.chat_id)
    return chat_id < 0 or people.may(chat_id, "bypass")


def _say(outbox: Outbox, chat: Chat, text: str) -> None:
    outbox.say(chat, text, silent=False)  # what is told so is mostly why something failed
