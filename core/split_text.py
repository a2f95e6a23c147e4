r"""A text that an app cut into several messages: which belong together, and what was between them.

A message holds 4,096 UTF-16 units, and of a longer text the apps make several, which nothing marks
as one. How they cut (read in their published sources; none of it is promised):

* tdesktop looks at the second half of what fits, and cuts at the last place of the best kind:
  before a blank line, a new line, the space after a sentence or a part of one, any space; else
  after a sign like `/` or `-`, or anywhere. So what is followed by more has over 2,048 units.
* iOS cuts after the last new line or full stop of what fits, in the middle of `3.14` too; without
  one, at the limit. Most often that is near the limit.
* Android used to cut at the limit, whatever is there; later ones are said to look for a blank line,
  a new line, the end of a sentence or a space in the last 300 units.
* All of them, and the server, take the white space away at both ends of each part.

So a part goes on when it has over 2,048 units, and the next text is by the same person in the same
place, sent within the same second or the next, and no command (one that a person types there must
be one). Forwarded parts are all by the same author. Message ids only grow: in a private chat, what
the bot says meanwhile has some of them.

What was lost at a cut is a guess, which `join_parts` makes so that a wrong one does little harm:

| what is there                                       | joined by  | because                       |
|-----------------------------------------------------|------------|-------------------------------|
| white space on one side                             | nothing    | it was kept                   |
| a part that is full                                 | nothing    | it was cut where it had to be |
| a new line in the part's second half                | a new line | all prefer one to a space     |
| no white space in its second half                   | nothing    | after a sign, as in a link    |
|-----------------------------------------------------|------------|-------------------------------|
| `.` before, a small letter or a digit behind        | nothing    | more likely `3.14` or `a.py`  |
| the end of a sentence or of a part of one           | a space    |                               |
| a space behind, up to which there was room          | a new line | it came before that space     |
| anything else                                       | a space    |                               |

A new line in place of a space (or of a blank line) hardly changes what a model reads; a space in
place of a new line can join two lines of a program.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from core.commands import is_command
from core.model import TextSent

LONGEST_MESSAGE = 4_096
_HALF = LONGEST_MESSAGE // 2
_NEAR_THE_LIMIT = 3_900
_LONGEST_HASTY = 3_500  # characters: up to so many a text is to be with Claude at once
_MOST_IDS_BETWEEN = 8
_NEXT_SECOND = 1.0
_SHORT_WAIT = 0.25
_LONG_WAIT = 0.6
_ENDS = ".,;:!?…"
_SIGNS = ".,;:!?\"'()[]{}<>/\\|-_=+*&%#@~`"


def seconds_for_more(text: str) -> float:
    """How long its next part may take to come; 0 for a text that none can follow."""
    units = _count_units(text)
    if units <= _HALF:
        return 0.0
    is_full = units > _NEAR_THE_LIMIT and len(text) > _LONGEST_HASTY
    return _LONG_WAIT if is_full else _SHORT_WAIT


def continues(part: TextSent, text: TextSent) -> bool:
    """Whether `text` is what comes after `part` in one text."""
    is_next = 0 < text.message_id - part.message_id <= 1 + _MOST_IDS_BETWEEN
    is_soon = 0 <= text.sent_at - part.sent_at <= _NEXT_SECOND
    is_theirs = (part.chat, part.person.user_id) == (text.chat, text.person.user_id)
    is_as_foreign = part.forwarded_from == text.forwarded_from
    answers_the_same = text.reply_to in (None, part.reply_to) and text.quoted in (None, part.quoted)
    return (
        is_theirs
        and is_next
        and is_soon
        and is_as_foreign
        and answers_the_same
        and seconds_for_more(part.text) > 0
        and (text.forwarded_from is not None or not is_command(text.text))
    )


def join_parts(parts: Sequence[str]) -> str:
    """The text that was cut."""
    joined = parts[0]
    for before, after in pairwise(parts):
        joined += _find_lost(before, after) + after
    return joined


def _find_lost(before: str, after: str) -> str:
    """The white space that was most likely lost between two parts."""
    if not (before and after) or before[-1].isspace() or after[0].isspace():
        return ""
    room = LONGEST_MESSAGE - _count_units(before)
    if room < _count_units(after[0]):
        return ""
    half = before.encode("utf-16-le", "replace")[2 * _HALF :].decode("utf-16-le", "replace")
    if "\n" in half:
        return "\n"
    if not any(character.isspace() for character in half):
        return "" if before[-1] in _SIGNS else "\n"
    if before[-1] == "." and (after[0].islower() or after[0].isdigit()):
        return ""
    if before[-1] in _ENDS:
        return " "
    return "\n" if " " in after[:room] else " "


def _count_units(text: str) -> int:
    return len(text) + sum(character > "\uffff" for character in text)
