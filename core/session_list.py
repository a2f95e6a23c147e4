"""Sessions as a person sees them: a page of a list, and the card of one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath

from core.conversation import render_age
from core.file_names import render_size
from core.visible_text import make_line

ON_A_PAGE = 8


@dataclass(frozen=True, slots=True)
class ListedSession:
    """One session; `seconds` since something was said in it, `size` of its transcript in bytes.

    `state`: in a few words, whether it lives and what it does. `is_foreign`: another chat's.
    `worktree`: the one that was made for it, in a few words.
    """

    session_id: str
    title: str
    directory: str
    branch: str
    seconds: float
    size: int
    state: str
    is_current: bool = False
    is_closed: bool = False
    is_foreign: bool = False
    worktree: str = ""


def count_pages(count: int) -> int:
    """How many pages that many sessions fill; an empty list is a page, too."""
    return max(1, -(-count // ON_A_PAGE))


def cut_page(listed: Sequence[ListedSession], page: int) -> list[ListedSession]:
    """The sessions of a page, counted from 0."""
    return list(listed[page * ON_A_PAGE : (page + 1) * ON_A_PAGE])


def render_page(listed: Sequence[ListedSession], page: int, *, is_machine: bool) -> str:
    """The page as text; each session has the number that its button has."""
    if not listed:
        return (
            "There is no Claude Code session on this machine."
            if is_machine
            else "No session yet. Send a text to start one."
        )
    where = "Every session on this machine" if is_machine else "Sessions of this chat"
    pages = count_pages(len(listed))
    place = f", page {page + 1} of {pages}" if pages > 1 else ""
    lines = [f"{where} ({len(listed)}){place}"]
    for number, session in enumerate(cut_page(listed, page), 1 + page * ON_A_PAGE):
        mark = "▸ " if session.is_current else ""
        lines += ["", f"{mark}{number}. {session.title}", f"    {_facts(session)}"]
    return "\n".join(lines)


def render_card(session: ListedSession) -> str:
    """All that there is to know of one session, for who decides what to do with it."""
    lines = [
        f"“{session.title}”",
        f"Folder: {make_line(session.directory)}" if session.directory else "",
        f"Branch: {session.branch}" if session.branch else "",
        f"Worktree: {make_line(session.worktree)}" if session.worktree else "",
        f"Last activity: {_ago(session.seconds)}",
        f"Size: {render_size(session.size)}" if session.size else "",
        f"State: {session.state}",
        f"Session: {session.session_id}",
    ]
    if session.is_foreign:
        lines.append("It belongs to another chat; a fork of it can be had here.")
    return "\n".join(filter(None, lines))


def _facts(session: ListedSession) -> str:
    branch = f" ({session.branch})" if session.branch else ""
    facts = (
        f"{make_line(PurePath(session.directory).name)}{branch}",
        render_age(session.seconds),
        render_size(session.size) if session.size else "",
        session.state,
    )
    return " · ".join(filter(None, facts))


def _ago(seconds: float) -> str:
    age = render_age(seconds)
    return age if age == "now" else f"{age} ago"
