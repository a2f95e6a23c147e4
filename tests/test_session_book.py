"""The book of sessions: what is taken in from elsewhere is held, and what is still to be copied."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.model import Chat
from session import SessionStore
from session_book import SessionBook, origin_of
from session_finder import FoundSession

CHAT = Chat("telegram", 7)
ELSEWHERE = "22222222-2222-4222-8222-222222222222"


@pytest.fixture
def book(tmp_path: Path) -> Iterator[SessionBook]:
    with SessionStore(tmp_path / "sessions") as store:
        yield SessionBook(store)


@pytest.fixture
def found(tmp_path: Path) -> FoundSession:
    return FoundSession(
        ELSEWHERE, tmp_path / f"{ELSEWHERE}.jsonl", 10, 5.0, "About cats", "/a", "main"
    )


@pytest.mark.parametrize("take", ["adopt", "fork"])
def test_the_transcript_of_a_session_taken_from_elsewhere_is_held_at_once(
    book: SessionBook, found: FoundSession, take: str
) -> None:
    held: list[tuple[str, Path]] = []
    book.on_taken = lambda session_id, transcript: held.append((session_id, transcript))
    getattr(book, take)(CHAT, found, Path("/a"))
    assert held == [(ELSEWHERE, found.path)]


def test_a_copy_needs_its_origin_until_it_has_a_prompt_of_its_own(
    book: SessionBook, found: FoundSession
) -> None:
    copy = book.fork(CHAT, found, Path("/a"))
    assert origin_of(copy) == ELSEWHERE
    assert copy.state["forked_at"]  # what was said before is not news, whenever the bridge ends
    assert origin_of(book.edit_state(copy.session_id, has_prompts=True)) == ""
    assert origin_of(book.create(CHAT, Path("/a"))) == ""
