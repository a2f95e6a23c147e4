"""What Claude did, as posts: which events are shown, as what, and under which key."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.conversation import make_title, quote, read_title, render_age, render_event, shorten
from core.events import (
    AnswerGiven,
    CommandAnswered,
    ErrorReported,
    LimitWaited,
    PromptRecorded,
    ToolEnded,
    TranscriptEvent,
    TurnInterrupted,
    TurnRecorded,
)
from core.model import Chat, Post
from tests.test_file_change import EDIT, ROOT

CHAT = Chat("telegram", 7, 3)


def post(event: TranscriptEvent, *, is_ours: bool = False) -> Post | None:
    return render_event(event, "s", CHAT, is_ours=is_ours)


def test_an_answer_is_shown_as_markdown_and_loudly() -> None:
    assert post(AnswerGiven("u", "**hi**")) == Post("s:u", CHAT, "**hi**", "markdown")


def test_equal_answers_are_two_posts_and_one_answer_read_twice_is_one() -> None:
    keys = [found.key for uuid in ("a", "b", "a") if (found := post(AnswerGiven(uuid, "same")))]
    assert keys == ["s:a", "s:b", "s:a"]


def test_an_error_is_shown_loudly() -> None:
    found = post(ErrorReported("u", "overloaded"))
    assert found is not None
    assert (found.text, found.silent) == ("⚠️ overloaded", False)


def test_what_a_command_printed_is_shown_as_a_screen() -> None:
    found = post(CommandAnswered("u", "a  b"))
    assert found is not None
    assert (found.text, found.style) == ("a  b", "screen")


def test_a_prompt_typed_at_the_terminal_is_shown_and_our_own_is_not() -> None:
    typed = PromptRecorded("u", "from\nthe desk")
    shown = post(typed)
    assert shown is not None
    assert shown.text == "⌨️ from the desk"
    assert post(typed, is_ours=True) is None


def test_a_command_and_the_end_of_a_turn_are_not_shown() -> None:
    assert post(PromptRecorded("u", "/model", command="/model")) is None
    assert post(TurnRecorded("u", 1.0)) is None


def test_an_interruption_is_shown() -> None:
    found = post(TurnInterrupted("u"))
    assert found is not None
    assert found.text == "Interrupted."


def test_a_session_is_called_after_its_first_prompt() -> None:
    assert make_title(PromptRecorded("u", "fix\n the   tests")) == "fix the tests"
    assert make_title(PromptRecorded("u", "/x", command="/x")) is None
    assert read_title({"title": "fix the tests"}) == "fix the tests"
    assert read_title({}) == read_title({"title": ""}) == "New session"


@settings(deadline=None)
@given(st.text(), st.integers(1, 50))
def test_a_shortened_text_is_one_line_of_that_length(text: str, length: int) -> None:
    short = shorten(text, length)
    assert len(short) <= length
    assert "\n" not in short
    assert short == " ".join(text.split()) or short.endswith("…")


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(-5, "now"), (0, "now"), (59, "now"), (60, "1 min"), (7200, "2 h"), (200_000, "2 d")],
)
def test_an_age_is_one_word(seconds: float, said: str) -> None:
    assert render_age(seconds) == said


@settings(deadline=None)
@given(st.text())
def test_every_line_of_a_quote_is_marked(text: str) -> None:
    head, *lines = quote("Forwarded from a\n/b", text).splitlines()
    assert head == "[Forwarded from a /b]"
    assert lines
    assert all(line.startswith("> ") for line in lines)


def test_what_is_said_before_a_tool_is_silent() -> None:
    found = post(AnswerGiven("u", "First a look.", is_final=False))
    assert found is not None
    assert found.silent


def test_a_change_of_a_file_is_a_silent_diff() -> None:
    found = render_event(
        ToolEnded("u", "t", False, "", EDIT), "s", CHAT, is_ours=True, directory=ROOT
    )
    assert found is not None
    assert (found.key, found.style, found.silent) == ("s:u:t", "markdown", True)
    assert found.text.startswith("✏️ `a.txt` +2 −1\n```diff\n")


def test_other_tools_and_failed_ones_are_not_shown() -> None:
    assert post(ToolEnded("u", "t", False, "out", {"stdout": "out"})) is None
    assert post(ToolEnded("u", "t", True, "no", EDIT)) is None


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (
            "Usage limit reached · set to continue automatically at 2:26am",
            "⏰ Claude goes on by itself at 2:26am.",
        ),
        ("Usage limit reached · will continue", "⏰ Claude goes on by itself."),
        ("Usage limit reset · Continuing automatically", "⏰ The limit has reset; Claude goes on."),
    ],
)
def test_a_limit_that_is_waited_for_is_told_silently(said: str, shown: str) -> None:
    found = post(LimitWaited("u", said, said.startswith("Usage limit reset")))
    assert found is not None
    assert (found.text, found.silent) == (shown, True)


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("see @/etc/passwd now", "> see @ /etc/passwd now"),
        ('(@"/a b.txt")', '> (@ "/a b.txt")'),
        ("@~/.ssh/id_rsa", "> @ ~/.ssh/id_rsa"),
        ("@src/main.py\n@a/b", "> @ src/main.py\n> @ a/b"),
        ("ask @ada or ada@example.com/x", "> ask @ada or ada@example.com/x"),
    ],
)
def test_other_peoples_words_attach_no_file(text: str, quoted: str) -> None:
    assert quote("Forwarded", text) == f"[Forwarded]\n{quoted}"


def test_the_title_of_a_photo_is_not_its_path() -> None:
    photo = '[photo] @"/home/ada/.local/share/claude-telegram/files-1/2/in/7-photo.jpg"'
    assert make_title(PromptRecorded("u", photo)) == "[photo]"
    assert make_title(PromptRecorded("u", f"What is this?\n\n{photo}")) == "What is this? [photo]"
