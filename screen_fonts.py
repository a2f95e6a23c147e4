"""The glyphs of a picture of a screen: from the font that came by pip, then from the system's.

- The font of the text comes with the program's own requirements; what it lacks (Chinese, emoji,
  rare signs) is looked for in the fonts that Linux and macOS usually have, then by fontconfig.
- A character that no font has is an empty frame. Nothing that is missing or broken raises.
"""

from __future__ import annotations

import subprocess
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fontpkg_jetbrains_mono import ROOT as TEXT_FONT
from PIL import Image, ImageDraw, ImageFont, features

# Its letters are exactly 0.6 of its size wide, so each of these gives a whole number of pixels.
SIZES = (25, 20, 15, 10)
_REGULAR, _BOLD = 400, 700
_NOWHERE = "\U0010fffe"  # a code that no font may have, to see what one draws for what it lacks
_BROKEN = (OSError, ValueError, OverflowError, KeyError)
_FONTCONFIG_SECONDS = 2.0
_LOOKUPS = 8

_LINUX = Path("/usr/share/fonts")
_MAC = (Path("/System/Library/Fonts"), Path("/System/Library/Fonts/Supplemental"))
_LETTERS = (
    *("DejaVuSansMono.ttf", "LiberationMono-Regular.ttf", "NotoSansMono-Regular.ttf", "Menlo.ttc"),
    *("DejaVuSans.ttf", "NotoSansSymbols2-Regular.ttf", "NotoSansSymbols-Regular.ttf"),
    *("Symbola_hint.ttf", "Symbola.ttf", "Apple Symbols.ttf", "NotoSansCJK-Regular.ttc"),
    *("NotoSansCJKsc-Regular.otf", "wqy-microhei.ttc", "wqy-zenhei.ttc", "DroidSansFallback.ttf"),
    *("DroidSansFallbackFull.ttf", "PingFang.ttc", "Hiragino Sans GB.ttc", "AppleSDGothicNeo.ttc"),
    *("STHeiti Medium.ttc", "Arial Unicode.ttf"),
)
# Colour emoji are pictures of fixed sizes; other sizes are not opened.
_EMOJI = (("NotoColorEmoji.ttf", 109), ("Apple Color Emoji.ttc", 160))

_Font = ImageFont.FreeTypeFont


@dataclass(frozen=True, slots=True)
class FontFiles:
    """Where fonts are; the text's own ones must be variable in their weight."""

    upright: Path | None
    italic: Path | None
    letters: tuple[Path, ...] = ()
    emoji: tuple[tuple[Path, int], ...] = ()
    ask_fontconfig: bool = False


def find_font_files(folders: Sequence[Path] = (_LINUX, *_MAC)) -> FontFiles:
    """The fonts of this machine."""
    found = {path.name: path for path in _font_paths(folders)}
    own = {path.name.startswith("JetBrainsMono-Italic"): path for path in _font_paths([TEXT_FONT])}
    return FontFiles(
        upright=own.get(False),
        italic=own.get(True),
        letters=tuple(found[name] for name in _LETTERS if name in found),
        emoji=tuple((found[name], size) for name, size in _EMOJI if name in found),
        ask_fontconfig=True,
    )


def _font_paths(folders: Sequence[Path]) -> Iterator[Path]:
    for folder in folders:
        found = (path for path in folder.rglob("*") if path.suffix in (".ttf", ".ttc", ".otf"))
        yield from sorted(found)


