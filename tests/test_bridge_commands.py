"""The commands of the chat, from end to end."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from core.commands import TABLE
from tests.world import World, wait_until

STOPPED = {
    "Interrupted.",
    "Stopped.",
    "Stopped before Claude had begun.",
    "Claude had finished before it could be stopped.",
}

MENU = [entry.name for entry in TABLE if entry.is_in_menu]


def test_the_menu_is_registered(world: World) -> None:
    world.start_bridge()
    (commands,) = world.telegram.commands.values()
    assert [command["command"] for command in commands] == MENU


def test_help_names_every_command_of_the_menu(world: World) -> None:
    world.start_bridge()
    text = world.ask("/help", "Claude Code on your machine").text or ""
    assert re.findall(r"^/(\w+)", text, re.MULTILINE) == MENU


def test_new_begins_a_conversation_that_knows_nothing(world: World) -> None:
    world.start_bridge()
    world.ask("my cat is called Grace", "Echo")
    world.ask("/new", "New session")
    assert world.ask("recall", "You told me").text == "You told me:"
    assert len(world.sessions()) == 2


def test_new_with_a_directory_works_there(world: World) -> None:
    other = world.project / "other place"
    other.mkdir()
    world.write_claude_settings(trusted=[world.project, other])
    world.start_bridge()
    world.ask("/new other place", f"New session in {other}.")
    world.ask("hello", "Echo")
    assert world.wait_for_process("idle").directory == str(other)


def test_new_with_a_directory_that_is_not_there_says_so(world: World) -> None:
    world.start_bridge()
    world.ask("/new nowhere", f"There is no directory {world.project / 'nowhere'}.")
    assert world.sessions() == []


def test_a_session_picked_from_the_list_is_continued(world: World) -> None:
    world.start_bridge()
    world.ask("my cat is called Grace", "Echo")
    world.ask("/new", "New session")
    world.ask("my dog is called Linus", "Echo")
    listed = world.ask("/sessions", "2. my cat is called Grace")
    assert "▸ 1. my dog is called Linus" in listed.text
    assert listed.labels == ["1", "2", "Every session on this machine"]
    world.telegram.press(world.chat, world.user, listed.message_id, "2")
    world.reads("State: awake")
    world.telegram.press(world.chat, world.user, listed.message_id, "Continue")
    world.reads("Continuing “my cat is called Grace”.")
    assert world.ask("recall", "You told me").text == "You told me: my cat is called Grace"


def test_resume_takes_the_beginning_of_an_id(world: World) -> None:
    world.start_bridge()
    world.ask("my cat is called Grace", "Echo")
    old = world.sessions()[0].session_id
    world.ask("/new", "New session")
    world.ask(f"/resume {old[:6]}", "Continuing")
    assert world.ask("recall", "You told me").text == "You told me: my cat is called Grace"


def test_resume_of_an_unknown_id_says_so(world: World) -> None:
    world.start_bridge()
    world.ask("/resume ../../etc/passwd", "No session with that id")


def test_a_session_begun_in_a_plain_terminal_is_continued_by_its_id(world: World) -> None:
    name = "elsewhere"
    world.start_bridge()
    world.ask("begin", "Echo")
    session_id = "11111111-2222-4333-8444-555555555555"
    claude = f"{world.claude} --session-id {session_id} --permission-mode default"
    world.tmux("new-session", "-d", "-s", name, "-c", str(world.project), claude)
    wait_until(
        lambda: [p for p in world.processes() if p.session_id == session_id and p.status == "idle"],
        "the other Claude is ready",
    )
    world.type_at_terminal("my cat is called Grace", name)
    wait_until(lambda: "Echo: my cat" in world.transcripts(), "the other Claude has answered")
    world.ask(f"/resume {session_id}", "Continuing “my cat is called Grace”")
    world.reads("Joined where it is open: tmux session “elsewhere”.")
    world.ask("hello", "Echo: hello")
    world.tmux("kill-session", "-t", f"={name}")
    wait_until(
        lambda: session_id not in [p.session_id for p in world.processes()], "Claude is gone"
    )
    told = world.ask("recall", "You told me")
    assert told.text == "You told me: my cat is called Grace | hello"
    assert "Echo: my cat is called Grace" not in world.texts()


def test_stop_interrupts_the_turn(world: World) -> None:
    world.start_bridge()
    world.say("hold paint")
    wait_until(lambda: "Held paint" in world.screen(), "Claude answers")
    world.ask("/stop", "Interrupted.")
    world.ask("hello", "Echo: hello")


def test_stop_works_at_any_moment_of_a_turn(world: World) -> None:
    world.start_bridge()
    world.ask("warm", "Echo: warm")
    for number in range(6):
        world.say(f"hold paint{number}")
        world.wait_for_process("busy")
        world.say("/stop")
        world.ask(f"after {number}", f"Echo: after {number}")
    asked = [turn.user_texts[-1] for turn in world.model.turns]
    assert [text for text in asked if text.startswith("after")] == [f"after {n}" for n in range(6)]
    assert len([text for text in asked if text.startswith("hold")]) <= 6


@pytest.mark.parametrize("moment", ["at once", "in the box", "at the model", "on the record"])
def test_stop_always_says_what_became_of_it(world: World, moment: str) -> None:
    world.start_bridge()
    world.ask("warm", "Echo: warm")
    for number in range(4):
        world.wait_for_process("idle")
        text = f"hold paint{number}"
        world.say(text)
        if moment == "in the box":
            wait_until(lambda t=text: t in world.screen(), "it is typed")  # type: ignore[misc]
        if moment == "at the model":
            world.model.wait_for_text(text)
        if moment == "on the record":
            wait_until(lambda t=text: t in world.transcripts(), "it is written down")  # type: ignore[misc]
        asked = world.say("/stop")
        wait_until(
            lambda a=asked: [  # type: ignore[misc]
                message
                for message in world.telegram.messages(world.chat, from_bot=True)
                if message.message_id > a and message.text in STOPPED
            ],
            "a word on what was stopped",
        )
    world.ask("after", "Echo: after")


def test_stop_with_nothing_to_stop_says_so(world: World) -> None:
    world.start_bridge()
    world.ask("/stop", "Claude is not doing anything.")


def test_kill_ends_the_process_and_keeps_the_session(world: World) -> None:
    world.start_bridge()
    world.ask("my cat is called Grace", "Echo")
    world.ask("/kill", "Ended.")
    wait_until(lambda: not world.processes(), "Claude is gone")
    assert world.ask("recall", "You told me").text == "You told me: my cat is called Grace"
    assert world.texts()[-2] == "Resumed."


def test_kill_in_the_middle_of_a_turn_ends_it_for_good(world: World) -> None:
    world.start_bridge()
    world.say("hold paint")
    wait_until(lambda: "hold paint" in world.transcripts(), "the prompt is in the transcript")
    world.say("next")
    world.ask("/kill", "Messages given up with it: 1.")
    wait_until(lambda: not world.processes(), "Claude is gone")
    world.ask("hello", "Echo: hello")
    assert world.texts()[1:] == ["Resumed.", "Echo: hello"]


def test_status_names_the_session_and_how_to_attach(world: World) -> None:
    world.start_bridge()
    world.ask("hello", "Echo")
    world.wait_for_process("idle")
    text = world.ask("/status", "Session:").text or ""
    session = world.sessions()[0]
    assert session.session_id in text
    assert str(world.project) in text
    assert re.search(r"Awake: idle, \d+ MB", text)
    assert f"tmux -L {world.socket} -f /dev/null attach" in text


def test_another_slash_command_goes_to_claude_as_it_is(world: World) -> None:
    folder = world.project / ".claude" / "commands"
    folder.mkdir(parents=True)
    (folder / "greet.md").write_text("Say hello to $ARGUMENTS")
    world.start_bridge()
    world.ask("/greet Bob", "Echo: Say hello to Bob")


def test_an_unknown_slash_command_is_answered_by_claude(world: World) -> None:
    world.start_bridge()
    world.ask("/nosuchthing", "Unknown command: /nosuchthing")
    world.ask("hello", "Echo: hello")


def test_what_a_local_command_prints_arrives(world: World) -> None:
    world.start_bridge()
    world.ask("hello", "Echo")
    world.ask("/context", "Context")


def test_a_command_for_another_bot_is_not_ours(world: World) -> None:
    world.start_bridge()
    world.say("/new@another_bot")
    world.ask("hello", "Echo: hello")
    assert len(world.sessions()) == 1


def test_a_shell_line_runs_where_it_is_switched_on(world: World) -> None:
    world.settings["BRIDGE_SHELL"] = "true"
    world.start_bridge()
    world.ask("/sh echo made > made && echo it is", "it is")
    assert (world.project / "made").read_text() == "made\n"
    world.ask("hello", "Echo: hello")


def test_a_shell_line_is_off(world: World) -> None:
    world.start_bridge()
    world.ask("/sh touch made", "/sh is off")
    assert not Path(world.project / "made").exists()
