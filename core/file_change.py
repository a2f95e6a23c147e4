"""What a tool of Claude Code changed in a file, read from its own account, as a diff.

* Known by its shape, not by the tool's name: versions name and add tools as they like.
* An account without a patch (a new file, a notebook's cell) is compared here.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

_MANY_BACKTICKS = 3
_MOST_LINES = 30
_LONGEST_LINE = 110


@dataclass(frozen=True, slots=True)
class FileChange:
    """`path` as Claude Code gave it; `lines` are those of a unified diff, hunk headers included."""

    path: str
    lines: tuple[str, ...]
    is_new: bool = False

    @property
    def added(self) -> int:
        """How many lines it added."""
        return sum(line.startswith("+") for line in self.lines)

    @property
    def removed(self) -> int:
        """How many lines it took away."""
        return sum(line.startswith("-") for line in self.lines)


def read_change(result: dict[str, Any]) -> FileChange | None:
    """The change that a tool's result tells of; None for one that tells of none."""
    path = result.get("filePath") or result.get("notebook_path")
    if not isinstance(path, str) or not path:
        return None
    lines = tuple(_patch_lines(result.get("structuredPatch")))
    if lines:
        return FileChange(path, lines)
    before, after = _texts(result)
    if before is None and after is None:
        return None
    lines = tuple(_compare(before or "", after or ""))
    is_new = result.get("type") == "create"
    return FileChange(path, lines, is_new) if lines or is_new else None


def _patch_lines(patch: Any) -> Iterator[str]:
    for hunk in patch if isinstance(patch, list) else ():
        lines = hunk.get("lines") if isinstance(hunk, dict) else None
        if isinstance(lines, list) and lines:
            counts = [_count(hunk.get(name)) for name in ("oldStart", "oldLines")]
            counts += [_count(hunk.get(name)) for name in ("newStart", "newLines")]
            yield "@@ -{},{} +{},{} @@".format(*counts)
            yield from (_one_line(line) for line in lines if isinstance(line, str))


def _texts(result: dict[str, Any]) -> tuple[str | None, str | None]:
    """What was there, and what took its place."""
    for old, new in (
        ("oldString", "newString"),
        ("old_source", "new_source"),
        ("originalFile", "content"),
    ):
        before, after = result.get(old), result.get(new)
        if isinstance(before, str) or isinstance(after, str):
            return (
                before if isinstance(before, str) else None,
                after if isinstance(after, str) else None,
            )
    return None, None


def _compare(before: str, after: str) -> Iterator[str]:
    found = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="")
    for number, line in enumerate(found):
        if number >= 2:  # behind the names of the files
            yield _one_line(line)


def _one_line(line: str) -> str:
    return line.replace("\r", "").replace("\n", " ")


def _count(value: Any) -> int:
    return value if isinstance(value, int) else 0


def render_counts(added: int, removed: int) -> str:
    """`+3 −1`; only what is not nothing."""
    counts = [f"+{added}"] if added else []
    counts += [f"−{removed}"] if removed else []
    return " ".join(counts) or "±0"


def relative_path(path: str, directory: str) -> str:
    """The path as seen from the project's directory, if it is in there."""
    if not directory:
        return path
    whole = PurePosixPath(path)
    if not whole.is_relative_to(directory) or whole == PurePosixPath(directory):
        return path
    return str(whole.relative_to(directory))


def render_change(change: FileChange, directory: str) -> str:
    """The change as Markdown: a line that sums it up, and its first lines as a block."""
    name = inline_code(relative_path(change.path, directory))
    counts = render_counts(change.added, change.removed)
    head = f"{'📄 new' if change.is_new else '✏️'} {name} {counts}"
    if not change.lines:
        return head
    shown = [_cut(line) for line in change.lines[:_MOST_LINES]]
    left = len(change.lines) - len(shown)
    if left:
        shown.append(f"… {left} more lines")
    return f"{head}\n{code_block(shown, 'diff')}"


def is_cut(change: FileChange) -> bool:
    """Whether `render_change` leaves out a part of it."""
    return len(change.lines) > _MOST_LINES or any(_cut(line) != line for line in change.lines)


def _cut(line: str) -> str:
    return line if len(line) <= _LONGEST_LINE else f"{line[: _LONGEST_LINE - 1]}…"


def render_file(change: FileChange, directory: str) -> str:
    """The whole change as a file that `patch` understands."""
    name = relative_path(change.path, directory)
    old = "/dev/null" if change.is_new else f"a/{name.lstrip('/')}"
    return "\n".join([f"--- {old}", f"+++ b/{name.lstrip('/')}", *change.lines, ""])


def name_file(change: FileChange) -> str:
    """What to call the whole change."""
    return f"{PurePosixPath(change.path).name or 'change'}.diff"


def code_block(lines: list[str], language: str) -> str:
    """Lines as a block of code that nothing in them ends."""
    fence = "`" * max(_MANY_BACKTICKS, 1 + max(map(_longest_backticks, lines), default=0))
    return "\n".join([f"{fence}{language}", *lines, fence])


def inline_code(text: str) -> str:
    """Text as a span of code on one line, that nothing in it ends."""
    line = " ".join(text.split())
    if not line:
        return ""
    fence = "`" * (1 + _longest_backticks(line))
    space = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{fence}{space}{line}{space}{fence}"


def _longest_backticks(text: str) -> int:
    longest = run = 0
    for character in text:
        run = run + 1 if character == "`" else 0
        longest = max(longest, run)
    return longest
