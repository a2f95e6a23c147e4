"""Sessions as a person sees them in the chat."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from core.session_list import (
    ON_A_PAGE,
    ListedSession,
    count_pages,
    cut_page,
    render_card,
    render_page,
)

SHOP = ListedSession("id-1", "Fix it", "/home/ada/shop", "main", 300, 1_300_000, "asleep")


def test_a_row_has_all_facts_and_the_number_of_its_button() -> None:
    assert render_page([SHOP], 0, is_machine=False) == (
        "Sessions of this chat (1)\n\n1. Fix it\n    shop (main) · 5 min · 1.2 MB · asleep"
    )


def test_what_is_not_known_leaves_no_gap() -> None:
    bare = replace(SHOP, directory="", branch="", size=0, is_current=True)
    assert render_page([bare], 0, is_machine=True).endswith("▸ 1. Fix it\n    5 min · asleep")
    assert "Branch" not in render_card(bare)
    assert "Size" not in render_card(bare)


def test_a_folder_can_not_look_like_another_row() -> None:
    listed = replace(SHOP, directory="/home/ada/x\n2. Fake")
    assert len(render_page([listed], 0, is_machine=False).split("\n")) == 4
    assert "Folder: /home/ada/x⟨new line⟩2. Fake" in render_card(listed)


def test_an_empty_list_says_what_to_do() -> None:
    assert render_page([], 0, is_machine=False) == "No session yet. Send a text to start one."
    assert "no Claude Code session" in render_page([], 0, is_machine=True)


def test_a_card_says_that_a_session_is_another_chats() -> None:
    assert "another chat" in render_card(replace(SHOP, is_foreign=True))
    assert render_card(SHOP).split("\n") == [
        "“Fix it”",
        "Folder: /home/ada/shop",
        "Branch: main",
        "Last activity: 5 min ago",
        "Size: 1.2 MB",
        "State: asleep",
        "Session: id-1",
    ]


@given(st.integers(0, 100))
def test_the_pages_hold_every_session_once(count: int) -> None:
    listed = [replace(SHOP, session_id=str(number)) for number in range(count)]
    pages = [cut_page(listed, page) for page in range(count_pages(count))]
    assert [session for page in pages for session in page] == listed
    assert all(len(page) <= ON_A_PAGE for page in pages)
