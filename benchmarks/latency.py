"""How long a text takes from phone to model and the answer back, beside typing at a pane by hand.

* All is real (bridge, tmux, Claude Code) but the two far ends, which are loopback stand-ins.
* The floor is a Claude Code session of its own on a machine of its own, without hooks, typed into
  with a bracketed paste and Enter; its answer counts as read with its line in the transcript. Both
  take turns, so that a busy machine slows both alike; the first rounds of each do not count.
* `python -m benchmarks.latency [--rounds N]` prints a table; exit status 1 if a figure misses its
  target, 2 without Claude Code (`BRIDGE_TEST_CLAUDE` names it) or tmux.
"""

from __future__ import annotations

import argparse
import shlex
import shutil
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import psutil

from benchmarks.figures import Figure, print_table
from tests.standins.messages_api import MessagesApi, ModelRequest, Say, UseTool
from tests.world import WAIT_SECONDS, World, find_claude

_WARM_UPS = 2
_WAKES = 3
_REST_SECONDS = 0.3
_SETTLE_SECONDS = 3.0
_IDLE_SECONDS = 10.0
_GRAIN_SECONDS = 0.001
_PANE = "hand"


@dataclass(frozen=True, slots=True)
class Round:
    """One text and its answer: moments of the monotonic clock, in the order they come."""

    started: float
    asked: float
    replied: float
    shown: float

    @property
    def to_model(self) -> float:
        """From the text being there to the model's having it."""
        return self.asked - self.started

    @property
    def to_reader(self) -> float:
        """From the end of the model's reply to the reader's having it."""
        return self.shown - self.replied

    @property
    def whole(self) -> float:
        """From the text being there to the reader's having the answer."""
        return self.shown - self.started


class TimedModel(MessagesApi):
    """The stand-in, which also knows when each reply had been sent, by the text replied to."""

    def __init__(self) -> None:
        super().__init__()
        self.replied: dict[str, float] = {}

    async def _events(self, body: dict[str, Any], reply: Say | UseTool) -> AsyncIterator[Any]:
        async for event in super()._events(body, reply):
            yield event
        request = ModelRequest(body, time.monotonic())  # message_stop was written before
        if request.is_turn:
            self.replied[request.user_texts[-1]] = request.at


Machine = TypeVar("Machine", bound=World)
Model = TypeVar("Model", bound=MessagesApi)


class Phone:
    """A person who writes to the bridge."""

    def __init__(self, world: World, model: TimedModel) -> None:
        self.world = world
        self._model = model
        world.start_bridge()

    def ask(self, text: str) -> Round:
        """Send the text; the answer is there when Telegram has been given it."""
        answer = f"Echo: {text}"
        started = time.monotonic()
        message = self.world.say(text)
        asked = self._model.wait_for_text(text, timeout=WAIT_SECONDS).at
        self.world.reads(answer, after=message)
        sent = self.world.telegram.calls_of("sendMessage")
        shown = next(call.at for call in sent if call.params["text"] == answer)
        return Round(started, asked, self._model.replied[text], shown)

    def put_to_sleep(self) -> None:
        """End Claude Code; the next text wakes it."""
        self.world.say("/kill")
        wait_closely(lambda: not self.world.processes(), "Claude Code sleeps")

    def idle_cost(self) -> tuple[float, float]:
        """Percent of one processor while nothing happens, and resident megabytes, with helpers."""
        assert self.world.bridge is not None
        bridge = psutil.Process(self.world.bridge.pid)
        self._wait_for_menu()
        time.sleep(_SETTLE_SECONDS)
        start, used = time.monotonic(), cpu_seconds(bridge)
        time.sleep(_IDLE_SECONDS)
        percent = (cpu_seconds(bridge) - used) / (time.monotonic() - start) * 100
        family = [bridge, *bridge.children(recursive=True)]
        return percent, sum(process.memory_info().rss for process in family) / 1e6

    def _wait_for_menu(self) -> None:
        """A rested chat is given its menu, once: Claude Code is asked for it, for a second."""
        calls = partial(self.world.telegram.calls_of, "setMyCommands")
        wait_closely(
            lambda: any("chat_id" in str(call.params.get("scope")) for call in calls()), "its menu"
        )


