"""`kill -9` of the bridge, of Claude and of the tmux server, at moments drawn by lot."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from claude_registry import is_alive
from inbox import Inbox
from tests.chaos.experiment import Figure, judge, open_world, percentile
from tests.world import ROOT, World, wait_until

_CHATS = 10
_TEN_SESSIONS_SECONDS = 10.0
_NOTICES = ("Resumed", "Claude Code ended while it worked")


def kill_the_bridge(size: int, seed: int, folder: Path) -> Figure:
    """Prompts go on arriving, whatever the bridge is doing when it is killed."""
    chance = random.Random(seed)
    sent: list[str] = []
    with open_world(folder) as world:
        world.start_bridge()
        for number in range(size):
            for part in range(chance.choice((1, 1, 2))):
                sent.append(f"prompt {number}.{part}")
                world.say(sent[-1])
            time.sleep(chance.uniform(0, 0.9))  # the moment of the kill is what is drawn by lot
            world.kill_bridge(at_rest=False)
            if chance.random() < 0.25 and number < size - 1:
                _start_without_waiting(world)
            else:
                world.start_bridge()
        _wait_for_answers(world, sent, 60 + 4 * size)
        return judge(
            "kill -9 of the bridge at random moments under load",
            f"{size} kills, {len(sent)} prompts",
            "0 prompts lost, 0 twice, by the model's own record; 0 answers lost or shown twice",
            find_prompt_faults(world, sent),
            f"{sum('may not have arrived' in text for text in world.texts())} asked about",
        )


def find_prompt_faults(world: World, sent: list[str]) -> dict[str, list[str]]:
    """What the model and the chat say of prompts that are each answered with an echo."""
    asked = [turn.user_texts[-1] for turn in world.model.turns if turn.user_texts]
    count = Counter(asked)
    shown = Counter(text for text in world.texts() if text.startswith("Echo: "))
    lost = [text for text in sent if not _is_answered(world.texts(), text)]
    ours = [text for text in dict.fromkeys(asked) if text in set(sent)]
    return {
        "prompts lost": [text for text in sent if not count[text]],
        "twice": [text for text in sent if count[text] > 1],
        "out of order": [] if ours == [t for t in sent if count[t]] else ours[:1],
        "answers lost": lost,
        "shown twice": [text for text, times in shown.items() if times > 1],
        "temporary files": [path.name for path in world.state.rglob(".*.tmp")],
    }


def _is_answered(texts: list[str], prompt: str) -> bool:
    """Whether the answer is there, or the chat was asked about it."""
    return f"Echo: {prompt}" in texts or any(
        text.startswith("This may not have arrived") and f"“Echo: {prompt}”" in text
        for text in texts
    )


def _wait_for_answers(world: World, sent: list[str], seconds: float) -> None:
    """Until all are there, or nothing has come for a while: what is missing then is lost."""
    deadline = time.monotonic() + seconds
    before, since = -1, time.monotonic()
    while time.monotonic() < deadline and time.monotonic() - since < 30:
        texts = world.texts()
        if all(_is_answered(texts, text) for text in sent):
            return
        if len(texts) != before:
            before, since = len(texts), time.monotonic()
        time.sleep(0.1)  # a bounded look


def _wait_for_rest(world: World, seconds: float) -> None:
    """Until the bridge has nothing more to do for any message."""
    journal = world.state / "bridge" / "inbox.journal"
    copy = world.root / "copy"
    copy.mkdir(exist_ok=True)

    def is_empty() -> bool:
        shutil.copy(journal, copy)
        return not Inbox(copy).pending()

    wait_until(is_empty, "the inbox is empty", seconds)


def _start_without_waiting(world: World) -> None:
    """As `World.start_bridge`, but it may be killed before it listens."""
    world.bridge = subprocess.Popen(
        [sys.executable, str(ROOT / "bridge.py")],
        env=world.environment,
        cwd=world.root,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


# --- Claude and tmux ------------------------------------------------------------------------------


def kill_claude(size: int, seed: int, folder: Path) -> Figure:
    """`kill -9` of Claude Code while it works at a turn."""
    return _kill_and_recall(size, seed, folder, "Claude mid-turn", kill_every_claude)


def kill_tmux(size: int, seed: int, folder: Path) -> Figure:
    """`kill -9` of the tmux server while Claude works at a turn."""
    return _kill_and_recall(size, seed, folder, "the tmux server", kill_tmux_server)


def _kill_and_recall(
    size: int, seed: int, folder: Path, name: str, kill: Callable[[World], None]
) -> Figure:
    chance = random.Random(seed)
    faults: dict[str, list[str]] = {"histories lost": [], "ids changed": [], "not told": []}
    back: list[float] = []
    with open_world(folder) as world:
        world.start_bridge()
        world.ask("my cat is called Grace", "Echo")
        session_id = world.sessions()[0].session_id
        for number in range(size):
            first = world.say(f"hold r{number}")
            if chance.random() < 0.7:
                world.model.wait_for_text(f"hold r{number}")
            time.sleep(chance.uniform(0, 0.5))  # the moment of the kill is what is drawn by lot
            kill(world)
            killed = time.monotonic()
            world.model.release(f"r{number}")
            said = (world.reads("You told me", after=world.say("recall")).text or "").split(" | ")
            back.append(time.monotonic() - killed)
            wanted = ["You told me: my cat is called Grace"]
            wanted += [f"hold r{n}" for n in range(number + 1)]
            if [text for text in said if text != "recall"] != wanted:
                faults["histories lost"].append(f"round {number}: {said[-4:]}")
            ids = {process.session_id for process in world.processes()}
            if ids != {session_id} or len(world.sessions()) != 1:
                faults["ids changed"].append(f"round {number}: {ids}")
            if not _told_since(world, first):
                faults["not told"].append(f"round {number}")
    return judge(
        f"kill -9 of {name}",
        f"{size} kills",
        "every session back with the same id and history, and the chat told",
        faults,
        f"answering again after {percentile(back, 0.5):.1f} s (p99 {percentile(back, 0.99):.1f} s)",
    )


def kill_anything(size: int, seed: int, folder: Path) -> Figure:
    """The bridge, Claude and tmux die under load, alone and together, as in a power cut."""
    chance = random.Random(seed)
    sent: list[str] = []
    with open_world(folder) as world:
        world.start_bridge()
        world.ask("begin", "Echo")
        for number in range(size):
            for part in range(chance.choice((1, 2))):
                sent.append(f"prompt {number}.{part}")
                world.say(sent[-1])
            time.sleep(chance.uniform(0, 1.2))  # the moment of the kill is what is drawn by lot
            _kill_one_or_two(world, chance)
        _wait_for_rest(world, 60 + 4 * size)
        world.ask("recall", "You told me: begin")
        said = world.model.turns[-1].user_texts  # what the chat shows of it is cut in messages
        texts = world.texts()
    had = [text for text in said if text in set(sent)]
    given_up = [text for text in texts if text.startswith("Not delivered")]
    cut = sum(_NOTICES[1] in text for text in texts)  # also one that may not have arrived
    silent = [text for text in had if f"Echo: {text}" not in texts]
    asked_about = sum(text.startswith("This may not have arrived: “Echo") for text in texts)
    return judge(
        "kill -9 of the bridge, Claude and tmux, alone and together, under load",
        f"{size} times, {len(sent)} prompts",
        "each prompt once in the history of the model; its answer, or word of it, in the chat",
        {
            "prompts lost": [text for text in sent if text not in had],
            "twice": [text for text, times in Counter(had).items() if times > 1],
            "out of order": [] if had == [t for t in sent if t in had] else had[:1],
            "given up": given_up,
            "answers lost in silence": silent[cut + asked_about :],
            "taken for typed at the terminal": [t for t in texts if t.startswith("⌨️")],
        },
        f"{cut} turns cut off and told",
    )


def _kill_one_or_two(world: World, chance: random.Random) -> None:
    victims = chance.choice(("bridge", "Claude", "tmux", "bridge and tmux", "bridge and Claude"))
    if "bridge" in victims:
        world.kill_bridge(at_rest=False)
    if "Claude" in victims:
        kill_every_claude(world)
    if "tmux" in victims and world.tmux("display-message", "-p", "#{pid}"):
        kill_tmux_server(world)
    if "bridge" in victims:
        world.start_bridge()


def _told_since(world: World, message_id: int) -> bool:
    messages = world.telegram.messages(world.chat, from_bot=True)
    texts = [m.text for m in messages if m.message_id > message_id]
    return any(text.startswith(_NOTICES) for text in texts)


def kill_every_claude(world: World) -> None:
    """`kill -9` of the Claude Code processes that run now; the bridge may start others at once."""
    pids = [process.pid for process in world.processes()]
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not any(map(is_alive, pids)), "Claude is gone")


def kill_tmux_server(world: World) -> None:
    """`kill -9` of the tmux server, and wait for what ran in it to end."""
    pids = [process.pid for process in world.processes()]
    pids.append(int(world.tmux("display-message", "-p", "#{pid}")))
    os.kill(pids[-1], signal.SIGKILL)
    wait_until(lambda: not any(map(is_alive, pids)), "tmux and Claude are gone")


def bring_back_ten_sessions(size: int, seed: int, folder: Path) -> Figure:
    """The tmux server is killed with ten sessions in it, and all are asked something at once."""
    took: list[float] = []
    forgetful: list[str] = []
    with open_world(folder) as world:
        people = {
            f"cat {number}": world.telegram.user(first_name="Ada") for number in range(_CHATS)
        }
        chats = {name: world.telegram.private_chat(user) for name, user in people.items()}
        world.settings["BRIDGE_ALLOWED_USERS"] = ",".join(str(u.id) for u in people.values())
        world.start_bridge()

        def ask_all(text: str, answer: str) -> None:
            after = {
                name: world.telegram.send_text(chat, people[name], text.format(name=name))
                for name, chat in chats.items()
            }
            for name, chat in chats.items():
                world.telegram.wait_for_text(
                    chat, answer.format(name=name), after=after[name], timeout=60
                )

        ask_all("my colour is {name}", "Echo: my colour is {name}")
        ids = {session.session_id for session in world.sessions()}
        for _ in range(size):
            kill_tmux_server(world)
            began = time.monotonic()
            try:
                ask_all("recall", "You told me: my colour is {name}")
            except AssertionError as error:
                forgetful.append(str(error).split("\n")[0])
            took.append(time.monotonic() - began)
        after = {process.session_id for process in world.processes()}
    # Once says nothing of speed on a machine that others use; the long form counts it.
    counted = took if size > 1 else []
    slow = [f"{seconds:.1f} s" for seconds in counted if seconds >= _TEN_SESSIONS_SECONDS]
    return judge(
        "ten sessions after a kill -9 of the tmux server",
        f"{size} times {_CHATS} sessions",
        "all ten answer from their history in under 10 s",
        {"without history": forgetful, "with another id": sorted(after ^ ids), "too slow": slow},
        f"all back in {percentile(took, 0.5):.1f} s (at most {max(took):.1f} s)",
    )


def in_thread(function: Callable[[], object]) -> threading.Thread:
    """Run it beside; the caller joins."""
    thread = threading.Thread(target=function, daemon=True)
    thread.start()
    return thread
