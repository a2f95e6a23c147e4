"""What Claude Code does: events of its hooks and its transcripts, and its processes.

All are frozen. The unions (`HookEvent`, `TranscriptEvent`) are closed: who reads one handles every
case or none.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class SessionStarted:
    """A process has this session now; source: startup, resume, clear, compact, fork."""

    session_id: str
    pane: str
    source: str
    transcript: str
    directory: str


@dataclass(frozen=True, slots=True)
class SessionEnded:
    """The process left this session; reason: clear, resume, logout, prompt_input_exit, other."""

    session_id: str
    pane: str
    reason: str


@dataclass(frozen=True, slots=True)
class PromptSubmitted:
    """The hook's fast hint that Claude took a prompt; not yet durable."""

    session_id: str
    pane: str
    prompt: str
    prompt_id: str
    mode: str = ""


@dataclass(frozen=True, slots=True)
class BackgroundTask:
    """A sub-agent, or a command, that works on by itself; `kind`: `subagent`, `shell`, …"""

    task_id: str
    kind: str
    description: str


@dataclass(frozen=True, slots=True)
class TurnEnded:
    """The hook's word that Claude has finished; `error` when the model's service failed.

    Hooks overtake each other: `prompt_id` says with which prompt, "" in versions that don't.
    `background`: what works on meanwhile; None when this version does not tell.
    """

    session_id: str
    pane: str
    error: str | None = None
    mode: str = ""
    prompt_id: str = ""
    background: tuple[BackgroundTask, ...] | None = None

    def may_end(self, prompt_id: str) -> bool:
        """Whether it can be the end of the turn that began with this prompt ("": any)."""
        return not prompt_id or not self.prompt_id or prompt_id == self.prompt_id


@dataclass(frozen=True, slots=True)
class TextStreamed:
    """A part of the answer while it is being written: order by (`message_id`, `index`)."""

    session_id: str
    pane: str
    message_id: str
    index: int
    delta: str
    is_final: bool


@dataclass(frozen=True, slots=True)
class SubagentStarted:
    """A sub-agent began; what it is to do is told by the tool that began it."""

    session_id: str
    pane: str
    agent_id: str
    agent_type: str


@dataclass(frozen=True, slots=True)
class SubagentEnded:
    """A sub-agent has finished."""

    session_id: str
    pane: str
    agent_id: str


@dataclass(frozen=True, slots=True)
class PermissionAsked:
    """A tool wants to run (or asks the person something), and its hook waits for the answer.

    `request` identifies this one asking, also after a restart of the bridge. `suggestions` are
    Claude Code's own permission updates; together they are what "always allow" means. For a
    sub-agent (`agent_id`, its kind is `agent`) the terminal shows nothing while the hook waits.
    """

    session_id: str
    pane: str
    request: str
    tool: str
    input: dict[str, Any]
    suggestions: tuple[dict[str, Any], ...] = ()
    mode: str = ""
    agent_id: str = ""
    agent: str = ""


@dataclass(frozen=True, slots=True)
class PromptRecorded:
    """The transcript has this prompt of a person: the acknowledgement.

    `command` is the slash command it was (`/greet Bob`), else None. Here and below `at` is when the
    transcript says that it was, in seconds since the epoch, 0 where it does not say.
    """

    uuid: str
    text: str
    command: str | None = None
    at: float = field(default=0.0, compare=False)


@dataclass(frozen=True, slots=True)
class AnswerGiven:
    """Claude said this (Markdown) in the main conversation; not final when a tool follows it."""

    uuid: str
    text: str
    is_final: bool = True
    at: float = field(default=0.0, compare=False)


@dataclass(frozen=True, slots=True)
class ToolStarted:
    """Claude uses a tool; `tool_id` is what its end will name."""

    uuid: str
    tool_id: str
    name: str
    input: dict[str, Any]
    at: float = field(default=0.0, compare=False)


@dataclass(frozen=True, slots=True)
class ToolEnded:
    """What came of it: `text` is what Claude reads, `result` Claude Code's own account of it.

    `result` depends on the tool: an object for what succeeded, a text or nothing else.
    """

    uuid: str
    tool_id: str
    is_error: bool
    text: str
    result: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ContextMeasured:
    """How many tokens the model read for the last thing it said, and which model that was."""

    uuid: str
    tokens: int
    model: str


@dataclass(frozen=True, slots=True)
class ContextCompacted:
    """The conversation was summarised; trigger: `manual` or `auto`."""

    uuid: str
    trigger: str


@dataclass(frozen=True, slots=True)
class SummaryWritten:
    """The summary that took the place of the conversation before it."""

    uuid: str
    text: str
    at: float = field(default=0.0, compare=False)


@dataclass(frozen=True, slots=True)
class ErrorReported:
    """Claude Code told of an error of the model's service.

    `kind` is what it calls it (`rate_limit`, `server_error`, …, "" where it does not say);
    `resets_at`: when a usage limit ends, in seconds since the epoch.
    """

    uuid: str
    text: str
    kind: str = ""
    resets_at: float | None = None


@dataclass(frozen=True, slots=True)
class LimitWaited:
    """At a usage limit Claude Code waits, to go on by itself; `is_over`: it goes on now."""

    uuid: str
    text: str
    is_over: bool


@dataclass(frozen=True, slots=True)
class CommandAnswered:
    """What a local slash command printed, without colours."""

    uuid: str
    text: str


@dataclass(frozen=True, slots=True)
class TurnInterrupted:
    """A person stopped the turn."""

    uuid: str


@dataclass(frozen=True, slots=True)
class TurnRecorded:
    """The transcript's mark at the end of a turn."""

    uuid: str
    seconds: float


HookEvent = (
    SessionStarted
    | SessionEnded
    | PromptSubmitted
    | TurnEnded
    | TextStreamed
    | SubagentStarted
    | SubagentEnded
    | PermissionAsked
)
TranscriptEvent = (
    PromptRecorded
    | AnswerGiven
    | ToolStarted
    | ToolEnded
    | ContextMeasured
    | ContextCompacted
    | SummaryWritten
    | ErrorReported
    | LimitWaited
    | CommandAnswered
    | TurnInterrupted
    | TurnRecorded
)

Status = Literal["idle", "shell", "busy", "waiting"]


@dataclass(frozen=True, slots=True)
class ClaudeProcess:
    """One live Claude Code process, as its own registry tells.

    Status: `shell` is idle while a command of its own runs on in the background. `since_ms`: when
    the status became what it is, in milliseconds since the epoch; `waiting_for`:
    what a `waiting` process waits for ("permission prompt", "dialog open", …). `is_script`: it is
    run by another program (`claude -p`), and nobody can type at it; `tmux`: the session of a tmux,
    whichever, that it runs in.
    """

    pid: int
    session_id: str
    directory: str
    status: Status | None
    since_ms: int = 0
    waiting_for: str = ""
    version: str = ""
    is_script: bool = False
    tmux: str = ""

    @property
    def is_idle(self) -> bool:
        """Whether it may be given a prompt."""
        return self.status in ("idle", "shell")
