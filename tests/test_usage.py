"""Tokens of a conversation: by message, never by line."""

from __future__ import annotations

import json
from typing import Any

import pytest

from core.usage import (
    Cost,
    Tokens,
    count_tokens,
    find_cost,
    render_cost,
    render_usage,
    sum_tokens,
)


def line(identifier: str, model: str = "opus", **usage: Any) -> bytes:
    message = {"id": identifier, "model": model, "usage": usage}
    return json.dumps({"type": "assistant", "message": message}).encode()


def test_a_message_on_several_lines_counts_once_as_the_last_line_tells_it() -> None:
    lines = [
        line("m1", input_tokens=100, output_tokens=1),
        line("m1", input_tokens=100, output_tokens=12),
        line("m2", input_tokens=7, output_tokens=3, cache_read_input_tokens=50),
    ]
    assert count_tokens(lines) == {"opus": Tokens(107, 15, 50)}


def test_each_model_has_its_own_sum() -> None:
    found = count_tokens([line("m1", "opus", input_tokens=1), line("m2", "haiku", input_tokens=2)])
    assert found == {"opus": Tokens(1), "haiku": Tokens(2)}
    assert sum_tokens(found) == 3


def test_what_is_no_usage_counts_nothing() -> None:
    lines = [
        b"",
        b'{"usage"',
        b'{"type":"user","message":{"id":"m","usage":{"input_tokens":5}}}',
        line("m1", "<synthetic>", input_tokens=5),
        line("m2", input_tokens="5", output_tokens=-4),
        b'{"type":"assistant","message":{"id":"m3","usage":7}}',
        b'{"type":"assistant","isApiErrorMessage":true,"message":{"id":"m4","usage":{"a":1}}}',
    ]
    assert sum_tokens(count_tokens(lines)) == 0


def noted(dollars: Any, tokens: int = 5, **more: Any) -> bytes:
    models = {"opus[1m]": {"inputTokens": tokens - 1, "outputTokens": 1, "costUSD": dollars}}
    state = {"type": "cost-state", "totalCostUSD": dollars, "modelUsage": models, **more}
    return json.dumps(state).encode()


@pytest.mark.parametrize(
    ("lines", "cost"),
    [
        ([], None),
        ([line("m1", input_tokens=5)], None),
        ([line("m1", input_tokens=5), noted(0.5), noted(0.5)], Cost(0.5)),
        ([noted(0.5), line("m1", input_tokens=5)], Cost(0.5, is_whole=False)),
        ([noted(0.5), line("m1", input_tokens=5), noted(0.75)], Cost(0.75)),
        ([line("m1", input_tokens=6), noted(0.5)], Cost(0.5, is_whole=False)),
        ([line("m1", "haiku", input_tokens=1), noted(0.5)], Cost(0.5, is_whole=False)),
        ([line("m1", input_tokens=6), noted(0.5, 700)], Cost(0.5)),
        ([noted(0.5), line("m1", "<synthetic>", input_tokens=5)], Cost(0.5)),
        ([noted(0.5, hasUnknownModelCost=True)], Cost(0.5, is_whole=False)),
        ([noted(1), b'{"type":"cost-state"', noted("much"), noted(-3)], Cost(1.0)),
        ([b'{"type":"user","message":{"content":"a \\"cost-state\\" of 7"}}'], None),
    ],
)
def test_the_cost_is_what_was_noted_last(lines: list[bytes], cost: Cost | None) -> None:
    assert find_cost(lines, count_tokens(lines)) == cost


@pytest.mark.parametrize(
    ("cost", "shown"),
    [
        (Cost(0.0), "$0.00"),
        (Cost(12.345), "$12.35"),
        (Cost(0.06), "$0.06"),
        (Cost(0.00064), "$0.0006"),
        (Cost(0.5, is_whole=False), "$0.50 or more"),
    ],
)
def test_a_cost_in_words(cost: Cost, shown: str) -> None:
    assert render_cost(cost) == shown


def test_the_words_for_it() -> None:
    usage = {"opus": Tokens(1200, 30, 2_000_000, 999)}
    assert render_usage(usage) == "opus\n1k in, 30 out, 2.0M from the cache, 999 into it"