class Hand:
    """A person who types at a terminal, on a machine that has no bridge."""

    def __init__(self, world: World, model: TimedModel) -> None:
        self.world = world
        self._model = model
        self._session_id = str(uuid.uuid4())
        self._open("--session-id")

    def ask(self, text: str) -> Round:
        """Paste the text and press Enter; the answer is there with its line in the transcript."""
        known = self._find_transcript()
        offset = known.stat().st_size if known else 0
        started = self.type(text)
        asked = self._model.wait_for_text(text, timeout=WAIT_SECONDS).at
        answer = f"Echo: {text}".encode()
        wait_closely(lambda: self._is_recorded(answer, offset), "the answer is in the transcript")
        return Round(started, asked, self._model.replied[text], time.monotonic())

    def type(self, text: str) -> float:
        """Paste the text and press Enter; returns when that began."""
        buffer = self.world.root / "text"
        buffer.write_text(text)
        started = time.monotonic()
        load = ["load-buffer", "-b", _PANE, str(buffer)]
        paste = ["paste-buffer", "-p", "-d", "-b", _PANE, "-t", _PANE]
        self.world.tmux(*load, ";", *paste, ";", "send-keys", "-t", _PANE, "Enter")
        return started

    def press(self, key: str) -> None:
        """Press one key."""
        self.world.tmux("send-keys", "-t", _PANE, key)

    def put_to_sleep(self) -> None:
        """End Claude Code."""
        self.world.tmux("kill-session", "-t", _PANE)
        wait_closely(lambda: not self.world.processes(), "Claude Code has ended")

    def wake_and_ask(self, text: str) -> Round:
        """Resume the conversation, and type as soon as Claude Code says that it is idle."""
        started = time.monotonic()
        self._open("--resume")
        asked = self.ask(text)
        return Round(started, asked.asked, asked.replied, asked.shown)

    def _open(self, option: str) -> None:
        world = self.world
        command = [str(world.claude), "--permission-mode", "default", option, self._session_id]
        place = ["-d", "-s", _PANE, "-x", "120", "-y", "40", "-c", str(world.project)]
        world.tmux("new-session", *place, shlex.join(command))
        wait_closely(lambda: is_idle(world), "Claude Code is idle")

    def _find_transcript(self) -> Path | None:
        found = (self.world.home / ".claude" / "projects").glob(f"*/{self._session_id}.jsonl")
        return next(found, None)

    def _is_recorded(self, answer: bytes, offset: int) -> bool:
        path = self._find_transcript()
        if path is None:
            return False
        with path.open("rb") as file:
            file.seek(offset)
            lines = file.read().split(b"\n")[:-1]
        return any(answer in line and b'"type":"assistant"' in line for line in lines)


def main() -> int:
    """Measure on two scratch machines, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.latency")
    parser.add_argument("--rounds", type=int, default=20, metavar="N")
    rounds = max(1, parser.parse_args().rounds)
    claude = find_claude()
    if claude is None or not shutil.which("tmux"):
        print("Claude Code (BRIDGE_TEST_CLAUDE names it) or tmux is missing.", file=sys.stderr)
        return 2
    with (
        machine(World, claude, TimedModel()) as (world, model),
        machine(World, claude, TimedModel()) as (other_world, other_model),
    ):
        figures = measure(Phone(world, model), Hand(other_world, other_model), rounds)
        print_table(figures, "bridge", "by hand")
    return 0 if all(figure.is_met for figure in figures) else 1


@contextmanager
def machine(
    kind: Callable[[Path, Path], Machine], claude: Path, model: Model
) -> Iterator[tuple[Machine, Model]]:
    """Somebody's machine, which ends with all that runs on it."""
    with tempfile.TemporaryDirectory(prefix="benchmark-") as root:
        world = kind(Path(root), claude)
        world.model = model
        with world:
            try:
                yield world, model
            finally:
                world.stop_bridge()
                world.kill_claude()  # At a clean end, its hooks would still write to the folder.


