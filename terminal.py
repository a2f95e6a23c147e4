"""The terminals, from asynchronous code: every call waits its turn in one thread.

One thread keeps what is typed in order, and keeps a slow tmux from holding up the event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TypeVar

from core.claude_code import Typing
from core.model import PaneScreen
from tmux_control import Pane, TmuxControl

_Result = TypeVar("_Result")


class Terminal:
    """`TmuxControl`, awaitable; the same calls with the same errors."""

    def __init__(self, control: TmuxControl) -> None:
        self._control = control
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="tmux")

    async def open(self, name: str, command: Sequence[str], directory: Path) -> Pane:
        """See TmuxControl.open."""
        return await self._call(partial(self._control.open, name, command, directory))

    async def panes(self) -> list[Pane]:
        """See TmuxControl.panes."""
        return await self._call(self._control.panes)

    async def find(self, name: str) -> Pane | None:
        """See TmuxControl.find."""
        return await self._call(partial(self._control.find, name))

    async def join(self, name: str, pid: int, typing: Typing) -> Pane | None:
        """See TmuxControl.join."""
        return await self._call(partial(self._control.join, name, pid, typing))

    async def type_text(self, name: str, text: str) -> None:
        """See TmuxControl.type_text."""
        await self._call(partial(self._control.type_text, name, text))

    async def press(self, name: str, *keys: str) -> None:
        """See TmuxControl.press."""
        await self._call(partial(self._control.press, name, *keys))

    async def capture(self, name: str, *, colours: bool = False) -> str:
        """See TmuxControl.capture."""
        return await self._call(partial(self._control.capture, name, colours=colours))

    async def snapshot(self, name: str) -> PaneScreen:
        """See TmuxControl.snapshot."""
        return await self._call(partial(self._control.snapshot, name))

    async def close(self, name: str) -> None:
        """See TmuxControl.close."""
        await self._call(partial(self._control.close, name))

    def attach_command(self, name: str) -> str:
        """See TmuxControl.attach_command."""
        return self._control.attach_command(name)

    async def _call(self, function: Callable[[], _Result]) -> _Result:
        return await asyncio.get_running_loop().run_in_executor(self._thread, function)
