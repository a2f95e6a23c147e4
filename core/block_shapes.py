"""Characters that are drawn and not printed: lines, blocks, braille, and Claude Code's own signs.

- Lines and blocks are whole pixels and reach the cell's edges, so neighbours join without a gap,
  whatever fonts a machine has.
- The signs are those that Claude Code draws its screens with and many monospace fonts lack.
- A later shape paints over an earlier one; `opacity` 0 takes away again.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

Point = tuple[float, float]

_WEIGHTS = {"LIGHT": 1, "SINGLE": 1, "HEAVY": 2, "DOUBLE": 3}
_SIDES = {
    **{side: (side,) for side in ("UP", "DOWN", "LEFT", "RIGHT")},
    "HORIZONTAL": ("LEFT", "RIGHT"),
    "VERTICAL": ("UP", "DOWN"),
}
_DASHES = re.compile(r"(LIGHT|HEAVY) (DOUBLE|TRIPLE|QUADRUPLE) DASH (HORIZONTAL|VERTICAL)")
_DASH_COUNTS = {"DOUBLE": 2, "TRIPLE": 3, "QUADRUPLE": 4}
# Upper left, upper right, lower left, lower right of U+2596 to U+259F.
_QUADRANTS = ("0010", "0001", "1000", "1011", "1001", "1110", "1101", "0100", "0110", "0111")
# In the order of the bits of U+2800 to U+28FF: the column and the row of each dot.
_BRAILLE = ((0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3))
# How many points, and how thick.
_STARS = {"✢": (4, 1.4), "✳": (8, 1.1), "✶": (6, 1.6), "✻": (6, 1.4), "✽": (6, 2.0)}
_CURVE_STEPS = 16


@dataclass(frozen=True, slots=True)
class Box:
    """A filled rectangle in pixels; right and bottom are outside."""

    left: int
    top: int
    right: int
    bottom: int
    opacity: float = 1.0


@dataclass(frozen=True, slots=True)
class Stroke:
    """A line through points, with round joints."""

    points: tuple[Point, ...]
    thickness: float


@dataclass(frozen=True, slots=True)
class Area:
    """A filled polygon."""

    points: tuple[Point, ...]


Shape = Box | Stroke | Area


def find_shapes(character: str, width: int, height: int) -> tuple[Shape, ...] | None:
    """What fills a cell of that many pixels; None when the character is to be printed."""
    if len(character) != 1:
        return None
    code = ord(character)
    if 0x2500 <= code <= 0x257F:
        return tuple(_lines(character, width, height))
    if 0x2580 <= code <= 0x259F:
        return tuple(_blocks(code, width, height))
    if 0x2800 <= code <= 0x28FF:
        return tuple(_braille(code, width, height))
    return tuple(_signs(character, width, height)) or None


# --- lines ---------------------------------------------------------------------------------------


def _lines(character: str, width: int, height: int) -> Iterator[Shape]:
    name = unicodedata.name(character).removeprefix("BOX DRAWINGS ")
    dashes = _DASHES.fullmatch(name)
    if dashes is not None:
        weight, count, direction = dashes.groups()
        yield from _dashes(weight, count, direction, width, height)
    elif "DIAGONAL" in name:
        if character in "╱╳":
            yield Stroke(((0, height), (width, 0)), _light(width))
        if character in "╲╳":
            yield Stroke(((0, 0), (width, height)), _light(width))
    elif "ARC" in name:
        yield _arc(name, width, height)
    else:
        yield from _arms(_parse_arms(name), width, height)


def _light(width: int) -> int:
    return max(1, round(width / 8))


def _parse_arms(name: str) -> dict[str, int]:
    """`DOWN LIGHT AND RIGHT HEAVY` to the weight of each side; a part without one has its
    neighbour's."""
    groups = [group.split() for group in name.split(" AND ")]
    weights = [next((_WEIGHTS[word] for word in group if word in _WEIGHTS), 0) for group in groups]
    arms: dict[str, int] = {}
    for group, weight in zip(groups, weights, strict=True):
        for word in group:
            arms.update(dict.fromkeys(_SIDES.get(word, ()), weight or max(weights)))
    return arms


