"""Who may use the bridge: its owner, the allowed users, and the people that an owner invited.

* Owners are who used the one-time pairing code, and the `allowed_users` of the settings, which only
  who has the machine can write. Everybody else has the role of the invitation they used.
* `people.json` is replaced whole and durably; `redeem` names a role only when the disk has it.
* Of a code only a salted hash is stored. It works once, for ten minutes; the pairing code never
  when there is an owner. With a clock that was set back a code stops working, at the latest after
  ten minutes more.
* An invitation raises a role and never lowers one. When somebody is removed, all invitations that
  were not used are void, as one of them may be theirs.
* Another process may write at any time (the installer issues codes while the bridge runs): each
  question looks at the file's stamp, and reads it again if that changed.
* Fails closed: with a file that cannot be used, only `allowed_users` are let in, and `broken` says
  why. A damaged file moves to `quarantine/`, and stays reported until a new code was asked for.
"""

from __future__ import annotations

import logging
import os
import secrets
import stat
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace

from core.errors import StoreError, StoreWriteError
from core.model import Chat
from core.people_file import (
    VERSION,
    DamagedPeopleError,
    Known,
    Owner,
    Record,
    Ticket,
    digest,
    parse_record,
    parse_version,
    render_record,
)
from core.roles import Deed, Guest, Role, is_higher, may, sees_machine
from durable import SystemCalls, make_folder, reason_for, replace_file, syncing_folder
from file_lock import drop_lock, take_lock

CODE_SECONDS = 600.0

_FILE = "people.json"
_QUARANTINE = "quarantine"
_MAX_BYTES = 1 << 16
_MAX_NAME = 200
_MOST_INVITATIONS = 20
_MOST_GUESTS = 200
_LOCK_SECONDS = 10.0
_READ_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

