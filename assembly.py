"""Everything the bridge is made of, wired by its settings; nothing runs yet."""

from __future__ import annotations

import logging
import subprocess
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from admission import Admission
from audit import AuditLog
from buttons import Buttons, PressHandler
from channels.telegram import TelegramChannel
from chat_commands import ChatCommands, CommandHandler
from chat_messages import ChatMessages
from chat_settings import ChatSettings
from claude_catalog import ClaudeCatalog
from claude_launcher import ClaudeLauncher
from claude_registry import ClaudeRegistry
from command_menu import CommandMenu
from core.claude_code import typing_for
from core.commands import CommandName
from core.config import Config, claude_config_dir, config_path
from core.environment import claude_environment
from core.hooks import parse_version
from core.model import Chat
from core.ports import Channel
from core.redaction import Redactor
from deliveries import Deliveries
from file_browser import FileBrowser
from file_changes import FileChanges
from forgetting import Forgetting
from history import Histories
from history_pages import HistoryPages
from history_recorder import HistoryRecorder
from inbox import Inbox
from keypad import Keypad
from live_cards import LiveCards
from outbox import Outbox
from pending_requests import PendingRequests
from people import People
from presses import Presses
from privacy import Privacy
from pulse import Background
from queue_commands import QueueCommands
from quiet_hours import QuietHours
from receipts import Receipts
from replay import Replays
from request_book import RequestBook
from request_posts import RequestPosts
from screen_picture import ScreenPictures
from screen_view import ScreenView
from service_errors import ServiceErrors
from session import SessionStore
from session_files import SessionFiles
from sessions import Sessions
from state_folder import typing_folder
from status_report import StatusReport
from steering_commands import SteeringCommands
from terminal import Terminal
from tmux_control import TmuxControl
from transcriber import Transcriber
from transcript_keeper import TranscriptKeeper
from troubles import Troubles
from uploads import Uploads
from version_check import try_out

log = logging.getLogger(__name__)

Stop = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Parts:
    """What the hub works with; `stops` ends them, in this order."""

    channel: Channel
    people: People
    inbox: Inbox
    outbox: Outbox
    sessions: Sessions
    cards: LiveCards
    errors: ServiceErrors
    admission: Admission
    messages: ChatMessages
    presses: Presses
    requests: PendingRequests
    files: SessionFiles
    histories: Histories
    deliveries: Deliveries
    background: Background
    try_out: Callable[[], Awaitable[str | None]]
    note_earlier: Callable[[], Coroutine[Any, Any, None]]
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
    channel: Channel
    people: People
    background: Background
    buttons: Buttons
    inbox: Inbox
    outbox: Outbox
    files: SessionFiles
    histories: Histories
    settings: ChatSettings
    sessions: Sessions
    admission: Admission

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
    privacy: Privacy
    recorder: HistoryRecorder
    pages: HistoryPages
    forgetting: Forgetting
    steering: SteeringCommands
    queue: QueueCommands
    menu: CommandMenu
    screens: ScreenView
    browser: FileBrowser
    commands: ChatCommands
    cards: LiveCards
    troubles: Troubles
    changes: FileChanges
    errors: ServiceErrors
    deliveries: Deliveries
    uploads: Uploads

    @property
    def with_buttons(self) -> tuple[_Feature, ...]:
        return (
            *(self.requests, self.keypad, self.quiet, self.steering, self.queue, self.screens),
            *(self.browser, self.commands, self.cards, self.troubles, self.changes, self.errors),
            *(self.privacy, self.pages, self.forgetting),
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
        *(config, base.channel, base.inbox, base.sessions, features.commands, features.menu),
        features.uploads,
        takes_text=(features.requests.takes_text, features.keypad.takes_text),
        say=partial(_say, base.outbox),
    )
    return Parts(
        channel=base.channel,
        people=base.people,
        inbox=base.inbox,
        outbox=base.outbox,
        sessions=base.sessions,
        admission=base.admission,
        messages=messages,
        presses=_build_presses(base, features),
        requests=features.requests,
        cards=features.cards,
        errors=features.errors,
        files=base.files,
        histories=base.histories,
        deliveries=features.deliveries,
        background=base.background,
        note_earlier=features.recorder.note_earlier,
        try_out=partial(try_out, config, base.environment, base.version),
        stops=(
            *features.stops,
            *(base.background.finish, base.sessions.stop, base.outbox.stop, base.channel.stop),
        ),
    )


