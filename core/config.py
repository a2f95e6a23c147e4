"""The settings: the environment over config.toml over the defaults, as one checked `Config`.

A setting has one name in both places: `BRIDGE_IDLE_MINUTES` in the environment is `idle_minutes` in
the file (`TELEGRAM_BOT_TOKEN` is `telegram_bot_token`). An empty variable counts as not set.
"""

from __future__ import annotations

import dataclasses
import hashlib
import shlex
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import msgspec

from core.errors import ConfigError
from core.freshness import FreshnessPolicy, ResetMode
from core.model import AT_THE_PAGE

PermissionMode = Literal[
    "default", "acceptEdits", "plan", "auto", "dontAsk", "bypassPermissions", "manual"
]
Minutes = Annotated[float, msgspec.Meta(gt=0, le=525_600)]
Days = Annotated[float, msgspec.Meta(gt=0, le=36_500)]
TelegramUrl = Annotated[str, msgspec.Meta(pattern=r"^https?://[^\s?#]+$")]
Megabytes = Annotated[float, msgspec.Meta(gt=0, le=2_000)]
ModelName = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_./-]*$", max_length=200)]
SocketName = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_./-]+$", max_length=90)]

HostName = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_.:-]+$", max_length=253)]
Port = Annotated[int, msgspec.Meta(ge=1, le=65_535)]
PageUrl = Annotated[str, msgspec.Meta(pattern=r"^(https?://[^\s?#@]+)?$", max_length=500)]

Hour = Annotated[int, msgspec.Meta(ge=0, le=23)]

_PREFIX = "BRIDGE_"
_SWITCH = {"on": "true", "yes": "true", "off": "false", "no": "false"}


class Secret:
    """A text that shows itself only when asked."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself."""
        return self._text

    def __bool__(self) -> bool:
        return bool(self._text)

    def __repr__(self) -> str:
        return "Secret(***)"


@dataclass(frozen=True, slots=True)
class Config:
    """Every setting; a relative or `~` path has been made absolute.

    Units are in the names; `allowed_users` are Telegram's numeric user ids, `allowed_groups` its
    (negative) chat ids.
    """

    telegram_bot_token: Secret = field(default_factory=lambda: Secret(""))
    allowed_users: tuple[int, ...] = ()
    allowed_groups: tuple[int, ...] = ()
    project_dir: Path = Path("~")
    project_roots: tuple[Path, ...] = ()
    state_dir: Path = Path("~/.claude/sessions/telegram")
    telegram_api_url: TelegramUrl = "https://api.telegram.org"
    claude_command: tuple[str, ...] = ("claude",)
    permission_mode: PermissionMode = "default"
    bypass_permissions: bool = False
    tmux_socket: SocketName = "claude-telegram"
    idle_minutes: Minutes = 60.0
    reset_mode: ResetMode = "none"
    reset_idle_minutes: Minutes = 480.0
    reset_hour: Hour = 4
    resume_on_start: bool = False
    retention_days: Days = 30.0
    shell: bool = False
    mask_secrets: bool = True
    files_dir: Path = Path("~/.local/share/claude-telegram")
    upload_megabytes: Megabytes = 20.0
    transcribe_command: tuple[str, ...] = ()
    whisper_model: ModelName = "base"
    web: bool = False
    web_address: HostName = "127.0.0.1"
    web_port: Port = 8427
    web_url: PageUrl = ""

    @property
    def owners(self) -> tuple[int, ...]:
        """The user ids that are owners without pairing; who is at the page is one."""
        return (*self.allowed_users, AT_THE_PAGE) if self.web else self.allowed_users

    @property
    def allows_bypass(self) -> bool:
        """Whether a chat may choose the permission mode that never asks."""
        return self.bypass_permissions or self.permission_mode == "bypassPermissions"

    @property
    def roots(self) -> tuple[Path, ...]:
        """Below which directories new sessions are offered: always the project's, too."""
        others = (root for root in self.project_roots if root != self.project_dir)
        is_covered = any(self.project_dir.is_relative_to(root) for root in self.project_roots)
        return (*(() if is_covered else (self.project_dir,)), *others) or (self.project_dir,)

    @property
    def freshness(self) -> FreshnessPolicy:
        """When a conversation is begun anew."""
        return FreshnessPolicy(self.reset_mode, self.reset_idle_minutes * 60, self.reset_hour)

    @property
    def bridge_dir(self) -> Path:
        """Where the bridge keeps all but the sessions, whose folder holds nothing else."""
        return self.state_dir / "bridge"


def config_path(environ: Mapping[str, str]) -> Path:
    """Where config.toml is: below `XDG_CONFIG_HOME`, else `~/.config`."""
    base = environ.get("XDG_CONFIG_HOME") or "~/.config"
    return _absolute(base, environ) / "claude-telegram" / "config.toml"


def routing_path(environ: Mapping[str, str]) -> Path:
    """Where a person's own table of routing rules is, beside config.toml."""
    return config_path(environ).with_name("routing.toml")


