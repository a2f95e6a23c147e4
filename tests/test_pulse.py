"""Waiting for a condition that others make true."""

from __future__ import annotations

import asyncio

from pulse import Pulse, happens


async def test_what_is_true_already_is_not_waited_for() -> None:
    async with asyncio.timeout(5):
        assert await Pulse().until(lambda: True)
        assert await Pulse().until(lambda: True, 0)


async def test_what_never_comes_true_is_false_in_the_end() -> None:
    async with asyncio.timeout(5):
        assert not await Pulse().until(lambda: False, 0)
        assert not await Pulse().until(lambda: False, 0.01)


async def test_a_beat_wakes_everybody_who_waits() -> None:
    pulse, facts = Pulse(), list[int]()
    waiting = [asyncio.create_task(pulse.until(lambda: bool(facts))) for _ in range(10)]
    await asyncio.sleep(0)
    started = asyncio.get_running_loop().time()
    facts.append(1)
    pulse.beat()
    assert await asyncio.gather(*waiting) == [True] * 10
    assert asyncio.get_running_loop().time() - started < 0.4


async def test_a_beat_that_changed_nothing_goes_on_waiting() -> None:
    pulse, facts = Pulse(), list[int]()
    waiting = asyncio.create_task(pulse.until(lambda: len(facts) == 3, 5))
    for number in range(3):
        await asyncio.sleep(0)
        assert not waiting.done()
        facts.append(number)
        pulse.beat()
    assert await waiting


async def test_a_change_without_a_beat_is_noticed_all_the_same() -> None:
    facts: list[int] = []
    waiting = asyncio.create_task(Pulse().until(lambda: bool(facts), 5))
    await asyncio.sleep(0)
    facts.append(1)
    assert await waiting


async def test_a_condition_that_raises_raises_at_the_one_who_waits() -> None:
    def gone() -> bool:
        raise LookupError

    result = await asyncio.gather(Pulse().until(gone), return_exceptions=True)
    assert isinstance(result[0], LookupError)


async def test_a_wait_that_is_cancelled_together_with_a_beat_ends() -> None:
    pulse = Pulse()
    waiting = asyncio.create_task(pulse.until(lambda: False))
    await asyncio.sleep(0)
    pulse.beat()
    waiting.cancel()
    done, _ = await asyncio.wait({waiting}, timeout=5)
    assert done and waiting.cancelled()


async def test_an_event_happens_within_its_time_or_not() -> None:
    event = asyncio.Event()
    assert not await happens(event, 0.01)
    event.set()
    assert await happens(event, 5)
    assert await happens(event, 0)


async def test_who_is_cancelled_as_it_happens_is_cancelled() -> None:
    event = asyncio.Event()
    waiting = asyncio.create_task(happens(event, 5))
    await asyncio.sleep(0)
    event.set()
    waiting.cancel()
    await asyncio.wait({waiting})
    assert waiting.cancelled()
