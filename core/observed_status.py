"""Whether a Claude Code is idle, busy or waiting, by its hooks and its screen.

For versions whose registry does not say. What is certain counts first:

* A turn is open from the hook UserPromptSubmit to Stop, or to what the transcript says of its end.
  Until then it is busy, whatever the screen looks like.
* A screen without an input box is a dialog: it waits, once it has come as far as a session.
* Idle is an input box on a quiet screen that has not changed for a while, and no open turn.

An end can go unheard: Escape in a turn's first moment fires no hook and leaves no line, and while
no bridge runs nobody hears a hook. So a turn counts as over, too, when its text stands in the box
again, or the screen is quiet for long.
"""

from __future__ import annotations

from core.claude_code import STILL_SECONDS
from core.events import (
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
from core.keystrokes import is_same_prompt
from core.screen import cut_footer, find_dialog, is_quiet, read_input_box

# What is typed in the first moments after a start can be swallowed.
START_SECONDS = 1.5
UNHEARD_END_SECONDS = 20.0
INHERITED_END_SECONDS = 3.0


class ObservedStatus:
    """What was observed of one process.

    `is_ready`: it has come to a session (one that was running before is, too).
    """

    def __init__(self, *, is_ready: bool = False) -> None:
        self.is_ready = is_ready
        self.status: Status | None = None
        self.waiting_for = ""
        self._idle_after = STILL_SECONDS if is_ready else START_SECONDS
        self._is_turn_open = False
        self._ended_after = UNHEARD_END_SECONDS
        self._prompt = ""
        self._prompt_id = ""
        self._was_escaped = False
        self._screen = ""
        self._body = ""
        self._still_since = 0.0

    def inherit_turn(self, prompt: str) -> None:
        """Claude has this prompt since an earlier bridge, and may be done with it."""
        self._open_turn(prompt, INHERITED_END_SECONDS)

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
                self._open_turn(event.prompt, UNHEARD_END_SECONDS, event.prompt_id)
            case TurnEnded() if event.may_end(self._prompt_id):
                self._close_turn()

    def hear_transcript(self, event: TranscriptEvent) -> None:
        """Take the transcript's word."""
        if isinstance(event, TurnInterrupted | TurnRecorded | ErrorReported):
            self._close_turn()

    def see(self, screen: str, now: float) -> None:
        """Take note of a screen, with its colours; `now` in seconds of any clock that only runs."""
        self._screen = screen
        body = cut_footer(screen)
        if body != self._body:
            self._body, self._still_since = body, now
        self.status = self._judge(now - self._still_since)
        if self.status == "idle":
            self._idle_after = STILL_SECONDS

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
        return "idle" if still >= self._idle_after or self.status == "idle" else "busy"

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
        return self._was_escaped or is_put_back or still >= self._ended_after

    def _open_turn(self, prompt: str, ended_after: float, prompt_id: str = "") -> None:
        self._is_turn_open = True
        self._ended_after = ended_after
        self._prompt = prompt
        self._prompt_id = prompt_id
        self._was_escaped = False
        if self.status == "idle":
            self.status = "busy"

    def _close_turn(self) -> None:
        """The screen has to stand still from now on."""
        self._is_turn_open = False
        self._body = ""
