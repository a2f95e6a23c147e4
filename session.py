"""The sessions: which chat talks to which Claude session, each in a small file of its own.

* The files are the truth. The index is a cache that can be lost, stale or broken at no cost but
  time: its rows count only while they carry the stamp of the file they were made from.
* What a call returned from is on the disk. One that raised changed nothing, unless its text says
  so.
* Any number of threads and processes may use the same folder; `edit` is the way to change what is
  there without losing what another wrote.
* A damaged file is set aside in `quarantine/`, reported, and from then on not there. A file that
  cannot be read at present, or is from a newer version, is reported, left alone and tried again:
  asking for it raises, listing passes over it, and nothing unknown is written over.
* `state["bound_at"]` is the store's own: `bind` sets it, `save` and `edit` keep what is stored.
* No other program may keep `*.json` files in the folder itself.
"""

import logging
import math
import os
import threading
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, Self

from core.errors import ConfigError, InvalidSessionIdError, SessionNotFoundError, StoreError
from core.session_file import (
    FIELDS,
    DamagedFileError,
    InvalidSessionError,
    NewerSessionError,
    check_fields,
    check_session_id,
    parse_instant,
    parse_session,
    render_session,
)
from core.session_index import Row, SessionIndex, Stamp, parse_index, render_index
from durable import SystemCalls
from session_changes import LOG, ChangeLog
from session_folder import INDEX, SUFFIX, SessionFolder, UnreadableFileError, plain_name

logger = logging.getLogger(__name__)

_MICROSECONDS_A_DAY = 86_400_000_000
_STALE_ROWS_WORTH_AN_INDEX = 64
_LONG_LOG_BYTES = 140_000


