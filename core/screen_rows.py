"""A captured screen as rows of texts with a style, for a page that shows a terminal live.

Only printed characters and their styles count; what else a screen may carry (cursor moves, titles,
links, resets) is dropped, so that a capture can't rearrange what is shown.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

from core.model import PaneScreen
from core.screen import render_screen
from core.screen_colours import PALETTE

LARGEST_COLUMNS = 400
LARGEST_ROWS = 200

_SEQUENCES = re.compile(
    r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[P^_X][^\x1b]*(?:\x1b\\)?"
    r"|\x1b\[[0-?]*[ -/]*[@-~]?|\x1b[ -/]*[0-~]?|[\x00-\x1f\x7f-\x9f]"
)
_STYLE = re.compile(r"\x1b\[([0-9;:]{0,100})m")
_UNDERLINES = re.compile(r"\b4:[1-5]")
_LINE_DRAWING = str.maketrans("jklmnqtuvwxaf~", "┘┐┌└┼─├┤┴┬│▒°·")
_FLAGS = {1: "b", 2: "d", 3: "i", 4: "u", 7: "r", 8: "c", 9: "s"}
_ENDS = {22: "bd", 23: "i", 24: "u", 27: "r", 28: "c", 29: "s"}


@dataclass(frozen=True, slots=True)
class Run:
    """A text in one style: colours as `#rrggbb` ("" the theme's), and flags.

    The flags are bold, dim, italic, underlined, reversed, concealed and struck: `bdiurcs`.
    """

    text: str
    foreground: str = ""
    background: str = ""
    flags: str = ""


@dataclass(frozen=True, slots=True)
class ShownScreen:
    """A screen; `mark` is another one when its words are others, whatever blinks or counts."""

    rows: tuple[tuple[Run, ...], ...]
    columns: int
    cursor: tuple[int, int] | None
    mark: str


def read_screen(screen: PaneScreen) -> ShownScreen:
    """The screen as it is shown; what is outside of it is not read."""
    columns = min(max(screen.columns, 1), LARGEST_COLUMNS)
    rows = min(max(screen.rows, 1), LARGEST_ROWS)
    lines = screen.capture.split("\n")[:rows]
    read = [tuple(_read_line(line[: columns * 100])) for line in lines]
    words = "".join(c for c in render_screen(screen.capture) if c.isalpha() or c in "❯☐✔")
    mark = f"{zlib.crc32(words[-400:].encode()):08x}"
    return ShownScreen((*read, *([()] * (rows - len(read)))), columns, screen.cursor, mark)


def _read_line(line: str) -> Iterator[Run]:
    style, end, is_drawing = Run(""), 0, False
    for found in (*_SEQUENCES.finditer(line), None):
        text = line[end : found.start() if found is not None else len(line)]
        if text:
            shown = text.translate(_LINE_DRAWING) if is_drawing else text
            yield replace(style, text=shown)
        if found is None:
            return
        end = found.end()
        if found.group() in "\x0e\x0f":
            is_drawing = found.group() == "\x0e"
        elif codes := _STYLE.fullmatch(found.group()):
            style = _change(style, codes[1])


def _change(style: Run, codes: str) -> Run:
    """The style after an SGR sequence with these codes."""
    plain = _UNDERLINES.sub("4", codes).replace(":", ";")
    numbers = [int(part) if part else 0 for part in plain.split(";")]
    while numbers:
        code = numbers.pop(0)
        match code:
            case 0:
                style = Run("")
            case 38 | 48:
                colour = _take_colour(numbers)
                name = "foreground" if code == 38 else "background"
                style = replace(style, **{name: colour})
            case 39:
                style = replace(style, foreground="")
            case 49:
                style = replace(style, background="")
            case _ if code in _FLAGS:
                flags = {*style.flags, _FLAGS[code]}
                style = replace(style, flags="".join(f for f in "bdiurcs" if f in flags))
            case _ if code in _ENDS:
                style = replace(
                    style, flags="".join(f for f in style.flags if f not in _ENDS[code])
                )
            case _:
                style = _change_named(style, code)
    return style


def _change_named(style: Run, code: int) -> Run:
    """One of the sixteen colours, if it is one."""
    for first, base, name in (
        *((30, 0, "foreground"), (40, 0, "background")),
        *((90, 8, "foreground"), (100, 8, "background")),
    ):
        if first <= code < first + 8:
            return replace(style, **{name: _render(PALETTE[base + code - first])})
    return style


def _take_colour(numbers: list[int]) -> str:
    """The colour that follows 38 or 48, which is taken off the codes."""
    kind = numbers.pop(0) if numbers else 0
    if kind == 5 and numbers:
        return _render(PALETTE[numbers.pop(0) % len(PALETTE)])
    if kind == 2 and len(numbers) >= 3:
        red, green, blue = (min(numbers.pop(0), 255) for _ in range(3))
        return _render((red, green, blue))
    numbers.clear()  # it was cut off
    return ""


def _render(colour: tuple[int, int, int]) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)
