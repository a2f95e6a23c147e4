"""Files from Claude and from the project, from end to end: in the chat, exactly once."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.pictures import make_png
from tests.standins.telegram_state import Message
from tests.world import World, wait_until


def files_of(world: World) -> list[Message]:
    """What the bot has sent besides texts."""
    return [m for m in world.telegram.messages(world.chat, from_bot=True) if m.media is not None]


def names(world: World) -> list[str]:
    return [m.media.file.name for m in files_of(world) if m.media is not None]


def outbox(world: World) -> Path:
    """The folder that the model is told of."""
    text = world.model.turns[-1].system_text
    found = re.search(r"directly into the folder (\S+):", text)
    assert found is not None, text
    return Path(found[1])


def write(world: World, name: str, content: str) -> None:
    """Claude writes a file into its outbox, with its own tool."""
    path = str(outbox(world) / name)
    call = json.dumps({"file_path": path, "content": content})
    world.ask(f"tool Write {call}", "The tool said: File created")


def wait_for_files(world: World, count: int) -> list[Message]:
    wait_until(lambda: len(files_of(world)) >= count, f"{count} files are in the chat")
    return files_of(world)


# --- the outbox --------------------------------------------------------------------------------


def test_what_claude_writes_into_its_outbox_is_sent_once_and_nothing_is_asked(
    world: World,
) -> None:
    world.start_bridge()
    world.ask("hello", "Echo: hello")
    write(world, "result.txt", "42")
    (message,) = wait_for_files(world, 1)
    assert (names(world), message.data) == (["result.txt"], b"42")
    world.ask("bye", "Echo: bye")
    world.stop_bridge()
    world.start_bridge()
    world.ask("again", "Echo: again")
    assert names(world) == ["result.txt"]
    assert list(outbox(world).iterdir()) == []
    shown = "\n".join(world.texts())
    assert "Do you want" not in shown
    assert "@@" not in shown  # the file itself is enough, without the change that made it


def test_pictures_are_photos_and_several_at_once_an_album(world: World) -> None:
    world.start_bridge()
    world.ask("hello", "Echo: hello")
    for number in range(3):
        (outbox(world) / f"{number}.png").write_bytes(make_png(number, 0, 0, size=64))
    world.ask("and now", "Echo: and now")
    messages = wait_for_files(world, 3)
    assert [m.media.kind for m in messages if m.media] == ["photo"] * 3
    assert len({m.media_group_id for m in messages}) == 1


def test_links_and_what_is_too_large_are_named_and_not_sent(world: World) -> None:
    world.start_bridge()
    world.ask("hello", "Echo: hello")
    (outbox(world) / "passwords").symlink_to("/etc/passwd")
    with (outbox(world) / "huge.bin").open("wb") as file:
        file.truncate(60 << 20)
    world.ask("and now", "Echo: and now")
    world.reads("“passwords” is a link to a file, and is not sent.")
    world.reads("“huge.bin” has 60 MB; Telegram takes at most 50 MB from a bot.")
    world.ask("bye", "Echo: bye")
    assert files_of(world) == []
    assert len([text for text in world.texts() if "is a link" in text]) == 1


def test_after_clear_the_same_folder_is_sent_from(world: World) -> None:
    world.start_bridge()
    world.ask("hello", "Echo: hello")
    first = outbox(world)
    world.say("/clear")
    world.ask("hi", "Echo: hi")
    assert outbox(world) == first
    write(world, "a.txt", "1")
    wait_for_files(world, 1)


def test_a_resumed_session_is_told_of_the_same_folder(world: World) -> None:
    world.start_bridge()
    world.ask("hello", "Echo: hello")
    first = outbox(world)
    world.kill_claude()
    world.ask("hi", "Echo: hi")
    assert outbox(world) == first
    write(world, "a.txt", "1")
    wait_for_files(world, 1)


@pytest.mark.parametrize("number", range(5))
def test_a_killed_bridge_sends_a_file_exactly_once(world: World, number: int) -> None:
    """Killed at five moments after Claude has written it, and started again."""
    world.start_bridge()
    world.ask("hello", "Echo: hello")
    folder = outbox(world)
    (folder / "a.txt").write_text("1")
    world.say("and now")
    seen = {
        0: lambda: True,
        1: lambda: "and now" in world.transcripts(),
        2: lambda: list(folder.parent.glob("sent/.*.moves")) or not list(folder.iterdir()),
        3: lambda: not list(folder.iterdir()),
        4: lambda: "a.txt" in journal_of(world),
    }
    wait_until(seen[number], "the moment has come")
    world.kill_bridge()
    world.start_bridge()
    world.reads("Echo: and now")
    wait_for_files(world, 1)
    world.ask("bye", "Echo: bye")
    assert names(world) == ["a.txt"]


def journal_of(world: World) -> str:
    return (world.state / "bridge" / "outbox.journal").read_text()


def test_what_was_written_while_the_bridge_was_away_is_sent(world: World) -> None:
    world.start_bridge()
    world.ask("hello", "Echo: hello")
    folder = outbox(world)
    world.stop_bridge()
    (folder / "a.txt").write_text("1")
    world.start_bridge()
    wait_for_files(world, 1)


# --- /get --------------------------------------------------------------------------------------


def press(world: World, message: Message, label: str) -> str:
    """Press a button and wait until that is answered; what is said."""
    query = world.telegram.press(world.chat, world.user, message.message_id, label)
    answer = world.telegram.wait_for(lambda: world.telegram.answer_to(query))
    return (answer.text if answer is not None else "") or ""


def labels(world: World, message: Message) -> list[str]:
    return world.telegram.message(world.chat, message.message_id).labels


def test_get_sends_a_file_by_its_path(world: World) -> None:
    (world.project / "a b.txt").write_text("abc")
    world.start_bridge()
    world.say("/get a b.txt")
    (message,) = wait_for_files(world, 1)
    assert (names(world), message.data) == (["a b.txt"], b"abc")


def test_get_shows_a_browser_with_folders_pages_and_a_way_up(world: World) -> None:
    (world.project / "src").mkdir()
    for number in range(10):
        (world.project / "src" / f"{number}.py").write_text("x" * number)
    (world.project / ".env").write_text("x")
    (world.project / "notes\u202e\n.txt").write_text("x")
    world.start_bridge()
    shown = world.ask("/get", "📁 project")
    assert shown.text == "📁 project\n1 folder, 2 files"
    assert shown.labels == ["📁 src", "📄 notes__.txt · 1 B", "📄 .env · 1 B"]
    press(world, shown, "📁 src")
    wait_until(lambda: "▶" in labels(world, shown), "the folder is shown")
    now = world.telegram.message(world.chat, shown.message_id)
    assert now.text == "📁 project/src\n10 files · page 1 of 2"
    press(world, shown, "▶")
    wait_until(lambda: "◀" in labels(world, shown), "the second page is shown")
    assert labels(world, shown) == ["📄 8.py · 8 B", "📄 9.py · 9 B", "⬆", "◀"]
    used = world.telegram.message(world.chat, shown.message_id).buttons
    assert press(world, shown, "📄 9.py · 9 B") == "Sent."
    (message,) = wait_for_files(world, 1)
    assert message.data == b"x" * 9
    wait_until(
        lambda: world.telegram.message(world.chat, shown.message_id).buttons != used,
        "the buttons work again",
    )
    press(world, shown, "⬆")
    wait_until(lambda: "📁 src" in labels(world, shown), "the project is shown again")


def test_a_picture_is_a_photo_and_can_be_had_as_a_file(world: World) -> None:
    data = make_png(1, 2, 3, size=64)
    (world.project / "a.png").write_bytes(data)
    world.start_bridge()
    world.say("/get a.png")
    (photo,) = wait_for_files(world, 1)
    press(world, photo, "As a file")
    _, file = wait_for_files(world, 2)
    assert file.media is not None
    assert (file.media.kind, file.media.file.name, file.data) == ("document", "a.png", data)


def test_get_stays_in_the_project(world: World) -> None:
    (world.root / "secret").write_text("secret")
    (world.project / "link").symlink_to(world.root / "secret")
    world.start_bridge()
    for path in ("../secret", "/etc/hostname", "link", "~/.claude.json"):
        world.ask(f"/get {path}", "That is outside of the project")
    assert files_of(world) == []


def test_a_link_out_of_the_project_is_refused_when_it_is_pressed(world: World) -> None:
    (world.project / "plain").write_text("x")
    world.start_bridge()
    shown = world.ask("/get", "📁 project")
    (world.project / "plain").unlink()
    (world.project / "plain").symlink_to("/etc/hostname")
    assert "outside of the project" in press(world, shown, "📄 plain · 1 B")
    wait_until(lambda: "🔗 plain" in labels(world, shown), "it is shown as what it is")
    assert files_of(world) == []


def test_the_bridges_own_folders_are_closed_where_they_lie_in_the_project(world: World) -> None:
    world.settings["BRIDGE_PROJECT_DIR"] = str(world.home)
    world.write_claude_settings(trusted=[world.home])
    world.start_bridge()
    world.ask("/get .claude/sessions/telegram/bridge/inbox.journal", "outside of the project")
    world.ask("/get .claude/sessions/telegram", "outside of the project")
    assert files_of(world) == []


def test_get_of_nothing_says_so(world: World) -> None:
    world.start_bridge()
    world.ask("/get nothing.txt", "There is no “nothing.txt”.")
