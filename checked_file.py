"""A state file of one JSON object that is replaced whole, and checked when it is read.

* What is damaged is set aside, reported and from then on not there: what is not sure is not used.
* What can't be read at present is no damage: nobody knows what it says, so nobody may go on as if
  it said nothing, and write that over it.
* One process owns the file; the bridge's instance lock sees to that.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from core.checksum import seal, unseal
from core.errors import StoreError
from core.foreign_text import decode_json
from durable import (
    SystemCalls,
    read_file,
    reason_for,
    remove_temporaries_of,
    replace_file,
    set_aside,
)

log = logging.getLogger(__name__)

T = TypeVar("T")


class CheckedFile(Generic[T]):
    """The file at `path`; `lost` says, as a sentence, what is gone when it is damaged."""

    def __init__(
        self, path: Path, decoder: msgspec.json.Decoder[T], lost: str, *, system: SystemCalls = os
    ) -> None:
        self._path = path
        self._decoder = decoder
        self._lost = lost
        self._system = system
        self.damage: str | None = None

    def read(self) -> T | None:
        """What was written last; None when nothing was, or it is damaged: then `damage` says so.

        Raises:
            StoreError: the file can't be read.
            StoreWriteError: what is damaged can't be set aside.
        """
        remove_temporaries_of(self._path, system=self._system)
        try:
            data = read_file(self._path, system=self._system)
        except FileNotFoundError:
            return None
        except OSError as error:
            reason = reason_for(error)
            raise StoreError(f"{self._path.name} could not be read: {reason}.") from error
        text = unseal(data)
        found = decode_json(self._decoder, text) if text is not None else None
        if found is None:
            place = set_aside(self._path, data, system=self._system)
            self.damage = f"{self._path.name} was damaged and is kept as {place.name}. {self._lost}"
            log.error("%s", self.damage)
        return found

    def write(self, value: T) -> None:
        """Make it the whole file. Raises StoreWriteError: the file is as it was."""
        replace_file(self._path, seal(msgspec.json.encode(value)), system=self._system)
