"""Secrets in a text, masked: tokens and keys by their known shapes, and those given by name.

Each pattern is anchored on a fixed beginning, so that ordinary text and code are left alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

MASK = "[masked]"

_SHAPES = (
    r"(?<![0-9])[0-9]{6,12}:[A-Za-z0-9_-]{30,}",  # Telegram bot token, also behind /bot
    r"\bsk-ant-[A-Za-z0-9_-]{16,}",
    r"\bsk-(?:proj-)?[A-Za-z0-9_-]{20,}",
    r"\bgh[pousr]_[A-Za-z0-9]{30,}",
    r"\bgithub_pat_[A-Za-z0-9_]{30,}",
    r"\bglpat-[A-Za-z0-9_-]{20,}",
    r"\bnpm_[A-Za-z0-9]{30,}",
    r"\bpypi-[A-Za-z0-9_-]{40,}",
    r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}",
    r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",
    r"\bAIza[A-Za-z0-9_-]{35}",
    r"\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}",  # JSON Web Token
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)",
    r"(?<=://)[^\s/:@]+:[^\s/@]+(?=@)",  # user and password in a URL
    r"(?i:(?<=\bbearer )[A-Za-z0-9._~+/-]{20,}=*)",
)
_PATTERN = re.compile("|".join(_SHAPES))


class Redactor:
    """Masks what looks like a secret, and the `known` ones wherever they stand."""

    def __init__(self, known: Iterable[str] = ()) -> None:
        words = sorted({re.escape(word) for word in known if word not in MASK}, key=len)
        self._patterns = [re.compile("|".join(reversed(words)))] if words else []
        self._patterns.append(_PATTERN)

    def redact(self, text: str) -> str:
        """The text with every secret replaced by `[masked]`; what is masked stays as it is."""
        for pattern in self._patterns:
            text = MASK.join(_mask(pattern, part) for part in text.split(MASK))
        return text

    def find(self, text: str) -> list[tuple[int, int]]:
        """Where secrets are: beginnings and ends, in order, none overlapping another."""
        found: list[tuple[int, int]] = []
        for pattern in self._patterns:
            starts = [0, *(end for _, end in found)]
            ends = [*(start for start, _ in found), len(text)]
            for start, end in zip(starts, ends, strict=True):
                found += _find(pattern, text, start, end)
            found.sort()
        return found


def _find(pattern: re.Pattern[str], text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """As `_mask`: what is left and right of a match counts as a text of its own."""
    part, done = text[start:end], 0
    while found := pattern.search(part[done:]):
        yield from _find(pattern, text, start + done, start + done + found.start())
        yield (start + done + found.start(), start + done + found.end())
        done += found.end()


def _mask(pattern: re.Pattern[str], text: str) -> str:
    """Each side of a match counts as a text of its own, so that a second look finds nothing new."""
    done = ""
    while found := pattern.search(text):
        done += _mask(pattern, text[: found.start()]) + MASK
        text = text[found.end() :]
    return done + text
