"""Permissions asked in the chat, on the real parts: answered there, or at the terminal."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.standins.messages_api import ModelRequest, Reply, Say, UseTool
from tests.standins.telegram_state import Message
from tests.test_bridge_cards import bash, plays
from tests.world import World, wait_until


def ask_tool(world: World, name: str, **arguments: Any) -> int:
    """Have the model use a tool; returns the message that says so."""
    return world.say(f"tool {name} {json.dumps(arguments)}")


def ask_bash(world: World, command: str) -> Message:
    """Have the model run a command that Claude Code asks about; the message that asks."""
    after = ask_tool(world, "Bash", command=command, description="make it")
    return world.reads("Run this command?", after=after)


def use_tool(world: World, name: str, arguments: dict[str, Any]) -> None:
    """From now on the model uses that tool, and says what came of it."""

    def answer(request: ModelRequest) -> Reply:
        result = request.last_result
        return UseTool(name, arguments) if result is None else Say((f"The tool said: {result}",))

    world.model.answer = answer


def press(world: World, message: Message, label: str) -> str:
    """Press the button that begins so; returns what is said to the person."""
    now = world.telegram.message(world.chat, message.message_id)
    button = next(text for text in now.labels if text.startswith(label))
    query = world.telegram.press(world.chat, world.user, message.message_id, button)
    world.telegram.wait_for(lambda: world.telegram.answer_to(query), timeout=20)
    answer = world.telegram.answer_to(query)
    return (answer.text or "") if answer is not None else ""


def becomes(
    world: World, message: Message, part: str, *, has_buttons: bool = False, seconds: float = 20
) -> str:
    """Wait until the message says so; returns its text."""

    def is_there() -> bool:
        now = world.telegram.message(world.chat, message.message_id)
        return part in now.text and bool(now.labels) == has_buttons

    world.telegram.wait_for(is_there, timeout=seconds)
    return world.telegram.message(world.chat, message.message_id).text


def answer_at_terminal(world: World, key: str, *, shows: str = "❯ 1. Yes") -> None:
    """A person at the terminal presses a key at the dialog, which must be there for a moment."""
    name = world.tmux("list-sessions", "-F", "#{session_name}").split()[0]
    wait_until(lambda: shows in world.screen(), "the dialog is on the screen")
    world.tmux("send-keys", "-t", f"={name}:", key)

    def is_gone() -> bool:
        if shows not in world.screen():
            return True
        if key == "Enter":  # one that comes too early is ignored
            world.tmux("send-keys", "-t", f"={name}:", key)
        return False

    wait_until(is_gone, "the dialog is gone")


def decisions(world: World) -> list[str]:
    """What the audit log says of requests."""
    lines = (world.state / "bridge" / "audit.jsonl").read_text().splitlines()
    found = [json.loads(line) for line in lines]
    actions = [line["action"] for line in found if line["result"] in ("done", "not in the chat")]
    return [action for action in actions if not action.startswith("pressed")]


@pytest.fixture(autouse=True)
def _started(world: World) -> None:
    world.start_bridge()


# --- answered in the chat -------------------------------------------------------------------------


def test_what_would_run_is_shown_exactly_and_runs_when_it_is_allowed(world: World) -> None:
    command = "touch made && printf '%s' '**`x`**' > \"a b\""
    plays(world, bash(command, "Let me make two files."), Say(("Made.",)))
    world.say("go")
    asked = world.reads("Run this command?")
    world.reads("Let me make two files.")
    assert command in asked.text
    assert asked.labels[:2] == ["Allow", "Deny"]
    assert not asked.is_silent
    assert not (world.project / "made").exists()
    press(world, asked, "Allow")
    world.reads("Made.")
    assert (world.project / "a b").read_text() == "**`x`**"
    becomes(world, asked, "✅ Allowed.")
    assert decisions(world) == [f"allowed: Bash {command}"]


def test_always_is_not_asked_again(world: World) -> None:
    asked = ask_bash(world, "npm run one")
    assert "commands that begin with “npm run”" in asked.text
    press(world, asked, "Always: npm run · this project")
    world.reads("The tool said")
    assert "npm run" in (world.project / ".claude" / "settings.local.json").read_text()
    world.say('tool Bash {"command":"npm run two"}')
    wait_until(lambda: sum("The tool said" in text for text in world.texts()) == 2, "it ran")
    assert sum("Run this command?" in text for text in world.texts()) == 1


def test_a_change_is_shown_as_a_diff_a_page_by_its_address_and_claudes_own_suggestion_holds(
    world: World,
) -> None:
    path = world.project / "a.txt"
    after = ask_tool(world, "Write", file_path=str(path), content="one\n")
    asked = world.reads("Write this file?", after=after)
    assert "+one" in asked.text
    assert str(path) in asked.text
    press(world, asked, "Always: accept edits · this session")
    world.reads("The tool said", after=asked.message_id)
    assert path.read_text() == "one\n"
    edit = {"file_path": str(path), "old_string": "one", "new_string": "two"}
    after = ask_tool(world, "Edit", **edit)
    world.reads("The tool said", after=after)  # it is not asked again
    assert path.read_text() == "two\n"
    search = UseTool("ToolSearch", {"query": "select:WebFetch", "max_results": 1})
    fetch = UseTool("WebFetch", {"url": "https://example.com/a?b=c", "prompt": "Sum it up"})
    plays(world, search, fetch)
    asked = world.reads("https://example.com/a?b=c", after=world.say("go"))
    assert "Sum it up" in asked.text
    assert "Always: fetch from example.com · this project" in asked.labels
    press(world, asked, "Deny")
    world.reads("The tool said: The user denied this.", after=asked.message_id)


def test_what_is_denied_does_not_run_and_claude_goes_on(world: World) -> None:
    asked = ask_bash(world, "touch made")
    press(world, asked, "Deny")
    assert world.reads("The tool said").text == "The tool said: The user denied this."
    becomes(world, asked, "❌ Denied.")
    assert not (world.project / "made").exists()


def test_the_next_text_is_the_reason_after_deny_and_say_why(world: World) -> None:
    asked = ask_bash(world, "touch made")
    assert press(world, asked, "Deny and say why") == "Write why."
    becomes(world, asked, "Why not?", has_buttons=True)
    world.ask("make that instead", "The tool said: make that instead")
    becomes(world, asked, "❌ Denied: make that instead")
    assert not (world.project / "made").exists()


def test_a_reply_to_the_request_is_a_reason_too_and_never_allows(world: World) -> None:
    asked = ask_bash(world, "touch made")
    world.telegram.send_text(world.chat, world.user, "yes", reply_to=asked.message_id)
    world.reads("The tool said: yes")
    assert not (world.project / "made").exists()


def test_any_other_text_waits_and_answers_nothing(world: World) -> None:
    asked = ask_bash(world, "touch made")
    world.ask("1", "This message waits")
    world.ask("yes", "This message waits")
    assert world.telegram.message(world.chat, asked.message_id).labels
    press(world, asked, "Deny")
    world.reads("Echo: yes")
    assert not (world.project / "made").exists()


def test_two_requests_in_a_row_are_two_messages(world: World) -> None:
    first = ask_bash(world, "touch one")
    world.say('tool Bash {"command":"touch two"}')
    world.reads("This message waits")
    press(world, first, "Allow")
    second = world.reads("touch two", after=first.message_id)
    press(world, second, "Allow")
    wait_until((world.project / "two").exists, "both ran")
    becomes(world, second, "✅ Allowed.")
    becomes(world, first, "✅ Allowed.")


def test_a_forged_or_foreign_press_decides_nothing(world: World) -> None:
    asked = ask_bash(world, "touch made")
    stranger = world.telegram.user(first_name="Eve")
    data = asked.buttons[0][0]["callback_data"]
    world.telegram.press(world.chat, stranger, asked.message_id, data, forged=True)
    query = world.telegram.press(world.chat, world.user, asked.message_id, "x" * 16, forged=True)
    world.telegram.wait_for(lambda: world.telegram.answer_to(query), timeout=20)
    assert not (world.project / "made").exists()
    press(world, asked, "Deny")
    world.reads("The tool said: The user denied this.")


def test_a_long_command_is_shown_whole_as_a_file_before_it_is_asked_about(world: World) -> None:
    command = "touch made\n" + "\n".join(f"# line {number}" for number in range(600))
    use_tool(world, "Bash", {"command": command})
    world.say("go")
    asked = world.reads("Run this command?")
    (file,) = [m for m in world.telegram.messages(world.chat, from_bot=True) if m.media]
    assert file.message_id < asked.message_id
    assert file.media is not None
    assert file.media.file.data.decode() == command
    assert "more characters" in asked.text
    press(world, asked, "Deny")


def test_a_secret_is_masked_and_marked_and_what_runs_is_unchanged(world: World) -> None:
    secret = "ghp_" + "a1B2" * 9
    asked = ask_bash(world, f"printf %s {secret} > made")
    assert "masked: 1 secret; what runs is unchanged" in asked.text
    assert secret not in asked.text
    press(world, asked, "Allow")
    world.reads("The tool said")
    assert (world.project / "made").read_text() == secret
    assert secret not in (world.state / "bridge" / "requests.json").read_text()


def test_what_a_mask_could_hide_can_not_be_allowed_from_the_chat(world: World) -> None:
    asked = ask_bash(world, "curl http://a:$(touch${IFS}made)@localhost")
    assert "can only be allowed at the terminal" in asked.text
    assert asked.labels == ["Deny", "Deny and say why"]
    press(world, asked, "Deny")


# --- answered at the terminal ---------------------------------------------------------------------


@pytest.mark.parametrize(("key", "runs"), [("Enter", True), ("Escape", False)])
def test_who_answers_at_the_terminal_takes_the_buttons_away(
    world: World, key: str, runs: bool
) -> None:
    asked = ask_bash(world, "touch made")
    answer_at_terminal(world, key)
    becomes(world, asked, "at the terminal")
    wait_until(lambda: (world.project / "made").exists() == runs, "it ran or not")
    world.ask("hello", "Echo: hello")


def test_stop_takes_the_buttons_away(world: World) -> None:
    asked = ask_bash(world, "touch made")
    world.say("/stop")
    becomes(world, asked, "No longer asked")
    world.ask("hello", "Echo: hello")
    assert not (world.project / "made").exists()


def test_a_claude_that_dies_takes_its_request_with_it(world: World) -> None:
    asked = ask_bash(world, "touch made")
    world.kill_claude()
    becomes(world, asked, "No longer asked")


# --- restarts -------------------------------------------------------------------------------------


def test_the_buttons_of_before_a_restart_are_good(world: World) -> None:
    asked = ask_bash(world, "touch made")
    world.kill_bridge()
    world.start_bridge()
    press(world, asked, "Allow")
    wait_until((world.project / "made").exists, "it ran")
    becomes(world, asked, "✅ Allowed.")
    assert sum("Run this command?" in text for text in world.texts()) == 1


def test_a_reason_is_awaited_over_a_restart(world: World) -> None:
    asked = ask_bash(world, "touch made")
    press(world, asked, "Deny and say why")
    becomes(world, asked, "Why not?", has_buttons=True)
    world.kill_bridge()
    world.start_bridge()
    world.ask("not now", "The tool said: not now")


def test_what_was_answered_at_the_terminal_while_the_bridge_was_away_is_told(world: World) -> None:
    asked = ask_bash(world, "touch made")
    world.kill_bridge()
    answer_at_terminal(world, "Enter")
    wait_until((world.project / "made").exists, "it ran")
    world.start_bridge()
    becomes(world, asked, "at the terminal")


def test_after_everything_died_nothing_is_asked_any_more(world: World) -> None:
    asked = ask_bash(world, "touch made")
    world.kill_bridge()
    world.kill_tmux()
    world.start_bridge()
    becomes(world, asked, "No longer asked")
    world.ask("hello", "Echo: hello")


# --- sub-agents -----------------------------------------------------------------------------------


def test_a_sub_agents_request_is_asked_and_allowed(world: World) -> None:
    prompt = 'tool Bash {"command":"touch made"}'
    ask_tool(world, "Agent", description="Make it", prompt=prompt, subagent_type="general-purpose")
    asked = world.reads("for a sub-agent (general-purpose)")
    press(world, asked, "Allow")
    wait_until((world.project / "made").exists, "it ran")
    becomes(world, asked, "✅ Allowed.")


def test_a_sub_agents_request_is_handed_to_who_is_at_the_terminal(world: World) -> None:
    prompt = 'tool Bash {"command":"touch made"}'
    ask_tool(world, "Agent", description="Make it", prompt=prompt, subagent_type="general-purpose")
    asked = world.reads("for a sub-agent (general-purpose)")
    with world.attached():
        becomes(world, asked, "Now asked at the terminal", seconds=60)
        keys = world.reads("from the general-purpose agent", after=asked.message_id)
    press(world, keys, "1")
    wait_until((world.project / "made").exists, "it ran")
