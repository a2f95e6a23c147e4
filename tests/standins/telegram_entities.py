"""Message text as Telegram counts and cleans it: UTF-16 offsets, entities, limits and nesting.

Entities are the Bot API's own JSON objects (`{"type": "bold", "offset": 0, "length": 4}`), with
offsets and lengths in UTF-16 code units. The rules are those of TDLib's `MessageEntity.cpp`, with
one difference: explicit entities that TDLib would silently repair (crossing ones, styles around
code, more than 100) can be refused here, because a repair hides a mistake of the bot.
"""

import itertools
import re
from typing import Any

Entity = dict[str, Any]

STYLES = frozenset({"bold", "italic", "underline", "strikethrough", "spoiler"})
CODE = frozenset({"pre", "code"})
QUOTES = frozenset({"blockquote", "expandable_blockquote"})
LINKS = frozenset({"text_link", "text_mention", "custom_emoji", "date_time"})
FOUND = frozenset(
    {"mention", "hashtag", "cashtag", "bot_command", "url", "email", "phone_number"}
)  # recognised in the text by the server itself; naming them is allowed and changes nothing
MAX_ENTITIES = 100

_REQUIRED_FIELDS = {
    "text_link": "url",
    "text_mention": "user",
    "custom_emoji": "custom_emoji_id",
    "date_time": "unix_time",
}
_HUMAN_ENTITIES = (
    ("url", re.compile(r"https?://[^\s<>]+[^\s<>.,;:!?)'\"]")),
    ("bot_command", re.compile(r"(?<![\w/<>])/[0-9a-zA-Z_]{1,64}(@\w{3,32})?(?![\w/<>])")),
    ("mention", re.compile(r"(?<![\w@/])@[0-9a-zA-Z_]{3,32}(?!\w)")),
    ("hashtag", re.compile(r"(?<![\w#])#\w*[^\W\d]\w*")),
)


class EntityError(Exception):
    """What the real server says after "Bad Request: ", first letter included."""


def utf16_length(text: str) -> int:
    """Length in UTF-16 code units, the unit of every limit and offset of the Bot API."""
    return len(_units(text)) // 2


def utf16_index(text: str, offset: int) -> int | None:
    """Index in `text` of a UTF-16 offset; None if it lies outside or inside a surrogate pair."""
    units = _units(text)
    before, after = units[: 2 * offset], units[2 * offset :]
    if len(before) != 2 * offset:
        return None
    if before and after and before[-1] & 0xFC == 0xD8 and after[1] & 0xFC == 0xDC:
        return None  # inside a surrogate pair
    return len(before.decode("utf-16-le", "surrogatepass"))


def _units(text: str) -> bytes:
    return text.encode("utf-16-le", "surrogatepass")


def entity_text(text: str, entity: Entity) -> str:
    """The part of `text` that `entity` covers."""
    start = utf16_index(text, entity["offset"])
    end = utf16_index(text, entity["offset"] + entity["length"])
    if start is None or end is None:
        raise ValueError(f"{entity} does not fit {text!r}")
    return text[start:end]


def sort_entities(entities: list[Entity]) -> list[Entity]:
    """By offset, the longer first, quotes around styles around code."""
    ranks = {**dict.fromkeys(QUOTES, 0), **dict.fromkeys(STYLES, 1), **dict.fromkeys(CODE, 3)}
    return sorted(entities, key=lambda e: (e["offset"], -e["length"], ranks.get(e["type"], 2)))


def find_entities(text: str) -> list[Entity]:
    """What the server recognises in a text typed by a person: commands, links, mentions, tags."""
    found: list[Entity] = []
    taken: list[tuple[int, int]] = []
    for kind, pattern in _HUMAN_ENTITIES:
        for match in pattern.finditer(text):
            start, end = match.span()
            if any(start < other_end and other_start < end for other_start, other_end in taken):
                continue
            taken.append((start, end))
            offset = utf16_length(text[:start])
            length = utf16_length(match.group())
            found.append({"type": kind, "offset": offset, "length": length})
    return sort_entities(found)


def check_entities(text: str, entities: object, *, strict: bool) -> list[Entity]:
    """Explicit entities of a request, checked against `text`; raises EntityError."""
    if not isinstance(entities, list):
        raise EntityError("can't parse MessageEntity: Array of MessageEntity expected")
    checked = [_check_entity(text, entity) for entity in entities]
    checked = sort_entities([entity for entity in checked if entity["length"]])
    if strict and len(checked) > MAX_ENTITIES:
        raise EntityError(
            f"can't parse entities: more than {MAX_ENTITIES} entities (stand-in rule)"
        )
    if strict and (fault := _find_nesting_fault(checked)):
        raise EntityError(f"can't parse entities: {fault} (stand-in rule)")
    return checked


def _check_entity(text: str, entity: object) -> Entity:
    if not isinstance(entity, dict):
        raise EntityError("can't parse MessageEntity: expected an Object")
    kind = entity.get("type")
    if kind not in STYLES | CODE | QUOTES | LINKS | FOUND:
        raise EntityError("can't parse MessageEntity: Unsupported type specified")
    offset, length = entity.get("offset"), entity.get("length")
    for name, value in (("offset", offset), ("length", length)):
        if not isinstance(value, int) or isinstance(value, bool):
            raise EntityError(f'can\'t parse MessageEntity: Field "{name}" must be of type Number')
        if not 0 <= value <= 1_000_000:
            raise EntityError(f"receive an entity with incorrect {name} {value}")
    assert isinstance(offset, int)
    assert isinstance(length, int)
    required = _REQUIRED_FIELDS.get(str(kind))
    if required and not entity.get(required):
        raise EntityError(f"can't parse MessageEntity: Can't find field \"{required}\"")
    _check_span(text, offset, length)
    known = {"type", "offset", "length", "language", required}
    return {key: value for key, value in entity.items() if key in known and value is not None}


