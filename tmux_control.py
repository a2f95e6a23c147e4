"""The terminals that Claude Code lives in: panes of a tmux server of our own, one per name.

- This is the only module that knows libtmux or tmux. Every call blocks, is bounded in time, runs in
  the environment it was given and in nothing else, and raises only errors of `core.errors`.
- A pane is ours when it carries the option `@bridge_pane`, and is found by that: whatever a person
  who attached splits, renames or moves, text still reaches the program it was meant for.
- A pane of a person's own tmux can be joined under a name. It is typed at and looked at like ours,
  and nothing else: it is not marked, not set up, not closed.
- What is typed is never in an argument list (`ps` shows those to everybody), a log, or a command
  that tmux parses: it goes through private files into paste buffers, and from there into the pane.
- All pieces and the Enter are one chain inside the tmux server behind one check that the pane
  lives and takes keys, because tmux 3.3a as a whole dies of a paste into a dead pane.
- Variables reach a pane through the tmux client's own environment: each `open` takes today's
  values, also from a server that an earlier bridge started with others, and none is in `ps`.
"""

from __future__ import annotations

import itertools
import os
import re
import shlex
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.claude_code import Typing
from core.errors import (
    PaneNotFoundError,
    PaneNotTypableError,
    TerminalError,
    TerminalMissingError,
)
from core.keystrokes import split_pieces
from core.model import PaneScreen
from core.tmux_keys import render_key
from core.tmux_options import TMUX_OPTIONS
from core.visible_text import make_line
from tmux_search import FoundPane, find_pane, list_panes
from tmux_server import NO_SERVER, Answer, TmuxServer, error_for, how_to_get_tmux
from typing_files import fresh_folder, write_private

OLDEST_TMUX = (3, 2)

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_MARK = "@bridge_pane"
_PANE_FORMAT = (
    "#{pane_id}|#{pane_pid}|#{pane_dead}|#{pane_in_mode}|#{pane_dead_status}|#{pane_dead_signal}|"
    "#{session_attached}|"
    f"#{{{_MARK}}}"
)
_SCREEN_FORMAT = "#{pane_width}|#{pane_height}|#{cursor_x}|#{cursor_y}|#{cursor_flag}"
_FOLDER_PREFIX = "typing-"
_REFUSED = "refused"
_START_ATTEMPTS = 40
_START_PAUSE = 0.05
_SET_BY_TMUX = frozenset({"TERM", "TERM_PROGRAM", "TERM_PROGRAM_VERSION", "TMUX", "TMUX_PANE"})
# The folder is entered by the shell, because tmux silently takes another one when it cannot; and
# the shell says what is wrong when the program cannot be run, where tmux says nothing.
_LAUNCHER = ("sh", "-c", 'cd -- "$0" && exec "$@"')


@dataclass(frozen=True, slots=True)
class Pane:
    """A terminal as tmux had it a moment ago.

    `exit_status` is as a shell counts, so 128 + N when signal N ended it; None while it lives or is
    not known yet. A pane whose program ended well is gone. Of a pane that was joined (`is_joined`),
    `pid` is that of the process for whose sake it was, and `place` says in words where it is.
    """

    name: str
    pane_id: str
    pid: int
    is_dead: bool
    exit_status: int | None
    in_mode: bool
    is_attached: bool = False
    is_joined: bool = False
    place: str = ""


@dataclass(frozen=True, slots=True)
class _Joined:
    """A person's own pane, the process in it, and how that is typed at."""

    found: FoundPane
    pid: int
    typing: Typing


