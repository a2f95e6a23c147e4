"""How soon the page shows a conversation of 5,000 messages, and whether it stalls in an answer.

* All is real (page, bridge, tmux, Claude Code, Chromium without a window) but the model. Times are
  those of the wall clock in the browser, from the beginning of the navigation.
* A page is opened anew in a browser that has nothing of it but the sign that it is let in, then
  reloaded. The newest message is seen when it is within the part of the page that scrolls, and one
  more frame was drawn.
* Meanwhile an answer is written piece by piece. A task is long from 50 ms on: the browser reports
  no shorter ones, and 0 says that there was none. A gap is the time between two frames.
* The floor is a conversation of a few messages at the same bridge; both take turns.
* `python -m benchmarks.page [--rounds N]` prints a table; exit status 1 if a figure misses its
  target, 2 without Chromium, Claude Code (`BRIDGE_TEST_CLAUDE` names it) or tmux.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import shutil
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from playwright.sync_api import Browser, Page, StorageState

from benchmarks.figures import Figure, print_table
from benchmarks.latency import machine, wait_closely
from channels.web_body import make_body, make_own_body
from channels.web_store import WebStore
from core.model import AT_THE_PAGE, Chat, Post
from tests.standins.messages_api import (
    MessagesApi,
    ModelRequest,
    Reply,
    Say,
    UseTool,
    answer_by_prompt,
)
from tests.web_world import (
    WebWorld,
    find_chromium,
    open_link,
    open_topic,
    reads,
    running_chromium,
    say,
)
from tests.world import find_claude

_ROUNDS = 10
_STREAMS = 5
_MANY = 5_000
_BETWEEN_MESSAGES = 600.0
_PIECE = 30
_BETWEEN_PIECES = 0.05
_SECTIONS = 16
_REST_SECONDS = 1.0
_PAINT_SECONDS = 1.0
_TASK_SECONDS = 0.1
_ANSWER = """\
Here is what I found in **module {n}**, and what `it` does:

- one
- two

```python
def number_{n}(x: int) -> int:
    return x + {n}
```

| a | b |
|-|-|
| 1 | {n} |

"""
_WATCH = """(() => {
    const measured = window.measured = { tasks: [], gap: 0, newest: 0 };
    new PerformanceObserver((list) => {
        for (const task of list.getEntries()) measured.tasks.push(task.duration);
    }).observe({ type: "longtask", buffered: true });
    const isSeen = () => {
        const newest = [...document.querySelectorAll("article:not(.mine, .card)")].pop();
        if (!newest || !newest.textContent.includes("Echo: warm-up")) return false;
        const place = newest.getBoundingClientRect();
        const pane = document.getElementById("scroll").getBoundingClientRect();
        return place.top >= pane.top && place.bottom <= pane.bottom;
    };
    let before = performance.now(), isDrawn = false;
    const frame = (now) => {
        measured.gap = Math.max(measured.gap, now - before);
        before = now;
        if (!measured.newest && isDrawn) measured.newest = performance.now();
        isDrawn ||= isSeen();
        requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
})()"""
_FIRST_PAINT = "performance.getEntriesByName('first-contentful-paint')[0].startTime"


@dataclass(frozen=True, slots=True)
class Opening:
    """Seconds from the beginning of a navigation."""

    painted: float
    newest: float


@dataclass(frozen=True, slots=True)
class Visit:
    """The page opened anew, and reloaded."""

    opened: Opening
    reloaded: Opening


@dataclass(frozen=True, slots=True)
class Stream:
    """The longest task and the longest gap between two frames, in seconds."""

    task: float
    gap: float


class SlowModel(MessagesApi):
    """The stand-in, which to `write …` answers at length, piece by piece."""

    def __init__(self) -> None:
        super().__init__(_write_or_answer)

    async def _events(self, body: dict[str, Any], reply: Say | UseTool) -> AsyncIterator[Any]:
        async for event in super()._events(body, reply):
            yield event
            if isinstance(reply, Say) and len(reply.pieces) > 1:
                await asyncio.sleep(_BETWEEN_PIECES)


Value = TypeVar("Value", Opening, Stream)


class Reader:
    """A person whose browser shows one conversation."""

    def __init__(self, world: WebWorld, browser: Browser, state: StorageState, topic: int) -> None:
        self._world = world
        self._browser = browser
        self._state = state
        self._topic = topic

    @contextmanager
    def open(self) -> Iterator[Page]:
        """The page, in a browser that has nothing of it yet."""
        with self._browser.new_context(storage_state=self._state) as context:
            context.add_init_script(_WATCH)
            page = context.new_page()
            page.goto(f"{self._world.url}#t{self._topic}")
            yield page

    def visit(self) -> Visit:
        """Open it anew, and reload it."""
        rest(self._world)
        with self.open() as page:
            opened = self._see(page)
            rest(self._world)
            page.reload()
            return Visit(opened, self._see(page))

    def stream(self, page: Page, number: int) -> Stream:
        """Have a long answer written, until the page and Claude Code are at rest again."""
        rest(self._world)
        page.evaluate("Object.assign(measured, { tasks: [], gap: 0 })")
        text = f"write {number}"
        say(page, text)
        reads(page, _end_of(text))
        rest(self._world)
        task, gap = page.evaluate("[Math.max(0, ...measured.tasks), measured.gap]")
        return Stream(task / 1000, gap / 1000)

    @staticmethod
    def _see(page: Page) -> Opening:
        page.wait_for_function("() => measured.newest", polling=100)
        painted, newest = page.evaluate(f"[{_FIRST_PAINT}, measured.newest]")
        return Opening(painted / 1000, newest / 1000)


def rest(world: WebWorld) -> None:
    """Until nothing is left to do of what was before."""
    wait_closely(partial(_is_idle, world), "Claude Code is at rest")
    time.sleep(_REST_SECONDS)


def _is_idle(world: WebWorld) -> bool:
    return all(process.status == "idle" for process in world.processes())


def main() -> int:
    """Returns 1 when a figure misses its target, 2 when something it needs is missing."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.page", description=__doc__)
    parser.add_argument("--rounds", type=int, default=_ROUNDS, help="how often it is opened")
    rounds = max(1, parser.parse_args().rounds)
    claude = find_claude()
    if claude is None or shutil.which("tmux") is None or find_chromium() is None:
        print("Chromium, Claude Code (BRIDGE_TEST_CLAUDE) or tmux is missing.", file=sys.stderr)
        return 2
    with machine(WebWorld, claude, SlowModel()) as (world, _), running_chromium() as browser:
        figures = measure(world, browser, rounds)
    print_table(figures, f"{_MANY:,}", "a few")
    return 0 if all(figure.is_met for figure in figures) else 1


