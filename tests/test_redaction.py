"""Secrets in texts: those of known shapes, those given by name, and what must be left alone."""

from __future__ import annotations

import time

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from core.redaction import MASK, Redactor
from core.visible_text import escape_markdown

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
    f"xapp-1-A0123-{BODY[:24]}",
    "AKIAIOSFODNN7EXAMPLE",
    f"AIza{BODY[:35]}",
    JWT,
    PEM,
    PEM.replace("RSA PRIVATE KEY", "PGP PRIVATE KEY BLOCK"),
]


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize(
    "around",
    [
        "{}",
        "key={} and",
        "“{}”",
        "\n{}\n",
        "({})",
        '"{}",',
        "a: {}.",
        r"a\n{}",
        r"\t{}\n",
        r"\u0022{}",
        "x?key%3D{}",
    ],
)
def test_a_secret_of_a_known_shape_is_masked(secret: str, around: str) -> None:
    assert Redactor().redact(around.format(secret)) == around.format(MASK)


@pytest.mark.parametrize("secret", [secret for secret in SECRETS if "\n" not in secret])
@pytest.mark.parametrize("around", ["{}", "Use {}, then.", "(*{}*)", "a * {} and {} | b"])
def test_a_secret_that_is_escaped_for_markdown_is_masked(secret: str, around: str) -> None:
    written = escape_markdown(around.format(secret, secret))
    wanted = escape_markdown(around.format("SECRET", "SECRET")).replace("SECRET", MASK)
    assert Redactor().redact(written) == wanted
    known = Redactor(["a_b*c"]).redact(f"x {escape_markdown('a_b*c')} y")
    assert known == f"x {MASK} y"


def test_a_bot_token_is_masked_inside_of_an_address() -> None:
    address = f"http://api.telegram.org/bot{TOKEN}/getUpdates"
    assert Redactor().redact(address) == f"http://api.telegram.org/bot{MASK}/getUpdates"


def test_a_password_in_an_address_is_masked() -> None:
    text = "git clone https://ada:s3cret@example.com/x.git"
    assert Redactor().redact(text) == f"git clone https://{MASK}@example.com/x.git"


def test_a_bearer_token_is_masked() -> None:
    text = f"curl -H 'Authorization: Bearer {BODY}' x"
    assert Redactor().redact(text) == f"curl -H 'Authorization: Bearer {MASK}' x"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("https://ada:s3cret@h.io/x", f"https://{MASK}@h.io/x"),
        ("https://:tok@h.io", f"https://{MASK}@h.io"),
        ("redis://:tok@localhost:6379/0", f"redis://{MASK}@localhost:6379/0"),
        ("https://token@h.io/x.git", f"https://{MASK}@h.io/x.git"),
        ("https://token:@h.io/x.git", f"https://{MASK}@h.io/x.git"),
        ("git+https://token@h.io", f"git+https://{MASK}@h.io"),
        ("postgres://ada:pa/ss@db:5432/x", f"postgres://{MASK}@db:5432/x"),
        ("postgres://ada:pa//s/@db", f"postgres://{MASK}@db"),
        ("postgres://ada:p@ss@db.io/x", f"postgres://{MASK}@db.io/x"),
        ("postgres://ada:p@s/s@db.io/x", f"postgres://{MASK}@db.io/x"),
        ("https://ada:pw@h.io/a@2x.png", f"https://{MASK}@h.io/a@2x.png"),
        ("https://ada:pw@localhost/a@2x", f"https://{MASK}@localhost/a@2x"),
        ("https://ada:8080@h.io", f"https://{MASK}@h.io"),
        ("https://ada:p?w#@h.io", f"https://{MASK}@h.io"),
        ('https://ada:p"w@h.io', f"https://{MASK}@h.io"),
        (
            '{"a":"https://ada:pw@h.io","b":"me@x.io"}',
            f'{{"a":"https://{MASK}@h.io","b":"me@x.io"}}',
        ),
        ("https://a:b@h,https://c:d@i", f"https://{MASK}@h,https://{MASK}@i"),
    ],
)
def test_all_of_a_password_in_an_address_is_masked_and_not_more(text: str, masked: str) -> None:
    assert Redactor().redact(text) == masked


AWS_SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"


@pytest.mark.parametrize(
    "around",
    [
        "AWS_SECRET_ACCESS_KEY={}",
        "export AWS_SECRET_ACCESS_KEY='{}'",
        "aws_secret_access_key = {}\nregion = x",
        '{{"SecretAccessKey": "{}", "x": 1}}',
        r"{{\"SecretAccessKey\":\"{}\"}}",
        r"AWS_SECRET_KEY:\n\t{}",
        "<secretAccessKey>{}</secretAccessKey>",
        "AWS Secret Access Key: {}",
    ],
)
def test_the_secret_of_aws_is_masked_by_its_name(around: str) -> None:
    assert Redactor().redact(around.format(AWS_SECRET)) == around.format(MASK)


