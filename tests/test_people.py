"""people: who is let in, how a code makes an owner, and what a broken file may not do."""

from __future__ import annotations

import errno
import json
import logging
import re
import stat
import subprocess
import sys
import threading
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from core.errors import StoreError, StoreWriteError
from core.roles import Guest
from people import CODE_SECONDS, People
from tests.standins.watched_system import RefusingSystem

ADA, BOB, EVE = 42, 43, 666
ROOT = Path(__file__).parents[1]


class Clock:
    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state" / "bridge"


@pytest.fixture
def paired(state: Path) -> Path:
    people = People(state)
    assert people.redeem(people.issue_code(), ADA, "Ada")
    return people.path


def test_at_first_nobody_is_allowed(state: Path) -> None:
    people = People(state)
    assert people.owner is None and people.broken is None and people.owner_name == ""
    assert not people.is_allowed(ADA)
    assert not state.exists()


def test_a_code_makes_its_bearer_the_owner(state: Path) -> None:
    people = People(state)
    assert people.redeem(people.issue_code(), ADA, "Ada")
    assert (people.owner, people.owner_name) == (ADA, "Ada")
    assert people.is_allowed(ADA) and not people.is_allowed(EVE)


def test_the_owner_is_found_again_after_a_restart(paired: Path) -> None:
    people = People(paired.parent)
    assert (people.owner, people.owner_name, people.broken) == (ADA, "Ada", None)


def test_allowed_users_need_no_pairing(state: Path) -> None:
    people = People(state, allowed_users=(ADA, BOB))
    assert people.is_allowed(ADA) and people.is_allowed(BOB) and not people.is_allowed(EVE)
    assert people.owner is None


@pytest.mark.parametrize("user_id", [True, "42", 42.0, None, [42]])
def test_only_an_int_is_a_user(state: Path, user_id: object) -> None:
    assert not People(state, allowed_users=(1, ADA)).is_allowed(user_id)


@pytest.mark.parametrize("user_id", [True, 0, -5, "42"])
def test_only_a_positive_int_can_become_the_owner(state: Path, user_id: object) -> None:
    people = People(state)
    code = people.issue_code()
    assert not people.redeem(code, user_id, "Ada")  # type: ignore[arg-type]
    assert people.redeem(code, ADA, "Ada")


def test_codes_fit_telegrams_links_and_never_repeat(state: Path) -> None:
    people = People(state)
    codes = {people.issue_code() for _ in range(20)}
    assert len(codes) == 20
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{16,64}", code) for code in codes)


def test_a_code_works_once(state: Path) -> None:
    people = People(state)
    code = people.issue_code()
    assert people.redeem(code, ADA, "Ada")
    assert not people.redeem(code, EVE, "Eve")
    assert people.owner == ADA


def test_a_code_never_makes_a_second_owner(paired: Path) -> None:
    people = People(paired.parent)
    assert not people.redeem(people.issue_code(), EVE, "Eve")
    assert people.owner == ADA


def test_a_new_code_replaces_the_older(state: Path) -> None:
    people = People(state)
    older, newer = people.issue_code(), people.issue_code()
    assert not people.redeem(older, EVE, "Eve")
    assert people.redeem(newer, ADA, "Ada")


@pytest.mark.parametrize("code", ["", "x" * 22, "x" * 65, "ü" * 22, "a b", "a\n", None, 5])
def test_a_wrong_code_does_nothing_and_costs_nothing(state: Path, code: object) -> None:
    people = People(state)
    right = people.issue_code()
    assert not people.redeem(code, EVE, "Eve")  # type: ignore[arg-type]
    assert people.redeem(right, ADA, "Ada")


def test_without_a_pending_code_none_works(state: Path) -> None:
    people = People(state)
    assert not people.redeem("", EVE, "Eve")
    assert not people.redeem("x" * 22, EVE, "Eve")


