"""core.agent_trail: which agents a session has been, and why."""

from __future__ import annotations

from typing import Any

from core.agent_trail import (
    describe_agent,
    describe_trail,
    extend_trail,
    find_agent,
    read_trail,
)
from core.choices import AUTO, read_choices

OURS = "claude-telegram:security"


def launch(state: dict[str, Any], at: str = "t") -> dict[str, Any]:
    """The state after a process was started with what it says."""
    agent = read_choices(state).agent
    trail = extend_trail(state, agent, at)
    state = {**state, "launched": {"agent": agent}}
    return {**state, "trail": trail} if trail else state


def test_a_session_that_was_always_the_same_has_no_trail() -> None:
    state = launch(launch({"agent": "claude"}))
    assert read_trail(state) == []
    assert describe_trail(state) == ""
    assert describe_agent(state) == "default"


def test_the_trail_tells_who_was_there_and_why() -> None:
    state = launch({})
    state = launch({**state, "agent": "pm"})
    state = launch({**state, "detour": {"agent": OURS, "key": "k"}})
    assert describe_agent(state) == "security for one message, then pm"
    del state["detour"]
    state = launch(state)
    state = launch({**state, "agent": AUTO, "routed": {"agent": "pm"}})  # nothing changed
    state = launch({**state, "routed": {"agent": "codegen", "confidence": 0.75}})
    assert [(step.agent, step.why) for step in read_trail(state)] == [
        ("claude", "chosen"),
        ("pm", "chosen"),
        (OURS, "message"),
        ("pm", "back"),
        ("codegen", "auto"),
    ]
    assert read_trail(state)[-1].confidence == 0.75
    assert describe_agent(state) == "auto, now codegen (75% sure)"
    assert describe_trail(state) == (
        "Before: pm. Escalations: 2. Trail: default → pm → security (@) → pm → codegen (auto)"
    )


def test_what_was_said_belongs_to_who_ran_at_that_time() -> None:
    state = launch({})
    assert find_agent(state, 10.0) == ""
    for second, agent in ((20, OURS), (40, "claude")):
        state = launch({**state, "agent": agent}, f"1970-01-01T00:00:{second}.000000+00:00")
    assert [find_agent(state, at) for at in (10.0, 20.0, 39.0, 40.0)] == ["", *["security"] * 2, ""]
    assert find_agent(launch({"agent": "pm"}), 10.0) == "pm"
    state["trail"] = [{"agent": "pm", "why": "chosen", "at": "no time"}]
    assert find_agent(state, 10.0) == "pm"


def test_the_trail_is_bounded_and_a_damaged_one_is_none() -> None:
    state: dict[str, Any] = launch({})
    for number in range(50):
        state = launch({**state, "agent": f"a{number}"}, str(number))
    assert [step.agent for step in read_trail(state)] == [f"a{n}" for n in range(30, 50)]
    for noted in (7, "x", [7], [{"agent": "a"}], [{"agent": "a", "why": "magic", "at": "t"}]):
        assert read_trail({"trail": noted}) == []


def test_the_agent_in_effect_is_the_messages_then_the_routers_then_the_chosen_one() -> None:
    state: dict[str, Any] = {"agent": "pm", "routed": {"agent": "codegen"}}
    assert read_choices(state).agent == "pm"
    state["agent"] = AUTO
    assert read_choices(state).agent == "codegen"
    state["detour"] = {"agent": OURS, "key": "k"}
    assert read_choices(state).agent == OURS
    assert read_choices({"agent": AUTO}).agent == ""
    assert read_choices({"agent": AUTO, "routed": {"agent": "--evil"}}).agent == ""
