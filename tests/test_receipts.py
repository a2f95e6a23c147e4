"""Signs that tell how far a message has come, from the inbox's own records."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from core.model import ButtonPressed, Chat, Incoming, Person, Sign, TextSent
from core.ports import Channel
from inbox import Arrival, Inbox
from receipts import Receipts

CHAT = Chat("fake", 1, 5)
ADA = Person(7)


class Parser:
    """A channel that understands two kinds of update."""

    def parse(self, raw: dict[str, Any]) -> Incoming | None:
        if raw["kind"] == "text":
            return TextSent(CHAT, ADA, raw["id"], "hello")
        if raw["kind"] == "press":
            return ButtonPressed(CHAT, ADA, raw["id"], "p", "d")
        return None


@pytest.fixture
def signs() -> list[tuple[int, Sign]]:
    return []


@pytest.fixture
def inbox(tmp_path: Path, signs: list[tuple[int, Sign]]) -> Inbox:
    made = Inbox(tmp_path)

    def react(chat: Chat, message_id: int, sign: Sign) -> None:
        assert chat == CHAT
        signs.append((message_id, sign))

    made.listeners.append(Receipts({"fake": cast(Channel, Parser())}, react).hear_entry)
    made.receive([Arrival("k", "fake", {"kind": "text", "id": 3})])
    return made


def test_before_anybody_has_looked_at_who_it_is_there_is_no_sign(
    inbox: Inbox, signs: list[tuple[int, Sign]]
) -> None:
    assert signs == []
    inbox.finish("k", "handled")
    assert signs == []


@pytest.mark.parametrize(
    ("outcome", "last"),
    [
        ("answered", ["answered"]),
        ("failed", ["failed"]),
        ("interrupted", ["failed"]),
        ("killed", ["failed"]),
        ("dropped", []),
    ],
)
def test_each_step_has_its_sign(
    inbox: Inbox, signs: list[tuple[int, Sign]], outcome: str, last: list[Sign]
) -> None:
    inbox.advance("k", "assigned", session_id="s", text="hello")
    inbox.advance("k", "typed", session_id="s", typed_from=0, typed_at=1.0)
    inbox.advance("k", "recorded")
    inbox.finish("k", outcome)
    assert signs == [(3, sign) for sign in ["received", "delivered", *last]]


@pytest.mark.parametrize("kind", ["press", "other"])
def test_what_is_no_message_has_no_sign(
    inbox: Inbox, signs: list[tuple[int, Sign]], kind: str
) -> None:
    inbox.receive([Arrival("p", "fake", {"kind": kind, "id": 4})])
    inbox.advance("p", "assigned", session_id="s", text="again")
    inbox.finish("p", "answered")
    assert signs == []


def test_a_sign_that_fails_holds_nothing_up(inbox: Inbox, signs: list[tuple[int, Sign]]) -> None:
    def stumble(entry: object, outcome: str | None) -> None:
        raise RuntimeError("no")

    listeners: list[Callable[..., None]] = inbox.listeners
    listeners.insert(0, stumble)
    inbox.advance("k", "assigned", session_id="s", text="hello")
    assert signs == [(3, "received")]


def test_a_file_has_its_sign_before_it_is_fetched(
    inbox: Inbox, signs: list[tuple[int, Sign]]
) -> None:
    inbox.advance("k", "received", session_id="s")
    assert signs == [(3, "received")]


def test_all_that_a_prompt_is_made_of_has_its_sign_at_every_stage(
    inbox: Inbox, signs: list[tuple[int, Sign]]
) -> None:
    inbox.receive([Arrival("more", "fake", {"kind": "text", "id": 4})])
    for key in ("k", "more"):
        inbox.advance(key, "received", session_id="s")
    inbox.advance("k", "assigned", merges=["more"], session_id="s", text="both")
    inbox.advance("k", "recorded")
    inbox.finish("k", "answered")
    for message in (3, 4):
        newest = list(dict.fromkeys(sign for number, sign in signs if number == message))
        assert newest == ["received", "delivered", "answered"]
