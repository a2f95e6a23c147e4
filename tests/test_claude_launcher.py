"""claude_launcher: the command line by version, and whose start a hook tells of."""

from __future__ import annotations

import os
from pathlib import Path
from typing import cast, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claude_launcher import ClaudeLauncher, Start, correct_start, name_to_tell, render_identity
from claude_registry import ClaudeRegistry
from core.choices import Choices, render_options
from core.claude_code import OPTIONS, TESTED_VERSIONS, takes_option
from core.errors import SessionElsewhereError
from core.events import SessionStarted
from session import Session
from terminal import Terminal

ID = "11111111-1111-4111-8111-111111111111"
ORIGIN = "22222222-2222-4222-8222-222222222222"
KNOWN = {option.name for option in OPTIONS}
STARTS: tuple[Start, ...] = get_args(Start)


def session(**state: object) -> Session:
    return Session(ID, 7, state={"fork_of": ORIGIN, "name": "About cats", **state})


@given(
    st.sampled_from(TESTED_VERSIONS),
    st.sampled_from(STARTS),
    st.builds(
        Choices,
        model=st.sampled_from(["", "opus"]),
        effort=st.sampled_from(["", "low", "xhigh", "max"]),
        agent=st.sampled_from(["", "mine", "claude-telegram:pm"]),
    ),
)
def test_no_version_is_given_an_option_that_it_would_end_at(
    version: tuple[int, ...], start: Start, choices: Choices
) -> None:
    is_resumed = start in ("resumed", "mended", "forked", "copied")
    words = [
        *render_options(choices, mode="default", is_resumed=is_resumed, version=version),
        *render_identity(session(), start, version),
    ]
    options = {word.partition("=")[0] for word in words if word.startswith("--")}
    assert options <= KNOWN
    assert [option for option in options if not takes_option(option, version)] == []


def test_a_title_is_told_once_and_where_it_is_understood() -> None:
    assert name_to_tell(session(), (2, 1, 50)) == ""
    assert name_to_tell(session(), (2, 1, 80)) == name_to_tell(session(), ()) == "About cats"
    assert name_to_tell(session(told_name="About cats"), (2, 1, 330)) == ""


def launcher_in(folder: Path) -> ClaudeLauncher:
    return ClaudeLauncher(
        cast(Terminal, None),
        ClaudeRegistry(folder / "registry"),
        command=["sh"],
        permission_mode="default",
        version=(2, 1, 330),
        directory=folder,
        projects=folder / "projects",
        environment=os.environ,
    )


def test_a_session_is_started_by_one_bridge_of_the_machine_at_a_time(tmp_path: Path) -> None:
    mine, others = launcher_in(tmp_path), launcher_in(tmp_path)
    with mine.holding(ID):
        with pytest.raises(SessionElsewhereError, match="Another bridge is starting"):
            others.holding(ID).__enter__()
        with others.holding(ORIGIN):
            pass
    with others.holding(ID):
        pass


async def test_a_fork_has_nothing_that_the_original_said_later(tmp_path: Path) -> None:
    path = tmp_path / "projects" / "-shop" / f"{ORIGIN}.jsonl"
    path.parent.mkdir(parents=True)
    said = f'{{"type":"user","sessionId":"{ORIGIN}","text":"see \\"sessionId\\":\\"{ORIGIN}\\""}}\n'
    path.write_text(said)
    size = path.stat().st_size
    fork = session(fork_from=str(path), fork_size=size, project_dir=str(tmp_path), name=None)
    launcher = launcher_in(tmp_path)
    own = path.with_name(f"{ID}.jsonl")
    launch = await launcher.prepare(fork, "terminal")
    assert (launch.start, launch.command[-3]) == ("forked", "--fork-session")
    assert not own.exists()
    path.write_text(said + said)
    launch = await launcher.prepare(fork, "terminal")
    assert (launch.start, launch.command[-2:]) == ("copied", ["--resume", ID])
    assert own.read_text() == said.replace(f'"sessionId":"{ORIGIN}"', f'"sessionId":"{ID}"')
    assert (await launcher.prepare(fork, "terminal")).start == "resumed"


def started(session_id: str, source: str = "resume", transcript: str = "") -> SessionStarted:
    return SessionStarted(session_id, "pane", source, transcript, "/project")


def test_the_start_of_a_copy_is_its_own_also_where_the_hook_names_the_original() -> None:
    told = started(ORIGIN, transcript=f"/projects/-a/{ORIGIN}.jsonl")
    meant = started(ID, transcript=f"/projects/-a/{ID}.jsonl")
    assert correct_start(told, session(), (2, 1, 197)) == meant
    assert correct_start(started(ORIGIN), session(), (2, 1, 0)) == started(ID)


@pytest.mark.parametrize(
    ("event", "state", "version"),
    [
        (started(ORIGIN), {"has_prompts": True}, (2, 1, 197)),  # a person has gone back there
        (started(ORIGIN), {"fork_of": None}, (2, 1, 197)),
        (started(ORIGIN, "clear"), {}, (2, 1, 197)),
        (started("another"), {}, (2, 1, 197)),
        (started(ID), {}, (2, 1, 197)),
        (started(ORIGIN), {}, (2, 1, 250)),
        (started(ORIGIN), {}, ()),
    ],
)
def test_every_other_start_is_as_the_hook_says(
    event: SessionStarted, state: dict[str, object], version: tuple[int, ...]
) -> None:
    assert correct_start(event, session(**state), version) == event
