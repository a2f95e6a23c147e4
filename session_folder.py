"""The folder of session files: how they are read, written, removed and set aside.

* Every change happens under one lock between processes, `.lock`.
* Readers need no lock: files are replaced whole.
* A file is read only if it is a regular one of bearable size: no symlink, pipe or folder is
  followed.
* What is damaged moves to `quarantine/` under a name of its own: never overwritten, never deleted.
"""

import errno
import os
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from core.errors import StoreError, StoreWriteError
from core.session_file import MAX_BYTES, DamagedFileError
from core.session_index import Stamp
from durable import (
    SystemCalls,
    make_folder,
    reason_for,
    replace_file,
    sweep_temporaries,
    syncing_folder,
)
from file_lock import drop_lock, take_lock

INDEX = "index.json"
SUFFIX = ".json"

_LOCK = ".lock"
_QUARANTINE = "quarantine"
_MAX_INDEX_BYTES = 1 << 28
_READ_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NOT_A_FILE = frozenset({errno.ELOOP, errno.EMLINK, errno.ENXIO})
_ABOUT_THIS_FILE = frozenset({errno.EACCES, errno.EPERM, errno.EIO})


class UnreadableFileError(StoreError):
    """A file that cannot be read or moved, for a reason of its own, such as its permissions."""


