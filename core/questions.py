"""Claude's questions to the person (AskUserQuestion): one message that steps through them.

* A single question with one choice is answered by one press. All else can be changed until sent.
* A written text is an answer of one's own; with several choices it counts beside them.
* The state holds which question is looked at (`at`; behind the last one all are), the numbers of
  the chosen options (`picked`) and the written answers (`written`), both by the question's number.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from core.conversation import shorten
from core.events import PermissionAsked
from core.permissions import render_heading
from core.requests import (
    Allow,
    Answered,
    Changed,
    Choice,
    Row,
    State,
    Step,
    View,
    render_allow,
    render_deny,
)
from core.visible_text import escape_line, escape_markdown, make_line, render_block

_LABEL_LENGTH = 40
_SHORT_LABEL = 14
_NOT_ANSWERED = "The user does not want to answer this."


@dataclass(frozen=True, slots=True)
class Option:
    """One thing to choose."""

    label: str
    description: str
    preview: str


@dataclass(frozen=True, slots=True)
class Question:
    """One question; its text is what its answer is filed under."""

    text: str
    header: str
    options: tuple[Option, ...]
    is_multiple: bool


@dataclass(frozen=True, slots=True)
class Questions:
    """A set of questions that is answered as a whole."""

    asked: PermissionAsked
    questions: tuple[Question, ...]

    @property
    def summary(self) -> str:
        """The first question."""
        return make_line(f"question: {self.questions[0].text}")

    def view(self, state: State) -> View:
        """The question looked at, or all of them with their answers."""
        at = self._at(state)
        asked = "\n\n".join(self._render_asked())
        if at == len(self.questions):
            return View(self._render_overview(state), self._overview_rows(state), asked)
        question = self.questions[at]
        parts = [self._render_heading(at), *_render_options(question)]
        written = state.get("written", {}).get(str(at))
        if written is not None:
            parts.append(f"✓ {escape_markdown(written)}")
        if state.get("awaits"):
            parts.append("✏️ The next text that you send is your answer.")
        parts += self._render_done(state, at)
        return View("\n\n".join(parts), tuple(self._rows(state, at)), asked)

    def press(self, word: str, state: State) -> Step | None:
        """`pick N`, `go N`, `other`, `send`, `refuse`."""
        kind, _, number = word.partition(" ")
        at = self._at(state)
        match kind:
            case "pick" if at < len(self.questions) and number.isdecimal():
                return self._pick(state, at, int(number))
            case "go" if number.isdecimal():
                return Changed({**state, "at": int(number), "awaits": None})
            case "other":
                return Changed({**state, "awaits": "answer"}, "Write your answer.")
            case "send" if self._answers(state):
                return self._send(state)
            case "refuse":
                answer = render_deny(_NOT_ANSWERED)
                return Answered(answer, "❌ **Not answered.**", "not answered", is_allowed=False)
            case _:
                return None

    def write(self, text: str, state: State) -> Step:
        """An answer in one's own words, to the question looked at."""
        at = min(self._at(state), len(self.questions) - 1)
        written = {**state.get("written", {}), str(at): text}
        picked = dict(state.get("picked", {}))
        if not self.questions[at].is_multiple:
            picked.pop(str(at), None)
        changed = {**state, "written": written, "picked": picked, "awaits": None}
        return self._go_on(changed, at)

    def _at(self, state: State) -> int:
        at = state.get("at", 0)
        return min(at, len(self.questions)) if isinstance(at, int) else 0

    def _pick(self, state: State, at: int, number: int) -> Step | None:
        question = self.questions[at]
        if number >= len(question.options):
            return None
        picked = dict(state.get("picked", {}))
        written = dict(state.get("written", {}))
        if question.is_multiple:
            picked[str(at)] = sorted(set(picked.get(str(at), [])) ^ {number})
            return Changed({**state, "picked": picked, "awaits": None})
        picked[str(at)] = [number]
        written.pop(str(at), None)
        return self._go_on({**state, "picked": picked, "written": written, "awaits": None}, at)

    def _go_on(self, state: State, at: int) -> Step:
        """After an answer: send it if it is all that was asked, else look at what is left."""
        if self.questions[at].is_multiple:
            return Changed(state)
        if len(self.questions) == 1:
            return self._send(state)
        left = [n for n in range(len(self.questions)) if not self._answer(state, n)]
        following = next((n for n in left if n > at), left[0] if left else len(self.questions))
        return Changed({**state, "at": following})

    def _send(self, state: State) -> Answered:
        answers = self._answers(state)
        given = {**self.asked.input, "answers": answers}
        lines = [f"✅ {escape_markdown(answer)}" for answer in answers.values()]
        if len(self.questions) > 1:
            lines = [
                f"✅ {escape_line(question.header)}: {escape_markdown(answers[question.text])}"
                for question in self.questions
                if question.text in answers
            ]
        return Answered(render_allow(Allow(given)), "\n".join(lines), "answered")

    def _answers(self, state: State) -> dict[str, str]:
        found = {q.text: self._answer(state, n) for n, q in enumerate(self.questions)}
        return {text: answer for text, answer in found.items() if answer}

    def _answer(self, state: State, number: int) -> str:
        """As the terminal puts it: of several labels, one that holds a comma is quoted."""
        question = self.questions[number]
        picked = state.get("picked", {}).get(str(number), [])
        labels = [question.options[n].label for n in picked if n < len(question.options)]
        written = state.get("written", {}).get(str(number))
        if not question.is_multiple:
            return str(written) if written is not None else "".join(labels[:1])
        parts = [f'"{label}"' if "," in label else label for label in labels]
        return ", ".join([*parts, *([written] if written is not None else [])])

    # --- what is shown --------------------------------------------------------------------------

    def _render_heading(self, at: int) -> str:
        question = self.questions[at]
        count = f" ({at + 1} of {len(self.questions)})" if len(self.questions) > 1 else ""
        heading = render_heading("❓", f"{escape_line(question.header)}{count}", self.asked)
        return f"{heading}\n\n{escape_markdown(question.text)}"

    def _render_asked(self) -> Iterator[str]:
        yield from (self._render_heading(at) for at in range(len(self.questions)))

    def _render_done(self, state: State, at: int) -> list[str]:
        """The answers to the other questions."""
        done = [
            f"✓ {escape_line(q.header)}: {escape_markdown(self._answer(state, n))}"
            for n, q in enumerate(self.questions)
            if n != at and self._answer(state, n)
        ]
        return ["\n".join(done)] if done else []

    def _render_overview(self, state: State) -> str:
        parts = [render_heading("❓", "Your answers", self.asked)]
        for number, question in enumerate(self.questions):
            answer = self._answer(state, number)
            said = f"✓ {escape_markdown(answer)}" if answer else "no answer"
            parts.append(f"{escape_markdown(question.text)}\n{said}")
        return "\n\n".join(parts)

    def _overview_rows(self, state: State) -> tuple[Row, ...]:
        changes = [
            Choice(f"Change: {_label(question.header)}", f"go {number}")
            for number, question in enumerate(self.questions)
        ]
        return (*((choice,) for choice in changes), *self._last_rows(state))

    def _rows(self, state: State, at: int) -> Iterator[Row]:
        question = self.questions[at]
        picked = state.get("picked", {}).get(str(at), [])
        choices = [
            Choice(f"{'✓ ' if n in picked else ''}{n + 1}. {_label(option.label)}", f"pick {n}")
            for n, option in enumerate(question.options)
        ]
        width = 2 if all(len(option.label) <= _SHORT_LABEL for option in question.options) else 1
        yield from (tuple(choices[n : n + width]) for n in range(0, len(choices), width))
        yield (Choice("Other…", "other"), Choice("Don't answer", "refuse"))
        if len(self.questions) > 1:
            back = (Choice("◂ Back", f"go {at - 1}"),) if at else ()
            yield (*back, Choice("Next ▸", f"go {at + 1}"))
        if question.is_multiple or len(self.questions) > 1:
            yield from self._last_rows(state)[:-1]

    def _last_rows(self, state: State) -> tuple[Row, ...]:
        refuse = (Choice("Don't answer", "refuse"),)
        answers = len(self._answers(state))
        if not answers:
            return (refuse,)
        total = len(self.questions)
        label = "Send" if answers == total else f"Send ({answers} of {total})"
        return ((Choice(label, "send"),), refuse)


