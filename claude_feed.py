"""What Claude Code does, as it happens: its hooks' socket, its transcripts and its registry.

* The only module that uses watchdog. A look each few seconds backs it up, since file events can be
  lost; nothing depends on one.
* A transcript is read from the byte that `follow` names and in whole lines: one that is still being
  written waits for its end.
* Everything is handed to `FeedListener` in the event loop, one thing after the other.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Protocol

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer
from watchdog.observers.api import ObservedWatch

from core.errors import BridgeError, SessionNotFoundError, StoreWriteError
from core.events import HookEvent, PermissionAsked, TranscriptEvent
from core.hooks import parse_hook
from core.transcript import is_older, parse_line

log = logging.getLogger(__name__)

_LOOK_SECONDS = 15.0
_OBSERVER_SECONDS = 30.0  # how often its idle threads wake to see whether they should stop
_CHUNK = 4 << 20
_LONGEST_MESSAGE = 32 << 20
_DONE = b"."


class FeedListener(Protocol):
    """Who is told."""

    def hear_hook(self, event: HookEvent) -> None:
        """A hook fired."""

    async def answer(self, event: PermissionAsked) -> str:
        """The answer (JSON) to a request, as soon as there is one; "" for none at all.

        Cancelled when nobody waits for it any more: the hook has ended, or the bridge does.
        """

    def hear_transcript(
        self, session_id: str, events: Sequence[tuple[int, TranscriptEvent]], end: int
    ) -> None:
        """New lines: each event with the offset behind its line; `end` is behind the last line.

        When this raises BridgeError or OSError, the lines are read again later. After any other
        error they come one by one, and those that fail once more are passed over.
        """

    def hear_loss(self, session_id: str, end: int) -> None:
        """The line of a transcript that ends at `end` was passed over."""

    def hear_registry(self) -> None:
        """The registry changed."""


@dataclass(slots=True)
class _Followed:
    path: Path
    offset: int
    since: str
    watch: ObservedWatch | None


class ClaudeFeed:
    """Listens in `directory` (socket, spool) and on Claude Code's `registry` folder."""

    def __init__(self, directory: Path, registry: Path, listener: FeedListener) -> None:
        self._directory = directory
        self._registry = registry
        self._listener = listener
        self._followed: dict[str, _Followed] = {}
        self._observer = Observer(timeout=_OBSERVER_SECONDS)
        self._waker = _Waker(self._wake)
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._looker: asyncio.Task[None] | None = None
        self._is_look_due = False

    async def start(self) -> None:
        """Open the socket, then hand on what was spooled while nobody listened."""
        self._loop = asyncio.get_running_loop()
        bound = _bind(self._directory / "hook.sock")
        self._server = await asyncio.start_unix_server(
            self._receive, sock=bound, limit=_LONGEST_MESSAGE
        )
        self._observer.start()
        self._watch(self._registry)
        self._read_spool()
        self._looker = asyncio.create_task(self._look_regularly(), name="feed")

    def read_kept(self) -> list[HookEvent]:
        """What was kept while nobody listened, as `start` will hand it on."""
        found = (parse_hook(_read_file(path)) for path in self._find_kept())
        return [event for event in found if event is not None]

    async def stop(self) -> None:
        """Close the socket and stop watching."""
        if self._looker is not None:
            self._looker.cancel()
        if self._server is not None:
            self._server.close()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        if self._observer.is_alive():
            self._observer.stop()
            await asyncio.to_thread(self._observer.join)

    def follow(self, session_id: str, path: Path, offset: int, *, since: str = "") -> None:
        """Hand on the lines of this transcript from byte `offset` on, and all that come.

        What was said before `since` is not: a fork begins with a copy of another's lines.
        """
        known = self._followed.get(session_id)
        if known is not None and known.path == path:
            known.since = since
            return
        if known is not None:
            self.unfollow(session_id)
        self._followed[session_id] = _Followed(path, offset, since, self._watch(path.parent))
        self._wake()

    @property
    def followed(self) -> set[str]:
        """The sessions whose transcripts are followed."""
        return set(self._followed)

    def follows(self, session_id: str) -> bool:
        """Whether this session's transcript is followed."""
        return session_id in self._followed

    def unfollow(self, session_id: str) -> None:
        """Stop following, after a last look."""
        followed = self._followed.get(session_id)
        if followed is not None:
            self._read(session_id, followed)
            self._drop(session_id)

    def _drop(self, session_id: str) -> None:
        followed = self._followed.pop(session_id, None)
        if followed is None:
            return
        if followed.watch and not any(f.watch == followed.watch for f in self._followed.values()):
            self._observer.unschedule(followed.watch)

    def look(self) -> None:
        """Read at once what is new."""
        for session_id, followed in list(self._followed.items()):
            self._read(session_id, followed)

    def _watch(self, folder: Path) -> ObservedWatch | None:
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            return self._observer.schedule(self._waker, str(folder))
        except OSError as error:  # out of watches: the regular look has to do
            log.warning("a folder can't be watched: %s", error.strerror or error)
            return None

    def _wake(self) -> None:
        """Look soon; from any thread."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._look_once)

    def _look_once(self) -> None:
        """However many events came in a burst, one look is enough."""
        if not self._is_look_due and self._loop is not None:
            self._is_look_due = True
            self._loop.call_soon(self._look_now)

    def _look_now(self) -> None:
        self._is_look_due = False
        self.look()
        self._listener.hear_registry()

    async def _look_regularly(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            self._look_once()

    def _read(self, session_id: str, followed: _Followed) -> None:
        try:
            while self._read_chunk(session_id, followed):
                pass
        except FileNotFoundError:
            return  # not there before the first prompt
        except SessionNotFoundError:  # it was removed; nobody wants to know
            self._drop(session_id)
        except (BridgeError, OSError) as error:
            log.warning("new lines of a transcript are read again: %s", error)
        except Exception:
            log.exception("the loss of a line could not be told")

    def _read_chunk(self, session_id: str, followed: _Followed) -> bool:
        """Hand on the next whole lines; whether there were any."""
        with followed.path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size < followed.offset:
                log.warning("a transcript became shorter; it is followed from its new end")
                followed.offset = size
            if size == followed.offset:
                return False
            file.seek(followed.offset)
            data = file.read(_CHUNK)
            while b"\n" not in data and (more := file.read(_CHUNK)):
                data += more
        whole = data[: data.rfind(b"\n") + 1]
        if whole:
            self._hand_on_lines(session_id, followed, whole)
        return bool(whole)

    def _hand_on_lines(self, session_id: str, followed: _Followed, whole: bytes) -> None:
        """All at once; if that fails as nothing should, one by one, without those that fail."""
        lines = whole.split(b"\n")[:-1]
        ends = list(accumulate((len(line) + 1 for line in lines), initial=followed.offset))[1:]
        numbered = list(zip(ends, lines, strict=True))
        if not self._are_heard(session_id, followed, numbered):
            for line in numbered:
                if not self._are_heard(session_id, followed, [line]):
                    self._listener.hear_loss(session_id, line[0])
        followed.offset = ends[-1]

    def _are_heard(
        self, session_id: str, followed: _Followed, lines: list[tuple[int, bytes]]
    ) -> bool:
        """Whether the lines (each with its end) are handled; raises BridgeError, OSError."""
        try:
            events = [
                (end, event)
                for end, line in lines
                if not is_older(line, followed.since)
                for event in parse_line(line)
            ]
            self._listener.hear_transcript(session_id, events, lines[-1][0])
        except (BridgeError, OSError):
            raise
        except Exception:
            log.exception("%d lines of a transcript could not be handled", len(lines))
            return False
        return True

    async def _receive(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = asyncio.current_task()
        assert connection is not None
        self._connections.add(connection)
        connection.add_done_callback(self._connections.discard)
        try:
            event, is_done = self._hand_on(await reader.readline())
            if isinstance(event, PermissionAsked):
                await self._answer(event, reader, writer)
            elif is_done:
                writer.write(_DONE)
                await writer.drain()
        except (OSError, ValueError) as error:  # it broke off, or is longer than any hook's
            log.warning("a hook's message could not be read: %s", error)
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def _answer(
        self, event: PermissionAsked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Write the answer, unless the hook ends before."""
        answering = asyncio.ensure_future(self._listener.answer(event))
        leaving = asyncio.ensure_future(reader.read(1))
        try:
            await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if answering.done():
                writer.write(answering.result().encode() + b"\n")
                await writer.drain()
        finally:
            answering.cancel()
            leaving.cancel()
            await asyncio.gather(answering, leaving, return_exceptions=True)

    def _hand_on(self, message: bytes) -> tuple[HookEvent | None, bool]:
        """The event, and whether all that comes of it is done."""
        event = parse_hook(message)
        try:
            if event is not None:
                self._listener.hear_hook(event)
        except StoreWriteError as error:
            log.error("a hook's message waits until it can be noted down: %s", error)
            return event, False
        except Exception:
            log.exception("a hook's message could not be handled")
        return event, True

    def _find_kept(self) -> list[Path]:
        return sorted((self._directory / "spool").glob("*.json"))

    def _read_spool(self) -> None:
        for path in self._find_kept():
            try:
                if self._hand_on(path.read_bytes())[1]:
                    path.unlink()
            except OSError as error:
                log.warning("a kept hook's message can't be taken: %s", error.strerror)


def _read_file(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


class _Waker(FileSystemEventHandler):
    """Calls `wake` for what changes a file (reading one is an event too)."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake

    def on_any_event(self, event: FileSystemEvent) -> None:
        if event.event_type in ("created", "modified", "moved", "deleted"):
            self._wake()


def _bind(path: Path) -> socket.socket:
    """A socket at `path`, by a short way round: a socket's path may have about 100 bytes."""
    path.unlink(missing_ok=True)
    bound = socket.socket(socket.AF_UNIX)
    with tempfile.TemporaryDirectory(dir="/tmp") as short:  # TMPDIR can be long too
        link = Path(short) / "d"
        link.symlink_to(path.parent.absolute())
        bound.bind(str(link / path.name))
    path.chmod(0o600)
    return bound