def _build_features(base: _Base) -> _Features:
    config, sessions, outbox, buttons = base.config, base.sessions, base.outbox, base.buttons
    book = RequestBook(base.directory)
    recorder = _build_recorder(base)
    recorder.catch_up(book)
    requests = _build_requests(base, book)
    pages, forgetting = _build_history(base, book)
    quiet = QuietHours(base.settings, outbox, buttons)
    privacy = Privacy(base.settings, outbox, buttons)
    steering, queue, menu = _build_steering(base)
    status = StatusReport(sessions, outbox, steering, describe_quiet=quiet.describe)
    screens, browser = _build_screens(base), _build_browser(base)
    others: dict[CommandName, CommandHandler] = {"quiet": quiet.run, "get": browser.get}
    others["privacy"] = privacy.run
    others |= pages.commands | forgetting.commands
    others |= status.commands | menu.commands | steering.commands | queue.commands
    commands = ChatCommands(config, sessions, outbox, buttons, screens, others=others)
    return _Features(
        requests=requests,
        keypad=Keypad(sessions, outbox, buttons, is_asked=requests.covers),
        quiet=quiet,
        privacy=privacy,
        recorder=recorder,
        pages=pages,
        forgetting=forgetting,
        steering=steering,
        queue=queue,
        menu=menu,
        screens=screens,
        browser=browser,
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
    )


def _connect(base: _Base, features: _Features) -> None:
    """Have what happens told to who deals with it."""
    sessions, troubles, requests = base.sessions, features.troubles, features.requests
    sessions.on_blocked, sessions.on_waiting = features.keypad.notice, features.queue.notice
    sessions.on_asked, sessions.is_asked = requests.ask, requests.covers
    sessions.on_failed = troubles.tell_failed
    recorder = features.recorder
    sessions.on_read, requests.on_decided = recorder.record, recorder.record_decision
    sessions.render_left_out = troubles.render_left_out
    sessions.equips += [features.changes.equip, features.errors.equip]
    sessions.observers += [
        *(requests, features.steering, features.queue, features.menu),
        *(features.cards, features.errors, features.deliveries),
    ]
    base.outbox.on_unknown, base.outbox.is_quiet = troubles.ask_about, features.quiet.is_quiet
    base.inbox.listeners.append(Receipts(base.channel, base.outbox.react).hear_entry)


def _build_base(config: Config, environ: Mapping[str, str], redactor: Redactor) -> _Base:
    directory = config.bridge_dir
    environment = claude_environment(environ, secrets=[config.telegram_bot_token.reveal()])
    version = _claude_version(config, environment)
    channel = TelegramChannel(config.telegram_bot_token, config.telegram_api_url)
    inbox = Inbox(directory)
    masks = redactor if config.mask_secrets else None
    redact = masks.redact if masks is not None else str
    outbox = Outbox(directory, {channel.name: channel}, redact=redact)
    people = People(directory, allowed_users=config.allowed_users)
    audit = AuditLog(directory, redactor)
    files = SessionFiles(config.files_dir)
    histories = Histories(directory / "histories", redact=redactor.redact)
    replays = Replays(histories, files)
    return _Base(
        config=config,
        environ=environ,
        environment=environment,
        version=version,
        redactor=redactor,
        masks=masks,
        channel=channel,
        people=people,
        background=Background(),
        buttons=Buttons(directory),
        inbox=inbox,
        outbox=outbox,
        files=files,
        histories=histories,
        settings=ChatSettings(directory),
        sessions=_build_sessions(
            *(config, environ, environment, version, inbox, outbox, files, replays)
        ),
        admission=Admission(people, config.allowed_groups, audit, say=partial(_say, outbox)),
    )


