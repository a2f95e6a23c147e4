"""A plan of Claude's that waits for approval (ExitPlanMode), and the mode to go on in."""

from __future__ import annotations

from dataclasses import dataclass

from core.events import PermissionAsked
from core.permissions import render_heading
from core.requests import (
    Allow,
    Answered,
    Changed,
    Choice,
    Row,
    State,
    Step,
    View,
    render_allow,
    render_deny,
)
from core.visible_text import cut, escape_markdown, make_line, make_visible

_KEEP_PLANNING = (
    "The user has not approved this plan yet and wants you to keep planning. Ask what to change."
)
_LONGEST = 3_000
_MODES = {
    "acceptEdits": ("Approve: accept edits", "file edits are not asked about"),
    "default": ("Approve: ask each time", "Claude asks before each step"),
    "auto": ("Approve: auto mode", "Claude decides by itself what needs asking"),
}


@dataclass(frozen=True, slots=True)
class Plan:
    """The plan's `text` (Markdown); `has_auto`: Claude Code offers its auto mode here."""

    asked: PermissionAsked
    text: str
    has_auto: bool = False

    @property
    def summary(self) -> str:
        """The plan."""
        return make_line(f"plan: {self.text}")

    def view(self, state: State) -> View:
        """The plan, and each mode to go on in."""
        heading = render_heading("📋", "Is this plan right?", self.asked)
        plan = make_visible(self.text).strip() or "There is no text to the plan\\."
        whole = plan if len(plan) > _LONGEST else ""
        if whole:
            heading += "\n📎 _All of it is in the file above\\._"
            plan = cut(plan, _LONGEST)
        modes = [name for name in _MODES if name != "auto" or self.has_auto]
        rows: list[Row] = [
            (Choice(_MODES[name][0], f"approve {name}", is_approval=True),) for name in modes
        ]
        if state.get("awaits"):
            note = "✏️ What should change? The next text that you send goes to Claude."
            rows.append((Choice("Keep planning, without a comment", "keep"),))
        else:
            note = "Reply to this message to comment on it."
            rows.append((Choice("Keep planning", "keep"), Choice("Comment…", "comment")))
        # The plan comes last: Markdown that it leaves open must not swallow what is ours.
        text = f"{heading}\n\n{note}\n\n{plan}"
        return View(text, tuple(rows), f"{heading}\n\n{plan}", whole, "plan.md")

    def press(self, word: str, state: State) -> Step | None:
        """`approve MODE`, `keep`, `comment`."""
        kind, _, mode = word.partition(" ")
        match kind:
            case "approve" if mode in _MODES:
                updates = [{"type": "setMode", "mode": mode, "destination": "session"}]
                answer = render_allow(Allow(self.asked.input, updates))
                outcome = f"✅ **Approved:** {_MODES[mode][1]}."
                return Answered(answer, outcome, f"approved ({mode})")
            case "keep":
                answer = render_deny(_KEEP_PLANNING)
                outcome = "✏️ **Claude keeps planning.**"
                return Answered(answer, outcome, "not approved", is_allowed=False)
            case "comment":
                return Changed({"awaits": "comment"}, "Write your comment.")
            case _:
                return None

    def write(self, text: str, state: State) -> Step:
        """A comment; Claude goes on planning with it."""
        outcome = f"✏️ **Your comment:** {escape_markdown(text)}"
        decision = "not approved, with a comment"
        return Answered(render_deny(text), outcome, decision, is_allowed=False)
