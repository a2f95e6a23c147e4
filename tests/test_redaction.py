"""Secrets in texts: those of known shapes, those given by name, and what must be left alone."""

from __future__ import annotations

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from core.redaction import MASK, Redactor

BODY = "abcdefghij0123456789ABCDEFGHIJ0123456789"
TOKEN = f"123456789:AA{BODY[:33]}"
JWT = f"eyJ{BODY[:20]}.{BODY[:20]}.{BODY[:20]}"
PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIE\nabcd\n-----END RSA PRIVATE KEY-----"
SECRETS = [
    TOKEN,
    f"sk-ant-api03-{BODY}",
    f"sk-proj-{BODY}",
    f"sk-{BODY}",
    f"ghp_{BODY[:36]}",
    f"github_pat_{BODY}",
    f"glpat-{BODY[:20]}",
    f"npm_{BODY[:36]}",
    f"xoxb-{BODY[:24]}",
    "AKIAIOSFODNN7EXAMPLE",
    f"AIza{BODY[:35]}",
    JWT,
    PEM,
]


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize(
    "around", ["{}", "key={} and", "“{}”", "\n{}\n", "({})", '"{}",', "a: {}."]
)
def test_a_secret_of_a_known_shape_is_masked(secret: str, around: str) -> None:
    assert Redactor().redact(around.format(secret)) == around.format(MASK)


def test_a_bot_token_is_masked_inside_of_an_address() -> None:
    address = f"http://api.telegram.org/bot{TOKEN}/getUpdates"
    assert Redactor().redact(address) == f"http://api.telegram.org/bot{MASK}/getUpdates"


def test_a_password_in_an_address_is_masked() -> None:
    text = "git clone https://ada:s3cret@example.com/x.git"
    assert Redactor().redact(text) == f"git clone https://{MASK}@example.com/x.git"


def test_a_bearer_token_is_masked() -> None:
    text = f"curl -H 'Authorization: Bearer {BODY}' x"
    assert Redactor().redact(text) == f"curl -H 'Authorization: Bearer {MASK}' x"


def test_a_key_without_its_end_is_masked_to_the_end() -> None:
    assert Redactor().redact(f"see {PEM[:50]}") == f"see {MASK}"


def test_known_secrets_are_masked_wherever_they_stand() -> None:
    redactor = Redactor(["hunter2", "hunter22", "", "a+b"])
    assert redactor.redact("xhunter22x hunter2, a+b aab") == f"x{MASK}x {MASK}, {MASK} aab"


def test_a_known_word_of_the_mask_itself_does_not_make_masks_grow() -> None:
    redactor = Redactor(["masked", "[", "]"])
    assert redactor.redact("a [masked] b") == "a [masked] b"


@pytest.mark.parametrize(
    "text",
    [
        "meet at 12:30, ratio 123456:1",
        "https://example.com:8080/a@b",
        "task-ant is no key; sk-learn neither",
        "const eyJ = 1; AKIA; -----BEGIN CERTIFICATE-----",
        "commit 2f1c0e5b8d3a4f6b9c7e1d2a3b4c5d6e7f8a9b0c",
        "018f4c1e-6b1a-7c3d-8e2f-0a1b2c3d4e5f",
    ],
)
def test_ordinary_text_is_left_alone(text: str) -> None:
    assert Redactor().redact(text) == text


PARTS = st.lists(
    st.one_of(
        st.sampled_from([*SECRETS, MASK, "[", "]", "masked", "://", "@", ":", "bearer ", "x", " "]),
        st.text(max_size=5),
    ),
    max_size=12,
).map("".join)


@settings(deadline=None)
@given(PARTS, st.lists(st.sampled_from(["x", "ed]", "]s", "d][", "KIA", ":", "masked", "s"])))
@example(f"AIza{BODY[:35]}sk-ant-{BODY}", [])
@example("xsk-ant-" + BODY, ["x"])
@example("AKIAIOSFODNN7EXAMPLE" + TOKEN, [])
def test_a_second_look_changes_nothing(text: str, known: list[str]) -> None:
    redactor = Redactor(known)
    once = redactor.redact(text)
    assert redactor.redact(once) == once


@settings(deadline=None)
@given(PARTS, st.sampled_from(SECRETS))
def test_no_secret_survives_between_other_texts(text: str, secret: str) -> None:
    assert secret not in Redactor([secret]).redact(f"{text}{secret}{text}").replace(MASK, "")


@settings(deadline=None)
@given(PARTS, st.lists(st.sampled_from(["x", "KIA", ":", "s", "hunter2"])))
def test_what_is_found_is_what_is_masked(text: str, known: list[str]) -> None:
    assume(MASK not in text)
    redactor = Redactor(known)
    masked, end = "", 0
    for start, stop in redactor.find(text):
        masked += text[end:start] + MASK
        end = stop
    assert masked + text[end:] == redactor.redact(text)
