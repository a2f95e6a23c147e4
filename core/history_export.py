"""A whole history as one Markdown or HTML file, for people to keep.

* The HTML stands alone and does nothing: no script, no image, nothing is loaded, and whatever was
  said in HTML is shown as it was written. Only Claude's own words are read as Markdown.
* In Markdown, what people wrote is quoted, so that nothing of it can pass for anything else.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from markdown_it import MarkdownIt

from core.history import CLAUDE, Record, RenderTime, count, render_record, sum_up

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 48rem; margin: 2rem auto; padding: 0 1rem; }
article { margin: 1rem 0; padding: .6rem 1rem; border-radius: .6rem; background: #8881; }
article.prompt { background: #38f2; } article.decision { background: #fa02; }
h2 { font-size: .85rem; margin: 0; opacity: .7; } p.tool { margin: .2rem 1rem; opacity: .8; }
pre { overflow-x: auto; padding: .6rem; background: #8882; border-radius: .4rem; }
.said { white-space: pre-wrap; overflow-wrap: anywhere; margin: .4rem 0; }
table { border-collapse: collapse; } td, th { border: 1px solid #8886; padding: .2rem .5rem; }
@media (prefers-color-scheme: dark) {
  body { background: #16181c; color: #ddd; } a { color: #8bf; }
}
"""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_MARKDOWN = MarkdownIt("js-default", {"html": False, "linkify": False}).disable("image")
_OF_CLAUDE = ("answer", "plan", "summary")
_NAMED = ("plan", "summary", "error", "output", "command")
_ON_ONE_LINE = ("tool", "decision", "interrupted")


def render_markdown(title: str, records: Sequence[Record], render_time: RenderTime) -> str:
    """The history as Markdown."""
    blocks = [f"# {_line(title)}", _introduce(records, render_time)]
    for record in records:
        match record.kind:
            case "tool" | "decision" | "interrupted":
                blocks.append(f"- {_code(render_record(record, render_time))}")
            case "answer" | "plan" | "summary":
                blocks += [f"## {_heading(record, render_time)}", record.text]
            case _:
                quoted = "\n".join(f"> {line}" for line in record.text.splitlines())
                blocks += [f"## {_heading(record, render_time)}", quoted]
    return "\n\n".join(blocks) + "\n"


def render_html(title: str, records: Sequence[Record], render_time: RenderTime) -> str:
    """The history as one HTML page."""
    articles = "\n".join(_render_article(record, render_time) for record in records)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="referrer" content="no-referrer">'
        f"<title>{escape(_line(title))}</title><style>{_STYLE}</style></head>\n<body>"
        f"<h1>{escape(_line(title))}</h1>\n<p>{escape(_introduce(records, render_time))}</p>\n"
        f"{articles}\n</body></html>\n"
    )


def _render_article(record: Record, render_time: RenderTime) -> str:
    if record.kind in _ON_ONE_LINE:
        return f'<p class="{record.kind}">{escape(render_record(record, render_time))}</p>'
    heading = escape(_heading(record, render_time))
    if record.kind in _OF_CLAUDE:
        body = _MARKDOWN.render(record.text)
    else:
        body = f'<div class="said">{escape(record.text)}</div>'
    return f'<article class="{record.kind}"><h2>{heading}</h2>\n{body}</article>'


def _introduce(records: Sequence[Record], render_time: RenderTime) -> str:
    if not records:
        return "Nothing has been said yet."
    task = sum_up(records)
    tools = ", ".join(f"{name} {number}×" for name, number in task.tools)
    figures = [count(task.turns, "turn"), f"tools: {tools}" if tools else ""]
    figures.append(count(task.decisions, "decision") if task.decisions else "")
    span = f"{render_time(records[0].at)} to {render_time(records[-1].at)}"
    return f"{span}: {', '.join(filter(None, figures))}."


def _heading(record: Record, render_time: RenderTime) -> str:
    parts = [render_time(record.at), _line(record.who or "You"), record.agent]
    return " · ".join(filter(None, [*parts, record.kind if record.kind in _NAMED else ""]))


def _line(text: str) -> str:
    return " ".join(text.split()) or CLAUDE


def _code(text: str) -> str:
    """As code, whatever backticks are in it."""
    line = _line(text)
    longest = max(map(len, "".join(c if c == "`" else " " for c in line).split()), default=0)
    fence = "`" * (longest + 1)
    return f"{fence} {line} {fence}" if longest else f"`{line}`"
