"""Every byte of every state file, cut off there or flipped: never a crash, never a silent loss.

What may go is what the damage hit; the rest has to be there, and the damage has to be kept.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from buttons import Action, Buttons
from core.model import ButtonPressed, Chat, Person, Post
from core.session_file import NewerSessionError
from inbox import Arrival, Inbox
from outbox import Outbox
from people import People
from session import Session, SessionStore
from tests.chaos.experiment import Figure, judge

_CHAT = Chat("telegram", 1)
_CLOCK = 1_000_000.0


@dataclass(frozen=True)
class StateFile:
    """`fill` writes it into a folder; `find_fault` opens it and says what is wrong, if anything.

    `find_fault` gets the whole content, the damaged one, and whether it was cut off.
    """

    name: str
    fill: Callable[[Path], None]
    find_fault: Callable[[Path, bytes, bytes, bool], str | None]


def damage_every_byte(size: int, seed: int, folder: Path) -> Figure:
    """`size` positions of each file, drawn by lot; 0 is every one."""
    chance = random.Random(seed)
    faults: dict[str, list[str]] = {}
    count = 0
    for state_file in STATE_FILES:
        whole_folder = folder / f"{state_file.name}.whole"
        whole_folder.mkdir(mode=0o700)
        state_file.fill(whole_folder)
        whole = (whole_folder / state_file.name).read_bytes()
        found = faults.setdefault(f"faults in {state_file.name}", [])
        for what, content, is_cut in _damages(whole, size, chance):
            count += 1
            place = folder / "damaged"
            shutil.copytree(whole_folder, place)
            (place / state_file.name).write_bytes(content)
            fault = _find_fault(state_file, place, whole, content, is_cut)
            if fault is not None:
                found.append(f"{what}: {fault}")
            shutil.rmtree(place)
        found.sort(key=lambda fault: "something else" not in fault)  # the worst is shown
    return judge(
        "every byte of every state file truncated or flipped",
        f"{count} damages of {len(STATE_FILES)} files" + (" (a sample)" if size else ""),
        "no crash, no silent emptiness; quarantined and rebuilt",
        faults,
    )


def _damages(whole: bytes, size: int, chance: random.Random) -> Iterator[tuple[str, bytes, bool]]:
    places = range(len(whole))
    for at in sorted(chance.sample(places, min(size, len(whole)))) if size else places:
        yield f"cut at {at}", whole[:at], True
        bit = 1 << chance.randrange(8)
        yield f"bit {bit} at {at}", whole[:at] + bytes([whole[at] ^ bit]) + whole[at + 1 :], False


def _find_fault(
    state_file: StateFile, place: Path, whole: bytes, content: bytes, is_cut: bool
) -> str | None:
    try:
        return state_file.find_fault(place, whole, content, is_cut)
    except Exception as error:  # noqa: BLE001 - any of them would have been a crash
        return f"crashed with {error!r:.150}"


def _is_set_aside(place: Path, content: bytes) -> bool:
    """Whether the damaged content is kept somewhere under another name."""
    kept = [path for path in place.rglob("*") if path.is_file() and "." in path.name]
    names = ("quarantine", "damaged-")
    return any(
        path.read_bytes().strip() in content and path.stat().st_size
        for path in kept
        if any(name in str(path.relative_to(place)) for name in names)
    )


# --- the sessions ---------------------------------------------------------------------------------

_SESSION = Session("a", 1, "claude-a", state={"topic": 7, "n": [1.5, True, None, "é"]})


def _fill_sessions(place: Path) -> None:
    with SessionStore(place) as store:
        store.save(_SESSION)
        store.save(Session("b", 2))
        store.bind("b")


def _check_session(place: Path, whole: bytes, content: bytes, is_cut: bool) -> str | None:
    with SessionStore(place) as store:
        try:
            found = store.load("a")
        except NewerSessionError:
            return None  # reported, and left alone
        if store.load("b") is None:
            return "another session went with it"
        if found == _SESSION:
            return None
        if found is not None:
            return "another content is believed"
        is_kept = _is_set_aside(place, content) or not content
        return None if store.damaged and is_kept else "empty in silence"


def _check_index(place: Path, whole: bytes, content: bytes, is_cut: bool) -> str | None:
    with SessionStore(place) as store:
        is_right = store.load("a") == _SESSION and store.find_current(2) == store.load("b")
        return None if is_right and len(store.list_sessions()) == 2 else "the index told a lie"


# --- the journals ---------------------------------------------------------------------------------


def _fill_inbox(place: Path) -> None:
    inbox = Inbox(place)
    inbox.receive([Arrival(f"key-{n}", "telegram", {"n": n, "text": "é"}) for n in range(4)])
    inbox.advance("key-1", "assigned", session_id="s", text="one")
    inbox.advance("key-1", "typed", typed_from=3, typed_at=5.0)
    inbox.finish("key-2", "answered")
    inbox.close()


def _fill_outbox(place: Path) -> None:
    outbox = Outbox(place, {})
    outbox.put(*(Post(f"key-{n}", _CHAT, f"text {n}") for n in range(5)))


def _read_inbox(place: Path) -> dict[str, str]:
    inbox = Inbox(place)
    found = {entry.key: entry.step for entry in inbox.pending()}
    inbox.receive([Arrival("new", "telegram", {})])
    inbox.close()
    again = Inbox(place)
    kept = {entry.key: entry.step for entry in again.pending()}
    again.close()
    if kept != found | {"new": "received"}:
        raise AssertionError(f"written anew it says {kept} instead of {found}")
    return {key: step for key, step in found.items() if key.startswith("key-")}


def _read_outbox(place: Path) -> dict[str, str]:
    outbox = Outbox(place, {})
    posts = {key: waiting.post.text for key, waiting in outbox._records.waiting.items()}
    outbox.put(Post("new", _CHAT, "new"))
    again = Outbox(place, {})
    kept = {key: waiting.post.text for key, waiting in again._records.waiting.items()}
    if kept != posts | {"new": "new"}:
        raise AssertionError(f"written anew it says {kept} instead of {posts}")
    return posts


def _check_journal(
    read: Callable[[Path], dict[str, str]], name: str
) -> Callable[[Path, bytes, bytes, bool], str | None]:
    def check(place: Path, whole: bytes, content: bytes, is_cut: bool) -> str | None:
        """At most what stands in the damaged line is missing, and that line is set aside.

        A cut takes the rest with it; a last record that is whole but for its newline counts.
        """
        alone = place.with_name("alone")
        alone.mkdir()
        try:
            (alone / name).write_bytes(_without_damage(whole, content, is_cut))
            least = read(alone)
            (alone / name).write_bytes(content + b"\n" if is_cut else whole)
            expected = read(alone)
        finally:
            shutil.rmtree(alone)
        found = read(place)
        if found == expected or (is_cut and found == least):
            return None
        if found != least:
            return f"{found} is left"
        return None if _is_set_aside(place, content) else "a record is gone in silence"

    return check


def _without_damage(whole: bytes, content: bytes, is_cut: bool) -> bytes:
    """The whole lines that the damage left alone."""
    lines = whole.splitlines(keepends=True)
    if is_cut:
        return content[: content.rfind(b"\n") + 1]
    at = next(n for n, (a, b) in enumerate(zip(whole, content, strict=True)) if a != b)
    number = whole[:at].count(b"\n")
    return b"".join(lines[:number] + lines[number + 1 :])


# --- people and buttons ---------------------------------------------------------------------------


def _fill_people(place: Path) -> None:
    people = People(place, clock=lambda: _CLOCK)
    assert people.redeem(people.issue_code(), 42, "Ada")


def _check_people(place: Path, whole: bytes, content: bytes, is_cut: bool) -> str | None:
    people = People(place, clock=lambda: _CLOCK)
    if people.owner == 42 and people.owner_name == "Ada":
        return None
    if people.owner is not None or any(people.is_allowed(n) for n in range(1000)):
        return "somebody else is let in"
    if people.broken is None:
        return "nobody is the owner, in silence"
    is_kept = _is_set_aside(place, content) or (place / "people.json").exists() or not content
    return None if is_kept else "the damaged file is gone"


def _fill_buttons(place: Path) -> None:
    buttons = Buttons(place)
    for number in range(3):
        yes: Action = {"do": "key", "key": "1", "n": number}
        no: Action = {"do": "key", "key": "2"}
        rows = [[("yes", yes), ("no", no)]]
        buttons.issue(_CHAT, rows)


def _check_buttons(place: Path, whole: bytes, content: bytes, is_cut: bool) -> str | None:
    intact = place.with_name("intact")
    intact.mkdir()
    try:
        (intact / "buttons.json").write_bytes(whole)
        expected = _press_all(Buttons(intact), whole)
    finally:
        shutil.rmtree(intact)
    buttons = Buttons(place)
    found = _press_all(buttons, whole)
    if any(action not in (None, wanted) for action, wanted in zip(found, expected, strict=True)):
        return "a button does something else"
    if found == expected:
        return None
    return (
        None
        if _is_set_aside(place, content) or not content
        else "buttons are void, and the file is not kept"
    )


def _press_all(buttons: Buttons, whole: bytes) -> list[object]:
    """What the first button of each set does."""
    ids = [part.split(b'"')[0].decode() for part in whole.split(b'"actions":{"')[1:]]
    person = Person(1, "Ada")
    return [buttons.take(ButtonPressed(_CHAT, person, 1, "q", data)) for data in ids]


STATE_FILES = (
    StateFile("a.json", _fill_sessions, _check_session),
    StateFile("index.json", _fill_sessions, _check_index),
    StateFile("inbox.journal", _fill_inbox, _check_journal(_read_inbox, "inbox.journal")),
    StateFile("outbox.journal", _fill_outbox, _check_journal(_read_outbox, "outbox.journal")),
    StateFile("people.json", _fill_people, _check_people),
    StateFile("buttons.json", _fill_buttons, _check_buttons),
)
