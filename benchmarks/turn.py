"""How soon the phone shows what a turn brings: its first text, a permission, and a press's effect.

* As in `benchmarks.latency` all is real but the two far ends, and the floor is a person at a
  terminal of their own, who takes turns with the phone.
* Live text counts from the model's first line until Telegram has it; a permission from the model's
  wish for a tool until Telegram has the buttons (by hand: until the dialog is on the screen); a
  press until the model has the tool's result.
* Edits are those of the card of a turn in which Claude writes a line every 0.15 s for nine seconds;
  twenty a minute and a few at once are what a chat is to have room for.
* `python -m benchmarks.turn [--rounds N]` prints a table; the exit status is as there.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure, print_table
from benchmarks.latency import (
    Hand,
    Phone,
    TimedModel,
    machine,
    rest,
    wait_closely,
)
from tests.standins.messages_api import ModelRequest, Reply, Say, UseTool, answer_by_prompt
from tests.world import World, find_claude

_ROUNDS = 6
_LOOK_SECONDS = 1.0
_PAUSE_SECONDS = 20.0
_LINES = 60
_BETWEEN_LINES = 0.15


class WatchedModel(TimedModel):
    """Also knows when it sent the first words of a text, by the text that it replied to.

    To `write …` it replies with many lines, one after the other.
    """

    def __init__(self) -> None:
        super().__init__()
        self.began: dict[str, float] = {}
        self.answer = _write_or_answer

    async def _events(self, body: dict[str, Any], reply: Say | UseTool) -> AsyncIterator[Any]:
        request = ModelRequest(body, time.monotonic())
        async for event in super()._events(body, reply):
            yield event
            if event["type"] == "content_block_delta" and request.is_turn:
                self.began.setdefault(request.user_texts[-1], time.monotonic())
                if isinstance(reply, Say) and len(reply.pieces) == _LINES:
                    await asyncio.sleep(_BETWEEN_LINES)


@dataclass(frozen=True, slots=True)
class Permission:
    """Seconds from the model's wish to the question, and from the answer to the model."""

    asked: float
    answered: float


def main() -> int:
    """Returns 1 when a figure misses its target, 2 when something it needs is missing."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.turn", description=__doc__)
    parser.add_argument("--rounds", type=int, default=_ROUNDS, help="how often each is done")
    rounds = parser.parse_args().rounds
    claude = find_claude()
    if claude is None or shutil.which("tmux") is None:
        print("Claude Code (BRIDGE_TEST_CLAUDE) or tmux is missing.", file=sys.stderr)
        return 2
    figures = measure(claude, rounds)
    print_table(figures, "bridge", "by hand")
    return 0 if all(figure.is_met for figure in figures) else 1


def measure(claude: Path, rounds: int) -> list[Figure]:
    """The figures of so many rounds; the first permission does not count."""
    with (
        machine(World, claude, WatchedModel()) as (world, model),
        machine(World, claude, WatchedModel()) as (other, other_model),
    ):
        phone, hand = Phone(world, model), Hand(other, other_model)
        phone.ask("warm-up")
        hand.ask("warm-up")
        asked, by_hand = [], []
        for number in range(rounds + 1):
            rest(world, other)
            asked.append(ask_by_phone(world, model, number))
            by_hand.append(ask_by_hand(other, other_model, hand, number))
    asked, by_hand = asked[1:], by_hand[1:]
    streams = measure_streams(claude, rounds)
    texts, edits = [text for text, _ in streams], [float(count) for _, count in streams]
    return [
        Figure("first live text", "s", texts, [], target=1.0),
        Figure(
            *("permission to buttons", "s"),
            *([p.asked for p in asked], [p.asked for p in by_hand]),
            target=0.35,
        ),
        Figure(
            *("press to model", "s"),
            *([p.answered for p in asked], [p.answered for p in by_hand]),
            target=0.12,
        ),
        Figure("edits in 9 s", "", edits, [], target=7.0),
    ]


def measure_streams(claude: Path, rounds: int) -> list[tuple[float, int]]:
    """In a chat of their own: one that is flooded with questions has little room for live text."""
    with machine(World, claude, WatchedModel()) as (world, model):
        Phone(world, model).ask("warm-up")
        found = []
        for number in range(rounds):
            rest(world)
            time.sleep(_PAUSE_SECONDS)
            found.append(stream(world, model, number))
        return found


def ask_by_phone(world: World, model: WatchedModel, number: int) -> Permission:
    """The model wants to run a command; its buttons come, and Allow is pressed."""
    text = _wish(world, number)
    after = world.say(text)
    shown = world.reads("Run this command?", after=after)
    sent = reversed(world.telegram.calls_of("sendMessage"))
    at = next(call.at for call in sent if "Run this command?" in str(call.params.get("text")))
    pressed = time.monotonic()
    world.telegram.press(world.chat, world.user, shown.message_id, "Allow")
    answered = _wait_for_result(model, pressed)
    world.reads("The tool said", after=after)
    return Permission(at - model.began[text], answered - pressed)


def ask_by_hand(world: World, model: WatchedModel, hand: Hand, number: int) -> Permission:
    """The same at a terminal, where the dialog comes and 1 is pressed."""
    text = _wish(world, number)
    hand.type(text)
    wait_closely(lambda: "Do you want to proceed?" in world.screen(), "the dialog")
    shown = time.monotonic()
    time.sleep(_LOOK_SECONDS)  # what is pressed just when a dialog opens is lost
    pressed = time.monotonic()
    hand.press("1")
    return Permission(shown - model.began[text], _wait_for_result(model, pressed) - pressed)


def stream(world: World, model: WatchedModel, number: int) -> tuple[float, int]:
    """Seconds until the chat has the first line of a slow answer, and how often it is edited."""
    text = f"write {number}"
    before = _calls(world)
    after = world.say(text)
    world.telegram.wait_for(lambda: _shows(world, "This is line 0.", after), 20)
    shown = time.monotonic()
    world.reads(f"This is line {_LINES - 1}.", after=after)
    rest(world)
    return shown - model.began[text], _calls(world) - before


def _write_or_answer(request: ModelRequest) -> Reply:
    if request.last_result is None and request.user_texts[-1].startswith("write "):
        return Say(tuple(f"This is line {number}.\n" for number in range(_LINES)))
    return answer_by_prompt(request)


def _wish(world: World, number: int) -> str:
    command = f"touch {world.root}/made-{number}"
    return f"tool Bash {json.dumps({'command': command, 'description': 'make it'})}"


def _wait_for_result(model: WatchedModel, since: float) -> float:
    """When the model was asked with the tool's result."""

    def found(turn: ModelRequest) -> bool:
        return turn.last_result is not None and turn.at > since

    wait_closely(lambda: any(found(turn) for turn in model.turns), "the result")
    return next(turn.at for turn in model.turns if found(turn))


def _shows(world: World, text: str, after: int) -> bool:
    shown = world.telegram.messages(world.chat, from_bot=True)
    return any(m.message_id > after and text in m.text for m in shown)


def _calls(world: World) -> int:
    return len(world.telegram.calls_of("editMessageText"))


if __name__ == "__main__":
    sys.exit(main())
