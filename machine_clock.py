"""What time it is by the machine's clocks, and by which of its starts.

The clock since the start goes on while the machine is suspended, and nobody can set it.
"""

from __future__ import annotations

import logging
import subprocess
import sys
import time
from functools import cache
from pathlib import Path

from core.freshness import Moment

log = logging.getLogger(__name__)

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_MAC_BOOT_ID = ("/usr/sbin/sysctl", "-n", "kern.bootsessionuuid")
_UPTIME = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)  # macOS's goes on while it sleeps


def read_moment() -> Moment:
    """The present moment."""
    return Moment(time.time(), find_boot_id(), time.clock_gettime(_UPTIME))


@cache
def find_boot_id() -> str:
    """Which start of the machine this is; "" where it does not tell."""
    try:
        if sys.platform == "darwin":
            said = subprocess.run(_MAC_BOOT_ID, capture_output=True, text=True, check=False).stdout
            return said.strip()
        return _BOOT_ID.read_text().strip()
    except OSError as error:
        log.info("the machine does not tell which of its starts this is: %s", error.strerror)
        return ""
