"""What a captured terminal screen shows: Claude Code's input box, and the text for a chat.

Only what is certain is read off a screen: an input box stands between two rules and begins with its
prompt sign. Anything else is "no box", and nothing is typed there. How it all looks is named in
core/claude_code.py.
"""

from __future__ import annotations

import re

from core.claude_code import DIALOGS, INTERRUPT_OFFER, PROMPT_SIGN, SPINNER_SIGNS, Dialog
from core.transcript import strip_ansi

_RULE = re.compile(r"^[─━]{10,}.*")
_SPINNER = re.compile(rf"[{re.escape(SPINNER_SIGNS)}] \S[^…]{{0,60}}…")
_LINES_ABOVE_BOX = 6
_SGR = re.compile(r"(\x1b\[[0-9;]*m)")


def read_input_box(coloured: str) -> str | None:
    """The text in the input box, "" when it is empty; None when there is no input box.

    `coloured`: the screen with its colour sequences, by which a greyed example is told from a text
    that somebody typed.
    """
    lines = coloured.split("\n")
    plain = [strip_ansi(line).rstrip() for line in lines]
    place = _find_box(plain)
    if place is None:
        return None
    start, end = place
    return _read_text(lines, start, plain[start:end])


def cut_footer(screen: str) -> str:
    """The screen down to the end of its input box: notices come and go below it."""
    lines = screen.split("\n")
    place = _find_box([strip_ansi(line).rstrip() for line in lines])
    return screen if place is None else "\n".join(lines[: place[1]])


def is_quiet(screen: str) -> bool:
    """Whether a screen is that of a Claude Code that may be waiting for a prompt.

    There is an input box, nothing below it offers to interrupt, and nothing right above it spins.
    While an answer is being written, 2.1.80 and later show no spinner, and a notice may cover the
    offer: so it counts only of a screen that has been the same for a while (`STILL_SECONDS`), and
    when no turn is known to be under way.
    """
    plain = [strip_ansi(line).rstrip() for line in screen.split("\n")]
    place = _find_box(plain)
    if place is None:
        return False
    start, end = place
    near = plain[max(0, start - 1 - _LINES_ABOVE_BOX) : start - 1]
    if any(_SPINNER.match(line) for line in near):
        return False
    return not any(INTERRUPT_OFFER in line.lower() for line in [*near, *plain[end:]])


def find_dialog(screen: str) -> Dialog | None:
    """The dialog that the screen shows; None when there is an input box, or none that is known."""
    plain = strip_ansi(screen)
    if _find_box([line.rstrip() for line in plain.split("\n")]) is not None:
        return None
    return next((dialog for dialog in DIALOGS if dialog.sign in plain), None)


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


def _find_box(plain: list[str]) -> tuple[int, int] | None:
    """The lines of the lowest input box: from its first to the rule that ends it."""
    for number in range(len(plain) - 1, 0, -1):
        if plain[number].startswith(PROMPT_SIGN) and _RULE.match(plain[number - 1]):
            end = next((n for n in range(number + 1, len(plain)) if _RULE.match(plain[n])), None)
            return None if end is None else (number, end)
    return None


def _read_text(coloured: list[str], start: int, plain: list[str]) -> str:
    first = plain[0].removeprefix(PROMPT_SIGN).lstrip("\xa0 ")
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
