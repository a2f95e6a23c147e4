"""The hub: what chats send goes to Claude Code, what Claude Code does goes to the chats.

    .venv/bin/python bridge.py                    run it in the foreground
    .venv/bin/python bridge.py doctor [--fix]     see what is wrong, and mend what is safe

* An update is handled from the durable inbox; one that can't be handled is set aside, told to the
  owner, and the next one goes on.
* What comes from one chat or topic is handled strictly in order, presses and edits too. No place
  waits for another, whatever takes long there or fails.
* Everybody is checked, with every update and every press; whoever may not gets no answer.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import signal
import sys
from collections.abc import Mapping
from contextlib import AsyncExitStack
from functools import partial
from importlib import import_module
from typing import Any

import msgspec

from assembly import Parts, build_parts
from channel_watch import ChannelWatch
from core.commands import TABLE
from core.config import Config, config_path, load_config
from core.errors import AlreadyRunningError, BridgeError, ConfigError, StoreError, StoreWriteError
from core.model import (
    AT_THE_PAGE,
    ButtonPressed,
    Chat,
    FilesSent,
    Incoming,
    KindNotHandled,
    LocationSent,
    Place,
    Post,
    TextEdited,
    TextSent,
    private_chat,
)
from core.ports import Channel
from core.redaction import Redactor
from core.roles import deed_of_prompt
from durable import replace_file
from inbox import Arrival, Entry
from lanes import Lanes
from logs import set_up_logs
from pulse import run_regularly
from receiving import keep_receiving
from session_book import files_id, origin_of
from state_folder import claimed, read_settings
from taking_up import awake_ids

log = logging.getLogger("bridge")

_TYPING_SECONDS = 4.0
_DISK_SECONDS = 5.0
_DAY_SECONDS = 86_400.0
_USAGE = """\
bridge.py                 run the bridge in the foreground; ./install.sh makes it a service
bridge.py doctor          see what is wrong, and how to mend it
bridge.py doctor --fix    mend what is safe

