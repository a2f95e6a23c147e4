"""End to end: a topic is a session, in a group and in a private chat."""

from __future__ import annotations

from core.topic_names import strip_mark
from tests.standins.telegram_state import Chat
from tests.test_bridge_people import SECONDS, says
from tests.world import World, wait_until


def team(world: World) -> Chat:
    world.settings["BRIDGE_ALLOWED_GROUPS"] = "-1001"
    return world.telegram.group(-1001, "Team", True, members=(world.user,))


def is_called(world: World, group: Chat, topic: int, name: str) -> None:
    world.telegram.wait_for(
        lambda: strip_mark(world.telegram.topics(group)[topic]) == name,
        SECONDS,
        what=f"a topic {name}",
    )


def only_topic(world: World, group: Chat) -> int:
    found = world.telegram.wait_for(lambda: world.telegram.topics(group), SECONDS)
    assert len(found) == 1
    return next(iter(found))


def test_a_new_session_of_a_forum_is_a_topic_that_lives_and_is_closed_with_it(
    world: World,
) -> None:
    group = team(world)
    world.start_bridge()
    says(world, group, world.user, "/new", "New session in a topic: “project”.")
    topic = only_topic(world, group)
    world.telegram.wait_for_text(group, "New session in", topic=topic, timeout=SECONDS)
    world.telegram.send_text(group, world.user, "my cat is called Grace", topic=topic)
    world.telegram.wait_for_text(group, "Echo: Ada: my cat", topic=topic, timeout=SECONDS)
    is_called(world, group, topic, "Ada: my cat is called Grace")
    world.telegram.send_text(group, world.user, "/close", topic=topic)
    world.telegram.wait_for_text(group, "Closed:", topic=topic, timeout=SECONDS)
    world.telegram.wait_for(lambda: group.topics[topic].is_closed, SECONDS)
    session_id = world.sessions()[0].session_id
    world.stop_bridge()
    world.start_bridge()
    says(world, group, world.user, f"/resume {session_id}", "goes on in its topic.")
    world.telegram.wait_for(lambda: not group.topics[topic].is_closed, SECONDS)
    world.telegram.send_text(group, world.user, "recall", topic=topic)
    told = world.telegram.wait_for_text(group, "You told me", topic=topic, timeout=SECONDS)
    assert told.text == "You told me: Ada: my cat is called Grace"
    assert world.telegram.calls_of("deleteForumTopic") == []


def test_a_new_session_may_be_given_the_name_of_its_topic(world: World) -> None:
    group = team(world)
    world.start_bridge()
    says(world, group, world.user, "/new Fix the login", "in a topic: “Fix the login”.")
    topic = only_topic(world, group)
    world.telegram.send_text(group, world.user, "hello", topic=topic)
    world.telegram.wait_for_text(group, "Echo: Ada: hello", topic=topic, timeout=SECONDS)
    is_called(world, group, topic, "Fix the login")


def test_without_the_right_to_manage_topics_one_line_says_so_and_all_works(world: World) -> None:
    group = team(world)
    group.bot_manages_topics = False
    world.start_bridge()
    says(world, group, world.user, "/new", "New session in")
    answer = says(world, group, world.user, "@bridge_test_bot hello", "Echo: Ada: hello")
    says(world, group, world.user, "/new", "New session in")
    assert answer.topic is None
    topic = world.telegram.create_topic(group, world.user, "red")
    world.telegram.send_text(group, world.user, "@bridge_test_bot hi", topic=topic)
    world.telegram.wait_for_text(group, "Echo: Ada: hi", topic=topic, timeout=SECONDS)
    texts = [m.text or "" for m in world.telegram.messages(group, from_bot=True)]
    assert sum("I may not manage topics here" in text for text in texts) == 1
    is_called(world, group, topic, "red")


def test_a_private_chat_with_topics_has_a_session_in_each(world: World) -> None:
    world.chat.is_forum = True
    world.start_bridge()
    world.ask("my cat is called Grace", "Echo")
    world.ask("/new", "New session in a topic")
    topic = only_topic(world, world.chat)
    world.telegram.send_text(world.chat, world.user, "my dog is called Linus", topic=topic)

    def answers() -> list[str]:  # a slow turn shows a card, too
        said = world.telegram.messages(world.chat, from_bot=True)
        return [m.text or "" for m in said if m.topic == topic and (m.text or "")[:4] == "Echo"]

    wait_until(answers, "the answer", SECONDS)
    assert answers() == ["Echo: my dog is called Linus"]  # nothing is added to it
    is_called(world, world.chat, topic, "my dog is called Linus")
    assert world.ask("recall", "You told me").text == "You told me: my cat is called Grace"
