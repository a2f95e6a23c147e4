"""The live card of a turn: what Claude is doing now, and what it has done so far.

* Pure: an event makes another `Card`, and `render_card` says how it looks at a time.
* While the turn runs, a card has a headline, the text that is being written, the list of tasks, the
  sub-agents, and a line for each tool in the details. At the end one line sums it all up.
* Text that has become a message of its own is not shown in the card again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from core.context_window import render_context
from core.events import (
    AnswerGiven,
    BackgroundTask,
    ContextMeasured,
    HookEvent,
    PromptSubmitted,
    SubagentEnded,
    SubagentStarted,
    TextStreamed,
    ToolEnded,
    ToolStarted,
    TranscriptEvent,
    TurnEnded,
    TurnRecorded,
)
from core.file_change import FileChange, inline_code, read_change, render_counts
from core.streamed_text import StreamedText
from core.tool_use import cut_line, find_icon, name_tool, read_argument, sum_up

Outcome = Literal["done", "failed", "stopped", "died", "unknown"]

LIVE = "⏳"
_FOLDED: dict[Outcome, str] = {
    "done": "✅ Done in",
    "failed": "❌ Failed after",
    "stopped": "⏹️ Stopped after",
    "died": "💥 Claude Code ended after",
    "unknown": "☑️ Ended after",
}
FOLDED = tuple(_FOLDED.values())
"""How a folded card begins."""
_NOTHING = StreamedText()
_TASK_TOOLS = ("TaskCreate", "TaskUpdate", "TaskGet", "TaskList", "TodoWrite")
_HEADLINE_LENGTH = 60
_TEXT_LENGTH = 1500
_MOST_TASKS = 12
_MOST_TOOLS = 60
_TOLD = 8
# Claude Code tells Claude in a prompt of its own which work in the background has ended.
_NOTIFIED = re.compile(r"<task-id>([^<]+)</task-id>")
_TICKS = {"completed": "☑", "in_progress": "▶"}


@dataclass(frozen=True, slots=True)
class ToolLine:
    """One use of a tool; `outcome` is None while it runs."""

    tool_id: str
    name: str
    argument: str
    description: str = ""
    outcome: str | None = None
    is_error: bool = False


@dataclass(frozen=True, slots=True)
class TaskLine:
    """One row of Claude's own list of tasks; status: pending, in_progress, completed."""

    task_id: str
    subject: str
    status: str = "pending"


@dataclass(frozen=True, slots=True)
class Card:
    """What is known of one turn; times in seconds of any clock.

    `notice` says in the headline what nothing else can know, such as that a person is asked.
    """

    started_at: float
    directory: str = ""
    tools: tuple[ToolLine, ...] = ()
    streamed: StreamedText = field(default_factory=StreamedText)
    told: tuple[str, ...] = ()
    tasks: tuple[TaskLine, ...] = ()
    background: tuple[BackgroundTask, ...] = ()
    changes: dict[str, tuple[int, int]] = field(default_factory=dict)
    tokens: int = 0
    model: str = ""
    notice: str = ""
    outcome: Outcome | None = None
    seconds: float = 0.0

    @property
    def running(self) -> list[ToolLine]:
        """The tools that run now."""
        return [tool for tool in self.tools if tool.outcome is None]

    @property
    def shown_tools(self) -> list[ToolLine]:
        """Those that are no matter of the list of tasks, which is shown by itself."""
        return [tool for tool in self.tools if tool.is_error or tool.name not in _TASK_TOOLS]

    @property
    def text(self) -> str:
        """What is being written and not yet said."""
        for text in reversed(self.streamed.texts):
            squeezed = _squeeze(text)
            if squeezed:
                return "" if any(squeezed in told for told in self.told) else text
        return ""


def follow_up(card: Card) -> Card:
    """What the next turn's card begins with: Claude's tasks and what runs in the background go on.

    It may `advance` before it begins: what is heard then is the next turn's, or late news of this.
    """
    is_done = all(task.status == "completed" for task in card.tasks)
    tasks = () if is_done else card.tasks
    following = Card(card.started_at, card.directory, tasks=tasks, background=card.background)
    # Of a turn that was cut off, what was written and never said is no beginning of the next.
    streamed = card.streamed if card.outcome == "done" else _NOTHING
    return replace(following, streamed=streamed, told=card.told)


def begin_card(card: Card, now: float) -> Card:
    """The card of a turn that begins, from what `follow_up` has kept; late news are left out."""
    return replace(card, started_at=now, told=(), streamed=card.streamed if card.text else _NOTHING)


def end_card(card: Card, outcome: Outcome, now: float) -> Card:
    """The card of a turn that is over."""
    return replace(card, outcome=outcome, seconds=card.seconds or max(0.0, now - card.started_at))


