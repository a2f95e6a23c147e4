"""Edits of config.toml as text, so that what a person wrote there stays, comments too."""

import json
import re
import shlex
import tomllib
from typing import Any

from core.config import Secret
from core.errors import ConfigError


def has_setting(text: str, name: str) -> bool:
    """Whether the setting is there, and not empty. Raises ConfigError."""
    return bool(_parse(text).get(name, "") != "")


def put_setting(text: str, name: str, value: object) -> str:
    """The text with one setting (a value of `Config`) on its own line, or at the end if it's new.

    Raises ConfigError if the text is no TOML, or gives the setting in a way that is no single line.
    """
    line = f"{name} = {render_value(value)}"
    before = _parse(text)
    if name in before:
        pattern = rf"(?m)^[ \t]*{name}[ \t]*=[^\r\n]*"
        changed = re.sub(pattern, lambda _: line, text, count=1)
    else:
        gap = "" if not text or text.endswith("\n") else "\n"
        changed = f"{text}{gap}{line}\n"
    try:
        is_right = tomllib.loads(changed) == before | tomllib.loads(line)
    except tomllib.TOMLDecodeError:
        is_right = False
    if not is_right:
        raise ConfigError(f"{name} can't be changed in config.toml: change it there by hand.")
    return changed


def render_value(value: object) -> str:
    """A value of `Config` as TOML."""
    match value:
        case bool():
            return str(value).lower()
        case float():
            return repr(value).removesuffix(".0")
        case tuple() if all(isinstance(part, int) for part in value):
            return json.dumps(list(value))
        case tuple():
            return json.dumps(shlex.join(value), ensure_ascii=False)
        case Secret():
            return json.dumps(value.reveal(), ensure_ascii=False)
        case _:
            return json.dumps(str(value), ensure_ascii=False)


def _parse(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"config.toml can't be read: {error}.") from error
