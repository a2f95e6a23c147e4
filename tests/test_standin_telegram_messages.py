"""The stand-in for Telegram keeps messages, menus, topics and files as Telegram does."""

import struct

import pytest
from telegram import (
    Bot,
    BotCommand,
    BotCommandScopeChat,
    InputMediaDocument,
    InputMediaPhoto,
)
from telegram.error import (
    BadRequest,
    Forbidden,
    NetworkError,
)

from tests.standins.telegram_api import TelegramApi
from tests.standins.telegram_client import keyboard, refusal_of
from tests.standins.telegram_state import Chat, User

pytest_plugins = ["tests.standins.telegram_fixtures"]

PNG = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", 640, 480) + b"rest"


async def test_an_edit_that_changes_nothing_is_refused(
    api: TelegramApi, chat: Chat, bot: Bot
) -> None:
    sent = await bot.send_message(chat.id, "one", reply_markup=keyboard([("Yes", "y")]))
    same = keyboard([("Yes", "y")])
    with pytest.raises(BadRequest, match="Message is not modified"):
        await bot.edit_message_text("one ", chat.id, sent.message_id, reply_markup=same)
    await bot.edit_message_text("two", chat.id, sent.message_id)
    message = api.message(chat, sent.message_id)
    assert (message.text, message.labels) == ("two", [])
    assert message.edits[0].text == "one"
    with pytest.raises(BadRequest, match="Message is not modified"):
        await bot.edit_message_reply_markup(chat.id, sent.message_id)


async def test_only_own_messages_that_exist_can_be_edited(
    api: TelegramApi, ann: User, chat: Chat, bot: Bot
) -> None:
    with pytest.raises(BadRequest, match="Message to edit not found"):
        await bot.edit_message_text("x", chat.id, 77)
    theirs = api.send_text(chat, ann, "mine")
    with pytest.raises(BadRequest, match="Message can't be edited"):
        await bot.edit_message_text("x", chat.id, theirs)
    photo = await bot.send_photo(chat.id, PNG)
    with pytest.raises(BadRequest, match="There is no text in the message to edit"):
        await bot.edit_message_text("x", chat.id, photo.message_id)


async def test_a_deleted_message_is_gone(api: TelegramApi, chat: Chat, bot: Bot) -> None:
    sent = await bot.send_message(chat.id, "x")
    assert await bot.delete_message(chat.id, sent.message_id)
    with pytest.raises(BadRequest, match="Message to delete not found"):
        await bot.delete_message(chat.id, sent.message_id)
    assert api.messages(chat) == []
    assert api.messages(chat, deleted=True)[0].is_deleted


@pytest.mark.parametrize(
    ("button", "refused"),
    [
        ({"text": "x", "callback_data": "é" * 33}, "BUTTON_DATA_INVALID"),
        ({"text": "x", "callback_data": ""}, "BUTTON_DATA_INVALID"),
        ({"text": " ", "callback_data": "y"}, "button text must be non-empty"),
        ({"text": "x"}, "Text buttons are unallowed"),
        ({"text": "x", "url": "nonsense"}, "BUTTON_URL_INVALID"),
    ],
)
async def test_a_wrong_button_is_refused(
    api: TelegramApi, chat: Chat, button: dict[str, str], refused: str
) -> None:
    values = {"chat_id": chat.id, "text": "x", "reply_markup": {"inline_keyboard": [[button]]}}
    assert refused in await refusal_of(api, "sendMessage", values)


async def test_a_keyboard_has_at_most_100_buttons(chat: Chat, bot: Bot) -> None:
    rows = [[(str(n), str(n))] for n in range(101)]
    await bot.send_message(chat.id, "x", reply_markup=keyboard(*rows[:100]))
    with pytest.raises(BadRequest, match="Reply markup is too long"):
        await bot.send_message(chat.id, "x", reply_markup=keyboard(*rows))


