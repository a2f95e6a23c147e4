"""What people send besides texts, from end to end: it reaches the model, once, in order."""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.pictures import make_png
from tests.standins.messages_api import ModelRequest
from tests.world import World, wait_until

RED, GREEN, BLUE = (make_png(*(255 * (n == m) for m in range(3))) for n in range(3))


def send_picture(world: World, data: bytes = RED, caption: str = "", **fields: Any) -> int:
    """As a file, which Telegram leaves as it is."""
    return world.telegram.send_file(
        world.chat, world.user, data, "a.png", caption=caption, mime_type="image/png", **fields
    )


def send(world: World, data: bytes, name: str, caption: str = "", **fields: Any) -> int:
    return world.telegram.send_file(world.chat, world.user, data, name, caption=caption, **fields)


def images(request: ModelRequest) -> list[bytes]:
    """The pictures that the model sees."""
    blocks = [
        block
        for message in request.body["messages"]
        if isinstance(message["content"], list)
        for block in message["content"]
    ]
    found = [block["source"]["data"] for block in blocks if block["type"] == "image"]
    return [base64.b64decode(data) for data in found]


def asked(world: World) -> list[str]:
    """The last text of each turn."""
    return [turn.user_texts[-1] for turn in world.model.turns]


def uploads(world: World) -> list[Path]:
    """What is kept, by name."""
    return sorted((world.home / ".local/share/claude-telegram").glob("*/*/in/*"))


# --- the kinds ---------------------------------------------------------------------------------


def test_a_photo_with_a_caption_reaches_the_model_as_an_image(world: World) -> None:
    world.start_bridge()
    send(world, make_jpeg(), "p.jpg", "What is this?", kind="photo")
    world.reads("Echo: What is this?")
    (turn,) = world.model.turns
    assert len(images(turn)) == 1
    assert asked(world)[0].startswith("What is this?\n\n[photo] @")
    (kept,) = uploads(world)
    assert kept.stat().st_mode & 0o777 == 0o600
    assert kept.parent.stat().st_mode & 0o777 == 0o700


def make_jpeg() -> bytes:
    """The smallest that is one: 1 x 1, grey."""
    tables = bytes([0xFF, 0xDB, 0, 67, 0]) + bytes([1] * 64)
    frame = bytes([0xFF, 0xC0, 0, 11, 8, 0, 1, 0, 1, 1, 1, 0x11, 0])
    dc = bytes([0xFF, 0xC4, 0, 20, 0, 1]) + bytes(15) + bytes([0])
    ac = bytes([0xFF, 0xC4, 0, 20, 0x10, 1]) + bytes(15) + bytes([0])
    scan = bytes([0xFF, 0xDA, 0, 8, 1, 1, 0, 0, 63, 0, 0x3F])
    return b"\xff\xd8" + tables + frame + dc + ac + scan + b"\xff\xd9"


def test_a_picture_without_words_reaches_the_model_too(world: World) -> None:
    world.start_bridge()
    send_picture(world)
    world.reads("Echo: [document “a.png”]")
    assert images(world.model.turns[0]) == [RED]


def test_the_content_of_a_text_document_reaches_the_model(world: World) -> None:
    world.start_bridge()
    send(world, b"my cat is called Grace\n", "../../no tes.txt", "Read this")
    world.reads("Echo: Read this")
    assert "my cat is called Grace" in json.dumps(world.model.turns[0].body["messages"])
    assert [path.name for path in uploads(world)] == ["1-no-tes.txt"]


def test_an_archive_and_a_video_message_are_named_and_not_opened(world: World) -> None:
    world.start_bridge()
    send(world, b"PK\x03\x04" + bytes(200), "bomb.zip", "See")
    world.reads("Echo: See")
    (path,) = uploads(world)
    assert asked(world) == [f"See\n\n[document “bomb.zip”, 204 B] {path}"]
    send(world, bytes(2048), "", kind="video_note", duration=62)
    world.reads("Echo: [video message, 1:02, 2 KB]")
    assert asked(world)[-1].endswith("-video-note.mp4")


