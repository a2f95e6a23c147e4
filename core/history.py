"""The history of a session: what was said, done and decided in it, one record a line (JSON).

* A record's key is the transcript's own uuid, or the request's: written twice it is still one.
* A line has a checksum of all the rest as its last member; lines of earlier versions have none.
* What can't be read (a torn line, a kind from a newer version) is passed over, never an error; of
  what is damaged it is said how many lines that are. A lost newline costs no record.
* Pages, turns and summaries are functions of the records alone.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec
from msgspec.structs import replace

from core.checksum import checksum
from core.conversation import shorten
from core.events import (
    AnswerGiven,
    CommandAnswered,
    ErrorReported,
    PromptRecorded,
    SummaryWritten,
    ToolEnded,
    ToolStarted,
    TranscriptEvent,
    TurnInterrupted,
)
from core.foreign_text import decode_json, replace_halves
from core.tool_use import find_icon, name_tool, read_argument

Kind = Literal[
    "prompt",
    "command",
    "output",
    "answer",
    "tool",
    "plan",
    "decision",
    "summary",
    "error",
    "interrupted",
]

LATEST_TIME = 1e11
"""In seconds; what is later is no time."""
TERMINAL = "terminal"
CLAUDE = "Claude"

_LONGEST_TEXT = 200_000
_LONGEST_OUTPUT = 4_000
_PAGE_LENGTH = 3_000
_TEXT_ON_A_PAGE = 700
_TOOLS_NAMED = 6
_MOST_SPELLED = 6
_NOT_ASCII = re.compile(r"[^\x00-\x7f]+")


class Record(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that happened; `at` in seconds since the epoch.

    `who`: a person's name, `terminal` or `Claude`; of a tool its name. `person` is the channel's
    number of a person, 0 for nobody's. `agent` is the agent that Claude was, "" for its own.
    """

    key: str
    at: Annotated[float, msgspec.Meta(ge=0, le=LATEST_TIME)]
    kind: Kind
    text: str
    who: str = ""
    person: int = 0
    agent: str = ""


_decoder = msgspec.json.Decoder(Record)
# Quotation marks in a text are written with a backslash, so that no text looks like it.
_END = re.compile(rb',"crc":"([0-9a-f]{8})"\}')
_END_LENGTH = len(',"crc":"01234567"}')


@dataclass(frozen=True, slots=True)
class Author:
    """Whose words or decision it is."""

    name: str
    person: int = 0


def read_event(
    event: TranscriptEvent, author: Author, *, agent: str = "", directory: str = "", now: float = 0
) -> Record | None:
    """What the history keeps of an event; `now` is for those that do not say when they were."""
    match event:
        case PromptRecorded():
            kind: Kind = "prompt" if event.command is None else "command"
            at, text = event.at or now, event.text[:_LONGEST_TEXT]
            return Record(event.uuid, at, kind, text, author.name, author.person)
        case AnswerGiven():
            text = event.text[:_LONGEST_TEXT]
            return Record(event.uuid, event.at or now, "answer", text, CLAUDE, agent=agent)
        case ToolStarted():
            key = f"{event.uuid}:{event.tool_id}"
            told = read_argument(event.name, event.input, directory)
            return Record(key, event.at or now, "tool", told, event.name, agent=agent)
        case ToolEnded(result={"plan": str(plan)}) if not event.is_error and plan.strip():
            key = f"{event.uuid}:{event.tool_id}"
            return Record(key, now, "plan", plan[:_LONGEST_TEXT], CLAUDE, agent=agent)
        case SummaryWritten():
            text = event.text[:_LONGEST_TEXT]
            return Record(event.uuid, event.at or now, "summary", text, CLAUDE)
        case CommandAnswered():
            return Record(event.uuid, now, "output", event.text[:_LONGEST_OUTPUT], CLAUDE)
        case ErrorReported():
            return Record(event.uuid, now, "error", event.text[:_LONGEST_OUTPUT], CLAUDE)
        case TurnInterrupted():
            return Record(event.uuid, now, "interrupted", "")
        case _:
            return None


def render_line(record: Record) -> bytes:
    """One line of the file."""
    try:
        body = msgspec.json.encode(record)
    except UnicodeEncodeError:  # half of a surrogate pair
        text, who = replace_halves(record.text), replace_halves(record.who)
        body = msgspec.json.encode(replace(record, text=text, who=who))
    return b'%b,"crc":"%b"}\n' % (body[:-1], checksum(body))


def parse_lines(data: bytes) -> tuple[list[Record], int]:
    """Every record in the file's bytes, each key once, oldest first; how many lines are damaged.

    An unfinished last one is not: it was never acknowledged.
    """
    found: dict[str, Record] = {}
    damaged = 0
    *lines, torn = data.split(b"\n")
    for line in lines:
        records, is_whole = _parse_line(line)
        damaged += not is_whole
        for record in records:
            found.setdefault(record.key, record)
    for record in _parse_line(torn)[0]:
        found.setdefault(record.key, record)
    return sorted(found.values(), key=lambda record: record.at), damaged


def _parse_line(line: bytes) -> tuple[list[Record], bool]:
    """What is whole in it, and whether that is all: several when what was between them is lost."""
    records: list[Record | None] = []
    begin = 0
    for end in _END.finditer(line):
        body = line[begin : end.start()] + b"}"
        if checksum(body) == end[1]:
            records.append(decode_json(_decoder, body))  # None: of a newer version
            begin = end.end() + 1
    rest = line[begin:]
    earlier = None if not rest or _END.fullmatch(rest, len(rest) - _END_LENGTH) else rest
    if earlier is not None:
        records.append(decode_json(_decoder, earlier))
    is_whole = not rest or (earlier is not None and records[-1] is not None)
    return [record for record in records if record is not None], is_whole


