"""What Claude puts into its outbox folder, sent to the chat, each file once.

* Looked for when a tool or a turn has ended, and after a start of the bridge; nothing looks in
  between.
* A file is sent once nobody writes it any more: its size and time have stood still, and where the
  system can tell, nobody has it open for writing. Several that are ready together are one post.
* What is never sent (links, folders, what is too large) is named once, and left where it is.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import time
import uuid
from collections.abc import Awaitable, Callable

from core.errors import StoreError, StoreWriteError
from core.events import HookEvent, ToolEnded, TranscriptEvent, TurnEnded
from core.model import Attachment, Post
from outbox import Outbox
from outbox_folder import FoundFile, OutboxFolder
from session import Session
from session_book import chat_of, files_id
from session_files import FileFolder, SessionFiles
from session_runner import SessionRunner
from sessions import Sessions

log = logging.getLogger(__name__)

_STILL_SECONDS = 1.0
_EMPTY_SECONDS = 10.0
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 10.0
_PATIENCE = 5.0
_GIVE_UP_SECONDS = 1800.0
_DISK_SECONDS = 5.0


class Deliveries:
    """Sends what lies in the outboxes of `files`; hears of it as an observer of `sessions`."""

    def __init__(
        self,
        sessions: Sessions,
        outbox: Outbox,
        files: SessionFiles,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._sessions = sessions
        self._outbox = outbox
        self._files = files
        self._sleep = sleep
        self._clock = clock
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._is_due: set[str] = set()
        self._idle_since: dict[str, int] = {}

    def start(self) -> None:
        """Look into every outbox; also for what was being sent when the bridge ended."""
        known = self._sessions.book.store.list_sessions()
        owners = {files_id(session): session for session in known}
        owners |= {session.session_id: session for session in known}
        for folder in self._files.all():
            if folder.name in owners:
                self._stir(owners[folder.name], folder)

    async def stop(self) -> None:
        """Leave everything as it is."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def hear_hook(self, runner: SessionRunner, event: HookEvent) -> None:
        """A turn's end is when most files are ready."""
        if isinstance(event, TurnEnded):
            self._look_for(runner.session_id)

    def hear_event(self, session: Session, event: TranscriptEvent, *, is_news: bool) -> None:
        """Any tool may have written something."""
        if isinstance(event, ToolEnded):
            self._look_for(session.session_id)

    def hear_status(self, runner: SessionRunner) -> None:
        """So may what ran on in the background."""
        process = runner.process
        if process is None or not process.is_idle:
            return
        if self._idle_since.get(runner.session_id) != process.since_ms:
            self._idle_since[runner.session_id] = process.since_ms
            self._look_for(runner.session_id)

    def _look_for(self, session_id: str) -> None:
        session = self._sessions.book.store.load(session_id)
        if session is None:
            return
        for name in {files_id(session), session_id}:
            folder = self._files.find(name)
            if folder is not None:
                self._stir(session, folder)

    def _stir(self, session: Session, folder: FileFolder) -> None:
        """Have the folder looked at, once more if that is under way."""
        self._is_due.add(folder.name)
        task = self._tasks.get(folder.name)
        if task is None or task.done():
            work = self._work(session.session_id, folder)
            self._tasks[folder.name] = asyncio.create_task(work, name=f"files {folder.name}")

    async def _work(self, session_id: str, folder: FileFolder) -> None:
        while folder.name in self._is_due:
            self._is_due.discard(folder.name)
            try:
                await self._deliver(session_id, OutboxFolder(folder), folder.name)
            except StoreWriteError as error:
                log.error("files wait to be sent until that can be noted down: %s", error)
                await self._sleep(_DISK_SECONDS)
                self._is_due.add(folder.name)
            except (OSError, StoreError) as error:
                log.warning("an outbox folder can't be looked into: %s", error)

    async def _deliver(self, session_id: str, box: OutboxFolder, name: str) -> None:
        """Until nothing is left that will be sent."""
        for batch, attachments in await asyncio.to_thread(lambda: list(box.resume())):
            self._post(session_id, name, batch, box, attachments)
        before: dict[str, FoundFile] = {}
        pause, since = _FIRST_PAUSE, self._clock()
        while True:
            found = await asyncio.to_thread(box.look)
            self._refuse(session_id, name, found)
            hopeful = [file for file in found if not file.refusal]
            ready = [f for f in hopeful if self._is_ready(f, before.get(f.name))]
            waited = self._clock() - since
            if ready and (len(ready) == len(hopeful) or waited > _PATIENCE):
                await self._send(session_id, name, box, ready)
                hopeful = [file for file in hopeful if file not in ready]
            if not hopeful or waited > _GIVE_UP_SECONDS:
                return
            before = {file.name: file for file in hopeful}
            await self._sleep(pause)
            pause = min(pause * 1.5, _LONGEST_PAUSE)

    def _is_ready(self, file: FoundFile, before: FoundFile | None) -> bool:
        age = self._clock() - file.changed_ns / 1e9
        if file.is_open or (file.size == 0 and age < _EMPTY_SECONDS):
            return False
        return file == before or age > _STILL_SECONDS

    async def _send(
        self, session_id: str, name: str, box: OutboxFolder, files: list[FoundFile]
    ) -> None:
        batch = uuid.uuid4().hex[:12]
        attachments = await asyncio.to_thread(box.take, batch, files)
        self._post(session_id, name, batch, box, attachments)

    def _post(
        self,
        session_id: str,
        name: str,
        batch: str,
        box: OutboxFolder,
        attachments: list[Attachment],
    ) -> None:
        """The post first, then the end of the note: repeated, it is a post that is known."""
        if attachments:
            chat = chat_of(self._session(session_id))
            post = Post(f"files:{name}:{batch}", chat, "", attachments=tuple(attachments))
            self._outbox.put(post)
        box.forget(batch)

    def _refuse(self, session_id: str, name: str, found: list[FoundFile]) -> None:
        for file in found:
            if file.refusal:
                what = f"{file.name}:{file.inode}:{file.changed_ns}:{file.refusal}"
                digest = hashlib.sha256(os.fsencode(what)).hexdigest()[:16]
                chat = chat_of(self._session(session_id))
                self._outbox.put(Post(f"not sent:{name}:{digest}", chat, file.refusal, silent=True))

    def _session(self, session_id: str) -> Session:
        """Raises SessionNotFoundError."""
        return self._sessions.book.latest(self._sessions.book.for_id(session_id))
