"""A request's message in the chat: what was asked, its buttons, and in the end what came of it.

* What is masked is marked. What can't be shown for that may not be allowed from the chat either: a
  mask that could hide more than one harmless word takes the approving buttons away.
* A long request's whole is a file, which comes before the message.
"""

from __future__ import annotations

import re
import uuid

from msgspec.structs import replace

from buttons import Buttons
from core.model import Attachment, Keyboard, Post
from core.redaction import Redactor
from core.requests import Request, View
from outbox import Outbox
from request_book import RequestBook, RequestRecord

# One word, whatever it is; its signs may be escaped for Markdown.
_HARMLESS = re.compile(r"(?:[A-Za-z0-9]|\\?[._~+/=:-])+")
_MASKED = "🔒 _masked: {count}; what runs is unchanged\\._"
_WITHHELD = (
    "🔒 A part of this looks like a secret and is not shown here, "
    "so it can only be allowed at the terminal."
)


class RequestPosts:
    """Shows the requests of `book`; `redactor` masks secrets, None none."""

    def __init__(
        self, book: RequestBook, outbox: Outbox, buttons: Buttons, redactor: Redactor | None
    ) -> None:
        self._book = book
        self._outbox = outbox
        self._buttons = buttons
        self._redactor = redactor

    def show(self, record: RequestRecord, request: Request) -> RequestRecord:
        """Show it, or its present state; whether it was shown before does not matter.

        Raises StoreWriteError.
        """
        view = request.view(record.state)
        text, rows = self._censor(view)
        actions = [
            [
                (label, {"do": "request", "request": record.request, "word": word})
                for label, word in row
            ]
            for row in rows
        ]
        keyboard = self._buttons.issue(record.chat, actions, person=record.person)
        button = keyboard[0][0].press
        record = self._book.put(replace(record, asked=self._mask(view.asked), button=button))
        if self._outbox.knows(record.post):
            self._edit(record, text, keyboard)
        else:
            post = Post(record.post, record.chat, text, "markdown", keyboard)
            self._outbox.put(*self._render_file(record, view), post)
        return record

    def is_shown(self, record: RequestRecord) -> bool:
        """Whether its message and the buttons below it are good."""
        return self._outbox.knows(record.post) and self._buttons.knows(record.button)

    def shows(self, record: RequestRecord, message_id: int) -> bool:
        """Whether that message is its."""
        return message_id in self._outbox.messages_of(record.post)

    def conclude(self, record: RequestRecord, outcome: str) -> None:
        """Tell how it was answered, and take the buttons away. Raises StoreWriteError."""
        self._edit(record, f"{outcome}\n\n{record.asked}", ())

    def _edit(self, record: RequestRecord, text: str, keyboard: Keyboard) -> None:
        key = f"{record.post}:{uuid.uuid4()}"
        self._outbox.put(Post(key, record.chat, text, "markdown", keyboard, edits=record.post))

    def _censor(self, view: View) -> tuple[str, list[list[tuple[str, str]]]]:
        """The text with masks and their mark, and the buttons that may be below it."""
        text = self._mask(view.text)
        masked = self._find_secrets(f"{view.text}\n\n{view.whole}")
        is_withheld = not all(_HARMLESS.fullmatch(secret) for secret in masked)
        rows = [
            [(c.label, c.word) for c in row if not (is_withheld and c.is_approval)]
            for row in view.rows
        ]
        if is_withheld:
            text = f"{_WITHHELD}\n\n{text}"
        elif masked:
            count = f"{len(masked)} secret{'s' if len(masked) > 1 else ''}"
            text = f"{_MASKED.format(count=count)}\n\n{text}"
        return text, [row for row in rows if row]

    def _render_file(self, record: RequestRecord, view: View) -> list[Post]:
        if not view.whole:
            return []
        file = Attachment(view.file_name, text=self._mask(view.whole))
        key = f"{record.post}:file"
        return [Post(key, record.chat, "All of it:", silent=True, attachments=(file,))]

    def _mask(self, text: str) -> str:
        return text if self._redactor is None else self._redactor.redact(text)

    def _find_secrets(self, text: str) -> list[str]:
        found = [] if self._redactor is None else self._redactor.find(text)
        return [text[start:end] for start, end in found]
