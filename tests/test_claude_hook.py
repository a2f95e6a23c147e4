"""The hook as Claude Code runs it: a process of its own, at a real socket or at none."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

import claude_hook
from core.events import SessionStarted
from core.hooks import parse_hook

ROOT = Path(__file__).resolve().parent.parent
ASKED = {"hook_event_name": "PermissionRequest", "session_id": "s", "tool_name": "Bash"}
START = {"hook_event_name": "SessionStart", "session_id": "s", "source": "clear"}
PROMPT = {"hook_event_name": "UserPromptSubmit", "session_id": "s", "prompt": "hi"}


def begin(
    folder: Path, pane: str = "pane-1", event: str = "SessionStart"
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-I", "-S", str(ROOT / "claude_hook.py"), str(folder), pane, event],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={},
    )


def feed(hook: subprocess.Popen[bytes], payload: Any) -> None:
    assert hook.stdin is not None
    with hook.stdin as stdin, suppress(BrokenPipeError):
        stdin.write(payload if isinstance(payload, bytes) else json.dumps(payload).encode())
    hook.stdin = None


def finish(hook: subprocess.Popen[bytes]) -> None:
    """Whatever happens, nothing of it may be seen in the terminal."""
    said, complained = hook.communicate(timeout=20)
    assert (said, complained, hook.returncode) == (b"", b"", 0)


def run(folder: Path, payload: Any) -> None:
    name = payload["hook_event_name"] if isinstance(payload, dict) else "SessionStart"
    hook = begin(folder, event=name)
    feed(hook, payload)
    finish(hook)


def spooled(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in sorted((folder / "spool").glob("*"))]


@contextmanager
def listening(folder: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as server:
        here = os.open(".", os.O_RDONLY)
        os.chdir(folder)
        server.bind("hook.sock")
        os.fchdir(here)
        os.close(here)
        server.listen()
        server.settimeout(10)
        yield server


def receive(server: socket.socket, *, answer: bytes = b".") -> bytes:
    connection, _ = server.accept()
    with connection:
        connection.settimeout(10)
        message = b"".join(iter(lambda: connection.recv(65536), b""))
        with suppress(BrokenPipeError):  # it may wait no more
            connection.sendall(answer)
        return message


def test_the_event_arrives_with_its_pane(tmp_path: Path) -> None:
    with listening(tmp_path) as server:
        hook = begin(tmp_path, "pane-9")
        feed(hook, START)
        message = receive(server)
        finish(hook)
    assert json.loads(message) == {"pane": "pane-9", "payload": START}
    assert message.endswith(b"\n")
    assert parse_hook(message) == SessionStarted("s", "pane-9", "clear", "", "")
    assert spooled(tmp_path) == []


def test_a_long_path_is_no_obstacle(tmp_path: Path) -> None:
    folder = tmp_path.joinpath(*["a-long-name-for-a-folder"] * 6)
    folder.mkdir(parents=True)
    with listening(folder) as server:
        hook = begin(folder, event="UserPromptSubmit")
        feed(hook, PROMPT)
        assert json.loads(receive(server))["payload"] == PROMPT
        finish(hook)


def test_a_prompt_of_a_megabyte_arrives_whole(tmp_path: Path) -> None:
    with listening(tmp_path) as server:
        hook = begin(tmp_path)
        feed(hook, {**PROMPT, "prompt": "\U0001f600" * 250_000})
        assert len(json.loads(receive(server))["payload"]["prompt"]) == 250_000
        finish(hook)


@pytest.mark.parametrize("place", ["no socket", "dead socket"])
@pytest.mark.parametrize("name", ["SessionStart", "SessionEnd"])
def test_with_the_bridge_away_starts_and_ends_are_kept(
    tmp_path: Path, place: str, name: str
) -> None:
    if place == "dead socket":
        with listening(tmp_path):
            pass
    run(tmp_path, {**START, "hook_event_name": name})
    (message,) = spooled(tmp_path)
    assert parse_hook(message) is not None
    (path,) = (tmp_path / "spool").iterdir()
    assert path.suffix == ".json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_start_is_kept_that_the_bridge_ended_at(tmp_path: Path) -> None:
    with listening(tmp_path) as server:
        hook = begin(tmp_path)
        feed(hook, START)
        message = receive(server, answer=b"")
        finish(hook)
    assert spooled(tmp_path) == [message]


def test_what_is_kept_sorts_in_the_order_it_happened(tmp_path: Path) -> None:
    for number in range(3):
        run(tmp_path, {**START, "source": str(number)})
    found = [json.loads(message)["payload"]["source"] for message in spooled(tmp_path)]
    assert found == ["0", "1", "2"]


def test_with_the_bridge_away_all_else_is_dropped(tmp_path: Path) -> None:
    for name in ("UserPromptSubmit", "Stop", "PreToolUse"):
        run(tmp_path, {**PROMPT, "hook_event_name": name})
    assert spooled(tmp_path) == []


@pytest.mark.parametrize("payload", [b"", b"{", b"[]", b'"x"', b"null", b"\xff", b"[" * 100_000])
def test_rubbish_is_met_with_silence(tmp_path: Path, payload: bytes) -> None:
    run(tmp_path, payload)
    assert spooled(tmp_path) == []


def test_a_missing_folder_and_missing_arguments_are_met_with_silence(tmp_path: Path) -> None:
    run(tmp_path / "none", START)
    bare = [sys.executable, "-I", "-S", str(ROOT / "claude_hook.py")]
    done = subprocess.run(bare, input=b"{}", capture_output=True, check=True)
    assert (done.stdout, done.stderr) == (b"", b"")


def test_a_spool_that_cannot_be_written_is_met_with_silence(tmp_path: Path) -> None:
    (tmp_path / "spool").write_text("a file in its place")
    run(tmp_path, START)


def test_a_bridge_that_hangs_holds_claude_up_for_seconds_at_most(tmp_path: Path) -> None:
    """It has got the event, though: keeping it would hand on an old one at the next start."""
    with listening(tmp_path) as server:
        before = time.monotonic()
        run(tmp_path, START)
        assert time.monotonic() - before < 8
        assert json.loads(receive(server))["payload"] == START
    assert spooled(tmp_path) == []


def test_with_the_bridge_away_the_hook_waits_for_nothing(tmp_path: Path) -> None:
    times = []
    for _ in range(5):
        before = time.monotonic()
        run(tmp_path, PROMPT)
        times.append(time.monotonic() - before)
    assert min(times) < claude_hook._SECONDS


# --- a request for permission ------------------------------------------------------------------


def answer(server: socket.socket, text: bytes) -> dict[str, Any]:
    """Take the next request, and write that much of an answer before hanging up."""
    connection, _ = server.accept()
    with connection:
        connection.settimeout(10)
        message = b""
        while not message.endswith(b"\n"):
            message += connection.recv(65536)
        connection.sendall(text)
    found: dict[str, Any] = json.loads(message)
    return found


def ask(folder: Path) -> subprocess.Popen[bytes]:
    hook = begin(folder, event="PermissionRequest")
    feed(hook, ASKED)
    return hook


def test_a_request_prints_the_answer(tmp_path: Path) -> None:
    with listening(tmp_path) as server:
        hook = ask(tmp_path)
        asked = answer(server, b'{"yes": "\xc3\xa9"}\n')
        said, complained = hook.communicate(timeout=20)
    assert (said, complained, hook.returncode) == ('{"yes": "é"}'.encode(), b"", 0)
    assert asked["payload"] == ASKED
    assert asked["request"]


def test_an_empty_answer_prints_nothing(tmp_path: Path) -> None:
    with listening(tmp_path) as server:
        hook = ask(tmp_path)
        answer(server, b"\n")
        finish(hook)


def test_a_request_outlives_the_bridge_and_is_known_by_the_next(tmp_path: Path) -> None:
    hook = ask(tmp_path)  # nobody is there yet
    requests = []
    for half in (b"", b'{"torn'):
        with listening(tmp_path) as server:
            requests.append(answer(server, half)["request"])
        (tmp_path / "hook.sock").unlink()
    with listening(tmp_path) as server:
        requests.append(answer(server, b"{}\n")["request"])
        assert hook.communicate(timeout=20)[0] == b"{}"
    assert len(set(requests)) == 1


@pytest.mark.parametrize("is_bridge_there", [True, False])
def test_a_request_ends_with_the_claude_that_made_it(tmp_path: Path, is_bridge_there: bool) -> None:
    with ExitStack() as stack:
        server = stack.enter_context(listening(tmp_path)) if is_bridge_there else None
        hook = ask(tmp_path)
        if server is not None:
            stack.enter_context(server.accept()[0])
        for stream in (hook.stdout, hook.stderr):
            assert stream is not None
            stream.close()
        assert hook.wait(10) == 0


def test_two_requests_are_two(tmp_path: Path) -> None:
    with listening(tmp_path) as server:
        found = []
        for _ in range(2):
            hook = ask(tmp_path)
            found.append(answer(server, b"\n")["request"])
            finish(hook)
    assert found[0] != found[1]
