"""Whether a Claude Code is idle, busy or waiting, by its hooks and its screen.

For versions whose registry does not say. What is certain counts first:

* A turn is open from the hook UserPromptSubmit to Stop, or to what the transcript says of its end.
  Until then it is busy, whatever the screen looks like.
* A screen without an input box is a dialog: it waits, once it has come as far as a session.
* Idle is an input box on a quiet screen that has not changed for a while, and no open turn.

An end can go unheard: Escape in a turn's first moment fires no hook and leaves no line. So a turn
counts as over, too, when its text stands in the box again, or the screen is quiet for very long.
"""

from __future__ import annotations

from core.claude_code import STILL_SECONDS
from core.keystrokes import is_same_prompt
from core.model import (
    ErrorReported,
    HookEvent,
    PromptSubmitted,
    SessionStarted,
    Status,
    TranscriptEvent,
    TurnEnded,
    TurnInterrupted,
    TurnRecorded,
)
from core.screen import find_dialog, is_quiet, read_input_box

UNHEARD_END_SECONDS = 20.0


class ObservedStatus:
    """What was observed of one process.

    `is_ready`: it has come to a session (one that was running before is, too).
    """

    def __init__(self, *, is_ready: bool = False) -> None:
        self.is_ready = is_ready
        self.status: Status | None = None
        self.waiting_for = ""
        self._is_turn_open = False
        self._prompt = ""
        self._was_escaped = False
        self._screen = ""
        self._still_since = 0.0

    def open_turn(self, prompt: str) -> None:
        """Claude has this prompt, and nothing is known of the turn's end."""
        self._is_turn_open = True
        self._prompt = prompt
        self._was_escaped = False
        if self.status == "idle":
            self.status = "busy"

    def hear_escape(self) -> None:
        """Escape was pressed: if a turn was open, it may be over without a word."""
        self._was_escaped = True

    def hear_hook(self, event: HookEvent) -> None:
        """Take a hook's word."""
        match event:
            case SessionStarted(source="compact"):
                pass  # that can be in the middle of a turn
            case SessionStarted():
                self.is_ready = True
                self._close_turn()
            case PromptSubmitted():
                self.open_turn(event.prompt)
            case TurnEnded():
                self._close_turn()

    def hear_transcript(self, event: TranscriptEvent) -> None:
        """Take the transcript's word."""
        if isinstance(event, TurnInterrupted | TurnRecorded | ErrorReported):
            self._close_turn()

    def see(self, screen: str, now: float) -> None:
        """Take note of a screen, with its colours; `now` in seconds of any clock that only runs."""
        if screen != self._screen:
            self._screen, self._still_since = screen, now
        self.status = self._judge(now - self._still_since)

    def _judge(self, still: float) -> Status | None:
        box = read_input_box(self._screen)
        if box is None:
            return self._judge_without_box(still)
        self.is_ready = True
        self.waiting_for = ""
        if not is_quiet(self._screen):
            return "busy"
        if self._is_turn_open and self._has_ended_unheard(box, still):
            self._is_turn_open = False
        if self._is_turn_open:
            return "busy"
        return "idle" if still >= STILL_SECONDS or self.status == "idle" else "busy"

    def _judge_without_box(self, still: float) -> Status | None:
        dialog = find_dialog(self._screen)
        if not self.is_ready or (dialog is None and still < STILL_SECONDS):
            return self.status
        self.waiting_for = f"{dialog.name} dialog" if dialog is not None else "dialog open"
        return "waiting"

    def _has_ended_unheard(self, box: str, still: float) -> bool:
        if still < STILL_SECONDS:
            return False
        is_put_back = bool(box) and is_same_prompt(self._prompt, box)
        return self._was_escaped or is_put_back or still >= UNHEARD_END_SECONDS

    def _close_turn(self) -> None:
        """The screen has to stand still from now on."""
        self._is_turn_open = False
        self._screen = ""
