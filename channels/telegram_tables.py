"""A table as a phone can show it: in columns where it is narrow enough, else row by row.

A wide table of two columns becomes a list of "first — second"; with more columns each row becomes
a heading with "header: value" below it.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from channels.telegram_entities import Rendered, join, length_of, make_entity

WIDEST = 36
"""Columns of fixed-width text that a phone shows without breaking the line."""

Row = Sequence[Rendered]


def render_table(rows: Sequence[Row], alignments: Sequence[str]) -> Rendered:
    """The first row is the header; an alignment is `Left`, `Center`, `Right` or `None`."""
    rows = [[_on_one_line(cell) for cell in row] for row in rows]
    columns = max((len(row) for row in rows), default=0)
    rows = [[*row, *[Rendered("")] * (columns - len(row))] for row in rows]
    widths = [max(width_of(row[number].text) for row in rows) for number in range(columns)]
    has_links = any(e["type"] == "text_link" for row in rows for c in row for e in c.entities)
    if sum(widths) + 3 * (columns - 1) <= WIDEST and not has_links:
        return _in_columns(rows, widths, alignments)
    header, *body = rows
    if columns <= 2:
        return _as_list(header, body)
    return join([_as_record(header, row) for row in body] or [_as_record(header, header)], "\n\n")


def width_of(text: str) -> int:
    """Columns that fixed-width text takes."""
    return sum(_width(character) for character in text)


def _width(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _on_one_line(cell: Rendered) -> Rendered:
    return Rendered(cell.text.replace("\n", " "), cell.entities)


def _in_columns(rows: Sequence[Row], widths: list[int], alignments: Sequence[str]) -> Rendered:
    lines = [
        " | ".join(
            _pad(cell.text, width, alignment)
            for cell, width, alignment in zip(row, widths, alignments, strict=False)
        ).rstrip()
        for row in rows
    ]
    if len(lines) > 1:
        lines.insert(1, "-+-".join("-" * width for width in widths))
    text = "\n".join(lines)
    return Rendered(text, (make_entity("pre", 0, length_of(text)),))


def _pad(text: str, width: int, alignment: str) -> str:
    room = width - width_of(text)
    match alignment:
        case "Right":
            return " " * room + text
        case "Center":
            return " " * (room // 2) + text + " " * (room - room // 2)
        case _:
            return text + " " * room


def _as_list(header: Row, body: Sequence[Row]) -> Rendered:
    lines = [_beside([cell.styled("italic") for cell in header if cell.text])]
    for first, *others in body:
        found = [first.styled("bold") if others else first, *others]
        lines.append(join(["• ", _beside([cell for cell in found if cell.text])]))
    return join([line for line in lines if line.text.strip(" •")], "\n")


def _beside(cells: Row) -> Rendered:
    return join(cells, " — ")


def _as_record(header: Row, row: Row) -> Rendered:
    first, *others = [_named(name, cell) for name, cell in zip(header, row, strict=True)]
    lines = [first.styled("bold")] if first.text else []
    lines += [join(["• ", line]) for line in others if line.text]
    return join(lines, "\n")


def _named(name: Rendered, cell: Rendered) -> Rendered:
    if not name.text or name == cell:
        return cell
    return join([name, ": ", cell if cell.text else "–"])
