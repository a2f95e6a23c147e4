"""What a topic is called: the name of its session, with a sign for what the session does.

* A name that a person gave the topic stays, whatever the session is called; only the sign is ours.
* Each change leaves a line in the topic, and counts for the flood limits. So a state is shown only
  once it has lasted a while, and the sign is changed once a minute at the most; what changed back
  until then is never shown. A new title comes sooner.
* A topic that a person named before we could read it is left alone: its name is not known.
"""

from __future__ import annotations

from typing import Literal

import msgspec

State = Literal["idle", "working", "waiting", "asleep"]

LONGEST_NAME = 128
LASTING_SECONDS: dict[State, float] = {"idle": 3.0, "working": 15.0, "waiting": 3.0, "asleep": 3.0}
BETWEEN_SECONDS = 60.0
BETWEEN_TITLES_SECONDS = 10.0

_MARKS: dict[State, str] = {"idle": "", "working": "⏳", "waiting": "❓", "asleep": "💤"}


class TopicState(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is known of a topic.

    `name`: without a sign; `shown`: the whole of it as it is at Telegram; `is_chosen`: a person
    named it; `is_closed`: we closed it; `is_gone`: somebody deleted it.
    """

    name: str = ""
    shown: str = ""
    is_chosen: bool = True
    is_closed: bool = False
    is_gone: bool = False


def render_name(topic: TopicState, title: str, state: State) -> str:
    """The name that the topic should have; as it is when that is not ours to say."""
    if topic.is_chosen and not topic.name:
        return topic.shown
    name = topic.name if topic.is_chosen else " ".join(title.split())
    mark = _MARKS[state]
    return f"{mark} {name}".strip()[:LONGEST_NAME].rstrip() or topic.shown


def strip_mark(name: str) -> str:
    """The name without our signs before it."""
    marks = [mark for mark in _MARKS.values() if mark]
    while found := next((mark for mark in marks if name.startswith(mark)), None):
        name = name.removeprefix(found).lstrip()
    return name


def seconds_to_wait(
    state: State, *, lasted: float, since_change: float, is_new_title: bool
) -> float:
    """How long a changed name is still to be kept back; 0: it may be shown.

    `lasted`: for how long the session has been in that state; `since_change`: when the topic was
    changed last.
    """
    if is_new_title:
        return max(0.0, BETWEEN_TITLES_SECONDS - since_change)
    return max(0.0, LASTING_SECONDS[state] - lasted, BETWEEN_SECONDS - since_change)
