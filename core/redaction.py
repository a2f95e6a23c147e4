"""Secrets in a text, masked: tokens and keys by their known shapes, and those given by name.

Each pattern is anchored on a fixed beginning, so that ordinary text and code are left alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

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
        return self.mask(text)[0]

    def mask(self, text: str) -> tuple[str, list[str]]:
        """As `redact`, and what was masked."""
        masked: list[str] = []
        for pattern in self._patterns:
            text = MASK.join(_mask(pattern, part, masked) for part in text.split(MASK))
        return text, masked


def _mask(pattern: re.Pattern[str], text: str, masked: list[str]) -> str:
    """Each side of a match counts as a text of its own, so that a second look finds nothing new."""
    done = ""
    while found := pattern.search(text):
        done += _mask(pattern, text[: found.start()], masked) + MASK
        masked.append(found[0])
        text = text[found.end() :]
    return done + text
