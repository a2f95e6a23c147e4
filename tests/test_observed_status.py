"""core.observed_status: idle, busy or waiting, by what an old Claude Code shows and says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.claude_code import STILL_SECONDS
from core.events import (
    AnswerGiven,
    ErrorReported,
    HookEvent,
    PromptSubmitted,
    SessionStarted,
    TurnEnded,
    TurnInterrupted,
    TurnRecorded,
)
from core.observed_status import (
    INHERITED_END_SECONDS,
    START_SECONDS,
    UNHEARD_END_SECONDS,
    ObservedStatus,
)

RULE = "─" * 40
FOOTER = "  ? for shortcuts"
IDLE = f"● Hello.\n\n{RULE}\n❯\n{RULE}\n{FOOTER}"
OTHER_IDLE = f"● Something else.\n\n{RULE}\n❯\n{RULE}\n{FOOTER}"
DRAFT = f"● Hello.\n\n{RULE}\n❯ half a thought\n{RULE}\n{FOOTER}"
SPINNING = f"✻ Thinking…\n\n{RULE}\n❯\n{RULE}\n{FOOTER}"
PERMISSION = f"{RULE}\n Bash command\n\n Do you want to proceed?\n ❯ 1. Yes\n   2. No"
TRUST = f"{RULE}\n Do you trust the files in this folder?\n\n ❯ 1. Yes, proceed"
UNKNOWN = f"{RULE}\n Something new\n\n ❯ 1. Yes"
SUBMITTED = PromptSubmitted("s", "pane", "hold a", "p")
ENDED = TurnEnded("s", "pane")


def started(source: str) -> SessionStarted:
    return SessionStarted("s", "pane", source, "/t.jsonl", "/p")


class Watch:
    """An observed process and a clock."""

    def __init__(self, *, is_ready: bool = True) -> None:
        self.observed = ObservedStatus(is_ready=is_ready)
        self.now = 0.0

    def see(self, screen: str, seconds: float = 0.0) -> str | None:
        """The status when the screen is seen now, and again so many seconds later."""
        self.observed.see(screen, self.now)
        self.now += seconds + 1e-6  # no sum of fractions falls short
        self.observed.see(screen, self.now)
        return self.observed.status

    def hear(self, *events: HookEvent) -> None:
        for event in events:
            self.observed.hear_hook(event)


@pytest.fixture
def idle() -> Watch:
    watch = Watch()
    assert watch.see(IDLE, STILL_SECONDS) == "idle"
    return watch


@pytest.fixture
def busy(idle: Watch) -> Watch:
    idle.hear(SUBMITTED)
    assert idle.observed.status == "busy"
    return idle


@pytest.mark.parametrize("screen", [IDLE, DRAFT])
def test_a_box_on_a_screen_that_stands_still_is_idle(screen: str) -> None:
    watch = Watch()
    assert watch.see(screen, STILL_SECONDS - 0.1) == "busy"
    assert watch.see(screen, 0.1) == "idle"


def test_a_screen_that_moves_is_not_idle() -> None:
    watch = Watch()
    for _ in range(10):
        assert watch.see(IDLE, STILL_SECONDS - 0.1) == "busy"
        assert watch.see(OTHER_IDLE, STILL_SECONDS - 0.1) == "busy"


def test_a_person_who_types_does_not_make_it_busy(idle: Watch) -> None:
    assert idle.see(DRAFT) == "idle"


def test_what_spins_is_busy_however_long_it_stands_still(idle: Watch) -> None:
    assert idle.see(SPINNING, UNHEARD_END_SECONDS) == "busy"


def test_a_turn_is_open_from_its_prompt_to_its_end(busy: Watch) -> None:
    assert busy.see(OTHER_IDLE, UNHEARD_END_SECONDS - 0.1) == "busy"
    busy.hear(ENDED)
    assert busy.see(OTHER_IDLE) == "busy"
    assert busy.see(OTHER_IDLE, STILL_SECONDS) == "idle"


@pytest.mark.parametrize(
    "event", [TurnInterrupted("u"), TurnRecorded("u", 1.0), ErrorReported("u", "API Error")]
)
def test_the_transcript_ends_a_turn_too(
    busy: Watch, event: TurnInterrupted | TurnRecorded | ErrorReported
) -> None:
    busy.observed.hear_transcript(AnswerGiven("u", "a part of it"))
    assert busy.see(IDLE, STILL_SECONDS) == "busy"
    busy.observed.hear_transcript(event)
    assert busy.see(IDLE, STILL_SECONDS) == "idle"


def test_the_end_of_an_earlier_turn_that_comes_late_ends_no_other(busy: Watch) -> None:
    busy.hear(TurnEnded("s", "pane", prompt_id="the one before"))
    assert busy.see(IDLE, STILL_SECONDS) == "busy"
    busy.hear(TurnEnded("s", "pane", prompt_id="p"))
    assert busy.see(IDLE, STILL_SECONDS) == "idle"


@pytest.mark.parametrize("source", ["startup", "resume", "clear"])
def test_a_session_that_starts_has_no_turn(busy: Watch, source: str) -> None:
    busy.hear(started(source))
    assert busy.see(IDLE, STILL_SECONDS) == "idle"


def test_a_compaction_in_the_middle_of_a_turn_does_not_end_it(busy: Watch) -> None:
    busy.hear(started("compact"))
    assert busy.see(IDLE, STILL_SECONDS) == "busy"


def test_a_turn_whose_end_nobody_heard_is_over_after_escape(busy: Watch) -> None:
    busy.observed.hear_escape()
    assert busy.see(SPINNING, STILL_SECONDS) == "busy"
    assert busy.see(IDLE, STILL_SECONDS) == "idle"


def test_an_escape_before_it_ends_no_later_turn(busy: Watch) -> None:
    busy.observed.hear_escape()
    busy.hear(SUBMITTED)
    assert busy.see(IDLE, STILL_SECONDS) == "busy"


def test_a_prompt_that_stands_in_the_box_again_is_not_under_way(busy: Watch) -> None:
    assert busy.see(DRAFT, STILL_SECONDS) == "busy"
    assert busy.see(DRAFT.replace("half a thought", "hold a"), STILL_SECONDS) == "idle"


def test_a_turn_is_given_up_on_after_a_long_silence(busy: Watch) -> None:
    assert busy.see(IDLE, UNHEARD_END_SECONDS) == "idle"


def test_a_turn_that_an_earlier_bridge_knew_is_open_for_a_while() -> None:
    watch = Watch()
    watch.observed.inherit_turn("hold a")
    assert watch.see(IDLE, INHERITED_END_SECONDS - 0.1) == "busy"
    assert watch.see(IDLE, 0.1) == "idle"


def test_a_notice_below_the_box_is_no_movement() -> None:
    watch = Watch()
    assert watch.see(IDLE, STILL_SECONDS - 0.1) == "busy"
    assert watch.see(IDLE.replace("? for shortcuts", "A new version is there"), 0.1) == "idle"


def test_a_process_that_was_just_started_stands_still_for_longer() -> None:
    watch = Watch(is_ready=False)
    watch.hear(started("startup"))
    assert watch.see(IDLE, START_SECONDS - 0.1) == "busy"
    assert watch.see(IDLE, 0.1) == "idle"
    watch.hear(SUBMITTED, ENDED)
    assert watch.see(IDLE, STILL_SECONDS) == "idle"


def test_a_dialog_waits_also_in_the_middle_of_a_turn(busy: Watch) -> None:
    assert busy.see(PERMISSION) == "waiting"
    assert busy.observed.waiting_for == "permission dialog"
    assert busy.see(SPINNING) == "busy"
    assert busy.observed.waiting_for == ""


def test_a_screen_without_a_box_that_nobody_knows_waits_once_it_stands_still(idle: Watch) -> None:
    assert idle.see(UNKNOWN, STILL_SECONDS - 0.1) == "idle"
    assert idle.see(UNKNOWN, 0.1) == "waiting"


@pytest.mark.parametrize("screen", ["", "$", TRUST, UNKNOWN])
def test_a_process_that_has_come_to_no_session_has_no_status(screen: str) -> None:
    watch = Watch(is_ready=False)
    assert watch.see(screen, UNHEARD_END_SECONDS) is None
    assert not watch.observed.is_ready


def test_a_process_is_ready_by_its_hook_or_by_its_box() -> None:
    by_hook, by_box = Watch(is_ready=False), Watch(is_ready=False)
    by_hook.hear(started("startup"))
    by_box.see(IDLE)
    assert by_hook.observed.is_ready and by_box.observed.is_ready


@given(
    st.lists(
        st.one_of(
            st.sampled_from([IDLE, OTHER_IDLE, DRAFT, SPINNING, PERMISSION, UNKNOWN, ""]),
            st.sampled_from([SUBMITTED, ENDED, started("startup")]),
        )
    )
)
def test_it_is_never_idle_while_a_turn_is_open_or_a_dialog_shows(
    story: list[str | HookEvent],
) -> None:
    watch = Watch()
    is_open = False
    for part in story:
        if isinstance(part, str):
            status = watch.see(part, STILL_SECONDS)
            may_be_idle = part in (IDLE, OTHER_IDLE, DRAFT) and not is_open
            assert may_be_idle or status != "idle"
            watch.see("the next screen")  # so that none stands still for very long
        else:
            watch.hear(part)
            is_open = isinstance(part, PromptSubmitted)
            assert not is_open or watch.observed.status != "idle"
