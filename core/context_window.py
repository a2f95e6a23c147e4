"""How much of a model's context a conversation takes, in the words of a chat.

The window is not in any transcript: it is known for the models listed here, and else it is not
shown.
"""

from __future__ import annotations

_MILLION = 1_000_000
_USUAL = 200_000
_MARKS = (95, 80)
_WINDOWS = (
    ("[1m]", _MILLION),
    ("claude-opus-5-5", _MILLION),
    ("claude-haiku-4-5", _USUAL),
    ("claude-sonnet-4-5", _USUAL),
    ("claude-opus-4-5", _USUAL),
    ("claude-opus-4-1", _USUAL),
    ("claude-3", _USUAL),
)


def find_window(model: str, tokens: int = 0) -> int | None:
    """The model's window in tokens, if it is known; `tokens`: what is in it already."""
    window = next((size for part, size in _WINDOWS if part in model), None)
    return window if window is not None and tokens <= window else None


def render_context(tokens: int, model: str) -> str:
    """`context 32k (16 %)`; without the share where the window is not known."""
    window = find_window(model, tokens)
    share = f" ({round(100 * tokens / window)} %)" if window else ""
    return f"context {render_tokens(tokens)}{share}"


def render_tokens(tokens: int) -> str:
    """A number of tokens in one short word: `950`, `32k`, `1.2M`."""
    if tokens >= _MILLION:
        return f"{tokens / _MILLION:.1f}M"
    return f"{round(tokens / 1000)}k" if tokens >= 1000 else str(tokens)


def nearly_full(tokens: int, model: str) -> int:
    """The mark that has been passed, in per cent of the window: 95, 80, or 0 for none."""
    window = find_window(model, tokens)
    return next((mark for mark in _MARKS if window and tokens * 100 >= mark * window), 0)
