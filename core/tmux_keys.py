"""The keys that may be pressed in a terminal, as tmux names them."""

from __future__ import annotations

from core.errors import TerminalError

_EDITING_KEYS = {"Enter", "Escape", "Tab", "BTab", "Space", "BSpace"}
_MOVING_KEYS = {"Up", "Down", "Left", "Right", "PageUp", "PageDown", "Home", "End"}
KEY_NAMES = frozenset({*_EDITING_KEYS, *_MOVING_KEYS, "C-c", "C-u", "C-s", "C-o"})


def render_key(key: str) -> str:
    """What send-keys is given for it. Raises TerminalError for what is no key."""
    if key in KEY_NAMES:
        return key
    if len(key) == 1 and key.isascii() and key.isprintable():
        # By number: tmux would read some characters as syntax.
        return f"-H {ord(key):02x}"
    raise TerminalError(f"{key!r} is not a key that can be pressed from here.")
