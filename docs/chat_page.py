"""A chat as a web page that needs nothing else, made of what the stand-in for Telegram received."""

from __future__ import annotations

import html
import re
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from tests.standins.telegram_state import Json, Message
from tests.world import World


@dataclass
class Story:
    """What one picture shows: messages, and lines that tell what happened between them."""

    title: str
    entries: list[Message | str] = field(default_factory=list)

    def add_messages(self, world: World) -> None:
        """All that the chat shows now and did not before."""
        known = {entry.message_id for entry in self.entries if isinstance(entry, Message)}
        shown = world.telegram.messages(world.chat)
        self.entries += [message for message in shown if message.message_id not in known]


# --- a message as HTML ----------------------------------------------------------------------------

TAGS = {
    "bold": "b",
    "italic": "i",
    "underline": "u",
    "strikethrough": "s",
    "code": "code",
    "blockquote": "blockquote",
    "expandable_blockquote": "blockquote",
    "bot_command": "a",
    "url": "a",
    "text_link": "a",
}
TOKEN = re.compile(
    r"(?P<string>[rbf]?\"(?:\\.|[^\"\\\n])*\"|[rbf]?'(?:\\.|[^'\\\n])*')|(?P<comment>\#[^\n]*)"
    r"|\b(?P<word>def|return|import|from|for|in|if|else|class|with|as|not|None|True|False)\b"
    r"|\b(?P<type>str|int|bytes|list|dict|bool)\b|(?P<call>\b\w+(?=\())"
)


