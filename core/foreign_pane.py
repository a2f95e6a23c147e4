"""A pane of a person's own tmux that Claude Code runs in: which one it is, and when it takes keys.

* Keys are for Claude Code alone. Behind it there mostly is a shell, which would run what is typed:
  so tmux itself looks, in one step with the typing, whether the same program is in front.
* A pane whose keys go to others, too (`synchronize-panes`), takes none of ours.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

FORMAT = (
    "#{pane_id}|#{pane_pid}|#{pane_dead}|#{pane_in_mode}|#{session_attached}|"
    "#{pane_current_command}|#{@bridge_pane}|#{session_name}"
)
"""What tmux is asked of each pane; a session's name comes last, as it may hold anything."""

_SHELLS = frozenset(
    {"sh", "bash", "zsh", "fish", "dash", "ksh", "mksh", "csh", "tcsh", "ash", "busybox", "nu"}
)
_PROGRAM = re.compile(r"[A-Za-z0-9._-]{1,64}")
_PANE_ID = re.compile(r"%[0-9]{1,9}")
_SOCKET = re.compile(r"(/[^,]*),[0-9]+,[0-9]+")


@dataclass(frozen=True, slots=True)
class ForeignPane:
    """One pane; `pid` is that of the first process in it, `session` its tmux session's name."""

    pane_id: str
    pid: int
    program: str
    session: str
    in_mode: bool
    is_attached: bool
    is_ours: bool

    @property
    def takes_keys(self) -> str:
        """A tmux format that is true as long as what runs in the pane is what ran there."""
        return (
            f"#{{&&:#{{==:#{{pane_pid}},{self.pid}}},"
            f"#{{&&:#{{==:#{{pane_current_command}},{self.program}}},"
            "#{==:#{pane_dead}#{pane_in_mode}#{pane_input_off}#{pane_synchronized},0000}}}"
        )


def parse_panes(lines: Sequence[str]) -> list[ForeignPane]:
    """The panes that live, by lines of `FORMAT`, each once though two sessions may show it."""
    panes: dict[str, ForeignPane] = {}
    for line in lines:
        fields = line.split("|", FORMAT.count("|"))
        if len(fields) <= FORMAT.count("|") or not fields[1].isdecimal() or fields[2] == "1":
            continue
        pane_id, pid, _, in_mode, attached, program, mark, session = fields
        panes.setdefault(
            pane_id,
            ForeignPane(
                pane_id=pane_id,
                pid=int(pid),
                program=program,
                session=session,
                in_mode=in_mode not in ("", "0"),
                is_attached=attached not in ("", "0"),
                is_ours=bool(mark),
            ),
        )
    return list(panes.values())


def find_joinable(
    panes: Sequence[ForeignPane], ancestors: Collection[int], leader: int
) -> ForeignPane | None:
    """The pane that a process can be typed at in, if there is one.

    `ancestors`: the ids of the process and of those above it; `leader`: of its process group's
    first, which tmux takes for the program in front. Where that could be mistaken for a shell,
    nothing can be told apart, and there is none; nor is there where a bridge has the pane already.
    """
    for pane in panes:
        if pane.pid not in ancestors or pane.is_ours or not _PANE_ID.fullmatch(pane.pane_id):
            continue
        is_certain = pane.pid == leader or pane.program not in _SHELLS
        return pane if is_certain and _PROGRAM.fullmatch(pane.program) else None
    return None


def read_socket(variable: str) -> str | None:
    """The path of the server's socket in a `TMUX` variable."""
    found = _SOCKET.fullmatch(variable)
    return found[1] if found is not None else None
