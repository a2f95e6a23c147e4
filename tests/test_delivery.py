"""core.delivery: what is known of a prompt on its way, by what hooks and transcript say."""

from __future__ import annotations

import pytest

from core.delivery import Prompt, UnderWay
from core.events import PromptRecorded, PromptSubmitted, TurnEnded, TurnInterrupted, TurnRecorded

SUBMITTED = PromptSubmitted("s", "pane", "hello ", "p2")


@pytest.fixture
def typed() -> UnderWay:
    return UnderWay(Prompt("k", "hello"), typed_at=1.0)


def test_the_hook_of_another_prompt_says_nothing(typed: UnderWay) -> None:
    typed.hear_hook(PromptSubmitted("s", "pane", "another", "p1"))
    assert not typed.is_taken


@pytest.mark.parametrize(("prompt_id", "ends"), [("p2", True), ("", True), ("p1", False)])
def test_only_the_end_of_its_own_turn_ends_it(
    typed: UnderWay, prompt_id: str, *, ends: bool
) -> None:
    """The hook of the turn before may come late."""
    typed.hear_hook(SUBMITTED)
    typed.hear_hook(TurnEnded("s", "pane", prompt_id=prompt_id))
    assert typed.is_taken
    assert typed.has_ended == ends


def test_no_turn_ends_before_the_prompt_was_taken(typed: UnderWay) -> None:
    typed.hear_hook(TurnEnded("s", "pane"))
    assert not typed.claims(TurnRecorded("u", 1.0))
    assert not typed.has_ended


@pytest.mark.parametrize(
    ("event", "is_interrupted"), [(TurnRecorded("u", 1.0), False), (TurnInterrupted("u"), True)]
)
def test_the_transcript_tells_the_end_and_how(
    typed: UnderWay, event: TurnRecorded | TurnInterrupted, *, is_interrupted: bool
) -> None:
    assert typed.claims(PromptRecorded("u", "hello"))
    typed.claims(event)
    assert typed.has_ended
    assert typed.is_interrupted == is_interrupted


def test_what_was_not_typed_yet_claims_nothing() -> None:
    assert not UnderWay(Prompt("k", "hello")).claims(PromptRecorded("u", "hello"))
