"""Hostile texts, and texts that meet a dialog: what the model read, and what was never answered."""

from __future__ import annotations

import json
import random
import re
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from core.errors import BridgeError
from core.keystrokes import prepare_prompt
from core.screen import read_input_box
from tests.chaos.experiment import Figure, judge, open_world, percentile
from tests.fixtures.hostile_texts import KEPT, REMOVED, REWRITTEN
from tests.standins.messages_api import ModelRequest, Say
from tests.standins.telegram_entities import clean_text, utf16_length
from tests.standins.telegram_state import Message
from tests.world import World, wait_until

_TEXTS_A_SESSION = 50
_TEXTS_A_MACHINE = 50
_MOST_MACHINES = 8
_P99_SECONDS = 0.7
_ENOUGH_FOR_P99 = 200  # below that a busy machine would decide
_PARTS = [*KEPT, *REWRITTEN, *(f"a{character}b" for character in REMOVED)]
_ALPHABET = (
    "abcXYZ 019 \t\n!/\\;'\"`$#@{}[]()<>|&*~%^?=:,.-_"
    "éßøñ漢字かな한글ضعفשלוםकขไ🙂👩🏽\u200d💻❤\ufe0f🇩🇪\u0301\u200b\u200e\u2066\u00ad\u3000\u00a0\u2028\x1b\x07\x7f"
)
_COMMAND = re.compile(r"\s*/[^/\s]*(\s|$)")


