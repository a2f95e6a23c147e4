"""What the program counts on of Claude Code, and what it does where that is not there.

The self-test tries each on the user's own `claude`; docs/compatibility.md shows the outcome for the
tested versions. The names of Claude Code that it goes by are in core/claude_code.py.
"""

from __future__ import annotations

from dataclasses import dataclass

from core.claude_code import (
    OLDEST,
    REGISTRY_SINCE,
    SESSION_FOLLOWED_SINCE,
    STATUS_SINCE,
    TOLD_IS_KEPT_SINCE,
    UNAWAITED_SINCE,
    Version,
)


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
    Belief("exit words", "quit and :q, in quotes, are only words", _NOTHING),
    Belief("shell line", "what begins with ! is only read, behind a space", _NOTHING),
    Belief(
        "draft",
        "Ctrl-S puts a draft away, and it is back after the next prompt",
        "a prompt waits until the draft is gone from the input box",
    ),
    Belief(
        "own rest",
        "Ctrl-U takes the rest of a text out of the input box",
        "after a typing that was cut off a prompt waits until the input box is empty",
    ),
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
        "denial",
        "a deny through it keeps the tool from running, and says why",
        "the terminal's own dialog, shown in the chat, with its keys",
    ),
    Belief(
        "always",
        "it says how to be asked no more, and what is said back holds",
        "“Always” is not offered, or Claude asks again",
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
        "refusal",
        "Escape refuses a tool, and the transcript says so",
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
