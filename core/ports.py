"""The few things the hub needs from its edges, as it sees them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

from core.choices import Choices
from core.commands import MenuEntry
from core.delivery import Prompt
from core.errors import BridgeError
from core.flood import FloodLimit
from core.model import Chat, Incoming, Piece, Place, Post, RemoteFile, Sign
from core.screen_rows import ShownScreen

Runner = TypeVar("Runner", contravariant=True)
TakeUpdates = Callable[[list[tuple[str, dict[str, Any]]]], None]


class Channel(Protocol):
    """A place people chat from."""

    @property
    def name(self) -> str:
        """The channel's name in `Chat.channel`."""

    @property
    def bot_name(self) -> str:
        """The name by which people address the bot (`/new@name`), known after `start`."""

    @property
    def sends_once(self) -> bool:
        """Whether sending a piece again, after a crash too, surely repeats nothing."""

    @property
    def cuts_texts(self) -> bool:
        """Whether its apps make several messages of a long text, see core/split_text.py."""

    @property
    def forum(self) -> Forum:
        """What can be done about the topics of its chats."""

    @property
    def silence(self) -> float:
        """Seconds since the service was last heard of by `receive`."""

    async def start(self, menu: Sequence[MenuEntry]) -> None:
        """Connect and show the menu of commands. Raises ChannelRefusedError."""

    async def set_menu(self, chat: Chat, menu: Sequence[tuple[str, str]]) -> bool:
        """Show these commands (name, description) in that chat's menu; whether that worked."""

    async def receive(self, take: TakeUpdates) -> None:
        """Hand updates, as (key, raw) pairs, to `take` until cancelled.

        An update is acknowledged only after `take` has returned.
        """

    async def stop(self) -> None:
        """Disconnect."""

    def equip(self, desk: Desk) -> None:
        """Take what may be shown beside the chats, where there is room for that."""

    def link_to(self, chat: Chat) -> str:
        """The link that opens that chat, for who may."""

    def make_invitation(self, code: str) -> str | None:
        """The link that brings somebody in with that code; None where nobody can be let in."""

    def parse(self, raw: dict[str, Any]) -> Incoming | None:
        """What a person did in this update; None for all that no person did."""

    def flood_limits(self, chat_id: int | None) -> Sequence[FloodLimit]:
        """How much a chat takes in which time; None: all chats together."""

    def split(self, post: Post) -> list[Piece]:
        """The post as pieces that each fit one message, at least one."""

    async def send(self, piece: Piece) -> int:
        """Send one piece; returns the (first) message's id. Raises ChannelError's subclasses."""

    async def edit(self, piece: Piece, message_id: int) -> None:
        """Make one piece the content of a message sent before."""

    async def delete(self, chat: Chat, message_id: int) -> None:
        """Take one of our messages away; one that is gone already is no error."""

    async def react(self, chat: Chat, message_id: int, sign: Sign) -> None:
        """Put a sign on a person's message, in place of the one before.

        Raises ReactionRefusedError, and ChannelError's other subclasses.
        """

    async def download(self, file: RemoteFile, target: Path, limit_bytes: int) -> None:
        """Fetch a file to `target`, which does not exist before and is whole (0600) after.

        Raises FileTooBigError, FileNotReceivedError, StoreWriteError.
        """

    async def show_typing(self, chat: Chat) -> None:
        """Show for some seconds that an answer is being written; never raises ChannelError."""

    async def answer_press(self, press_id: str, text: str = "") -> None:
        """End the waiting sign on a pressed button; never raises ChannelError."""


Channels = Mapping[str, Channel]
"""The channels that are on, by name; a chat's is the one of `Chat.channel`."""


class Desk(Protocol):
    """What can be shown beside a chat, where a screen is wide."""

    async def list_sessions(self) -> list[dict[str, Any]]:
        """Every session of the machine, the most recently used first."""

    async def look(self, chat: Chat) -> ShownScreen | None:
        """The terminal of the chat's session as it is now; None while it has none."""

    async def press(self, chat: Chat, keys: Sequence[str], mark: str) -> ShownScreen | None:
        """Press keys into the screen of that mark. Raises BridgeError."""


class Forum(Protocol):
    """A channel whose chats may have topics."""

    @property
    def has_private_topics(self) -> bool:
        """Whether private chats with the bot may have topics; known after `start`."""

    def read_place(self, raw: dict[str, Any]) -> Place | None:
        """What this update tells of the chat or topic that it comes from, if anything."""

    async def create_topic(self, chat: Chat, name: str) -> Chat:
        """Make a topic in a chat; returns it. Raises TopicRefusedError, ChannelError."""

    async def rename_topic(self, topic: Chat, name: str) -> None:
        """Give a topic a name; the one that it has is no error.

        Raises TopicRefusedError, TopicGoneError, ChannelError.
        """

    async def close_topic(self, topic: Chat) -> None:
        """Close a topic, which keeps all that is in it; twice is no error. Raises as above."""

    async def reopen_topic(self, topic: Chat) -> None:
        """Open a closed topic again; twice is no error. Raises as above."""


class RunnerReports(Protocol[Runner]):
    """Who is told what a runner meets."""

    def waking(self, runner: Runner, start: str, choices: Choices) -> None:
        """Claude is about to be started; `start` says with which history, `choices` with what."""

    def woke(self, runner: Runner) -> None:
        """Claude runs, and has come to its session."""

    def joined(self, runner: Runner, place: str) -> None:
        """Claude runs in a terminal of the person's own, which `place` names."""

    def failed(self, runner: Runner, prompt: Prompt | None, error: BridgeError) -> None:
        """The prompt could not be delivered, or (None) Claude could not be started."""

    async def prepare(self, runner: Runner, prompt: Prompt) -> None:
        """The prompt is about to be typed: decide who is to have it."""

    def not_renewed(self, runner: Runner) -> None:
        """The process could not be started anew as it should be. Raises AgentBusyError."""

    def catch_up(self, runner: Runner) -> None:
        """Read what the transcript has: a prompt is done with whose record is not yet shown."""

    def interrupted(self, runner: Runner, prompt: Prompt) -> None:
        """Claude died while it worked at the prompt, which it has."""

    def blocked(self, runner: Runner, reason: str) -> None:
        """Prompts wait until a person has done something at the terminal."""
