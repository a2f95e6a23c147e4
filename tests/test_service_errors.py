"""service_errors: a session goes on by itself once, and for one who may still ask for that."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from buttons import Buttons
from core.conversation import render_event
from core.delivery import Prompt
from core.errors import StoreWriteError
from core.events import ErrorReported
from core.model import Chat, Post
from inbox import Arrival, Inbox
from service_errors import ServiceErrors
from session import SessionStore
from session_book import SessionBook

GROUP, ADA = Chat("telegram", -1001), 42
RESETS_AT = 1_000.0


class Rig:
    """One session that waits for a limit to reset, on a real disk."""

    def __init__(self, folder: Path) -> None:
        (folder / "bridge").mkdir(exist_ok=True)
        self.folder = folder
        self.now = 0.0
        self.may: Callable[[int], bool] = lambda person: person == ADA
        self.posts: list[str] = []
        self.given: list[tuple[str, int]] = []
        self.failures = 0
        self.open()
        session = self.book.create(GROUP, folder, continue_at=RESETS_AT, continue_for=ADA)
        self.session_id = session.session_id

    def open(self) -> None:
        """The bridge starts."""
        self.book = SessionBook(SessionStore(self.folder / "store"))
        self.inbox = Inbox(self.folder / "bridge")
        sessions = SimpleNamespace(book=self.book, submit=self._submit)
        self.errors = ServiceErrors(
            cast(Any, sessions),
            self.inbox,
            cast(Any, SimpleNamespace(put=self._put)),
            Buttons(self.folder / "bridge"),
            version=(2, 1, 300),
            may=lambda person, deed: deed == "talk" and self.may(person),
            clock=lambda: self.now,
            sleep=self._sleep,
        )

    async def go_on(self) -> None:
        """Until nobody waits any more; each pause takes as long as it says."""
        self.errors.resume()
        async with asyncio.timeout(10):
            await asyncio.gather(*self.errors._tasks.values())

    async def _sleep(self, seconds: float) -> None:
        self.now += seconds

    def _submit(self, session: Any, prompt: Prompt, person: int) -> None:
        if self.failures:
            self.failures -= 1
            raise StoreWriteError("The disk is full.")
        self.inbox.advance(prompt.key, "assigned", session_id=session.session_id, person=person)
        self.given.append((prompt.text.split(".")[0], person))

    def _put(self, post: Post) -> None:
        self.posts.append(post.text)


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


async def test_it_goes_on_for_who_asked_when_the_limit_has_reset(rig: Rig) -> None:
    await rig.go_on()
    assert rig.given == [("The usage limit has reset", ADA)]
    assert rig.now >= RESETS_AT and rig.posts == []
    await rig.go_on()
    assert len(rig.given) == 1


async def test_it_does_not_go_on_for_who_has_been_removed_meanwhile(rig: Rig) -> None:
    rig.may = lambda person: rig.now < RESETS_AT / 2
    await rig.go_on()
    assert rig.given == [] and not list(rig.inbox.pending())
    assert rig.posts == ["Claude does not go on by itself: who asked for that may not any more."]
    assert "continue_at" not in rig.book.for_id(rig.session_id).state


async def test_nobody_at_all_is_nobody_who_may(rig: Rig) -> None:
    rig.book.edit_state(rig.session_id, continue_for=None)
    await rig.go_on()
    assert rig.given == []


async def test_a_full_disk_delays_it_and_no_more(rig: Rig) -> None:
    rig.failures = 3
    await rig.go_on()
    assert len(rig.given) == 1


async def test_a_kill_before_it_was_given_to_the_session_forgets_nothing(rig: Rig) -> None:
    key = f"continue:{rig.session_id}:{RESETS_AT}"
    rig.inbox.receive([Arrival(key, "telegram", {"update_id": 0})])
    rig.inbox.close()
    rig.open()
    await rig.go_on()
    assert len(rig.given) == 1


async def test_a_session_that_was_deleted_meanwhile_is_let_be(rig: Rig) -> None:
    rig.errors.resume()
    rig.book.store.delete(rig.session_id)
    await asyncio.gather(*rig.errors._tasks.values())
    assert rig.given == []


@pytest.mark.parametrize(
    "said", ["Not logged in · Please run /login", "OAuth token revoked · Please run /login"]
)
def test_who_is_not_logged_in_is_told_how_to_log_in(rig: Rig, said: str) -> None:
    post = equipped(rig, said)
    assert post.text == (
        f"⚠️ {said}\nRun “claude” once in a terminal on your machine, and /login there; "
        "then press Retry."
    )
    assert [button.label for row in post.keyboard for button in row] == ["Retry"]


def test_of_any_other_error_only_that_is_told(rig: Rig) -> None:
    assert equipped(rig, "API Error: 500").text == "⚠️ API Error: 500"


def equipped(rig: Rig, said: str) -> Post:
    session, event = rig.book.for_id(rig.session_id), ErrorReported("u", said)
    post = render_event(event, rig.session_id, GROUP, is_ours=True)
    assert post is not None
    return rig.errors.equip(session, event, post)
