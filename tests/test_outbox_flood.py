"""The outbox keeps within a chat's flood limits: answers first, live cards in what room is left."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import (
    ChatUnreachableError,
    FloodLimitError,
    MessageRefusedError,
    NotSentError,
    OutcomeUnknownError,
)
from core.flood import FloodLimit
from core.model import Chat, Post
from tests.standins.outbox_world import ANN, BOB, OutboxWorld, post, running

LIMIT = FloodLimit(6, 60, live=4)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[OutboxWorld]:
    async with running(tmp_path) as made:
        made.channel.limits = [LIMIT]
        yield made


def live(key: str, text: str = "", chat: Chat = ANN, edits: str | None = "card") -> Post:
    return post(key, text, chat, edits=edits, live=True)


# --- limits ------------------------------------------------------------------------------------


async def test_a_chat_gets_no_more_than_its_limit_and_then_the_rest_in_order(
    world: OutboxWorld,
) -> None:
    world.outbox.put(*(post(str(number)) for number in range(13)))
    await world.settle()
    assert len(world.texts()) == 6
    await world.go_on(59)
    assert len(world.texts()) == 6
    await world.go_on(1)
    assert len(world.texts()) == 12
    await world.go_on(60)
    assert world.texts() == [str(number) for number in range(13)]


async def test_a_call_of_another_kind_has_a_live_ones_share_of_the_limit(
    world: OutboxWorld,
) -> None:
    reserved = [world.outbox.reserve(ANN) for _ in range(10)]
    assert 0 < reserved.count(0.0) <= LIMIT.live and reserved[-1] > 0
    assert world.outbox.reserve(BOB) == 0.0
    world.outbox.put(*(post(str(number)) for number in range(6)))
    await world.settle()
    assert len(world.texts()) == LIMIT.messages - reserved.count(0.0)


async def test_a_chat_at_its_limit_holds_up_no_other(world: OutboxWorld) -> None:
    world.outbox.put(*(post(f"a{number}") for number in range(9)))
    world.outbox.put(*(post(f"b{number}", chat=BOB) for number in range(6)))
    await world.settle()
    assert len(world.texts(BOB)) == 6


async def test_all_chats_together_have_a_limit_too(world: OutboxWorld) -> None:
    world.channel.all_chats_limits = [FloodLimit(8, 1, live=8)]
    world.outbox = world.make()
    world.outbox.start("fake")
    for number in range(4):
        chat = Chat("fake", number)
        world.outbox.put(*(post(f"{number}:{n}", chat=chat) for n in range(4)))
    await world.settle()
    assert len(world.channel.calls) == 8
    await world.go_on(1)
    assert len(world.channel.calls) == 16
    await world.outbox.stop()


# --- live cards --------------------------------------------------------------------------------


async def test_an_answer_finds_room_beside_a_busy_card(world: OutboxWorld) -> None:
    world.outbox.put(live("card", edits=None))
    for number in range(50):
        world.outbox.put(live(f"e{number}"))
        await world.go_on(1)
    before = len(world.channel.calls)
    world.outbox.put(post("answer 1"), post("answer 2"))
    await world.settle()
    assert [text for _, _, text in world.channel.calls[before:]] == ["answer 1", "answer 2"]


async def test_an_answer_overtakes_a_card_that_waits(world: OutboxWorld) -> None:
    world.answer(gate := asyncio.Event())
    world.outbox.put(live("card", edits=None))
    await world.settle()
    world.outbox.put(live("e1"), post("answer"), live("e2"))
    gate.set()
    await world.until_empty()
    assert [text for _, _, text in world.channel.calls] == ["card", "answer", "e2"]
    assert world.texts() == ["e2", "answer"]


async def test_a_new_answer_wakes_a_lane_that_waits_for_a_cards_turn(world: OutboxWorld) -> None:
    world.outbox.put(live("card", edits=None))
    await world.settle()
    for number in range(3):
        world.outbox.put(live(f"e{number}"))
        await world.settle()
    assert world.clock.next_wake() is not None  # the card has to wait
    world.outbox.put(post("answer"))
    await world.settle()
    assert world.texts() == ["e1", "answer"]
    await world.go_on(60)
    assert world.texts() == ["e2", "answer"]


async def test_after_a_pause_that_a_card_brought_about_answers_go_first(
    world: OutboxWorld,
) -> None:
    world.outbox.put(live("card", edits=None))
    await world.until_empty()
    world.answer(FloodLimitError(30))
    world.outbox.put(live("e1"))
    await world.settle()
    world.outbox.put(post("answer"), live("e2"))
    await world.go_on(29)
    assert world.texts() == ["card"]
    await world.go_on(1)
    assert [text for _, _, text in world.channel.calls] == ["card", "e1", "answer", "e2"]


async def test_a_cards_last_word_takes_the_place_of_all_that_was_live(world: OutboxWorld) -> None:
    world.answer(gate := asyncio.Event())
    world.outbox.put(post("before"))
    await world.settle()
    world.outbox.put(live("card", edits=None), live("e1"), post("end", edits="card"))
    gate.set()
    await world.until_empty()
    assert world.texts() == ["before", "end"]
    assert [call for call, _, _ in world.channel.calls] == ["send", "send"]
    world.outbox.put(live("card", edits=None), post("end 2", edits="card"))
    await world.until_empty()
    assert world.texts() == ["before", "end 2"]


async def test_a_live_edit_never_takes_the_place_of_what_must_arrive(world: OutboxWorld) -> None:
    world.answer(gate := asyncio.Event())
    world.outbox.put(post("a"))
    await world.settle()
    world.outbox.put(post("final", edits="a"), live("later", edits="a"))
    gate.set()
    await world.until_empty()
    assert [text for _, _, text in world.channel.calls] == ["a", "final", "later"]


@pytest.mark.parametrize(
    "error",
    [
        NotSentError("x"),
        OutcomeUnknownError("x"),
        MessageRefusedError("x"),
        ChatUnreachableError("x"),
    ],
)
async def test_a_card_that_fails_is_forgotten_and_the_next_state_is_shown(
    world: OutboxWorld, error: Exception
) -> None:
    world.answer(error)
    world.outbox.put(live("card", edits=None))
    await world.until_empty()
    assert (world.texts(), world.unknown, world.clock.asked) == ([], [], [])
    world.outbox.put(live("e1"))
    await world.until_empty()
    world.answer(error)
    world.outbox.put(live("e2"))
    await world.until_empty()
    assert world.texts() == ["e1"]
    world.outbox.put(post("end", edits="card"))
    await world.until_empty()
    assert world.texts() == ["end"]
    assert world.unknown == []


async def test_a_kill_forgets_live_states_but_not_which_message_the_card_is(
    world: OutboxWorld,
) -> None:
    world.outbox.put(live("card", edits=None))
    await world.until_empty()
    world.answer(asyncio.Event())
    world.outbox.put(live("e1"))
    await world.settle()
    world.outbox.put(live("e2"))
    await world.kill_and_start()
    assert world.outbox.is_empty()
    world.outbox.put(live("card", edits=None), post("end", edits="card"))
    await world.until_empty()
    assert world.texts() == ["end"]
    assert world.unknown == []


# --- whatever happens --------------------------------------------------------------------------


class Step(NamedTuple):
    pause: float
    chat: Chat
    kind: str
    errors: list[Exception]


ERRORS = st.sampled_from([FloodLimitError(30), NotSentError("x"), FloodLimitError(3)])
STEPS = st.lists(
    st.builds(
        Step,
        st.sampled_from([0, 0, 0, 0.5, 3, 20]),
        st.sampled_from([ANN, BOB]),
        st.sampled_from(["post", "post", "live", "live", "live", "end", "parts"]),
        st.lists(ERRORS, max_size=2),
    ),
    max_size=40,
)


@settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
@given(STEPS)
async def test_limits_are_kept_nothing_is_lost_and_order_stays(
    tmp_path_factory: pytest.TempPathFactory, steps: list[Step]
) -> None:
    limits = [FloodLimit(3, 5, live=2), FloodLimit(8, 60, live=5)]
    async with running(tmp_path_factory.mktemp("outbox")) as world:
        world.channel.limits = limits
        wanted: dict[Chat, list[str]] = {ANN: [], BOB: []}
        for number, step in enumerate(steps):
            world.answer(*step.errors, chat=step.chat)
            world.outbox.put(_make(step, number))
            wanted[step.chat] += _wanted(step, number)
            await world.go_on(step.pause)
        await world.go_on(3_600)
        assert world.outbox.is_empty()
        for chat, texts in wanted.items():
            assert [text for text in world.texts(chat) if text.startswith("must")] == texts
            _check_limits(world, chat, limits)


def _make(step: Step, number: int) -> Post:
    card = f"card {step.chat.chat_id}"
    match step.kind:
        case "live":
            return post(f"state {number}", chat=step.chat, edits=card, live=True)
        case "end":
            return post(f"state {number}", chat=step.chat, edits=card)
        case "parts":
            return post(f"must {number} a|must {number} b", chat=step.chat)
        case _:
            return post(f"must {number}", chat=step.chat)


def _wanted(step: Step, number: int) -> list[str]:
    match step.kind:
        case "post":
            return [f"must {number}"]
        case "parts":
            return [f"must {number} a", f"must {number} b"]
        case _:
            return []


def _check_limits(world: OutboxWorld, chat: Chat, limits: list[FloodLimit]) -> None:
    calls = zip(world.channel.calls, world.channel.times, strict=True)
    times = [at for (_, chat_id, _), at in calls if chat_id == chat.chat_id]
    for limit in limits:
        for first, last in zip(times, times[limit.messages :], strict=False):
            assert last - first >= limit.seconds - 1e-5
