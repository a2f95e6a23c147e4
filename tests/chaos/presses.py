"""Presses that must do nothing: forged, expired, replayed, other people's."""

from __future__ import annotations

import random
import secrets
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from buttons import Buttons
from core.model import ButtonPressed, Chat, Person
from tests.chaos.experiment import Figure, judge, open_world
from tests.standins.telegram_state import Chat as Place
from tests.standins.telegram_state import Message, User
from tests.world import World

_KINDS = ("forged", "expired", "replayed", "from another chat", "by somebody else")
_KEPT_SETS = 500
_LIVE = 60
_REFUSED = "This button no longer works."


@dataclass(frozen=True)
class _Shown:
    """A button that is shown, and whose it is."""

    chat: Chat
    person: int
    data: str


def press_what_must_not_work(size: int, seed: int, folder: Path) -> Figure:
    """At the buttons themselves; in between the right presses must go on working."""
    chance = random.Random(seed)
    buttons = Buttons(folder)
    expired = [_issue(buttons, chance) for _ in range(20)]
    used = [_issue(buttons, chance) for _ in range(20)]
    for shown in used:
        assert buttons.take(_press(shown)) is not None
    live = [_issue(buttons, chance) for _ in range(_KEPT_SETS)][-_LIVE:]
    accepted: list[str] = []
    dead: list[str] = []
    count: Counter[str] = Counter()
    for number in range(size):
        kind = chance.choice(_KINDS)
        count[kind] += 1
        if number % (size // 10 or 1) == 0:
            buttons = Buttons(folder)  # the bridge starts again
        press = _draw_press(kind, chance, expired, used, live)
        if buttons.take(press) is not None:
            accepted.append(f"{kind}: {press}")
    dead += [shown.data for shown in live if buttons.take(_press(shown)) is None]
    return judge(
        "forged, expired, replayed, other people's presses",
        ", ".join(f"{count[kind]} {kind}" for kind in _KINDS),
        "0 accepted (and the right ones still work)",
        {"accepted": accepted, "right ones refused": dead},
    )


def _issue(buttons: Buttons, chance: random.Random) -> _Shown:
    chat = Chat("telegram", chance.choice((-1001, 5)), chance.choice((None, 7)))
    person = chance.choice((1, 2))
    (row,) = buttons.issue(chat, [[("yes", {"do": "it"}), ("no", {"do": "not"})]], person=person)
    return _Shown(chat, person, chance.choice(row).press)


def _press(shown: _Shown) -> ButtonPressed:
    return ButtonPressed(shown.chat, Person(shown.person, "Ada"), 1, "q", shown.data)


def _draw_press(
    kind: str,
    chance: random.Random,
    expired: list[_Shown],
    used: list[_Shown],
    live: list[_Shown],
) -> ButtonPressed:
    press = _press(chance.choice(live))
    match kind:
        case "expired":
            return _press(chance.choice(expired))
        case "replayed":
            return _press(chance.choice(used))
        case "from another chat":
            return replace(press, chat=_draw_other_chat(press.chat, chance))
        case "by somebody else":
            other = chance.choice([n for n in (1, 2, 3) if n != press.person.user_id])
            return replace(press, person=Person(other, "Eve"))
        case _:
            return replace(press, data=_forge(press.data, chance))


def _draw_other_chat(chat: Chat, chance: random.Random) -> Chat:
    return chance.choice(
        [
            replace(chat, topic=8),
            replace(chat, chat_id=6),
            replace(chat, channel="web"),
            replace(chat, topic=None if chat.topic else 7),
        ]
    )


def _forge(data: str, chance: random.Random) -> str:
    at = chance.randrange(len(data))
    swapped = data[:at] + chr(ord(data[at]) ^ 1) + data[at + 1 :]
    return chance.choice(
        [
            secrets.token_urlsafe(12),
            swapped,
            data[:-1],
            data + "A",
            "",
            data.swapcase() + "-",
            "yes",
        ]
    )


# --- end to end -----------------------------------------------------------------------------------


def press_end_to_end(size: int, seed: int, folder: Path) -> Figure:
    """The same from Telegram, at the real bridge: `/sessions` in a group with two allowed users."""
    chance = random.Random(seed)
    with open_world(folder, BRIDGE_ALLOWED_GROUPS="-1001") as world:
        other = world.telegram.user(first_name="Bob")
        stranger = world.telegram.user(first_name="Eve")
        world.settings["BRIDGE_ALLOWED_USERS"] = f"{world.user.id},{other.id}"
        group = world.telegram.group(-1001, "Team", members=(world.user, other, stranger))
        world.start_bridge()
        accepted = _press_in(world, group, [other, stranger], size, chance)
    return judge(
        "forged, replayed, other people's presses, end to end",
        f"{size} presses",
        "0 accepted (and the right ones still work)",
        accepted,
    )


def _press_in(
    world: World, group: Place, others: list[User], size: int, chance: random.Random
) -> dict[str, list[str]]:
    faults: dict[str, list[str]] = {
        f"accepted {kind}": [] for kind in ("forged", "replayed", "by another", "by a stranger")
    }
    faults["right ones refused"] = []
    world.telegram.send_text(group, world.user, "@bridge_test_bot my cat is called Grace")
    world.telegram.wait_for_text(group, "Echo", timeout=30)
    kinds = ["forged", "replayed", "by another", "by a stranger"]
    shown = _list_sessions(world, group)
    old: Message | None = None
    for number in range(size):
        kind = kinds[number % len(kinds)]
        data = str(shown.buttons[0][0]["callback_data"])
        if kind == "replayed" and old is None:
            if not _is_accepted(world, group, world.user, shown, data):
                faults["right ones refused"].append(f"press {number}")
            old, shown = shown, _list_sessions(world, group)
            continue
        message, person = shown, world.user
        if kind == "forged":
            data = _forge(data, chance)
        elif kind == "replayed":
            assert old is not None
            message, data = old, str(old.buttons[0][0]["callback_data"])
        else:
            person = others[kind == "by a stranger"]
        if data and _is_accepted(world, group, person, message, data):
            faults[f"accepted {kind}"].append(f"press {number}")
            shown = _list_sessions(world, group)
    return faults


def _list_sessions(world: World, group: Place) -> Message:
    asked = world.telegram.send_text(group, world.user, "/sessions")
    return world.telegram.wait_for_text(group, "▸", after=asked, timeout=30)


def _is_accepted(world: World, group: Place, person: User, message: Message, data: str) -> bool:
    """Whether the press did what the button does; no answer within a moment is a refusal too."""
    before = _count_continued(world, group)
    query = world.telegram.press(group, person, message.message_id, data, forged=True)
    seconds = 1.0 if person.first_name == "Eve" else 10.0
    with suppress(AssertionError):
        answer = world.telegram.wait_for(lambda: world.telegram.answer_to(query), seconds)
        return answer is not None and answer.text != _REFUSED
    return _count_continued(world, group) > before


def _count_continued(world: World, group: Place) -> int:
    messages = world.telegram.messages(group, from_bot=True)
    return sum("Continuing" in message.text for message in messages)
