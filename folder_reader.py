"""Reading below one folder, and nowhere else: what lies in it, a copy of a file, a new folder.

* Where a path leads is found out at the moment of opening, and opened step by step by descriptors
  that follow no link: what is exchanged in between is refused, not followed.
* A link that stays below the folder is as good as what it leads to.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal

from core.errors import FileRefusedError
from core.file_names import MOST_BYTES_SENT, name_on_button, render_size
from durable import reason_for, write_all

_STEP = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_CHUNK = 1 << 20
_MOST_LISTED = 5_000


@dataclass(frozen=True, slots=True)
class Listed:
    """One name in a folder; `size` in bytes, of files only."""

    name: str
    kind: Literal["folder", "file", "link"]
    size: int = 0


class FolderReader:
    """Reads below `root`, but not below any of `closed`."""

    def __init__(self, root: Path, closed: Sequence[Path] = ()) -> None:
        self.root = Path(os.path.realpath(root))
        self._closed = tuple(Path(os.path.realpath(path)) for path in closed)

    def locate(self, path: Path) -> Path | None:
        """Where the path, absolute or below the root, leads to from the root; None: out of it.

        It may begin with `~`.
        """
        try:
            found = (self.root / path.expanduser()).resolve()
        except (OSError, RuntimeError, ValueError) as error:
            raise FileRefusedError(f"“{name_on_button(str(path))}” can't be opened.") from error
        if any(found.is_relative_to(closed) for closed in self._closed):
            return None
        return found.relative_to(self.root) if found.is_relative_to(self.root) else None

    def is_folder(self, place: Path) -> bool:
        """Whether what `locate` found is a folder. Raises FileRefusedError."""
        with self._opened(place) as fd:
            return stat.S_ISDIR(os.fstat(fd).st_mode)

    def list(self, place: Path) -> list[Listed]:
        """What lies there: folders, then files, each by name; hidden ones last.

        Raises FileRefusedError.
        """
        with self._opened(place) as fd:
            try:
                with os.scandir(fd) as entries:
                    found = [_read(entry) for entry in islice(entries, _MOST_LISTED)]
            except OSError as error:
                raise _refused(place, error) from error
        kept = [listed for listed in found if listed is not None]
        return sorted(kept, key=_order)

    def copy(self, place: Path, target: Path) -> bytes:
        """Copy a file to `target`, which is new; returns its first bytes.

        Raises FileRefusedError.
        """
        with self._opened(place) as fd:
            status = os.fstat(fd)
            shown = f"“{name_on_button(place.name)}”"
            if not stat.S_ISREG(status.st_mode):
                raise FileRefusedError(f"{shown} is not a file.")
            if status.st_size == 0:
                raise FileRefusedError(f"{shown} is empty.")
            try:
                return _copy(fd, target, shown)
            except OSError as error:
                target.unlink(missing_ok=True)
                raise _refused(place, error) from error

    def make_folder(self, place: Path, name: str) -> None:
        """Make a folder of that name, one component, in the folder `place`; 0755.

        Raises FileRefusedError.
        """
        with self._opened(place) as fd:
            try:
                os.mkdir(name, 0o700, dir_fd=fd)
                made = os.open(name, _STEP | os.O_DIRECTORY, dir_fd=fd)
                try:
                    os.fchmod(made, 0o755)  # the bridge's own files are made for nobody else
                finally:
                    os.close(made)
            except FileExistsError as error:
                raise FileRefusedError(f"There is a “{name_on_button(name)}” already.") from error
            except OSError as error:
                shown, reason = name_on_button(name), reason_for(error)
                raise FileRefusedError(f"“{shown}” can't be made: {reason}.") from error

    @contextmanager
    def _opened(self, place: Path) -> Iterator[int]:
        try:
            fd = os.open(self.root, _STEP)
            for part in place.parts:
                parent, fd = fd, -1
                try:
                    fd = os.open(part, _STEP, dir_fd=parent)
                finally:
                    os.close(parent)
        except OSError as error:
            raise _refused(place, error) from error
        try:
            yield fd
        finally:
            os.close(fd)


def _copy(fd: int, target: Path, shown: str) -> bytes:
    """What is larger than may be sent is refused as soon as that shows; it may be growing."""
    head = b""
    size = os.fstat(fd).st_size
    new = os.open(target, _NEW, 0o600)
    try:
        copied = 0
        while size <= MOST_BYTES_SENT and (chunk := os.read(fd, _CHUNK)):
            head = head or chunk[:16]
            copied += len(chunk)
            size = max(size, copied)
            write_all(new, chunk)
        os.fsync(new)
    finally:
        os.close(new)
    if size > MOST_BYTES_SENT:
        target.unlink()
        most = render_size(MOST_BYTES_SENT)
        raise FileRefusedError(
            f"{shown} has {render_size(size)}; Telegram takes at most {most} from a bot."
        )
    return head


def _read(entry: os.DirEntry[str]) -> Listed | None:
    """None for what is neither a file, a folder nor a link: a socket, a device."""
    try:
        status = entry.stat(follow_symlinks=False)
    except OSError:
        return None
    if stat.S_ISDIR(status.st_mode):
        return Listed(entry.name, "folder")
    if stat.S_ISLNK(status.st_mode):
        return Listed(entry.name, "link")
    return Listed(entry.name, "file", status.st_size) if stat.S_ISREG(status.st_mode) else None


def _order(listed: Listed) -> tuple[bool, bool, str, str]:
    name = listed.name
    return (name.startswith("."), listed.kind != "folder", name.casefold(), name)


def _refused(place: Path, error: OSError) -> FileRefusedError:
    shown = name_on_button(str(place))
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return FileRefusedError(f"There is no “{shown}”.")
    return FileRefusedError(f"“{shown}” can't be read: {reason_for(error)}.")
