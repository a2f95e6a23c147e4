"""The text being written: the same whatever order its parts come in."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from core.streamed_text import StreamedText

Part = tuple[str, int, str]


def read(*parts: Part) -> list[str]:
    text = StreamedText()
    for part in parts:
        text = text.add(*part)
    return text.texts


def test_parts_are_joined_in_the_order_of_their_index() -> None:
    assert read(("m", 1, "two"), ("m", 0, "one ")) == ["one two"]


def test_a_part_that_is_missing_leaves_a_mark_until_it_comes() -> None:
    assert read(("m", 0, "one "), ("m", 2, "three")) == ["one …three"]
    assert read(("m", 0, "one "), ("m", 2, "three"), ("m", 1, "two ")) == ["one two three"]


def test_messages_stay_apart() -> None:
    assert read(("a", 0, "one"), ("b", 0, "two"), ("a", 1, "!")) == ["one!", "two"]


def test_only_the_last_messages_are_kept() -> None:
    assert read(*((str(n), 0, f"text {n}") for n in range(9))) == [f"text {n}" for n in range(5, 9)]


@given(st.lists(st.text(min_size=1), min_size=1, max_size=8), st.randoms(use_true_random=False))
def test_any_order_and_any_repetition_give_the_same_text(deltas: list[str], random: Random) -> None:
    parts = [("m", index, delta) for index, delta in enumerate(deltas)]
    shuffled = [*parts, *random.choices(parts, k=len(parts))]
    random.shuffle(shuffled)
    assert read(*shuffled) == ["".join(deltas)]
