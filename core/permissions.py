"""May this tool run? What would run, exactly and in full, and what can be answered."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from core.events import PermissionAsked
from core.requests import (
    Allow,
    Answered,
    Changed,
    Choice,
    Input,
    Row,
    State,
    Step,
    View,
    render_allow,
    render_deny,
)
from core.suggestions import Always, read_always
from core.tool_use import name_tool
from core.visible_text import (
    cut,
    escape_line,
    escape_markdown,
    make_line,
    make_visible,
    render_block,
)

_DENIED = "The user denied this."
_LONGEST = 3_000
_NO_NEW_LINE = "\\ No new line at the end"
_BEGINNING = 1_200
_LONGEST_WORDS = 300
_MOST_COMPARED = 250_000  # pairs of lines; beyond that it would take seconds


@dataclass(frozen=True, slots=True)
class _Form:
    """How a tool is shown: a question, the inputs shown as they are (language by field)."""

    question: str
    blocks: tuple[tuple[str, str], ...]
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Block:
    """A part of the input as it is, in this language."""

    text: str
    language: str = ""


_FILE_NAMES = {
    "Bash": "command.txt",
    "Edit": "change.diff",
    "Write": "file.diff",
    "NotebookEdit": "change.diff",
}
_FORMS = {
    "Bash": _Form("Run this command?", (("command", "bash"),), ("description",)),
    "Read": _Form("Read this file?", (("file_path", ""),)),
    "WebFetch": _Form("Fetch this page?", (("url", ""), ("prompt", "prompt"))),
    "WebSearch": _Form("Search the web for this?", (("query", ""),)),
}


@dataclass(frozen=True, slots=True)
class Permission:
    """A tool that waits for leave; the state says whether a reason for a denial is awaited."""

    asked: PermissionAsked

    @property
    def summary(self) -> str:
        """The tool and the first thing in its input."""
        first = next((v for v in self.asked.input.values() if isinstance(v, str)), "")
        return make_line(f"{self.asked.tool} {first}")

    def view(self, state: State) -> View:
        """The tool's input, and Allow, Always, Deny."""
        asked, whole = _render(self.asked)
        always = self._always()
        notes = [f"“Always” means: {always.sentence}"] if always is not None else []
        if state.get("awaits"):
            notes = ["✏️ Why not? The next text that you send is the reason."]
            rows: list[Row] = [(_ALLOW, Choice("Deny without a reason", "deny"))]
        else:
            rows = [(_ALLOW, Choice("Deny", "deny"))]
            if always is not None:
                rows.append((Choice(always.label, "always", is_approval=True),))
            rows.append((Choice("Deny and say why", "why"),))
        name = _FILE_NAMES.get(self.asked.tool, "request.txt")
        return View("\n\n".join([asked, *notes]), tuple(rows), asked, whole, name)

    def press(self, word: str, state: State) -> Step | None:
        """One of the four."""
        always = self._always()
        match word:
            case "allow":
                return Answered(render_allow(Allow()), "✅ **Allowed.**", "allowed")
            case "always" if always is not None:
                answer = render_allow(Allow(updates=self.asked.suggestions))
                outcome = f"✅ **Allowed, from now on:** {always.sentence}"
                return Answered(answer, outcome, f"allowed always ({always.label})")
            case "deny":
                return Answered(render_deny(_DENIED), "❌ **Denied.**", "denied", is_allowed=False)
            case "why":
                return Changed({"awaits": "reason"}, "Write why.")
            case _:
                return None

    def write(self, text: str, state: State) -> Step:
        """A text never allows anything: it is why not."""
        outcome = f"❌ **Denied:** {escape_markdown(text)}"
        return Answered(render_deny(text), outcome, "denied with a reason", is_allowed=False)

    def _always(self) -> Always | None:
        return read_always(self.asked.suggestions)


_ALLOW = Choice("Allow", "allow", is_approval=True)


