"""core.questions and core.plans: what is shown, and what presses and texts make of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.events import PermissionAsked
from core.plans import Plan
from core.questions import Questions, read_questions
from core.requests import Answered, Changed, State
from tests.test_visible_text import shown

COLOUR = {
    "question": "Which colour?",
    "header": "Colour",
    "options": [{"label": "Red", "description": "*warm*", "preview": "```"}, {"label": "Blue"}],
}
SIZE = {"question": "Which size?", "header": "Size", "options": [{"label": "S"}, {"label": "L"}]}
TOPPINGS = {
    "question": "Which toppings?",
    "header": "Toppings",
    "options": [{"label": "Cheese, extra"}, {"label": "Ham"}, {"label": "Olives"}],
    "multiSelect": True,
}


def asked(tool: str, given: dict[str, Any]) -> PermissionAsked:
    return PermissionAsked("s", "p", "r", tool, given)


def read(*questions: dict[str, Any]) -> Questions:
    found = read_questions(asked("AskUserQuestion", {"questions": list(questions), "x": 1}))
    assert found is not None
    return found


def labels(request: Questions | Plan, state: State) -> list[str]:
    return [choice.label for row in request.view(state).rows for choice in row]


def play(request: Questions, *steps: str) -> State | dict[str, str]:
    """Press the words in turn (`=text` writes); the answers, or else the last state."""
    state: State = {}
    for step in steps:
        done = request.write(step[1:], state) if step[0] == "=" else request.press(step, state)
        match done:
            case Changed():
                state = done.state
            case Answered():
                decision = json.loads(done.answer)["hookSpecificOutput"]["decision"]
                assert decision["updatedInput"]["questions"] == request.asked.input["questions"]
                assert decision["updatedInput"]["x"] == 1
                assert decision["behavior"] == "allow"
                answers: dict[str, str] = decision["updatedInput"]["answers"]
                return answers
            case None:
                raise AssertionError(f"{step} does nothing")
    return state


@pytest.mark.parametrize(
    ("questions", "steps", "answers"),
    [
        ([COLOUR], ["pick 1"], {"Which colour?": "Blue"}),
        ([COLOUR], ["=green, ok"], {"Which colour?": "green, ok"}),
        ([COLOUR], ["other", "=green"], {"Which colour?": "green"}),
        ([TOPPINGS], ["pick 2", "pick 0", "send"], {"Which toppings?": '"Cheese, extra", Olives'}),
        ([TOPPINGS], ["pick 1", "pick 1", "pick 2", "send"], {"Which toppings?": "Olives"}),
        ([TOPPINGS], ["pick 1", "=pineapple", "send"], {"Which toppings?": "Ham, pineapple"}),
        (
            [COLOUR, SIZE],
            ["pick 0", "pick 1", "send"],
            {"Which colour?": "Red", "Which size?": "L"},
        ),
        (
            [COLOUR, SIZE],
            ["pick 0", "pick 1", "go 0", "pick 1", "send"],
            {"Which colour?": "Blue", "Which size?": "L"},
        ),
        ([COLOUR, SIZE], ["go 1", "pick 0", "go 2", "send"], {"Which size?": "S"}),
        (
            [COLOUR, SIZE],
            ["=mine", "pick 1", "send"],
            {"Which colour?": "mine", "Which size?": "L"},
        ),
        ([COLOUR, SIZE], ["=mine", "go 0", "pick 0", "send"], {"Which colour?": "Red"}),
        (
            [TOPPINGS, COLOUR],
            ["pick 1", "go 1", "pick 0", "send"],
            {"Which toppings?": "Ham", "Which colour?": "Red"},
        ),
    ],
)
def test_presses_and_texts_make_the_answers(
    questions: list[dict[str, Any]], steps: list[str], answers: dict[str, str]
) -> None:
    assert play(read(*questions), *steps) == answers


def test_a_question_is_shown_with_descriptions_and_previews() -> None:
    text = shown(read(COLOUR).view({}).text)
    assert "Which colour?" in text
    assert "1. Red · *warm*" in text
    assert "```" in text


def test_what_is_chosen_is_ticked() -> None:
    request = read(TOPPINGS)
    state = play(request, "pick 1")
    assert labels(request, state)[:3] == ["1. Cheese, extra", "✓ 2. Ham", "3. Olives"]
    assert "Send" in labels(request, state)
    assert "Send" not in labels(request, {})


def test_a_set_tells_where_one_is_and_what_is_done() -> None:
    request = read(COLOUR, SIZE)
    state = play(request, "pick 0")
    text = shown(request.view(state).text)
    assert "Size (2 of 2)" in text
    assert "✓ Colour: Red" in text
    assert "Send (1 of 2)" in labels(request, state)
    overview = play(request, "pick 0", "pick 0")
    assert labels(request, overview) == ["Change: Colour", "Change: Size", "Send", "Don't answer"]


def test_nothing_is_sent_without_an_answer() -> None:
    assert read(COLOUR, SIZE).press("send", {}) is None


def test_declining_tells_claude_so() -> None:
    done = read(COLOUR).press("refuse", {})
    assert isinstance(done, Answered)
    assert not done.is_allowed
    assert "does not want to answer" in done.answer


@pytest.mark.parametrize(
    "questions",
    [None, [], [7], [{"question": 7, "options": []}], [{**COLOUR, "options": [{"label": 7}]}]],
)
def test_questions_of_an_unknown_kind_are_left_to_the_terminal(questions: Any) -> None:
    assert read_questions(asked("AskUserQuestion", {"questions": questions})) is None


WORDS = st.sampled_from(
    ["pick 0", "pick 1", "pick 9", "go 0", "go 1", "go 99", "other", "send", "refuse", "pick x", ""]
)


@given(st.lists(WORDS, max_size=12), st.sampled_from([(COLOUR,), (TOPPINGS,), (COLOUR, TOPPINGS)]))
def test_no_order_of_presses_ends_in_a_view_without_buttons(
    words: list[str], questions: tuple[dict[str, Any], ...]
) -> None:
    request = read(*questions)
    state: State = {}
    for word in words:
        done = request.press(word, state)
        if isinstance(done, Answered):
            return
        state = done.state if isinstance(done, Changed) else state
        assert labels(request, json.loads(json.dumps(state)))


# --- plans ----------------------------------------------------------------------------------------


def decision(done: object) -> Any:
    assert isinstance(done, Answered)
    return json.loads(done.answer)["hookSpecificOutput"]["decision"]


@pytest.mark.parametrize("mode", ["default", "acceptEdits", "auto"])
def test_an_approved_plan_goes_back_as_it_came_with_the_mode(mode: str) -> None:
    given_ = {"plan": "# P", "planFilePath": "/x"}
    done = Plan(asked("ExitPlanMode", given_), "# P").press(f"approve {mode}", {})
    assert decision(done) == {
        "behavior": "allow",
        "updatedInput": given_,
        "updatedPermissions": [{"type": "setMode", "mode": mode, "destination": "session"}],
    }


def test_a_plan_without_input_is_approved_with_an_empty_one() -> None:
    done = Plan(asked("ExitPlanMode", {}), "").press("approve default", {})
    assert decision(done)["updatedInput"] == {}


def test_auto_is_offered_only_where_it_is_there() -> None:
    request = asked("ExitPlanMode", {})
    assert "Approve: auto mode" not in labels(Plan(request, "x"), {})
    assert "Approve: auto mode" in labels(Plan(request, "x", has_auto=True), {})


def test_a_comment_keeps_claude_planning() -> None:
    plan = Plan(asked("ExitPlanMode", {}), "x")
    assert decision(plan.write("add tests", {})) == {"behavior": "deny", "message": "add tests"}
    assert decision(plan.press("keep", {}))["behavior"] == "deny"
    assert plan.press("approve bypassPermissions", {}) is None


def test_a_long_plan_is_whole_in_a_file() -> None:
    text = "step\n" * 2_000
    view = Plan(asked("ExitPlanMode", {}), text).view({})
    assert view.whole == text.strip()
    assert view.file_name == "plan.md"
    assert len(view.text) < 4_000


def test_markdown_that_a_plan_leaves_open_swallows_nothing_of_ours() -> None:
    text = shown(Plan(asked("ExitPlanMode", {}), "```\ncode").view({}).text)
    assert text.index("Reply to this message") < text.index("code")
