"""An option of a terminal's dialog is chosen, key by key, each at a screen that shows the last one.

No key is pressed again because nothing was seen of it: a busy Claude Code may take it late, and two
of them would lead to another option than the one that was meant.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from core.screen import find_options, next_key

_LOOKS = 100
_LOOK_SECONDS = 0.05
_MOST_KEYS = 12


class Screens(Protocol):
    """Terminals by their names. Both raise BridgeError when there is none of that name."""

    async def capture(self, name: str) -> str: ...

    async def press(self, name: str, *keys: str) -> None: ...


async def choose_option(
    terminals: Screens,
    name: str,
    number: int | None,
    label: str,
    *,
    looks: int = _LOOKS,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> str:
    """Choose the option of that number and label; "" when done, else what to tell the person.

    `looks`: how often the screen is looked at for each key, twenty times a second.
    """
    for _ in range(_MOST_KEYS):
        screen = await terminals.capture(name)
        options = find_options(screen)
        key = next_key(options or (), number, label)
        if key is None:
            return "It is not certain which one that is; look again, and use the keys."
        await terminals.press(name, key)
        is_arrow = key in ("Up", "Down")
        read = find_options if is_arrow else str
        if not await is_seen(terminals, name, screen, read=read, looks=looks, sleep=sleep):
            return "The terminal shows nothing of that yet; look again in a moment."
        if not is_arrow:
            return ""
    return "That did not work; use the keys, please."


async def is_seen(
    terminals: Screens,
    name: str,
    before: str,
    *,
    read: Callable[[str], object] = str,
    looks: int = _LOOKS,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> bool:
    """Whether what `read` finds on the screen becomes another than `before`, in so many looks."""
    for _ in range(looks):
        if read(await terminals.capture(name)) != read(before):
            return True
        await sleep(_LOOK_SECONDS)
    return False
