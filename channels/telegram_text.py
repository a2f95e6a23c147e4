"""A post to the pieces that Telegram takes: at most 4,096 UTF-16 units and 100 entities each.

* A piece ends between paragraphs where it can, else between lines, else between words, and within
  an entity or a block of code only if that fits no message. A block of code that goes on in the
  next piece is a block of code there too.
* An answer that needs very many messages is shown as its first ones, and whole as a file.
* A card is one message whatever its length; details hang below the text as a folded quote.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import accumulate

from channels.telegram_entities import Rendered, join, length_of, make_entity
from channels.telegram_markdown import render_markdown
from core.foreign_text import replace_halves
from core.model import Attachment, Piece, Post

LIMIT = 4096
CAPTION_LIMIT = 1024
_ALBUM = 10
_MOST_ENTITIES = 100
_MOST_MESSAGES = 4
_FIRST_MESSAGES = 3
_GOES_ON = "The answer goes on in this file."
_LEAST_DETAILS = 400  # with less room than that below the text, details get a message of their own
_CONTROLS = {code: " " for code in range(32) if chr(code) not in "\n\t"}  # as Telegram does


def render_pieces(post: Post) -> list[Piece]:
    """The pieces of a post, at least one; the keyboard hangs below the last."""
    texts = [Piece(post, cut.text, cut.entities[:_MOST_ENTITIES]) for cut in _render(post)]
    albums = [Piece(post, "", files=album) for album in _group(post)]
    if post.style == "markdown" and len(texts) > _MOST_MESSAGES:
        whole = Attachment("answer.md", text=post.text)
        texts = [*texts[:_FIRST_MESSAGES], Piece(post, _GOES_ON, files=(whole,))]
    elif albums and len(texts) == 1 and length_of(texts[0].text) <= CAPTION_LIMIT:
        albums[0] = replace(texts[0], files=albums[0].files)
        texts = []
    *others, last = [*texts, *albums]
    return [*others, replace(last, keyboard=post.keyboard)]


def _render(post: Post) -> list[Rendered]:
    """The text and the details, cut to what messages hold; with attachments there may be none."""
    text = replace_halves(post.text)
    details = replace_halves(post.details).translate(_CONTROLS).strip()
    match post.style:
        case "card":
            cut = [_render_card(_render_markdown(text).trim(), details)]
        case "markdown":
            cut = _cut(_render_markdown(text), details)
        case "screen":
            cut = _cut(_render_screen(text), details)
        case "notice":
            cut = _cut(Rendered(text.translate(_CONTROLS)), details)
    cut = [piece for piece in cut if piece.text]
    return cut if cut or post.attachments else [Rendered("…")]


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


def _cut(rendered: Rendered, details: str) -> list[Rendered]:
    """Pieces that each fit; the details below the last, or on their own."""
    cut = [piece for part in _split(rendered) if (piece := part.trim()).text]
    if not details:
        return cut
    if not cut:
        return [_fold(Rendered(""), details, LIMIT)]
    room = LIMIT - 1 - length_of(cut[-1].text)
    if room < min(_LEAST_DETAILS, length_of(details)):
        return [*cut, _fold(Rendered(""), details, LIMIT)]
    return [*cut[:-1], _fold(cut[-1], details, room)]


def _render_card(rendered: Rendered, details: str) -> Rendered:
    """One message: as much of the details as half of it holds, or more; then the text's end."""
    if not details:
        return _keep_end(rendered, LIMIT)
    room = LIMIT - 1 - length_of(rendered.text)
    shown = Rendered(_keep_newest(details, max(room, LIMIT // 2)))
    text = _keep_end(rendered, LIMIT - 1 - length_of(shown.text))
    return _fold(text, shown.text, LIMIT)


def _fold(above: Rendered, details: str, room: int) -> Rendered:
    """The text with the details below it, folded."""
    start = f"{above.text}\n" if above.text else ""
    shown = _keep_newest(details, room)
    quote = {
        "type": "expandable_blockquote",
        "offset": length_of(start),
        "length": length_of(shown),
    }
    return Rendered(start + shown, (*above.entities[: _MOST_ENTITIES - 1], quote))


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


def _keep_end(rendered: Rendered, room: int) -> Rendered:
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
    return join(["…\n", rendered.clip(len(rendered.text) - len(kept), len(rendered.text))])


def _end_of(text: str, units: int) -> str:
    """As much of the end as so many UTF-16 units hold; no character is halved."""
    return text.encode("utf-16-le")[-2 * units :].decode("utf-16-le", errors="ignore")


def _render_markdown(text: str) -> Rendered:
    rendered = render_markdown(text)
    return Rendered(rendered.text.translate(_CONTROLS), rendered.entities)


def _render_screen(text: str) -> Rendered:
    """The last lines that fit, as one block of fixed-width text."""
    lines = text.translate(_CONTROLS).split("\n")
    while len(lines) > 1 and length_of("\n".join(lines)) > LIMIT:
        lines = lines[1:]
    shown = "\n".join(lines)
    if length_of(shown) > LIMIT:
        shown = shown[: LIMIT // 2]
    return Rendered(shown, (make_entity("pre", 0, length_of(shown)),))


def _split(rendered: Rendered) -> Iterator[Rendered]:
    while rendered.text:
        end = _find_cut(rendered)
        yield rendered.clip(0, end)
        rendered = rendered.clip(end, len(rendered.text))


def _find_cut(rendered: Rendered) -> int:
    """How many characters the next piece takes."""
    text = rendered.text
    starts = sorted(entity["offset"] for entity in rendered.entities)
    room = LIMIT if len(starts) <= _MOST_ENTITIES else max(1, min(LIMIT, starts[_MOST_ENTITIES]))
    if length_of(text) <= room:
        return len(text)
    units = [0, *accumulate(1 + (character > "\uffff") for character in text[: room + 1])]
    end = max(number for number, count in enumerate(units) if count <= room) or 1
    whole = [
        (entity["offset"], entity["offset"] + entity["length"])
        for entity in rendered.entities
        if entity["length"] <= LIMIT and entity["offset"] < room
    ]

    def is_between(cut: int) -> bool:
        return not any(start < units[cut] < stop for start, stop in whole)

    found = [_boundaries(text, end, mark) for mark in ("\n\n", "\n", " ")]
    for cuts in found:
        if (cut := next(filter(is_between, cuts), 0)) > 0:
            return cut
    before = [start for start, stop in whole if start < units[end] < stop and start > 0]
    if before:
        return units.index(min(before))
    return next((cut for cuts in found for cut in cuts), end)


def _boundaries(text: str, end: int, mark: str) -> Iterator[int]:
    """Places behind such a mark, from the end back to the middle."""
    at = text.rfind(mark, end // 2, end)
    while at > 0:
        yield at + len(mark)
        at = text.rfind(mark, end // 2, at)
