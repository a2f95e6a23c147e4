"""Topics at Telegram: made, named, closed; what is missing is said in words that help."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from channels.telegram import TelegramChannel
from core.config import Secret
from core.errors import ChatUnreachableError, FloodLimitError, NotSentError, TopicRefusedError
from core.model import Chat, Place
from tests.standins.telegram_api import TelegramApi
from tests.standins.telegram_state import Chat as Group
from tests.standins.telegram_state import User

pytest_plugins = ["tests.standins.telegram_fixtures"]

TEAM = Chat("telegram", -1001)


@pytest.fixture
async def channel(api: TelegramApi, group: Group) -> AsyncIterator[TelegramChannel]:
    made = TelegramChannel(Secret(api.token), api.url)
    await made.start([])
    yield made
    await made.stop()


@pytest.fixture
def group(api: TelegramApi, ann: User) -> Group:
    return api.group(-1001, "Team", True, members=(ann,))


async def test_a_topic_is_made_named_closed_and_opened_each_as_often_as_one_likes(
    api: TelegramApi, group: Group, channel: TelegramChannel
) -> None:
    topic = await channel.forum.create_topic(TEAM, "  a\nname  ")
    assert topic.chat_id == -1001 and topic.topic is not None
    assert api.topics(group) == {topic.topic: "a name"}
    for _ in range(2):
        await channel.forum.rename_topic(topic, "x" * 200)
        await channel.forum.close_topic(topic)
    assert api.topics(group) == {topic.topic: "x" * 128}
    assert group.topics[topic.topic].is_closed
    for _ in range(2):
        await channel.forum.reopen_topic(topic)
    assert not group.topics[topic.topic].is_closed


async def test_missing_rights_are_one_clear_sentence(
    group: Group, channel: TelegramChannel
) -> None:
    topic = await channel.forum.create_topic(TEAM, "Work")
    group.bot_manages_topics = False
    with pytest.raises(TopicRefusedError, match="make me an admin"):
        await channel.forum.create_topic(TEAM, "More")
    await channel.forum.rename_topic(topic, "Ours still")
    group.is_forum = False
    with pytest.raises(TopicRefusedError, match="has no topics"):
        await channel.forum.create_topic(TEAM, "More")


async def test_a_topic_that_is_gone_and_a_flood_and_a_dead_line_are_told_apart(
    api: TelegramApi, group: Group, channel: TelegramChannel
) -> None:
    topic = await channel.forum.create_topic(TEAM, "Work")
    api.fail("editForumTopic", 429, "Too Many Requests: retry after 7", {"retry_after": 7})
    with pytest.raises(FloodLimitError) as flood:
        await channel.forum.rename_topic(topic, "Play")
    assert flood.value.seconds == 7
    api.delete_topic(group, topic.topic or 0)
    with pytest.raises(ChatUnreachableError):
        await channel.forum.rename_topic(topic, "Play")
    api.stop()
    with pytest.raises(NotSentError):
        await channel.forum.rename_topic(topic, "Play")


async def test_private_topics_are_known_by_the_bot_and_are_never_closed(api: TelegramApi) -> None:
    bob = api.private_chat(api.user(first_name="Bob"), topics=True)
    channel = TelegramChannel(Secret(api.token), api.url)
    await channel.start([])
    assert channel.forum.has_private_topics
    topic = await channel.forum.create_topic(Chat("telegram", bob.id), "Work")
    await channel.forum.close_topic(topic)
    await channel.forum.reopen_topic(topic)
    assert not api.calls_of("closeForumTopic") and not api.calls_of("reopenForumTopic")
    await channel.stop()


async def test_an_update_tells_of_its_place_and_of_a_persons_name_for_a_topic(
    api: TelegramApi, ann: User, group: Group, channel: TelegramChannel
) -> None:
    assert not channel.forum.has_private_topics
    topic = api.create_topic(group, ann, "Work")
    api.send_text(group, ann, "hello", topic=topic)
    api.rename_topic(group, ann, topic, "Play")
    await channel.forum.rename_topic(Chat("telegram", -1001, topic), "Ours")
    api.send_text(group, ann, "hello")
    place = Chat("telegram", -1001, topic)
    said = [channel.forum.read_place(update) for update in api.waiting_updates]
    own = said[3].own_notice if said[3] else None
    assert own is not None
    assert said == [
        Place(place, "Team", is_forum=True, topic_name="Work"),
        Place(place, "Team", is_forum=True),
        Place(place, "Team", is_forum=True, topic_name="Play"),
        Place(place, "Team", is_forum=True, own_notice=own),
        Place(TEAM, "Team", is_forum=True),
    ]
    assert channel.forum.read_place({"update_id": 1}) is None
