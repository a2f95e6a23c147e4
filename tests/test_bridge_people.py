"""End to end: people are let in, may what their role says, and are removed; groups."""

from __future__ import annotations

import asyncio
import json
import re

import core.model
from core.model import Post
from inbox import Arrival, Inbox
from outbox import Outbox
from tests.standins.messages_api import MessagesApi
from tests.standins.telegram_state import Chat, Message, User
from tests.world import World, is_card, wait_until

SECONDS = 40.0


def asked(model: MessagesApi) -> list[str]:
    """What the model was given as the newest prompt, in order."""
    return [turn.user_texts[-1] for turn in model.turns if turn.user_texts]


def audit(world: World) -> list[tuple[int, str, str]]:
    """User, action and result of every line."""
    path = world.state / "bridge" / "audit.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return [(line["user"], line["action"], line["result"]) for line in lines]


def says(world: World, chat: Chat, user: User, text: str, answer: str) -> Message:
    """Somebody writes, and waits for the bot's answer."""
    sent = world.telegram.send_text(chat, user, text)
    return world.reads(answer, chat=chat, after=sent)


def count_answers(world: World, chat: Chat) -> int:
    """How often the bot has said something there."""
    return sum(not is_card(message) for message in world.telegram.messages(chat, from_bot=True))


def let_in(world: World, role: str, name: str) -> tuple[User, Chat]:
    """The owner invites somebody, who uses the link; it lets in nobody else."""
    user, chat, code = world.let_in(role, name)
    stranger = world.telegram.user(first_name="Eve")
    place = world.telegram.private_chat(stranger)
    world.telegram.send_text(place, stranger, f"/start {code}")
    wait_until(lambda: (stranger.id, "sent /start with a code") in refused(world), "Eve is refused")
    assert world.telegram.messages(place, from_bot=True) == []
    return user, chat


def refused(world: World) -> list[tuple[int, str]]:
    return [(user, action) for user, action, result in audit(world) if result.startswith("refused")]


def press(world: World, message: Message, button: str) -> None:
    world.telegram.press(world.chat, world.user, message.message_id, button)


def test_a_member_has_sessions_of_their_own_and_nobody_elses(world: World) -> None:
    world.start_bridge()
    world.ask("my cat is called Grace", "Echo")
    mine = world.sessions()[0].session_id
    bob, chat = let_in(world, "member", "Bob")
    says(world, chat, bob, "my dog is called Linus", "Echo: my dog is called Linus")
    assert says(world, chat, bob, "recall", "You told me").text == (
        "You told me: my dog is called Linus"
    )
    assert "Grace" not in (says(world, chat, bob, "/sessions", "▸").text or "")
    says(world, chat, bob, f"/resume {mine}", "No session with that id")
    says(world, chat, bob, f"/new {world.root}", "Only the owner may do that.")
    for command in ("/people", "/invite member", "/sh ls"):
        says(world, chat, bob, command, "Only the owner may do that.")
    listed = world.ask("/sessions", "my cat is called Grace")
    data = listed.buttons[0][0]["callback_data"]
    world.telegram.press(world.chat, bob, listed.message_id, data, forged=True)
    own = says(world, chat, bob, "/sessions", "▸")
    query = world.telegram.press(chat, bob, own.message_id, data, forged=True)
    world.telegram.wait_for(lambda: world.telegram.answer_to(query), SECONDS)
    assert world.telegram.answer_to(query).text == "This button no longer works."  # type: ignore[union-attr]
    assert world.ask("recall", "You told me").text == "You told me: my cat is called Grace"


def test_a_member_can_not_have_the_mode_that_never_asks(world: World) -> None:
    world.settings["BRIDGE_PERMISSION_MODE"] = "bypassPermissions"
    path = world.home / ".claude.json"
    settings = json.loads(path.read_text())
    path.write_text(json.dumps({**settings, "bypassPermissionsModeAccepted": True}))
    world.start_bridge()
    bob, chat = let_in(world, "member", "Bob")
    says(world, chat, bob, "/mode bypassPermissions", "There is no mode “bypassPermissions” here")
    shell = {"command": f"touch {world.root}/made", "description": "make it"}
    says(world, chat, bob, f"tool Bash {json.dumps(shell)}", "Run this command?")
    assert not (world.root / "made").exists()
    world.ask(f"tool Bash {json.dumps(shell)}", "The tool said")
    assert (world.root / "made").exists()


