"""A post to the pieces that Telegram takes: text with entities, at most 4,096 UTF-16 units each.

* Markdown becomes entities by telegramify-markdown, so nothing in it can break the markup.
* A piece ends between paragraphs where it can, else between lines, else between words; a block of
  code that goes on in the next piece is a block of code there too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import telegramify_markdown as markdown

from core.model import Piece, Post

LIMIT = 4096
_MOST_ENTITIES = 100

Entity = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Rendered:
    """A text and its entities, whose offsets count UTF-16 units."""

    text: str
    entities: tuple[Entity, ...] = ()


def render_pieces(post: Post) -> list[Piece]:
    """The pieces of a post, at least one; the keyboard hangs below the last."""
    match post.style:
        case "markdown":
            rendered = _render_markdown(post.text)
        case "screen":
            rendered = _render_screen(post.text)
        case "notice":
            rendered = _Rendered(post.text)
    cut = [piece for piece in map(_trim, _split(rendered)) if piece.text]
    cut = cut or [_Rendered("…")]
    pieces = [Piece(post, piece.text, piece.entities) for piece in cut[:-1]]
    return [*pieces, Piece(post, cut[-1].text, cut[-1].entities, post.keyboard)]


def _render_markdown(text: str) -> _Rendered:
    plain, entities = markdown.convert(text, latex_escape=False)
    return _Rendered(plain, tuple(entity.to_dict() for entity in entities))


def _render_screen(text: str) -> _Rendered:
    """The last lines that fit, as one block of fixed-width text."""
    lines = text.split("\n")
    while len(lines) > 1 and _length("\n".join(lines)) > LIMIT:
        lines = lines[1:]
    shown = (
        "\n".join(lines)[: LIMIT // 2] if _length("\n".join(lines)) > LIMIT else "\n".join(lines)
    )
    return _Rendered(shown, ({"type": "pre", "offset": 0, "length": _length(shown)},))


def _split(rendered: _Rendered) -> Iterator[_Rendered]:
    text, start = rendered.text, 0
    while text:
        end = _find_cut(text)
        piece, text = text[:end], text[end:]
        yield _Rendered(piece, _clip(rendered.entities, start, start + _length(piece)))
        start += _length(piece)


def _find_cut(text: str) -> int:
    """How many characters of `text` the next piece takes."""
    if _length(text) <= LIMIT:
        return len(text)
    end = len(text.encode("utf-16-le")[: 2 * LIMIT].decode("utf-16-le", errors="ignore"))
    for boundary in ("\n\n", "\n", " "):
        found = text.rfind(boundary, end // 2, end)
        if found > 0:
            return found + len(boundary)
    return end


def _clip(entities: tuple[Entity, ...], start: int, end: int) -> tuple[Entity, ...]:
    """The parts of the entities between two offsets, counted from the first."""
    clipped = []
    for entity in entities:
        first = max(entity["offset"], start)
        last = min(entity["offset"] + entity["length"], end)
        if last > first:
            clipped.append({**entity, "offset": first - start, "length": last - first})
    return tuple(clipped[:_MOST_ENTITIES])


def _trim(rendered: _Rendered) -> _Rendered:
    """Without the white space around it, as Telegram would cut that off and the entities not."""
    start = len(rendered.text) - len(rendered.text.lstrip("\n"))
    text = rendered.text[start:].rstrip()
    return _Rendered(text, _clip(rendered.entities, start, start + _length(text)))


def _length(text: str) -> int:
    return int(markdown.utf16_len(text))
