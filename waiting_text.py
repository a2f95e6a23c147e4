"""A text that waits to be given: one message, or those that an app made of it, as far as they came.

It is open until no next part has come in time, or until the person does something else. A part is
known by the key of its inbox entry, and may be given other words as long as it waits here.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from core.model import TextSent
from core.split_text import continues, join_parts
from core.text_prompts import render_text_prompt
from pulse import happens


@dataclass(slots=True)
class Part:
    """One message; `words` are what of it is for Claude."""

    key: str
    message: TextSent
    words: str


@dataclass(slots=True)
class WaitingText:
    """The parts of a text for that session; `due` is when no more are waited for (loop's clock)."""

    parts: list[Part]
    session_id: str
    due: float
    is_given: asyncio.Event = field(default_factory=asyncio.Event)
    _is_complete: bool = False
    _has_news: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def keys(self) -> list[str]:
        """Of its entries."""
        return [part.key for part in self.parts]

    @property
    def person(self) -> int:
        """Who sent it."""
        return self.parts[0].message.person.user_id

    def goes_on_with(self, message: TextSent) -> bool:
        """Whether that is its next part."""
        return not self._is_complete and continues(self.parts[-1].message, message)

    def add(self, part: Part, due: float) -> None:
        """Go on with that part."""
        self.parts.append(part)
        self.due = due
        self._has_news.set()

    def end(self) -> None:
        """Wait for no more."""
        self._is_complete = True
        self._has_news.set()

    async def until_complete(self) -> None:
        """Wait for the parts that are still to come."""
        while not self._is_complete:
            self._has_news.clear()
            seconds = self.due - asyncio.get_running_loop().time()
            if seconds <= 0 or not await happens(self._has_news, seconds):
                self._is_complete = True

    def rewrite(self, key: str, words: str) -> bool:
        """Give one of its parts other words; False when that is none of them."""
        for part in self.parts:
            if part.key == key:
                part.words = words
                return True
        return False

    def render(self) -> str:
        """The prompt. Raises PromptError."""
        words = join_parts([part.words for part in self.parts])
        return render_text_prompt(self.parts[0].message, words)
