"""Claude's questions and plans in the chat, on the real parts."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.standins.telegram_state import Message
from tests.test_bridge_requests import answer_at_terminal, ask_tool, becomes, press
from tests.world import World, wait_until

COLOUR = {
    "question": "Which colour?",
    "header": "Colour",
    "options": [
        {"label": "Red", "description": "warm", "preview": "a red block"},
        {"label": "Blue", "description": "cool"},
    ],
    "multiSelect": False,
}
TOPPINGS = {
    "question": "Which toppings?",
    "header": "Toppings",
    "options": [
        {"label": "Cheese, extra", "description": "c"},
        {"label": "Ham", "description": "h"},
        {"label": "Olives", "description": "o"},
    ],
    "multiSelect": True,
}


def ask(world: World, *questions: dict[str, Any]) -> Message:
    """Have the model ask; the message that asks."""
    after = ask_tool(world, "AskUserQuestion", questions=questions)
    return world.reads(str(questions[0]["question"]), after=after)


def now(world: World, message: Message) -> Message:
    return world.telegram.message(world.chat, message.message_id)


def choose(world: World, message: Message, label: str, then: str) -> None:
    """Press a button, and wait until one that begins with `then` is there."""
    press(world, message, label)
    world.telegram.wait_for(
        lambda: any(text.startswith(then) for text in now(world, message).labels), timeout=20
    )


# --- questions ------------------------------------------------------------------------------------


def test_a_single_question_is_answered_by_one_press(world: World) -> None:
    world.start_bridge()
    asked = ask(world, COLOUR)
    assert "warm" in asked.text
    assert "a red block" in asked.text
    assert asked.labels == ["1. Red", "2. Blue", "Other…", "Don't answer"]
    assert not asked.is_silent
    press(world, asked, "2. Blue")
    assert '"Which colour?"="Blue"' in world.reads("The tool said").text
    assert becomes(world, asked, "✅ Blue").endswith("Which colour?")


def test_a_reply_is_an_answer_of_ones_own(world: World) -> None:
    world.start_bridge()
    asked = ask(world, COLOUR)
    world.telegram.send_text(world.chat, world.user, "green, ok?", reply_to=asked.message_id)
    assert '"Which colour?"="green, ok?"' in world.reads("The tool said").text


def test_after_other_the_next_text_is_the_answer(world: World) -> None:
    world.start_bridge()
    asked = ask(world, COLOUR)
    assert press(world, asked, "Other…") == "Write your answer."
    assert '"Which colour?"="green"' in world.ask("green", "The tool said").text


def test_several_choices_are_sent_together(world: World) -> None:
    world.start_bridge()
    asked = ask(world, TOPPINGS)
    choose(world, asked, "1. Cheese", "✓ 1.")
    choose(world, asked, "2. Ham", "✓ 2.")
    choose(world, asked, "✓ 2. Ham", "2. Ham")
    choose(world, asked, "3. Olives", "✓ 3.")
    press(world, asked, "Send")
    said = world.reads("The tool said").text
    assert '"Which toppings?"=""Cheese, extra", Olives"' in said


def test_a_set_of_questions_can_be_changed_until_it_is_sent(world: World) -> None:
    world.start_bridge()
    asked = ask(world, COLOUR, TOPPINGS)
    assert "Colour (1 of 2)" in asked.text
    choose(world, asked, "1. Red", "1. Cheese")
    assert "✓ Colour: Red" in now(world, asked).text
    choose(world, asked, "2. Ham", "✓ 2.")
    choose(world, asked, "Next", "Change: Colour")
    choose(world, asked, "Change: Colour", "✓ 1. Red")
    choose(world, asked, "2. Blue", "Change: Colour")
    press(world, asked, "Send")
    said = world.reads("The tool said").text
    assert '"Which colour?"="Blue"' in said
    assert '"Which toppings?"="Ham"' in said


def test_half_given_answers_survive_a_restart(world: World) -> None:
    world.start_bridge()
    asked = ask(world, COLOUR, TOPPINGS)
    choose(world, asked, "1. Red", "1. Cheese")
    world.kill_bridge()
    world.start_bridge()
    choose(world, asked, "2. Ham", "✓ 2.")
    press(world, asked, "Send")
    said = world.reads("The tool said").text
    assert '"Which colour?"="Red"' in said
    assert '"Which toppings?"="Ham"' in said


def test_a_question_that_is_not_answered_lets_claude_go_on(world: World) -> None:
    world.start_bridge()
    asked = ask(world, COLOUR)
    press(world, asked, "Don't answer")
    world.reads("The tool said: The user does not want to answer this.")


@pytest.mark.parametrize("key", ["Enter", "Escape"])
def test_a_question_answered_at_the_terminal_is_over(world: World, key: str) -> None:
    world.start_bridge()
    asked = ask(world, COLOUR)
    answer_at_terminal(world, key, shows="❯ 1. Red")
    becomes(world, asked, "at the terminal")
    world.ask("hello", "Echo: hello")


# --- plans ----------------------------------------------------------------------------------------


def plan(world: World, text: str) -> Message:
    """Have the model make a plan, which Claude Code keeps in a file; the message that shows it."""
    world.settings["BRIDGE_PERMISSION_MODE"] = "plan"
    world.start_bridge()
    world.ask("hello", "Echo: hello")
    folder = world.home / ".claude" / "plans"
    told = re.search(rf"{folder}/[a-z0-9-]+\.md", json.dumps(world.model.turns[-1].body))
    assert told is not None
    folder.mkdir(exist_ok=True)
    Path(told[0]).write_text(text)
    after = ask_tool(world, "ExitPlanMode")
    return world.reads("Is this plan right?", after=after)


def mode(world: World) -> str:
    """The permission mode of the last prompt in the transcript."""
    lines = [json.loads(line) for line in world.transcripts().splitlines()]
    return str([line["permissionMode"] for line in lines if "permissionMode" in line][-1])


def test_a_plan_is_read_and_approved_with_a_mode(world: World) -> None:
    shown = plan(world, "# Plan\n\n1. do **A**\n2. do B")
    assert "do A" in shown.text
    assert shown.labels == [
        "Approve: accept edits",
        "Approve: ask each time",
        "Keep planning",
        "Comment…",
    ]
    assert not shown.is_silent
    press(world, shown, "Approve: accept edits")
    assert "approved your plan" in world.reads("The tool said").text
    becomes(world, shown, "✅ Approved")
    world.ask("hello", "Echo: hello")
    wait_until(lambda: mode(world) == "acceptEdits", "the mode has changed")


def test_a_plan_is_approved_with_asking_each_time(world: World) -> None:
    press(world, plan(world, "Do it."), "Approve: ask each time")
    world.reads("The tool said")
    world.ask("hello", "Echo: hello")
    wait_until(lambda: mode(world) == "default", "the mode has changed")


def test_a_comment_on_a_plan_goes_to_claude(world: World) -> None:
    shown = plan(world, "Do it.")
    world.telegram.send_text(world.chat, world.user, "add tests", reply_to=shown.message_id)
    world.reads("The tool said: add tests")
    becomes(world, shown, "Your comment: add tests")
    world.ask("hello", "Echo: hello")
    wait_until(lambda: mode(world) == "plan", "it goes on planning")


def test_a_long_plan_comes_as_a_file_too(world: World) -> None:
    text = "\n".join(f"{number}. do number {number}" for number in range(1, 400))
    shown = plan(world, text)
    (file,) = [m for m in world.telegram.messages(world.chat, from_bot=True) if m.media]
    assert file.media is not None
    assert file.media.file.data.decode() == text
    press(world, shown, "Keep planning")
    world.reads("The tool said: The user has not approved")
