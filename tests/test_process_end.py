"""Real processes that end."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys

import pytest

from process_end import CAN_TELL, ProcessEnds
from pulse import Pulse

pytestmark = pytest.mark.skipif(not CAN_TELL, reason="this system has no process descriptors")


class Told:
    def __init__(self) -> None:
        self.times = 0
        self.pulse = Pulse()

    def __call__(self) -> None:
        self.times += 1
        self.pulse.beat()


def begin() -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE
    )


async def test_an_end_is_told_once(tmp_path: object) -> None:
    told = Told()
    ends = ProcessEnds(told)
    process = begin()
    ends.watch(process.pid)
    ends.watch(process.pid)
    await asyncio.sleep(0)
    assert told.times == 0
    process.kill()
    assert await told.pulse.until(lambda: told.times > 0, 10)
    process.communicate()
    assert told.times == 1


async def test_what_is_gone_already_is_not_watched() -> None:
    process = begin()
    process.communicate()
    told = Told()
    ProcessEnds(told).watch(process.pid)
    assert told.times == 0


async def test_closing_leaves_no_descriptor_open() -> None:
    before = len(os.listdir("/proc/self/fd"))
    ends = ProcessEnds(Told())
    process = begin()
    ends.watch(process.pid)
    ends.close()
    process.communicate()
    assert len(os.listdir("/proc/self/fd")) == before