def advance(card: Card, event: HookEvent | TranscriptEvent) -> Card:
    """The card after this event; the same one when it tells a card nothing."""
    match event:
        case TextStreamed():
            streamed = card.streamed.add(event.message_id, event.index, event.delta)
            return replace(card, streamed=streamed, notice="")
        case AnswerGiven():
            return replace(card, told=(*card.told, _squeeze(event.text))[-_TOLD:])
        case ToolStarted():
            return _start_tool(card, event)
        case ToolEnded():
            return _end_tool(card, event)
        case ContextMeasured():
            return replace(card, tokens=event.tokens, model=event.model)
        case TurnRecorded() if event.seconds:
            return replace(card, seconds=event.seconds)
        case PromptSubmitted():
            return _drop_background(card, _NOTIFIED.findall(event.prompt))
        case SubagentStarted() | SubagentEnded():
            return _follow_agent(card, event)
        case TurnEnded(background=tuple(tasks)):
            return replace(card, background=tasks)
        case _:
            return card


def _start_tool(card: Card, event: ToolStarted) -> Card:
    if any(tool.tool_id == event.tool_id for tool in card.tools):
        return card
    description = event.input.get("description")
    line = ToolLine(
        event.tool_id,
        event.name,
        read_argument(event.name, event.input, card.directory),
        description if isinstance(description, str) else "",
    )
    return replace(
        card,
        tools=(*card.tools, line),
        tasks=_rewrite_tasks(card.tasks, event.name, event.input),
        notice="",
    )


def _rewrite_tasks(
    tasks: tuple[TaskLine, ...], name: str, given: dict[str, Any]
) -> tuple[TaskLine, ...]:
    """The list after TodoWrite, which gives it whole, or TaskUpdate."""
    todos = given.get("todos")
    if name == "TodoWrite" and isinstance(todos, list):
        return tuple(_read_todos(todos))
    status, task_id = given.get("status"), given.get("taskId")
    if name == "TaskUpdate" and isinstance(status, str):
        changed = (replace(t, status=status) if t.task_id == task_id else t for t in tasks)
        return tuple(task for task in changed if task.status != "deleted")
    return tasks


def _read_todos(todos: list[Any]) -> Iterable[TaskLine]:
    for number, todo in enumerate(todos):
        if isinstance(todo, dict) and isinstance(todo.get("content"), str):
            yield TaskLine(str(number), todo["content"], str(todo.get("status", "pending")))


def _end_tool(card: Card, event: ToolEnded) -> Card:
    line = next((tool for tool in card.tools if tool.tool_id == event.tool_id), None)
    if line is None or line.outcome is not None:
        return card
    ended = replace(line, outcome=sum_up(line.name, event), is_error=event.is_error)
    tools = tuple(ended if tool is line else tool for tool in card.tools)
    change = None if event.is_error else read_change(event.result)
    return replace(
        card,
        tools=tools,
        changes=card.changes if change is None else _count_change(card.changes, change),
        tasks=_add_task(card.tasks, event.result),
        background=_add_background(card.background, line, event.result),
    )


def _count_change(
    changes: dict[str, tuple[int, int]], change: FileChange
) -> dict[str, tuple[int, int]]:
    added, removed = changes.get(change.path, (0, 0))
    return {**changes, change.path: (added + change.added, removed + change.removed)}


def _add_task(tasks: tuple[TaskLine, ...], result: dict[str, Any]) -> tuple[TaskLine, ...]:
    """The list with the task that TaskCreate made."""
    task = result.get("task")
    if not isinstance(task, dict) or not isinstance(task.get("subject"), str):
        return tasks
    made = TaskLine(str(task.get("id", "")), task["subject"])
    return (*(known for known in tasks if known.task_id != made.task_id), made)


def _add_background(
    background: tuple[BackgroundTask, ...], line: ToolLine, result: dict[str, Any]
) -> tuple[BackgroundTask, ...]:
    """With what a tool left running."""
    agent, shell = result.get("agentId"), result.get("backgroundTaskId")
    if isinstance(agent, str) and result.get("isAsync") is True:
        what = result.get("description")
        shown = what if isinstance(what, str) else line.description
        return _put(background, BackgroundTask(agent, "subagent", shown))
    if isinstance(shell, str):
        return _put(background, BackgroundTask(shell, "shell", line.argument))
    return background


def _follow_agent(card: Card, event: SubagentStarted | SubagentEnded) -> Card:
    if isinstance(event, SubagentEnded):
        return _drop_background(card, [event.agent_id])
    if any(task.task_id == event.agent_id for task in card.background):
        return card
    begun = BackgroundTask(event.agent_id, "subagent", event.agent_type)
    return replace(card, background=(*card.background, begun))


