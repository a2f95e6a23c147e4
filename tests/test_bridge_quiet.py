"""What makes a sound on the phone, and what does not, from end to end."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from buttons import Buttons
from chat_settings import ChatSettings
from core.model import Piece
from quiet_hours import QuietHours
from tests.standins.outbox_world import ANN, BOB, OutboxWorld, post, running
from tests.world import World


def test_in_quiet_time_an_answer_makes_no_sound(world: World) -> None:
    world.start_bridge()
    assert not world.ask("hello", "Echo: hello").is_silent
    assert world.ask("/quiet on", "Quiet: on").is_silent
    world.kill_bridge()
    world.start_bridge()
    assert world.ask("again", "Echo: again").is_silent
    assert "Quiet: on" in world.ask("/status", "Session:").text
    world.ask("/quiet off", "Quiet: off")
    assert not world.ask("once more", "Echo: once more").is_silent


def test_what_answers_a_command_makes_no_sound(world: World) -> None:
    world.start_bridge()
    for command, shown in (
        ("/queue", "Nothing waits."),
        ("/stop", "Claude is not doing anything."),
        ("/cost", "No session yet"),
        ("/commands", "No session yet"),
        ("/help", "Claude Code on your machine"),
        ("/sessions", "No session yet"),
        ("/mode", "Mode"),
        ("/mode plan", "plan"),
    ):
        assert world.ask(command, shown).is_silent
    world.ask("hello", "Echo: hello")
    assert world.ask("/status", "Session:").is_silent


def test_a_failure_makes_a_sound(world: World) -> None:
    world.start_bridge()
    assert not world.ask("fail 400", "⚠️").is_silent


def test_a_button_sets_the_hours_anew_when_an_owner_hears_that_they_are_lost(world: World) -> None:
    folder = world.state / "bridge"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "chat_settings.json").write_bytes(b'{"')
    world.start_bridge()
    world.reads("chat_settings.json was damaged")
    asked = world.ask("/quiet", "Quiet: off")
    assert asked.labels == ["off", "on", "22-7"]
    world.telegram.press(world.chat, world.user, asked.message_id, "22-7")
    assert world.reads("from 22:00 to 07:00").message_id == asked.message_id


def test_hours_that_are_none_are_explained(world: World) -> None:
    world.start_bridge()
    world.ask("/quiet soon", "/quiet 22-7")


@pytest.mark.parametrize(("hour", "is_silent"), [(23, True), (12, False)])
async def test_the_time_at_which_a_message_is_sent_counts(
    tmp_path: Path, hour: int, *, is_silent: bool
) -> None:
    now = [datetime(2026, 1, 1, 12, tzinfo=UTC)]
    settings = ChatSettings(tmp_path)
    async with running(tmp_path) as world:
        quiet = QuietHours(settings, world.outbox, Buttons(tmp_path), now=lambda: now[0])
        await quiet.run(ANN, "22-7", 7)
        await world.settle()
        sounds = _listen(world)
        world.outbox.is_quiet = quiet.is_quiet
        now[0] = now[0].replace(hour=hour)
        world.outbox.put(post("a"), post("b", chat=BOB))
        await world.settle()
    assert sorted(sounds) == [("a", is_silent), ("b", False)]


def _listen(world: OutboxWorld) -> list[tuple[str, bool]]:
    """The messages that are sent from now on, and whether each is silent."""
    heard: list[tuple[str, bool]] = []
    send = world.channel.send

    async def listen(piece: Piece) -> int:
        heard.append((piece.text, piece.post.silent))
        return await send(piece)

    world.channel.send = listen  # type: ignore[method-assign]
    return heard
