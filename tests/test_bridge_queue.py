"""What waits for Claude: shown, put in another order, dropped, sent at once; and stopping twice."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.standins.messages_api import Fail, ModelRequest, Reply, answer_by_prompt
from tests.standins.telegram_state import Message
from tests.world import World, wait_until


@pytest.fixture
def busy(world: World) -> Iterator[World]:
    """Claude is at work at "hold paint", and three messages wait."""
    world.start_bridge()
    world.say("hold paint")
    wait_until(lambda: "hold paint" in world.transcripts(), "Claude is at work")
    for text in ("one", "two", "three"):
        world.say(text)
    world.reads("Waiting: 3 messages")
    yield world


def newest(world: World, part: str, label: str) -> Message:
    found: Message = wait_until(
        lambda: next(
            (
                message
                for message in reversed(world.telegram.messages(world.chat, from_bot=True))
                if part in (message.text or "") and label in message.labels
            ),
            None,
        ),
        f"a message with {part!r} and a button {label!r}",
    )
    return found


def press(world: World, part: str, label: str) -> None:
    message = newest(world, part, label)
    world.telegram.press(world.chat, world.user, message.message_id, label)


def asked(world: World) -> list[str]:
    return [turn.user_texts[-1] for turn in world.model.turns]


def order(world: World, *texts: str) -> str:
    return "\n".join(f"{number}. {text}" for number, text in enumerate(texts, 1))


def test_a_message_that_waits_is_told_its_number(world: World) -> None:
    world.start_bridge()
    world.say("hold paint")
    wait_until(lambda: "hold paint" in world.transcripts(), "Claude is at work")
    line = world.ask("one", "Waiting, number 1")
    assert line.labels == ["Show the queue"]
    world.model.release("paint")
    world.reads("Echo: one")
    world.reads("Nothing waits any more.")
    world.ask("two", "Echo: two")
    shown = world.telegram.messages(world.chat, from_bot=True)
    assert not [message for message in shown if (message.text or "").startswith("Waiting")]


def test_the_queue_is_put_in_another_order(busy: World) -> None:
    assert "Waiting: 3 (/queue)" in busy.ask("/status", "Session:").text
    busy.ask("/queue", order(busy, "one", "two", "three"))
    press(busy, order(busy, "one", "two", "three"), "Up 3")
    press(busy, order(busy, "one", "three", "two"), "Up 2")
    newest(busy, order(busy, "three", "one", "two"), "Remove 1")
    busy.model.release("paint")
    busy.reads("Echo: two")
    assert asked(busy) == ["hold paint", "three", "one", "two"]


def test_the_order_outlives_the_bridge(busy: World) -> None:
    press(busy, "Waiting: 3 messages", "Show the queue")
    press(busy, order(busy, "one", "two", "three"), "Up 2")
    newest(busy, order(busy, "two", "one", "three"), "Up 2")
    busy.kill_bridge()
    busy.say("four")
    busy.start_bridge()
    busy.model.release("paint")
    busy.reads("Echo: four")
    assert asked(busy) == ["hold paint", "two", "one", "three", "four"]


def test_what_is_removed_is_never_sent(busy: World) -> None:
    busy.ask("/queue", order(busy, "one", "two", "three"))
    press(busy, order(busy, "one", "two", "three"), "Remove 2")
    press(busy, order(busy, "one", "three"), "Remove 1")
    newest(busy, order(busy, "three"), "Remove 1")
    busy.model.release("paint")
    busy.reads("Echo: three")
    assert asked(busy) == ["hold paint", "three"]


def test_all_of_it_is_removed(busy: World) -> None:
    busy.ask("/queue", order(busy, "one", "two", "three"))
    press(busy, order(busy, "one", "two", "three"), "Remove all")
    busy.reads("Nothing waits.")
    busy.model.release("paint")
    busy.reads("And done.")
    busy.ask("after", "Echo: after")
    assert asked(busy) == ["hold paint", "after"]


def test_now_interrupts_and_is_sent_first(busy: World) -> None:
    busy.ask("/queue", order(busy, "one", "two", "three"))
    press(busy, order(busy, "one", "two", "three"), "Now 3")
    busy.reads("Interrupted.")
    busy.reads("Echo: two")
    assert asked(busy) == ["hold paint", "three", "one", "two"]


def test_stop_twice_removes_what_waits_too(world: World) -> None:
    world.start_bridge()
    world.say("hold paint")
    wait_until(lambda: "hold paint" in world.transcripts(), "Claude is at work")
    for text in ("hold brush", "one", "two"):
        world.say(text)
    world.reads("Waiting: 3 messages")
    world.ask("/stop", "/stop again removes them.")
    removed = world.ask("/stop", "removed.").text
    assert removed in ("3 messages removed.", "2 messages removed.")
    world.ask("after", "Echo: after")
    assert not {"one", "two"} & set(asked(world))


def test_stop_after_something_new_is_the_first_again(world: World) -> None:
    world.start_bridge()
    world.ask("warm", "Echo: warm")
    world.say("hold paint")
    wait_until(lambda: "hold paint" in world.transcripts(), "Claude is at work")
    world.ask("/stop", "Interrupted.")
    world.say("hold brush")
    wait_until(lambda: "hold brush" in world.transcripts(), "Claude is at work")
    world.say("kept")
    world.ask("/stop", "Echo: kept")


def test_what_a_stop_puts_back_into_the_box_is_not_sent_with_the_next_message(
    world: World,
) -> None:
    def overloaded(request: ModelRequest) -> Reply:
        if request.user_texts[-1] == "fail now":
            return Fail(529, "overloaded_error", "Overloaded")
        return answer_by_prompt(request)

    world.model.answer = overloaded
    world.start_bridge()
    world.ask("warm", "Echo: warm")
    world.say("fail now")
    wait_until(lambda: "retrying in" in world.screen(), "Claude tries again")
    world.ask("/stop", "Stopped")
    assert world.ask("hello", "Echo: ").text == "Echo: hello"
    assert world.ask("more", "Echo: more").text == "Echo: more"
    assert world.model.turns[-1].user_texts[-1] == "more"
