"""Other programs as children: what they say, how they fail, and that they end."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import warnings
from collections.abc import Awaitable, Callable
from pathlib import Path

import psutil
import pytest

from child_process import Ended, run_child, start_child
from core.errors import ChildError, ChildTooLoudError, ChildTooSlowError
from pulse import Pulse

ENVIRONMENT = {"PATH": "/usr/bin:/bin"}


def runs(pid: int) -> bool:
    """Whether it does; one that has ended may still wait for somebody to ask how."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def run(code: str, *, seconds: float = 20, said: bytes | None = None) -> Ended:
    command = [sys.executable, "-c", code]
    return await run_child(
        command, environment=ENVIRONMENT, seconds=seconds, said=said, most_bytes=1000
    )


async def test_what_it_prints_and_how_it_ends_is_known() -> None:
    assert await run("print('é'); raise SystemExit(3)") == Ended(3, "é\n".encode())
    assert (await run("print('é')")).text == "é\n"
    assert (await run("import os; os.kill(os.getpid(), 9)")).status == -9


async def test_it_is_told_what_it_is_to_read_and_no_more() -> None:
    shout = "import sys; print(sys.stdin.read().upper(), end='')"
    assert (await run(shout, said=b"hello")).said == b"HELLO"
    assert (await run(shout)).said == b""
    assert (await run("pass", said=b"x" * (1 << 20))).status == 0


async def test_it_sees_the_variables_it_is_given_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "1")
    seen = await run("import os; print(*os.environ)")
    assert set(seen.text.split()) - {"LC_CTYPE", "__CF_USER_TEXT_ENCODING"} == {"PATH"}


async def test_one_that_is_not_there_is_told_in_a_sentence() -> None:
    with pytest.raises(ChildError, match="can't be run: No such file or directory"):
        await run_child(["/no/such/program"], environment=ENVIRONMENT, seconds=5)
    with pytest.raises(ChildError, match="can't be run"):
        await run_child(["a\0b"], environment=ENVIRONMENT, seconds=5)


async def test_one_that_prints_without_end_is_ended() -> None:
    with pytest.raises(ChildTooLoudError, match="printed too much"):
        await run("while True: print('x' * 1000)")


async def ends_loudly(seconds: float = 20) -> None:
    with pytest.raises(ChildTooLoudError):
        await run("while True: print('x' * 1000)", seconds=seconds)


async def leaves_somebody_with_the_pipe() -> None:
    held = "import subprocess; subprocess.Popen(['sleep', '3'], start_new_session=True)"
    with pytest.raises(ChildTooSlowError):
        await run(held, seconds=1)


async def takes_no_more_of_what_it_is_told() -> None:
    with pytest.raises(ChildTooSlowError):
        await run("import time; time.sleep(60)", said=b"x" * (1 << 20), seconds=1)


@pytest.mark.parametrize(
    "ends", [ends_loudly, leaves_somebody_with_the_pipe, takes_no_more_of_what_it_is_told]
)
def test_however_it_ends_no_pipe_stays_open(ends: Callable[[], Awaitable[None]]) -> None:
    before = set(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else set()

    async def end() -> None:
        await ends()

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        asyncio.run(end())
        gc.collect()
    assert [str(warning.message) for warning in caught] == []
    if before:
        assert set(os.listdir("/proc/self/fd")) <= before


async def test_one_that_hangs_is_ended_with_what_it_started(tmp_path: Path) -> None:
    noted = tmp_path / "pids"
    code = (
        "import os, subprocess, time\n"
        "child = subprocess.Popen(['sleep', '600'])\n"
        f"open({str(noted)!r}, 'w').write(f'{{os.getpid()}} {{child.pid}}')\n"
        "time.sleep(600)"
    )
    with pytest.raises(ChildTooSlowError, match="did not end within 2 s"):
        await run(code, seconds=2)
    pids = [int(pid) for pid in noted.read_text().split()]
    await Pulse().until(lambda: not any(map(runs, pids)), 10)
    assert [pid for pid in pids if runs(pid)] == []


async def test_who_is_cancelled_takes_it_along() -> None:
    started: asyncio.Queue[int] = asyncio.Queue()

    async def wait() -> None:
        async with start_child(["sleep", "600"], environment=ENVIRONMENT) as child:
            await started.put(child.pid)
            await child.wait()

    waiting = asyncio.create_task(wait())
    async with asyncio.timeout(10):
        pid = await started.get()
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert not runs(pid)
