"""The files through which tmux is given texts and commands: private, and gone right after.

They need not survive anything, so nothing is synced. A refused write is a `StoreWriteError`.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.errors import StoreWriteError
from durable import reason_for


@contextmanager
def fresh_folder(prefix: str, parent: Path | None) -> Iterator[Path]:
    """A new 0700 folder in `parent` (the system's temporary folder), gone afterwards.

    Its name is of letters, digits, _ and -, if `prefix` is. Raises StoreWriteError.
    """
    try:
        folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
    except OSError as error:
        raise _refusal(error) from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def write_private(path: Path, text: str) -> None:
    """A new file that nobody else can read. Raises StoreWriteError."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            file.write(text)
    except OSError as error:
        raise _refusal(error) from error


def _refusal(error: OSError) -> StoreWriteError:
    return StoreWriteError(f"What is to be typed could not be written: {reason_for(error)}.")
