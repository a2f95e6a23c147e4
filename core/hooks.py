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

from core.claude_code import UNAWAITED_SINCE, HookName, HookPayload, hook_names
from core.events import (
    BackgroundTask,
    HookEvent,
    PermissionAsked,
    PromptSubmitted,
    SessionEnded,
    SessionStarted,
    SubagentEnded,
    SubagentStarted,
    TextStreamed,
    TurnEnded,
)
from core.foreign_text import decode_json

_SECONDS = 10
_ANSWER_SECONDS = 7 * 86_400  # Claude's own dialog is open meanwhile
_WITHOUT_WAITING = frozenset(HookName) - {
    *(HookName.SESSION_START, HookName.SESSION_END, HookName.PERMISSION_REQUEST)
}
_VERSION = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})+(?=[\s+-]|$)")


class _Envelope(msgspec.Struct):
    """What claude_hook.py sends: which pane it runs in, and what Claude Code gave it."""

    pane: str
    payload: HookPayload
    request: str = ""


_decoder = msgspec.json.Decoder(_Envelope)


def render_settings(
    command: Sequence[str],
    version: tuple[int, ...],
    *,
    at_start: Sequence[Sequence[str]] = (),
    **others: Any,
) -> str:
    """The settings (JSON) that make Claude Code run `command` at every event the bridge follows.

    What the commands `at_start` print is told to Claude once, when the process begins.

    The event's name is added to the command. Where that is known to work, Claude Code does not wait
    for hooks whose answer it has no use for. `others` are more settings for that process.
    """
    hooks: dict[str, list[dict[str, Any]]] = {
        name: [{"hooks": [_render_hook(command, name, version)]}] for name in hook_names(version)
    }
    if at_start:
        printed = [_render_command(shlex.join(words), _SECONDS) for words in at_start]
        hooks[HookName.SESSION_START].append({"matcher": "startup|resume", "hooks": printed})
    return json.dumps({"hooks": hooks, **others})


def _render_hook(
    command: Sequence[str], name: HookName, version: tuple[int, ...]
) -> dict[str, str | int | bool]:
    seconds = _ANSWER_SECONDS if name == HookName.PERMISSION_REQUEST else _SECONDS
    hook = _render_command(shlex.join([*command, name]), seconds)
    if name in _WITHOUT_WAITING and version >= UNAWAITED_SINCE:
        return hook | {"async": True}
    return hook


def _render_command(line: str, seconds: int) -> dict[str, str | int | bool]:
    return {"type": "command", "command": line, "timeout": seconds}


def parse_hook(line: bytes) -> HookEvent | None:
    """The event in one message of claude_hook.py; None for what isn't one."""
    envelope = decode_json(_decoder, line)
    if envelope is None:
        return None
    pane, found = envelope.pane, envelope.payload
    if not found.session_id:
        return None
    mode = _text(found.permission_mode)
    match found.hook_event_name:
        case HookName.SESSION_START:
            return SessionStarted(
                found.session_id,
                pane,
                _text(found.source),
                _text(found.transcript_path),
                _text(found.cwd),
            )
        case HookName.SESSION_END:
            return SessionEnded(found.session_id, pane, _text(found.reason))
        case HookName.PROMPT_SUBMITTED:
            prompt = _text(found.prompt)
            return PromptSubmitted(found.session_id, pane, prompt, _text(found.prompt_id), mode)
        case HookName.STOP:
            ended, background = _text(found.prompt_id), _parse_background(found.background_tasks)
            return TurnEnded(found.session_id, pane, None, mode, ended, background)
        case HookName.STOP_FAILURE:
            error = str(found.error or "unknown error")
            ended = _text(found.prompt_id)
            return TurnEnded(found.session_id, pane, error, mode, ended)
        case HookName.PERMISSION_REQUEST if envelope.request:
            return _parse_permission(envelope)
        case _:
            return _parse_progress(pane, found)


def _parse_progress(pane: str, found: HookPayload) -> HookEvent | None:
    """What happens within a turn."""
    match found.hook_event_name:
        case HookName.MESSAGE_DISPLAY:
            return TextStreamed(
                found.session_id,
                pane,
                _text(found.message_id),
                found.index if isinstance(found.index, int) else 0,
                _text(found.delta),
                found.final is True,
            )
        # Claude Code's own assistants (a summary, a suggestion) have no type.
        case HookName.SUBAGENT_START if _text(found.agent_type):
            agent = _text(found.agent_id)
            return SubagentStarted(found.session_id, pane, agent, _text(found.agent_type))
        case HookName.SUBAGENT_STOP if _text(found.agent_type):
            return SubagentEnded(found.session_id, pane, _text(found.agent_id))
        case _:
            return None


def _parse_background(tasks: Any) -> tuple[BackgroundTask, ...] | None:
    """What Stop says of the work that goes on; None when this version says nothing."""
    if not isinstance(tasks, list):
        return None
    return tuple(
        BackgroundTask(_text(t.get("id")), _text(t.get("type")), _text(t.get("description")))
        for t in tasks
        if isinstance(t, dict) and t.get("status", "running") == "running"
    )


def _parse_permission(envelope: _Envelope) -> PermissionAsked:
    found = envelope.payload
    suggestions = found.permission_suggestions
    return PermissionAsked(
        found.session_id,
        envelope.pane,
        envelope.request,
        _text(found.tool_name),
        found.tool_input if isinstance(found.tool_input, dict) else {},
        tuple(s for s in suggestions if isinstance(s, dict))
        if isinstance(suggestions, list)
        else (),
        _text(found.permission_mode),
        _text(found.agent_id),
        _text(found.agent_type),
    )


def parse_version(text: str) -> tuple[int, ...]:
    """`2.1.330 (Claude Code)` -> (2, 1, 330); () for anything else."""
    found = _VERSION.match(text.strip())
    return tuple(int(part) for part in found.group().split(".")) if found else ()


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
