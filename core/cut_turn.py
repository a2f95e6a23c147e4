"""A turn that was cut off: what a transcript that ends in the middle of one tells.

| the last that the transcript has                       | the turn                              |
|--------------------------------------------------------|---------------------------------------|
| a prompt, a tool, a text before a tool                 | was cut off, if its process is gone   |
| a final answer, an error, an interruption, its end     | is over                               |
| Claude Code's word that it waits for a limit to reset  | was cut off: it would have gone on    |
| a command of Claude Code's own, and what it printed    | is none                               |

A machine that goes down ends Claude Code first, and then the bridge that sees it. `is_by_shutdown`
knows those moments, so that what was cut off in them counts as cut off by the restart.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from core.conversation import shorten
from core.events import (
    AnswerGiven,
    ErrorReported,
    LimitWaited,
    PromptRecorded,
    ToolEnded,
    ToolStarted,
    TranscriptEvent,
    TurnInterrupted,
    TurnRecorded,
)
from core.freshness import Moment

_SHUTDOWN_SECONDS = 300.0
_CLOCK_SLACK_SECONDS = 5.0
_QUOTE_LENGTH = 80


@dataclass(frozen=True, slots=True)
class CutTurn:
    """Where it was cut off: `mark` is the last event's id, `prompt` what was asked, if known."""

    mark: str
    prompt: str = ""


def find_cut(events: Iterable[TranscriptEvent]) -> CutTurn | None:
    """The turn in whose middle the events end."""
    cut: CutTurn | None = None
    prompt = ""
    for event in events:
        match event:
            case PromptRecorded(command=None):
                prompt = event.text
                cut = CutTurn(event.uuid, prompt)
            case PromptRecorded():
                prompt = event.command or ""
            case ToolStarted() | ToolEnded() | AnswerGiven(is_final=False):
                cut = CutTurn(event.uuid, prompt)
            case LimitWaited():
                cut = CutTurn(event.uuid, prompt)
            case AnswerGiven() | TurnRecorded() | TurnInterrupted() | ErrorReported():
                cut = None
    return cut


def has_gone_on(events: Iterable[TranscriptEvent], mark: str) -> bool:
    """Whether somebody has said something to Claude after that event."""
    is_after = False
    for event in events:
        if is_after and isinstance(event, PromptRecorded) and event.command is None:
            return True
        is_after |= event.uuid == mark
    return False


def is_by_shutdown(cut_at: float, now: Moment) -> bool:
    """Whether what was seen to end at `cut_at` (wall clock) ended as the machine went down."""
    started_at = now.wall - now.uptime
    return -_CLOCK_SLACK_SECONDS < started_at - cut_at < _SHUTDOWN_SECONDS


def render_cut(prompt: str, title: str, agent: str, *, goes_on: bool) -> str:
    """What the chat is told: what was in flight, in which session, with which agent."""
    what = f"“{shorten(prompt, _QUOTE_LENGTH)}”" if prompt else "something"
    is_named = bool(title) and not " ".join(prompt.split()).startswith(title.rstrip("…"))
    where = f", in “{title}”" if is_named else ""
    who = f", as {agent}" if agent else ""
    then = (
        "It goes on where it was."
        if goes_on
        else "It has your message and what was done; say “continue”, or press the button."
    )
    return f"Claude Code ended while it worked at {what}{where}{who}. {then}"
