"""What the program believes about the Claude Code CLI, in one place, and since which version.

* What reads or writes something of Claude Code takes its names from here: options, hooks, fields,
  lines, keys. Only where a whole module is about one matter does it stand there: what the input box
  makes of a text (core/keystrokes.py), the environment (core/environment.py), the control protocol
  (core/catalog.py), the answers to a hook (core/requests.py).
* What follows from it is in core/beliefs.py, and self_test.py tries each of these.
* A version is a tuple of numbers, (2, 1, 330). One that isn't known, (), counts as the newest.
* Unknown hooks, fields, lines and screens are normal: they are passed over, never guessed. A field
  of an unexpected kind must not cost the whole of what has it, so most are read as `Any`.
"""

# ruff: noqa: N815 - the names of fields are Claude Code's

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import msgspec

from core.events import Status

Version = tuple[int, ...]

TESTED_VERSIONS: tuple[Version, ...] = (
    (2, 1, 0),
    (2, 1, 50),
    (2, 1, 80),
    (2, 1, 100),
    (2, 1, 120),
    (2, 1, 150),
    (2, 1, 197),
    (2, 1, 250),
    (2, 1, 300),
    (2, 1, 330),
)

OLDEST: Version = (2, 1, 0)


def is_tested(version: Version) -> bool:
    """Whether this very version is in docs/compatibility.md."""
    return version in TESTED_VERSIONS


def is_there(since: Version, version: Version) -> bool:
    """Whether `version` has what came with `since`."""
    return not version or version >= since


def render_version(version: Version) -> str:
    """(2, 1, 330) -> `2.1.330`."""
    return ".".join(map(str, version)) or "of an unknown version"


# --- the command line -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Option:
    """An option, and the first tested version that takes it: one before ends at once."""

    name: str
    since: Version = OLDEST


OPTIONS: tuple[Option, ...] = (
    *map(Option, ("--version", "--settings", "--session-id", "--resume", "--fork-session")),
    *map(Option, ("--permission-mode", "--append-system-prompt", "--model")),
    *map(Option, ("--agent", "--plugin-dir")),
    Option("--effort", (2, 1, 50)),
    Option("--name", (2, 1, 80)),
    # From then on a resumed conversation has the system prompt that it was begun with, if not off.
    Option("--system-prompt-snapshot", (2, 1, 300)),
)
# What not every version takes as a permission mode; what they all take is not here.
MODES_SINCE: dict[str, Version] = {"auto": (2, 1, 197), "manual": (2, 1, 250)}
EFFORTS_SINCE: dict[str, Version] = {"max": (2, 1, 80), "xhigh": (2, 1, 120)}
# They crash at `--resume`, and stay on the screen with a stack trace.
CANNOT_RESUME: frozenset[Version] = frozenset({(2, 1, 120)})
# Before, what a SessionStart hook told Claude is not in the transcript, so `--resume` forgets it.
TOLD_IS_KEPT_SINCE: Version = (2, 1, 100)
# In the settings: without it, a start with that mode shows a dialog whose first answer is to exit.
SKIPS_BYPASS_DIALOG = "skipDangerousModePermissionPrompt"


def takes_option(name: str, version: Version) -> bool:
    """Whether this version can be started with the option."""
    since = {option.name: option.since for option in OPTIONS}
    return is_there(since[name], version)


def takes_mode(mode: str, version: Version) -> bool:
    """Whether this version can be started with the permission mode."""
    return is_there(MODES_SINCE.get(mode, OLDEST), version)


def takes_effort(level: str, version: Version) -> bool:
    """Whether this version can be started with the effort."""
    is_known = is_there(EFFORTS_SINCE.get(level, OLDEST), version)
    return is_known and takes_option("--effort", version)


# --- hooks ----------------------------------------------------------------------------------------


class HookName(StrEnum):
    """The events that hooks are asked for.

    A name that a version does not know makes it open with a dialog: up to 2.1.100 "Settings Error",
    and the whole file is skipped; from 2.1.120 "Settings Warning", and the rest is in effect.
    """

    SESSION_START = "SessionStart"
    SESSION_END = "SessionEnd"
    PROMPT_SUBMITTED = "UserPromptSubmit"
    STOP = "Stop"
    STOP_FAILURE = "StopFailure"
    PERMISSION_REQUEST = "PermissionRequest"
    MESSAGE_DISPLAY = "MessageDisplay"
    SUBAGENT_START = "SubagentStart"
    SUBAGENT_STOP = "SubagentStop"


# The first tested version that fires it, of those that not every version does.
_HOOKS_SINCE: dict[str, Version] = {
    HookName.STOP_FAILURE: (2, 1, 80),
    HookName.SUBAGENT_START: (2, 1, 50),
    HookName.SUBAGENT_STOP: (2, 1, 50),
    # Up to 2.1.150 the name alone makes the dialog come.
    HookName.MESSAGE_DISPLAY: (2, 1, 197),
}
# Before, the SessionStart hook of a copy (`--fork-session`) names the original; all else does not.
COPY_NAMED_SINCE: Version = (2, 1, 250)
# A hook with `async` is not waited for; versions before accept the word and wait.
UNAWAITED_SINCE: Version = (2, 1, 50)


