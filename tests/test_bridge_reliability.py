"""Nothing lost, nothing twice: what the network, the disk and the processes may do to us."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from inbox import Arrival, Inbox
from session import Session, SessionStore
from tests.chaos.disk import filled, small_disk
from tests.chaos.experiment import NotPossibleHereError
from tests.world import ROOT, World, wait_until


def asked(world: World) -> list[str]:
    """What the model was given as the newest prompt, in order."""
    return [turn.user_texts[-1] for turn in world.model.turns if turn.user_texts]


# --- inbound --------------------------------------------------------------------------------------


def test_updates_delivered_again_are_handled_once(world: World) -> None:
    world.start_bridge()
    world.ask("one", "Echo: one")
    world.ask("two", "Echo: two")
    world.telegram.redeliver(*world.telegram.update_ids)
    world.ask("three", "Echo: three")
    world.kill_bridge()
    world.telegram.redeliver(*world.telegram.update_ids)
    world.start_bridge()
    world.ask("four", "Echo: four")
    assert asked(world) == ["one", "two", "three", "four"]


def test_update_ids_that_start_again_at_random_lose_nothing(world: World) -> None:
    world.start_bridge()
    world.ask("one", "Echo: one")
    first = min(world.telegram.update_ids)
    for start in (first, first - 1000, first + 10**6):
        world.telegram.restart_update_ids(start)
        world.ask(f"after {start}", f"Echo: after {start}")
    assert len(asked(world)) == 4


@pytest.mark.parametrize("poison", [{"message": {"message_id": "no number"}}, {"message": 7}])
def test_a_poison_update_is_set_aside_and_the_next_one_handled(
    world: World, poison: dict[str, object]
) -> None:
    world.start_bridge()
    world.telegram.inject(poison)
    world.ask("/help", "Claude Code on your machine")
    world.reads("set aside")
    assert len(list((world.state / "bridge" / "quarantine").iterdir())) == 1
    world.kill_bridge()
    world.start_bridge()
    world.ask("hello", "Echo: hello")
    assert sum("set aside" in text for text in world.texts()) == 1


def test_a_prompt_for_which_there_is_no_room_waits_for_it(world: World) -> None:
    """The disk fills up just when the text is written down for tmux."""
    world.start_bridge()
    world.ask("one", "Echo: one")
    typing = world.state / "bridge" / "typing"
    try:
        with small_disk(typing), filled(typing):
            world.say("two")
            wait_until(lambda: "could not be written: the disk is full" in world.log(), "it waits")
            assert asked(world) == ["one"]
    except NotPossibleHereError as error:
        pytest.skip(str(error))
    world.reads("Echo: two")
    assert asked(world) == ["one", "two"]
    assert not [text for text in world.texts() if "Not delivered" in text]


def test_another_program_with_the_token_is_told_once_and_outlived(world: World) -> None:
    world.start_bridge()
    conflict = world.telegram.conflict()
    world.telegram.wait_for(lambda: conflict.hits >= 2, timeout=20)
    conflict.end()
    world.ask("hello", "Echo: hello")
    assert world.log().count("Another program uses this bot's token") == 1


def test_a_second_bridge_with_the_token_refuses_to_start_wherever_its_state_is(
    world: World,
) -> None:
    world.start_bridge()
    done = subprocess.run(
        [sys.executable, str(ROOT / "bridge.py")],
        env={**world.environment, "BRIDGE_STATE_DIR": str(world.root / "other state")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 75
    assert "runs already" in done.stderr


def test_a_network_that_comes_and_goes_loses_nothing(world: World) -> None:
    world.start_bridge()
    world.ask("one", "Echo: one")
    world.telegram.stop()
    world.telegram.start()
    world.ask("two", "Echo: two")


def test_a_rest_of_an_interrupted_typing_is_cleared_and_typed_once(world: World) -> None:
    world.start_bridge()
    world.ask("hello", "Echo: hello")
    name = world.tmux("list-sessions", "-F", "#{session_name}").split()[0]
    world.tmux("send-keys", "-t", f"={name}:", "-l", "the whole th")
    wait_until(
        lambda: "the whole th" in world.tmux("capture-pane", "-p", "-t", f"={name}:"), "a draft"
    )
    world.ask("the whole thing", "Echo: the whole thing")
    assert asked(world) == ["hello", "the whole thing"]


def test_several_prompts_that_were_typed_are_each_looked_for_and_typed_once(world: World) -> None:
    world.start_bridge()
    world.ask("one", "Echo: one")
    world.ask("two", "Echo: two")
    world.wait_for_process("idle")
    world.kill_bridge()
    inbox = Inbox(world.state / "bridge")
    texts = ("one", "two", "three")
    inbox.receive(Arrival(f"test:{text}", "telegram", {}) for text in texts)
    for text in texts:
        inbox.advance(
            f"test:{text}",
            "typed",
            session_id=world.sessions()[0].session_id,
            text=text,
            typed_from=0,
            typed_at=1.0,
        )
    inbox.close()
    world.start_bridge()
    world.ask("four", "Echo: four")
    assert asked(world) == ["one", "two", "three", "four"]


# --- outbound -------------------------------------------------------------------------------------


def test_a_send_without_an_answer_is_not_repeated_but_asked_about(world: World) -> None:
    world.start_bridge()
    world.telegram.drop("sendMessage", "after")
    world.say("hello")
    notice = world.reads("This may not have arrived: “Echo: hello”")
    assert world.texts().count("Echo: hello") == 1
    world.telegram.press(world.chat, world.user, notice.message_id, "Send again")
    world.telegram.wait_for(lambda: world.texts().count("Echo: hello") == 2, timeout=20)


def test_flood_limits_keep_the_order_and_lose_nothing(world: World) -> None:
    world.start_bridge()
    world.ask("warm", "Echo: warm")
    world.telegram.fail(
        "sendMessage", 429, "Too Many Requests: retry after 2", {"retry_after": 2}, times=2
    )
    for word in ("one", "two", "three"):
        world.say(word)
    world.reads("Echo: three")
    assert world.texts() == [f"Echo: {word}" for word in ("warm", "one", "two", "three")]


def test_a_long_absence_is_summarised_and_can_be_read(world: World) -> None:
    world.start_bridge()
    world.ask("hello", "Echo: hello")
    world.kill_bridge()
    for number in range(12):
        world.type_at_terminal(f"note {number}")
        wait_until(lambda n=number: f"Echo: note {n}" in world.transcripts(), "an answer")  # type: ignore[misc]
    world.start_bridge()
    notice = world.reads("earlier messages")
    world.reads("Echo: note 11")
    assert "Echo: note 3" not in world.texts()
    world.telegram.press(world.chat, world.user, notice.message_id, "Show them")
    world.reads("Echo: note 10")
    shown = [text for text in world.texts() if text.startswith("Echo: note")]
    assert shown == ["Echo: note 11", *(f"Echo: note {number}" for number in range(11))]


# --- Claude and tmux ------------------------------------------------------------------------------


def test_a_claude_that_does_not_start_says_why(world: World) -> None:
    broken = world.root / "broken"
    broken.write_text("#!/bin/sh\necho 'No network.'\necho\necho 'See the settings.'\nexit 1\n")
    broken.chmod(0o755)
    world.settings["BRIDGE_CLAUDE_COMMAND"] = str(broken)
    world.start_bridge()
    world.ask("hello", "Claude Code did not start. It said:\nNo network.\nSee the settings.")


def test_a_prompt_at_which_claude_dies_each_time_is_given_up_with_its_last_screen(
    world: World,
) -> None:
    settings = world.home / ".claude" / "settings.json"
    settings.parent.mkdir(exist_ok=True)
    dies = {"type": "command", "command": "kill -9 $PPID"}
    settings.write_text(json.dumps({"hooks": {"UserPromptSubmit": [{"hooks": [dies]}]}}))
    world.start_bridge()
    given_up = world.ask("hello", "Claude Code ended three times while it was given this message.")
    assert given_up.labels == ["Try again"]
    assert "hello" in world.texts()[-2]  # its last screen
    settings.unlink()
    world.telegram.press(world.chat, world.user, given_up.message_id, "Try again")
    world.reads("Echo: hello")
    assert [turn.user_texts[-1] for turn in world.model.turns] == ["hello"]


def test_a_claude_that_is_not_installed_says_so(world: World) -> None:
    world.settings["BRIDGE_CLAUDE_COMMAND"] = "claude-is-not-here"
    world.start_bridge()
    world.ask("hello", "The command claude-is-not-here was not found.")


def test_a_project_directory_that_is_gone_says_so(world: World) -> None:
    world.start_bridge()
    world.ask("hello", "Echo")
    world.ask("/kill", "Ended.")
    world.project.rename(world.root / "moved")
    world.ask("hello", "is not there any more")
    (world.root / "moved").rename(world.project)
    assert world.ask("recall", "You told me").text == "You told me: hello"


def test_a_conversation_of_which_nothing_is_left_is_told(world: World) -> None:
    world.start_bridge()
    world.ask("my cat is called Grace", "Echo")
    world.ask("/kill", "Ended.")
    wait_until(lambda: not world.processes(), "Claude is gone")
    kept = list((world.state / "bridge" / "transcripts").glob("*.jsonl"))
    assert len(kept) == 1
    noted = (world.state / "bridge" / "histories").glob("*.jsonl")
    for path in (*kept, *noted, *(world.home / ".claude" / "projects").glob("*/*.jsonl")):
        path.unlink()
    assert world.ask("recall", "You told me").text == "You told me:"
    assert any("no longer has this conversation" in text for text in world.texts())


def test_a_transcript_that_was_cleaned_up_is_put_back(world: World) -> None:
    """Claude Code deletes the transcripts of other sessions once they are a month old."""
    world.start_bridge()
    world.ask("my cat is called Grace", "Echo")
    world.ask("/kill", "Ended.")
    wait_until(lambda: not world.processes(), "Claude is gone")
    for path in (world.home / ".claude" / "projects").glob("*/*.jsonl"):
        path.unlink()
    answer = world.ask("recall", "You told me").text
    assert answer == "You told me: my cat is called Grace"
    assert len(world.sessions()) == 1


def test_a_text_that_meets_a_dialog_waits_and_says_so(world: World) -> None:
    world.start_bridge()
    command = f"touch {world.root}/made"
    world.say(f'tool Bash {{"command":"{command}","description":"make it"}}')
    shown = world.reads("Run this command?")
    world.ask("and then?", "This message waits")
    world.telegram.press(world.chat, world.user, shown.message_id, "Deny")
    world.reads("Echo: and then?")
    assert not (world.root / "made").exists()


# --- nobody else ----------------------------------------------------------------------------------


def test_the_audit_log_says_who_did_what_and_no_log_what_was_said(world: World) -> None:
    expired = world.state / "bridge" / "audit-expired.jsonl"
    expired.parent.mkdir(parents=True)
    expired.touch()
    os.utime(expired, (0, 0))
    world.start_bridge()
    world.ask("a secret thought", "Echo")
    world.ask("/new nowhere", "There is no directory")
    stranger = world.telegram.user(first_name="Eve")
    chat = world.telegram.private_chat(stranger)
    world.telegram.send_text(chat, stranger, "let me in")
    world.ask("/help", "Claude Code on your machine")
    lines = (world.state / "bridge" / "audit.jsonl").read_text().splitlines()
    found = [(line["user"], line["action"], line["result"]) for line in map(json.loads, lines)]
    assert (world.user.id, "sent a text of 16 characters", "accepted") in found
    assert (stranger.id, "sent a text of 9 characters", "refused: not allowed") in found
    assert any(action == "sent /new nowhere" and "failed" in said for _, action, said in found)
    for said in ("secret thought", "let me in", "Claude Code on your machine"):
        assert said not in world.log() + "\n".join(lines)
    wait_until(lambda: not expired.exists(), "the daily clean-up")


# --- the queue -----------------------------------------------------------------------------------


def test_the_queue_can_be_seen_and_shortened(world: World) -> None:
    world.start_bridge()
    world.say("hold paint")
    world.wait_for_process("busy")
    for word in ("one", "two", "three"):
        world.say(word)
    listed = world.ask("/queue", "Waiting, in this order.")
    assert (listed.text or "").endswith("1. one\n2. two\n3. three")
    query = world.telegram.press(world.chat, world.user, listed.message_id, "Remove 2")
    world.telegram.wait_for(lambda: world.telegram.answer_to(query))
    world.model.release("paint")
    world.reads("Echo: three")
    assert asked(world) == ["hold paint", "one", "three"]
    world.ask("/queue", "Nothing waits.")


def test_an_edited_message_edits_the_prompt_that_waits(world: World) -> None:
    world.start_bridge()
    world.say("hold paint")
    world.wait_for_process("busy")
    message = world.say("one")
    world.say("two")
    world.telegram.edit_text(world.chat, message, "uno")
    world.reads("Changed; it still waits.")
    world.model.release("paint")
    world.reads("Echo: two")
    assert asked(world) == ["hold paint", "uno", "two"]


def test_an_edit_never_sends_again_what_claude_has(world: World) -> None:
    world.start_bridge()
    message = world.say("one")
    world.reads("Echo: one")
    world.telegram.edit_text(world.chat, message, "uno")
    world.reads("Claude has that message already")
    world.ask("two", "Echo: two")
    assert asked(world) == ["one", "two"]


def test_a_waiting_prompt_survives_the_bridge_with_its_edit(world: World) -> None:
    world.start_bridge()
    world.say("hold paint")
    world.wait_for_process("busy")
    message = world.say("one")
    world.telegram.edit_text(world.chat, message, "uno")
    world.reads("Changed")
    world.kill_bridge()
    world.start_bridge()
    world.model.release("paint")
    world.reads("Echo: uno")
    assert asked(world) == ["hold paint", "uno"]


def test_slash_exit_ends_claude_and_does_not_wake_it_at_once(world: World) -> None:
    world.start_bridge()
    world.ask("my cat is called Grace", "Echo")
    world.say("/exit")
    wait_until(lambda: not world.processes(), "Claude has left")
    assert world.ask("recall", "You told me").text == "You told me: my cat is called Grace"
    assert world.texts()[1:-1] == ["Resumed."]


# --- Claude Code changes under our feet ----------------------------------------------------------


def test_a_version_that_was_never_tested_is_tried_out_once_and_told(world: World) -> None:
    newer = world.root / "newer"
    newer.write_text(
        "#!/bin/sh\n[ \"$1\" = --version ] && echo '9.9.9 (Claude Code)' && exit\n"
        f'exec {world.claude} "$@"\n'
    )
    newer.chmod(0o755)
    world.settings["BRIDGE_CLAUDE_COMMAND"] = str(newer)
    world.start_bridge()
    world.ask("hello", "Echo: hello")
    world.reads("9.9.9")
    world.kill_bridge()
    world.start_bridge()
    world.ask("again", "Echo: again")
    assert sum("9.9.9" in text for text in world.texts()) == 1


# --- retention -----------------------------------------------------------------------------------


def test_at_its_start_the_bridge_forgets_unused_sessions_but_no_current_one(world: World) -> None:
    old = "2020-01-01T00:00:00+00:00"
    with SessionStore(world.state) as store:
        for name in ("unused", "current"):
            store.save(Session(name, world.chat.id, created_at=old, last_activity=old))
        store.bind("current")
    world.start_bridge()
    wait_until(lambda: [s.session_id for s in world.sessions()] == ["current"], "it is forgotten")
