"""What a Claude Code is told, and allowed, of the folders through which files come and go.

* The same text at every start of a session: Claude Code keeps the first and sends it again.
* Allowed is no more than these folders; a rule of the user's that denies goes before.
* A rule is a pattern, so a path that could be read as one gets none: then Claude asks.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

_OPTION = "--append-system-prompt"
_IS_PLAIN = re.compile(r"/[\w./ @+,=-]*")


def render_briefing(incoming: str, outgoing: str) -> str:
    """What is added to the system prompt."""
    return (
        "The person talks to you from a chat on their phone, through a bridge to this terminal. "
        f"Files that they send are in {incoming}. "
        "To send them a file (a picture, a document, a log, a result they want to see), put it "
        f"directly into the folder {outgoing}: it is sent to the chat at once, and moved away from "
        "there. Do so when they ask for a file, or when one says more than words; use a telling "
        "name that does not begin with a dot, no link and no folder, and at most 50 MB. "
        "Put nothing there that is not meant for them."
    )


def add_briefing(command: Sequence[str], briefing: str) -> list[str]:
    """The command line with the briefing; what the user has there already stays."""
    words = list(command)
    for number, word in enumerate(words):
        if word == _OPTION and number + 1 < len(words):
            words[number + 1] = f"{words[number + 1]}\n\n{briefing}"
            return words
        if word.startswith(f"{_OPTION}="):
            words[number] = f"{word}\n\n{briefing}"
            return words
    return [*words, _OPTION, briefing]


def render_permissions(incoming: Sequence[str], outgoing: Sequence[str]) -> dict[str, Any]:
    """The `permissions` of the settings: read what comes in, read and write what goes out."""
    rules = [f"Read(/{folder}/**)" for folder in (*incoming, *outgoing) if _is_plain(folder)]
    rules += [f"Edit(/{folder}/**)" for folder in outgoing if _is_plain(folder)]
    return {"additionalDirectories": [*incoming, *outgoing], "allow": rules}


def _is_plain(folder: str) -> bool:
    return _IS_PLAIN.fullmatch(folder) is not None