def claude_config_dir(environ: Mapping[str, str]) -> Path:
    """Claude Code's own folder: `CLAUDE_CONFIG_DIR`, else `~/.claude`."""
    return _absolute(environ.get("CLAUDE_CONFIG_DIR") or "~/.claude", environ)


def environment_name(setting: str) -> str:
    """The environment variable of a setting: `idle_minutes` -> `BRIDGE_IDLE_MINUTES`."""
    if setting == "telegram_bot_token":
        return "TELEGRAM_BOT_TOKEN"
    return _PREFIX + setting.upper()


def load_config(environ: Mapping[str, str], file_text: str = "") -> Config:
    """The settings from the environment and the text of config.toml.

    Raises:
        ConfigError: a value that can't be used, a name that is no setting, or text that is no TOML.
    """
    written = _parse_file(file_text)
    values: dict[str, Any] = {}
    hints = get_type_hints(Config, include_extras=True)
    for setting in dataclasses.fields(Config):
        name = setting.name
        variable = environment_name(name)
        if environ.get(variable):
            values[name] = _parse_value(variable, environ[variable], hints[name], environ)
        elif name in written:
            values[name] = _parse_value(
                f"{name} in config.toml", written[name], hints[name], environ
            )
    values.setdefault("state_dir", claude_config_dir(environ) / "sessions" / "telegram")
    values.setdefault("project_dir", _absolute("~", environ))
    values.setdefault("files_dir", _files_dir(values["state_dir"], environ))
    return Config(**values)


def _files_dir(state_dir: Path, environ: Mapping[str, str]) -> Path:
    """Not below `.claude`, where Claude Code asks before it writes; of this state alone."""
    base = _absolute(environ.get("XDG_DATA_HOME") or "~/.local/share", environ)
    name = hashlib.sha256(str(state_dir).encode()).hexdigest()[:8]
    return base / "claude-telegram" / f"files-{name}"


def _parse_file(text: str) -> dict[str, Any]:
    try:
        written = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"config.toml can't be read: {error}.") from error
    known = {setting.name for setting in dataclasses.fields(Config)}
    for name in written:
        if name not in known:
            raise ConfigError(
                f"config.toml has {name!r}, which is no setting; "
                f"the settings are {', '.join(sorted(known))}."
            )
    return written


def _parse_value(where: str, value: Any, kind: Any, environ: Mapping[str, str]) -> Any:
    if kind is Secret:
        return Secret(str(value).strip())
    if kind is Path:
        return _absolute(str(value), environ)
    if kind == tuple[str, ...]:
        return _parse_command(where, value)
    if kind == tuple[Path, ...]:
        return _parse_paths(where, value, environ)
    if kind == tuple[int, ...] and isinstance(value, str):
        value = [part for part in value.replace(",", " ").split() if part]
    if kind is bool and isinstance(value, str):
        value = _SWITCH.get(value.lower(), value)
    try:
        return msgspec.convert(value, kind, strict=False)
    except msgspec.ValidationError as error:
        known = get_args(kind) if get_origin(kind) is Literal else ()
        wanted = f"it should be one of {', '.join(known)}" if known else _sentence(str(error))
        raise ConfigError(f"{where} is {value!r}: {wanted}.") from error


_KINDS = {"float": "a number", "int": "a whole number", "bool": "on or off", "str": "a text"}


def _parse_command(where: str, value: Any) -> tuple[str, ...]:
    try:
        words = shlex.split(value) if isinstance(value, str) else [str(word) for word in value]
    except (ValueError, TypeError) as error:
        raise ConfigError(f"{where} is {value!r}, which is no command line: {error}.") from error
    if not words:
        raise ConfigError(f"{where} is empty; it should name a command.")
    return tuple(words)


def _parse_paths(where: str, value: Any, environ: Mapping[str, str]) -> tuple[Path, ...]:
    """Paths as in PATH, or a list of them."""
    paths = value.split(":") if isinstance(value, str) else value
    if not isinstance(paths, list) or not all(isinstance(path, str) for path in paths):
        raise ConfigError(f"{where} is {value!r}; it should be a list of paths.")
    return tuple(dict.fromkeys(_absolute(path.strip(), environ) for path in paths if path.strip()))


def _sentence(message: str) -> str:
    """What msgspec says, for somebody who does not program: `it should be a number > 0`."""
    text = message.split(" - at `")[0].split(", got ")[0].replace("`", "")
    if not text.startswith("Expected "):
        return text[:1].lower() + text[1:]
    kind, _, rest = text.removeprefix("Expected ").partition(" ")
    return f"it should be {_KINDS.get(kind, kind)} {rest}".rstrip()


def _absolute(text: str, environ: Mapping[str, str]) -> Path:
    """`~` is the HOME of `environ`, so that what is given decides, not the process's own."""
    home = environ.get("HOME") or str(Path.home())
    path = Path(home) / text[2:] if text.startswith("~/") else Path(home if text == "~" else text)
    return path if path.is_absolute() else Path.cwd() / path
