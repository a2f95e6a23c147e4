"""chat_commands: which session a message begins, however often it is handled."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chat_commands import name_session
from core.model import Chat, Person, TextSent
from core.session_file import is_session_id

SENT = TextSent(Chat("telegram", 7), Person(7), 5, "/new", sent_at=100.0)


def test_a_message_that_is_handled_again_begins_the_same_session() -> None:
    assert name_session(SENT) == name_session(replace(SENT))
    assert is_session_id(name_session(SENT))


@pytest.mark.parametrize(
    "other",
    [
        replace(SENT, message_id=6),
        replace(SENT, sent_at=200.0),  # the numbers have begun again
        replace(SENT, chat=Chat("web", 7)),
        replace(SENT, chat=Chat("telegram", 7, 3)),
        replace(SENT, text="/fork"),
    ],
)
def test_another_message_begins_another(other: TextSent) -> None:
    assert name_session(other) != name_session(SENT)
