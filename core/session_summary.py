"""What a session is about, from the first and the last bytes of its transcript alone.

* Claude Code writes a session's title again and again, so that it is always in the last 64 KB: a
  person's (`custom-title`) counts before Claude's own (`ai-title`, formerly `summary`), and of each
  the last one. Without any, the first prompt is the title.
* The directory is the one where the session began, since that is where it can be resumed.
* A session is a conversation if a person can have had it: not a script's (`claude -p`), not a
  sub-agent's, and not without any prompt.
* The lines where the bytes were cut, and lines of others, yield nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from core.claude_code import SCRIPTS, LineType, OverviewLine
from core.conversation import make_title, shorten
from core.events import PromptRecorded
from core.foreign_text import decode_json
from core.transcript import parse_line, strip_ansi
from core.visible_text import make_visible

CHUNK = 1 << 16
"""How many bytes of a transcript's beginning, and of its end, are looked at."""

_TITLE_LENGTH = 60
_LONGEST_PATH = 4096
_NO_BRANCH = "HEAD"
_FIRST_PROMPT = "first prompt"
_TITLES = (
    *(LineType.CUSTOM_TITLE, LineType.AI_TITLE, LineType.SUMMARY),
    *(_FIRST_PROMPT, LineType.LAST_PROMPT),
)
"""Where a title may come from, the best first."""


@dataclass(frozen=True, slots=True)
class SessionSummary:
    """`active`: when something was last said in it, seconds since 1970; 0 where no line tells."""

    title: str = ""
    directory: str = ""
    branch: str = ""
    active: float = 0.0
    is_conversation: bool = False


_decoder = msgspec.json.Decoder(OverviewLine)


@dataclass(slots=True)
class _Gathered:
    titles: dict[str, str] = field(default_factory=dict)
    directory: str = ""
    branch: str = ""
    timestamp: str = ""
    has_prompt: bool = False
    has_person: bool = False


def summarise_session(head: bytes, tail: bytes = b"") -> SessionSummary:
    """The summary of a transcript that begins with `head` and ends with `tail`.

    `tail` is empty when `head` is the whole; its first line may have lost its beginning.
    """
    gathered = _Gathered()
    for data in (head, tail):
        for line in data.split(b"\n"):
            if line:
                _take(gathered, line)
    titles = gathered.titles
    return SessionSummary(
        title=next((titles[kind] for kind in _TITLES if titles.get(kind)), ""),
        directory=gathered.directory,
        branch=gathered.branch,
        active=_seconds(gathered.timestamp),
        is_conversation=gathered.has_prompt and gathered.has_person,
    )


def clean_title(text: Any) -> str:
    """A title of any origin on one line, short, with nothing hidden in it."""
    return shorten(make_visible(strip_ansi(text)), _TITLE_LENGTH) if isinstance(text, str) else ""


def _take(gathered: _Gathered, data: bytes) -> None:
    line = decode_json(_decoder, data)
    if line is None or line.isSidechain is True:
        return
    match line.type:
        case LineType.CUSTOM_TITLE:
            gathered.titles[line.type] = clean_title(line.customTitle)
        case LineType.AI_TITLE:
            gathered.titles[line.type] = clean_title(line.aiTitle)
        case LineType.SUMMARY:
            gathered.titles[line.type] = clean_title(line.summary)
        case LineType.LAST_PROMPT:
            gathered.titles[line.type] = clean_title(line.lastPrompt)
            gathered.has_prompt = True
        case LineType.USER | LineType.ASSISTANT:
            _take_message(gathered, line, data)


def _take_message(gathered: _Gathered, line: OverviewLine, data: bytes) -> None:
    if not gathered.directory and isinstance(line.cwd, str) and len(line.cwd) <= _LONGEST_PATH:
        gathered.directory = line.cwd
    if isinstance(line.gitBranch, str):
        gathered.branch = "" if line.gitBranch == _NO_BRANCH else clean_title(line.gitBranch)
    if isinstance(line.timestamp, str):
        gathered.timestamp = line.timestamp
    if not (isinstance(line.entrypoint, str) and line.entrypoint.startswith(SCRIPTS)):
        gathered.has_person = True
    if line.type == LineType.USER and _FIRST_PROMPT not in gathered.titles:
        _take_prompt(gathered, data)


def _take_prompt(gathered: _Gathered, data: bytes) -> None:
    prompts = [event for event in parse_line(data) if isinstance(event, PromptRecorded)]
    gathered.has_prompt |= bool(prompts)
    title = next(filter(None, map(make_title, prompts)), None)
    if title is not None:
        gathered.titles[_FIRST_PROMPT] = clean_title(title)


def _seconds(timestamp: str) -> float:
    try:
        return max(0.0, datetime.fromisoformat(timestamp).timestamp()) if timestamp else 0.0
    except (ValueError, OverflowError):
        return 0.0
