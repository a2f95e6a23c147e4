"""Whether Claude Code is logged in: by a key, by its own file, or by the keychain of macOS."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from core.config import claude_config_dir

HOW_TO_LOG_IN = "run `claude` once, and /login"

_KEYS = (
    "ANTHROPIC_API_KEY",
    "ANTHROPIC_AUTH_TOKEN",
    "CLAUDE_CODE_OAUTH_TOKEN",
    "CLAUDE_CODE_USE_BEDROCK",
    "CLAUDE_CODE_USE_VERTEX",
    "CLAUDE_CODE_USE_FOUNDRY",
)
_KEYCHAIN_ENTRY = "Claude Code-credentials"


def find_login(environ: Mapping[str, str], ask: Callable[..., str | None]) -> str | None:
    """By what it is logged in, None when it is not; `ask(*words)` runs a program, or says None.

    Nothing is asked of Anthropic: what is there may have expired.
    """
    keys = [name for name in _KEYS if environ.get(name)]
    if keys:
        return f"by {keys[0]}"
    path = claude_config_dir(environ) / ".credentials.json"
    if path.is_file():
        return f"({path} is there)"
    if ask("security", "find-generic-password", "-s", _KEYCHAIN_ENTRY) is not None:
        return "(by the keychain)"
    return None
