"""Draws a captured screen: `{"capture", "columns", "rows", "cursor"}` on stdin, a PNG on stdout.

Runs as a process of its own that ends with the picture, so that the bridge holds neither the
library nor the fonts. The screen is drawn as it comes: secrets are masked before.
"""

from __future__ import annotations

import io
import os
import sys
from dataclasses import dataclass, field

import msgspec
from PIL import Image, ImageChops, ImageDraw

from core.block_shapes import Area, Box, Shape, Stroke, find_shapes
from core.screen_colours import DARK, LIGHT, Rgb, Theme, blend, contrast
from screen_cells import Cell, Style, read_cells
from screen_fonts import SIZES, FontFiles, ScreenFonts, find_font_files

# What Telegram takes: width and height together, and how much longer one may be.
_LARGEST_SUM, _LARGEST_RATIO = 10_000, 20
_LINE_HEIGHT = 1.28
_MARGIN_COLUMNS = 1.6
_FINER = 4
_SHADES = 16
_DIMMED = 0.45


class Order(msgspec.Struct, frozen=True):
    """What is to be drawn; `cursor` is a column and a row from 0, or nothing."""

    capture: str
    columns: int
    rows: int
    cursor: tuple[int, int] | None = None


def main() -> int:
    """Draw what standard input asks for."""
    os.nice(5)
    order = msgspec.json.decode(sys.stdin.buffer.read(), type=Order)
    sys.stdout.buffer.write(render_picture(order))
    return 0


def render_picture(order: Order, files: FontFiles | None = None) -> bytes:
    """The screen as a PNG; the same order and fonts give the same bytes."""
    cells = _without_empty_end(read_cells(order.capture, order.columns, order.rows), order.cursor)
    theme = _theme_for(cells)
    layout = _layout_for(len(cells[0]), len(cells))
    image = Image.new("RGB", layout.size, theme.background)
    fonts = ScreenFonts(layout.font, layout.width, layout.height, files or find_font_files())
    painter = _Painter(image, layout, theme, fonts)
    for row, line in enumerate(cells):
        for column, cell in enumerate(line):
            if cell.text:
                painter.paint(cell, column, row, is_cursor=order.cursor == (column, row))
    return _encode(image)


@dataclass(frozen=True, slots=True)
class _Layout:
    """Sizes in pixels: of a letter, a cell, the margin, and the picture."""

    font: int
    width: int
    height: int
    margin: int
    size: tuple[int, int]


def _layout_for(columns: int, rows: int) -> _Layout:
    """The largest letters with which the picture is not too large."""
    layouts = [_layout(font, columns, rows) for font in SIZES]
    return next((layout for layout in layouts if sum(layout.size) < _LARGEST_SUM), layouts[-1])


