"""A conversation that begins by itself after a silence, end to end."""

from __future__ import annotations

import time
from dataclasses import replace

from core.freshness import PAUSE_SECONDS, Activity, note_activity
from machine_clock import read_moment
from session import Session, SessionStore
from tests.test_bridge_steering import press
from tests.world import World, wait_until

TOLD = "The old one is in /sessions."


def test_after_a_silence_the_message_goes_to_a_new_conversation_and_a_press_goes_back(
    world: World,
) -> None:
    world.settings |= {"BRIDGE_RESET_MODE": "idle", "BRIDGE_RESET_IDLE_MINUTES": "0.1"}
    world.start_bridge()
    world.ask("my cat is called Grace", "Echo")
    world.ask("recall", "You told me: my cat is called Grace")
    world.wait_for_process("idle")
    # What is typed at the terminal is a person's activity too.
    started = time.monotonic()
    wait_until(lambda: time.monotonic() - started > 4, "most of a silence")
    name = world.tmux("list-sessions", "-F", "#{session_name}").split()[0]
    world.tmux("send-keys", "-t", f"={name}:", "-l", "typed here")
    world.tmux("send-keys", "-t", f"={name}:", "Enter")
    world.reads("Echo: typed here")
    wait_until(lambda: time.monotonic() - started > 6.5, "a silence, but for the terminal")
    assert "typed here" in (world.ask("recall", "You told me").text or "")
    assert not [text for text in world.texts() if TOLD in text]
    quiet = time.monotonic()
    wait_until(lambda: time.monotonic() - quiet > 6.5, "a silence")
    assert world.ask("recall", "You told me").text == "You told me:"
    assert len([text for text in world.texts() if TOLD in text]) == 1
    press(world, TOLD, "Go on with the old one")
    world.reads("Going on with “my cat is called Grace”.")
    assert "Grace" in (world.ask("recall", "You told me: my cat").text or "")
    asked = [turn.user_texts[-1] for turn in world.model.turns]
    assert asked.count("recall") == 4  # none was given to two conversations


def was_silent(world: World, seconds: float) -> None:
    """The person was last active so long ago, and the hour has come."""
    world.stop_bridge()
    now = read_moment()
    then = replace(now, wall=now.wall - seconds, uptime=now.uptime - seconds)
    active = note_activity(Activity(then, is_overdue=True))
    with SessionStore(world.state) as store:

        def edit(session: Session) -> Session:
            return replace(session, state={**session.state, "active": active})

        store.edit(store.list_sessions()[0].session_id, edit)
    world.start_bridge()


def test_a_new_day_begins_a_conversation_but_never_in_the_middle_of_one(world: World) -> None:
    world.settings["BRIDGE_RESET_MODE"] = "daily"
    world.start_bridge()
    world.ask("my cat is called Grace", "Echo")
    was_silent(world, PAUSE_SECONDS / 2)
    assert "Grace" in (world.ask("recall", "You told me").text or "")
    was_silent(world, PAUSE_SECONDS * 2)
    assert world.ask("recall", "You told me").text == "You told me:"
    told = world.reads("New conversation for the new day. The old one is in /sessions.")
    assert told.is_silent
    world.ask("/reset", "New session in")
    assert world.ask("recall", "You told me").text == "You told me:"
    assert "3. my cat is called Grace" in (world.ask("/sessions", "of this chat (3)").text or "")
