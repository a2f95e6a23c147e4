"""The signs below a person's messages, from end to end."""

from __future__ import annotations

from tests.world import World, wait_until

RECEIVED, DELIVERED, ANSWERED, FAILED = "👀", "✍", "👌", "💔"


def sign(world: World, message_id: int, emoji: str) -> None:
    """The message has this sign in the end."""

    def found() -> bool:
        return world.telegram.reactions(world.chat, message_id) == [emoji]

    wait_until(found, f"{emoji} below message {message_id}")


def test_a_message_is_received_delivered_and_answered(world: World) -> None:
    world.start_bridge()
    first = world.say("hold paint")
    sign(world, first, DELIVERED)
    second = world.say("hello")
    sign(world, second, RECEIVED)
    world.model.release("paint")
    sign(world, first, ANSWERED)
    sign(world, second, ANSWERED)


def test_a_turn_that_fails_is_a_broken_heart(world: World) -> None:
    world.start_bridge()
    sign(world, world.say("fail 400"), FAILED)
    world.reads("⚠️")


def test_a_turn_that_is_stopped_did_not_end_well(world: World) -> None:
    world.start_bridge()
    asked = world.say("hold paint")
    sign(world, asked, DELIVERED)
    world.say("/stop")
    sign(world, asked, FAILED)


def test_where_reactions_are_not_allowed_nothing_breaks(world: World) -> None:
    world.chat.allows_reactions = False
    world.start_bridge()
    world.ask("hello", "Echo: hello")
    world.ask("again", "Echo: again")
    assert len(world.telegram.calls_of("setMessageReaction")) == 1


def test_a_stranger_gets_no_sign(world: World) -> None:
    world.start_bridge()
    stranger = world.telegram.user(first_name="Eve")
    chat = world.telegram.private_chat(stranger)
    world.telegram.send_text(chat, stranger, "hello")
    world.ask("hello", "Echo: hello")
    calls = world.telegram.calls_of("setMessageReaction")
    assert {call.chat_id for call in calls} == {world.chat.id}
