"""The live card of a turn, from end to end: the real Claude Code, a phone, and all between."""

from __future__ import annotations

import json
import re
import time

import pytest

from tests.standins.messages_api import ModelRequest, Reply, Say, UseTool, answer_by_prompt
from tests.standins.telegram_entities import entity_text
from tests.standins.telegram_state import Message
from tests.world import World, wait_until


def bash(command: str, text: str = "") -> UseTool:
    return UseTool("Bash", {"command": command, "description": "A step"}, text)


def plays(world: World, *replies: Reply) -> None:
    """Let the model answer `go` with these, one after the other; all else as usual."""
    script = list(replies)

    def answer(request: ModelRequest) -> Reply:
        return script.pop(0) if "go" in request.user_texts and script else answer_by_prompt(request)

    world.model.answer = answer


def card(world: World, part: str = "") -> Message:
    """The newest card, once it shows this."""

    def found() -> Message | None:
        cards = world.cards()
        return cards[-1] if cards and part in (cards[-1].text or "") else None

    shown: Message = wait_until(found, f"a card with {part!r}: {world.texts()}")
    return shown


def states(message: Message) -> list[str]:
    """All that a message has shown."""
    return [*(edit.text for edit in message.edits), message.text]


def press(world: World, message: Message, label: str) -> None:
    """Press the button with that label."""
    world.telegram.press(world.chat, world.user, message.message_id, label)


def allows_all(world: World) -> None:
    """The person has allowed Claude these tools once and for all."""
    settings = {"permissions": {"allow": ["Bash", "Read", "Edit", "Write", "NotebookEdit"]}}
    folder = world.home / ".claude"
    folder.mkdir(exist_ok=True)
    (folder / "settings.json").write_text(json.dumps(settings))


def test_a_quick_answer_has_no_card(world: World) -> None:
    world.start_bridge()
    for number in range(10):  # on a busy machine not every one is quick
        before = len(world.cards())
        world.ask(f"hello {number}", f"Echo: hello {number}")
        if len(world.cards()) == before:
            return
    pytest.fail(f"each had a card: {world.cards()}")


def test_a_turn_with_tools_has_a_card_that_folds_to_one_line(world: World) -> None:
    allows_all(world)
    new = UseTool("Write", {"file_path": str(world.project / "a.txt"), "content": "one\ntwo\n"})
    plays(world, new, bash("sleep 2; echo one", "First a look."), bash("exit 3"), Say(("Done.",)))
    world.start_bridge()
    world.say("go")
    running = card(world, "Running Bash: sleep 2; echo one")
    assert running.is_silent
    assert running.labels == ["⏹️ Stop", "🖥️ Screen"]
    assert re.match(r"⏳ \d+ s · Running", running.text)
    (details,) = [e for e in running.entities if e["type"] == "expandable_blockquote"]
    lines = ["📝 Write a.txt — new, +2", "💻 Bash sleep 2; echo one …"]
    assert entity_text(running.text, details).splitlines() == lines
    world.reads("Done.")
    folded = card(world, "Done in")
    assert folded.message_id == running.message_id
    line = r"✅ Done in \d+ s · 3 tools · 1 file \+2 · context 100 \(0 %\)"
    assert re.fullmatch(line, folded.text)
    assert folded.labels == []


def test_a_failed_tool_says_why_and_the_turn_goes_on(world: World) -> None:
    allows_all(world)
    plays(world, bash("exit 3"), bash("sleep 2"), Say(("Well.",)))
    world.start_bridge()
    world.say("go")
    assert "💻 Bash exit 3 — ✗ exit 3" in card(world, "Running Bash: sleep 2").text
    world.reads("Well.")
    card(world, "✅ Done in")


def test_text_is_shown_while_it_is_written_and_not_twice_and_thoughts_never(world: World) -> None:
    plays(world, Say(("Held paint.\n", "And done."), hold="paint", thinking="Hmm, paint."))
    world.start_bridge()
    asked = world.say("go")
    card(world, "Held paint.")
    first = world.model.turns[0].at
    shown = world.cards()[0]
    at = shown.edits[0].until if shown.edits else shown.at
    assert at - first < 3.0
    world.model.release("paint")
    answer = world.reads("And done.", after=asked)
    assert not answer.is_silent
    assert "And done." not in card(world, "✅ Done in").text
    assert world.texts() == ["Held paint.\nAnd done."]
    assert "Hmm, paint." in world.transcripts()
    assert not [text for text in states(card(world)) if "Hmm" in text]


def test_the_stop_button_does_what_stop_does(world: World) -> None:
    allows_all(world)
    plays(world, bash("tail -f /dev/null"))
    world.start_bridge()
    world.say("go")
    shown = card(world, "Running Bash")
    press(world, shown, "⏹️ Stop")
    world.reads("Interrupted.")
    assert "⏹️ Stopped after" in card(world, "⏹️ Stopped").text
    world.ask("hello", "Echo: hello")
    assert len(world.cards()) == 1


