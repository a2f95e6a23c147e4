"""How many tokens a conversation has taken, by its transcripts.

Claude Code repeats the usage of one message on each of that message's lines, so it is counted by
message, as its last line tells it. What was paid is in no transcript.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

from core.context_window import render_tokens
from core.foreign_text import decode_json


@dataclass(frozen=True, slots=True)
class Tokens:
    """Tokens that a model read and wrote; `cached`: read from the cache, `stored`: put there."""

    read: int = 0
    written: int = 0
    cached: int = 0
    stored: int = 0

    def __add__(self, other: Tokens) -> Tokens:
        return Tokens(
            self.read + other.read,
            self.written + other.written,
            self.cached + other.cached,
            self.stored + other.stored,
        )


class _Message(msgspec.Struct):
    id: str = ""
    model: Any = None
    usage: Any = None


class _Line(msgspec.Struct):
    type: str = ""
    message: _Message | None = None
    isApiErrorMessage: bool | None = False  # noqa: N815 - the name is the file's


_decoder = msgspec.json.Decoder(_Line)


def count_tokens(lines: Iterable[bytes]) -> dict[str, Tokens]:
    """The tokens of all messages, by model."""
    messages: dict[str, tuple[str, Tokens]] = {}
    for line in lines:
        if b'"usage"' not in line:
            continue
        found = decode_json(_decoder, line)
        if found is None or found.type != "assistant" or found.isApiErrorMessage:
            continue
        message = found.message
        if message is not None and message.id and isinstance(message.usage, dict):
            model = message.model if isinstance(message.model, str) else ""
            messages[message.id] = (model, _read_tokens(message.usage))
    total: dict[str, Tokens] = {}
    for model, tokens in messages.values():
        if model != "<synthetic>":
            total[model] = total.get(model, Tokens()) + tokens
    return total


def render_usage(usage: dict[str, Tokens]) -> str:
    """A line for each model and what its tokens were (plain text)."""
    blocks = [f"{model or 'A model'}\n{_render_tokens(usage[model])}" for model in usage]
    return "\n".join(blocks)


def sum_tokens(usage: dict[str, Tokens]) -> int:
    """All tokens of all models."""
    found = sum(usage.values(), Tokens())
    return found.read + found.written + found.cached + found.stored


def _render_tokens(tokens: Tokens) -> str:
    parts = [f"{render_tokens(tokens.read)} in", f"{render_tokens(tokens.written)} out"]
    parts += [f"{render_tokens(tokens.cached)} from the cache"] if tokens.cached else []
    parts += [f"{render_tokens(tokens.stored)} into it"] if tokens.stored else []
    return ", ".join(parts)


def _read_tokens(usage: dict[str, Any]) -> Tokens:
    def number(name: str) -> int:
        value = usage.get(name)
        return value if isinstance(value, int) and value > 0 else 0

    return Tokens(
        number("input_tokens"),
        number("output_tokens"),
        number("cache_read_input_tokens"),
        number("cache_creation_input_tokens"),
    )
