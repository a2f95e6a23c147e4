"""How many tokens a conversation has taken, and what they cost, by its transcripts.

* Claude Code repeats the usage of one message on each of that message's lines, so it is counted by
  message, as its last line tells it.
* It notes the cost of the conversation when a process ends properly, and for how many tokens that
  is: what a killed process had cost, it does not know any more. Nothing is reckoned here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

from core.claude_code import NO_MODEL, CostLine, LineType, UsageLine
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


@dataclass(frozen=True, slots=True)
class Cost:
    """What Claude Code noted: US dollars at the prices of the API.

    `is_whole`: it is for all that was asked, and the price of every model was known.
    """

    dollars: float
    is_whole: bool = True


_decoder = msgspec.json.Decoder(UsageLine)
_cost_decoder = msgspec.json.Decoder(CostLine)
# In every line that tells of usage, and of cost: no other line need be read.
_USAGE, _COST = b'"usage"', f'"{LineType.COST}"'.encode()


def tells_usage(line: bytes) -> bool:
    """Whether the line may tell something of usage or cost; all others can be left out."""
    return _USAGE in line or _COST in line


def count_tokens(lines: Iterable[bytes]) -> dict[str, Tokens]:
    """The tokens of all messages, by model."""
    messages: dict[str, tuple[str, Tokens]] = {}
    for line in lines:
        if _USAGE not in line:
            continue
        found = decode_json(_decoder, line)
        if found is None or found.type != LineType.ASSISTANT or found.isApiErrorMessage:
            continue
        message = found.message
        if message is not None and message.id and isinstance(message.usage, dict):
            model = message.model if isinstance(message.model, str) else ""
            messages[message.id] = (model, _read_tokens(message.usage))
    total: dict[str, Tokens] = {}
    for model, tokens in messages.values():
        if model != NO_MODEL:
            total[model] = total.get(model, Tokens()) + tokens
    return total


def find_cost(lines: Iterable[bytes], usage: dict[str, Tokens]) -> Cost | None:
    """The cost as it was noted last; None where none was.

    `lines`: of the main transcript, `usage`: what was used in all.
    """
    noted: CostLine | None = None
    is_news = False
    for line in lines:
        if _COST in line:
            found = decode_json(_cost_decoder, line)
            if found is not None and found.type == LineType.COST and found.totalCostUSD >= 0:
                noted, is_news = found, False
        else:
            is_news = is_news or sum_tokens(count_tokens([line])) > 0
    if noted is None:
        return None
    is_whole = not is_news and not noted.hasUnknownModelCost and _has_all(noted, usage)
    return Cost(noted.totalCostUSD, is_whole)


def _has_all(noted: CostLine, usage: dict[str, Tokens]) -> bool:
    """Whether the cost is for all of these tokens; for more, too, such as a title's."""
    known: dict[str, int] = {}
    for model, found in noted.modelUsage.items():
        name = model.partition("[")[0]  # `[1m]` after it says how large its window is
        read = found.inputTokens + found.cacheReadInputTokens + found.cacheCreationInputTokens
        known[name] = known.get(name, 0) + read + found.outputTokens
    return all(
        known.get(model.partition("[")[0], 0) >= sum_tokens({model: tokens})
        for model, tokens in usage.items()
    )


def render_cost(cost: Cost) -> str:
    """A cost in a few words: `$0.42`; small ones are told to the first figure that counts."""
    digits = 2
    while digits < 6 and 0 < cost.dollars < 10**-digits * 5:
        digits += 1
    shown = f"${cost.dollars:.{digits}f}"
    return shown if cost.is_whole else f"{shown} or more"


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