@dataclass(slots=True)
class ScreenFonts:
    """Glyphs for cells of one size."""

    size: int
    width: int
    height: int
    files: FontFiles = field(default_factory=find_font_files)
    _fonts: dict[tuple[Path, int, int], _Font | None] = field(default_factory=dict)
    _nothing: dict[int, tuple[tuple[int, int], bytes]] = field(default_factory=dict)
    _asked: dict[str, Path | None] = field(default_factory=dict)

    @property
    def baseline(self) -> int:
        """Where letters stand, in pixels from the top of a cell."""
        return round(self.height * 0.77)

    def draw(self, text: str, columns: int, *, is_bold: bool, is_italic: bool) -> Image.Image:
        """One cell's character: a mask (mode L), or a coloured picture (mode RGBA)."""
        text = unicodedata.normalize("NFC", text)
        if _is_emoji(text, columns):
            picture = self._draw_emoji(text, columns)
            if picture is not None:
                return picture
        bare = text.replace("\ufe0f", "").replace("\ufe0e", "") or " "
        for open_font in self._candidates(bare[0], is_bold, is_italic):
            mask = self._draw_letter(bare, columns, open_font)
            if mask is not None:
                return mask
        return self._draw_placeholder(columns)

    def _candidates(
        self, character: str, is_bold: bool, is_italic: bool
    ) -> Iterator[Callable[[int], _Font | None]]:
        weight = _BOLD if is_bold else _REGULAR
        own = (self.files.italic, self.files.upright) if is_italic else (self.files.upright,)
        for path in own:
            if path is not None:
                yield lambda size, path=path: self._open(path, size, weight)  # type: ignore[misc]
        for path in self.files.letters:
            yield lambda size, path=path: self._open(path, size, 0)  # type: ignore[misc]
        asked = self._ask_fontconfig(character)
        if asked is not None:
            yield lambda size: self._open(asked, size, 0)

    def _open(self, path: Path, size: int, weight: int) -> _Font | None:
        """`weight` 0 leaves the font as it is."""
        key = (path, size, weight)
        if key not in self._fonts:
            try:
                font = ImageFont.truetype(path, size, layout_engine=ImageFont.Layout.BASIC)
                if weight:
                    font.set_variation_by_axes([weight])
            except _BROKEN:
                self._fonts[key] = None
            else:
                self._fonts[key] = font
        return self._fonts[key]

    def _draw_letter(
        self, text: str, columns: int, open_font: Callable[[int], _Font | None]
    ) -> Image.Image | None:
        """None when the font has no such character."""
        width = self.width * columns
        try:
            font = open_font(self.size)
            if font is None or not self._has(font, text[0]):
                return None
            length = font.getlength(text[0])
            if length > width:
                font = open_font(max(4, int(self.size * width / length)))
                if font is None:
                    return None
                length = font.getlength(text[0])
            mask = Image.new("L", (width, self.height))
            left = round((width - length) / 2)
            ImageDraw.Draw(mask).text((left, self.baseline), text, 255, font, anchor="ls")
        except _BROKEN:
            return None
        return mask

    def _has(self, font: _Font, character: str) -> bool:
        """A font draws the same, often a frame or nothing, for all that it lacks."""
        if id(font) not in self._nothing:
            nothing = font.getmask(_NOWHERE)
            self._nothing[id(font)] = (nothing.size, bytes(nothing))
        mask = font.getmask(character)
        return (mask.size, bytes(mask)) != self._nothing[id(font)]

    def _draw_emoji(self, text: str, columns: int) -> Image.Image | None:
        has_shaping = features.check_feature("raqm")
        layout = ImageFont.Layout.RAQM if has_shaping else ImageFont.Layout.BASIC
        shown = text if has_shaping else text[0]
        for path, size in self.files.emoji:
            try:
                font = ImageFont.truetype(path, size, layout_engine=layout)
                left, top, right, bottom = (round(edge) for edge in font.getbbox(shown))
                if right - left < 1 or bottom - top < 1:
                    continue
                if max(right - left, bottom - top) > size * 3:
                    continue  # a sequence that the font has no single picture for
                large = Image.new("RGBA", (right - left, bottom - top))
                ImageDraw.Draw(large).text((-left, -top), shown, font=font, embedded_color=True)
            except _BROKEN:
                continue
            if large.getbbox() is not None:
                return self._fit(large, columns)
        return None

    def _fit(self, large: Image.Image, columns: int) -> Image.Image:
        """A picture as large as the cell allows, in its middle."""
        width = self.width * columns
        scale = min(width / large.width, self.height * 0.86 / large.height)
        size = (max(1, round(large.width * scale)), max(1, round(large.height * scale)))
        small = large.resize(size, Image.Resampling.LANCZOS)
        picture = Image.new("RGBA", (width, self.height))
        picture.paste(small, ((width - size[0]) // 2, (self.height - size[1]) // 2))
        return picture

    def _draw_placeholder(self, columns: int) -> Image.Image:
        width = self.width * columns
        mask = Image.new("L", (width, self.height))
        edges = (width * 0.15, self.height * 0.22, width * 0.85 - 1, self.baseline)
        ImageDraw.Draw(mask).rounded_rectangle(edges, radius=self.width * 0.15, outline=150)
        return mask

    def _ask_fontconfig(self, character: str) -> Path | None:
        """The font that the system would take; asked for a few characters only, as it is slow."""
        if character not in self._asked:
            may_ask = self.files.ask_fontconfig and len(self._asked) < _LOOKUPS
            self._asked[character] = _match_font(character) if may_ask else None
        return self._asked[character]


def _is_emoji(text: str, columns: int) -> bool:
    code = ord(text[0])
    is_pictured = code >= 0x1F000 or 0x2300 <= code < 0x2C00
    return "\ufe0f" in text or (columns == 2 and is_pictured and code < 0x20000)


def _match_font(character: str) -> Path | None:
    try:
        found = subprocess.run(
            ["fc-match", "--format=%{file}", f":charset={ord(character):x}"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=_FONTCONFIG_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return Path(found.stdout) if found.stdout else None
