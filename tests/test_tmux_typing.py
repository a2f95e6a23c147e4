"""TmuxControl.type_text: what reaches the program in a pane, and what is left nowhere."""

from __future__ import annotations

import os
import shutil
import signal
import time

import pytest

from core.claude_code import Typing
from core.errors import (
    PaneNotFoundError,
    PaneNotTypableError,
    TerminalError,
)
from core.keystrokes import LONGEST_PROMPT, prepare_prompt
from core.tmux_keys import KEY_NAMES
from tests.fixtures.hostile_texts import KEPT
from tests.test_tmux_control import AT_ONCE, SECRET, Desk, desk
from tests.world import wait_until

__all__ = ["desk"]  # the fixture

pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")


@pytest.mark.parametrize("text", KEPT, ids=ascii)
def test_a_text_reaches_the_program_to_the_byte(desk: Desk, text: str) -> None:
    desk.record("one")
    desk.control.type_text("one", text)
    assert desk.text("one") == f"{text} "


@pytest.mark.parametrize("typing", [AT_ONCE, Typing(in_pieces=False, seconds_before_enter=0.3)])
@pytest.mark.parametrize("line", ["x" * 31, "🙂;'\"$ \\"], ids=ascii)
def test_the_longest_text_reaches_the_program(desk: Desk, line: str, typing: Typing) -> None:
    text = prepare_prompt("\n".join([line] * 500)[:LONGEST_PROMPT])
    desk.record("one")
    begun = time.monotonic()
    desk.make_control(typing=typing).type_text("one", text)
    assert time.monotonic() - begun >= typing.seconds_before_enter
    assert desk.text("one") == f"{text} "


def test_what_was_typed_is_left_nowhere(desk: Desk) -> None:
    desk.record("one")
    desk.control.type_text("one", "x\n" * 100)
    desk.keys("one")
    assert list((desk.root / "typing").iterdir()) == []
    assert (desk.root / "typing").stat().st_mode & 0o777 == 0o700
    assert desk.tmux("list-buffers") == ""


def test_what_a_killed_bridge_left_is_swept(desk: Desk) -> None:
    left_over = desk.root / "typing/typing-abc"
    left_over.mkdir()
    desk.make_control()
    assert not left_over.exists()


def test_neither_texts_nor_secrets_are_in_arguments(desk: Desk) -> None:
    spy = desk.root / "spy"
    spy.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >> {desk.root}/arguments\nexec tmux "$@"\n')
    spy.chmod(0o755)
    control = desk.make_control(executable=str(spy))
    desk.record("one", control=control)
    control.type_text("one", "a private prompt")
    assert "a private prompt " in desk.text("one")
    arguments = (desk.root / "arguments").read_text()
    assert "source-file" in arguments and "new-session" in arguments
    assert "private" not in arguments
    assert SECRET not in arguments


@pytest.mark.parametrize("mode", ["copy-mode", "choose-tree", "clock-mode"])
def test_a_person_who_scrolls_does_not_swallow_the_enter(desk: Desk, mode: str) -> None:
    pane = desk.record("one")
    desk.tmux(mode, "-t", pane.pane_id)
    wait_until(lambda: (now := desk.control.find("one")) and now.in_mode, "the mode")
    desk.control.type_text("one", "hello")
    assert desk.text("one") == "hello "


def test_typing_into_a_dead_pane_is_refused_and_the_server_lives(desk: Desk) -> None:
    other = desk.record("other")
    pane = desk.record("one")
    os.kill(pane.pid, signal.SIGKILL)
    wait_until(lambda: (now := desk.control.find("one")) and now.is_dead, "it is dead")
    for mode in ("", "copy-mode"):
        if mode:
            desk.tmux(mode, "-t", pane.pane_id)
        with pytest.raises(PaneNotTypableError, match="Nothing was typed"):
            desk.control.type_text("one", "hello")
        with pytest.raises(PaneNotTypableError, match="Nothing was typed"):
            desk.control.press("one", "Enter")
    assert desk.tmux("list-buffers") == ""
    assert desk.control.find("other") == other


def test_typing_into_a_pane_with_its_input_off_is_refused(desk: Desk) -> None:
    pane = desk.record("one")
    desk.tmux("select-pane", "-d", "-t", pane.pane_id)
    with pytest.raises(PaneNotTypableError):
        desk.control.type_text("one", "hello")


def test_text_reaches_the_same_program_whatever_a_person_does_to_the_window(desk: Desk) -> None:
    pane = desk.record("one")
    desk.tmux("split-window", "-t", pane.pane_id, "cat")
    desk.tmux("new-window", "-t", "=one:", "cat")
    desk.tmux("break-pane", "-s", pane.pane_id)
    desk.tmux("rename-session", "-t", pane.pane_id, "mine")
    assert desk.control.panes() == [pane]
    desk.control.type_text("one", "hello")
    assert desk.text("one") == "hello "
    desk.control.close("one")
    wait_until((desk.root / "one/hung-up").exists, "the program was hung up on")


def test_a_session_of_a_persons_own_is_not_ours(desk: Desk) -> None:
    desk.record("one")
    desk.tmux("new-session", "-d", "-s", "mine", "cat")
    assert [pane.name for pane in desk.control.panes()] == ["one"]
    with pytest.raises(PaneNotFoundError, match="mine is not open"):
        desk.control.type_text("mine", "x")


def test_what_is_not_there_cannot_be_used(desk: Desk) -> None:
    for other in ("one", "two"):
        with pytest.raises(PaneNotFoundError):
            desk.control.type_text("gone", "x")
        with pytest.raises(PaneNotFoundError):
            desk.control.press("gone", "Enter")
        with pytest.raises(PaneNotFoundError):
            desk.control.capture("gone")
        desk.record(other)


def test_keys_arrive_as_the_terminal_sends_them(desk: Desk) -> None:
    desk.record("one")
    desk.control.press(
        "one", "Escape", "C-c", "C-u", "C-s", "C-o", "Tab", "BTab", "BSpace", "Space"
    )
    expected = b"\x1b\x03\x15\x13\x0f\t\x1b[Z\x7f "
    assert desk.keys("one", expected) == expected
    desk.control.press("one", *sorted(KEY_NAMES), "Enter")
    desk.keys("one")


def test_every_printable_character_can_be_pressed(desk: Desk) -> None:
    characters = [chr(code) for code in range(0x20, 0x7F)]
    desk.record("one")
    desk.control.press("one", *characters)
    expected = "".join(characters).encode()
    assert desk.keys("one", expected) == expected


@pytest.mark.parametrize("key", ["", "F13", "C-z", "ab", "é", "\n", "M-x", "Enter ; kill-server"])
def test_a_key_outside_the_closed_set_is_refused_before_any_is_pressed(
    desk: Desk, key: str
) -> None:
    desk.record("one")
    with pytest.raises(TerminalError, match="not a key"):
        desk.control.press("one", "a", key)
    desk.control.press("one", "Enter")
    assert desk.keys("one") == b"\r"


def test_capture_shows_the_screen_with_or_without_colours(desk: Desk) -> None:
    desk.record("one")
    assert desk.control.capture("one") == "recording ✓"
    assert "\x1b[31mrecording ✓" in desk.control.capture("one", colours=True)
