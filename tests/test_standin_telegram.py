"""The stand-in for Telegram serves updates, people, trouble and records as Telegram does."""

import asyncio
import json
import re
import socket
import time
from datetime import timedelta
from typing import Any

import httpx
import pytest
from telegram import (
    Bot,
)
from telegram.error import (
    BadRequest,
    ChatMigrated,
    Conflict,
    Forbidden,
    InvalidToken,
    NetworkError,
    RetryAfter,
)

from tests.standins.telegram_api import TelegramApi
from tests.standins.telegram_client import keyboard, make_bot, refusal_of
from tests.standins.telegram_entities import (
    entity_text,
    find_entities,
)
from tests.standins.telegram_state import Chat, User

pytest_plugins = ["tests.standins.telegram_fixtures"]


async def test_another_token_is_unauthorized(api: TelegramApi) -> None:
    with pytest.raises(InvalidToken):
        async with make_bot(api, "123456:other"):
            pass


async def test_an_unknown_method_is_not_found(api: TelegramApi) -> None:
    assert await refusal_of(api, "makeCoffee", {}) == "Not Found"


@pytest.mark.parametrize("how", ["params", "data", "json", "multipart"])
async def test_every_encoding_reaches_the_chat(api: TelegramApi, chat: Chat, how: str) -> None:
    values: dict[str, Any] = {"chat_id": chat.id, "text": "Zoë 😀"}
    entities = [{"type": "bold", "offset": 4, "length": 2}]
    values["entities"] = entities if how == "json" else json.dumps(entities)
    sent: dict[str, Any] = {how: values}
    if how == "multipart":
        sent = {"data": values, "files": {"x": b"unused"}}
    async with httpx.AsyncClient() as client:
        response = await client.post(f"{api.url}/bot{api.token}/sendmessage", **sent)
    assert response.json()["ok"], response.text
    (message,) = api.messages(chat)
    assert message.text == "Zoë 😀"
    assert message.entities == entities


async def test_a_refusal_is_json_with_the_same_status(api: TelegramApi) -> None:
    async with httpx.AsyncClient() as client:
        response = await client.get(f"{api.url}/bot{api.token}/sendMessage", params={"chat_id": 5})
    assert response.status_code == 400
    expected = {"ok": False, "error_code": 400, "description": "Bad Request: chat not found"}
    assert response.json() == expected


async def test_an_open_poll_answers_as_soon_as_a_person_writes(
    api: TelegramApi, ann: User, chat: Chat, bot: Bot
) -> None:
    poll = asyncio.create_task(bot.get_updates(timeout=30))
    await api.wait_for_async(lambda: api.calls_of("getUpdates"))
    api.send_text(chat, ann, "/start now")
    (update,) = await poll
    assert update.message
    assert update.message.text == "/start now"
    assert update.message.parse_entities() == {update.message.entities[0]: "/start"}


async def test_an_update_is_forgotten_when_the_next_offset_arrives(
    api: TelegramApi, ann: User, chat: Chat, bot: Bot
) -> None:
    for text in ("one", "two", "three"):
        api.send_text(chat, ann, text)
    first = await bot.get_updates(limit=2)
    again = await bot.get_updates()
    rest = await bot.get_updates(offset=first[-1].update_id + 1)
    assert [u.message.text for u in first if u.message] == ["one", "two"]
    assert len(again) == 3
    assert [u.message.text for u in rest if u.message] == ["three"]
    assert len(api.waiting_updates) == 1


async def test_a_negative_offset_forgets_all_but_the_last(
    api: TelegramApi, ann: User, chat: Chat, bot: Bot
) -> None:
    for text in ("one", "two", "three"):
        api.send_text(chat, ann, text)
    assert len(await bot.get_updates(offset=-1)) == 1
    assert len(api.waiting_updates) == 1


@pytest.mark.parametrize("offset", [5, 900_000_000])
async def test_an_offset_far_off_falls_back_to_the_head(
    api: TelegramApi, ann: User, chat: Chat, bot: Bot, offset: int
) -> None:
    api.send_text(chat, ann, "kept")
    assert len(await bot.get_updates(offset=offset)) == 1


async def test_a_second_poll_ends_the_first_with_a_conflict(api: TelegramApi, bot: Bot) -> None:
    first = asyncio.create_task(bot.get_updates(timeout=30))
    await api.wait_for_async(lambda: api.calls_of("getUpdates"))
    async with make_bot(api) as other:
        assert await other.get_updates() == ()
        with pytest.raises(Conflict, match="terminated by other getUpdates request"):
            await first


