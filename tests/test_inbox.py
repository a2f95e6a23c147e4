"""The inbox on a real disk: taken once, kept until done, through restarts, damage and refusals."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

import inbox as inbox_module
from core.errors import StoreWriteError
from inbox import Arrival, Inbox
from journal import Journal
from tests.standins.watched_system import RefusingSystem


def arrival(key: str, text: str = "hi") -> Arrival:
    return Arrival(key, "telegram", {"update_id": 1, "message": {"text": text}})


def keys(inbox: Inbox) -> list[str]:
    return [entry.key for entry in inbox.pending()]


def test_what_was_received_is_there_after_a_restart(tmp_path: Path) -> None:
    first = Inbox(tmp_path)
    taken = first.receive([arrival("a"), arrival("b")])
    assert [entry.step for entry in taken] == ["received", "received"]
    again = Inbox(tmp_path)
    assert again.pending() == taken


def test_an_update_is_taken_once_whether_done_or_not(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path)
    assert len(inbox.receive([arrival("a"), arrival("a"), arrival("b")])) == 2
    inbox.finish("a", "handled")
    assert inbox.receive([arrival("a"), arrival("b")]) == []
    assert Inbox(tmp_path).receive([arrival("a"), arrival("b"), arrival("c")])[0].key == "c"


def test_each_step_of_a_prompt_is_there_after_a_restart(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path)
    inbox.receive([arrival("a")])
    inbox.advance("a", "assigned", session_id="s", text="hi")
    inbox.advance("a", "typed", typed_from=12, typed_at=3.5)
    found = Inbox(tmp_path).find("a")
    assert found is not None
    assert (found.step, found.session_id, found.text) == ("typed", "s", "hi")
    assert (found.typed_from, found.typed_at) == (12, 3.5)
    inbox.advance("a", "recorded")
    inbox.finish("a", "answered")
    assert Inbox(tmp_path).find("a") is None


def test_what_goes_on_as_a_part_of_another_is_done_at_the_same_moment(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path)
    inbox.receive([arrival(key) for key in "abcd"])
    inbox.advance("a", "assigned", merges=["b", "c"], session_id="s", text="hi")
    assert keys(inbox) == ["a", "d"]
    assert keys(Inbox(tmp_path)) == ["a", "d"]
    assert inbox.receive([arrival("b")]) == []


def test_what_a_prompt_is_made_of_is_known_until_it_is_done(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path)
    inbox.receive([arrival(key) for key in "abcd"])
    inbox.advance("b", "received", session_id="s", words={"b": "bee"})
    inbox.advance("a", "assigned", merges=["b", "c"], session_id="s", text="hi", words={"a": "A"})
    for _ in range(2):
        found = inbox.find("a")
        assert found is not None
        assert [part.key for part in found.arrivals] == ["a", "b", "c"]
        assert found.words == {"a": "A", "b": "bee"}
        inbox = Inbox(tmp_path)
        inbox.advance("d", "assigned")  # which writes the file anew
        assert keys(inbox) == ["a", "d"]
    inbox.finish("a", "answered")
    assert keys(Inbox(tmp_path)) == ["d"]


def test_a_torn_record_of_a_merge_is_no_merge(tmp_path: Path) -> None:
    system = RefusingSystem()
    inbox = Inbox(tmp_path, system=system)
    inbox.receive([arrival(key) for key in "ab"])
    system.refuses = "write"
    with pytest.raises(StoreWriteError):
        inbox.advance("a", "assigned", merges=["b"], session_id="s", text="hi")
    assert keys(Inbox(tmp_path)) == ["a", "b"]
    assert [entry.step for entry in Inbox(tmp_path).pending()] == ["received", "received"]


def test_order_of_arrival_is_kept_through_restarts(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path)
    inbox.receive([arrival(key) for key in "abcd"])
    inbox.advance("b", "assigned", session_id="s", text="x")
    inbox.finish("a", "handled")
    for _ in range(3):
        inbox = Inbox(tmp_path)
        inbox.receive([arrival("x")])
        assert keys(inbox) == ["b", "c", "d", "x"]


def test_a_step_of_what_is_done_is_not_written(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path)
    inbox.receive([arrival("a")])
    inbox.finish("a", "handled")
    with pytest.raises(KeyError):
        inbox.advance("a", "typed")
    inbox.finish("a", "handled")
    assert keys(Inbox(tmp_path)) == []


def test_what_still_waits_is_not_taken_again_however_many_came_since(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox_module, "_REMEMBERED", 5)
    inbox = Inbox(tmp_path)
    inbox.receive([arrival("old")])
    inbox.advance("old", "typed", session_id="s")
    for number in range(20):
        inbox.receive([arrival(str(number))])
        inbox.finish(str(number), "handled")
    assert inbox.receive([arrival("old")]) == []
    found = Inbox(tmp_path).find("old")
    assert found is not None
    assert found.step == "typed"


@pytest.mark.parametrize("call", ["write", "fsync"])
def test_a_refused_disk_takes_nothing_and_later_takes_it(tmp_path: Path, call: str) -> None:
    system = RefusingSystem()
    inbox = Inbox(tmp_path, system)
    inbox.receive([arrival("a")])
    system.refuses = call
    for _ in range(2):
        with pytest.raises(StoreWriteError):
            inbox.receive([arrival("b")])
        with pytest.raises(StoreWriteError):
            inbox.advance("a", "typed", session_id="s")
        assert keys(inbox) == keys(Inbox(tmp_path)) == ["a"]
        assert inbox.pending()[0].step == "received"
    system.refuses = ""
    assert [entry.key for entry in inbox.receive([arrival("b")])] == ["b"]
    assert keys(Inbox(tmp_path)) == ["a", "b"]


def test_what_is_done_while_the_disk_refuses_is_done(tmp_path: Path) -> None:
    system = RefusingSystem()
    inbox = Inbox(tmp_path, system)
    inbox.receive([arrival("a"), arrival("b")])
    system.refuses = "write"
    inbox.finish("a", "handled")
    assert keys(inbox) == ["b"]
    system.refuses = ""
    inbox.receive([arrival("c")])
    assert keys(Inbox(tmp_path)) == ["b", "c"]


def test_records_of_an_unknown_kind_cost_nothing_else(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path)
    inbox.receive([arrival("a")])
    inbox.close()
    journal = Journal(tmp_path / "inbox.journal", list)
    records = journal.read()
    strange = [
        {"t": "hologram"},
        {"t": "received", "key": "x"},
        {"t": "step"},
        {"t": "step", "key": "a", "step": "typed", "colour": "red"},
        {"t": "seen"},
        {"no": "kind"},
    ]
    journal = Journal(tmp_path / "inbox.journal", lambda: [*strange, *records])
    journal.append({"t": "step", "key": "a", "step": "typed", "session_id": "s"})
    found = Inbox(tmp_path).find("a")
    assert found is not None
    assert (found.step, found.session_id) == ("typed", "s")


def test_an_update_with_half_of_an_emoji_is_taken(tmp_path: Path) -> None:
    Inbox(tmp_path).receive([arrival("a", "cut \ud83d")])
    (entry,) = Inbox(tmp_path).pending()
    assert entry.arrival.raw["message"]["text"] == "cut \ufffd"


class InboxAgainstList(RuleBasedStateMachine):
    """Any order of arrivals, steps and restarts, against a plain list."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        self.inbox = Inbox(Path(self.folder.name))
        self.model: dict[str, str] = {}
        self.seen: set[str] = set()

    def teardown(self) -> None:
        self.inbox.close()
        self.folder.cleanup()

    @rule(names=st.lists(st.sampled_from("abcdefgh"), max_size=4))
    def receive(self, names: list[str]) -> None:
        new = [name for name in dict.fromkeys(names) if name not in self.seen]
        assert [e.key for e in self.inbox.receive(arrival(n) for n in names)] == new
        self.model |= dict.fromkeys(new, "received")
        self.seen |= set(new)

    @precondition(lambda self: self.model)
    @rule(data=st.data(), step=st.sampled_from(["assigned", "typed", "recorded"]))
    def advance(self, data: st.DataObject, step: inbox_module.Step) -> None:
        key = data.draw(st.sampled_from(sorted(self.model)))
        self.inbox.advance(key, step)
        self.model[key] = step

    @rule(name=st.sampled_from("abcdefgh"))
    def finish(self, name: str) -> None:
        self.inbox.finish(name, "handled")
        self.model.pop(name, None)

    @rule()
    def restart(self) -> None:
        self.inbox = Inbox(Path(self.folder.name))

    @invariant()
    def they_agree(self) -> None:
        assert {e.key: e.step for e in self.inbox.pending()} == self.model
        assert keys(self.inbox) == list(self.model)


TestInboxAgainstList = InboxAgainstList.TestCase
TestInboxAgainstList.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
