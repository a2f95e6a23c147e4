"""A link as a QR code in a terminal."""

from __future__ import annotations

import io
import sys

import segno

_WHITE_ON_BLACK, _AS_BEFORE = "\x1b[97;40m", "\x1b[0m"


def render_qr(link: str) -> str:
    """The link in half blocks; white on black also in a light terminal."""
    if "utf" not in (sys.stdout.encoding or "").lower():
        return ""
    drawn = io.StringIO()
    segno.make(link, micro=False).terminal(drawn, compact=True, border=2)
    lines = drawn.getvalue().splitlines()
    if sys.stdout.isatty():
        lines = [f"{_WHITE_ON_BLACK}{line}{_AS_BEFORE}" for line in lines]
    return "\n".join(lines)
