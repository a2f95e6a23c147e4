"""The Bot API's methods about messages: a table from method name to function.

A method is a function of (State, Params) that answers the `result` or raises RefusedError; it runs
with the state's lock held and never waits. getUpdates waits, so the server has it.
"""

from collections.abc import Callable
from typing import Any

from tests.standins.telegram_rules import (
    Params,
    RefusedError,
    bad_request,
    read_caption,
    read_chat_action,
    read_markup,
    read_reactions,
    read_text,
)
from tests.standins.telegram_state import (
    CallbackAnswer,
    Chat,
    Json,
    Message,
    State,
    record_edit,
    render_message,
)

Method = Callable[[State, Params], Any]
METHODS: dict[str, Method] = {}
_NOT_MODIFIED = (
    "message is not modified: specified new message content and reply markup are exactly the same"
    " as a current content and reply markup of the message"
)


def bot_method(name: str) -> Callable[[Method], Method]:
    """Enters the function into METHODS."""

    def enter(function: Method) -> Method:
        METHODS[name.lower()] = function
        return function

    return enter


def find_chat_id(state: State, params: Params) -> int | None:
    """The number of the chat a request names, if it names one that exists."""
    given = str(params.values.get("chat_id", ""))
    if given.startswith("@"):
        named = (c for c in state.chats.values() if c.person and c.person.username == given[1:])
        found = next(named, None)
        return found.id if found else None
    number = params.integer("chat_id")
    return number if number in state.chats else None


def read_chat(state: State, params: Params) -> Chat:
    """The chat a request is about, if the bot may talk to it."""
    if not params.has("chat_id"):
        raise bad_request("chat_id is empty")
    chat_id = find_chat_id(state, params)
    if chat_id is None or state.chats[chat_id].is_unknown:
        raise bad_request("chat not found")
    chat = state.chats[chat_id]
    if chat.forbidden is not None:
        raise RefusedError(403, f"Forbidden: {chat.forbidden}")
    if chat.migrated_to is not None:
        moved = {"migrate_to_chat_id": chat.migrated_to}
        reason = "Bad Request: group chat was upgraded to a supergroup chat"
        raise RefusedError(400, reason, moved)
    return chat


def read_topic(chat: Chat, params: Params) -> int | None:
    """`message_thread_id`. The General topic is reached by naming none, never by naming 1."""
    if not params.has("message_thread_id"):
        return None
    topic = chat.topics.get(params.integer("message_thread_id"))
    if topic is None or topic.is_deleted:
        raise bad_request("message thread not found")
    manages = chat.bot_is_admin and chat.bot_manages_topics
    if topic.is_closed and not manages:
        raise bad_request("TOPIC_CLOSED")
    return topic.id


def read_reply(state: State, chat: Chat, params: Params) -> int | None:
    """The message that the new one answers."""
    reply = params.value("reply_parameters", "can't parse reply parameters JSON object")
    if reply is None and params.has("reply_to_message_id"):
        may_miss = params.flag("allow_sending_without_reply")
        target = params.integer("reply_to_message_id")
        reply = {"message_id": target, "allow_sending_without_reply": may_miss}
    if reply is None:
        return None
    if not isinstance(reply, dict) or not isinstance(reply.get("message_id"), int):
        raise bad_request("can't parse reply parameters: Can't find field \"message_id\"")
    message = state.find_message(chat.id, reply["message_id"])
    if message is not None:
        return message.message_id
    if reply.get("allow_sending_without_reply"):
        return None
    raise bad_request("message to be replied not found")


def send(state: State, params: Params, **content: Any) -> Message:
    """Stores what the bot sends, with what all send methods have in common."""
    chat = read_chat(state, params)
    topic, reply_to = read_topic(chat, params), read_reply(state, chat, params)
    if topic is None and reply_to is not None:
        topic = state.messages[chat.id][reply_to].topic
    fields: Json = {
        "topic": topic,
        "reply_to": reply_to,
        "reply_markup": read_markup(params),
        "is_silent": params.flag("disable_notification"),
        "is_protected": params.flag("protect_content"),
        "params": dict(params.values),
    }
    state.drafts.pop((chat.id, topic), None)
    return state.add_message(chat, state.bot, **(fields | content))


def announce(state: State, chat: Chat, service: Json, topic: int | None = None) -> Message:
    """A service message about what the bot did; the bot gets an update for it like anybody."""
    message = state.add_message(chat, state.bot, service=service, topic=topic)
    state.updates.push("message", render_message(state, message))
    return message


@bot_method("getMe")
def get_me(state: State, params: Params) -> Json:
    """The bot itself."""
    abilities = {
        "can_join_groups": True,
        "can_read_all_group_messages": True,
        "supports_inline_queries": False,
    }
    if any(chat.is_private and chat.is_forum for chat in state.chats.values()):
        abilities |= {"has_topics_enabled": True, "allows_users_to_create_topics": True}
    return state.bot.as_json() | abilities


@bot_method("sendMessage")
def send_message(state: State, params: Params) -> Json:
    """Text, formatted by entities or parse_mode."""
    read_chat(state, params)
    text, entities = read_text(params, strict=state.are_entities_strict)
    extra: Json = {}
    options = params.value("link_preview_options", "can't parse link preview options JSON object")
    if options is not None:
        extra["link_preview_options"] = options
    message = send(state, params, text=text, entities=entities, extra=extra)
    return render_message(state, message)


@bot_method("sendMessageDraft")
def send_message_draft(state: State, params: Params) -> bool:
    """Text that grows in a private chat until a message is sent; it has no id and no history."""
    chat = read_chat(state, params)
    if not chat.is_private:
        raise bad_request("TEXTDRAFT_PEER_INVALID")
    if not params.integer("draft_id"):
        raise bad_request("TEXTDRAFT_ID_INVALID")
    topic = read_topic(chat, params)
    has_text = bool(params.text("text"))
    text = read_text(params, strict=state.are_entities_strict)[0] if has_text else ""
    state.drafts[chat.id, topic] = text
    return True