def render_text(text: str, entities: Sequence[Json]) -> str:
    """The text with its entities, whose offsets count UTF-16 units, as HTML."""
    units = text.encode("utf-16-le")
    ordered = sorted(entities, key=lambda entity: (entity["offset"], -entity["length"]))
    return _render_span(units, 0, len(units) // 2, ordered)


def _render_span(units: bytes, start: int, end: int, entities: Sequence[Json]) -> str:
    """The span from `start` to `end`; entities are nested or apart, never crossed."""
    parts, position, rest = [], start, list(entities)
    while rest:
        entity = rest.pop(0)
        last = entity["offset"] + entity["length"]
        inner = [other for other in rest if other["offset"] < last]
        rest = rest[len(inner) :]
        parts.append(html.escape(_decode(units, position, entity["offset"])))
        content = _render_span(units, entity["offset"], last, inner)
        parts.append(_render_entity(entity, content))
        position = last
    parts.append(html.escape(_decode(units, position, end)))
    return "".join(parts)


def _decode(units: bytes, start: int, end: int) -> str:
    return units[2 * start : 2 * end].decode("utf-16-le")


def _render_entity(entity: Json, content: str) -> str:
    if entity["type"] == "pre":
        language = html.escape(entity.get("language", ""))
        label = f"<header>{language}</header>" if language else ""
        colour = {"python": _colour, "diff": _colour_diff}.get(entity.get("language", ""))
        code = colour(content) if colour is not None else content
        return f"<pre>{label}{code}</pre>"
    tag = TAGS.get(entity["type"], "span")
    return f"<{tag}>{content}</{tag}>"


def _colour(code: str) -> str:
    """Python with its strings, comments and words in colours; `code` is HTML already."""
    plain = html.unescape(code)
    parts, position = [], 0
    for match in TOKEN.finditer(plain):
        parts.append(html.escape(plain[position : match.start()]))
        parts.append(f'<span class="{match.lastgroup}">{html.escape(match[0])}</span>')
        position = match.end()
    return "".join([*parts, html.escape(plain[position:])])


def _colour_diff(diff: str) -> str:
    kinds = {"+": "added", "-": "removed", "@": "place"}
    lines = [(kinds.get(line[:1]), line) for line in diff.split("\n")]
    return "\n".join(f'<span class="{kind}">{x}</span>' if kind else x for kind, x in lines)


def render_message(message: Message, *, is_last: bool) -> str:
    """A bubble with its time, and the keyboard below it; `is_last` of its sender's in a row."""
    body = render_text(message.text, message.entities)
    body = re.sub(r"\n*(<pre>|</pre>)\n*", r"\1", body)
    if message.media is not None and message.data:
        body = f'<img src="data:image/png;base64,{b64encode(message.data).decode()}">{body}'
    time = datetime.fromtimestamp(message.date).astimezone().strftime("%H:%M")
    side = "bot" if message.from_bot else "mine"
    ticks = "" if message.from_bot else TICKS
    kinds = {
        "last": is_last,
        "screen": message.text and body.startswith("<pre>") and body.endswith("</pre>"),
        "picture": message.media is not None and not message.text,
    }
    classes = " ".join(["message", side, *(kind for kind, is_so in kinds.items() if is_so)])
    stamp = f"<time>{time}{ticks}</time>"
    keyboard = "".join(_render_row(row) for row in message.buttons)
    keyboard = f'<div class="keyboard">{keyboard}</div>' if keyboard else ""
    signs = "".join(f"<i>{emoji}</i>" for emoji in message.reactions)
    foot = f'<div class="signs">{signs}{stamp}</div>' if signs else stamp
    return f'<div class="{classes}"><div class="bubble">{body}{foot}</div>{keyboard}</div>'


def _render_row(row: Sequence[Json]) -> str:
    buttons = "".join(f"<button>{html.escape(button['text'])}</button>" for button in row)
    return f'<div class="row">{buttons}</div>'


def render_page(story: Story) -> str:
    """The whole chat as a page that needs nothing else."""
    parts = []
    for entry, after in zip(story.entries, [*story.entries[1:], ""], strict=True):
        if isinstance(entry, str):
            parts.append(f'<div class="event">{html.escape(entry)}</div>')
        else:
            is_last = isinstance(after, str) or after.from_bot != entry.from_bot
            parts.append(render_message(entry, is_last=is_last))
    page = PAGE.replace("STYLE", STYLE).replace("TITLE", html.escape(story.title))
    return page.replace("CHAT", "\n".join(parts))


TICKS = '<svg viewBox="0 0 18 11"><path d="M1 6l3.5 3.5L11 1.5M8 9l.5.5L15 1.5"/></svg>'
PAGE = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>TITLE</title>
<style>STYLE</style>
<body>
<nav><svg class="back" viewBox="0 0 10 18"><path d="M9 1L1 9l8 8"/></svg>
<div class="face">&gt;_</div><div><h1>TITLE</h1><p>bot</p></div></nav>
<main>
CHAT
</main>
<footer><span>Message</span><svg viewBox="0 0 22 22"><path d="M2 20l18-9L2 2l2 7 9 2-9 2z"/></svg>
</footer>
<script>document.documentElement.dataset.height = document.body.scrollHeight</script>
</body>
</html>
"""
STYLE = """
* { box-sizing: border-box; margin: 0; }
body {
  width: 400px; color: #101418; background: #fff; -webkit-font-smoothing: antialiased;
  font: 15px/1.36 "Inter", "Roboto", "Noto Sans", "DejaVu Sans", "Noto Sans CJK SC",
    "WenQuanYi Zen Hei", "Noto Color Emoji", Symbola, sans-serif;
}
nav, footer { display: flex; align-items: center; background: #fff; padding: 9px 14px; }
nav { gap: 12px; border-bottom: 1px solid #dfe3e6; }
nav h1 { font-size: 16px; line-height: 1.25; font-weight: 600; }
nav p { font-size: 13px; line-height: 1.25; color: #7c8a96; }
nav .back { width: 10px; height: 18px; fill: none; stroke: #2f7fc1; stroke-width: 2; }
nav .face {
  width: 40px; height: 40px; border-radius: 50%; background: linear-gradient(#e59a72, #cf6f45);
  color: #fff; font: 700 16px/39px "DejaVu Sans Mono", monospace; text-align: center;
}
main {
  display: flex; flex-direction: column; padding: 12px 10px;
  background: linear-gradient(160deg, #d6e4ea, #dfe6da 55%, #e7e2d3);
}
.message { display: flex; flex-direction: column; max-width: 348px; margin-bottom: 3px; }
.message.last { margin-bottom: 9px; }
.mine { align-self: flex-end; }
.bot { align-self: flex-start; }
.screen { width: 380px; max-width: 380px; }
.bubble {
  position: relative; padding: 6px 11px 7px; border-radius: 15px; white-space: pre-wrap;
  overflow-wrap: anywhere; background: #fff; box-shadow: 0 1px 1px rgba(40, 60, 70, .16);
}
.mine .bubble { background: #e4fbd0; }
.mine.last .bubble { border-bottom-right-radius: 4px; }
.bot.last .bubble { border-bottom-left-radius: 4px; }
time {
  float: right; margin: 6px -3px -4px 12px; font-size: 11.5px; line-height: 18px; color: #8c99a3;
}
.mine time { color: #5fa04e; }
time svg { width: 16px; height: 10px; margin-left: 4px; fill: none; stroke: #4fae4e;
  stroke-width: 1.5; vertical-align: -1px; }
code, pre { font-family: "DejaVu Sans Mono", "Noto Color Emoji", Symbola, monospace; }
code { font-size: 13px; color: #1d6d9f; background: #eef3f6; border-radius: 4px; padding: 1px 3px; }
.mine code { background: #d3efbd; }
pre {
  margin: 7px -3px; padding: 7px 9px; border-radius: 7px; background: #f1f5f8; color: #1f2a33;
  border-left: 3px solid #5f9fcc; font-size: 10.6px; line-height: 1.5; white-space: pre-wrap;
}
pre header {
  font: 600 12px/1 "Inter", "Roboto", "DejaVu Sans", sans-serif; color: #2f7fc1; padding: 1px 0 7px;
}
.screen pre { margin: 1px -5px 0; font-size: 10.2px; line-height: 1.32; }
.string { color: #2c8a3d; } .comment { color: #86929c; } .word { color: #9b3fb5; }
.type { color: #b3671c; } .call { color: #1d6d9f; }
.added { color: #1f7a33; } .removed { color: #b3362b; } .place { color: #86929c; }
.signs { display: flex; justify-content: space-between; align-items: flex-end; }
.signs i {
  margin: 5px 0 0 -3px; padding: 1px 9px; border-radius: 12px;
  background: #c9ecae; font: 14px/1.5 "Noto Color Emoji", Symbola, sans-serif;
}
a { color: #2f7fc1; text-decoration: none; }
blockquote { border-left: 3px solid #5f9fcc; padding-left: 8px; background: #f1f6fa; }
.keyboard { margin-top: 4px; }
.row { display: flex; gap: 4px; margin-bottom: 4px; }
button {
  flex: 1; padding: 9px 4px; border: 0; border-radius: 8px; color: #fff; background: #7d95a3;
  font: 600 14px/1.2 "Inter", "Roboto", "DejaVu Sans", "Noto Color Emoji", sans-serif;
}
.bubble img { width: 100%; border-radius: 8px; }
.picture .bubble { padding: 4px; }
.picture img { display: block; border-radius: 12px; }
.picture time {
  position: absolute; right: 10px; bottom: 10px; margin: 0; padding: 0 8px; border-radius: 10px;
  color: #fff; background: rgba(70, 80, 90, .75);
}
.event {
  align-self: center; margin: 5px 0 14px; padding: 4px 13px; border-radius: 12px; color: #8a3324;
  border: 1.5px dashed #c9705f; background: #fbeee9;
  font: 600 12px/1.45 "DejaVu Sans Mono", monospace;
}
footer { justify-content: space-between; border-top: 1px solid #dfe3e6; color: #9aa5ad; }
footer svg { width: 22px; height: 22px; fill: #2f7fc1; }
"""