def measure(phone: Phone, hand: Hand, rounds: int) -> list[Figure]:
    for number in range(_WARM_UPS):
        take_turns(phone, hand, f"warm-up {number}")
    pairs = [take_turns(phone, hand, f"text {number}") for number in range(rounds)]
    bridge, floor = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    cpu, memory = phone.idle_cost()
    wakes = [wake_in_turns(phone, hand, f"wake {number}") for number in range(_WAKES)]
    return [
        time_figure("phone to model", bridge, floor, lambda r: r.to_model, target=0.15),
        time_figure("model to phone", bridge, floor, lambda r: r.to_reader),
        time_figure("phone to answer", bridge, floor, lambda r: r.whole, target=0.25),
        time_figure(
            "asleep to model", [w[0] for w in wakes], [w[1] for w in wakes], lambda r: r.to_model
        ),
        Figure("bridge's idle CPU", "%", [cpu], [], target=0.1),
        Figure("bridge's memory", "MB", [memory], [], target=60),
    ]


def time_figure(
    what: str,
    bridge: list[Round],
    floor: list[Round],
    span: Callable[[Round], float],
    target: float | None = None,
) -> Figure:
    return Figure(what, "s", [span(r) for r in bridge], [span(r) for r in floor], target)


def take_turns(phone: Phone, hand: Hand, text: str) -> tuple[Round, Round]:
    """The same text by phone and by hand, each at a machine that has come to rest."""
    rest(phone.world, hand.world)
    by_phone = phone.ask(text)
    rest(phone.world, hand.world)
    return by_phone, hand.ask(text)


def wake_in_turns(phone: Phone, hand: Hand, text: str) -> tuple[Round, Round]:
    """The same text to a Claude Code that does not run."""
    phone.put_to_sleep()
    hand.put_to_sleep()
    time.sleep(_REST_SECONDS)
    by_phone = phone.ask(text)
    rest(phone.world)
    by_hand = hand.wake_and_ask(text)
    rest(phone.world, hand.world)
    return by_phone, by_hand


def rest(*worlds: World) -> None:
    """Until nothing is left to do of what was before; a world without Claude Code rests anyway."""
    for world in worlds:
        wait_closely(partial(is_at_rest, world), "Claude Code is at rest")
    time.sleep(_REST_SECONDS)


def is_idle(world: World) -> bool:
    """Whether Claude Code runs and waits for a text."""
    return [process.status for process in world.processes()] == ["idle"]


def is_at_rest(world: World) -> bool:
    return is_idle(world) or not world.processes()


def wait_closely(is_true: Callable[[], bool], what: str) -> None:
    """Look every millisecond; raises AssertionError."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not is_true():
        assert time.monotonic() < deadline, f"not within {WAIT_SECONDS:g} s: {what}"
        time.sleep(_GRAIN_SECONDS)


def cpu_seconds(process: psutil.Process) -> float:
    """Processor time used so far, also by helpers that have ended."""
    times = process.cpu_times()
    own = times.user + times.system
    if sys.platform == "linux":
        # The kernel's clock of that process (CPUCLOCK_SCHED): what psutil reads counts in steps of
        # 10 ms, and one of those is all that the target allows.
        own = time.clock_gettime((~process.pid << 3) | 2)
    helpers = [child.cpu_times() for child in process.children(recursive=True)]
    alive = sum(helper.user + helper.system for helper in helpers)
    return own + times.children_user + times.children_system + alive


if __name__ == "__main__":
    sys.exit(main())
