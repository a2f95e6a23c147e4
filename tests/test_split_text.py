"""core/split_text: what belongs together, however an app cut it, and what was lost at the cuts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.model import Chat, Person, TextSent
from core.split_text import LONGEST_MESSAGE, continues, join_parts, seconds_for_more

CHAT = Chat("telegram", 1)
ADA = Person(1, "Ada")
LONG = "word " * 500
HALF = LONGEST_MESSAGE // 2
SENTENCE_ENDS, SIGNS = ".?!", "/-,;:"

Cut = Callable[[str], list[str]]


def units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def fits(text: str) -> int:
    """How many characters of it one message holds."""
    count = 0
    for number, character in enumerate(text):
        count += units(character)
        if count > LONGEST_MESSAGE:
            return number
    return len(text)


def cut_by(text: str, find_end: Callable[[str], int]) -> list[str]:
    """Cut where `find_end` says, of what fits; the ends of each part are taken away."""
    parts = []
    rest = text.strip()
    while rest:
        room = fits(rest)
        end = find_end(rest[: room + 1]) if room < len(rest) else len(rest)
        parts.append(rest[:end].strip())
        rest = rest[end:].strip()
    return parts


def cut_like_tdesktop(text: str) -> list[str]:
    """At the last place of the best kind in the second half."""

    def rank(window: str, index: int) -> int:
        here, before = window[index], window[index - 1]
        if here == "\n":
            return 5 if window[index + 1 : index + 2] == "\n" else 4
        if here == " ":
            return 3 if before in SENTENCE_ENDS else 2
        return 1 if before in SIGNS else 0

    def find_end(window: str) -> int:
        places = range(HALF + 1, len(window))
        return max(places, key=lambda index: (rank(window, index), index))

    return cut_by(text, find_end)


def cut_like_ios(text: str) -> list[str]:
    """After the last new line or full stop."""

    def find_end(window: str) -> int:
        last = max(window.rfind(sign, 0, len(window) - 1) for sign in ".\n")
        return last + 1 if last >= 0 else len(window) - 1

    return cut_by(text, find_end)


def cut_at_the_limit(text: str) -> list[str]:
    return cut_by(text, lambda window: len(window) - 1)


APPS = pytest.mark.parametrize("cut", [cut_like_tdesktop, cut_like_ios, cut_at_the_limit])


def send(parts: list[str], **facts: object) -> list[TextSent]:
    messages = [TextSent(CHAT, ADA, 10 + n, part, sent_at=5.0) for n, part in enumerate(parts)]
    return [replace(message, **facts) for message in messages]  # type: ignore[arg-type]


# --- how they are joined -------------------------------------------------------------------------

GAPS = (" ", " ", " ", "\n", "\n\n", ". ", "  ")


def make_text(seed: int, words: int, letters: str) -> str:
    """So many words; of a list of them Hypothesis would make little, and slowly."""
    dice = Random(seed)
    made = ("".join(dice.choices(letters, k=dice.randint(1, 12))) for _ in range(words))
    return "".join(word + dice.choice(GAPS) for word in made).strip()


TEXTS = st.builds(
    make_text,
    st.integers(0, 1 << 32),
    st.integers(300, 2500),
    st.sampled_from(["ab.é-", "a", "ab😀", "漢字/"]),
)


@APPS
@settings(deadline=None, max_examples=30)
@given(text=TEXTS)
def test_a_text_is_whole_again_but_for_white_space_at_the_cuts(cut: Cut, text: str) -> None:
    parts = cut(text)
    joined = join_parts(parts)
    assert "".join(joined.split()) == "".join(text.split())
    place = 0
    for before, after in pairwise(parts):  # each part is in it as it is
        place = joined.index(before, place) + len(before)
        assert joined[place:].lstrip().startswith(after)
        assert len(joined[place:]) - len(joined[place:].lstrip()) <= 1


@settings(deadline=None, max_examples=60)
@given(text=TEXTS, cuts=st.lists(st.integers(HALF + 1, LONGEST_MESSAGE), min_size=5, max_size=40))
def test_wherever_a_text_is_cut_nothing_of_it_but_white_space_is_changed(
    text: str, cuts: list[int]
) -> None:
    parts, rest = [], text
    for size in cuts:
        parts.append(rest[:size])
        rest = rest[size:]
    parts = [part for part in [*parts, rest] if part]
    assert "".join(join_parts(parts).split()) == "".join(text.split())


def program() -> str:
    return "\n".join(f"    value_{n} = call(first, {n}) + 3.14  # why" for n in range(200))


def prose() -> str:
    return " ".join(f"Sentence number {n} says that all is well" for n in range(200))


@pytest.mark.parametrize("cut", [cut_like_tdesktop, cut_like_ios])
def test_a_program_keeps_its_lines(cut: Cut) -> None:
    parts = cut(program())
    assert len(parts) > 2
    joined = join_parts(parts)
    assert [line.strip() for line in joined.splitlines()] == [
        line.strip() for line in program().splitlines()
    ]


def test_prose_without_a_new_line_stays_so() -> None:
    assert join_parts(cut_like_tdesktop(prose())) == prose()


@APPS
def test_what_has_no_spaces_is_not_given_any(cut: Cut) -> None:
    link = "https://example.org/" + "a1b2c3d4e5/" * 900
    assert join_parts(cut(link)) == link


def test_what_an_app_kept_at_a_cut_is_not_doubled() -> None:
    assert join_parts([f"{LONG}\n", "next"]) == f"{LONG}\nnext"
    assert join_parts([LONG.strip(), "\n next"]) == f"{LONG.strip()}\n next"


@pytest.mark.parametrize(
    ("before", "after", "lost"),
    [
        ("x" * LONGEST_MESSAGE, "y", ""),
        ("x" * (LONGEST_MESSAGE - 1), "😀", ""),
        ("one two\n" * 400 + "end", "next", "\n"),
        (LONG + "end", "and so on", "\n"),
        (LONG + "end", "y" * 4000, " "),
        (LONG + "end.", "Next one", " "),
        (LONG + "see main.", "py there", ""),
        (LONG + "about 3.", "14 or so", ""),
        (LONG + "and,", "then", " "),
        ("漢" * 3000, "字", "\n"),
        ("漢" * 3000 + "/", "a", ""),
    ],
)
def test_what_was_lost_is_guessed_by_what_is_there(before: str, after: str, lost: str) -> None:
    assert join_parts([before, after]) == f"{before}{lost}{after}"


# --- what belongs together -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("short", 0.0),
        ("x" * HALF, 0.0),
        ("x" * (HALF + 1), 0.25),
        ("😀" * 1025, 0.25),
        ("x" * 3500, 0.25),
        ("😀x" * 1365, 0.25),
        ("x" * 3901, 0.6),
        ("x" * LONGEST_MESSAGE, 0.6),
    ],
)
def test_only_a_text_that_may_be_a_part_waits_and_never_for_long(text: str, seconds: float) -> None:
    assert seconds_for_more(text) == seconds


@APPS
@settings(deadline=None, max_examples=20)
@given(text=TEXTS)
def test_the_parts_that_an_app_makes_belong_together(cut: Cut, text: str) -> None:
    messages = send(cut(text))
    if cut is not cut_like_ios or all(units(m.text) > HALF for m in messages[:-1]):
        assert all(continues(first, second) for first, second in pairwise(messages))


@pytest.mark.parametrize(
    "changes",
    [
        {"chat": Chat("telegram", 1, 7)},
        {"chat": Chat("telegram", 2)},
        {"person": Person(2, "Ada")},
        {"message_id": 10},
        {"message_id": 9},
        {"message_id": 40},
        {"sent_at": 7.0},
        {"sent_at": 4.0},
        {"forwarded_from": "Mallory"},
        {"reply_to": 3},
        {"quoted": "words"},
        {"text": "/stop"},
        {"text": "/clear"},
        {"text": "/new@bridge_bot there"},
    ],
)
def test_what_differs_in_one_thing_does_not_belong_to_it(changes: dict[str, object]) -> None:
    first, second = send([LONG, "the rest"])
    assert continues(first, second)
    assert not continues(first, replace(second, **changes))  # type: ignore[arg-type]


def test_after_a_short_text_comes_another_one() -> None:
    first, second = send(["short", "the rest"])
    assert not continues(first, second)


def test_the_next_second_and_messages_of_the_bot_between_part_nothing() -> None:
    first, second = send([LONG, "the rest"])
    assert continues(first, replace(second, message_id=13, sent_at=6.0))


def test_forwarded_parts_are_all_of_the_same_author_and_may_read_like_a_command() -> None:
    first, second = send([LONG, "/stop"], forwarded_from="Mallory")
    assert continues(first, second)
    assert not continues(first, replace(second, forwarded_from="Eve"))
    assert not continues(first, replace(second, forwarded_from=None))


def test_all_parts_or_the_first_alone_may_answer_a_message() -> None:
    first, second = send([LONG, "the rest"], reply_to=3, quoted="words")
    assert continues(first, second)
    assert continues(first, replace(second, reply_to=None, quoted=None))


def test_a_path_at_the_beginning_is_no_command() -> None:
    first, second = send([LONG, "/usr/bin/env is there"])
    assert continues(first, second)