def hook_names(version: Version) -> tuple[HookName, ...]:
    """The hooks that this version may be asked for: of one that isn't known what all have."""
    since = {name: _HOOKS_SINCE.get(name, OLDEST) for name in HookName}
    return tuple(name for name in HookName if since[name] <= max(version, OLDEST))


class HookPayload(msgspec.Struct):
    """What a hook is given on its standard input."""

    # every hook
    hook_event_name: str = ""
    session_id: str = ""
    # SessionStart, SessionEnd
    transcript_path: Any = None
    cwd: Any = None
    source: Any = None
    reason: Any = None
    # a turn
    prompt: Any = None
    prompt_id: Any = None
    permission_mode: Any = None
    error: Any = None
    background_tasks: Any = None  # from 2.1.150
    # PermissionRequest; the agent's also of SubagentStart and SubagentStop
    tool_name: Any = None
    tool_input: Any = None
    permission_suggestions: Any = None
    agent_id: Any = None
    agent_type: Any = None
    # MessageDisplay
    message_id: Any = None
    index: Any = None
    final: Any = None
    delta: Any = None


# --- the registry of live processes ---------------------------------------------------------------

REGISTRY_FOLDER = "sessions"
REGISTRY_SINCE: Version = (2, 1, 80)
STATUS_SINCE: Version = (2, 1, 120)
# Before, an entry keeps the session id that the process was started with, also after /clear.
SESSION_FOLLOWED_SINCE: Version = (2, 1, 150)
# How the entry point of what is run by another program begins, in registry and transcripts.
SCRIPTS = "sdk-"
STATUSES: tuple[Status, ...] = ("idle", "shell", "busy", "waiting")


class RegistryEntry(msgspec.Struct):
    """A file of the registry, `<pid>.json`; times in milliseconds."""

    pid: int
    sessionId: str = ""
    cwd: str = ""
    startedAt: float | None = None
    entrypoint: str | None = None
    tmux: str | None = None
    # with the status
    status: str | None = None
    waitingFor: str | None = None
    version: str | None = None
    updatedAt: float | None = None  # changes with the status
    statusUpdatedAt: float | None = None  # from 2.1.197


# --- the transcript -------------------------------------------------------------------------------

TRANSCRIPTS_FOLDER = "projects"


class LineType(StrEnum):
    """The lines of a transcript that are read, by their `type`."""

    USER = "user"
    ASSISTANT = "assistant"
    SYSTEM = "system"
    ATTACHMENT = "attachment"
    CUSTOM_TITLE = "custom-title"  # a person's
    AI_TITLE = "ai-title"
    SUMMARY = "summary"  # what was the title before
    LAST_PROMPT = "last-prompt"
    COST = "cost-state"


class SystemLine(StrEnum):
    """The `system` lines that are read, by their `subtype`."""

    COMPACTED = "compact_boundary"
    TURN_ENDED = "turn_duration"
    COMMAND = "local_command"
    INFORMATION = "informational"


class TranscriptMessage(msgspec.Struct):
    """The `message` of a line."""

    content: Any = None
    model: Any = None
    usage: Any = None
    stop_reason: Any = None


class TranscriptAttachment(msgspec.Struct):
    """The `attachment` of a line."""

    type: str = ""
    prompt: Any = None
    commandMode: str | None = None


class TranscriptLine(msgspec.Struct):
    """What of a line is part of the conversation."""

    type: str = ""
    subtype: str = ""
    uuid: str = ""
    message: TranscriptMessage | None = None
    content: Any = None
    attachment: TranscriptAttachment | None = None
    promptSource: str | None = None
    isSidechain: bool | None = False
    isMeta: bool | None = False
    isCompactSummary: bool | None = False
    isApiErrorMessage: bool | None = False
    durationMs: float | None = 0.0
    toolUseResult: Any = None
    compactMetadata: Any = None
    error: Any = None
    quotaLimits: Any = None
    timestamp: Any = None


class OverviewLine(msgspec.Struct):
    """What of a line tells about the session as a whole."""

    type: str = ""
    cwd: Any = None
    gitBranch: Any = None
    timestamp: Any = None
    entrypoint: Any = None
    isSidechain: Any = False
    customTitle: Any = None
    aiTitle: Any = None
    summary: Any = None
    lastPrompt: Any = None


class UsageMessage(msgspec.Struct):
    """The `message` of a line that tells what was used."""

    id: str = ""
    model: Any = None
    usage: Any = None


class UsageLine(msgspec.Struct):
    """What of a line tells how many tokens were used."""

    type: str = ""
    message: UsageMessage | None = None
    isApiErrorMessage: bool | None = False


class ModelCost(msgspec.Struct):
    """What was used of one model."""

    inputTokens: int = 0
    outputTokens: int = 0
    cacheReadInputTokens: int = 0
    cacheCreationInputTokens: int = 0


class CostLine(msgspec.Struct):
    """What a conversation has cost."""

    type: str = ""
    totalCostUSD: float = 0.0
    hasUnknownModelCost: bool = False
    modelUsage: dict[str, ModelCost] = {}


