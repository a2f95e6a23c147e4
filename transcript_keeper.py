"""The transcripts of the bridge's sessions, held so that nobody's clean-up can take them.

* Claude Code deletes transcripts that are old, of other sessions too. A hard link in the bridge's
  own folder keeps the file; where that can't be, on another file system, a copy is kept.
* `put_back` gives Claude Code the file again before it resumes the session.
* What Claude Code still has is never touched, unless not a line of the conversation can be read in
  it: then it refuses to resume, or starts knowing nothing. Such a file is set aside, not deleted.
"""

from __future__ import annotations

import logging
import os
import shutil
import time
from collections.abc import Collection
from pathlib import Path

from core.transcript import is_conversation
from durable import syncing_folder

log = logging.getLogger(__name__)


class TranscriptKeeper:
    """Keeps transcripts in `folder`, one for each session id."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._damaged = folder / "damaged"

    def keep(self, session_id: str, transcript: Path) -> bool:
        """Hold this transcript; False when it can't be held, which is logged.

        Cheap when it is held already: to be called whenever a turn has ended.
        """
        kept = self._path(session_id)
        try:
            if _is_current(kept, transcript):
                return True
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            temporary = kept.with_suffix(".part")
            temporary.unlink(missing_ok=True)
            _link_or_copy(transcript, temporary)
            with syncing_folder(self._folder):
                temporary.replace(kept)
        except FileNotFoundError:
            return False  # there is none yet, or no more: what is kept stays
        except OSError as error:
            log.warning("a transcript can't be kept: %s", error.strerror or error)
            return False
        return True

    def put_back(self, session_id: str, transcript: Path) -> bool:
        """Make the kept one the transcript again, if there is none that can be resumed.

        Returns whether there is one now. Raises OSError.
        """
        if _has_conversation(transcript):
            return True
        self._set_aside(transcript)
        kept = self._path(session_id)
        if not _has_conversation(kept):
            self._set_aside(kept)
            return False
        transcript.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = transcript.with_name(f".{transcript.name}.part")
        temporary.unlink(missing_ok=True)
        _link_or_copy(kept, temporary)
        os.utime(temporary)  # or it would be old, and deleted again
        with syncing_folder(transcript.parent):
            temporary.replace(transcript)
        log.info("the transcript of session %s was gone and is put back", session_id)
        return True

    def _set_aside(self, path: Path) -> None:
        """Move away what can't be resumed, if it is there: its name must be free."""
        if not path.is_file():
            return
        self._damaged.mkdir(mode=0o700, parents=True, exist_ok=True)
        place = self._damaged / f"{path.stem}.{time.time_ns()}.jsonl"
        shutil.move(path, place)
        log.warning("a transcript that can't be resumed is set aside: %s", place.name)

    def forget(self, session_id: str) -> None:
        """Let go of this session's transcript."""
        self._path(session_id).unlink(missing_ok=True)
        for damaged in self._damaged.glob(f"{session_id}.*.jsonl"):
            damaged.unlink(missing_ok=True)

    def forget_others(self, known: Collection[str]) -> None:
        """Let go of the transcripts of all sessions but these."""
        for path in (*self._folder.glob("*.jsonl"), *self._damaged.glob("*.jsonl")):
            if path.name.partition(".")[0] not in known:
                path.unlink(missing_ok=True)

    def _path(self, session_id: str) -> Path:
        return self._folder / f"{session_id}.jsonl"


def _has_conversation(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return any(map(is_conversation, file))
    except FileNotFoundError:
        return False


def _is_current(kept: Path, transcript: Path) -> bool:
    """Whether it is the same file, or a copy of the same length that is no older."""
    there = transcript.stat()
    try:
        here = kept.stat()
    except FileNotFoundError:
        return False
    is_same = (here.st_dev, here.st_ino) == (there.st_dev, there.st_ino)
    return is_same or (here.st_size == there.st_size and here.st_mtime >= there.st_mtime)


def _link_or_copy(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except FileNotFoundError:
        raise
    except OSError:  # another file system, or one without hard links
        shutil.copyfile(source, target)
        target.chmod(0o600)
        with target.open("rb") as file:
            os.fsync(file.fileno())
