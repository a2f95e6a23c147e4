"""The outbox when it is killed in any state, or its disk refuses: nothing lost, nothing twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from core.errors import FloodLimitError, NotSentError, StoreWriteError
from core.model import Attachment, Button, Chat, Post
from journal import Journal, Record
from outbox import Outbox
from outbox_records import OutboxRecords
from tests.standins.outbox_world import BOB, OutboxWorld, post, running


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[OutboxWorld]:
    async with running(tmp_path) as made:
        yield made


# --- restarts ----------------------------------------------------------------------------------


async def test_what_waits_is_sent_after_a_kill(world: OutboxWorld) -> None:
    world.answer(FloodLimitError(30))
    world.outbox.put(post("a"), post("b"), post("c", chat=BOB))
    await world.until(lambda: world.texts(BOB) == ["c"])
    await world.kill_and_start()
    await world.until_empty()
    assert world.texts() == ["a", "b"]
    assert world.texts(BOB) == ["c"]
    assert world.unknown == []


async def test_a_chat_that_may_be_shown_nothing_more_gets_nothing_of_what_waits(
    world: OutboxWorld, tmp_path: Path
) -> None:
    card = post("card", live=True)
    world.outbox.put(card, post("long", "one|two"), post("c", chat=BOB))
    world.answer(asyncio.Event())  # the first message is under way
    await world.until(lambda: ("send", 1, "one") in world.channel.calls)
    world.outbox.may_show = lambda chat: chat == BOB
    world.outbox.react(card.chat, 7, "answered")
    file = Attachment("list.txt", str(tmp_path / "list.txt"))
    world.outbox.put(post("files", attachments=(file,)), post("more"))
    await world.kill_and_start()
    world.outbox.may_show = lambda chat: chat == BOB
    world.outbox.put(post("later"), post("d", chat=BOB))
    await world.until_empty()
    assert [call for call in world.channel.calls if call[1] == 1] == [("send", 1, "one")]
    assert world.texts(BOB) == ["c", "d"]


async def test_while_nobody_can_tell_who_may_what_is_said_waits(world: OutboxWorld) -> None:
    world.outbox.may_show = lambda chat: None
    world.outbox.put(post("a"))
    await world.go_on(600)
    assert world.texts() == [] and not world.outbox.is_empty()
    world.outbox.may_show = lambda chat: True
    await world.go_on(10)
    assert world.texts() == ["a"]


@pytest.mark.parametrize("error", [NotSentError("x"), FloodLimitError(30)])
async def test_a_kill_while_the_network_is_away_loses_and_doubts_nothing(
    world: OutboxWorld, error: Exception
) -> None:
    world.answer(error)
    world.outbox.put(post("a", "1|2"))
    await world.until(lambda: len(world.clock.asked) == 1)
    await world.kill_and_start()
    await world.until_empty()
    assert world.texts() == ["1", "2"]
    assert world.unknown == []


async def test_a_kill_in_the_middle_of_sending_leaves_a_doubt_and_no_double(
    world: OutboxWorld,
) -> None:
    world.answer(asyncio.Event())
    world.outbox.put(post("a"), post("b"))
    await world.until(lambda: len(world.channel.calls) == 1)
    await world.kill_and_start()
    await world.until_empty()
    assert world.texts() == ["b"]
    assert world.unknown == ["a"]


async def test_a_post_that_comes_before_the_start_does_not_send_the_doubtful_one(
    world: OutboxWorld,
) -> None:
    world.answer(asyncio.Event())
    world.outbox.put(post("a"))
    await world.until(lambda: len(world.channel.calls) == 1)
    old, world.outbox = world.outbox, world.make()
    await old.stop(patience=0)
    world.outbox.put(post("b"))
    for _ in range(20):
        await asyncio.sleep(0)
    world.outbox.start("fake")
    await world.until_empty()
    assert world.texts() == ["b"]
    assert world.unknown == ["a"]


async def test_a_stop_lets_what_is_on_its_way_arrive(world: OutboxWorld) -> None:
    world.answer(gate := asyncio.Event())
    world.outbox.put(post("a", "1|2"), post("b"))
    await world.until(lambda: len(world.channel.calls) == 1)
    stopping = asyncio.create_task(world.outbox.stop())
    await world.settle()
    assert not stopping.done()
    gate.set()
    await stopping
    assert world.texts() == ["1"]
    world.outbox = world.make()
    world.outbox.start("fake")
    await world.until_empty()
    assert world.texts() == ["1", "2", "b"]
    assert world.unknown == []


async def test_a_stop_waits_for_no_pause_and_not_for_ever(world: OutboxWorld) -> None:
    world.answer(FloodLimitError(30))
    world.answer(asyncio.Event(), chat=BOB)
    world.outbox.put(post("a"), post("b", chat=BOB))
    await world.until(lambda: world.clock.asked == [30])
    await world.outbox.stop(patience=0.01)
    world.outbox = world.make()
    world.outbox.start("fake")
    await world.until_empty()
    assert world.texts() == ["a"]
    assert world.unknown == ["b"]


async def test_a_kill_between_two_pieces_goes_on_with_the_second(world: OutboxWorld) -> None:
    world.outbox.put(post("a", "1"))
    await world.until_empty()
    world.answer(NotSentError("x"))
    world.channel.answers[1].appendleft(done := asyncio.Event())
    done.set()
    world.outbox.put(post("b", "2|3"))
    await world.until(lambda: len(world.clock.asked) == 1)
    await world.kill_and_start()
    await world.until_empty()
    assert world.texts() == ["1", "2", "3"]


async def test_a_kill_in_the_middle_of_an_edit_makes_it_again(world: OutboxWorld) -> None:
    world.outbox.put(post("a"))
    await world.until_empty()
    world.answer(asyncio.Event())
    world.outbox.put(post("e", edits="a"))
    await world.until(lambda: len(world.channel.calls) == 2)
    await world.kill_and_start()
    await world.until_empty()
    assert world.texts() == ["e"]
    assert world.unknown == []


async def test_what_was_shown_is_known_after_the_file_was_rewritten(world: OutboxWorld) -> None:
    world.outbox.put(post("a", "1|2"))
    await world.until_empty()
    for _ in range(3):
        await world.kill_and_start()
        world.outbox.put(post("a"), post(f"b{_}"))
        await world.until_empty()
    assert world.texts() == ["1", "2", "b0", "b1", "b2"]
    assert world.outbox.find_message("a") == 1


async def test_records_of_an_unknown_kind_cost_nothing_else(tmp_path: Path) -> None:
    strange: list[Record] = [
        {"t": "put", "post": {"key": 1}},
        {"t": "sent"},
        {"t": "hologram"},
        {"x": 1},
    ]
    Journal(tmp_path / "outbox.journal", list).append(*strange)
    async with running(tmp_path) as world:
        world.outbox.put(post("a"))
        await world.until_empty()
        assert world.texts() == ["a"]


# --- a disk that refuses -----------------------------------------------------------------------


@pytest.mark.parametrize("call", ["write", "fsync"])
async def test_a_refusing_disk_takes_no_post(world: OutboxWorld, call: str) -> None:
    world.outbox.put(post("a"))
    await world.until_empty()
    world.system.refuses = call
    with pytest.raises(StoreWriteError):
        world.outbox.put(post("b"))
    for _ in range(20):
        await asyncio.sleep(0)
    assert world.texts() == ["a"]
    world.system.refuses = ""
    world.outbox.put(post("b"))
    await world.until_empty()
    assert world.texts() == ["a", "b"]


async def test_what_is_under_way_goes_on_while_the_disk_refuses(world: OutboxWorld) -> None:
    gate = asyncio.Event()
    world.answer(gate)
    world.outbox.put(post("a", "1|2"), post("b"))
    await world.until(lambda: len(world.channel.calls) == 1)
    world.system.refuses = "write"
    gate.set()
    await world.until_empty()
    assert world.texts() == ["1", "2", "b"]
    world.system.refuses = ""
    world.outbox.put(post("c"))
    await world.until_empty()
    await world.kill_and_start()
    await world.until_empty()
    assert world.texts() == ["1", "2", "b", "c"]
    assert world.unknown == []


async def test_a_question_that_cannot_be_kept_holds_up_no_start(world: OutboxWorld) -> None:
    def refuse(post: Post) -> None:
        raise StoreWriteError("the disk is full")

    world.answer(asyncio.Event())
    world.outbox.put(post("a"), post("b"))
    await world.until(lambda: len(world.channel.calls) == 1)
    old, world.outbox = world.outbox, world.make()
    await old.stop(patience=0)
    world.outbox.on_unknown = refuse
    world.outbox.start("fake")
    await world.until_empty()
    assert world.texts() == ["b"]


async def test_half_of_an_emoji_is_taken_and_kept(world: OutboxWorld) -> None:
    world.answer(FloodLimitError(30))
    world.outbox.put(post("a", "cut \ud83d"))
    await world.until(lambda: world.clock.asked == [30])
    await world.kill_and_start()
    await world.until_empty()
    assert world.texts() == ["cut \ufffd"]


def test_a_posts_every_field_lives_through_a_restart(tmp_path: Path) -> None:
    whole = replace(
        post("a", "x", Chat("fake", 1, 9)),
        style="screen",
        silent=True,
        keyboard=((Button("OK", "id"),),),
        details="more",
        attachments=(Attachment("a.png", "/a.png", "photo"), Attachment("b.diff", text="+")),
    )
    Outbox(tmp_path, {}).put(whole)
    assert OutboxRecords(tmp_path).waiting["a"].post == whole


async def test_a_kill_between_two_files_goes_on_with_the_second(world: OutboxWorld) -> None:
    done = asyncio.Event()
    done.set()
    world.answer(done, done, NotSentError("x"))
    files = (Attachment("a.txt", "/a"), Attachment("b.txt", "/b"))
    world.outbox.put(post("p", "two files", attachments=files))
    await world.until(lambda: len(world.clock.asked) == 1)
    await world.kill_and_start()
    await world.until_empty()
    assert world.texts() == ["two files", "a.txt", "b.txt"]
    assert world.unknown == []


def test_secrets_are_masked_wherever_a_post_has_words(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path, {}, redact=lambda text: text.replace("secret", "[masked]"))
    file = Attachment("secret.txt", "/secret", text="a secret")
    keyboard = ((Button("Always: secret", "secret"),),)
    outbox.put(post("a", "secret", details="x\nsecret", attachments=(file,), keyboard=keyboard))
    kept = OutboxRecords(tmp_path).waiting["a"].post
    assert kept.keyboard == ((Button("Always: [masked]", "secret"),),)
    assert (kept.text, kept.details) == ("[masked]", "x\n[masked]")
    assert kept.attachments == (Attachment("[masked].txt", "/secret", text="a [masked]"),)


def test_a_piece_with_which_the_journal_begins_anew_was_sent_once(tmp_path: Path) -> None:
    """Counted twice, the piece behind it would never be sent."""
    records = OutboxRecords(tmp_path)
    records.put([post("a", "one|two")])
    records.note_sending(records.waiting["a"])
    records.close()
    records.note_sent(records.waiting["a"], 5)
    assert OutboxRecords(tmp_path).waiting["a"].messages == [5]
