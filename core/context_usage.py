"""What /context prints, without the picture made of squares that no phone is wide enough for."""

from __future__ import annotations

import re

_SQUARES = re.compile(r"^[⛀⛁⛶⛝⛒\s]+")
_LEAVES = re.compile(r"^\s*[├└│]\s*")
_HINT = re.compile(r"ctrl\+\w to expand|^/context all")


def render_context_usage(text: str) -> str | None:
    """The figures, a line each; None for a text that is not of /context."""
    lines = text.strip().split("\n")
    if "⛶" not in text or not lines[0].strip().lower().startswith("context usage"):
        return None
    kept = [_LEAVES.sub("· ", _SQUARES.sub("", line)).rstrip() for line in lines[1:]]
    return "\n".join(["Context", *(line for line in kept if line and not _HINT.search(line))])
