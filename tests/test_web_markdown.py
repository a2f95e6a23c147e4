"""Claude's Markdown as the tree that the page draws, and the code that it draws the link with."""

from __future__ import annotations

import io
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.web_markdown import link_addresses, render_tree
from qr_code import render_qr

ATTRIBUTES = {"href", "language", "start", "align", "done"}


def find(nodes: list[Any], name: str) -> list[Any]:
    """The nodes of that name, wherever they are."""
    found = []
    for node in nodes:
        if not isinstance(node, str):
            found += [node] if node[0] == name else []
            found += find(node[2:], name) if len(node) > 2 else []
    return found


def words(nodes: list[Any]) -> str:
    """Their text; of a coloured part, it is in place of the attributes."""
    texts = [
        node
        if isinstance(node, str)
        else words(node[2:] if isinstance(node[1], dict) else node[1:])
        for node in nodes
    ]
    return "".join(texts)


def test_a_text_has_its_shape() -> None:
    tree = render_tree("# Title\n\n**bold** `code`\n\n3. three\n\n- [x] done\n- [ ] to do")
    names = ("h1", "strong", "code", "ol", "task")
    assert [len(find(tree, name)) for name in names] == [1, 1, 1, 1, 2]
    assert find(tree, "ol")[0][1]["start"] == 3


def test_a_table_keeps_its_columns() -> None:
    (table,) = find(render_tree("| a | b |\n|:--|--:|\n| 1 | 2 |"), "table")
    assert [words([row]) for row in table[2:]] == ["ab", "12"]
    assert [cell[1].get("align") for cell in find([table], "td")] == ["left", "right"]


@pytest.mark.parametrize(
    ("language", "code", "coloured"),
    [
        ("python", "def f(): pass\n", {"k": "def"}),
        ("diff", "@@ -1 +1 @@\n-old\n+new\n", {"gd": "-old", "gi": "+new"}),
        ("nonsense", "def f(): pass\n", {}),
    ],
)
def test_code_and_diffs_have_their_colours(
    language: str, code: str, coloured: dict[str, str]
) -> None:
    (shown,) = find(render_tree(f"```{language}\n{code}```"), "pre")
    assert (shown[1]["language"], words([shown]).strip()) == (language, code.strip())
    for name, text in coloured.items():
        assert text in [words([part]).strip() for part in find([shown], name)]


@pytest.mark.parametrize("address", ["javascript:alert(1)", "data:text/html,x", "file:///etc"])
def test_only_addresses_of_the_web_are_links(address: str) -> None:
    tree = render_tree(f"[good](https://example.net/) [bad]({address}) <{address}>")
    assert [link[1]["href"] for link in find(tree, "a")] == ["https://example.net/"]
    assert find(link_addresses(f"see {address}"), "a") == []


@settings(deadline=None)
@given(st.text(max_size=80) | st.text("<>[]()!`*_#|-\n &;:\"'ajscript", max_size=80))
def test_whatever_is_said_the_tree_has_no_other_attributes(text: str) -> None:
    def look(nodes: list[Any]) -> None:
        for node in nodes:
            if not isinstance(node, str):
                name, attributes, *children = node if isinstance(node[1], dict) else [node[0], {}]
                assert name.isascii() and name.isalnum() and attributes.keys() <= ATTRIBUTES
                look(children)

    look(render_tree(text))


def test_a_link_is_drawn_where_it_can_be(monkeypatch: pytest.MonkeyPatch) -> None:
    for encoding, is_drawn in (("utf-8", True), ("ascii", False)):
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding=encoding))
        drawn = render_qr("http://127.0.0.1:8427/?key=abc")
        assert bool(set(drawn) & set("█▀▄")) == is_drawn
