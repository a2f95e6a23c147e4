"""Text that a person decides on: nothing in it may be hidden, and none of it is taken for markup.

* What shows nothing, or moves other characters about, stands there by its number: `⟨U+202E⟩`.
* Long stretches of nothing, behind which something could be overlooked, are counted instead.
"""

from __future__ import annotations

import re
import unicodedata

# Letters, marks and symbols that leave no ink, or change only how the one before them looks.
_INKLESS = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\uffa0\ufe00-\ufe0f\U000e0100-\U000e01ef]"
)
_HIDDEN_KINDS = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs"})
_NOT_PLAIN = re.compile(r"[^\x20-\x7e\n\t]")
_EMOJI_STYLE, _JOINER = "\ufe0f", "\u200d"
_EMPTY_LINES = re.compile(r"\n(?:[ \t]*\n){5,}")
_BLANKS = re.compile(r"[ \t]{40,}")
_PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")
_FENCE = 3


def make_visible(text: str) -> str:
    """The text with a mark for each character that could not be seen."""
    shown = _NOT_PLAIN.sub(_mark, text)
    shown = _EMPTY_LINES.sub(_count_lines, shown)
    return _BLANKS.sub(lambda found: f"⟨{len(found[0])} blanks⟩", shown)


def is_inkless(character: str) -> bool:
    """Whether it is a letter, mark or symbol that leaves no ink."""
    return _INKLESS.match(character) is not None


def make_line(text: str) -> str:
    """As `make_visible`, on one line."""
    return make_visible(text).replace("\n", "⟨new line⟩").replace("\t", "⟨tab⟩")


def escape_markdown(text: str) -> str:
    """Markdown that reads as this text and nothing else."""
    lines = (line.strip() for line in make_visible(text).strip().split("\n"))
    return "\n".join(_PUNCTUATION.sub(r"\\\1", line) for line in lines)


def escape_line(text: str) -> str:
    """As `escape_markdown`, on one line."""
    return escape_markdown(make_line(text))


def render_block(text: str, language: str = "") -> str:
    """The text as a Markdown block of code that nothing in it can end."""
    shown = make_visible(text)
    runs = [len(run) for run in re.findall("`+", shown)]
    fence = "`" * max([_FENCE, *(run + 1 for run in runs)])
    return f"{fence}{language}\n{shown}\n{fence}"


def cut(text: str, length: int) -> str:
    """The beginning of a text, which says how much is missing."""
    if len(text) <= length:
        return text
    end = text.rfind("\n", length // 2, length)
    end = length if end < 0 else end
    return f"{text[:end]}\n… and {len(text) - end:,} more characters"


def _mark(found: re.Match[str]) -> str:
    """The character, or its number; what an emoji is made of hides nothing."""
    character, text, at = found[0], found.string, found.start()
    if unicodedata.category(character) not in _HIDDEN_KINDS and not _INKLESS.match(character):
        return character
    before, after = text[at - 1 : at], text[at + 1 : at + 2]
    if character == _EMOJI_STYLE and _is_emoji(before):
        return character
    if character == _JOINER and _is_emoji(after) and (before == _EMOJI_STYLE or _is_emoji(before)):
        return character
    return f"⟨U+{ord(character):04X}⟩"


def _count_lines(found: re.Match[str]) -> str:
    lines = found[0].count("\n") - 1
    return f"\n⟨{lines} empty lines⟩\n"


def _is_emoji(character: str) -> bool:
    return bool(character) and unicodedata.category(character) == "So"
