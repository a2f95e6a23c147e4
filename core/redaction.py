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
_MASKED = re.compile(re.escape(MASK))
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
        done, left = [], 0
        for start, end in self.find(text):
            done += [text[left:start], MASK]
            left = end
        return "".join([*done, text[left:]])

    def redact_unfinished(self, text: str) -> str:
        """As `redact`, for a text that is being written: without a long word that has no end yet.

        It may be the beginning of a secret, which has no secret's shape.
        """
        return _UNFINISHED.sub("…", self.redact(text))

    def find(self, text: str) -> list[tuple[int, int]]:
        """Where secrets are: beginnings and ends, in order, none overlapping another.

        What is left and right of a secret, or of a mask, counts as a text of its own, and is looked
        at until nothing is found: so a second look at what was masked finds nothing new.
        """
        masks = [found.span() for found in _MASKED.finditer(text)]
        taken, known = masks, -1
        while known < len(taken):
            known = len(taken)
            for find in (_find_escaped, _find):  # as it reads is the longer one
                for pattern in self._patterns:
                    found = [
                        (start + first, start + last)
                        for start, end in _gaps(taken, len(text))
                        for first, last in find(pattern, text[start:end])
                    ]
                    taken = sorted([*taken, *found])
        return sorted(set(taken).difference(masks))


def _gaps(places: list[tuple[int, int]], length: int) -> Iterator[tuple[int, int]]:
    """What is before, between and behind the places."""
    starts = [0, *(end for _, end in places)]
    ends = [*(start for start, _ in places), length]
    return zip(starts, ends, strict=True)


def _find(pattern: re.Pattern[str], text: str) -> Iterator[tuple[int, int]]:
    """Places from left to right, what is behind each as a text of its own."""
    done = 0
    while found := pattern.search(text[done:]):
        first, last = _span(found)
        yield done + first, done + last
        done += last


def _find_escaped(pattern: re.Pattern[str], text: str) -> Iterator[tuple[int, int]]:
    """Places in a text whose signs are escaped for Markdown: as it reads, the secrets are there."""
    escapes = [found.start() for found in _ESCAPED.finditer(text)]
    before = [place - number for number, place in enumerate(escapes)]
    for first, last in _find(pattern, _ESCAPED.sub("", text)) if escapes else ():
        yield first + bisect_left(before, first), last + bisect_left(before, last)


def _span(found: re.Match[str]) -> tuple[int, int]:
    """Where the secret is: the group that was found, or else all of it."""
    return found.span(found.lastindex or 0)
