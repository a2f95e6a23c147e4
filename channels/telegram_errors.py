"""The errors of python-telegram-bot as ours, translated once, without the token that some quote."""

from __future__ import annotations

import re

import httpx
from telegram.error import (
    BadRequest,
    ChatMigrated,
    Forbidden,
    InvalidToken,
    NetworkError,
    RetryAfter,
    TelegramError,
)

from core.errors import (
    ChannelError,
    ChannelRefusedError,
    ChatUnreachableError,
    FloodLimitError,
    MarkupRefusedError,
    MessageRefusedError,
    NotSentError,
    OutcomeUnknownError,
    TopicClosedError,
    TopicGoneError,
)
from core.redaction import Redactor

_NEVER_LEFT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)
_REDACTOR = Redactor()
_GONE = ("chat not found", "group chat was")
_TOPIC_GONE = ("thread not found", "topic_deleted")
_MARKUP = ("can't parse entities", "entity", "entities")
_FIRST_OF_ALBUM = re.compile(r"failed to send message #1 .*retry after (\d+)")


def translate(error: TelegramError) -> ChannelError:
    """The library's error as ours; its text is kept only where it can't hold the token."""
    text = _REDACTOR.redact(str(error))  # a proxy's page, quoted by the library, has our address
    match error:
        case InvalidToken():
            return ChannelRefusedError(
                "Telegram does not know this bot token; get it anew from @BotFather."
            )
        case RetryAfter():
            pause = error.retry_after
            return FloodLimitError(pause if isinstance(pause, int) else pause.total_seconds())
        case Forbidden() | ChatMigrated():
            return ChatUnreachableError(text)
        case BadRequest():
            return _translate_refusal(text)
        case NetworkError():
            cause = error.__cause__
            if isinstance(cause, _NEVER_LEFT):
                return NotSentError(f"no connection ({type(cause).__name__})")
            reason = "an answer that is none" if cause is None else type(cause).__name__
            return OutcomeUnknownError(f"no answer ({reason})")
        case _:
            return MessageRefusedError(text)


def _translate_refusal(text: str) -> ChannelError:
    lower = text.lower()
    if pause := _FIRST_OF_ALBUM.search(lower):
        return FloodLimitError(float(pause[1]))
    if any(part in lower for part in _GONE):
        return ChatUnreachableError(text)
    if any(part in lower for part in _TOPIC_GONE):
        return TopicGoneError(text)
    if "topic_closed" in lower:
        return TopicClosedError(text)
    if any(part in lower for part in _MARKUP):
        return MarkupRefusedError(text)
    return MessageRefusedError(text)
