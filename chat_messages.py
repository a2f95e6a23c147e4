"""What becomes of a message: a command is run, everything else is a prompt for the chat's session.

* Files and places are prompts too, whatever their caption begins with.
* In a group Claude is told who speaks, and the bot's own name in front is no part of the words.
* Other people's words (forwarded, quoted) are marked as such for Claude, and are never a command.
* A text that answers what Claude asks is no prompt.
* An edited message edits the prompt that waits; one that Claude has is never sent again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from acting_agents import ActingAgents
from chat_commands import ChatCommands
from command_menu import CommandMenu
from core.addressing import add_speaker, strip_mention
from core.commands import Command, parse_command
from core.config import Config
from core.conversation import quote
from core.errors import BridgeError
from core.keystrokes import prepare_prompt
from core.model import FilesSent, LocationSent, TextEdited, TextSent
from core.ports import Channels
from core.roles import deed_of_command
from fresh_starts import FreshStarts
from inbox import Entry, Inbox
from outbox import Outbox
from sessions import Sessions
from uploads import Uploads


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

    async def handle_text(self, entry: Entry, message: TextSent) -> bool:
        """Do what it says; False when it is a prompt, whose end its session's runner tells.

        Raises BridgeError.
        """
        agent, text = await self._find_agent(message, message.text)
        parsed = self._read(message, text)
        match parsed:
            case None:
                return True
            case Command("sh", line):
                self._commands.check(message.person.user_id, deed_of_command("sh"))
                self._submit(entry, message, self._prepare_shell_line(line))
                return False
            case Command():
                await self._commands.run(parsed, message)
                return True
            case str() if message.forwarded_from is None and await self._answers(message):
                return True
            case str():
                text = await self._menu.restore(message.chat, parsed)
                self._agents.note(entry, agent)
                self._submit(entry, message, _prepare(text, message))
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
        for entry in self._inbox.pending():
            if entry.arrival.channel != edit.chat.channel or not entry.session_id:
                continue
            sent = self._channels[edit.chat.channel].parse(entry.arrival.raw)
            if not isinstance(sent, TextSent):
                continue
            if (sent.chat, sent.message_id) == (edit.chat, edit.message_id):
                agent, words = await self._find_agent(sent, edit.text)
                runner = self._sessions.find_runner(entry.session_id)
                text = self._read(sent, words)
                if not isinstance(text, str):
                    raise BridgeError("A message that waits can't become a command.")
                prompt = _prepare(text, sent)
                is_waiting = self._uploads.rewrite(entry.key, prompt)
                if is_waiting or (runner and runner.queue.rewrite(entry.key, prompt)):
                    self._agents.note(self._inbox.find(entry.key) or entry, agent)
                    self._outbox.say(edit.chat, "Changed; it still waits.")
                    return
        self._outbox.say(
            edit.chat, "Claude has that message already; send the change as a new one."
        )

    def _read(self, message: TextSent, text: str | None = None) -> Command | str | None:
        """The command or the prompt that a message is, or would be with another text."""
        text = message.text if text is None else text
        if not message.is_private:
            text = strip_mention(text, self._bot_name(message))
        if message.forwarded_from is not None:
            return quote(f"Forwarded from {message.forwarded_from}", text)
        parsed = parse_command(text, self._bot_name(message))
        if message.quoted is not None and isinstance(parsed, str):
            return f"{quote('Quoted', message.quoted)}\n\n{parsed}"
        return parsed

    def _bot_name(self, message: TextSent | FilesSent) -> str:
        return self._channels[message.chat.channel].bot_name

    def _prepare_shell_line(self, line: str) -> str:
        """What makes Claude Code run it, if that is switched on. Raises BridgeError."""
        if not self._config.shell:
            raise BridgeError("/sh is off. BRIDGE_SHELL=true switches it on.")
        if "\n" in line:
            raise BridgeError("/sh takes one line.")
        return f"!{prepare_prompt(line).lstrip('! ')}"

    def _submit(self, entry: Entry, message: TextSent, text: str) -> None:
        self._fresh_starts.begin_if_due(entry, message.chat, text, message.sent_at)
        self._uploads.submit_text(entry, message.chat, text, message.person.user_id)


def _prepare(text: str, message: TextSent) -> str:
    """As it is typed. Raises PromptError."""
    return prepare_prompt(add_speaker(text, message.person, is_private=message.is_private))
