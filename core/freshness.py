"""When a chat's message begins a new conversation, instead of going on with the one it has.

| mode    | a message begins a new conversation when                                             |
|---------|--------------------------------------------------------------------------------------|
| `none`  | never                                                                                |
| `idle`  | the person has been silent for as long as is set                                     |
| `daily` | the hour has come since the person was active, and the conversation has had a pause: |
|         | who is at it at that hour keeps it until there is one                                |

* Never while Claude works, a request waits for its answer, or prompts wait (`is_at_work`).
* Only what a person does is activity; `follow` says what is to be remembered of it.
* A silence is measured by the clock that runs since the machine's start, as nobody can set that
  one. The wall clock counts only when the machine was started since, and never less than the time
  since that start. What counts is when a message was sent, not when it came.
* What is not known is no reason: without a record of activity, nothing is begun anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Any, Literal

ResetMode = Literal["none", "idle", "daily"]
Reason = Literal["idle", "daily"]

PAUSE_SECONDS = 30 * 60.0


@dataclass(frozen=True, slots=True)
class Moment:
    """A time by both clocks, in seconds.

    `wall`: since the epoch; `boot`: which start of the machine, `uptime`: since then, with the time
    that it was suspended. `boot` is "" where that is not known.
    """

    wall: float
    boot: str = ""
    uptime: float = 0.0

    def before(self, seconds: float) -> Moment:
        """So much earlier; the future is left alone."""
        late = max(0.0, seconds)
        return Moment(self.wall - late, self.boot, self.uptime - late)


@dataclass(frozen=True, slots=True)
class Activity:
    """When the person was last active; `is_overdue`: a daily reset waits for a pause."""

    at: Moment
    is_overdue: bool = False


@dataclass(frozen=True, slots=True)
class FreshnessPolicy:
    """`hour` of the day, from 0 to 23, by the local time of `zone` (None: the machine's)."""

    mode: ResetMode = "none"
    idle_seconds: float = 8 * 3600.0
    hour: int = 4
    pause_seconds: float = PAUSE_SECONDS
    zone: tzinfo | None = None


def find_reason(
    policy: FreshnessPolicy,
    activity: Activity | None,
    sent: Moment,
    *,
    is_at_work: bool = False,
) -> Reason | None:
    """Why a message that was sent then begins a new conversation; None: it does not."""
    if policy.mode == "none" or activity is None or is_at_work:
        return None
    silence = silence_before(activity, sent)
    if policy.mode == "idle":
        return "idle" if silence >= policy.idle_seconds else None
    is_due = activity.is_overdue or _has_come(policy, activity, sent)
    return "daily" if is_due and silence >= policy.pause_seconds else None


def follow(policy: FreshnessPolicy, activity: Activity | None, now: Moment) -> Activity:
    """What is to be remembered, now that the person is active (and goes on with it)."""
    if policy.mode != "daily" or activity is None:
        return Activity(now)
    return Activity(now, activity.is_overdue or _has_come(policy, activity, now))


def silence_before(activity: Activity, now: Moment) -> float:
    """For how many seconds the person had been silent by then."""
    then = activity.at
    if then.boot and then.boot == now.boot:
        silence = now.uptime - then.uptime
    else:
        silence = max(now.wall - then.wall, now.uptime if now.boot and then.boot else 0.0)
    return max(0.0, silence)


def _has_come(policy: FreshnessPolicy, activity: Activity, now: Moment) -> bool:
    """Whether the hour has come since then; by how long ago that was, not by what was noted."""
    return now.wall - silence_before(activity, now) < _last_hour(policy, now.wall)


def _last_hour(policy: FreshnessPolicy, wall: float) -> float:
    """When it was that hour of a day for the last time; of an hour that comes twice, the first."""
    local = datetime.fromtimestamp(wall, policy.zone)
    for days in range(3):
        day = local - timedelta(days=days)
        hour = day.replace(hour=policy.hour, minute=0, second=0, microsecond=0, fold=0)
        if hour.timestamp() <= wall:
            return hour.timestamp()
    raise AssertionError("one of the last days had that hour")


# --- in a session's state -------------------------------------------------------------------------


def read_activity(noted: Any) -> Activity | None:
    """The activity that a session's state has noted; None for anything else."""
    match noted:
        case {"wall": int() | float() as wall, "boot": str(boot), "up": int() | float() as uptime}:
            moment = Moment(float(wall), boot, float(uptime))
            return Activity(moment, noted.get("overdue") is True)
        case _:
            return None


def note_activity(activity: Activity) -> dict[str, Any]:
    """The activity as a session's state keeps it."""
    at = activity.at
    noted: dict[str, Any] = {"wall": at.wall, "boot": at.boot, "up": at.uptime}
    return {**noted, "overdue": True} if activity.is_overdue else noted


def render_reason(reason: Reason, silence: float) -> str:
    """What the chat is told."""
    why = f"after {_render_span(silence)} of silence" if reason == "idle" else "for the new day"
    return f"New conversation {why}. The old one is in /sessions."


def _render_span(seconds: float) -> str:
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return f"{int(seconds)} s"
