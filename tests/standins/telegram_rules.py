"""What the Bot API refuses about a request's parameters, in the real server's words."""

import json
import re
import struct
from dataclasses import dataclass
from typing import Any

from telegram.constants import ChatAction, ReactionEmoji

from tests.standins.telegram_entities import (
    MAX_ENTITIES,
    Entity,
    EntityError,
    check_entities,
    clean_text,
    fix_nesting,
    utf16_length,
)
from tests.standins.telegram_markup import parse_html, parse_markdown_v2
from tests.standins.telegram_state import Json

MAX_TEXT = 4096
MAX_CAPTION = 1024
MAX_PHOTO_BYTES = 10 * 1024 * 1024
_MAX_BUTTONS = 100
_REACTIONS = frozenset(reaction.value for reaction in ReactionEmoji)
_ACTIONS = frozenset(action.value for action in ChatAction)
_PARSERS = {"html": parse_html, "markdownv2": parse_markdown_v2}
_BUTTON_ACTIONS = frozenset(
    {
        "url",
        "callback_data",
        "web_app",
        "login_url",
        "switch_inline_query",
        "switch_inline_query_current_chat",
        "switch_inline_query_chosen_chat",
        "copy_text",
        "callback_game",
        "pay",
    }
)
_OTHER_MARKUPS = ("keyboard", "remove_keyboard", "force_reply")


class RefusedError(Exception):
    """An answer with `ok: false`."""

    def __init__(self, status: int, description: str, parameters: Json | None = None) -> None:
        super().__init__(description)
        self.status = status
        self.description = description
        self.parameters = parameters or {}


