"""The hub: what chats send goes to Claude Code, what Claude Code does goes to the chats.

    .venv/bin/python bridge.py                    run it in the foreground
    .venv/bin/python bridge.py doctor [--fix]     see what is wrong, and mend what is safe

* An update is handled from the durable inbox, in order; one that can't be handled is set aside,
  told to the owner, and the next one goes on.
* Everybody is checked, with every update and every press; whoever may not gets no answer.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack
from functools import partial
from typing import Any

import msgspec

import doctor
from audit import AuditLog, name_action
from buttons import Action, Buttons
from channels.telegram import TelegramChannel
from chat_commands import ChatCommands
from claude_launcher import ClaudeLauncher
from claude_registry import ClaudeRegistry
from core.claude_code import typing_for
from core.commands import TABLE, Command, parse_command
from core.config import Config, claude_config_dir, config_path, load_config
from core.conversation import quote
from core.delivery import Prompt
from core.environment import claude_environment
from core.errors import AlreadyRunningError, BridgeError, ConfigError, StoreError, StoreWriteError
from core.hooks import parse_version
from core.keystrokes import prepare_prompt
from core.model import ButtonPressed, Chat, Incoming, KindNotHandled, Post, TextEdited, TextSent
from core.redaction import Redactor
from durable import replace_file
from inbox import Arrival, Entry, Inbox
from keypad import Keypad
from logs import set_up_logs
from outbox import Outbox
from people import People
from pulse import run_regularly
from receiving import keep_receiving
from session import SessionStore
from sessions import Sessions, awake_ids
from state_folder import claimed, read_settings, typing_folder
from terminal import Terminal
from tmux_control import TmuxControl
from troubles import Troubles
from version_check import try_out

log = logging.getLogger("bridge")

_TYPING_SECONDS = 4.0
_TICK_SECONDS = 1.5
_DISK_SECONDS = 5.0
_DAY_SECONDS = 86_400.0
_WRONG_SETTING = 2
_ALREADY_RUNNING = 75


class Hub:
    """One channel, and the sessions of its chats."""

    def __init__(
        self,
        config: Config,
        channel: TelegramChannel,
        *,
        people: People,
        inbox: Inbox,
        outbox: Outbox,
        sessions: Sessions,
        buttons: Buttons,
        keypad: Keypad,
        commands: ChatCommands,
        troubles: Troubles,
        audit: AuditLog,
        try_out: Callable[[], Awaitable[str | None]],
    ) -> None:
        self._config = config
        self._channel = channel
        self._people = people
        self._inbox = inbox
        self._outbox = outbox
        self._sessions = sessions
        self._buttons = buttons
        self._keypad = keypad
        self._commands = commands
        self._troubles = troubles
        self._audit = audit
        self._try_out = try_out
        self._arrived: asyncio.Queue[Entry] = asyncio.Queue()
        self._spawned: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Work until cancelled. Raises ChannelRefusedError."""
        await self._sessions.adopt_terminals()
        for entry in self._inbox.pending():
            if entry.session_id:
                self._restore(entry)
        await self._sessions.start()
        await self._channel.start([entry for entry in TABLE if entry.is_in_menu])
        for entry in self._inbox.pending():
            if not entry.session_id:
                await self._handle(entry)
        self._outbox.start()
        self._spawn(self._tell_of_version())
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(keep_receiving(self._channel, self._take))
            tasks.create_task(self._handle_arrivals())
            tasks.create_task(run_regularly(self._sessions.tick, _TICK_SECONDS))
            tasks.create_task(run_regularly(self._show_typing, _TYPING_SECONDS))
            tasks.create_task(run_regularly(self._clean_up, _DAY_SECONDS, at_once=True))

    async def _tell_of_version(self) -> None:
        """Tell who looks after the bridge how an untested Claude Code does."""
        try:
            told = await self._try_out()
        except BridgeError as error:
            told = f"This Claude Code was not tested, and could not be tried out: {error}"
        if told is not None:
            self._tell_owner(f"version:{told}", told)

    def _restore(self, entry: Entry) -> None:
        """Go on with a prompt; one whose session can't be read waits for a better day."""
        try:
            self._sessions.restore(entry)
        except StoreError as error:
            log.error("a prompt waits, its session can't be used: %s", error)

    async def stop(self) -> None:
        """Let go of everything; Claude runs on in its terminals."""
        await self._keypad.stop()
        await self._troubles.stop()
        await self._sessions.stop()
        await self._outbox.stop()
        await self._channel.stop()
        self._inbox.close()

    def _take(self, updates: list[tuple[str, dict[str, Any]]]) -> None:
        name = self._channel.name
        for entry in self._inbox.receive(Arrival(key, name, raw) for key, raw in updates):
            self._arrived.put_nowait(entry)

    async def _handle_arrivals(self) -> None:
        while True:
            await self._handle(await self._arrived.get())

    async def _handle(self, entry: Entry) -> None:
        """Handle one update to its end; a full disk holds it up, and nothing else does."""
        while True:
            try:
                await self._try_to_handle(entry)
                return
            except StoreWriteError as error:
                log.error("an update waits until it can be noted down: %s", error)
                await asyncio.sleep(_DISK_SECONDS)

    async def _try_to_handle(self, entry: Entry) -> None:
        try:
            incoming = self._channel.parse(entry.arrival.raw)
            is_done = incoming is None or await self._dispatch(entry, incoming)
        except StoreWriteError:
            raise
        except Exception:
            log.exception("an update could not be handled: %s", entry.key)
            self._set_aside(entry)
            is_done = True
        if is_done:
            self._inbox.finish(entry.key, "handled")

    async def _dispatch(self, entry: Entry, incoming: Incoming) -> bool:
        """Handle it; False when its end will be told by its session's runner."""
        if not self._is_allowed(incoming):
            self._refuse(incoming)
            return True
        self._note(incoming, "accepted")
        try:
            match incoming:
                case TextSent():
                    return await self._handle_text(entry, incoming)
                case ButtonPressed():
                    return await self._handle_press(entry, incoming)
                case TextEdited():
                    self._handle_edit(incoming)
                case KindNotHandled():
                    text = f"I can't take a {incoming.kind} yet; send text."
                    self._say(incoming.chat, text)
        except StoreWriteError:
            raise
        except BridgeError as error:
            self._note(incoming, f"failed: {error}")
            self._say(incoming.chat, str(error))
        return True

    def _note(self, incoming: Incoming, result: str) -> None:
        """Write the audit log; a disk that refuses it holds nothing up."""
        try:
            self._audit.note(incoming.person, incoming.chat, name_action(incoming), result)
        except OSError as error:
            log.error("the audit log can't be written: %s", error.strerror)

    def _is_allowed(self, incoming: Incoming) -> bool:
        is_place_allowed = (
            incoming.is_private or incoming.chat.chat_id in self._config.allowed_groups
        )
        return is_place_allowed and self._people.is_allowed(incoming.person.user_id)

    def _refuse(self, incoming: Incoming) -> None:
        """No answer, but for the one who brings the pairing code."""
        person = incoming.person
        if isinstance(incoming, TextSent) and incoming.is_private:
            word, _, code = incoming.text.partition(" ")
            if word == "/start" and self._people.redeem(code.strip(), person.user_id, person.name):
                log.info("user %d is the owner now", person.user_id)
                self._say(incoming.chat, "Paired: this bot now answers to you. Send a text.")
                return
        self._note(incoming, "refused: not allowed")
        log.warning(
            "refused user %d in chat %d (not paired, or not an allowed place)",
            person.user_id,
            incoming.chat.chat_id,
        )

    async def _handle_text(self, entry: Entry, message: TextSent) -> bool:
        parsed = self._read(message)
        match parsed:
            case None:
                return True
            case Command("sh", line):
                await self._submit(entry, message, self._prepare_shell_line(line))
                return False
            case Command():
                await self._commands.run(parsed, message)
                return True
            case str():
                await self._submit(entry, message, prepare_prompt(parsed))
                return False

    def _read(self, message: TextSent, text: str | None = None) -> Command | str | None:
        """The command or the prompt that a message is, or would be with another text."""
        text = message.text if text is None else text
        if message.forwarded_from is not None:
            return quote(f"Forwarded from {message.forwarded_from}", text)
        parsed = parse_command(text, self._channel.bot_name)
        if message.quoted is not None and isinstance(parsed, str):
            return f"{quote('Quoted', message.quoted)}\n\n{parsed}"
        return parsed

    def _prepare_shell_line(self, line: str) -> str:
        """What makes Claude Code run it, if that is switched on. Raises BridgeError."""
        if not self._config.shell:
            raise BridgeError("/sh is off. BRIDGE_SHELL=true switches it on.")
        if "\n" in line:
            raise BridgeError("/sh takes one line.")
        return f"!{prepare_prompt(line).lstrip('! ')}"

    async def _submit(self, entry: Entry, message: TextSent, text: str) -> None:
        prompt = Prompt(entry.key, text)
        session = self._sessions.find_current(message.chat) or self._sessions.create(
            message.chat, self._config.project_dir
        )
        self._sessions.submit(session, prompt, message.person.user_id)
        self._spawn(self._channel.show_typing(message.chat))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Do what nobody waits for, so that a slow network holds up no other message."""
        task = asyncio.create_task(work)
        self._spawned.add(task)
        task.add_done_callback(self._spawned.discard)

    def _handle_edit(self, edit: TextEdited) -> None:
        """Edit the prompt that waits; one that Claude has is never sent again."""
        for entry in self._inbox.pending():
            sent = self._channel.parse(entry.arrival.raw)
            if not isinstance(sent, TextSent) or not entry.session_id:
                continue
            if (sent.chat, sent.message_id) == (edit.chat, edit.message_id):
                runner = self._sessions.find_runner(entry.session_id)
                text = self._read(sent, edit.text)
                if not isinstance(text, str):
                    raise BridgeError("A message that waits can't become a command.")
                if runner and runner.rewrite(entry.key, prepare_prompt(text)):
                    self._say(edit.chat, "Changed; it still waits.")
                    return
        self._say(edit.chat, "Claude has that message already; send the change as a new one.")

    async def _handle_press(self, entry: Entry, press: ButtonPressed) -> bool:
        """Do what the button does; False when that made the press a prompt."""
        action = self._buttons.take(press) or {"do": None}
        said, is_done = "", True
        match action["do"]:
            case "key":
                said = await self._keypad.press(action)
            case "pick":
                self._commands.pick(action, press)
            case "drop":
                said = self._commands.drop(action)
            case "again":
                said = self._troubles.send_again(action)
            case "earlier":
                self._troubles.show_earlier(action)
            case "retry":
                said, is_done = self._troubles.retry(action, entry.key, press.person.user_id), False
            case "take over":
                self._spawn(self._take_over(entry, press, action))
                is_done = False
            case _:
                said = "This button no longer works."
        self._spawn(self._channel.answer_press(press.press_id, said))
        return is_done

    async def _take_over(self, entry: Entry, press: ButtonPressed, action: Action) -> None:
        """End the process that has the session, which may take its time, and go on here."""
        try:
            await self._troubles.take_over(action)
            self._troubles.retry(action, entry.key, press.person.user_id)
        except BridgeError as error:
            self._inbox.finish(entry.key, "failed")
            self._say(press.chat, str(error))

    async def _show_typing(self) -> None:
        for chat in self._sessions.busy_chats():
            await self._channel.show_typing(chat)

    async def _clean_up(self) -> None:
        days = self._config.retention_days
        keep = awake_ids(self._sessions.runners)
        keep |= {entry.session_id for entry in self._inbox.pending()}
        for session_id in self._sessions.store.cleanup_old_sessions(days, keep=keep):
            log.info("session %s was not used for %g days and is removed", session_id, days)

    def _set_aside(self, entry: Entry) -> None:
        """Keep what could not be handled, and tell the owner."""
        folder = self._config.bridge_dir / "quarantine"
        folder.mkdir(mode=0o700, exist_ok=True)
        name = hashlib.sha256(entry.key.encode()).hexdigest()[:16]
        replace_file(folder / f"update-{name}.json", msgspec.json.encode(entry.arrival.raw))
        text = "One message could not be handled and was set aside; the log has the reason."
        self._tell_owner(f"poison:{entry.key}", text)

    def _tell_owner(self, key: str, text: str) -> None:
        for user_id in self._people.to_be_told:
            self._outbox.put(Post(key, Chat(self._channel.name, user_id), text))

    def _say(self, chat: Chat, text: str) -> None:
        self._outbox.put(Post(f"say:{uuid.uuid4()}", chat, text))


def build_hub(config: Config, environ: Mapping[str, str], redactor: Redactor) -> Hub:
    """Everything, wired; nothing runs yet. Raises BridgeError."""
    directory = config.bridge_dir
    token = config.telegram_bot_token
    environment = claude_environment(environ, secrets=[token.reveal()])
    version = _claude_version(config, environment)
    control = TmuxControl(
        socket=config.tmux_socket,
        environment=environment,
        folder=typing_folder(config),
        typing=typing_for(version),
    )
    control.check()
    terminal = Terminal(control)
    launcher = _build_launcher(config, environ, terminal, environment, version)
    channel = TelegramChannel(token, config.telegram_api_url)
    buttons = Buttons(directory)
    inbox = Inbox(directory)
    redact = redactor.redact if config.mask_secrets else str
    outbox = Outbox(directory, {channel.name: channel}, redact=redact)
    sessions = Sessions(
        store=SessionStore(config.state_dir),
        launcher=launcher,
        terminal=terminal,
        inbox=inbox,
        outbox=outbox,
        directory=directory,
        idle_seconds=config.idle_minutes * 60,
    )
    keypad = Keypad(sessions, outbox, buttons)
    commands = ChatCommands(config, sessions, outbox, buttons)
    troubles = Troubles(sessions, outbox, buttons)
    sessions.on_blocked = keypad.notice
    sessions.on_failed = troubles.tell_failed
    sessions.render_left_out = troubles.render_left_out
    outbox.on_unknown = troubles.ask_about
    return Hub(
        config,
        channel,
        people=People(directory, allowed_users=config.allowed_users),
        inbox=inbox,
        outbox=outbox,
        sessions=sessions,
        buttons=buttons,
        keypad=keypad,
        commands=commands,
        troubles=troubles,
        audit=AuditLog(directory, redactor),
        try_out=partial(try_out, config, environment, version),
    )


def _build_launcher(
    config: Config,
    environ: Mapping[str, str],
    terminal: Terminal,
    environment: Mapping[str, str],
    version: tuple[int, ...],
) -> ClaudeLauncher:
    claude = claude_config_dir(environ)
    return ClaudeLauncher(
        terminal,
        ClaudeRegistry(claude / "sessions"),
        command=config.claude_command,
        permission_mode=config.permission_mode,
        version=version,
        directory=config.bridge_dir,
        projects=claude / "projects",
        environment=environment,
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


async def run(config: Config, environ: Mapping[str, str], redactor: Redactor) -> None:
    """Run until SIGTERM or SIGINT. Raises BridgeError."""
    hub = build_hub(config, environ, redactor)
    loop = asyncio.get_running_loop()
    work = asyncio.create_task(hub.run())
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, work.cancel)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(hub.stop)
        try:
            await work
        except asyncio.CancelledError:
            log.info("stopping; Claude runs on")
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None


def main() -> int:
    """Run the bridge in the foreground; returns the exit status."""
    environ = dict(os.environ)
    try:
        path = config_path(environ)
        config = load_config(environ, read_settings(path))
        if sys.argv[1:2] == ["doctor"]:
            return doctor.run(config, environ, fix="--fix" in sys.argv[2:])
        if not config.telegram_bot_token:
            raise ConfigError("There is no bot token; run ./install.sh, or set TELEGRAM_BOT_TOKEN.")
        with claimed(config, path.parent):
            redactor = Redactor([config.telegram_bot_token.reveal()])
            set_up_logs(config.bridge_dir, environ, redactor)
            asyncio.run(run(config, environ, redactor))
    except BridgeError as error:
        print(error, file=sys.stderr)
        return _exit_status(error)
    return 0


def _exit_status(error: BridgeError) -> int:
    match error:
        case ConfigError():
            return _WRONG_SETTING
        case AlreadyRunningError():
            return _ALREADY_RUNNING
        case _:
            return 1


if __name__ == "__main__":
    sys.exit(main())
