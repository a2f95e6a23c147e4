"""A post to the pieces that Telegram takes: text with entities, at most 4,096 UTF-16 units each.

* Markdown becomes entities by telegramify-markdown, so nothing in it can break the markup.
* A piece ends at a line's end where it can; a block of code that goes on in the next piece is a
  block of code there too.
"""

from __future__ import annotations

from typing import Any

import telegramify_markdown as markdown

from core.model import Piece, Post

LIMIT = 4096
_MOST_ENTITIES = 100


def render_pieces(post: Post) -> list[Piece]:
    """The pieces of a post, at least one; the keyboard hangs below the last."""
    match post.style:
        case "markdown":
            rendered = _render_markdown(post.text)
        case "screen":
            rendered = [_render_screen(post.text)]
        case "notice":
            rendered = markdown.split_entities(post.text, [], LIMIT)
    pieces = [_piece(post, text, entities) for text, entities in rendered]
    pieces = [piece for piece in pieces if piece.text] or [Piece(post, "…")]
    last = pieces[-1]
    return [*pieces[:-1], Piece(post, last.text, last.entities, post.keyboard)]


def _render_markdown(text: str) -> list[tuple[str, list[markdown.MessageEntity]]]:
    plain, entities = markdown.convert(text, latex_escape=False)
    return markdown.split_entities(plain, entities, LIMIT)


def _render_screen(text: str) -> tuple[str, list[markdown.MessageEntity]]:
    """The last lines that fit, as one block of fixed-width text."""
    lines = text.split("\n")
    while markdown.utf16_len("\n".join(lines)) > LIMIT and len(lines) > 1:
        lines = lines[1:]
    shown = "\n".join(lines)
    if markdown.utf16_len(shown) > LIMIT:
        shown = shown[: LIMIT // 2]
    entity = markdown.MessageEntity(type="pre", offset=0, length=markdown.utf16_len(shown))
    return shown, [entity]


def _piece(post: Post, text: str, entities: list[markdown.MessageEntity]) -> Piece:
    """Trimmed as Telegram would trim it, with the entities moved along."""
    start = len(text) - len(text.lstrip("\n"))
    trimmed = text[start:].rstrip()
    end = markdown.utf16_len(trimmed)
    moved: list[dict[str, Any]] = []
    for entity in entities:
        first = max(0, entity.offset - start)
        length = min(entity.offset - start + entity.length, end) - first
        if length > 0 and len(moved) < _MOST_ENTITIES:
            moved.append({**entity.to_dict(), "offset": first, "length": length})
    return Piece(post, trimmed, tuple(moved))
