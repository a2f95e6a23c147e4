"""A conversation whose transcript is lost all the same: replayed from the bridge's own history.

What the model received is looked up in the requests that reached its stand-in.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.world import World

CAT = "my cat is called Grace"
TOLD = "This is a replay of what the bridge had noted: the task and all 2 turns."


def transcripts(world: World) -> list[Path]:
    """Claude's own, and those that the bridge holds."""
    return [
        *(world.home / ".claude" / "projects").glob("*/*.jsonl"),
        *(world.state / "bridge" / "transcripts").glob("*.jsonl"),
    ]


def model_read(world: World) -> str:
    """All that the model read for its last answer."""
    return json.dumps(world.model.turns[-1].body, ensure_ascii=False)


def talk_and_end(world: World) -> None:
    world.start_bridge()
    world.ask(CAT, f"Echo: {CAT}")
    world.ask("my dog is called Alan", "Echo: my dog")
    world.end_claude()


def delete(path: Path) -> None:
    path.unlink(missing_ok=True)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def zero(path: Path) -> None:
    path.write_bytes(b"\0" * path.stat().st_size)


@pytest.mark.parametrize("lose", [delete, empty, zero])
def test_a_lost_conversation_is_replayed_and_stays_known(world: World, lose: object) -> None:
    assert callable(lose)
    talk_and_end(world)
    for path in transcripts(world):
        lose(path)
    world.ask("what do you know?", "Echo: what do you know?")
    assert CAT in model_read(world)
    assert "my dog is called Alan" in model_read(world)
    assert world.model.turns[-1].user_texts == ["what do you know?"], "the prompt is untouched"
    (told,) = [text for text in world.texts() if "replay" in text]
    assert TOLD in told
    assert len(world.sessions()) == 1

    world.end_claude()
    world.ask("and later?", "Echo: and later?")
    assert CAT in model_read(world)
    assert world.model.turns[-1].user_texts == ["what do you know?", "and later?"]
    assert sum("replay" in text for text in world.texts()) == 1
    assert world.texts()[-1] == "Echo: and later?"


def test_what_a_transcript_has_lost_of_its_end_is_replayed(world: World) -> None:
    talk_and_end(world)
    transcript, link = transcripts(world)
    assert transcript.samefile(link)
    lines = transcript.read_bytes().splitlines(keepends=True)
    at = next(n for n, line in enumerate(lines) if b"my dog" in line)
    with transcript.open("rb+") as file:
        file.truncate(len(b"".join(lines[:at])))
    world.ask("what do you know?", "Echo: what do you know?")
    assert world.model.turns[-1].user_texts == [CAT, "what do you know?"]
    assert "my dog is called Alan" in model_read(world)
    assert any("A part of Claude Code's own transcript" in text for text in world.texts())
    world.ask("and then?", "Echo: and then?")
    assert world.texts()[-1] == "Echo: and then?"


def test_claude_can_read_the_whole_without_asking(world: World) -> None:
    talk_and_end(world)
    for path in transcripts(world):
        path.unlink()
    world.ask("hello", "Echo: hello")
    (whole,) = world.home.rglob("history-of-this-session.md")
    assert str(whole) in model_read(world)
    said = world.ask(f'tool Read {{"file_path":"{whole}"}}', "The tool said").text
    assert CAT in said


def test_on_another_machine_the_bridges_own_copy_is_resumed(world: World) -> None:
    """The state was brought along, Claude Code's transcripts were not, and HOME is another."""
    talk_and_end(world)
    world.stop_bridge()
    world.tmux("kill-server")
    shutil.rmtree(world.home / ".claude" / "projects")
    world.home = world.home.rename(world.root / "another home")
    world.start_bridge()
    said = world.ask("recall", "You told me").text
    assert said == f"You told me: {CAT} | my dog is called Alan"
