"""restoration: what was cut off is told once and gone on with once, wherever the bridge ends."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from buttons import Buttons, Press
from core.delivery import Prompt
from core.errors import BridgeError
from core.freshness import Moment
from core.keystrokes import prepare_prompt
from core.model import ButtonPressed, Chat, Person, Post
from inbox import Arrival, Entry, Inbox
from restoration import GO_ON, Restoration
from session import Session, SessionStore
from session_book import SessionBook

CHAT = Chat("telegram", 7)
PROMPT = {"type": "user", "uuid": "1", "message": {"role": "user", "content": "paint it"}}
TOOL = {
    "type": "assistant",
    "uuid": "2",
    "message": {
        "role": "assistant",
        "stop_reason": "tool_use",
        "content": [{"type": "tool_use", "id": "t", "name": "Bash", "input": {}}],
    },
}
END = {"type": "system", "subtype": "turn_duration", "uuid": "3", "durationMs": 5}
MORE = {"type": "user", "uuid": "4", "message": {"role": "user", "content": "never mind"}}


class PowerCutError(Exception):
    """The bridge ends here."""


@dataclass
class Rig:
    """One session whose process is gone, on a real disk; `posts` is what its chat was told."""

    folder: Path
    goes_on: bool = True
    is_welcome: bool = True
    now: Moment = field(default_factory=lambda: Moment(1_000_000.0, "boot", 500_000.0))
    posts: dict[str, Post] = field(default_factory=dict)
    submitted: list[str] = field(default_factory=list)
    ours: list[str] = field(default_factory=list)
    writes_left: int = 10**9
    elsewhere: Any = None

    def __post_init__(self) -> None:
        (self.folder / "bridge").mkdir()
        self.transcript = self.folder / "t.jsonl"
        self.write(PROMPT, TOOL)
        self.open()
        session = self.book.create(CHAT, self.folder, transcript=str(self.transcript))
        self.session_id = session.session_id
        self.book.note_terminal(self.session_id, "terminal")

    def write(self, *lines: dict[str, Any]) -> None:
        with self.transcript.open("a") as file:
            file.writelines(json.dumps(line) + "\n" for line in lines)

    def open(self) -> None:
        self.book = SessionBook(SessionStore(self.folder / "sessions"))
        self.inbox = Inbox(self.folder / "bridge")
        sessions = SimpleNamespace(
            book=self.book,
            registry=SimpleNamespace(find=lambda session_id: self.elsewhere),
            launcher=SimpleNamespace(transcript_of=lambda session: self.transcript),
            submit=lambda session, prompt, person: self.submitted.append(prompt.text),
            posts=SimpleNamespace(expect_ours=self.ours.append),
        )
        outbox = SimpleNamespace(
            put=self._put,
            knows=self.posts.__contains__,
            may_show=lambda chat: self.is_welcome,
        )
        self.restoration = Restoration(
            cast(Any, sessions),
            self.inbox,
            cast(Any, outbox),
            Buttons(self.folder / "bridge"),
            goes_on=self.goes_on,
            clock=lambda: self.now,
        )

    def start(self) -> None:
        """A start of the bridge, after Claude was found to be gone if it was still noted."""
        self.open()
        for part, name in (
            (self.book, "edit_state"),
            (self.book, "let_terminal_go"),
            (self.inbox, "receive"),
            (self.inbox, "advance"),
            (self.inbox, "finish"),
        ):
            self._limit(part, name)
        lost = [session for session in self.book.store.list_sessions() if session.tmux_session]
        self.restoration.look(lost)
        self.restoration.tell()

    def _limit(self, part: Any, name: str) -> None:
        real: Callable[..., Any] = getattr(part, name)

        def limited(*args: Any, **facts: Any) -> Any:
            self._spend()
            return real(*args, **facts)

        if isinstance(part, Inbox):
            self.restoration._inbox = cast(Any, _Wrapped(self.restoration._inbox, name, limited))
        else:
            setattr(part, name, limited)

    def _put(self, post: Post) -> None:
        self._spend()
        self.posts.setdefault(post.key, post)

    def _spend(self) -> None:
        if self.writes_left == 0:
            raise PowerCutError
        self.writes_left -= 1

    @property
    def session(self) -> Session:
        return self.book.for_id(self.session_id)

    def given(self) -> list[Entry]:
        return [entry for entry in self.inbox.pending() if entry.text == prepare_prompt(GO_ON)]


class _Wrapped:
    """An object with one method exchanged."""

    def __init__(self, inner: Any, name: str, method: Callable[..., Any]) -> None:
        self._inner, self._name, self._method = inner, name, method

    def __getattr__(self, name: str) -> Any:
        return self._method if name == self._name else getattr(self._inner, name)


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


@pytest.mark.parametrize("writes", range(12))
def test_wherever_the_bridge_ends_claude_is_told_once_to_go_on_and_the_chat_once(
    rig: Rig, writes: int
) -> None:
    rig.writes_left = writes
    try:
        rig.start()
    except PowerCutError:
        rig.writes_left = 10**9
        rig.start()
    rig.start()
    assert [(e.step, e.session_id, e.place) for e in rig.given()] == [
        ("assigned", rig.session_id, -1)
    ]
    assert [post.text.endswith("It goes on where it was.") for post in rig.posts.values()] == [True]
    assert rig.session.tmux_session == ""
    rig.inbox.finish(rig.given()[0].key, "answered")
    rig.start()
    assert rig.given() == []
    assert len(rig.posts) == 1


@pytest.mark.parametrize("writes", range(8))
def test_without_the_setting_the_chat_gets_one_line_with_a_button(
    tmp_path: Path, writes: int
) -> None:
    rig = Rig(tmp_path, goes_on=False, writes_left=writes + 1)
    try:
        rig.start()
    except PowerCutError:
        rig.writes_left = 10**9
        rig.start()
    rig.start()
    (post,) = rig.posts.values()
    assert [button.label for row in post.keyboard for button in row] == ["Continue"]
    assert rig.inbox.pending() == []
    assert rig.session.state["asleep"] == "cut off"


def test_a_turn_that_was_over_is_silent_and_its_prompt_answered(rig: Rig) -> None:
    rig.write(END)
    rig.inbox.receive([Arrival("a", "telegram", {})])
    facts = {"session_id": rig.session_id, "text": "paint it", "typed_from": 0, "typed_at": 5.0}
    rig.inbox.advance("a", "recorded", merges=(), **facts)
    rig.start()
    assert (rig.posts, rig.inbox.pending()) == ({}, [])


def test_a_prompt_that_claude_never_had_is_left_to_be_delivered(rig: Rig) -> None:
    rig.inbox.receive([Arrival(key, "telegram", {}) for key in ("had", "not")])
    for key, text in (("had", "paint it"), ("not", "and then?")):
        facts = {"session_id": rig.session_id, "text": text, "typed_from": 0, "typed_at": 5.0}
        rig.inbox.advance(key, "typed", merges=(), **facts)
    rig.start()
    assert [e.key for e in rig.inbox.pending() if not e.key.startswith("go on:")] == ["not"]
    assert rig.ours == ["1"]  # its record is no prompt of somebody at the terminal


def test_a_prompt_of_a_session_that_was_cleared_since_is_looked_for_there(rig: Rig) -> None:
    """At the session that its terminal has now, it would look as if Claude had never had it."""
    rig.write(END)
    rig.inbox.receive([Arrival("had", "telegram", {})])
    facts = {"session_id": rig.session_id, "text": "paint it", "typed_from": 0, "typed_at": 5.0}
    rig.inbox.advance("had", "typed", merges=(), **facts)
    rig.book.follow_terminal(rig.session, "after-the-clear", "terminal", None)
    rig.book.note_terminal("after-the-clear", "")  # it is no matter whether its process lives
    rig.start()
    assert rig.inbox.pending() == []
    assert rig.ours == ["1"]


def test_what_ends_again_soon_after_it_went_on_waits_for_a_person(rig: Rig) -> None:
    rig.start()
    rig.inbox.finish(rig.given()[0].key, "interrupted")
    rig.write({**PROMPT, "uuid": "5", "message": {"role": "user", "content": GO_ON}})
    rig.book.note_terminal(rig.session_id, "terminal")
    rig.start()
    assert rig.given() == []
    assert [len(post.keyboard) for post in rig.posts.values()] == [0, 1]
    rig.write({**PROMPT, "uuid": "6", "message": {"role": "user", "content": "paint more"}})
    rig.book.note_terminal(rig.session_id, "terminal")
    rig.now = Moment(rig.now.wall + 3600, "boot", rig.now.uptime + 3600)
    rig.start()
    assert len(rig.given()) == 1


def test_what_was_left_to_a_person_is_theirs_whatever_starts_later(rig: Rig) -> None:
    rig.start()
    rig.inbox.finish(rig.given()[0].key, "interrupted")
    rig.write({**PROMPT, "uuid": "5", "message": {"role": "user", "content": GO_ON}})
    rig.book.note_terminal(rig.session_id, "terminal")
    rig.start()
    rig.now = Moment(rig.now.wall + 700, "another", 600.0)
    rig.start()
    assert rig.given() == []


def test_a_session_that_was_closed_does_not_go_on_by_itself(rig: Rig) -> None:
    rig.book.edit_state(rig.session_id, closed_at="2026-01-01T00:00:00+00:00")
    rig.start()
    assert rig.given() == []


def test_for_a_chat_of_somebody_who_was_removed_nothing_goes_on(rig: Rig) -> None:
    rig.is_welcome = False
    rig.start()
    assert rig.given() == []


@pytest.mark.parametrize(("seconds", "goes_on"), [(60.0, True), (3600.0, False)])
def test_what_the_shutdown_of_the_machine_ended_counts_as_cut_off_by_the_restart(
    rig: Rig, seconds: float, goes_on: bool
) -> None:
    """It ended Claude first, so that the bridge told of it, and then the bridge."""
    runner = SimpleNamespace(session_id=rig.session_id)
    rig.restoration.hear_interrupted(cast(Any, runner), Prompt("k", "paint it"))
    rig.now = Moment(rig.now.wall + seconds + 30, "another", 30.0)
    rig.start()
    assert bool(rig.given()) == goes_on
    assert len(rig.posts) == (2 if goes_on else 1)
    if goes_on:
        first, second = rig.posts.values()
        assert second.edits == first.key
        assert second.keyboard == ()


async def test_a_button_goes_on_unless_something_was_said_since(tmp_path: Path) -> None:
    rig = Rig(tmp_path, goes_on=False)
    rig.start()
    (post,) = rig.posts.values()
    event = ButtonPressed(CHAT, Person(1), 1, "p", post.keyboard[0][0].press)
    action = Buttons(rig.folder / "bridge").take(event)
    assert action is not None
    press = Press(event, action, "press")
    await rig.restoration.prompting_presses["go on"](press)
    assert rig.submitted == [prepare_prompt(GO_ON)]
    rig.write(MORE)
    with pytest.raises(BridgeError, match="gone on since"):
        await rig.restoration.prompting_presses["go on"](press)


def test_a_session_that_runs_in_another_terminal_was_not_cut_off(rig: Rig) -> None:
    rig.elsewhere = "a process"
    rig.start()
    assert (rig.posts, rig.given(), rig.session.tmux_session) == ({}, [], "")


def test_what_a_person_ended_was_not_cut_off(rig: Rig) -> None:
    rig.book.edit_state(rig.session_id, asleep="killed")
    rig.start()
    assert (rig.posts, rig.given(), rig.session.tmux_session) == ({}, [], "")