def test_the_screen_button_shows_the_screen_and_the_card_keeps_its_buttons(world: World) -> None:
    world.start_bridge()
    world.say("hold paint")
    old = card(world, "Held paint.")
    press(world, old, "🖥️ Screen")
    wait_until(lambda: len(world.texts()) == 1, "the screen")
    wait_until(lambda: card(world).buttons != old.buttons, "fresh buttons")
    press(world, card(world), "🖥️ Screen")
    wait_until(lambda: len(world.texts()) == 2, "the screen once more")
    world.model.release("paint")
    world.reads("And done.")
    card(world, "✅ Done in")


def test_a_card_goes_on_after_a_restart_of_the_bridge(world: World) -> None:
    allows_all(world)
    plays(world, bash("sleep 3"), bash("sleep 6"), Say(("All done.",)))
    world.start_bridge()
    world.say("go")
    card(world, "Running Bash: sleep 3")
    before = card(world, "Running Bash: sleep 6")  # so it was edited: the bridge knows which it is
    world.kill_bridge()
    world.start_bridge()
    world.reads("All done.")
    folded = card(world, "✅ Done in")
    assert folded.message_id == before.message_id
    assert "2 tools" in folded.text
    assert len(world.cards()) == 1


@pytest.mark.parametrize("death", ["Claude answered meanwhile", "Claude died too"])
def test_no_card_claims_to_run_after_its_turn_has_ended_unseen(world: World, death: str) -> None:
    world.start_bridge()
    world.say("hold paint")
    card(world, "Held paint.")
    world.kill_bridge()
    if death == "Claude died too":
        world.kill_tmux()
    else:
        world.model.release("paint")
        world.wait_for_process("idle")
    world.start_bridge()
    folded = card(world, "after" if death == "Claude died too" else "Done in")
    assert "\n" not in folded.text
    assert len(world.cards()) == 1


def test_when_claude_dies_the_card_says_so(world: World) -> None:
    world.start_bridge()
    world.say("hold paint")
    card(world, "Held paint.")
    world.kill_claude()
    card(world, "💥 Claude Code ended after")
    world.reads("say “continue”")


def test_a_turn_begun_at_the_terminal_has_a_card(world: World) -> None:
    world.start_bridge()
    world.ask("hello", "Echo: hello")
    world.wait_for_process("idle")
    world.type_at_terminal("hold paint")
    card(world, "Held paint.")
    world.model.release("paint")
    card(world, "✅ Done in")


def test_tasks_have_ticks(world: World) -> None:
    world.settings["CLAUDE_CODE_ENABLE_TODO_TOOLS"] = "1"
    plays(
        world,
        UseTool("TaskCreate", {"subject": "Find it", "description": "d"}),
        UseTool("TaskCreate", {"subject": "Mend_it", "description": "d"}),
        UseTool("TaskUpdate", {"taskId": "1", "status": "completed"}),
        UseTool("TaskUpdate", {"taskId": "2", "status": "in_progress"}),
        Say(("Held it.\n", "Done."), hold="end"),
    )
    world.start_bridge()
    world.say("go")
    assert "☑ Find it\n▶ Mend_it" in card(world, "▶ Mend_it").text
    world.model.release("end")
    card(world, "✅ Done in")


def test_a_subagent_is_shown_until_it_has_finished(world: World) -> None:
    allows_all(world)
    agent = {
        "description": "Look around",
        "prompt": "hold inner",
        "subagent_type": "general-purpose",
    }

    replies: list[Reply] = [
        UseTool("Agent", agent),
        Say(("Launched.\n", "Now wait."), hold="outer"),
        Say(("The agent is back.",)),
    ]

    def answer(request: ModelRequest) -> Reply:
        return replies.pop(0) if "go" in request.user_texts else answer_by_prompt(request)

    world.model.answer = answer
    world.start_bridge()
    world.say("go")
    card(world, "🤖 Look around")
    world.model.release("outer")
    card(world, "1 still running in the background")
    world.model.release("inner")
    world.reads("The agent is back.")
    card(world, "✅ Done in")
    assert not [text for text in world.texts() if "Held inner" in text]


def test_the_edits_of_a_busy_turn_stay_within_the_flood_budget(world: World) -> None:
    allows_all(world)
    steps = [bash(f"sleep 0.4; echo {number}") for number in range(20)]
    plays(world, *steps, Say(("All done.",)))
    world.start_bridge()
    started = time.monotonic()
    world.say("go")
    world.reads("All done.")
    card(world, "20 tools")
    seconds = time.monotonic() - started
    edits = world.telegram.calls_of("editMessageText")
    live_each_minute = 20
    assert 3 <= len(edits) <= 4 + seconds / (60 / live_each_minute)
    assert all(call.status == 200 for call in edits)
