"""The whole flow, on the real parts: a phone, the bridge, tmux, Claude Code, the model.

The model's stand-in answers `recall` with all that it was told before: only a history that really
reached the model can be repeated by it.
"""

from __future__ import annotations

from tests.own_python import use_own_python

if __name__ == "__main__":
    use_own_python()

import sys
import time

import pytest

from tests.conftest import *  # noqa: F403 - this file stands outside of tests/
from tests.world import World, wait_until

RESUMED = "Resumed after a restart."


def tell_it_about_the_cat(world: World) -> None:
    world.start_bridge()
    world.ask("my cat is called Grace", "Echo: my cat is called Grace")


def recalls_the_cat(world: World) -> None:
    assert world.ask("recall", "You told me").text == "You told me: my cat is called Grace"


# --- a conversation -------------------------------------------------------------------------------


def test_a_text_is_answered_by_claude_code(world: World) -> None:
    world.start_bridge()
    assert world.ask("hello", "Echo").text == "Echo: hello"
    assert world.texts() == ["Echo: hello"]


def test_the_next_text_goes_to_the_same_conversation(world: World) -> None:
    tell_it_about_the_cat(world)
    recalls_the_cat(world)
    assert len(world.processes()) == 1


def test_markdown_arrives_rendered(world: World) -> None:
    world.start_bridge()
    message = world.ask("say **bold** and `code`", "bold and code")
    assert [(e["type"], e["offset"], e["length"]) for e in message.entities] == [
        ("bold", 0, 4),
        ("code", 9, 4),
    ]


def test_a_long_answer_arrives_in_pieces_and_whole(world: World) -> None:
    world.start_bridge()
    world.ask("count 1200", "word1199")
    assert len(world.texts()) > 1
    assert " ".join(world.texts()).split() == [f"word{number}" for number in range(1200)]
    asked = world.say("count 3000")  # too many messages: the first ones, and all of it in a file
    world.reads("word0", after=asked)
    messages = world.telegram.messages
    (file,) = wait_until(
        lambda: [m for m in messages(world.chat, from_bot=True) if m.media], "the whole as a file"
    )
    assert file.media.file.name.endswith(".md")
    assert file.data.decode().split() == [f"word{number}" for number in range(3000)]
    assert len([m for m in messages(world.chat, from_bot=True) if m.message_id > asked]) <= 5


def test_while_claude_works_the_chat_shows_that_it_types(world: World) -> None:
    world.start_bridge()
    world.say("hold paint")
    world.wait_for_process("busy")
    world.telegram.wait_for(lambda: world.telegram.chat_actions(world.chat))
    world.model.release("paint")
    world.reads("And done.")


def test_texts_sent_while_claude_works_wait_and_keep_their_order(world: World) -> None:
    world.start_bridge()
    world.say("hold paint")
    world.wait_for_process("busy")
    for word in ("one", "two", "three"):
        world.say(word)
    world.model.release("paint")
    world.reads("Echo: three")
    assert world.texts()[-3:] == ["Echo: one", "Echo: two", "Echo: three"]
    assert [turn.user_texts[-1] for turn in world.model.turns] == [
        "hold paint",
        "one",
        "two",
        "three",
    ]


def test_an_answer_equal_to_an_earlier_one_is_shown_again(world: World) -> None:
    world.start_bridge()
    world.ask("same", "Echo: same")
    world.ask("same", "Echo: same")
    assert world.texts() == ["Echo: same", "Echo: same"]


def test_an_error_of_the_models_service_is_told(world: World) -> None:
    world.start_bridge()
    world.ask("fail 400", "⚠️")
    world.ask("hello", "Echo: hello")


def test_each_topic_has_a_session_of_its_own(world: World) -> None:
    group = world.telegram.group(-1001, "Team", True, members=(world.user,))
    world.settings["BRIDGE_ALLOWED_GROUPS"] = str(group.id)
    world.start_bridge()
    for name in ("red", "blue"):
        topic = world.telegram.create_topic(group, world.user, name)
        begin = f"@bridge_test_bot my colour is {name}"
        world.telegram.send_text(group, world.user, begin, topic=topic)
        echo = f"Echo: Ada: my colour is {name}"
        world.reads(echo, chat=group, topic=topic)
        world.telegram.send_text(group, world.user, "recall", topic=topic)
        said = world.reads("You told me", chat=group, topic=topic)
        assert said.text == f"You told me: Ada: my colour is {name}"
    assert len(world.processes()) == 2


# --- memory ---------------------------------------------------------------------------------------


def test_an_idle_session_sleeps_and_wakes_with_its_memory(world: World) -> None:
    world.settings["BRIDGE_IDLE_MINUTES"] = "0.01"
    tell_it_about_the_cat(world)
    wait_until(lambda: not world.processes(), "Claude sleeps")
    recalls_the_cat(world)
    assert world.texts()[1:-1] == ["Resumed after a nap."]


def test_a_session_is_not_put_to_sleep_under_the_eyes_of_a_person(world: World) -> None:
    world.settings["BRIDGE_IDLE_MINUTES"] = "0.03"
    tell_it_about_the_cat(world)
    with world.attached():
        world.wait_for_process("idle")
        idle_since = world.processes()[0].since_ms / 1000
        wait_until(lambda: time.time() > idle_since + 4, "it would sleep by now")
        assert len(world.processes()) == 1
    wait_until(lambda: not world.processes(), "Claude sleeps")


