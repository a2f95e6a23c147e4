"""Asking the installed Claude Code what it offers in a directory, without any request to a model.

* Only in a directory that the person has trusted, as `claude -p` asks nobody.
* A process of its own, without hooks and MCP servers, ended when it takes long; what it said is
  good for some minutes. When it says nothing usable, what every version knows has to do.
"""

from __future__ import annotations

import asyncio
import logging
import time
from asyncio.subprocess import Process
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from child_process import start_child
from core.catalog import FALLBACK, REQUEST, Catalog, parse_catalog
from core.errors import ChildError

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
        self._locks: defaultdict[Path, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def ask(self, directory: Path) -> Catalog:
        """The catalog for a trusted directory; never raises."""
        async with self._locks[directory]:
            known = self._known.get(directory)
            if known is not None and self._clock() - known[0] < self._lasts:
                return known[1]
            catalog = await self._fetch(directory) or FALLBACK
            self._known[directory] = (self._clock(), catalog)
            return catalog

    async def _fetch(self, directory: Path) -> Catalog | None:
        try:
            async with start_child(
                [*self._command, *_OPTIONS],
                environment=self._environment,
                directory=directory,
                longest_line=_LONGEST_LINE,
            ) as child:
                catalog = await self._listen(child)
                await self._let_end(child)
                return catalog
        except ChildError as error:
            log.warning("Claude Code could not be asked what it offers: %s", error)
            return None

    async def _listen(self, child: Process) -> Catalog | None:
        assert child.stdin is not None and child.stdout is not None
        try:
            async with asyncio.timeout(self._patience):
                child.stdin.write(REQUEST)
                await child.stdin.drain()
                async for line in child.stdout:
                    if catalog := parse_catalog(line):
                        return catalog
        except (TimeoutError, ValueError, ConnectionError) as error:
            log.warning("Claude Code did not say what it offers: %r", error)
        return None

    async def _let_end(self, child: Process) -> None:
        """It ends with its input, and tidies up, if it is given the time."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._leaving):
                await child.communicate(b"")  # without any, its input stays open before Python 3.12