async def test_a_reaction_must_be_one_of_telegrams_own(
    api: TelegramApi, ann: User, chat: Chat, bot: Bot
) -> None:
    message_id = api.send_text(chat, ann, "x")
    assert await bot.set_message_reaction(chat.id, message_id, "👀")
    assert api.reactions(chat, message_id) == ["👀"]
    with pytest.raises(BadRequest, match=r"(?i)reaction_invalid"):
        await bot.set_message_reaction(chat.id, message_id, "✅")
    chat.allows_reactions = False
    with pytest.raises(BadRequest, match=r"(?i)reaction_invalid"):
        await bot.set_message_reaction(chat.id, message_id, "👀")


async def test_a_pin_is_announced_to_the_bot_itself(api: TelegramApi, chat: Chat, bot: Bot) -> None:
    sent = await bot.send_message(chat.id, "x")
    assert await bot.pin_chat_message(chat.id, sent.message_id)
    (update,) = await bot.get_updates()
    assert update.message
    assert update.message.from_user
    assert update.message.from_user.id == bot.id
    assert update.message.pinned_message
    assert await bot.unpin_chat_message(chat.id)
    assert chat.pinned == []
    assert len(api.messages(chat)) == 1


async def test_a_draft_shows_until_the_message_comes(
    api: TelegramApi, chat: Chat, bot: Bot
) -> None:
    await bot.send_message_draft(chat.id, 1, "grow")
    assert api.draft(chat) == "grow"
    await bot.send_message(chat.id, "grown")
    assert api.draft(chat) is None


async def test_chat_actions_are_recorded_and_checked(
    api: TelegramApi, chat: Chat, bot: Bot
) -> None:
    await bot.send_chat_action(chat.id, "typing")
    assert api.chat_actions(chat) == ["typing"]
    with pytest.raises(BadRequest, match="Wrong parameter action in request"):
        await bot.send_chat_action(chat.id, "dancing")


async def test_command_menus_are_kept_by_scope(api: TelegramApi, chat: Chat, bot: Bot) -> None:
    menu = [BotCommand("new", "New session")]
    await bot.set_my_commands(menu)
    await bot.set_my_commands(menu * 2, scope=BotCommandScopeChat(chat.id), language_code="en")
    assert api.commands["default", ""] == [{"command": "new", "description": "New session"}]
    assert len(api.commands[f"chat:{chat.id}", "en"]) == 2
    assert await bot.get_my_commands() == tuple(menu)
    await bot.delete_my_commands()
    assert await bot.get_my_commands() == ()


@pytest.mark.parametrize(
    ("commands", "refused"),
    [
        ([("New", "x")], "command_invalid"),
        ([("a" * 33, "x")], "command_invalid"),
        ([("new", "")], "description_invalid"),
        ([("new", "x" * 257)], "description_invalid"),
        ([(f"c{n}", "x") for n in range(101)], "commands_too_much"),
    ],
)
async def test_wrong_commands_are_refused(
    bot: Bot, commands: list[tuple[str, str]], refused: str
) -> None:
    with pytest.raises(BadRequest, match=f"(?i){refused}"):
        await bot.set_my_commands(commands)


async def test_topics_open_close_and_vanish(
    api: TelegramApi, ann: User, forum: Chat, bot: Bot
) -> None:
    topic = await bot.create_forum_topic(forum.id, "Work")
    thread = topic.message_thread_id
    await bot.send_message(forum.id, "in it", message_thread_id=thread)
    assert [m.text for m in api.messages(forum, thread)] == ["in it"]
    await bot.edit_forum_topic(forum.id, thread, name="Play")
    with pytest.raises(BadRequest, match=r"(?i)topic_not_modified"):
        await bot.edit_forum_topic(forum.id, thread, name="Play")
    assert api.topics(forum) == {thread: "Play"}
    await bot.close_forum_topic(forum.id, thread)
    with pytest.raises(BadRequest, match=r"(?i)topic_not_modified"):
        await bot.close_forum_topic(forum.id, thread)
    await bot.reopen_forum_topic(forum.id, thread)
    api.delete_topic(forum, thread)
    with pytest.raises(BadRequest, match="Message thread not found"):
        await bot.send_message(forum.id, "x", message_thread_id=thread)
    with pytest.raises(BadRequest, match="Message thread not found"):
        await bot.send_message(forum.id, "x", message_thread_id=1)


