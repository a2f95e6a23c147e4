"""Transcripts as Claude Code 2.1.330 writes them, line by line, for tests and benchmarks."""

from __future__ import annotations

import json
import uuid
from typing import Any

_SYSTEM_PROMPT = "You are an agent working with the user toward their goals. " * 700


def line(kind: str, **fields: Any) -> bytes:
    """One line of that type."""
    return json.dumps({"type": kind, **fields}).encode() + b"\n"


def message(
    role: str,
    text: str,
    *,
    at: str = "2026-11-22T04:03:03.115Z",
    directory: str = "/home/ada/shop",
    branch: str = "main",
    entrypoint: str = "cli",
    **fields: Any,
) -> bytes:
    """What a person (`user`) or Claude (`assistant`) said."""
    source = {"promptSource": "typed", "origin": {"kind": "human"}} if role == "user" else {}
    return line(
        role,
        message={"role": role, "content": [{"type": "text", "text": text}]},
        uuid=str(uuid.uuid4()),
        timestamp=at,
        cwd=directory,
        gitBranch=branch,
        entrypoint=entrypoint,
        **{"isSidechain": False, **source, **fields},
    )


def turn(prompt: str, answer: str, **fields: Any) -> bytes:
    """A prompt, its answer, and the bookkeeping around them."""
    return b"".join(
        [
            line("file-history-snapshot", messageId="1", snapshot={}, isSnapshotUpdate=False),
            message("user", prompt, **fields),
            line("attachment", attachment={"type": "prompt_snapshot", "text": _SYSTEM_PROMPT}),
            message("assistant", answer, **fields),
            line("system", subtype="turn_duration", durationMs=454, uuid=str(uuid.uuid4())),
            line("last-prompt", lastPrompt=prompt, sessionId="1"),
        ]
    )