def test_claude_may_read_what_was_sent_without_asking(world: World) -> None:
    world.start_bridge()
    send(world, b"\xffbinary", "data.csv", "See")
    world.reads("Echo: See")
    (path,) = uploads(world)
    path.write_text("the word is Grace")
    read = {"file_path": str(path)}
    assert "the word is Grace" in (
        world.ask(f"tool Read {json.dumps(read)}", "The tool").text or ""
    )


def test_a_caption_that_reads_like_a_command_is_only_words(world: World) -> None:
    world.start_bridge()
    send_picture(world, caption="/kill")
    world.reads("Echo: [document “a.png”]")
    assert asked(world)[0].endswith("\n\n/kill")
    assert images(world.model.turns[0]) == [RED]
    assert len(world.processes()) == 1


def test_a_forwarded_caption_is_marked_as_anothers(world: World) -> None:
    world.start_bridge()
    origin = {"type": "hidden_user", "sender_user_name": "Mallory", "date": 1}
    send_picture(world, caption="do it", extra={"forward_origin": origin})
    world.reads("do it")
    assert asked(world)[0].startswith("[Forwarded from Mallory]\n> do it\n\n[document")


def test_forwarded_words_attach_no_file_of_the_machine(world: World) -> None:
    secret = world.root / "secret.txt"
    secret.write_text("the word is Grace")
    world.start_bridge()
    words = f"see @{secret} and (@{secret})"
    world.telegram.send_text(world.chat, world.user, words, forward_from="Mallory")
    world.reads("Echo: [Forwarded")
    assert "the word is Grace" not in json.dumps(world.model.turns[0].body)
    world.ask(f"see @{secret}", "Echo: see")
    assert "the word is Grace" in json.dumps(world.model.turns[1].body)


def test_a_place_on_the_map_is_a_prompt(world: World) -> None:
    world.start_bridge()
    place = {"latitude": 52.52, "longitude": 13.405}
    world.telegram.send_raw(world.chat, world.user, {"location": place})
    world.reads("Echo: [location: latitude 52.520000, longitude 13.405000]")


def test_what_is_too_large_is_refused_and_claude_left_in_peace(world: World) -> None:
    world.settings["BRIDGE_UPLOAD_MEGABYTES"] = "0.01"
    world.start_bridge()
    send(world, bytes(11_000), "big.bin", "See")
    world.reads("This file is too big: I take 11 KB at most.")
    world.ask("hello", "Echo: hello")
    assert asked(world) == ["hello"]
    assert uploads(world) == []


def test_a_sticker_is_still_refused(world: World) -> None:
    world.start_bridge()
    sticker = {
        "file_id": "s",
        "file_unique_id": "s",
        "type": "regular",
        "width": 1,
        "height": 1,
        "is_animated": False,
        "is_video": False,
    }
    world.telegram.send_raw(world.chat, world.user, {"sticker": sticker})
    world.reads("I can't take a sticker yet")


# --- albums and order --------------------------------------------------------------------------


def test_an_album_of_three_is_one_prompt(world: World) -> None:
    world.start_bridge()
    for data, caption in ((RED, "Compare"), (GREEN, ""), (BLUE, "")):
        send_picture(world, data, caption, media_group_id="A")
    world.reads("Echo: Compare")
    assert [images(turn) for turn in world.model.turns] == [[RED, GREEN, BLUE]]
    world.ask("hello", "Echo: hello")
    assert len(world.model.turns) == 2


def test_a_text_after_a_photo_does_not_overtake_it_and_a_command_does(world: World) -> None:
    world.start_bridge()
    world.ask("hello", "Echo: hello")
    held = world.telegram.hold("getFile", "before")
    send_picture(world, caption="first")
    edited = world.say("second")
    world.ask("/status", "Session:")
    world.telegram.edit_text(world.chat, edited, "third")
    world.reads("Changed; it still waits.")
    held.end()
    world.reads("Echo: third")
    assert [text.split("\n")[0] for text in asked(world)] == ["hello", "first", "third"]


def test_a_download_holds_up_no_other_chat(world: World) -> None:
    group = world.telegram.group(-1001, "Team", False, members=(world.user,))
    world.settings["BRIDGE_ALLOWED_GROUPS"] = "-1001"
    world.start_bridge()
    held = world.telegram.hold("getFile", "before")
    send_picture(world, caption="slow")
    world.telegram.send_text(group, world.user, "@bridge_test_bot quick")
    world.reads("Echo: Ada: quick", chat=group)
    held.end()
    world.reads("Echo: slow")


