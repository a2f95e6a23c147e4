"""Who gets an answer, what can't be typed into anything, and where secrets are not."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from people import People
from tests.standins.telegram_state import Message
from tests.world import ROOT, World, entries_below, wait_until


def test_a_stranger_gets_no_answer_and_one_log_line(world: World) -> None:
    world.start_bridge()
    stranger = world.telegram.user(first_name="Eve")
    chat = world.telegram.private_chat(stranger)
    world.telegram.send_text(chat, stranger, "/start")
    world.ask("hello", "Echo")
    assert world.telegram.messages(chat, from_bot=True) == []
    assert world.log().count(f"refused user {stranger.id}") == 1
    assert world.processes()[0].session_id == world.sessions()[0].session_id


def test_the_first_who_brings_the_code_is_the_owner_and_nobody_after(world: World) -> None:
    world.settings["BRIDGE_ALLOWED_USERS"] = ""
    world.start_bridge()
    code = People(world.state / "bridge").issue_code()
    world.ask(f"/start {code}", "Paired")
    world.ask("hello", "Echo: hello")
    stranger = world.telegram.user(first_name="Eve")
    chat = world.telegram.private_chat(stranger)
    world.telegram.send_text(chat, stranger, f"/start {code}")
    world.ask("still there?", "Echo: still there?")
    assert world.telegram.messages(chat, from_bot=True) == []


def test_a_group_that_is_not_allowed_gets_no_answer(world: World) -> None:
    world.start_bridge()
    group = world.telegram.group(-1001, "Team", False, members=(world.user,))
    world.telegram.send_text(group, world.user, "hello")
    world.ask("hello", "Echo")
    assert world.telegram.messages(group, from_bot=True) == []


def test_somebody_elses_or_forged_press_does_nothing(world: World) -> None:
    world.start_bridge()
    world.ask("my cat is called Grace", "Echo")
    listed = world.ask("/sessions", "my cat is called Grace")
    stranger = world.telegram.user(first_name="Eve")
    query = world.telegram.press(world.chat, world.user, listed.message_id, "x" * 16, forged=True)
    world.telegram.wait_for(lambda: world.telegram.answer_to(query))
    world.telegram.press(
        world.chat, stranger, listed.message_id, listed.buttons[0][0]["callback_data"], forged=True
    )
    world.ask("hello", "Echo: hello")
    assert not any("Continuing" in text for text in world.texts())


def test_a_word_that_ends_claude_at_the_terminal_is_only_a_word(world: World) -> None:
    world.start_bridge()
    world.ask("hello", "Echo")
    pid = world.processes()[0].pid
    for word in ("exit", " quit ", ":q", ":wq!"):
        world.ask(word, f'"{word.strip()}"')
    assert world.processes()[0].pid == pid


def test_a_line_that_would_run_in_the_shell_is_only_a_text(world: World) -> None:
    world.start_bridge()
    world.ask("!touch made", "Echo:  !touch made")
    assert not (world.project / "made").exists()


def test_a_forwarded_command_is_only_a_text(world: World) -> None:
    world.start_bridge()
    world.telegram.send_text(world.chat, world.user, "/kill", forward_from="Mallory")
    world.reads("[Forwarded from Mallory]")


def test_a_permission_request_is_never_answered_by_a_text(world: World) -> None:
    world.start_bridge()
    command = f"touch {world.root}/made"
    world.say(f'tool Bash {{"command":"{command}","description":"make it"}}')
    shown = world.reads("Run this command?")
    world.say("1")
    world.say("a text that must not answer")
    assert command in shown.text
    assert not (world.root / "made").exists()
    world.telegram.press(world.chat, world.user, shown.message_id, "Allow")
    world.reads("The tool said:")
    wait_until((world.root / "made").exists, "the tool ran")
    world.reads("Echo: a text that must not answer")
    assert not any("Esc" in m.labels for m in world.telegram.messages(world.chat, from_bot=True))


def test_a_dialog_that_no_hook_tells_of_is_shown_with_keys_and_never_typed_at(
    world: World,
) -> None:
    world.start_bridge()
    world.ask("hello", "Echo: hello")
    world.wait_for_process("idle")
    world.type_at_terminal("/model")
    shown = world.reads("Select model")
    world.say("2")
    world.say("a text that must not answer")
    world.reads("This message waits")
    world.telegram.press(world.chat, world.user, shown.message_id, "Esc")
    world.reads("Echo: a text that must not answer")
    assert "Set model to" not in world.transcripts()

    def is_closed() -> bool:
        closed = world.telegram.message(world.chat, shown.message_id)
        return closed.text.endswith("(answered)") and not closed.labels

    world.telegram.wait_for(is_closed)


def test_the_trust_dialog_is_answered_by_keys_that_go_on_working_when_one_changes_nothing(
    world: World,
) -> None:
    world.write_claude_settings(trusted=[])
    world.start_bridge()
    world.say("hello")
    shown = world.reads("Yes, I trust this folder")
    assert world.model.turns == []
    for label in ("←", "←", "↓"):
        world.telegram.press(world.chat, world.user, shown.message_id, label)
        keys = world.telegram.message(world.chat, shown.message_id).buttons
        world.telegram.wait_for(
            lambda k=keys: world.telegram.message(world.chat, shown.message_id).buttons != k,  # type: ignore[misc]
            timeout=20,
        )
    assert "❯ Yes" in world.telegram.message(world.chat, shown.message_id).text
    world.telegram.press(world.chat, world.user, shown.message_id, "Enter ⏎")
    world.reads("Echo: hello")


def test_an_option_of_a_dialog_is_chosen_by_its_button(world: World) -> None:
    """The first one is "No, exit", and marked."""
    world.write_claude_settings(trusted=[])
    world.start_bridge()
    world.say("hello")
    shown = world.reads("Yes, I trust this folder")
    world.telegram.press(world.chat, world.user, shown.message_id, "Yes, I trust this folder")
    world.reads("Echo: hello")


def reply_until_typed(world: World, shown: Message, text: str) -> None:
    """A person replies to the dialog, and again if it is not there: Claude Code loses keys while it
    still draws."""
    for _ in range(6):
        world.telegram.send_text(world.chat, world.user, text, reply_to=shown.message_id)
        with suppress(AssertionError):
            wait_until(lambda: text in world.screen(), "it is typed", seconds=5)
            return
    raise AssertionError(f"it was never typed: {world.screen()}")


def test_a_reply_to_a_dialog_types_into_it_and_any_other_text_waits(world: World) -> None:
    world.start_bridge()
    world.ask("hello", "Echo: hello")
    world.wait_for_process("idle")
    pane = world.tmux("list-panes", "-a", "-F", "#{pane_id}").strip()
    world.type_at_terminal("/config")
    world.wait_for_process("waiting")
    shown = world.reads("Settings")
    world.say("this one waits")
    reply_until_typed(world, shown, "verb")
    assert "this one waits" not in world.screen()
    wait_until(
        lambda: "verb" in world.telegram.message(world.chat, shown.message_id).text, "it is shown"
    )
    world.telegram.send_text(world.chat, world.user, "é", reply_to=shown.message_id)
    world.reads("plain letters")

    while "Settings" in (shown_now := world.screen()):  # the first ones only leave the search
        world.tmux("send-keys", "-t", pane, "Escape")
        wait_until(lambda s=shown_now: world.screen() != s, "Escape has done something")  # type: ignore[misc]
    world.reads("Echo: this one waits")


def test_secrets_are_masked_in_the_chat(world: World) -> None:
    world.start_bridge()
    secret = "ghp_" + "a1B2" * 9
    world.ask(f"say the key is {secret} indeed", "the key is [masked] indeed")


def test_the_token_is_nowhere_but_in_the_bridge(world: World) -> None:
    world.start_bridge()
    world.ask("hello", "Echo")
    world.telegram.fail("sendMessage", 500, "Internal Server Error")
    world.ask("/help", "This may not have arrived")
    token = world.telegram.token.encode()
    assert [path for path, data in entries_below(world.home).items() if token in data] == []
    assert world.bridge is not None
    own = f"HOME={world.home}".encode()
    looked_at = []
    for process in psutil.process_iter():
        try:
            command = process.cmdline()
            environment = Path(f"/proc/{process.pid}/environ").read_bytes()
        except (psutil.Error, OSError):
            continue
        if own in environment.split(b"\0") and process.pid != world.bridge.pid:
            looked_at.append(command)
            assert token not in "\0".join(command).encode()
            assert token not in environment
    assert len(looked_at) >= 2, "tmux and Claude Code run"


def test_the_state_is_for_its_owner_alone_and_without_the_page_nothing_listens(
    world: World,
) -> None:
    world.start_bridge()
    world.ask("hello", "Echo")
    assert world.listens_at() == []
    for path in [world.state, *world.state.rglob("*")]:
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o700 if path.is_dir() else 0o600), f"{path} is {mode:o}"


def test_a_settings_file_that_cannot_be_read_is_one_line_and_exit_status_2(tmp_path: Path) -> None:
    folder = tmp_path / ".config" / "claude-telegram"
    folder.mkdir(parents=True)
    (folder / "config.toml").write_bytes(b"\xff\xfe")
    done = subprocess.run(
        [sys.executable, str(ROOT / "bridge.py")],
        env={"HOME": str(tmp_path), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "config.toml can't be read" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("BRIDGE_IDLE_MINUTES", "soon", "BRIDGE_IDLE_MINUTES is 'soon'"),
        ("TELEGRAM_BOT_TOKEN", "", "There is no bot token"),
    ],
)
def test_a_wrong_setting_is_one_line_and_exit_status_2(
    tmp_path: Path, setting: str, value: str, said: str
) -> None:
    environment = {
        "HOME": str(tmp_path),
        "PATH": os.environ["PATH"],
        "TELEGRAM_BOT_TOKEN": "1:x",
        setting: value,
    }
    done = subprocess.run(
        [sys.executable, str(ROOT / "bridge.py")],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith(said)
    assert done.stderr.count("\n") == 1


def test_a_second_bridge_refuses_to_start(world: World) -> None:
    world.start_bridge()
    done = subprocess.run(
        [sys.executable, str(ROOT / "bridge.py")],
        env=world.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 75
    assert done.stderr.count("\n") == 1


def test_a_refused_token_is_one_line(world: World) -> None:
    world.settings["TELEGRAM_BOT_TOKEN"] = "999:wrong-token-of-nobody-at-all-000000"
    done = subprocess.run(
        [sys.executable, str(ROOT / "bridge.py")],
        env=world.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "get it anew from @BotFather" in done.stderr
    assert "wrong-token" not in done.stderr


def test_a_page_that_is_broken_costs_the_bot_nothing_and_its_owner_is_told_once(
    world: World,
) -> None:
    folder = world.state / "bridge" / "web"
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.write_text("no folder")
    world.settings["BRIDGE_WEB"] = "on"
    for _ in range(2):
        world.start_bridge()
        world.ask("hello", "Echo: hello")
        world.kill_bridge()
    (told,) = [text for text in world.texts() if "Echo" not in text]
    assert told.startswith("The page is off, as ") and told.endswith("run ./install.sh.")
    world.settings["TELEGRAM_BOT_TOKEN"] = "999:wrong-token-of-nobody-at-all-000000"
    done = subprocess.run(
        [sys.executable, str(ROOT / "bridge.py")],
        env=world.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "The page is off, as " in done.stderr and "@BotFather" in done.stderr
