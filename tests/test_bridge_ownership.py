"""Whose Claude it is, from end to end: when the bridge ends in a start, and when terminals swap."""

from __future__ import annotations

from tests.world import World, wait_until


def names(world: World) -> set[str]:
    return set(world.tmux("list-sessions", "-F", "#{session_name}").split())


def test_a_claude_that_was_being_started_when_the_bridge_was_killed_is_the_chats(
    world: World,
) -> None:
    gate, late = world.root / "gate", world.root / "late-claude"
    late.write_text(
        f'#!/bin/sh\nwhile [ ! -e {gate} ]; do sleep 0.1; done\nexec {world.claude} "$@"\n'
    )
    late.chmod(0o700)
    world.settings["BRIDGE_CLAUDE_COMMAND"] = str(late)
    gate.touch()  # it is asked for its version at the start
    world.start_bridge()
    gate.unlink()
    world.ask("/new", "New session in")
    wait_until(lambda: names(world), "its terminal is there")
    world.kill_bridge()
    gate.touch()
    world.start_bridge()
    world.wait_for_process("idle")
    world.type_at_terminal("typed at the desk")
    world.reads("Echo: typed at the desk")
    world.ask("recall", "You told me: typed at the desk")
    assert len(world.processes()) == 1


def test_a_session_that_another_terminal_takes_goes_on_there_alone(world: World) -> None:
    world.start_bridge()
    world.ask("my cat is called Grace", "Echo")
    [first] = names(world)
    taken = world.wait_for_process("idle")
    world.ask("/new", "New session in")
    wait_until(lambda: len(world.processes()) == 2, "both have a process")
    world.ask("my dog is called Linus", "Echo: my dog")
    [second] = names(world) - {first}
    wait_until(lambda: all(p.status == "idle" for p in world.processes()), "both are idle")
    world.type_at_terminal(f"/resume {taken.session_id}", second)
    world.reads("The terminal of “my dog is called Linus” has taken this session")
    wait_until(lambda: names(world) == {second}, "the other terminal is closed")
    told = world.ask("recall", "You told me")
    assert told.text == "You told me: my cat is called Grace"
    assert [process.session_id for process in world.processes()] == [taken.session_id]
