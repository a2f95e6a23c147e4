"""pytest's view of the stand-in for Telegram: a server, Ann, her chat, a forum, real clients.

A test module asks for them with `pytest_plugins = ["tests.standins.telegram_fixtures"]`.
"""

from collections.abc import AsyncIterator, Iterator

import pytest
from telegram import (
    Bot,
)

from channels.telegram import TelegramChannel
from core.config import Secret
from tests.standins.telegram_api import TelegramApi
from tests.standins.telegram_client import make_bot
from tests.standins.telegram_state import Chat, User


@pytest.fixture
def api() -> Iterator[TelegramApi]:
    with TelegramApi() as server:
        yield server


@pytest.fixture
def ann(api: TelegramApi) -> User:
    return api.user(first_name="Ann")


@pytest.fixture
def chat(api: TelegramApi, ann: User) -> Chat:
    return api.private_chat(ann)


@pytest.fixture
def forum(api: TelegramApi, ann: User) -> Chat:
    return api.group(-1001, "Forum", True, members=[ann])


@pytest.fixture
async def bot(api: TelegramApi, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bot]:
    monkeypatch.setenv("PTB_TIMEDELTA", "1")
    client = make_bot(api)
    async with client:
        yield client


@pytest.fixture
async def channel(api: TelegramApi) -> AsyncIterator[TelegramChannel]:
    made = TelegramChannel(Secret(api.token), api.url)
    await made.start([])
    yield made
    await made.stop()