def test_killing_the_bridge_costs_no_memory(world: World) -> None:
    tell_it_about_the_cat(world)
    world.kill_bridge()
    world.start_bridge()
    recalls_the_cat(world)
    assert world.texts()[1:-1] == []


def test_killing_claude_costs_no_memory(world: World) -> None:
    tell_it_about_the_cat(world)
    world.kill_claude()
    recalls_the_cat(world)
    assert world.texts()[1:-1] == [RESUMED]


def test_killing_the_tmux_server_costs_no_memory(world: World) -> None:
    tell_it_about_the_cat(world)
    world.kill_tmux()
    recalls_the_cat(world)
    assert world.texts()[1:-1] == [RESUMED]


def test_a_reboot_costs_no_memory(world: World) -> None:
    tell_it_about_the_cat(world)
    world.kill_bridge()
    world.kill_tmux()
    world.start_bridge()
    recalls_the_cat(world)
    assert world.texts()[1:-1] == [RESUMED]


def test_everything_may_die_again_and_again(world: World) -> None:
    tell_it_about_the_cat(world)
    for number in range(3):
        world.kill_bridge()
        world.kill_tmux()
        world.start_bridge()
        world.ask(f"round {number}", f"Echo: round {number}")
    said = world.ask("recall", "You told me").text
    assert said == "You told me: my cat is called Grace | round 0 | round 1 | round 2"
    assert world.texts().count(RESUMED) == 3


def test_what_was_sent_while_the_bridge_was_down_is_answered_once(world: World) -> None:
    tell_it_about_the_cat(world)
    world.kill_bridge()
    world.say("first")
    world.say("second")
    world.start_bridge()
    world.reads("Echo: second")
    assert world.texts()[1:] == ["Echo: first", "Echo: second"]
    assert [turn.user_texts[-1] for turn in world.model.turns][1:] == ["first", "second"]


def test_an_answer_given_while_the_bridge_was_down_arrives_once(world: World) -> None:
    world.start_bridge()
    world.say("hold paint")
    world.wait_for_process("busy")
    world.kill_bridge()
    world.model.release("paint")
    world.wait_for_process("idle")
    world.start_bridge()
    world.reads("And done.")
    world.ask("next", "Echo: next")
    assert [text.split("\n")[0] for text in world.texts()] == ["Held paint.", "Echo: next"]


def test_a_turn_that_died_with_claude_is_told_and_not_run_again(world: World) -> None:
    world.start_bridge()
    world.say("hold paint")
    world.wait_for_process("busy")
    wait_until(lambda: "hold paint" in world.transcripts(), "the prompt is in the transcript")
    world.model.wait_for_text("hold paint")
    world.kill_claude()
    world.reads("say “continue”")
    world.ask("recall", "You told me")
    asked = [turn.user_texts[-1] for turn in world.model.turns]
    assert asked.count("hold paint") == 1


# --- one session, two windows ---------------------------------------------------------------------


def test_what_is_typed_at_the_terminal_is_answered_into_the_chat(world: World) -> None:
    tell_it_about_the_cat(world)
    world.type_at_terminal("from the desk")
    world.reads("Echo: from the desk")
    assert "⌨️ from the desk" in world.texts()
    said = world.ask("recall", "You told me").text
    assert said == "You told me: my cat is called Grace | from the desk"


def test_a_draft_at_the_terminal_is_neither_sent_nor_lost(world: World) -> None:
    tell_it_about_the_cat(world)
    name = world.tmux("list-sessions", "-F", "#{session_name}").split()[0]
    world.tmux("send-keys", "-t", f"={name}:", "-l", "half a thought")
    wait_until(
        lambda: "half a thought" in world.tmux("capture-pane", "-p", "-t", f"={name}:"),
        "the draft is in the box",
    )
    world.ask("hello", "Echo: hello")
    wait_until(
        lambda: "❯\xa0half a thought" in world.tmux("capture-pane", "-p", "-t", f"={name}:"),
        "the draft is back",
    )


@pytest.mark.parametrize("place", ["the chat", "the terminal", "the terminal, bridge down"])
def test_after_clear_the_chat_follows_and_the_old_session_stays(world: World, place: str) -> None:
    tell_it_about_the_cat(world)
    old = world.sessions()[0].session_id
    if place == "the chat":
        world.say("/clear")
    elif place == "the terminal":
        world.type_at_terminal("/clear")
    else:
        world.kill_bridge()
        world.type_at_terminal("/clear")
    wait_until(lambda: [p for p in world.processes() if p.session_id != old], "another session id")
    if world.bridge is None:
        world.start_bridge()
    world.ask("my dog is called Linus", "Echo: my dog is called Linus")
    assert world.ask("recall", "You told me").text == "You told me: my dog is called Linus"
    ids = [session.session_id for session in world.sessions()]
    assert len(ids) == 2
    assert old in ids[1:]
    world.ask(f"/resume {old}", "Continuing")
    recalls_the_cat_again = world.ask("recall", "You told me: my cat is called Grace")
    assert "Linus" not in (recalls_the_cat_again.text or "")


if __name__ == "__main__":
    sys.exit(pytest.main([__file__, *sys.argv[1:]]))
