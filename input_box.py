"""Claude Code's input box in a terminal: empty before anything is typed, and nobody's text lost.

A key is given time to take effect before another one is pressed: the key that stashes a text brings
it back when it is pressed again, which would glue that text to the next prompt. The key that clears
a line does no harm in an empty box; but old versions take no notice of many at once, so after those
comes one by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from core.claude_code import CLEARING_KEY, STASHING_KEY
from core.keystrokes import is_same_prompt
from core.screen import read_input_box
from terminal import Terminal

_CLEARING_KEYS = 40
_LOOKS = 60
_LOOKS_AT_MANY = 10
_PAUSE_SECONDS = 0.05


async def look_for_room(
    terminal: Terminal,
    name: str,
    own: Sequence[str],
    *,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> bool | None:
    """Whether the box is empty; None when there is no box to see.

    What stands in it is moved out of the way, for the next look: the rest of a text of our `own` is
    cleared, what a person wrote is stashed, which Claude Code puts back after the next prompt.
    """
    box = read_input_box(await terminal.capture(name, colours=True))
    if box is None:
        return None
    if not box:
        return True
    if any(is_same_prompt(text, box) or text.startswith(box) for text in own):
        await terminal.press(name, *[CLEARING_KEY] * min(_CLEARING_KEYS, 2 * len(box)))
        if await _changes(terminal, name, box, _LOOKS_AT_MANY, sleep):
            return False
        await terminal.press(name, CLEARING_KEY)
    else:
        await terminal.press(name, STASHING_KEY)
    await _changes(terminal, name, box, _LOOKS, sleep)
    return False


async def _changes(
    terminal: Terminal, name: str, box: str, looks: int, sleep: Callable[[float], Awaitable[None]]
) -> bool:
    """Whether another text than `box` comes to stand there."""
    for _ in range(looks):
        await sleep(_PAUSE_SECONDS)
        if read_input_box(await terminal.capture(name, colours=True)) != box:
            return True
    return False
