"""Which of the machine's sessions a page shows: the newest, or what somebody searches among all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Session = dict[str, Any]


def pick_sessions(sessions: Sequence[Session], words: str, most: int) -> dict[str, Any]:
    """The first `most` that have `words` in what they are called by, and how many `more` there are.

    Those of the page's own conversations are not among them: the page gets what each of these does.
    """
    found = [one for one in sessions if one["topic"] is None and _has(one, words.lower())]
    return {
        "sessions": found[:most],
        "more": len(found[most:]),
        "states": [(one["topic"], one["state"]) for one in sessions if one["topic"]],
    }


def _has(session: Session, words: str) -> bool:
    return words in f"{session['title']} {session['directory']} {session['branch']}".lower()
