"""The files of the page: kept when they are shown or sent, and given out so that none of them runs.

* What the bridge shows is copied: the page shows it as it was then, also when it is gone.
* A name is only shown; on the disk a file has a number of its own.
* A picture is what begins like one. All else is only ever saved, never opened in the page.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import stat
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from channels.web_store import KeptFile, WebStore
from core.errors import FileNotReceivedError, FileTooBigError, StoreWriteError
from core.foreign_text import replace_halves
from core.model import Attachment
from durable import reason_for, syncing_folder, write_all

_MOST_BYTES = 200 << 20
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_CHUNK = 1 << 18
_SHOWN_NAME = 120
_OTHER = "application/octet-stream"
_PICTURES = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)


class WebFiles:
    """The files in `folder`, known to `store`."""

    def __init__(self, folder: Path, store: WebStore) -> None:
        self._folder = folder
        self._store = store

    def path_of(self, file: KeptFile) -> Path:
        """Where it is."""
        return self._folder / file.id

    async def keep(self, attachments: Sequence[Attachment]) -> tuple[list[KeptFile], list[str]]:
        """Keep what is to be shown; a sentence for each that can't. Raises StoreWriteError."""
        kept: list[KeptFile] = []
        troubles: list[str] = []
        for attachment in attachments:
            found = await asyncio.to_thread(self._copy, attachment)
            if isinstance(found, str):
                troubles.append(found)
            else:
                self._store.add_file(found)
                kept.append(found)
        return kept, troubles

    async def take(self, name: str, parts: AsyncIterator[bytes], limit_bytes: int) -> KeptFile:
        """Keep what somebody sends. Raises FileTooBigError, StoreWriteError."""
        file_id, size, start = secrets.token_hex(16), 0, b""
        path = self._folder / file_id
        try:
            fd = await asyncio.to_thread(self._create, path)
            try:
                async for part in parts:
                    size += len(part)
                    if size > limit_bytes:
                        limit = limit_bytes >> 20
                        raise FileTooBigError(f"This file is too big: I take {limit} MB at most.")
                    start = (start + part)[:16]
                    await asyncio.to_thread(write_all, fd, part)
                await asyncio.to_thread(os.fsync, fd)
            finally:
                os.close(fd)
        except OSError as error:
            path.unlink(missing_ok=True)
            raise StoreWriteError(f"The file could not be kept: {reason_for(error)}.") from error
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        found = KeptFile(file_id, show_name(name), _type_of(start), size)
        self._store.add_file(found)
        return found

    def remove(self, file_ids: Sequence[str]) -> None:
        """Delete files that nothing names any more."""
        for file_id in file_ids:
            (self._folder / Path(file_id).name).unlink(missing_ok=True)

    async def fetch(self, file_id: str, target: Path, limit_bytes: int) -> None:
        """Put a file at `target`, which is not there before, and whole (0600) after.

        Raises FileTooBigError, FileNotReceivedError, StoreWriteError.
        """
        file = self._store.find_file(file_id)
        if file is None or not self.path_of(file).is_file():
            raise FileNotReceivedError("The file is not there any more; send it again.")
        if file.size > limit_bytes:
            raise FileTooBigError(f"This file is too big: I take {limit_bytes >> 20} MB at most.")
        try:
            await asyncio.to_thread(_write_durably, target, self.path_of(file))
        except OSError as error:
            raise StoreWriteError(f"The file could not be kept: {reason_for(error)}.") from error

    def _create(self, path: Path) -> int:
        self._folder.mkdir(mode=0o700, exist_ok=True)
        return os.open(path, _NEW, 0o600)

    def _copy(self, attachment: Attachment) -> KeptFile | str:
        name, file_id = show_name(attachment.name), secrets.token_hex(16)
        path = self._folder / file_id
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            if attachment.path:
                trouble = _find_trouble(attachment.path, name)
                if trouble is not None:
                    return trouble
                _write(path, Path(attachment.path))
            else:
                fd = os.open(path, _NEW, 0o600)
                with os.fdopen(fd, "wb") as file:
                    file.write(replace_halves(attachment.text).encode())
            with path.open("rb") as file:
                start = file.read(16)
            return KeptFile(file_id, name, _type_of(start), path.stat().st_size)
        except OSError as error:
            with suppress(OSError):
                path.unlink(missing_ok=True)
            return f"“{name}” can't be kept for the page: {reason_for(error)}."


def describe(file: KeptFile) -> dict[str, Any]:
    """The file as the page gets it."""
    is_photo = file.type != _OTHER
    return {"id": file.id, "name": file.name, "size": file.size, "photo": is_photo}


def show_name(name: str) -> str:
    """A name without anything that could be a path, a header or an invisible character."""
    clean = "".join(c if c.isprintable() and c not in '/\\:"' else "_" for c in name).strip(" .")
    return clean[-_SHOWN_NAME:] or "file"


def is_picture(file: KeptFile) -> bool:
    """Whether a browser may show it in the page."""
    return file.type != _OTHER


def _type_of(start: bytes) -> str:
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for mark, kind in _PICTURES if start.startswith(mark)), _OTHER)


def _find_trouble(path: str, name: str) -> str | None:
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return f"“{name}” is gone, so it can't be shown."
    except (OSError, ValueError):
        return f"“{name}” can't be read."
    if not stat.S_ISREG(status.st_mode):
        return f"“{name}” is not a file."
    if status.st_size > _MOST_BYTES:
        return f"“{name}” is larger than {_MOST_BYTES >> 20} MB; get it from the machine itself."
    return None


def _write_durably(target: Path, source: Path) -> None:
    with syncing_folder(target.parent):
        _write(target, source)


def _write(target: Path, source: Path) -> None:
    """Copy what is in an ordinary file; nothing of it is left when that fails."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    with os.fdopen(os.open(source, flags), "rb") as old:
        fd = os.open(target, _NEW, 0o600)
        try:
            while part := old.read(_CHUNK):
                write_all(fd, part)
            os.fsync(fd)
        except BaseException:
            target.unlink(missing_ok=True)
            raise
        finally:
            os.close(fd)
