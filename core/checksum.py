"""The checksum of a state file: its first line, by which damage is told from content.

* It is the CRC-32 of all that follows, as eight hexadecimal digits.
* Earlier versions wrote some files without it: what begins with `{` is such a file, and is believed
  as it is. No single flipped bit and no cut makes a file with a checksum look like one.
"""

from __future__ import annotations

import zlib


def checksum(data: bytes) -> bytes:
    """Eight hexadecimal digits."""
    return b"%08x" % zlib.crc32(data)


def seal(text: bytes) -> bytes:
    """The bytes of a file that says `text`, a JSON object."""
    return checksum(text) + b"\n" + text


def unseal(data: bytes) -> bytes | None:
    """What the file says; None when it is damaged."""
    if data.startswith(b"{"):
        return data
    found, _, text = data.partition(b"\n")
    return text if found == checksum(text) else None
