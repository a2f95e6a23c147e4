"""What the page shows, on the disk: written once, numbered without a gap in what is told."""

from __future__ import annotations

import sqlite3
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from channels.web_store import Taken, WebStore
from core.errors import StoreError, StoreWriteError


@pytest.mark.parametrize("start", [0, 4096 * 3])
def test_a_damaged_database_is_set_aside_and_the_page_begins_anew(
    tmp_path: Path, start: int
) -> None:
    first = WebStore(tmp_path)
    for number in range(200):
        first.post(f"k{number}", 0, {"nodes": ["x" * 100]}, "x")
    first.close()
    path = tmp_path / "page.db"
    data = path.read_bytes()
    path.write_bytes(data[:start] + b"no database" * 1000 + data[start + 11_000 :])
    second = WebStore(tmp_path)
    assert second.set_aside
    assert (tmp_path / second.set_aside).exists()
    assert second.read_page(0, None, 10) == []
    assert second.post("k", 0, {}, "") == 1
    second.close()


def test_a_folder_that_can_not_be_used_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "web").write_text("a file")
    with pytest.raises(StoreError, match=r"The page is off, as \S+ can't be used"):
        WebStore(tmp_path / "web")


def test_a_write_that_is_refused_changes_nothing(tmp_path: Path) -> None:
    store = WebStore(tmp_path)
    store.post("a", 0, {}, "a")
    other = sqlite3.connect(tmp_path / "page.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    store._db.execute("PRAGMA busy_timeout=1")
    upto = store.upto
    with pytest.raises(StoreWriteError):
        store.take_message("key-key-key", None, {}, "b", lambda taken: {}, topic_name="b")
    other.execute("ROLLBACK")
    other.close()
    assert store.upto == upto
    assert store.read_topics() == [] and store.read_updates() == []
    taken = store.take_message("key-key-key", None, {}, "b", lambda taken: {}, topic_name="b")
    assert (store.find_request("key-key-key"), store.upto) == (taken, upto + 2)
    store.close()


@settings(deadline=None)
@given(st.text(min_size=1, max_size=20).filter(lambda text: "\x00" not in text))
def test_search_finds_any_words_that_are_there(words: str) -> None:
    store = _new()
    found = store.post("k", 0, {}, f"before {words} after")
    store.post("other", 0, {}, "")
    assert [message.id for message in store.find_words(words, 9)][-1:] == [found]
    store.close()


def _new() -> WebStore:
    return WebStore(Path(tempfile.mkdtemp()))


class Pages(RuleBasedStateMachine):
    """A page that hears changes whenever it likes has, in the end, what the store has."""

    def __init__(self) -> None:
        super().__init__()
        self.store = _new()
        self.number = 0
        self.page: dict[int, Any] = {}
        self.since = 0

    def teardown(self) -> None:
        self.hears()
        there = {m.id: m.body for m in self.store.read_page(0, None, 1_000)}
        assert {k: bytes(v) for k, v in self.page.items()} == {
            k: bytes(v) for k, v in there.items()
        }
        self.store.close()

    @rule()
    def shows(self) -> None:
        self.number += 1
        self.store.post(f"k{self.number}", 0, {"n": self.number}, "")

    @rule(pick=st.integers(0, 50), text=st.integers(0, 3))
    def edits(self, pick: int, text: int) -> None:
        if self.number:
            self.store.edit(1 + pick % self.number, {"edit": text}, "")

    @rule(pick=st.integers(0, 50))
    def deletes(self, pick: int) -> None:
        if self.number:
            self.store.delete(1 + pick % self.number)

    @rule(pick=st.integers(0, 50))
    def signs(self, pick: int) -> None:
        if self.number:
            self.store.sign(1 + pick % self.number, "answered")

    @rule()
    def starts_again(self) -> None:
        folder = self.store._path.parent
        self.store.close()
        self.store = WebStore(folder)

    @rule()
    def hears(self) -> None:
        changes = self.store.read_changes(self.since)
        assert changes.is_whole
        for message in changes.messages:
            assert message.change > self.since
            if message.is_deleted:
                self.page.pop(message.id, None)
            else:
                self.page[message.id] = message.body
        self.since = changes.upto

    @invariant()
    def numbers_only_grow(self) -> None:
        assert self.store.upto >= self.since


TestPages = Pages.TestCase


def test_a_request_is_taken_once_though_it_comes_again(tmp_path: Path) -> None:
    store = WebStore(tmp_path)
    message = store.post("k", 0, {}, "")
    for _ in range(2):
        store.take_update("press-press", Taken(message, 0), {"kind": "press"})
    ((number, key, _),) = store.read_updates()
    assert key == "web:press-press"
    store.forget_updates([number])
    store.take_update("press-press", Taken(message, 0), {"kind": "press"})
    assert store.read_updates() == []
    store.close()
