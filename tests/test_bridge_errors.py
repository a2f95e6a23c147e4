"""Errors of the model's service and a full context, from end to end: a line and the button."""

from __future__ import annotations

import time

from tests.standins.messages_api import OAUTH_TOKEN, Fail, Reply, Say
from tests.test_bridge_cards import card, plays, press
from tests.world import World, wait_until


def fails_once(world: World, failure: Reply) -> None:
    """The first answer to `go` is that, the second is fine."""
    world.settings["CLAUDE_CODE_MAX_RETRIES"] = "0"
    plays(world, failure, Say(("All fine.",)))
    world.start_bridge()
    world.say("go")


def limit(seconds: float) -> Fail:
    """What the service says to a subscriber who has used up five hours."""
    at = str(int(time.time() + seconds))
    name = "anthropic-ratelimit-unified"
    headers = {
        f"{name}-status": "rejected",
        f"{name}-reset": at,
        f"{name}-representative-claim": "five_hour",
        f"{name}-fallback": "unavailable",
        f"{name}-5h-status": "rejected",
        f"{name}-5h-reset": at,
        f"{name}-5h-utilization": "1.0",
        "x-should-retry": "false",
        "retry-after": str(int(seconds)),
    }
    return Fail(429, "rate_limit_error", "This would exceed your account's rate limit.", headers)


def as_subscriber(world: World) -> None:
    world.settings["CLAUDE_CODE_OAUTH_TOKEN"] = OAUTH_TOKEN
    world.settings["ANTHROPIC_API_KEY"] = ""


def test_an_error_has_a_button_that_asks_again(world: World) -> None:
    fails_once(world, Fail(529, "overloaded_error", "Overloaded"))
    told = world.reads("⚠️ API Error: 529 Overloaded")
    assert not told.is_silent
    assert told.labels == ["Retry"]
    world.kill_bridge()
    world.start_bridge()
    press(world, told, "Retry")
    world.reads("All fine.")
    asked = [turn.user_texts[-1] for turn in world.model.turns]
    assert set(asked) == {"go"}


def test_a_prompt_that_is_too_long_has_a_button_that_compacts(world: World) -> None:
    text = "prompt is too long: 215000 tokens > 200000 maximum"
    fails_once(world, Fail(400, "invalid_request_error", text))
    assert world.reads("⚠️ Prompt is too long").labels == ["Compact"]


def test_while_claude_tries_again_the_card_says_so(world: World) -> None:
    world.model.answer = lambda request: Fail(529, "overloaded_error", "Overloaded")
    world.start_bridge()
    world.say("go")
    shown = card(world, "retrying in")
    assert "attempt" in shown.text
    press(world, card(world, "retrying in"), "⏹️ Stop")
    card(world, "⏹️ Stopped after")


def test_a_usage_limit_is_waited_for_awake_and_can_be_cancelled(world: World) -> None:
    as_subscriber(world)
    world.settings["BRIDGE_IDLE_MINUTES"] = "0.01"
    fails_once(world, limit(7200))
    assert not world.reads("⚠️ You've hit your 5-hour limit · resets").is_silent
    waiting = world.reads("⏰ Claude goes on by itself at")
    assert waiting.labels == ["Cancel"]
    process = world.wait_for_process("idle")
    wait_until(lambda: time.time() - process.since_ms / 1000 > 4, "it would sleep by now")
    assert world.processes()
    assert "Continuing automatically" in world.screen()
    press(world, waiting, "Cancel")
    world.reads("Claude will not go on by itself.")
    wait_until(lambda: not world.processes(), "Claude sleeps")


def as_an_older_version(world: World) -> None:
    """Claude Code calls itself one that does not go on by itself."""
    old = world.root / "old-claude"
    old.write_text(
        '#!/bin/sh\n[ "$1" = --version ] && { echo "2.1.300 (Claude Code)"; exit; }\n'
        f'exec "{world.claude}" "$@"\n'
    )
    old.chmod(0o755)
    world.settings["BRIDGE_CLAUDE_COMMAND"] = str(old)


def test_an_older_version_is_told_to_go_on_when_the_limit_has_reset(world: World) -> None:
    as_subscriber(world)
    as_an_older_version(world)
    fails_once(world, limit(20))
    told = world.reads("⚠️ You've hit your 5-hour limit")
    assert told.labels == ["Continue when it resets"]
    press(world, told, "Continue when it resets")
    assert world.reads("⏰ Claude is told to go on at").labels == ["Cancel"]
    world.kill_bridge()
    world.start_bridge()
    world.model.wait_for(lambda turn: "usage limit has reset" in turn.user_texts[-1], timeout=40)


def test_going_on_later_can_be_cancelled(world: World) -> None:
    as_subscriber(world)
    as_an_older_version(world)
    fails_once(world, limit(3600))
    told = world.reads("⚠️ You've hit your 5-hour limit")
    press(world, told, "Continue when it resets")
    press(world, world.reads("⏰ Claude is told to go on at"), "Cancel")
    world.reads("Claude will not go on by itself.")
    assert "continue_at" not in world.sessions()[0].state


def test_a_context_that_is_nearly_full_is_told_once(world: World) -> None:
    plays(
        world,
        Say(("First.",), tokens=810_000),
        Say(("Second.",), tokens=820_000),
        Say(("Third.",), tokens=955_000),
    )
    world.start_bridge()
    world.ask("go", "First.")
    told = world.reads("context 810k (81 %) is nearly full")
    assert told.labels == ["Compact"]
    world.ask("go", "Second.")
    world.ask("go", "Third.")
    world.reads("context 955k (96 %) is nearly full")
    assert sum("nearly full" in text for text in world.texts()) == 2
