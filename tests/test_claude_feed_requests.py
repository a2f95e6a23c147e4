"""Hooks that wait for an answer, forks, the registry, and the feed's start and stop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import claude_feed
from core.events import PromptSubmitted
from tests.test_claude_feed import World, answer, hook_message, running
from transcript_file import read_events

ASKED = hook_message("PermissionRequest", tool_name="Bash", tool_input={"command": "ls"})
ASKED = ASKED.replace(b'"payload"', b'"request": "r1", "payload"')


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with running(tmp_path) as made:
        yield made


async def test_a_request_gets_its_answer_on_the_same_connection(world: World) -> None:
    reader, writer = await asyncio.open_unix_connection(world.socket_path)
    writer.write(ASKED)
    await world.listener.until(lambda: bool(world.listener.asked))
    world.listener.answers_to_hooks.put_nowait('{"allow": 1}')
    assert await reader.read() == b'{"allow": 1}\n'
    writer.close()
    (event,) = world.listener.asked
    assert (event.request, event.tool, event.input) == ("r1", "Bash", {"command": "ls"})


async def test_a_request_whose_hook_has_ended_is_not_waited_for(world: World) -> None:
    _, writer = await asyncio.open_unix_connection(world.socket_path)
    writer.write(ASKED)
    await world.listener.until(lambda: bool(world.listener.asked))
    writer.close()
    await world.listener.until(lambda: bool(world.listener.left))


async def test_other_hooks_are_read_while_a_request_waits(world: World) -> None:
    _, writer = await asyncio.open_unix_connection(world.socket_path)
    writer.write(ASKED)
    await world.listener.until(lambda: bool(world.listener.asked))
    await world.send(hook_message("UserPromptSubmit", prompt="hi"))
    assert any(isinstance(event, PromptSubmitted) for event in world.listener.hooks)
    writer.close()


# --- forks ------------------------------------------------------------------------------------


async def test_what_a_fork_has_copied_is_not_heard(world: World) -> None:
    def at(time: str, text: str) -> bytes:
        return answer(text)[:-2] + b',"timestamp":"2026-11-22T04:03:%sZ"}\n' % time.encode()

    world.feed.follow("s", world.path, 0)
    world.feed.follow("s", world.path, 0, since="2026-11-22T04:03:10.000123+00:00")
    world.append(at("03.115", "old") + at("09.999", "old, too") + at("16.006", "new"))
    world.feed.look()
    assert world.listener.texts() == ["new"]
    assert world.listener.ends["s"] == world.path.stat().st_size
    events = read_events(world.path, since="2026-11-22T04:03:10.000123+00:00")
    assert [event.uuid for event in events] == ["new"] * len(events)


# --- the registry, start and stop --------------------------------------------------------------


async def test_a_change_of_the_registry_is_heard(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claude_feed, "_LOOK_SECONDS", 3600.0)  # file events have to do
    for number in range(3):
        looks = world.listener.looks
        (world.registry / "7.json").write_text(str(number))
        await world.listener.until(lambda before=looks: world.listener.looks > before)  # type: ignore[misc]


async def test_a_stopped_feed_leaves_no_hook_waiting(world: World) -> None:
    reader, writer = await asyncio.open_unix_connection(world.socket_path)
    writer.write(ASKED)
    await world.listener.until(lambda: bool(world.listener.asked))
    await world.feed.stop()
    assert await reader.read() == b""
    assert world.listener.left
    writer.close()


async def test_a_feed_that_never_started_can_be_stopped(tmp_path: Path) -> None:
    await World(tmp_path).feed.stop()


async def test_following_before_the_start_is_taken_up_by_it(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.append(answer("one"))
    world.feed.follow("s", world.path, 0)
    await world.feed.start()
    world.append(answer("two"))
    await world.listener.until(lambda: len(world.listener.answers) == 2)
    await world.feed.stop()
