"""What was said is kept, found again, exported and forgotten: the real parts, from end to end."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from people import People
from session import SessionStore
from tests.standins.telegram_state import Message
from tests.test_bridge_questions import plan
from tests.world import World, entries_below, wait_until

SECRET = "ghp_" + "a1B2" * 10


def histories(world: World) -> list[Path]:
    return sorted((world.state / "bridge" / "histories").glob("*.jsonl"))


def records(world: World) -> list[dict[str, Any]]:
    """All that was noted, of all sessions, in the order in which it happened.

    What is decided by a hook is noted at once, and may be faster than the transcript.
    """
    lines = [line for path in histories(world) for line in path.read_text().splitlines()]
    return sorted((json.loads(line) for line in lines), key=lambda record: float(record["at"]))


def said(world: World) -> list[tuple[str, str]]:
    return [(found.get("who", ""), found["text"]) for found in records(world)]


def press(world: World, message: Message, label: str) -> None:
    world.telegram.press(world.chat, world.user, message.message_id, label)


def reads_edit(world: World, message: Message, part: str) -> Message:
    """Wait until that very message says it."""

    def found() -> Message | None:
        shown = world.telegram.messages(world.chat, from_bot=True)
        return next(
            (m for m in shown if m.message_id == message.message_id and part in m.text), None
        )

    edited: Message = wait_until(found, f"{part!r} in the message: {world.texts()}")
    return edited


def file_sent(world: World, after: int) -> tuple[str, str]:
    """The name and the text of the next file."""

    def found() -> Message | None:
        shown = world.telegram.messages(world.chat, from_bot=True)
        return next((m for m in shown if m.message_id > after and m.media is not None), None)

    message: Message = wait_until(found, "a file")
    assert message.media is not None
    assert message.data is not None
    return message.media.file.name, message.data.decode()


def allow(world: World, command: str) -> None:
    """Have Claude ask for a command, and allow it."""
    world.say(f'tool Bash {{"command":"{command}","description":"make it"}}')
    press(world, world.reads("Run this command?"), "Allow")
    world.reads("The tool said")


def test_who_said_what_with_which_tools_and_decisions_is_kept(world: World) -> None:
    world.start_bridge()
    world.ask(f"keep {SECRET} safe", "Echo: keep")
    allow(world, "touch made")
    wait_until(lambda: len(records(world)) == 6, "all of it is noted")
    *before, (who, last) = said(world)
    assert (who, last.startswith("The tool said")) == ("Claude", True)
    assert before == [
        ("Ada", "keep [masked] safe"),
        ("Claude", "Echo: keep [masked] safe"),
        ("Ada", 'tool Bash {"command":"touch made","description":"make it"}'),
        ("Bash", "touch made"),
        ("Ada", "Allowed: Bash touch made"),
    ]
    assert [path.stem for path in histories(world)] == [world.sessions()[0].session_id]


def test_a_plan_and_its_approval_are_kept(world: World) -> None:
    shown = plan(world, "# Plan\n\n1. build a boat")
    press(world, shown, "Approve: ask each time")
    world.reads("The tool said")
    wait_until(lambda: len(records(world)) == 7, "all of it is noted")
    kept = [(found["kind"], found["text"]) for found in records(world)]
    assert ("plan", "# Plan\n\n1. build a boat") in kept
    (decided,) = [text for kind, text in kept if kind == "decision"]
    assert decided.startswith("Approved, mode default: plan: # Plan")


def test_no_crash_writes_anything_twice_or_loses_it(world: World) -> None:
    world.start_bridge()
    for number in range(3):
        world.say(f"note {number}")
        wait_until(lambda n=number: f"Echo: note {n}" in world.transcripts(), "an answer")  # type: ignore[misc]
        world.kill_bridge(at_rest=False)
        world.start_bridge()
    world.ask("the end", "Echo: the end")
    wait_until(lambda: ("Claude", "Echo: the end") in said(world), "the end is noted")
    texts = [text for _, text in said(world)]
    expected = [t for n in range(3) for t in (f"note {n}", f"Echo: note {n}")]
    assert texts == [*expected, "the end", "Echo: the end"]


def test_in_privacy_mode_personal_data_is_not_kept(world: World) -> None:
    world.start_bridge()
    world.ask("/privacy on", "Privacy: on.")
    world.ask("write to ada@example.org", "Echo: write to ada@example.org")
    wait_until(lambda: len(records(world)) == 2, "it is noted")
    assert said(world) == [("Ada", "write to [masked]"), ("Claude", "Echo: write to [masked]")]


def test_the_history_is_turned_page_by_page(world: World) -> None:
    world.start_bridge()
    for number in range(6):
        world.ask(f"say page{number} {'long ' * 150}", f"page{number}")
    wait_until(lambda: len(records(world)) == 12, "all of it is noted")
    shown = world.ask("/history", "6 turns")
    assert "of 12\n" in shown.text
    assert "Claude:\npage5" in shown.text
    assert "Claude:\npage2" not in shown.text
    press(world, shown, "◀ Older")
    shown = reads_edit(world, shown, "Claude:\npage3")
    assert "Claude:\npage5" not in shown.text
    press(world, shown, "◀ Older")
    shown = reads_edit(world, shown, "Claude:\npage0")
    press(world, shown, "Newer ▶")
    reads_edit(world, shown, "Claude:\npage3")


def test_a_session_is_found_by_a_word_and_continued(world: World) -> None:
    world.start_bridge()
    world.ask("my cat is called Grace", "Echo: my cat")
    world.ask("/new", "New session")
    world.ask("something else", "Echo: something else")
    wait_until(lambda: len(records(world)) == 4, "both are noted")
    world.ask("/search nowhere", "Nothing was found.")
    found = world.ask("/search GRACE", "my cat is called Grace")
    press(world, found, "Continue 1. my cat is called Grace")
    world.reads("Continuing")
    assert world.ask("recall", "You told me").text == "You told me: my cat is called Grace"


def test_another_persons_session_is_not_found(world: World) -> None:
    world.start_bridge()
    world.ask("my cat is called Grace", "Echo: my cat is called Grace")
    alan, there, _ = world.let_in("member", "Alan")
    sent = world.telegram.send_text(there, alan, "/search grace")
    world.reads("Nothing was found.", chat=there, after=sent)


def test_a_session_is_exported_as_markdown_and_as_a_page(world: World) -> None:
    world.start_bridge()
    world.ask("say **bold** <script>x</script>", "bold")
    name, text = file_sent(world, world.say("/export"))
    assert name == "say-bold-script-x-script.md"
    assert "> say **bold** <script>x</script>" in text
    name, text = file_sent(world, world.say("/export html"))
    assert name.endswith(".html")
    assert "<strong>bold</strong> &lt;script&gt;" in text
    assert "<script" not in text


def names_below(folder: Path, word: str) -> set[str]:
    """Every file and folder whose name or whose content has the word."""
    return {
        str(path.relative_to(folder))
        for path, data in entries_below(folder).items()
        if word in path.name or word.encode() in data
    }


def forget(world: World) -> str:
    asked = world.ask("/forget", "Forget “")
    press(world, asked, "Forget it for good")
    return reads_edit(world, asked, "Forgotten.").text


def test_a_session_is_forgotten_for_good_also_while_it_is_awake(world: World) -> None:
    world.start_bridge()
    world.ask("the first one", "Echo: the first one")
    world.ask("/new", "New session")
    world.ask("my cat is called Grace", "Echo: my cat")
    allow(world, "touch made")
    session_id = world.sessions()[0].session_id
    assert "continues “the first one”" in forget(world)
    assert [session.state["title"] for session in world.sessions()] == ["the first one"]
    wait_until(lambda: session_id not in {p.session_id for p in world.processes()}, "it ended")
    # By their ids, the bridge still knows what it has shown, and who had what forgotten.
    known = ("outbox.journal", "buttons.json", "audit.jsonl")
    ids = {f".claude/sessions/telegram/bridge/{name}" for name in known}
    left = (names_below(world.home, session_id) - ids) | names_below(world.home, "Grace")
    # A log says of what, and Claude Code's own list of typed lines (arrow up) is not ours.
    others = re.compile(
        r"/bridge\.log$|/index\.|^\.claude/history\.jsonl$|^\.claude\.json|/backups/"
    )
    assert {path for path in left if not others.search(path)} == set()
    assert world.ask("recall", "You told me").text == "You told me: the first one"


def test_a_session_is_forgotten_while_claude_works(world: World) -> None:
    world.start_bridge()
    world.say("hold paint")
    world.wait_for_process("busy")
    world.say("this one waits")
    assert "The next text begins a new session." in forget(world)
    wait_until(lambda: not world.processes(), "Claude is gone")
    assert world.sessions() == []
    world.model.release("paint")
    assert world.ask("recall", "You told me").text == "You told me:"
    world.stop_bridge()
    assert "Traceback" not in world.log()


def test_a_session_that_is_kept_after_all_is_as_it_was(world: World) -> None:
    world.start_bridge()
    world.ask("my cat is called Grace", "Echo: my cat")
    asked = world.ask("/forget", "Forget “")
    press(world, asked, "Keep it")
    reads_edit(world, asked, "is kept")
    assert world.ask("recall", "You told me").text == "You told me: my cat is called Grace"


def test_a_session_that_is_too_old_goes_with_its_history(world: World) -> None:
    world.settings["BRIDGE_RETENTION_DAYS"] = "30"
    world.start_bridge()
    world.ask("my cat is called Grace", "Echo: my cat")
    world.ask("/new", "New session")
    world.ask("something else", "Echo: something else")
    wait_until(lambda: len(records(world)) == 4, "both are noted")
    world.stop_bridge()
    world.tmux("kill-server")
    with SessionStore(world.state) as store:
        (old,) = [s for s in store.list_sessions() if "cat" in s.state["title"]]
        store.save(replace(old, last_activity="2020-01-01T00:00:00+00:00"))
    world.start_bridge()
    wait_until(lambda: len(histories(world)) == 1, "the old history is gone")
    assert ("Ada", "something else") in said(world)


def test_after_clear_the_new_session_has_a_history_of_its_own(world: World) -> None:
    world.start_bridge()
    world.ask("my cat is called Grace", "Echo: my cat")
    world.say("/clear")
    wait_until(lambda: len(world.sessions()) == 2, "the chat is in a new session")
    world.ask("a fresh start", "Echo: a fresh start")
    wait_until(lambda: len(histories(world)) == 2, "two histories")
    assert "my cat" not in world.ask("/history", "a fresh start").text


def test_the_owner_finds_what_was_said_in_every_chat_but_only_at_home(world: World) -> None:
    alan = world.telegram.user(first_name="Alan")
    there = world.telegram.private_chat(alan)
    world.settings["BRIDGE_ALLOWED_USERS"] = str(alan.id)
    world.start_bridge()
    world.telegram.send_text(there, alan, "my cat is called Grace")
    world.reads("Echo: my cat is called Grace", chat=there)
    code = People(world.state / "bridge").issue_code()
    world.ask(f"/start {code}", "Paired")
    found = world.ask("/search grace", "my cat is called Grace")
    assert "in another chat" in found.text
    assert found.buttons == []
