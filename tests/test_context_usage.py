"""What /context prints, made for a phone."""

from __future__ import annotations

import pytest

from core.context_usage import render_context_usage

PRINTED = """ Context Usage
⛁ ⛁ ⛶ ⛶   nosuch
⛀ ⛶ ⛶ ⛶   11.2k/1m tokens (1%)
⛶ ⛶ ⛶ ⛶
⛶ ⛶ ⛶ ⛶   Estimated usage by category
⛶ ⛶ ⛶ ⛶   ⛁ System prompt: 2k tokens (0.2%)
⛶ ⛶ ⛝ ⛝   ⛶ Free space: 955.8k tokens (96%)

     Custom agents · /agents
     └ security: 22 tokens
     ctrl+o to expand"""


def test_the_squares_are_left_out_and_every_figure_stays() -> None:
    assert render_context_usage(PRINTED) == (
        "Context\nnosuch\n11.2k/1m tokens (1%)\nEstimated usage by category\n"
        "System prompt: 2k tokens (0.2%)\nFree space: 955.8k tokens (96%)\n"
        "Custom agents · /agents\n· security: 22 tokens"
    )


@pytest.mark.parametrize("text", ["", "Context usage", "⛶ ⛶", "Compacted", "say ⛶\nContext usage"])
def test_another_text_is_not_touched(text: str) -> None:
    assert render_context_usage(text) is None
