"""core.claude_code: one place for what is believed."""

from __future__ import annotations

import ast
import json
from pathlib import Path

from core import transcript
from core.beliefs import BELIEFS
from core.claude_code import (
    INTERRUPTED,
    TESTED_VERSIONS,
    HookName,
    Typing,
    hook_names,
    is_tested,
    render_version,
    typing_for,
)
from core.events import TurnInterrupted
from core.hooks import parse_hook, parse_version, render_settings
from docs.make_compatibility import SECONDS_ROW, render_page
from self_test import Check, Outcome, Report
from tests.test_architecture import PROGRAM

ROOT = Path(__file__).resolve().parent.parent


def test_only_hooks_that_a_version_knows_are_asked_for() -> None:
    assert "MessageDisplay" not in hook_names((2, 1, 150))
    assert "StopFailure" not in hook_names((2, 1, 50))
    assert set(hook_names((2, 1, 330))) == set(HookName)
    assert hook_names(()) == hook_names((2, 1, 0)) == hook_names((2, 0, 9))


def test_the_bridge_asks_for_no_hook_that_is_not_listed() -> None:
    for version in TESTED_VERSIONS:
        asked = render_settings(["true"], version)
        unknown = set(HookName) - set(hook_names(version))
        assert not [name for name in unknown if f'"{name}"' in asked]


def test_every_hook_that_is_asked_for_is_read() -> None:
    payload = {"session_id": "s", "agent_type": "Explore"}
    for name in HookName:
        message = {"pane": "p", "request": "1", "payload": payload | {"hook_event_name": name}}
        assert parse_hook(json.dumps(message).encode()) is not None, name


def test_all_that_is_named_here_is_used_by_the_program() -> None:
    own = {name for node in HERE.body for name in defined_names(node)}
    used = {name for module in OTHERS for name in imported_names(module)} | loaded_names(HERE)
    assert own - used == set()


def test_every_field_and_line_that_is_named_here_is_read_by_the_program() -> None:
    named = {name for kind in classes(HERE) for node in kind.body for name in defined_names(node)}
    read = {n.attr for m in [*OTHERS, HERE] for n in ast.walk(m) if isinstance(n, ast.Attribute)}
    assert named - read == set()


def test_fields_that_are_spelled_as_claude_code_does_are_named_here_alone() -> None:
    kinds = [kind for module in OTHERS for kind in classes(module)]
    fields = [node for kind in kinds for node in kind.body if isinstance(node, ast.AnnAssign)]
    named = {name for field in fields for name in defined_names(field)}
    assert [name for name in named if name not in (name.lower(), name.upper())] == []


HERE = PROGRAM["core.claude_code"].tree
OTHERS = [module.tree for name, module in PROGRAM.items() if name != "core.claude_code"]


def classes(module: ast.Module) -> list[ast.ClassDef]:
    return [node for node in ast.walk(module) if isinstance(node, ast.ClassDef)]


def defined_names(node: ast.stmt) -> list[str]:
    """The names that a statement of a module or a class defines."""
    match node:
        case ast.ClassDef(name=name) | ast.FunctionDef(name=name):
            return [name]
        case ast.AnnAssign(target=ast.Name(id=name)):
            return [name]
        case ast.Assign(targets=targets):
            named = [found for target in targets for found in ast.walk(target)]
            return [found.id for found in named if isinstance(found, ast.Name)]
        case _:
            return []


def imported_names(module: ast.Module) -> set[str]:
    found = [node for node in ast.walk(module) if isinstance(node, ast.ImportFrom)]
    return {alias.name for n in found if n.module == "core.claude_code" for alias in n.names}


def loaded_names(module: ast.Module) -> set[str]:
    found = [node for node in ast.walk(module) if isinstance(node, ast.Name)]
    return {node.id for node in found if isinstance(node.ctx, ast.Load)}


def test_older_versions_want_one_paste_and_a_pause() -> None:
    assert typing_for((2, 1, 120)) == Typing(in_pieces=False, seconds_before_enter=0.6)
    assert typing_for((2, 1, 330)) == typing_for(()) == Typing(True, 0.0)


def test_the_tested_versions_are_read_as_the_cli_writes_them() -> None:
    assert len(TESTED_VERSIONS) >= 8 and list(TESTED_VERSIONS) == sorted(TESTED_VERSIONS)
    for version in TESTED_VERSIONS:
        assert parse_version(f"{render_version(version)} (Claude Code)") == version
        assert is_tested(version)
    assert not is_tested((2, 1, 331)) and not is_tested(())


def test_every_mark_of_an_interruption_is_read() -> None:
    for text in INTERRUPTED:
        line = f'{{"type": "user", "uuid": "u", "message": {{"content": "{text}"}}}}'
        assert transcript.parse_line(line.encode()) == [TurnInterrupted("u")]


def test_every_belief_has_a_key_of_its_own_and_says_what_is_done_instead() -> None:
    assert len({belief.key for belief in BELIEFS}) == len(BELIEFS)
    assert all(belief.text and belief.instead for belief in BELIEFS)


def test_the_compatibility_table_shows_the_versions_that_were_tested_and_beliefs_of_ours() -> None:
    table = (ROOT / "docs" / "compatibility.md").read_text()
    rows = [line.strip("| ").split(" | ") for line in table.splitlines() if line.startswith("| ")]
    assert rows[0] == [render_version(version) for version in TESTED_VERSIONS]
    assert len(rows[0]) >= 8 and rows[0][0] == "2.1.0" and rows[0][-1] == "2.1.330"
    texts = {belief.text.lower() for belief in BELIEFS} | {SECONDS_ROW.lower()}
    assert [row[0] for row in rows[1:] if row[0].lower() not in texts] == []


def test_the_compatibility_table_has_what_the_self_test_found_and_how_long_it_took() -> None:
    checks = [tuple(Check(belief, outcome) for belief in BELIEFS) for outcome in OUTCOMES]
    page = render_page([Report((2, 1, 0), checks[0], 31.6), Report((2, 1, 330), checks[1], 9.2)])
    rows = [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("| ")]
    assert rows[0] == ["2.1.0", "2.1.330"]
    assert [row[1:] for row in rows[1:-1]] == [["–", "✓"]] * len(BELIEFS)
    assert rows[-1] == [SECONDS_ROW, "32", "9"]


OUTCOMES: tuple[Outcome, ...] = ("missing", "passed")
