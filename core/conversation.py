"""What Claude Code does, as posts for the chat: pure, and the same for every channel.

A post's key is made from the transcript's own uuid, never from its text: an answer equal to an
earlier one is still another answer, and one read twice is still the same.
"""

from __future__ import annotations

import re
from typing import Any

from core.context_usage import render_context_usage
from core.events import (
    AnswerGiven,
    CommandAnswered,
    ContextCompacted,
    ErrorReported,
    LimitWaited,
    PromptRecorded,
    ToolEnded,
    TranscriptEvent,
    TurnInterrupted,
)
from core.file_change import read_change, render_change
from core.model import Chat, Post

_TIME = re.compile(r" at (.+)$")
_QUOTE_LENGTH = 300
_TITLE_LENGTH = 60
_PATH_OF_UPLOAD = re.compile(r'(?<=\]) @?"?/[^\n]*/in/[^\n]*')
_MENTIONED_PATH = re.compile(r'(?<!\w)@(?="|[^\s@]*[/~\\])')


def render_event(
    event: TranscriptEvent, session_id: str, chat: Chat, *, is_ours: bool, directory: str = ""
) -> Post | None:
    """The post of an event, if it is shown.

    `is_ours`: the prompt came from the chat; `directory`: which paths are shown as seen from.
    """
    key = f"{session_id}:{event.uuid}"
    match event:
        case AnswerGiven():
            return Post(key, chat, event.text, "markdown", silent=not event.is_final)
        case ErrorReported():
            return Post(key, chat, f"⚠️ {event.text}")
        case LimitWaited():
            return Post(key, chat, _render_wait(event), silent=True)
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
        case ToolEnded():
            change = None if event.is_error else read_change(event.result)
            text = render_change(change, directory) if change is not None else ""
            made = Post(f"{key}:{event.tool_id}", chat, text, "markdown", silent=True)
            return made if text else None
        case _:
            return None


def _render_wait(event: LimitWaited) -> str:
    if event.is_over:
        return "⏰ The limit has reset; Claude goes on."
    found = _TIME.search(event.text)
    return f"⏰ Claude goes on by itself{f' at {found[1]}' if found is not None else ''}."


def read_title(state: dict[str, Any]) -> str:
    """A session's name for a list: what a person has called it, or else by its first prompt."""
    return str(state.get("name") or state.get("title") or "New session")


def make_title(event: PromptRecorded) -> str | None:
    """A title from a session's first prompt; a command makes none."""
    return None if event.command else shorten(_PATH_OF_UPLOAD.sub("", event.text), _TITLE_LENGTH)


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
    """Words that are not the sender's own, for Claude: marked, so that they are no command.

    Nor do they attach a file: a path that they mention (`@/path`) is only a word.
    """
    text = _MENTIONED_PATH.sub("@ ", text)
    lines = "\n".join(f"> {line}" for line in text.splitlines() or [""])
    return f"[{' '.join(what.split())}]\n{lines}"
