"""The format of devices.json: which browsers may use the page, and which keys are still good.

* Of a key, and of a browser's token, only a hash is kept; both are long and random, so that a plain
  hash tells nothing. A comparison takes the same time however much of it is right.
* A checksum tells damage; a file of an earlier version has none.
* A key has a beginning and an end, so that a clock that was set back does not make it live for
  ever.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence

import msgspec

from core.checksum import seal, unseal

VERSION = 1

_CLOCK_SLACK = 60.0
# What a browser calls itself: the more particular names first, as most name others too.
_BROWSERS = (
    *(("Edg", "Edge"), ("OPR", "Opera"), ("FxiOS", "Firefox"), ("Firefox", "Firefox")),
    *(("CriOS", "Chrome"), ("Chrome", "Chrome"), ("Safari", "Safari")),
)
_SYSTEMS = (
    *(("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Mac OS X", "macOS")),
    *(("Windows", "Windows"), ("CrOS", "ChromeOS"), ("Linux", "Linux")),
)


class DamagedDevicesError(Exception):
    """The file does not say what was once written; the text is the reason."""


class Key(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A key that makes one browser a device, once."""

    digest: str
    issued_at: float
    expires_at: float

    def fits(self, key: str, now: float) -> bool:
        """Whether it is this key, and still good."""
        is_it = hmac.compare_digest(digest(key), self.digest)
        return is_it and self.issued_at - _CLOCK_SLACK <= now < self.expires_at


class Device(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A browser that may use the page; the times are seconds since the epoch."""

    id: str
    name: str
    digest: str
    added_at: float
    seen_at: float


class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file."""

    version: int = VERSION
    keys: tuple[Key, ...] = ()
    devices: tuple[Device, ...] = ()


class _Versioned(msgspec.Struct):
    version: int


def digest(secret: str) -> str:
    """What is kept of a key or a token."""
    return hashlib.sha256(secret.encode()).hexdigest()


def parse_record(data: bytes) -> Record:
    """Raises DamagedDevicesError, also for the file of a newer version."""
    text = unseal(data)
    if text is None:
        raise DamagedDevicesError("its checksum does not fit")
    try:
        if msgspec.json.decode(text, type=_Versioned).version > VERSION:
            raise DamagedDevicesError("it is from a newer version of the bridge")
        return msgspec.json.decode(text, type=Record)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise DamagedDevicesError(str(error)) from error


def render_record(record: Record) -> bytes:
    """The bytes of the file."""
    return seal(msgspec.json.encode(record) + b"\n")


def tell_apart(devices: Sequence[Device]) -> list[str]:
    """What each is called: its name, with a number where several have that, in their order."""
    names = [device.name for device in devices]
    return [
        f"{name} ({names[: at + 1].count(name)})" if names.count(name) > 1 else name
        for at, name in enumerate(names)
    ]


def name_browser(user_agent: str) -> str:
    """A browser in two words, as its owner would name it; what it says of itself is not believed.

    Nothing of the text itself is shown.
    """
    browser = next((name for mark, name in _BROWSERS if mark in user_agent), "A browser")
    system = next((name for mark, name in _SYSTEMS if mark in user_agent), "")
    return f"{browser} on {system}" if system else browser
