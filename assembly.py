"""Everything the bridge is made of, wired by its settings; nothing runs yet."""

from __future__ import annotations

import logging
import subprocess
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from admission import Admission
from audit import AuditLog
from buttons import Buttons
from channels.telegram import TelegramChannel
from chat_commands import ChatCommands, CommandHandler
from chat_messages import ChatMessages
from claude_launcher import ClaudeLauncher
from claude_registry import ClaudeRegistry
from core.claude_code import typing_for
from core.commands import CommandName
from core.config import Config, claude_config_dir, config_path
from core.environment import claude_environment
from core.hooks import parse_version
from core.model import Chat, Post
from core.ports import Channel
from core.redaction import Redactor
from deliveries import Deliveries
from file_browser import FileBrowser
from inbox import Inbox
from keypad import Keypad
from outbox import Outbox
from people import People
from presses import Presses
from pulse import Background
from screen_picture import ScreenPictures
from screen_view import ScreenView
from session import SessionStore
from session_files import SessionFiles
from sessions import SessionObserver, Sessions
from state_folder import typing_folder
from terminal import Terminal
from tmux_control import TmuxControl
from transcriber import Transcriber
from transcript_keeper import TranscriptKeeper
from troubles import Troubles
from uploads import Uploads
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
    admission: Admission
    messages: ChatMessages
    presses: Presses
    files: SessionFiles
    deliveries: Deliveries
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
    redact = redactor.redact if config.mask_secrets else str
    outbox = Outbox(directory, {channel.name: channel}, redact=redact)
    say = partial(_say, outbox)
    admission = Admission(people, config.allowed_groups, AuditLog(directory, redactor), say=say)
    files = SessionFiles(config.files_dir)
    sessions = _build_sessions(config, environ, environment, version, inbox, outbox, files)
    keypad = Keypad(sessions, outbox, buttons)
    masks = redactor if config.mask_secrets else None
    pictures = ScreenPictures(redactor=masks, environment=environ)
    screens = ScreenView(sessions, outbox, buttons, pictures, directory / "screens")
    closed = (config.state_dir, config.files_dir, config_path(environ).parent)
    browser = FileBrowser(sessions, outbox, buttons, files, config.project_dir, closed=closed)
    others: dict[CommandName, CommandHandler] = {"get": browser.get}
    commands = ChatCommands(config, sessions, outbox, buttons, screens, others=others)
    deliveries = Deliveries(sessions, outbox, files)
    uploads = _build_uploads(config, environ, channel, inbox, outbox, sessions, files)
    troubles = Troubles(sessions, inbox, outbox, buttons, background)
    _connect(sessions, outbox, keypad, troubles, [deliveries])
    features = (keypad, commands, screens, browser, troubles)
    handlers = {word: do for feature in features for word, do in feature.presses.items()}
    return Parts(
        channel=channel,
        people=people,
        inbox=inbox,
        outbox=outbox,
        sessions=sessions,
        admission=admission,
        messages=ChatMessages(config, channel, inbox, sessions, commands, uploads, say=say),
        presses=Presses(
            buttons, channel, background, handlers=handlers, prompting=troubles.prompting_presses
        ),
        files=files,
        deliveries=deliveries,
        background=background,
        try_out=partial(try_out, config, environment, version),
        stops=(
            *(uploads.stop, deliveries.stop, keypad.stop, background.finish),
            *(sessions.stop, outbox.stop, channel.stop),
        ),
    )


def _connect(
    sessions: Sessions,
    outbox: Outbox,
    keypad: Keypad,
    troubles: Troubles,
    observers: Sequence[SessionObserver],
) -> None:
    """Have what happens told to who deals with it."""
    sessions.observers += observers
    sessions.on_blocked = keypad.notice
    sessions.on_failed = troubles.tell_failed
    sessions.render_left_out = troubles.render_left_out
    outbox.on_unknown = troubles.ask_about


def _say(outbox: Outbox, chat: Chat, text: str) -> None:
    outbox.put(Post(f"say:{uuid.uuid4()}", chat, text))


def _build_uploads(
    config: Config,
    environ: Mapping[str, str],
    channel: Channel,
    inbox: Inbox,
    outbox: Outbox,
    sessions: Sessions,
    files: SessionFiles,
) -> Uploads:
    transcriber = Transcriber(
        config.transcribe_command,
        config.whisper_model,
        environ,
        secrets=[config.telegram_bot_token.reveal()],
    )
    return Uploads(
        channel,
        inbox,
        outbox,
        sessions,
        files,
        transcriber,
        directory=config.project_dir,
        limit_bytes=int(config.upload_megabytes * (1 << 20)),
    )


def _build_sessions(
    config: Config,
    environ: Mapping[str, str],
    environment: Mapping[str, str],
    version: tuple[int, ...],
    inbox: Inbox,
    outbox: Outbox,
    files: SessionFiles,
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
        files=files,
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
