"""Durable writes: what these functions returned from survives `kill -9` and a power cut.

* A file is replaced whole: temporary file beside it, fsync, rename, fsync of the folder. A reader
  sees the old bytes or the new ones, never a mixture, and needs no lock.
* A record is appended whole, or the file is cut back to the length it had.
* A refused write is a `StoreWriteError` with a sentence for the chat. It is never retried here:
  after a failed fsync the kernel may call the lost pages clean, so a second fsync would lie.
* What a killed process leaves behind is a temporary file, which the next start removes.
* What is damaged moves aside under a name of its own: never overwritten, never deleted.
* On macOS fsync reaches the drive, not the platter: a power cut can cost the last moments there.
"""

import errno
import os
import re
import secrets
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

from core.errors import StoreWriteError

_READ_AT_ONCE = 1 << 20
_TEMPORARY = re.compile(r"\..+\.[0-9a-f]{16}\.tmp")

_REASONS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EROFS: "the disk is mounted read-only",
    errno.EACCES: "permission is denied",
    errno.EPERM: "permission is denied",
    errno.EIO: "the disk reports an input/output error",
    errno.EMFILE: "too many files are open",
    errno.ENFILE: "too many files are open",
}


class SystemCalls(Protocol):
    """The calls whose failure must be survived; the module `os` is one, tests pass another."""

    def open(self, path: str | Path, flags: int, mode: int = 0o777, /) -> int: ...

    def read(self, fd: int, length: int, /) -> bytes: ...

    def pread(self, fd: int, length: int, offset: int, /) -> bytes: ...

    def write(self, fd: int, data: bytes | memoryview, /) -> int: ...

    def fsync(self, fd: int, /) -> None: ...

    def replace(self, source: str | Path, target: str | Path, /) -> None: ...

    def mkdir(self, path: str | Path, mode: int = 0o777, /) -> None: ...

    def unlink(self, path: str | Path, /) -> None: ...


def reason_for(error: OSError) -> str:
    """Why the system call failed, as the part of a sentence that follows a colon."""
    if error.errno in _REASONS:
        return _REASONS[error.errno]
    return os.strerror(error.errno) if error.errno else str(error)


def replace_file(path: str | Path, data: bytes, *, system: SystemCalls = os) -> os.stat_result:
    """Make `data` the whole content of `path` (mode 0600) and return the new file's stat.

    Raises StoreWriteError. The old content is then untouched and no temporary file is left, but for
    one case: when only the last step failed, the fsync of the folder, either content may be found.
    """
    folder, name = os.path.split(path)
    temporary = os.path.join(folder, f".{name}.{secrets.token_hex(8)}.tmp")
    try:
        with syncing_folder(folder or os.curdir, system=system):
            status = _write_new(temporary, data, system)
            _rename(temporary, path, system)
    except OSError as error:
        raise StoreWriteError(f"{name} could not be written: {reason_for(error)}.") from error
    return status


def read_file(path: str | Path, *, system: SystemCalls = os) -> bytes:
    """All of the file's bytes; raises OSError."""
    fd = system.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return b"".join(iter(lambda: system.read(fd, _READ_AT_ONCE), b""))
    finally:
        os.close(fd)


def make_folder(path: Path, *, system: SystemCalls = os) -> None:
    """See that the folder is there, for its owner alone if it is new; raises OSError."""
    try:
        system.mkdir(path, 0o700)
    except FileExistsError:
        if not path.is_dir():
            raise
    except FileNotFoundError:
        make_folder(path.parent, system=system)
        with suppress(FileExistsError):
            system.mkdir(path, 0o700)


def set_aside(path: Path, data: bytes, *, system: SystemCalls = os) -> Path:
    """Move the damaged file, which says `data`, to `<stem>.damaged-…` beside it; returns where.

    Raises StoreWriteError.
    """
    place = path.with_suffix(f".damaged-{zlib.crc32(data):08x}")
    try:
        with syncing_folder(path.parent, system=system):
            system.replace(path, place)
    except OSError as error:
        raise StoreWriteError(
            f"{path.name} is damaged and could not be set aside: {reason_for(error)}."
        ) from error
    return place


def append_durably(fd: int, data: bytes, *, system: SystemCalls = os) -> None:
    """Append `data` to a file opened with O_APPEND, and wait until the disk has it.

    The caller keeps other writers out. Raises StoreWriteError once the file has its old length
    again; go on in a new file then, as this one's earlier pages may be lost too. (An append changes
    the length, so fdatasync would cost as much as fsync, and macOS lacks it.)
    """
    length = os.fstat(fd).st_size
    try:
        write_all(fd, data, system=system)
        system.fsync(fd)
    except OSError as error:
        with suppress(OSError):
            os.ftruncate(fd, length)
        raise StoreWriteError(f"A record could not be written: {reason_for(error)}.") from error


def write_all(fd: int, data: bytes, *, system: SystemCalls = os) -> None:
    """Write every byte, as one `write` may take only a part; raises OSError."""
    rest = memoryview(data)
    while rest:
        rest = rest[system.write(fd, rest) :]


@contextmanager
def syncing_folder(folder: str | Path, *, system: SystemCalls = os) -> Iterator[None]:
    """Make durable which names were added to the folder, or removed, in the body; raises OSError.

    The folder is opened first, so that only its fsync can fail once the body has succeeded.
    """
    fd = system.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield
        system.fsync(fd)
    finally:
        os.close(fd)


def sweep_temporaries(folder: Path) -> int:
    """Remove what killed writers left and return how many files that was; raises OSError.

    The caller holds the lock that every writer to this folder takes: only then is none of them
    live.
    """
    left = [path for path in folder.iterdir() if _TEMPORARY.fullmatch(path.name)]
    for path in left:
        path.unlink(missing_ok=True)
    return len(left)


def remove_temporaries_of(path: Path, *, system: SystemCalls = os) -> None:
    """Remove what killed writers of this file left; what can't be removed costs only its room.

    The caller is the file's only writer.
    """
    for left in path.parent.glob(f".{path.name}.*.tmp"):
        with suppress(OSError):
            system.unlink(left)


def _write_new(path: str, data: bytes, system: SystemCalls) -> os.stat_result:
    fd = system.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        write_all(fd, data, system=system)
        # The kernel's own stamp moves once a tick (4 ms), in which a file can be replaced twice and
        # get its first inode back; with nanoseconds, (mtime, inode, size) tells versions apart.
        now = time.time_ns()
        os.utime(fd, ns=(now, now))
        system.fsync(fd)
        status = os.fstat(fd)
    except BaseException:
        _remove_quietly(path, system)
        raise
    finally:
        os.close(fd)
    return status


def _rename(temporary: str, path: str | Path, system: SystemCalls) -> None:
    try:
        system.replace(temporary, path)
    except BaseException:
        _remove_quietly(temporary, system)
        raise


def _remove_quietly(path: str, system: SystemCalls) -> None:
    with suppress(OSError):
        system.unlink(path)