@pytest.mark.parametrize(
    ("passed", "works"),
    [
        (0.0, True),
        (CODE_SECONDS - 1, True),
        (CODE_SECONDS, False),
        (CODE_SECONDS + 1e9, False),
        (-30.0, True),
        (-61.0, False),
        (-1e9, False),
    ],
)
def test_a_code_expires_by_the_clock_both_ways(state: Path, passed: float, works: bool) -> None:
    clock = Clock()
    people = People(state, clock=clock)
    code = people.issue_code()
    clock.now += passed
    assert (people.redeem(code, ADA, "Ada") == "owner") is works


def test_the_code_itself_is_not_on_disk(state: Path) -> None:
    code = People(state).issue_code()
    files = [path for path in state.rglob("*") if path.is_file()]
    assert files and not any(code.encode() in file.read_bytes() for file in files)


def test_the_files_are_private(paired: Path) -> None:
    assert stat.S_IMODE(paired.parent.stat().st_mode) == 0o700
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in paired.parent.iterdir())


def test_a_code_from_another_process_is_seen_while_running(state: Path) -> None:
    people = People(state)
    assert people.owner is None
    script = "import sys; from pathlib import Path; from people import People\n"
    script += "print(People(Path(sys.argv[1])).issue_code())"
    done = subprocess.run(
        [sys.executable, "-c", script, str(state)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert people.redeem(done.stdout.strip(), ADA, "Ada")


def test_an_owner_from_another_process_is_seen_while_waiting(state: Path) -> None:
    installer, bridge = People(state), People(state)
    assert bridge.redeem(installer.issue_code(), ADA, "Ada")
    assert installer.owner == ADA


def test_removing_the_file_unpairs(paired: Path) -> None:
    people = People(paired.parent)
    assert people.is_allowed(ADA)
    paired.unlink()
    assert not people.is_allowed(ADA)
    assert people.broken is None


def test_of_many_who_have_the_code_one_becomes_the_owner(state: Path) -> None:
    code = People(state).issue_code()
    start = threading.Barrier(8)
    answers: list[tuple[int, str | None]] = []

    def use(user_id: int) -> None:
        start.wait()
        answers.append((user_id, People(state).redeem(code, user_id, "")))

    threads = [threading.Thread(target=use, args=(100 + n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    winners = [user_id for user_id, won in answers if won]
    assert winners == [People(state).owner]


def test_a_name_is_kept_in_printable_characters(state: Path) -> None:
    people = People(state)
    assert people.redeem(people.issue_code(), ADA, "\x1b[31mA\nd\ud800a\u202e" + "x" * 500)
    assert people.owner_name.startswith("[31mAdax")
    assert len(people.owner_name) == 200


BROKEN: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda data: b"",
    "torn": lambda data: data[: len(data) // 2],
    "no JSON": lambda data: b"hello",
    "no object": lambda data: b"[]",
    "no version": lambda data: b"{}",
    "version 0": lambda data: b'{"version": 0}',
    "another owner": lambda data: data.replace(b"42", b"43"),
    "a text as id": lambda data: b'{"version": 1, "owner": {"id": "42", "name": ""}}',
    "true as id": lambda data: b'{"version": 1, "owner": {"id": true, "name": ""}}',
    "an unknown key": lambda data: b'{"version": 1, "owners": []}',
    "bottomless": lambda data: b"[" * 60_000,
    "too large": lambda data: data + b" " * 70_000,
    "no UTF-8": lambda data: data.replace(b"Ada", b"\xff\xfe\xfd"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_file_is_set_aside_and_lets_nobody_in(
    paired: Path, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    people = People(paired.parent, allowed_users=(BOB,))
    assert people.is_allowed(ADA)
    broken = BROKEN[kind](paired.read_bytes())
    paired.write_bytes(broken)
    with caplog.at_level(logging.ERROR):
        assert not people.is_allowed(ADA)
    assert people.is_allowed(BOB)
    assert people.owner is None
    assert people.broken and "quarantine" in people.broken
    assert "set aside" in caplog.text
    (kept,) = (paired.parent / "quarantine").iterdir()
    assert kept.read_bytes() == broken


def test_no_torn_or_flipped_byte_makes_another_owner(paired: Path) -> None:
    whole = paired.read_bytes()
    versions = [whole[:length] for length in range(len(whole) - 1)]
    versions += [
        whole[:at] + bytes([whole[at] ^ 1 << bit]) + whole[at + 1 :]
        for at in range(len(whole) - 1)
        for bit in range(8)
    ]
    for data in versions:
        paired.write_bytes(data)
        people = People(paired.parent)
        assert people.owner in (None, ADA)
        assert people.owner == ADA or people.broken


def test_a_broken_file_stays_reported_after_a_restart_until_a_new_code(paired: Path) -> None:
    paired.write_bytes(b"{")
    assert People(paired.parent).broken
    people = People(paired.parent)
    assert people.owner is None
    code = people.issue_code()
    assert people.broken is None
    assert People(paired.parent).redeem(code, BOB, "Bob")
    assert people.owner == BOB


def test_a_second_broken_file_does_not_replace_the_first(paired: Path) -> None:
    for text in (b"{", b"["):
        paired.write_bytes(text)
        assert People(paired.parent).broken
    kept = (paired.parent / "quarantine").iterdir()
    assert sorted(file.read_bytes() for file in kept) == [b"[", b"{"]


def test_a_file_of_a_newer_version_is_left_alone(paired: Path) -> None:
    newer = b'{"version": 99, "owners": [42]}'
    paired.write_bytes(newer)
    people = People(paired.parent)
    assert people.owner is None and "newer" in (people.broken or "")
    with pytest.raises(StoreError, match="newer"):
        people.issue_code()
    assert paired.read_bytes() == newer


def test_a_link_in_place_of_the_file_is_not_followed(paired: Path, tmp_path: Path) -> None:
    elsewhere = paired.replace(tmp_path / "elsewhere.json")
    paired.symlink_to(elsewhere)
    people = People(paired.parent)
    assert people.owner is None and people.broken
    assert elsewhere.exists()


def test_a_file_that_cannot_be_read_is_asked_again(paired: Path) -> None:
    system = RefusingSystem(errno.EMFILE)
    people = People(paired.parent, system=system)
    system.refuses = "open"
    assert people.owner is None
    assert "too many files" in str(people.broken)
    with pytest.raises(StoreError):
        people.issue_code()
    system.refuses = ""
    assert people.is_allowed(ADA)


def test_a_file_edited_by_hand_is_believed(paired: Path) -> None:
    record = json.loads(paired.read_bytes())
    del record["crc"]
    record["owner"]["id"] = BOB
    paired.write_text(json.dumps(record, indent=2))
    assert People(paired.parent).owner == BOB


def test_a_full_disk_makes_no_owner(state: Path) -> None:
    system = RefusingSystem(errno.ENOSPC)
    people = People(state, system=system)
    code = people.issue_code()
    system.refuses = "open"
    with pytest.raises(StoreWriteError, match="disk is full"):
        people.redeem(code, ADA, "Ada")
    system.refuses = ""
    assert people.owner is None
    assert people.redeem(code, ADA, "Ada")


# --- invitations and roles ------------------------------------------------------------------------


@pytest.fixture
def people(paired: Path) -> People:
    return People(paired.parent, allowed_users=(BOB,))


def test_the_paired_one_and_the_allowed_users_are_owners(people: People) -> None:
    assert people.role_of(ADA) == people.role_of(BOB) == "owner"
    assert people.role_of(EVE) is None
    assert [(s.user_id, s.role, s.is_guest) for s in people.everybody()] == [
        (ADA, "owner", False),
        (BOB, "owner", False),
    ]


@pytest.mark.parametrize("role", ["member", "viewer"])
def test_an_invitation_gives_its_role_once(people: People, role: Guest) -> None:
    code = people.invite(role)
    assert people.redeem(code, EVE, "Eve") == role
    assert people.redeem(code, 777, "Mallory") is None
    assert people.role_of(EVE) == role and people.role_of(777) is None
    assert People(people.path.parent).role_of(EVE) == role


def test_an_invitation_dies_after_ten_minutes(paired: Path) -> None:
    clock = Clock()
    people = People(paired.parent, clock=clock)
    code = people.invite("member")
    clock.now += CODE_SECONDS
    assert people.redeem(code, EVE, "Eve") is None


def test_an_invitation_raises_a_role_and_never_lowers_one(people: People) -> None:
    assert people.redeem(people.invite("viewer"), EVE, "Eve") == "viewer"
    assert people.redeem(people.invite("member"), EVE, "Eve") == "member"
    low = people.invite("viewer")
    assert people.redeem(low, EVE, "Eve") is None
    assert people.redeem(low, ADA, "Ada") is None and people.role_of(ADA) == "owner"
    assert people.redeem(low, 777, "Grace") == "viewer"


def test_an_invitation_makes_nobody_the_owner(state: Path) -> None:
    people = People(state)
    assert people.redeem(people.invite("member"), EVE, "Eve") == "member"
    assert people.owner is None
    assert people.redeem(people.issue_code(), EVE, "Eve") == "owner"
    assert [s.role for s in people.everybody()] == ["owner"]


def test_who_is_removed_is_a_stranger_and_no_link_is_left_to_them(people: People) -> None:
    people.redeem(people.invite("member"), EVE, "Eve")
    link = people.invite("member")
    assert people.remove(EVE)
    assert people.role_of(EVE) is None
    assert people.redeem(link, EVE, "Eve") is None
    assert not people.remove(EVE)


def test_owners_are_not_removed_and_keep_their_role(people: People) -> None:
    assert not people.remove(ADA) and not people.remove(BOB)
    assert not people.set_role(ADA, "viewer")
    assert people.role_of(ADA) == people.role_of(BOB) == "owner"


def test_a_guest_is_given_another_role(people: People) -> None:
    people.redeem(people.invite("member"), EVE, "Eve")
    assert people.set_role(EVE, "viewer") and people.role_of(EVE) == "viewer"


def test_of_many_who_have_an_invitation_one_gets_in(paired: Path) -> None:
    code = People(paired.parent).invite("member")
    start = threading.Barrier(8)
    answers: list[str | None] = []

    def use(user_id: int) -> None:
        start.wait()
        answers.append(People(paired.parent).redeem(code, user_id, ""))

    threads = [threading.Thread(target=use, args=(100 + n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(str, answers)) == ["None"] * 7 + ["member"]


def test_no_more_invitations_wait_than_anybody_needs(people: People) -> None:
    codes = [people.invite("viewer") for _ in range(30)]
    assert people.redeem(codes[0], EVE, "Eve") is None
    assert people.redeem(codes[-1], EVE, "Eve") == "viewer"


def test_a_file_of_the_version_before_roles_is_still_read(state: Path) -> None:
    state.mkdir(parents=True)
    text = b'{"version":1,"owner":{"id":42,"name":"Ada"},"pairing":null,"crc":"3d4c0d3f"}\n'
    plain = text.replace(b"3d4c0d3f", b"").strip()
    (state / "people.json").write_bytes(text.replace(b"3d4c0d3f", b"%08x" % zlib.crc32(plain)))
    people = People(state)
    assert (people.owner, people.broken) == (ADA, None)
    assert people.redeem(people.invite("member"), EVE, "Eve") == "member"
    assert People(state).role_of(ADA) == "owner"


def test_no_torn_or_flipped_byte_gives_anybody_a_higher_role(people: People) -> None:
    people.redeem(people.invite("viewer"), EVE, "Eve")
    whole = people.path.read_bytes()
    for at in range(0, len(whole) - 1, 3):
        for bit in (0, 3, 6):
            people.path.write_bytes(whole[:at] + bytes([whole[at] ^ 1 << bit]) + whole[at + 1 :])
            found = People(people.path.parent)
            assert found.role_of(EVE) in (None, "viewer")
            assert found.role_of(ADA) in (None, "owner")
