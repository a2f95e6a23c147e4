"""Hooks that wait for an answer, at the feed's real socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from core.model import PromptSubmitted
from tests.test_claude_feed import World, hook_message, running

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
