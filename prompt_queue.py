"""The prompts of one session in their order, which a person may change until they are typed.

The order is in the inbox whenever it is another than that of arrival, so a restart keeps it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from core.delivery import Prompt
from inbox import Inbox

_LAST = float("inf")


class PromptQueue:
    """Prompts whose entries are in `inbox`.

    `typed` names those that were typed already; `changed` is called when one was dropped.
    """

    def __init__(
        self, inbox: Inbox, *, typed: Callable[[], set[str]], changed: Callable[[], None]
    ) -> None:
        self._inbox = inbox
        self._typed = typed
        self._changed = changed
        self._prompts: list[Prompt] = []

    def __bool__(self) -> bool:
        return bool(self._prompts)

    def __iter__(self) -> Iterator[Prompt]:
        return iter(self._prompts)

    @property
    def first(self) -> Prompt:
        """The prompt that is, or will be next, under way."""
        return self._prompts[0]

    @property
    def waiting(self) -> list[Prompt]:
        """The prompts that were not typed yet, in order."""
        typed = self._typed()
        return [p for p in self._prompts if not p.is_dropped and p.key not in typed]

    def append(self, prompt: Prompt) -> None:
        """Put it behind all others."""
        self._prompts.append(prompt)

    def restore(self, prompt: Prompt, *, is_typed: bool) -> None:
        """Put it where it was when the bridge ended; those that came later have no place yet."""
        self._prompts.append(replace(prompt, place=-1) if is_typed else prompt)
        self._prompts.sort(key=lambda found: found.place or _LAST)

    def pop(self) -> None:
        """Be done with the first one."""
        del self._prompts[0]

    def remove(self, key: str) -> None:
        """Forget the prompt of that key, whose end another tells."""
        self._prompts = [prompt for prompt in self._prompts if prompt.key != key]

    def clear(self) -> None:
        """Forget all of them."""
        self._prompts.clear()

    def drop(self, key: str) -> bool:
        """Forget a prompt that waits; False when it is not among them any more."""
        if not self._change(key, is_dropped=True):
            return False
        self._inbox.finish(key, "dropped")
        self._changed()
        return True

    def drop_all(self) -> int:
        """Forget the prompts that wait; returns how many."""
        return sum(self.drop(prompt.key) for prompt in self.waiting)

    def rewrite(self, key: str, text: str, **facts: Any) -> bool:
        """Give a prompt that waits another text; False when it is not among them any more.

        `facts` about that text are noted down with it.
        """
        if not self._change(key, text=text):
            return False
        self._inbox.advance(key, "assigned", text=text, **facts)
        return True

    def move_up(self, key: str, *, to_front: bool = False) -> bool:
        """Have it typed one earlier, or before all others; False when it does not wait any more.

        Raises StoreWriteError.
        """
        waiting = self.waiting
        old = next((n for n, prompt in enumerate(waiting) if prompt.key == key), None)
        if old is None:
            return False
        waiting.insert(0 if to_front else max(old - 1, 0), waiting.pop(old))
        placed = [replace(prompt, place=n) for n, prompt in enumerate(waiting, 1)]
        for prompt in placed:
            self._inbox.advance(prompt.key, "assigned", place=prompt.place)
        keys = {prompt.key for prompt in placed}
        self._prompts = [p for p in self._prompts if p.key not in keys] + placed
        return True

    def _change(self, key: str, **changes: Any) -> bool:
        waiting = self.waiting
        for number, prompt in enumerate(self._prompts):
            if prompt.key == key and prompt in waiting:
                self._prompts[number] = replace(prompt, **changes)
                return True
        return False
