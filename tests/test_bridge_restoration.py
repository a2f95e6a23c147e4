"""Work that was cut off: told once, and gone on with once, end to end."""

from __future__ import annotations

import pytest

from restoration import GO_ON
from tests.test_bridge_steering import press
from tests.world import World, wait_until

CUT = "Claude Code ended while it worked at “hold paint”"


def work(world: World, prompt: str = "hold paint") -> None:
    """A turn that is in its middle, as the transcript has it."""
    world.say(prompt)
    world.model.wait_for_text(prompt)
    wait_until(lambda: prompt in world.transcripts(), "the prompt is in the transcript")


def reboot(world: World) -> None:
    """`kill -9` of everything at once, and a start."""
    world.kill_bridge()
    world.kill_tmux()
    world.start_bridge()


def times(world: World, text: str) -> int:
    """How often it was said; a bridge that was killed as it sent may ask whether it has arrived."""
    said = [said for said in world.texts() if not said.startswith("This may not have arrived")]
    return sum(text in one for one in said)


def asked(world: World, text: str) -> int:
    return sum(turn.user_texts[-1] == text for turn in world.model.turns)


def test_after_a_reboot_the_chat_is_told_once_what_was_cut_off_and_a_press_goes_on(
    world: World,
) -> None:
    world.start_bridge()
    world.ask("my cat is called Grace", "Echo")
    work(world)
    reboot(world)
    told = world.reads(CUT).text or ""
    assert "in “my cat is called Grace”" in told
    assert not world.processes()  # nothing is woken that nobody asked for
    reboot_again_says_nothing(world)
    press(world, CUT, "Continue")
    world.reads(f"Echo: {GO_ON}")
    assert (times(world, CUT), asked(world, "hold paint"), asked(world, GO_ON)) == (1, 1, 1)
    assert not times(world, "Resumed")


def reboot_again_says_nothing(world: World) -> None:
    world.kill_bridge()
    world.start_bridge()
    world.ask("/help", "Claude Code on your machine")
    assert times(world, CUT) == 1


def test_where_it_is_set_a_reboot_is_gone_on_with_once_however_often_it_is_cut_off(
    world: World,
) -> None:
    world.settings["BRIDGE_RESUME_ON_START"] = "true"
    world.start_bridge()
    world.ask("my cat is called Grace", "Echo")
    work(world)
    world.say("and then?")
    world.kill_bridge(at_rest=False)
    world.kill_tmux()
    world.start_bridge()
    world.kill_bridge(at_rest=False)  # before, while, or after it was given
    world.start_bridge()
    world.reads(f"Echo: {GO_ON}")
    world.reads("Echo: and then?")
    texts = world.texts()
    assert texts.index(f"Echo: {GO_ON}") < texts.index("Echo: and then?")
    assert "It goes on where it was." in world.reads(CUT).text
    world.wait_for_process("idle")
    reboot(world)
    assert "Grace" in (world.ask("recall", "You told me").text or "")
    assert (times(world, CUT), asked(world, GO_ON), asked(world, "hold paint")) == (1, 1, 1)


@pytest.mark.parametrize("is_bridge_up", [True, False])
def test_a_turn_begun_at_the_terminal_is_told_of_too(world: World, is_bridge_up: bool) -> None:
    world.start_bridge()
    world.ask("hello", "Echo: hello")
    world.wait_for_process("idle")
    name = world.tmux("list-sessions", "-F", "#{session_name}").split()[0]
    world.tmux("send-keys", "-t", f"={name}:", "-l", "hold paint")
    world.tmux("send-keys", "-t", f"={name}:", "Enter")
    world.model.wait_for_text("hold paint")
    wait_until(lambda: "hold paint" in world.transcripts(), "the prompt is in the transcript")
    if is_bridge_up:
        world.kill_claude()
    else:
        reboot(world)
    world.reads(CUT)
    press(world, CUT, "Continue")
    world.reads(f"Echo: {GO_ON}")
    assert asked(world, "hold paint") == 1


def test_a_button_that_the_conversation_has_overtaken_does_nothing(world: World) -> None:
    world.start_bridge()
    work(world)
    reboot(world)
    world.reads(CUT)
    world.ask("continue", "Echo: continue")
    press(world, CUT, "Continue")
    world.reads("This conversation has gone on since then")
    assert asked(world, GO_ON) == 0


def test_a_restart_that_cut_nothing_off_is_silent(world: World) -> None:
    world.start_bridge()
    world.ask("hello", "Echo: hello")
    world.wait_for_process("idle")
    reboot(world)
    world.ask("/help", "Claude Code on your machine")
    assert world.texts()[0] == "Echo: hello"
    assert len(world.texts()) == 2
