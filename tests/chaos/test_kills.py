"""`kill -9` at random moments under load: no prompt is lost, none runs twice, by the model's record.

pytest tests/chaos --kills 1000        the long form
"""

from __future__ import annotations

import random
import time
from collections import Counter

import pytest

from tests.world import World, wait_until

PROMPTS_A_KILL = 2


def asked_of_the_model(world: World) -> Counter[str]:
    """How often the model was given each prompt as the newest."""
    return Counter(turn.user_texts[-1] for turn in world.model.turns if turn.user_texts)


def test_killing_the_bridge_loses_nothing_and_repeats_nothing(
    world: World, request: pytest.FixtureRequest
) -> None:
    kills = request.config.getoption("--kills")
    chance = random.Random(request.config.getoption("--chaos-seed"))
    sent: list[str] = []
    world.start_bridge()
    for number in range(kills):
        for part in range(PROMPTS_A_KILL):
            sent.append(f"prompt {number}.{part}")
            world.say(sent[-1])
        time.sleep(chance.uniform(0, 0.8))  # the moment of the kill is what is drawn by lot
        world.kill_bridge(at_rest=False)
        world.start_bridge()
    last = f"Echo: {sent[-1]}"
    wait_until(lambda: any(last in text for text in world.texts()), "the last answer", 60 + kills)
    asked = asked_of_the_model(world)
    assert {text: asked[text] for text in sent if asked[text] != 1} == {}
    assert [text for text in asked if text.startswith("prompt ")] == sent
    shown = [text for text in world.texts() if text.startswith("Echo: ")]
    unknown = [text for text in world.texts() if text.startswith("This may not have arrived")]
    lost = [text for text in sent if f"Echo: {text}" not in shown]
    assert [text for text in lost if not any(f"Echo: {text}…" in told for told in unknown)] == []
    assert [text for text, count in Counter(shown).items() if count > 1] == []
