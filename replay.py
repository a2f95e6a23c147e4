"""The replay of a session whose transcript is lost, as a hook of the new conversation prints it.

* Given to Claude by SessionStart hooks of this launch alone: what they print is in Claude Code's
  new transcript from then on, so that later it is resumed as everything else is.
* The whole history is a file in the folder that Claude may read without asking.
"""

from __future__ import annotations

import json
import logging

from core.conversation import read_title
from core.errors import StoreError, StoreWriteError
from core.history import Record
from core.history_export import render_markdown
from core.replay import make_replay
from durable import reason_for, replace_file
from history import Histories, render_moment
from session import Session
from session_book import files_id
from session_files import SessionFiles

log = logging.getLogger(__name__)

WHOLE = "history-of-this-session.md"


class Replays:
    """Replays what is in `histories`; what it writes for that is among the session's `files`."""

    def __init__(self, histories: Histories, files: SessionFiles) -> None:
        self._histories = histories
        self._files = files
        self._told: dict[str, str] = {}

    def is_there(self, session: Session) -> bool:
        """Whether there is anything to replay."""
        return bool(self._read(session))

    def prepare(self, session: Session, *, is_mended: bool) -> list[list[str]]:
        """Write the replay down; the commands that print its parts. Raises StoreWriteError.

        `is_mended`: a part of the transcript is still there.
        """
        records = self._read(session)
        try:
            folder = self._files.folder(files_id(session))
        except OSError as error:
            reason = reason_for(error)
            raise StoreWriteError(f"There is no place for the replay: {reason}.") from error
        whole = folder.incoming / WHOLE
        title = self._histories.redact(read_title(session.state))
        replace_file(whole, _encode(render_markdown(title, records, render_moment)))
        replay = make_replay(records, render_moment, str(whole), is_mended=is_mended)
        self._told[session.session_id] = replay.told
        paths = [
            folder.base / f"replay-{session.session_id}-{number}.json"
            for number in range(1, len(replay.parts) + 1)
        ]
        for path, part in zip(paths, replay.parts, strict=True):
            specific = {"hookEventName": "SessionStart", "additionalContext": part}
            replace_file(path, _encode(json.dumps({"hookSpecificOutput": specific})))
        return [["cat", str(path)] for path in paths]

    def tell(self, session_id: str) -> str:
        """What the chat is told of the replay that was prepared last."""
        return self._told.pop(session_id, "")

    def _read(self, session: Session) -> list[Record]:
        try:
            return self._histories.read(session.session_id)
        except StoreError as error:
            log.error("there is nothing to replay: %s", error)
            return []


def _encode(text: str) -> bytes:
    return text.encode(errors="replace")
