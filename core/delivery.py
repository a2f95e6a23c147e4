"""A prompt on its way to Claude: what is known of it, from what hooks and transcript say.

| known         | by                                                                              |
|---------------|---------------------------------------------------------------------------------|
| `typed_at`    | ourselves, written down before the first key                                    |
| `is_submitted`| the hook UserPromptSubmit: a fast hint, which a crash can make untrue           |
| `is_recorded` | the `user` line of the transcript: the acknowledgement                          |
| `has_ended`   | the hook Stop, or the transcript's own mark at the end of a turn                |
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from core.events import (
    ErrorReported,
    HookEvent,
    PromptRecorded,
    PromptSubmitted,
    TranscriptEvent,
    TurnEnded,
    TurnInterrupted,
    TurnRecorded,
)
from core.keystrokes import is_same_prompt

Interruption = Literal["nothing", "running", "interrupted", "stopped", "withdrawn", "finished"]
"""What became of a wish to stop: nothing to stop, still running, stopped as the transcript tells,
stopped with no word in it, stopped before it had begun, or too late."""

Outcome = Literal["answered", "failed", "interrupted"]


@dataclass(frozen=True, slots=True)
class Prompt:
    """What is to be typed (already prepared), for the inbox entry of that key.

    `place`: its number in an order that a person gave to what waits; 0: that of arrival.
    """

    key: str
    text: str
    is_dropped: bool = False
    place: int = 0

    @property
    def is_command(self) -> bool:
        """Whether it is a slash command or a shell line, of which Claude Code gives no proof."""
        first = self.text.split(None, 1)[0] if self.text.strip() else ""
        return first.startswith("!") or (first.startswith("/") and "/" not in first[1:])


@dataclass(slots=True)
class UnderWay:
    """The prompt that is being delivered; `typed_at` in seconds since the epoch, 0 before.

    `prompt_id`: Claude's own, once the hook has told it; some versions tell none.
    `is_interrupted`: it was stopped in the middle; `is_withdrawn`: before Claude had begun;
    `is_stopping`: Escape was pressed; `is_shown`: its record was met by who shows the transcript.
    """

    prompt: Prompt
    typed_at: float = 0.0
    prompt_id: str = ""
    is_submitted: bool = False
    is_recorded: bool = False
    has_ended: bool = False
    is_interrupted: bool = False
    is_withdrawn: bool = False
    is_shown: bool = False
    is_stopping: bool = False
    has_failed: bool = False

    @property
    def outcome(self) -> Outcome:
        """What is to be noted down of it at its end."""
        if self.is_interrupted or self.is_withdrawn or (self.is_stopping and not self.has_ended):
            return "interrupted"
        return "failed" if self.has_failed else "answered"

    @property
    def is_taken(self) -> bool:
        """Whether Claude said, by either way, that it has the prompt."""
        return self.is_submitted or self.is_recorded

    def hear_hook(self, event: HookEvent) -> None:
        """Take a hook's hint."""
        match event:
            case PromptSubmitted() if is_same_prompt(self.prompt.text, event.prompt):
                self.is_submitted = True
                self.prompt_id = event.prompt_id
            case TurnEnded() if self.is_taken and event.may_end(self.prompt_id):
                self.has_ended = True
                self.has_failed |= event.error is not None

    def claims(self, event: TranscriptEvent) -> bool:
        """Take note of a transcript's event; whether it is the record of this prompt."""
        if not self.typed_at:
            return False
        match event:
            case PromptRecorded() if is_same_prompt(self.prompt.text, event.command or event.text):
                self.is_recorded = True
                return True
            case ErrorReported() if self.is_recorded:
                self.has_failed = True
            case TurnInterrupted() if self.is_recorded:
                self.has_ended = self.is_interrupted = True
            case TurnRecorded() if self.is_recorded:
                self.has_ended = True
        return False
