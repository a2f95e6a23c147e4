"""Other programs, run as children that do not outlive what waits for them.

* A child is the head of a process group of its own: what it started ends with it.
* When it has ended its pipes are closed, whoever else still holds them.
* It never sees our own input, and its environment is only what it is given.
"""

from __future__ import annotations

import asyncio
import os
import signal
from asyncio.subprocess import DEVNULL, PIPE, Process, SubprocessStreamProtocol
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from core.errors import ChildError, ChildTooLoudError, ChildTooSlowError

_CHUNK = 1 << 16
_MOST_BYTES = 16 << 20


@dataclass(frozen=True, slots=True)
class Ended:
    """How a child ended: its exit status (-n: by signal n), and what it printed."""

    status: int
    said: bytes

    @property
    def text(self) -> str:
        """What it printed, as text."""
        return self.said.decode("utf-8", "replace")


async def run_child(
    command: Sequence[str],
    *,
    environment: Mapping[str, str],
    seconds: float,
    directory: Path | None = None,
    said: bytes | None = None,
    most_bytes: int = _MOST_BYTES,
) -> Ended:
    """Run a program to its end; `said` is its input, if it has any.

    Raises:
        ChildError: it can't be run; or (ChildTooSlowError) it took longer than `seconds`,
            or (ChildTooLoudError) it printed more than `most_bytes`.
    """
    try:
        async with (
            asyncio.timeout(seconds),
            start_child(command, environment=environment, directory=directory) as child,
        ):
            told, _ = await asyncio.gather(_read(child, most_bytes), _tell(child, said))
            return Ended(await child.wait(), told)
    except TimeoutError:
        raise ChildTooSlowError(f"did not end within {seconds:g} s") from None


@asynccontextmanager
async def start_child(
    command: Sequence[str],
    *,
    environment: Mapping[str, str],
    directory: Path | None = None,
    longest_line: int = _CHUNK,
) -> AsyncIterator[Process]:
    """A program that runs; behind the block it has ended, if need be by force.

    Raises ChildError when it can't be run.
    """
    loop = asyncio.get_running_loop()
    try:
        transport, protocol = await loop.subprocess_exec(
            lambda: SubprocessStreamProtocol(longest_line, loop),
            *command,
            stdin=PIPE,
            stdout=PIPE,
            stderr=DEVNULL,
            cwd=directory,
            env=dict(environment),
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ChildError(f"can't be run: {reason}") from error
    child = Process(transport, protocol, loop)
    try:
        yield child
    finally:
        if child.returncode is None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(child.pid, signal.SIGKILL)
        # A pipe may not be read to its end, or somebody else holds it; that would be waited for.
        transport.close()
        if child.returncode is None:
            await child.wait()


async def _tell(child: Process, said: bytes | None) -> None:
    assert child.stdin is not None
    with suppress(ConnectionError):  # it need not read what it is told
        if said:
            child.stdin.write(said)
            await child.stdin.drain()
        child.stdin.close()
        await child.stdin.wait_closed()


async def _read(child: Process, most_bytes: int) -> bytes:
    assert child.stdout is not None
    said = bytearray()
    while chunk := await child.stdout.read(_CHUNK):
        said += chunk
        if len(said) > most_bytes:
            raise ChildTooLoudError("printed too much")
    return bytes(said)