# --- deaths ------------------------------------------------------------------------------------


def test_a_bridge_killed_in_the_middle_of_a_download_begins_it_anew(world: World) -> None:
    world.start_bridge()
    world.telegram.hold("file", "after", times=None)
    send_picture(world, caption="see")
    world.say("behind")
    wait_until(lambda: world.telegram.calls_of("file"), "one half is fetched")
    wait_until(lambda: "behind" in inbox_of(world), "the text has arrived")
    world.kill_bridge()
    world.telegram.end_faults()
    world.start_bridge()
    world.reads("Echo: behind")
    assert [text.split("\n")[0] for text in asked(world)] == ["see", "behind"]
    assert images(world.model.turns[0]) == [RED]


def test_a_photo_goes_to_the_session_it_was_sent_to_also_after_a_kill(world: World) -> None:
    world.start_bridge()
    world.ask("my cat is called Grace", "Echo")
    world.telegram.hold("getFile", "before", times=None)
    send_picture(world, caption="see")
    wait_until(lambda: world.telegram.calls_of("getFile"), "it is being fetched")
    world.ask("/new", "New session")
    world.kill_bridge()
    world.telegram.end_faults()
    world.start_bridge()
    world.reads("Echo: see")
    assert world.model.turns[-1].user_texts[0] == "my cat is called Grace"


@pytest.mark.parametrize("when", ["between its parts", "while it waits", "once it is given"])
def test_an_album_is_one_prompt_whenever_the_bridge_is_killed(world: World, when: str) -> None:
    world.start_bridge()
    world.ask("hello", "Echo: hello")
    send_picture(world, RED, "Compare", media_group_id="A")
    if when == "between its parts":
        wait_until(lambda: "media_group_id" in inbox_of(world), "a part has arrived")
        world.kill_bridge()
    send_picture(world, GREEN, media_group_id="A")
    send_picture(world, BLUE, media_group_id="A")
    if when == "while it waits":
        wait_until(lambda: len(uploads(world)) == 3, "all parts are there")
        world.kill_bridge()
    if when == "once it is given":
        wait_until(lambda: '"merges"' in inbox_of(world), "it is given")
        world.kill_bridge(at_rest=False)
    world.start_bridge()
    world.reads("Echo: Compare")
    world.ask("bye", "Echo: bye")
    assert [text.split("\n")[0] for text in asked(world)] == ["hello", "Compare", "bye"]
    assert images(world.model.turns[1]) == [RED, GREEN, BLUE]


def inbox_of(world: World) -> str:
    return (world.state / "bridge" / "inbox.journal").read_text()


# --- voice -------------------------------------------------------------------------------------


def send_voice(world: World, words: str) -> None:
    """A recording that a stand-in for a transcriber understands: it holds its own words."""
    world.telegram.send_file(
        world.chat, world.user, words.encode(), "", kind="voice", mime_type="audio/ogg", duration=3
    )


def test_a_voice_message_is_written_down_by_the_users_command(world: World) -> None:
    script = world.root / "write down"
    script.write_text(
        f"#!{sys.executable}\nimport os, sys\n"
        "print(open(sys.argv[2]).read(), 'TELEGRAM_BOT_TOKEN' in os.environ)\n"
    )
    script.chmod(0o755)
    world.settings["BRIDGE_TRANSCRIBE_COMMAND"] = f"'{script}' --file {{file}}"
    world.start_bridge()
    send_voice(world, "my cat is called Grace")
    heard = world.reads("🎙️")
    assert heard.text == "🎙️ “my cat is called Grace False”"
    assert heard.is_silent
    world.reads("Echo: [Dictated, so words may be wrong]\nmy cat is called Grace False")


def test_without_a_transcriber_the_person_is_told_and_claude_left_in_peace(world: World) -> None:
    world.start_bridge()
    send_voice(world, "hello")
    world.reads("I can't listen to voice messages yet")
    world.ask("hello", "Echo: hello")
    assert asked(world) == ["hello"]
    assert uploads(world) == []
