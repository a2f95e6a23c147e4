"""Personal data in texts: found by their check digits and forms; what only looks similar stays."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.personal_data import mask_personal
from core.redaction import MASK

PERSONAL = [
    "ada@example.org",
    "ada.love+lace@mail.example.co.uk",
    "+49 151 23456789",
    "+1 (415) 555-2671",
    "+4915123456789",
    "0151 23456789",
    "030 / 901 820 00",
    "(415) 555-2671",
    "415-555-2671",
    "4111 1111 1111 1111",
    "4111111111111111",
    "5500-0000-0000-0004",
    "DE89 3704 0044 0532 0130 00",
    "GB29NWBK60161331926819",
    "192.168.1.10",
    "2001:db8::1",
    "2001:db8:0:0:1:0:0:1",
]


@pytest.mark.parametrize("found", PERSONAL)
@pytest.mark.parametrize("around", ["{}", "it is {}.", "({})", "“{}”, and", "\n{}\n", "to: {}; so"])
def test_personal_data_is_masked_wherever_it_stands(found: str, around: str) -> None:
    assert mask_personal(around.format(found)) == around.format(MASK)


@pytest.mark.parametrize(
    "text",
    [
        "version 2.1.330",
        "2026-11-22 04:00:00",
        "01-02-2026",
        "1700000000",
        "x = 0.1234567891",
        "in 1234567890123456 ns",
        "4111 1111 1111 1112",  # its check digit is wrong
        "DE88 3704 0044 0532 0130 00",
        "300.1.2.3",
        "::1 and 127.0.0.1 and 0.0.0.0",
        "std::vector<int>::iterator",
        "123e4567-e89b-12d3-a456-426614174000",
        "@decorator, a @ b, user@localhost",
        "commit 0123abc, line 12:34:56",
        "0 1 2 3 4 5 6 7 8 9 10",
        "https://example.org/a/b?c=1#d",
    ],
)
def test_what_only_looks_like_it_stays(text: str) -> None:
    assert mask_personal(text) == text


def test_a_port_and_the_words_behind_an_iban_stay() -> None:
    assert mask_personal("192.168.1.10:8080") == f"{MASK}:8080"
    assert mask_personal("DE89 3704 0044 0532 0130 00 IST GUT") == f"{MASK} IST GUT"


@given(st.lists(st.sampled_from(PERSONAL)), st.text(alphabet=" \n,;ab", min_size=1))
def test_of_many_none_is_left(found: list[str], between: str) -> None:
    """Also where one comes after the other."""
    masked = mask_personal(f" {between}\n".join(found))
    assert not any(word in masked for word in found)


@given(st.text())
def test_any_text_can_be_masked(text: str) -> None:
    mask_personal(text)
