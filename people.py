"""Who may use the bridge: the owner, who used a one-time pairing code, and the allowed users.

* `people.json` is replaced whole and durably; `redeem` says True only when the disk has the owner.
* Of a code only a salted hash is stored. It works once, for ten minutes, and never when there is an
  owner. With a clock that was set back it stops working, at the latest after ten minutes more.
* Another process may write at any time (the installer issues codes while the bridge runs): each
  question looks at the file's stamp, and reads it again if that changed.
* Fails closed: with a file that cannot be used, only `allowed_users` are let in, and `broken` says
  why. A damaged file moves to `quarantine/`, and stays reported until a new code was asked for.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import os
import re
import secrets
import stat
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import msgspec
from filelock import FileLock, Timeout
from msgspec.structs import replace

from core.errors import StoreError, StoreWriteError
from durable import SystemCalls, reason_for, replace_file, syncing_folder

CODE_SECONDS = 600.0

_FILE = "people.json"
_QUARANTINE = "quarantine"
_VERSION = 1
_MAX_BYTES = 1 << 16
_MAX_NAME = 200
_LOCK_SECONDS = 10.0
# How far the clock may have been set back since a code was issued, before that is refused.
_CLOCK_SLACK = 60.0
_CODE = re.compile(r"[A-Za-z0-9_-]{1,64}")
_READ_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

_Stamp = tuple[int, int, int] | None
_UserId = Annotated[int, msgspec.Meta(gt=0)]

log = logging.getLogger(__name__)


class _Owner(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    id: _UserId
    name: str


class _Pairing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    salt: str
    digest: str
    issued_at: float
    expires_at: float


class _Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file. `crc` is that of the rest; without it (edited by hand) the rest is believed."""

    version: int = _VERSION
    owner: _Owner | None = None
    pairing: _Pairing | None = None
    crc: str = ""


class _Versioned(msgspec.Struct):
    version: int


class _DamagedError(Exception):
    """The file does not say what was once written; the text is the reason."""


