"""core.freshness: when a message begins a new conversation, by table and by property."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.freshness import (
    Activity,
    FreshnessPolicy,
    Moment,
    ResetMode,
    find_reason,
    follow,
    note_activity,
    read_activity,
    render_reason,
    silence_before,
)

HOUR = 3600.0
DAY = 24 * HOUR
BERLIN = ZoneInfo("Europe/Berlin")
START = datetime(2026, 6, 1, tzinfo=UTC).timestamp()


def at(text: str, boot: str = "one", zone: ZoneInfo = BERLIN) -> Moment:
    """`"02 03:50"`: that day of June and time in Berlin, by two clocks that are right."""
    day, _, time = text.partition(" ")
    wall = datetime.fromisoformat(f"2026-06-{day}T{time}").replace(tzinfo=zone).timestamp()
    return Moment(wall, boot, wall - START + DAY)


def policy(mode: ResetMode) -> FreshnessPolicy:
    return FreshnessPolicy(mode, idle_seconds=8 * HOUR, hour=4, zone=BERLIN)


@pytest.mark.parametrize(
    ("mode", "active", "now", "reason"),
    [
        ("none", "02 10:00", "20 10:00", None),
        ("idle", "02 10:00", "02 17:59", None),
        ("idle", "02 10:00", "02 18:00", "idle"),
        ("idle", "02 23:00", "03 06:00", None),
        ("daily", "02 23:00", "03 03:59", None),
        ("daily", "02 23:00", "03 04:00", "daily"),
        ("daily", "03 04:00", "03 23:59", None),
        ("daily", "03 04:01", "04 09:00", "daily"),
        ("daily", "03 03:50", "03 04:10", None),
        ("daily", "03 03:40", "03 04:10", "daily"),
        ("daily", "02 12:00", "09 12:00", "daily"),
    ],
)
def test_the_table(mode: ResetMode, active: str, now: str, reason: str | None) -> None:
    assert find_reason(policy(mode), Activity(at(active)), at(now)) == reason


def test_who_is_at_it_at_the_hour_keeps_the_conversation_until_a_pause() -> None:
    daily = policy("daily")
    activity = Activity(at("03 03:50"))
    for time in ("03 04:10", "03 04:35", "03 05:00"):
        assert find_reason(daily, activity, at(time)) is None
        activity = follow(daily, activity, at(time))
    assert find_reason(daily, activity, at("03 05:29")) is None
    assert find_reason(daily, activity, at("03 05:30")) == "daily"


def test_nothing_is_begun_anew_while_claude_is_at_work() -> None:
    old = Activity(at("02 10:00"))
    for mode in ("idle", "daily"):
        assert find_reason(policy(mode), old, at("09 10:00"), is_at_work=True) is None


def test_a_conversation_of_which_no_activity_is_known_goes_on() -> None:
    assert find_reason(policy("idle"), None, at("09 10:00")) is None
    assert find_reason(policy("daily"), None, at("09 10:00")) is None


def test_a_message_that_comes_late_was_no_silence() -> None:
    """Sent after an hour, while the bridge was down, and handled the next day."""
    active, now = Activity(at("02 22:00")), at("03 08:00")
    assert find_reason(policy("idle"), active, now) == "idle"
    assert find_reason(policy("idle"), active, now.before(9 * HOUR)) is None
    early = Activity(at("03 02:00"))
    assert find_reason(policy("daily"), early, now) == "daily"
    assert find_reason(policy("daily"), early, now.before(5 * HOUR)) is None


def test_after_a_reboot_the_wall_clock_counts() -> None:
    active = Activity(at("02 22:00"))
    started = replace(at("03 08:00", "two"), uptime=60.0)
    assert find_reason(policy("idle"), active, started) == "idle"
    early = replace(at("02 22:30", "two"), uptime=60.0)
    assert find_reason(policy("idle"), active, early) is None


def test_after_a_reboot_with_a_clock_set_back_the_time_since_the_start_counts() -> None:
    active = Activity(at("20 22:00"))
    now = Moment(at("02 08:00").wall, "two", 9 * HOUR)
    assert find_reason(policy("idle"), active, now) == "idle"
    assert find_reason(policy("idle"), active, replace(now, uptime=HOUR)) is None


@pytest.mark.parametrize(
    ("zone", "now", "last"),
    [  # 02:00 does not exist on 29 March, and comes twice on 25 October
        (BERLIN, "2026-03-29T03:00:00+02:00", "2026-03-29T03:00:00+02:00"),
        (BERLIN, "2026-10-25T02:30:00+02:00", "2026-10-25T02:00:00+02:00"),
        (BERLIN, "2026-10-25T02:30:00+01:00", "2026-10-25T02:00:00+02:00"),
    ],
)
def test_an_hour_that_is_missing_or_comes_twice_is_there_once(
    zone: ZoneInfo, now: str, last: str
) -> None:
    two = FreshnessPolicy("daily", hour=2, pause_seconds=0, zone=zone)
    wall, hour = (datetime.fromisoformat(text).timestamp() for text in (now, last))
    present = Moment(wall, "one", DAY)
    before = Activity(Moment(hour - 1, "one", DAY - (wall - hour) - 1))
    after = Activity(Moment(hour, "one", DAY - (wall - hour)))
    assert find_reason(two, before, present) == "daily"
    assert find_reason(two, after, present) is None


def test_what_is_noted_is_read_again_and_all_else_is_nothing() -> None:
    for is_overdue in (False, True):
        activity = Activity(at("02 10:00"), is_overdue)
        assert read_activity(note_activity(activity)) == activity
    for other in (None, 7, "x", {}, {"wall": "1", "boot": "", "up": 0}, {"wall": 1}):
        assert read_activity(other) is None


def test_the_chat_is_told_in_one_line() -> None:
    old = "The old one is in /sessions."
    assert render_reason("idle", 8 * HOUR + 5) == f"New conversation after 8 h of silence. {old}"
    assert render_reason("daily", HOUR) == f"New conversation for the new day. {old}"


# --- properties -----------------------------------------------------------------------------------

seconds = st.floats(0, 40 * DAY)
walls = st.floats(START, START + 400 * DAY)
modes = st.sampled_from(["none", "idle", "daily"])
overdue = st.booleans()


@given(mode=modes, up=seconds, silence=seconds, jumps=st.tuples(walls, walls), is_overdue=overdue)
def test_no_jump_of_the_wall_clock_begins_an_idle_conversation_anew(
    mode: ResetMode, up: float, silence: float, jumps: tuple[float, float], is_overdue: bool
) -> None:
    """Whatever the wall clock says at both times, the clock since the start decides."""
    activity = Activity(Moment(jumps[0], "one", up), is_overdue)
    now = Moment(jumps[1], "one", up + silence)
    reason = find_reason(policy(mode), activity, now)
    measured = silence_before(activity, now)
    if mode == "idle":
        assert (reason == "idle") == (measured >= 8 * HOUR)
    if mode == "daily" and measured < policy(mode).pause_seconds:
        assert reason is None
    if mode == "daily" and measured >= DAY + HOUR:
        assert reason == "daily"
    if mode == "none":
        assert reason is None


@given(mode=modes, wall=walls, up=seconds, jump=walls, gap=st.floats(0, 60), is_overdue=overdue)
def test_a_clock_that_jumps_between_two_messages_resets_nothing(
    mode: ResetMode, wall: float, up: float, jump: float, gap: float, is_overdue: bool
) -> None:
    activity = Activity(Moment(wall, "one", up), is_overdue)
    assert find_reason(policy(mode), activity, Moment(jump, "one", up + gap)) is None


@given(mode=modes, wall=walls, up=seconds, silence=seconds, late=st.floats(-DAY, 40 * DAY))
def test_a_message_that_came_late_resets_nothing_that_it_would_not_have_reset_in_time(
    mode: ResetMode, wall: float, up: float, silence: float, late: float
) -> None:
    activity = Activity(Moment(wall, "one", up))
    now = Moment(wall + silence, "one", up + silence)
    if find_reason(policy(mode), activity, now.before(late)) is not None:
        assert find_reason(policy(mode), activity, now) is not None
    assert silence_before(activity, now.before(late)) <= silence_before(activity, now)


@given(wall=walls, up=seconds, gaps=st.lists(st.floats(0, 29 * 60), max_size=60))
def test_a_conversation_without_a_pause_is_never_cut(
    wall: float, up: float, gaps: list[float]
) -> None:
    daily = policy("daily")
    activity = Activity(Moment(wall, "one", up))
    for gap in gaps:
        wall, up = wall + gap, up + gap
        now = Moment(wall, "one", up)
        assert find_reason(daily, activity, now) is None
        activity = follow(daily, activity, now)


@given(wall=walls, up=seconds, silence=seconds)
def test_right_after_a_reset_nothing_is_due(wall: float, up: float, silence: float) -> None:
    now = Moment(wall + silence, "one", up + silence)
    for mode in ("idle", "daily"):
        fresh = follow(policy(mode), None, now)
        assert find_reason(policy(mode), fresh, now) is None