async def test_a_chat_that_is_no_forum_has_no_topics(chat: Chat, bot: Bot) -> None:
    with pytest.raises(BadRequest, match="The chat is not a forum"):
        await bot.create_forum_topic(chat.id, "Work")


async def test_files_go_both_ways(api: TelegramApi, ann: User, chat: Chat, bot: Bot) -> None:
    await bot.send_photo(chat.id, PNG, caption="<b>a</b>", parse_mode="HTML")
    await bot.send_document(chat.id, b"log", filename="log.txt")
    await bot.send_voice(chat.id, b"ogg")
    album = [InputMediaPhoto(PNG), InputMediaPhoto(PNG, caption="second")]
    await bot.send_media_group(chat.id, album)
    photo, document, voice, first, second = api.messages(chat)
    assert (photo.data, photo.text) == (PNG, "a")
    assert document.media
    assert (document.data, document.media.file.name) == (b"log", "log.txt")
    assert voice.data == b"ogg"
    assert first.media_group_id == second.media_group_id is not None
    api.send_file(chat, ann, b"from me", "note.txt", caption="/read it")
    (update,) = await bot.get_updates()
    assert update.message
    assert update.message.document
    assert update.message.parse_caption_entities()
    file = await update.message.document.get_file()
    assert bytes(await file.download_as_bytearray()) == b"from me"


async def test_wrong_files_are_refused(api: TelegramApi, ann: User, chat: Chat, bot: Bot) -> None:
    long = struct.pack(">I4sII", 13, b"IHDR", 100, 3000)
    for photo, refused in ((b"text", "image_process_failed"), (PNG[:8] + long, "dimensions")):
        with pytest.raises(BadRequest, match=f"(?i){refused}"):
            await bot.send_photo(chat.id, photo)
    with pytest.raises(BadRequest, match="File must be non-empty"):
        await bot.send_document(chat.id, b"")
    with pytest.raises(BadRequest, match="Message caption is too long"):
        await bot.send_document(chat.id, b"x", caption="x" * 1025)
    with pytest.raises(BadRequest, match="can't be mixed"):
        await bot.send_media_group(chat.id, [InputMediaPhoto(PNG), InputMediaDocument(b"x")])
    api.send_file(chat, ann, b"", "film.mkv", size=21 * 1024 * 1024)
    (update,) = await bot.get_updates()
    assert update.message
    assert update.message.document
    with pytest.raises(BadRequest, match="File is too big"):
        await bot.get_file(update.message.document)
    with pytest.raises(BadRequest, match="Invalid file_id"):
        await bot.get_file("nothing")


async def test_an_upload_beyond_the_limit_is_too_large(
    api: TelegramApi, chat: Chat, bot: Bot
) -> None:
    api.upload_limit = 1000
    with pytest.raises(NetworkError, match="Request Entity Too Large"):
        await bot.send_document(chat.id, b"x" * 1001)


async def test_members_and_rights_can_be_asked(
    ann: User, forum: Chat, chat: Chat, bot: Bot
) -> None:
    assert (await bot.get_chat_member(forum.id, bot.id)).status == "administrator"
    assert (await bot.get_chat_member(forum.id, ann.id)).status == "member"
    assert (await bot.get_chat(forum.id)).is_forum
    assert (await bot.get_chat(chat.id)).first_name == "Ann"
    assert (await bot.get_webhook_info()).url == ""
    assert await bot.leave_chat(forum.id)
    with pytest.raises(Forbidden):
        await bot.send_message(forum.id, "x")


async def test_a_download_can_break_off_in_the_middle(
    api: TelegramApi, chat: Chat, ann: User, bot: Bot
) -> None:
    message = api.send_file(chat, ann, b"0123456789")
    media = api.message(chat, message).media
    assert media is not None
    file = await bot.get_file(media.file.file_id)
    api.drop("file")
    with pytest.raises(NetworkError):
        await file.download_as_bytearray()
    assert await file.download_as_bytearray() == b"0123456789"
    assert [call.method for call in api.calls_of("file")] == ["file", "file"]
