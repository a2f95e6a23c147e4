"""One line of Claude Code's transcript (JSON Lines) to the events in it.

* Bookkeeping outnumbers the conversation: what isn't known here yields nothing, never an error.
* A torn or foreign line yields nothing too; resuming leaves such lines in the middle of the file.
* Sub-agents' lines (`isSidechain`) and what Claude Code adds by itself (`isMeta`) are not shown.
* What a person typed is theirs to the letter, also when it looks like one of Claude Code's tags:
  `promptSource` tells. Versions that don't write it leave only the look of the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any

import msgspec

from core.claude_code import (
    ADDED_STARTS,
    ARGUMENTS_TAG,
    BY_THE_PROGRAM,
    COMMAND_STARTS,
    COMMAND_TAG,
    INTERRUPTED,
    LIMIT_IS_OVER,
    LIMIT_IS_WAITED_FOR,
    LIMIT_TOLD,
    NO_MODEL,
    OUTPUT_TAGS,
    QUEUED,
    QUEUED_MODE,
    READ_TOKENS,
    SHELL_TAG,
    UNKNOWN_COMMAND,
    LineType,
    SystemLine,
    TranscriptLine,
)
from core.events import (
    AnswerGiven,
    CommandAnswered,
    ContextCompacted,
    ContextMeasured,
    ErrorReported,
    LimitWaited,
    PromptRecorded,
    SummaryWritten,
    ToolEnded,
    ToolStarted,
    TranscriptEvent,
    TurnInterrupted,
    TurnRecorded,
)
from core.foreign_text import decode_json

_ANSI = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-_]|[ -/]+[0-~])|[\x0e\x0f]"
)
_TAG = r"<{0}>(.*?)</{0}>"
_COMMAND_NAME = re.compile(_TAG.format(COMMAND_TAG), re.DOTALL)
_COMMAND_ARGUMENTS = re.compile(_TAG.format(ARGUMENTS_TAG), re.DOTALL)
_OUTPUT = re.compile(_TAG.format(f"(?:{'|'.join(OUTPUT_TAGS)})"), re.DOTALL)
_SHELL_LINE = re.compile(_TAG.format(SHELL_TAG), re.DOTALL)
_LATEST_TIME = 1e11  # in seconds; what is later is no time


class _Time(msgspec.Struct):
    timestamp: str = ""


_decoder = msgspec.json.Decoder(TranscriptLine)
_time_decoder = msgspec.json.Decoder(_Time)


def parse_line(line: bytes) -> list[TranscriptEvent]:
    """The events of one line, in the order of their blocks."""
    found = decode_json(_decoder, line)
    if found is None or found.isSidechain or not found.uuid:
        return []
    at = _read_time(found.timestamp)
    return [_timed(event, at) for event in _read_events(found)]


def is_conversation(line: bytes) -> bool:
    """Whether the line is part of what Claude Code resumes: all else it would start without."""
    found = decode_json(_decoder, line)
    is_said = (
        found is not None and found.type in (LineType.USER, LineType.ASSISTANT) and bool(found.uuid)
    )
    return is_said and found is not None and found.message is not None


def _read_events(found: TranscriptLine) -> list[TranscriptEvent]:
    match found.type:
        case LineType.USER:
            return _from_user(found)
        case LineType.ASSISTANT:
            return _from_assistant(found)
        case LineType.SYSTEM:
            return _from_system(found)
        case LineType.ATTACHMENT:
            return _from_attachment(found)
        case _:
            return []


def _read_time(text: Any) -> float:
    """Seconds since the epoch; 0 for what is no time."""
    try:
        at = datetime.fromisoformat(text).timestamp() if isinstance(text, str) else 0.0
    except (ValueError, OverflowError, OSError):
        return 0.0
    return at if 0 < at < _LATEST_TIME else 0.0


def _timed(event: TranscriptEvent, at: float) -> TranscriptEvent:
    match event:
        case PromptRecorded() | AnswerGiven() | ToolStarted() | SummaryWritten() if at:
            return replace(event, at=at)
        case _:
            return event


def _from_user(line: TranscriptLine) -> list[TranscriptEvent]:
    if line.isCompactSummary and line.message is not None:
        summary = "\n".join(_texts(line.message.content)).strip()
        return [SummaryWritten(line.uuid, summary)] if summary else []
    if line.isMeta or line.message is None:
        return []
    texts = _texts(line.message.content)
    if not texts:
        return list(_tool_ends(line))
    text = "\n".join(texts)
    if line.promptSource not in BY_THE_PROGRAM:
        return [PromptRecorded(line.uuid, text)]
    if text.strip() in INTERRUPTED:
        return [TurnInterrupted(line.uuid)]
    if text.startswith(COMMAND_STARTS) and _COMMAND_NAME.search(text):
        return _from_command(line.uuid, text)
    shell_line = _SHELL_LINE.fullmatch(text)
    if shell_line is not None:
        return [PromptRecorded(line.uuid, f"!{shell_line[1]}", command=f"!{shell_line[1]}")]
    if text.startswith(ADDED_STARTS):
        return _from_output(line.uuid, text)
    return [PromptRecorded(line.uuid, text)]


def _from_assistant(line: TranscriptLine) -> list[TranscriptEvent]:
    if line.message is None:
        return []
    text = "\n\n".join(_texts(line.message.content)).strip()
    if line.isApiErrorMessage:
        return [_read_error(line, text)] if text else []
    if line.message.model == NO_MODEL:
        return []
    is_final = line.message.stop_reason != "tool_use"
    answer = [AnswerGiven(line.uuid, text, is_final)] if text else []
    return [*answer, *_tool_starts(line), *_context(line)]


def _read_error(line: TranscriptLine, text: str) -> ErrorReported:
    limits = line.quotaLimits if isinstance(line.quotaLimits, dict) else {}
    resets_at = limits.get("resetsAt")
    if not isinstance(resets_at, int | float) or not 0 < resets_at < _LATEST_TIME:
        resets_at = None
    return ErrorReported(
        line.uuid,
        text,
        line.error if isinstance(line.error, str) else "",
        float(resets_at) if resets_at is not None else None,
    )


def _tool_starts(line: TranscriptLine) -> Iterator[ToolStarted]:
    for block in _blocks(line, "tool_use"):
        name, tool_id, given = block.get("name"), block.get("id"), block.get("input")
        if isinstance(name, str) and isinstance(tool_id, str):
            yield ToolStarted(line.uuid, tool_id, name, given if isinstance(given, dict) else {})


def _tool_ends(line: TranscriptLine) -> Iterator[ToolEnded]:
    result = line.toolUseResult if isinstance(line.toolUseResult, dict) else {}
    for block in _blocks(line, "tool_result"):
        tool_id = block.get("tool_use_id")
        if isinstance(tool_id, str):
            text = "\n".join(_texts(block.get("content")))
            is_error = block.get("is_error") is True
            yield ToolEnded(line.uuid, tool_id, is_error, text, result)


def _context(line: TranscriptLine) -> Iterator[ContextMeasured]:
    """Every line of one message tells the same."""
    usage = line.message.usage if line.message is not None else None
    if line.message is None or not isinstance(usage, dict):
        return
    counts = [usage.get(name) for name in READ_TOKENS]
    tokens = sum(count for count in counts if isinstance(count, int))
    if tokens:
        model = line.message.model
        yield ContextMeasured(line.uuid, tokens, model if isinstance(model, str) else "")


def _blocks(line: TranscriptLine, kind: str) -> list[dict[str, Any]]:
    content = line.message.content if line.message is not None else None
    blocks = content if isinstance(content, list) else []
    return [block for block in blocks if isinstance(block, dict) and block.get("type") == kind]


def _from_system(line: TranscriptLine) -> list[TranscriptEvent]:
    text = line.content if isinstance(line.content, str) else ""
    if line.subtype == SystemLine.COMPACTED:
        found = line.compactMetadata
        trigger = found.get("trigger") if isinstance(found, dict) else None
        return [ContextCompacted(line.uuid, trigger if isinstance(trigger, str) else "")]
    if line.subtype == SystemLine.TURN_ENDED:
        return [TurnRecorded(line.uuid, (line.durationMs or 0.0) / 1000)]
    if line.subtype == SystemLine.COMMAND:
        return _from_command(line.uuid, text) or _from_output(line.uuid, text)
    if line.subtype == SystemLine.INFORMATION:
        return _from_information(line.uuid, text)
    return []


def _from_information(uuid: str, text: str) -> list[TranscriptEvent]:
    if text.startswith(UNKNOWN_COMMAND):
        return [CommandAnswered(uuid, text)]
    if text.startswith(LIMIT_TOLD) and LIMIT_IS_WAITED_FOR in text.lower():
        return [LimitWaited(uuid, text, is_over=text.startswith(LIMIT_IS_OVER))]
    return []


def _from_attachment(line: TranscriptLine) -> list[TranscriptEvent]:
    """What a person said in the middle of a turn, which Claude reads along with a tool's result."""
    found = line.attachment
    if found is None or found.type != QUEUED or found.commandMode != QUEUED_MODE:
        return []
    text = "\n".join(_texts(found.prompt))
    return [PromptRecorded(line.uuid, text)] if text else []


