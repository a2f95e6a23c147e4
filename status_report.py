"""/status and /cost: how the session is, on one phone screen."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from datetime import datetime
from pathlib import Path

from claude_launcher import project_directory
from claude_registry import memory_of
from core.agent_trail import describe_trail
from core.commands import CommandName
from core.context_window import find_window, render_tokens
from core.conversation import read_title, render_age
from core.events import ContextMeasured
from core.model import Chat
from core.transcript import parse_line
from core.usage import (
    Cost,
    Tokens,
    count_tokens,
    find_cost,
    render_cost,
    render_usage,
    sum_tokens,
    tells_usage,
)
from core.worktrees import name_worktree, read_worktree
from git_head import find_branch
from outbox import Outbox
from session import Session
from session_runner import SessionRunner
from sessions import Sessions
from steering_commands import SteeringCommands

_LAST_LINES = 20
_NO_SESSION = "No session yet. Send a text to start one."
_NO_COST = "Claude Code notes what that costs when its process ends: it has not yet."


class StatusReport:
    """What there is to know of the sessions of `sessions`; `describe_quiet`: of a chat's sounds."""

    def __init__(
        self,
        sessions: Sessions,
        outbox: Outbox,
        steering: SteeringCommands,
        *,
        describe_quiet: Callable[[Chat], str],
    ) -> None:
        self._describe_quiet = describe_quiet
        self._sessions = sessions
        self._outbox = outbox
        self._steering = steering
        self.commands: dict[CommandName, Callable[[Chat, str, int], Awaitable[None]]] = {
            "status": self._status,
            "cost": self._cost,
        }

    async def _status(self, chat: Chat, argument: str, person: int) -> None:
        session = self._sessions.book.find_current(chat)
        if session is None:
            self._outbox.say(chat, _NO_SESSION)
            return
        runner = self._sessions.find_runner(session.session_id)
        runner = runner if runner is not None and runner.is_awake else None
        path = self._sessions.launcher.transcript_of(session)
        measured, usage, cost = await asyncio.to_thread(_measure, path)
        directory = project_directory(session)
        branch = await asyncio.to_thread(find_branch, directory)
        worktree = read_worktree(session.state)
        blocks = [
            [f"“{read_title(session.state)}”", _state(runner), self._queue_line(runner)],
            self._choices(session, measured),
            [
                f"Folder: {directory}",
                f"Branch: {branch}" if branch else "",
                f"Worktree: {name_worktree(worktree)}" if worktree is not None else "",
            ],
            [_context_line(measured), _usage_line(usage, cost)],
            [
                f"Last activity: {_ago(session)}",
                f"Quiet: {self._describe_quiet(chat)}",
                f"Session: {session.session_id}",
            ],
            self._attach_lines(runner),
        ]
        kept = ["\n".join(filter(None, lines)) for lines in blocks]
        self._outbox.say(chat, "\n\n".join(filter(None, kept)))

    async def _cost(self, chat: Chat, argument: str, person: int) -> None:
        session = self._sessions.book.find_current(chat)
        if session is None:
            self._outbox.say(chat, _NO_SESSION)
            return
        path = self._sessions.launcher.transcript_of(session)
        _, usage, cost = await asyncio.to_thread(_measure, path)
        text = "Nothing was asked in this session yet."
        if usage:
            told = _NO_COST if cost is None else _tell_cost(cost)
            text = f"Tokens of this session\n\n{render_usage(usage)}\n\n{told}"
        self._outbox.say(chat, text)

    def _choices(self, session: Session, measured: ContextMeasured | None) -> list[str]:
        model = self._steering.present(session, "model")
        if measured is not None and measured.model:
            model = f"{model} (last: {measured.model})"
        agent = self._steering.describe(session, "agent")
        return [
            f"Model: {model}",
            f"Effort: {self._steering.present(session, 'effort')}",
            f"Mode: {self._steering.present(session, 'mode')}",
            f"Agent: {agent}",
            describe_trail(session.state),
        ]

    def _attach_lines(self, runner: SessionRunner | None) -> list[str]:
        if runner is None:
            return []
        return ["At the machine:", self._sessions.terminal.attach_command(runner.name)]

    def _queue_line(self, runner: SessionRunner | None) -> str:
        waiting = len(runner.queue.waiting) if runner is not None else 0
        return f"Waiting: {waiting} (/queue)" if waiting else ""


def _state(runner: SessionRunner | None) -> str:
    if runner is None:
        return "Asleep; the next message wakes it"
    status = runner.process.status if runner.process is not None else None
    shown = "idle, with a command in the background" if status == "shell" else status
    pid = runner.process.pid if runner.process is not None else runner.pane_pid
    return f"Awake: {shown or 'starting'}, {memory_of(pid) >> 20} MB"


def _ago(session: Session) -> str:
    then = datetime.fromisoformat(session.last_activity).timestamp()
    age = render_age(time.time() - then)
    return age if age == "now" else f"{age} ago"


def _context_line(measured: ContextMeasured | None) -> str:
    if measured is None:
        return ""
    used, window = measured.tokens, find_window(measured.model, measured.tokens)
    if window is None:
        return f"Context: {render_tokens(used)} tokens"
    left = 100 * (window - used) // window
    return f"Context: {render_tokens(used)} of {render_tokens(window)} tokens, {left} % left"


def _usage_line(usage: dict[str, Tokens], cost: Cost | None) -> str:
    if not usage:
        return ""
    paid = f", {render_cost(cost)}" if cost is not None else ""
    return f"Tokens so far: {render_tokens(sum_tokens(usage))}{paid} (/cost)"


def _tell_cost(cost: Cost) -> str:
    told = f"Cost: {render_cost(cost)}, at the prices of Anthropic's API, as Claude Code has it."
    return told if cost.is_whole else f"{told} It notes that when its process ends."


def _measure(
    path: Path | None,
) -> tuple[ContextMeasured | None, dict[str, Tokens], Cost | None]:
    """What was read last, what was used in all, sub-agents included, and what that cost."""
    if path is None:
        return None, {}, None
    last = deque(_lines(path), maxlen=_LAST_LINES)
    events = (event for line in reversed(last) for event in parse_line(line))
    measured = next((event for event in events if isinstance(event, ContextMeasured)), None)
    agents = sorted((path.parent / path.stem / "subagents").glob("agent-*.jsonl"))
    usage = count_tokens(line for file in (path, *agents) for line in _lines(file))
    return measured, usage, find_cost(_lines(path), usage)


def _lines(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            yield from (line for line in file if tells_usage(line))
    except OSError:
        return