def _drop_background(card: Card, ended: list[str]) -> Card:
    left = tuple(task for task in card.background if task.task_id not in ended)
    return card if left == card.background else replace(card, background=left)


def _put(
    background: tuple[BackgroundTask, ...], task: BackgroundTask
) -> tuple[BackgroundTask, ...]:
    return (*(known for known in background if known.task_id != task.task_id), task)


# --- how it looks ---------------------------------------------------------------------------------


def render_card(card: Card, now: float, redact: Callable[[str], str] = str) -> tuple[str, str]:
    """The card's text (Markdown), and its details: plain lines, the newest last.

    `redact` masks secrets in the text that is being written, of which only the end is shown.
    """
    if card.outcome is not None:
        return _render_folded(card), ""
    parts = [f"{LIVE} {render_seconds(now - card.started_at)} · {_headline(card)}"]
    text = _end_of(redact(card.text))
    if text:
        parts.append(text)
    if card.tasks:
        parts.append("\n".join(_task_lines(card.tasks)))
    parts += [
        f"🤖 {_plain(task.description)}" for task in card.background if task.kind == "subagent"
    ]
    return "\n\n".join(parts), "\n".join(map(_render_tool, card.shown_tools[-_MOST_TOOLS:]))


def _headline(card: Card) -> str:
    if card.notice:
        return _plain(card.notice)
    running = card.running
    if running:
        first = running[-1]
        more = f" and {len(running) - 1} more" if len(running) > 1 else ""
        argument = inline_code(cut_line(first.argument, _HEADLINE_LENGTH))
        name = _escape(name_tool(first.name))
        between = "" if not argument else " " if ":" in name else ": "
        return f"Running {name}{between}{argument}{more}"
    return "Writing…" if card.text else "Thinking…"


def _escape(name: str) -> str:
    """A name as Markdown that means nothing but itself."""
    return inline_code(name) if "_" in name or not name.isascii() else name


def _task_lines(tasks: tuple[TaskLine, ...]) -> list[str]:
    """One line each; where there are many, those around the first that is not done."""
    first = next((n for n, task in enumerate(tasks) if task.status != "completed"), len(tasks))
    start = max(0, min(first - 2, len(tasks) - _MOST_TASKS))
    shown = tasks[start : start + _MOST_TASKS]
    lines = [f"{_TICKS.get(task.status, '☐')} {_plain(task.subject)}" for task in shown]
    before, after = start, len(tasks) - start - len(shown)
    lines = [f"… {before} before", *lines] if before else lines
    # Two spaces make Markdown keep the end of a line.
    return [f"{line}  " for line in ([*lines, f"… {after} more"] if after else lines)]


def _plain(text: str) -> str:
    """Text of others as Markdown that shows it as it is."""
    line = cut_line(text, _HEADLINE_LENGTH)
    return "".join(f"\\{c}" if c in "\\`*_[]<>#~|!" else c for c in line)


def _render_tool(tool: ToolLine) -> str:
    words = [find_icon(tool.name), name_tool(tool.name), tool.argument]
    line = " ".join(word for word in words if word)
    if tool.outcome is None:
        return f"{line} …"
    mark = "✗ " if tool.is_error else ""
    return f"{line} — {mark}{tool.outcome}" if tool.outcome else line


def _render_folded(card: Card) -> str:
    parts = [f"{_FOLDED[card.outcome or 'unknown']} {render_seconds(card.seconds)}"]
    tools = len(card.shown_tools)
    if tools:
        parts.append(f"{tools} tool{'' if tools == 1 else 's'}")
    if card.changes:
        added = sum(added for added, _ in card.changes.values())
        removed = sum(removed for _, removed in card.changes.values())
        files = f"{len(card.changes)} file{'' if len(card.changes) == 1 else 's'}"
        parts.append(f"{files} {render_counts(added, removed)}")
    if card.background:
        parts.append(f"{len(card.background)} still running in the background")
    if card.tokens:
        parts.append(render_context(card.tokens, card.model))
    return " · ".join(parts)


def render_seconds(seconds: float) -> str:
    """A span of time: `7 s`, `1 min 5 s`, `2 h 3 min`."""
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def _end_of(text: str) -> str:
    """The end of a long text, from the beginning of a line on."""
    text = text.strip()
    if len(text) <= _TEXT_LENGTH:
        return text
    end = text[-_TEXT_LENGTH:]
    _, found, rest = end.partition("\n")
    return f"…\n{rest if found and rest.strip() else end}"


def _squeeze(text: str) -> str:
    return " ".join(text.split())
