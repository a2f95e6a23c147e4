"""The browsers that may use the page: a key lets one in, and it stays until it is removed.

* A key works once, for ten minutes. What a browser keeps from then on is a token of its own.
* `devices.json` is replaced whole and durably; the installer issues keys while the bridge runs, so
  that each question looks at the file's stamp and reads it again if that changed.
* Fails closed: with a file that can't be used nobody gets in. A damaged one is set aside when the
  next key is issued; one that can't be read at present is tried again, and not written over.
"""

from __future__ import annotations

import logging
import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from msgspec.structs import replace

from core.devices_file import (
    DamagedDevicesError,
    Device,
    Key,
    Record,
    digest,
    parse_record,
    render_record,
)
from core.errors import StoreWriteError
from durable import SystemCalls, make_folder, read_file, reason_for, replace_file, set_aside
from file_lock import drop_lock, take_lock

KEY_SECONDS = 600.0

_FILE = "devices.json"
_MOST_KEYS = 20
_MOST_DEVICES = 100
_LOCK_SECONDS = 10.0
_BETWEEN_SIGHTS = 3_600.0

log = logging.getLogger(__name__)


class Devices:
    """The devices of the bridge whose own folder is `directory` (`Config.bridge_dir`)."""

    def __init__(
        self,
        directory: Path,
        *,
        clock: Callable[[], float] = time.time,
        system: SystemCalls = os,
    ) -> None:
        self._path = directory / _FILE
        self._system = system
        self._clock = clock
        self._lock = directory / ".devices.lock"
        self._stamp: tuple[int, int, int] | None = None
        self._record = Record()
        self.on_removed: Callable[[str], None] = lambda device_id: None

    def everybody(self) -> tuple[Device, ...]:
        """The devices, in the order in which they came."""
        return self._current().devices

    def issue_key(self) -> str:
        """A new key, good once and for ten minutes. Raises StoreWriteError."""
        key, now = secrets.token_urlsafe(32), self._clock()
        with self._writing() as record:
            good = [kept for kept in record.keys if now < kept.expires_at]
            keys = (*good, Key(digest(key), now, now + KEY_SECONDS))[-_MOST_KEYS:]
            self._write(replace(record, keys=keys))
        return key

    def redeem(self, key: str, name: str) -> str | None:
        """The token of a new device of that name; None when the key is not good.

        Raises StoreWriteError: the key is as good as before.
        """
        if not self._fitting(self._current(), key):
            return None
        with self._writing() as record:
            used = self._fitting(record, key)
            if not used:
                return None
            token, now = secrets.token_urlsafe(32), self._clock()
            device = Device(secrets.token_hex(8), name, digest(token), now, now)
            everybody = (*record.devices, device)
            self._write(
                replace(
                    record,
                    keys=tuple(kept for kept in record.keys if kept not in used),
                    devices=everybody[-_MOST_DEVICES:],
                )
            )
        for lost in everybody[:-_MOST_DEVICES]:
            self.on_removed(lost.id)
        log.info("a browser may use the page now: %s", device.id)
        return token

    def find(self, token: str) -> Device | None:
        """The device of that token."""
        found = digest(token)
        matching = [d for d in self._current().devices if secrets.compare_digest(d.digest, found)]
        return matching[0] if matching else None

    def note_seen(self, device: Device) -> None:
        """Note that it was here, to the hour; a disk that refuses it loses that."""
        now = self._clock()
        if abs(now - device.seen_at) < _BETWEEN_SIGHTS:
            return
        try:
            with self._writing() as record:
                devices = tuple(
                    replace(kept, seen_at=now) if kept.id == device.id else kept
                    for kept in record.devices
                )
                self._write(replace(record, devices=devices))
        except StoreWriteError as error:
            log.error("%s", error)

    def remove(self, device_id: str) -> bool:
        """Let that device in no more; False when there is none. Raises StoreWriteError."""
        with self._writing() as record:
            devices = tuple(kept for kept in record.devices if kept.id != device_id)
            if devices == record.devices:
                return False
            self._write(replace(record, devices=devices))
        self.on_removed(device_id)
        return True

    def _fitting(self, record: Record, key: str) -> list[Key]:
        now = self._clock()
        return [kept for kept in record.keys if kept.fits(key, now)]

    def _current(self) -> Record:
        """What the file says now; nothing when it can't be used."""
        try:
            return self._read()
        except (OSError, DamagedDevicesError) as error:
            log.error("%s can't be used, so that the page lets nobody in: %s", self._path, error)
            return Record()

    def _read(self) -> Record:
        """What the file says now. Raises OSError, DamagedDevicesError."""
        try:
            stamp = _stamp_of(os.lstat(self._path))
            if stamp != self._stamp:
                self._record = parse_record(read_file(self._path, system=self._system))
                self._stamp = stamp
            return self._record
        except FileNotFoundError:
            return Record()

    @contextmanager
    def _writing(self) -> Iterator[Record]:
        """The record, which nobody else changes meanwhile. Raises StoreWriteError."""
        try:
            make_folder(self._path.parent, system=self._system)
            lock = take_lock(self._lock, _LOCK_SECONDS, system=self._system)
        except TimeoutError as error:
            raise StoreWriteError(f"Another program keeps {_FILE} locked.") from error
        except OSError as error:
            raise StoreWriteError(f"{_FILE} can't be locked: {reason_for(error)}.") from error
        try:
            yield self._read_or_set_aside()
        except OSError as error:
            raise StoreWriteError(f"{_FILE} can't be used: {reason_for(error)}.") from error
        finally:
            drop_lock(lock)

    def _read_or_set_aside(self) -> Record:
        try:
            return self._read()
        except DamagedDevicesError as error:
            data = read_file(self._path, system=self._system)
            place = set_aside(self._path, data, system=self._system)
            log.error("%s is damaged (%s) and is kept as %s", self._path, error, place.name)
            return Record()

    def _write(self, record: Record) -> None:
        status = replace_file(self._path, render_record(record), system=self._system)
        self._stamp = _stamp_of(status)
        self._record = record


def _stamp_of(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_mtime_ns, status.st_ino, status.st_size
