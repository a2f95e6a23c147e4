"""Files to and from Telegram: opened as its servers take them, and what people sent, fetched.

* A file that can't be sent is replaced by a sentence that says why. A photo that Telegram does not
  take as one goes as a document, and the other photos of its album with it.
* Of a name only what can be shown is used; no path is made of it.
* What is fetched is streamed to a temporary file that takes its place when it is whole.
"""

from __future__ import annotations

import asyncio
import io
import os
import secrets
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import httpx
from telegram import InputFile, InputMediaDocument, InputMediaPhoto, MessageEntity

from core.errors import FileNotReceivedError, FileTooBigError, StoreWriteError
from core.foreign_text import replace_halves
from core.model import Attachment
from durable import reason_for, syncing_folder, write_all

_DOWNLOAD_LIMIT = 20 << 20
_UPLOAD_LIMIT = 50 << 20
_PHOTO_LIMIT = 10 << 20
_SHOWN_NAME = 80
_PHOTO_REFUSED = ("photo_", "image_process_failed", "too big for a photo")
_CHUNK = 1 << 16
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class OpenFile:
    """A file that is ready to be sent."""

    name: str
    content: IO[bytes]
    size: int
    is_photo: bool


@contextmanager
def opened(attachments: Sequence[Attachment]) -> Iterator[tuple[list[OpenFile], list[str]]]:
    """The files that can be sent, and a sentence for each that can't."""
    files: list[OpenFile] = []
    troubles: list[str] = []
    try:
        for attachment in attachments:
            found = _open(attachment)
            if isinstance(found, str):
                troubles.append(found)
            else:
                files.append(found)
        if any(not file.is_photo for file in files):  # an album holds photos or documents
            files = [OpenFile(f.name, f.content, f.size, is_photo=False) for f in files]
        yield files, troubles
    finally:
        for file in files:
            file.content.close()


def make_media(
    file: OpenFile, caption: str = "", entities: Sequence[MessageEntity] = (), *, is_photo: bool
) -> InputMediaPhoto | InputMediaDocument:
    """The file as Telegram wants it, from its beginning."""
    file.content.seek(0)
    content = InputFile(file.content, file.name, attach=True, read_file_handle=False)
    if is_photo:
        return InputMediaPhoto(content, caption, caption_entities=entities)
    return InputMediaDocument(
        content, caption, caption_entities=entities, disable_content_type_detection=True
    )


def is_photo_refused(reason: str) -> bool:
    """Whether Telegram would take as a document what it does not take as a photo."""
    return any(part in reason.lower() for part in _PHOTO_REFUSED)


def fits_one_request(files: Sequence[OpenFile]) -> bool:
    """Whether the files may be sent together."""
    return sum(file.size for file in files) <= _UPLOAD_LIMIT


async def fetch(url: str, target: Path, limit_bytes: int) -> None:
    """Stream what is at `url` to `target`; the URL, which holds the token, is in no error."""
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(8)}.tmp")
    try:
        await _stream(url, temporary, limit_bytes)
        await asyncio.to_thread(_put_in_place, temporary, target)
    except httpx.HTTPError as error:
        raise FileNotReceivedError(_failed(type(error).__name__)) from None
    except OSError as error:
        raise StoreWriteError(f"The file could not be kept: {reason_for(error)}.") from error
    finally:
        with suppress(OSError):
            temporary.unlink()


def check_size(size: int | None, limit_bytes: int) -> None:
    """Refuse what is larger than may be fetched. Raises FileTooBigError."""
    if size is not None and size > min(limit_bytes, _DOWNLOAD_LIMIT):
        raise too_big(limit_bytes)


def too_big(limit_bytes: int) -> FileTooBigError:
    """The refusal, with a sentence for the chat."""
    if limit_bytes < _DOWNLOAD_LIMIT:
        return FileTooBigError(f"This file is too big: I take {_in_words(limit_bytes)} at most.")
    limit = _in_words(_DOWNLOAD_LIMIT)
    return FileTooBigError(f"This file is too big: Telegram gives a bot {limit} at most.")


def _failed(reason: str) -> str:
    return f"The file could not be fetched ({reason}); send it again."


async def _stream(url: str, temporary: Path, limit_bytes: int) -> None:
    fd = os.open(temporary, _NEW, 0o600)
    try:
        size = 0
        async with httpx.AsyncClient(timeout=30) as client, client.stream("GET", url) as answer:
            if answer.status_code != httpx.codes.OK:
                raise FileNotReceivedError(_failed(f"status {answer.status_code}"))
            async for chunk in answer.aiter_bytes(_CHUNK):
                size += len(chunk)
                check_size(size, limit_bytes)
                write_all(fd, chunk)
        await asyncio.to_thread(os.fsync, fd)
    finally:
        os.close(fd)


def _put_in_place(temporary: Path, target: Path) -> None:
    with syncing_folder(target.parent):
        os.close(os.open(target, _NEW, 0o600))  # the name is ours now, and was nobody's before
        temporary.replace(target)


def _open(attachment: Attachment) -> OpenFile | str:
    """The file, or why there is none to send."""
    name = _shown(attachment.name)
    if not attachment.path:
        data = replace_halves(attachment.text).encode()
        return OpenFile(name, io.BytesIO(data), len(data), is_photo=False)
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        fd = os.open(attachment.path, flags)
    except FileNotFoundError:
        return f"“{name}” is gone, so it can't be shown."
    except (OSError, ValueError) as error:
        reason = reason_for(error) if isinstance(error, OSError) else "its path is none"
        return f"“{name}” can't be read: {reason}."
    status = os.fstat(fd)
    trouble = _find_trouble(name, status)
    if trouble is not None:
        os.close(fd)
        return trouble
    is_photo = attachment.kind == "photo" and status.st_size <= _PHOTO_LIMIT
    return OpenFile(name, os.fdopen(fd, "rb"), status.st_size, is_photo)


def _find_trouble(name: str, status: os.stat_result) -> str | None:
    if not stat.S_ISREG(status.st_mode):
        return f"“{name}” is not a file."
    if status.st_size == 0:
        return f"“{name}” is empty."
    if status.st_size > _UPLOAD_LIMIT:
        size, limit = _in_words(status.st_size), _in_words(_UPLOAD_LIMIT)
        return f"“{name}” has {size}; Telegram takes at most {limit} from a bot."
    return None


def _shown(name: str) -> str:
    """A name without anything that could be a path, a header or an invisible character."""
    clean = "".join(c if c.isprintable() and c not in '/\\:"' else "_" for c in name).strip(" .")
    if len(clean) > _SHOWN_NAME:
        clean = f"{clean[: _SHOWN_NAME // 2]}…{clean[-_SHOWN_NAME // 2 :]}"
    return clean or "file"


def _in_words(size: int) -> str:
    if size < 1 << 20:
        return f"{-(-size // 1024)} KB"
    return f"{size / (1 << 20):.1f}".removesuffix(".0") + " MB"
