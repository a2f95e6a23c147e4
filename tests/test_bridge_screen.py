"""The terminal in the chat, end to end: its picture, and keys pressed below it."""

from __future__ import annotations

import io

from PIL import Image

from tests.standins.telegram_state import Message
from tests.world import World, wait_until


def size_of(picture: bytes) -> tuple[int, int]:
    with Image.open(io.BytesIO(picture)) as image:
        assert image.format == "PNG"
        return image.size


def ask_for_screen(world: World) -> Message:
    after = world.say("/screen")
    found: Message = wait_until(
        lambda: next((m for m in shown(world) if m.message_id > after and m.media), None),
        "a picture is shown",
    )
    return found


def shown(world: World) -> list[Message]:
    return list(world.telegram.messages(world.chat, from_bot=True))


def press(world: World, message: Message, label: str) -> None:
    world.telegram.press(world.chat, world.user, message.message_id, label)


def now(world: World, message: Message) -> Message:
    return world.telegram.message(world.chat, message.message_id)


def test_the_screen_is_a_picture_that_can_be_made_afresh(world: World) -> None:
    world.start_bridge()
    world.ask("hello", "Echo")
    message = ask_for_screen(world)
    assert message.media is not None and message.media.kind == "photo"
    before = message.data
    width, height = size_of(before or b"")
    assert width + height < 10_000
    world.ask("another", "Echo: another")
    press(world, message, "🔄 Refresh")
    wait_until(lambda: now(world, message).data != before, "the picture changes")
    press(world, message, "Full size")
    files = wait_until(
        lambda: [m for m in shown(world) if m.media and m.media.kind == "document"], "the file"
    )
    assert size_of(files[0].data)[0] > 1000


def draw_draft(world: World, text: str) -> bytes:
    """A person at the terminal replaces what stands in the input box; how that line is drawn."""
    world.tmux("send-keys", "-t", panes(world)[0], "C-u")
    world.tmux("send-keys", "-t", panes(world)[0], "-l", text)
    line = f"❯\xa0{text}"
    wait_until(lambda: line in world.screen().splitlines(), "it stands in the box")
    row = world.screen().splitlines().index(line)
    with Image.open(io.BytesIO(ask_for_screen(world).data or b"")) as image:
        height = (image.height - 48) // 40  # the terminal has 40 rows, the picture a margin
        return image.crop((0, 24 + row * height, image.width, 24 + (row + 1) * height)).tobytes()


def test_secrets_are_masked_in_the_picture(world: World) -> None:
    """So two of them look alike."""
    first, second = (f"ghp_{part * 9}" for part in ("a1B2", "c3D4"))
    world.start_bridge()
    world.ask("hello", "Echo")
    world.wait_for_process("idle")
    drawn = draw_draft(world, first)
    assert draw_draft(world, second) == drawn
    assert draw_draft(world, second.replace("_", "-")) != drawn


def test_a_key_below_the_screen_is_pressed_in_the_terminal(world: World) -> None:
    world.start_bridge()
    world.ask("hello", "Echo")
    world.wait_for_process("idle")
    world.tmux("send-keys", "-t", panes(world)[0], "-l", "half a text")
    wait_until(lambda: "half a text" in world.screen(), "it is typed")
    message = ask_for_screen(world)
    before = message.data
    press(world, message, "1")
    wait_until(lambda: "❯\xa0half a text1" in world.screen(), "it is pressed")
    wait_until(lambda: now(world, message).data != before, "the picture changes")


def test_no_key_is_pressed_in_a_screen_that_the_person_has_not_seen(world: World) -> None:
    world.start_bridge()
    world.ask("hello", "Echo")
    world.wait_for_process("idle")
    message = ask_for_screen(world)
    before = message.data
    world.tmux("send-keys", "-t", panes(world)[0], "-l", "new words here")
    wait_until(lambda: "new words" in world.screen(), "it is typed")
    press(world, message, "Enter ⏎")
    wait_until(lambda: now(world, message).data != before, "the new screen is shown")
    assert "new words here" not in [t.user_texts[-1] for t in world.model.turns if t.user_texts]
    press(world, message, "Enter ⏎")
    world.reads("Echo: new words here")


def test_a_press_below_the_screen_of_a_dead_terminal_says_so(world: World) -> None:
    world.start_bridge()
    world.ask("hello", "Echo")
    message = ask_for_screen(world)
    world.kill_claude()
    press(world, message, "🔄 Refresh")
    world.telegram.wait_for(
        lambda: any(
            "terminal is gone" in str(call.params.get("text"))
            for call in world.telegram.calls_of("answerCallbackQuery")
        )
    )


def panes(world: World) -> list[str]:
    return world.tmux("list-panes", "-a", "-F", "#{pane_id}").split()
