"""What tests look at: messages as people see them, calls, reactions; and waiting for any of it."""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from tests.standins.telegram_state import (
    GENERAL_TOPIC,
    Call,
    CallbackAnswer,
    Chat,
    Json,
    Message,
    State,
)

T = TypeVar("T")
_SHOWN_CALLS = 15


class Records:
    """Reading never changes anything; every answer is a copy."""

    def __init__(self, state: State) -> None:
        self._state = state

    def messages(
        self,
        chat: Chat,
        topic: int | None = None,
        *,
        from_bot: bool | None = None,
        deleted: bool = False,
        service: bool = False,
    ) -> list[Message]:
        """Messages of a chat, oldest first, as people see them now.

        `topic=1` is General; without a topic all topics. `deleted=True` adds the deleted ones,
        `service=True` lines such as "Ann pinned a message".
        """
        wanted = None if topic == GENERAL_TOPIC else topic
        with self._state.changed:
            return [
                message.snapshot()
                for message in self._state.messages.get(chat.id, {}).values()
                if (topic is None or message.topic == wanted)
                and (from_bot is None or message.from_bot == from_bot)
                and (deleted or not message.is_deleted)
                and (service or not message.service)
            ]

    def message(self, chat: Chat, message_id: int) -> Message:
        """One message, deleted or not."""
        with self._state.changed:
            return self._state.messages[chat.id][message_id].snapshot()

    @property
    def calls(self) -> list[Call]:
        """All requests of the bot, in order of arrival; long polls included."""
        with self._state.changed:
            return list(self._state.calls)

    def calls_of(self, method: str, chat: Chat | None = None) -> list[Call]:
        """The requests of one method, to one chat if named."""
        return [
            call
            for call in self.calls
            if call.method.lower() == method.lower() and (chat is None or call.chat_id == chat.id)
        ]

    def reactions(self, chat: Chat, message_id: int) -> list[str]:
        """The bot's reactions to a message."""
        return self.message(chat, message_id).reactions

    @property
    def commands(self) -> dict[tuple[str, str], list[Json]]:
        """Command menus by (scope, language), as ("default", "") or ("chat:42", "en")."""
        with self._state.changed:
            return {key: list(commands) for key, commands in self._state.commands.items()}

    @property
    def descriptions(self) -> dict[tuple[str, str], str]:
        """By ("description" or "short_description", language)."""
        with self._state.changed:
            return dict(self._state.descriptions)

    def chat_actions(self, chat: Chat, topic: int | None = None) -> list[str]:
        """Chat actions so far, oldest first."""
        with self._state.changed:
            return [
                action
                for chat_id, where, action in self._state.chat_actions
                if chat_id == chat.id and (topic is None or where == topic)
            ]

    def draft(self, chat: Chat, topic: int | None = None) -> str | None:
        """Text of the draft that sendMessageDraft shows now; None if none is shown."""
        with self._state.changed:
            return self._state.drafts.get((chat.id, topic))

    @property
    def callback_answers(self) -> list[CallbackAnswer]:
        """What answerCallbackQuery showed."""
        with self._state.changed:
            return list(self._state.callback_answers)

    def answer_to(self, query_id: str) -> CallbackAnswer | None:
        """The answer to one button press; None while the spinner turns."""
        return next((a for a in self.callback_answers if a.query_id == query_id), None)

    def topics(self, chat: Chat) -> dict[int, str]:
        """Names of the topics that are there, by id."""
        with self._state.changed:
            return {t.id: t.name for t in chat.topics.values() if not t.is_deleted}

    @property
    def waiting_updates(self) -> list[Any]:
        """Updates that the bot has not confirmed by an offset."""
        with self._state.changed:
            return self._state.updates.waiting

    def wait_for(self, predicate: Callable[[], T], timeout: float = 10.0, *, what: str = "") -> T:
        """The predicate's first true answer; asked anew at each call and each change.

        It runs with the stand-in's lock held, so it must not wait for anything itself. Raises
        AssertionError with the recent calls and messages when `timeout` seconds have passed.
        """
        deadline = time.monotonic() + timeout
        with self._state.changed:
            while not (answer := predicate()):
                left = deadline - time.monotonic()
                if left <= 0:
                    raise AssertionError(self._describe_failure(what or "a condition", timeout))
                self._state.changed.wait(left)
            return answer

    def wait_for_async(
        self, predicate: Callable[[], T], timeout: float = 10.0, *, what: str = ""
    ) -> Awaitable[T]:
        """`wait_for` in a thread, so that the test's own event loop goes on."""
        return asyncio.to_thread(self.wait_for, predicate, timeout, what=what)

    def find_text(
        self,
        chat: Chat,
        pattern: str | re.Pattern[str],
        *,
        after: int = 0,
        topic: int | None = None,
    ) -> Message | None:
        """The newest message of the bot with that text (part of it, or a compiled regex)."""
        with self._state.changed:
            for message in reversed(self._state.messages.get(chat.id, {}).values()):
                if message.message_id <= after:
                    break
                is_shown = message.from_bot and not message.is_deleted and not message.service
                is_there = topic is None or message.topic == topic
                if is_shown and is_there and _matches(pattern, message.text):
                    return message.snapshot()
        return None

    def wait_for_text(
        self,
        chat: Chat,
        pattern: str | re.Pattern[str],
        *,
        after: int = 0,
        topic: int | None = None,
        timeout: float = 10.0,
    ) -> Message:
        """The bot's message with that text, sent or edited into it, now or soon."""
        found = self.wait_for(
            lambda: self.find_text(chat, pattern, after=after, topic=topic),
            timeout,
            what=f"{pattern!r} in chat {chat.id}",
        )
        assert found is not None
        return found

    def wait_for_text_async(
        self,
        chat: Chat,
        pattern: str | re.Pattern[str],
        *,
        after: int = 0,
        topic: int | None = None,
        timeout: float = 10.0,
    ) -> Awaitable[Message]:
        """`wait_for_text` in a thread."""
        return asyncio.to_thread(
            self.wait_for_text, chat, pattern, after=after, topic=topic, timeout=timeout
        )

    def _describe_failure(self, what: str, timeout: float) -> str:
        calls = [call for call in self._state.calls if call.method.lower() != "getupdates"]
        polls = len(self._state.calls) - len(calls)
        lines = [f"waited {timeout:g} s for {what}", f"getUpdates came {polls} times; other calls:"]
        lines += [_describe_call(call) for call in calls[-_SHOWN_CALLS:]] or ["  none"]
        for chat_id, messages in self._state.messages.items():
            lines.append(f"the last messages of chat {chat_id}:")
            lines += [_describe_message(m) for m in list(messages.values())[-_SHOWN_CALLS:]]
        return "\n".join(lines)


def _matches(pattern: str | re.Pattern[str], text: str) -> bool:
    if isinstance(pattern, str):
        return pattern in text
    return pattern.search(text) is not None


def _describe_call(call: Call) -> str:
    params = {key: _shorten(value) for key, value in call.params.items()}
    return f"  {call.method} {params} -> {call.status} {call.description}"


def _describe_message(message: Message) -> str:
    who = "bot" if message.from_bot else message.sender.first_name
    marks = f"{' (deleted)' if message.is_deleted else ''} {message.labels or ''}"
    return f"  {message.message_id} {who}: {_shorten(message.text)}{marks}"


def _shorten(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= 300 else f"{shown[:300]}…"
