"""troubles: a prompt is given once more only for somebody who might give it anew."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from buttons import Buttons, Press
from core.delivery import Prompt
from core.errors import BridgeError
from core.model import ButtonPressed, Chat, Person
from core.roles import Role, may
from inbox import Inbox
from pulse import Background
from session import SessionStore
from session_book import SessionBook
from troubles import Troubles

GROUP = Chat("telegram", -1001)
ROLES: dict[int, Role] = {1: "owner", 2: "member", 3: "viewer"}


class Rig:
    """A session in a group, and a prompt that could not be delivered."""

    def __init__(self, folder: Path) -> None:
        self.book = SessionBook(SessionStore(folder / "store"))
        self.session_id = self.book.create(GROUP, folder).session_id
        self.given: list[str] = []
        sessions = SimpleNamespace(book=self.book, submit=self._submit)
        self.troubles = Troubles(
            cast(Any, sessions),
            Inbox(folder),
            cast(Any, SimpleNamespace()),
            Buttons(folder),
            Background(),
            may=lambda person, deed: may(ROLES.get(person), deed),
        )

    def _submit(self, session: Any, prompt: Prompt, person: int) -> None:
        self.given.append(prompt.text)

    async def retry(self, text: str, person: int) -> None:
        event = ButtonPressed(GROUP, Person(person), 1, "1", "data", is_private=False)
        action = {"do": "retry", "session": self.session_id, "text": text}
        await self.troubles.prompting_presses["retry"](Press(event, action, "key"))


@pytest.mark.parametrize(
    ("text", "allowed"), [("paint it", (1, 2)), ("!rm -r paint", (1,)), ("/clear", (1, 2))]
)
async def test_who_tries_again_might_give_it_anew(
    tmp_path: Path, text: str, allowed: tuple[int, ...]
) -> None:
    rig = Rig(tmp_path)
    for person in (1, 2, 3, 666):
        if person in allowed:
            await rig.retry(text, person)
        else:
            with pytest.raises(BridgeError, match="Only the owner may do that"):
                await rig.retry(text, person)
    assert rig.given == [text] * len(allowed)


async def test_who_may_not_give_a_prompt_ends_no_process_for_it(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    event = ButtonPressed(GROUP, Person(2), 1, "1", "data", is_private=False)
    action = {"do": "take over", "session": rig.session_id, "pid": 1, "text": "!rm -r paint"}
    with pytest.raises(BridgeError, match="Only the owner may do that"):
        await rig.troubles.prompting_presses["take over"](Press(event, action, "key"))
    assert rig.given == []
