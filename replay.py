"""The replay of a session whose transcript is lost, as a hook of the new conversation prints it.

* Given to Claude by SessionStart hooks of this launch alone: what they print is in Claude Code's
  new transcript from then on, so that later it is resumed as everything else is.
* The whole history is a file in the folder that Claude may read without asking.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path

from core.conversation import read_title
from core.errors import StoreError
from core.history import Record
from core.history_export import render_markdown
from core.replay import make_replay
from durable import replace_file
from history import Histories, render_moment
from session import Session
from session_files import FileFolder

log = logging.getLogger(__name__)

WHOLE = "history-of-this-session.md"


class Replays:
    """Replays what is in `histories`; what hooks print is written into `folder`."""

    def __init__(self, histories: Histories, folder: Path) -> None:
        self._histories = histories
        self._folder = folder
        self._told: dict[str, str] = {}

    def is_there(self, session: Session) -> bool:
        """Whether there is anything to replay."""
        return bool(self._read(session))

    def prepare(
        self, session: Session, name: str, files: FileFolder | None, *, is_mended: bool
    ) -> list[list[str]]:
        """Write the replay down; the commands that print its parts. Raises StoreWriteError.

        `is_mended`: a part of the transcript is still there.
        """
        records = self._read(session)
        whole = ""
        if files is not None:
            path = files.incoming / WHOLE
            title = self._histories.redact(read_title(session.state))
            replace_file(path, _encode(render_markdown(title, records, render_moment)))
            whole = str(path)
        replay = make_replay(records, render_moment, whole, is_mended=is_mended)
        self._told[session.session_id] = replay.told
        return [self._write(name, number, part) for number, part in enumerate(replay.parts, 1)]

    def tell(self, session_id: str) -> str:
        """What the chat is told of the replay that was prepared last."""
        return self._told.pop(session_id, "")

    def _write(self, name: str, number: int, part: str) -> list[str]:
        path = self._folder / f"{name}.replay-{number}.json"
        specific = {"hookEventName": "SessionStart", "additionalContext": part}
        replace_file(path, _encode(json.dumps({"hookSpecificOutput": specific})))
        return ["cat", str(path)]

    def _read(self, session: Session) -> list[Record]:
        try:
            return self._histories.read(session.session_id)
        except StoreError as error:
            log.error("there is nothing to replay: %s", error)
            return []


def _encode(text: str) -> bytes:
    return text.encode(errors="replace")