def _layout(font: int, columns: int, rows: int) -> _Layout:
    width, height = round(font * 0.6), round(font * _LINE_HEIGHT)
    margin = round(width * _MARGIN_COLUMNS)
    across, down = columns * width + 2 * margin, rows * height + 2 * margin
    across, down = (
        max(across, -(-down // _LARGEST_RATIO)),
        max(down, -(-across // _LARGEST_RATIO)),
    )
    return _Layout(font, width, height, margin, (across, down))


def _without_empty_end(cells: list[list[Cell]], cursor: tuple[int, int] | None) -> list[list[Cell]]:
    """Without the empty rows at the end."""
    last = max((number for number, line in enumerate(cells) if _is_drawn(line)), default=0)
    if cursor is not None and 0 <= cursor[1] < len(cells):
        last = max(last, cursor[1])
    return cells[: last + 1]


def _is_drawn(line: list[Cell]) -> bool:
    return any(
        cell.text.strip() or cell.style.background or cell.style.is_reversed or cell.style.underline
        for cell in line
    )


def _theme_for(cells: list[list[Cell]]) -> Theme:
    """Dark, unless most coloured letters would hardly be seen on that: then they were meant for a
    light one."""
    colours = [
        cell.style.foreground
        for line in cells
        for cell in line
        if cell.text.strip() and cell.style.foreground and cell.style.background is None
    ]
    unseen = sum(contrast(colour, DARK.background) < 2.0 for colour in colours)
    return LIGHT if unseen * 2 > len(colours) else DARK


@dataclass(slots=True)
class _Painter:
    """Paints cells onto one image."""

    image: Image.Image
    layout: _Layout
    theme: Theme
    fonts: ScreenFonts
    _glyphs: dict[tuple[str, int, bool, bool], Image.Image] = field(default_factory=dict)

    def paint(self, cell: Cell, column: int, row: int, *, is_cursor: bool) -> None:
        style, layout = cell.style, self.layout
        foreground, background = self._colours(style, is_cursor)
        left = layout.margin + column * layout.width
        top = layout.margin + row * layout.height
        width = layout.width * cell.columns
        if background != self.theme.background:
            self.image.paste(background, (left, top, left + width, top + layout.height))
        if style.is_concealed:
            return
        if cell.text.strip():
            glyph = self._glyph(cell)
            if glyph.mode == "RGBA":
                self.image.paste(glyph, (left, top), glyph)
            else:
                self.image.paste(foreground, (left, top), glyph)
        for mask in self._rules(style, width):
            colour = style.underline_colour if mask[1] else None
            self.image.paste(colour or foreground, (left, top), mask[0])

    def _colours(self, style: Style, is_cursor: bool) -> tuple[Rgb, Rgb]:
        foreground = style.foreground or self.theme.foreground
        background = style.background or self.theme.background
        if style.is_dim:
            foreground = blend(foreground, background, _DIMMED)
        if style.is_reversed != is_cursor:
            return background, foreground
        return foreground, background

    def _glyph(self, cell: Cell) -> Image.Image:
        key = (cell.text, cell.columns, cell.style.is_bold, cell.style.is_italic)
        if key not in self._glyphs:
            self._glyphs[key] = self._draw(cell)
        return self._glyphs[key]

    def _draw(self, cell: Cell) -> Image.Image:
        size = (self.layout.width * cell.columns, self.layout.height)
        shapes = find_shapes(cell.text, *size)
        if shapes is not None:
            return _fewer_shades(draw_shapes(shapes, size))
        glyph = self.fonts.draw(
            cell.text, cell.columns, is_bold=cell.style.is_bold, is_italic=cell.style.is_italic
        )
        return glyph if glyph.mode == "RGBA" else _fewer_shades(glyph)

    def _rules(self, style: Style, width: int) -> list[tuple[Image.Image, bool]]:
        """The lines under, through and over a cell, and whether each is the underline."""
        thickness = max(1, round(self.layout.width / 8))
        under = min(self.fonts.baseline + 2 * thickness, self.layout.height - 2 * thickness)
        rules: list[tuple[list[Shape], bool]] = []
        if style.underline:
            rules.append((_underline(style.underline, width, under, thickness), True))
        if style.is_struck:
            middle = round(self.fonts.baseline * 0.68)
            rules.append(([Box(0, middle, width, middle + thickness)], False))
        if style.is_overlined:
            rules.append(([Box(0, 0, width, thickness)], False))
        size = (width, self.layout.height)
        return [(draw_shapes(tuple(shapes), size), is_under) for shapes, is_under in rules]


def _underline(kind: str, width: int, top: int, thickness: int) -> list[Shape]:
    match kind:
        case "double":
            lower = top + 2 * thickness
            return [
                Box(0, top - thickness, width, top),
                Box(0, lower - thickness, width, lower),
            ]
        case "curly":
            quarter = width / 4
            wave = (0.0, 1.0, 0.0, -1.0, 0.0)
            points = tuple((n * quarter, top + thickness * (0.5 + up)) for n, up in enumerate(wave))
            return [Stroke(points, thickness)]
        case "dotted" | "dashed":
            step = 2 * thickness if kind == "dotted" else max(4 * thickness, width // 2)
            return [
                Box(left, top, min(left + step // 2, width), top + thickness)
                for left in range(0, width, step)
            ]
        case _:
            return [Box(0, top, width, top + thickness)]


def draw_shapes(shapes: tuple[Shape, ...], size: tuple[int, int]) -> Image.Image:
    """The shapes as a mask of that size; slanted ones with smooth edges."""
    mask = Image.new("L", size)
    for shape in shapes:
        match shape:
            case Box():
                edges = (shape.left, shape.top, shape.right, shape.bottom)
                mask.paste(round(255 * shape.opacity), edges)
            case Stroke() | Area():
                mask = ImageChops.lighter(mask, _draw_smooth(shape, size))
    return mask


def _draw_smooth(shape: Stroke | Area, size: tuple[int, int]) -> Image.Image:
    fine = Image.new("L", (size[0] * _FINER, size[1] * _FINER))
    draw = ImageDraw.Draw(fine)
    points = [(x * _FINER - 0.5, y * _FINER - 0.5) for x, y in shape.points]
    match shape:
        case Area():
            draw.polygon(points, fill=255)
        case Stroke():
            draw.line(points, fill=255, width=round(shape.thickness * _FINER), joint="curve")
    return fine.resize(size, Image.Resampling.BOX)


def _fewer_shades(mask: Image.Image) -> Image.Image:
    """Few enough that a whole picture has no more colours than a palette holds."""
    step = 255 / (_SHADES - 1)
    return mask.point([round(round(shade / step) * step) for shade in range(256)])


def _encode(image: Image.Image) -> bytes:
    """With a palette where that changes no pixel, as it is then a third as large."""
    written = io.BytesIO()
    small = image.quantize(256, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    is_same = ImageChops.difference(small.convert("RGB"), image).getbbox() is None
    (small if is_same else image).save(written, "PNG", compress_level=6)
    return written.getvalue()


if __name__ == "__main__":
    sys.exit(main())
