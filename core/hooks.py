"""Claude Code's hooks: what is asked for in `--settings`, and a hook's payload to an event.

* Only for this process, by `--settings`: the user's own settings and hooks stay as they are.
* A hook name that the installed version does not know makes Claude Code skip the whole file behind
  a "Settings Error" dialog, so only names that every supported version knows are asked for, and
  the later ones by version.
* Each hook is a process of its own: events may come out of order, and unknown ones are normal.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from typing import Any

import msgspec

from core.model import HookEvent, PromptSubmitted, SessionEnded, SessionStarted, TurnEnded

_ALWAYS = ("SessionStart", "SessionEnd", "UserPromptSubmit", "Stop")
_SINCE = {"StopFailure": (2, 1, 80)}
_SECONDS = 10


class _Payload(msgspec.Struct):
    """The fields that matter here, all of them optional."""

    hook_event_name: str = ""
    session_id: str = ""
    transcript_path: str = ""
    cwd: str = ""
    source: str = ""
    reason: str = ""
    prompt: str = ""
    prompt_id: str = ""
    error: Any = None
    last_assistant_message: Any = None


class _Envelope(msgspec.Struct):
    """What claude_hook.py sends: which pane it runs in, and what Claude Code gave it."""

    pane: str
    payload: _Payload


_decoder = msgspec.json.Decoder(_Envelope)


def render_settings(command: Sequence[str], version: tuple[int, ...]) -> str:
    """The settings (JSON) that make Claude Code run `command` at every event the bridge follows."""
    names = [*_ALWAYS, *(name for name, since in _SINCE.items() if version >= since)]
    hook = {"type": "command", "command": shlex.join(command), "timeout": _SECONDS}
    return json.dumps({"hooks": {name: [{"hooks": [hook]}] for name in names}})


def parse_hook(line: bytes) -> HookEvent | None:
    """The event in one message of claude_hook.py; None for what isn't one."""
    try:
        envelope = _decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    pane, found = envelope.pane, envelope.payload
    if not found.session_id:
        return None
    match found.hook_event_name:
        case "SessionStart":
            return SessionStarted(
                found.session_id, pane, found.source, found.transcript_path, found.cwd
            )
        case "SessionEnd":
            return SessionEnded(found.session_id, pane, found.reason)
        case "UserPromptSubmit":
            return PromptSubmitted(found.session_id, pane, found.prompt, found.prompt_id)
        case "Stop":
            return TurnEnded(found.session_id, pane)
        case "StopFailure":
            return TurnEnded(found.session_id, pane, error=str(found.error or "unknown error"))
        case _:
            return None


def parse_version(text: str) -> tuple[int, ...]:
    """`2.1.330 (Claude Code)` -> (2, 1, 330); () for anything else."""
    word = text.strip().partition(" ")[0]
    parts = word.split(".")
    return tuple(int(part) for part in parts) if all(p.isdecimal() for p in parts) else ()
