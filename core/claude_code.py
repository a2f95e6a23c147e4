"""What the program believes about the Claude Code CLI, in one place, and since which version.

* Every belief has a row in `BELIEFS`, and self_test.py tries each on the user's own `claude`;
  docs/compatibility.md shows the outcome for the versions in `TESTED_VERSIONS`.
* A version is a tuple of numbers, (2, 1, 330). One that isn't known, (), counts as the newest.
* Unknown hooks, fields, lines and screens are normal: they are passed over, never guessed.
"""

from __future__ import annotations

from dataclasses import dataclass

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


def is_oldest(since: Version) -> bool:
    """Whether every supported version has what came with `since`, also one that isn't known."""
    return since <= OLDEST


def render_version(version: Version) -> str:
    """(2, 1, 330) -> `2.1.330`."""
    return ".".join(map(str, version)) or "of an unknown version"


# --- the command line -----------------------------------------------------------------------------

FLAGS = ("--version", "--session-id", "--resume", "--settings", "--permission-mode")
# They crash at `--resume`, and stay on the screen with a stack trace.
CANNOT_RESUME: frozenset[Version] = frozenset({(2, 1, 120)})
# Before, what a SessionStart hook told Claude is not in the transcript, so `--resume` forgets it.
TOLD_IS_KEPT_SINCE: Version = (2, 1, 100)
# With it set, no transcript is written at all.
CHILD_VARIABLE = "CLAUDE_CODE_CHILD_SESSION"

# --- hooks ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Hook:
    """An event, the fields read of it, and the first tested version that fires it.

    A name that a version does not know makes it open with a dialog: up to 2.1.100 "Settings Error",
    and the whole file is skipped; from 2.1.120 "Settings Warning", and the rest is in effect.
    """

    name: str
    fields: tuple[str, ...] = ()
    since: Version = OLDEST


# In every payload.
HOOK_FIELDS = ("hook_event_name", "session_id", "transcript_path", "cwd")

HOOKS: tuple[Hook, ...] = (
    Hook("SessionStart", ("source",)),
    Hook("SessionEnd", ("reason",)),
    Hook("UserPromptSubmit", ("prompt",)),
    Hook("Stop", ("stop_hook_active",)),
    Hook("StopFailure", ("error",), (2, 1, 80)),
    Hook("SubagentStart", ("agent_id", "agent_type"), (2, 1, 50)),
    Hook("SubagentStop", ("agent_id", "agent_type"), (2, 1, 50)),
    Hook("PermissionRequest", ("tool_name", "tool_input", "permission_suggestions")),
    # Up to 2.1.150 the name alone makes the dialog come.
    Hook("MessageDisplay", ("turn_id", "message_id", "index", "final", "delta"), (2, 1, 197)),
)

PERMISSION_ALLOWED = {
    "hookSpecificOutput": {
        "hookEventName": "PermissionRequest",
        "decision": {"behavior": "allow"},
    }
}


def hook_names(version: Version) -> tuple[str, ...]:
    """The hooks that this version may be asked for."""
    return tuple(hook.name for hook in HOOKS if is_there(hook.since, version))


# --- the registry of live processes ---------------------------------------------------------------

REGISTRY_FOLDER = "sessions"
REGISTRY_SINCE: Version = (2, 1, 80)
STATUS_SINCE: Version = (2, 1, 120)
# Before, an entry keeps the session id that the process was started with, also after /clear.
SESSION_FOLLOWED_SINCE: Version = (2, 1, 150)
# How the entry point of what is run by another program begins, in registry and transcripts.
SCRIPTS = "sdk-"
STATUSES: tuple[Status, ...] = ("idle", "shell", "busy", "waiting")
# Milliseconds; up to 2.1.150 there is only `updatedAt`, which changes with the status.
REGISTRY_FIELDS: dict[str, Version] = {
    "pid": REGISTRY_SINCE,
    "sessionId": REGISTRY_SINCE,
    "cwd": REGISTRY_SINCE,
    "startedAt": REGISTRY_SINCE,
    "version": STATUS_SINCE,
    "status": STATUS_SINCE,
    "waitingFor": STATUS_SINCE,
    "updatedAt": STATUS_SINCE,
    "statusUpdatedAt": (2, 1, 197),
}

# --- the transcript -------------------------------------------------------------------------------

TRANSCRIPT_LINES = ("user", "assistant", "system")
SYSTEM_LINES = ("turn_duration", "local_command", "informational")
INTERRUPTED = ("[Request interrupted by user]", "[Request interrupted by user for tool use]")

# --- typing ---------------------------------------------------------------------------------------

