"""`parse_mode`: HTML and MarkdownV2 -> text and entities, with the refusals of the real parsers.

Byte offsets in its messages count the UTF-8 form of the request's text, as the server does.
"""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from tests.standins.telegram_entities import Entity, EntityError, utf16_length

_TAGS = {
    **dict.fromkeys(("b", "strong"), "bold"),
    **dict.fromkeys(("i", "em"), "italic"),
    **dict.fromkeys(("u", "ins"), "underline"),
    **dict.fromkeys(("s", "strike", "del"), "strikethrough"),
    **dict.fromkeys(("tg-spoiler", "span"), "spoiler"),
    "tg-emoji": "custom_emoji",
    "tg-time": "date_time",
    "a": "text_link",
    "pre": "pre",
    "code": "code",
    "blockquote": "blockquote",
}
_SPACES = " \t\r\n\v\0"
_REFERENCES = {"lt": "<", "gt": ">", "amp": "&", "quot": '"'}
_REFERENCE = re.compile(r"&(?:#x([0-9a-fA-F]*)|#([0-9]*)|([a-zA-Z]*));?")
_MARKDOWN_RESERVED = "_*[]()~`>#+-=|{}.!\n"
_MARKDOWN_SPANS = {"*": "bold", "~": "strikethrough", "`": "code", "[": "text_link"}
_MARKDOWN_ENDS = {
    "bold": "*",
    "underline": "__",
    "strikethrough": "~",
    "spoiler": "||",
    "code": "`",
    "pre": "```",
    "text_link": "]",
    "custom_emoji": "]",
}
_MARKDOWN_NAMES = {
    "bold": "Bold",
    "italic": "Italic",
    "underline": "Underline",
    "strikethrough": "Strikethrough",
    "spoiler": "Spoiler",
    "code": "Code",
    "pre": "Pre",
    "text_link": "TextUrl",
    "custom_emoji": "CustomEmoji",
    "blockquote": "BlockQuote",
}


def parse_html(source: str) -> tuple[str, list[Entity]]:
    """Text and unsorted entities of `parse_mode=HTML`; raises EntityError."""
    return _HtmlReader(source).read()


def parse_markdown_v2(source: str) -> tuple[str, list[Entity]]:
    """Text and unsorted entities of `parse_mode=MarkdownV2`; raises EntityError."""
    return _MarkdownReader(source).read()


def link_entity(url: str, span: Entity) -> Entity | None:
    """`span` as a link to `url`; None where the server drops the link and keeps the text."""
    user = re.fullmatch(r"tg://user\?id=(\d+)", url)
    if user:
        mentioned = {"id": int(user[1]), "is_bot": False, "first_name": "User"}
        return {**span, "type": "text_mention", "user": mentioned}
    if "://" not in url:
        url = f"http://{url}"
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    host = parts.hostname or ""
    if parts.scheme in {"tg", "ton", "tonsite"}:
        return {**span, "type": "text_link", "url": url}
    if parts.scheme not in {"http", "https"} or not re.search(r"\w\.\w", host):
        return None
    return {**span, "type": "text_link", "url": url if parts.path else f"{url}/"}


@dataclass(slots=True)
class _Open:
    """A tag or mark that waits for its end."""

    name: str
    argument: str
    offset: int
    begin: int
    source_at: int


