"""What becomes of a message: a command is run, everything else is a prompt for the chat's session.

* Files and places are prompts too, whatever their caption begins with.
* In a group Claude is told who speaks, and the bot's own name in front is no part of the words.
* Other people's words (forwarded, quoted) are marked as such for Claude, and are never a command.
* A text that answers what Claude asks is no prompt.
* The next part of a text that an app has cut is nothing but that, whatever it reads like.
* An edited message edits the prompt that waits; one that Claude has is never sent again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from acting_agents import ActingAgents
from channel_list import read_arrival
from chat_commands import ChatCommands
from command_menu import CommandMenu
from core.addressing import strip_mention
from core.commands import Command, parse_command
from core.config import Config
from core.errors import BridgeError
from core.keystrokes import prepare_prompt
from core.model import FilesSent, Incoming, LocationSent, TextEdited, TextSent
from core.ports import Channels
from core.roles import deed_of_command
from core.split_text import join_parts
from core.text_prompts import render_text_prompt
from fresh_starts import FreshStarts
from inbox import Entry, Inbox
from outbox import Outbox
from sessions import Sessions
from uploads import Uploads

_HAS_IT = "Claude has that message already; send the change as a new one."


class ChatMessages:
    """The messages in `channels`, for `sessions`; `takes_text` may take one."""

    def __init__(
        self,
        config: Config,
        channels: Channels,
        inbox: Inbox,
        sessions: Sessions,
        commands: ChatCommands,
        menu: CommandMenu,
        uploads: Uploads,
        outbox: Outbox,
        fresh_starts: FreshStarts,
        agents: ActingAgents,
        *,
        takes_text: Sequence[Callable[[TextSent], Awaitable[bool]]],
    ) -> None:
        self._config = config
        self._channels = channels
        self._inbox = inbox
        self._sessions = sessions
        self._commands = commands
        self._menu = menu
        self._takes_text = takes_text
        self._uploads = uploads
        self._outbox = outbox
        self._fresh_starts = fresh_starts
        self._agents = agents

    def takes_part(self, entry: Entry, message: TextSent) -> bool:
        """Whether it is the next part of a text that waits for it, and is done with by that."""
        return self._uploads.takes_part(entry, message)

    async def end_text(self, incoming: Incoming) -> None:
        """The person does something else: no more parts of their text will come."""
        await self._uploads.end_text(incoming.chat, incoming.person.user_id)

    async def handle_text(self, entry: Entry, message: TextSent) -> bool:
        """Do what it says; False when it is a prompt, whose end its session's runner tells.

        Raises BridgeError.
        """
        known = entry.words.get(entry.key)
        if known is not None:  # it was to be a prompt before a restart
            self._submit(entry, message, known)
            return False
        agent, text = await self._find_agent(message, message.text)
        parsed = self._read(message, text)
        match parsed:
            case None:
                return True
            case Command("sh", line):
                self._commands.check(message.person.user_id, deed_of_command("sh"))
                self._submit_shell_line(entry, message, line)
                return False
            case Command():
                await self._commands.run(parsed, message)
                return True
            case str() if message.forwarded_from is None and await self._answers(message):
                return True
            case str():
                if message.forwarded_from is None and message.quoted is None:
                    parsed = await self._menu.restore(message.chat, parsed)
                self._agents.note(entry, agent)
                self._submit(entry, message, parsed)
                return False

    async def _find_agent(self, message: TextSent | FilesSent, text: str) -> tuple[str, str]:
        """The agent that the words name at their beginning, and the rest; a command is for none."""
        if not message.is_private:
            text = strip_mention(text, self._bot_name(message))
        if message.forwarded_from is not None or not text.startswith("@"):
            return "", text
        session = self._sessions.book.find_current(message.chat)
        agent, rest = await self._agents.split(session, text)
        is_text = isinstance(parse_command(rest, self._bot_name(message)), str)
        return (agent, rest) if is_text else ("", text)

    async def _answers(self, message: TextSent) -> bool:
        """Whether it is the answer to something that waits for one, and is done with."""
        if message.reply_to is not None:
            await self._outbox.until_at_rest(message.chat)
        for takes in self._takes_text:
            if await takes(message):
                return True
        return False

    async def handle_files(self, entry: Entry, message: FilesSent | LocationSent) -> bool:
        """As `handle_text`, for all that is always a prompt."""
        self._fresh_starts.begin_if_due(entry, message.chat, "", message.sent_at)
        match message:
            case FilesSent():
                agent, caption = await self._find_agent(message, message.caption)
                self._agents.note(entry, agent)
                self._uploads.take(entry, replace(message, caption=caption))
            case LocationSent():
                self._uploads.submit_location(entry, message)
        return False

    async def handle_edit(self, edit: TextEdited) -> None:
        """Edit the prompt that waits, and say whether that was so. Raises BridgeError."""
        found = self._find_waiting(edit)
        is_changed = False
        if found is not None:
            agent, words = await self._find_agent(found[1], edit.text)
            found = self._find_waiting(edit)  # as it is after that wait
            is_changed = found is not None and self._rewrite(*found, edit.text, agent, words)
        text = "Changed; it still waits." if is_changed else _HAS_IT
        self._outbox.say(edit.chat, text)

    def _find_waiting(self, edit: TextEdited) -> tuple[Entry, TextSent, str] | None:
        """The prompt that is not done whose message was edited, that message, and its key."""
        for entry in self._inbox.pending():
            if entry.arrival.channel != edit.chat.channel or not entry.session_id:
                continue
            for key, sent in self._messages_of(entry):
                if (sent.chat, sent.message_id) == (edit.chat, edit.message_id):
                    return entry, sent, key
        return None

    def _messages_of(self, entry: Entry) -> list[tuple[str, TextSent]]:
        """The texts that a prompt is made of, with their keys."""
        found = [(each.key, read_arrival(self._channels, each)) for each in entry.arrivals]
        return [(key, sent) for key, sent in found if isinstance(sent, TextSent)]

    def _rewrite(
        self, entry: Entry, sent: TextSent, key: str, text: str, agent: str, words: str
    ) -> bool:
        """Give a message of a prompt that waits that text; False when it waits no more.

        `words` are the text without the agent that it names, which only the first part can do.
        Raises BridgeError.
        """
        is_first = key == entry.key and not self._uploads.place_of(key)
        read = self._read(sent, words) if is_first else text
        if not isinstance(read, str):
            raise BridgeError("A message that waits can't become a command.")
        kept = {**entry.words, key: read}
        parts = [kept.get(name, message.text) for name, message in self._messages_of(entry)]
        first = self._messages_of(entry)[0][1]
        runner = self._sessions.find_runner(entry.session_id)
        if not self._uploads.rewrite(entry, read):
            prompt = render_text_prompt(first, join_parts(parts))
            if runner is None or not runner.queue.rewrite(entry.key, prompt, words=kept):
                return False
        if is_first:
            self._agents.note(self._inbox.find(entry.key) or entry, agent)
        return True

    def _read(self, message: TextSent, text: str) -> Command | str | None:
        """The command that a message with this text is, or what of it is for Claude."""
        if not message.is_private:
            text = strip_mention(text, self._bot_name(message))
        if message.forwarded_from is not None:
            return text
        return parse_command(text, self._bot_name(message))

    def _bot_name(self, message: TextSent | FilesSent) -> str:
        return self._channels[message.chat.channel].bot_name

    def _submit_shell_line(self, entry: Entry, message: TextSent, line: str) -> None:
        """Have Claude Code run it, if that is switched on. Raises BridgeError."""
        if not self._config.shell:
            raise BridgeError("/sh is off. BRIDGE_SHELL=true switches it on.")
        if "\n" in line:
            raise BridgeError("/sh takes one line.")
        text = f"!{prepare_prompt(line).lstrip('! ')}"
        self._fresh_starts.begin_if_due(entry, message.chat, text, message.sent_at)
        self._uploads.submit_prompt(entry, message.chat, text, message.person.user_id)

    def _submit(self, entry: Entry, message: TextSent, words: str) -> None:
        self._fresh_starts.begin_if_due(entry, message.chat, words, message.sent_at)
        self._uploads.submit_text(entry, message, words)