def measure(world: WebWorld, browser: Browser, rounds: int) -> list[Figure]:
    """The first round of each does not count."""
    topics = fill(world.state / "bridge" / "web")
    world.start_bridge()
    state = wake_up(world, browser, topics)
    many, few = (Reader(world, browser, state, topic) for topic in topics)
    visits = [(many.visit(), few.visit()) for _ in range(rounds + 1)][1:]
    opened = [(one.opened, other.opened) for one, other in visits]
    reloaded = [(one.reloaded, other.reloaded) for one, other in visits]
    with many.open() as page, few.open() as other_page:
        streams = [
            (many.stream(page, number), few.stream(other_page, number))
            for number in range(_STREAMS + 1)
        ][1:]
    return [
        compare("open: first paint", opened, lambda o: o.painted, _PAINT_SECONDS),
        compare("open: newest seen", opened, lambda o: o.newest, _PAINT_SECONDS),
        compare("reload: first paint", reloaded, lambda o: o.painted, _PAINT_SECONDS),
        compare("reload: newest seen", reloaded, lambda o: o.newest, _PAINT_SECONDS),
        compare("answer: longest task", streams, lambda s: s.task, _TASK_SECONDS, is_bound=True),
        compare("answer: longest gap", streams, lambda s: s.gap),
    ]


def compare(
    what: str,
    pairs: list[tuple[Value, Value]],
    span: Callable[[Value], float],
    target: float | None = None,
    *,
    is_bound: bool = False,
) -> Figure:
    """A line of the table, from what was measured with many messages, and with few."""
    values, floors = [span(many) for many, _ in pairs], [span(few) for _, few in pairs]
    return Figure(what, "s", values, floors, target, is_bound)


def fill(folder: Path) -> tuple[int, int]:
    """A conversation of many messages and one of none, before the bridge runs."""
    moments = itertools.count(time.time() - _MANY * _BETWEEN_MESSAGES, _BETWEEN_MESSAGES)
    store = WebStore(folder, clock=lambda: next(moments))
    many, few = store.create_topic("Many"), store.create_topic("Few")
    chat = Chat("web", AT_THE_PAGE, many)
    for number in range(_MANY // 2):
        key, question, answer = f"fill {number}", f"question {number}", _ANSWER.format(n=number)
        body = make_own_body(key, question, (), None)
        store.take_message(key, many, body, question, lambda _: {})
        post = Post(key, chat, answer, style="markdown")
        store.post(key, many, make_body(post, (), (), ()), answer)
        store.forget_updates([update for update, _, _ in store.read_updates()])
    store.close()
    return many, few


def wake_up(world: WebWorld, browser: Browser, topics: Iterable[int]) -> StorageState:
    """Have a Claude Code that is awake in each; returns what a browser has that is let in."""
    with browser.new_context() as context:
        page = open_link(context, world.link())
        for topic in topics:
            open_topic(page, topic)
            say(page, "warm-up")
            reads(page, "Echo: warm-up")
        return context.storage_state()


def _write_or_answer(request: ModelRequest) -> Reply:
    text = request.user_texts[-1]
    if text.startswith("write "):
        answer = "".join(_ANSWER.format(n=number) for number in range(_SECTIONS)) + _end_of(text)
        return Say(tuple(answer[at : at + _PIECE] for at in range(0, len(answer), _PIECE)))
    return answer_by_prompt(request)


def _end_of(text: str) -> str:
    return f"That was “{text}”."


if __name__ == "__main__":
    sys.exit(main())