async def test_a_forced_conflict_lasts_until_it_is_ended(api: TelegramApi, bot: Bot) -> None:
    poll = asyncio.create_task(bot.get_updates(timeout=30))
    await api.wait_for_async(lambda: api.calls_of("getUpdates"))
    conflict = api.conflict()
    for waiting in (poll, bot.get_updates(timeout=30), bot.get_updates()):
        with pytest.raises(Conflict):
            await waiting
    conflict.end()
    assert await bot.get_updates() == ()


async def test_a_kind_that_is_not_allowed_never_comes(
    api: TelegramApi, ann: User, chat: Chat, bot: Bot
) -> None:
    message_id = api.send_text(chat, ann, "one")
    api.react(chat, ann, message_id, "👍")
    assert [u.message_reaction for u in await bot.get_updates()] == [None]
    await bot.get_updates(offset=-1, allowed_updates=["message_reaction"])
    api.react(chat, ann, message_id, "👍")
    api.send_text(chat, ann, "two")
    updates = await bot.get_updates()
    assert [bool(u.message_reaction) for u in updates] == [False, True]


async def test_old_updates_come_again_and_ids_restart(
    api: TelegramApi, ann: User, chat: Chat, bot: Bot
) -> None:
    api.send_text(chat, ann, "one")
    (old,) = await bot.get_updates()
    assert await bot.get_updates(offset=old.update_id + 1) == ()
    assert api.redeliver(old.update_id) == 1
    assert await bot.get_updates(offset=old.update_id + 1) == (old,)
    api.restart_update_ids(1000)
    api.send_text(chat, ann, "two")
    (new,) = await bot.get_updates(offset=old.update_id + 1)
    assert new.update_id == 1000


async def test_malformed_updates_reach_the_bot_as_they_are(api: TelegramApi) -> None:
    update_id = api.inject({"message": {"message_id": "?"}})
    api.inject_raw(["not", "an", "update"])
    async with httpx.AsyncClient() as client:
        url = f"{api.url}/bot{api.token}/getUpdates"
        first = (await client.get(url)).json()["result"]
        second = (await client.get(url)).json()["result"]
    poison = {"update_id": update_id, "message": {"message_id": "?"}}
    assert first == [["not", "an", "update"], poison]
    assert second == [poison]


async def test_an_edit_a_forward_and_a_quote_look_as_telegram_makes_them(
    api: TelegramApi, ann: User, chat: Chat, bot: Bot
) -> None:
    sent = await bot.send_message(chat.id, "😀 run rm -rf?")
    answer = api.send_text(chat, ann, "no", reply_to=sent.message_id, quote="rm -rf")
    api.send_text(chat, ann, "look", forward_from="Mallory")
    api.edit_text(chat, answer, "yes")
    quoted, forwarded, edited = await bot.get_updates()
    assert quoted.message
    assert quoted.message.quote
    assert (quoted.message.quote.text, quoted.message.quote.position) == ("rm -rf", 7)
    assert quoted.message.reply_to_message
    assert quoted.message.reply_to_message.message_id == sent.message_id
    assert forwarded.message
    assert forwarded.message.forward_origin
    assert forwarded.message.forward_origin.type == "hidden_user"
    assert edited.edited_message
    assert edited.edited_message.edit_date
    assert api.message(chat, answer).edits[0].text == "no"


async def test_a_text_in_a_topic_answers_the_line_that_made_the_topic(
    api: TelegramApi, ann: User, forum: Chat, bot: Bot
) -> None:
    topic = api.create_topic(forum, ann, "Work")
    api.send_text(forum, ann, "hello", topic=topic)
    made, written = await bot.get_updates()
    assert made.message
    assert made.message.forum_topic_created
    assert written.message
    assert written.message.is_topic_message
    assert written.message.message_thread_id == topic
    assert written.message.reply_to_message
    assert written.message.reply_to_message.forum_topic_created


async def test_private_chats_share_message_ids_and_groups_count_their_own(
    api: TelegramApi, ann: User, chat: Chat, forum: Chat
) -> None:
    bob = api.user(first_name="Bob")
    other = api.private_chat(bob)
    assert [api.send_text(c, ann, "x") for c in (chat, other, forum)] == [1, 2, 2]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("/start", ["/start"]),
        ("😀 /new@bridge_test_bot x", ["/new@bridge_test_bot"]),
        ("/tmp/x and a/b", []),
        ("see https://a.example/b. @someone #tag", ["https://a.example/b", "@someone", "#tag"]),
    ],
)
def test_commands_and_links_are_found_as_telegram_finds_them(text: str, found: list[str]) -> None:
    assert [entity_text(text, entity) for entity in find_entities(text)] == found


