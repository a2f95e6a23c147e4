"""One session's outbox folder on the disk: what lies in it, and how it is taken away to be sent.

* Only plain files, by descriptors and without following links: whoever writes there may change
  anything at any moment, also between two looks of ours.
* Taking is three steps that a crash can't tear: a note of what is to be moved, the moves, and when
  the chat's post is on disk, the end of the note. `resume` goes on with what was noted. Where the
  note is damaged, what was moved is known by its new name, and the rest lies where it lay.
* What is moved is known by its inode: another file that took its place meanwhile is left alone.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import logging
import os
import signal
import stat
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote_to_bytes

import msgspec

from core.checksum import seal, unseal
from core.file_names import (
    MOST_BYTES_SENT,
    extension_of,
    is_shown_as_photo,
    is_to_be_sent,
    make_stem,
    name_on_button,
    render_size,
)
from core.foreign_text import decode_json, replace_halves
from core.model import Attachment
from durable import replace_file, syncing_folder
from session_files import FileFolder

log = logging.getLogger(__name__)

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A name in the folder, and what is behind it now; `refusal` says why it is never sent."""

    name: str
    device: int
    inode: int
    size: int
    changed_ns: int
    is_open: bool = False
    refusal: str = ""


class _Move(msgspec.Struct, frozen=True):
    quoted: str
    place: str
    device: int
    inode: int

    @property
    def name(self) -> str:
        """As the system has it, which need not be text."""
        return os.fsdecode(unquote_to_bytes(self.quoted))


class _Note(msgspec.Struct):
    moves: list[_Move]


_decoder = msgspec.json.Decoder(_Note)


class OutboxFolder:
    """The outbox of `folder`."""

    def __init__(self, folder: FileFolder) -> None:
        self._folder = folder

    def look(self) -> list[FoundFile]:
        """What lies there and is meant to be sent, by name. Raises OSError."""
        with _opened(self._folder.outgoing) as outgoing:
            with os.scandir(outgoing) as entries:
                names = sorted(entry.name for entry in entries if is_to_be_sent(entry.name))
            found = [_find(name, outgoing) for name in names]
        return [file for file in found if file is not None]

    def take(self, batch: str, files: Sequence[FoundFile]) -> list[Attachment]:
        """Move the files away; those that were, ready to be sent as the post of `batch`.

        Raises OSError, StoreWriteError.
        """
        moves = []
        for number, file in enumerate(files):
            extension = extension_of(file.name)
            place = f"{batch}-{number}-{make_stem(file.name.removesuffix(extension))}"
            place = f"{place.rstrip('-')}.{extension}" if extension else place.rstrip("-")
            quoted = quote(os.fsencode(file.name))
            moves.append(_Move(quoted, place, file.device, file.inode))
        replace_file(self._note(batch), seal(msgspec.json.encode(_Note(moves))))
        return self._move(moves)

    def resume(self) -> Iterator[tuple[str, list[Attachment]]]:
        """The batches that were noted and may not have become a post. Raises OSError."""
        for note in sorted(self._folder.sent.glob(".*.moves")):
            batch = note.name[1:].removesuffix(".moves")
            text = unseal(note.read_bytes())
            found = decode_json(_decoder, text) if text is not None else None
            yield batch, self._move(found.moves if found is not None else self._find_moved(batch))

    def _find_moved(self, batch: str) -> list[_Move]:
        """What was moved for the batch, by the names that it has now."""
        log.error("the note of files to be sent is damaged: what was moved is sent as it is named")
        with _opened(self._folder.sent) as sent:
            names = sorted(name for name in os.listdir(sent) if name.startswith(f"{batch}-"))
            found = [(name, os.stat(name, dir_fd=sent, follow_symlinks=False)) for name in names]
        return [_Move(quote(name), name, at.st_dev, at.st_ino) for name, at in found]

    def forget(self, batch: str) -> None:
        """The post of the batch is on disk."""
        self._note(batch).unlink(missing_ok=True)

    def _note(self, batch: str) -> Path:
        return self._folder.sent / f".{batch}.moves"

    def _move(self, moves: Sequence[_Move]) -> list[Attachment]:
        """Move what is not moved yet; all that is there then."""
        with (
            _opened(self._folder.outgoing) as outgoing,
            syncing_folder(self._folder.outgoing),
            syncing_folder(self._folder.sent),
            _opened(self._folder.sent) as sent,
        ):
            moved = [move for move in moves if _is_moved(move, outgoing, sent)]
            return [self._attachment(move, sent) for move in moved]

    def _attachment(self, move: _Move, sent: int) -> Attachment:
        fd = os.open(move.place, _FILE, dir_fd=sent)
        try:
            os.fsync(fd)
            is_photo = is_shown_as_photo(move.name, os.read(fd, 16))
        finally:
            os.close(fd)
        path = str(self._folder.sent / move.place)
        return Attachment(replace_halves(move.name), path, "photo" if is_photo else "document")


