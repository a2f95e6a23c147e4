"""What a session is run with, chosen in the chat, and what the chat is told of it."""

from __future__ import annotations

import json
import re
import subprocess

from tests.standins.messages_api import ModelRequest
from tests.world import World, wait_until

AGENT = "---\nname: security\ndescription: Looks for holes\n---\nYou are SECURITYAGENT."


def last_turn(world: World) -> ModelRequest:
    return world.model.turns[-1]


def write_agent(world: World) -> None:
    folder = world.project / ".claude" / "agents"
    folder.mkdir(parents=True)
    (folder / "security.md").write_text(AGENT)


def write_settings(world: World) -> bytes:
    """The person's own settings, which must stay as they are to the byte."""
    path = world.home / ".claude" / "settings.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text('{\n   "cleanupPeriodDays": 99,  "env": {}\n}\n')
    return path.read_bytes()


def press(world: World, text: str, label: str) -> None:
    """Press a button of the newest message that shows `text` and has it."""
    message = wait_until(
        lambda: next(
            (
                m
                for m in reversed(world.telegram.messages(world.chat, from_bot=True))
                if text in (m.text or "") and label in m.labels
            ),
            None,
        ),
        f"a message with {text!r} and the button {label!r}",
    )
    world.telegram.press(world.chat, world.user, message.message_id, label)


def test_a_model_reaches_the_model_and_stays_after_a_kill(world: World) -> None:
    own = write_settings(world)
    world.start_bridge()
    world.ask("my cat is called Grace", "Echo")
    assert last_turn(world).body["model"] == "claude-opus-5-5"
    world.ask("/model sonnet", "Model: sonnet, from now on")
    assert world.ask("recall", "You told me").text == "You told me: my cat is called Grace"
    assert last_turn(world).body["model"] == "claude-sonnet-5-5"
    world.wait_for_process("idle")
    world.kill_claude()
    world.ask("again", "Echo: again")
    assert last_turn(world).body["model"] == "claude-sonnet-5-5"
    assert [text for text in world.texts() if "Resumed" in text] == ["Resumed after a restart."]
    world.ask("/model default", "Model: default, from now on")
    world.ask("once more", "Echo: once more")
    assert last_turn(world).body["model"] == "claude-opus-5-5"
    assert (world.home / ".claude" / "settings.json").read_bytes() == own


def test_the_buttons_mark_the_present_choice_and_go_on_working(world: World) -> None:
    world.start_bridge()
    world.ask("hello", "Echo")
    shown = world.ask("/effort", "Effort: default")
    assert shown.labels == ["✓ default", "low", "medium", "high", "xhigh", "max"]
    press(world, "Effort: default", "high")
    press(world, "Effort: high, from now on", "low")
    wait_until(
        lambda: "✓ low" in world.telegram.messages(world.chat, from_bot=True)[-1].labels,
        "the mark is at low",
    )
    world.ask("think", "Echo: think")
    assert last_turn(world).body["output_config"]["effort"] == "low"


def test_a_choice_outlives_a_nap_and_the_bridge(world: World) -> None:
    world.settings["BRIDGE_IDLE_MINUTES"] = "0.03"
    world.start_bridge()
    world.ask("hello", "Echo")
    before = world.wait_for_process("idle").pid
    world.ask("/effort max", "Effort: max")
    wait_until(lambda: before not in [p.pid for p in world.processes()], "the old one has ended")
    wait_until(world.processes, "Claude was started again")
    wait_until(lambda: not world.processes(), "Claude has gone to sleep", 60)
    world.ask("/model haiku", "Model: haiku, from the next message on")
    world.stop_bridge()
    world.start_bridge()
    world.ask("think", "Echo: think")
    assert last_turn(world).body["model"] == "claude-haiku-5-5"
    assert last_turn(world).body["output_config"]["effort"] == "max"


def test_a_choice_before_the_first_message_counts(world: World) -> None:
    world.start_bridge()
    shown = world.ask("/model", "Model: default")
    assert "opus" in shown.labels
    world.ask("/model sonnet", "Model: sonnet, from the next message on")
    world.ask("hello", "Echo")
    assert last_turn(world).body["model"] == "claude-sonnet-5-5"


def test_a_choice_made_at_work_is_applied_after_the_turn(world: World) -> None:
    world.start_bridge()
    world.say("hold paint")
    wait_until(lambda: "hold paint" in world.transcripts(), "Claude is at work")
    before = world.wait_for_process("busy").pid
    world.ask("/model sonnet", "Model: sonnet, after this turn")
    world.model.release("paint")
    world.reads("And done.")
    wait_until(
        lambda: [p for p in world.processes() if p.pid != before and p.is_idle],
        "Claude was started again",
    )
    world.ask("hello", "Echo: hello")
    assert last_turn(world).body["model"] == "claude-sonnet-5-5"
    assert not [text for text in world.texts() if "Resumed" in text]


