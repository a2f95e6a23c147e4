"""The stand-in for Telegram is strict about topics: rights, kinds of chats, limits."""

from __future__ import annotations

import asyncio

import pytest
from telegram import Bot
from telegram.error import BadRequest, RetryAfter

from tests.standins.telegram_api import TelegramApi
from tests.standins.telegram_state import Chat, User

pytest_plugins = ["tests.standins.telegram_fixtures"]


async def test_without_the_right_a_bot_edits_only_topics_that_it_made(
    api: TelegramApi, ann: User, forum: Chat, bot: Bot
) -> None:
    made = (await bot.create_forum_topic(forum.id, "Ours")).message_thread_id
    theirs = api.create_topic(forum, ann, "Theirs")
    forum.bot_manages_topics = False
    await bot.edit_forum_topic(forum.id, made, name="Still ours")
    await bot.close_forum_topic(forum.id, made)
    for call in (
        bot.create_forum_topic(forum.id, "More"),
        bot.edit_forum_topic(forum.id, theirs, name="Mine"),
        bot.close_forum_topic(forum.id, theirs),
        bot.reopen_forum_topic(forum.id, theirs),
        bot.delete_forum_topic(forum.id, made),
    ):
        with pytest.raises(BadRequest, match=r"(?i)not enough rights"):
            await call
    assert api.topics(forum) == {made: "Still ours", theirs: "Theirs"}
    with pytest.raises(BadRequest, match=r"(?i)topic_closed"):
        await bot.send_message(forum.id, "in it", message_thread_id=made)


async def test_topics_of_a_private_chat_are_told_of_by_the_bot_and_are_never_closed(
    api: TelegramApi, ann: User, bot: Bot
) -> None:
    assert not (await bot.get_me()).has_topics_enabled
    chat = api.private_chat(api.user(first_name="Bob"), topics=True)
    assert (await bot.get_me()).has_topics_enabled
    assert not (await bot.get_chat(chat.id)).is_forum
    topic = (await bot.create_forum_topic(chat.id, "Work")).message_thread_id
    await bot.edit_forum_topic(chat.id, topic, name="Play")
    for call in (bot.close_forum_topic, bot.reopen_forum_topic):
        with pytest.raises(BadRequest, match=r"(?i)not a supergroup"):
            await call(chat.id, topic)
    assert api.topics(chat) == {topic: "Play"}


async def test_what_is_done_to_a_topic_is_an_update_for_the_bot(
    api: TelegramApi, ann: User, forum: Chat, bot: Bot
) -> None:
    topic = api.create_topic(forum, ann, "Work")
    api.rename_topic(forum, ann, topic, "Play")
    api.close_topic(forum, ann, topic)
    await bot.edit_forum_topic(forum.id, topic, name="Mine")
    made, renamed, closed, ours = await bot.get_updates()
    assert made.message and made.message.forum_topic_created
    assert made.message.forum_topic_created.name == "Work"
    assert renamed.message and renamed.message.forum_topic_edited
    assert renamed.message.forum_topic_edited.name == "Play"
    assert renamed.message.from_user and renamed.message.from_user.id == ann.id
    assert closed.message and closed.message.forum_topic_closed
    assert ours.message and ours.message.from_user
    assert ours.message.from_user.id == (await bot.get_me()).id


@pytest.mark.parametrize("name", ["", " ", "x" * 129])
async def test_a_name_has_1_to_128_characters(forum: Chat, bot: Bot, name: str) -> None:
    with pytest.raises(BadRequest, match=r"(?i)topic_title"):
        await bot.create_forum_topic(forum.id, name)


async def test_a_topic_that_is_gone_has_no_name(
    api: TelegramApi, ann: User, forum: Chat, bot: Bot
) -> None:
    topic = api.create_topic(forum, ann, "Work")
    api.delete_topic(forum, topic)
    with pytest.raises(BadRequest, match=r"(?i)topic_id_invalid"):
        await bot.edit_forum_topic(forum.id, topic, name="Play")


async def test_changes_of_topics_count_for_the_flood_limit(
    api: TelegramApi, forum: Chat, bot: Bot
) -> None:
    api.limit_flood(2, 60, chat=forum)
    topic = (await bot.create_forum_topic(forum.id, "Work")).message_thread_id
    await bot.edit_forum_topic(forum.id, topic, name="Play")
    with pytest.raises(RetryAfter):
        await bot.edit_forum_topic(forum.id, topic, name="Work")
    with pytest.raises(RetryAfter):
        await asyncio.wait_for(bot.send_message(forum.id, "x"), 5)