def _build_history(base: _Base, book: RequestBook) -> tuple[HistoryPages, Forgetting]:
    sessions, outbox, buttons = base.sessions, base.outbox, base.buttons
    people = base.people
    pages = HistoryPages(
        *(sessions, base.histories, base.files, outbox, buttons),
        sees_all=lambda person: person == people.owner,
    )
    forgetting = Forgetting(
        *(sessions, base.histories, base.files, book, base.inbox, outbox, buttons),
        claude=claude_config_dir(base.environ),
    )
    return pages, forgetting


def _build_requests(base: _Base, book: RequestBook) -> PendingRequests:
    posts = RequestPosts(book, base.outbox, base.buttons, base.masks)
    return PendingRequests(
        *(base.sessions, book, posts, base.background),
        note=base.admission.note_action,
        plans=claude_config_dir(base.environ) / "plans",
    )


def _build_recorder(base: _Base) -> HistoryRecorder:
    return HistoryRecorder(
        *(base.histories, base.sessions.book, base.inbox),
        parse=base.channel.parse,
        is_private=base.settings.is_private,
    )


def _build_steering(base: _Base) -> tuple[SteeringCommands, QueueCommands, CommandMenu]:
    sessions, outbox = base.sessions, base.outbox
    catalog = ClaudeCatalog(base.config.claude_command, base.environment)
    steering = SteeringCommands(
        *(base.config, sessions, outbox, base.buttons, catalog, base.background)
    )
    queue = QueueCommands(sessions, outbox, base.buttons)
    return steering, queue, CommandMenu(base.channel, sessions, outbox, steering, base.background)


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
    return Presses(
        base.buttons, base.channel, base.background, handlers=handlers, prompting=prompting
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
        *(base.channel, base.inbox, base.outbox, base.sessions, base.files, transcriber),
        directory=config.project_dir,
        limit_bytes=int(config.upload_megabytes * (1 << 20)),
    )


def _say(outbox: Outbox, chat: Chat, text: str) -> None:
    outbox.say(chat, text, silent=False)  # what is told so is mostly why something failed


def _build_sessions(
    config: Config,
    environ: Mapping[str, str],
    environment: Mapping[str, str],
    version: tuple[int, ...],
    inbox: Inbox,
    outbox: Outbox,
    files: SessionFiles,
    replays: Replays,
) -> Sessions:
    control = TmuxControl(
        socket=config.tmux_socket,
        environment=environment,
        folder=typing_folder(config),
        typing=typing_for(version),
    )
    control.check()
    terminal = Terminal(control)
    claude = claude_config_dir(environ)
    keeper = TranscriptKeeper(config.bridge_dir / "transcripts")
    launcher = ClaudeLauncher(
        terminal,
        ClaudeRegistry(claude / "sessions"),
        command=config.claude_command,
        permission_mode=config.permission_mode,
        version=version,
        directory=config.bridge_dir,
        projects=claude / "projects",
        environment=environment,
        keeper=keeper,
        allows_bypass=config.allows_bypass,
        files=files,
        replays=replays,
    )
    return Sessions(
        store=SessionStore(config.state_dir),
        launcher=launcher,
        terminal=terminal,
        inbox=inbox,
        outbox=outbox,
        directory=config.bridge_dir,
        keeper=keeper,
        idle_seconds=config.idle_minutes * 60,
    )


def _claude_version(config: Config, environment: Mapping[str, str]) -> tuple[int, ...]:
    """The installed version; () when it can't be had, which the first message will tell."""
    try:
        said = subprocess.run(
            [*config.claude_command, "--version"],
            env=dict(environment),
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=20,
            check=False,
        ).stdout
    except (OSError, subprocess.TimeoutExpired) as error:
        log.warning("claude --version did not work: %s", error)
        return ()
    return parse_version(said)
