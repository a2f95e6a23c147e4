"""What a session is about, from the ends of its transcript."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.session_summary import CHUNK, SessionSummary, summarise_session
from tests.standins.transcripts import line, message, turn


def ends(data: bytes) -> tuple[bytes, bytes]:
    """As they are read from a file."""
    start = max(CHUNK, len(data) - CHUNK)
    return data[:CHUNK], data[start:]


def test_the_first_prompt_is_the_title_of_a_session_without_one() -> None:
    summary = summarise_session(turn("fix the login", "Done.") + turn("and the logout", "Done."))
    assert summary == SessionSummary(
        "fix the login",
        "/home/ada/shop",
        "main",
        datetime(2026, 11, 22, 4, 3, 3, 115_000, tzinfo=UTC).timestamp(),
        is_conversation=True,
    )


@pytest.mark.parametrize(
    ("lines", "title"),
    [
        ([line("ai-title", aiTitle="Login is mended")], "Login is mended"),
        ([line("summary", summary="An old one's", leafUuid="1")], "An old one's"),
        ([line("summary", summary="Old"), line("ai-title", aiTitle="New")], "New"),
        ([line("custom-title", customTitle="Mine"), line("ai-title", aiTitle="Its")], "Mine"),
        ([line("custom-title", customTitle="A"), line("custom-title", customTitle="B")], "B"),
        ([line("custom-title", customTitle=""), line("ai-title", aiTitle="Its")], "Its"),
        ([line("custom-title", customTitle=["no text"])], "fix the login"),
        ([line("unknown-title", title="Other")], "fix the login"),
        ([b'{"type":"custom-title","customTi'], "fix the login"),
        ([b"\xff\xfe not even text\n", b"[]\n", b"null\n"], "fix the login"),
        ([line("custom-title", customTitle="a\x1b[31mb\u202ec\nd")], "ab⟨U+202E⟩c d"),
        ([line("custom-title", customTitle="x" * 200)], "x" * 59 + "…"),
    ],
)
def test_a_title_that_was_given_counts_before_the_first_prompt(
    lines: list[bytes], title: str
) -> None:
    assert summarise_session(turn("fix the login", "Done.") + b"".join(lines)).title == title


def test_a_title_is_found_at_the_end_of_a_long_transcript() -> None:
    data = turn("first", "yes") + line("ai-title", aiTitle="Older")
    data += b"".join(turn(f"more {n}", "x" * 4000) for n in range(40))
    data += line("ai-title", aiTitle="Newer") + turn("last", "ok", at="2026-11-23T00:00:00Z")
    assert len(data) > 4 * CHUNK
    summary = summarise_session(*ends(data))
    assert summary.title == "Newer"
    assert summary.active == datetime(2026, 11, 23, tzinfo=UTC).timestamp()


def test_a_first_prompt_that_is_cut_off_gives_way_to_the_last_one() -> None:
    data = turn("long " * CHUNK, "yes") + turn("a short one", "ok")
    assert summarise_session(*ends(data)).title == "a short one"


def test_a_command_is_no_title() -> None:
    command = message("user", "<command-name>/clear</command-name>", promptSource="system")
    assert summarise_session(command + turn("fix it", "ok")).title == "fix it"


def test_a_session_is_resumed_where_it_began_and_has_the_branch_it_is_on() -> None:
    data = turn("a", "b", directory="/one") + turn("c", "d", directory="/two", branch="side")
    summary = summarise_session(data)
    assert (summary.directory, summary.branch) == ("/one", "side")


def test_no_branch_is_shown_where_there_is_no_repository() -> None:
    assert summarise_session(turn("a", "b", branch="HEAD")).branch == ""


@pytest.mark.parametrize(
    "data",
    [
        b"",
        turn("say hi", "hi", entrypoint="sdk-cli"),
        turn("look around", "found", isSidechain=True),
        line("mode", mode="normal") + line("custom-title", customTitle="Nothing said yet"),
        message("user", "added by the program", isMeta=True),
    ],
)
def test_what_no_person_said_is_no_conversation(data: bytes) -> None:
    assert not summarise_session(data).is_conversation


def test_what_a_script_began_and_a_person_went_on_with_is_a_conversation() -> None:
    data = turn("say hi", "hi", entrypoint="sdk-cli") + turn("more", "yes")
    assert summarise_session(data).is_conversation


@given(st.binary(max_size=2000), st.binary(max_size=2000))
def test_no_bytes_are_an_error(head: bytes, tail: bytes) -> None:
    assert not summarise_session(head, tail).is_conversation


@given(st.data())
def test_a_cut_in_the_middle_of_any_line_harms_no_other(data: st.DataObject) -> None:
    before, after = turn("first", "yes"), line("ai-title", aiTitle="Kept")
    torn = turn("second", "y" * 200)
    cut = data.draw(st.integers(0, len(torn)))
    assert summarise_session(before + torn[:cut], torn[cut:] + after).title == "Kept"


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=20),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=5,
    )
)
def test_fields_of_any_kind_are_borne(value: object) -> None:
    fields = ("cwd", "gitBranch", "timestamp", "entrypoint", "isSidechain", "message", "uuid")
    data = line("user", **dict.fromkeys(fields, value))
    titles = line("custom-title", customTitle=value) + line("last-prompt", lastPrompt=value)
    summary = summarise_session(data + titles)
    assert len(summary.title) <= 60
    assert isinstance(summary.branch, str)
