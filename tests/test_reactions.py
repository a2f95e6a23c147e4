"""Signs below messages: the newest is shown if that works out, and no message is held up by it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from core.errors import (
    ChatUnreachableError,
    FloodLimitError,
    MessageRefusedError,
    NotSentError,
    OutcomeUnknownError,
    ReactionRefusedError,
)
from tests.standins.outbox_world import ANN, BOB, OutboxWorld, post, running


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[OutboxWorld]:
    async with running(tmp_path) as made:
        yield made


def signs(world: OutboxWorld, chat_id: int = 1) -> list[str]:
    return [what for call, chat, what in world.channel.calls if (call, chat) == ("react", chat_id)]


async def test_a_sign_is_shown_at_once(world: OutboxWorld) -> None:
    world.outbox.react(ANN, 7, "received")
    world.outbox.react(BOB, 8, "failed")
    await world.settle()
    assert (signs(world), signs(world, 2)) == (["7 received"], ["8 failed"])


async def test_of_the_signs_that_wait_only_a_messages_newest_is_shown(world: OutboxWorld) -> None:
    world.answer(gate := asyncio.Event())
    world.outbox.react(ANN, 7, "received")
    await world.settle()
    world.outbox.react(ANN, 7, "delivered")
    world.outbox.react(ANN, 8, "received")
    world.outbox.react(ANN, 7, "answered")
    gate.set()
    await world.settle()
    assert signs(world) == ["7 received", "7 answered", "8 received"]


async def test_a_sign_keeps_a_chats_pause(world: OutboxWorld) -> None:
    world.answer(FloodLimitError(30))
    world.outbox.put(post("a"))
    await world.settle()
    world.outbox.react(ANN, 7, "received")
    world.outbox.react(BOB, 7, "received")
    await world.go_on(29)
    assert (signs(world), signs(world, 2)) == ([], ["7 received"])
    await world.go_on(1)
    assert signs(world) == ["7 received"]


async def test_a_pause_that_a_sign_brought_about_holds_up_no_message(world: OutboxWorld) -> None:
    world.answer(FloodLimitError(30))
    world.outbox.react(ANN, 7, "received")
    await world.settle()
    world.outbox.put(post("a"))
    world.outbox.react(ANN, 7, "answered")
    await world.settle()
    assert world.texts() == ["a"]
    await world.go_on(30)
    assert signs(world) == ["7 received", "7 answered"]


async def test_a_sign_that_hangs_holds_up_no_message(world: OutboxWorld) -> None:
    world.answer(asyncio.Event())
    world.outbox.react(ANN, 7, "received")
    await world.settle()
    world.outbox.put(post("a"))
    await world.until_empty()
    assert world.texts() == ["a"]


@pytest.mark.parametrize("error", [ReactionRefusedError("x"), ChatUnreachableError("x")])
async def test_a_chat_that_takes_no_reactions_is_left_alone_for_an_hour(
    world: OutboxWorld, error: Exception
) -> None:
    world.answer(error)
    world.outbox.react(ANN, 7, "received")
    await world.settle()
    world.outbox.react(ANN, 8, "received")
    world.outbox.react(BOB, 8, "received")
    await world.go_on(3_599)
    world.outbox.react(ANN, 9, "received")
    await world.go_on(1)
    assert (signs(world), signs(world, 2)) == (["7 received"], ["8 received"])
    world.outbox.react(ANN, 10, "received")
    await world.settle()
    assert signs(world) == ["7 received", "10 received"]


async def test_a_message_that_takes_no_reaction_concerns_no_other(world: OutboxWorld) -> None:
    world.answer(MessageRefusedError("x"), RuntimeError("x"))
    for message in (7, 8, 9):
        world.outbox.react(ANN, message, "received")
    await world.settle()
    assert signs(world) == ["7 received", "8 received", "9 received"]


@pytest.mark.parametrize("error", [NotSentError("x"), OutcomeUnknownError("x")])
async def test_a_sign_that_failed_is_tried_a_few_times(
    world: OutboxWorld, error: Exception
) -> None:
    world.answer(error, error)
    world.outbox.react(ANN, 7, "received")
    await world.go_on(3)
    assert signs(world) == ["7 received"] * 3
    world.answer(*[error] * 9)
    world.outbox.react(ANN, 8, "received")
    await world.go_on(100)
    assert signs(world)[3:] == ["8 received"] * 4


async def test_of_very_many_signs_the_newest_are_kept(world: OutboxWorld) -> None:
    world.answer(gate := asyncio.Event())
    for message in range(1_000):
        world.outbox.react(ANN, message, "received")
    gate.set()
    await world.until(lambda: signs(world)[-1:] == ["999 received"])
    assert len(signs(world)) <= 201


async def test_a_stop_forgets_the_signs_that_wait(world: OutboxWorld) -> None:
    world.answer(FloodLimitError(30))
    world.outbox.react(ANN, 7, "received")
    await world.settle()
    await world.outbox.stop()
    await world.go_on(60)
    assert signs(world) == ["7 received"]
