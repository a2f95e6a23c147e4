"""What a person chose for a session: model, effort, permission mode and agent.

* Kept in the session's state and passed at every launch, as Claude Code itself forgets some of it.
* A value reaches a command line only if it is made of harmless characters and is no option.
* The agent in effect is the one that a single message is for, else the one that the router took
  (`AUTO`), else the one that was chosen.
* An empty value was never chosen: Claude Code's own settings decide. Claude Code remembers a model
  and an agent by itself, so going back to its own is a choice too (`default`, `claude`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from core.claude_code import Version, takes_effort, takes_mode, takes_option

Kind = Literal["model", "effort", "mode", "agent"]

FIELDS: dict[Kind, str] = {
    "model": "model",
    "effort": "effort",
    "mode": "permission_mode",
    "agent": "agent",
}
"""Where in the session's state a choice is."""

OWN_AGENT = "claude"
OUR_PREFIX = "claude-telegram:"
"""How the names of the agents begin that come with the bridge."""
AUTO = "@auto"
"""What is kept instead of an agent's name where each message decides: no agent can be called so."""
DEFAULT = "default"
BYPASS = "bypassPermissions"

_VALUE = re.compile(r"[A-Za-z0-9_.:\[\]][A-Za-z0-9_.:\[\]-]{0,99}")
_MODES = {
    DEFAULT: "asks before it edits or runs something",
    "acceptEdits": "edits files without asking",
    "plan": "only looks and plans",
    "auto": "Claude Code judges what needs asking",
    BYPASS: "never asks",
}


@dataclass(frozen=True, slots=True)
class Choices:
    """One session's choices; "" for what was never chosen."""

    model: str = ""
    effort: str = ""
    permission_mode: str = ""
    agent: str = ""


def is_usable(value: str) -> bool:
    """Whether a value may be on a command line."""
    return _VALUE.fullmatch(value) is not None


def read_choices(state: Any) -> Choices:
    """The choices in a session's state, or in its `launched`."""
    found = state if isinstance(state, dict) else {}
    values = {field: str(found.get(field) or "") for field in FIELDS.values()}
    values["agent"] = _agent_in_effect(found)
    return Choices(**{field: value for field, value in values.items() if is_usable(value)})


def _agent_in_effect(state: dict[str, Any]) -> str:
    chosen = str(state.get("agent") or "")
    for name, holds in (("detour", True), ("routed", chosen == AUTO)):
        noted = state.get(name)
        if holds and isinstance(noted, dict) and isinstance(noted.get("agent"), str):
            return str(noted["agent"])
    return "" if chosen == AUTO else chosen


def show_agent(name: str) -> str:
    """An agent's name for people."""
    return DEFAULT if name in ("", OWN_AGENT) else name.removeprefix(OUR_PREFIX)


def note_launched(choices: Choices) -> dict[str, Any]:
    """What the state keeps under `launched`: the choices that the process was started with."""
    return asdict(choices)


def is_outdated(state: dict[str, Any]) -> bool:
    """Whether the process was started with other choices than the session has now."""
    return read_choices(state) != read_choices(state.get("launched"))


def render_options(
    choices: Choices, *, mode: str, is_resumed: bool, version: Version, our_agents: str = ""
) -> list[str]:
    """The part of the command line that the choices make; nothing that `version` can't be told.

    `mode` is the one in effect; `our_agents` the folder of the plugin with the bridge's own agents.
    """
    options = ["--permission-mode", mode]
    if choices.model:
        options += ["--model", choices.model]
    if choices.effort and takes_effort(choices.effort, version):
        options += ["--effort", choices.effort]
    if choices.agent:
        if choices.agent.startswith(OUR_PREFIX):
            options += ["--plugin-dir", our_agents]
        options += ["--agent", choices.agent]
        if is_resumed and takes_option("--system-prompt-snapshot", version):
            options += ["--system-prompt-snapshot", "off"]
    return options


def list_modes(version: Version, *, with_bypass: bool) -> dict[str, str]:
    """The permission modes that may be chosen, each with what it means."""
    return {
        name: meaning
        for name, meaning in _MODES.items()
        if takes_mode(name, version) and (with_bypass or name != BYPASS)
    }


def list_efforts(levels: Sequence[str], version: Version) -> tuple[str, ...]:
    """Those of the levels that may be chosen."""
    return tuple(level for level in levels if takes_effort(level, version))


def mode_in_effect(
    choices: Choices, configured: str, *, with_bypass: bool, version: Version
) -> str:
    """The permission mode to start with.

    One that the owner does not allow falls back to what is configured, and one that the version
    does not know to asking each time.
    """
    mode = choices.permission_mode or configured
    mode = configured if mode == BYPASS and not with_bypass else mode
    return mode if takes_mode(mode, version) else DEFAULT