def test_a_person_who_is_removed_loses_everything_at_once(world: World) -> None:
    world.start_bridge()
    bob, chat = let_in(world, "member", "Bob")
    says(world, chat, bob, "hello", "Echo: hello")
    sessions = says(world, chat, bob, "/sessions", "▸")
    world.telegram.send_text(chat, bob, "hold paint")
    wait_until(lambda: "hold paint" in world.transcripts(), "Claude has it")
    says(world, chat, bob, "and then this", "Waiting, number 1")
    link = world.ask("/invite member", "start=")
    code = re.findall(r"start=(\S+)", link.text or "")[0]
    listed = world.ask("/people", "Bob, member")
    press(world, listed, "Remove Bob")
    world.reads("Remove Bob?")
    press(world, listed, "Remove")
    wait_until(lambda: not world.processes(), "Bob's Claude is gone", SECONDS)
    world.telegram.wait_for(
        lambda: "Bob" not in (world.telegram.message(world.chat, listed.message_id).text or ""),
        SECONDS,
    )
    before = count_answers(world, chat)
    world.telegram.press(chat, bob, sessions.message_id, sessions.buttons[0][0]["callback_data"])
    world.telegram.send_text(chat, bob, f"/start {code}")
    world.telegram.send_text(chat, bob, "let me in")
    wait_until(lambda: (bob.id, "sent a text of 9 characters") in refused(world), "Bob is refused")
    world.model.release("paint")
    world.stop_bridge()
    outbox = Outbox(world.state / "bridge", {})  # as if it had waited there for long
    outbox.put(Post("late", core.model.Chat("telegram", bob.id), "for Bob"))
    asyncio.run(outbox.stop())
    world.start_bridge()
    world.ask("hi", "Echo: hi")
    wait_until(lambda: "for a chat that may be shown nothing" in world.log(), "it is let go")
    assert asked(world.model).count("and then this") == 0
    assert count_answers(world, chat) == before
    assert {s.chat_id for s in world.sessions()} == {world.user.id, bob.id}  # nothing is deleted


def test_what_a_removed_person_left_waiting_is_not_run_after_a_crash(world: World) -> None:
    world.start_bridge()
    world.ask("hello", "Echo: hello")
    session_id = world.sessions()[0].session_id
    world.kill_bridge()
    inbox = Inbox(world.state / "bridge")
    for key, person in (("k:1", 666), ("k:2", world.user.id)):
        inbox.receive([Arrival(key, "telegram", {})])
        inbox.advance(key, "assigned", session_id=session_id, text=f"by {person}", person=person)
    inbox.close()
    world.start_bridge()
    world.reads(f"Echo: by {world.user.id}")
    assert asked(world.model) == ["hello", f"by {world.user.id}"]


def test_in_a_group_the_bot_answers_who_means_it_and_tells_claude_who_speaks(world: World) -> None:
    world.settings["BRIDGE_ALLOWED_GROUPS"] = "-1001"
    world.start_bridge()
    bob, _ = let_in(world, "member", "Bob")
    vic, _ = let_in(world, "viewer", "Vic")
    group = world.telegram.group(-1001, "Team", True, members=(world.user, bob, vic))
    world.telegram.send_text(group, world.user, "lunch?")
    first = says(world, group, world.user, "@bridge_test_bot my cat is called Grace", "Echo")
    assert first.text == "Echo: Ada: my cat is called Grace"
    replied = world.telegram.send_text(group, bob, "and mine Linus", reply_to=first.message_id)
    answer = world.reads("Echo", chat=group, after=replied)
    assert answer.text == "Echo: Bob: and mine Linus"
    topic = world.telegram.create_topic(group, world.user, "red")
    world.telegram.send_text(group, bob, "not yet", topic=topic)
    world.telegram.send_text(group, bob, "@bridge_test_bot begin", topic=topic)
    world.reads("Echo: Bob: begin", chat=group, topic=topic)
    world.telegram.send_text(group, vic, "and me?", topic=topic)
    world.telegram.send_text(group, world.user, "/effort", topic=topic)
    shown = world.reads("Effort: default", chat=group, topic=topic)
    world.telegram.press(group, vic, shown.message_id, "high")
    world.telegram.send_text(group, world.user, "go on", topic=topic)
    world.reads("Echo: Ada: go on", chat=group, topic=topic)
    assert asked(world.model) == [
        "Ada: my cat is called Grace",
        "Bob: and mine Linus",
        "Bob: begin",
        "Ada: go on",
    ]
    sent = world.telegram.send_file(
        group, bob, b"milk", "list.txt", caption="@bridge_test_bot read it"
    )
    world.reads("Echo", chat=group, after=sent)
    assert asked(world.model)[-1].startswith("Bob: read it\n\n[document “list.txt”]")
    results = [(user, result) for user, _, result in audit(world)]
    assert results.count((world.user.id, "ignored: not meant for the bot")) == 1
    assert results.count((bob.id, "ignored: not meant for the bot")) == 1
    assert results.count((vic.id, "refused: viewer")) == 2
    assert "Effort: default" in world.telegram.message(group, shown.message_id).text
    assert world.telegram.calls_of("answerCallbackQuery") == []
