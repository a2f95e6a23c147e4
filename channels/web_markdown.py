"""Claude's Markdown to a tree of the page: names of a closed set, and texts, which stay texts.

* The page makes elements of it one by one; there is no way for markup of Claude's to become any.
  HTML is shown as it was written.
* A link goes to the web or is written behind its text; an image is a link, as nothing is loaded
  from elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import pyromark

from channels.web_code import colour

Node = str | list[Any]
"""A text, or [name, attributes, *children]."""

_OPTIONS = (
    pyromark.Options.ENABLE_TABLES
    | pyromark.Options.ENABLE_STRIKETHROUGH
    | pyromark.Options.ENABLE_TASKLISTS
)
_WEB_PAGE = re.compile(r"(https?://|mailto:)\S+", re.IGNORECASE)
_ADDRESS = re.compile(r"https?://[^\s<>\"“”]+[^\s<>\"“”.,;:!?)\]]")
_LANGUAGE = re.compile(r"[A-Za-z0-9_+#.-]{1,30}")
_NAMES = {
    "Paragraph": "p",
    "Strong": "strong",
    "Emphasis": "em",
    "Strikethrough": "del",
    "Item": "li",
    "TableHead": "thead",
    "TableRow": "tr",
    "HtmlBlock": "p",
}
_ALIGNMENTS = {"Left": "left", "Center": "center", "Right": "right"}


def link_addresses(text: str) -> list[Node]:
    """A text in which only addresses of web pages are more than text."""
    nodes: list[Node] = []
    done = 0
    for found in _ADDRESS.finditer(text):
        nodes += [text[done : found.start()], ["a", {"href": found.group()}, found.group()]]
        done = found.end()
    return [node for node in (*nodes, text[done:]) if node]


def render_tree(text: str) -> list[Node]:
    """The text as a person reads it."""
    reader = _Reader()
    for event in pyromark.events(text, options=_OPTIONS):
        reader.read(event)
    return reader.nodes


class _Reader:
    """Builds the tree from the parser's events."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self._open: list[list[Any]] = []
        self._alignments: list[str] = []
        self._column = 0
        self._is_head = False

    def read(self, event: Any) -> None:
        match event:
            case {"Start": tag}:
                self._start(tag)
            case {"End": _}:
                self._end()
            case {"Text": str(text)}:
                self._add_text(text)
            case {"Html": str(text)} | {"InlineHtml": str(text)}:
                self._add(text)
            case {"Code": str(text)}:
                self._add(["code", {}, text])
            case {"TaskListMarker": bool(is_done)}:
                self._add(["task", {"done": is_done}])
            case "Rule":
                self._add(["hr", {}])
            case "SoftBreak" | "HardBreak":
                self._add("\n")

    def _add_text(self, text: str) -> None:
        """Addresses are links, but for those within a link or code."""
        is_plain = any(node[0] in ("a", "pre") for node in self._open)
        for node in [text] if is_plain else link_addresses(text):
            self._add(node)

    def _add(self, node: Node) -> None:
        children = self._open[-1] if self._open else self.nodes
        if isinstance(node, str) and children and isinstance(children[-1], str):
            children[-1] += node
        else:
            children.append(node)

    def _start(self, tag: Any) -> None:
        node: list[Any]
        match tag:
            case {"Heading": heading}:
                node = [f"h{heading['level'][1:]}", {}]
            case {"CodeBlock": kind}:
                words = kind["Fenced"].split() if isinstance(kind, dict) else []
                is_known = bool(words) and _LANGUAGE.fullmatch(words[0])
                node = ["pre", {"language": words[0] if is_known else ""}]
            case {"BlockQuote": _}:
                node = ["blockquote", {}]
            case {"List": first}:
                node = ["ul", {}] if first is None else ["ol", {"start": first}]
            case {"Link": found} | {"Image": found}:
                node = ["a", {"href": found["dest_url"]}]
            case {"Table": alignments}:
                self._alignments = [_ALIGNMENTS.get(str(a), "") for a in alignments]
                node = ["table", {}]
            case "TableCell":
                node = self._start_cell()
            case str():
                node = [_NAMES.get(tag, "span"), {}]
                self._start_row(tag)
            case _:
                node = ["span", {}]
        self._open.append(node)

    def _start_row(self, tag: str) -> None:
        if tag in ("TableHead", "TableRow"):
            self._column, self._is_head = 0, tag == "TableHead"

    def _start_cell(self) -> list[Any]:
        aligned = self._alignments[self._column : self._column + 1]
        self._column += 1
        return ["th" if self._is_head else "td", {"align": aligned[0]} if aligned else {}]

    def _end(self) -> None:
        node = self._open.pop()
        self._add(_finish(node))


def _finish(node: list[Any]) -> Node:
    """A link to what is no web page is its text; code has its colours."""
    name, attributes, *children = node
    if name == "a" and not _WEB_PAGE.fullmatch(target := attributes["href"]):
        is_shown = target.startswith("#") or target == "".join(_texts(children))
        return ["span", {}, *children, *([] if is_shown or not target else [f" ({target})"])]
    if name == "pre":
        text = "".join(_texts(children)).removesuffix("\n")
        parts = colour(text, attributes["language"])
        return [name, attributes, *([kind, part] if kind else part for kind, part in parts)]
    return node


def _texts(nodes: Iterable[Node]) -> Iterable[str]:
    for node in nodes:
        if isinstance(node, str):
            yield node
        else:
            yield from _texts(node[2:])