def _from_command(uuid: str, text: str) -> list[TranscriptEvent]:
    name = _COMMAND_NAME.search(text)
    if name is None:
        return []
    arguments = _COMMAND_ARGUMENTS.search(text)
    command = f"{name.group(1).strip()} {arguments.group(1).strip() if arguments else ''}".strip()
    return [PromptRecorded(uuid, command, command=command)]


def _from_output(uuid: str, text: str) -> list[TranscriptEvent]:
    output = "\n".join(strip_ansi(found) for found in _OUTPUT.findall(text)).strip("\n")
    return [CommandAnswered(uuid, output)] if output.strip() else []


def strip_ansi(text: str) -> str:
    """The text without terminal escape sequences."""
    return _ANSI.sub("", text)


def _texts(content: Any) -> list[str]:
    """The text blocks of a message; none when it carries a tool's result."""
    if isinstance(content, str):
        return [content]
    if not isinstance(content, list):
        return []
    blocks = [block for block in content if isinstance(block, dict)]
    if any(block.get("type") == "tool_result" for block in blocks):
        return []
    texts = [block.get("text") for block in blocks if block.get("type") == "text"]
    return [text for text in texts if isinstance(text, str)]


def is_older(line: bytes, instant: str) -> bool:
    """Whether the line says that it was written before that time (both as Claude Code does)."""
    time = decode_json(_time_decoder, line) if instant else None
    return time is not None and "" < time.timestamp < instant
