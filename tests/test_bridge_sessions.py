"""Finding a session and doing something with it, from end to end."""

from __future__ import annotations

import uuid

from tests.standins.telegram_state import Message
from tests.standins.transcripts import turn
from tests.world import World, wait_until


def press(world: World, message: Message, label: str, shows: str) -> Message:
    """Press a button, and wait until its message shows that."""
    world.telegram.press(world.chat, world.user, message.message_id, label)

    def shown() -> bool:
        return shows in world.telegram.message(world.chat, message.message_id).text

    wait_until(shown, f"{shows!r}: {world.texts()}\n{world.log()}")
    return world.telegram.message(world.chat, message.message_id)


def runs_elsewhere(world: World, prompt: str) -> str:
    """A person had a conversation in a terminal, without the bridge; its id."""
    session_id = str(uuid.uuid4())
    claude = [str(world.claude), "--session-id", session_id]
    world.tmux("new-session", "-d", "-s", "plain", "-c", str(world.project), *claude)
    wait_until(world.processes, "Claude runs in a terminal")
    world.wait_for_process("idle")
    world.tmux("send-keys", "-t", "=plain:", "-l", prompt)
    world.tmux("send-keys", "-t", "=plain:", "Enter")
    wait_until(lambda: f"Echo: {prompt}" in world.transcripts(), "Claude has answered")
    world.tmux("kill-session", "-t", "=plain")
    wait_until(lambda: not world.processes(), "Claude is gone")
    return session_id


def test_every_session_of_the_machine_is_found_and_continued(world: World) -> None:
    session_id = runs_elsewhere(world, "my cat is called Grace")
    world.start_bridge()
    world.ask("my dog is called Linus", "Echo")
    mine = world.ask("/sessions", "Sessions of this chat (1)")
    assert "Grace" not in mine.text
    every = press(world, mine, "Every session on this machine", "(2)")
    assert every.text.index("my dog is called Linus") < every.text.index("my cat is called Grace")
    assert every.labels == ["1", "2", "This chat's"]
    card = press(world, every, "2", "State: asleep")
    assert f"Session: {session_id}" in card.text
    assert f"Folder: {world.project}" in card.text
    assert card.labels == ["Continue", "Fork", "Rename", "Close", "‹ Back"]
    press(world, card, "Continue", "Continuing “my cat is called Grace”.")
    assert world.ask("recall", "You told me").text == "You told me: my cat is called Grace"


def test_a_long_list_has_pages(world: World) -> None:
    folder = world.home / ".claude" / "projects" / "-shop"
    folder.mkdir(parents=True)
    for number in range(19):
        data = turn(f"work {number}", "ok", at=f"2026-11-{1 + number:02d}T10:00:00Z")
        (folder / f"{uuid.uuid4()}.jsonl").write_bytes(data)
    world.start_bridge()
    listed = world.ask("/sessions", "No session yet")
    first = press(world, listed, "Every session on this machine", "page 1 of 3")
    assert "1. work 18\n    shop (main) · " in first.text
    second = press(world, first, "▶", "page 2 of 3")
    assert second.labels == [*map(str, range(9, 17)), "◀", "▶", "This chat's"]
    third = press(world, second, "▶", "page 3 of 3")
    assert "19. work 0" in third.text
    card = press(world, third, "19", "“work 0”")
    press(world, card, "‹ Back", "page 3 of 3")


def test_a_fork_has_the_history_and_the_original_stays_untouched(world: World) -> None:
    world.start_bridge()
    world.ask("my cat is called Grace", "Echo")
    [original] = world.sessions()
    [path] = (world.home / ".claude" / "projects").glob("*/*.jsonl")
    world.wait_for_process("idle")
    world.end_claude()
    before = path.read_bytes()
    world.ask("/fork", "This chat goes on in a copy: “my cat is called Grace (fork)”.")
    # A fork has no transcript before its first prompt: it is made again if its process dies.
    world.wait_for_process("idle")
    world.kill_claude()
    asked = world.ask("my dog is called Linus", "Echo: my dog")
    told = world.ask("recall", "You told me")
    assert told.text == "You told me: my cat is called Grace | my dog is called Linus"
    assert path.read_bytes() == before
    assert world.texts().count("Echo: my cat is called Grace") == 1
    assert len(world.sessions()) == 2
    world.ask(f"/resume {original.session_id}", "Continuing")
    told = world.reads("You told me", after=world.say("recall"))
    assert told.text == "You told me: my cat is called Grace"
    assert asked.message_id < told.message_id


def test_a_session_that_a_person_named_keeps_that_title(world: World) -> None:
    world.start_bridge()
    world.ask("my cat is called Grace", "Echo")
    world.ask("/rename  About   cats ", "It is called “About cats” now.")
    world.ask("/kill", "Ended")
    wait_until(lambda: not world.processes(), "Claude has ended")
    world.ask("and a dog", "Echo: and a dog")
    # Claude Code knows it, too, as does whoever resumes it in a terminal.
    wait_until(lambda: '"customTitle":"About cats"' in world.transcripts(), "it has the title")
    listed = world.ask("/sessions", "1. About cats")
    card = press(world, listed, "1", "“About cats”")
    asked = press(world, card, "Rename", "Reply to this message with the new title.")
    title = "My key is sk-ant-api03-abcdefghijklmnopqrst"
    world.telegram.send_text(world.chat, world.user, title, reply_to=asked.message_id)
    world.reads("It is called “My key is [masked]” now.")
    assert "“My key is [masked]”" in world.ask("/status", "Session:").text
    assert not any(title in str(request.body) for request in world.model.requests)


def test_a_closed_session_is_off_the_chat_and_can_be_continued(world: World) -> None:
    world.start_bridge()
    world.ask("my cat is called Grace", "Echo")
    world.wait_for_process("idle")
    world.ask("/close", "Closed: “my cat is called Grace”.")
    wait_until(lambda: not world.processes(), "its process has ended")
    world.ask("/close", "No session yet")
    assert world.ask("recall", "You told me").text == "You told me:"
    listed = world.ask("/sessions", "my cat is called Grace")
    assert "closed" in listed.text
    card = press(world, listed, "2", "State: closed")
    assert card.labels == ["Continue", "Fork", "Rename", "‹ Back"]
    press(world, card, "Continue", "Continuing")
    told = world.reads("Grace", after=world.say("recall"))
    assert told.text == "You told me: my cat is called Grace"


def test_a_session_at_work_is_closed_only_after_asking(world: World) -> None:
    world.start_bridge()
    world.ask("hello", "Echo: hello")
    world.say("hold paint")
    wait_until(lambda: "Held paint" in world.screen(), "Claude answers")
    asked = world.ask("/close", "Claude is at work in “hello”. Close it all the same?")
    assert len(world.processes()) == 1
    press(world, asked, "Close it", "Closed: “hello”.")
    wait_until(lambda: not world.processes(), "its process has ended")


def test_a_pressed_button_is_used_up(world: World) -> None:
    world.start_bridge()
    world.ask("hello", "Echo: hello")
    listed = world.ask("/sessions", "1. hello")
    data = listed.buttons[0][0]["callback_data"]
    card = press(world, listed, "1", "“hello”")
    world.telegram.press(world.chat, world.user, card.message_id, data, forged=True)
    wait_until(
        lambda: "This button no longer" in str(world.telegram.calls_of("answerCallbackQuery")),
        "the button is void",
    )
    assert "“hello”" in world.telegram.message(world.chat, card.message_id).text
