"""Secrets in a text, masked: tokens and keys by their known shapes, and those given by name.

* Each shape is anchored on a fixed beginning, so that ordinary text and code are left alone. Where
  a shape has a group, the group is the secret, and what is around it says so.
* A secret that was cut, which `…` tells, is still one.
* No shape looks at a character more than a few times, however the text is made: repeats are
  possessive, or bounded, or end where the next attempt begins.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator

MASK = "[masked]"

# Not inside of a word; but JSON's escapes and those of addresses end in letters and digits, too.
_ESCAPE = r"(?<=\\[bfnrt])|(?<=\\u[0-9A-Fa-f]{4})|(?<=%[0-9A-Fa-f]{2})"
_BEGIN = rf"(?:(?<![A-Za-z0-9_])|{_ESCAPE})"
_TOKENS = (
    r"sk-ant-[A-Za-z0-9_-]{16,}",
    r"sk-(?:proj-)?[A-Za-z0-9_-]{20,}",
    r"gh[pousr]_[A-Za-z0-9]{30,}",
    r"github_pat_[A-Za-z0-9_]{30,}",
    r"glpat-[A-Za-z0-9_-]{20,}",
    r"npm_[A-Za-z0-9]{30,}",
    r"pypi-[A-Za-z0-9_-]{40,}",
    r"x(?:ox[abeoprs]|app)-[A-Za-z0-9-]{10,}",
    r"(?:AKIA|ASIA)[A-Z0-9]{16}\b",
    r"AIza[A-Za-z0-9_-]{35}",
    r"(?<![.-])eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}",  # JSON Web Token
    r"(?<![.-])(?:sk-|gh[pousr]_|github_pat_|glpat-|npm_|pypi-|x(?:ox[abeoprs]|app)-|AKIA|ASIA|AIza"
    r"|eyJ)[A-Za-z0-9_.-]{8,}+(?=\n?…)",
)
# In an address, the name and the password: all until the last @ that may be the end of them. The
# number of a port is none, and what is behind a host is its own.
_IN_WORD = r"[^\s/@…\"'`<>(),;]"
_SLASH = r"(?:(?<!:)/|/(?!/))"
_HOST = r"(?:localhost|(?:[A-Za-z0-9-]++\.)+[A-Za-z0-9-]++)[:/?#]"
_PASSWORD = (
    r"(?<=://)[^\s/?#@:\[]*+:(?![0-9]{0,5}[/?#…])"
    rf"(?:[^\s/@…]++(?=[@…])|{_IN_WORD}*+(?:{_SLASH}{_IN_WORD}*+)*+)"
    rf"(?:@(?!{_HOST}){_IN_WORD}*+(?:{_SLASH}{_IN_WORD}*+)*+)*(?=[@…])"
)
_QUOTES = r"[\"'\\]{0,4}"
_SHAPES = (
    # a bot token of Telegram, also behind /bot
    rf"(?:(?<![0-9])|{_ESCAPE})[0-9]{{6,12}}:[A-Za-z0-9_-]{{30,}}",
    rf"{_BEGIN}(?:{'|'.join(_TOKENS)})",
    r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----[\s\S]*?"
    r"(?:-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----|\Z)",
    _PASSWORD,
    r"(?i:(?<=https://)|(?<=http://))(?!git@)[^\s/?#@:\[\"'`<>(),;]++(?=@)",  # a token as the name
    r"(?<=hooks\.slack\.com/)(?:services|workflows|triggers)/([A-Za-z0-9/_-]{8,})",
    rf"(?i:{_BEGIN}bearer )([A-Za-z0-9._~+/-]{{20,}}=*|[A-Za-z0-9._~+/-]{{8,}}+(?=\n?…))",
    rf"(?i:authorization{_QUOTES}\s?[:=]\s?{_QUOTES}basic\s)"
    r"((?=[A-Za-z0-9+/_-]+[A-Z0-9+/=])[A-Za-z0-9+/_-]{8,}=*)",
    # AWS's secret has no shape of its own: 40 characters behind its name.
    r"(?i:secret[ _-]?(?:access[ _-]?)?key)(?:\\[nrt]|[^A-Za-z0-9/+]){1,16}"
    r"([A-Za-z0-9/+]{40})(?![A-Za-z0-9/+])",
)
_PATTERN = re.compile("|".join(_SHAPES))
_ESCAPED = re.compile(r"\\(?=[!-/:-@\[-`{-~])")
# How long a word may be that is not finished: the beginning of a secret that tells nothing of it.
_UNFINISHED = re.compile(r"[!-~]{12,}\Z")


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
        if "\\" in text:
            text = MASK.join(map(self._redact_escaped, text.split(MASK)))
        return text

    def _redact_escaped(self, text: str) -> str:
        """Without the secrets whose signs are escaped for Markdown: as it reads, they are there."""
        escapes = [found.start() for found in _ESCAPED.finditer(text)]
        before = [place - number for number, place in enumerate(escapes)]
        done, left = "", 0
        for first, last in self.find(_ESCAPED.sub("", text)) if escapes else ():
            start, end = first + bisect_left(before, first), last + bisect_left(before, last)
            done, left = f"{done}{text[left:start]}{MASK}", end
        return done + text[left:]

    def redact_unfinished(self, text: str) -> str:
        """As `redact`, for a text that is being written: without a long word that has no end yet.

        It may be the beginning of a secret, which has no secret's shape.
        """
        return _UNFINISHED.sub("…", self.redact(text))

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
        first, last = (start + done + place for place in _span(found))
        yield from _find(pattern, text, start + done, first)
        yield (first, last)
        done = last - start


def _mask(pattern: re.Pattern[str], text: str) -> str:
    """Each side of a match counts as a text of its own, so that a second look finds nothing new."""
    done = ""
    while found := pattern.search(text):
        first, last = _span(found)
        done += _mask(pattern, text[:first]) + MASK
        text = text[last:]
    return done + text


def _span(found: re.Match[str]) -> tuple[int, int]:
    """Where the secret is: the group that was found, or else all of it."""
    return found.span(found.lastindex or 0)
