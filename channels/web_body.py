"""A post, or what a person sent, as the content of a message of the page."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from channels.web_files import describe
from channels.web_markdown import Node, link_addresses, render_tree
from channels.web_store import Body, KeptFile
from core.foreign_text import replace_halves
from core.model import Keyboard, Post, Style


def make_body(
    post: Post, keyboard: Keyboard, files: Sequence[KeptFile], troubles: Sequence[str]
) -> Body:
    """What the page shows of a post."""
    text = replace_halves("\n".join([*filter(None, [post.text]), *troubles]))
    body: Body = {
        "style": post.style,
        "nodes": render_nodes(text, post.style),
        "details": replace_halves(post.details).strip(),
        "keyboard": [[{"label": b.label, "press": b.press} for b in row] for row in keyboard],
        "files": [describe(file) for file in files],
        "silent": post.silent,
    }
    return {name: value for name, value in body.items() if value}


def make_own_body(
    key: str,
    text: str,
    files: Sequence[KeptFile],
    reply_to: int | None,
    *,
    is_edited: bool = False,
) -> Body:
    """What the page shows of what a person sent, as it was written; it knows its `key` again."""
    body: Body = {
        "key": key,
        "text": text,
        "files": [describe(file) for file in files],
        "reply": reply_to,
        "edited": is_edited,
    }
    return {name: value for name, value in body.items() if value}


def keep_files(body: Body, before: msgspec.Raw) -> Body:
    """The content with the files that the message had before."""
    files = msgspec.json.decode(before).get("files")
    return {**body, "files": files} if files else body


def render_nodes(text: str, style: Style) -> list[Node]:
    """The tree of a text; of what is no Markdown only addresses are more than text."""
    match style:
        case "markdown" | "card":
            return render_tree(text)
        case "screen":
            return [["pre", {"language": ""}, text]]
        case "notice":
            return link_addresses(text)
