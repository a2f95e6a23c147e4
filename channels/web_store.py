"""What the page shows, kept for good: the messages, topics and files, and what people have sent.

* What a call returned from is on the disk (SQLite, with a sync at each commit); a call that raised
  StoreWriteError changed nothing.
* Every change has a number, and what was changed carries the number of its last one. Who knows all
  changes up to a number asks for what came after it, and has missed and repeats nothing.
* A message has a key: the same one twice is one message. Of a deleted message its place stays; a
  conversation goes only when a person deletes it.
* A database that is damaged, wherever that is, is set aside, and the page begins anew.
* What a person does is an update until it was taken: written down together with what the page shows
  of it, so that neither is there without the other.
"""

from __future__ import annotations

import logging
import os
import secrets
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec

from core.errors import StoreError, StoreWriteError

log = logging.getLogger(__name__)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS messages (
    id INTEGER PRIMARY KEY, topic INTEGER NOT NULL, change INTEGER NOT NULL UNIQUE,
    key TEXT NOT NULL UNIQUE, at REAL NOT NULL, is_mine INTEGER NOT NULL,
    sign TEXT NOT NULL DEFAULT '', is_deleted INTEGER NOT NULL DEFAULT 0,
    body BLOB NOT NULL, words TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS messages_by_topic ON messages (topic, id);
CREATE TABLE IF NOT EXISTS topics (
    id INTEGER PRIMARY KEY, change INTEGER NOT NULL UNIQUE, at REAL NOT NULL,
    name TEXT NOT NULL, is_closed INTEGER NOT NULL DEFAULT 0,
    is_gone INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS updates (
    id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, raw BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS requests (
    key TEXT PRIMARY KEY, message INTEGER NOT NULL, topic INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS files (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, type TEXT NOT NULL, size INTEGER NOT NULL,
    at REAL NOT NULL) WITHOUT ROWID;
"""
_MESSAGE = "SELECT id, topic, change, at, is_mine, sign, is_deleted, body FROM messages"
_TOPIC = "SELECT id, change, at, name, is_closed, is_gone FROM topics"
_MOST_CHANGES = 500

Body = dict[str, Any]
ROOT = 0
"""The number of the place that is in no topic."""


class Message(msgspec.Struct, frozen=True):
    """A message as the page gets it; `body` is what channels/web_body.py made of it."""

    id: int
    topic: int
    change: int
    at: float
    is_mine: bool
    sign: str
    is_deleted: bool
    body: msgspec.Raw


class Topic(msgspec.Struct, frozen=True):
    """A conversation of the page."""

    id: int
    change: int
    at: float
    name: str
    is_closed: bool
    is_gone: bool = False


class Changes(msgspec.Struct, frozen=True):
    """What was changed after some number, each as it is now, and the number of the last change.

    `is_whole`: False when that is too much, and the page had better begin anew.
    """

    messages: list[Message]
    topics: list[Topic]
    upto: int
    is_whole: bool = True


class KeptFile(msgspec.Struct, frozen=True):
    """A file that the page holds; its name is only shown."""

    id: str
    name: str
    type: str
    size: int


class Taken(msgspec.Struct, frozen=True):
    """What became of a request: the message and the topic that it was about."""

    message: int
    topic: int


class WebStore:
    """The database `folder`/page.db; `on_change` is told after every change. Raises StoreError."""

    def __init__(self, folder: Path, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self.on_change: Callable[[], None] = lambda: None
        self.on_update: Callable[[], None] = lambda: None
        self._path = folder / "page.db"
        self.set_aside = ""
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            try:
                self._open()
            except sqlite3.OperationalError:  # the disk, or another program: no damage
                raise
            except sqlite3.DatabaseError as error:
                log.error("%s is damaged (%s) and is set aside", self._path, error)
                self._set_aside()
                self._open()
        except (sqlite3.Error, OSError) as error:
            raise StoreError(
                f"The page is off, as {self._path} can't be used: {error}. "
                "See to that, and run ./install.sh."
            ) from error

    def _open(self) -> None:
        os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600))
        self._db = sqlite3.connect(self._path, isolation_level=None)
        try:
            self._db.executescript(
                f"PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; "
                f"PRAGMA secure_delete=ON; BEGIN; {_SCHEMA} COMMIT"
            )
            found = str(self._db.execute("PRAGMA quick_check(1)").fetchone()[0])
            if found != "ok":
                raise sqlite3.DatabaseError(found)
            self._last = max(
                self._number("SELECT max(change) FROM messages"),
                self._number("SELECT max(change) FROM topics"),
            )
        except sqlite3.Error:
            self._db.close()
            raise

    def _set_aside(self) -> None:
        """Keep what can't be read under another name."""
        self.set_aside = f"{self._path.name}.damaged-{secrets.token_hex(8)}"
        for end in ("", "-wal", "-shm"):
            with suppress(FileNotFoundError):
                old = self._path.with_name(self._path.name + end)
                old.rename(self._path.with_name(self.set_aside + end))

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    @property
    def upto(self) -> int:
        """The number of the last change."""
        return self._last

    @property
    def newest(self) -> int:
        """The id of the message that was shown last."""
        return int(self._query("SELECT max(id) FROM messages")[0][0] or 0)

    # --- what there is ------------------------------------------------------------------------

    def read_page(self, topic: int, before: int | None, most: int) -> list[Message]:
        """The last messages of a topic, those with a smaller id than `before`, oldest first."""
        query = f"{_MESSAGE} WHERE topic = ? AND id < ? AND NOT is_deleted ORDER BY id DESC LIMIT ?"
        rows = self._query(query, topic, before if before is not None else 1 << 62, most)
        return [_message(row) for row in reversed(rows)]

    def read_on(self, topic: int, after: int, most: int) -> list[Message]:
        """The first messages of a topic with a larger id than `after`, oldest first."""
        query = f"{_MESSAGE} WHERE topic = ? AND id > ? AND NOT is_deleted ORDER BY id LIMIT ?"
        return [_message(row) for row in self._query(query, topic, after, most)]

    def read_topics(self) -> list[Topic]:
        """All topics, the one that something happened in last at the beginning."""
        newest = "SELECT max(id) FROM messages WHERE topic = topics.id"
        query = f"{_TOPIC} WHERE NOT is_gone ORDER BY ({newest}) DESC, id DESC"
        return [_topic(row) for row in self._query(query)]

    def read_changes(self, since: int) -> Changes:
        """What was changed after that number."""
        where = "WHERE change > ? ORDER BY change LIMIT ?"
        messages = self._query(f"{_MESSAGE} {where}", since, _MOST_CHANGES + 1)
        topics = self._query(f"{_TOPIC} {where}", since, _MOST_CHANGES + 1)
        if max(len(messages), len(topics)) > _MOST_CHANGES or since > self._last:
            return Changes([], [], self._last, is_whole=False)
        return Changes([_message(r) for r in messages], [_topic(r) for r in topics], self._last)

    def find_message(self, message_id: int) -> Message | None:
        """The message of that id, unless it was deleted."""
        rows = self._query(f"{_MESSAGE} WHERE id = ? AND NOT is_deleted", message_id)
        return _message(rows[0]) if rows else None

    def find_post(self, key: str) -> int | None:
        """The id of the message that is shown for a post of that key."""
        rows = self._query("SELECT id FROM messages WHERE key = ?", f"post:{key}")
        return int(rows[0][0]) if rows else None

    def find_topic(self, topic: int) -> Topic | None:
        """The topic of that number, unless a person deleted it."""
        rows = self._query(f"{_TOPIC} WHERE id = ? AND NOT is_gone", topic)
        return _topic(rows[0]) if rows else None

    def find_words(self, words: str, most: int) -> list[Message]:
        """The messages that hold these words (in this order), the newest first.

        Takes its time, and may be called from any thread.
        """
        pattern = "".join(f"\\{c}" if c in "\\%_" else c for c in words)
        query = (
            f"{_MESSAGE} WHERE words LIKE ? ESCAPE '\\' AND NOT is_deleted ORDER BY id DESC LIMIT ?"
        )
        try:
            with closing(sqlite3.connect(self._path)) as own:
                found = own.execute(query, (f"%{pattern}%", most)).fetchall()
        except sqlite3.Error as error:
            raise StoreError(f"The page's history can't be read: {error}.") from error
        return [_message(row) for row in found]

    def find_file(self, file_id: str) -> KeptFile | None:
        """The file of that id."""
        rows = self._query("SELECT id, name, type, size FROM files WHERE id = ?", file_id)
        return KeptFile(*rows[0]) if rows else None

    def find_request(self, key: str) -> Taken | None:
        """What became of a request that was taken before."""
        rows = self._query("SELECT message, topic FROM requests WHERE key = ?", key)
        return Taken(*rows[0]) if rows else None

    # --- what the bridge shows ------------------------------------------------------------------

    def post(self, key: str, topic: int, body: Body, words: str) -> int:
        """Show a message, once for each key; returns its id."""
        known = self.find_post(key)
        if known is not None:
            return known
        with self._changing():
            return self._insert(f"post:{key}", topic, body, words, is_mine=False)

    def edit(self, message_id: int, body: Body, words: str) -> None:
        """Make that the content of a message; the same content is no change."""
        data = msgspec.json.encode(body)
        rows = self._query("SELECT body FROM messages WHERE id = ?", message_id)
        if rows and rows[0][0] != data:
            with self._changing():
                self._update(message_id, "body = ?, words = ?", data, words)

    def delete(self, message_id: int) -> None:
        """Take a message away; its place stays."""
        with self._changing():
            self._update(message_id, "is_deleted = 1, body = '{}', words = ''")

    def sign(self, message_id: int, sign: str) -> None:
        """Put a sign on a message."""
        with self._changing():
            self._update(message_id, "sign = ?", sign)

    def create_topic(self, name: str) -> int:
        """A new topic; returns its number."""
        with self._changing():
            return self._insert_topic(name)

    def change_topic(
        self, topic: int, *, name: str | None = None, closed: bool | None = None
    ) -> bool:
        """Give the topic a name, close or open it; False when there is none."""
        known = self.find_topic(topic)
        if known is None:
            return False
        after = (
            known.name if name is None else name,
            known.is_closed if closed is None else closed,
        )
        if after != (known.name, known.is_closed):
            with self._changing():
                self._last += 1
                query = "UPDATE topics SET change = ?, name = ?, is_closed = ? WHERE id = ?"
                self._db.execute(query, (self._last, *after, topic))
        return True

    def remove_topic(self, topic: int) -> list[str]:
        """Delete a conversation for good; returns the ids of its files, which nothing names now."""
        files = (
            "SELECT json_extract(f.value, '$.id') FROM messages m, json_each(m.body, '$.files') f"
        )
        found = [row[0] for row in self._query(f"{files} WHERE m.topic = ?", topic)]
        with self._changing():
            self._last += 1
            self._db.execute("DELETE FROM messages WHERE topic = ?", (topic,))
            self._db.execute("DELETE FROM requests WHERE topic = ?", (topic,))
            self._db.executemany("DELETE FROM files WHERE id = ?", [(name,) for name in found])
            query = "UPDATE topics SET change = ?, name = '', is_gone = 1 WHERE id = ?"
            self._db.execute(query, (self._last, topic))
        self._query("PRAGMA wal_checkpoint(TRUNCATE)")
        return found

    # --- what people do -------------------------------------------------------------------------

    def take_message(
        self,
        key: str,
        topic: int | None,
        body: Body,
        words: str,
        make_raw: Callable[[Taken], dict[str, Any]],
        *,
        topic_name: str = "",
    ) -> Taken:
        """A person sends a message, in a new topic of that name when `topic` is None.

        The same key again changes nothing.
        """
        known = self.find_request(key)
        if known is not None:
            return known
        with self._changing():
            topic = self._insert_topic(topic_name) if topic is None else topic
            message = self._insert(f"sent:{key}", topic, body, words, is_mine=True)
            taken = Taken(message, topic)
            self._take(key, taken, make_raw(taken))
        self.on_update()
        return taken

    def take_update(
        self,
        key: str,
        taken: Taken,
        raw: dict[str, Any],
        *,
        edit: tuple[Body, str] | None = None,
    ) -> Taken:
        """A person does something about a message, and may give it another content with that."""
        known = self.find_request(key)
        if known is not None:
            return known
        with self._changing():
            if edit is not None:
                data = msgspec.json.encode(edit[0])
                self._update(taken.message, "body = ?, words = ?", data, edit[1])
            self._take(key, taken, raw)
        self.on_update()
        return taken

    def read_updates(self) -> list[tuple[int, str, dict[str, Any]]]:
        """What was not taken yet: number, key and content."""
        rows = self._query("SELECT id, key, raw FROM updates ORDER BY id LIMIT 100")
        return [(number, key, msgspec.json.decode(raw)) for number, key, raw in rows]

    def forget_updates(self, numbers: Sequence[int]) -> None:
        """They were taken."""
        with self._writing():
            self._db.executemany("DELETE FROM updates WHERE id = ?", [(n,) for n in numbers])

    def add_file(self, file: KeptFile) -> None:
        """Take note of a file that is there."""
        with self._writing():
            values = (file.id, file.name, file.type, file.size, self._clock())
            self._db.execute("INSERT INTO files VALUES (?, ?, ?, ?, ?)", values)

    # --- inside ---------------------------------------------------------------------------------

    def _insert(self, key: str, topic: int, body: Body, words: str, *, is_mine: bool) -> int:
        self._last += 1
        values = (topic, self._last, key, self._clock(), is_mine, msgspec.json.encode(body), words)
        query = (
            "INSERT INTO messages (topic, change, key, at, is_mine, body, words) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)"
        )
        return self._db.execute(query, values).lastrowid or 0

    def _insert_topic(self, name: str) -> int:
        self._last += 1
        query = "INSERT INTO topics (change, at, name) VALUES (?, ?, ?)"
        return self._db.execute(query, (self._last, self._clock(), name)).lastrowid or 0

    def _update(self, message_id: int, fields: str, *values: Any) -> None:
        query = f"UPDATE messages SET change = ?, {fields} WHERE id = ? AND NOT is_deleted"
        if self._db.execute(query, (self._last + 1, *values, message_id)).rowcount:
            self._last += 1

    def _take(self, key: str, taken: Taken, raw: dict[str, Any]) -> None:
        values = (key, taken.message, taken.topic)
        self._db.execute("INSERT INTO requests VALUES (?, ?, ?)", values)
        query = "INSERT INTO updates (key, raw) VALUES (?, ?)"
        self._db.execute(query, (f"web:{key}", msgspec.json.encode(raw)))

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """One transaction, whose changes are numbered on from the last."""
        before = self._last
        try:
            with self._writing():
                yield
        except BaseException:
            self._last = before
            raise
        self.on_change()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise StoreWriteError(f"The page's history can't be written: {error}.") from error

    def _query(self, query: str, *values: Any) -> list[Any]:
        try:
            return self._db.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise StoreError(f"The page's history can't be read: {error}.") from error

    def _number(self, query: str) -> int:
        return int(self._db.execute(query).fetchone()[0] or 0)


def _message(row: Sequence[Any]) -> Message:
    number, topic, change, at, is_mine, sign, is_deleted, body = row
    data = body.encode() if isinstance(body, str) else body
    return Message(
        number, topic, change, at, bool(is_mine), sign, bool(is_deleted), msgspec.Raw(data)
    )


def _topic(row: Sequence[Any]) -> Topic:
    number, change, at, name, is_closed, is_gone = row
    return Topic(number, change, at, name, bool(is_closed), bool(is_gone))