@pytest.mark.parametrize(
    "around",
    [
        "curl -H 'Authorization: Basic {}' x",
        '{{"Authorization":"Basic {}"}}',
        r"{{\"authorization\": \"basic {}\"}}",
        "proxy-authorization: Basic {}",
    ],
)
@pytest.mark.parametrize("secret", ["YWRhOnMzY3JldA==", "OnRva2Vu", "YTpiL2M+"])
def test_a_basic_authorization_is_masked(around: str, secret: str) -> None:
    assert Redactor().redact(around.format(secret)) == around.format(MASK)


@pytest.mark.parametrize("place", ["services", "workflows", "triggers"])
def test_the_address_of_a_slack_hook_is_masked_but_for_its_host(place: str) -> None:
    text = f"https://hooks.slack.com/{place}/T01234567/B01234567/{BODY[:24]} x"
    assert Redactor().redact(text) == f"https://hooks.slack.com/{place}/{MASK} x"


@pytest.mark.parametrize(
    "text",
    [
        f"see ghp_{BODY[:12]}…",
        f"sk-ant-api03-{BODY[:12]}\n… and 12 more characters",
        f"{JWT[:40]}…",
        "https://ada:s3cr…",
        f"Always: curl -H 'Authorization: Bearer {BODY[:14]}…",
    ],
)
def test_a_secret_that_was_cut_is_masked(text: str) -> None:
    shown = Redactor().redact(text)
    assert MASK in shown and BODY[:12] not in shown and "s3cr" not in shown


def test_of_a_text_that_is_being_written_no_part_of_a_secret_is_shown() -> None:
    redactor = Redactor()
    for secret in [
        *(s for s in SECRETS if " " not in s),
        f"SECRET_KEY={AWS_SECRET}",
        "http://a:paSSw@h",
    ]:
        whole = f"The key is {secret} indeed, as you said"
        for length in range(len(whole)):
            shown = redactor.redact_unfinished(whole[:length])
            assert secret.removeprefix("SECRET_KEY=")[:12] not in shown
    assert redactor.redact_unfinished("as you say") == "as you say"
    assert redactor.redact_unfinished(f"it is {TOKEN}") == f"it is {MASK}"


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
        "write to ada@example.com, or ada.l+x@mail.example.co.uk; @ada knows",
        "https://host/@user and https://host.io/@scope/x?by=a@b.c#d@e",
        "https://host:8080/@user http://localhost:3000?to=a:b@c.d https://h?q=a@b",
        "https://[::1]:8080/a@b https://host#a:b@c",
        "git clone git@github.com:x/y && ssh git@github.com:x/y; ssh://git@github.com/x/y",
        "https://git@github.com/x/y.git sftp://ada@host/x postgres://ada@db/x",
        "npm i @scope/x@1.2.3 @types/node@latest left-pad@^1",
        "at 12:30@home, 12:30 @ the door, x:y@z",
        "see https://a.io: mail b@c.io, or http://a.io/x:y z@b",
        "docker pull ghcr.io/a/b:tag@sha256:0123",
        "pip install git+https://github.com/x/y@v1.2#egg=y",
        "Authorization: Basic authentication is old; basic knowledge",
        "the secret key is to begin; a secret key: short",
        "https://hooks.slack.com/ is the host; read https://x.y/…",
        "https://localhost:… and http://host:80…",
        "use gh…, sk-learn… or npm_config…",
    ],
)
def test_ordinary_text_is_left_alone(text: str) -> None:
    assert Redactor().redact(text) == text


@pytest.mark.parametrize(
    "unit",
    [
        *(
            "://a:",
            "://a:/",
            "://:@",
            "://a/:b@",
            "://a:b@c.",
            "://a:@a.b.c",
            "https://a",
            "a.",
            "@",
        ),
        *(
            "-----BEGIN ",
            "-----BEGIN PRIVATE KEY",
            "secret key ",
            "SECRETKEY=",
            "\\n",
            "hooks.slack.com/",
        ),
        *("authorization: ", "authorization: basic a", "bearer ", "eyJ-", "-eyJaaaaaaaaaa", "sk-."),
        *("npm_", "x", "A", "1", "1:", "\n", "…", "://a…"),
    ],
)
def test_no_text_takes_longer_than_its_length_allows(unit: str) -> None:
    """Some hundredths of a second; with its square it would be a minute."""
    redactor, text = Redactor(), unit * (200_000 // len(unit))
    began = time.process_time()
    redactor.redact(text)
    redactor.redact_unfinished(text)
    assert time.process_time() - began < 5


PARTS = st.lists(
    st.one_of(
        st.sampled_from([*SECRETS, MASK, "[", "]", "masked", "bearer ", "x", " ", "secret key="]),
        st.sampled_from(["https://", "://", "@", ":", "/", "80", "h.io", "…", "\\n", AWS_SECRET]),
        st.sampled_from([*map(escape_markdown, SECRETS), "\\", "\\_", "\\-"]),
        st.sampled_from(["Authorization: Basic ", "hooks.slack.com/services/", "ghp_", "sk-"]),
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
