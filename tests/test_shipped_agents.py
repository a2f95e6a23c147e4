"""The agents that come with the bridge: files that Claude Code takes as a plugin."""

from __future__ import annotations

import json

from core.catalog import parse_agent_file
from core.routing import parse_rules
from shipped_agents import FOLDER, list_shipped


def test_the_plugin_names_each_file_and_each_file_its_agent() -> None:
    plugin = json.loads((FOLDER / ".claude-plugin" / "plugin.json").read_text())
    assert sorted(plugin["agents"]) == sorted(f"./{path.name}" for path in FOLDER.glob("*.md"))
    names = [agent.name for agent in list_shipped()]
    assert names == [f"{plugin['name']}:{name}" for name in ("pm", "codegen", "security")]
    assert all(agent.description for agent in list_shipped())


def test_the_routing_rules_know_the_same_agents() -> None:
    names = {agent.name.partition(":")[2] for agent in list_shipped()}
    assert {rule.agent for rule in parse_rules().agents} == names


def test_a_text_without_front_matter_is_no_agent() -> None:
    assert parse_agent_file("You are nobody.") is None
    assert parse_agent_file("---\ndescription: x\n---\nNo name.") is None
    found = parse_agent_file("---\nname: x\ndescription: Does: this \n---\nYou are x.")
    assert found is not None
    assert (found.name, found.description) == ("x", "Does: this")