def _find(name: str, folder: int) -> FoundFile | None:
    try:
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        refusal = _why_not(name, status)
        is_open = not refusal and _is_open(name, folder)
    except FileNotFoundError:
        return None
    except OSError as error:
        return FoundFile(
            name, 0, 0, 0, 0, refusal=f"“{name_on_button(name)}” can't be sent: {error.strerror}."
        )
    key = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
    return FoundFile(name, *key, is_open, refusal)


def _why_not(name: str, status: os.stat_result) -> str:
    shown = f"“{name_on_button(name)}”"
    if stat.S_ISDIR(status.st_mode):
        return f"{shown} is a folder; only files are sent."
    if stat.S_ISLNK(status.st_mode) or status.st_nlink > 1:
        return f"{shown} is a link to a file, and is not sent."
    if not stat.S_ISREG(status.st_mode):
        return f"{shown} is not a file."
    if status.st_size > MOST_BYTES_SENT:
        size, most = render_size(status.st_size), render_size(MOST_BYTES_SENT)
        return f"“{name_on_button(name)}” has {size}; Telegram takes at most {most} from a bot."
    return ""


def _is_open(name: str, folder: int) -> bool:
    """Whether somebody still has it open for writing, as far as the system tells."""
    fd = os.open(name, _FILE, dir_fd=folder)
    try:
        return sys.platform == "linux" and _is_lease_refused(fd)
    finally:
        os.close(fd)


def _is_lease_refused(fd: int) -> bool:
    """A lease on reading is refused as long as the file is open for writing.

    Who opens it in this moment makes the system send us a signal: one that does nothing.
    """
    try:
        fcntl.fcntl(fd, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except OSError as error:
        return error.errno == errno.EAGAIN
    return False


def _is_moved(move: _Move, outgoing: int, sent: int) -> bool:
    """Whether the file lies in its new place, moved now or before."""
    if _is_there(move, move.place, sent):
        return True
    try:
        if not _is_there(move, move.name, outgoing):
            return False
        os.rename(move.name, move.place, src_dir_fd=outgoing, dst_dir_fd=sent)
    except OSError as error:
        log.warning("a file in an outbox could not be moved: %s", error.strerror)
        return False
    if _is_there(move, move.place, sent):
        return True
    with contextlib.suppress(OSError):  # it was exchanged in the last moment: back with it
        os.rename(move.place, move.name, src_dir_fd=sent, dst_dir_fd=outgoing)
    return False


def _is_there(move: _Move, name: str, folder: int) -> bool:
    try:
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except OSError:
        return False
    is_same = (status.st_dev, status.st_ino) == (move.device, move.inode)
    return is_same and stat.S_ISREG(status.st_mode)


@contextlib.contextmanager
def _opened(folder: Path) -> Iterator[int]:
    fd = os.open(folder, _FOLDER)
    try:
        yield fd
    finally:
        os.close(fd)
