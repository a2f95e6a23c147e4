"""lanes: in order within one, none waits for another, and nothing is left of what is done."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

import pytest

from lanes import Lanes

Item = tuple[str, int]


class Desk:
    """Lanes whose items take until the test lets them go on."""

    def __init__(self) -> None:
        self.begun: list[Item] = []
        self.done: list[Item] = []
        self.held: dict[Item, asyncio.Event] = {}
        self.broken: set[Item] = set()
        self.lanes: Lanes[str, Item] = Lanes(self.handle)

    async def handle(self, item: Item) -> None:
        self.begun.append(item)
        if item in self.held:
            await self.held[item].wait()
        if item in self.broken:
            raise RuntimeError("no")
        self.done.append(item)

    def put(self, *items: Item) -> None:
        for item in items:
            self.lanes.put(item[0], item)

    async def until(self, is_true: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while True:
                if is_true():
                    return
                await asyncio.sleep(0)


async def test_a_lane_that_takes_long_holds_up_itself_alone() -> None:
    desk = Desk()
    desk.held[("a", 1)] = asyncio.Event()
    desk.put(("a", 1), ("a", 2), ("b", 1), ("b", 2))
    await desk.until(lambda: len(desk.done) == 2)
    assert desk.begun == [("a", 1), ("b", 1), ("b", 2)]
    desk.held[("a", 1)].set()
    await desk.until(lambda: len(desk.done) == 4)
    assert desk.done[2:] == [("a", 1), ("a", 2)]


async def test_what_fails_is_logged_and_its_lane_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    desk = Desk()
    desk.broken = {("a", 1)}
    desk.put(("a", 1), ("a", 2))
    await desk.until(lambda: not len(desk.lanes))
    assert desk.done == [("a", 2)]
    assert "its lane goes on" in caplog.text


async def test_an_empty_lane_goes_away_and_comes_back() -> None:
    desk = Desk()
    for number in range(3):
        desk.put(("a", number))
        assert len(desk.lanes) == 1
        await desk.until(lambda: not len(desk.lanes))
    assert desk.done == [("a", 0), ("a", 1), ("a", 2)]


async def test_what_is_put_while_the_last_one_is_handled_comes_after_it() -> None:
    desk = Desk()
    desk.held[("a", 1)] = asyncio.Event()
    desk.put(("a", 1))
    await desk.until(lambda: desk.begun == [("a", 1)])
    desk.put(("a", 2))
    desk.held[("a", 1)].set()
    await desk.until(lambda: not len(desk.lanes))
    assert desk.done == [("a", 1), ("a", 2)]


async def test_stopping_ends_what_is_under_way_and_begins_nothing() -> None:
    desk = Desk()
    desk.held = {("a", 1): asyncio.Event(), ("b", 1): asyncio.Event()}
    desk.put(("a", 1), ("a", 2), ("b", 1), ("b", 2))
    await desk.until(lambda: len(desk.begun) == 2)
    await desk.lanes.stop()
    assert not len(desk.lanes) and desk.done == []
    assert sorted(desk.begun) == [("a", 1), ("b", 1)]


async def test_each_lane_keeps_its_order_however_long_its_items_take() -> None:
    dice = random.Random(7)
    desk = Desk()

    async def handle(item: Item) -> None:
        for _ in range(dice.randrange(4)):
            await asyncio.sleep(0)
        desk.done.append(item)

    desk.lanes = Lanes(handle)
    for number in range(200):
        desk.put((dice.choice("abc"), number))
        if dice.random() < 0.3:
            await asyncio.sleep(0)
    await desk.until(lambda: not len(desk.lanes))
    for key in "abc":
        of_key = [number for name, number in desk.done if name == key]
        assert of_key == sorted(of_key)
    assert len(desk.done) == 200
