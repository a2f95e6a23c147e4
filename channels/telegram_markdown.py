"""Claude's Markdown to text with Telegram's entities: nothing of it can break the markup.

* Nothing that a person could read is left out: HTML stays as it was written, a link to what is no
  web page is written behind its text, dollar signs and bars are no formulas and no spoilers.
* Lists have their marks and depth, tasks their box; a quote that is long is folded.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import pyromark

from channels.telegram_entities import Entity, Rendered, length_of, make_entity, nest
from channels.telegram_tables import render_table

_OPTIONS = (
    pyromark.Options.ENABLE_TABLES
    | pyromark.Options.ENABLE_STRIKETHROUGH
    | pyromark.Options.ENABLE_TASKLISTS
)
_WEB_PAGE = re.compile(r"https?://[^\s/?#]*\w\.\w\S*|tg://\S+", re.IGNORECASE)
_LINE_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)
_STYLES = {"Strong": "bold", "Emphasis": "italic", "Strikethrough": "strikethrough"}
_LONG_QUOTE = 600
_INDENT = "  "


def render_markdown(text: str) -> Rendered:
    """The text as a person reads it."""
    return _Reader().read(pyromark.events(text, options=_OPTIONS))


class _Page:
    """A text that grows, with the entities in it; white space between blocks is put off."""

    def __init__(self) -> None:
        self.units = 0
        self.entities: list[Entity] = []
        self.depth = 0
        self.mark = ""
        self._is_marked = False
        self._parts: list[str] = []
        self._newlines = 0
        self._gap = 0
        self._open: list[tuple[str, int, int, dict[str, str]]] = []

    def write(self, text: str, *, is_indented: bool = True) -> None:
        if text:
            self.settle(is_indented=is_indented)
            self._add(text)

    def part(self, newlines: int) -> None:
        """What comes next begins so many lines further down, but beside the mark of its item."""
        if not self._is_marked:
            self._gap = max(self._gap, newlines)

    def settle(self, *, is_indented: bool = True) -> None:
        """Write what was put off: empty lines, the mark of an item, the indent of a line."""
        if self.units and self._gap > self._newlines:
            self._add("\n" * (self._gap - self._newlines))
        self._gap = 0
        if self.mark:
            mark, self.mark = self.mark, ""
            if self.units and not self._newlines:
                self._add("\n")
            self._add(mark)
            self._is_marked = True
        elif is_indented and self.depth and self._newlines:
            self._add(_INDENT * self.depth)

    def begin(self, kind: str, **more: str) -> None:
        self.settle(is_indented=kind != "pre")
        self._open.append((kind, self.units, len(self._parts), more))

    def end(self) -> str:
        """End the entity that was begun last; returns its text."""
        kind, start, parts, more = self._open.pop()
        if kind == "blockquote" and self.units - start > _LONG_QUOTE:
            kind = "expandable_blockquote"
        if kind and self.units > start:
            self.entities.append(make_entity(kind, start, self.units - start, **more))
        return "".join(self._parts[parts:])

    @property
    def text(self) -> str:
        return "".join(self._parts)

    def _add(self, text: str) -> None:
        self._is_marked = False
        self._parts.append(text)
        self.units += length_of(text)
        bare = text.rstrip("\n")
        self._newlines = len(text) - len(bare) + (0 if bare else self._newlines)


class _Reader:
    """Reads the events of the parser."""

    def __init__(self) -> None:
        self._page = _Page()
        self._pages: list[_Page] = []
        self._lists: list[int | None] = []
        self._targets: list[str] = []
        self._verbatim: list[str] | None = None
        self._language = ""
        self._rows: list[list[Rendered]] = []
        self._alignments: tuple[str, ...] = ()

    def read(self, events: Iterable[Any]) -> Rendered:
        for event in events:
            match event:
                case {"Start": tag}:
                    self._start(tag)
                case {"End": tag}:
                    self._end(tag if isinstance(tag, str) else next(iter(tag)))
                case {"Text": str(text)} | {"Html": str(text)}:
                    self._text(text)
                case {"InlineHtml": str(text)}:
                    self._page.write("\n" if _LINE_BREAK.fullmatch(text) else text)
                case {"Code": str(text)}:
                    self._page.begin("code")
                    self._page.write(text)
                    self._page.end()
                case {"TaskListMarker": bool(is_done)}:
                    self._mark("✅ " if is_done else "⬜ ")
                case "Rule":
                    self._block()
                    self._page.write("———")
                    self._block()
                case "SoftBreak" | "HardBreak":
                    self._page.write("\n", is_indented=False)
        return Rendered(self._page.text, nest(self._page.entities))

    def _block(self) -> None:
        self._page.part(1 if self._page.depth else 2)

    def _text(self, text: str) -> None:
        if self._verbatim is None:
            self._page.write(text)
        else:
            self._verbatim.append(text)

    def _start(self, tag: Any) -> None:
        match tag:
            case "Strong" | "Emphasis" | "Strikethrough":
                self._page.begin(_STYLES[tag])
            case {"Link": link}:
                self._start_link(link["dest_url"])
            case {"Image": image}:
                self._page.write("🖼 ")
                self._start_link(image["dest_url"])
            case "TableHead" | "TableRow":
                self._rows.append([])
            case "TableCell":
                self._pages.append(self._page)
                self._page = _Page()
            case {"Table": alignments}:
                self._rows, self._alignments = [], alignments
            case _:
                self._start_block(tag)

    def _start_block(self, tag: Any) -> None:
        match tag:
            case "Paragraph":
                self._block()
            case "Item":
                self._start_item()
            case "HtmlBlock":
                self._verbatim = []
            case {"Heading": heading}:
                self._block()
                self._page.begin("underline" if heading["level"] == "H1" else "")
                self._page.begin("bold")
            case {"CodeBlock": kind}:
                found = kind["Fenced"].split() if isinstance(kind, dict) else []
                self._language = found[0] if found else ""
                self._verbatim = []
            case {"BlockQuote": _}:
                self._block()
                self._page.begin("blockquote")
            case {"List": first}:
                self._page.part(1 if self._lists else 2)
                self._lists.append(first)
                self._page.depth = len(self._lists)

    def _end(self, tag: str) -> None:
        match tag:
            case "Strong" | "Emphasis" | "Strikethrough":
                self._page.end()
            case "Link" | "Image":
                self._end_link()
            case "TableCell":
                cell, self._page = self._page, self._pages.pop()
                self._rows[-1].append(Rendered(cell.text, tuple(cell.entities)))
            case "Table":
                self._end_table()
            case "CodeBlock" | "HtmlBlock":
                self._end_verbatim(is_code=tag == "CodeBlock")
            case _:
                self._end_block(tag)

    def _end_block(self, tag: str) -> None:
        match tag:
            case "Paragraph":
                self._block()
            case "BlockQuote":
                self._page.end()
                self._block()
            case "Heading":
                self._page.end()
                self._page.end()
                self._page.part(1)
            case "Item":
                if self._page.mark:
                    self._page.settle(is_indented=False)
            case "List":
                self._lists.pop()
                self._page.depth = len(self._lists)
                self._block()

    def _start_item(self) -> None:
        number = self._lists[-1]
        self._page.part(1)
        self._page.settle(is_indented=False)
        self._mark("• " if number is None else f"{number}. ")
        if number is not None:
            self._lists[-1] = number + 1

    def _mark(self, mark: str) -> None:
        self._page.mark = _INDENT * (len(self._lists) - 1) + mark

    def _end_verbatim(self, *, is_code: bool) -> None:
        text = "".join(self._verbatim or []).rstrip("\n")
        self._verbatim = None
        self._block()
        if is_code and text.strip():
            self._page.settle(is_indented=False)
            self._page.part(1)
            more = {"language": self._language} if self._language else {}
            self._page.begin("pre", **more)
            self._page.write(text, is_indented=False)
            self._page.end()
        else:
            self._page.write(text)
        self._block()

    def _start_link(self, target: str) -> None:
        self._targets.append(target)
        if _WEB_PAGE.fullmatch(target):
            self._page.begin("text_link", url=target)
        else:
            self._page.begin("")

    def _end_link(self) -> None:
        target, text = self._targets.pop(), self._page.end().strip()
        is_shown = target.startswith("#") or target.removeprefix("mailto:") == text
        if target and not is_shown and not _WEB_PAGE.fullmatch(target):
            self._page.write(f" ({target})" if text else target)

    def _end_table(self) -> None:
        table = render_table(self._rows, self._alignments)
        self._block()
        self._page.settle(is_indented=False)
        self._page.part(1)
        self._page.settle(is_indented=False)
        start = self._page.units
        self._page.write(table.text, is_indented=False)
        self._page.entities += [{**e, "offset": e["offset"] + start} for e in table.entities]
        self._block()
