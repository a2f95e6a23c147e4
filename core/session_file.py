"""The format of a session file: the fields of one session <-> the bytes of `<session_id>.json`.

* One JSON object: `"v"`, the session's fields, and `"crc"`, a CRC-32 of all the rest as this module
  writes it, so that a flipped byte which leaves valid JSON is noticed too.
* Strict both ways: nothing is written that would be read back as something else, and nothing is
  read that JSON leaves open (doubled keys, NaN, bottomless nesting).
* A file without `"crc"` is accepted: this is how to put back one that was edited by hand.
* A newer `"v"` is not damage: it belongs to a newer bridge.
"""

import json
import math
import re
import zlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Never

from core.errors import InvalidSessionIdError, StoreError

VERSION = 1
MAX_BYTES = 1 << 20
FIELDS = ("session_id", "chat_id", "tmux_session", "created_at", "last_activity", "state")

_MAX_DEPTH = 32
_LEAST, _GREATEST = -(2**63), 2**63 - 1
_PLAIN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")
_RESERVED_IDS = frozenset({"index"})
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class InvalidSessionError(StoreError):
    """A session with a value that cannot be stored as it is."""


class DamagedFileError(StoreError):
    """A file that does not say what was once written; the text is the reason."""


class NewerSessionError(StoreError):
    """A session file that a newer version of the bridge wrote."""


def is_session_id(value: object) -> bool:
    """Whether it is a plain id: 1 to 128 letters, digits, `_` and `-`, and not reserved."""
    return (
        isinstance(value, str)
        and _PLAIN_ID.fullmatch(value) is not None
        and value.lower() not in _RESERVED_IDS
    )


def check_session_id(session_id: object) -> None:
    """Raise InvalidSessionIdError for everything that could become another path."""
    if not is_session_id(session_id):
        raise InvalidSessionIdError(f"{session_id!r:.60} is not a session id.")


def check_fields(fields: Mapping[str, Any]) -> None:
    """Raise InvalidSessionError or InvalidSessionIdError unless every value can be kept."""
    check_session_id(fields["session_id"])
    _check_chat("chat_id", fields["chat_id"])
    if not isinstance(fields["tmux_session"], str):
        raise InvalidSessionError("tmux_session must be text.")
    parse_instant(fields["created_at"])
    parse_instant(fields["last_activity"])
    state = fields["state"]
    if not isinstance(state, dict):
        raise InvalidSessionError("state must be a dict.")
    _check_json(state, depth=0)
    if state.get("topic") is not None:
        _check_chat("state['topic']", state["topic"])
    if "bound_at" in state:
        _check_binding(state["bound_at"])


def parse_instant(text: object) -> int:
    """Microseconds since 1970 of an ISO 8601 time stamp in UTC; one without an offset is UTC too.

    Raises InvalidSessionError.
    """
    try:
        instant = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        instant = None
    if instant is None:
        raise InvalidSessionError(f"{text!r:.60} is not an ISO 8601 time stamp.")
    if instant.tzinfo is None:
        instant = instant.replace(tzinfo=UTC)
    if instant.utcoffset():
        raise InvalidSessionError(f"{text!r:.60} is not in UTC.")
    return (instant - _EPOCH) // _MICROSECOND


def render_session(fields: Mapping[str, Any]) -> bytes:
    """The bytes of a session file; raises InvalidSessionError, also when they exceed MAX_BYTES."""
    check_fields(fields)
    body = _render_body({name: fields[name] for name in FIELDS})
    data = body[:-1] + b',"crc":"%08x"}\n' % zlib.crc32(body)
    if len(data) > MAX_BYTES:
        raise InvalidSessionError(
            f"The session is too large to store: {len(data)} bytes, where {MAX_BYTES} are allowed."
        )
    return data


def parse_session(data: bytes, session_id: str) -> dict[str, Any]:
    """The fields in a file named after `session_id`, by the names in FIELDS.

    Raises DamagedFileError with the reason, or NewerSessionError.
    """
    record = _parse_object(data)
    version = record.pop("v", None)
    if type(version) is int and version > VERSION:
        raise NewerSessionError(
            f"Session {session_id} was written by a newer version of the bridge: update this one."
        )
    if type(version) is not int or version != VERSION:
        raise DamagedFileError("it has no format version that is known")
    checksum = record.pop("crc", None)
    if record.keys() != set(FIELDS):
        wrong = sorted(record.keys() ^ set(FIELDS))
        raise DamagedFileError(f"it has a missing or unknown field: {', '.join(wrong)!r:.200}")
    try:
        check_fields(record)
    except StoreError as error:
        raise DamagedFileError(f"it has a value of a wrong kind: {error}") from error
    if checksum is not None and checksum != f"{zlib.crc32(_render_body(record)):08x}":
        raise DamagedFileError(
            "it does not match its checksum, so it was altered; if you edited it by hand, "
            'take out its "crc" and put it back'
        )
    if record["session_id"] != session_id:
        raise DamagedFileError(f"it is about another session: {record['session_id']}")
    return record


def _render_body(record: Mapping[str, Any]) -> bytes:
    return _ENCODER.encode({"v": VERSION, **record}).encode("ascii")


def _parse_object(data: bytes) -> dict[str, Any]:
    if not data:
        raise DamagedFileError("it is empty")
    try:
        record = _DECODER.decode(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise DamagedFileError(f"it is not valid JSON: {error}") from error
    if not isinstance(record, dict):
        raise DamagedFileError("it is not a JSON object")
    return record


def _check_chat(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | str) or value == "":
        raise InvalidSessionError(f"{name} must be a whole number or text, not {value!r:.60}.")
    _check_json(value, depth=0)
    try:
        str(value).encode()
    except UnicodeEncodeError as error:
        raise InvalidSessionError(f"{name} is not valid Unicode: {value!r:.60}.") from error


def _check_binding(binding: object) -> None:
    match binding:
        case {"order": int(order), "at": at, **rest} if order > 0 and not rest:
            parse_instant(at)
        case _:
            raise InvalidSessionError("state['bound_at'] is not what the store writes there.")


def _check_json(value: object, *, depth: int) -> None:
    if depth > _MAX_DEPTH:
        raise InvalidSessionError(f"state is nested more than {_MAX_DEPTH} deep.")
    match value:
        case None | bool() | str():
            pass
        case int() if _LEAST <= value <= _GREATEST:
            pass
        case float() if math.isfinite(value):
            pass
        case list():
            for item in value:
                _check_json(item, depth=depth + 1)
        case dict():
            for key, item in value.items():
                if not isinstance(key, str):
                    raise InvalidSessionError(f"state has the key {key!r:.60}, which is not text.")
                _check_json(item, depth=depth + 1)
        case _:
            raise InvalidSessionError(f"{value!r:.60} cannot be kept as JSON.")


def _refuse_doubled_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) != len(pairs):
        raise ValueError("a key is there twice")
    return record


def _refuse_constant(name: str) -> Never:
    raise ValueError(f"{name} is not JSON")


_ENCODER = json.JSONEncoder(separators=(",", ":"), allow_nan=False)
_DECODER = json.JSONDecoder(object_pairs_hook=_refuse_doubled_keys, parse_constant=_refuse_constant)
