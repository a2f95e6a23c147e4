"""The end of processes, told at once where the system can: by Linux's process descriptors.

Elsewhere nothing is told, and who has to know looks regularly.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

CAN_TELL = hasattr(os, "pidfd_open")


class ProcessEnds:
    """Calls `on_end` when one of the watched processes has ended; needs the running loop."""

    def __init__(self, on_end: Callable[[], None]) -> None:
        self._on_end = on_end
        self._watched: dict[int, int] = {}

    def watch(self, pid: int) -> None:
        """Watch it until its end; one that is watched already, or gone, changes nothing."""
        if not CAN_TELL or pid in self._watched:
            return
        try:
            descriptor = os.pidfd_open(pid)
        except OSError:  # it is gone already, or there is no more room for descriptors
            return
        self._watched[pid] = descriptor
        asyncio.get_running_loop().add_reader(descriptor, self._end, pid)

    def close(self) -> None:
        """Watch nothing any more."""
        for pid in list(self._watched):
            self._forget(pid)

    def _end(self, pid: int) -> None:
        self._forget(pid)
        self._on_end()

    def _forget(self, pid: int) -> None:
        descriptor = self._watched.pop(pid)
        asyncio.get_running_loop().remove_reader(descriptor)
        os.close(descriptor)
