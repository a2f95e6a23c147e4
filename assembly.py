"""Everything the bridge is made of, wired by its settings; nothing runs yet."""

from __future__ import annotations

import logging
import subprocess
import uuid
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

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
from core.config import Config, claude_config_dir
from core.environment import claude_environment
from core.hooks import parse_version
from core.model import Chat, Post
from core.ports import Channel
from core.redaction import Redactor
from file_changes import FileChanges
from inbox import Inbox
from keypad import Keypad
from live_cards import LiveCards
from outbox import Outbox
from pending_requests import PendingRequests
from people import People
from presses import Presses
from pulse import Background
from queue_commands import QueueCommands
from quiet_hours import QuietHours
from receipts import Receipts
from request_book import RequestBook
from request_posts import RequestPosts
from screen_picture import ScreenPictures
from screen_view import ScreenView
from service_errors import ServiceErrors
from session import SessionStore
from sessions import Sessions
from state_folder import typing_folder
from status_report import StatusReport
from steering_commands import SteeringCommands
from terminal import Terminal
from tmux_control import TmuxControl
from transcript_keeper import TranscriptKeeper
from troubles import Troubles
from version_check import try_out

log = logging.getLogger(__name__)


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
    background: Background
    try_out: Callable[[], Awaitable[str | None]]
    stops: tuple[Callable[[], Awaitable[None]], ...]

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
    sessions: Sessions
    admission: Admission

    @property
    def directory(self) -> Path:
        return self.config.bridge_dir


class _Feature(Protocol):
    """A part with buttons of its own: what each of them does, by the word in its action."""

    presses: dict[str, PressHandler]


def build_parts(config: Config, environ: Mapping[str, str], redactor: Redactor) -> Parts:
    """The parts. Raises BridgeError."""
    base = _build_base(config, environ, redactor)
    sessions, outbox, buttons, background = (
        *(base.sessions, base.outbox),
        *(base.buttons, base.background),
    )
    requests = _build_requests(base)
    keypad = Keypad(sessions, outbox, buttons, is_asked=requests.covers)
    quiet = QuietHours(ChatSettings(base.directory), outbox, buttons)
    steering, queue, menu = _build_steering(base)
    status = StatusReport(sessions, outbox, steering, describe_quiet=quiet.describe)
    others: dict[CommandName, CommandHandler] = {"quiet": quiet.run}
    others |= status.commands | menu.commands | steering.commands | queue.commands
    screens = _build_screens(base)
    commands = ChatCommands(config, sessions, outbox, buttons, screens, others=others)
    cards = LiveCards(
        *(sessions, outbox, buttons),
        stop=lambda chat, person: queue.commands["stop"](chat, "", person),
        screen=commands.show_screen,
    )
    troubles = Troubles(sessions, base.inbox, outbox, buttons, background)
    changes = FileChanges(sessions.book, outbox, buttons)
    errors = ServiceErrors(sessions, base.inbox, outbox, buttons, version=base.version)
    sessions.on_blocked, sessions.on_waiting = keypad.notice, queue.notice
    sessions.on_asked, sessions.is_asked = requests.ask, requests.covers
    sessions.on_failed = troubles.tell_failed
    sessions.render_left_out = troubles.render_left_out
    sessions.equips += [changes.equip, errors.equip]
    sessions.observers += [requests, steering, queue, menu, cards, errors]
    outbox.on_unknown, outbox.is_quiet = troubles.ask_about, quiet.is_quiet
    base.inbox.listeners.append(Receipts(base.channel, outbox.react).hear_entry)
    messages = ChatMessages(
        *(config, base.channel, base.inbox, sessions, commands, menu),
        takes_text=requests.takes_text,
        say=partial(_say, outbox),
    )
    features = (
        *(keypad, screens, commands, steering, queue),
        *(troubles, requests, cards, changes, quiet, errors),
    )
    prompting = troubles.prompting_presses | errors.prompting_presses
    return Parts(
        channel=base.channel,
        people=base.people,
        inbox=base.inbox,
        outbox=outbox,
        sessions=sessions,
        admission=base.admission,
        messages=messages,
        presses=_build_presses(base, features, prompting),
        requests=requests,
        cards=cards,
        errors=errors,
        background=background,
        try_out=partial(try_out, config, base.environment, base.version),
        stops=(
            *(requests.stop, keypad.stop, queue.stop, cards.stop, errors.stop),
            *(background.finish, sessions.stop, outbox.stop, base.channel.stop),
        ),
    )


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
        sessions=_build_sessions(config, environ, environment, version, inbox, outbox),
        admission=Admission(people, config.allowed_groups, audit, say=partial(_say, outbox)),
    )


def _build_requests(base: _Base) -> PendingRequests:
    book = RequestBook(base.directory)
    posts = RequestPosts(book, base.outbox, base.buttons, base.masks)
    return PendingRequests(
        *(base.sessions, book, posts, base.background),
        note=base.admission.note_action,
        plans=claude_config_dir(base.environ) / "plans",
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


def _build_presses(
    base: _Base, features: Iterable[_Feature], prompting: Mapping[str, PressHandler]
) -> Presses:
    handlers = {word: do for feature in features for word, do in feature.presses.items()}
    return Presses(
        base.buttons, base.channel, base.background, handlers=handlers, prompting=prompting
    )


def _say(outbox: Outbox, chat: Chat, text: str) -> None:
    outbox.put(Post(f"say:{uuid.uuid4()}", chat, text))


def _build_sessions(
    config: Config,
    environ: Mapping[str, str],
    environment: Mapping[str, str],
    version: tuple[int, ...],
    inbox: Inbox,
    outbox: Outbox,
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
