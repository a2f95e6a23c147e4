"""What people send, on its way to a prompt: files fetched, parts put together, all in order.

* Fetching takes its time, and holds up no other chat. In the chat itself the order stays: a text
  that comes after a photo waits for it; commands and buttons don't.
* The parts of an album come one by one. When no more have come for a second, they are one prompt.
* So are the parts of a text that an app has cut (core/split_text.py). Only one that is long enough
  to be a part waits for the next, for a moment; whatever else the person does ends that.
* All stays in the inbox until its prompt is there: after a crash it is fetched anew, for the
  session that it was sent to, and what was kept of it by then is replaced.
* A file that can't be taken is refused with a sentence. If there is no other, neither are its words
  given to Claude, which would not know what they are about.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from core.addressing import add_speaker
from core.conversation import shorten
from core.delivery import Prompt
from core.errors import (
    BridgeError,
    FileNotReceivedError,
    FileRefusedError,
    StoreError,
    StoreWriteError,
)
from core.file_names import is_picture, is_text, make_file_name, name_in_prompt, render_size
from core.file_prompts import (
    MOST_BYTES_OF_PICTURE,
    MOST_BYTES_OF_TEXT,
    KeptFile,
    read_words,
    render_dictation,
    render_file_prompt,
    render_location,
)
from core.keystrokes import prepare_prompt
from core.model import Chat, FilesSent, LocationSent, Post, RemoteFile, TextSent
from core.ports import Channels
from core.split_text import seconds_for_more
from core.text_prompts import render_text_prompt
from inbox import Entry, Inbox
from outbox import Outbox
from pulse import happens
from session import Session
from session_book import SessionBook, files_id
from session_files import FileFolder, SessionFiles
from transcriber import HOW_TO_GET, Transcriber
from waiting_text import Part, WaitingText

log = logging.getLogger(__name__)

_QUIET_SECONDS = 1.0
_MOST_IN_ALBUM = 10
_PAUSES = (2.0, 15.0)
_DISK_SECONDS = 5.0
_RESTART_FACTOR = 6
_LEAST_FREE = 100 << 20
_SHOWN_DICTATION = 300


class PromptTaker(Protocol):
    """What is needed of the sessions."""

    book: SessionBook

    def submit(
        self, session: Session, prompt: Prompt, person: int, *, merges: Sequence[str] = ()
    ) -> None:
        """Give the session a prompt, which is the one of the entries in `merges` too."""


@dataclass(slots=True)
class _Words:
    """A prompt that is ready, and waits behind others."""

    key: str
    text: str
    person: int
    session_id: str

    @property
    def keys(self) -> list[str]:
        """Of its entries."""
        return [self.key]


@dataclass(slots=True)
class _Taken:
    """What came of some files: what is kept, what was said in them, what went wrong."""

    kept: list[KeptFile] = field(default_factory=list)
    dictated: list[str] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Files:
    """Files that are being fetched: one message, or the messages of an album so far.

    `done` of the parts have been fetched, and are in `taken`.
    """

    parts: list[tuple[str, FilesSent]]
    session_id: str
    done: int = 0
    is_complete: bool = False
    taken: _Taken = field(default_factory=_Taken)
    has_more: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def keys(self) -> list[str]:
        """Of its entries."""
        return [key for key, _ in self.parts]

    @property
    def person(self) -> int:
        """Who sent them."""
        return self.parts[0][1].person.user_id

    @property
    def album(self) -> str | None:
        """By which its parts know each other."""
        return self.parts[0][1].album


_Item = _Words | _Files | WaitingText


@dataclass(slots=True)
class _Line:
    """What waits in one chat, the first of which is being worked at."""

    items: deque[_Item] = field(default_factory=deque)
    task: asyncio.Task[None] | None = None

    @property
    def texts(self) -> list[WaitingText]:
        """The texts among it."""
        return [item for item in self.items if isinstance(item, WaitingText)]


class Uploads:
    """Prompts of files and of the texts behind them, for `sessions`.

    A chat without a session gets one in `directory`; no file may be larger than `limit_bytes`. Who
    is not welcome any more when a prompt is ready (`is_welcome`, by user id) gives none.
    """

    def __init__(
        self,
        channels: Channels,
        inbox: Inbox,
        outbox: Outbox,
        sessions: PromptTaker,
        files: SessionFiles,
        transcriber: Transcriber,
        *,
        directory: Path,
        limit_bytes: int,
        is_welcome: Callable[[int], bool] = lambda person: True,
        quiet_seconds: float = _QUIET_SECONDS,
        seconds_for_more: Callable[[str], float] = seconds_for_more,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._channels = channels
        self._inbox = inbox
        self._outbox = outbox
        self._sessions = sessions
        self._files = files
        self._transcriber = transcriber
        self._directory = directory
        self._limit_bytes = limit_bytes
        self._is_welcome = is_welcome
        self._quiet_seconds = quiet_seconds
        self._seconds_for_more = seconds_for_more
        self._sleep = sleep
        self._lines: dict[Chat, _Line] = {}

    async def stop(self) -> None:
        """Leave off; what is not done is begun anew after the next start."""
        tasks = [line.task for line in self._lines.values() if line.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # --- what is to be given --------------------------------------------------------------------

    def submit_text(self, entry: Entry, message: TextSent, words: str) -> None:
        """Give the chat's session a text, behind what the chat still waits for.

        `words`: what of the message is for Claude. Raises PromptError: nothing can be made of it.
        """
        if not self._is_welcome(message.person.user_id):
            self._inbox.finish(entry.key, "refused")
            return
        seconds = self._patience(entry, message)
        if not seconds and message.chat not in self._lines:
            prompt = render_text_prompt(message, words)
            self.submit_prompt(entry, message.chat, prompt, message.person.user_id)
            return
        session = self._session_for(entry, message.chat)
        self._bind(entry, session.session_id, **_note_words(entry, message, words))
        due = asyncio.get_running_loop().time() + seconds
        text = WaitingText([Part(entry.key, message, words)], session.session_id, due)
        self._append(message.chat, text)

    def takes_part(self, entry: Entry, message: TextSent) -> bool:
        """Whether the text is the next part of one that waits for it, and goes on with that."""
        line = self._lines.get(message.chat, _Line())
        for text in line.texts:
            if text.goes_on_with(message):
                self._bind(entry, text.session_id)
                words = entry.words.get(entry.key, message.text)
                due = asyncio.get_running_loop().time() + self._patience(entry, message)
                text.add(Part(entry.key, message, words), due)
                return True
        return False

    async def end_text(self, chat: Chat, person: int) -> None:
        """Wait for no more parts of what that person sent; have it given, if it is its turn."""
        line = self._lines.get(chat, _Line())
        for text in line.texts:
            if text.person == person:
                text.end()
        while line.texts and line.items[0] is line.texts[0] and line.texts[0].person == person:
            await line.texts[0].is_given.wait()

    def _patience(self, entry: Entry, message: TextSent) -> float:
        """How long the next part may take; what a restart has interrupted comes from afar again."""
        if not self._channels[message.chat.channel].cuts_texts:
            return 0.0
        seconds = self._seconds_for_more(message.text)
        return _RESTART_FACTOR * seconds if entry.session_id else seconds

    def submit_location(self, entry: Entry, message: LocationSent) -> None:
        """Give the chat's session a place on the map, as `submit_prompt` does."""
        words = add_speaker(render_location(message), message.person, is_private=message.is_private)
        self.submit_prompt(entry, message.chat, prepare_prompt(words), message.person.user_id)

    def submit_prompt(self, entry: Entry, chat: Chat, text: str, person: int) -> None:
        """Give the chat's session a prompt, behind what the chat still waits for."""
        session = self._session_for(entry, chat)
        if chat not in self._lines:
            self._sessions.submit(session, Prompt(entry.key, text), person)
            return
        self._bind(entry, session.session_id)
        self._append(chat, _Words(entry.key, text, person, session.session_id))

    def take(self, entry: Entry, message: FilesSent) -> None:
        """Fetch the files in the background, and give the session the prompt that they make."""
        session = self._session_for(entry, message.chat)
        self._bind(entry, session.session_id)
        album = _find_album(self._lines.get(message.chat, _Line()), message)
        if album is not None:
            album.parts.append((entry.key, message))
            album.has_more.set()
        else:
            self._append(message.chat, _Files([(entry.key, message)], session.session_id))

    def place_of(self, key: str) -> int | None:
        """Which part of a text that waits here that is, from 0; None for none."""
        for line in self._lines.values():
            for text in line.texts:
                if key in text.keys:
                    return text.keys.index(key)
        return None

    def rewrite(self, entry: Entry, words: str) -> bool:
        """Give a message that waits here other words; False when it does not. Raises StoreError."""
        if self.place_of(entry.key) is None:
            return False
        self._inbox.advance(entry.key, "received", words={entry.key: words})
        return any(
            text.rewrite(entry.key, words) for line in self._lines.values() for text in line.texts
        )

    def _session_for(self, entry: Entry, chat: Chat) -> Session:
        """The session that it was sent to before a restart, or that the chat has now."""
        book = self._sessions.book
        known = book.store.load(entry.session_id) if entry.session_id else None
        if known is not None:
            return book.latest(known)
        return book.find_current(chat) or book.create(chat, self._directory)

    def _bind(self, entry: Entry, session_id: str, **facts: Any) -> None:
        """Note down whose it is, as the chat may have another session when it is done."""
        if entry.session_id != session_id or facts:
            self._inbox.advance(entry.key, "received", session_id=session_id, **facts)

    def _append(self, chat: Chat, item: _Item) -> None:
        line = self._lines.setdefault(chat, _Line())
        line.items.append(item)
        if line.task is None:
            work = self._work(chat, line)
            line.task = asyncio.create_task(work, name=f"uploads {chat.chat_id}")

    # --- one after the other --------------------------------------------------------------------

    async def _work(self, chat: Chat, line: _Line) -> None:
        while line.items:
            item = line.items[0]
            try:
                await self._finish(item)
            except StoreWriteError as error:
                log.error("a message waits until it can be noted down: %s", error)
                await self._sleep(_DISK_SECONDS)
                continue
            except BridgeError as error:
                await self._give_up(chat, item, str(error))
            except Exception:
                log.exception("files that were sent could not be handled")
                await self._give_up(chat, item, "This can't be handled; the log says why.")
            line.items.popleft()
            if isinstance(item, WaitingText):
                item.is_given.set()
        del self._lines[chat]

    async def _finish(self, item: _Item) -> None:
        """Make it a prompt, or say why not. Raises BridgeError."""
        match item:
            case _Words():
                self._submit(item, item.text)
            case WaitingText():
                await item.until_complete()
                self._submit(item, item.render())
            case _Files():
                await self._finish_files(item)

    def _submit(self, item: _Item, text: str) -> None:
        """Give the session the prompt, unless who sent it is not welcome any more."""
        first, *others = item.keys
        if self._is_welcome(item.person):
            prompt, session = Prompt(first, text), self._session_of(item)
            self._sessions.submit(session, prompt, item.person, merges=others)
            return
        for key in item.keys:
            self._inbox.finish(key, "refused")

    async def _give_up(self, chat: Chat, item: _Item, reason: str) -> None:
        """Have it told, as soon as there is room on the disk to note that down."""
        while True:
            try:
                self._refuse(chat, item.keys[0], [reason])
                break
            except StoreWriteError as error:
                log.error("a refusal waits until it can be noted down: %s", error)
                await self._sleep(_DISK_SECONDS)
        for key in item.keys:
            self._inbox.finish(key, "failed")

    def _session_of(self, item: _Item) -> Session:
        """Raises SessionNotFoundError."""
        return self._sessions.book.latest(self._sessions.book.for_id(item.session_id))

    # --- files ----------------------------------------------------------------------------------

    async def _finish_files(self, item: _Files) -> None:
        folder = await asyncio.to_thread(self._folder_of, self._session_of(item))
        taken = item.taken
        while not item.is_complete:
            while item.done < len(item.parts):
                await self._take_part(*item.parts[item.done], folder, taken)
                item.done += 1
            item.is_complete = not await self._gets_more(item)
        first, message = item.parts[0]
        self._refuse(message.chat, first, taken.refusals)
        if not taken.kept and not taken.dictated:
            for key, _ in item.parts:
                self._inbox.finish(key, "failed")
            return
        words = add_speaker(_render(item, taken), message.person, is_private=message.is_private)
        self._submit(item, prepare_prompt(words))

    def _folder_of(self, session: Session) -> FileFolder:
        try:
            return self._files.folder(files_id(session))
        except OSError as error:
            raise FileRefusedError(f"There is no place for files: {error.strerror}.") from error

    async def _gets_more(self, item: _Files) -> bool:
        """Whether another part of the album has come, within a second after the last one."""
        if item.album is None or len(item.parts) >= _MOST_IN_ALBUM:
            return False
        item.has_more.clear()
        return await happens(item.has_more, self._quiet_seconds)

    async def _take_part(
        self, key: str, message: FilesSent, folder: FileFolder, taken: _Taken
    ) -> None:
        for file in message.files:
            name = make_file_name(message.message_id, file)
            try:
                if file.kind == "voice" and not self._transcriber.is_available:
                    raise FileRefusedError(HOW_TO_GET)
                kept = await self._fetch(message.chat, file, folder.incoming / name)
                if file.kind == "voice":
                    taken.dictated.append(await self._listen(key, message.chat, Path(kept.path)))
                else:
                    taken.kept.append(kept)
            except StoreWriteError:
                raise
            except BridgeError as error:
                is_named = message.album is not None and file.name
                what = f"“{name_in_prompt(file.name)}”: " if is_named else ""
                taken.refusals.append(f"{what}{error}")

    async def _fetch(self, chat: Chat, file: RemoteFile, target: Path) -> KeptFile:
        """The file, kept at `target`; a network that is away is given some time."""
        for pause in (*_PAUSES, None):
            try:
                await asyncio.to_thread(_make_room, target, file.size or self._limit_bytes)
                await self._channels[chat.channel].download(file, target, self._limit_bytes)
                return await asyncio.to_thread(_examine, file, target)
            except (FileNotReceivedError, StoreError, OSError) as error:
                log.info("a file could not be fetched (%s)", type(error).__name__)
                if pause is None:
                    raise FileRefusedError(_say_why(error)) from error
                await self._sleep(pause)
        raise AssertionError

    async def _listen(self, key: str, chat: Chat, path: Path) -> str:
        """What is said in a voice message, also shown to who said it."""
        text = await self._transcriber.transcribe(path)
        shown = f"🎙️ “{shorten(text, _SHOWN_DICTATION)}”"
        self._outbox.put(Post(f"heard:{key}", chat, shown, silent=True))
        return text

    def _refuse(self, chat: Chat, key: str, reasons: list[str]) -> None:
        """Say each reason once, also when the same is met again after a crash."""
        lines = list(dict.fromkeys(reasons))
        if lines:
            self._outbox.put(Post(f"refused:{key}", chat, "\n".join(lines)))


