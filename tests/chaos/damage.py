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
from chat_settings import ChatSettings
from core.history import Record
from core.model import ButtonPressed, Chat, Person, Place, Post
from core.quiet import Quiet
from core.session_file import NewerSessionError
from devices import Devices
from history import Histories
from inbox import Arrival, Inbox
from outbox import Outbox
from people import People
from places import Places
from request_book import RequestBook, RequestRecord
from session import Session, SessionStore
from session_finder import SessionFinder
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
        whole_folder = folder / f"{Path(state_file.name).name}.whole"
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

_LOGGED = ("first", "second", "third")
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


def _fill_log(place: Path) -> None:
    with SessionStore(place) as store:
        for number, session_id in enumerate(_LOGGED):
            store.save(Session(session_id, 1, last_activity=f"2026-01-01T00:00:0{number}Z"))


def _check_log(place: Path, whole: bytes, content: bytes, is_cut: bool) -> str | None:
    """Another process has the store open, and learns of the last change by the damaged log.

    Cut off where it was before, it can't be told from the log before.
    """
    log, changed = place / "index.log", place / f"{_LOGGED[-1]}.json"
    data = changed.read_bytes()
    changed.unlink()
    before = whole[: whole.index(f"\n{_LOGGED[-1]}".encode())]
    log.write_bytes(before)
    with SessionStore(place) as store:
        store.list_sessions()
        changed.write_bytes(data)
        log.write_bytes(content)
        found = [session.session_id for session in store.list_sessions()]
    is_seen = found == list(_LOGGED[::-1])
    return None if is_seen or content == before else f"a change is hidden: {found} are seen"


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


# --- the other files of one JSON object ----------------------------------------------------------


def _check_object(
    name: str, read: Callable[[Path], object]
) -> Callable[[Path, bytes, bytes, bool], str | None]:
    def check(place: Path, whole: bytes, content: bytes, is_cut: bool) -> str | None:
        """All of it is there, or none: then what is damaged is set aside."""
        other = place.with_name("other")
        other.mkdir()
        try:
            nothing = read(other)
            (other / name).write_bytes(whole)
            expected = read(other)
        finally:
            shutil.rmtree(other)
        found = read(place)
        if found == expected:
            return None
        if found != nothing:
            return f"something else is believed: {found}"
        return None if _is_set_aside(place, content) or not content else "empty in silence"

    return check


def _fill_settings(place: Path) -> None:
    settings = ChatSettings(place)
    settings.set_private(_CHAT, private=True)
    settings.set_quiet(_CHAT, Quiet(1320, 420))
    settings.set_favourites(_CHAT, ["/code/shop"])


def _read_settings(place: Path) -> object:
    settings = ChatSettings(place)
    return settings.is_private(_CHAT), settings.find_quiet(_CHAT), settings.find_favourites(_CHAT)


def _fill_requests(place: Path) -> None:
    book = RequestBook(place)
    for number, answer in enumerate((None, '{"behavior":"allow"}')):
        key = f"request-{number}"
        book.put(RequestRecord(key, "s", _CHAT, 7, f"post-{number}", "Bash ls", answer=answer))


def _read_requests(place: Path) -> object:
    book = RequestBook(place)
    return book.open, book.answered


def _fill_places(place: Path) -> None:
    places = Places(place)
    places.note(Place(_CHAT, "Ada", is_private=True), 42)
    places.note(Place(Chat("telegram", -7, 3), "Team", is_forum=True, topic_name="red"), 43)


def _read_places(place: Path) -> object:
    return Places(place).list_all()


def _fill_devices(place: Path) -> None:
    devices = Devices(place, clock=lambda: _CLOCK)
    assert devices.redeem(devices.issue_key(), "Firefox on Linux")
    devices.issue_key()


def _read_devices(place: Path) -> object:
    devices = Devices(place, clock=lambda: _CLOCK)
    found = devices._current()
    devices.issue_key()  # the first that sets aside what is damaged
    return found


# --- what was seen of the sessions on the machine -------------------------------------------------

_TRANSCRIPT = (
    '{"type":"user","uuid":"1","cwd":"/code/shop","message":{"role":"user","content":"mend it"}}'
)


def _find_sessions(place: Path) -> list[tuple[str, str]]:
    """The transcripts are the same ones for all, as what is kept of them goes by their names."""
    finder = SessionFinder(place.parent / "projects", place / "found_sessions.json")
    return [(found.session_id, found.title) for found in finder.find_all()]


def _fill_found(place: Path) -> None:
    for number in range(2):
        folder = place.parent / "projects" / f"-code-{number}"
        folder.mkdir(parents=True, exist_ok=True)
        transcript = folder / f"00000000-0000-4000-8000-00000000000{number}.jsonl"
        transcript.write_text(f"{_TRANSCRIPT}\n")
    assert len(_find_sessions(place)) == 2


def _check_found(place: Path, whole: bytes, content: bytes, is_cut: bool) -> str | None:
    found = _find_sessions(place)
    (place / "found_sessions.json").unlink()
    return None if found == _find_sessions(place) else f"another content is believed: {found}"


# --- the histories --------------------------------------------------------------------------------

_HISTORY = "histories/one.jsonl"


def _fill_history(place: Path) -> None:
    Histories(place / "histories", redact=str).note(
        "one", [Record(f"u{n}", float(n), "answer", f"text {n} é", "Claude") for n in range(4)]
    )


def _check_history(place: Path, whole: bytes, content: bytes, is_cut: bool) -> str | None:
    """At most what stands in the damaged line is missing, and that is told."""
    histories = Histories(place / "histories", redact=str)
    found = histories.read("one")
    (place / _HISTORY).write_bytes(whole)
    everything = histories.read("one")
    (place / _HISTORY).write_bytes(_without_damage(whole, content, is_cut))
    least = histories.read("one")
    (place / _HISTORY).write_bytes(content)
    if [record for record in found if record not in everything]:
        return f"something else is believed: {found}"
    if [record for record in least if record not in found]:
        return f"{found} is left"
    if not is_cut and found != everything and not histories.damaged:
        return "a record is gone in silence"
    new = Record("new", 9.0, "answer", "new", "Claude")
    Histories(place / "histories", redact=str).note("one", [new])
    again = Histories(place / "histories", redact=str).read("one")
    return None if again == [*found, new] else f"after a new record {again} is there"


STATE_FILES = (
    StateFile("a.json", _fill_sessions, _check_session),
    StateFile("index.json", _fill_sessions, _check_index),
    StateFile("inbox.journal", _fill_inbox, _check_journal(_read_inbox, "inbox.journal")),
    StateFile("outbox.journal", _fill_outbox, _check_journal(_read_outbox, "outbox.journal")),
    StateFile("people.json", _fill_people, _check_people),
    StateFile("buttons.json", _fill_buttons, _check_buttons),
    StateFile("index.log", _fill_log, _check_log),
    StateFile(
        "chat_settings.json", _fill_settings, _check_object("chat_settings.json", _read_settings)
    ),
    StateFile("requests.json", _fill_requests, _check_object("requests.json", _read_requests)),
    StateFile("places.json", _fill_places, _check_object("places.json", _read_places)),
    StateFile("devices.json", _fill_devices, _check_object("devices.json", _read_devices)),
    StateFile("found_sessions.json", _fill_found, _check_found),
    StateFile(_HISTORY, _fill_history, _check_history),
)
