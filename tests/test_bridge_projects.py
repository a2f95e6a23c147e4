"""Sessions in other directories and in worktrees, from end to end."""

from __future__ import annotations

import json

from tests.test_bridge_sessions import press
from tests.world import World, wait_until


def works_in(world: World, place: object) -> None:
    """The answer to the next text comes from a Claude that works there, as its model is told."""
    world.ask("hello", "Echo: hello")
    told = json.dumps(world.model.turns[-1].body)
    assert f"Primary working directory: {place}\\n" in told


def test_a_session_in_a_directory_that_was_picked_and_in_one_that_was_made(world: World) -> None:
    code = world.root / "code"
    shop = code / "shop"
    shop.mkdir(parents=True)
    world.settings["BRIDGE_PROJECT_ROOTS"] = str(code)
    world.write_claude_settings(trusted=[world.project, code])
    world.start_bridge()
    begun = world.ask("/new", f"New session in {world.project}.")
    listed = press(world, begun, "Other directory…", "Where shall the new session work?")
    root = next(label for label in listed.labels if label.endswith("/code"))
    browsed = press(world, listed, root, "📁 code\n1 folder")
    browsed = press(world, browsed, "📁 shop", "📁 code/shop")
    press(world, browsed, "▶ Start here", f"New session in {shop}.")
    works_in(world, shop)
    assert len(world.sessions()) == 1  # the first was never used

    begun = world.ask("/new", f"New session in {world.project}.")
    listed = press(world, begun, "Other directory…", "Where shall")
    browsed = press(world, listed, root, "📁 code")
    asked = press(world, browsed, "New directory…", "Reply to this message")
    world.telegram.send_text(world.chat, world.user, "tea", reply_to=asked.message_id)
    wait_until((code / "tea").is_dir, "it is made")
    made = world.reads("📁 code/tea")
    world.kill_bridge()
    world.start_bridge()  # the buttons outlive the bridge
    press(world, made, "▶ Start here", f"New session in {code / 'tea'}.")
    wait_until(lambda: len(world.processes()) == 2, "both run")
    works_in(world, code / "tea")