class SessionFolder:
    """The files of one store. Not thread-safe: its owner holds a lock."""

    def __init__(self, path: Path, *, system: SystemCalls, lock_timeout: float) -> None:
        self.path = path
        self._system = system
        self._lock_timeout = lock_timeout
        self._lock_fd = -1
        self._lock_depth = 0

    def prepare(self) -> None:
        """Create the folder, or close an existing one to other users; raises StoreError."""
        try:
            make_folder(self.path, system=self._system)
            if stat.S_IMODE(self.path.stat().st_mode) != 0o700:
                self.path.chmod(0o700)
        except OSError as error:
            raise StoreError(
                f"The session folder {self.path} cannot be used: {reason_for(error)}."
            ) from error

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep every other process and store out; may be taken again inside.

        Raises StoreWriteError when it cannot be had in time.
        """
        if self._lock_depth == 0:
            self._lock_fd = self._acquire()
        self._lock_depth += 1
        try:
            yield
        finally:
            self._lock_depth -= 1
            if self._lock_depth == 0:
                drop_lock(self._lock_fd)

    def sweep_locked(self) -> int:
        """Remove the temporary files of killed writers; returns how many there were."""
        try:
            return sweep_temporaries(self.path)
        except OSError as error:
            raise StoreError(
                f"The session folder cannot be cleaned: {reason_for(error)}."
            ) from error

    def scan(self) -> Iterator[tuple[str, Stamp]]:
        """Each file that looks like a session's: its name without `.json`, and its stamp."""
        try:
            with os.scandir(self.path) as entries:
                for entry in entries:
                    name = entry.name
                    if not name.endswith(SUFFIX) or name[0] == "." or name == INDEX:
                        continue
                    with suppress(FileNotFoundError):
                        yield name[: -len(SUFFIX)], _stamp(entry.stat(follow_symlinks=False))
        except OSError as error:
            raise StoreError(
                f"The session folder cannot be listed: {reason_for(error)}."
            ) from error

    def find_stamp(self, session_id: str) -> Stamp | None:
        """The stamp of the session's file, whatever it is, or None. Raises StoreError."""
        try:
            return _stamp(os.lstat(self._file(session_id)))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreError(
                f"Session {session_id} could not be looked at: {reason_for(error)}."
            ) from error

    def is_folder(self, name: str) -> bool:
        """Whether there is a folder of that name, which no file could replace."""
        path = self.path / name
        return path.is_dir() and not path.is_symlink()

    def find_session(self, session_id: str) -> tuple[bytes, Stamp] | None:
        """The bytes and stamp of the session's file; None if there is none.

        Raises DamagedFileError if it is none to be read, UnreadableFileError if this one cannot
        be read, and StoreError if at present none can.
        """
        return self._read(session_id + SUFFIX, MAX_BYTES)

    def find_index(self) -> bytes | None:
        """The bytes of the index; raises as `find_session`."""
        found = self._read(INDEX, _MAX_INDEX_BYTES)
        return found and found[0]

    def write_session_locked(self, session_id: str, data: bytes) -> Stamp:
        """Durably replace the session's file; raises StoreWriteError."""
        return _stamp(replace_file(self._file(session_id), data, system=self._system))

    def write_index_locked(self, data: bytes) -> None:
        """Durably replace the index; raises StoreWriteError."""
        replace_file(self.path / INDEX, data, system=self._system)

    @contextmanager
    def removing_locked(self) -> Iterator[None]:
        """Make what `remove_session_locked` does in the body durable; raises StoreWriteError."""
        try:
            with syncing_folder(self.path, system=self._system):
                yield
        except OSError as error:
            raise StoreWriteError(f"Not everything was removed: {reason_for(error)}.") from error

    def remove_session_locked(self, session_id: str) -> None:
        """Remove the session's file, within `removing_locked`."""
        with suppress(FileNotFoundError):
            self._system.unlink(self._file(session_id))

    def set_aside_locked(self, name: str) -> Path:
        """Move the file or folder into quarantine and return where it is now.

        Raises UnreadableFileError if it has to stay where it is.
        """
        quarantine = self.path / _QUARANTINE
        place = quarantine / f"{plain_name(name)}.{secrets.token_hex(8)}"
        try:
            with suppress(FileExistsError):
                self._system.mkdir(quarantine, 0o700)
            if not stat.S_ISDIR(os.lstat(quarantine).st_mode):
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
            with (
                syncing_folder(self.path, system=self._system),
                syncing_folder(quarantine, system=self._system),
            ):
                self._system.replace(self.path / name, place)
        except OSError as error:
            raise UnreadableFileError(
                f"{plain_name(name)} is damaged and cannot be moved to {quarantine}: "
                f"{reason_for(error)}."
            ) from error
        return place

    def _acquire(self) -> int:
        try:
            return take_lock(self.path / _LOCK, self._lock_timeout, system=self._system)
        except TimeoutError as error:
            raise StoreWriteError(f"{error}; nothing was changed.") from error
        except OSError as error:
            raise StoreWriteError(
                f"The session folder cannot be locked: {reason_for(error)}."
            ) from error

    def _file(self, session_id: str) -> str:
        return f"{self.path}{os.sep}{session_id}{SUFFIX}"

    def _read(self, name: str, limit: int) -> tuple[bytes, Stamp] | None:
        try:
            fd = self._system.open(f"{self.path}{os.sep}{name}", _READ_FLAGS)
            try:
                status = os.fstat(fd)
                data = _read_regular(fd, status, limit, self._system)
            finally:
                os.close(fd)
        except FileNotFoundError:
            return None
        except OSError as error:
            if error.errno in _NOT_A_FILE:
                raise DamagedFileError("it is a link or a device, not a file") from error
            kind = UnreadableFileError if error.errno in _ABOUT_THIS_FILE else StoreError
            raise kind(f"{plain_name(name)} could not be read: {reason_for(error)}.") from error
        return data, _stamp(status)


def _stamp(status: os.stat_result) -> Stamp:
    return status.st_mtime_ns, status.st_ino, status.st_size


def _read_regular(fd: int, status: os.stat_result, limit: int, system: SystemCalls) -> bytes:
    if not stat.S_ISREG(status.st_mode):
        raise DamagedFileError("it is a folder or a device, not a file")
    if status.st_size > limit:
        raise DamagedFileError(f"it is larger than {limit} bytes")
    data = system.read(fd, status.st_size)
    while len(data) < status.st_size and (part := system.read(fd, status.st_size - len(data))):
        data += part
    return data


def plain_name(name: str) -> str:
    """The file name in letters that every log, chat and file system takes."""
    return re.sub(r"[^A-Za-z0-9._-]", "_", name)[:140]
