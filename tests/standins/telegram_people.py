"""The people's side: what a person does in the app, and the updates that the bot gets for it."""

import itertools
import time
from collections.abc import Iterable
from typing import Any

from tests.standins.telegram_chat_methods import add_topic, remove_topic
from tests.standins.telegram_entities import (
    Entity,
    check_entities,
    clean_text,
    find_entities,
    sort_entities,
    utf16_index,
    utf16_length,
)
from tests.standins.telegram_rules import MAX_CAPTION, MAX_TEXT
from tests.standins.telegram_state import (
    Chat,
    Json,
    Media,
    Message,
    State,
    User,
    record_edit,
    render_message,
)


class People:
    """Methods named after what people do. Each answers the id of the message it made."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._user_ids = itertools.count(5_000_001)

    def user(
        self,
        id: int | None = None,  # noqa: A002
        first_name: str = "Ann",
        *,
        last_name: str = "",
        username: str = "",
        language: str = "en",
        is_bot: bool = False,
    ) -> User:
        """Makes a person known to Telegram."""
        number = next(self._user_ids) if id is None else id
        person = User(number, first_name, last_name, username, language, is_bot)
        with self._state.changed:
            self._state.users[number] = person
        return person

    def private_chat(self, user: User, *, started: bool = True, topics: bool = False) -> Chat:
        """The chat between the bot and a person; its id is the person's."""
        chat = Chat(user.id, "private", is_forum=topics, person=user, members={user.id: user})
        if not started:
            chat.forbidden = "bot can't initiate conversation with a user"
        return self._add_chat(chat)

    def group(
        self,
        id: int,  # noqa: A002
        title: str = "Group",
        is_forum: bool = False,
        *,
        members: Iterable[User] = (),
        bot_is_admin: bool = True,
    ) -> Chat:
        """A supergroup; its id begins with -100."""
        if id >= 0:
            raise ValueError("a group's id is negative")
        known = {member.id: member for member in members}
        group = Chat(id, "supergroup", title, is_forum, members=known, bot_is_admin=bot_is_admin)
        return self._add_chat(group)

    def _add_chat(self, chat: Chat) -> Chat:
        with self._state.changed:
            return self._state.chats.setdefault(chat.id, chat)

    def create_topic(
        self, chat: Chat, user: User, name: str, *, is_name_implicit: bool = False
    ) -> int:
        """A person makes a forum topic; answers its id (message_thread_id).

        `is_name_implicit`: by just writing, in a private chat; the app made up the name.
        """
        with self._state.changed:
            chat.members.setdefault(user.id, user)
            topic = add_topic(self._state, chat, name, user.id, is_name_implicit=is_name_implicit)
            self._state.notify()
        return topic.id

    def rename_topic(self, chat: Chat, user: User, topic: int, name: str) -> None:
        """A person gives a topic another name."""
        with self._state.changed:
            chat.topics[topic].name = name
            self._announce(chat, user, {"forum_topic_edited": {"name": name}}, topic)

    def close_topic(self, chat: Chat, user: User, topic: int) -> None:
        """A person closes a topic."""
        with self._state.changed:
            chat.topics[topic].is_closed = True
            self._announce(chat, user, {"forum_topic_closed": {}}, topic)

    def _announce(self, chat: Chat, user: User, service: Json, topic: int) -> None:
        message = self._state.add_message(chat, user, service=service, topic=topic)
        self._publish("message", message)

    def delete_topic(self, chat: Chat, topic: int) -> None:
        """The topic goes; the bot is not told, as in reality."""
        with self._state.changed:
            remove_topic(self._state, chat, chat.topics[topic])
            self._state.notify()

    def send_text(
        self,
        chat: Chat,
        user: User,
        text: str,
        *,
        topic: int | None = None,
        reply_to: int | None = None,
        forward_from: User | str | None = None,
        quote: str | None = None,
        sender_chat: Chat | None = None,
        via_bot: User | None = None,
        entities: list[Entity] | None = None,
        extra: Json | None = None,
    ) -> int:
        """A person writes. `forward_from` is a user, or the name of one who hides the account.

        Text beyond 4096 is refused: the apps cut it into several messages (`send_long_text`).
        `extra` is merged into the update's message.
        """
        text, own = clean_text(text, check_entities(text, entities or [], strict=True))
        if not 1 <= utf16_length(text) <= MAX_TEXT:
            raise ValueError("a person can send 1 to 4096 characters in one message")
        added = self._origin(forward_from) | self._sender(sender_chat, via_bot)
        with self._state.changed:
            added |= self._quote(chat, reply_to, quote)
            message = self._state.add_message(
                chat,
                user,
                text=text,
                entities=sort_entities(own + find_entities(text)),
                topic=topic,
                reply_to=reply_to,
                extra=added | (extra or {}),
            )
            self._publish("message", message)
        return message.message_id

    def send_long_text(self, chat: Chat, user: User, text: str, **options: Any) -> list[int]:
        """A text of any length, cut at 4096 characters as the apps do."""
        return [self.send_text(chat, user, part, **options) for part in _cut(text)]

    def send_file(
        self,
        chat: Chat,
        user: User,
        data: bytes,
        name: str = "file.bin",
        *,
        kind: str = "document",
        mime_type: str = "application/octet-stream",
        caption: str = "",
        topic: int | None = None,
        reply_to: int | None = None,
        media_group_id: str | None = None,
        duration: int = 0,
        size: int | None = None,
        extra: Json | None = None,
    ) -> int:
        """A person sends a document, photo, voice note …; `size` is what Telegram claims it has."""
        if utf16_length(caption) > MAX_CAPTION:
            raise ValueError("a caption has up to 1024 characters")
        with self._state.changed:
            stored = self._state.add_file(data, name, mime_type, size)
            message = self._state.add_message(
                chat,
                user,
                text=caption,
                entities=find_entities(caption),
                topic=topic,
                reply_to=reply_to,
                media=Media(kind, stored, duration=duration),
                media_group_id=media_group_id,
                extra=extra or {},
            )
            self._publish("message", message)
        return message.message_id

    def send_raw(self, chat: Chat, user: User, content: Json, *, topic: int | None = None) -> int:
        """A message of any other kind: `{"sticker": …}`, `{"location": …}` …"""
        with self._state.changed:
            message = self._state.add_message(chat, user, topic=topic, extra=content)
            self._publish("message", message)
        return message.message_id

    def edit_text(self, chat: Chat, message_id: int, text: str) -> None:
        """A person changes a message of theirs."""
        with self._state.changed:
            message = self._message(chat, message_id)
            record_edit(message)
            message.text, message.entities = text, find_entities(text)
            self._publish("edited_message", message)

    def delete(self, chat: Chat, message_id: int) -> None:
        """A person deletes a message, theirs or the bot's; bots are not told."""
        with self._state.changed:
            self._message(chat, message_id).is_deleted = True
            self._state.notify()

    def react(self, chat: Chat, user: User, message_id: int, *emoji: str) -> None:
        """A person reacts; the bot gets it only if its allowed_updates say so."""
        with self._state.changed:
            content = {
                "chat": chat.as_json(),
                "message_id": message_id,
                "user": user.as_json(),
                "date": int(time.time()),
                "old_reaction": [],
                "new_reaction": [{"type": "emoji", "emoji": one} for one in emoji],
            }
            self._state.updates.push("message_reaction", content)
            self._state.notify()

    def press(
        self, chat: Chat, user: User, message_id: int, button: str, *, forged: bool = False
    ) -> str:
        """A person presses a button, named by label or callback data; answers the query's id.

        `forged` sends that data although no such button is there, as a modified app can.
        """
        with self._state.changed:
            message = self._state.messages[chat.id][message_id]
            data = button if forged else _find_data(message, button)
            query_id = str(4_382_000_000_000_000 + self._state.serial())
            query: Json = {
                "id": query_id,
                "from": user.as_json(),
                "message": render_message(self._state, message),
                "chat_instance": str(abs(hash(("chat_instance", chat.id)))),
                "data": data,
            }
            self._state.callbacks[query_id] = {"chat_id": chat.id, "data": data}
            self._state.updates.push("callback_query", query)
            self._state.notify()
        return query_id

    def expire_callbacks(self) -> None:
        """All buttons pressed so far are too old to be answered."""
        with self._state.changed:
            for query in self._state.callbacks.values():
                query["is_expired"] = True

    def block(self, user: User) -> None:
        """A person blocks the bot."""
        self._change_membership(
            self._state.chats[user.id], user, "kicked", "bot was blocked by the user"
        )

    def unblock(self, user: User) -> None:
        """A person lets the bot in again."""
        self._change_membership(self._state.chats[user.id], user, "member", None)

    def kick_bot(self, chat: Chat, user: User) -> None:
        """A person throws the bot out of a group."""
        reason = f"bot was kicked from the {chat.type} chat"
        self._change_membership(chat, user, "kicked", reason)

    def delete_group(self, chat: Chat) -> None:
        """The group is gone, without a word to the bot."""
        with self._state.changed:
            chat.forbidden = "the group chat was deleted"
            self._state.notify()

    def forget_chat(self, chat: Chat) -> None:
        """From now on the server answers "chat not found"."""
        with self._state.changed:
            chat.is_unknown = True
            self._state.notify()

    def migrate(self, chat: Chat, new_id: int) -> Chat:
        """A basic group becomes a supergroup with another id; sends to the old id are refused."""
        new = self.group(new_id, chat.title, chat.is_forum, members=chat.members.values())
        with self._state.changed:
            sender = next(iter(chat.members.values()), self._state.bot)
            moved = {"migrate_to_chat_id": new_id}
            message = self._state.add_message(chat, sender, service=moved)
            self._publish("message", message)
            chat.migrated_to = new_id
        return new

    def _change_membership(self, chat: Chat, user: User, status: str, reason: str | None) -> None:
        with self._state.changed:
            was = "kicked" if chat.forbidden else "member"
            chat.forbidden = reason
            bot = self._state.bot.as_json()
            content: Json = {
                "chat": chat.as_json(),
                "from": user.as_json(),
                "date": int(time.time()),
                "old_chat_member": _chat_member(was, bot),
                "new_chat_member": _chat_member(status, bot),
            }
            self._state.updates.push("my_chat_member", content)
            self._state.notify()

    def _publish(self, kind: str, message: Message) -> None:
        chat = self._state.chats[message.chat_id]
        if not chat.is_private and not message.sender.is_bot:
            chat.members.setdefault(message.sender.id, message.sender)
        self._state.updates.push(kind, render_message(self._state, message))
        self._state.notify()

    def _message(self, chat: Chat, message_id: int) -> Message:
        message = self._state.find_message(chat.id, message_id)
        if message is None:
            raise LookupError(f"no message {message_id} in chat {chat.id}")
        return message

    def _quote(self, chat: Chat, reply_to: int | None, quote: str | None) -> Json:
        if reply_to is None:
            return {}
        replied_to = self._message(chat, reply_to)
        if quote is None:
            return {}
        position = replied_to.text.index(quote)
        offset = utf16_length(replied_to.text[:position])
        return {"quote": {"text": quote, "position": offset, "is_manual": True}}

    @staticmethod
    def _origin(forward_from: User | str | None) -> Json:
        now = int(time.time())
        match forward_from:
            case None:
                return {}
            case User() as person:
                origin: Json = {"type": "user", "sender_user": person.as_json(), "date": now}
            case name:
                origin = {"type": "hidden_user", "sender_user_name": name, "date": now}
        return {"forward_origin": origin}

    @staticmethod
    def _sender(sender_chat: Chat | None, via_bot: User | None) -> Json:
        shown: Json = {}
        if sender_chat is not None:
            shown["sender_chat"] = sender_chat.as_json()
        if via_bot is not None:
            shown["via_bot"] = via_bot.as_json()
        return shown


def _find_data(message: Message, button: str) -> str:
    """Callback data of the button with that label or data."""
    if message.is_deleted:
        raise LookupError(f"message {message.message_id} is deleted: nobody can press {button!r}")
    for key in ("text", "callback_data"):
        for row in message.buttons:
            for candidate in row:
                if candidate.get(key) == button and "callback_data" in candidate:
                    return str(candidate["callback_data"])
    raise LookupError(f"message {message.message_id} has no button {button!r}: {message.labels}")


def _chat_member(status: str, user: Json) -> Json:
    """The Bot API's ChatMember of that status."""
    return {"status": status, "user": user} | ({"until_date": 0} if status == "kicked" else {})


def _cut(text: str) -> list[str]:
    """Parts of up to 4096 UTF-16 units, no surrogate pair split."""
    parts: list[str] = []
    while text:
        end = len(text)
        if utf16_length(text) > MAX_TEXT:
            end = utf16_index(text, MAX_TEXT) or utf16_index(text, MAX_TEXT - 1) or len(text)
        parts.append(text[:end])
        text = text[end:]
    return parts
