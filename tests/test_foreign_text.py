"""Text and JSON of other programs: read where it can be, None where not, and never an error."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.foreign_text import decode_json, replace_halves

ANY: msgspec.json.Decoder[Any] = msgspec.json.Decoder()
NUMBERS = msgspec.json.Decoder(list[int])


def test_what_can_be_read_is_read() -> None:
    assert decode_json(NUMBERS, b"[1, 2]") == [1, 2]


@pytest.mark.parametrize("data", [b"", b"[1, ", b'["a"]', b"\xff", b"nul", b"[" * 200_000, b"\x00"])
def test_what_cannot_be_read_is_none(data: bytes) -> None:
    assert decode_json(NUMBERS, data) is None


def test_half_of_a_pair_is_replaced_and_a_whole_pair_is_kept() -> None:
    data = rb'{"a": "\uD83D", "b": "\ud83d\ude00", "c": "\\ud83d"}'
    assert decode_json(ANY, data) == {"a": "\ufffd", "b": "\U0001f600", "c": r"\ud83d"}


@settings(deadline=None)
@given(st.text(st.characters(codec=None)))
def test_every_text_can_be_sent_after_its_halves_are_replaced(text: str) -> None:
    whole = replace_halves(text)
    whole.encode()
    assert replace_halves(whole) == whole


@settings(deadline=None)
@given(st.text())
def test_a_text_without_halves_stays_as_it_is(text: str) -> None:
    assert replace_halves(text) == text


@settings(deadline=None)
@given(st.lists(st.text(st.characters(codec=None), max_size=5)))
def test_everything_that_json_can_say_is_read(texts: list[str]) -> None:
    assert decode_json(ANY, json.dumps(texts).encode()) == [replace_halves(t) for t in texts]


@settings(deadline=None)
@given(st.binary())
def test_no_bytes_raise(data: bytes) -> None:
    decode_json(ANY, data)
