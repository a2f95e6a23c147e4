"""Text with Telegram's entities: joined, cut, and nested as Telegram takes them.

* Offsets and lengths count UTF-16 units.
* Telegram takes no style around code, no quote in a quote and no entities that cross; what there is
  of these is cut so that the innermost wins.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

Entity = dict[str, Any]

_QUOTES = ("blockquote", "expandable_blockquote")
_CODE = ("code", "pre")
_STYLES = ("bold", "italic", "underline", "strikethrough", "spoiler")


@dataclass(frozen=True, slots=True)
class Rendered:
    """A text and its entities."""

    text: str
    entities: tuple[Entity, ...] = ()

    def clip(self, start: int, end: int) -> Rendered:
        """The part between two places in the text, with its share of the entities."""
        first = length_of(self.text[:start])
        text = self.text[start:end]
        return Rendered(text, clip_entities(self.entities, first, first + length_of(text)))

    def trim(self) -> Rendered:
        """Without the white space around it: Telegram would cut it off, but not the entities."""
        start = len(self.text) - len(self.text.lstrip("\n"))
        return self.clip(start, max(start, len(self.text.rstrip())))

    def styled(self, kind: str) -> Rendered:
        """All of it in one style."""
        return Rendered(self.text, (make_entity(kind, 0, length_of(self.text)), *self.entities))


def length_of(text: str) -> int:
    """UTF-16 units, in which Telegram counts."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def make_entity(kind: str, offset: int, length: int, **more: str) -> Entity:
    """An entity as in the Bot API."""
    return {"type": kind, "offset": offset, "length": length, **more}


def clip_entities(entities: Iterable[Entity], start: int, end: int) -> tuple[Entity, ...]:
    """The parts of the entities between two offsets, counted from the first."""
    clipped = []
    for entity in entities:
        first = max(entity["offset"], start)
        last = min(entity["offset"] + entity["length"], end)
        if last > first:
            clipped.append({**entity, "offset": first - start, "length": last - first})
    return tuple(clipped)


def join(parts: Iterable[Rendered | str], between: str = "") -> Rendered:
    """The parts one after the other."""
    text: list[str] = []
    entities: list[Entity] = []
    units = 0
    for number, part in enumerate(parts):
        shown = part if isinstance(part, Rendered) else Rendered(part)
        if number and between:
            text.append(between)
            units += length_of(between)
        text.append(shown.text)
        entities += [{**entity, "offset": entity["offset"] + units} for entity in shown.entities]
        units += length_of(shown.text)
    return Rendered("".join(text), tuple(entities))


def nest(entities: Iterable[Entity]) -> tuple[Entity, ...]:
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
    return tuple(entity for entity, _ in runs)


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
