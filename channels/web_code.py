"""Code in colours: a text in a known language as parts, each with the class of its colour."""

from __future__ import annotations

from pygments.lexers import get_lexer_by_name
from pygments.token import STANDARD_TYPES, Token, _TokenType
from pygments.util import ClassNotFound

MOST_CHARACTERS = 40_000


def colour(code: str, language: str) -> list[tuple[str, str]]:
    """The code as (class, text) with the classes of Pygments; "" for what has no colour.

    An unknown language has none, and neither has a very long text.
    """
    if not language or len(code) > MOST_CHARACTERS:
        return [("", code)]
    try:
        lexer = get_lexer_by_name(language, stripnl=False, ensurenl=False)
    except ClassNotFound:
        return [("", code)]
    parts: list[tuple[str, str]] = []
    for kind, text in lexer.get_tokens(f"{code}\n"):  # a diff knows only whole lines
        name = _class_of(kind) if text.strip() else ""
        if parts and parts[-1][0] == name:
            parts[-1] = (name, parts[-1][1] + text)
        else:
            parts.append((name, text))
    name, text = parts.pop()
    return [*parts, (name, text[:-1])] if text != "\n" else parts


def _class_of(kind: _TokenType) -> str:
    while kind not in STANDARD_TYPES and kind.parent is not None:
        kind = kind.parent
    return STANDARD_TYPES.get(kind, "") if kind is not Token.Text else ""