class _Reader:
    """What both parsers share: the source, the text so far, its UTF-16 length, what is open."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.padded = source + "\0\0\0"
        self.at = 0
        self.text: list[str] = []
        self.units = 0
        self.open: list[_Open] = []
        self.entities: list[Entity] = []

    def emit(self, characters: str) -> None:
        self.text.append(characters)
        self.units += utf16_length(characters)

    def bytes_before(self, index: int) -> int:
        return len(self.source[:index].encode())

    def push(self, name: str, argument: str, source_at: int) -> None:
        self.open.append(_Open(name, argument, self.units, len(self.text), source_at))

    def span(self, opened: _Open, kind: str) -> Entity:
        return {"type": kind, "offset": opened.offset, "length": self.units - opened.offset}

    def text_since(self, opened: _Open) -> str:
        return "".join(self.text[opened.begin :])


class _HtmlReader(_Reader):
    def read(self) -> tuple[str, list[Entity]]:
        while self.at < len(self.source):
            character = self.source[self.at]
            if character == "<":
                if self.padded[self.at + 1] == "/":
                    self._read_end_tag()
                else:
                    self._read_start_tag()
            elif character != "&" or not self._read_reference():
                self.emit(character)
                self.at += 1
        if self.open:
            name = self.open[-1].name
            raise EntityError(f'Can\'t find end tag corresponding to start tag "{name}"')
        for entity in self.entities:
            if entity["type"] == "code":
                entity.pop("language", None)
        return "".join(self.text), self.entities

    def _read_reference(self) -> bool:
        decoded, length = _decode_reference(self.source, self.at)
        if not decoded:
            return False
        self.emit(decoded)
        self.at += length
        return True

    def _skip_until(self, stops: str) -> str:
        begin = self.at
        while self.padded[self.at] not in stops:
            self.at += 1
        return self.source[begin : self.at]

    def _skip_spaces(self) -> None:
        while self.at < len(self.source) and self.padded[self.at] in _SPACES:
            self.at += 1

    def _read_start_tag(self) -> None:
        begin = self.at
        offset = self.bytes_before(begin)
        self.at += 1
        tag = self._skip_until(_SPACES + ">").lower()
        if self.at >= len(self.source):
            raise EntityError(f"Unclosed start tag at byte offset {offset}")
        if tag not in _TAGS:
            raise EntityError(f'Unsupported start tag "{tag}" at byte offset {offset}')
        argument = ""
        while self.padded[self.at] != ">":
            self._skip_spaces()
            if self.padded[self.at] == ">":
                break
            argument = self._read_attribute(tag, offset) or argument
        self.at += 1
        if tag == "span" and argument != "spoiler":
            raise EntityError(f'Tag "span" must have class "tg-spoiler" at byte offset {offset}')
        self.push(tag, argument, begin)

    def _read_attribute(self, tag: str, offset: int) -> str:
        """Reads one attribute; answers the tag's argument if this attribute gives it, else ""."""
        name = self._skip_until(_SPACES + "=>/\"'")
        if not name:
            raise EntityError(f'Empty attribute name in the tag "{tag}" at byte offset {offset}')
        self._skip_spaces()
        if self.padded[self.at] != "=":
            if self.at >= len(self.source):
                raise EntityError(f'Unclosed start tag "{tag}" at byte offset {offset}')
            return "1" if (tag, name) == ("blockquote", "expandable") else ""
        self.at += 1
        self._skip_spaces()
        if self.at >= len(self.source):
            raise EntityError(f'Unclosed start tag "{tag}" at byte offset {offset}')
        value = self._read_attribute_value()
        if self.at >= len(self.source):
            raise EntityError(f"Unclosed start tag at byte offset {offset}")
        return _tag_argument(tag, name, value)

    def _read_attribute_value(self) -> str:
        quote = self.padded[self.at]
        if quote not in "'\"":
            begin = self.at
            found = re.compile(r"[0-9a-zA-Z.-]*").match(self.source, begin)
            value = found.group() if found else ""
            self.at += len(value)
            if self.padded[self.at] not in _SPACES + ">":
                raise EntityError(
                    f"Unexpected end of name token at byte offset {self.bytes_before(begin)}"
                )
            return value.lower()
        end = self.source.find(quote, self.at + 1)
        raw = self.source[self.at + 1 : end if end >= 0 else len(self.source)]
        self.at = end + 1 if end >= 0 else len(self.source)
        return _REFERENCE.sub(lambda m: _decode_reference(m[0], 0)[0] or m[0], raw)

    def _read_end_tag(self) -> None:
        offset = self.bytes_before(self.at)
        if not self.open:
            raise EntityError(f"Unexpected end tag at byte offset {offset}")
        self.at += 2
        name = self._skip_until(_SPACES + ">").lower()
        self._skip_spaces()
        if self.padded[self.at] != ">":
            raise EntityError(f"Unclosed end tag at byte offset {offset}")
        self.at += 1
        expected = self.open[-1].name
        if name and name != expected:
            raise EntityError(
                f'Unmatched end tag at byte offset {offset}, expected "</{expected}>",'
                f' found "</{name}>"'
            )
        opened = self.open.pop()
        if self.units > opened.offset:
            self._close(opened)

    def _close(self, opened: _Open) -> None:
        entity = self.span(opened, _TAGS[opened.name])
        match opened.name:
            case "a":
                link = link_entity(opened.argument or self.text_since(opened), entity)
                if link is None:
                    return
                entity = link
            case "tg-emoji":
                if not re.fullmatch(r"-?[1-9]\d*", opened.argument):
                    raise EntityError("Invalid custom emoji identifier specified")
                entity["custom_emoji_id"] = opened.argument
            case "tg-time":
                if not opened.argument.isdigit():
                    return
                entity["unix_time"] = int(opened.argument)
            case "blockquote" if opened.argument:
                entity["type"] = "expandable_blockquote"
            case "pre" | "code":
                self._close_code(opened, entity)
                return
        self.entities.append(entity)

    def _close_code(self, opened: _Open, entity: Entity) -> None:
        """`<pre><code class="language-x">` is one entity, either way round."""
        if opened.argument:
            entity["language"] = opened.argument
        last = self.entities[-1] if self.entities else {}
        same_span = (last.get("offset"), last.get("length")) == (entity["offset"], entity["length"])
        other = {"pre": "code", "code": "pre"}[entity["type"]]
        if same_span and last.get("type") == other and (language := _language_of(entity, last)):
            last.update(type="pre", language=language)
        else:
            self.entities.append(entity)