def _find_album(line: _Line, message: FilesSent) -> _Files | None:
    """The album that a message belongs to, while it is still open."""
    for item in line.items:
        if isinstance(item, _Files) and not item.is_complete and message.album is not None:
            first = item.parts[0][1]
            if (item.album, first.person.user_id) == (message.album, message.person.user_id):
                return item
    return None


def _note_words(entry: Entry, message: TextSent, words: str) -> dict[str, Any]:
    """What is to be noted of the words, if they are not just the message's text."""
    is_known = words == entry.words.get(entry.key, message.text)
    return {} if is_known else {"words": {entry.key: words}}


def _render(item: _Files, taken: _Taken) -> str:
    words = "\n".join(filter(None, (read_words(message) for _, message in item.parts)))
    if taken.dictated:
        return render_dictation(words, "\n".join(taken.dictated))
    return render_file_prompt(words, taken.kept)


def _make_room(target: Path, size: int) -> None:
    """Free the name of what an earlier attempt left; refuse what the disk has no room for."""
    target.unlink(missing_ok=True)
    free = shutil.disk_usage(target.parent).free
    if free < size + _LEAST_FREE:
        raise FileRefusedError(
            f"The disk has too little room for this file: {render_size(free)} are free."
        )


def _examine(file: RemoteFile, path: Path) -> KeptFile:
    """What is to be known of a file that was fetched: above all, whether it can be attached."""
    size = path.stat().st_size
    is_attached = False
    if size <= MOST_BYTES_OF_PICTURE:
        with path.open("rb") as opened:
            head = opened.read(MOST_BYTES_OF_TEXT + 1)
        is_attached = is_picture(path.name, head) or (
            0 < size <= MOST_BYTES_OF_TEXT and file.kind == "document" and is_text(head)
        )
    return KeptFile(str(path), file.kind, file.name, size, file.seconds, is_attached)


def _say_why(error: Exception) -> str:
    if isinstance(error, BridgeError):
        return str(error)
    return "The file could not be kept: the disk refuses it."
