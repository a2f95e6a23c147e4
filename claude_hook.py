"""What Claude Code runs at each event: its standard input goes to the bridge's socket.

    python -I -S claude_hook.py FOLDER PANE EVENT

* Standard library only, exit status 0, and nothing printed but the bridge's answer to a
  PermissionRequest: a hook must never be seen in the terminal.
* The socket is reached from inside FOLDER, since the whole path may be too long for a socket.
* With the bridge away, events that say which session a pane has are kept in FOLDER/spool; all else
  can be read from the transcript later. So is one that the bridge ended at: it answers a byte when
  it has done what comes of it. What it is only slow with is never kept too: it would come again at
  its next start, and then be old.
* A PermissionRequest waits for its answer, over restarts of the bridge, for as long as Claude Code
  lives and has not ended it; Claude's own dialog is open meanwhile.
* Claude Code starts this several times a turn: it imports as little as it can.
"""

import os
import sys
import time
from _socket import AF_UNIX, SHUT_WR, socket  # a third of the time that the module socket takes
from select import POLLIN, poll

_SECONDS = 2.0
_AGAIN_MILLISECONDS = 500
_KEPT = ("SessionStart", "SessionEnd")
_ASKING = "PermissionRequest"
_STANDARD_OUTPUT = 1
_CHUNK = 65536


def main(folder: str, pane: str, event: str) -> None:
    """Hand the event on, or keep it."""
    payload = sys.stdin.buffer.read().strip().replace(b"\n", b" ")
    if not payload.startswith(b"{") or not payload.endswith(b"}"):
        return
    os.chdir(folder)
    if event == _ASKING:
        ask(render_message(pane, payload, request=f"{time.time_ns()}-{os.getpid()}"))
    else:
        tell(render_message(pane, payload), is_kept=event in _KEPT)


def render_message(pane: str, payload: bytes, *, request: str = "") -> bytes:
    """One line; a pane's name is made of letters, digits and dashes."""
    asked = f'"request":"{request}",' if request else ""
    return f'{{"pane":"{pane}",{asked}"payload":'.encode() + payload + b"}\n"


def tell(message: bytes, *, is_kept: bool) -> None:
    """Give it to the bridge, and wait until it has read it."""
    is_sent = is_taken = False
    connection = socket(AF_UNIX)
    try:
        connection.settimeout(_SECONDS)
        connection.connect("hook.sock")
        connection.sendall(message)
        connection.shutdown(SHUT_WR)
        is_sent = True
        is_taken = connection.recv(1) != b""
    except TimeoutError:
        is_taken = is_sent
    except OSError:
        pass
    finally:
        connection.close()
    if is_kept and not is_taken:
        keep(message)


def ask(message: bytes) -> None:
    """Print the bridge's answer, an empty one not at all."""
    watch = poll()
    watch.register(_STANDARD_OUTPUT, 0)  # tells when Claude Code has closed its end
    while not watch.poll(0):
        answer = exchange(message, watch)
        if answer.endswith(b"\n"):
            os.write(_STANDARD_OUTPUT, answer.strip())
            return
        watch.poll(_AGAIN_MILLISECONDS)


def exchange(message: bytes, watch: poll) -> bytes:
    """The bridge's answer, with a newline at its end unless the bridge went away before."""
    connection = socket(AF_UNIX)
    answer = b""
    try:
        connection.settimeout(_SECONDS)
        connection.connect("hook.sock")
        connection.sendall(message)
        watch.register(connection.fileno(), POLLIN)
        while [found for found, _ in watch.poll()] == [connection.fileno()]:
            part = connection.recv(_CHUNK)
            if not part:
                break
            answer += part
    except OSError:
        pass
    finally:
        if connection.fileno() >= 0:
            forget(watch, connection.fileno())
        connection.close()
    return answer


def forget(watch: poll, fd: int) -> None:
    """Look at it no more, if it was looked at."""
    try:  # noqa: SIM105 - contextlib takes a millisecond to import
        watch.unregister(fd)
    except KeyError:
        pass


def keep(message: bytes) -> None:
    """Leave the message for the next start of the bridge, in a file that is whole or not there."""
    name = f"{time.time_ns()}-{os.getpid()}"
    os.makedirs("spool", mode=0o700, exist_ok=True)
    fd = os.open(f"spool/{name}.part", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(fd, message)
        os.fsync(fd)
    finally:
        os.close(fd)
    os.rename(f"spool/{name}.part", f"spool/{name}.json")


if __name__ == "__main__":
    try:  # noqa: SIM105
        main(*sys.argv[1:4])
    except Exception:  # noqa: BLE001 - whatever went wrong, Claude Code goes on undisturbed
        pass
    os._exit(0)  # at once: an orderly end of the interpreter takes as long as the work