LONGEST_PIECE = 400
MOST_NEWLINES_IN_PIECE = 2
EXIT_WORDS = frozenset({"exit", "quit", ":q", ":q!", ":wq", ":wq!"})


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


@dataclass(frozen=True, slots=True)
class Dialog:
    """A dialog: what it is, a text that only it shows, and what a person can do about it."""

    name: str
    sign: str
    advice: str


DIALOGS: tuple[Dialog, ...] = (
    # 2.1.0; then 2.1.50 to 2.1.330. The choice that Enter takes is "Yes" first, and "No, exit" in
    # 2.1.330.
    Dialog("trust", "Do you trust the files in this folder?", "Answer it once in a terminal."),
    Dialog("trust", "Accessing workspace:", "Answer it once in a terminal."),
    Dialog("settings", "Settings Error", "A hook or a setting is not known to this version."),
    Dialog("settings", "Settings Warning", "A hook or a setting is not known to this version."),
    Dialog("theme", "Choose the text style", "Run claude once in a terminal."),
    Dialog("login", "Select login method", "Run claude once in a terminal and log in."),
    Dialog("API key", "Detected a custom API key", "Answer it once in a terminal."),
    Dialog("renderer", "fullscreen renderer", "Answer it once in a terminal."),
    Dialog("auto mode", "your default permission mode?", "Answer it once in a terminal."),
    Dialog("bypass", "Bypass Permissions mode", "Answer it once in a terminal."),
    Dialog("model", "Select model", "Escape closes it."),
    Dialog("permission", "Do you want to", "Answer it."),
)


# --- what the self-test tries ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Belief:
    """One thing that the program counts on; `instead`: what it does where that is not there."""

    key: str
    text: str
    instead: str
    since: Version = OLDEST


_NOTHING = "nothing works without it: the bridge says so"

BELIEFS: tuple[Belief, ...] = (
    Belief("starts", "starts with --session-id and --settings, and no dialog", _NOTHING),
    Belief(
        "session hook",
        "SessionStart hook says the session id and the transcript",
        "the process is known by the registry, the transcript by the session id",
    ),
    Belief(
        "registry",
        "the registry has an entry of the process",
        "its hooks and its screen tell of the process; a second one of a session, in a terminal "
        "of your own, is not noticed",
        REGISTRY_SINCE,
    ),
    Belief(
        "status",
        "the registry says idle and busy",
        "hooks and a screen that stands still do: a message is typed about a second later",
        STATUS_SINCE,
    ),
    Belief(
        "status time",
        "the registry says since when it is idle",
        "hooks and screen tell that, too",
        STATUS_SINCE,
    ),
    Belief("prompt", "a typed prompt reaches the model as it is", _NOTHING),
    Belief(
        "lines",
        "ten lines reach the model as they are",
        "none: only a part of it arrives, so update Claude Code",
    ),
    Belief(
        "long",
        "1,000 characters reach the model as they are",
        "none: only a part of it arrives, so update Claude Code",
    ),
    Belief("special", "quotes, $, back-ticks, ;, emoji and a last \\ reach the model", _NOTHING),
    Belief("exit word", "exit, in quotes, is only a word", _NOTHING),
    Belief(
        "prompt hook",
        "UserPromptSubmit hook says the prompt",
        "the transcript is the only proof that it arrived, a little later",
    ),
    Belief("prompt line", "the transcript gets the prompt", _NOTHING),
    Belief("answer line", "the transcript gets the answer", _NOTHING),
    Belief(
        "stop hook",
        "Stop hook at the end of a turn",
        "the registry or the transcript tells the end of a turn",
    ),
    Belief(
        "live text",
        "MessageDisplay hook while an answer is written",
        "no live text: an answer comes when it is whole",
        (2, 1, 197),
    ),
    Belief(
        "permission",
        "PermissionRequest hook; an allow through it runs the tool",
        "the terminal's own dialog, shown in the chat, with its keys",
    ),
    Belief(
        "interrupt",
        "Escape interrupts, and the transcript says so",
        "/kill ends the process, and the session goes on with the next message",
    ),
    Belief(
        "resume",
        "--resume keeps the id, and the model sees the history",
        "none: no session naps, and after a crash it waits until Claude Code is updated, which "
        "the chat is told",
    ),
    Belief(
        "clear",
        "/clear gives a new session id, told by hook",
        "the registry tells the new id",
    ),
    Belief(
        "followed",
        "the registry has the new session id after /clear",
        "the hook alone tells it; to go back to the session before, press “Take over”",
        SESSION_FOLLOWED_SINCE,
    ),
    Belief("own home", "everything it writes stays below its HOME", _NOTHING),
)
