"""A lock between processes: a file that one of them has locked, by flock.

* The kernel drops it with its owner, however that ends. A soft lock (a file that merely exists)
  outlives a kill, and a POSIX lock (fcntl, lockf) is lost as soon as anything in the process closes
  the same file.
* filelock's `lock_descriptor` is that lock and nothing else: it has no soft fallback, and it spares
  each save the 50 microseconds that `FileLock` adds.
* The file is opened each time: a descriptor kept would be shared with a forked child, and its lock
  with it.
"""

import os
import time
from contextlib import suppress
from pathlib import Path

from filelock import lock_descriptor, unlock_descriptor

from durable import SystemCalls

_POLL_SECONDS = 0.002
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def take_lock(path: Path, timeout: float, *, system: SystemCalls = os) -> int:
    """Lock the file, which is made if need be; returns what `drop_lock` takes.

    Raises TimeoutError when another has kept it for so many seconds, and OSError.
    """
    deadline = time.monotonic() + timeout
    while True:
        fd = system.open(path, _FLAGS, 0o600)
        if _is_taken(fd):
            return fd
        if time.monotonic() >= deadline:
            raise TimeoutError(f"Another program has kept {path} locked for {timeout:g} seconds")
        time.sleep(_POLL_SECONDS)


def drop_lock(fd: int) -> None:
    """Let others have it; what is closed is not locked any more, whatever the system says."""
    with suppress(OSError):
        unlock_descriptor(fd)
    os.close(fd)


def _is_taken(fd: int) -> bool:
    """Lock the open lock file, unless another has it or it was removed; if not, close it."""
    taken = False
    try:
        taken = lock_descriptor(fd, blocking=False) and os.fstat(fd).st_nlink > 0
    finally:
        if not taken:
            os.close(fd)
    return taken
