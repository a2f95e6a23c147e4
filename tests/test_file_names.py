"""core.file_names: no name of a stranger's becomes a path, a mention or a line of ours."""

from __future__ import annotations

import re
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.file_names import (
    LONGEST_LABEL,
    extension_of,
    is_picture,
    is_shown_as_photo,
    is_text,
    is_to_be_sent,
    make_file_name,
    name_in_prompt,
    name_on_button,
    render_size,
)
from core.model import FileKind, RemoteFile

HOSTILE = [
    "../../x",
    "-rf",
    "a\nb",
    "x" * 300 + ".txt",
    "\u202egnp.exe",
    "..",
    ".",
    "/",
    "con",
    "~root",
    "$(id).sh",
    "a\0b.txt",
    "a;rm -rf *.txt",
    "{file}",
    "%n%s",
    "\ud83d",
]
kinds: st.SearchStrategy[FileKind] = st.sampled_from(get_args(FileKind))


@pytest.mark.parametrize(
    ("file", "name"),
    [
        (RemoteFile("f", "photo"), "7-photo.jpg"),
        (RemoteFile("f", "voice"), "7-voice.ogg"),
        (RemoteFile("f", "voice", mime_type="audio/mp4"), "7-voice.m4a"),
        (RemoteFile("f", "video_note"), "7-video-note.mp4"),
        (RemoteFile("f", "document", "Q3 report (final).DOCX"), "7-Q3-report-final.docx"),
        (RemoteFile("f", "document", "résumé.pdf"), "7-resume.pdf"),
        (RemoteFile("f", "document", "报告.pdf"), "7-document.pdf"),
        (RemoteFile("f", "document", "Makefile"), "7-Makefile"),
        (RemoteFile("f", "document", "notes", "text/plain"), "7-notes.txt"),
        (RemoteFile("f", "document", "a.tar.gz"), "7-a-tar.gz"),
        (RemoteFile("f", "document", "../../x"), "7-x"),
        (RemoteFile("f", "document", "-rf"), "7-rf"),
        (RemoteFile("f", "document", ".bashrc"), "7-document.bashrc"),
        (RemoteFile("f", "document", "a.\u202etxt"), "7-a-txt"),
    ],
)
def test_a_file_is_kept_under_a_name_of_ours(file: RemoteFile, name: str) -> None:
    assert make_file_name(7, file) == name


@given(st.text() | st.sampled_from(HOSTILE), kinds, st.integers(1, 10**12))
def test_no_name_leaves_its_folder_or_is_an_option(name: str, kind: FileKind, number: int) -> None:
    made = make_file_name(number, RemoteFile("f", kind, name))
    assert re.fullmatch(r"[0-9]+-[A-Za-z0-9-]{1,40}(\.[a-z0-9]{1,10})?", made)


@given(st.text() | st.sampled_from(HOSTILE))
def test_a_name_in_a_prompt_mentions_nothing_and_stays_on_its_line(name: str) -> None:
    shown = name_in_prompt(name)
    assert not set(shown) & set('@/"[]“”<>`\\\n\r\u2028\u202e')
    assert len(shown) <= 80


@given(st.text() | st.sampled_from(HOSTILE))
def test_a_name_on_a_button_is_one_visible_line(name: str) -> None:
    shown = name_on_button(name)
    assert shown
    assert len(shown) <= LONGEST_LABEL
    assert shown.isprintable()


def test_of_a_long_name_both_ends_are_shown() -> None:
    assert name_on_button("a" * 60 + ".tar.gz").endswith("a.tar.gz")


@pytest.mark.parametrize(
    ("name", "head", "is_one"),
    [
        ("a.png", b"\x89PNG\r\n\x1a\n", True),
        ("a.PNG", b"\x89PNG\r\n\x1a\n", True),
        ("a.jpg", b"\x89PNG\r\n\x1a\n", False),
        ("a.webp", b"RIFF1234WEBP", True),
        ("a.webp", b"RIFF1234WAVE", False),
        ("a.gif", b"GIF89a", True),
        ("a.svg", b"<svg", False),
        ("a", b"\x89PNG\r\n\x1a\n", False),
    ],
)
def test_a_picture_is_what_its_extension_says(name: str, head: bytes, is_one: bool) -> None:
    assert is_picture(name, head) == is_one


def test_a_moving_picture_is_no_photo() -> None:
    assert not is_shown_as_photo("a.gif", b"GIF89a")
    assert is_shown_as_photo("a.jpeg", b"\xff\xd8\xff")


@pytest.mark.parametrize("name", [".hidden", "a.tmp", "a.txt.tmp.123.456", "a.part", "b~", "a.swp"])
def test_what_is_hidden_or_half_written_is_not_sent(name: str) -> None:
    assert not is_to_be_sent(name)


@pytest.mark.parametrize("name", ["a.txt", "template.md", "partial results.csv", "tmp", "-rf"])
def test_all_else_is(name: str) -> None:
    assert is_to_be_sent(name)


def test_a_text_has_no_bytes_of_another_kind() -> None:
    assert is_text("é\t\r\n\x1b[31m".encode())
    assert not is_text(b"a\0b")
    assert not is_text(b"\xff")


@pytest.mark.parametrize(
    ("size", "said"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1 KB"), (1025, "2 KB"), (3 << 20, "3 MB")],
)
def test_sizes_in_words(size: int, said: str) -> None:
    assert render_size(size) == said


def test_an_extension_is_small_and_plain() -> None:
    assert [extension_of(name) for name in ("a.TXT", "a", "a.b c", "a.")] == ["txt", "", "", ""]