The settings are in ~/.config/claude-telegram/config.toml or the environment: see README.md."""
_WRONG_SETTING = 2
_ALREADY_RUNNING = 75


class Hub:
    """The channels, and the sessions of their chats."""

    def __init__(self, config: Config, parts: Parts) -> None:
        self._config = config
        self._parts = parts
        self._channels = parts.channels
        self._inbox = parts.inbox
        self._sessions = parts.sessions
        self._lanes: Lanes[Chat | str, Entry] = Lanes(self._handle)

    async def run(self) -> None:
        """Work until cancelled. Raises ChannelRefusedError."""
        self._parts.restoration.look(await self._sessions.adopt_terminals())
        for entry in self._inbox.pending():
            self._recall(entry)
            if entry.step != "received" and not self._parts.restoration.is_settled(entry.key):
                self._restore(entry)
        await self._sessions.start()
        self._parts.restoration.tell()
        self._parts.handoff.resume()
        self._parts.worktrees.resume()
        self._parts.cards.resume()
        self._parts.errors.resume()
        self._parts.deliveries.start()
        self._parts.requests.start()
        if self._parts.damage:
            self._tell_owner(f"damage:{self._parts.damage}", self._parts.damage)
        self._parts.background.run(self._tell_of_version())
        self._parts.background.run(self._parts.note_earlier())
        async with asyncio.TaskGroup() as tasks:
            watch = ChannelWatch(self._channels, self._parts.broken, self._tell_of_channel)
            watch.tell_of_broken()
            for channel in self._channels.values():
                tasks.create_task(self._run_channel(watch, channel))
            tasks.create_task(self._sessions.keep_watch())
            tasks.create_task(self._parts.topics.run())
            tasks.create_task(self._parts.menu.run())
            tasks.create_task(run_regularly(self._show_typing, _TYPING_SECONDS))
            tasks.create_task(run_regularly(self._clean_up, _DAY_SECONDS, at_once=True))

    def _recall(self, entry: Entry) -> None:
        """It was admitted before a restart, and what belongs to it may still be on its way."""
        for arrival in entry.arrivals if entry.session_id else ():
            sent = self._read(arrival)
            if isinstance(sent, TextSent):
                self._parts.admission.expect_more(sent)

    async def _run_channel(self, watch: ChannelWatch, channel: Channel) -> None:
        """Connect it, however long that takes, and take what its people send."""
        menu = [entry for entry in TABLE if entry.is_in_menu]
        await watch.keep(
            channel.name,
            partial(channel.start, menu),
            partial(self._begin, channel),
            partial(keep_receiving, channel, partial(self._take, channel.name)),
        )

    def _begin(self, channel: Channel) -> None:
        """Go on with what its people sent before, and with what waits for them."""
        for entry in self._inbox.pending():
            if entry.step == "received" and entry.arrival.channel == channel.name:
                self._lanes.put(self._find_lane(entry), entry)
        self._parts.outbox.start(channel.name)

    async def _tell_of_version(self) -> None:
        """Tell who looks after the bridge how an untested Claude Code does."""
        try:
            told = await self._parts.try_out()
        except BridgeError as error:
            told = f"This Claude Code was not tested, and could not be tried out: {error}"
        if told is not None:
            self._tell_owner(f"version:{told}", told)

    def _restore(self, entry: Entry) -> None:
        """Go on with a prompt; one whose session can't be read waits for a better day.

        Who gave it may have been removed since.
        """
        may = self._parts.people.may
        if entry.person and not may(entry.person, deed_of_prompt(entry.text)):
            self._inbox.finish(entry.key, "refused")
            return
        try:
            self._sessions.restore(entry)
        except StoreError as error:
            log.error("a prompt waits, its session can't be used: %s", error)

    async def stop(self) -> None:
        """Let go of everything; Claude runs on in its terminals.

        What was being handled is handled again after the next start.
        """
        await self._lanes.stop()
        for stop in self._parts.stops:
            await stop()
        self._inbox.close()

    def _take(self, name: str, updates: list[tuple[str, dict[str, Any]]]) -> None:
        for entry in self._inbox.receive(Arrival(key, name, raw) for key, raw in updates):
            self._lanes.put(self._find_lane(entry), entry)

    def _find_lane(self, entry: Entry) -> Chat | str:
        """The place that an update comes from; one that names none is handled by itself."""
        found = self._read(entry.arrival)
        return found.chat if found is not None else entry.key

    def _read(self, arrival: Arrival) -> Incoming | Place | None:
        """What a person did there, or else what it tells of a place; None for neither."""
        try:
            channel = self._channels[arrival.channel]
            incoming = channel.parse(arrival.raw)
            return incoming if incoming is not None else channel.forum.read_place(arrival.raw)
        except Exception:  # noqa: BLE001 - who handles it meets this again, and sets it aside
            return None

    async def _handle(self, entry: Entry) -> None:
        """Handle one update to its end; a full disk holds its lane up, and nothing else does."""
        while True:
            try:
                await self._try_to_handle(entry)
                return
            except StoreWriteError as error:
                log.error("an update waits until it can be noted down: %s", error)
                await asyncio.sleep(_DISK_SECONDS)

    async def _try_to_handle(self, entry: Entry) -> None:
        try:
            incoming = self._channels[entry.arrival.channel].parse(entry.arrival.raw)
            is_known = self._parts.topics.hear_update(entry.arrival, incoming)
            is_done = incoming is None or await self._dispatch(entry, incoming)
            if not is_known:  # it may have been what lets somebody in
                self._parts.topics.hear_update(entry.arrival, incoming)
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
        if not self._parts.admission.admits(incoming):
            return True
        is_done = True
        try:
            is_done = await self._do(entry, incoming)
        except StoreWriteError:
            raise
        except BridgeError as error:
            self._parts.admission.note_end(incoming, f"failed: {error}")
            self._parts.say(incoming.chat, str(error))
        self._parts.fresh_starts.note(incoming.chat)
        return is_done

    async def _do(self, entry: Entry, incoming: Incoming) -> bool:
        """What is asked for; as `_dispatch`. Raises BridgeError."""
        messages = self._parts.messages
        match incoming:
            case TextEdited():
                await messages.handle_edit(incoming)
                return True
            case TextSent() if messages.takes_part(entry, incoming):
                return False
        await messages.end_text(incoming)
        match incoming:
            case TextSent() | FilesSent() | LocationSent():
                return await self._handle_message(entry, incoming)
            case ButtonPressed():
                return await self._parts.presses.handle(entry, incoming)
            case KindNotHandled():
                self._parts.say(incoming.chat, f"I can't take a {incoming.kind} yet; send text.")
        return True

    async def _handle_message(
        self, entry: Entry, message: TextSent | FilesSent | LocationSent
    ) -> bool:
        messages = self._parts.messages
        if isinstance(message, TextSent):
            is_done = await messages.handle_text(entry, message)
        else:
            is_done = await messages.handle_files(entry, message)
        if not is_done:
            channel = self._channels[message.chat.channel]
            self._parts.background.run(channel.show_typing(message.chat))
        return is_done

    async def _show_typing(self) -> None:
        for chat in self._sessions.busy_chats():
            if chat.channel in self._channels and self._parts.outbox.may_show(chat):
                await self._channels[chat.channel].show_typing(chat)

    async def _clean_up(self) -> None:
        days = self._config.retention_days
        self._parts.admission.clean_up()
        keep = awake_ids(self._sessions.runners)
        keep |= {entry.session_id for entry in self._inbox.pending()}
        for session_id in self._sessions.book.store.cleanup_old_sessions(days, keep=keep):
            self._parts.histories.remove(session_id)
            log.info("session %s was not used for %g days and is removed", session_id, days)
        sessions = await asyncio.to_thread(self._sessions.book.store.list_sessions)
        known = {session.session_id for session in sessions}
        known |= {origin for session in sessions if (origin := origin_of(session))}
        self._sessions.keeper.forget_others(known)
        self._parts.histories.forget_others(known, days)
        known |= {files_id(session) for session in sessions}
        await asyncio.to_thread(self._parts.files.clean_up, known, days)

    def _set_aside(self, entry: Entry) -> None:
        """Keep what could not be handled, and tell the owner."""
        folder = self._config.bridge_dir / "quarantine"
        folder.mkdir(mode=0o700, exist_ok=True)
        name = hashlib.sha256(entry.key.encode()).hexdigest()[:16]
        replace_file(folder / f"update-{name}.json", msgspec.json.encode(entry.arrival.raw))
        text = "One message could not be handled and was set aside; the log has the reason."
        self._tell_owner(f"poison:{entry.key}", text)

    def _tell_of_channel(self, name: str, text: str) -> None:
        """Tell, by the other channels, why one does not work."""
        for user_id in {*self._parts.people.to_be_told, AT_THE_PAGE}:
            chat = private_chat(user_id)
            if chat.channel != name and chat.channel in self._channels:
                self._parts.outbox.put(Post(f"channel:{name}:{text}:{user_id}", chat, text))

    def _tell_owner(self, key: str, text: str) -> None:
        for user_id in self._parts.people.to_be_told:
            self._parts.outbox.put(Post(key, private_chat(user_id), text))


async def run(config: Config, environ: Mapping[str, str], redactor: Redactor) -> None:
    """Run until SIGTERM or SIGINT. Raises BridgeError."""
    hub = Hub(config, build_parts(config, environ, redactor))
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
    environ, words = dict(os.environ), sys.argv[1:]
    if words in (["-h"], ["--help"]):
        print(_USAGE)
        return 0
    try:
        if words not in ([], ["doctor"], ["doctor", "--fix"]):
            raise ConfigError(f"{' '.join(words)}: only `doctor` and `doctor --fix` are known.")
        path = config_path(environ)
        config = load_config(environ, read_settings(path))
        if words:
            # it loads what the bridge itself may have no use for
            return int(import_module("doctor").run(config, environ, fix="--fix" in words))
        if not config.telegram_bot_token and not config.web:
            raise ConfigError(
                "There is no bot token, and the page is off; run ./install.sh, or set "
                "TELEGRAM_BOT_TOKEN or BRIDGE_WEB=on."
            )
        with claimed(config, path.parent):
            redactor = Redactor(filter(None, [config.telegram_bot_token.reveal()]))
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
