"""The agents that come with the bridge: a plugin of Claude Code's, in the folder `agents`.

Given by `--plugin-dir`, for a process that is to be one of them: so they have names of their own
(`claude-telegram:security`), and those of a person's own agents are never taken.
"""

from __future__ import annotations

from pathlib import Path

from core.catalog import AgentOffer, parse_agent_file
from core.choices import OUR_PREFIX

FOLDER = Path(__file__).resolve().with_name("agents")


def list_shipped(folder: Path = FOLDER) -> tuple[AgentOffer, ...]:
    """The agents, by the names that Claude Code knows them by."""
    files = [folder / f"{name}.md" for name in ("pm", "codegen", "security")]
    found = [parse_agent_file(path.read_text()) for path in files]
    return tuple(AgentOffer(OUR_PREFIX + agent.name, agent.description) for agent in found if agent)