def bad_request(reason: str) -> RefusedError:
    """400 with the reason as the server words it: its first letter small."""
    lowered = reason[:1].lower() + reason[1:] if reason[1:2].islower() else reason
    return RefusedError(400, f"Bad Request: {lowered}")


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that came with the request."""

    name: str
    data: bytes
    mime_type: str

    def __repr__(self) -> str:
        return f"Upload({self.name!r}, {len(self.data)} bytes, {self.mime_type!r})"


class Params:
    """Parameters of one request, sent as text in a form or as values in a JSON body."""

    def __init__(self, values: Json) -> None:
        self.values = values

    def has(self, name: str) -> bool:
        """Whether the parameter was given and is not empty."""
        return self.values.get(name) not in (None, "")

    def text(self, name: str) -> str:
        """The parameter as text; "" if it was not given."""
        value = self.values.get(name, "")
        text = value if isinstance(value, str) else json.dumps(value)
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise bad_request("strings must be encoded in UTF-8") from error
        return text

    def integer(self, name: str) -> int:
        """The parameter as a number; 0 if it was not given or is none, as on the server."""
        value = self.values.get(name, 0)
        try:
            return int(value)
        except (TypeError, ValueError):
            return 0

    def flag(self, name: str) -> bool:
        """The parameter as a truth value."""
        return str(self.values.get(name, "")).strip().lower() in {"true", "yes", "1"}

    def value(self, name: str, wrong: str) -> Any:
        """A nested parameter, decoded if it came as JSON text; refused as `wrong` if it is none."""
        value = self.values.get(name)
        if not isinstance(value, str):
            return value
        if not value.strip():
            return None
        try:
            return json.loads(value)
        except ValueError as error:
            raise bad_request(wrong) from error

    def upload(self, name: str) -> Upload | None:
        """The file sent under that name, directly or by `attach://`."""
        value = self.values.get(name)
        if isinstance(value, str) and value.startswith("attach://"):
            value = self.values.get(value.removeprefix("attach://"))
        return value if isinstance(value, Upload) else None


def read_text(params: Params, *, strict: bool) -> tuple[str, list[Entity]]:
    """`text` of sendMessage and editMessageText, as the server will show it."""
    if not params.text("text"):
        raise bad_request("message text is empty")
    text, entities = _read_formatted(params, "text", "entities", strict=strict)
    if not text:
        raise bad_request("text must be non-empty")
    if utf16_length(text) > MAX_TEXT:
        raise bad_request("message is too long")
    return text, entities


def read_caption(params: Params, *, strict: bool) -> tuple[str, list[Entity]]:
    """`caption` of a file; may be empty."""
    text, entities = _read_formatted(params, "caption", "caption_entities", strict=strict)
    if utf16_length(text) > MAX_CAPTION:
        raise bad_request("message caption is too long")
    return text, entities


def _read_formatted(
    params: Params, text_name: str, entities_name: str, *, strict: bool
) -> tuple[str, list[Entity]]:
    text = params.text(text_name)
    mode = params.text("parse_mode").lower()
    if mode and mode not in _PARSERS:
        raise bad_request("unsupported parse_mode")
    if mode:
        try:
            text, entities = _PARSERS[mode](text)
        except EntityError as error:
            raise bad_request(f"can't parse entities: {error}") from error
        if strict and len(entities) > MAX_ENTITIES:
            raise bad_request(f"can't parse entities: more than {MAX_ENTITIES} (stand-in rule)")
        return clean_text(text, fix_nesting(entities))
    given = params.value(entities_name, "can't parse entities JSON object")
    if given is None:
        return clean_text(text, [])
    try:
        checked = check_entities(text, given, strict=strict)
    except EntityError as error:
        raise bad_request(str(error)) from error
    return clean_text(text, fix_nesting(checked))


def read_markup(params: Params) -> Json | None:
    """`reply_markup`, checked; None if there is none."""
    markup = params.value("reply_markup", "can't parse reply keyboard markup JSON object")
    if markup is None:
        return None
    if not isinstance(markup, dict):
        raise bad_request("object expected as reply markup")
    if "inline_keyboard" in markup:
        _check_inline_keyboard(markup["inline_keyboard"])
    elif not any(key in markup for key in _OTHER_MARKUPS):
        raise bad_request("can't parse reply markup: object of an unknown type (stand-in rule)")
    return markup


def _check_inline_keyboard(rows: object) -> None:
    if not isinstance(rows, list):
        raise bad_request('field "inline_keyboard" must be of type Array')
    count = 0
    for row in rows:
        if not isinstance(row, list):
            raise bad_request("can't parse inline keyboard button: expected an Array")
        for button in row:
            _check_button(button)
            count += 1
    if count > _MAX_BUTTONS:
        raise bad_request("reply markup is too long")


def _check_button(button: object) -> None:
    if not isinstance(button, dict):
        raise bad_request("can't parse inline keyboard button: expected an Object")
    if not isinstance(button.get("text"), str):
        raise bad_request("can't parse inline keyboard button: Can't find field \"text\"")
    if not button["text"].strip():
        raise bad_request("inline keyboard button text must be non-empty")
    actions = _BUTTON_ACTIONS & button.keys()
    if not actions:
        raise bad_request(
            "can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard"
        )
    if "callback_data" in actions:
        data = button["callback_data"]
        if not isinstance(data, str) or not 1 <= len(data.encode()) <= 64:
            raise bad_request("BUTTON_DATA_INVALID")
    if "url" in actions and not re.match(r"(https?|tg)://\S+", str(button["url"])):
        raise bad_request("BUTTON_URL_INVALID")


def read_commands(params: Params) -> list[Json]:
    """`commands` of setMyCommands; a leading slash is dropped, as the server does."""
    given = params.value("commands", "can't parse commands JSON object")
    if not isinstance(given, list):
        raise bad_request("expected an Array of BotCommand")
    if len(given) > 100:
        raise bad_request("BOT_COMMANDS_TOO_MUCH")
    commands = []
    for item in given:
        if not isinstance(item, dict):
            raise bad_request("expected an Object of type BotCommand")
        name = str(item.get("command", "")).strip().removeprefix("/")
        description = str(item.get("description", "")).strip()
        if not re.fullmatch(r"[a-z0-9_]{1,32}", name):
            raise bad_request("BOT_COMMAND_INVALID")
        if not 1 <= len(description) <= 256:
            raise bad_request("BOT_COMMAND_DESCRIPTION_INVALID")
        commands.append({"command": name, "description": description})
    return commands


def read_command_scope(params: Params) -> tuple[str, str]:
    """(scope, language) as a key: "default", "all_private_chats", "chat:42", "chat_member:42:7"."""
    scope = params.value("scope", "can't parse BotCommandScope JSON object") or {"type": "default"}
    if not isinstance(scope, dict) or "type" not in scope:
        raise bad_request("can't parse BotCommandScope: Can't find field \"type\"")
    parts = [str(scope[key]) for key in ("type", "chat_id", "user_id") if key in scope]
    language = params.text("language_code")
    if language and not re.fullmatch(r"[a-z]{2}", language):
        raise bad_request("BOT_LANG_CODE_INVALID")
    return ":".join(parts), language


def read_reactions(params: Params) -> list[str]:
    """Emoji of setMessageReaction; a bot may set one."""
    given = params.value("reaction", "can't parse reaction types JSON object")
    if given is None:
        return []
    if not isinstance(given, list):
        raise bad_request("expected an Array of ReactionType")
    emoji: list[str] = []
    for item in given:
        if not isinstance(item, dict) or item.get("type") != "emoji":
            raise bad_request("REACTION_INVALID")
        emoji.append(str(item.get("emoji")))
    if len(emoji) > 1:
        raise bad_request("REACTIONS_TOO_MANY")
    if not _REACTIONS.issuperset(emoji):
        raise bad_request("REACTION_INVALID")
    return emoji


def read_chat_action(params: Params) -> str:
    """`action` of sendChatAction."""
    action = params.text("action")
    if action not in _ACTIONS:
        raise bad_request("wrong parameter action in request")
    return action


def check_photo(data: bytes) -> tuple[int, int]:
    """Width and height of a picture the server would take as a photo; (0, 0) if not a PNG."""
    if len(data) > MAX_PHOTO_BYTES:
        raise bad_request(
            f"file of size {len(data)} bytes is too big for a photo; the maximum size is"
            f" {MAX_PHOTO_BYTES} bytes"
        )
    if data.startswith(b"\x89PNG\r\n\x1a\n") and len(data) >= 24:
        width, height = struct.unpack(">II", data[16:24])
        is_flat = max(width, height) > 20 * max(1, min(width, height))
        if width + height > 10_000 or is_flat or not min(width, height):
            raise bad_request("PHOTO_INVALID_DIMENSIONS")
        return width, height
    is_picture = data.startswith((b"\xff\xd8\xff", b"GIF8")) or data[8:12] == b"WEBP"
    if not is_picture:
        raise bad_request("IMAGE_PROCESS_FAILED")
    return 0, 0
