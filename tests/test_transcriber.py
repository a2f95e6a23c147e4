"""Speech to text by real commands: no shell, no secrets, a time limit."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from core.errors import TranscriptionError
from transcriber import WRITER, Transcriber

ENVIRON = {"PATH": os.environ["PATH"], "HOME": "/home/ada", "TELEGRAM_BOT_TOKEN": "1:secret"}


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


@pytest.fixture
def note(tmp_path: Path) -> Path:
    path = tmp_path / "it's; a $(note).ogg"
    path.write_text(" héllo \n")
    return path


async def test_what_the_command_prints_is_the_text(note: Path) -> None:
    assert await Transcriber(["cat"], "base", ENVIRON).transcribe(note) == "héllo"


async def test_the_path_takes_its_place_or_comes_last_and_no_shell_reads_it(note: Path) -> None:
    show = python("import sys; print(sys.argv[1:])")
    for words in ([*show, "--in", "{file}", "-x"], [*show, "--in"]):
        said = await Transcriber(words, "base", ENVIRON).transcribe(note)
        assert str([*words[3:]]).replace("{file}", "")[1:7] in said
        assert repr(str(note)) in said


async def test_the_command_sees_no_secret(note: Path) -> None:
    environ = {**ENVIRON, "LC_ALL": "C.UTF-8", "HF_HOME": "x1:secretx"}
    show = python("import os; print(sorted(os.environ))")
    said = await Transcriber(show, "base", environ, secrets=["1:secret"]).transcribe(note)
    assert said == "['HOME', 'LC_ALL', 'PATH']"


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (["false"], "the command ended with status 1"),
        (["/no/such/command"], "the command can't be run"),
        (["true"], "no words were heard"),
        (python("print('x' * 100_000)"), "the command printed too much"),
    ],
)
async def test_what_goes_wrong_is_one_sentence(note: Path, command: list[str], reason: str) -> None:
    with pytest.raises(TranscriptionError, match=reason) as raised:
        await Transcriber(command, "base", ENVIRON).transcribe(note)
    assert str(raised.value).startswith("The voice message could not be written down: ")


async def test_what_takes_too_long_is_ended_with_all_that_it_started(
    note: Path, tmp_path: Path
) -> None:
    script = f"sleep 60 & echo $! > {tmp_path}/pid; wait"
    transcriber = Transcriber(["sh", "-c", script], "base", ENVIRON, seconds=1)
    with pytest.raises(TranscriptionError, match="did not end within 1 s"):
        await transcriber.transcribe(note)
    pid = int((tmp_path / "pid").read_text())
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_without_a_command_or_the_library_there_is_nothing_that_listens(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert not Transcriber([], "base", ENVIRON).is_available


def test_the_library_is_used_in_a_process_of_its_own_where_it_is_installed(
    note: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a stand-in for it, as the real one fetches a model."""
    (tmp_path / "faster_whisper.py").write_text(
        "from types import SimpleNamespace\n"
        "class WhisperModel:\n"
        "    def __init__(self, name, device, compute_type): self.name = name\n"
        "    def transcribe(self, path, vad_filter):\n"
        "        words = [self.name, open(path).read()]\n"
        "        return [SimpleNamespace(text=word) for word in words], None\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    transcriber = Transcriber([], "small", ENVIRON)
    assert transcriber.is_available
    assert "faster_whisper" not in sys.modules
    shown = subprocess.run(
        [sys.executable, "-P", str(WRITER), "small", str(note)],
        env={**ENVIRON, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout == "small\nhéllo\n"
