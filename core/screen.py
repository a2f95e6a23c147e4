"""What a captured terminal screen shows: Claude Code's input box, its options, the text for a chat.

Only what is certain is read off a screen: an input box stands between two rules and begins with its
prompt sign. Anything else is "no box", and nothing is typed there. Options are those of a dialog
that is open: below a rule, one of them marked, and below them nothing but what belongs to it. How
it all looks is named in core/claude_code.py.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from core.claude_code import DIALOGS, INTERRUPT_OFFER, PROMPT_SIGN, SPINNER_SIGNS, Dialog
from core.transcript import strip_ansi

_RULE = re.compile(r"^[─━]{10,}.*")
_RETRY = re.compile(r"^\W*(\S.*?retrying in \d+s · attempt \d+/\d+)", re.MULTILINE)
_SPINNER = re.compile(rf"[{re.escape(SPINNER_SIGNS)}] \S[^…]{{0,60}}…")
_LINES_ABOVE_BOX = 6
_FRAME = re.compile(r"\s{0,4}(?:[─━▔]{20,}|╭─)")
_SPOKEN = re.compile(r"[●⏺❯>] ")
_NUMBERED = re.compile(r"( {0,4}(?:❯ |  ))([1-9][0-9]?)\. +(\S.*)")
_GAP = re.compile(r" {3,}(?=\S)")
_PLAIN = re.compile(r"( {0,4}(?:❯ |  ))(\S.*)")
_FOOTER = re.compile(r"\s{0,4}(?:.*· )?(?:Esc|Enter)(?:/\S+)? to \S")
_CONFIRM_FOOTER = "Enter to confirm · Esc to cancel"
_MOST_LINES = 400
_SGR = re.compile(r"(\x1b\[[0-9;]*m)")


@dataclass(frozen=True, slots=True)
class Option:
    """A line that can be chosen in a dialog; `number` is None where the dialog has no numbers."""

    number: int | None
    label: str
    is_selected: bool


def find_options(screen: str) -> list[Option] | None:
    """The options of the dialog that is open, top down; None when that is not certain.

    `screen`: with or without its colour sequences.
    """
    if read_input_box(screen) is not None:
        return None
    lines = [strip_ansi(line).rstrip() for line in screen.split("\n")]
    while lines and not lines[-1]:
        lines.pop()
    if not lines or len(lines) > _MOST_LINES:
        return None
    return _find_numbered(lines) or _find_plain(lines)


def next_key(options: Sequence[Option], number: int | None, label: str) -> str | None:
    """The one key that leads to that option: its digit, or an arrow until it is marked, then Enter.

    None when it is not there. Look at the screen between two keys: what is pressed while a dialog
    is still opening is lost, and Enter after a lost arrow would choose another option.
    """
    same = [n for n, o in enumerate(options) if (o.number, o.label) == (number, label)]
    if len(same) != 1:
        return None
    if number is not None and number <= 9:
        return str(number)
    marked = next(index for index, option in enumerate(options) if option.is_selected)
    if marked == same[0]:
        return "Enter"
    return "Down" if marked < same[0] else "Up"


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


def read_retry(plain: str) -> str | None:
    """What Claude Code says while it tries to reach the model again; None when it does not.

    As `529 Overloaded · retrying in 36s · attempt 7/10`. Nothing but the screen tells.
    """
    found = _RETRY.findall(strip_ansi(plain))
    return " ".join(found[-1].split()) if found else None


def render_screen(plain: str) -> str:
    """A captured screen for a chat: no blank lines around it, no long runs of them within.

    An option's description stands right behind it: a phone has no room for columns.
    """
    lines = [_close_up(line.rstrip()) for line in strip_ansi(plain).split("\n")]
    kept: list[str] = []
    for line in lines:
        if line or (kept and kept[-1]):
            kept.append(_shorten_rule(line))
    return "\n".join(kept).strip("\n")


def _close_up(line: str) -> str:
    option = _NUMBERED.match(line)
    return line if option is None else f"{option[1]}{option[2]}. {_GAP.sub('  ', option[3])}"


def _find_numbered(lines: list[str]) -> list[Option] | None:
    """Options 1, 2, 3… in one column, the last of which is the last on the screen."""
    found: list[tuple[int, re.Match[str]]] = []
    for index in range(len(lines) - 1, -1, -1):
        option = _NUMBERED.match(lines[index])
        if option is not None:
            found.insert(0, (index, option))
            if option[2] == "1":
                break
    numbers = [int(option[2]) for _, option in found]
    if len(found) < 2 or numbers != list(range(1, len(found) + 1)):
        return None
    first, last, column = found[0][0], found[-1][0], len(found[0][1][1])
    if any(len(option[1]) != column for _, option in found):
        return None
    starts = {index for index, _ in found}
    inside = [lines[index] for index in range(first, last) if index not in starts]
    if not all(_belongs_to_option(line, column) for line in inside):
        return None
    ends_there = _FOOTER.match(lines[-1]) or all(
        _belongs_to_option(line, column) for line in lines[last + 1 :]
    )
    if not ends_there or not _is_framed(lines, first):
        return None
    options = [Option(int(m[2]), _read_label(m[3]), "❯" in m[1]) for _, m in found]
    marks = sum(line.lstrip().startswith(PROMPT_SIGN) for line in lines[first:])
    return options if marks == 1 == sum(option.is_selected for option in options) else None


def _belongs_to_option(line: str, column: int) -> bool:
    """A description, the rest of a long label, a rule between options, or nothing."""
    is_rule = _FRAME.match(line) is not None and len(set(line.strip())) == 1
    return not line or is_rule or (line.startswith(" " * (column + 1)) and not _FOOTER.match(line))


def _is_framed(lines: list[str], first: int) -> bool:
    """Whether a rule is above, and between the two nothing that was said in the conversation."""
    for index in range(first - 1, -1, -1):
        if _FRAME.match(lines[index]):
            return True
        if _SPOKEN.match(lines[index]):
            return False
    return False


def _find_plain(lines: list[str]) -> list[Option] | None:
    """Options without numbers: the block of lines right above the words that Enter confirms."""
    if lines[-1].strip() != _CONFIRM_FOOTER or len(lines) < 4 or lines[-2]:
        return None
    first = len(lines) - 2
    while first and lines[first - 1]:
        first -= 1
    found = [_PLAIN.fullmatch(line) for line in lines[first:-2]]
    options = [Option(None, _read_label(m[2]), "❯" in m[1]) for m in found if m is not None]
    columns = {len(m[1]) for m in found if m is not None}
    is_certain = (
        len(options) == len(found) >= 2
        and len(columns) == 1
        and sum(option.is_selected for option in options) == 1
        and _is_framed(lines, first)
        and not _may_continue(lines, first)
    )
    return options if is_certain else None


def _may_continue(lines: list[str], first: int) -> bool:
    """Whether a line may be the rest of the one above, which had no room for its first word."""
    width = max(len(line) for line in lines)
    block = lines[first:-2]
    return any(
        len(line) + 1 + len(after.removeprefix("❯").split()[0]) > width - 4
        for line, after in pairwise(block)
    )


def _read_label(label: str) -> str:
    """The label without what stands in a column of its own beside it."""
    return re.split(r" {2,}", label.strip())[0]


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
