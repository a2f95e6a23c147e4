"""Texts that are longer than a message, from end to end: the app cuts them, the model reads one."""

from __future__ import annotations

from tests.test_bridge_receipts import ANSWERED, sign
from tests.test_bridge_reliability import asked
from tests.test_bridge_uploads import inbox_of, send_picture
from tests.world import World, wait_until


def make_text(length: int) -> str:
    """Lines of such a text, none like another; no message begins or ends with white space."""
    lines = "".join(f"{number:04}: line-with-é,-漢字-and-'signs'\n" for number in range(1000))
    text = lines[: length - 1] + "."
    cuts = range(4096, length, 4096)
    assert not any(text[cut - 1].isspace() or text[cut].isspace() for cut in cuts)
    return text


def send(world: World, text: str) -> list[int]:
    """As the app does; the parts' messages."""
    return world.telegram.send_long_text(world.chat, world.user, text)


def test_a_text_in_three_messages_is_one_prompt_byte_for_byte(world: World) -> None:
    world.start_bridge()
    text = make_text(9000)
    messages = send(world, text)
    world.reads("Echo: 0000: line")
    assert asked(world) == [text]
    assert len(messages) == 3
    for message in messages:
        sign(world, message, ANSWERED)

    send(world, make_text(16_500))
    world.reads("The message has 16,500 characters in ")

    world.say("hold paint")
    world.wait_for_process("busy")
    _, second, _ = send(world, text)
    world.ask("/queue", "Waiting, in this order.")
    world.telegram.edit_text(world.chat, second, "something else")
    world.reads("Changed; it still waits.")
    world.model.release("paint")
    wait_until(lambda: len(asked(world)) == 3, "the text is there")
    assert asked(world) == [text, "hold paint", f"{text[:4096]}something else\n{text[8192:]}"]


def test_a_text_is_one_prompt_also_when_the_bridge_is_killed_between_its_parts(
    world: World,
) -> None:
    text = make_text(9000)
    first, rest = text[:4096], text[4096:]
    world.start_bridge()
    world.telegram.hold("getFile", "before", times=None)
    send_picture(world, caption="see")
    wait_until(lambda: world.telegram.calls_of("getFile"), "the picture is being fetched")
    send(world, first)
    wait_until(lambda: inbox_of(world).count('"session_id"') == 2, "both wait in the chat's line")
    world.kill_bridge()
    send(world, rest)
    world.start_bridge()
    wait_until(lambda: inbox_of(world).count('"received"') >= 4, "the others have arrived")
    world.say("next")
    wait_until(lambda: "next" in inbox_of(world), "and another one")
    world.telegram.end_faults()
    world.reads("Echo: next")
    seen, *others = asked(world)
    assert seen.startswith("see\n")
    assert others == [text, "next"]