def render_heading(icon: str, question: str, asked: PermissionAsked) -> str:
    """The first line of a request; a sub-agent's says so."""
    by = f"\n_for a sub\\-agent ({escape_line(asked.agent)})_" if asked.agent_id else ""
    return f"{icon} **{question}**{by}"


def _render(asked: PermissionAsked) -> tuple[str, str]:
    """As Markdown; when it is too long for a message its beginning, and the whole as a text."""
    parts = list(_list_parts(asked))
    if sum(len(part.text if isinstance(part, _Block) else part) for part in parts) <= _LONGEST:
        return "\n\n".join(map(_render_part, parts)), ""
    whole = [make_visible(part.text) for part in parts if isinstance(part, _Block)]
    parts = [_cut(part) if isinstance(part, _Block) else part for part in parts]
    parts.append("📎 _All of it is in the file above\\._")
    return "\n\n".join(map(_render_part, parts)), "\n\n".join(whole)


def _cut(block: _Block) -> _Block:
    return _Block(cut(make_visible(block.text), _BEGINNING), block.language)


def _render_part(part: str | _Block) -> str:
    return part if isinstance(part, str) else render_block(part.text, part.language)


def _list_parts(asked: PermissionAsked) -> Iterator[str | _Block]:
    """Every field of the input is shown, each where it is read best."""
    rest = dict(asked.input)
    match asked.tool:
        case "Edit" | "Write" | "NotebookEdit":
            yield from _list_change(asked, rest)
        case tool if tool in _FORMS:
            form = _FORMS[tool]
            yield render_heading("🔐", form.question, asked)
            for name in form.words:
                if isinstance(rest.get(name), str) and 0 < len(rest[name]) <= _LONGEST_WORDS:
                    yield escape_markdown(rest.pop(name))
            for name, language in form.blocks:
                if isinstance(rest.get(name), str):
                    yield _Block(rest.pop(name), language)
        case tool:
            yield render_heading("🔐", f"Use {escape_line(name_tool(tool))}?", asked)
    if rest:
        yield _Block(json.dumps(rest, indent=2, ensure_ascii=False), "json")


def _list_change(asked: PermissionAsked, rest: Input) -> Iterator[str | _Block]:
    """A file's change as a diff; what it takes for that is taken out of `rest`."""
    path = rest.pop("notebook_path" if asked.tool == "NotebookEdit" else "file_path", None)
    old: Any = ""
    match asked.tool:
        case "Edit":
            question, new = "Change this file?", "new_string"
            old = rest.pop("old_string", "")
            if rest.get("replace_all") is False:
                del rest["replace_all"]
        case "Write":
            question, new = "Write this file?", "content"
        case _:
            question, new = "Change this notebook?", "new_source"
    yield render_heading("🔐", question, asked)
    yield _Block(_as_text(path))
    yield _Block(make_diff(_as_text(old), _as_text(rest.pop(new, ""))), "diff")


def make_diff(old: str, new: str) -> str:
    """All lines of both texts, each marked as gone, come or kept."""
    before, after = _list_lines(old), _list_lines(new)
    if old and new and old.endswith("\n") != new.endswith("\n"):
        (after if old.endswith("\n") else before).append(_NO_NEW_LINE)
    if len(before) * len(after) > _MOST_COMPARED:
        return "\n".join([*(f"-{line}" for line in before), *(f"+{line}" for line in after)])
    lines: list[str] = []
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    for kind, first, last, other_first, other_last in matcher.get_opcodes():
        if kind == "equal":
            lines += (f" {line}" for line in before[first:last])
        else:
            lines += (f"-{line}" for line in before[first:last])
            lines += (f"+{line}" for line in after[other_first:other_last])
    return "\n".join(lines)


def _list_lines(text: str) -> list[str]:
    """The lines; a new line at the end begins none."""
    return text.removesuffix("\n").split("\n") if text else []


def _as_text(value: Any) -> str:
    """A field that should be a text; whatever it is, it is shown."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
