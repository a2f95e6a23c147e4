"""What a person can see and do, beyond texts and answers: every feature, wired."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from acting_agents import ActingAgents
from base_assembly import Base
from buttons import PressHandler
from channel_list import read_arrival
from chat_commands import ChatCommands, CommandHandler
from claude_catalog import ClaudeCatalog
from command_menu import CommandMenu
from core.commands import CommandName
from core.config import claude_config_dir, config_path, routing_path
from core.routing import RULES, parse_rules
from deliveries import Deliveries
from device_commands import DeviceCommands
from file_browser import FileBrowser
from file_changes import FileChanges
from forgetting import Forgetting
from fresh_starts import FreshStarts
from git_worktrees import GitWorktrees
from handoff import Handoff
from history_pages import HistoryPages
from history_recorder import HistoryRecorder
from keypad import Keypad
from live_cards import LiveCards
from new_sessions import NewSessions
from pending_requests import PendingRequests
from people_commands import PeopleCommands
from privacy import Privacy
from project_picker import ProjectPicker
from queue_commands import QueueCommands
from quiet_hours import QuietHours
from request_book import RequestBook
from request_posts import RequestPosts
from restoration import Restoration
from screen_picture import ScreenPictures
from screen_view import ScreenView
from service_errors import ServiceErrors
from session_commands import SessionCommands
from session_worktrees import SessionWorktrees
from shipped_agents import list_shipped
from state_folder import read_settings
from status_report import StatusReport
from steering_commands import SteeringCommands
from transcriber import Transcriber
from troubles import Troubles
from uploads import Uploads

Stop = Callable[[], Awaitable[None]]


class _Commanded(Protocol):
    """A part with commands of its own: what each of them does, by its name."""

    commands: dict[CommandName, CommandHandler]


class Feature(Protocol):
    """A part with buttons of its own: what each of them does, by the word in its action."""

    presses: dict[str, PressHandler]


@dataclass(frozen=True, slots=True)
class HistoryFeatures:
    """What has to do with what was said before."""

    recorder: HistoryRecorder
    pages: HistoryPages
    forgetting: Forgetting
    privacy: Privacy

    @property
    def with_buttons(self) -> tuple[HistoryPages, Forgetting, Privacy]:
        return self.pages, self.forgetting, self.privacy


@dataclass(frozen=True, slots=True)
class ProjectFeatures:
    """What has to do with where sessions work."""

    new: NewSessions
    picker: ProjectPicker
    worktrees: SessionWorktrees


@dataclass(frozen=True, slots=True)
class Features:
    """What a person can see and do, beyond texts and answers."""

    requests: PendingRequests
    keypad: Keypad
    quiet: QuietHours
    agents: ActingAgents
    history: HistoryFeatures
    steering: SteeringCommands
    queue: QueueCommands
    menu: CommandMenu
    screens: ScreenView
    browser: FileBrowser
    people: PeopleCommands
    devices: DeviceCommands
    projects: ProjectFeatures
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
    def with_buttons(self) -> tuple[Feature, ...]:
        return (
            *(self.requests, self.keypad, self.quiet, self.steering, self.queue, self.screens),
            *(self.browser, self.people, self.devices, self.picking, self.handoff, self.cards),
            *(self.troubles, self.changes, self.errors, self.fresh_starts),
            *self.history.with_buttons,
            *(self.projects.picker, self.projects.worktrees),
        )

    @property
    def stops(self) -> tuple[Stop, ...]:
        return (
            *(self.uploads.stop, self.deliveries.stop, self.requests.stop, self.keypad.stop),
            *(self.queue.stop, self.cards.stop, self.errors.stop),
        )


def build_features(base: Base) -> Features:
    """The features. Raises BridgeError."""
    config, sessions, outbox, buttons = base.config, base.sessions, base.outbox, base.buttons
    book = RequestBook(base.directory)
    history = _build_history(base, book)
    requests, agents = _build_requests(base, book), _build_agents(base)
    quiet = QuietHours(base.settings, outbox, buttons)
    steering, queue, menu = _build_steering(base, agents)
    status = StatusReport(sessions, outbox, steering, describe_quiet=quiet.describe)
    screens, browser = _build_screens(base), _build_browser(base)
    people, devices = _build_people(base, requests)
    projects = _build_projects(base, history.forgetting)
    picking, handoff = _build_session_commands(base, projects.worktrees), _build_handoff(base)
    others = _collect_commands(
        *(quiet, browser, people, devices, status, menu, steering, queue, picking, handoff),
        *history.with_buttons,
    )
    begin, may = {**projects.new.begin, **picking.begin}, base.people.may
    commands = ChatCommands(sessions, outbox, screens, others=others, begin=begin, may=may)
    common = sessions, base.inbox, outbox, buttons
    return Features(
        requests=requests,
        keypad=Keypad(sessions, outbox, buttons, is_asked=requests.covers),
        quiet=quiet,
        agents=agents,
        history=history,
        steering=steering,
        queue=queue,
        menu=menu,
        screens=screens,
        browser=browser,
        people=people,
        devices=devices,
        projects=projects,
        picking=picking,
        handoff=handoff,
        commands=commands,
        cards=_build_cards(base, queue, commands),
        troubles=Troubles(*common, base.background, may=base.people.may),
        changes=FileChanges(sessions.book, outbox, buttons),
        errors=ServiceErrors(*common, version=base.version, may=base.people.may),
        deliveries=Deliveries(sessions, outbox, base.files),
        uploads=_build_uploads(base),
        fresh_starts=FreshStarts(config.freshness, sessions, base.inbox, outbox, buttons),
        restoration=Restoration(*common, goes_on=config.resume_on_start),
    )


def _collect_commands(*parts: _Commanded) -> dict[CommandName, CommandHandler]:
    return {name: do for part in parts for name, do in part.commands.items()}


def _build_history(base: Base, book: RequestBook) -> HistoryFeatures:
    sessions, outbox, buttons = base.sessions, base.outbox, base.buttons
    recorder = HistoryRecorder(
        *(base.histories, sessions.book, base.inbox),
        parse=partial(read_arrival, base.channels),
        is_private=base.settings.is_private,
    )
    recorder.catch_up(book)
    pages = HistoryPages(
        *(sessions, base.histories, base.files, outbox, buttons),
        sees_all=base.people.sees_machine,
    )
    forgetting = Forgetting(
        *(sessions, base.histories, base.files, book, base.inbox, outbox, buttons),
        claude=claude_config_dir(base.environ),
    )
    return HistoryFeatures(recorder, pages, forgetting, Privacy(base.settings, outbox, buttons))


def _build_people(base: Base, requests: PendingRequests) -> tuple[PeopleCommands, DeviceCommands]:
    people = PeopleCommands(
        *(base.people, base.channels, base.inbox, base.sessions, base.outbox, base.buttons),
        base.places,
        release=requests.release,
    )
    return people, DeviceCommands(base.config, base.devices, base.outbox, base.buttons)


def _build_requests(base: Base, book: RequestBook) -> PendingRequests:
    posts = RequestPosts(book, base.outbox, base.buttons, base.masks)
    return PendingRequests(
        *(base.sessions, book, posts, base.background),
        note=base.admission.note_action,
        may=base.people.may,
        plans=claude_config_dir(base.environ) / "plans",
        redact=base.redactor.redact,
    )


def _build_agents(base: Base) -> ActingAgents:
    rules = parse_rules(read_settings(routing_path(base.environ)) or RULES)
    catalog = ClaudeCatalog(base.config.claude_command, base.environment)
    return ActingAgents(
        *(base.sessions, base.inbox, base.outbox, rules, catalog), shipped=list_shipped()
    )


def _build_steering(
    base: Base, agents: ActingAgents
) -> tuple[SteeringCommands, QueueCommands, CommandMenu]:
    sessions, outbox = base.sessions, base.outbox
    steering = SteeringCommands(
        *(base.config, sessions, outbox, base.buttons, agents, base.background),
        may=base.people.may,
    )
    queue = QueueCommands(sessions, outbox, base.buttons)
    return steering, queue, CommandMenu(base.channels, sessions, outbox, steering, base.background)


def _build_cards(base: Base, queue: QueueCommands, commands: ChatCommands) -> LiveCards:
    return LiveCards(
        *(base.sessions, base.outbox, base.buttons),
        stop=lambda chat, person: queue.commands["stop"](chat, "", person),
        screen=commands.show_screen,
        redact=base.masks.redact_unfinished if base.masks else str,
    )


def _build_handoff(base: Base) -> Handoff:
    return Handoff(
        *(base.sessions, base.inbox, base.outbox, base.buttons, base.people),
        *(base.places, base.finder, base.background),
        groups=base.config.allowed_groups,
        make_topic=base.topics.make,
        link_to=lambda chat: base.channels[chat.channel].link_to(chat),
    )


def _build_projects(base: Base, forgetting: Forgetting) -> ProjectFeatures:
    sessions, outbox, buttons = base.sessions, base.outbox, base.buttons
    git = GitWorktrees(base.environ)
    new = NewSessions(
        *(base.config, sessions, base.inbox, outbox, buttons, base.topics, git),
        base.background,
        forget=forgetting.forget,
        may=base.people.may,
    )
    picker = ProjectPicker(
        *(base.config.roots, new, sessions.book, outbox, buttons, base.settings),
        home=base.environ.get("HOME", ""),
        closed=_closed(base),
    )
    worktrees = SessionWorktrees(sessions, outbox, buttons, git, base.background)
    return ProjectFeatures(new, picker, worktrees)


def _build_session_commands(base: Base, worktrees: SessionWorktrees) -> SessionCommands:
    return SessionCommands(
        *(base.config, base.sessions, base.inbox, base.outbox, base.buttons, base.finder),
        *(base.background, worktrees),
        may=base.people.may,
        sees_machine=base.people.sees_machine,
        redact=base.redactor.redact,
    )


def _build_screens(base: Base) -> ScreenView:
    pictures = ScreenPictures(redactor=base.masks, environment=base.environ)
    folder = base.directory / "screens"
    return ScreenView(base.sessions, base.outbox, base.buttons, pictures, folder)


def _build_browser(base: Base) -> FileBrowser:
    directory = base.config.project_dir
    return FileBrowser(
        *(base.sessions, base.outbox, base.buttons, base.files, directory), closed=_closed(base)
    )


def _closed(base: Base) -> tuple[Path, ...]:
    """The bridge's own folders, which hold secrets."""
    return (base.config.state_dir, base.config.files_dir, config_path(base.environ).parent)


def _build_uploads(base: Base) -> Uploads:
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
