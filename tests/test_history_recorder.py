"""What happens in a session is in its history: whose words, which decisions, nothing twice."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from core.events import AnswerGiven, PromptRecorded, TranscriptEvent
from core.history import TERMINAL
from core.model import Chat, Incoming, Person, TextSent
from core.redaction import Redactor
from core.requests import Allow, describe_answer, render_allow, render_deny
from history import Histories
from history_recorder import HistoryRecorder
from inbox import Arrival, Inbox
from request_book import RequestBook, RequestRecord
from session import SessionStore
from session_book import SessionBook

CHAT = Chat("telegram", 7)
ADA = Person(7, "Ada")


def parse(raw: dict[str, Any]) -> Incoming | None:
    return TextSent(CHAT, Person(raw["from"], raw["name"]), 1, raw["text"])


class Desk:
    """One session of one chat, and what is noted of it."""

    def __init__(self, folder: Path) -> None:
        self.book = SessionBook(SessionStore(folder / "state"))
        self.inbox = Inbox(folder)
        self.histories = Histories(folder / "histories", redact=Redactor().redact)
        self.is_private = False
        self.recorder = HistoryRecorder(
            *(self.histories, self.book, self.inbox),
            parse=lambda arrival: parse(arrival.raw),
            is_private=lambda chat: self.is_private,
            clock=lambda: 50.0,
        )
        self.session = self.book.create(CHAT, folder)

    def edit(self, **changes: Any) -> None:
        self.session = self.book.edit_state(self.session.session_id, **changes)

    def record(self, *events: tuple[TranscriptEvent, bool]) -> None:
        self.recorder.record(self.session, events)

    def told(self) -> list[tuple[str, str, str]]:
        records = self.histories.read(self.session.session_id)
        return [(found.kind, found.who, found.text) for found in records]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_a_prompt_of_the_chats_has_the_name_of_who_sent_it(desk: Desk) -> None:
    for number, name in enumerate(("Ada", "Alan"), 1):
        raw = {"from": number, "name": name, "text": f"I am {name}"}
        desk.inbox.receive([Arrival(name, "telegram", raw)])
        desk.inbox.advance(
            name, "assigned", session_id=desk.session.session_id, text=f"I am {name}"
        )
    desk.record((PromptRecorded("a", "I am Alan"), True), (PromptRecorded("b", "I am Ada"), True))
    assert [(who, text) for _, who, text in desk.told()] == [
        ("Alan", "I am Alan"),
        ("Ada", "I am Ada"),
    ]


def test_a_prompt_that_is_not_ours_came_from_the_terminal(desk: Desk) -> None:
    desk.record((PromptRecorded("a", "typed"), False), (AnswerGiven("b", "seen"), False))
    assert desk.told() == [("prompt", TERMINAL, "typed"), ("answer", "Claude", "seen")]


def test_the_agent_is_the_one_that_ran_and_not_the_one_that_is_to_run(desk: Desk) -> None:
    desk.edit(launched={"agent": "security"}, agent="claude")
    desk.record((AnswerGiven("b", "seen"), False))
    assert [r.agent for r in desk.histories.read(desk.session.session_id)] == ["security"]


def test_in_a_private_chat_personal_data_is_left_out(desk: Desk) -> None:
    desk.is_private = True
    desk.record((PromptRecorded("a", "write to ada@example.org"), False))
    assert desk.told() == [("prompt", TERMINAL, "write to [masked]")]


def transcript(path: Path, *texts: str) -> int:
    """A transcript with those prompts; returns its length."""
    lines = [
        {"type": "user", "uuid": f"t{n}", "promptSource": "typed", "message": {"content": text}}
        for n, text in enumerate(texts)
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path.stat().st_size


def test_a_session_from_elsewhere_gets_what_its_transcript_had(desk: Desk, tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    desk.edit(transcript=str(path), cursor=transcript(path, "one", "two"))
    transcript(path, "one", "two", "three")
    desk.record((PromptRecorded("t2", "three"), False))
    desk.record((PromptRecorded("t2", "three"), False))
    assert [text for _, _, text in desk.told()] == ["one", "two", "three"]


async def test_so_does_one_from_before_there_were_histories(desk: Desk, tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    desk.edit(transcript=str(path), cursor=transcript(path, "one", "two"))
    desk.book.create(CHAT, tmp_path)
    for _ in range(2):
        await desk.recorder.note_earlier()
    assert [text for _, _, text in desk.told()] == ["one", "two"]
    assert len(list((tmp_path / "histories").iterdir())) == 1


def test_what_goes_wrong_with_a_history_holds_up_no_turn(desk: Desk) -> None:
    desk.recorder.record(desk.session, [(PromptRecorded("a", "x"), True)] * 2)
    bad: Any = Fault()
    desk.recorder.record(desk.session, [(bad, True)])
    desk.record((AnswerGiven("b", "seen"), False))
    assert [text for _, _, text in desk.told()] == ["x", "seen"]


class Fault(AnswerGiven):
    """An event that nothing can be read of."""

    def __init__(self) -> None:
        pass


def request(desk: Desk, answer: str | None, name: str = "5000000000-7") -> RequestRecord:
    session_id = desk.session.session_id
    return RequestRecord(name, session_id, CHAT, 7, "post", "Bash: ls", answer=answer)


def test_a_decision_is_kept_with_who_took_it(desk: Desk) -> None:
    desk.recorder.record_decision(request(desk, render_allow(Allow())), ADA)
    (found,) = desk.histories.read(desk.session.session_id)
    assert (found.kind, found.who, found.text) == ("decision", "Ada", "Allowed: Bash: ls")
    assert found.at == 5.0


def test_what_was_decided_just_before_a_crash_is_kept_after_it(desk: Desk, tmp_path: Path) -> None:
    book = RequestBook(tmp_path)
    book.put(request(desk, render_deny("not now"), "1-1"))
    book.put(request(desk, None, "2-2"))
    for _ in range(2):
        desk.recorder.catch_up(RequestBook(tmp_path))
    assert desk.told() == [("decision", "", "Denied (not now): Bash: ls")]


def test_of_a_forgotten_session_nothing_is_noted(desk: Desk) -> None:
    desk.book.store.delete(desk.session.session_id)
    desk.recorder.record_decision(request(desk, render_allow(Allow())), ADA)
    assert not desk.histories.has(desk.session.session_id)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (render_allow(Allow()), "Allowed"),
        (render_allow(Allow(updates=[{"type": "addRules"}])), "Allowed always"),
        (
            render_allow(Allow({"plan": "x"}, [{"type": "setMode", "mode": "acceptEdits"}])),
            "Approved, mode acceptEdits",
        ),
        (render_allow(Allow({"answers": {"Which?": "Red", "And?": "Two"}})), "Answered (Red; Two)"),
        (render_deny("no"), "Denied (no)"),
        (render_deny(""), "Denied"),
        ("", "Answered at the terminal, or no longer asked"),
        ("[]", "Answered at the terminal, or no longer asked"),
        ("{", "Answered at the terminal, or no longer asked"),
    ],
)
def test_a_decision_is_told_by_the_answer_alone(answer: str, told: str) -> None:
    assert describe_answer(answer) == told
