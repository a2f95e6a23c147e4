"""Secrets in a text, masked: tokens and keys by their known shapes, and those given by name.

Each pattern is anchored on a fixed beginning, so that ordinary text and code are left alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

MASK = "[masked]"

_SHAPES = (
    r"\b\d{6,12}:[A-Za-z0-9_-]{30,}",  # Telegram bot token
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
        words = sorted((re.escape(word) for word in known if word), key=len, reverse=True)
        self._known = re.compile("|".join(words)) if words else None

    def redact(self, text: str) -> str:
        """The text with every secret replaced by `[masked]`."""
        if self._known is not None:
            text = self._known.sub(MASK, text)
        return _PATTERN.sub(MASK, text)