# --- what it comes to -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Task:
    """What the session is about: the first and the latest wish, and Claude's own last summary."""

    first: str = ""
    latest: str = ""
    summary: str = ""
    turns: int = 0
    tools: tuple[tuple[str, int], ...] = ()
    decisions: int = 0


def sum_up(records: Sequence[Record]) -> Task:
    """The task's summary."""
    prompts = [record.text for record in records if record.kind == "prompt"]
    summaries = [record.text for record in records if record.kind == "summary"]
    tools = Counter(record.who for record in records if record.kind == "tool")
    return Task(
        first=prompts[0] if prompts else "",
        latest=prompts[-1] if prompts else "",
        summary=summaries[-1] if summaries else "",
        turns=len(prompts),
        tools=tuple(tools.most_common(_TOOLS_NAMED)),
        decisions=sum(record.kind == "decision" for record in records),
    )


def count(number: int, noun: str) -> str:
    """`1 turn`, `2 turns`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def split_turns(records: Iterable[Record]) -> list[list[Record]]:
    """Each prompt with all that came of it; what was before the first is a turn too."""
    turns: list[list[Record]] = []
    for record in records:
        if not turns or record.kind in ("prompt", "command"):
            turns.append([])
        turns[-1].append(record)
    return turns


# --- on a phone -----------------------------------------------------------------------------------

RenderTime = Callable[[float], str]


def render_record(record: Record, render_time: RenderTime, *, length: int | None = None) -> str:
    """In plain text, at most so many characters of what was said."""
    text = record.text if length is None else _cut(record.text, length)
    agent = f" ({record.agent})" if record.agent else ""
    match record.kind:
        case "tool":
            return f"{find_icon(record.who)} {name_tool(record.who)} {text}".rstrip()
        case "decision":
            return f"☑️ {text} · {record.who}" if record.who else f"☑️ {text}"
        case "plan":
            return f"🗺️ The plan that was approved:\n{text}"
        case "summary":
            return f"📝 The conversation so far was summarised:\n{text}"
        case "error":
            return f"⚠️ {text}"
        case "interrupted":
            return "⏹️ Interrupted."
        case "output":
            return text
        case _:
            return f"{render_time(record.at)} {record.who or 'You'}{agent}:\n{text}"


def page_before(records: Sequence[Record], end: int) -> tuple[int, int]:
    """From where to where the page goes that ends before record `end`."""
    end = min(max(end, 0), len(records))
    begin, length = end, 0
    while begin > 0 and (begin == end or length + _length(records[begin - 1]) <= _PAGE_LENGTH):
        begin -= 1
        length += _length(records[begin])
    return begin, end


def page_after(records: Sequence[Record], begin: int) -> tuple[int, int]:
    """From where to where the page goes that begins with record `begin`."""
    begin = min(max(begin, 0), len(records))
    end, length = begin, 0
    while end < len(records) and (end == begin or length + _length(records[end]) <= _PAGE_LENGTH):
        length += _length(records[end])
        end += 1
    return begin, end


def render_page(records: Sequence[Record], render_time: RenderTime) -> str:
    """The records of one page; uses of tools stand together."""
    blocks: list[str] = []
    before = ""
    for record in records:
        shown = render_record(record, render_time, length=_TEXT_ON_A_PAGE)
        if record.kind == before == "tool":
            blocks[-1] += f"\n{shown}"
        else:
            blocks.append(shown)
        before = record.kind
    return "\n\n".join(blocks)


def _length(record: Record) -> int:
    return min(len(record.text), _TEXT_ON_A_PAGE) + len(record.who) + 30


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1].rstrip()}…"


# --- searching ------------------------------------------------------------------------------------


def split_words(text: str) -> tuple[str, ...]:
    """The words of a question, as they are compared."""
    return tuple(dict.fromkeys(word.lower() for word in text.split()))


def find_best(records: Iterable[Record], words: Sequence[str]) -> Record | None:
    """The record with the most of the words, of several the latest; None unless all are there."""
    missing = set(words)
    best, most = None, 0
    for record in records:
        text = f"{record.who} {record.text}".lower()
        found = [word for word in words if word in text]
        missing -= set(found)
        if found and len(found) >= most:
            best, most = record, len(found)
    return best if not missing else None


def excerpt(text: str, words: Sequence[str], length: int) -> str:
    """The part of a text around the first of the words that is in it, on one line."""
    line = " ".join(text.split())
    lower = line.lower()
    places = [place for place in (lower.find(word) for word in words) if place >= 0]
    start = max(0, min(places, default=0) - length // 3)
    part = shorten(line[start : start + 2 * length], length)
    return f"…{part}" if start else part


def possible_bytes(word: str) -> list[bytes]:
    """How a word may stand in a file whose ASCII letters were made small.

    With these most files are passed over unread. A word with many letters beyond ASCII has too many
    spellings: then it is its longest plain part that counts.
    """
    letters = [character for character in word if not character.isascii()]
    if len(letters) > _MOST_SPELLED:
        word = max(_NOT_ASCII.split(word), key=len)
    spelled = itertools.product(
        *(dict.fromkeys((c.lower(), c.upper(), c)) if not c.isascii() else (c,) for c in word)
    )
    return [msgspec.json.encode("".join(letters))[1:-1].lower() for letters in spelled]
