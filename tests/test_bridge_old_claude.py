"""Claude Codes whose registry tells too little: the whole flow by their hooks and their screen.

The pinned one is taken for an old one, since it says so: that is the way of the old ones, on a CLI
that every run has. The old ones themselves run where they are installed: BRIDGE_TEST_OLD_CLAUDES
names their `claude`s, with a colon between.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.claude_code import CANNOT_RESUME
from tests.world import World, wait_until

SPECIAL = 'It\'s "quoted"; $HOME `id` {a} #b \\n -x é 漢 🙂;\\'
TEN_LINES = "\n".join(f"line {number} of ten" for number in range(10))
LONG = ("A long text of one line, with words. " * 60).strip()
NAMED = [path for path in os.environ.get("BRIDGE_TEST_OLD_CLAUDES", "").split(":") if path]
NONE_NAMED = pytest.mark.skip(reason="BRIDGE_TEST_OLD_CLAUDES names no old Claude Code")
REAL = [pytest.param(path, id=path.split("/node_modules")[0].rpartition("/")[2]) for path in NAMED]
REAL = REAL or [pytest.param("none", marks=NONE_NAMED)]
TAKEN_FOR = [pytest.param("2.1.0", id="pinned")]


@pytest.fixture(params=[*TAKEN_FOR, *REAL])
def old(request: pytest.FixtureRequest, tmp_path: Path, frugal_claude: Path) -> Iterator[World]:
    """A world whose Claude Code is an old one, or says that it is."""
    claude = Path(request.param)
    if not claude.is_absolute():
        claude = tmp_path / "claude"
        pinned = shlex.quote(str(frugal_claude))
        say = f'[ "$1" = --version ] && exec echo "{request.param} (Claude Code)"'
        claude.write_text(f'#!/bin/sh\n{say}\nexec {pinned} "$@"\n')
        claude.chmod(0o755)
    with World(tmp_path, claude) as world:
        yield world


def is_real(world: World) -> bool:
    return str(world.claude) in NAMED


def version_of(world: World) -> tuple[int, ...]:
    command = [str(world.claude), "--version"]
    said = subprocess.run(
        command, env=world.environment, capture_output=True, text=True, check=True
    )
    return tuple(int(part) for part in said.stdout.split()[0].split("."))


def pane_pid(world: World) -> int:
    return int(world.tmux("list-panes", "-a", "-F", "#{pane_pid}").split()[0])


def kill_claude(world: World) -> None:
    pid = pane_pid(world)
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not Path(f"/proc/{pid}").exists(), "Claude is gone")


def asked(world: World) -> list[str]:
    """What the model was given as the newest prompt, but for what old ones ask by themselves.

    They keep the space at the end, too.
    """
    texts = [turn.user_texts[-1].rstrip(" ") for turn in world.model.turns if turn.user_texts]
    return [text for text in texts if not text.startswith(("Warmup", "[SUGGESTION MODE"))]


def begin_to_hold(world: World, name: str) -> None:
    """A turn that lasts until `name` is released."""
    world.say(f"hold {name}")
    wait_until(lambda: f"hold {name}" in asked(world), "the model was asked")
    wait_until(lambda: f"hold {name}" in world.transcripts(), "the prompt is in the transcript")


# --- typing ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [TEN_LINES, LONG], ids=["lines", "long"])
def test_a_long_text_arrives_exactly(old: World, text: str) -> None:
    if not is_real(old):
        pytest.skip("the pinned one is given such a text in pieces")
    old.start_bridge()
    old.ask("warm", "Echo: warm")
    old.ask(text, "Echo")
    assert asked(old) == ["warm", text]


def test_texts_arrive_exactly_once_and_in_order_and_a_draft_does_not(old: World) -> None:
    old.start_bridge()
    texts = [SPECIAL, *(f"text {number}" for number in range(4))]
    for text in texts:
        old.ask(text, "Echo")
    assert asked(old) == texts

    begin_to_hold(old, "paint")
    old.say("one")
    old.say("two")
    old.ask("/queue", "2. two")
    old.model.release("paint")
    old.reads("Echo: two")
    assert asked(old) == [*texts, "hold paint", "one", "two"]

    name = old.tmux("list-sessions", "-F", "#{session_name}").split()[0]
    old.tmux("send-keys", "-t", f"={name}:", "-l", "half a thought")
    wait_until(lambda: "half a thought" in old.screen(), "the draft is in the box")
    old.ask("again", "Echo: again")
    assert asked(old)[-2:] == ["two", "again"]


# --- dialogs --------------------------------------------------------------------------------------


def test_a_permission_request_is_never_answered_by_a_text_but_at_either_end(old: World) -> None:
    old.start_bridge()
    made = old.root / "made"
    old.say(f'tool Bash {{"command":"touch {made}","description":"make it"}}')
    shown = old.reads("Run this command?")
    wait_until(lambda: "Do you want to proceed?" in old.screen(), "the dialog is there, too")
    old.say("a text that must not answer")
    old.ask("/queue", "1. a text that must not answer")
    assert not made.exists()
    old.telegram.press(old.chat, old.user, shown.message_id, "Allow")
    old.reads("The tool said:")
    wait_until(made.exists, "the tool ran")
    waited = old.reads("Echo: a text that must not answer")

    never = old.root / "never"
    old.say(f'tool Bash {{"command":"touch {never}","description":"make it"}}')
    shown = old.reads("Run this command?", after=waited.message_id)
    wait_until(lambda: "❯ 1. Yes" in old.screen(), "the dialog is on the screen")
    name = old.tmux("list-sessions", "-F", "#{session_name}").split()[0]
    old.tmux("send-keys", "-t", f"={name}:", "Escape")
    old.telegram.wait_for(
        lambda: not old.telegram.message(old.chat, shown.message_id).labels, timeout=20
    )
    assert not never.exists()


def test_the_trust_dialog_is_shown_and_nothing_is_typed_at_it(old: World) -> None:
    old.write_claude_settings(trusted=[])
    old.start_bridge()
    old.say("hello")
    shown = old.reads("❯ ")
    assert "trust" in shown.text
    assert asked(old) == []
    is_yes = "❯ 1. Yes" in shown.text
    if not is_yes:
        old.telegram.press(old.chat, old.user, shown.message_id, "↓")
        old.telegram.wait_for(
            lambda: "❯ Yes" in (old.telegram.message(old.chat, shown.message_id).text or ""),
            timeout=20,
        )
    old.telegram.press(old.chat, old.user, shown.message_id, "Enter ⏎")
    old.reads("Echo: hello")


# --- the end of a turn ----------------------------------------------------------------------------


def test_stop_an_error_and_clear_each_end_what_they_end(old: World) -> None:
    old.start_bridge()
    begin_to_hold(old, "paint")
    old.say("/stop")  # it may be stopped before there is anything to write down of it
    wait_until(lambda: {"Interrupted.", "Stopped."} & set(old.texts()), "a word on it")
    old.ask("hello", "Echo: hello")

    old.ask("fail 400", "⚠️")
    old.ask("my cat is called Grace", "Echo: my cat")

    old.say("/clear")
    wait_until(lambda: len(old.sessions()) == 2, "another session")
    old.ask("my dog is called Linus", "Echo: my dog")
    assert old.ask("recall", "You told me").text.rstrip() == "You told me: my dog is called Linus"


# --- memory ---------------------------------------------------------------------------------------


def can_resume(world: World) -> bool:
    return version_of(world) not in CANNOT_RESUME


def recalls_the_cat(world: World) -> None:
    assert "my cat is called Grace" in world.ask("recall", "You told me").text


def test_killing_claude_costs_no_memory(old: World) -> None:
    old.start_bridge()
    old.ask("my cat is called Grace", "Echo")
    kill_claude(old)
    if can_resume(old):
        recalls_the_cat(old)
        assert "Resumed after a restart." in old.texts()
    else:
        old.ask("recall", "crashes when it resumes a session")
        old.ask("/new", "New session")
        old.ask("hello", "Echo: hello")


def test_a_copy_goes_its_own_way_while_the_original_is_awake(old: World) -> None:
    old.start_bridge()
    old.ask("my cat is called Grace", "Echo")
    [original] = old.sessions()
    old.ask("/fork", "This chat goes on in a copy")
    if not can_resume(old):
        old.ask("recall", "crashes when it resumes a session")
        return
    old.ask("my dog is called Linus", "Echo: my dog")
    told = old.ask("recall", "You told me").text
    assert [text.strip() for text in told.split(" | ")] == [
        "You told me: my cat is called Grace",
        "my dog is called Linus",
    ]
    assert len(old.sessions()) == 2 and len(old.tmux("list-panes", "-a").splitlines()) == 2
    old.ask(f"/resume {original.session_id}", "Continuing")
    told = old.reads("You told me", after=old.say("recall")).text
    assert told.rstrip() == "You told me: my cat is called Grace"


def test_an_idle_session_sleeps_and_wakes_with_its_memory(old: World) -> None:
    old.settings["BRIDGE_IDLE_MINUTES"] = "0.02"
    old.start_bridge()
    old.ask("my cat is called Grace", "Echo")
    if can_resume(old):
        wait_until(lambda: not old.tmux("list-panes", "-a"), "Claude sleeps")
    recalls_the_cat(old)


def test_no_turn_is_run_again_or_held_up_by_what_died_meanwhile(old: World) -> None:
    old.start_bridge()
    begin_to_hold(old, "paint")
    old.say("one")
    old.ask("/queue", "1. one")
    old.kill_bridge()
    old.say("two")
    old.start_bridge()
    old.ask("/queue", "2. two")
    assert asked(old) == ["hold paint"]
    old.model.release("paint")
    old.reads("Echo: two")
    assert asked(old) == ["hold paint", "one", "two"]
    assert sum("Held paint" in text for text in old.texts()) == 1

    begin_to_hold(old, "wood")
    old.kill_bridge()
    old.model.release("wood")
    wait_until(lambda: "Held wood" in old.transcripts(), "the answer is in the transcript")
    old.start_bridge()
    old.reads("Held wood")
    old.ask("next", "Echo: next")
    assert asked(old)[3:] == ["hold wood", "next"]

    begin_to_hold(old, "clay")
    kill_claude(old)
    old.reads("say “continue”")
    assert asked(old).count("hold clay") == 1
