"""The outbox: order, identity, edits, and all that goes wrong on the way to a chat."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from core.errors import (
    ChannelRefusedError,
    ChatUnreachableError,
    FloodLimitError,
    MarkupRefusedError,
    MessageRefusedError,
    NotSentError,
    OutcomeUnknownError,
    TopicClosedError,
    TopicGoneError,
)
from core.model import Chat
from tests.standins.outbox_world import ANN, BOB, OutboxWorld, post, running


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[OutboxWorld]:
    async with running(tmp_path) as made:
        yield made


# --- order and identity ------------------------------------------------------------------------


async def test_posts_are_shown_in_order(world: OutboxWorld) -> None:
    world.outbox.put(*(post(str(number)) for number in range(20)))
    world.outbox.put(post("last"))
    await world.until_empty()
    assert world.texts() == [*map(str, range(20)), "last"]


async def test_a_key_is_shown_once(world: OutboxWorld) -> None:
    world.outbox.put(post("a", "first"), post("a", "second"), post("b"))
    world.outbox.put(post("a", "third"))
    await world.until_empty()
    world.outbox.put(post("a", "fourth"))
    await world.until_empty()
    assert len(world.texts()) == 2
    await world.kill_and_start()
    world.outbox.put(post("a", "fifth"), post("b"))
    await world.until_empty()
    assert len(world.texts()) == 2


async def test_a_post_in_pieces_is_shown_whole_and_not_mixed(world: OutboxWorld) -> None:
    world.outbox.put(post("a", "1|2|3"), post("b", "4|5"))
    await world.until_empty()
    assert world.texts() == ["1", "2", "3", "4", "5"]
    assert world.outbox.find_message("a") == 1
    assert world.outbox.find_message("b") == 4
    assert world.outbox.find_message("c") is None


async def test_nothing_is_sent_before_the_start(tmp_path: Path) -> None:
    """The start settles first what a crash left; a lane opened before would send that again."""
    world = OutboxWorld(tmp_path)
    world.outbox.put(post("early"))
    for _ in range(20):
        await asyncio.sleep(0)
    assert world.channel.calls == []
    world.outbox.start("fake")
    await world.until_empty()
    assert world.texts() == ["early"]
    await world.outbox.stop()


async def test_a_post_that_breaks_holds_up_no_other(world: OutboxWorld) -> None:
    world.outbox.put(post("b", "breaks"), post("c"))
    await world.until_empty()
    assert world.texts() == ["c"]


async def test_what_is_for_a_channel_that_is_off_waits_and_holds_up_no_other(
    world: OutboxWorld,
) -> None:
    world.outbox.put(post("a", chat=Chat("pigeon", 1)), post("c"))
    await world.until(lambda: world.texts() == ["c"])
    await world.settle()
    assert world.outbox.knows("a")
    assert not world.outbox.is_empty()


async def test_who_answers_a_message_at_once_finds_that_it_was_sent(world: OutboxWorld) -> None:
    arriving, second = asyncio.Event(), asyncio.Event()
    world.answer(arriving, second)
    world.outbox.put(post("a", "1|2"))
    await world.until(lambda: bool(world.channel.calls))
    answering = asyncio.create_task(world.outbox.until_at_rest(Chat("fake", 1)))
    await world.settle()
    assert not answering.done()
    arriving.set()
    await answering
    assert world.outbox.messages_of("a") == [1]  # though its second message is still to come
    second.set()
    await world.until_empty()
    await world.outbox.until_at_rest(Chat("fake", 1))
    assert world.outbox.messages_of("a") == [1, 2]


# --- what goes wrong on the way ----------------------------------------------------------------


async def test_a_flood_limit_on_one_chat_does_not_delay_another(world: OutboxWorld) -> None:
    world.answer(FloodLimitError(30))
    world.outbox.put(post("a1"), post("b1", chat=BOB), post("a2"), post("b2", chat=BOB))
    await world.until(lambda: world.texts(BOB) == ["b1", "b2"])
    assert world.texts() == []
    assert world.clock.asked == [30]
    world.clock.ring()
    await world.until_empty()
    assert world.texts() == ["a1", "a2"]


@pytest.mark.parametrize("error", [NotSentError("x"), ChannelRefusedError("x"), FloodLimitError(3)])
async def test_what_surely_did_not_leave_is_sent_until_it_does(
    world: OutboxWorld, error: Exception
) -> None:
    world.answer(error, error, error)
    world.outbox.put(post("a"), post("b"))
    for number in range(1, 4):
        await world.until(lambda expected=number: len(world.clock.asked) == expected)  # type: ignore[misc]
        world.clock.ring()
    await world.until_empty()
    assert world.texts() == ["a", "b"]


async def test_pauses_grow_and_have_an_end(world: OutboxWorld) -> None:
    world.answer(*[NotSentError("x")] * 9)
    world.outbox.put(post("a"))
    for number in range(1, 10):
        await world.until(lambda expected=number: len(world.clock.asked) == expected)  # type: ignore[misc]
        world.clock.ring()
    await world.until_empty()
    assert world.clock.asked == [1, 2, 4, 8, 16, 32, 60, 60, 60]


async def test_what_may_have_arrived_is_not_sent_again_but_asked_about(world: OutboxWorld) -> None:
    world.answer(OutcomeUnknownError("no answer"))
    world.outbox.put(post("a"), post("b"))
    await world.until_empty()
    assert world.texts() == ["b"]
    assert world.unknown == ["a"]
    assert world.outbox.again("a")
    await world.until_empty()
    assert world.texts() == ["b", "a"]
    assert not world.outbox.again("a")
    assert not world.outbox.again("never")


async def test_what_may_have_arrived_can_be_sent_again_after_a_restart(world: OutboxWorld) -> None:
    world.answer(OutcomeUnknownError("no answer"))
    world.outbox.put(post("a"))
    await world.until_empty()
    await world.kill_and_start()
    assert world.outbox.again("a")
    await world.until_empty()
    assert world.texts() == ["a"]


@pytest.mark.parametrize("error", [MessageRefusedError("x"), ChatUnreachableError("x")])
async def test_what_is_refused_for_good_holds_up_no_other(
    world: OutboxWorld, error: Exception
) -> None:
    world.answer(error)
    world.outbox.put(post("a"), post("b"))
    await world.until_empty()
    assert world.texts() == ["b"]
    assert world.unknown == []


_CLOSED = "This was for a topic that is closed:"


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        (TopicGoneError("x"), ["This was for a topic that is gone:", "a", "b"]),
        (
            TopicClosedError("x"),
            [
                *("This was for a topic that is closed:", "a"),
                *("This was for a topic that is closed:", "b"),
            ],
        ),
        (ChatUnreachableError("x"), []),
    ],
)
async def test_what_a_topic_can_not_take_goes_to_its_chat_if_that_is_there(
    world: OutboxWorld, error: ChatUnreachableError, shown: list[str]
) -> None:
    heard: list[tuple[Chat, ChatUnreachableError]] = []
    world.outbox.on_gone = lambda chat, error: heard.append((chat, error))
    topic = replace(ANN, topic=7)
    world.answer(error)
    world.outbox.put(post("a", chat=topic))
    await world.until_empty()
    world.answer(error)
    world.outbox.put(post("b", chat=topic))
    await world.until_empty()
    assert world.texts() == shown
    assert heard == [(topic, error)] * 2


async def test_markup_that_is_refused_goes_out_as_plain_text(world: OutboxWorld) -> None:
    world.answer(MarkupRefusedError("x"))
    world.outbox.put(post("a", style="markdown"))
    await world.until_empty()
    assert world.texts() == ["a"]
    assert len(world.channel.calls) == 2


async def test_plain_text_whose_markup_is_refused_is_refused(world: OutboxWorld) -> None:
    world.answer(*[MarkupRefusedError("x")] * 5)
    world.outbox.put(post("a"), post("b", style="markdown"))
    await world.until_empty()
    assert len(world.channel.calls) == 3


# --- edits -------------------------------------------------------------------------------------


async def test_an_edit_takes_the_place_of_its_post(world: OutboxWorld) -> None:
    world.outbox.put(post("a"), post("b"))
    world.outbox.put(post("a2", "changed", edits="a"))
    await world.until_empty()
    assert world.texts() == ["changed", "b"]


@pytest.mark.parametrize("is_live", [False, True])
async def test_an_edit_goes_where_its_post_is_also_after_a_restart(
    world: OutboxWorld, is_live: bool
) -> None:
    world.outbox.put(post("a", live=is_live))
    await world.until_empty()
    world.outbox.put(post("b", chat=BOB, edits="a"))
    await world.until_empty()
    assert (world.texts(), world.texts(BOB)) == (["b"], [])
    await world.kill_and_start()
    world.outbox.put(post("c", chat=BOB, edits="a"))
    await world.until_empty()
    assert (world.texts(), world.texts(BOB)) == (["c"], [])


async def test_only_the_newest_of_the_edits_that_wait_is_made(world: OutboxWorld) -> None:
    gate = asyncio.Event()
    world.answer(gate)
    world.outbox.put(post("a"))
    await world.until(lambda: len(world.channel.calls) == 1)
    for number in range(5):
        world.outbox.put(post(f"e{number}", edits="a"))
    world.outbox.put(post("e5", edits="a"), post("e6", edits="a"), post("other"))
    gate.set()
    await world.until_empty()
    assert world.texts() == ["e6", "other"]
    assert [call for call, _, _ in world.channel.calls] == ["send", "edit", "send"]


async def test_an_edit_that_is_held_up_gives_way_to_a_newer_one(world: OutboxWorld) -> None:
    world.outbox.put(post("a"))
    await world.until_empty()
    world.answer(FloodLimitError(30))
    world.outbox.put(post("e1", edits="a"))
    await world.until(lambda: world.clock.asked == [30])
    world.outbox.put(post("e2", edits="a"))
    world.clock.ring()
    await world.until_empty()
    assert [text for _, _, text in world.channel.calls] == ["a", "e1", "e2"]
    assert world.texts() == ["e2"]


async def test_an_answer_never_gives_way_to_an_edit(world: OutboxWorld) -> None:
    world.answer(NotSentError("x"))
    world.outbox.put(post("a"), post("e", edits="a"))
    await world.until(lambda: len(world.clock.asked) == 1)
    world.clock.ring()
    await world.until_empty()
    assert [text for _, _, text in world.channel.calls] == ["a", "a", "e"]


async def test_an_edit_whose_outcome_is_unknown_is_made_again(world: OutboxWorld) -> None:
    world.outbox.put(post("a"))
    await world.until_empty()
    world.answer(OutcomeUnknownError("x"))
    world.outbox.put(post("e", edits="a"))
    await world.until(lambda: len(world.clock.asked) == 1)
    world.clock.ring()
    await world.until_empty()
    assert world.texts() == ["e"]
    assert world.unknown == []


async def test_an_edit_that_outgrows_its_message_goes_on_in_new_ones(world: OutboxWorld) -> None:
    world.outbox.put(post("a", "1"))
    world.outbox.put(post("e1", "1|2", edits="a"))
    await world.until_empty()
    assert world.texts() == ["1", "2"]
    world.outbox.put(post("e2", "one|two|three", edits="a"))
    await world.until_empty()
    assert world.texts() == ["one", "two", "three"]
    await world.kill_and_start()
    world.outbox.put(post("e3", "ONE|TWO|THREE", edits="a"))
    await world.until_empty()
    assert world.texts() == ["ONE", "TWO", "THREE"]


async def test_an_edit_of_what_was_never_shown_is_a_message(world: OutboxWorld) -> None:
    world.answer(MessageRefusedError("x"))
    world.outbox.put(post("a"), post("e", edits="a"))
    await world.until_empty()
    assert world.texts() == ["e"]


async def test_an_edit_that_needs_less_room_deletes_the_rest(world: OutboxWorld) -> None:
    world.outbox.put(post("a", "1|2|3"), post("b"))
    world.outbox.put(post("e1", "one", edits="a"))
    await world.until_empty()
    assert world.texts() == ["one", "b"]
    assert world.channel.deleted == {(1, 3), (1, 2)}
    world.outbox.put(post("e2", "uno|due", edits="a"))
    await world.until_empty()
    assert world.texts() == ["uno", "b", "due"]


@pytest.mark.parametrize("error", [MessageRefusedError("x"), ChatUnreachableError("x")])
async def test_a_message_that_cannot_be_deleted_holds_up_nothing(
    world: OutboxWorld, error: Exception
) -> None:
    world.outbox.put(post("a", "1|2"))
    await world.until_empty()
    world.answer(done := asyncio.Event(), error)
    done.set()
    world.outbox.put(post("e1", "one", edits="a"), post("b"))
    await world.until_empty()
    assert world.texts() == ["one", "2", "b"]


@pytest.mark.parametrize("error", [NotSentError("x"), OutcomeUnknownError("x"), FloodLimitError(3)])
async def test_deleting_is_tried_until_it_is_certain(world: OutboxWorld, error: Exception) -> None:
    world.outbox.put(post("a", "1|2|3"))
    await world.until_empty()
    world.answer(done := asyncio.Event(), error)
    done.set()
    world.outbox.put(post("e1", "one", edits="a"))
    await world.until(lambda: len(world.clock.asked) == 1)
    await world.kill_and_start()
    await world.until_empty()
    assert world.texts() == ["one"]
    assert world.unknown == []
