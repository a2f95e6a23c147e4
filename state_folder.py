"""The folders that the bridge works in, and that only one bridge works in them."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import filelock

from core.config import Config
from core.errors import AlreadyRunningError, ConfigError

_PATTERN_CHARACTERS = re.compile(r"[][#*?{}\\]")


@contextmanager
def claimed(config: Config, settings_folder: Path) -> Iterator[None]:
    """Make the state's folders, and keep other bridges out of them and from the bot's token.

    Telegram lets only one program ask for a bot's updates, wherever its state may be. The locks end
    with the process, however it ends.

    Raises:
        ConfigError: a folder can't be used.
        AlreadyRunningError: another bridge has the state or the token.
    """
    for folder in (config.state_dir, config.bridge_dir, config.files_dir, settings_folder):
        _prepare(folder)
    token = hashlib.sha256(config.telegram_bot_token.reveal().encode()).hexdigest()[:16]
    paths = (config.bridge_dir / "bridge.lock", settings_folder / f"{token}.lock")
    locks = [
        filelock.FileLock(path, mode=0o600, timeout=0, fallback_to_soft=False) for path in paths
    ]
    try:
        for lock in locks:
            lock.acquire()
        yield
    except filelock.Timeout as error:
        raise AlreadyRunningError(
            "A bridge with this bot token or state directory runs already."
        ) from error
    finally:
        for lock in locks:
            lock.release()


def typing_folder(config: Config) -> Path:
    """Where pieces of text wait for tmux, which takes some characters of a path for patterns."""
    folder = config.bridge_dir / "typing"
    if not _PATTERN_CHARACTERS.search(str(folder)):
        return folder
    name = hashlib.sha256(str(folder).encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"claude-telegram-{os.getuid()}-{name}"


def read_settings(path: Path) -> str:
    """The text of config.toml; no file is as good as an empty one. Raises ConfigError."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} can't be read: {error}.") from error


def _prepare(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
    except OSError as error:
        raise ConfigError(f"{folder} can't be used: {error.strerror}.") from error
