"""Speech to text, by a command of the user's, or by faster-whisper if that is installed.

* Always in a process of its own, with a time limit: no library of speech is loaded into the bridge.
* Never through a shell. What it sees of the environment holds no secret of the bridge's.
* The command prints the text; what it says on standard error goes to nobody.
"""

from __future__ import annotations

import importlib.util
import logging
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from child_process import run_child
from core.errors import ChildError, TranscriptionError

WRITER = Path(__file__).resolve().with_name("speech_writer.py")
HOW_TO_GET = (
    "I can't listen to voice messages yet: name a command in BRIDGE_TRANSCRIBE_COMMAND, or install "
    "faster-whisper into the bridge's .venv."
)

_PLACE = "{file}"
_SECONDS = 300.0
_MOST_BYTES = 60_000
_SEEN = frozenset(
    ("PATH", "HOME", "USER", "LANG", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES")
)
_SEEN_PREFIXES = ("LC_", "XDG_", "HF_", "OMP_")

log = logging.getLogger(__name__)


class Transcriber:
    """Runs `command`; without one, faster-whisper with its `model`.

    `environ` is the bridge's own, of which a few variables are passed on but none that holds one of
    the `secrets`.
    """

    def __init__(
        self,
        command: Sequence[str],
        model: str,
        environ: Mapping[str, str],
        *,
        secrets: Sequence[str] = (),
        seconds: float = _SECONDS,
    ) -> None:
        self._command = tuple(command)
        if not command and importlib.util.find_spec("faster_whisper") is not None:
            self._command = (sys.executable, "-P", str(WRITER), model, _PLACE)
        self._environment = {
            name: value
            for name, value in environ.items()
            if (name in _SEEN or name.startswith(_SEEN_PREFIXES))
            and not any(secret and secret in value for secret in secrets)
        }
        self._seconds = seconds

    @property
    def is_available(self) -> bool:
        """Whether there is something that listens."""
        return bool(self._command)

    async def transcribe(self, path: Path) -> str:
        """What is said in the file. Raises TranscriptionError."""
        try:
            ended = await run_child(
                self._words(path),
                environment=self._environment,
                seconds=self._seconds,
                most_bytes=_MOST_BYTES,
            )
        except ChildError as error:
            raise _failed(f"the command {error}") from error
        if ended.status != 0:
            raise _failed(f"the command ended with status {ended.status}")
        if not (text := ended.text.strip()):
            raise _failed("no words were heard")
        return text

    def _words(self, path: Path) -> list[str]:
        if any(_PLACE in word for word in self._command):
            return [word.replace(_PLACE, str(path)) for word in self._command]
        return [*self._command, str(path)]


def _failed(reason: str) -> TranscriptionError:
    return TranscriptionError(f"The voice message could not be written down: {reason}.")
