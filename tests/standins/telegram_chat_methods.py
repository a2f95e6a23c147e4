"""The Bot API's methods about the bot, its chats, their topics and files; entered into METHODS."""

from typing import Any

from tests.standins.telegram_methods import (
    announce,
    bot_method,
    read_chat,
    read_own_message,
    send,
)
from tests.standins.telegram_rules import (
    Params,
    Upload,
    bad_request,
    check_photo,
    read_caption,
    read_command_scope,
    read_commands,
    read_markup,
)
from tests.standins.telegram_state import (
    Chat,
    Json,
    Media,
    State,
    StoredFile,
    Topic,
    record_edit,
    render_message,
)

_MEDIA_FIELDS = ("photo", "document", "voice", "video", "audio")
_ADMIN_RIGHTS = {
    "can_be_edited": False,
    "is_anonymous": False,
    "can_manage_chat": True,
    "can_delete_messages": True,
    "can_manage_video_chats": True,
    "can_restrict_members": True,
    "can_promote_members": False,
    "can_change_info": True,
    "can_invite_users": True,
    "can_post_stories": False,
    "can_edit_stories": False,
    "can_delete_stories": False,
    "can_pin_messages": True,
    "can_manage_topics": True,
}


@bot_method("setMyCommands")
def set_my_commands(state: State, params: Params) -> bool:
    """The menu for a scope and language; an empty list deletes it."""
    key = read_command_scope(params)
    commands = read_commands(params)
    if commands:
        state.commands[key] = commands
    else:
        state.commands.pop(key, None)
    return True


@bot_method("getMyCommands")
def get_my_commands(state: State, params: Params) -> list[Json]:
    """The menu set for exactly this scope and language."""
    return state.commands.get(read_command_scope(params), [])


@bot_method("deleteMyCommands")
def delete_my_commands(state: State, params: Params) -> bool:
    """Forgets the menu for a scope and language."""
    state.commands.pop(read_command_scope(params), None)
    return True


def _set_description(state: State, params: Params, name: str, limit: int) -> bool:
    text = params.text(name)
    if len(text) > limit:
        raise bad_request("BOT_DESCRIPTION_INVALID")
    state.descriptions[name, params.text("language_code")] = text
    return True


@bot_method("setMyDescription")
def set_my_description(state: State, params: Params) -> bool:
    """What an empty chat with the bot shows; 512 characters."""
    return _set_description(state, params, "description", 512)


@bot_method("setMyShortDescription")
def set_my_short_description(state: State, params: Params) -> bool:
    """What the bot's profile shows; 120 characters."""
    return _set_description(state, params, "short_description", 120)


@bot_method("getMyDescription")
def get_my_description(state: State, params: Params) -> Json:
    """What setMyDescription said."""
    language = params.text("language_code")
    return {"description": state.descriptions.get(("description", language), "")}


@bot_method("getMyShortDescription")
def get_my_short_description(state: State, params: Params) -> Json:
    """What setMyShortDescription said."""
    language = params.text("language_code")
    return {"short_description": state.descriptions.get(("short_description", language), "")}


@bot_method("getWebhookInfo")
def get_webhook_info(state: State, params: Params) -> Json:
    """There is no webhook; how many updates wait."""
    waiting = len(state.updates.waiting)
    return {"url": "", "has_custom_certificate": False, "pending_update_count": waiting}


@bot_method("deleteWebhook")
def delete_webhook(state: State, params: Params) -> bool:
    """Only `drop_pending_updates` has an effect."""
    if params.flag("drop_pending_updates"):
        state.updates.forget(state.updates.next_id)
    return True


@bot_method("getChat")
def get_chat(state: State, params: Params) -> Json:
    """ChatFullInfo, as far as a test needs it."""
    chat = read_chat(state, params)
    full: Json = {"accent_color_id": 0, "max_reaction_count": 11, "accepted_gift_types": _GIFTS}
    if not chat.allows_reactions:
        full["available_reactions"] = []
    if chat.pinned:
        pinned = state.messages[chat.id][chat.pinned[-1]]
        full["pinned_message"] = render_message(state, pinned)
    return chat.as_json() | full


_GIFTS = dict.fromkeys(
    (
        "unlimited_gifts",
        "limited_gifts",
        "unique_gifts",
        "premium_subscription",
        "gifts_from_channels",
    ),
    False,
)


@bot_method("getChatMember")
def get_chat_member(state: State, params: Params) -> Json:
    """Status of the bot or of a person in a chat."""
    chat = read_chat(state, params)
    user_id = params.integer("user_id")
    if user_id == state.bot.id:
        shown = state.bot.as_json()
        if chat.is_private or not chat.bot_is_admin:
            return {"status": "member", "user": shown}
        rights = _ADMIN_RIGHTS | {"can_manage_topics": chat.bot_manages_topics}
        return {"status": "administrator", "user": shown} | rights
    person = chat.members.get(user_id)
    if person is not None:
        return {"status": "member", "user": person.as_json()}
    if user_id in state.users:
        return {"status": "left", "user": state.users[user_id].as_json()}
    raise bad_request("user not found")


