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
# With it set, no transcript is written at all.
CHILD_VARIABLE = "CLAUDE_CODE_CHILD_SESSION"


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


@dataclass(frozen=True, slots=True)
class Hook:
    """An event, the fields read of it, and the first tested version that fires it.

    A name that a version does not know makes it open with a dialog: up to 2.1.100 "Settings Error",
    and the whole file is skipped; from 2.1.120 "Settings Warning", and the rest is in effect.
    """

    name: str
    fields: tuple[str, ...] = ()
    since: Version = OLDEST


# Before, the SessionStart hook of a copy (`--fork-session`) names the original; all else does not.
COPY_NAMED_SINCE: Version = (2, 1, 250)
# A hook with `async` is not waited for; versions before accept the word and wait.
UNAWAITED_SINCE: Version = (2, 1, 50)
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
# After a usage limit has reset it goes on by itself.
GOES_ON_SINCE: Version = (2, 1, 330)
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
    Dialog("effort", "Use medium effort", "Answer it once in a terminal."),  # 2.1.50, Opus
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
    Belief(
        "waiting",
        "the registry says that a dialog is open",
        "the screen shows it",
        STATUS_SINCE,
    ),
    Belief(
        "briefing",
        "--append-system-prompt reaches the model",
        "Claude does not know where to put a file for you; /get fetches one",
    ),
    Belief(
        "told",
        "what a SessionStart hook says reaches the model",
        "of a conversation whose transcript is lost Claude knows nothing; /history has it",
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
    Belief(
        "async",
        "an async hook does not hold up the turn",
        "its hooks hold a turn up by some hundredths of a second each",
        UNAWAITED_SINCE,
    ),
    Belief(
        "attached",
        'a file as @"path" in a prompt reaches the model',
        "Claude sees the path, and has to read the file by itself",
    ),
    Belief("prompt line", "the transcript gets the prompt", _NOTHING),
    Belief("answer line", "the transcript gets the answer", _NOTHING),
    Belief(
        "usage",
        "the transcript says how much the model has read",
        "the chat does not show how full the context is",
    ),
    Belief(
        "turn line",
        "the transcript says that a turn has ended",
        "the Stop hook or the registry tells it",
        (2, 1, 120),
    ),
    Belief(
        "tool lines",
        "the transcript says which tool began, and how it ended",
        "the card of a turn shows no tools",
    ),
    Belief(
        "change",
        "the transcript says what a tool changed in a file",
        "the chat shows no changes of files",
    ),
    Belief(
        "failure line",
        "the transcript says an error of the model's service",
        "only the card of the turn says that it failed",
    ),
    Belief(
        "command line",
        "the transcript says a slash command, and what it printed",
        "whether a command has run is told by the screen, not by the chat",
    ),
    Belief(
        "context",
        "what /context prints is read",
        "the chat shows it as it is printed",
    ),
    Belief(
        "stop hook",
        "Stop hook at the end of a turn",
        "the registry or the transcript tells the end of a turn",
    ),
    Belief(
        "failure hook",
        "StopFailure hook at an error of the model's service",
        "the transcript's line tells it",
        (2, 1, 80),
    ),
    Belief(
        "subagents",
        "SubagentStart and SubagentStop hooks",
        "the card of a turn does not show what sub-agents do",
        (2, 1, 50),
    ),
    Belief(
        "background",
        "Stop hook says what works on in the background",
        "a card goes by what the tools said when they began",
        (2, 1, 150),
    ),
    Belief(
        "end hook",
        "SessionEnd hook when the process ends",
        "the process itself is watched",
        (2, 1, 50),
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
        "question",
        "Claude's questions are answered through that hook",
        "the terminal's own dialog, shown in the chat, with its keys",
    ),
    Belief(
        "plan",
        "a plan is approved through it, with the mode to go on in",
        "the terminal's own dialog, shown in the chat, with its keys",
    ),
    Belief(
        "rules",
        "Claude may use the folders of its files unasked",
        "it asks before it reads what you sent, and before it sends you something",
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
        "told kept",
        "after --resume the model still knows what that hook said",
        "it is said again at every start",
        TOLD_IS_KEPT_SINCE,
    ),
    Belief(
        "copy",
        "--fork-session copies the history, and leaves the original as it is",
        "the copy says why it does not start; /resume goes back to the original",
    ),
    Belief("model", "--model chooses the model", "Claude Code's own default answers"),
    Belief(
        "effort",
        "--effort chooses how hard it thinks",
        "/effort offers nothing, and none is asked for",
        (2, 1, 50),
    ),
    Belief(
        "mode", "--permission-mode chooses the mode", "/mode shows the one that it is really in"
    ),
    Belief(
        "agent",
        "--agent of a plugin reaches the model, also in a conversation that goes on",
        "Claude goes on as the agent that it was",
    ),
    Belief(
        "title",
        "--name is in the transcript as its title",
        "a title given in the chat is known to the bridge alone",
        (2, 1, 80),
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
    Belief(
        "catalog",
        "it says its models and commands when asked by its control protocol",
        "the chat offers what every version has; others can be written",
    ),
    Belief(
        "agents",
        "it says its agents, too",
        "the chat offers the bridge's own; others can be written",
        (2, 1, 80),
    ),
    Belief("own home", "everything it writes stays below its HOME", _NOTHING),
)
