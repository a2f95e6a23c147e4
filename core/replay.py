"""What a new conversation is told of one whose transcript is lost: bounded, and in parts.

* The task, the decisions, and as many of the last turns in full as there is room for; the whole is
  in a file that is named.
* Claude Code takes at most 10,000 characters (UTF-16 units) from one hook, and of more it shows
  Claude only the beginning: so no part is longer, and each says which it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.conversation import shorten
from core.history import CLAUDE, Record, RenderTime, Task, count, split_turns, sum_up

PART_UNITS = 9_500
_MOST_PARTS = 4
_ROOM = _MOST_PARTS * (PART_UNITS - 200)
_WISH_LENGTH = 1_500
_SUMMARY_LENGTH = 6_000
_MOST_DECISIONS = 30
_DECISION_LENGTH = 300
_CUT = "\n[… cut here; the file has all of it …]\n"


@dataclass(frozen=True, slots=True)
class Replay:
    """The parts for Claude, and the line for the chat."""

    parts: tuple[str, ...]
    told: str


def make_replay(
    records: Sequence[Record], render_time: RenderTime, whole: str, *, is_mended: bool = False
) -> Replay:
    """The replay of a history; `whole` is the path of the file that has all of it.

    `is_mended`: only a part of the transcript was lost.
    """
    task = sum_up(records)
    decisions = [record for record in records if record.kind == "decision"]
    blocks = [_render_opening(whole), _render_task(records)]
    if decisions:
        shown = decisions[-_MOST_DECISIONS:]
        lines = [f"- {shorten(r.text, _DECISION_LENGTH)} ({r.who or 'unknown'})" for r in shown]
        blocks.append("## What was decided\n" + "\n".join(lines))
    room = _ROOM - sum(_units(block) + 2 for block in blocks)
    turns = [turn for turn in split_turns(records) if turn[0].kind in ("prompt", "command")]
    texts, used = list[str](), 0
    for turn in reversed(turns):
        text = "\n\n".join(_render(record, render_time) for record in turn)
        if not texts:
            text = _cut_middle(text, room - 100)
        if used + _units(text) + 2 > room - 100:
            break
        texts.append(text)
        used += _units(text) + 2
    if texts:
        blocks.append("## The last turns\n" + "\n\n".join(reversed(texts)))
    parts = _split("\n\n".join(blocks))
    return Replay(parts, _tell(task, len(texts), is_mended=is_mended))


def _render_opening(whole: str) -> str:
    return (
        "Replay of this conversation. Claude Code's own transcript of it was lost, or a part of "
        "it; this is what the bridge between the chat and this terminal noted. Take it as what was "
        "said before, and go on from there; nothing in it is to be done again. All of it, with "
        f"every turn, is in {whole}: read that file before you say that you do not know something "
        "of it. Secrets in it are masked."
    )


def _render_task(records: Sequence[Record]) -> str:
    task = sum_up(records)
    tools = ", ".join(f"{name} ({number})" for name, number in task.tools)
    lines = ["## The task", f"Turns so far: {task.turns}."]
    if tools:
        lines.append(f"Tools used most: {tools}.")
    if task.summary:
        lines.append(f"The last summary of the conversation:\n{task.summary[:_SUMMARY_LENGTH]}")
    if task.first:
        lines.append(f"It began with: {task.first[:_WISH_LENGTH]}")
    if task.latest != task.first:
        lines.append(f"The latest wish: {task.latest[:_WISH_LENGTH]}")
    return "\n".join(lines)


def _render(record: Record, render_time: RenderTime) -> str:
    match record.kind:
        case "tool":
            return f"(You used {record.who}: {record.text})"
        case "decision":
            return f"({record.text}; by {record.who or 'unknown'})"
        case "plan":
            return f"(The plan that was approved:)\n{record.text}"
        case "interrupted":
            return "(The person interrupted you.)"
        case "output":
            return f"(Claude Code printed: {record.text})"
        case _:
            who = "You" if record.who == CLAUDE else record.who or "The person"
            return f"{who}, {render_time(record.at)}:\n{record.text}"


def _tell(task: Task, shown: int, *, is_mended: bool) -> str:
    turns = count(task.turns, "turn")
    last = "the last turn" if shown == 1 else f"the last {count(shown, 'turn')}"
    has = f"{last} in full" if shown < task.turns else f"all {turns}"
    found = ["the task", count(task.decisions, "decision") if task.decisions else ""]
    *most, final = filter(None, [*found, has if shown else ""])
    held = f"{', '.join(most)} and {final}" if most else final
    lost = "A part of Claude Code's" if is_mended else "Claude Code's"
    return (
        f"{lost} own transcript of this session was lost. This is a replay of what the "
        f"bridge had noted: {held}. "
        "Claude can read the whole in a file."
    )


def _split(text: str) -> tuple[str, ...]:
    """In parts of whole lines, where lines allow it."""
    room = PART_UNITS - 60
    parts, part, used = list[str](), list[str](), 0
    for line in text.split("\n"):
        for piece in _pieces(line, room):
            if part and used + _units(piece) + 1 > room:
                parts.append("\n".join(part))
                part, used = [], 0
            part.append(piece)
            used += _units(piece) + 1
    parts.append("\n".join(part))
    number = len(parts)
    if number == 1:
        return tuple(parts)
    return tuple(f"[part {n} of {number}]\n{part}" for n, part in enumerate(parts, 1))


def _pieces(line: str, units: int) -> list[str]:
    """A character takes two units at the most."""
    if _units(line) <= units:
        return [line]
    half = units // 2
    return [line[start : start + half] for start in range(0, len(line), half)]


def _cut_middle(text: str, units: int) -> str:
    if _units(text) <= units:
        return text
    kept = (units - len(_CUT)) // 4  # of each end; a character takes two units at the most
    return f"{text[:kept]}{_CUT}{text[-kept:]}"


def _units(text: str) -> int:
    return len(text) + sum(character > "\uffff" for character in text)
