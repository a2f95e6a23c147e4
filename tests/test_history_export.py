"""A history as a file: everything is in it, and nothing of it runs."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.history import Kind, Record
from core.history_export import render_html, render_markdown

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "![a](http://example.org/spy.png)",
    "[a](javascript:alert(1))",
    "<style>*{display:none}</style>",
    "[a](data:text/html;base64,xx)",
    '"><svg onload=alert(1)>',
    "<!-- ",
    "</article></body><iframe src=//example.org>",
    "```\n</pre><script>\n```",
    "<meta http-equiv=refresh content=0>",
    "[r]: javascript:alert(1)\n\n[r]",
    "&lt;script&gt;",
    "| a |\n|---|\n| <b>x</b> |",
]
KINDS: list[Kind] = ["prompt", "answer", "tool", "decision", "summary", "error", "output"]
HARMLESS = {
    *("html", "head", "meta", "title", "style", "body", "h1", "h2", "h3", "h4", "h5", "h6", "p"),
    *("article", "div", "pre", "code", "em", "strong", "s", "a", "ul", "ol", "li", "hr", "br"),
    *("blockquote", "table", "thead", "tbody", "tr", "th", "td"),
}


class Page(HTMLParser):
    """What elements and attributes a browser would find."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


def when(at: float) -> str:
    return f"12:0{at:.0f}"


def record(text: str, kind: Kind = "answer", who: str = "Claude", at: float = 1.0) -> Record:
    return Record(f"u{at}", at, kind, text, who)


def check_harmless(html: str) -> Page:
    page = Page(html)
    assert set(page.tags) <= HARMLESS
    assert page.tags.count("meta") == 4
    assert page.tags.count("style") == 1
    for name, value in page.attributes:
        assert not name.startswith("on")
        assert name not in ("src", "srcset")
        assert name != "style" or re.fullmatch(r"text-align:\w+", value or "")
        if name == "href":
            assert not re.match(r"\s*(javascript|data|vbscript|file):", value or "", re.IGNORECASE)
    return page


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("kind", KINDS)
def test_nothing_of_what_was_said_runs(text: str, kind: Kind) -> None:
    check_harmless(render_html(text, [record(text, kind, who=text)], when))


@given(st.text(), st.text(alphabet="<>![]()`*_-#|:\"'&;/abjs \n"), st.sampled_from(KINDS))
def test_whatever_was_said_the_page_is_harmless(title: str, text: str, kind: Kind) -> None:
    check_harmless(render_html(title, [record(text, kind)], when))


def test_the_page_loads_nothing() -> None:
    assert "default-src 'none'" in render_html("x", [], when)


def test_html_that_was_written_is_shown_as_it_was() -> None:
    for kind in KINDS:
        page = Page(render_html("t", [record("say <b>x</b> & y", kind)], when))
        assert "say <b>x</b> & y" in page.text


def test_claudes_markdown_is_rendered() -> None:
    html = render_html("t", [record("**bold** and `code`\n\n```py\nx = 1\n```")], when)
    assert "<strong>bold</strong> and <code>code</code>" in html
    assert '<pre><code class="language-py">x = 1\n</code></pre>' in html


RECORDS = [
    record("fix it\n# not a heading", "prompt", "Ada", 1.0),
    record("ls `x`", "tool", "Bash", 2.0),
    record("Allowed: Bash ls", "decision", "Ada", 3.0),
    record("Done, **all**.", at=4.0),
]


def test_the_markdown_says_who_said_what_when() -> None:
    assert render_markdown("My  title", RECORDS, when) == (
        "# My title\n\n12:01 to 12:04: 1 turn, tools: Bash 1×, 1 decision.\n\n"
        "## 12:01 · Ada\n\n> fix it\n> # not a heading\n\n"
        "- `` 💻 Bash ls `x` ``\n\n- `☑️ Allowed: Bash ls · Ada`\n\n"
        "## 12:04 · Claude\n\nDone, **all**.\n"
    )


def test_the_page_has_all_of_it_too() -> None:
    page = Page(render_html("My title", RECORDS, when))
    for part in ("My title", "12:01 · Ada", "# not a heading", "Bash ls `x`", "Allowed", "all"):
        assert part in page.text


def test_a_session_in_which_nothing_was_said_is_a_file_too() -> None:
    assert "Nothing has been said yet." in render_markdown("t", [], when)
