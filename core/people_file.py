"""The format of people.json: who is paired or invited, and which codes are still good.

* Strict: an unknown key, a wrong kind or a checksum that does not fit is damage. A file without
  `crc` (edited by hand) is believed.
* A code is kept as a salted hash. It has a beginning and an end, so that a clock that was set back
  far does not make it live for ever.
* Version 1 knew the owner and one pairing code alone; it is still read.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import zlib
from typing import Annotated, TypeVar

import msgspec
from msgspec.structs import replace

from core.roles import Guest

VERSION = 2

# How far the clock may have been set back since a code was issued, before that is refused.
_CLOCK_SLACK = 60.0
_CODE = re.compile(r"[A-Za-z0-9_-]{1,64}")

Kind = TypeVar("Kind")
_UserId = Annotated[int, msgspec.Meta(gt=0)]


class DamagedPeopleError(Exception):
    """The file does not say what was once written; the text is the reason."""


class Owner(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who used the pairing code."""

    id: _UserId
    name: str


class Known(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who used an invitation."""

    id: _UserId
    name: str
    role: Guest


class Ticket(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A code that is good until it is used: what it makes of who brings it, None the owner."""

    salt: str
    digest: str
    issued_at: float
    expires_at: float
    role: Guest | None = None

    def fits(self, code: object, now: float) -> bool:
        """Whether it is this code, and still good."""
        if not isinstance(code, str) or not _CODE.fullmatch(code):
            return False
        if not hmac.compare_digest(digest(self.salt, code), self.digest):
            return False
        return self.issued_at - _CLOCK_SLACK <= now < self.expires_at


class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file. `crc` is that of the rest."""

    version: int = VERSION
    owner: Owner | None = None
    pairing: Ticket | None = None
    guests: tuple[Known, ...] = ()
    invitations: tuple[Ticket, ...] = ()
    crc: str = ""


class _Pairing1(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    salt: str
    digest: str
    issued_at: float
    expires_at: float


class _Record1(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    version: int = 1
    owner: Owner | None = None
    pairing: _Pairing1 | None = None
    crc: str = ""


class _Versioned(msgspec.Struct):
    version: int


def digest(salt: str, code: str) -> str:
    """What is kept of a code."""
    return hmac.new(salt.encode(), code.encode(), hashlib.sha256).hexdigest()


def parse_version(data: bytes) -> int:
    """Raises DamagedPeopleError."""
    return _decode(data, _Versioned).version


def parse_record(data: bytes) -> Record:
    """The file of a version up to ours. Raises DamagedPeopleError."""
    match parse_version(data):
        case 1:
            old = _decode(data, _Record1)
            _check(old.crc, replace(old, crc=""))
            code = old.pairing
            pairing = Ticket(**msgspec.structs.asdict(code)) if code is not None else None
            record = Record(owner=old.owner, pairing=pairing)
        case 2:
            record = _decode(data, Record)
            _check(record.crc, replace(record, crc=""))
        case _:
            raise DamagedPeopleError("its version is not known")
    for ticket in (*filter(None, [record.pairing]), *record.invitations):
        if not ticket.digest.isascii():
            raise DamagedPeopleError("its digest is none")
    return replace(record, crc="")


def render_record(record: Record) -> bytes:
    """The bytes of the file, always of the newest version."""
    plain = replace(record, version=VERSION, crc="")
    return msgspec.json.encode(replace(plain, crc=_crc(plain))) + b"\n"


def _decode(data: bytes, kind: type[Kind]) -> Kind:
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise DamagedPeopleError(str(error)) from error


def _check(crc: str, record: Record | _Record1) -> None:
    if crc and crc != _crc(record):
        raise DamagedPeopleError("its checksum does not fit")


def _crc(record: Record | _Record1) -> str:
    return f"{zlib.crc32(msgspec.json.encode(record)):08x}"
