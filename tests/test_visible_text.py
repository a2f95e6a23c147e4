"""core.visible_text: nothing is hidden, and nothing is taken for markup."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.telegram_text import render_pieces
from core.model import Chat, Post
from core.visible_text import cut, escape_markdown, make_visible, render_block

AWKWARD = "`~\\*_[]()<>#|$&;\n\t -=+!@{}:1a.\u202e\u200b\r\x1b^\"'%/\u2028\ufe0f❤"
TEXTS = st.text(st.one_of(st.sampled_from(AWKWARD), st.characters()))


def shown(markdown: str) -> str:
    """What the chat shows of it."""
    return "".join(
        piece.text for piece in render_pieces(Post("k", Chat("t", 1), markdown, "markdown"))
    )


def ink(text: str) -> str:
    return "".join(text.split())


@pytest.mark.parametrize(
    ("text", "visible"),
    [
        ("ls -la", "ls -la"),
        ("a\u202eb", "a⟨U+202E⟩b"),
        ("a\u200bb\u2066c", "a⟨U+200B⟩b⟨U+2066⟩c"),
        ("\x1b[31mred\r\x00", "⟨U+001B⟩[31mred⟨U+000D⟩⟨U+0000⟩"),
        ("a\u00a0b\u3000c\u3164d\u2800", "a⟨U+00A0⟩b⟨U+3000⟩c⟨U+3164⟩d⟨U+2800⟩"),
        ("⚠️ 👩‍💻 漢字 é", "⚠️ 👩‍💻 漢字 é"),
        ("a\ufe0fb\u200dc", "a⟨U+FE0F⟩b⟨U+200D⟩c"),
        ("\U000e0041", "⟨U+E0041⟩"),
        ("\ud83d", "⟨U+D83D⟩"),
        ("ls" + " " * 50 + "; rm -rf /", "ls⟨50 blanks⟩; rm -rf /"),
        ("ls\n\n\n\n\n\n\n\nrm", "ls\n⟨7 empty lines⟩\nrm"),
    ],
)
def test_what_could_not_be_seen_is_named(text: str, visible: str) -> None:
    assert make_visible(text) == visible


@settings(deadline=None, max_examples=300)
@given(TEXTS)
def test_a_block_shows_all_of_its_text_whatever_is_in_it(text: str) -> None:
    assert ink(make_visible(text)) in ink(shown(f"**T**\n\n{render_block(text, 'bash')}\n\nend"))


@settings(deadline=None, max_examples=300)
@given(TEXTS)
def test_an_escaped_text_reads_as_it_is(text: str) -> None:
    assert ink(make_visible(text.strip())) in ink(shown(f"**T** {escape_markdown(text)} end"))


@given(TEXTS)
def test_what_is_made_visible_twice_is_as_after_once(text: str) -> None:
    assert make_visible(make_visible(text)) == make_visible(text)


def test_a_cut_text_says_how_much_is_missing() -> None:
    assert cut("short", 10) == "short"
    assert cut("one\ntwo\nthree\nfour", 12) == "one\ntwo\n… and 11 more characters"
