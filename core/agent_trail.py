"""Which agents a session has been, and why: kept in its state, and shown.

| why       | the agent took over because                                      |
|-----------|------------------------------------------------------------------|
| `chosen`  | a person chose it                                                |
| `message` | a message was for it (`@security …`): an escalation              |
| `back`    | that message was done                                            |
| `auto`    | the router took it for what was asked: an escalation             |

A step is noted when a process was really started as that agent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal

import msgspec

from core.choices import AUTO, DEFAULT, OWN_AGENT, read_choices, show_agent

Why = Literal["chosen", "message", "back", "auto"]

_MOST_STEPS = 20
_SHOWN_STEPS = 6
_SIGNS: dict[Why, str] = {"chosen": "", "message": " (@)", "back": "", "auto": " (auto)"}


@dataclass(frozen=True, slots=True)
class Step:
    """An agent took over; `at`: when (ISO 8601), `confidence`: of the router (0 to 1)."""

    agent: str
    why: Why
    at: str
    confidence: float | None = None


def read_trail(state: dict[str, Any]) -> list[Step]:
    """The steps in a session's state, oldest first."""
    noted = state.get("trail")
    try:
        return msgspec.convert(noted if isinstance(noted, list) else [], list[Step])
    except msgspec.ValidationError:
        return []


def extend_trail(state: dict[str, Any], agent: str, at: str) -> list[dict[str, Any]] | None:
    """The trail with the agent of a process just started; None while it was always the same."""
    steps = read_trail(state)
    before = read_choices(state.get("launched")).agent
    if show_agent(before) == show_agent(agent):
        return [asdict(step) for step in steps] or None
    why = _find_why(state, steps)
    sure = state["routed"].get("confidence") if why == "auto" else None
    begun = steps or [Step(before or OWN_AGENT, "chosen", at)]
    step = Step(agent or OWN_AGENT, why, at, sure)
    return [asdict(step) for step in [*begun, step][-_MOST_STEPS:]]


def _find_why(state: dict[str, Any], steps: Sequence[Step]) -> Why:
    if "detour" in state:
        return "message"
    if steps and steps[-1].why == "message":
        return "back"
    is_routed = state.get("agent") == AUTO and isinstance(state.get("routed"), dict)
    return "auto" if is_routed else "chosen"


def find_agent(state: dict[str, Any], at: float) -> str:
    """Who Claude was at that time (seconds since the epoch), for people; "" for its own.

    A choice or a detour says who it will be, and is over before all that was said is read.
    """
    agent = read_choices(state.get("launched")).agent
    steps = read_trail(state)
    if steps:
        agent = next((s.agent for s in reversed(steps) if _time_of(s) <= at), steps[0].agent)
    shown = show_agent(agent)
    return "" if shown == DEFAULT else shown


def _time_of(step: Step) -> float:
    try:
        return datetime.fromisoformat(step.at).timestamp()
    except ValueError:
        return 0.0


def describe_agent(state: dict[str, Any]) -> str:
    """The agent in effect, in words."""
    now = show_agent(read_choices(state).agent)
    chosen = str(state.get("agent") or "")
    if "detour" in state:
        base = "auto" if chosen == AUTO else show_agent(chosen)
        return f"{now} for one message, then {base}"
    if chosen != AUTO:
        return now
    routed = state.get("routed")
    sure = routed.get("confidence") if isinstance(routed, dict) else None
    return f"auto, now {now}" + (f" ({sure:.0%} sure)" if isinstance(sure, float) else "")


def describe_trail(state: dict[str, Any]) -> str:
    """Where the session has been before, in one line; "" when it was always the same agent."""
    steps = read_trail(state)
    if len(steps) < 2:
        return ""
    escalations = sum(step.why in ("message", "auto") for step in steps)
    shown = " → ".join(
        f"{show_agent(step.agent)}{_SIGNS[step.why]}" for step in steps[-_SHOWN_STEPS:]
    )
    before = show_agent(steps[-2].agent)
    return f"Before: {before}. Escalations: {escalations}. Trail: {shown}"
