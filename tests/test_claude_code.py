"""core.claude_code: one place for what is believed, and the screens that were seen."""

from __future__ import annotations

import pytest

from core import keystrokes, transcript
from core.claude_code import (
    BELIEFS,
    EXIT_WORDS,
    HOOKS,
    INTERRUPTED,
    LONGEST_PIECE,
    MOST_NEWLINES_IN_PIECE,
    TESTED_VERSIONS,
    Typing,
    find_dialog,
    hook_names,
    is_idle_by_screen,
    is_tested,
    render_version,
    typing_for,
)
from core.hooks import parse_version, render_settings
from core.model import TurnInterrupted

RULE = "─" * 120
FOOTER = "  ? for shortcuts"
# As captured, with the colours left out where nothing depends on them.
IDLE = {
    "2.1.0": f"❯ hold a\n\n● Held a.\n  And done.\n\n{RULE}\n❯\n{RULE}\n{FOOTER}",
    "2.1.50, with a greyed example": (
        f"  /model to try Opus 4.6\n\n\x1b[38;5;244m{RULE}\n\x1b[39m❯\xa0\x1b[7mT\x1b[0;2mry "
        f'"fix typecheck errors"\x1b[0m\n\x1b[38;5;244m{RULE}\n\x1b[39m{FOOTER}'
    ),
    "2.1.100, with a notice": (
        f"● Held a.\n  And done.\n\n{RULE}\n❯\n{RULE}\n"
        "                    Failed to install Anthropic marketplace · Will retry on next startup"
    ),
    "2.1.150, after a turn": f"● Held a.\n\n✻ Brewed for 3s\n\n{RULE}\n❯\n{RULE}\n{FOOTER}",
    "2.1.330": (
        f"{' ' * 100}◐ medium · /effort\n{RULE}\n❯\n{RULE}\n"
        "  ⏸ manual mode on · ? for shortcuts · ← for agents"
    ),
    "an answer that speaks of it": (
        f"● Press esc to interrupt me.\n\n\n\n\n\n\n\n{RULE}\n❯\n{RULE}\n{FOOTER}"
    ),
}
BUSY = {
    "2.1.0": f"❯ hold a\n\n✻ Metamorphosing… (esc to interrupt)\n\n{RULE}\n❯\n{RULE}\n{FOOTER}",
    "2.1.50, with a notice over the footer": (
        "  ⎿  Running…\n\n✽ Newspapering…\n  ⎿  Tip: Use Plan Mode to prepare for a request.\n\n"
        f"{RULE}\n❯\n{RULE}\n   Claude Code has switched from npm to native installer."
    ),
    "2.1.100, while an answer is written": (
        f"❯ hold a\n\n● Held a.\n\n{RULE}\n❯\n{RULE}\n  esc to interrupt"
    ),
    "2.1.150, while a tool runs": (
        f"  ⎿  Running…\n\n✽ Prestidigitating… (1s · ↓ 12 tokens)\n\n{RULE}\n❯\n{RULE}\n{FOOTER}"
    ),
    "2.1.330": (
        f"· Doing… (1s · ↓ 12 tokens)\n  ⎿  Tip: Start small\n{' ' * 100}◐ medium · /effort\n"
        f"{RULE}\n❯\n{RULE}\n  ⏸ manual mode on · esc to interrupt · ← for agents"
    ),
}
DIALOG = {
    "trust": f"{RULE}\n Do you trust the files in this folder?\n\n ❯ 1. Yes, proceed",
    "settings": f"{RULE}\n  Settings Warning\n\n  ❯ 1. Continue\n    2. Exit and fix manually",
    "model": f"❯ /model\n{RULE}\n Select model\n\n ❯ 1. Default (recommended)\n   2. Opus",
}


@pytest.mark.parametrize("screen", IDLE.values(), ids=IDLE.keys())
def test_an_empty_box_at_rest_is_idle(screen: str) -> None:
    assert is_idle_by_screen(screen)
    assert find_dialog(screen) is None


@pytest.mark.parametrize("screen", BUSY.values(), ids=BUSY.keys())
def test_what_spins_or_can_be_interrupted_is_not_idle(screen: str) -> None:
    assert not is_idle_by_screen(screen)


@pytest.mark.parametrize(("name", "screen"), DIALOG.items(), ids=DIALOG.keys())
def test_a_dialog_is_known_and_never_idle(name: str, screen: str) -> None:
    dialog = find_dialog(screen)
    assert dialog is not None and dialog.name == name
    assert not is_idle_by_screen(screen)


@pytest.mark.parametrize(
    "screen",
    [
        "",
        "$ ls\nfile",
        f"{RULE}\n❯ a draft\n{RULE}\n{FOOTER}",
        f"{RULE}\n❯\n",
        f"❯\n{RULE}",
        f"● It said: Settings Error\n\n{RULE}\n❯ a draft\n{RULE}",
    ],
    ids=["nothing", "a shell", "a draft", "half a box", "no rule above", "a quoted dialog"],
)
def test_anything_else_is_neither_idle_nor_a_dialog(screen: str) -> None:
    assert not is_idle_by_screen(screen)
    assert find_dialog(screen) is None


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


def test_other_modules_believe_the_same() -> None:
    assert keystrokes.EXIT_WORDS == EXIT_WORDS
    assert keystrokes.LONGEST_PIECE == LONGEST_PIECE
    assert keystrokes.MOST_NEWLINES_IN_PIECE == MOST_NEWLINES_IN_PIECE
    for text in INTERRUPTED:
        line = f'{{"type": "user", "uuid": "u", "message": {{"content": "{text}"}}}}'
        assert transcript.parse_line(line.encode()) == [TurnInterrupted("u")]


def test_every_belief_has_a_key_of_its_own_and_says_what_is_done_instead() -> None:
    assert len({belief.key for belief in BELIEFS}) == len(BELIEFS)
    assert all(belief.text and belief.instead for belief in BELIEFS)