def _arms(arms: dict[str, int], width: int, height: int) -> Iterator[Box]:
    """Each side as a band up to the middle; of a double one the middle is taken out again."""
    thickness = {1: _light(width), 2: 2 * _light(width), 3: 3 * _light(width)}
    channels: list[Box] = []
    for side, weight in arms.items():
        crossing = [arms[other] for other in _crossing(side) if other in arms]
        reach = thickness[max(crossing, default=weight)]
        yield _band(side, thickness[weight], reach, width, height)
        if weight == 3:
            is_open = not crossing or 3 in crossing
            inner = thickness[1] if is_open else -thickness[max(crossing)]
            channels.append(_band(side, thickness[1], inner, width, height, opacity=0.0))
    yield from channels


def _crossing(side: str) -> tuple[str, str]:
    return ("UP", "DOWN") if side in ("LEFT", "RIGHT") else ("LEFT", "RIGHT")


def _band(
    side: str, thickness: int, reach: int, width: int, height: int, opacity: float = 1.0
) -> Box:
    """From one edge across the middle, as far as a crossing line of thickness `reach` does; a
    negative reach ends before that line."""
    across, along = (height, width) if side in ("LEFT", "RIGHT") else (width, height)
    low, high = _middle(across, thickness)
    near, far = _middle(along, abs(reach))
    if reach < 0:
        near, far = far, near
    start, end = (0, far) if side in ("LEFT", "UP") else (near, along)
    if side in ("LEFT", "RIGHT"):
        return Box(start, low, end, high, opacity)
    return Box(low, start, high, end, opacity)


def _middle(size: int, thickness: int) -> tuple[int, int]:
    start = (size - thickness) // 2
    return start, start + thickness


def _dashes(weight: str, count: str, direction: str, width: int, height: int) -> Iterator[Box]:
    thickness = _light(width) * _WEIGHTS[weight]
    number = _DASH_COUNTS[count]
    along, across = (width, height) if direction == "HORIZONTAL" else (height, width)
    low, high = _middle(across, thickness)
    gap = max(1.0, along / number * 0.4)
    for index in range(number):
        start = round(index * along / number + gap / 2)
        end = round((index + 1) * along / number - gap / 2)
        if direction == "HORIZONTAL":
            yield Box(start, low, end, high)
        else:
            yield Box(low, start, high, end)


def _arc(name: str, width: int, height: int) -> Stroke:
    """A rounded corner, from the middle of one edge to that of another."""
    thickness = _light(width)
    x = sum(_middle(width, thickness)) / 2
    y = sum(_middle(height, thickness)) / 2
    end_x, to_x = (width, 1) if "RIGHT" in name else (0, -1)
    end_y, to_y = (height, 1) if "DOWN" in name else (0, -1)
    radius = min(abs(end_x - x), abs(end_y - y))
    turn = []
    for step in range(_CURVE_STEPS + 1):
        angle = math.pi / 2 * step / _CURVE_STEPS
        turn.append(
            (
                x + to_x * radius * (1 - math.cos(angle)),
                y + to_y * radius * (1 - math.sin(angle)),
            )
        )
    return Stroke(((x, end_y), *turn, (end_x, y)), thickness)


# --- blocks and braille --------------------------------------------------------------------------


def _blocks(code: int, width: int, height: int) -> Iterator[Box]:
    if code == 0x2580:
        yield Box(0, 0, width, round(height / 2))
    elif code <= 0x2588:
        yield Box(0, height - round(height * (code - 0x2580) / 8), width, height)
    elif code <= 0x258F:
        yield Box(0, 0, max(1, round(width * (0x2590 - code) / 8)), height)
    elif code == 0x2590:
        yield Box(round(width / 2), 0, width, height)
    elif code <= 0x2593:
        yield Box(0, 0, width, height, (code - 0x2590) / 4)
    elif code == 0x2594:
        yield Box(0, 0, width, max(1, round(height / 8)))
    elif code == 0x2595:
        yield Box(width - max(1, round(width / 8)), 0, width, height)
    else:
        across, down = (0, round(width / 2), width), (0, round(height / 2), height)
        for number, is_filled in enumerate(_QUADRANTS[code - 0x2596]):
            if is_filled == "1":
                row, column = divmod(number, 2)
                yield Box(across[column], down[row], across[column + 1], down[row + 1])


