"""The session store against a plain dict: whatever is done in whatever order, they agree."""

import shutil
import tempfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("hypothesis", reason="the properties need requirements-dev.txt")

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from core.session_file import DamagedFileError, NewerSessionError, parse_instant, parse_session
from session import Session, SessionStore

IDS = ["a", "b", "c", "d", "e"]
CHATS: list[int | str] = [1, "1", 2, "two"]
TOPICS: list[int | str | None] = [None, 7, "7", 8]

ids = st.sampled_from(IDS)
chats = st.sampled_from(CHATS)
topics = st.sampled_from(TOPICS)
either = st.sampled_from([0, 1])
minutes = st.integers(-100, 100)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=())),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)
states = st.dictionaries(st.text(), json_values, max_size=4).filter(
    lambda state: not state.keys() & {"topic", "bound_at"}
)


class StoreAgainstDict(RuleBasedStateMachine):
    """Two stores on one folder, as two processes have them, beside a dict of what must be there."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.now = datetime(2026, 1, 1, tzinfo=UTC)
        self.sessions: dict[str, Session] = {}
        self.bound: list[str] = []
        self.kept_index = b""
        self.stores = [self.open(), self.open()]

    def open(self) -> SessionStore:
        return SessionStore(self.folder, clock=self.clock)

    def clock(self) -> str:
        return self.now.isoformat()

    def teardown(self) -> None:
        for store in self.stores:
            store.close()
        shutil.rmtree(self.folder)

    @rule(by=minutes)
    def move_clock(self, by: int) -> None:
        self.now += timedelta(minutes=by)

    @rule(who=either, session_id=ids, chat=chats, topic=topics, state=states)
    def save(
        self, who: int, session_id: str, chat: int | str, topic: int | str | None, state: Any
    ) -> None:
        now = self.clock()
        session = Session(session_id, chat, "", now, now, {**state, "topic": topic})
        self.stores[who].save(session)
        self.sessions[session_id] = session

    @rule(who=either, session_id=ids)
    def bind(self, who: int, session_id: str) -> None:
        if session_id in self.sessions:
            self.stores[who].bind(session_id)
            self.bound = [*(other for other in self.bound if other != session_id), session_id]

    @rule(who=either, session_id=ids)
    def update_activity(self, who: int, session_id: str) -> None:
        if session_id in self.sessions:
            self.stores[who].update_activity(session_id)
            session = self.sessions[session_id]
            latest = max(session.last_activity, self.clock(), key=parse_instant)
            self.sessions[session_id] = replace(session, last_activity=latest)

    @rule(who=either, session_id=ids, topic=topics)
    def move_to_topic(self, who: int, session_id: str, topic: int | str | None) -> None:
        def move(session: Session) -> Session:
            return replace(session, state={**session.state, "topic": topic})

        if session_id in self.sessions:
            self.stores[who].edit(session_id, move)
            self.sessions[session_id] = move(self.sessions[session_id])

    @rule(who=either, session_id=ids)
    def delete(self, who: int, session_id: str) -> None:
        assert self.stores[who].delete(session_id) == (session_id in self.sessions)
        self.forget(session_id)

    @rule(who=either, age=st.integers(0, 100), keep=st.sets(ids))
    def clean_up(self, who: int, age: int, keep: set[str]) -> None:
        oldest = parse_instant(self.clock()) - age * 60_000_000
        current = {self.current(chat, topic) for chat in CHATS for topic in TOPICS}
        expected = {
            session_id
            for session_id, session in self.sessions.items()
            if parse_instant(session.last_activity) < oldest and session_id not in keep | current
        }
        assert set(self.stores[who].cleanup_old_sessions(age / 1440, keep=keep)) == expected
        for session_id in expected:
            self.forget(session_id)

    @rule(who=either)
    def close_and_reopen(self, who: int) -> None:
        self.stores[who].close()
        self.stores[who] = self.open()

    @rule(who=either)
    def crash_and_reopen(self, who: int) -> None:
        self.stores[who] = self.open()

    @rule()
    def keep_the_index(self) -> None:
        self.kept_index = (self.folder / "index.json").read_bytes()

    @rule(lose_the_log=st.booleans())
    def crash_of_the_machine(self, lose_the_log: bool) -> None:
        """What was not synced comes back as it once was, or not at all."""
        (self.folder / "index.json").write_bytes(self.kept_index)
        if lose_the_log:
            (self.folder / "index.log").unlink(missing_ok=True)
        self.stores = [self.open(), self.open()]

    @invariant()
    def both_stores_agree_with_the_dict(self) -> None:
        newest_first = sorted(self.sessions, key=self.recency, reverse=True)
        for store in self.stores:
            assert [session.session_id for session in store.list_sessions()] == newest_first
            assert {name: self.stored(store, name) for name in self.sessions} == self.sessions
            for chat in CHATS:
                for topic in TOPICS:
                    here = [name for name in newest_first if self.is_at(name, chat, topic)]
                    latest = store.load_by_chat(chat, topic=topic)
                    assert (latest and latest.session_id) == next(iter(here), None)
                    bound = store.find_current(chat, topic=topic)
                    assert (bound and bound.session_id) == self.current(chat, topic)
            assert store.damaged == ()

    def recency(self, session_id: str) -> tuple[int, int, str]:
        session = self.sessions[session_id]
        times = parse_instant(session.last_activity), parse_instant(session.created_at)
        return (*times, session_id)

    def stored(self, store: SessionStore, session_id: str) -> Session | None:
        session = store.load(session_id)
        assert session is not None
        assert ("bound_at" in session.state) == (session_id in self.bound)
        return replace(session, state={k: v for k, v in session.state.items() if k != "bound_at"})

    def is_at(self, session_id: str, chat: int | str, topic: int | str | None) -> bool:
        session = self.sessions[session_id]
        there = session.state["topic"]
        same_topic = there is topic or (None not in (there, topic) and str(there) == str(topic))
        return str(session.chat_id) == str(chat) and same_topic

    def current(self, chat: int | str, topic: int | str | None) -> str | None:
        here = [name for name in self.bound if self.is_at(name, chat, topic)]
        return here[-1] if here else None

    def forget(self, session_id: str) -> None:
        self.sessions.pop(session_id, None)
        self.bound = [other for other in self.bound if other != session_id]


TestStoreAgainstDict = StoreAgainstDict.TestCase
TestStoreAgainstDict.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)


@given(state=states, tmux_session=st.text(st.characters(exclude_categories=())))
def test_every_state_comes_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, state: dict[str, Any], tmux_session: str
) -> None:
    folder = tmp_path_factory.getbasetemp() / "round-trip"
    with SessionStore(folder) as store:
        session = Session("a", 1, tmux_session, state=state)
        store.save(session)
        found = store.load("a")
        assert found == session
        assert repr(found) == repr(session)


@given(st.binary() | st.text().map(str.encode) | json_values.map(lambda value: str(value).encode()))
def test_no_bytes_make_the_parser_fail_in_another_way(data: bytes) -> None:
    with pytest.raises((DamagedFileError, NewerSessionError)):
        parse_session(data, "a")
