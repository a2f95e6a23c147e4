"""Claude Code's hooks: what is asked for in `--settings`, and a hook's payload to an event.

* Only for this process, by `--settings`: the user's own settings and hooks stay as they are.
* A hook name that the installed version does not know makes Claude Code skip the whole file behind
  a "Settings Error" dialog, so only names that every supported version knows are asked for, and
  the later ones by version.
* Each hook is a process of its own: events may come out of order, and unknown ones are normal.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Sequence
from typing import Any

import msgspec

from core.claude_code import HOOKS, is_oldest
from core.foreign_text import decode_json
from core.model import HookEvent, PromptSubmitted, SessionEnded, SessionStarted, TurnEnded

_FOLLOWED = ("SessionStart", "SessionEnd", "UserPromptSubmit", "Stop", "StopFailure")
_SECONDS = 10
_VERSION = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})+(?=[\s+-]|$)")


class _Payload(msgspec.Struct):
    """The fields that matter here; one of an unexpected kind must not cost the whole event."""

    hook_event_name: str = ""
    session_id: str = ""
    transcript_path: Any = None
    cwd: Any = None
    source: Any = None
    reason: Any = None
    prompt: Any = None
    prompt_id: Any = None
    error: Any = None


class _Envelope(msgspec.Struct):
    """What claude_hook.py sends: which pane it runs in, and what Claude Code gave it."""

    pane: str
    payload: _Payload


_decoder = msgspec.json.Decoder(_Envelope)


def render_settings(command: Sequence[str], version: tuple[int, ...]) -> str:
    """The settings (JSON) that make Claude Code run `command` at every event the bridge follows."""
    known = {hook.name for hook in HOOKS if is_oldest(hook.since) or version >= hook.since}
    names = [name for name in _FOLLOWED if name in known]
    hook = {"type": "command", "command": shlex.join(command), "timeout": _SECONDS}
    return json.dumps({"hooks": {name: [{"hooks": [hook]}] for name in names}})


def parse_hook(line: bytes) -> HookEvent | None:
    """The event in one message of claude_hook.py; None for what isn't one."""
    envelope = decode_json(_decoder, line)
    if envelope is None:
        return None
    pane, found = envelope.pane, envelope.payload
    if not found.session_id:
        return None
    match found.hook_event_name:
        case "SessionStart":
            return SessionStarted(
                found.session_id,
                pane,
                _text(found.source),
                _text(found.transcript_path),
                _text(found.cwd),
            )
        case "SessionEnd":
            return SessionEnded(found.session_id, pane, _text(found.reason))
        case "UserPromptSubmit":
            prompt = _text(found.prompt)
            return PromptSubmitted(found.session_id, pane, prompt, _text(found.prompt_id))
        case "Stop":
            return TurnEnded(found.session_id, pane, prompt_id=_text(found.prompt_id))
        case "StopFailure":
            error = str(found.error or "unknown error")
            return TurnEnded(found.session_id, pane, error, _text(found.prompt_id))
        case _:
            return None


def parse_version(text: str) -> tuple[int, ...]:
    """`2.1.330 (Claude Code)` -> (2, 1, 330); () for anything else."""
    found = _VERSION.match(text.strip())
    return tuple(int(part) for part in found.group().split(".")) if found else ()


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