class People:
    """Who may use the bridge. Every method may be called from any thread and process.

    Args:
        directory: the bridge's own (`Config.bridge_dir`); made (0700) when first written to.
        allowed_users: Telegram user ids that need no pairing.
        clock: the wall clock in seconds, as expiry has to hold across processes and reboots.
        system: the calls that may fail; tests pass others.
    """

    def __init__(
        self,
        directory: Path,
        *,
        allowed_users: Iterable[int] = (),
        clock: Callable[[], float] = time.time,
        system: SystemCalls = os,
    ) -> None:
        self._folder = directory
        self._path = self._folder / _FILE
        self._allowed = frozenset(allowed_users)
        self._clock = clock
        self._system = system
        self._mutex = threading.RLock()
        self._file_lock = FileLock(
            directory / ".people.lock",
            timeout=_LOCK_SECONDS,
            mode=0o600,
            thread_local=False,
            fallback_to_soft=False,
        )
        self._is_read = False
        self._stamp: _Stamp = None
        self._record = _Record()
        self._broken: str | None = None

    @property
    def path(self) -> Path:
        """The file; removing it unpairs the owner."""
        return self._path

    @property
    def owner(self) -> int | None:
        """The owner's Telegram user id; None when nobody is paired, and when `broken`."""
        owner = self._current().owner
        return owner.id if owner else None

    @property
    def to_be_told(self) -> list[int]:
        """Who hears of trouble with the bridge itself: the owner, else the first who is allowed."""
        owner = self.owner
        return [owner] if owner is not None else sorted(self._allowed)[:1]

    @property
    def owner_name(self) -> str:
        """The owner's first name in printable characters; empty when there is none."""
        owner = self._current().owner
        return owner.name if owner else ""

    @property
    def broken(self) -> str | None:
        """Why the file is not believed, as a sentence; None if all is well."""
        self._current()
        return self._broken

    def is_allowed(self, user_id: object) -> bool:
        """Whether this is the id of the owner or of an allowed user; only an `int` can be."""
        if type(user_id) is not int:
            return False
        return user_id in self._allowed or user_id == self.owner

    def issue_code(self) -> str:
        """A new code, valid for ten minutes; an older one stops working. Raises StoreError."""
        code = secrets.token_urlsafe(16)
        salt = secrets.token_hex(16)
        with self._lock():
            record = self._current()
            if self._broken and os.path.lexists(self._path):
                raise StoreError(self._broken)
            now = self._clock()
            pairing = _Pairing(salt, _digest(salt, code), now, now + CODE_SECONDS)
            self._write_locked(replace(record, pairing=pairing))
        return code

    def redeem(self, code: str, user_id: int, name: str) -> bool:
        """Make this user the owner if the code is the pending one and there is no owner yet.

        True once that is durable. Raises StoreError when the disk refused.
        """
        if type(user_id) is not int or user_id <= 0 or not self._is_valid(code):
            return False
        with self._lock():
            if not self._is_valid(code):
                return False
            self._write_locked(_Record(owner=_Owner(user_id, _plain(name))))
        log.info("Paired with user %d", user_id)
        return True

    def _is_valid(self, code: object) -> bool:
        record = self._current()
        pairing = record.pairing
        if record.owner is not None or pairing is None:
            return False
        if not isinstance(code, str) or not _CODE.fullmatch(code):
            return False
        if not hmac.compare_digest(_digest(pairing.salt, code), pairing.digest):
            return False
        return pairing.issued_at - _CLOCK_SLACK <= self._clock() < pairing.expires_at

    def _current(self) -> _Record:
        """What the file says now: one stat, and a read if it is another file than before."""
        with self._mutex:
            try:
                if not self._is_read or self._find_stamp() != self._stamp:
                    self._read()
            except OSError as error:
                self._give_up(f"{self._path} could not be read: {reason_for(error)}.")
                self._is_read = False
            return self._record

    def _read(self) -> None:
        try:
            self._load()
        except _DamagedError as error:
            self._set_aside(error)

    def _load(self) -> None:
        self._is_read = True
        self._stamp = self._find_stamp()
        if self._stamp is None:
            self._load_nothing()
            return
        data = self._read_bytes()
        if _parse_version(data) > _VERSION:
            self._give_up(f"{self._path} is from a newer version of the bridge: update this one.")
        else:
            self._record, self._broken = _parse_record(data), None

    def _load_nothing(self) -> None:
        quarantine = self._folder / _QUARANTINE
        if any(quarantine.glob(f"{_FILE}.*")):
            self._give_up(
                f"{_FILE} was damaged and is now in {quarantine}: "
                "nobody is paired until you run ./install.sh --pair."
            )
        else:
            self._record, self._broken = _Record(), None

    def _set_aside(self, damage: _DamagedError) -> None:
        try:
            with self._lock():
                try:
                    self._load()  # another process may have been faster
                except _DamagedError:
                    self._move_to_quarantine_locked()
                    log.error("%s is damaged (%s) and was set aside", self._path, damage)
                    self._load()
        except (StoreError, OSError) as error:
            reason = reason_for(error) if isinstance(error, OSError) else str(error)
            self._give_up(f"{self._path} is damaged ({damage}) and could not be moved: {reason}")

    def _move_to_quarantine_locked(self) -> None:
        quarantine = self._folder / _QUARANTINE
        quarantine.mkdir(mode=0o700, exist_ok=True)
        with syncing_folder(self._folder), syncing_folder(quarantine):
            self._system.replace(self._path, quarantine / f"{_FILE}.{secrets.token_hex(8)}")

    def _give_up(self, reason: str) -> None:
        """Let nobody but the allowed users in, and say so once."""
        if reason != self._broken:
            log.error("%s", reason)
        self._record, self._broken = _Record(), reason

    def _find_stamp(self) -> _Stamp:
        try:
            return _stamp_of(os.lstat(self._path))
        except FileNotFoundError:
            return None

    def _read_bytes(self) -> bytes:
        if not stat.S_ISREG(os.lstat(self._path).st_mode):
            raise _DamagedError("it is no ordinary file")
        fd = self._system.open(self._path, _READ_FLAGS)
        try:
            data = b""
            while len(data) <= _MAX_BYTES and (part := os.read(fd, _MAX_BYTES)):
                data += part
        finally:
            os.close(fd)
        if len(data) > _MAX_BYTES:
            raise _DamagedError("it is too large")
        return data

    def _write_locked(self, record: _Record) -> None:
        status = replace_file(self._path, _render_record(record), system=self._system)
        self._stamp, self._record, self._broken = _stamp_of(status), record, None
        self._is_read = True

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """Keep other threads and processes from writing; may be taken again inside."""
        with self._mutex:
            try:
                self._folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._folder.mkdir(mode=0o700, exist_ok=True)
                self._file_lock.acquire()
            except Timeout as error:
                raise StoreWriteError(f"Another program keeps {_FILE} locked.") from error
            except OSError as error:
                raise StoreWriteError(f"{_FILE} can't be locked: {reason_for(error)}.") from error
            try:
                yield
            finally:
                self._file_lock.release()


def _stamp_of(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_mtime_ns, status.st_ino, status.st_size


def _digest(salt: str, code: str) -> str:
    return hmac.new(salt.encode(), code.encode(), hashlib.sha256).hexdigest()


def _plain(name: str) -> str:
    return "".join(char for char in name if char.isprintable()).strip()[:_MAX_NAME]


def _parse_version(data: bytes) -> int:
    try:
        return msgspec.json.decode(data, type=_Versioned).version
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise _DamagedError(str(error)) from error


def _parse_record(data: bytes) -> _Record:
    try:
        record = msgspec.json.decode(data, type=_Record)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise _DamagedError(str(error)) from error
    if record.version != _VERSION:
        raise _DamagedError("its version is not known")
    if record.pairing and not record.pairing.digest.isascii():
        raise _DamagedError("its digest is none")
    if record.crc and record.crc != _crc(record):
        raise _DamagedError("its checksum does not fit")
    return record


def _render_record(record: _Record) -> bytes:
    return msgspec.json.encode(replace(record, crc=_crc(record))) + b"\n"


def _crc(record: _Record) -> str:
    return f"{zlib.crc32(msgspec.json.encode(replace(record, crc=''))):08x}"
