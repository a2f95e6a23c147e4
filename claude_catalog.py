"""Asking the installed Claude Code what it offers in a directory, without any request to a model.

* Only in a directory that the person has trusted, as `claude -p` asks nobody.
* A process of its own, without hooks and MCP servers, ended when it takes long; what it said is
  good for some minutes. When it says nothing usable, what every version knows has to do.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from core.catalog import FALLBACK, REQUEST, Catalog, parse_catalog

log = logging.getLogger(__name__)

_OPTIONS = (
    *("-p", "--input-format", "stream-json", "--output-format", "stream-json", "--verbose"),
    *("--no-session-persistence", "--strict-mcp-config"),
    *("--settings", '{"disableAllHooks":true}'),
)
_LONGEST_LINE = 8 << 20


class ClaudeCatalog:
    """What `command` offers; `environment` is what it sees, times are in seconds."""

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        *,
        patience: float = 10.0,
        leaving: float = 3.0,
        lasts: float = 300.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._command = tuple(command)
        self._environment = dict(environment)
        self._patience = patience
        self._leaving = leaving
        self._lasts = lasts
        self._clock = clock
        self._known: dict[Path, tuple[float, Catalog]] = {}
        self._lock = asyncio.Lock()

    async def ask(self, directory: Path) -> Catalog:
        """The catalog for a trusted directory; never raises."""
        async with self._lock:
            known = self._known.get(directory)
            if known is not None and self._clock() - known[0] < self._lasts:
                return known[1]
            catalog = await self._fetch(directory) or FALLBACK
            self._known[directory] = (self._clock(), catalog)
            return catalog

    async def _fetch(self, directory: Path) -> Catalog | None:
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command,
                *_OPTIONS,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                cwd=directory,
                env=self._environment,
                start_new_session=True,
                limit=_LONGEST_LINE,
            )
        except OSError as error:
            log.warning("Claude Code could not be asked what it offers: %s", error)
            return None
        try:
            async with asyncio.timeout(self._patience):
                return await _listen(process)
        except (TimeoutError, ValueError, ConnectionError) as error:
            log.warning("Claude Code did not say what it offers: %r", error)
            return None
        finally:
            await _end(process, self._leaving)


async def _listen(process: asyncio.subprocess.Process) -> Catalog | None:
    if process.stdin is None or process.stdout is None:
        return None
    process.stdin.write(REQUEST)
    await process.stdin.drain()
    async for line in process.stdout:
        catalog = parse_catalog(line)
        if catalog is not None:
            return catalog
    return None


async def _end(process: asyncio.subprocess.Process, seconds: float) -> None:
    """It ends with its input, and tidies up; else it is made to, with all that it started."""
    if process.stdin is not None:
        process.stdin.close()
    try:
        async with asyncio.timeout(seconds):
            await process.communicate()
    except TimeoutError:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
