"""The Telegram channel over real HTTP, against the strict stand-in for the Bot API."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from telegram.error import BadRequest, ChatMigrated, Forbidden, NetworkError, TimedOut

from channels.telegram import TelegramChannel, _key
from channels.telegram_errors import translate
from core.commands import TABLE
from core.config import Secret
from core.errors import (
    ChannelError,
    ChannelRefusedError,
    ChatUnreachableError,
    FloodLimitError,
    MarkupRefusedError,
    MessageRefusedError,
    NotSentError,
    OutcomeUnknownError,
    StoreWriteError,
    TopicClosedError,
    TopicGoneError,
)
from core.model import Button, ButtonPressed, Piece, Post, TextSent
from core.model import Chat as Place
from pulse import Pulse
from tests.standins.telegram_api import TelegramApi
from tests.standins.telegram_state import Chat, User

pytest_plugins = ["tests.standins.telegram_fixtures"]

MENU = [entry for entry in TABLE if entry.is_in_menu]


class Taker:
    """Takes updates; refuses as often as `refusals` says, as a full disk does."""

    def __init__(self) -> None:
        self.batches: list[list[tuple[str, dict[str, Any]]]] = []
        self.refusals = 0
        self.pauses: list[float] = []
        self.pulse = Pulse()

    def take(self, updates: list[tuple[str, dict[str, Any]]]) -> None:
        self.pulse.beat()
        if self.refusals:
            self.refusals -= 1
            raise StoreWriteError("The disk is full.")
        self.batches.append(updates)

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.pulse.beat()
        await asyncio.sleep(0)

    @property
    def keys(self) -> list[str]:
        return [key for batch in self.batches for key, _ in batch]

    @property
    def texts(self) -> list[str]:
        bodies = [raw for batch in self.batches for _, raw in batch]
        return [raw["message"]["text"] for raw in bodies if "text" in raw.get("message", {})]

    async def until(self, is_true: Callable[[], bool]) -> None:
        assert await self.pulse.until(is_true, 10), (self.batches, self.pauses)


@asynccontextmanager
async def connected(api: TelegramApi, taker: Taker) -> AsyncIterator[TelegramChannel]:
    channel = TelegramChannel(Secret(api.token), api.url, sleep=taker.sleep)
    await channel.start(MENU)
    yield channel
    await channel.stop()


@pytest.fixture
def taker() -> Taker:
    return Taker()


@pytest.fixture
async def channel(api: TelegramApi, taker: Taker) -> AsyncIterator[TelegramChannel]:
    async with connected(api, taker) as made:
        yield made


@pytest.fixture
async def polling(channel: TelegramChannel, taker: Taker) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(channel.receive(taker.take))
    yield task
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def piece(chat: Chat, text: str = "hello", **fields: Any) -> Piece:
    post = Post("k", Place("telegram", chat.id), text, **fields)
    return Piece(post, text, keyboard=post.keyboard)


def offsets(api: TelegramApi) -> list[int]:
    return [
        int(call.params["offset"]) for call in api.calls_of("getUpdates") if "offset" in call.params
    ]


def raw_updates(taker: Taker) -> list[dict[str, Any]]:
    return [raw for batch in taker.batches for _, raw in batch]


# --- receiving ---------------------------------------------------------------------------------


@pytest.mark.usefixtures("polling")
async def test_updates_come_in_order(api: TelegramApi, chat: Chat, ann: User, taker: Taker) -> None:
    for number in range(250):  # more than one answer holds
        api.send_text(chat, ann, str(number))
    await taker.until(lambda: len(taker.texts) >= 250)
    assert taker.texts == [str(number) for number in range(250)]


@pytest.mark.usefixtures("polling")
async def test_an_update_is_confirmed_only_after_it_was_taken(
    api: TelegramApi, chat: Chat, ann: User, taker: Taker
) -> None:
    taker.refusals = 3
    api.send_text(chat, ann, "kept at Telegram")
    (update_id,) = api.update_ids
    await taker.until(lambda: taker.refusals == 0)
    assert all(offset <= update_id for offset in offsets(api))
    await taker.until(lambda: taker.texts == ["kept at Telegram"])
    await api.wait_for_async(lambda: not api.waiting_updates)
    assert max(offsets(api)) == update_id + 1
    assert taker.pauses == [1, 2, 4]


@pytest.mark.usefixtures("polling")
async def test_a_redelivered_update_has_the_same_key(
    api: TelegramApi, chat: Chat, ann: User, taker: Taker
) -> None:
    api.send_text(chat, ann, "hi")
    await taker.until(lambda: len(taker.keys) == 1)
    api.redeliver(*api.update_ids)
    await taker.until(lambda: len(taker.keys) == 2)
    assert taker.keys[0] == taker.keys[1]


@pytest.mark.usefixtures("polling")
async def test_numbers_that_start_again_make_other_keys(
    api: TelegramApi, chat: Chat, ann: User, taker: Taker
) -> None:
    api.send_text(chat, ann, "before")
    await taker.until(lambda: len(taker.keys) == 1)
    await api.wait_for_async(lambda: not api.waiting_updates)
    api.restart_update_ids(api.update_ids[0])
    api.send_text(chat, ann, "after")
    await taker.until(lambda: len(taker.keys) == 2)
    assert taker.texts == ["before", "after"]
    assert len(set(taker.keys)) == 2


@pytest.mark.usefixtures("polling")
async def test_another_poller_is_told_of_once_and_outlived(
    api: TelegramApi, chat: Chat, ann: User, taker: Taker, caplog: pytest.LogCaptureFixture
) -> None:
    fault = api.conflict()
    await taker.until(lambda: len(taker.pauses) >= 5)
    fault.end()
    api.send_text(chat, ann, "still here")
    await taker.until(lambda: taker.texts == ["still here"])
    told = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(told) == 1
    assert "Another program" in told[0].message


@pytest.mark.usefixtures("polling")
@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_line_that_breaks_loses_nothing(
    api: TelegramApi, chat: Chat, ann: User, taker: Taker, when: Any
) -> None:
    fault = api.drop("getUpdates", when, times=3)
    api.send_text(chat, ann, "one")
    await taker.until(lambda: "one" in taker.texts)
    fault.end()
    api.send_text(chat, ann, "two")
    await taker.until(lambda: "two" in taker.texts)
    assert sorted(set(taker.texts)) == ["one", "two"]
    assert len(set(taker.keys)) == 2


@pytest.mark.usefixtures("polling")
async def test_a_server_that_goes_and_comes_back_loses_nothing_and_its_silence_is_known(
    channel: TelegramChannel, api: TelegramApi, chat: Chat, ann: User, taker: Taker
) -> None:
    await asyncio.to_thread(api.stop)
    await taker.until(lambda: len(taker.pauses) >= 3 and channel.silence > 0.05)
    silence = channel.silence
    api.send_text(chat, ann, "said meanwhile")
    await asyncio.to_thread(api.start)
    await taker.until(lambda: taker.texts == ["said meanwhile"])
    assert channel.silence < silence


@pytest.mark.usefixtures("polling")
@pytest.mark.parametrize(
    ("status", "body"), [(502, "<html>Bad Gateway</html>"), (500, None), (429, None), (200, "{")]
)
async def test_a_server_in_trouble_is_asked_again(
    api: TelegramApi, chat: Chat, ann: User, taker: Taker, status: int, body: str | None
) -> None:
    api.fail("getUpdates", status, "x", {"retry_after": 1}, times=3, body=body)
    await taker.until(lambda: len(taker.pauses) >= 3)
    api.send_text(chat, ann, "after all")
    await taker.until(lambda: taker.texts == ["after all"])


async def test_a_token_that_is_taken_back_ends_receiving(
    api: TelegramApi, polling: asyncio.Task[None]
) -> None:
    api.fail("getUpdates", 401, "Unauthorized", times=None)
    with pytest.raises(ChannelRefusedError, match="@BotFather"):
        await asyncio.wait_for(asyncio.shield(polling), 10)


async def test_starting_waits_for_the_network_and_shows_the_menu(
    api: TelegramApi, taker: Taker
) -> None:
    api.drop("getMe", times=2)
    async with connected(api, taker) as channel:
        assert channel.bot_name == "bridge_test_bot"
    assert len(taker.pauses) == 2
    shown = [command["command"] for command in api.commands[("default", "")]]
    assert shown == [entry.name for entry in MENU]


async def test_a_wrong_token_is_refused_at_once_and_not_repeated(api: TelegramApi) -> None:
    token = "123456:WRONG-token-that-nobody-knows-AAAAAAAA"
    channel = TelegramChannel(Secret(token), api.url)
    with pytest.raises(ChannelRefusedError) as raised:
        await channel.start(MENU)
    await channel.stop()
    assert token not in _everything(raised.value)


# --- what people did ---------------------------------------------------------------------------


@pytest.mark.usefixtures("polling")
async def test_texts_are_parsed_with_who_and_where(
    api: TelegramApi, channel: TelegramChannel, forum: Chat, ann: User, taker: Taker
) -> None:
    topic = api.create_topic(forum, ann, "red")
    api.send_text(forum, ann, "hi", topic=topic)
    await taker.until(lambda: taker.texts == ["hi"])
    (text,) = [found for raw in raw_updates(taker) if (found := channel.parse(raw))]
    assert isinstance(text, TextSent)
    assert text.chat == Place("telegram", forum.id, topic)
    assert (text.person.user_id, text.person.name) == (ann.id, "Ann")
    assert (text.text, text.is_private, text.forwarded_from) == ("hi", False, None)


@pytest.mark.usefixtures("polling")
async def test_other_peoples_words_are_marked(
    api: TelegramApi, channel: TelegramChannel, chat: Chat, ann: User, taker: Taker
) -> None:
    bob = api.user(first_name="Bob", last_name="Ross")
    first = api.send_text(chat, ann, "/sh one two", forward_from=bob)
    api.send_text(chat, ann, "x", forward_from="Hidden Harry")
    api.send_text(chat, ann, "why?", reply_to=first, quote="one")
    await taker.until(lambda: len(taker.texts) == 3)
    found = [channel.parse(raw) for raw in raw_updates(taker)]
    assert [text.forwarded_from for text in found if isinstance(text, TextSent)] == [
        "Bob Ross",
        "Hidden Harry",
        None,
    ]
    assert isinstance(found[2], TextSent)
    assert found[2].quoted == "one"


@pytest.mark.usefixtures("polling")
async def test_what_no_person_said_is_nothing(
    api: TelegramApi, channel: TelegramChannel, forum: Chat, ann: User, taker: Taker
) -> None:
    robot = api.user(first_name="Robot", is_bot=True)
    api.send_text(forum, robot, "beep")
    api.send_text(forum, ann, "as an anonymous admin", sender_chat=forum)
    api.create_topic(forum, ann, "a service message")
    api.send_text(forum, ann, "end")
    await taker.until(lambda: "end" in taker.texts)
    found = [channel.parse(raw) for raw in raw_updates(taker)]
    assert [text.text for text in found if isinstance(text, TextSent)] == ["end"]
    assert [x for x in found if x is not None and not isinstance(x, TextSent)] == []


@pytest.mark.usefixtures("polling")
async def test_a_press_is_parsed_and_answered(
    api: TelegramApi, channel: TelegramChannel, chat: Chat, ann: User, taker: Taker
) -> None:
    keyboard = ((Button("One", "id-1"), Button("Two", "id-2")),)
    message_id = await channel.send(piece(chat, keyboard=keyboard))
    query = api.press(chat, ann, message_id, "Two")
    api.press(chat, ann, message_id, "x" * 64, forged=True)
    await taker.until(lambda: len(taker.keys) == 2)
    press, forged = [channel.parse(raw) for raw in raw_updates(taker)]
    assert isinstance(press, ButtonPressed)
    assert (press.press_id, press.data, press.message_id) == (query, "id-2", message_id)
    assert (press.chat, press.person.user_id) == (Place("telegram", chat.id), ann.id)
    assert isinstance(forged, ButtonPressed)
    await channel.answer_press(query, "Done")
    answered = api.answer_to(query)
    assert answered is not None
    await channel.answer_press("0", "no such press")  # too old: nothing to be done
    await channel.show_typing(Place("telegram", 999))


@pytest.mark.parametrize(
    "update",
    [
        {},
        {"update_id": None, "message": "x", "callback_query": []},
        {"update_id": 1, "message": {"chat": 3, "message_id": {}}},
        {"update_id": 1, "callback_query": {"id": None}},
    ],
)
def test_no_update_has_no_key(update: dict[str, Any]) -> None:
    assert _key(update)


# --- sending -----------------------------------------------------------------------------------


async def test_a_message_arrives_where_it_belongs(
    api: TelegramApi, channel: TelegramChannel, forum: Chat, ann: User
) -> None:
    topic = api.create_topic(forum, ann, "red")
    post = Post("k", Place("telegram", forum.id, topic), "**hi** there", "markdown", silent=True)
    (made,) = channel.split(post)
    message_id = await channel.send(made)
    shown = api.message(forum, message_id)
    assert (shown.text, shown.topic) == ("hi there", topic)
    assert shown.entities[0]["type"] == "bold"


async def test_an_edit_changes_the_message_and_an_equal_one_is_no_error(
    api: TelegramApi, channel: TelegramChannel, chat: Chat
) -> None:
    message_id = await channel.send(piece(chat, "old"))
    await channel.edit(piece(chat, "new"), message_id)
    await channel.edit(piece(chat, "new"), message_id)
    assert api.message(chat, message_id).text == "new"


async def test_a_line_that_breaks_leaves_the_outcome_unknown(
    api: TelegramApi, channel: TelegramChannel, chat: Chat
) -> None:
    api.drop("sendMessage", "after")
    with pytest.raises(OutcomeUnknownError):
        await channel.send(piece(chat))
    assert len(api.messages(chat, from_bot=True)) == 1


async def test_without_a_connection_it_surely_did_not_leave(
    api: TelegramApi, channel: TelegramChannel, chat: Chat
) -> None:
    await asyncio.to_thread(api.stop)
    with pytest.raises(NotSentError):
        await channel.send(piece(chat))
    await asyncio.to_thread(api.start)
    await channel.send(piece(chat))
    assert len(api.messages(chat, from_bot=True)) == 1


async def test_a_flood_limit_says_for_how_long(
    api: TelegramApi, channel: TelegramChannel, chat: Chat
) -> None:
    api.fail("sendMessage", 429, "Too Many Requests: retry after 37", {"retry_after": 37})
    with pytest.raises(FloodLimitError) as raised:
        await channel.send(piece(chat))
    assert raised.value.seconds == 37
    assert str(raised.value) == "The chat service asks to wait 37 s."


async def test_a_chat_that_is_gone_is_known_as_gone(
    api: TelegramApi, channel: TelegramChannel, chat: Chat, forum: Chat, ann: User
) -> None:
    topic = api.create_topic(forum, ann, "red")
    api.delete_topic(forum, topic)
    with pytest.raises(ChatUnreachableError):
        await channel.send(Piece(Post("k", Place("telegram", forum.id, topic), "x"), "x"))
    api.migrate(forum, -1002)
    api.block(ann)
    for gone in (chat, forum):
        with pytest.raises(ChatUnreachableError):
            await channel.send(piece(gone))
    with pytest.raises(ChatUnreachableError):
        await channel.send(Piece(Post("k", Place("telegram", 999), "x"), "x"))


async def test_refused_markup_is_told_from_a_refused_message(
    channel: TelegramChannel, chat: Chat
) -> None:
    post = Post("k", Place("telegram", chat.id), "x")
    with pytest.raises(MarkupRefusedError):
        await channel.send(Piece(post, "x", ({"type": "bold", "offset": 0, "length": 9},)))
    with pytest.raises(MessageRefusedError):
        await channel.send(Piece(post, "x" * 4097))
    with pytest.raises(MessageRefusedError):
        await channel.send(Piece(post, "x", keyboard=((Button("x", "y" * 65),),)))
    with pytest.raises(MessageRefusedError):
        await channel.edit(piece(chat), 999)


# --- the token ---------------------------------------------------------------------------------


def _everything(error: BaseException) -> str:
    """All that a log or a report could show of it, with what it came from."""
    shown = f"{error!s} {error!r} {error.args}"
    if error.__cause__ is not None:
        shown += _everything(error.__cause__)
    if error.__context__ is not None and not error.__suppress_context__:
        shown += _everything(error.__context__)
    return shown


@pytest.mark.parametrize("status", [400, 403, 404, 409, 413, 429, 500, 502])
async def test_the_token_is_in_no_exception(
    api: TelegramApi, channel: TelegramChannel, chat: Chat, status: int
) -> None:
    page = f"<html>could not get http://proxy/bot{api.token}/sendMessage</html>"
    api.fail("sendMessage", status, "x", body=page)
    with pytest.raises(ChannelError) as raised:
        await channel.send(piece(chat))
    assert api.token not in _everything(raised.value)
    told = json.dumps({"ok": False, "error_code": status, "description": f"see bot{api.token}"})
    api.fail("editMessageText", status, "x", body=told)
    with pytest.raises(ChannelError) as raised:
        await channel.edit(piece(chat), 1)
    assert api.token not in _everything(raised.value)


async def test_the_token_is_in_no_log(
    api: TelegramApi, channel: TelegramChannel, chat: Chat, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "channels.telegram")
    page = f"<html>could not get http://proxy/bot{api.token}/sendChatAction</html>"
    for method in ("sendChatAction", "answerCallbackQuery"):
        api.fail(method, 400, "x", body=page)
    await channel.show_typing(Place("telegram", chat.id))
    await channel.answer_press("1")
    told = [r.getMessage() for r in caplog.records if r.name == "channels.telegram"]
    assert len(told) == 2
    assert api.token not in "".join(told)
    assert api.token not in repr(channel)


def test_errors_become_ours_by_what_they_mean() -> None:
    def caused_by(error: NetworkError, cause: Exception) -> NetworkError:
        error.__cause__ = cause
        return error

    request = httpx.Request("POST", "http://x/bot1:2/sendMessage")
    cases: list[tuple[Any, type[ChannelError]]] = [
        (caused_by(NetworkError("x"), httpx.ConnectError("x", request=request)), NotSentError),
        (caused_by(TimedOut(), httpx.PoolTimeout("x")), NotSentError),
        (caused_by(NetworkError("x"), httpx.ProxyError("x")), NotSentError),
        (caused_by(TimedOut(), httpx.ReadTimeout("x")), OutcomeUnknownError),
        (caused_by(NetworkError("x"), httpx.ReadError("x")), OutcomeUnknownError),
        (caused_by(NetworkError("x"), httpx.WriteError("x")), OutcomeUnknownError),
        (NetworkError("Bad Gateway"), OutcomeUnknownError),
        (Forbidden("bot was blocked by the user"), ChatUnreachableError),
        (ChatMigrated(-1001), ChatUnreachableError),
        (BadRequest("Message thread not found"), TopicGoneError),
        (BadRequest("TOPIC_CLOSED"), TopicClosedError),
        (BadRequest("Chat not found"), ChatUnreachableError),
        (BadRequest("Can't parse entities: x"), MarkupRefusedError),
        (BadRequest("Message is too long"), MessageRefusedError),
    ]
    assert [type(translate(error)) for error, _ in cases] == [kind for _, kind in cases]
