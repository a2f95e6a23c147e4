"""Which agent a message is for, by a table of words: a guess with a confidence, and never a wish.

* Each word counts once in a message, by its weight. Of the last ten messages each counts less the
  older it is. The agent that is there has a little ahead (`stay`).
* An agent's share of all that is its probability. Another one takes over only with at least
  `confidence`; else the one that is there stays.
* `RULES` is that table. A file of the same form replaces it.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated

import msgspec

from core.errors import ConfigError

MOST_RECENT = 10

RULES = """
# How sure the bridge has to be before it lets another agent take over, from 0 to 1.
confidence = 0.6
# What the agent that is there has ahead: as much as a word of this weight.
stay = 1.0
# What a word counts in the message before, compared to the message itself; and so on, back to ten.
fading = 0.4

# Words, each with its weight. Capitals don't matter; a * at the end stands for any ending.

[agents.pm]
"plan" = 2
"roadmap" = 3
"priorit*" = 2
"milestone*" = 3
"requirement*" = 2
"user stor*" = 3
"scope" = 2
"estimat*" = 2
"deadline*" = 2
"break down" = 2
"what should we" = 2
"next step*" = 2
"backlog" = 3
"trade-off*" = 1

[agents.codegen]
"implement*" = 3
"write a" = 1
"function" = 1
"class" = 1
"refactor*" = 3
"fix" = 2
"bug*" = 2
"failing" = 2
"test*" = 1
"compile*" = 2
"traceback" = 3
"stack trace" = 3
"type error*" = 2
"add a" = 1
"rename" = 2
"code" = 1

[agents.security]
"security" = 3
"vulnerab*" = 4
"exploit*" = 4
"injection" = 4
"xss" = 4
"csrf" = 4
"cve*" = 4
"attack*" = 3
"secret*" = 2
"leak*" = 2
"token*" = 1
"password*" = 2
"authenticat*" = 2
"authoriz*" = 2
"authoris*" = 2
"encrypt*" = 2
"permission*" = 1
"sanitiz*" = 3
"sanitis*" = 3
"audit" = 3
"threat*" = 3
"hardening" = 3
"""

_Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
_Weight = Annotated[float, msgspec.Meta(ge=0, le=1000)]
_AgentName = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_:.-]*$", max_length=99)]


class _Table(msgspec.Struct, forbid_unknown_fields=True):
    agents: dict[_AgentName, dict[str, _Weight]]
    confidence: _Share = 0.6
    stay: _Weight = 1.0
    fading: _Share = 0.4


@dataclass(frozen=True)
class AgentRule:
    """What speaks for an agent: words in lower case, with their weights."""

    agent: str
    weights: tuple[tuple[str, float], ...]

    def find_words(self, text: str) -> tuple[str, ...]:
        """Those of its words that the text has."""
        return tuple(word for word, pattern, _ in self._patterns if pattern.search(text))

    def score(self, text: str) -> float:
        """How much the text speaks for the agent."""
        return sum(weight for _, pattern, weight in self._patterns if pattern.search(text))

    @cached_property
    def _patterns(self) -> tuple[tuple[str, re.Pattern[str], float], ...]:
        return tuple((word, _pattern(word), weight) for word, weight in self.weights)


@dataclass(frozen=True, slots=True)
class Rules:
    """The table."""

    agents: tuple[AgentRule, ...]
    confidence: float
    stay: float
    fading: float


@dataclass(frozen=True, slots=True)
class Route:
    """The agent that is to have the message, how sure that is (0 to 1), and by which words."""

    agent: str
    confidence: float
    words: tuple[str, ...] = ()


def parse_rules(text: str = RULES) -> Rules:
    """The rules in a TOML text. Raises ConfigError."""
    try:
        table = msgspec.convert(tomllib.loads(text), _Table)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise ConfigError(f"routing.toml can't be used: {error}.") from error
    rules = [
        AgentRule(agent, tuple((word.lower(), weight) for word, weight in words.items() if word))
        for agent, words in sorted(table.agents.items())
    ]
    return Rules(tuple(rules), table.confidence, table.stay, table.fading)


def route(rules: Rules, text: str, recent: Sequence[str], current: str) -> Route:
    """Who is to have the message `text`; `recent` are the messages before it, oldest first."""
    scores = {rule.agent: _sum_scores(rules, rule, text, recent) for rule in rules.agents}
    scores[current] = scores.get(current, 0.0) + rules.stay
    total = sum(scores.values())
    if total <= 0:
        return Route(current, 1.0)
    best = max(scores, key=lambda agent: (scores[agent], agent == current, agent))
    share = scores[best] / total
    if best != current and share < rules.confidence:
        return Route(current, scores[current] / total)
    rule = next((rule for rule in rules.agents if rule.agent == best), None)
    return Route(best, share, rule.find_words(text) if rule is not None else ())


def _sum_scores(rules: Rules, rule: AgentRule, text: str, recent: Sequence[str]) -> float:
    total, share = rule.score(text), 1.0
    for earlier in reversed(recent[-MOST_RECENT:]):
        share *= rules.fading
        total += share * rule.score(earlier)
    return total


def _pattern(word: str) -> re.Pattern[str]:
    """A whole word, or the beginning of one; any white space between words."""
    is_open = word.endswith("*")
    parts = [re.escape(part) for part in word.removesuffix("*").split()]
    end = "" if is_open else r"(?!\w)"
    return re.compile(r"(?<!\w)" + r"\s+".join(parts) + end, re.IGNORECASE)