def send_hostile_texts(size: int, seed: int, folder: Path) -> Figure:
    """One after the other, each when the answer to the one before is there."""
    chance = random.Random(seed)
    took: list[float] = []
    wrong: list[str] = []
    with open_world(folder) as world:
        world.model.answer = lambda _: Say(("Noted.",))
        world.start_bridge()
        world.ask("begin", "Noted.")
        for number in range(size):
            if number and number % _TEXTS_A_SESSION == 0:
                _begin_anew(world)
            text = make_hostile_text(chance)
            before, sent = len(world.model.turns), time.monotonic()
            message = world.say(text)
            wanted = prepare_prompt(world.telegram.message(world.chat, message).text)
            try:
                request = world.model.wait_for(lambda _: True, after=before, timeout=30)
                world.reads("Noted.", after=message)
            except AssertionError:
                wrong.append(f"never arrived: {text!a}")
                continue
            took.append(request.at - sent)
            if request.user_texts[-1] != wanted or len(world.model.turns) != before + 1:
                wrong.append(f"{wanted!a} was read as {request.user_texts[-1]!a}")
    is_slow = size >= _ENOUGH_FOR_P99 and percentile(took, 0.99) >= _P99_SECONDS
    slowest = [f"{seconds:.2f} s" for seconds in sorted(took, reverse=True)[: size // 100]]
    return judge(
        "hostile texts from Telegram, through the real Claude Code",
        f"{size} texts",
        "all exact at the model; p99 under 0.7 s from update to model, when awake",
        {"not exact": wrong, "too slow": slowest if is_slow else []},
        f"p50 {percentile(took, 0.5):.2f} s",
        f"p99 {percentile(took, 0.99):.2f} s",
    )


def _begin_anew(world: World) -> None:
    """A new session, so that what the stand-in keeps stays small."""
    world.ask("/new", "New session")
    world.ask("begin", "Noted.")
    world.model.requests.clear()


def make_hostile_text(chance: random.Random) -> str:
    """A text that a person could send, and that is no command."""
    while True:
        text = _draw(chance)
        try:
            text.encode()
            shown = clean_text(text, [])[0]
            prepare_prompt(shown)
        except (UnicodeEncodeError, BridgeError, ValueError):
            continue
        if 1 <= utf16_length(shown) <= 4096 and not _COMMAND.match(shown):
            return text


def _draw(chance: random.Random) -> str:
    match chance.randrange(4):
        case 0:
            return chance.choice(_PARTS)
        case 1:
            parts = chance.choices(_PARTS, k=chance.randint(2, 6))
            return chance.choice(["", " ", "\n"]).join(parts)
        case 2:
            return "".join(chance.choices(_ALPHABET, k=chance.randint(1, 60)))
        case _:
            return "".join(chance.choices(_ALPHABET, k=chance.randint(300, 3500)))


# --- dialogs --------------------------------------------------------------------------------------


@dataclass
class Presser(threading.Thread):
    """The person with the phone: answers what is asked after a while, some twice or too late."""

    world: World
    chance: random.Random
    allowed: set[str] = field(default_factory=set)
    presses: int = 0
    keys: list[str] = field(default_factory=list)
    is_done: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        super().__init__(daemon=True)
        self._used: set[str] = set()

    def __hash__(self) -> int:
        return id(self)

    def run(self) -> None:
        """Until `is_done`."""
        while not self.is_done.wait(0.05):
            for message in self.world.telegram.messages(self.world.chat, from_bot=True):
                if _is_open(message) and _first_button(message) not in self._used:
                    self._answer(message)

    def _answer(self, message: Message) -> None:
        time.sleep(self.chance.uniform(0, 1.0))  # when a person presses is what is drawn by lot
        message = self.world.telegram.message(self.world.chat, message.message_id)
        if not _is_open(message):
            return
        data = _first_button(message)
        self._used.add(data)
        label = "Esc" if "Esc" in message.labels else self.chance.choice(("Allow", "Deny"))
        if self.chance.random() < 0.3 and self._sees_a_dialog():
            self._note("Escape at the machine")
            press_at_terminal(self.world, "Escape")
            time.sleep(self.chance.uniform(0, 0.7))  # the phone is late; how late is drawn by lot
        elif label == "Allow":
            self.allowed.add(re.findall(r"made-\d+", message.text)[-1])
        with suppress(LookupError):  # the buttons have gone meanwhile
            self._press(message, label)
        if self.chance.random() < 0.3:
            self._press(message, data)

    def _sees_a_dialog(self) -> bool:
        """Who sits at the machine looks at it; what the chat shows may be a moment old."""
        waits = any(process.status == "waiting" for process in self.world.processes())
        return waits and read_input_box(_screen(self.world)) is None

    def _press(self, message: Message, button: str) -> None:
        self.presses += 1
        self._note(f"{button!r} below {message.text[-60:]!r}")
        person = self.world.user
        is_data = button not in message.labels
        chat, number = self.world.chat, message.message_id
        self.world.telegram.press(chat, person, number, button, forged=is_data)

    def _note(self, key: str) -> None:
        self.keys.append(f"{datetime.now(UTC).isoformat()[:23]} {key}")


def press_at_terminal(world: World, *keys: str) -> None:
    """A person at the machine presses keys."""
    name = world.tmux("list-sessions", "-F", "#{session_name}").split()[0]
    world.tmux("send-keys", "-t", f"={name}:", *keys)


def _is_open(message: Message) -> bool:
    """Whether it asks something: with buttons of its own, or with keys."""
    return "Allow" in message.labels or "Esc" in message.labels


def _first_button(message: Message) -> str:
    return str(message.buttons[0][0]["callback_data"])


def send_texts_at_dialogs(size: int, seed: int, folder: Path) -> Figure:
    """Tools ask for permission, /model is opened at the terminal, and texts arrive meanwhile.

    A chat takes about one message a second, so many texts are shared by several machines.
    """
    machines = min(_MOST_MACHINES, -(-size // _TEXTS_A_MACHINE))
    shares = [size // machines + (number < size % machines) for number in range(machines)]
    places = [folder / f"machine-{number}" for number in range(machines)]
    for place in places:
        place.mkdir()
    with ThreadPoolExecutor(machines) as pool:
        seeds = range(seed, seed + machines)
        runs = list(pool.map(_send_at_one_machine, shares, seeds, places))
    faults: dict[str, list[str]] = {}
    for run in runs:
        for kind, found in run.faults.items():
            faults[kind] = faults.get(kind, []) + found
    tools, models = sum(run.tools for run in runs), sum(run.models for run in runs)
    presses = sum(run.presses for run in runs)
    return judge(
        "texts sent while dialogs open at random",
        f"{size} texts, {tools} permissions, {models} other dialogs, {presses} presses",
        "0 answered a dialog; all arrive, once, afterwards",
        faults,
    )


@dataclass(frozen=True, slots=True)
class _DialogRun:
    """What one machine saw."""

    tools: int
    models: int
    presses: int
    faults: dict[str, list[str]]


def _send_at_one_machine(size: int, seed: int, folder: Path) -> _DialogRun:
    chance = random.Random(seed)
    texts: list[str] = []
    with open_world(folder) as world:
        world.start_bridge()
        world.ask("begin", "Echo")
        presser = Presser(world, random.Random(seed + 1))
        presser.start()
        tools = models = 0
        while len(texts) < size:
            if chance.random() < 0.3:
                models += 1
                _open_model_dialog(world)
            else:
                tools += 1
                command = f"touch {folder}/made-{tools}"
                world.say(f'tool Bash {{"command":"{command}","description":"make it"}}')
            for _ in range(min(chance.randint(1, 5), size - len(texts))):
                time.sleep(chance.uniform(0, 0.7))  # when a text is sent is drawn by lot
                texts.append(_draw_answer(chance, len(texts)))
                world.say(texts[-1])
            _wait_for_texts(world, texts)
        presser.is_done.set()
        presser.join()
        faults = _find_dialog_faults(world, folder, texts, presser)
    return _DialogRun(tools, models, presser.presses, faults)


def _open_model_dialog(world: World) -> None:
    """At a quiet moment a person at the machine opens it; the key pad closes it."""
    world.wait_for_process("idle")
    world.type_at_terminal("/model")


def _draw_answer(chance: random.Random, number: int) -> str:
    """What would answer a dialog, were it typed there; some of it could be told from no other."""
    return chance.choice(["1", "2", "y", "yes", f"1 {number}", f"text {number}", f"no\n{number}"])


def _asked(world: World) -> list[str]:
    """What the model was given as the newest, the results of tools left out."""

    def is_text(request: ModelRequest) -> bool:
        return bool(request.user_texts) and request.last_result is None

    return [request.user_texts[-1] for request in world.model.turns if is_text(request)]


def _wait_for_texts(world: World, texts: list[str]) -> None:
    wanted = Counter(texts)
    try:
        wait_until(lambda: not wanted - Counter(_asked(world)), "all texts", 45)
    except AssertionError:
        missing = list((wanted - Counter(_asked(world))).elements())
        raise AssertionError(f"never arrived: {missing}; the screen: {_screen(world)}") from None


def _screen(world: World) -> str:
    name = world.tmux("list-sessions", "-F", "#{session_name}").split()[0]
    return world.tmux("capture-pane", "-p", "-e", "-t", f"={name}:")


def _find_draft(world: World) -> str | None:
    """What stands in the input box, and stays there; a prompt that was just taken is drawn late."""
    with suppress(AssertionError):
        wait_until(lambda: not read_input_box(_screen(world)), "the box is empty", 10)
    return read_input_box(_screen(world))


def _find_dialog_faults(
    world: World, folder: Path, texts: list[str], presser: Presser
) -> dict[str, list[str]]:
    made = {path.name for path in folder.glob("made-*")}
    count, wanted = Counter(_asked(world)), Counter(texts)
    twice = [text for text in wanted if count[text] > wanted[text]]
    said = world.transcripts()
    wait_until(lambda: not [p for p in world.processes() if p.status != "idle"], "all is quiet")
    draft = _find_draft(world)
    return {
        "tools that ran without a press": sorted(made - presser.allowed),
        "models set": re.findall(r"Set model to[^\"]{0,40}", said),
        "texts lost": list((wanted - count).elements()),
        "texts twice": twice,
        "turns cut off by a stray key": _tell_cuts(said, presser),
        "drafts left by a stray key": [draft] if draft else [],
    }


def _tell_cuts(said: str, presser: Presser) -> list[str]:
    """Each turn that was cut off, with the keys that were pressed last before."""
    cut = [line for line in said.splitlines() if '"[Request interrupted by user]"' in line]
    times = [str(json.loads(line)["timestamp"])[:23] for line in cut]
    return [f"{at} after {[key for key in presser.keys if key <= at][-3:]}" for at in times]
