"""When a question is shown: below what Claude said before it asked."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from core.events import PermissionAsked, ToolStarted
from core.model import Chat
from core.redaction import MASK, Redactor
from pending_requests import PendingRequests
from pulse import Background, Pulse
from request_book import RequestBook, RequestRecord
from session import SessionStore
from session_book import SessionBook

FOR_EVER = 3600.0
COMMAND = {"command": "touch made"}


class Posts:
    """The chat: what was shown in it."""

    def __init__(self) -> None:
        self.shown: list[str] = []
        self.records: list[RequestRecord] = []
        self.pulse = Pulse()

    def is_shown(self, record: RequestRecord) -> bool:
        return record.request in self.shown

    def show(self, record: RequestRecord, request: object) -> None:
        self.shown.append(record.request)
        self.records.append(record)
        self.pulse.beat()


class Desk:
    """One session that works, and a person who may do everything."""

    def __init__(self, folder: Path, *, words_seconds: float = FOR_EVER) -> None:
        book = SessionBook(SessionStore(folder / "state"))
        self.session = book.create(Chat("fake", 1), folder)
        registry = SimpleNamespace(find=lambda session_id: None)
        self.runner = SimpleNamespace(
            session_id=self.session.session_id, process=None, hear_registry=lambda process: None
        )
        self.posts = Posts()
        self.requests = PendingRequests(
            cast(Any, SimpleNamespace(book=book, registry=registry)),
            RequestBook(folder),
            cast(Any, self.posts),
            Background(),
            note=lambda *facts: None,
            may=lambda person, deed: True,
            plans=folder,
            redact=Redactor().redact,
            words_seconds=words_seconds,
        )

    async def ask(self, agent_id: str = "", command: dict[str, str] = COMMAND) -> None:
        """As a hook does that waits for its answer; at most until the question is shown."""
        asked = PermissionAsked(
            self.session.session_id, "pane", "r1", "Bash", command, agent_id=agent_id
        )
        task = asyncio.create_task(self.requests.ask(cast(Any, self.runner), asked))
        try:
            assert await self.posts.pulse.until(lambda: bool(self.posts.shown), 30)
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    def hear(self, command: dict[str, str]) -> None:
        """The transcript has Claude's words, and this use of a tool behind them."""
        event = ToolStarted("u1", "tool1", "Bash", dict(command))
        self.requests.hear_event(self.session, event, is_news=True)


@pytest.mark.parametrize("comes", ["before", "after"])
async def test_a_question_is_shown_when_the_words_before_it_are_known(
    tmp_path: Path, comes: str
) -> None:
    desk = Desk(tmp_path)
    if comes == "before":
        desk.hear(COMMAND)
        await desk.ask()
        return
    asking = asyncio.create_task(desk.ask())
    for _ in range(20):
        await asyncio.sleep(0)
    desk.hear({"command": "another one"})
    for _ in range(20):
        await asyncio.sleep(0)
    assert desk.posts.shown == []
    desk.hear(COMMAND)
    await asking


async def test_a_question_of_which_nothing_is_written_down_is_shown_all_the_same(
    tmp_path: Path,
) -> None:
    await Desk(tmp_path, words_seconds=0.01).ask()


async def test_a_sub_agents_question_waits_for_nothing(tmp_path: Path) -> None:
    await Desk(tmp_path).ask(agent_id="a1")


@pytest.mark.parametrize("before", ["", "\t", "x" * 170 + " "])
async def test_what_is_noted_of_a_request_is_short_and_holds_no_part_of_a_secret(
    tmp_path: Path, before: str
) -> None:
    desk = Desk(tmp_path, words_seconds=0.01)
    await desk.ask(command={"command": f"echo {before}ghp_{'a1B2' * 9} {'y' * 900}"})
    (record,) = desk.posts.records
    assert len(record.summary) <= 200
    assert MASK in record.summary and "ghp_" not in record.summary