def test_who_is_at_the_terminal_stays_there(world: World) -> None:
    world.start_bridge()
    world.ask("hello", "Echo")
    before = world.wait_for_process("idle").pid
    with world.attached():
        world.ask("/model sonnet", "Model: sonnet, from now on")
        wait_until(
            lambda: [p for p in world.processes() if p.pid != before and p.is_idle],
            "Claude was started again",
        )
        assert world.tmux("list-clients")
        world.ask("more", "Echo: more")
        assert last_turn(world).body["model"] == "claude-sonnet-5-5"


def test_a_text_that_a_person_was_writing_is_not_lost_by_a_choice(world: World) -> None:
    world.start_bridge()
    world.ask("hello", "Echo")
    before = world.wait_for_process("idle").pid
    world.tmux("send-keys", "-l", "half a thou")
    wait_until(lambda: "half a thou" in world.screen(), "it stands in the box")
    world.ask("/model sonnet", "Model: sonnet")
    world.ask("/status", "Model: sonnet")
    assert "half a thou" in world.screen()
    assert world.wait_for_process("idle").pid == before


def test_an_unknown_choice_is_refused_in_a_line(world: World) -> None:
    world.start_bridge()
    world.ask("hello", "Echo")
    world.ask("/model --dangerously-skip-permissions", "can't be the name of a model.")
    world.ask("/effort huge", "There is: default, low, medium, high, xhigh, max.")
    world.ask("/mode bypassPermissions", "There is: default, acceptEdits, plan, auto.")
    world.ask("/agent nobody", "There is no agent “nobody” here.")


def test_an_agents_prompt_reaches_the_model_with_the_whole_history(world: World) -> None:
    write_agent(world)
    world.start_bridge()
    world.ask("my cat is called Grace", "Echo")
    plain = last_turn(world).system_text
    assert "SECURITYAGENT" not in plain
    world.ask("/agent", "security: Looks for holes")
    press(world, "Agent: default", "security")
    world.reads("Agent: security, from now on")
    assert world.ask("recall", "You told me").text == "You told me: my cat is called Grace"
    assert "SECURITYAGENT" in last_turn(world).system_text
    world.wait_for_process("idle")
    world.kill_claude()
    world.ask("again", "Echo: again")
    assert "SECURITYAGENT" in last_turn(world).system_text
    world.ask("/agent default", "Agent: default, from now on")
    world.ask("and now", "Echo: and now")
    assert "SECURITYAGENT" not in last_turn(world).system_text


def test_the_mode_decides_what_is_asked(world: World) -> None:
    world.start_bridge()
    world.ask("hello", "Echo")
    world.ask("/mode acceptEdits", "Mode: acceptEdits, from now on")
    world.ask('tool Write {"file_path": "made", "content": "x"}', "The tool said")
    assert (world.project / "made").exists()
    world.ask("/status", "Mode: acceptEdits")


def test_a_mode_changed_at_the_terminal_is_the_sessions_mode(world: World) -> None:
    world.start_bridge()
    world.ask("hello", "Echo")
    world.wait_for_process("idle")
    world.tmux("send-keys", "BTab")
    wait_until(lambda: "accept edits on" in world.screen(), "the mode is another")
    world.ask("more", "Echo: more")
    world.ask("/status", "Mode: acceptEdits")
    world.kill_claude()
    world.ask("again", "Echo: again")
    world.ask("/status", "Mode: acceptEdits")
    assert "accept edits on" in world.screen()


def test_the_mode_that_never_asks_needs_the_owners_word(world: World) -> None:
    world.settings["BRIDGE_BYPASS_PERMISSIONS"] = "true"
    world.start_bridge()
    world.ask("hello", "Echo")
    shown = world.ask("/mode", "Mode: default")
    assert shown.labels[-1] == "bypassPermissions"
    press(world, "Mode: default", "bypassPermissions")
    world.reads("Mode: bypassPermissions, from now on")
    world.ask('tool Bash {"command": "touch made"}', "The tool said")
    assert (world.project / "made").exists()
    world.stop_bridge()
    world.kill_claude()
    del world.settings["BRIDGE_BYPASS_PERMISSIONS"]
    world.start_bridge()
    world.ask("again", "Echo: again")
    world.ask("/status", "Mode: default")


