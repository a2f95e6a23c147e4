"""What a tool changed: read from the accounts that the real CLI gave, and from anything else."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.file_change import (
    FileChange,
    code_block,
    inline_code,
    is_cut,
    name_file,
    read_change,
    relative_path,
    render_change,
    render_counts,
    render_file,
)

# Accounts of the CLI 2.1.330.
EDIT: dict[str, Any] = {
    "filePath": "/home/ada/project/a.txt",
    "oldString": "two",
    "newString": "TWO\nmore",
    "originalFile": "one\ntwo\nthree\nfour\n",
    "structuredPatch": [
        {
            "oldStart": 1,
            "oldLines": 4,
            "newStart": 1,
            "newLines": 5,
            "lines": [" one", "-two", "+TWO", "+more", " three", " four"],
        }
    ],
    "userModified": False,
    "replaceAll": False,
}
NEW: dict[str, Any] = {
    "type": "create",
    "filePath": "/home/ada/project/new.txt",
    "content": "x\ny\n",
    "structuredPatch": [],
    "originalFile": None,
    "userModified": False,
}
NOTEBOOK: dict[str, Any] = {
    "new_source": "print(2)",
    "old_source": "print(1)",
    "cell_type": "code",
    "language": "python",
    "edit_mode": "replace",
    "cell_id": "c1",
    "error": "",
    "notebook_path": "/home/ada/project/n.ipynb",
    "original_file": "{}",
    "updated_file": "{}",
}
ROOT = "/home/ada/project"


def change(result: dict[str, Any]) -> FileChange:
    found = read_change(result)
    assert found is not None
    return found


def test_an_edit_is_its_patch() -> None:
    found = change(EDIT)
    assert found.lines == (
        "@@ -1,4 +1,5 @@",
        " one",
        "-two",
        "+TWO",
        "+more",
        " three",
        " four",
    )
    assert (found.added, found.removed, found.is_new) == (2, 1, False)


def test_a_new_file_is_all_added() -> None:
    found = change(NEW)
    assert found.lines == ("@@ -0,0 +1,2 @@", "+x", "+y")
    assert found.is_new


def test_an_empty_new_file_is_a_change_too() -> None:
    assert change({**NEW, "content": ""}) == FileChange(NEW["filePath"], (), is_new=True)


def test_a_cell_of_a_notebook_is_compared() -> None:
    assert change(NOTEBOOK).lines == ("@@ -1 +1 @@", "-print(1)", "+print(2)")


@pytest.mark.parametrize(
    "result",
    [
        {},
        {"type": "text", "file": {"filePath": "/a", "content": "x", "numLines": 1}},
        {"filePath": "/a", "isAsync": True},
        {"filePath": 3, "newString": "x"},
        {"filePath": "/a", "oldString": "x", "newString": "x"},
        {"filePath": "/a", "structuredPatch": [{"lines": 3}, 4]},
        {"stdout": "x"},
    ],
)
def test_what_changed_no_file_is_none(result: dict[str, Any]) -> None:
    assert read_change(result) is None


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
fields = st.sampled_from([*EDIT, *NEW, *NOTEBOOK])


@given(st.dictionaries(fields, anything))
def test_no_result_is_a_stumbling_block(result: dict[str, Any]) -> None:
    found = read_change(result)
    if found is not None:
        render_change(found, ROOT)
        render_file(found, ROOT)


@given(st.text(), st.text())
def test_no_line_of_a_diff_is_more_than_one(old: str, new: str) -> None:
    found = read_change({"filePath": "/a", "oldString": old, "newString": new})
    for line in found.lines if found else ():
        assert "\n" not in line


def test_a_change_is_shown_with_its_path_in_the_project() -> None:
    assert render_change(change(EDIT), ROOT) == (
        "✏️ `a.txt` +2 −1\n```diff\n@@ -1,4 +1,5 @@\n one\n-two\n+TWO\n+more\n three\n four\n```"
    )


def test_a_long_change_is_cut() -> None:
    long = change({**NEW, "content": "".join(f"{number}\n" for number in range(50))})
    assert render_change(long, ROOT).endswith("\n+28\n… 21 more lines\n```")
    assert is_cut(long)
    assert not is_cut(change(EDIT))


def test_a_long_line_is_cut() -> None:
    long = change({**NEW, "content": "x" * 500})
    assert is_cut(long)
    assert f"\n+{'x' * 108}…\n" in render_change(long, ROOT)


def test_the_file_of_a_change_is_named_after_it() -> None:
    assert name_file(change(EDIT)) == "a.txt.diff"
    assert name_file(FileChange("/", ())) == "change.diff"


def test_the_whole_change_is_a_patch() -> None:
    assert render_file(change(NEW), ROOT) == (
        "--- /dev/null\n+++ b/new.txt\n@@ -0,0 +1,2 @@\n+x\n+y\n"
    )


@pytest.mark.parametrize(
    ("path", "directory", "shown"),
    [
        ("/home/ada/project/core/a.py", ROOT, "core/a.py"),
        ("/home/ada/project", ROOT, "/home/ada/project"),
        ("/home/ada/projects/a.py", ROOT, "/home/ada/projects/a.py"),
        ("/etc/hosts", ROOT, "/etc/hosts"),
        ("a.py", ROOT, "a.py"),
        ("/a.py", "", "/a.py"),
    ],
)
def test_a_path_is_shown_as_seen_from_the_project(path: str, directory: str, shown: str) -> None:
    assert relative_path(path, directory) == shown


@pytest.mark.parametrize(
    ("counts", "shown"), [((3, 1), "+3 −1"), ((3, 0), "+3"), ((0, 1), "−1"), ((0, 0), "±0")]
)
def test_counts(counts: tuple[int, int], shown: str) -> None:
    assert render_counts(*counts) == shown


def test_nothing_in_a_block_ends_it() -> None:
    assert code_block(["a", "````"], "diff") == "`````diff\na\n````\n`````"
    assert inline_code("a `b`") == "`` a `b` ``"
    assert inline_code(" \n ") == ""
