"""Everything the bridge is made of, wired by its settings; nothing runs yet."""

from __future__ import annotations

import logging
import subprocess
import uuid
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial

from admission import Admission
from audit import AuditLog
from buttons import Buttons, PressHandler
from channels.telegram import TelegramChannel
from chat_commands import ChatCommands
from chat_messages import ChatMessages
from chat_settings import ChatSettings
from claude_launcher import ClaudeLauncher
from claude_registry import ClaudeRegistry
from core.claude_code import typing_for
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
from people import People
from presses import Presses
from pulse import Background
from quiet_hours import QuietHours
from receipts import Receipts
from screen_picture import ScreenPictures
from screen_view import ScreenView
from service_errors import ServiceErrors
from session import SessionStore
from sessions import Sessions
from state_folder import typing_folder
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
    background: Background
    try_out: Callable[[], Awaitable[str | None]]
    stops: tuple[Callable[[], Awaitable[None]], ...]

    def say(self, chat: Chat, text: str) -> None:
        """One line of our own for a chat."""
        _say(self.outbox, chat, text)


def build_parts(config: Config, environ: Mapping[str, str], redactor: Redactor) -> Parts:
    """The parts. Raises BridgeError."""
    directory = config.bridge_dir
    environment = claude_environment(environ, secrets=[config.telegram_bot_token.reveal()])
    version = _claude_version(config, environment)
    channel = TelegramChannel(config.telegram_bot_token, config.telegram_api_url)
    background = Background()
    buttons = Buttons(directory)
    inbox = Inbox(directory)
    people = People(directory, allowed_users=config.allowed_users)
    outbox = _build_outbox(config, channel, redactor)
    inbox.listeners.append(Receipts(channel, outbox.react).hear_entry)
    say = partial(_say, outbox)
    sessions = _build_sessions(config, environ, environment, version, inbox, outbox)
    keypad = Keypad(sessions, outbox, buttons)
    screens = _build_screens(config, environ, redactor, sessions, outbox, buttons)
    quiet = QuietHours(ChatSettings(directory), outbox, buttons)
    commands = ChatCommands(config, sessions, outbox, buttons, screens, quiet)
    cards = LiveCards(sessions, outbox, buttons, stop=commands.stop, screen=commands.show_screen)
    troubles = Troubles(sessions, inbox, outbox, buttons, background)
    _connect(sessions, outbox, keypad, troubles, quiet)
    changes = FileChanges(sessions.book, outbox, buttons)
    errors = ServiceErrors(sessions, inbox, outbox, buttons, version=version)
    sessions.equips += [changes.equip, errors.equip]
    sessions.observers += [cards, errors]
    features = (keypad, screens, commands, troubles, cards, changes, quiet, errors)
    return Parts(
        channel=channel,
        people=people,
        inbox=inbox,
        outbox=outbox,
        sessions=sessions,
        cards=cards,
        errors=errors,
        admission=Admission(people, config.allowed_groups, AuditLog(directory, redactor), say=say),
        messages=ChatMessages(config, channel, inbox, sessions, commands, say=say),
        presses=Presses(
            buttons,
            channel,
            background,
            handlers=_gather(feature.presses for feature in features),
            prompting={**troubles.prompting_presses, **errors.prompting_presses},
        ),
        background=background,
        try_out=partial(try_out, config, environment, version),
        stops=(
            *(keypad.stop, cards.stop, errors.stop, background.finish),
            *(sessions.stop, outbox.stop, channel.stop),
        ),
    )


def _build_outbox(config: Config, channel: Channel, redactor: Redactor) -> Outbox:
    redact = redactor.redact if config.mask_secrets else str
    return Outbox(config.bridge_dir, {channel.name: channel}, redact=redact)


def _build_screens(
    config: Config,
    environ: Mapping[str, str],
    redactor: Redactor,
    sessions: Sessions,
    outbox: Outbox,
    buttons: Buttons,
) -> ScreenView:
    masking = redactor if config.mask_secrets else None
    pictures = ScreenPictures(redactor=masking, environment=environ)
    return ScreenView(sessions, outbox, buttons, pictures, config.bridge_dir / "screens")


def _connect(
    sessions: Sessions, outbox: Outbox, keypad: Keypad, troubles: Troubles, quiet: QuietHours
) -> None:
    """Who is told what goes wrong, and who is asked."""
    outbox.is_quiet = quiet.is_quiet
    sessions.on_blocked = keypad.notice
    sessions.on_failed = troubles.tell_failed
    sessions.render_left_out = troubles.render_left_out
    outbox.on_unknown = troubles.ask_about


def _gather(presses: Iterable[dict[str, PressHandler]]) -> dict[str, PressHandler]:
    return {word: handler for handlers in presses for word, handler in handlers.items()}


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