# In `usage`: what the model has read.
READ_TOKENS = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
# The `promptSource` of what the program itself says; some versions write none.
BY_THE_PROGRAM = (None, "", "system")
# The model of Claude Code's own filler: "No response requested." after a turn cut off.
NO_MODEL = "<synthetic>"
# The attachment, and its mode, of what a person said in the middle of a turn.
QUEUED, QUEUED_MODE = "queued_command", "prompt"
INTERRUPTED = ("[Request interrupted by user]", "[Request interrupted by user for tool use]")
# What a command, or a line of a shell, was called with, and what it printed.
COMMAND_TAG, ARGUMENTS_TAG, SHELL_TAG = "command-name", "command-args", "bash-input"
OUTPUT_TAGS = ("local-command-stdout", "local-command-stderr", "bash-stdout", "bash-stderr")
# How a text begins that is a command, and one that is no person's.
COMMAND_STARTS = ("<command-name>", "<command-message>")
ADDED_STARTS = ("<local-command-", "<bash-", "<system-reminder>", "<task-notification>")
# How a line of information begins, and what the second kind has in it where Claude Code goes on.
UNKNOWN_COMMAND = "Unknown command: "
LIMIT_TOLD, LIMIT_IS_OVER, LIMIT_IS_WAITED_FOR = "Usage limit re", "Usage limit reset", "continu"
# After a usage limit has reset it goes on by itself.
GOES_ON_SINCE: Version = (2, 1, 330)
# In the error of a turn without a login, or with one that has ended.
ASKS_TO_LOG_IN = "run /login"

# --- typing ---------------------------------------------------------------------------------------

LONGEST_PIECE = 400
MOST_NEWLINES_IN_PIECE = 2
EXIT_WORDS = frozenset({"exit", "quit", ":q", ":q!", ":wq", ":wq!"})
# One line of the box is cleared; all of it is put away until the next prompt was sent, or until the
# same key is pressed again.
CLEARING_KEY, STASHING_KEY = "C-u", "C-s"


@dataclass(frozen=True, slots=True)
class Typing:
    """How a prompt has to be typed: in small pieces or in one paste, and when Enter may follow."""

    in_pieces: bool
    seconds_before_enter: float


def typing_for(version: Version) -> Typing:
    """How this version has to be typed at.

    Up to 2.1.100 an Enter within about 0.5 s of a paste is lost; of several pastes in a row, 2.1.0
    and 2.1.120 keep only the last. One paste and a pause of 0.6 s were exact on all of them. Later
    versions take pieces and Enter at once, and 2.1.330 wraps what is longer than a piece.
    """
    return Typing(True, 0.0) if is_there((2, 1, 150), version) else Typing(False, 0.6)


# --- the screen -----------------------------------------------------------------------------------

PROMPT_SIGN = "❯"
# How long a screen has to stay as it is before `is_quiet` (core/screen.py) is believed.
STILL_SECONDS = 0.6
SPINNER_SIGNS = "·✢✳✶✻✽∗*"
INTERRUPT_OFFER = "to interrupt"
# It waits for a usage limit to reset; Escape ends that.
LIMIT_WAIT_SIGN = "Continuing automatically"


@dataclass(frozen=True, slots=True)
class Dialog:
    """A dialog: what it is, a text that only it shows, and what a person is told of it.

    Nothing where the dialog itself says all, or comes in the middle of what the person does.
    """

    name: str
    sign: str
    advice: str = ""


_TRUST = "Nobody has said yet that this folder is to be trusted. Answer with the keys."
_SETTINGS = (
    "Claude Code does not know a setting, or a hook, of the file that it names. Go on without it, "
    "or mend the file, or update Claude Code."
)
_FIRST_RUN = (
    "Claude Code has not been set up here. Answer with the keys, or run “claude” once there."
)

DIALOGS: tuple[Dialog, ...] = (
    # 2.1.0; then 2.1.50 to 2.1.330. The choice that Enter takes is "Yes" first, and "No, exit" in
    # 2.1.330.
    Dialog("trust", "Do you trust the files in this folder?", _TRUST),
    Dialog("trust", "Accessing workspace:", _TRUST),
    Dialog("settings", "Settings Error", _SETTINGS),
    Dialog("settings", "Settings Warning", _SETTINGS),
    Dialog("theme", "Choose the text style", _FIRST_RUN),
    Dialog(
        "login",
        "Select login method",
        "Claude Code is not logged in. Run “claude” once in a terminal on your machine, and /login "
        "there; then end this one with /kill, and send your message again.",
    ),
    Dialog(
        "API key",
        "Detected a custom API key",
        "The environment has a key that Claude Code was not told to use. Answer with the keys.",
    ),
    Dialog("renderer", "fullscreen renderer", _FIRST_RUN),
    Dialog("auto mode", "your default permission mode?", _FIRST_RUN),
    Dialog("bypass", "Bypass Permissions mode"),
    Dialog("effort", "Use medium effort"),  # 2.1.50, Opus
    Dialog("model", "Select model"),
    Dialog("permission", "Do you want to"),
)
