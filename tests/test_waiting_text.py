"""Texts that an app has cut, on their way to a prompt: one again, each once, in order."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from core.model import Person, TextSent
from inbox import Arrival
from tests.standins.watched_system import RefusingSystem
from tests.test_uploads import ADA, CHAT, Crash, CrashingSystem, Desk, photo

FULL = "x" * 4096
PARTS = (FULL, "y" * 4096, "the end")
FOR_EVER = 3600.0


def text(number: int, words: str, **facts: object) -> TextSent:
    message = TextSent(CHAT, ADA, number, words, sent_at=5.0)
    return replace(message, **facts)  # type: ignore[arg-type]


def say(desk: Desk, *messages: TextSent) -> None:
    for message in messages:
        (entry,) = desk.inbox.receive([Arrival(f"key{message.message_id}", "fake", {})])
        desk.hear(entry, message)


def say_parts(desk: Desk, parts: Sequence[str] = PARTS, first: int = 1) -> None:
    say(desk, *(text(number, part) for number, part in enumerate(parts, first)))


# --- one prompt ----------------------------------------------------------------------------------


async def test_the_parts_of_a_text_are_one_prompt(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    say_parts(desk)
    await desk.until_done()
    assert desk.prompts() == ["".join(PARTS)]
    (entry,) = desk.inbox.pending()
    assert [arrival.key for arrival in entry.arrivals] == ["key1", "key2", "key3"]


async def test_a_short_text_waits_for_nothing(tmp_path: Path) -> None:
    desk = Desk(tmp_path, text_seconds=FOR_EVER)
    say_parts(desk, ["hello", "again"])
    assert desk.prompts() == ["hello", "again"]


async def test_a_long_text_that_is_all_goes_when_no_more_has_come(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    say_parts(desk, [FULL])
    assert desk.prompts() == []
    await desk.until_done()
    assert desk.prompts() == [FULL]


async def test_a_channel_that_cuts_no_texts_waits_for_nothing(tmp_path: Path) -> None:
    desk = Desk(tmp_path, text_seconds=FOR_EVER)
    desk.phone.cuts_texts = False
    say_parts(desk, [FULL, "more"])
    assert desk.prompts() == [FULL, "more"]


async def test_a_part_that_comes_too_late_is_a_prompt_of_its_own(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    say_parts(desk, [FULL])
    await desk.until_done()
    say_parts(desk, ["the end"], first=2)
    assert desk.prompts() == [FULL, "the end"]


async def test_a_forwarded_text_is_one_quotation(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    parts = ["one two\n" * 400, "/stop"]
    say(desk, *(text(n, part, forwarded_from="Mallory") for n, part in enumerate(parts, 1)))
    await desk.until_done()
    (prompt,) = desk.prompts()
    assert prompt.splitlines()[0] == "[Forwarded from Mallory]"
    assert prompt.splitlines()[-2:] == ["> one two", "> /stop"]


async def test_in_a_group_the_speaker_is_named_once(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    say(desk, *(text(n, part, is_private=False) for n, part in enumerate(PARTS, 1)))
    await desk.until_done()
    assert desk.prompts() == [f"Ada: {''.join(PARTS)}"]


# --- order ---------------------------------------------------------------------------------------


async def test_what_the_person_does_next_has_the_text_given_at_once(tmp_path: Path) -> None:
    desk = Desk(tmp_path, text_seconds=FOR_EVER)
    say_parts(desk, PARTS[:2])
    await desk.uploads.end_text(CHAT, ADA.user_id)
    assert desk.prompts() == ["".join(PARTS[:2])]
    await desk.uploads.end_text(CHAT, ADA.user_id)  # there is none any more


async def test_all_texts_whose_turn_has_come_are_given_at_once(tmp_path: Path) -> None:
    desk = Desk(tmp_path, text_seconds=FOR_EVER)
    say_parts(desk, [FULL])
    say(desk, text(2, "another", sent_at=60.0), text(3, FULL, sent_at=90.0))
    await desk.uploads.end_text(CHAT, ADA.user_id)
    assert desk.prompts() == [FULL, "another", FULL]


async def test_what_another_person_says_between_the_parts_comes_after_them(tmp_path: Path) -> None:
    desk = Desk(tmp_path, text_seconds=FOR_EVER)
    say_parts(desk, [FULL])
    bob = text(2, "hello", person=Person(2, "Bob"))
    say(desk, bob)
    await desk.uploads.end_text(CHAT, bob.person.user_id)
    say_parts(desk, ["the end"], first=3)
    await desk.uploads.end_text(CHAT, ADA.user_id)
    await desk.until_done()
    assert desk.prompts() == [f"{FULL}the end", "hello"]


async def test_a_text_in_parts_waits_for_the_photo_before_it(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    held = asyncio.Event()
    desk.phone.troubles = [held]
    desk.send(photo(1, "see"))
    say_parts(desk, first=2)
    await desk.until(lambda: desk.phone.downloads == ["file1"])
    await desk.uploads.end_text(CHAT, ADA.user_id)  # its turn has not come
    assert desk.prompts() == []
    held.set()
    await desk.until_done()
    assert [prompt.split("\n")[0] for prompt in desk.prompts()] == ["see", "".join(PARTS)]


# --- refused -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ([FULL] * 4, "has 16,384 characters in 1 lines, and at most 16,000 in 500"),
        (["a\n" * 1400 + "a", "end"], "characters in 1,402 lines, and at most 16,000 in 500"),
    ],
)
async def test_what_is_too_long_in_all_is_refused_in_one_sentence_and_not_given_in_part(
    tmp_path: Path, parts: list[str], reason: str
) -> None:
    desk = Desk(tmp_path)
    say_parts(desk, parts)
    await desk.until_done()
    (said,) = desk.said()
    assert reason in said
    assert desk.prompts() == [] and desk.inbox.pending() == []


async def test_who_is_removed_while_the_text_waits_gives_no_prompt(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    say_parts(desk)
    desk.removed.add(ADA.user_id)
    await desk.until_done()
    say_parts(desk, ["short"], first=9)
    assert desk.prompts() == [] and desk.inbox.pending() == []


# --- edited --------------------------------------------------------------------------------------


async def test_each_part_can_be_edited_while_it_waits(tmp_path: Path) -> None:
    desk = Desk(tmp_path, text_seconds=FOR_EVER)
    say_parts(desk)
    assert [desk.uploads.place_of(f"key{number}") for number in (1, 2, 3, 4)] == [0, 1, 2, None]
    assert desk.rewrite("key2", "changed ")
    await desk.uploads.end_text(CHAT, ADA.user_id)
    assert desk.prompts() == [f"{FULL}changed the end"]
    (entry,) = desk.inbox.pending()
    assert entry.words == {"key2": "changed "}


async def test_an_edit_lives_through_a_crash(tmp_path: Path) -> None:
    desk = Desk(tmp_path, text_seconds=FOR_EVER)
    say_parts(desk)
    assert desk.rewrite("key3", " changed")
    await desk.uploads.stop()
    desk.close()
    assert await Desk(tmp_path).live([text(n, part) for n, part in enumerate(PARTS, 1)]) == [
        f"{PARTS[0]}{PARTS[1]} changed"
    ]


# --- trouble -------------------------------------------------------------------------------------


async def test_parts_before_and_after_a_restart_are_one_prompt(tmp_path: Path) -> None:
    desk = Desk(tmp_path, text_seconds=FOR_EVER)
    say_parts(desk, PARTS[:1])
    await desk.uploads.stop()
    desk.close()
    desk = Desk(tmp_path, text_seconds=FOR_EVER)
    (entry,) = desk.inbox.pending()
    desk.hear(entry, text(1, PARTS[0]))
    say_parts(desk, PARTS[1:], first=2)
    await desk.uploads.end_text(CHAT, ADA.user_id)
    assert desk.prompts() == ["".join(PARTS)]
    desk.close()


@pytest.mark.parametrize("after", [False, True])
async def test_a_crash_at_any_write_neither_loses_nor_repeats_a_part(
    tmp_path: Path, after: bool
) -> None:
    """The updates have arrived; then it is killed at the first write, at the second one, …"""
    messages = [text(n, part) for n, part in enumerate(PARTS, 1)]
    messages.append(text(4, "next", sent_at=60.0))
    at = 0
    while True:
        at += 1
        folder = tmp_path / str(at)
        folder.mkdir()
        seed = Desk(folder)
        for message in messages:
            seed.inbox.receive([Arrival(f"key{message.message_id}", "fake", {})])
        seed.close()
        try:
            await Desk(folder, system=CrashingSystem(at, after=after)).live(messages)
            break  # it had less than that to write
        except Crash:
            pass
        assert await Desk(folder).live(messages) == ["".join(PARTS), "next"]
    assert at > 5


async def test_a_full_disk_is_waited_for_and_no_part_is_forgotten(tmp_path: Path) -> None:
    system = RefusingSystem()
    desk = Desk(tmp_path, system=system)
    say_parts(desk)
    system.refuses = "write"
    await desk.until(lambda: 5.0 in desk.slept)
    system.refuses = ""
    await desk.until_done()
    assert desk.prompts() == ["".join(PARTS)]
    assert desk.said() == []
