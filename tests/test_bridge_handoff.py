"""End to end: a session goes to another person, a topic, or as a copy, and nothing is lost."""

from __future__ import annotations

import json
from dataclasses import replace

from session import Session, SessionStore
from tests.standins.telegram_state import Chat, Message, User
from tests.test_bridge_people import SECONDS, asked, let_in, says
from tests.world import World, wait_until


def press(world: World, message: Message, button: str, chat: Chat | None = None) -> None:
    place = chat or world.chat
    world.telegram.wait_for(
        lambda: button in world.telegram.message(place, message.message_id).labels, SECONDS
    )
    world.telegram.press(place, world.user, message.message_id, button)


def hand_over(world: World, to: str, how: str) -> Message:
    """Ada hands her session over; returns the message that offered the targets."""
    offered = world.ask("/handoff", "Where to?")
    press(world, offered, to)
    press(world, offered, how)
    return offered


def said_there(world: World, place: Chat, text: str) -> bool:
    """Whether the bot has said just that, and not in a card alone."""
    return any(m.text == text for m in world.telegram.messages(place, from_bot=True))


def rest(world: World) -> None:
    """Wait until nothing goes on: the process is idle, and no card is open."""
    world.wait_for_process("idle")
    wait_until(lambda: not any("card" in s.state for s in world.sessions()), "the card is folded")


def test_a_session_is_handed_over_to_a_person_with_its_memory(world: World) -> None:
    world.start_bridge()
    bob, chat = let_in(world, "member", "Bob")
    world.ask("my cat is called Grace", "Echo")
    world.ask("and my dog Linus", "Echo")
    listed = world.ask("/sessions", "my cat is called Grace")
    rest(world)
    offered = hand_over(world, "Bob's chat", "Move it")
    there = world.telegram.wait_for_text(chat, "Handed over from", timeout=SECONDS)
    assert there.text == (
        "Handed over from Ada's chat: “my cat is called Grace”, project, 2 turns. "
        "What you send now goes on with it."
    )
    world.telegram.wait_for(
        lambda: (
            world.telegram.message(world.chat, offered.message_id).text
            == "Handed over to Bob's chat: “my cat is called Grace”. "
            "A text here starts a new session now."
        ),
        SECONDS,
    )
    told = says(world, chat, bob, "recall", "You told me")
    assert told.text == "You told me: my cat is called Grace | and my dog Linus"
    button = listed.buttons[0][0]["callback_data"]
    query = world.telegram.press(world.chat, world.user, listed.message_id, button)
    world.telegram.wait_for(lambda: world.telegram.answer_to(query), SECONDS)
    assert world.telegram.answer_to(query).text == "This button no longer works."  # type: ignore[union-attr]
    world.ask("recall", "You told me:")
    assert world.texts()[-1] == "You told me:"  # a new session, which knows nothing
    moved = next(s for s in world.sessions() if s.chat_id == bob.id)
    move = moved.state["moves"][0]
    assert (move["from"]["chat_id"], move["to"]["chat_id"]) == (world.user.id, bob.id)
    assert move["by"] == world.user.id


def test_a_copy_goes_to_a_topic_and_the_session_stays(world: World) -> None:
    world.settings["BRIDGE_ALLOWED_GROUPS"] = "-1001"
    world.start_bridge()
    group = world.telegram.group(-1001, "Team", True, members=(world.user,))
    topic = world.telegram.create_topic(group, world.user, "red")
    world.telegram.send_text(group, world.user, "lunch?", topic=topic)
    world.ask("my cat is called Grace", "Echo")
    rest(world)
    hand_over(world, "Team › red", "Copy")
    there = world.telegram.wait_for_text(group, "A copy of a session", timeout=SECONDS)
    assert there.topic == topic
    world.ask("my dog is called Linus", "Echo: my dog")  # the copy is of the moment before
    rest(world)
    world.telegram.send_text(group, world.user, "recall", topic=topic)
    wait_until(lambda: said_there(world, group, "You told me: my cat is called Grace"), "it knows")
    told = world.ask("recall", "You told me")
    assert told.text == "You told me: my cat is called Grace | my dog is called Linus"


