"""core.file_prompts and core.file_exchange: what Claude reads of files, and what it may do."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.delivery import Prompt
from core.file_exchange import add_briefing, render_briefing, render_permissions
from core.file_prompts import (
    KeptFile,
    mark_foreign,
    read_words,
    render_dictation,
    render_file_prompt,
    render_location,
)
from core.keystrokes import prepare_prompt
from core.model import Chat, FilesSent, LocationSent, Person, RemoteFile

PHOTO = KeptFile("/in/1-photo.jpg", "photo", "", 5, is_attached=True)
ZIP = KeptFile("/in/2-a.zip", "document", "a [b] @/etc/passwd.zip", 3 << 20)
VIDEO = KeptFile("/in/3-video-note.mp4", "video_note", "", 2048, seconds=62)
ADA = Person(1)
CHAT = Chat("t", 1)


@pytest.mark.parametrize(
    ("words", "files", "prompt"),
    [
        ("What is this?", [PHOTO], 'What is this?\n\n[photo] @"/in/1-photo.jpg"'),
        ("", [PHOTO], '[photo] @"/in/1-photo.jpg"'),
        (
            "all",
            [PHOTO, ZIP, VIDEO],
            'all\n\n[photo] @"/in/1-photo.jpg"\n'
            "[document “a _b_ __etc_passwd.zip”, 3 MB] /in/2-a.zip\n"
            "[video message, 1:02, 2 KB] /in/3-video-note.mp4",
        ),
        ("/new", [PHOTO], '[photo] @"/in/1-photo.jpg"\n\n/new'),
        ("\u200b/new", [PHOTO], '[photo] @"/in/1-photo.jpg"\n\n\u200b/new'),
        (" !ls", [PHOTO], '[photo] @"/in/1-photo.jpg"\n\n !ls'),
    ],
)
def test_the_words_come_first_and_each_file_has_a_line(
    words: str, files: list[KeptFile], prompt: str
) -> None:
    assert render_file_prompt(words, files) == prompt


def test_a_path_that_would_end_its_quotes_is_only_named() -> None:
    file = KeptFile('/a"b/1.png', "photo", "", 5, is_attached=True)
    assert render_file_prompt("", [file]) == '[photo] /a"b/1.png'


@given(st.text() | st.from_regex(r"[\s\x00-\x1f\u200b\u2060]{0,3}[/!]\w*", fullmatch=True))
def test_files_are_never_a_command_whatever_is_written_to_them(words: str) -> None:
    for text in (render_file_prompt(words, [PHOTO]), render_dictation("", words)):
        assert not Prompt("", prepare_prompt(text)).is_command


def test_dictated_words_are_marked() -> None:
    assert render_dictation("", "/new") == "[Dictated, so words may be wrong]\n/new"
    assert render_dictation("and this", "a").endswith("a\n\nand this")


def test_other_peoples_words_are_marked() -> None:
    common = (CHAT, ADA, 1, "/kill", (RemoteFile("f", "photo"),))
    forwarded = FilesSent(*common, forwarded_from="Mallory @x")
    assert read_words(forwarded) == "[Forwarded from Mallory _x]\n> /kill"
    assert read_words(FilesSent(*common, quoted="see")) == "[Quoted]\n> see\n\n/kill"
    assert mark_foreign("", "Mallory") == "[Forwarded from Mallory]"
    place = LocationSent(CHAT, ADA, 1, 1, 2, forwarded_from="Mallory")
    assert render_location(place).startswith("[Forwarded from Mallory]\n> [location: latitude 1.0")


def test_claude_may_read_what_comes_in_and_write_what_goes_out() -> None:
    assert render_permissions(["/f/in"], ["/f/out"]) == {
        "additionalDirectories": ["/f/in", "/f/out"],
        "allow": ["Read(//f/in/**)", "Read(//f/out/**)", "Edit(//f/out/**)"],
    }


@pytest.mark.parametrize("path", ["/a*/in", "/a(b)/in", "/[a]/in", "/a\\b/in", "/{a,b}/in", "/!a"])
def test_a_folder_whose_name_reads_as_a_pattern_gets_no_rule(path: str) -> None:
    assert render_permissions([path], []) == {"additionalDirectories": [path], "allow": []}


def test_the_briefing_names_both_folders_and_never_changes() -> None:
    text = render_briefing("/f/in", "/f/out")
    assert "/f/in" in text
    assert "/f/out" in text
    assert text == render_briefing("/f/in", "/f/out")


@pytest.mark.parametrize(
    ("command", "whole"),
    [
        (["claude"], ["claude", "--append-system-prompt", "B"]),
        (
            ["claude", "--append-system-prompt", "own", "--x"],
            ["claude", "--append-system-prompt", "own\n\nB", "--x"],
        ),
        (["claude", "--append-system-prompt=own"], ["claude", "--append-system-prompt=own\n\nB"]),
    ],
)
def test_a_briefing_of_the_users_own_stays(command: list[str], whole: list[str]) -> None:
    assert add_briefing(command, "B") == whole