async def test_a_press_sends_the_data_of_the_button_that_is_there(
    api: TelegramApi, ann: User, chat: Chat, bot: Bot
) -> None:
    sent = await bot.send_message(chat.id, "Sure?", reply_markup=keyboard([("Yes", "y:1")]))
    pressed = api.press(chat, ann, sent.message_id, "Yes")
    with pytest.raises(LookupError):
        api.press(chat, ann, sent.message_id, "No")
    forged = api.press(chat, ann, sent.message_id, "n:1", forged=True)
    queries = [update.callback_query for update in await bot.get_updates()]
    assert [(q.id, q.data) for q in queries if q] == [(pressed, "y:1"), (forged, "n:1")]
    assert await bot.answer_callback_query(pressed, "Done", show_alert=True)
    answer = api.answer_to(pressed)
    assert answer
    assert (answer.text, answer.show_alert) == ("Done", True)


async def test_an_expired_or_invented_query_cannot_be_answered(
    api: TelegramApi, ann: User, chat: Chat, bot: Bot
) -> None:
    sent = await bot.send_message(chat.id, "Sure?", reply_markup=keyboard([("Yes", "y")]))
    pressed = api.press(chat, ann, sent.message_id, "y")
    api.expire_callbacks()
    for query_id in (pressed, "1"):
        with pytest.raises(BadRequest, match="Query is too old and response timeout expired"):
            await bot.answer_callback_query(query_id)


async def test_a_blocked_bot_is_told_and_forbidden(
    api: TelegramApi, ann: User, chat: Chat, bot: Bot
) -> None:
    api.block(ann)
    with pytest.raises(Forbidden, match="bot was blocked by the user"):
        await bot.send_message(chat.id, "x")
    (update,) = await bot.get_updates()
    assert update.my_chat_member
    assert update.my_chat_member.new_chat_member.status == "kicked"
    api.unblock(ann)
    await bot.send_message(chat.id, "x")


async def test_chats_can_go_away_in_every_way(
    api: TelegramApi, ann: User, chat: Chat, forum: Chat, bot: Bot
) -> None:
    api.kick_bot(forum, ann)
    with pytest.raises(Forbidden, match="bot was kicked from the supergroup chat"):
        await bot.send_message(forum.id, "x")
    gone = api.group(-1002, "Gone")
    api.delete_group(gone)
    with pytest.raises(Forbidden, match="the group chat was deleted"):
        await bot.send_message(gone.id, "x")
    old = api.group(-1003, "Old", members=[ann])
    new = api.migrate(old, -1004)
    with pytest.raises(ChatMigrated):
        await bot.send_message(old.id, "x")
    await bot.send_message(new.id, "x")
    api.forget_chat(chat)
    with pytest.raises(BadRequest, match="Chat not found"):
        await bot.send_message(chat.id, "x")


async def test_ordered_failures_hit_that_method_in_that_chat(
    api: TelegramApi, chat: Chat, forum: Chat, bot: Bot
) -> None:
    fault = api.fail(
        "sendMessage", 429, "Too Many Requests: retry after 7", {"retry_after": 7}, chat=chat
    )
    await bot.send_chat_action(chat.id, "typing")
    await bot.send_message(forum.id, "x")
    with pytest.raises(RetryAfter) as caught:
        await bot.send_message(chat.id, "x")
    assert caught.value.retry_after == timedelta(seconds=7)
    await bot.send_message(chat.id, "y")
    assert fault.hits == 1
    assert [m.text for m in api.messages(chat)] == ["y"]
    assert [c.status for c in api.calls_of("sendMessage", chat)] == [429, 200]


async def test_a_proxy_may_answer_with_html(api: TelegramApi, chat: Chat, bot: Bot) -> None:
    api.fail("sendMessage", 502, "Bad Gateway", body="<html>502 Bad Gateway</html>")
    with pytest.raises(NetworkError):
        await bot.send_message(chat.id, "x")


