"""The live card of a turn, from end to end: the real Claude Code, a phone, and all between."""

from __future__ import annotations

import json
from collections.abc import Sequence

from tests.standins.messages_api import ModelRequest, Reply, Say, UseTool, answer_by_prompt
from tests.standins.telegram_state import Message
from tests.world import World, wait_until


def bash(command: str, text: str = "") -> UseTool:
    return UseTool("Bash", {"command": command, "description": "A step"}, text)


def plays(world: World, *replies: Reply) -> None:
    """Let the model answer `go` with these, one after the other; all else as usual."""
    script = list(replies)

    def answer(request: ModelRequest) -> Reply:
        if request.user_texts[-1:] == ["go"] and script:
            return script.pop(0)
        return answer_by_prompt(request)

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


def allows_all(world: World) -> None:
    """The person has allowed Claude these tools once and for all."""
    settings = {"permissions": {"allow": ["Bash", "Read", "Edit", "Write", "NotebookEdit"]}}
    folder = world.home / ".claude"
    folder.mkdir(exist_ok=True)
    (folder / "settings.json").write_text(json.dumps(settings))


def test_a_quick_answer_has_no_card(world: World) -> None:
    world.start_bridge()
    world.ask("hello", "Echo: hello")
    world.ask("again", "Echo: again")
    assert world.cards() == []


def test_a_turn_with_tools_has_a_card_that_folds_to_one_line(world: World) -> None:
    allows_all(world)
    plays(world, bash("sleep 2; echo one", "First a look."), bash("exit 3"), Say(("All done.",)))
    world.start_bridge()
    world.say("go")
    running = card(world, "Running Bash: sleep 2; echo one")
    assert running.is_silent
    assert running.labels == ["⏹ Stop", "🖥 Screen"]
    world.reads("All done.")
    folded = card(world, "Done in")
    print(states(folded), world.texts())
    assert folded.message_id == running.message_id
    assert "\n" not in folded.text
    assert "2 tools" in folded.text
    assert folded.labels == []
