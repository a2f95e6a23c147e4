"""Drawn characters: lines reach the edges they are named after, blocks fill what they say."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.block_shapes import Area, Box, Point, Stroke, find_shapes

SIZES = [(15, 32), (12, 26), (9, 19), (6, 13)]
STRAIGHT = [
    chr(code)
    for code in range(0x2500, 0x2580)
    if not any(word in unicodedata.name(chr(code)) for word in ("DASH", "ARC", "DIAGONAL"))
]


def filled(character: str, width: int, height: int) -> set[tuple[int, int]]:
    """The pixels of a character that is made of boxes."""
    pixels: set[tuple[int, int]] = set()
    for shape in find_shapes(character, width, height) or ():
        assert isinstance(shape, Box)
        inside = {
            (x, y) for x in range(shape.left, shape.right) for y in range(shape.top, shape.bottom)
        }
        pixels = pixels | inside if shape.opacity else pixels - inside
    return pixels


def edges(character: str, width: int, height: int) -> set[str]:
    pixels = filled(character, width, height)
    found = {
        "LEFT": any(x == 0 for x, _ in pixels),
        "RIGHT": any(x == width - 1 for x, _ in pixels),
        "UP": any(y == 0 for _, y in pixels),
        "DOWN": any(y == height - 1 for _, y in pixels),
    }
    return {side for side, reached in found.items() if reached}


def named_edges(character: str) -> set[str]:
    name = unicodedata.name(character)
    named = {side for side in ("LEFT", "RIGHT", "UP", "DOWN") if side in name}
    named |= {"LEFT", "RIGHT"} if "HORIZONTAL" in name else set()
    return named | ({"UP", "DOWN"} if "VERTICAL" in name else set())


@pytest.mark.parametrize("size", SIZES)
def test_a_line_reaches_the_edges_in_its_name_and_no_other(size: tuple[int, int]) -> None:
    reached = {character: edges(character, *size) for character in STRAIGHT}
    assert reached == {character: named_edges(character) for character in STRAIGHT}


@pytest.mark.parametrize(
    ("left", "right"), ["──", "━━", "══", "┌┐", "╔╗", "┏┓", "├┤", "╠╣", "╞╡", "─┤", "╼━", "╾─"]
)
@pytest.mark.parametrize("size", SIZES)
def test_neighbours_meet_in_the_same_rows(left: str, right: str, size: tuple[int, int]) -> None:
    width = size[0]
    end = {y for x, y in filled(left, *size) if x == width - 1}
    start = {y for x, y in filled(right, *size) if x == 0}
    assert end == start != set()


@pytest.mark.parametrize(("above", "below"), ["││", "┃┃", "║║", "┌└", "╔╚", "┬│", "╦║", "╥╨"])
def test_a_line_goes_on_in_the_row_below(above: str, below: str) -> None:
    end = {x for x, y in filled(above, 15, 32) if y == 31}
    start = {x for x, y in filled(below, 15, 32) if y == 0}
    assert end == start != set()


def test_a_double_line_is_two_lines_with_a_gap() -> None:
    rows = sorted({y for x, y in filled("═", 15, 32) if x == 7})
    assert rows == [13, 14, 17, 18]


def test_the_middle_of_a_double_cross_is_open() -> None:
    assert (7, 15) not in filled("╬", 15, 32)


@pytest.mark.parametrize(
    ("character", "share"),
    [("█", 1.0), ("▀", 0.5), ("▄", 0.5), ("▌", 0.5), ("▐", 0.5), ("▙", 0.75), ("▘", 0.25)],
)
def test_a_block_fills_its_share(character: str, share: float) -> None:
    assert len(filled(character, 16, 32)) == share * 16 * 32


def test_quadrants_are_where_they_are_named() -> None:
    assert filled("▘", 16, 32) | filled("▝", 16, 32) == filled("▀", 16, 32)
    assert filled("▖", 16, 32) | filled("▗", 16, 32) == filled("▄", 16, 32)
    assert filled("▞", 16, 32) == filled("▖", 16, 32) | filled("▝", 16, 32)


def test_each_dot_of_a_braille_pattern_is_drawn() -> None:
    assert [len(find_shapes(chr(0x2800 + bits), 15, 32) or ()) for bits in (1, 3, 255)] == [1, 2, 8]


@pytest.mark.parametrize("sign", "❯⏺⎿✻✢✳✶✽☐☒☑✔✓✗⏵⏸○◐⛶⛝⛁⛀")
def test_the_signs_of_claude_code_need_no_font(sign: str) -> None:
    assert find_shapes(sign, 15, 32)


@pytest.mark.parametrize("text", ["a", " ", "", "ab", "──", "日", "😀"])
def test_letters_are_printed(text: str) -> None:
    assert find_shapes(text, 15, 32) is None


@given(st.characters(), st.sampled_from(SIZES))
def test_no_shape_leaves_its_cell(character: str, size: tuple[int, int]) -> None:
    width, height = size
    for shape in find_shapes(character, width, height) or ():
        match shape:
            case Box():
                points: list[Point] = [(shape.left, shape.top), (shape.right, shape.bottom)]
            case Stroke() | Area():
                points = list(shape.points)
        assert all(-1 <= x <= width + 1 and -1 <= y <= height + 1 for x, y in points)
