"""The requests that Claude waits with, on disk: what was shown of each, and what was answered.

* A request that is answered is kept for a while: its hook asks again when the bridge died before it
  could hand the answer over, and then gets the same one.
* A damaged file is set aside. What is open is then asked about once more, as its hook comes again.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec

from checked_file import CheckedFile
from core.model import Chat
from durable import SystemCalls

_KEPT = 100


class RequestRecord(msgspec.Struct, frozen=True):
    """One request: the post that shows it, and how far its answering has come.

    `asked` is what is left of the post's text in the end; `button` the id of one of its present
    buttons; `tool_id` what the transcript calls the use of the tool; `answer` what the hook is
    told, None while it is open.
    """

    request: str
    session_id: str
    chat: Chat
    person: int | None
    post: str
    summary: str
    asked: str = ""
    button: str = ""
    state: dict[str, Any] = {}
    is_main: bool = True
    tool_id: str = ""
    answer: str | None = None
    answered_by: int | None = None


_decoder = msgspec.json.Decoder(dict[str, RequestRecord])


class RequestBook:
    """What is in `directory`/requests.json. Raises StoreError: it can't be used."""

    def __init__(self, directory: Path, *, system: SystemCalls = os) -> None:
        path, lost = directory / "requests.json", "What Claude waits for is asked once more."
        self._file = CheckedFile(path, _decoder, lost, system=system)
        self._records = self._file.read() or {}

    def find(self, request: str) -> RequestRecord | None:
        """The request of that id."""
        return self._records.get(request)

    @property
    def open(self) -> list[RequestRecord]:
        """The requests without an answer, oldest first."""
        return [record for record in self._records.values() if record.answer is None]

    @property
    def answered(self) -> list[RequestRecord]:
        """The requests with an answer that are still kept."""
        return [record for record in self._records.values() if record.answer is not None]

    def put(self, record: RequestRecord) -> RequestRecord:
        """Keep it, in place of the one of that id. Raises StoreWriteError."""
        records = self._records | {record.request: record}
        answered = [key for key, kept in records.items() if kept.answer is not None]
        for key in answered[:-_KEPT]:
            del records[key]
        self._replace(records)
        return record

    def forget(self, request: str) -> None:
        """As if it had never been there. Raises StoreWriteError."""
        self._replace({key: kept for key, kept in self._records.items() if key != request})

    def _replace(self, records: dict[str, RequestRecord]) -> None:
        self._file.write(records)
        self._records = records
