"""Everything the bridge is made of, wired by its settings; nothing runs yet."""

from __future__ import annotations

import logging
import subprocess
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial

from admission import Admission
from audit import AuditLog
from buttons import Buttons
from channels.telegram import TelegramChannel
from chat_commands import ChatCommands
from chat_messages import ChatMessages
from claude_catalog import ClaudeCatalog
from claude_launcher import ClaudeLauncher
from claude_registry import ClaudeRegistry
from command_menu import CommandMenu
from core.config import Config, claude_config_dir
from core.environment import claude_environment
from core.hooks import parse_version
from core.model import Chat, Post
from core.ports import Channel
from core.redaction import Redactor
from inbox import Inbox
from keypad import Keypad
from outbox import Outbox
from people import People
from presses import Presses
from pulse import Background
from queue_commands import QueueCommands
from session import SessionStore
from sessions import Sessions
from state_folder import typing_folder
from status_report import StatusReport
from steering_commands import SteeringCommands
from terminal import Terminal
from tmux_control import TmuxControl
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
    token = config.telegram_bot_token
    environment = claude_environment(environ, secrets=[token.reveal()])
    version = _claude_version(config, environment)
    channel = TelegramChannel(token, config.telegram_api_url)
    background = Background()
    buttons = Buttons(directory)
    inbox = Inbox(directory)
    people = People(directory, allowed_users=config.allowed_users)
    redact = redactor.redact if config.mask_secrets else str
    outbox = Outbox(directory, {channel.name: channel}, redact=redact)
    say = partial(_say, outbox)
    sessions = _build_sessions(config, environ, environment, version, inbox, outbox)
    keypad = Keypad(sessions, outbox, buttons)
    catalog = ClaudeCatalog(config.claude_command, environment)
    steering = SteeringCommands(config, sessions, outbox, buttons, catalog, background)
    queue = QueueCommands(sessions, outbox, buttons)
    menu = CommandMenu(channel, sessions, outbox, steering, background)
    others = StatusReport(sessions, outbox, steering).commands | menu.commands
    others |= steering.commands | queue.commands
    commands = ChatCommands(config, sessions, outbox, buttons, others=others)
    troubles = Troubles(sessions, inbox, outbox, buttons, background)
    sessions.on_blocked, sessions.on_waiting = keypad.notice, queue.notice
    sessions.observers += [steering, queue, menu]
    sessions.on_failed = troubles.tell_failed
    sessions.render_left_out = troubles.render_left_out
    outbox.on_unknown = troubles.ask_about
    prompting = troubles.prompting_presses
    silenced = (keypad.stop, queue.stop)
    features = (keypad, commands, steering, queue, troubles)
    handlers = {word: do for feature in features for word, do in feature.presses.items()}
    return Parts(
        channel=channel,
        people=people,
        inbox=inbox,
        outbox=outbox,
        sessions=sessions,
        admission=Admission(people, config.allowed_groups, AuditLog(directory, redactor), say=say),
        messages=ChatMessages(config, channel, inbox, sessions, commands, menu, say=say),
        presses=Presses(buttons, channel, background, handlers=handlers, prompting=prompting),
        background=background,
        try_out=partial(try_out, config, environment, version),
        stops=(*silenced, background.finish, sessions.stop, outbox.stop, channel.stop),
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
        socket=config.tmux_socket, environment=environment, folder=typing_folder(config)
    )
    control.check()
    terminal = Terminal(control)
    claude = claude_config_dir(environ)
    launcher = ClaudeLauncher(
        terminal,
        ClaudeRegistry(claude / "sessions"),
        command=config.claude_command,
        permission_mode=config.permission_mode,
        version=version,
        directory=config.bridge_dir,
        projects=claude / "projects",
        environment=environment,
        allows_bypass=config.allows_bypass,
    )
    return Sessions(
        store=SessionStore(config.state_dir),
        launcher=launcher,
        terminal=terminal,
        inbox=inbox,
        outbox=outbox,
        directory=config.bridge_dir,
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