def test_status_tells_all_there_is_to_know(world: World) -> None:
    git = ["git", "-C", str(world.project)]
    subprocess.run([*git, "init", "-q", "-b", "feature/x"], check=True, env=world.environment)
    world.start_bridge()
    world.ask("/status", "No session yet.")
    world.ask("hello", "Echo")
    world.wait_for_process("idle")
    text = world.ask("/status", "Session:").text or ""
    for part in (
        "“hello”\nAwake: idle, ",
        "Model: default (last: claude-opus-5-5)\nEffort: default\nMode: default\nAgent: default",
        f"Folder: {world.project}\nBranch: feature/x",
        "Context: 100 of 1.0M tokens, 99 % left\nTokens so far: 112 (/cost)",
        "Last activity: now",
    ):
        assert part in text
    world.end_claude()
    asleep = world.ask("/status", "Asleep; the next message wakes it").text or ""
    assert "Tokens so far: 112, $0.0006 (/cost)" in asleep


def test_cost_is_the_sum_of_what_the_model_said(world: World) -> None:
    world.start_bridge()
    world.ask("/cost", "No session yet.")
    world.ask("hello", "Echo")
    (world.project / "notes").write_text("x")
    world.ask(f'tool Read {{"file_path": "{world.project / "notes"}"}}', "The tool said")
    world.ask("/model sonnet", "Model: sonnet")
    world.ask("more", "Echo: more")
    text = world.ask("/cost", "Tokens of this session").text or ""
    assert [turn.body["model"] for turn in world.model.turns] == [
        *["claude-opus-5-5"] * 3,
        "claude-sonnet-5-5",
    ]
    assert "claude-opus-5-5\n300 in, 36 out\nclaude-sonnet-5-5\n100 in, 12 out" in text
    assert "Cost: $0.0019 or more, at the prices of Anthropic's API" in text
    world.end_claude()
    told = world.ask("/cost", "at the prices of Anthropic's API, as Claude Code has it.").text or ""
    assert re.search(r"\nCost: \$0\.002\d, at", told)


def test_context_is_readable_on_a_phone(world: World) -> None:
    world.start_bridge()
    world.ask("hello", "Echo")
    text = world.ask("/context", "Free space").text or ""
    assert text.startswith("Context\n")
    assert not set(text) & set("⛀⛁⛶\x1b")


def test_compact_summarises(world: World) -> None:
    world.start_bridge()
    world.ask("hello", "Echo")
    world.ask("/compact keep the cat", "The conversation was summarised")


def test_own_commands_are_listed_in_the_menu_and_come_back_as_they_are(world: World) -> None:
    folder = world.project / ".claude" / "commands"
    (folder / "git").mkdir(parents=True)
    (folder / "greet-me.md").write_text("---\ndescription: Greets\n---\nSay hello to $ARGUMENTS")
    (folder / "git" / "push.md").write_text("Push $ARGUMENTS now")
    skill = world.project / ".claude" / "skills" / "tea-time" / "SKILL.md"
    skill.parent.mkdir(parents=True)
    skill.write_text("---\nname: tea-time\ndescription: Makes tea\n---\nMake tea: $ARGUMENTS")
    world.start_bridge()
    world.ask("hello", "Echo")

    def menu() -> list[str]:
        found = world.telegram.commands.get((f"chat:{world.chat.id}", ""), [])
        return [row["command"] for row in found]

    wait_until(lambda: "greet_me" in menu(), "the chat's menu has it")
    assert {"git_push", "tea_time"} <= set(menu())
    assert menu()[:2] == ["new", "sessions"]
    text = world.ask("/commands", "Claude Code's:").text or ""
    assert "/git_push - Push" in text
    assert "/greet_me - Greets" in text
    assert "/security_review" in text
    world.ask("/greet_me Bob", "Echo: Say hello to Bob")
    world.say("/tea_time oolong")
    world.model.wait_for(lambda turn: "Make tea: oolong" in turn.user_texts[-1])


def test_the_bridge_asks_the_model_nothing_by_itself(world: World) -> None:
    world.start_bridge()
    world.ask("hello", "Echo")
    world.ask("/model", "Model: default")
    world.ask("/commands", "Claude Code's:")
    assert [turn.user_texts for turn in world.model.turns] == [["hello"]]


def test_the_persons_own_hooks_do_not_run_when_the_bridge_asks(world: World) -> None:
    log = world.root / "own-hook"
    command = {"type": "command", "command": f"echo ran >> {log}"}
    path = world.home / ".claude" / "settings.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"hooks": {"SessionStart": [{"hooks": [command]}]}}))
    world.start_bridge()
    world.ask("hello", "Echo")
    world.ask("/commands", "Claude Code's:")
    assert log.read_text() == "ran\n"
