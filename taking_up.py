"""What an earlier bridge has left to this one: unfinished notes, and processes without a runner.

* What happened at the terminals while nobody listened is noted before it is asked what is lost.
* A process of ours that no runner has is a stray: it was started, or was to end, in a moment in
  which the bridge ended.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from claude_launcher import ClaudeLauncher, terminal_name
from core.errors import StoreError
from core.events import ClaudeProcess, HookEvent, SessionStarted
from core.session_file import is_session_id
from session import Session
from session_book import SessionBook
from session_runner import SessionRunner

log = logging.getLogger(__name__)

Runners = Mapping[str, SessionRunner]
"""By their terminals' names."""


@contextmanager
def left_for_later() -> Iterator[None]:
    """What can't be noted now, on a full disk, holds up no other session: a later look finds it."""
    try:
        yield
    except StoreError as error:
        log.error("what an earlier bridge has left can't be taken up now: %s", error)


def finish_following(
    book: SessionBook, launcher: ClaudeLauncher, kept: Iterable[HookEvent]
) -> None:
    """Do what comes with /clear and /resume at a terminal; `kept`: hooks that nobody heard."""
    holders = {}
    for session in book.store.list_sessions():
        if session.state.get("follows"):
            with left_for_later():
                book.finish_following(session)
        holders[session.tmux_session] = session.session_id
    for event in kept:
        if not isinstance(event, SessionStarted) or event.pane not in holders:
            continue
        old = book.for_id(holders[event.pane])
        started = launcher.correct(event, old).session_id
        if started != old.session_id and is_session_id(started):
            with left_for_later():
                transcript = launcher.find_transcript(started)
                book.follow_terminal(old, started, event.pane, transcript)
                holders[event.pane] = started


def find_strays(
    launcher: ClaudeLauncher, found: Iterable[ClaudeProcess], runners: Runners
) -> list[tuple[ClaudeProcess, str]]:
    """The processes of ours among `found` that no runner has, with their terminals' names."""
    known = {runner.process.pid for runner in runners.values() if runner.process is not None}
    named = [
        (process, launcher.terminal_of(process))
        for process in found
        if process.pid not in known and is_session_id(process.session_id)
    ]
    return [(process, name) for process, name in named if name and is_stray(name, runners)]


def is_stray(name: str, runners: Runners) -> bool:
    """Whether no runner has, or is about to have, the process in that terminal."""
    runner = runners.get(name)
    return runner is None or not (runner.has_work or runner.pane_pid)


def find_name(session: Session, runners: Runners) -> str:
    """A terminal's name that no other has: after /clear one goes by an old session's id."""
    name = base = terminal_name(session)
    number = 2
    while name in runners:
        name = f"{base}-{number}"
        number += 1
    return name


def awake_ids(runners: Iterable[SessionRunner]) -> set[str]:
    """The sessions that a process runs for."""
    return {runner.session_id for runner in runners if runner.is_awake}