def read_questions(asked: PermissionAsked) -> Questions | None:
    """The questions; None when they are not of a kind that can be shown in full."""
    found = asked.input.get("questions")
    if not isinstance(found, list):
        return None
    questions = [_read_question(question) for question in found]
    known = tuple(question for question in questions if question is not None)
    if not known or len(known) < len(questions):
        return None
    return Questions(asked, known)


def _read_question(found: Any) -> Question | None:
    match found:
        case {"question": str(text), "options": [*options]}:
            read = [_read_option(option) for option in options]
            known = tuple(option for option in read if option is not None)
            header = found.get("header")
            header = header if isinstance(header, str) and header.strip() else "Claude asks"
            is_multiple = found.get("multiSelect") is True
            return Question(text, header, known, is_multiple) if len(known) == len(read) else None
        case _:
            return None


def _read_option(found: Any) -> Option | None:
    match found:
        case {"label": str(label)}:
            texts = [found.get("description"), found.get("preview")]
            description, preview = (t if isinstance(t, str) else "" for t in texts)
            return Option(label, description, preview)
        case _:
            return None


def _render_options(question: Question) -> Iterator[str]:
    for number, option in enumerate(question.options, 1):
        label = f"**{number}\\. {escape_line(option.label)}**"
        description = escape_markdown(option.description)
        yield f"{label} · {description}" if description else label
        if option.preview:
            yield render_block(option.preview)
    if question.is_multiple:
        yield "_You can choose several\\._"


def _label(text: str) -> str:
    return shorten(make_line(text), _LABEL_LENGTH)
