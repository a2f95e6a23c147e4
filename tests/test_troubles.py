"""Taking a session over: whatever comes in between, the prompt that it is for is not lost."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

import troubles as troubles_module
from buttons import Buttons, Press
from core.errors import SessionElsewhereError
from core.model import ButtonPressed, Chat, Person, Post
from inbox import Arrival, Entry, Inbox
from pulse import Background
from session import SessionStore
from session_book import SessionBook
from troubles import Troubles

CHAT = Chat("fake", 7)
PID = 2**22 + 7  # no process has it


class Rig:
    """A session that is open in a terminal, and a prompt that was refused for that."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.inbox = Inbox(root)
        self.book = SessionBook(SessionStore(root / "store"))
        self.session_id = self.book.create(CHAT, root).session_id
        self.owner: Any = SimpleNamespace(pid=PID)
        self.posts: list[Post] = []
        self.submitted: list[str] = []
        self.buttons = Buttons(root)
        self.background = Background()
        runner = SimpleNamespace(session_id=self.session_id, is_awake=False)
        sessions = SimpleNamespace(
            book=self.book,
            find_runner=lambda session_id: None,
            runner_of=lambda session: runner,
            registry=SimpleNamespace(find=lambda session_id: self.owner),
            submit=lambda session, prompt, person: self.submitted.append(prompt.text),
        )
        outbox = SimpleNamespace(put=self.posts.append)
        self.troubles = Troubles(
            *(cast(Any, sessions), self.inbox, cast(Any, outbox), self.buttons, self.background),
            may=lambda person, deed: True,
        )

    async def press(self, **action: Any) -> None:
        """Take over at a press, whose entry is in the inbox."""
        self.inbox.receive([Arrival("press", "fake", {})])
        event = ButtonPressed(CHAT, Person(7), 1, "1", "data")
        carried = {"do": "take over", "session": self.session_id, "pid": PID, **action}
        await self.troubles.prompting_presses["take over"](Press(event, carried, "press"))

    def left(self) -> list[Entry]:
        """What the next bridge finds in the inbox."""
        return Inbox(self.root).pending()

    def offered(self) -> list[dict[str, Any]]:
        return list(self.buttons.list_actions(CHAT, 7))


async def test_the_prompt_is_the_sessions_before_the_other_process_has_ended(
    tmp_path: Path,
) -> None:
    rig = Rig(tmp_path)
    await rig.press(text="paint it")
    [entry] = rig.left()  # a kill -9 at this moment
    found = (entry.step, entry.session_id, entry.text, entry.person)
    assert found == ("assigned", rig.session_id, "paint it", 7)
    rig.owner = None
    await rig.background.finish()
    assert rig.submitted == ["paint it"]


async def test_when_the_other_does_not_end_the_prompt_is_offered_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(troubles_module, "_LEAVING_SECONDS", 0.0)
    rig = Rig(tmp_path)
    await rig.press(text="paint it")
    await rig.background.finish()
    assert (rig.submitted, rig.left()) == ([], [])
    [post] = rig.posts
    assert "The other Claude has not ended" in post.text
    [again] = rig.offered()
    assert (again["do"], again["text"], again["pid"]) == ("take over", "paint it", PID)


async def test_a_prompt_that_finds_the_session_elsewhere_is_offered_to_take_it_over(
    tmp_path: Path,
) -> None:
    rig = Rig(tmp_path)
    runner = cast(Any, SimpleNamespace(session_id=rig.session_id))
    rig.troubles.tell_failed(runner, None, SessionElsewhereError("It is open there.", PID))
    assert [post.text for post in rig.posts] == ["It is open there."]
    assert [action["do"] for action in rig.offered()] == ["take over"]
