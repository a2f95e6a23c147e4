"""A real client of the stand-in for Telegram: python-telegram-bot, or a bare request."""

from typing import Any

import httpx
from telegram import (
    Bot,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
)

from tests.standins.telegram_api import TelegramApi


def make_bot(api: TelegramApi, token: str | None = None) -> Bot:
    """A client that is not initialized yet; use it with `async with`."""
    base, files = f"{api.url}/bot", f"{api.url}/file/bot"
    return Bot(token or api.token, base_url=base, base_file_url=files)


async def refusal_of(api: TelegramApi, method: str, values: dict[str, Any]) -> str:
    """The description of a refused call, as it came over the wire."""
    async with httpx.AsyncClient() as client:
        response = await client.post(f"{api.url}/bot{api.token}/{method}", json=values)
    assert not response.json()["ok"]
    return str(response.json()["description"])


def keyboard(*rows: list[tuple[str, str]]) -> InlineKeyboardMarkup:
    """Rows of (label, callback data)."""
    made = [[InlineKeyboardButton(text, callback_data=data) for text, data in row] for row in rows]
    return InlineKeyboardMarkup(made)
