"""Secrets on a captured screen, masked so that every other character stays in its column.

- A secret is looked for as the screen shows it and, because programs break long words at the end of
  a line, with the lines put together: without the space around them, without a frame, and without
  the line numbers of a diff. Too much masked is a blemish; a secret left is a leak.
- Colour sequences stay where they are; they are no part of the text that is searched.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from core.redaction import Redactor

SIGN = "•"
# By how many columns full lines may differ, where words are also broken at a hyphen.
_UNEVEN = 12

_SEQUENCES = re.compile(
    r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[P^_X][^\x1b]*(?:\x1b\\)?"
    r"|\x1b\[[0-?]*[ -/]*[@-~]?|\x1b[ -/]*[0-~]?|[\x00-\x09\x0b-\x1f\x7f-\x9f]"
)
_LINE = re.compile(r"[^\n]+")
_MARGIN = re.compile(r"[\s│┃║|▌▐]*")
_GUTTER = re.compile(r"[\s│┃║|▌▐⎿]*(?:[0-9]+(?=\s))?\s*(?:[-+](?=\s))?\s*")
_END = re.compile(r"[\s│┃║|▌▐↵\\]*\Z")


@dataclass(frozen=True, slots=True)
class _Piece:
    """A part of a line, to be read together with others: where it is in the text."""

    start: int
    end: int


def mask_screen(capture: str, redactor: Redactor) -> str:
    """The capture with a sign for each column of a secret."""
    text, places = _visible(capture)
    widths = [sum(map(_columns, line.rstrip())) for line in text.split("\n")]
    secret: set[int] = set()
    for number, view in enumerate(_views(text)):
        joined = "".join(text[piece.start : piece.end] for piece in view)
        where = [index for piece in view for index in range(piece.start, piece.end)]
        for start, end in redactor.find(joined):
            found = where[start:end]
            secret.update(found if not number else _unbroken_part(text, found, widths))
    characters = list(capture)
    for index in secret:
        if text[index] != "\n":
            characters[places[index]] = SIGN * _columns(text[index])
    return "".join(characters)


def _unbroken_part(text: str, found: list[int], widths: list[int]) -> list[int]:
    """As much of it as may be one word: a line that a word is broken at is full, so it is neither
    shorter than the next, nor much shorter than the first."""
    line = first = text.count("\n", 0, found[0])
    for number, (index, after) in enumerate(pairwise(found)):
        crossed = text.count("\n", index, after)
        for _ in range(crossed):
            if widths[line] < max(widths[line + 1], widths[first] - _UNEVEN):
                return found[: number + 1] if line > first else []
            line += 1
    return found


def _visible(capture: str) -> tuple[str, list[int]]:
    """The text without sequences, and where in the capture each of its characters is."""
    places: list[int] = []
    end = 0
    for found in _SEQUENCES.finditer(capture):
        places.extend(range(end, found.start()))
        end = found.end()
    places.extend(range(end, len(capture)))
    return "".join(capture[place] for place in places), places


def _views(text: str) -> Iterator[list[_Piece]]:
    """The text as it is, and with its lines put together in three ways."""
    yield [_Piece(0, len(text))]
    lines = [_Piece(found.start(), found.end()) for found in _LINE.finditer(text)]
    yield lines
    for beginning in (_MARGIN, _GUTTER):
        yield [_trim(text, line, beginning) for line in lines]


def _trim(text: str, line: _Piece, beginning: re.Pattern[str]) -> _Piece:
    start = beginning.match(text, line.start, line.end)
    end = _END.search(text, line.start, line.end)
    first = start.end() if start else line.start
    return _Piece(first, max(first, end.start() if end else line.end))


def _columns(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
