"""core.claude_code: one place for what is believed."""

from __future__ import annotations

from pathlib import Path

from core import transcript
from core.claude_code import (
    BELIEFS,
    HOOKS,
    INTERRUPTED,
    TESTED_VERSIONS,
    Typing,
    hook_names,
    is_tested,
    render_version,
    typing_for,
)
from core.events import TurnInterrupted
from core.hooks import parse_version, render_settings

ROOT = Path(__file__).resolve().parent.parent


def test_only_hooks_that_a_version_knows_are_asked_for() -> None:
    assert "MessageDisplay" not in hook_names((2, 1, 150))
    assert "StopFailure" not in hook_names((2, 1, 50))
    assert set(hook_names((2, 1, 330))) == set(hook_names(())) == {hook.name for hook in HOOKS}


def test_the_bridge_asks_for_no_hook_that_is_not_listed() -> None:
    for version in TESTED_VERSIONS:
        asked = render_settings(["true"], version)
        unknown = {hook.name for hook in HOOKS} - set(hook_names(version))
        assert not [name for name in unknown if f'"{name}"' in asked]


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
    texts = {belief.text.lower() for belief in BELIEFS}
    assert [row[0] for row in rows[1:] if row[0].lower() not in texts] == []