def _language_of(*entities: Entity) -> str:
    return next((e["language"] for e in entities if e["type"] == "code" and "language" in e), "")


def _tag_argument(tag: str, name: str, value: str) -> str:
    match tag, name:
        case ("a", "href") | ("tg-emoji", "emoji-id") | ("tg-time", "unix"):
            return value
        case ("code", "class") if value.startswith("language-"):
            return value.removeprefix("language-")
        case ("span", "class") if value.startswith("tg-"):
            return value.removeprefix("tg-")
        case ("blockquote", "expandable"):
            return "1"
        case _:
            return ""


def _decode_reference(source: str, at: int) -> tuple[str, int]:
    """The character that a reference such as `&lt;` stands for and its length; "" if none."""
    match = _REFERENCE.match(source, at)
    if match is None:
        return "", 0
    hexadecimal, decimal, name = match.groups()
    if name is not None:
        return _REFERENCES.get(name, ""), len(match[0])
    digits = hexadecimal or decimal or "0"
    code = int(digits, 16 if hexadecimal else 10)
    too_long = len(match[0].rstrip(";")) >= 10
    if code == 0 or code >= 0x10FFFF or too_long:
        return "", 0
    if 0xD800 <= code <= 0xDFFF:
        raise EntityError(
            "Text contains invalid Unicode characters after decoding HTML entities, check for"
            " unmatched surrogate code units"
        )
    return chr(code), len(match[0])