def _braille(code: int, width: int, height: int) -> Iterator[Area]:
    radius = min(width / 2, height / 4) * 0.3
    for bit, (column, row) in enumerate(_BRAILLE):
        if (code - 0x2800) >> bit & 1:
            yield _disc((column + 0.5) * width / 2, (row + 0.5) * height / 4, radius)


# --- signs ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Room:
    """The middle of a cell, how far a sign reaches from there, and how thick its lines are."""

    x: float
    y: float
    half: float
    thickness: float

    def at(self, across: float, down: float) -> Point:
        """A point, counted from the middle in halves."""
        return self.x + across * self.half, self.y + down * self.half

    def line(self, *points: Point, thickness: float = 1.0) -> Stroke:
        """A line through points counted as in `at`."""
        return Stroke(tuple(self.at(*point) for point in points), self.thickness * thickness)


def _signs(character: str, width: int, height: int) -> Iterator[Shape]:
    """Nothing for a character that is none of them."""
    room = _Room(width / 2, height / 2, width * 0.4, max(1.0, width / 9))
    if character in _STARS:
        yield from _star(room, *_STARS[character])
    elif character in "☐☑☒⛝":
        yield from _square(character, room)
    elif character in "✓✔✗✘✕":
        yield from _mark(character, room)
    elif character in "⏺⛁⛀○◯◐":
        yield from _round(character, room)
    elif character in "❯⏵⏸⛶":
        yield from _pointers(character, room)
    elif character == "⎿":
        left, right = _middle(width, _light(width))
        top, bottom = _middle(height, _light(width))
        yield from (Box(left, 0, right, bottom), Box(left, top, width, bottom))


def _star(room: _Room, points: int, thickness: float) -> Iterator[Stroke]:
    for arm in range(points // 2):
        angle = math.pi / 2 + 2 * math.pi * arm / points
        across, down = 1.2 * math.cos(angle), 1.2 * math.sin(angle)
        yield room.line((-across, -down), (across, down), thickness=thickness)


def _square(character: str, room: _Room) -> Iterator[Stroke]:
    corners = ((-1, -1), (1, -1), (1, 1), (-1, 1), (-1, -1))
    yield from (room.line(*ends) for ends in pairwise(corners))
    inside = replace(room, half=room.half * 0.6)
    if character != "☐":
        yield from _mark("✓" if character == "☑" else "✗", inside)


def _mark(character: str, room: _Room) -> Iterator[Stroke]:
    thickness = 1.5 if character in "✔✘" else 1.1
    if character in "✓✔":
        yield room.line((-1, 0), (-0.3, 0.8), (1, -0.9), thickness=thickness)
    else:
        yield room.line((-1, -1), (1, 1), thickness=thickness)
        yield room.line((-1, 1), (1, -1), thickness=thickness)


def _round(character: str, room: _Room) -> Iterator[Shape]:
    if character in "⏺⛁⛀":
        yield _disc(room.x, room.y, room.half * (1.0 if character == "⏺" else 0.85))
        return
    ring = _circle(room.x, room.y, room.half - room.thickness / 2)
    yield Stroke(ring, room.thickness)
    if character == "◐":
        yield Area(tuple(point for point in ring if point[0] <= room.x + 0.01))


def _pointers(character: str, room: _Room) -> Iterator[Shape]:
    """What marks a choice, goes on, pauses, or is free."""
    match character:
        case "❯":
            yield room.line((-0.45, -1.1), (0.55, 0), (-0.45, 1.1), thickness=1.3)
        case "⏵":
            yield Area((room.at(-0.7, -1), room.at(1, 0), room.at(-0.7, 1)))
        case "⏸":
            yield room.line((-0.55, -1), (-0.55, 1), thickness=1.8)
            yield room.line((0.55, -1), (0.55, 1), thickness=1.8)
        case _:
            for across, down in ((-1, -1), (1, -1), (-1, 1), (1, 1)):
                ends = ((across * 0.4, down), (across, down), (across, down * 0.5))
                yield room.line(*ends, thickness=0.8)


def _circle(x: float, y: float, radius: float) -> tuple[Point, ...]:
    steps = _CURVE_STEPS * 2
    angles = [2 * math.pi * step / steps for step in range(steps + 1)]
    return tuple((x + radius * math.cos(angle), y + radius * math.sin(angle)) for angle in angles)


def _disc(x: float, y: float, radius: float) -> Area:
    return Area(_circle(x, y, radius))
