"""What a Claude Code offers in a directory: models, agents and slash commands.

* It tells by its control protocol, whose answer is parsed here; what it does not tell is filled in
  with what every version takes.
* In a menu of Telegram a command is spelled with letters, digits and underscores alone. Two that
  would be spelled alike are left out, so that what comes back always means one command.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from core.foreign_text import decode_json

REQUEST = b'{"type":"control_request","request_id":"catalog","request":{"subtype":"initialize"}}\n'
"""What is written to `claude -p --input-format stream-json` to be told."""

_LONGEST_IN_MENU = 32
_LONGEST_DESCRIPTION = 256
_EFFORTS = ("low", "medium", "high")
_OURS_BY_SUFFIX = ("(user)", "(project)")
_MENU_NAME = re.compile(rf"[a-z0-9_]{{1,{_LONGEST_IN_MENU}}}")
_FRONT_MATTER = re.compile(r"---\n(.*?)\n---\n", re.DOTALL)
_FIELD = re.compile(r"^(\w+): *(.*\S) *$", re.MULTILINE)
_COMMAND = re.compile(r"/([A-Za-z0-9_]+)(?=\s|$)")


@dataclass(frozen=True, slots=True)
class ModelOffer:
    """A model: what to ask for it by, its name for people, and the efforts that it knows."""

    value: str
    name: str
    description: str = ""
    efforts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AgentOffer:
    """An agent that a session may be."""

    name: str
    description: str = ""


@dataclass(frozen=True, slots=True)
class CommandOffer:
    """A slash command; `is_builtin`: it came with Claude Code, and is no one's own."""

    name: str
    description: str = ""
    hint: str = ""
    is_builtin: bool = False


@dataclass(frozen=True, slots=True)
class Catalog:
    """All of it; `is_told` by Claude Code itself, and not only what is known without asking."""

    models: tuple[ModelOffer, ...]
    agents: tuple[AgentOffer, ...] = ()
    commands: tuple[CommandOffer, ...] = ()
    is_told: bool = False

    def efforts_of(self, model: str) -> tuple[str, ...]:
        """The efforts of a model; of one that isn't listed, those of all."""
        found = [m.efforts for m in self.models if m.value == (model or "default") and m.efforts]
        every = found or [m.efforts for m in self.models]
        return tuple(dict.fromkeys(level for levels in every for level in levels)) or _EFFORTS

    @property
    def own_commands(self) -> tuple[CommandOffer, ...]:
        """The commands and skills of the person, the project and the plugins."""
        return tuple(command for command in self.commands if not command.is_builtin)


FALLBACK = Catalog(
    models=(
        ModelOffer("default", "Default", efforts=_EFFORTS),
        ModelOffer("opus", "Opus", efforts=_EFFORTS),
        ModelOffer("sonnet", "Sonnet", efforts=_EFFORTS),
        ModelOffer("haiku", "Haiku"),
    )
)


class _Inner(msgspec.Struct):
    commands: Any = None
    models: Any = None
    agents: Any = None


class _Response(msgspec.Struct):
    response: _Inner | None = None


class _Line(msgspec.Struct):
    type: str = ""
    response: _Response | None = None


_decoder = msgspec.json.Decoder(_Line)


def parse_catalog(line: bytes) -> Catalog | None:
    """The catalog in one line of output; None in any other line."""
    found = decode_json(_decoder, line)
    if found is None or found.type != "control_response" or found.response is None:
        return None
    inner = found.response.response
    if inner is None:
        return None
    models = tuple(_parse_model(item) for item in _objects(inner.models) if _text(item, "value"))
    return Catalog(
        models or FALLBACK.models,
        tuple(
            AgentOffer(_text(item, "name"), _text(item, "description"))
            for item in _objects(inner.agents)
            if _text(item, "name")
        ),
        _parse_commands(_objects(inner.commands)),
        is_told=True,
    )


def parse_agent_file(text: str) -> AgentOffer | None:
    """The agent that a Markdown file with front matter describes; None for any other text."""
    found = _FRONT_MATTER.match(text)
    fields = dict(_FIELD.findall(found[1])) if found is not None else {}
    return AgentOffer(fields["name"], fields.get("description", "")) if "name" in fields else None


def _parse_model(item: dict[str, Any]) -> ModelOffer:
    value = _text(item, "value")
    levels = item.get("supportedEffortLevels")
    efforts = levels if isinstance(levels, list) else []
    return ModelOffer(
        value,
        _text(item, "displayName") or value,
        _text(item, "description"),
        tuple(level for level in efforts if isinstance(level, str)),
    )


def _parse_commands(items: Sequence[dict[str, Any]]) -> tuple[CommandOffer, ...]:
    """Versions that do not mark their own commands say in words where the others are from."""
    marks = any("builtin" in item for item in items)
    return tuple(
        CommandOffer(
            _text(item, "name"),
            " ".join(_text(item, "description").split()),
            _text(item, "argumentHint"),
            item.get("builtin") is True if marks else not _says_where_from(item),
        )
        for item in items
        if _text(item, "name") and not _text(item, "name").startswith("_")
    )


def _says_where_from(item: dict[str, Any]) -> bool:
    """`Greets (project)`; `plug:zip` is a plugin's."""
    is_named = _text(item, "description").endswith(_OURS_BY_SUFFIX)
    return is_named or ":" in _text(item, "name")


def _objects(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _text(item: dict[str, Any], name: str) -> str:
    value = item.get(name)
    return value if isinstance(value, str) else ""


# --- the menu -----------------------------------------------------------------------------------


def spell_for_menu(name: str) -> str | None:
    """`git:push` -> `git_push`; None for one that no menu takes."""
    spelled = name.lower().replace("-", "_").replace(":", "_")
    return spelled if _MENU_NAME.fullmatch(spelled) else None


def list_menu(
    commands: Sequence[CommandOffer], taken: Sequence[str], most: int
) -> list[tuple[str, str]]:
    """(name, description) of the commands that a menu takes, `taken` being in it already."""
    spelled = Counter(spell_for_menu(command.name) for command in commands)
    rows = []
    for command in commands:
        name = spell_for_menu(command.name)
        if name is not None and spelled[name] == 1 and name not in taken:
            rows.append((name, (command.description or command.name)[:_LONGEST_DESCRIPTION]))
    return rows[:most]


def spell_for_chat(command: CommandOffer, commands: Sequence[CommandOffer]) -> str:
    """How a command is written in a message: as in a menu, where a touch on it then sends that."""
    spelled = spell_for_menu(command.name) or command.name
    is_plain = restore_name(f"/{spelled}", commands) == f"/{command.name}"
    return f"/{spelled}" if is_plain else f"/{command.name}"


def restore_name(text: str, commands: Sequence[CommandOffer]) -> str:
    """A prompt as Claude Code spells its command: `/git_push now` -> `/git:push now`."""
    found = _COMMAND.match(text)
    if found is None or any(command.name == found[1] for command in commands):
        return text
    meant = [c.name for c in commands if spell_for_menu(c.name) == found[1].lower()]
    return f"/{meant[0]}{text[found.end() :]}" if len(meant) == 1 else text
