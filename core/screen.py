"""What a captured terminal screen shows: Claude Code's input box, and the text for a chat.

Only what is certain is read off a screen: an input box stands between two rules and begins with its
prompt sign. Anything else is "no box", and nothing is typed there.
"""

from __future__ import annotations

import re

from core.transcript import strip_ansi

_PROMPT = "❯"
_RULE = re.compile(r"^[─━]{10,}.*")
_RETRY = re.compile(r"^\W*(\S.*?retrying in \d+s · attempt \d+/\d+)", re.MULTILINE)
_SGR = re.compile(r"(\x1b\[[0-9;]*m)")


def read_input_box(coloured: str) -> str | None:
    """The text in the input box, "" when it is empty; None when there is no input box.

    `coloured`: the screen with its colour sequences, by which a greyed example is told from a text
    that somebody typed.
    """
    lines = coloured.split("\n")
    plain = [strip_ansi(line).rstrip() for line in lines]
    for number in range(len(plain) - 1, 0, -1):
        if plain[number].startswith(_PROMPT) and _RULE.match(plain[number - 1]):
            end = next((n for n in range(number + 1, len(plain)) if _RULE.match(plain[n])), None)
            if end is None:
                return None
            return _read_text(lines, number, plain[number:end])
    return None


def read_retry(plain: str) -> str | None:
    """What Claude Code says while it tries to reach the model again; None when it does not.

    As `529 Overloaded · retrying in 36s · attempt 7/10`. Nothing but the screen tells.
    """
    found = _RETRY.findall(strip_ansi(plain))
    return " ".join(found[-1].split()) if found else None


def render_screen(plain: str) -> str:
    """A captured screen for a chat: no blank lines around it, no long runs of them within."""
    lines = [line.rstrip() for line in strip_ansi(plain).split("\n")]
    kept: list[str] = []
    for line in lines:
        if line or (kept and kept[-1]):
            kept.append(_shorten_rule(line))
    return "\n".join(kept).strip("\n")


def _shorten_rule(line: str) -> str:
    """A rule is as wide as the terminal, and a phone is not."""
    return line[:30] if len(line) > 30 and len(set(line)) == 1 else line


def _read_text(coloured: list[str], start: int, plain: list[str]) -> str:
    first = plain[0].removeprefix(_PROMPT).lstrip("\xa0 ")
    text = "\n".join([first, *(line.removeprefix("  ") for line in plain[1:])]).strip()
    return "" if text and _is_greyed(coloured, start, start + len(plain)) else text


def _is_greyed(coloured: list[str], start: int, end: int) -> bool:
    """Whether all of the box's text but its first character (under the cursor) is dim.

    A style lasts until it is changed, also beyond its line's end: so the screen is read from its
    first line on.
    """
    is_dim = False
    shown: list[bool] = []
    for number, line in enumerate(coloured[:end]):
        for part in _SGR.split(line):
            style = _SGR.fullmatch(part)
            if style is not None:
                is_dim = _read_dim(style.group(), is_dim)
            elif number >= start:
                shown += [is_dim for character in strip_ansi(part) if not character.isspace()]
    text = shown[1:]  # without the prompt sign
    return len(text) > 1 and all(text[1:])


def _read_dim(style: str, is_dim: bool) -> bool:
    """Whether characters are dim after this sequence, whose colours are numbers too."""
    codes = iter(style[2:-1].split(";"))
    for code in codes:
        if code in ("38", "48", "58"):
            for _ in range({"5": 1, "2": 3}.get(next(codes, ""), 0)):
                next(codes, None)
        elif code in ("", "0", "22"):
            is_dim = False
        elif code == "2":
            is_dim = True
    return is_dim