class _MarkdownReader(_Reader):
    def __init__(self, source: str) -> None:
        super().__init__(source)
        self.in_quote = False
        self.can_start_quote = True

    def read(self) -> tuple[str, list[Entity]]:
        while self.at < len(self.source):
            character = self.source[self.at]
            following = self.padded[self.at + 1]
            if character == "\\" and 0 < ord(following) <= 126:
                self._emit_plain(following)
                self.at += 2
            elif character not in self._reserved():
                self._emit_plain(character)
                self.at += 1
            elif self._ends_open(character):
                self._close(character)
            else:
                self._open(character)
        self._close_last_quote()
        if self.open:
            self._refuse_unclosed()
        return "".join(self.text), self.entities

    def _emit_plain(self, character: str) -> None:
        self.emit(character)
        self.can_start_quote = False

    def _reserved(self) -> str:
        in_code = bool(self.open) and self.open[-1].name in {"code", "pre"}
        return "`" if in_code else _MARKDOWN_RESERVED

    def _refuse_unclosed(self) -> None:
        last = self.open[-1]
        name = "PreCode" if last.name == "pre" and last.argument else _MARKDOWN_NAMES[last.name]
        offset = self.bytes_before(last.source_at)
        raise EntityError(f"Can't find end of {name} entity at byte offset {offset}")

    def _ends_open(self, character: str) -> bool:
        if not self.open:
            return False
        if self.in_quote and character == "\n" and self.padded[self.at + 1] != ">":
            return True
        name = self.open[-1].name
        ahead = self.padded[self.at : self.at + 3]
        if name == "italic":
            return character == "_" and ahead[1] != "_"
        return name in _MARKDOWN_ENDS and ahead.startswith(_MARKDOWN_ENDS[name])

    def _open(self, character: str) -> None:
        begin = self.at
        ahead = self.padded[begin : begin + 3]
        self.at += 1
        if character == "\n":
            self.emit("\n")
            self.can_start_quote = True
        elif character == ">" and self.can_start_quote:
            if not self.in_quote:
                self.push("blockquote", "", begin)
                self.in_quote = True
        elif ahead == "```":
            self._open_pre(begin)
        elif ahead.startswith(("__", "||", "![")):
            self.at += 1
            kind = {"_": "underline", "|": "spoiler", "!": "custom_emoji"}[character]
            self.push(kind, "", begin)
        elif character == "_":
            self.push("italic", "", begin)
        elif character in _MARKDOWN_SPANS:
            self.push(_MARKDOWN_SPANS[character], "", begin)
        else:
            raise EntityError(
                f"Character '{character}' is reserved and must be escaped with the preceding '\\'"
            )

    def _open_pre(self, begin: int) -> None:
        self.at = begin + 3
        language = re.compile(r"[^ \t\r\n\v\0`]*").match(self.source, self.at)
        argument = language.group() if language else ""
        end = self.at + len(argument)
        if argument and end < len(self.source) and self.source[end] != "`":
            self.at = end
        else:
            argument = ""
        if self.padded[self.at : self.at + 2] in {"\r\n", "\n\r"}:
            self.at += 2
        elif self.padded[self.at] in "\r\n":
            self.at += 1
        self.push("pre", argument, begin)

    def _close(self, character: str) -> None:
        opened = self.open[-1]
        if character == "\n":
            self._close_quote_at_line_end()
            return
        self.open.pop()
        self.at += {"underline": 2, "spoiler": 2, "pre": 3}.get(opened.name, 1)
        entity: Entity | None = self.span(opened, opened.name)
        assert entity is not None
        match opened.name:
            case "text_link":
                has_url = self.padded[self.at] == "("
                url = self._read_url() if has_url else self.text_since(opened)
                entity = link_entity(url, entity)
            case "custom_emoji":
                entity["custom_emoji_id"] = self._read_emoji_id()
            case "pre" if opened.argument:
                entity["language"] = opened.argument
        if entity is not None and entity["length"]:
            self.entities.append(entity)

    def _read_url(self) -> str:
        self.at += 1
        begin = self.at
        url = ""
        while self.padded[self.at] not in ")\0":
            escaped = self.padded[self.at] == "\\" and 0 < ord(self.padded[self.at + 1]) <= 126
            self.at += 1 if escaped else 0
            url += self.padded[self.at]
            self.at += 1
        if self.at >= len(self.source):
            raise EntityError(f"Can't find end of a URL at byte offset {self.bytes_before(begin)}")
        self.at += 1
        return url

    def _read_emoji_id(self) -> str:
        if self.padded[self.at] != "(":
            raise EntityError("The entity must contain a tg://emoji or tg://time URL")
        match = re.fullmatch(r"tg://emoji\?id=(\d+)", self._read_url())
        if match is None:
            raise EntityError("Invalid tg://emoji or tg://time URL specified")
        return match[1]

    def _close_quote_at_line_end(self) -> None:
        kind = "blockquote"
        last = self.open[-1]
        if last.name == "spoiler" and last.source_at == self.at - 2:
            self.open.pop()
            kind = "expandable_blockquote"
        if not self.open or self.open[-1].name != "blockquote":
            self._refuse_unclosed()
        opened = self.open.pop()
        self.in_quote = False
        self.emit("\n")
        self.at += 1
        self.can_start_quote = True
        self.entities.append(self.span(opened, kind))

    def _close_last_quote(self) -> None:
        if not self.in_quote:
            return
        kind = "blockquote"
        last = self.open[-1]
        if last.name == "spoiler" and last.source_at == len(self.source) - 2:
            self.open.pop()
            kind = "expandable_blockquote"
        if self.open[-1].name == "blockquote":
            entity = self.span(self.open.pop(), kind)
            self.in_quote = False
            if entity["length"]:
                self.entities.append(entity)