@bot_method("leaveChat")
def leave_chat(state: State, params: Params) -> bool:
    """The bot goes."""
    chat = read_chat(state, params)
    if chat.is_private:
        raise bad_request("chat member status can't be changed in private chats")
    chat.forbidden = f"bot is not a member of the {chat.type} chat"
    return True


def _read_forum(state: State, params: Params) -> Chat:
    chat = read_chat(state, params)
    if not chat.is_forum:
        raise bad_request("the chat is not a forum")
    return chat


def _check_rights(chat: Chat, topic: Topic | None, what: str) -> None:
    """A group's admin with the right to manage topics may; the topic's own maker may edit it."""
    is_admin = chat.bot_is_admin and chat.bot_manages_topics
    is_maker = topic is not None and topic.is_made_by_bot
    if not (chat.is_private or is_admin or is_maker):
        raise bad_request(f"not enough rights to {what}")


def _read_name(params: Params) -> str:
    name = params.text("name").strip()
    if not 1 <= len(name) <= 128:
        raise bad_request("TOPIC_TITLE_EMPTY" if not name else "TOPIC_TITLE_INVALID")
    return name


def add_topic(
    state: State,
    chat: Chat,
    name: str,
    sender_id: int,
    *,
    is_name_implicit: bool = False,
    **icon: Any,
) -> Topic:
    """Makes the topic and the service message whose id it bears."""
    created: Json = {"name": name, "icon_color": 7322096}
    if is_name_implicit:
        created["is_name_implicit"] = True
    message = state.add_message(
        chat, state.users[sender_id], service={"forum_topic_created": created}
    )
    is_ours = sender_id == state.bot.id
    topic = Topic(message.message_id, name, is_made_by_bot=is_ours, **icon)
    chat.topics[topic.id] = topic
    message.topic = topic.id
    state.updates.push("message", render_message(state, message))
    return topic


@bot_method("createForumTopic")
def create_forum_topic(state: State, params: Params) -> Json:
    """A new topic, named by 1 to 128 characters."""
    chat = _read_forum(state, params)
    _check_rights(chat, None, "create a topic")
    topic = add_topic(
        state,
        chat,
        _read_name(params),
        state.bot.id,
        icon_custom_emoji_id=params.text("icon_custom_emoji_id"),
    )
    return topic.as_json()


def _read_topic(state: State, params: Params) -> tuple[Chat, Topic]:
    chat = _read_forum(state, params)
    topic = chat.topics.get(params.integer("message_thread_id"))
    if topic is None or topic.is_deleted:
        raise bad_request("TOPIC_ID_INVALID")
    return chat, topic


@bot_method("editForumTopic")
def edit_forum_topic(state: State, params: Params) -> bool:
    """New name or icon."""
    chat, topic = _read_topic(state, params)
    _check_rights(chat, topic, "edit the topic")
    name = _read_name(params) if params.has("name") else topic.name
    emoji = topic.icon_custom_emoji_id
    if "icon_custom_emoji_id" in params.values:
        emoji = params.text("icon_custom_emoji_id")
    if (name, emoji) == (topic.name, topic.icon_custom_emoji_id):
        raise bad_request("TOPIC_NOT_MODIFIED")
    topic.name, topic.icon_custom_emoji_id = name, emoji
    announce(state, chat, {"forum_topic_edited": {"name": name}}, topic.id)
    return True


@bot_method("closeForumTopic")
def close_forum_topic(state: State, params: Params) -> bool:
    """Nobody but admins writes there until it is reopened."""
    return _set_topic_closed(state, params, is_closed=True)


@bot_method("reopenForumTopic")
def reopen_forum_topic(state: State, params: Params) -> bool:
    """Undoes closeForumTopic."""
    return _set_topic_closed(state, params, is_closed=False)


def _set_topic_closed(state: State, params: Params, *, is_closed: bool) -> bool:
    chat, topic = _read_topic(state, params)
    if chat.is_private:
        raise bad_request("the chat is not a supergroup chat")
    _check_rights(chat, topic, "close the topic" if is_closed else "reopen the topic")
    if topic.is_closed == is_closed:
        raise bad_request("TOPIC_NOT_MODIFIED")
    topic.is_closed = is_closed
    event = "forum_topic_closed" if is_closed else "forum_topic_reopened"
    announce(state, chat, {event: {}}, topic.id)
    return True


