"""A chat that Telegram makes wait, and another one beside it."""

from __future__ import annotations

import time
from pathlib import Path

from tests.chaos.experiment import Figure, judge, open_world, percentile
from tests.standins.telegram_state import Chat, User
from tests.world import World

_TEXTS = 6
_LEAST_DELAY = 1.5
_BETWEEN = 1.1


def flood_one_chat(size: int, seed: int, folder: Path) -> Figure:
    """429 with `retry_after` of `size` seconds on one chat, with texts in both meanwhile."""
    with open_world(folder) as world:
        bob = world.telegram.user(first_name="Bob")
        other = world.telegram.private_chat(bob)
        world.settings["BRIDGE_ALLOWED_USERS"] = f"{world.user.id},{bob.id}"
        world.start_bridge()
        _ask(world, world.chat, world.user, "begin")
        before = [_ask(world, other, bob, f"before {number}") for number in range(5)]
        world.telegram.fail(
            "sendMessage",
            429,
            f"Too Many Requests: retry after {size}",
            {"retry_after": size},
            chat=world.chat,
        )
        sent = [f"text {number}" for number in range(_TEXTS)]
        for text in sent:
            world.say(text)
        refused_at = _wait_for_refusal(world)
        during: list[float] = []
        while (now := time.monotonic()) < refused_at + size - 0.3:
            during.append(_ask(world, other, bob, f"during {len(during)}"))
            time.sleep(max(0.0, now + _BETWEEN - time.monotonic()))  # within the flood limits
        world.telegram.wait_for_text(world.chat, f"Echo: {sent[-1]}", timeout=size + 60)
        shown = [text for text in world.texts() if text.startswith("Echo: text")]
        calls = world.telegram.calls_of("sendMessage", world.chat)
        early = [call for call in calls if refused_at < call.at < refused_at + size]
    limit = max(_LEAST_DELAY, 3 * percentile(before, 0.5))
    wanted = [f"Echo: {text}" for text in sent]
    return judge(
        f"429 with retry_after {size} on one chat",
        f"{len(sent)} answers in that chat, {len(during)} in another meanwhile",
        "nothing lost, order kept, other chats not delayed, the pause honoured",
        {
            "lost": [text for text in wanted if text not in shown],
            "out of order or twice": [] if shown == wanted else [str(shown)],
            "delayed elsewhere": [f"{taken:.1f} s" for taken in during if taken > limit],
            "sent during the pause": [call.method for call in early],
        },
        f"the other chat p50 {percentile(during, 0.5):.2f} s",
        f"before {percentile(before, 0.5):.2f} s",
    )


def _ask(world: World, chat: Chat, user: User, text: str) -> float:
    """The seconds from the text to its answer."""
    began = time.monotonic()
    after = world.telegram.send_text(chat, user, text)
    world.telegram.wait_for_text(chat, f"Echo: {text}", after=after, timeout=60)
    return time.monotonic() - began


def _wait_for_refusal(world: World) -> float:
    """When the 429 was given."""

    def refused() -> float | None:
        calls = world.telegram.calls_of("sendMessage", world.chat)
        return next((call.answered_at for call in calls if call.status == 429), None)

    found = world.telegram.wait_for(refused, timeout=30, what="a 429")
    assert found is not None
    return found
