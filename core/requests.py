"""What Claude asks and waits for, as a chat shows it and answers it: pure, whatever is asked.

* A request is what Claude Code's PermissionRequest hook brought. Its `view` is a function of what
  was asked and of a small state (JSON), so that it looks the same after a restart.
* A press (a word of the view's choices) or a written text makes a step: the answer for Claude
  Code, or another state. A state that `awaits` something makes the next text the answer.
* Claude Code's questions and plans count as answered only with `updatedInput`; given with the rest
  of an answer it works for every version.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from core.choices import BYPASS

State = dict[str, Any]
Input = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Choice:
    """A button: its label, the word that its press is, and whether it lets something run."""

    label: str
    word: str
    is_approval: bool = False


Row = tuple[Choice, ...]


@dataclass(frozen=True, slots=True)
class View:
    """What the chat shows: Markdown, choices by rows, and what remains once it is answered.

    `asked` is the part of `text` that says what was asked, without help for answering. When that
    is not all of it, `whole` is, and is shown as a file of that name.
    """

    text: str
    rows: tuple[Row, ...]
    asked: str
    whole: str = ""
    file_name: str = ""


@dataclass(frozen=True, slots=True)
class Answered:
    """A decision: the hook's answer (JSON), how the chat is told, and the audit log's word."""

    answer: str
    outcome: str
    decision: str
    is_allowed: bool = True


@dataclass(frozen=True, slots=True)
class Changed:
    """Nothing is decided yet; `said` in a word to the person who pressed."""

    state: State
    said: str = ""


Step = Answered | Changed


class Request(Protocol):
    """One kind of request."""

    @property
    def summary(self) -> str:
        """What it is about, on one line however long, secrets and all."""

    def view(self, state: State) -> View:
        """What to show."""

    def press(self, word: str, state: State) -> Step | None:
        """What a press does; None for a word that is none of the view's."""

    def write(self, text: str, state: State) -> Step:
        """What a text that was written as the answer does."""


@dataclass(frozen=True, slots=True)
class Allow:
    """Let it run: with that input instead of its own, and those changes of permissions."""

    input: Input | None = None
    updates: Sequence[dict[str, Any]] = field(default=())


def render_allow(allow: Allow) -> str:
    """The hook's answer that lets it run."""
    decision: dict[str, Any] = {"behavior": "allow"}
    if allow.input is not None:
        decision["updatedInput"] = allow.input
    if allow.updates:
        decision["updatedPermissions"] = list(allow.updates)
    return _render(decision)


def render_deny(message: str) -> str:
    """The hook's answer that does not; Claude reads the message, and goes on with its turn."""
    return _render({"behavior": "deny", "message": message})


def never_asks_again(answer: str) -> bool:
    """Whether the hook's answer lets Claude run everything from now on."""
    decision = json.loads(answer).get("hookSpecificOutput", {}).get("decision", {})
    updates = decision.get("updatedPermissions", [])
    return any(update.get("mode") == BYPASS for update in updates)


def describe_answer(answer: str) -> str:
    """What was decided, in a few words, by the hook's answer alone."""
    try:
        decision = json.loads(answer)["hookSpecificOutput"]["decision"] if answer else {}
    except (ValueError, KeyError, TypeError):
        decision = {}
    match decision:
        case {"behavior": "deny", "message": str(message)} if message:
            return f"Denied ({message})"
        case {"behavior": "deny"}:
            return "Denied"
        case {"behavior": "allow", "updatedInput": {"answers": dict(answers)}}:
            return f"Answered ({'; '.join(str(given) for given in answers.values())})"
        case {"behavior": "allow", "updatedPermissions": [{"type": "setMode", "mode": mode}, *_]}:
            return f"Approved, mode {mode}"
        case {"behavior": "allow", "updatedPermissions": [_, *_]}:
            return "Allowed always"
        case {"behavior": "allow"}:
            return "Allowed"
        case _:
            return "Answered at the terminal, or no longer asked"


def _render(decision: dict[str, Any]) -> str:
    specific = {"hookEventName": "PermissionRequest", "decision": decision}
    return json.dumps({"hookSpecificOutput": specific})