@bot_method("deleteForumTopic")
def delete_forum_topic(state: State, params: Params) -> bool:
    """The topic and its messages are gone."""
    chat, topic = _read_topic(state, params)
    _check_rights(chat, None, "delete the topic")
    remove_topic(state, chat, topic)
    return True


def remove_topic(state: State, chat: Chat, topic: Topic) -> None:
    """What deletion of a topic does to it and its messages."""
    topic.is_deleted = True
    for message in state.messages.get(chat.id, {}).values():
        if message.topic == topic.id:
            message.is_deleted = True


def _check_upload(upload: Upload, kind: str) -> tuple[int, int]:
    if not upload.data:
        raise bad_request("file must be non-empty")
    return check_photo(upload.data) if kind == "photo" else (0, 0)


def _read_media(state: State, params: Params, field: str, kind: str) -> Media:
    """The file under `field`: an upload, or the id of a file the server has."""
    upload = params.upload(field)
    if upload is not None:
        width, height = _check_upload(upload, kind)
        stored = state.add_file(upload.data, upload.name, upload.mime_type)
        return Media(kind, stored, width, height, params.integer("duration"))
    if not params.has(field):
        raise bad_request(f"there is no {kind} in the request")
    stored_before = state.files.get(params.text(field))
    if stored_before is None:
        raise bad_request("wrong file identifier/HTTP URL specified")
    return Media(kind, stored_before)


def _send_media(state: State, params: Params, kind: str) -> Json:
    read_chat(state, params)
    caption, entities = read_caption(params, strict=state.are_entities_strict)
    media = _read_media(state, params, kind, kind)
    message = send(state, params, text=caption, entities=entities, media=media)
    return render_message(state, message)


@bot_method("sendPhoto")
def send_photo(state: State, params: Params) -> Json:
    """A picture, shown in the chat."""
    return _send_media(state, params, "photo")


@bot_method("sendDocument")
def send_document(state: State, params: Params) -> Json:
    """A file as it is."""
    return _send_media(state, params, "document")


@bot_method("sendVoice")
def send_voice(state: State, params: Params) -> Json:
    """A voice note."""
    return _send_media(state, params, "voice")


@bot_method("sendMediaGroup")
def send_media_group(state: State, params: Params) -> list[Json]:
    """An album: 2 to 10 files; all are checked before any is sent."""
    read_chat(state, params)
    items = params.value("media", "can't parse media JSON object")
    if not isinstance(items, list) or not items:
        raise bad_request("expected an Array of InputMedia")
    if not 2 <= len(items) <= 10:
        raise bad_request("too many messages to send as an album")
    ready = []
    for item in items:
        if not isinstance(item, dict) or item.get("type") not in _MEDIA_FIELDS:
            raise bad_request("can't parse InputMedia: media must be a supported type")
        own = Params({**params.values, **item})
        media = _read_media(state, own, "media", item["type"])
        ready.append((*read_caption(own, strict=state.are_entities_strict), media))
    is_document = {media.kind == "document" for _, _, media in ready}
    if len(is_document) > 1:
        raise bad_request("document can't be mixed with other media types")
    group = f"album-{state.serial()}"
    sent = [
        send(state, params, text=text, entities=found, media=media, media_group_id=group)
        for text, found, media in ready
    ]
    return [render_message(state, message) for message in sent]


@bot_method("editMessageMedia")
def edit_message_media(state: State, params: Params) -> Json:
    """Another file in the same message."""
    item = params.value("media", "can't parse InputMedia JSON object")
    if not isinstance(item, dict) or item.get("type") not in _MEDIA_FIELDS:
        raise bad_request("can't parse InputMedia: media must be a supported type")
    own = Params({**params.values, **item})
    message = read_own_message(state, params)
    media = _read_media(state, own, "media", item["type"])
    caption, entities = read_caption(own, strict=state.are_entities_strict)
    record_edit(message)
    message.text, message.entities, message.media = caption, entities, media
    message.reply_markup = read_markup(params)
    return render_message(state, message)


@bot_method("getFile")
def get_file(state: State, params: Params) -> Json:
    """Where to download a file of up to 20 MB."""
    if not params.has("file_id"):
        raise bad_request("file_id not specified")
    stored = state.files.get(params.text("file_id"))
    if stored is None:
        raise bad_request("invalid file_id")
    if stored.size > state.download_limit:
        raise bad_request("file is too big")
    named = {"file_id": stored.file_id, "file_unique_id": stored.unique_id}
    return named | {"file_size": stored.size, "file_path": file_path(stored)}


def file_path(stored: StoredFile) -> str:
    """The `file_path` of getFile, as in `/file/bot<token>/<file_path>`."""
    suffix = stored.name.rpartition(".")[2] if "." in stored.name else "bin"
    return f"documents/{stored.file_id}.{suffix}"