_Stamp = tuple[int, int, int] | None

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Somebody:
    """One who may use the bridge; `is_guest`: by an invitation, so that it can be taken back."""

    user_id: int
    name: str
    role: Role
    is_guest: bool = False


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
        self._lock_fd = -1
        self._lock_depth = 0
        self._is_read = False
        self._stamp: _Stamp = None
        self._record = Record()
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
        """Whether this is the id of somebody who is known here; only an `int` can be."""
        return self.role_of(user_id) is not None

    def role_of(self, user_id: object) -> Role | None:
        """The role of that user id; None for a stranger, and for all that is no `int`."""
        if type(user_id) is not int:
            return None
        if user_id in self._allowed or user_id == self.owner:
            return "owner"
        return next((g.role for g in self._current().guests if g.id == user_id), None)

    def may(self, user_id: object, deed: Deed) -> bool:
        """Whether that user may do it, as core/roles.py says."""
        return may(self.role_of(user_id), deed)

    def sees_machine(self, user_id: int, chat: Chat) -> bool:
        """Whether that user is shown in that chat what belongs to others, as core/roles.py says."""
        return sees_machine(self.role_of(user_id), user_id, chat)

    def everybody(self) -> list[Somebody]:
        """Who may use the bridge: owners first, and then in the order in which they came."""
        record = self._current()
        names = {record.owner.id: record.owner.name} if record.owner else {}
        owners = [*names, *sorted(self._allowed - names.keys())]
        guests = [guest for guest in record.guests if guest.id not in owners]
        return [
            *(Somebody(user_id, names.get(user_id, ""), "owner") for user_id in owners),
            *(Somebody(guest.id, guest.name, guest.role, is_guest=True) for guest in guests),
        ]

    def issue_code(self) -> str:
        """A new pairing code, good for ten minutes; an older one stops working.

        Raises StoreError.
        """
        with self._lock():
            record = self._current()
            if self._broken and os.path.lexists(self._path):
                raise StoreError(self._broken)
            code, ticket = self._new_ticket(None)
            self._write_locked(replace(record, pairing=ticket))
        return code

    def invite(self, role: Guest) -> str:
        """A new code that makes its bearer a guest of that role, good for ten minutes.

        Raises StoreError.
        """
        with self._lock():
            record = self._current()
            if self._broken:
                raise StoreError(self._broken)
            code, ticket = self._new_ticket(role)
            now = self._clock()
            good = [kept for kept in record.invitations if now < kept.expires_at]
            invitations = (*good, ticket)[-_MOST_INVITATIONS:]
            self._write_locked(replace(record, invitations=invitations))
        return code

    def redeem(self, code: str, user_id: int, name: str) -> Role | None:
        """Give this user the role that the code stands for; None when it does nothing for them.

        The pairing code makes an owner as long as there is none; an invitation never takes rights
        away, and is not used up by who has them already. Returns once that is durable. Raises
        StoreError when the disk refused.
        """
        if type(user_id) is not int or user_id <= 0 or self._find_ticket(code) is None:
            return None
        with self._lock():
            ticket = self._find_ticket(code)
            if ticket is None:
                return None
            role: Role = ticket.role or "owner"
            record = self._admit(ticket, user_id, _plain(name))
            if record is None:
                return None
            self._write_locked(record)
        log.info("User %d is %s now", user_id, role)
        return role

    def set_role(self, user_id: int, role: Guest) -> bool:
        """Give a guest another role; False when there is no such guest. Raises StoreError."""
        with self._lock():
            record = self._current()
            guests = tuple(
                replace(guest, role=role) if guest.id == user_id else guest
                for guest in record.guests
            )
            if all(guest.id != user_id for guest in record.guests):
                return False
            self._write_locked(replace(record, guests=guests))
        return True

    def remove(self, user_id: int) -> bool:
        """Let a guest in no more, and make all invitations void; False when there is none.

        Raises StoreError.
        """
        with self._lock():
            record = self._current()
            guests = tuple(guest for guest in record.guests if guest.id != user_id)
            if guests == record.guests:
                return False
            self._write_locked(replace(record, guests=guests, invitations=()))
        return True

    def _new_ticket(self, role: Guest | None) -> tuple[str, Ticket]:
        code, salt, now = secrets.token_urlsafe(16), secrets.token_hex(16), self._clock()
        return code, Ticket(salt, digest(salt, code), now, now + CODE_SECONDS, role)

    def _find_ticket(self, code: object) -> Ticket | None:
        """The ticket of that code, if it is good now."""
        record, now = self._current(), self._clock()
        pairing = [record.pairing] if record.pairing and record.owner is None else []
        return next((t for t in (*pairing, *record.invitations) if t.fits(code, now)), None)

    def _admit(self, ticket: Ticket, user_id: int, name: str) -> Record | None:
        """The record with that user in it and the ticket used up; None when nothing changes."""
        record = self._current()
        others = tuple(guest for guest in record.guests if guest.id != user_id)
        if ticket.role is None:
            return replace(record, owner=Owner(user_id, name), pairing=None, guests=others)
        is_full = len(others) >= _MOST_GUESTS
        if is_full or not is_higher(ticket.role, self.role_of(user_id)):
            return None
        invitations = tuple(kept for kept in record.invitations if kept != ticket)
        guests = (*others, Known(user_id, name, ticket.role))
        return replace(record, guests=guests, invitations=invitations)

    def _current(self) -> Record:
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
        except DamagedPeopleError as error:
            self._set_aside(error)

    def _load(self) -> None:
        self._is_read = True
        self._stamp = self._find_stamp()
        if self._stamp is None:
            self._load_nothing()
            return
        data = self._read_bytes()
        if parse_version(data) > VERSION:
            self._give_up(f"{self._path} is from a newer version of the bridge: update this one.")
        else:
            self._record, self._broken = parse_record(data), None

    def _load_nothing(self) -> None:
        quarantine = self._folder / _QUARANTINE
        if any(quarantine.glob(f"{_FILE}.*")):
            self._give_up(
                f"{_FILE} was damaged and is now in {quarantine}: "
                "nobody is paired until you run ./install.sh --pair."
            )
        else:
            self._record, self._broken = Record(), None

    def _set_aside(self, damage: DamagedPeopleError) -> None:
        try:
            with self._lock():
                try:
                    self._load()  # another process may have been faster
                except DamagedPeopleError:
                    self._move_to_quarantine_locked()
                    log.error("%s is damaged (%s) and was set aside", self._path, damage)
                    self._load()
        except (StoreError, OSError) as error:
            reason = reason_for(error) if isinstance(error, OSError) else str(error)
            self._give_up(f"{self._path} is damaged ({damage}) and could not be moved: {reason}")

    def _move_to_quarantine_locked(self) -> None:
        quarantine = self._folder / _QUARANTINE
        make_folder(quarantine, system=self._system)
        with (
            syncing_folder(self._folder, system=self._system),
            syncing_folder(quarantine, system=self._system),
        ):
            self._system.replace(self._path, quarantine / f"{_FILE}.{secrets.token_hex(8)}")

    def _give_up(self, reason: str) -> None:
        """Let nobody but the allowed users in, and say so once."""
        if reason != self._broken:
            log.error("%s", reason)
        self._record, self._broken = Record(), reason

    def _find_stamp(self) -> _Stamp:
        try:
            return _stamp_of(os.lstat(self._path))
        except FileNotFoundError:
            return None

    def _read_bytes(self) -> bytes:
        if not stat.S_ISREG(os.lstat(self._path).st_mode):
            raise DamagedPeopleError("it is no ordinary file")
        fd = self._system.open(self._path, _READ_FLAGS)
        try:
            data = b""
            while len(data) <= _MAX_BYTES and (part := self._system.read(fd, _MAX_BYTES)):
                data += part
        finally:
            os.close(fd)
        if len(data) > _MAX_BYTES:
            raise DamagedPeopleError("it is too large")
        return data

    def _write_locked(self, record: Record) -> None:
        status = replace_file(self._path, render_record(record), system=self._system)
        self._stamp, self._record, self._broken = _stamp_of(status), record, None
        self._is_read = True

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """Keep other threads and processes from writing; may be taken again inside."""
        with self._mutex:
            if self._lock_depth == 0:
                self._lock_fd = self._take_lock()
            self._lock_depth += 1
            try:
                yield
            finally:
                self._lock_depth -= 1
                if self._lock_depth == 0:
                    drop_lock(self._lock_fd)

    def _take_lock(self) -> int:
        try:
            make_folder(self._folder, system=self._system)
            return take_lock(self._folder / ".people.lock", _LOCK_SECONDS, system=self._system)
        except TimeoutError as error:
            raise StoreWriteError(f"Another program keeps {_FILE} locked.") from error
        except OSError as error:
            raise StoreWriteError(f"{_FILE} can't be locked: {reason_for(error)}.") from error


def _stamp_of(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_mtime_ns, status.st_ino, status.st_size


def _plain(name: str) -> str:
    return "".join(char for char in name if char.isprintable()).strip()[:_MAX_NAME]
