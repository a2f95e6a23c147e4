"""What a captured terminal screen shows: Claude Code's input box, and the text for a chat.

Only what is certain is read off a screen: an input box stands between two rules and begins with its
prompt sign. Anything else is "no box", and nothing is typed there.
"""

from __future__ import annotations

import re

from core.transcript import strip_ansi

_PROMPT = "❯"
_RULE = re.compile(r"^[─━]{10,}.*")
_SGR = re.compile(r"\x1b\[([0-9;]*)m")


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
            return _read_text(lines[number:end], plain[number:end])
    return None


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


def _read_text(coloured: list[str], plain: list[str]) -> str:
    first = plain[0].removeprefix(_PROMPT).lstrip("\xa0 ")
    text = "\n".join([first, *(line.removeprefix("  ") for line in plain[1:])]).strip()
    if len(plain) == 1 and text and _is_greyed(coloured[0].partition(_PROMPT)[2]):
        return ""
    return text


def _is_greyed(coloured: str) -> bool:
    """Whether all but the first character (the cursor stands on it) is dim."""
    is_dim = False
    shown = []
    for part in re.split(r"(\x1b\[[0-9;]*m)", coloured):
        style = _SGR.fullmatch(part)
        if style is None:
            shown += [is_dim for character in strip_ansi(part) if not character.isspace()]
            continue
        codes = style.group(1).split(";") if style.group(1) else ["0"]
        if "2" in codes and codes[0] not in ("38", "48"):
            is_dim = True
        elif "0" in codes or "22" in codes:
            is_dim = False
    return len(shown) > 1 and all(shown[1:])
