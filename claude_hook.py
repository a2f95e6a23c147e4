"""What Claude Code runs at each event: its standard input goes to the bridge's socket.

    python -I -S claude_hook.py FOLDER PANE

* Standard library only, nothing printed, exit status 0: a hook must never be seen in the terminal.
* The socket is reached from inside FOLDER, since the whole path may be too long for a socket.
* With the bridge away, events that say which session a pane has are kept in FOLDER/spool; all else
  can be read from the transcript later. What the bridge has got is never kept too: it would come
  again at its next start, and then be old.
"""

import json
import os
import socket
import sys
import time

_SECONDS = 2.0
_KEPT = ("SessionStart", "SessionEnd")


def main(folder: str, pane: str) -> None:
    """Hand the event on, or keep it."""
    payload = json.loads(sys.stdin.buffer.read())
    message = json.dumps({"pane": pane, "payload": payload}).encode() + b"\n"
    is_sent = False
    os.chdir(folder)
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(_SECONDS)
            connection.connect("hook.sock")
            connection.sendall(message)
            connection.shutdown(socket.SHUT_WR)
            is_sent = True
            connection.recv(1)  # until the bridge has read it
    except OSError:
        if not is_sent and payload.get("hook_event_name") in _KEPT:
            keep(message)


def keep(message: bytes) -> None:
    """Leave the message for the next start of the bridge, in a file that is whole or not there."""
    name = f"{time.time_ns()}-{os.getpid()}"
    os.makedirs("spool", mode=0o700, exist_ok=True)
    fd = os.open(f"spool/{name}.part", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(message)
        file.flush()
        os.fsync(fd)
    os.rename(f"spool/{name}.part", f"spool/{name}.json")


if __name__ == "__main__":
    try:
        main(*sys.argv[1:3])
    except Exception:  # noqa: BLE001 - whatever went wrong, Claude Code goes on undisturbed
        os._exit(0)