def _check_span(text: str, offset: int, length: int) -> None:
    size = utf16_length(text)
    if offset + length > size:
        raise EntityError(
            f"entity beginning at UTF-16 offset {offset} ends after the end of the text at UTF-16"
            f" offset {size}"
        )
    if utf16_index(text, offset) is None:
        raise EntityError(f"entity begins in a middle of a UTF-16 symbol at UTF-16 offset {offset}")
    if utf16_index(text, offset + length) is None:
        end = offset + length
        raise EntityError(f"entity ends in a middle of a UTF-16 symbol at UTF-16 offset {end}")


def _end(entity: Entity) -> int:
    end: int = entity["offset"] + entity["length"]
    return end


def _can_contain(parent: str, child: str) -> bool:
    if parent in CODE:
        return False
    if child in CODE:
        return parent in QUOTES
    if parent in QUOTES:
        return child not in QUOTES
    return parent in STYLES or child in STYLES


def _find_nesting_fault(entities: list[Entity]) -> str | None:
    """What is wrong with the nesting of sorted entities, or None."""
    around: list[Entity] = []
    for entity in entities:
        while around and _end(around[-1]) <= entity["offset"]:
            around.pop()
        for parent in around:
            if _end(parent) < _end(entity):
                return f"entities {parent['type']} and {entity['type']} cross"
            if not _can_contain(parent["type"], entity["type"]):
                return f"{parent['type']} can't contain {entity['type']}"
        around.append(entity)
    return None


def fix_nesting(entities: list[Entity]) -> list[Entity]:
    """The entities as TDLib keeps them: no styles around code, no quotes in quotes."""
    entities = sort_entities(entities)
    if _find_nesting_fault(entities) is None:
        return entities[:MAX_ENTITIES]
    quotes = _drop_overlapping([e for e in entities if e["type"] in QUOTES])
    solid = _drop_overlapping([e for e in entities if e["type"] not in STYLES | QUOTES])
    solid = [e for e in solid if not any(_crosses(e, quote) for quote in quotes)]
    cuts = sorted({cut for e in quotes + solid for cut in (e["offset"], _end(e))})
    code = [(e["offset"], _end(e)) for e in solid if e["type"] in CODE]
    styles = [
        piece
        for entity in entities
        if entity["type"] in STYLES
        for piece in _split_style(entity, cuts)
        if not any(start <= piece["offset"] < end for start, end in code)
    ]
    return sort_entities(quotes + solid + _drop_repeated(styles))[:MAX_ENTITIES]


def _drop_overlapping(entities: list[Entity]) -> list[Entity]:
    kept: list[Entity] = []
    for entity in entities:
        if not kept or _end(kept[-1]) <= entity["offset"]:
            kept.append(entity)
    return kept


def _crosses(one: Entity, other: Entity) -> bool:
    apart = _end(one) <= other["offset"] or _end(other) <= one["offset"]
    inside = other["offset"] <= one["offset"] and _end(one) <= _end(other)
    return not apart and not inside


def _split_style(entity: Entity, cuts: list[int]) -> list[Entity]:
    start, end = entity["offset"], _end(entity)
    edges = [start, *(cut for cut in cuts if start < cut < end), end]
    return [
        {**entity, "offset": left, "length": right - left}
        for left, right in itertools.pairwise(edges)
    ]


def _drop_repeated(entities: list[Entity]) -> list[Entity]:
    kept: list[Entity] = []
    for entity in entities:
        if entity not in kept:
            kept.append(entity)
    return kept


def clean_text(text: str, entities: list[Entity]) -> tuple[str, list[Entity]]:
    """Text and entities without control characters and outer blanks, as the server stores them."""
    text, entities = _remove_carriage_returns(text, entities)
    text = "".join(" " if ord(c) < 32 and c not in "\n\t" else c for c in text)
    stripped = text.rstrip()
    size = utf16_length(stripped)
    entities = [{**e, "length": min(_end(e), size) - e["offset"]} for e in entities]
    entities = [e for e in entities if e["length"] > 0]
    first = min((e["offset"] for e in entities), default=len(stripped))
    blank = 0
    while blank < min(first, len(stripped)) and stripped[blank] in " \n":
        blank += 1
    return stripped[blank:], [{**e, "offset": e["offset"] - blank} for e in entities]


def _remove_carriage_returns(text: str, entities: list[Entity]) -> tuple[str, list[Entity]]:
    if "\r" not in text:
        return text, entities
    returns: list[int] = []
    offset = 0
    for character in text:
        if character == "\r":
            returns.append(offset)
        offset += 2 if ord(character) > 0xFFFF else 1
    moved: list[Entity] = []
    for entity in entities:
        start = entity["offset"] - sum(1 for at in returns if at < entity["offset"])
        end = _end(entity) - sum(1 for at in returns if at < _end(entity))
        moved.append({**entity, "offset": start, "length": end - start})
    return text.replace("\r", ""), moved
