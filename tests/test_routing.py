"""core.routing: which agent a message is for, by table and by property."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import ConfigError
from core.routing import MOST_RECENT, RULES, Rules, parse_rules, route

DEFAULTS = parse_rules()
AGENTS = [rule.agent for rule in DEFAULTS.agents]


@pytest.mark.parametrize(
    ("text", "current", "agent"),
    [
        ("Is there an SQL injection in the login?", "default", "security"),
        ("Any vulnerabilities in our dependencies?", "codegen", "security"),
        ("Implement the retry and add a test", "default", "codegen"),
        ("refactor this class", "pm", "codegen"),
        ("Break down the roadmap into milestones", "default", "pm"),
        ("what should we do next? make a plan", "codegen", "pm"),
        ("hello", "default", "default"),
        ("thanks, looks good", "security", "security"),
        ("continue", "pm", "pm"),
        ("the planets are round", "default", "default"),  # `plan` is a whole word
    ],
)
def test_the_shipped_table(text: str, current: str, agent: str) -> None:
    assert route(DEFAULTS, text, [], current).agent == agent


def test_the_reasons_and_the_confidence_are_told() -> None:
    found = route(DEFAULTS, "an exploit for this injection", [], "default")
    assert found.words == ("exploit*", "injection")
    assert found.confidence == pytest.approx(8 / 9)
    stays = route(DEFAULTS, "hello", [], "default")
    assert (stays.agent, stays.confidence, stays.words) == ("default", 1.0, ())


def test_what_was_said_before_counts_the_less_the_older_it_is() -> None:
    said = "an exploit of this vulnerability"
    assert route(DEFAULTS, "and now?", [said], "default").agent == "security"
    assert route(DEFAULTS, "and now?", [said, "ok", "ok", "ok"], "default").agent == "default"
    assert route(DEFAULTS, "fix the bug", [said] + ["ok"] * 3, "security").agent == "codegen"


def test_a_table_of_ones_own_takes_the_place_of_the_shipped_one() -> None:
    own = parse_rules(
        'confidence = 0.5\n[agents.writer]\n"poem" = 5\n[agents."my-plugin:x"]\n"y" = 1'
    )
    assert [rule.agent for rule in own.agents] == ["my-plugin:x", "writer"]
    assert route(own, "A POEM!", [], "default").agent == "writer"
    assert route(own, "an exploit", [], "default").agent == "default"


@pytest.mark.parametrize(
    "text",
    [
        "not toml",
        "confidence = 0.6",
        "confidence = 7\n[agents.pm]",
        '[agents.pm]\n"x" = "many"',
        '[agents.pm]\n"x" = -1',
        '[agents."--dangerous"]\n"x" = 1',
        "surprise = 1\n[agents.pm]",
    ],
)
def test_a_table_that_is_none_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(ConfigError, match=r"routing\.toml can't be used"):
        parse_rules(text)


# --- properties -----------------------------------------------------------------------------------

words = st.sampled_from(
    [word.removesuffix("*") for rule in DEFAULTS.agents for word, _ in rule.weights]
    + ["hello", "the", "now", "ça", "(", "*", "\\", "\n"]
)
texts = st.lists(words, max_size=12).map(" ".join)
recents = st.lists(texts, max_size=15)
currents = st.sampled_from([*AGENTS, "default", "my-agent"])


@given(texts, recents, currents)
def test_a_route_is_an_agent_with_a_probability(text: str, recent: list[str], current: str) -> None:
    found = route(DEFAULTS, text, recent, current)
    assert found.agent in {*AGENTS, current}
    assert 0 <= found.confidence <= 1
    assert found.agent == current or found.confidence >= DEFAULTS.confidence
    assert route(DEFAULTS, text.upper(), recent, current).agent == found.agent


@given(texts, recents, currents)
def test_more_than_the_last_ten_messages_change_nothing(
    text: str, recent: list[str], current: str
) -> None:
    assert route(DEFAULTS, text, recent, current) == route(
        DEFAULTS, text, recent[-MOST_RECENT:], current
    )


@given(texts, recents, currents)
def test_who_takes_over_stays_when_the_same_is_asked_again(
    text: str, recent: list[str], current: str
) -> None:
    first = route(DEFAULTS, text, recent, current).agent
    assert route(DEFAULTS, text, recent, first).agent == first


@given(texts, recents, currents, st.floats(0.51, 1), st.floats(0.51, 1))
def test_who_has_to_be_surer_switches_no_oftener(
    text: str, recent: list[str], current: str, one: float, other: float
) -> None:
    low, high = (
        Rules(DEFAULTS.agents, sure, DEFAULTS.stay, DEFAULTS.fading)
        for sure in sorted((one, other))
    )
    if route(high, text, recent, current).agent != current:
        assert route(low, text, recent, current).agent != current


@given(st.text(max_size=300), st.lists(st.text(max_size=50), max_size=12))
def test_any_text_has_a_route(text: str, recent: list[str]) -> None:
    assert route(DEFAULTS, text, recent, "default").agent


def test_the_shipped_table_is_its_own_example() -> None:
    assert parse_rules(RULES) == DEFAULTS
