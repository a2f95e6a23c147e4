"""Every Claude Code session on this machine, found by the transcripts.

* Of a transcript only the beginning and the end are read, and only when its file has changed since
  the last look: what was read is kept in a file of the bridge's own, which is only a cache. Any
  doubt about it means reading the transcripts again.
* Nothing but plain files counts, and no link is followed.
* Titles are made of what people wrote, so they are redacted before they reach the disk.
"""

from __future__ import annotations

import logging
import os
import stat
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from core.checksum import seal, unseal
from core.errors import StoreWriteError
from core.foreign_text import decode_json
from core.session_summary import CHUNK, SessionSummary, summarise_session
from durable import replace_file

log = logging.getLogger(__name__)

_VERSION = 1
_SUFFIX = ".jsonl"
_READ_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class FoundSession:
    """A session by its transcript; `active`: seconds since 1970."""

    session_id: str
    path: Path
    size: int
    active: float
    title: str
    directory: str
    branch: str


class _Seen(msgspec.Struct, array_like=True):
    modified: int
    size: int
    summary: SessionSummary


class _Cache(msgspec.Struct):
    version: int
    seen: dict[str, _Seen]


_decoder = msgspec.json.Decoder(_Cache)


class SessionFinder:
    """Finds the sessions in `projects`, Claude Code's folder of transcripts.

    Its methods block, and may be called from any thread. `cache`: the file of what was seen.
    """

    def __init__(
        self, projects: Path, cache: Path, *, redact: Callable[[str], str] = lambda text: text
    ) -> None:
        self._projects = projects
        self._cache = cache
        self._redact = redact
        self._lock = threading.Lock()
        self._seen: dict[str, _Seen] | None = None

    def find_all(self) -> list[FoundSession]:
        """All conversations, the most recent first; none when the folder can't be read."""
        with self._lock:
            before = self._read_cache() if self._seen is None else self._seen
            found = {path: self._look(path, status, before) for path, status in self._scan()}
            self._seen = {path: seen for path, seen in found.items() if seen is not None}
            if self._seen != before:
                self._write_cache()
            sessions: dict[str, FoundSession] = {}
            for path, seen in self._seen.items():
                session = _session(Path(path), seen)
                known = sessions.get(session.session_id)
                if seen.summary.is_conversation and (
                    known is None or known.active < session.active
                ):
                    sessions[session.session_id] = session
        return sorted(sessions.values(), key=lambda session: session.active, reverse=True)

    def read(self, path: Path) -> FoundSession | None:
        """The session of this transcript, also a script's; None when it can't be read."""
        try:
            status = path.stat()
        except OSError:
            return None
        seen = self._look(str(path), status, {})
        return _session(path, seen) if seen is not None else None

    def _scan(self) -> Iterator[tuple[str, os.stat_result]]:
        for folder in _entries(self._projects):
            if not folder.is_dir(follow_symlinks=False):
                continue
            for entry in _entries(folder.path):
                if not _is_transcript(entry.name):
                    continue
                try:
                    status = entry.stat(follow_symlinks=False)
                except OSError:
                    continue  # it is gone
                if stat.S_ISREG(status.st_mode) and status.st_size:
                    yield entry.path, status

    def _look(self, path: str, status: os.stat_result, before: dict[str, _Seen]) -> _Seen | None:
        known = before.get(path)
        if known is not None and (known.modified, known.size) == (
            status.st_mtime_ns,
            status.st_size,
        ):
            return known
        try:
            summary = summarise_session(*_read_ends(path))
        except OSError:
            return None  # it is gone, or somebody else's
        summary = replace(summary, title=self._redact(summary.title))
        return _Seen(status.st_mtime_ns, status.st_size, summary)

    def _read_cache(self) -> dict[str, _Seen]:
        try:
            text = unseal(self._cache.read_bytes())
        except OSError:
            return {}
        found = decode_json(_decoder, text) if text is not None else None
        return found.seen if found is not None and found.version == _VERSION else {}

    def _write_cache(self) -> None:
        text = msgspec.json.encode(_Cache(_VERSION, self._seen or {}))
        try:
            replace_file(self._cache, seal(text))
        except StoreWriteError as error:
            log.warning("what was seen of the sessions can't be kept: %s", error)


def _entries(folder: str | Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:
        return []


def _is_transcript(name: str) -> bool:
    """Whether it is named by a session's id; sub-agents' files are not."""
    stem = name.removesuffix(_SUFFIX)
    try:
        return stem != name and str(uuid.UUID(stem)) == stem
    except ValueError:
        return False


def _read_ends(path: str) -> tuple[bytes, bytes]:
    """The first and the last bytes; what is between them is not read. Raises OSError."""
    descriptor = os.open(path, _READ_FLAGS)
    try:
        size = os.fstat(descriptor).st_size
        head = os.pread(descriptor, CHUNK, 0)
        start = max(len(head), size - CHUNK)
        return head, os.pread(descriptor, CHUNK, start) if start < size else b""
    finally:
        os.close(descriptor)


def _session(path: Path, seen: _Seen) -> FoundSession:
    summary = seen.summary
    return FoundSession(
        session_id=path.stem,
        path=path,
        size=seen.size,
        active=summary.active or seen.modified / 1e9,
        title=summary.title,
        directory=summary.directory,
        branch=summary.branch,
    )