def test_a_session_at_work_is_not_handed_over_and_says_why(world: World) -> None:
    world.start_bridge()
    let_in(world, "member", "Bob")
    world.say("hold paint")
    world.wait_for_process("busy")
    wait_until(lambda: "hold paint" in world.transcripts(), "it is recorded")
    hand_over(world, "Bob's chat", "Move it")
    world.reads("Claude is at work in it.")
    world.model.release("paint")
    world.reads("And done.")
    assert {session.chat_id for session in world.sessions()} == {world.user.id}


def test_who_is_removed_between_the_offer_and_the_press_gets_nothing(world: World) -> None:
    world.start_bridge()
    _, chat = let_in(world, "member", "Bob")
    world.ask("my cat is called Grace", "Echo")
    rest(world)
    offered = world.ask("/handoff", "Where to?")
    press(world, offered, "Bob's chat")
    people = world.ask("/people", "Bob, member")
    press(world, people, "Remove Bob")
    press(world, people, "Remove")
    wait_until(
        lambda: not json.loads((world.state / "bridge" / "people.json").read_text())["guests"],
        "Bob is removed",
    )
    press(world, offered, "Move it")
    world.reads("That place is not allowed any more.")
    assert not any("Grace" in (m.text or "") for m in world.telegram.messages(chat, from_bot=True))
    assert {session.chat_id for session in world.sessions()} == {world.user.id}


def test_a_crash_right_after_the_move_is_made_good(world: World) -> None:
    """The one edit is made by hand, as a bridge that died just then would have left it."""
    world.start_bridge()
    bob, chat = let_in(world, "member", "Bob")
    world.ask("my cat is called Grace", "Echo")
    rest(world)
    offered = world.ask("/handoff", "Where to?")
    world.kill_bridge()
    session = world.sessions()[0]
    place = {"channel": "telegram", "topic": None}
    step = {"from": {**place, "chat_id": world.user.id}, "to": {**place, "chat_id": bob.id}}
    handing = {
        "key": "say:crash",
        "post": "say:none",
        "from_label": "Ada's chat",
        "to_label": "Bob's chat",
        "turns": 1,
        "step": {**step, "by": world.user.id, "at": session.last_activity},
    }
    _move_by_hand(world, bob, session.session_id, handing)
    world.start_bridge()
    world.telegram.wait_for_text(chat, "Handed over from Ada's chat", timeout=SECONDS)
    world.reads("Handed over to Bob's chat")
    told = says(world, chat, bob, "recall", "You told me")
    assert told.text == "You told me: my cat is called Grace"
    world.stop_bridge()
    world.start_bridge()
    says(world, chat, bob, "still there?", "Echo: still there?")
    said = [m.text or "" for m in world.telegram.messages(chat, from_bot=True)]
    assert sum(text.startswith("Handed over from") for text in said) == 1
    assert asked(world.model).count("my cat is called Grace") == 1
    assert offered.message_id


def _move_by_hand(world: World, to: User, session_id: str, handing: dict[str, object]) -> None:
    with SessionStore(world.state) as store:

        def move(found: Session) -> Session:
            state = {**found.state, "handing": handing, "person": to.id}
            return replace(found, chat_id=to.id, state=state)

        store.edit(session_id, move)


def test_a_session_that_never_asks_asks_where_that_is_not_allowed(world: World) -> None:
    world.settings["BRIDGE_PERMISSION_MODE"] = "bypassPermissions"
    path = world.home / ".claude.json"
    path.write_text(
        json.dumps({**json.loads(path.read_text()), "bypassPermissionsModeAccepted": True})
    )
    world.start_bridge()
    bob, chat = let_in(world, "member", "Bob")
    shell = {"command": f"touch {world.root}/one", "description": "make it"}
    world.ask(f"tool Bash {json.dumps(shell)}", "The tool said")
    assert (world.root / "one").exists()
    rest(world)
    hand_over(world, "Bob's chat", "Move it")
    world.telegram.wait_for_text(chat, "Handed over from", timeout=SECONDS)
    shell["command"] = f"touch {world.root}/two"
    says(world, chat, bob, f"tool Bash {json.dumps(shell)}", "Run this command?")
    assert not (world.root / "two").exists()