async def test_a_dropped_answer_leaves_the_message_and_a_dropped_call_none(
    api: TelegramApi, chat: Chat, bot: Bot
) -> None:
    api.drop("sendMessage", "after")
    with pytest.raises(NetworkError):
        await bot.send_message(chat.id, "arrived")
    api.drop("sendMessage", "before")
    with pytest.raises(NetworkError):
        await bot.send_message(chat.id, "lost")
    assert [m.text for m in api.messages(chat)] == ["arrived"]
    assert [c.status for c in api.calls_of("sendMessage")] == [0, 0]


async def test_a_held_answer_comes_when_it_is_let_go(
    api: TelegramApi, chat: Chat, bot: Bot
) -> None:
    hold = api.hold("sendMessage")
    sending = asyncio.create_task(bot.send_message(chat.id, "x"))
    await api.wait_for_text_async(chat, "x")
    assert api.calls_of("sendMessage")[0].status is None
    hold.end()
    assert (await sending).text == "x"


async def test_a_delayed_answer_is_late(api: TelegramApi, chat: Chat, bot: Bot) -> None:
    api.delay("sendMessage", 0.05)
    before = time.monotonic()
    await bot.send_message(chat.id, "x")
    assert time.monotonic() - before >= 0.05


async def test_flood_control_counts_edits_and_spares_other_chats(
    api: TelegramApi, chat: Chat, forum: Chat, bot: Bot
) -> None:
    api.limit_flood(2, seconds=60)
    sent = await bot.send_message(chat.id, "1")
    await bot.edit_message_text("2", chat.id, sent.message_id)
    with pytest.raises(RetryAfter) as caught:
        await bot.send_message(chat.id, "3")
    assert caught.value.retry_after == timedelta(seconds=60)
    await bot.send_chat_action(chat.id, "typing")
    await bot.send_message(forum.id, "1")


def test_waiting_in_vain_shows_the_recent_calls(api: TelegramApi, chat: Chat) -> None:
    httpx.get(f"{api.url}/bot{api.token}/sendMessage", params={"chat_id": chat.id, "text": "hey"})
    with pytest.raises(AssertionError, match=r"(?s)'ho' in chat.*sendMessage.*-> 200.*bot: 'hey'"):
        api.wait_for_text(chat, "ho", timeout=0.01)


def test_waiting_finds_a_text_by_part_or_pattern_after_a_message(
    api: TelegramApi, chat: Chat
) -> None:
    url = f"{api.url}/bot{api.token}/sendMessage"
    for text in ("step 1", "step 2"):
        httpx.get(url, params={"chat_id": chat.id, "text": text})
    assert api.wait_for_text(chat, "step").text == "step 2"
    assert api.wait_for_text(chat, re.compile(r"^step \d$"), after=1).message_id == 2
    assert api.find_text(chat, "step 1", after=1) is None


def test_a_snapshot_does_not_change_with_the_message(
    api: TelegramApi, ann: User, chat: Chat
) -> None:
    message_id = api.send_text(chat, ann, "before")
    seen = api.message(chat, message_id)
    api.edit_text(chat, message_id, "after")
    assert (seen.text, seen.edits) == ("before", [])


async def test_stopping_ends_an_open_poll_and_is_harmless_twice(api: TelegramApi, bot: Bot) -> None:
    poll = asyncio.create_task(bot.get_updates(timeout=30))
    await api.wait_for_async(lambda: api.calls_of("getUpdates"))
    await asyncio.to_thread(api.stop)
    api.stop()
    assert await poll == ()
    with pytest.raises(NetworkError):
        await bot.get_updates()


async def test_a_server_that_comes_back_has_the_same_address_and_memory(
    api: TelegramApi, ann: User, chat: Chat, bot: Bot
) -> None:
    await asyncio.to_thread(api.stop)
    api.send_text(chat, ann, "while you were out")
    api.start()
    (update,) = await bot.get_updates()
    assert update.message
    assert update.message.text == "while you were out"


async def test_an_update_is_not_spent_on_a_client_that_died(api: TelegramApi, bot: Bot) -> None:
    host, port = api.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as dying:
        path = f"/bot{api.token}/getUpdates?timeout=30"
        dying.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        await api.wait_for_async(lambda: api.calls_of("getUpdates"))
    await bot.get_me()  # what came before is noticed by then
    api.inject_raw({"update_id": 7})
    await api.wait_for_async(lambda: api.calls_of("getUpdates")[0].status == 0)
    assert [update.update_id for update in await bot.get_updates()] == [7]


def test_only_loopback_is_served(api: TelegramApi) -> None:
    assert api.url.startswith("http://127.0.0.1:")