def read_own_message(state: State, params: Params) -> Message:
    """The bot's own message that a request edits."""
    chat = read_chat(state, params)
    if not params.has("message_id"):
        raise bad_request("message identifier is not specified")
    message = state.find_message(chat.id, params.integer("message_id"))
    if message is None:
        raise bad_request("message to edit not found")
    has_other_markup = message.reply_markup is not None and not message.buttons
    if not message.from_bot or message.service or has_other_markup:
        raise bad_request("message can't be edited")
    return message


def _edit(state: State, message: Message, text: str, entities: list[Json], params: Params) -> Json:
    markup = read_markup(params)
    keyboard = markup if (markup or {}).get("inline_keyboard") else None
    current = (message.text, message.entities, message.buttons)
    wanted = (text, entities, (keyboard or {}).get("inline_keyboard", []))
    if wanted == current:
        raise bad_request(_NOT_MODIFIED)
    record_edit(message)
    message.text, message.entities, message.reply_markup = text, entities, keyboard
    return render_message(state, message)


@bot_method("editMessageText")
def edit_message_text(state: State, params: Params) -> Json:
    """New text; a keyboard that is not sent again is gone."""
    read_chat(state, params)
    text, entities = read_text(params, strict=state.are_entities_strict)
    message = read_own_message(state, params)
    if message.media is not None:
        raise bad_request("there is no text in the message to edit")
    return _edit(state, message, text, entities, params)


@bot_method("editMessageCaption")
def edit_message_caption(state: State, params: Params) -> Json:
    """New caption under a file."""
    text, entities = read_caption(params, strict=state.are_entities_strict)
    message = read_own_message(state, params)
    if message.media is None:
        raise bad_request("there is no caption in the message to edit")
    return _edit(state, message, text, entities, params)


@bot_method("editMessageReplyMarkup")
def edit_message_reply_markup(state: State, params: Params) -> Json:
    """New keyboard, or none."""
    message = read_own_message(state, params)
    return _edit(state, message, message.text, message.entities, params)


def _delete(chat: Chat, message: Message) -> None:
    if not message.from_bot and not chat.is_private and not chat.bot_is_admin:
        raise bad_request("message can't be deleted")
    message.is_deleted = True
    if message.message_id in chat.pinned:
        chat.pinned.remove(message.message_id)


@bot_method("deleteMessage")
def delete_message(state: State, params: Params) -> bool:
    """Takes the message from everybody's view."""
    chat = read_chat(state, params)
    message = state.find_message(chat.id, params.integer("message_id"))
    if message is None:
        raise bad_request("message to delete not found")
    _delete(chat, message)
    return True


@bot_method("deleteMessages")
def delete_messages(state: State, params: Params) -> bool:
    """Deletes what can be found of up to 100 messages."""
    chat = read_chat(state, params)
    ids = params.value("message_ids", "can't parse message identifiers JSON object")
    if not isinstance(ids, list) or len(ids) > 100:
        raise bad_request("too many message identifiers specified")
    for message_id in ids:
        message = state.find_message(chat.id, message_id)
        if message is not None:
            _delete(chat, message)
    return True


@bot_method("sendChatAction")
def send_chat_action(state: State, params: Params) -> bool:
    """ "typing…" and its kin."""
    chat = read_chat(state, params)
    action = read_chat_action(params)
    state.chat_actions.append((chat.id, read_topic(chat, params), action))
    return True


@bot_method("answerCallbackQuery")
def answer_callback_query(state: State, params: Params) -> bool:
    """Ends the spinner on a pressed button."""
    query_id = params.text("callback_query_id")
    query = state.callbacks.get(query_id)
    if query is None or query.get("is_expired"):
        raise bad_request("query is too old and response timeout expired or query ID is invalid")
    text = params.text("text")
    if len(text) > 200:
        raise bad_request("MESSAGE_TOO_LONG")
    state.callback_answers.append(CallbackAnswer(query_id, text, params.flag("show_alert")))
    return True


@bot_method("setMessageReaction")
def set_message_reaction(state: State, params: Params) -> bool:
    """The bot's reaction, replacing the one before."""
    chat = read_chat(state, params)
    message = state.find_message(chat.id, params.integer("message_id"))
    if message is None:
        raise bad_request("message to react not found")
    reactions = read_reactions(params)
    if reactions and not chat.allows_reactions:
        raise bad_request("REACTION_INVALID")
    message.reactions = reactions
    return True


@bot_method("pinChatMessage")
def pin_chat_message(state: State, params: Params) -> bool:
    """Pins; the newest pin comes last."""
    chat = read_chat(state, params)
    message = state.find_message(chat.id, params.integer("message_id"))
    if message is None:
        raise bad_request("message to pin not found")
    if not chat.is_private and not chat.bot_is_admin:
        raise bad_request("not enough rights to manage pinned messages in the chat")
    if message.message_id not in chat.pinned:
        chat.pinned.append(message.message_id)
        shown = render_message(state, message, with_reply=False)
        announce(state, chat, {"pinned_message": shown}, message.topic)
    return True


@bot_method("unpinChatMessage")
def unpin_chat_message(state: State, params: Params) -> bool:
    """Unpins the named message, or the newest pin."""
    chat = read_chat(state, params)
    named = params.integer("message_id") or next(reversed(chat.pinned), 0)
    if named not in chat.pinned:
        raise bad_request("message to unpin not found")
    chat.pinned.remove(named)
    return True
