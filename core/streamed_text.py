"""The text that Claude is writing, from parts that come in any order, twice, or not at all.

* Parts are ordered by (message, index); messages by their first part.
* A part that is missing leaves a mark where it belongs, and is put there when it comes.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

_GAP = "…"
_MOST_MESSAGES = 4


@dataclass(frozen=True, slots=True)
class StreamedText:
    """The last messages, each as its parts by index."""

    messages: dict[str, dict[int, str]] = field(default_factory=dict)

    def add(self, message_id: str, index: int, delta: str) -> StreamedText:
        """With one more part; the first to come for its place stays."""
        parts = self.messages.get(message_id, {})
        if index in parts:
            return self
        messages = {**self.messages, message_id: {**parts, index: delta}}
        for name in list(messages)[:-_MOST_MESSAGES]:
            del messages[name]
        return replace(self, messages=messages)

    @property
    def texts(self) -> list[str]:
        """What is known of each message, oldest first."""
        return [_join(parts) for parts in self.messages.values()]


def _join(parts: dict[int, str]) -> str:
    pieces, expected = [], 0
    for index in sorted(parts):
        if index > expected:
            pieces.append(_GAP)
        pieces.append(parts[index])
        expected = index + 1
    return "".join(pieces)