def utc_now() -> str:
    """The time as the store writes it: ISO 8601, UTC, microseconds."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


@dataclass(frozen=True, slots=True)
class Session:
    """One Claude session and the chat it belongs to; `dataclasses.replace` makes a changed copy.

    `chat_id` is as the channel gives it and compared by `str()`. Times are ISO 8601 in UTC. `state`
    is a JSON object (project directory, topic, agent, ...): its `topic` is text, a number, or None.
    Raises InvalidSessionIdError or InvalidSessionError for what could not be read back as it is.
    """

    session_id: str
    chat_id: int | str
    tmux_session: str = ""
    created_at: str = field(default_factory=utc_now)
    last_activity: str = field(default_factory=utc_now)
    state: dict[str, Any] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        check_fields(_fields(self))


@dataclass(frozen=True, slots=True)
class Damage:
    """A file that could not be used as a session: its name, why, and where it is now."""

    name: str
    reason: str
    place: Path


class SessionStore:
    """The sessions in one folder, for any number of threads and processes.

    `on_damage` is called with each Damage as it is found, with locks held: it must return at once.
    `clock` gives the time as `utc_now` does. `lock_timeout` is in seconds. Raises StoreError when
    the folder cannot be used.
    """

    def __init__(
        self,
        directory: Path | str,
        *,
        on_damage: Callable[[Damage], None] | None = None,
        clock: Callable[[], str] = utc_now,
        system: SystemCalls = os,
        lock_timeout: float = 30.0,
    ) -> None:
        self.directory = Path(directory).expanduser().absolute()
        self._on_damage = on_damage
        self._clock = clock
        self._lock = threading.RLock()
        self._damaged: list[Damage] = []
        self._index = SessionIndex()
        self._unread: set[str] = set()
        self._folder = SessionFolder(self.directory, system=system, lock_timeout=lock_timeout)
        self._log = ChangeLog(self.directory / LOG, system=system)
        self._next_fold_at = _LONG_LOG_BYTES
        with self._log.trusted():
            self._open()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def damaged(self) -> tuple[Damage, ...]:
        """What was found damaged or unreadable since the store was opened, oldest first."""
        with self._lock:
            return tuple(self._damaged)

    def save(self, session: Session) -> None:
        """Store the session, whatever was stored under its id before.

        Raises StoreWriteError, InvalidSessionError (for a state changed since),
        InvalidSessionIdError (for an id that differs from a stored one by case only), or StoreError
        (for a file that must not be written over). Use `edit` to change a session that others may
        be changing too.
        """
        with self._writing():
            self._save_locked(session)

    def load(self, session_id: str) -> Session | None:
        """The session as it is on disk; None if there is none, or only damage (see `damaged`).

        Raises InvalidSessionIdError, or StoreError if the file is there but cannot be read.
        """
        check_session_id(session_id)
        with self._lock:
            self._refresh()
            # Where case does not count, the twin's file would answer, and look damaged.
            return None if self._index.find_twin(session_id) else self._load(session_id)

    def load_by_chat(self, chat_id: int | str, topic: int | str | None = None) -> Session | None:
        """The session with the most recent activity in that chat and topic (None: in no topic).

        None if there is none; raises StoreError if it is there but cannot be read.
        """
        return self._follow(lambda: self._index.find_latest(*_place(chat_id, topic)))

    def find_current(self, chat_id: int | str, topic: int | str | None = None) -> Session | None:
        """The session bound last in that chat and topic; None if none was, whatever is active.

        Raises StoreError if it is there but cannot be read, rather than give another.
        """
        return self._follow(lambda: self._index.find_current(*_place(chat_id, topic)))

    def list_sessions(
        self, chat_id: int | str | None = None, limit: int | None = None
    ) -> list[Session]:
        """The sessions of the chat, with all its topics, or of all, most recent activity first."""
        with self._lock:
            self._refresh()
            ids = self._index.recent_ids(None if chat_id is None else str(chat_id))
            return list(islice(filter(None, map(self._load_or_report, ids)), limit))

    def edit(self, session_id: str, change: Callable[[Session], Session]) -> Session:
        """Store what `change` makes of the session and return it: one step for everybody else.

        `change` runs with the locks held, so it must be short. Raises SessionNotFoundError, or as
        `save`; what `change` raises leaves the session as it was.
        """
        with self._writing():
            changed = change(self._for_id_locked(session_id))
            if changed.session_id != session_id:
                raise InvalidSessionError(f"Session {session_id} cannot be given another id.")
            return self._save_locked(changed)

    def update_activity(self, session_id: str) -> Session:
        """Note that the session is active now; its time never goes backwards. Raises as `edit`."""

        def touch(session: Session) -> Session:
            latest = max(session.last_activity, self._clock(), key=parse_instant)
            return replace(session, last_activity=latest)

        return self.edit(session_id, touch)

    def bind(self, session_id: str) -> Session:
        """Make the session the current one of its chat and topic, and return it. Raises as `edit`.

        Should it be deleted, the one bound before it is current again.
        """
        with self._writing():
            session = self._for_id_locked(session_id)
            binding = self._index.next_order, self._clock()
            return self._write_locked(_with_binding(session, binding))

    def delete(self, session_id: str) -> bool:
        """Remove the session; False if there was none. Raises as `load`, or StoreWriteError."""
        check_session_id(session_id)
        with self._writing():
            if self._find_locked(session_id) is None:
                return False
            self._remove_locked([session_id])
            return True

    def cleanup_old_sessions(
        self, max_age_days: float, keep: Container[str] | Callable[[str], bool] = frozenset()
    ) -> list[str]:
        """Remove the sessions without activity for longer than that; returns their ids.

        The current session of a chat and topic stays whatever its age, and so does every id that is
        in `keep`, or for which `keep` is true. Raises StoreWriteError; some may be removed by then.
        """
        if not 0 <= max_age_days < math.inf:
            raise ValueError(f"max_age_days must be a number from 0 up, not {max_age_days!r}")
        is_kept = keep if callable(keep) else keep.__contains__
        with self._writing():
            oldest = parse_instant(self._clock()) - int(max_age_days * _MICROSECONDS_A_DAY)
            current = self._index.current_ids()
            old = []
            for row in [row for row in self._index if row.active < oldest]:
                if row.session_id in current or is_kept(row.session_id):
                    continue
                session = self._load_or_report(row.session_id)
                if session is not None and parse_instant(session.last_activity) < oldest:
                    old.append(row.session_id)
            if old:
                self._remove_locked(old)
            return old

    def close(self) -> None:
        """Write the index, to make the next opening quick. The store can be used again after it."""
        with self._lock:
            try:
                if self._index.edits:
                    with self._writing():
                        self._fold_locked()
            except StoreError as error:
                logger.warning("The index could not be written: %s", error)
            finally:
                self._log.forget()

    def _open(self) -> None:
        self._folder.prepare()
        with self._lock, self._folder.lock():
            self._folder.sweep_locked()
            rows = self._find_stored_rows_locked()
            try:
                self._log.read_news()
            except StoreError:
                self._log.begin_anew_locked()
            self._rescan(rows or ())
            if rows is None or self._index.edits > _STALE_ROWS_WORTH_AN_INDEX:
                self._fold_locked()

    def _find_stored_rows_locked(self) -> list[Row] | None:
        for name in (INDEX, LOG):
            if self._folder.is_folder(name):
                self._set_aside_locked(name, "it is a folder where a file belongs")
        try:
            data = self._folder.find_index()
            return None if data is None else parse_index(data)
        except (DamagedFileError, UnreadableFileError) as error:
            logger.warning("%s is built anew from the session files: %s", INDEX, error)
            return None

    @contextmanager
    def _writing(self) -> Iterator[None]:
        with self._lock, self._folder.lock():
            self._refresh()
            yield

    def _refresh(self) -> None:
        """Learn what other processes changed; the thread lock is held."""
        with self._log.trusted():
            news = self._log.read_news()
            if news is None:
                self._rescan(self._index)
            for session_id in {*(news or ()), *self._unread}:
                self._load_or_report(session_id)

    def _rescan(self, rows: Iterable[Row]) -> None:
        """Read every file again whose stamp is not the one in its row; the thread lock is held."""
        known = {row.session_id: row for row in rows}
        fresh, stale = [], []
        for session_id, stamp in self._folder.scan():
            row = known.get(session_id)
            if row is not None and row.stamp == stamp:
                fresh.append(row)
            else:
                stale.append(session_id)
        edits = self._index.edits
        self._index = SessionIndex(fresh)
        self._index.edits = edits
        for session_id in stale:
            self._load_or_report(session_id)

    def _follow(self, find: Callable[[], str | None]) -> Session | None:
        """The session that `find` names, again and again until its file agrees."""
        with self._lock:
            self._refresh()
            while (session_id := find()) is not None:
                session = self._load(session_id)
                if session is not None and find() == session_id:
                    return session
        return None

    def _load_or_report(self, session_id: str) -> Session | None:
        """As `_load`, but a file to be left alone is only reported, for the sake of the others."""
        try:
            return self._load(session_id)
        except (NewerSessionError, UnreadableFileError) as error:
            name = session_id + SUFFIX
            self._unread.add(session_id)
            self._report(Damage(plain_name(name), str(error), self.directory / name))
            return None

    def _load(self, session_id: str) -> Session | None:
        """The session as it is on disk, its row brought in line; the thread lock is held."""
        try:
            return self._examine(session_id)
        except DamagedFileError:
            with self._folder.lock():
                return self._load_locked(session_id)

    def _load_locked(self, session_id: str) -> Session | None:
        try:
            return self._examine(session_id)
        except DamagedFileError as error:
            self._set_aside_locked(session_id + SUFFIX, str(error))
            return None

    def _examine(self, session_id: str) -> Session | None:
        try:
            found = self._folder.find_session(session_id)
            session = found and Session(**parse_session(found[0], session_id))
        except DamagedFileError:
            self._index.remove(session_id)
            raise
        self._unread.discard(session_id)
        if found is None or session is None:
            self._index.remove(session_id)
            return None
        self._index.put(_row(session, found[1]))
        return session

    def _find_locked(self, session_id: str) -> Session | None:
        return None if self._index.find_twin(session_id) else self._load_locked(session_id)

    def _for_id_locked(self, session_id: str) -> Session:
        check_session_id(session_id)
        session = self._find_locked(session_id)
        if session is None:
            raise SessionNotFoundError(f"There is no session {session_id}.")
        return session

    def _save_locked(self, session: Session) -> Session:
        session_id = session.session_id
        twin = self._index.find_twin(session_id)
        if twin is not None:
            raise InvalidSessionIdError(f"{session_id} differs from {twin} by case only.")
        row = self._index.find(session_id)
        if self._folder.find_stamp(session_id) != (row and row.stamp):
            # Something unknown is in the way: know it, set it aside, or refuse to write over it.
            self._load_locked(session_id)
            row = self._index.find(session_id)
        return self._write_locked(_with_binding(session, row and row.bound))

    def _write_locked(self, session: Session) -> Session:
        data = render_session(_fields(session))
        self._log.announce_locked(session.session_id)
        with self._log.trusted():
            stamp = self._folder.write_session_locked(session.session_id, data)
        self._index.put(_row(session, stamp))
        if self._log.length > self._next_fold_at:
            self._fold_locked()
        return session

    def _remove_locked(self, session_ids: list[str]) -> None:
        with self._folder.removing_locked():
            for session_id in session_ids:
                self._log.announce_locked(session_id)
                self._folder.remove_session_locked(session_id)
                self._index.remove(session_id)

    def _fold_locked(self) -> None:
        """Write the index and begin a long log anew; the news was read. Failing costs only time."""
        try:
            self._folder.write_index_locked(render_index(self._index))
            self._index.edits = 0
            if self._log.length > _LONG_LOG_BYTES:
                self._log.begin_anew_locked()
            self._next_fold_at = _LONG_LOG_BYTES
        except StoreError as error:
            logger.warning("The index could not be written: %s", error)
            self._next_fold_at = self._log.length + _LONG_LOG_BYTES

    def _set_aside_locked(self, name: str, reason: str) -> None:
        place = self._folder.set_aside_locked(name)
        self._report(Damage(plain_name(name), reason, place))

    def _report(self, damage: Damage) -> None:
        if damage in self._damaged:
            return
        self._damaged.append(damage)
        logger.warning("%s: %s (%s)", damage.name, damage.reason, damage.place)
        if self._on_damage is not None:
            self._on_damage(damage)


def session_directory(environ: Mapping[str, str] = os.environ) -> Path:
    """`$BRIDGE_STATE_DIR`, or else `sessions/telegram` in Claude Code's own configuration folder.

    Raises ConfigError for the folder where Claude Code keeps its own `*.json` files.
    """
    claude = Path(environ.get("CLAUDE_CONFIG_DIR") or "~/.claude").expanduser()
    chosen = environ.get("BRIDGE_STATE_DIR")
    directory = Path(chosen).expanduser() if chosen else claude / "sessions" / "telegram"
    if directory.resolve() == (claude / "sessions").resolve():
        raise ConfigError(f"BRIDGE_STATE_DIR must not be {directory}: it is Claude Code's own.")
    return directory.absolute()


_stores: dict[Path, SessionStore] = {}
_stores_lock = threading.Lock()


def get_session_store() -> SessionStore:
    """The one store of this process for `session_directory()`, opened at the first call."""
    directory = session_directory()
    with _stores_lock:
        if directory not in _stores:
            _stores[directory] = SessionStore(directory)
        return _stores[directory]


def _fields(session: Session) -> dict[str, Any]:
    return {name: getattr(session, name) for name in FIELDS}


def _place(chat_id: int | str, topic: int | str | None) -> tuple[str, str | None]:
    return str(chat_id), None if topic is None else str(topic)


def _row(session: Session, stamp: Stamp) -> Row:
    chat, topic = _place(session.chat_id, session.state.get("topic"))
    binding = session.state.get("bound_at")
    return Row(
        session_id=session.session_id,
        chat=chat,
        topic=topic,
        active=parse_instant(session.last_activity),
        created=parse_instant(session.created_at),
        bound=binding and (binding["order"], binding["at"]),
        stamp=stamp,
    )


def _with_binding(session: Session, binding: tuple[int, str] | None) -> Session:
    bound_at = binding and {"order": binding[0], "at": binding[1]}
    if session.state.get("bound_at") == bound_at:
        return session
    state = {key: value for key, value in session.state.items() if key != "bound_at"}
    return replace(session, state=state if bound_at is None else {**state, "bound_at": bound_at})
