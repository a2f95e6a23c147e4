"""A post to the pieces that Telegram takes: text with entities, at most 4,096 UTF-16 units each.

* Markdown becomes entities by telegramify-markdown, so nothing in it can break the markup.
* Telegram takes no style around code, no quote in a quote and no entities that cross; what the
  Markdown has of these is cut so that the innermost wins.
* A card is one message whatever its length; details hang below the text as a folded quote.
* A piece ends between paragraphs where it can, else between lines, else between words; a block of
  code that goes on in the next piece is a block of code there too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import telegramify_markdown as markdown

from core.foreign_text import replace_halves
from core.model import Attachment, Piece, Post

LIMIT = 4096
CAPTION_LIMIT = 1024
_ALBUM = 10
_MOST_ENTITIES = 100
_LEAST_DETAILS = 400  # with less room than that below the text, details get a message of their own

Entity = dict[str, Any]

_CONTROLS = {code: " " for code in range(32) if chr(code) not in "\n\t"}  # as Telegram does
_QUOTES = ("blockquote", "expandable_blockquote")
_CODE = ("code", "pre")
_STYLES = ("bold", "italic", "underline", "strikethrough", "spoiler")


@dataclass(frozen=True, slots=True)
class _Rendered:
    """A text and its entities, whose offsets count UTF-16 units."""

    text: str
    entities: tuple[Entity, ...] = ()


def render_pieces(post: Post) -> list[Piece]:
    """The pieces of a post, at least one; the keyboard hangs below the last."""
    texts = [Piece(post, cut.text, cut.entities[:_MOST_ENTITIES]) for cut in _render(post)]
    albums = [Piece(post, "", files=album) for album in _group(post)]
    if albums and len(texts) == 1 and length_of(texts[0].text) <= CAPTION_LIMIT:
        albums[0] = replace(texts[0], files=albums[0].files)
        texts = []
    *others, last = [*texts, *albums]
    return [*others, replace(last, keyboard=post.keyboard)]


def _render(post: Post) -> list[_Rendered]:
    """The text and the details, cut to what messages hold; with attachments there may be none."""
    text = replace_halves(post.text)
    details = replace_halves(post.details).translate(_CONTROLS).strip()
    match post.style:
        case "card":
            cut = [_render_card(_trim(_render_markdown(text)), details)]
        case "markdown":
            cut = _cut(_render_markdown(text), details)
        case "screen":
            cut = _cut(_render_screen(text), details)
        case "notice":
            cut = _cut(_Rendered(text.translate(_CONTROLS)), details)
    cut = [piece for piece in cut if piece.text]
    return cut if cut or post.attachments else [_Rendered("…")]


def _group(post: Post) -> list[tuple[Attachment, ...]]:
    """Albums: photos apart from documents; alone where a keyboard hangs, as no album has one."""
    most = 1 if post.keyboard else _ALBUM
    kinds = ("photo", "document")
    found = [[file for file in post.attachments if file.kind == kind] for kind in kinds]
    return [
        tuple(files[start : start + most])
        for files in found
        for start in range(0, len(files), most)
    ]


def length_of(text: str) -> int:
    """UTF-16 code units, in which Telegram counts."""
    return int(markdown.utf16_len(text))


def _cut(rendered: _Rendered, details: str) -> list[_Rendered]:
    """Pieces that each fit; the details below the last, or on their own."""
    cut = [piece for piece in map(_trim, _split(rendered)) if piece.text]
    if not details:
        return cut
    if not cut:
        return [_fold(_Rendered(""), details, LIMIT)]
    room = LIMIT - 1 - length_of(cut[-1].text)
    if room < min(_LEAST_DETAILS, length_of(details)):
        return [*cut, _fold(_Rendered(""), details, LIMIT)]
    return [*cut[:-1], _fold(cut[-1], details, room)]


def _render_card(rendered: _Rendered, details: str) -> _Rendered:
    """One message: as much of the details as half of it holds, or more; then the text's end."""
    if not details:
        return _keep_end(rendered, LIMIT)
    room = LIMIT - 1 - length_of(rendered.text)
    shown = _Rendered(_keep_newest(details, max(room, LIMIT // 2)))
    text = _keep_end(rendered, LIMIT - 1 - length_of(shown.text))
    return _fold(text, shown.text, LIMIT)


def _fold(above: _Rendered, details: str, room: int) -> _Rendered:
    """The text with the details below it, folded."""
    start = f"{above.text}\n" if above.text else ""
    shown = _keep_newest(details, room)
    quote = {
        "type": "expandable_blockquote",
        "offset": length_of(start),
        "length": length_of(shown),
    }
    return _Rendered(start + shown, (*above.entities[: _MOST_ENTITIES - 1], quote))


def _entity(kind: str, offset: int, length: int) -> Entity:
    return {"type": kind, "offset": offset, "length": length}


def _keep_newest(details: str, room: int) -> str:
    """The last lines that fit, below a line that tells how many are missing."""
    if length_of(details) <= room:
        return details
    lines = details.split("\n")
    kept: list[str] = []
    left = room - length_of(f"… {len(lines)} earlier")
    while len(kept) < len(lines) and (size := length_of(lines[-1 - len(kept)]) + 1) <= left:
        kept.insert(0, lines[-1 - len(kept)])
        left -= size
    if not kept:
        return f"…{_end_of(lines[-1], room - 1)}"
    return "\n".join([f"… {len(lines) - len(kept)} earlier", *kept])


def _keep_end(rendered: _Rendered, room: int) -> _Rendered:
    """The end of a text, from the beginning of a line or a word on."""
    if length_of(rendered.text) <= room:
        return rendered
    kept = _end_of(rendered.text, room - 2)
    for boundary in ("\n", " "):
        before, found, after = kept.partition(boundary)
        if found and after.strip() and len(before) <= len(kept) // 2:
            kept = after
            break
    kept = kept.lstrip()
    start = length_of(rendered.text) - length_of(kept)
    entities = _clip(rendered.entities, start, start + length_of(kept))
    moved = tuple({**entity, "offset": entity["offset"] + 2} for entity in entities)
    return _Rendered(f"…\n{kept}", moved)


def _end_of(text: str, units: int) -> str:
    """As much of the end as so many UTF-16 units hold; no character is halved."""
    return text.encode("utf-16-le")[-2 * units :].decode("utf-16-le", errors="ignore")


def _render_markdown(text: str) -> _Rendered:
    plain, entities = markdown.convert(text, latex_escape=False)
    nested = _nest([entity.to_dict() for entity in entities])
    return _Rendered(plain.translate(_CONTROLS), tuple(nested))


def _nest(entities: list[Entity]) -> Iterable[Entity]:
    """The entities, cut so that each lies within or beside every other.

    Between two neighbouring edges nothing changes: such a stretch has one value in each layer, and
    an entity is a run of stretches that are alike in its layer and in all layers around it.
    """
    entities = sorted(entities, key=lambda entity: entity["offset"])
    edges = sorted({edge for e in entities for edge in (e["offset"], e["offset"] + e["length"])})
    runs: list[tuple[Entity, tuple[int | None, ...]]] = []
    open_runs: dict[int, int] = {}
    waiting = iter(entities)
    following = next(waiting, None)
    active: list[Entity] = []
    for start, end in pairwise(edges):
        while following is not None and following["offset"] <= start:
            active.append(following)
            following = next(waiting, None)
        active = [e for e in active if e["offset"] + e["length"] > start]
        found = _layers(active)
        values = tuple(None if e is None else _identity(e) for e in found)
        for layer, entity in enumerate(found):
            key = values[: layer + 1]
            last = runs[open_runs[layer]] if layer in open_runs else None
            if entity is None:
                open_runs.pop(layer, None)
            elif last is not None and last[1] == key:
                last[0]["length"] = end - last[0]["offset"]
            else:
                open_runs[layer] = len(runs)
                runs.append(({**entity, "offset": start, "length": end - start}, key))
    return (entity for entity, _ in runs)


def _layers(active: list[Entity]) -> list[Entity | None]:
    """One entity or none for each layer, the outermost first: quote, styles, link, code."""
    by_type = {entity["type"]: entity for entity in reversed(active)}
    quote = next((e for e in active if e["type"] in _QUOTES), None)
    code = next((e for e in active if e["type"] in _CODE), None)
    if code is not None:
        return [quote, *(None for _ in _STYLES), None, code]
    others = (e for e in reversed(active) if e["type"] not in (*_QUOTES, *_STYLES))
    return [quote, *(by_type.get(style) for style in _STYLES), next(others, None), None]


def _identity(entity: Entity) -> int:
    """Styles that touch are one; links, quotes and blocks of code that touch are not."""
    return 0 if entity["type"] in _STYLES else id(entity)


def _render_screen(text: str) -> _Rendered:
    """The last lines that fit, as one block of fixed-width text."""
    lines = text.translate(_CONTROLS).split("\n")
    while len(lines) > 1 and length_of("\n".join(lines)) > LIMIT:
        lines = lines[1:]
    shown = (
        "\n".join(lines)[: LIMIT // 2] if length_of("\n".join(lines)) > LIMIT else "\n".join(lines)
    )
    return _Rendered(shown, (_entity("pre", 0, length_of(shown)),))


def _split(rendered: _Rendered) -> Iterator[_Rendered]:
    text, start = rendered.text, 0
    while text:
        end = _find_cut(text)
        piece, text = text[:end], text[end:]
        yield _Rendered(piece, _clip(rendered.entities, start, start + length_of(piece)))
        start += length_of(piece)


def _find_cut(text: str) -> int:
    """How many characters of `text` the next piece takes."""
    if length_of(text) <= LIMIT:
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
    return tuple(clipped)


def _trim(rendered: _Rendered) -> _Rendered:
    """Without the white space around it, as Telegram would cut that off and the entities not."""
    start = len(rendered.text) - len(rendered.text.lstrip("\n"))
    text = rendered.text[start:].rstrip()
    return _Rendered(text, _clip(rendered.entities, start, start + length_of(text)))
