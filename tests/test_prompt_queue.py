"""The order of what waits, also after a restart."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from core.delivery import Prompt
from inbox import Arrival, Inbox
from prompt_queue import PromptQueue


class Desk:
    """A queue on an inbox, which can be restarted."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.typed = set[str]()
        self.inbox = Inbox(folder)
        self.queue = self._new_queue()

    def _new_queue(self) -> PromptQueue:
        return PromptQueue(self.inbox, typed=lambda: self.typed, changed=lambda: None)

    def add(self, key: str) -> None:
        self.inbox.receive([Arrival(key, "telegram", {})])
        self.inbox.advance(key, "assigned", session_id="s", text=key)
        self.queue.append(Prompt(key, key))

    def type_first(self) -> None:
        self.typed.add(self.queue.first.key)
        self.inbox.advance(self.queue.first.key, "typed")

    def restart(self) -> None:
        self.inbox.close()
        self.inbox = Inbox(self.folder)
        self.queue = self._new_queue()
        for entry in self.inbox.pending():
            prompt = Prompt(entry.key, entry.text, place=entry.place)
            self.queue.restore(prompt, is_typed=entry.step == "typed")

    @property
    def order(self) -> str:
        return "".join(prompt.key for prompt in self.queue.waiting)


def test_one_is_moved_up_or_to_the_front(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    for key in "abc":
        desk.add(key)
    assert desk.queue.move_up("c")
    assert desk.order == "acb"
    assert desk.queue.move_up("b", to_front=True)
    assert desk.order == "bac"
    assert desk.queue.move_up("b")
    assert desk.order == "bac"
    assert not desk.queue.move_up("x")


def test_what_was_typed_stays_first_whatever_is_moved(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    for key in "abc":
        desk.add(key)
    desk.queue.move_up("c", to_front=True)
    desk.type_first()
    assert desk.order == "ab"
    assert not desk.queue.move_up("c")
    assert desk.queue.move_up("b", to_front=True)
    assert [prompt.key for prompt in desk.queue] == ["c", "b", "a"]
    desk.restart()
    assert [prompt.key for prompt in desk.queue] == ["c", "b", "a"]


def test_what_came_later_is_behind_what_was_put_in_order(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    for key in "ab":
        desk.add(key)
    desk.queue.move_up("b")
    desk.add("c")
    desk.restart()
    assert desk.order == "bac"


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["up", "front", "drop", "restart"]), st.sampled_from("abcde")),
        max_size=12,
    )
)
def test_the_order_after_a_restart_is_the_one_before(
    tmp_path_factory: object, steps: list[tuple[str, str]]
) -> None:
    desk = Desk(tmp_path_factory.mktemp("queue"))  # type: ignore[attr-defined]
    for key in "abcde":
        desk.add(key)
    for what, key in steps:
        match what:
            case "up" | "front":
                desk.queue.move_up(key, to_front=what == "front")
            case "drop":
                desk.queue.drop(key)
            case "restart":
                before = desk.order
                desk.restart()
                assert desk.order == before
    before = desk.order
    desk.restart()
    assert desk.order == before
    desk.inbox.close()
