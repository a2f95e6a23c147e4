"""A captured screen as cells, read by a terminal emulator (the only module that knows bittty).

Only printed characters and their styles reach the emulator. All else that a screen may carry
(cursor moves, titles, links, resets) is dropped, so a capture can't rearrange the picture.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from bittty import Board

from core.screen_colours import PALETTE, Rgb

LARGEST_COLUMNS = 400
LARGEST_ROWS = 200

# Styles, and the switch to the line-drawing set and back (tmux writes it as SO and SI).
_KEPT = re.compile(r"\x1b\[[0-9;:]{0,100}m|[\x0e\x0f]")
_SEQUENCES = re.compile(
    r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[P^_X][^\x1b]*(?:\x1b\\)?"
    r"|\x1b\[[0-?]*[ -/]*[@-~]?|\x1b[ -/]*[0-~]?|[\x00-\x1f\x7f-\x9f]"
)
_NO_WRAP, _LINE_DRAWING, _GRAPHEMES = "\x1b[?7l", "\x1b)0", "\x1b[?2027h"


@dataclass(frozen=True, slots=True)
class Style:
    """How a cell looks; a colour is None where the theme has it."""

    foreground: Rgb | None = None
    background: Rgb | None = None
    is_bold: bool = False
    is_dim: bool = False
    is_italic: bool = False
    is_struck: bool = False
    is_overlined: bool = False
    is_concealed: bool = False
    is_reversed: bool = False
    underline: str = ""  # "", "single", "double", "curly", "dotted" or "dashed"
    underline_colour: Rgb | None = None


@dataclass(frozen=True, slots=True)
class Cell:
    """One character, with what is combined with it, in one or two columns; "" is the second."""

    text: str
    columns: int
    style: Style


def read_cells(capture: str, columns: int, rows: int) -> list[list[Cell]]:
    """`rows` rows of `columns` columns; what is outside is not read."""
    columns = min(max(columns, 1), LARGEST_COLUMNS)
    rows = min(max(rows, 1), LARGEST_ROWS)
    board = Board(width=columns, height=rows)
    board.parser.feed(_NO_WRAP + _LINE_DRAWING + _GRAPHEMES)
    for number, line in enumerate(capture.split("\n")[:rows]):
        board.parser.feed(f"\x1b[{number + 1};1H{_clean(line, columns)}")
    page = board.blitter.main_page
    styles: dict[int, Style] = {}
    return [
        _read_row([page.get_cell(column, row) for column in range(columns)], styles)
        for row in range(rows)
    ]


def _clean(line: str, columns: int) -> str:
    """The line's text and styles; not more of it than could be on a screen."""
    kept: list[str] = []
    end = 0
    for found in _SEQUENCES.finditer(line[: columns * 100]):
        kept.append(line[end : found.start()])
        if _KEPT.fullmatch(found.group()):
            kept.append(found.group())
        end = found.end()
    text = "".join([*kept, line[end : columns * 100]])
    return text.encode("utf-8", "replace").decode("utf-8")


def _read_row(found: list[tuple[object, str]], styles: dict[int, Style]) -> list[Cell]:
    cells: list[Cell] = []
    for number, (style, text) in enumerate(found):
        if id(style) not in styles:
            styles[id(style)] = _read_style(style)
        is_wide = bool(text) and number + 1 < len(found) and found[number + 1][1] == ""
        cells.append(Cell(str(text), 2 if is_wide else 1, styles[id(style)]))
    return cells


def _read_style(style: object) -> Style:
    def has(name: str) -> bool:
        return bool(getattr(style, name, None))

    underline = (getattr(style, "underline_style", None) or "single") if has("underline") else ""
    return Style(
        foreground=_read_colour(getattr(style, "fg", None)),
        background=_read_colour(getattr(style, "bg", None)),
        is_bold=has("bold"),
        is_dim=has("dim"),
        is_italic=has("italic"),
        is_struck=has("strike"),
        is_overlined=has("overline"),
        is_concealed=has("conceal"),
        is_reversed=has("reverse"),
        underline=str(underline),
        underline_colour=_read_colour(getattr(style, "underline_color", None)),
    )


def _read_colour(colour: object) -> Rgb | None:
    value = getattr(colour, "value", None)
    match getattr(colour, "mode", "default"):
        case "indexed" if isinstance(value, int):
            return PALETTE[value % len(PALETTE)]
        case "rgb" if isinstance(value, tuple):
            red, green, blue = (min(max(int(part), 0), 255) for part in value)
            return (red, green, blue)
        case _:
            return None
