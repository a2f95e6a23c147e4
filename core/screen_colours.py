"""The colours of a terminal as red, green and blue, from 0 to 255."""

from __future__ import annotations

from dataclasses import dataclass

Rgb = tuple[int, int, int]

_NAMED: tuple[Rgb, ...] = (
    *((0, 0, 0), (205, 49, 49), (13, 188, 121), (229, 229, 16)),
    *((36, 114, 200), (188, 63, 188), (17, 168, 205), (229, 229, 229)),
    *((102, 102, 102), (241, 76, 76), (35, 209, 139), (245, 245, 67)),
    *((59, 142, 234), (214, 112, 214), (41, 184, 219), (255, 255, 255)),
)
_LEVELS = (0, 95, 135, 175, 215, 255)
_CUBE = tuple((red, green, blue) for red in _LEVELS for green in _LEVELS for blue in _LEVELS)
_GREYS = tuple((level, level, level) for level in range(8, 239, 10))
PALETTE: tuple[Rgb, ...] = (*_NAMED, *_CUBE, *_GREYS)


@dataclass(frozen=True, slots=True)
class Theme:
    """What a terminal shows where no colour is asked for."""

    foreground: Rgb
    background: Rgb


DARK = Theme((220, 220, 224), (22, 22, 28))
LIGHT = Theme((36, 36, 40), (252, 252, 252))


def blend(colour: Rgb, other: Rgb, share: float) -> Rgb:
    """`colour` with that share of `other` in it."""
    red, green, blue = (
        round(one + (two - one) * share) for one, two in zip(colour, other, strict=True)
    )
    return (red, green, blue)


def contrast(colour: Rgb, other: Rgb) -> float:
    """From 1, the same, to 21, black on white (as WCAG 2 counts)."""
    dark, light = sorted((_luminance(colour), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: Rgb) -> float:
    linear = [
        part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4
        for part in (value / 255 for value in colour)
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
