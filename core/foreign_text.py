"""Text and JSON that other programs wrote: what can't be understood is None, never an error.

JavaScript cuts texts between the halves of a surrogate pair and writes the half as `\\ud83d`, which
is no text for anybody else; a half becomes U+FFFD here.
"""

from __future__ import annotations

import json
from typing import TypeVar

import msgspec

T = TypeVar("T")


def decode_json(decoder: msgspec.json.Decoder[T], data: bytes) -> T | None:
    """What `decoder` makes of the data; None when it can't."""
    try:
        return decoder.decode(data)
    except (msgspec.ValidationError, RecursionError):
        return None
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _decode_halves(decoder, data) if b"\\ud" in data.lower() else None


def replace_halves(text: str) -> str:
    """The text with U+FFFD for each half of a surrogate pair."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _decode_halves(decoder: msgspec.json.Decoder[T], data: bytes) -> T | None:
    try:
        whole = json.dumps(json.loads(data), ensure_ascii=False)
        return decoder.decode(replace_halves(whole))
    except (ValueError, RecursionError):
        return None
