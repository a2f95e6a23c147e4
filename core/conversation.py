"""What Claude Code does, as posts for the chat: pure, and the same for every channel.

A post's key is made from the transcript's own uuid, never from its text: an answer equal to an
earlier one is still another answer, and one read twice is still the same.
"""

from __future__ import annotations

from typing import Any

from core.context_usage import render_context_usage
from core.model import (
    AnswerGiven,
    Chat,
    CommandAnswered,
    ContextCompacted,
    ContextMeasured,
    ErrorReported,
    Post,
    PromptRecorded,
    ToolEnded,
    ToolStarted,
    TranscriptEvent,
    TurnInterrupted,
    TurnRecorded,
)

_QUOTE_LENGTH = 300
_TITLE_LENGTH = 60


def render_event(
    event: TranscriptEvent, session_id: str, chat: Chat, *, is_ours: bool
) -> Post | None:
    """The post of an event, if it is shown; `is_ours`: the prompt came from the chat."""
    key = f"{session_id}:{event.uuid}"
    match event:
        case AnswerGiven():
            return Post(key, chat, event.text, "markdown")
        case ErrorReported():
            return Post(key, chat, f"⚠️ {event.text}")
        case CommandAnswered():
            figures = render_context_usage(event.text)
            if figures is not None:
                return Post(key, chat, figures, silent=True)
            return Post(key, chat, event.text, "screen", silent=True)
        case TurnInterrupted():
            return Post(key, chat, "Interrupted.", silent=True)
        case PromptRecorded(command=None) if not is_ours:
            return Post(key, chat, f"⌨️ {shorten(event.text, _QUOTE_LENGTH)}", silent=True)
        case ContextCompacted():
            return Post(key, chat, "The conversation was summarised to make room.", silent=True)
        case PromptRecorded() | TurnRecorded() | ToolStarted() | ToolEnded() | ContextMeasured():
            return None


def read_title(state: dict[str, Any]) -> str:
    """A session's name for a list."""
    return str(state.get("title") or "New session")


def make_title(event: PromptRecorded) -> str | None:
    """A title from a session's first prompt; a command makes none."""
    return None if event.command else shorten(event.text, _TITLE_LENGTH)


def shorten(text: str, length: int) -> str:
    """The text on one line of at most so many characters."""
    line = " ".join(text.split())
    return line if len(line) <= length else line[: length - 1].rstrip() + "…"


def render_age(seconds: float) -> str:
    """A span of time in one short word: `now`, `5 min`, `3 h`, `2 d`."""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return "now"


def quote(what: str, text: str) -> str:
    """Words that are not the sender's own, for Claude: marked, so that they are no command."""
    lines = "\n".join(f"> {line}" for line in text.splitlines() or [""])
    return f"[{' '.join(what.split())}]\n{lines}"
