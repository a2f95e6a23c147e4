"""The transcripts of the bridge's sessions, held so that nobody's clean-up can take them.

* Claude Code deletes transcripts that are old, of other sessions too. A hard link in the bridge's
  own folder keeps the file; where that can't be, on another file system, a copy is kept.
* `put_back` gives Claude Code the file again before it resumes the session.
* What Claude Code still has is never touched.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Collection
from pathlib import Path

from durable import syncing_folder

log = logging.getLogger(__name__)


class TranscriptKeeper:
    """Keeps transcripts in `folder`, one for each session id."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

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
        """Make the kept one the transcript again, if there is none; whether there is one now.

        Raises OSError.
        """
        if transcript.is_file():
            return True
        kept = self._path(session_id)
        if not kept.is_file():
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

    def forget(self, session_id: str) -> None:
        """Let go of this session's transcript."""
        self._path(session_id).unlink(missing_ok=True)

    def forget_others(self, known: Collection[str]) -> None:
        """Let go of the transcripts of all sessions but these."""
        for path in self._folder.glob("*.jsonl"):
            if path.stem not in known:
                path.unlink(missing_ok=True)

    def _path(self, session_id: str) -> Path:
        return self._folder / f"{session_id}.jsonl"


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
