"""A Claude Code that the program was not tested with is tried out once, and the owner told."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

import self_test
from core.claude_code import is_tested, render_version
from core.config import Config
from durable import replace_file

log = logging.getLogger(__name__)


async def try_out(
    config: Config, environ: Mapping[str, str], version: tuple[int, ...]
) -> str | None:
    """What to tell the owner about this version; None for one that is known or was told of.

    What an earlier one has left that was killed is removed in any case.
    """
    await asyncio.to_thread(self_test.sweep_leftovers)
    told = config.bridge_dir / "told" / render_version(version)
    if not version or is_tested(version) or told.exists():
        return None
    report = await self_test.run(config.claude_command, environ)
    told.parent.mkdir(mode=0o700, exist_ok=True)
    replace_file(told, report.summary().encode())
    return report.summary()
