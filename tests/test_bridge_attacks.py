"""What a reviewer broke the bridge with, and must not break it any more."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest

from core.screen import read_input_box
from inbox import Arrival, Inbox
from session import Session, SessionStore
from tests.standins.messages_api import ModelRequest, Reply, Say, UseTool
from tests.standins.telegram_state import Message
from tests.world import World, entries_below, wait_until


def asked(world: World) -> list[str]:
    """What the model was given as the newest prompt, in order."""
    return [turn.user_texts[-1] for turn in world.model.turns if turn.user_texts]


def terminal(world: World) -> str:
    """The name of the first terminal."""
    return world.tmux("list-sessions", "-F", "#{session_name}").split()[0]


def screen(world: World, name: str, *options: str) -> str:
    return world.tmux("capture-pane", "-p", *options, "-t", f"={name}:")


def press_at(world: World, name: str, *keys: str) -> None:
    """A person at the terminal presses keys."""
    world.tmux("send-keys", "-t", f"={name}:", *keys)


def box(world: World, name: str) -> str:
    """What stands in the input box."""
    return read_input_box(screen(world, name, "-e")) or ""


def wait_for_record(world: World, text: str) -> None:
    wait_until(lambda: text in world.transcripts(), f"{text} is recorded")


def wait_for_no_claude(world: World) -> None:
    wait_until(lambda: not world.processes(), "Claude is gone")


def allow_everything(world: World) -> None:
    """Claude Code asks for no permission."""
    world.settings["BRIDGE_PERMISSION_MODE"] = "bypassPermissions"
    path = world.home / ".claude.json"
    settings = json.loads(path.read_text())
    path.write_text(json.dumps({**settings, "bypassPermissionsModeAccepted": True}))


def open_at_the_desk(world: World, session_id: str) -> None:
    """A person goes on with the session in a plain terminal."""
    claude = f"{world.claude} --resume {session_id} --permission-mode default"
    world.tmux("new-session", "-d", "-s", "desk", "-c", str(world.project), claude)
    world.wait_for_process("idle")


def leave_the_desk(world: World) -> None:
    world.tmux("kill-session", "-t", "=desk")
    wait_for_no_claude(world)


def clear(world: World) -> str:
    """/clear from the phone; returns the id of the session that it begins."""
    old = {session.session_id for session in world.sessions()}

    def begun() -> list[Session]:
        return [session for session in world.sessions() if session.session_id not in old]

    world.say("/clear")
    found: list[Session] = wait_until(begun, "another session")
    return found[0].session_id


def press(world: World, message: Message, button: str, *, forged: bool = False) -> str:
    """Press a button; returns what is said to the person."""
    query = world.telegram.press(world.chat, world.user, message.message_id, button, forged=forged)
    world.telegram.wait_for(lambda: world.telegram.answer_to(query), timeout=20)
    answer = world.telegram.answer_to(query)
    return (answer.text or "") if answer is not None else ""


# --- which session --------------------------------------------------------------------------------


def test_after_clear_kill_and_a_restart_each_session_has_a_terminal_of_its_own(
    world: World,
) -> None:
    world.start_bridge()
    world.ask("my cat is called Grace", "Echo")
    cat = world.sessions()[0].session_id
    dog = clear(world)
    world.ask("my dog is called Linus", "Echo")
    world.ask("/kill", "Ended.")
    wait_for_no_claude(world)
    world.kill_bridge()
    world.start_bridge()
    world.ask(f"/resume {cat}", "Continuing")
    assert world.ask("recall", "You told me").text == "You told me: my cat is called Grace"
    world.ask(f"/resume {dog}", "Continuing")
    assert world.ask("recall", "You told me").text == "You told me: my dog is called Linus"


def test_a_prompt_that_waits_in_a_session_left_by_clear_stays_with_it_over_a_restart(
    world: World,
) -> None:
    world.start_bridge()
    world.ask("my cat is called Grace", "Echo")
    cat = world.sessions()[0].session_id
    clear(world)
    world.ask("my dog is called Linus", "Echo")
    world.ask(f"/resume {cat}", "Continuing")
    world.say("hold paint")
    world.wait_for_process("busy")
    wait_for_record(world, "hold paint")
    world.say("recall")
    world.ask("/queue", "1. recall")
    world.kill_bridge()
    world.start_bridge()
    world.model.release("paint")
    said = world.reads("You told me").text
    assert said == "You told me: my cat is called Grace | hold paint"
    assert asked(world).count("recall") == 1


def test_resume_typed_at_the_terminal_takes_the_chat_along_to_a_known_session(
    world: World,
) -> None:
    world.start_bridge()
    world.ask("my cat is called Grace", "Echo")
    cat = world.sessions()[0].session_id
    world.ask("/kill", "Ended.")
    wait_for_no_claude(world)
    world.ask("/new", "New session")
    world.ask("my dog is called Linus", "Echo")
    world.type_at_terminal(f"/resume {cat}", terminal(world))
    wait_until(
        lambda: [p for p in world.processes() if p.session_id == cat], "it is resumed in place"
    )
    assert world.ask("recall", "You told me").text == "You told me: my cat is called Grace"


def test_a_claude_that_claude_runs_does_not_take_the_chat_over_at_a_restart(world: World) -> None:
    allow_everything(world)
    world.start_bridge()
    world.ask("my cat is called Grace", "Echo")
    session_id = world.sessions()[0].session_id
    command = f"{world.claude} -p 'hold nested'"
    arguments = {"command": command, "description": "nested", "timeout": 60000}
    world.say(f"tool Bash {json.dumps(arguments)}")
    wait_until(lambda: "hold nested" in asked(world), "the inner one has asked")
    world.kill_bridge()
    world.start_bridge()
    world.model.release("nested")
    world.reads("The tool said")
    told = world.ask("recall", "You told me").text or ""
    assert told.startswith("You told me: my cat is called Grace")
    assert [session.session_id for session in world.sessions()] == [session_id]


def test_words_said_at_the_desk_before_are_no_proof_that_the_same_words_arrived(
    world: World,
) -> None:
    world.start_bridge()
    world.ask("hello", "Echo")
    world.ask("/kill", "Ended.")
    wait_for_no_claude(world)
    open_at_the_desk(world, world.sessions()[0].session_id)
    world.type_at_terminal("continue", "desk")
    wait_for_record(world, "Echo: continue")
    leave_the_desk(world)
    world.say("continue")
    wait_until(lambda: asked(world).count("continue") == 2, "it is asked once more")


# --- the terminal ---------------------------------------------------------------------------------


def test_a_text_arrives_while_a_shell_of_claude_runs_in_the_background(world: World) -> None:
    allow_everything(world)
    world.start_bridge()
    shell = {"command": "sleep 60", "description": "a dev server", "run_in_background": True}
    world.ask(f"tool Bash {json.dumps(shell)}", "The tool said:")
    world.ask("are you there?", "Echo: are you there?")
    assert asked(world).count("are you there?") == 1


def test_claude_can_be_used_where_the_user_has_disabled_all_hooks(world: World) -> None:
    (world.home / ".claude").mkdir(exist_ok=True)
    (world.home / ".claude" / "settings.json").write_text(json.dumps({"disableAllHooks": True}))
    world.start_bridge()
    world.ask("hello", "Echo: hello")
    world.ask("recall", "You told me: hello")
    assert asked(world) == ["hello", "recall"]


def test_a_draft_pasted_at_the_terminal_is_there_again_after_the_prompt(world: World) -> None:
    world.start_bridge()
    world.ask("hello", "Echo")
    name = terminal(world)
    draft = world.root / "draft"
    draft.write_text("\n".join(f"important line {number}" for number in range(20)))
    world.tmux("load-buffer", "-b", "draft", str(draft))
    world.tmux("paste-buffer", "-p", "-b", "draft", "-t", f"={name}:")
    wait_until(lambda: "[Pasted text" in box(world, name), "the draft stands in the box")
    world.ask("question", "Echo: question")
    wait_until(lambda: "[Pasted text" in box(world, name), "the draft is back")
    assert asked(world) == ["hello", "question"]


def ask_twice(world: World, one: Path, two: Path) -> None:
    """Let the model answer `go` with two commands, each of which needs a permission."""

    def answer(request: ModelRequest) -> Reply:
        if request.user_texts[-1:] != ["go"]:
            return Say(("Gone on.",))
        done = json.dumps(request.body["messages"]).count('"tool_result"')
        if done == 2:
            return Say(("Both done.",))
        path = (one, two)[done]
        return UseTool("Bash", {"command": f"touch {path}", "description": path.name})

    world.model.answer = answer


def test_a_press_meant_for_one_dialog_answers_no_other(world: World) -> None:
    one, two = world.root / "one", world.root / "two"
    ask_twice(world, one, two)
    world.start_bridge()
    world.say("go")
    shown = world.reads("Run this command?")
    button = shown.buttons[0][0]["callback_data"]
    name = terminal(world)

    def has_run() -> bool:
        shows = screen(world, name)
        if "Do you want" in shows and str(two) not in shows:
            press_at(world, name, "1")  # one that comes too early is ignored
        return one.exists()

    wait_until(has_run, "the first command ran")
    wait_until(
        lambda: str(two) in screen(world, name) and "Do you want" in screen(world, name),
        "the second dialog",
    )
    press(world, shown, button, forged=True)
    assert "Do you want" in screen(world, name)
    press_at(world, name, "Escape")
    world.ask("and now?", "Gone on.")
    assert not two.exists()


def test_what_is_pressed_while_the_bridge_is_away_counts_once_it_is_back(world: World) -> None:
    world.start_bridge()
    command = f"touch {world.root}/made"
    world.say(f'tool Bash {{"command":"{command}","description":"make it"}}')
    shown = world.reads("Run this command?")
    world.kill_bridge()
    query = world.telegram.press(world.chat, world.user, shown.message_id, "Allow")
    world.start_bridge()
    world.telegram.wait_for(lambda: world.telegram.answer_to(query), timeout=20)
    world.reads("The tool said:")
    assert (world.root / "made").exists()


def test_a_dialog_can_be_answered_with_keys_right_after_a_restart(world: World) -> None:
    world.write_claude_settings(trusted=[])
    world.start_bridge()
    world.say("hello")
    shown = world.reads("Yes, I trust this folder")
    world.kill_bridge()
    world.start_bridge()
    world.telegram.wait_for(
        lambda: world.telegram.message(world.chat, shown.message_id).buttons != shown.buttons,
        timeout=30,
    )
    press(world, shown, "↓")
    world.telegram.wait_for(
        lambda: "❯ Yes" in world.telegram.message(world.chat, shown.message_id).text, timeout=20
    )
    press(world, shown, "Enter ⏎")
    world.reads("Echo: hello")


# --- ends in mid-air ------------------------------------------------------------------------------


def test_a_reboot_in_the_middle_of_a_turn_is_told(world: World) -> None:
    world.start_bridge()
    world.ask("hello", "Echo")
    world.say("hold paint")
    world.wait_for_process("busy")
    wait_for_record(world, "hold paint")
    world.kill_bridge()
    world.kill_tmux()
    world.start_bridge()
    world.reads("Claude Code ended while it worked at “hold paint”")
    world.ask("hi", "Echo: hi")
    assert asked(world) == ["hello", "hold paint", "hi"]


def test_a_prompt_that_was_not_read_back_before_a_reboot_is_not_taken_for_one_of_the_terminal(
    world: World,
) -> None:
    world.start_bridge()
    world.ask("hello", "Echo")
    world.wait_for_process("idle")
    [before] = world.sessions()
    world.say("hold paint")
    wait_for_record(world, "hold paint")
    world.kill_bridge()
    world.kill_tmux()
    with SessionStore(world.state) as store:  # as if it had been killed a moment earlier
        [session] = store.list_sessions()
        session.state["cursor"] = before.state["cursor"]
        store.save(session)
    world.start_bridge()
    world.reads("Claude Code ended while it worked at “hold paint”")
    assert "⌨️ hold paint" not in world.texts()


def test_a_command_that_a_kill_left_uncertain_is_told_with_a_button_that_runs_it(
    world: World,
) -> None:
    commands = world.project / ".claude" / "commands"
    commands.mkdir(parents=True)
    (commands / "greet.md").write_text("Say hello to $ARGUMENTS")
    world.start_bridge()
    world.ask("hello", "Echo")
    session_id = world.sessions()[0].session_id
    world.kill_bridge()
    inbox = Inbox(world.state / "bridge")
    for entry in inbox.pending():
        inbox.finish(entry.key, "answered")
    inbox.receive([Arrival("k:1", "telegram", {})])
    inbox.advance("k:1", "assigned", session_id=session_id, text="/greet Bob")
    inbox.advance("k:1", "typed", session_id=session_id, typed_from=0, typed_at=time.time())
    inbox.close()
    world.start_bridge()
    told = world.reads("This may have run or not")
    assert "/greet Bob" in (told.text or "")
    assert asked(world) == ["hello"]
    press(world, told, "Run it (again)")
    world.reads("Echo: Say hello to Bob")


@pytest.mark.parametrize("kind", ["newer", "damaged", "a folder"])
def test_a_session_file_that_cannot_be_read_keeps_the_bridge_from_nothing_else(
    world: World, kind: str
) -> None:
    world.start_bridge()
    world.ask("hello", "Echo")
    session_id = world.sessions()[0].session_id
    world.say("hold paint")
    world.wait_for_process("busy")
    wait_for_record(world, "hold paint")
    world.kill_bridge()
    path = world.state / f"{session_id}.json"
    stored = json.loads(path.read_text())
    assert "v" in stored
    if kind == "newer":
        path.write_text(json.dumps({**stored, "v": 99}))
    elif kind == "damaged":
        path.write_bytes(b'{"v": 1, "sess')
    else:
        path.unlink()
        path.mkdir()
    world.start_bridge()
    world.ask("/help", "Claude Code on your machine")


@pytest.mark.parametrize("moment", ["tmux runs", "Claude runs"])
def test_a_prompt_arrives_though_tmux_is_killed_while_claude_starts(
    world: World, moment: str
) -> None:
    world.start_bridge()
    world.ask("hello", "Echo")
    for number in range(3):
        world.kill_tmux()
        world.say(f"text {number}")
        pid = wait_until(lambda: world.tmux("display-message", "-p", "#{pid}").strip(), "tmux runs")
        if moment == "Claude runs":
            wait_until(world.processes, "Claude runs")
        os.kill(int(pid), signal.SIGKILL)
        world.reads(f"Echo: text {number}")
    assert asked(world) == ["hello", "text 0", "text 1", "text 2"]


def test_an_answer_for_a_topic_that_is_gone_goes_to_its_chat(world: World) -> None:
    group = world.telegram.group(-1001, "Team", True, members=(world.user,))
    world.settings["BRIDGE_ALLOWED_GROUPS"] = str(group.id)
    world.start_bridge()
    topic = world.telegram.create_topic(group, world.user, "red")
    world.telegram.send_text(group, world.user, "@bridge_test_bot hold paint", topic=topic)
    world.wait_for_process("busy")
    world.telegram.delete_topic(group, topic)
    world.model.release("paint")
    world.reads("And done.", chat=group)
    world.reads("Team › red is gone. Its session is in /sessions here.", chat=group)
    world.reads("Team › red is gone. Its session is in /sessions of its chat.")
    asked = world.telegram.send_text(group, world.user, "@bridge_test_bot recall")
    told = world.reads("You told me", chat=group, after=asked)
    assert "hold paint" in told.text


# --- names ----------------------------------------------------------------------------------------

HOSTILE_NAMES = [
    "a b'c\"d%H$HOME;e#{pid}#(touch pwned)`id`ü",
    "p ;r'o\"j%Y$X#{pid}#(touch pwned)ünï 日本;",
    "#[*?",
    "-n --help #[fg=red]x]",
]


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_a_home_and_a_project_may_have_any_name(
    tmp_path: Path, frugal_claude: Path, name: str
) -> None:
    root = tmp_path / name
    root.mkdir()
    with World(root, frugal_claude) as world:
        project = world.project / name
        project.mkdir()
        world.write_claude_settings(trusted=[world.project, project])
        world.settings["BRIDGE_PROJECT_DIR"] = str(project)
        world.start_bridge()
        world.ask("my cat is called Grace", "Echo")
        assert world.processes()[0].directory == str(project)
        world.kill_claude()
        assert world.ask("recall", "You told me").text == "You told me: my cat is called Grace"
        assert "pwned" not in {path.name for path in entries_below(root)}
    assert not list(tmp_path.rglob("pwned"))


def test_a_terminal_without_an_input_box_is_shown_with_keys(world: World) -> None:
    world.start_bridge()
    world.ask("hello", "Echo: hello")
    world.wait_for_process("idle")
    name = world.tmux("list-sessions", "-F", "#{session_name}").split()[0]
    world.tmux("send-keys", "-t", f"={name}:", "C-o")
    wait_until(lambda: "❯\xa0\n" not in world.screen(), "the transcript view")
    world.say("are you there?")
    world.telegram.wait_for(
        lambda: any("Esc" in m.labels for m in world.telegram.messages(world.chat)), timeout=30
    )
    world.tmux("send-keys", "-t", f"={name}:", "C-o")
    world.reads("Echo: are you there?")
