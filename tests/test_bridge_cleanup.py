"""Claude Code's own clean-up of old transcripts takes nothing that the bridge needs.

The clean-up is the real one. `claude -p` does it after five seconds; an interactive process does it
ten minutes after a first prompt, so that test is run on demand:
`BRIDGE_TEST_CLEANUP=1 pytest tests/test_bridge_cleanup.py`. docs/claude-code.md has what was seen.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.world import World, wait_until

CAT = "my cat is called Grace"
FORTY_DAYS = 40 * 86_400
CLEANED_WITHIN_SECONDS = 900


def make_old_session(world: World) -> tuple[str, Path]:
    """A session of forty days ago, asleep: its id and its transcript."""
    world.start_bridge()
    world.ask(CAT, f"Echo: {CAT}")
    world.end_claude()
    (transcript,) = (world.home / ".claude" / "projects").glob("*/*.jsonl")
    then = time.time() - FORTY_DAYS
    written = transcript.read_text()
    for day in {time.time() - 86_400, time.time()}:  # should it be midnight
        stamp, old = (time.strftime("%Y-%m-%dT", time.gmtime(t)) for t in (day, day - FORTY_DAYS))
        written = written.replace(stamp, old)
    with transcript.open("r+") as file:  # in place: the bridge holds a link
        file.write(written)
    os.utime(transcript, (then, then))
    return world.sessions()[0].session_id, transcript


def check_it_is_known(world: World, session_id: str) -> None:
    world.ask(f"/resume {session_id}", "Continuing")
    assert world.ask("recall", "You told me").text == f"You told me: {CAT}"
    assert not any("replay" in text for text in world.texts())


@contextmanager
def script(world: World) -> Iterator[None]:
    """A script of the person's runs Claude Code, which is at it for as long as this lasts."""
    environment = {k: v for k, v in world.environment.items() if not k.startswith("TELEGRAM")}
    process = subprocess.Popen(
        [str(world.claude), "-p", "hold script"],
        env=environment,
        cwd=world.project,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        world.model.release("script")
        process.wait()


def test_what_the_real_clean_up_of_a_script_deletes_is_put_back_and_resumed(world: World) -> None:
    session_id, transcript = make_old_session(world)
    with script(world):
        wait_until(lambda: not transcript.exists(), "it was cleaned up", 60)
    check_it_is_known(world, session_id)
    assert time.time() - transcript.stat().st_mtime < FORTY_DAYS / 2, "not to be deleted again"


@pytest.mark.timeout(CLEANED_WITHIN_SECONDS + 120)
@pytest.mark.skipif(not os.environ.get("BRIDGE_TEST_CLEANUP"), reason="takes ten minutes")
def test_what_the_real_clean_up_of_a_terminal_deletes_is_put_back_and_resumed(world: World) -> None:
    session_id, transcript = make_old_session(world)
    world.ask("/new", "New session")
    world.ask("hello", "Echo: hello")
    wait_until(lambda: not transcript.exists(), "it was cleaned up", CLEANED_WITHIN_SECONDS)
    check_it_is_known(world, session_id)