class TmuxControl:
    """Opens, finds, types into, reads and closes panes.

    Args:
        socket: the name of the tmux server's socket (`-L`), or its path if it has a "/" (`-S`).
        environment: all that tmux, and everything that runs in it, gets to see.
        folder: a private directory (made 0700) of this control's own, for text on its way.
        typing: how the program in the panes has to be typed at.
        timeout: seconds after which a call to tmux is given up.
    """

    def __init__(
        self,
        *,
        socket: str,
        environment: Mapping[str, str],
        folder: Path,
        typing: Typing,
        timeout: float = 5.0,
        executable: str = "tmux",
        columns: int = 120,
        lines: int = 40,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._socket = socket
        self._environment = dict(environment)
        self._folder = folder
        self._typing = typing
        self._executable = executable
        self._columns = columns
        self._lines = lines
        self._sleep = sleep
        self._timeout = timeout
        self._server = self._make_server(socket)
        self._joined: dict[str, _Joined] = {}
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        for left_over in folder.glob(f"{_FOLDER_PREFIX}*"):
            shutil.rmtree(left_over, ignore_errors=True)

    def check(self) -> None:
        """Whether tmux can be used.

        Raises:
            TerminalMissingError: it is not there, or too old; the text says how to get it.
        """
        answer = self._server.run("-V")
        said = " ".join(answer.stdout)
        version = re.search(r"(\d+)\.(\d+)", said)
        # A tmux built from its main branch gives no number, and is newer than any.
        if version and (int(version[1]), int(version[2])) < OLDEST_TMUX:
            oldest = ".".join(map(str, OLDEST_TMUX))
            raise TerminalMissingError(how_to_get_tmux(f"{said} is older than {oldest}"))

    def open(self, name: str, command: Sequence[str], directory: str | Path) -> Pane:
        """Start `command` in `directory` in a new pane; a dead one of that name makes room.

        Raises:
            TerminalError: the name is in use, there is no such directory, or tmux refused.
        """
        _check_name(name)
        if not os.path.isabs(directory) or not os.path.isdir(directory):
            raise TerminalError(f"There is no folder {directory} to start Claude in.")
        before = self.find(name)
        if before is not None and not before.is_dead:
            raise TerminalError(f"The terminal {name} is already open.")
        if before is not None and before.is_attached:
            answer = self._start_again(before, command, str(directory))
        else:
            self.close(name)
            answer = self._start(self._opening_chain(name, command, str(directory)))
        if answer.returncode != 0:
            raise error_for(answer, name)
        for pane in _parse_panes(answer):
            if pane.name == name:
                return pane
        raise TerminalError(f"tmux opened no terminal {name}.")

    def panes(self) -> list[Pane]:
        """All panes of ours; none when no tmux server runs."""
        panes = self._list_panes()
        if any(pane.is_dead and pane.exit_status is None for pane in panes):
            # tmux may miss the end of a program with many threads, as Claude Code is. It looks for
            # all that ended whenever something else does.
            self._server.cmd("run-shell", "true")
            panes = self._list_panes()
        return panes

    def find(self, name: str) -> Pane | None:
        """The pane of that name, dead or alive."""
        _check_name(name)
        if name in self._joined:
            return self._find_joined(name)
        return next((pane for pane in self.panes() if pane.name == name), None)

    def join(self, name: str, pid: int, typing: Typing) -> Pane | None:
        """Let `name` stand for the pane of a person's own tmux that the process `pid` runs in.

        None if it runs in none that can be typed at. `typing`: how the process has to be.
        """
        _check_name(name)
        uid, parent = os.getuid(), self._environment.get("TMUX_TMPDIR") or "/tmp"
        folder = Path(parent) / f"tmux-{uid}"
        found = find_pane(pid, server=self._make_server, folder=folder)
        if found is None:
            return None
        self._joined[name] = _Joined(found, pid, typing)
        return self._find_joined(name)

    def type_text(self, name: str, text: str) -> None:
        """Type `text`, as `prepare_prompt` returned it, and press Enter: all of it or nothing.

        Scrolling that a person left the pane in is ended first.

        Raises:
            PaneNotFoundError: no such pane. PaneNotTypableError: it is dead. Nothing was typed.
            TerminalTimeoutError: it is not known whether anything was typed.
        """
        pane = self._for_name(name)
        joined = self._joined.get(name)
        typing = self._typing if joined is None else joined.typing
        with fresh_folder(_FOLDER_PREFIX, self._folder) as folder:
            buffers = []
            for number, piece in enumerate(split_pieces(text, typing)):
                write_private(folder / str(number), piece)
                buffers.append(f"{folder.name}-{number}")
            loads = [f"load-buffer -b {buffer} {number}" for number, buffer in enumerate(buffers)]
            pastes = [f"paste-buffer -p -d -b {buffer} -t {pane.pane_id}" for buffer in buffers]
            seconds = typing.seconds_before_enter
            pause = [f"run-shell -d {seconds:g}"] if seconds else []
            keys = [f"send-keys -t {pane.pane_id} Enter"]
            try:
                self._run_guarded(pane, folder, loads, [*pastes, *pause, *keys])
            except (PaneNotFoundError, PaneNotTypableError):
                self._forget_buffers(pane, folder, buffers)
                raise

    def press(self, name: str, *keys: str) -> None:
        """Press keys of `KEY_NAMES`, or single printable ASCII characters, one after another.

        Raises:
            TerminalError: a key that is neither, and nothing was pressed; else as `type_text`.
        """
        arguments = [render_key(key) for key in keys]
        pane = self._for_name(name)
        presses = [f"send-keys -t {pane.pane_id} {argument}" for argument in arguments]
        with fresh_folder(_FOLDER_PREFIX, self._folder) as folder:
            self._run_guarded(pane, folder, [], presses)

    def capture(self, name: str, colours: bool = False) -> str:
        """What the pane shows, line by line, without the blank rest of the screen.

        Of a dead one: its last words, the lines that tmux has pushed out of sight for its own
        "Pane is dead" included, each whole, without blank lines. What a program says in the very
        moment in which it ends tmux loses now and then.
        """
        pane = self._for_name(name)
        options = ["-p", *(["-e"] if colours else []), *(["-J", "-S", "-"] if pane.is_dead else [])]
        answer = self._server_of(name).cmd("capture-pane", *options, target=pane.pane_id)
        if answer.returncode != 0:
            raise error_for(answer, name)
        lines = [line.rstrip() for line in answer.stdout]
        if pane.is_dead:
            lines = [line for line in lines if line][-self._lines :]
        return "\n".join(lines).rstrip("\n")

    def snapshot(self, name: str) -> PaneScreen:
        """All that a picture of the pane needs, as it is at one moment."""
        target = ("-t", self._for_name(name).pane_id)
        # -N: cells that only have a background are a part of the picture.
        capture = ("capture-pane", "-p", "-e", "-N", *target)
        server = self._server_of(name)
        answer = server.cmd("display-message", "-p", *target, _SCREEN_FORMAT, ";", *capture)
        if answer.returncode != 0 or not answer.stdout:
            raise error_for(answer, name)
        columns, rows, x, y, is_shown = map(int, answer.stdout[0].split("|"))
        cursor = (x, y) if is_shown else None
        return PaneScreen("\n".join(answer.stdout[1:]), columns, rows, cursor)

    def close(self, name: str) -> None:
        """Hang up, so that Claude ends cleanly; it is no error if the pane is gone.

        A pane that was joined is left as it is, and the name stands for it no more.
        """
        _check_name(name)
        if self._joined.pop(name, None) is not None:
            return
        pane = self.find(name)
        for target in (pane.pane_id if pane else None, f"={name}"):
            if target is not None:
                answer = self._server.cmd("kill-session", target=target)
                if answer.returncode != 0:
                    error = error_for(answer, name)
                    if not isinstance(error, PaneNotFoundError):
                        raise error

    def kill_server(self) -> None:
        """End the tmux server and all that runs in it; it is no error if there is none."""
        self._server.cmd("kill-server")

    def attach_command(self, name: str) -> str:
        """A shell line that shows the pane, also from inside another tmux."""
        _check_name(name)
        variables = ["TMUX="]
        if "TMUX_TMPDIR" in self._environment:
            variables.append(f"TMUX_TMPDIR={shlex.quote(self._environment['TMUX_TMPDIR'])}")
        joined = self._joined.get(name)
        if joined is not None:
            program = f"{shlex.quote(self._executable)} -S {shlex.quote(joined.found.socket)}"
            return f"TMUX= {program} attach -t '{joined.found.pane.pane_id}'"
        flag = "-S" if "/" in self._socket else "-L"
        program = f"{shlex.quote(self._executable)} {flag} {shlex.quote(self._socket)}"
        # The quotes matter: zsh takes a bare =word for the path of a program.
        return f"{' '.join(variables)} {program} -f /dev/null attach -t '={name}'"

    def _make_server(self, socket: str) -> TmuxServer:
        return TmuxServer(socket, self._environment, self._timeout, self._executable)

    def _server_of(self, name: str) -> TmuxServer:
        joined = self._joined.get(name)
        return self._server if joined is None else joined.found.server

    def _find_joined(self, name: str) -> Pane | None:
        """The pane that was joined as it is now; None when it is gone."""
        joined = self._joined[name]
        before = joined.found.pane
        for pane in list_panes(joined.found.server):
            if (pane.pane_id, pane.pid) == (before.pane_id, before.pid):
                return Pane(
                    name=name,
                    pane_id=pane.pane_id,
                    pid=joined.pid,
                    is_dead=False,
                    exit_status=None,
                    in_mode=pane.in_mode,
                    is_attached=pane.is_attached,
                    is_joined=True,
                    place=f"tmux session “{make_line(pane.session)}”",
                )
        return None

    def _list_panes(self) -> list[Pane]:
        answer = self._server.cmd("list-panes", "-a", "-F", _PANE_FORMAT)
        if answer.returncode == 0:
            return _parse_panes(answer)
        error = error_for(answer, "")
        if isinstance(error, PaneNotFoundError):
            return []
        raise error

    def _for_name(self, name: str) -> Pane:
        pane = self.find(name)
        if pane is None:
            raise PaneNotFoundError(f"The terminal {name} is not open.")
        return pane

    def _opening_chain(self, name: str, command: Sequence[str], directory: str) -> list[str]:
        """Options, environment, session and mark in one chain: a server without a session ends."""
        kept = [variable for variable in self._environment if _VARIABLE_NAME.fullmatch(variable)]
        # tmux drops a variable that is named here and absent, so that what only the server
        # remembers (a key that was since removed) is not handed on.
        stale = set(kept) | self._remembered_variables()
        names = sorted(stale - _SET_BY_TMUX)
        size = ("-x", str(self._columns), "-y", str(self._lines))
        where = ("-c", _escape_format(directory))
        launched = ["--", *_LAUNCHER, directory, *command]
        commands: list[list[str]] = [
            ["start-server"],
            *(["set-option", *option] for option in TMUX_OPTIONS),
            ["set-option", "-g", "update-environment", " ".join(names)],
            ["new-session", "-d", "-s", name, "-n", "claude", *size, *where, *launched],
            ["set-option", "-p", "-t", f"={name}:", _MARK, name],
            ["list-panes", "-s", "-t", f"={name}:", "-F", _PANE_FORMAT],
        ]
        return _join_commands(commands)

    def _start_again(self, pane: Pane, command: Sequence[str], directory: str) -> Answer:
        """In the same pane, so that who is attached to it stays; it keeps its environment."""
        where = ("-c", _escape_format(directory))
        commands: list[list[str]] = [
            ["respawn-pane", "-t", pane.pane_id, *where, "--", *_LAUNCHER, directory, *command],
            ["list-panes", "-s", "-t", f"={pane.name}:", "-F", _PANE_FORMAT],
        ]
        chain = _join_commands(commands)
        return self._server.cmd(chain[0], *chain[1:])

    def _remembered_variables(self) -> set[str]:
        """Names of the variables that a running server would give to every pane."""
        answer = self._server.cmd("show-environment", "-g")
        names = {line.removeprefix("-").split("=", 1)[0] for line in answer.stdout}
        return {name for name in names if _VARIABLE_NAME.fullmatch(name)}

    def _start(self, chain: list[str]) -> Answer:
        """Run `chain`; a server that is just ending takes a moment before another can start."""
        for _ in range(_START_ATTEMPTS):
            answer = self._server.cmd(chain[0], *chain[1:])
            if not any(sign in line for line in answer.stderr for sign in NO_SERVER):
                break
            self._sleep(_START_PAUSE)
        return answer

    def _run_guarded(
        self, pane: Pane, folder: Path, preparation: list[str], actions: list[str]
    ) -> None:
        """Do `actions` with nothing between them and the check that this pane takes keys.

        The chain is read from a file, since tmux takes no more than 16 KB of arguments, and is
        one line, since after an error tmux skips only what is left of the line.
        """
        joined = self._joined.get(pane.name)
        takes_keys = (
            joined.found.pane.takes_keys
            if joined is not None
            else (
                f"#{{&&:#{{==:#{{{_MARK}}},{pane.name}}},"
                "#{==:#{pane_dead}#{pane_in_mode}#{pane_input_off},000}}"
            )
        )
        chain = [
            *preparation,
            f"copy-mode -q -t {pane.pane_id}",
            f"if-shell -F -t {pane.pane_id} '{takes_keys}' {{ {' ; '.join(actions)} }} "
            f"{{ display-message -p {_REFUSED} }}",
        ]
        write_private(folder / "chain", " ; ".join(chain) + "\n")
        answer = self._server_of(pane.name).cmd("source-file", "chain", folder=folder)
        if answer.returncode != 0 or answer.stderr:
            raise error_for(answer, pane.name)
        if _REFUSED in answer.stdout:
            raise PaneNotTypableError(
                f"The terminal {pane.name} takes no keys: what ran in it has ended or is not in "
                "front, or somebody switched its input off. Nothing was typed."
            )

    def _forget_buffers(self, pane: Pane, folder: Path, buffers: list[str]) -> None:
        """Drop what was loaded and not pasted; a line each, as some may never have been."""
        lines = "".join(f"delete-buffer -b {buffer}\n" for buffer in buffers)
        write_private(folder / "forget", lines)
        self._server_of(pane.name).cmd("source-file", "forget", folder=folder)


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise TerminalError(f"{name!r} cannot be the name of a terminal.")


def _escape_format(text: str) -> str:
    """So that tmux does not take a "#" in `text` for one of its formats."""
    return text.replace("#", "##")


def _join_commands(commands: Sequence[Sequence[str]]) -> list[str]:
    """One argument list; an argument that ends in ";" would end the command, unless escaped."""
    escaped = [
        [f"{word[:-1]}\\;" if word.endswith(";") else word for word in command]
        for command in commands
    ]
    return list(itertools.chain(escaped[0], *((";", *command) for command in escaped[1:])))


def _parse_panes(answer: Answer) -> list[Pane]:
    """Our panes among the lines of `_PANE_FORMAT`, each once though a window may be shown twice."""
    panes: dict[str, Pane] = {}
    for line in answer.stdout:
        fields = line.split("|")
        if len(fields) == _PANE_FORMAT.count("|") + 1 and _NAME.fullmatch(fields[-1]):
            pane_id, pid, is_dead, in_mode, status, signal, attached, name = fields
            panes[name] = Pane(
                name=name,
                pane_id=pane_id,
                pid=int(pid),
                is_dead=is_dead == "1",
                exit_status=_parse_exit_status(status, signal) if is_dead == "1" else None,
                in_mode=in_mode not in ("", "0"),
                is_attached=attached not in ("", "0"),
            )
    return list(panes.values())


def _parse_exit_status(status: str, signal: str) -> int | None:
    if signal.isdigit() and signal != "0":
        return 128 + int(signal)
    return int(status) if status.isdigit() else None
