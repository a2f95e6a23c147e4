"""A terminal's screen as a PNG with its secrets masked, drawn in a short-lived process.

* The bridge itself never loads the drawing library: it hands the masked screen to
  `screen_painter.py`, which ends with the picture.
* That process is bounded in time and in what it may answer, sees no variables but where programs
  and fonts are, and only one runs at a time.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from child_process import run_child
from core.errors import ChildError, PictureError
from core.model import PaneScreen
from core.redaction import Redactor
from core.screen_secrets import mask_screen

log = logging.getLogger(__name__)

_PAINTER = Path(__file__).resolve().parent / "screen_painter.py"
# -E and -s: no variable or package of the user's has a say in what runs. -I would also keep the
# painter from its own modules.
_COMMAND = (sys.executable, "-E", "-s", str(_PAINTER))
_VARIABLES = ("PATH", "HOME")
_PNG = b"\x89PNG\r\n\x1a\n"
_LARGEST_PICTURE = 10 * 1024 * 1024


class ScreenPictures:
    """Draws screens.

    Args:
        redactor: what masks secrets; None shows them.
        environment: where the painter's few variables are taken from.
        timeout: seconds after which a picture is given up.
    """

    def __init__(
        self,
        *,
        redactor: Redactor | None,
        environment: Mapping[str, str],
        timeout: float = 10.0,
        command: Sequence[str] = _COMMAND,
    ) -> None:
        self._redactor = redactor
        self._environment = {name: environment[name] for name in _VARIABLES if name in environment}
        self._timeout = timeout
        self._command = tuple(command)
        self._one_at_a_time = asyncio.Semaphore(1)

    async def draw(self, screen: PaneScreen) -> bytes:
        """The PNG.

        Raises:
            PictureError: it could not be drawn, or not in time.
        """
        capture = screen.capture
        if self._redactor is not None:
            capture = mask_screen(capture, self._redactor)
        order = {
            "capture": capture.encode("utf-8", "replace").decode(),
            "columns": screen.columns,
            "rows": screen.rows,
            "cursor": screen.cursor,
        }
        async with self._one_at_a_time:
            picture = await self._run(msgspec.json.encode(order))
        if not picture.startswith(_PNG):
            raise PictureError("The screen could not be drawn as a picture.")
        return picture

    async def _run(self, order: bytes) -> bytes:
        try:
            ended = await run_child(
                self._command,
                environment=self._environment,
                seconds=self._timeout,
                directory=Path("/"),
                said=order,
                most_bytes=_LARGEST_PICTURE,
            )
        except ChildError as error:
            raise PictureError(f"The program that draws the screen {error}.") from error
        if ended.status:
            log.warning("drawing the screen ended with status %s", ended.status)
        return ended.said
