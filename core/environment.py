"""Which environment variables Claude Code, and the tmux that it lives in, get to see.

- A list of what is allowed, never of what is not: a secret that the bridge is given for itself
  (the bot's token) cannot reach a program that runs what a model asks for.
- What a Claude Code sets for its children is left out, though its own settings pass: a bridge that
  was started from inside a session must not make its sessions think that they are that one's
  children (with `CLAUDE_CODE_CHILD_SESSION` set, 2.1.330 writes no transcript at all).
- Claude Code is told not to guess the next prompt, unless the caller's environment says otherwise:
  at every turn that would ask the model once more, for a guess that nobody at a phone sees.
- Claude Code shows its true colours: in a tmux it keeps to 256 unless it is told that tmux passes
  all of them on, as that of the bridge does.
- No variable passes that holds a secret of the caller's, under whatever name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_NAMES = _words(
    # the person and the machine
    "PATH HOME USER LOGNAME SHELL TZ TMPDIR TMUX_TMPDIR LANG LANGUAGE EDITOR VISUAL BROWSER "
    "TERM COLORTERM NO_COLOR FORCE_COLOR "
    # agents, key rings, clipboards and displays
    "SSH_AUTH_SOCK GNUPGHOME DBUS_SESSION_BUS_ADDRESS DISPLAY WAYLAND_DISPLAY XAUTHORITY "
    "WSL_DISTRO_NAME WSL_INTEROP "
    # the network
    "HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY http_proxy https_proxy all_proxy no_proxy "
    "NODE_EXTRA_CA_CERTS NODE_TLS_REJECT_UNAUTHORIZED NODE_OPTIONS SSL_CERT_FILE SSL_CERT_DIR "
    "NIX_SSL_CERT_FILE REQUESTS_CA_BUNDLE CURL_CA_BUNDLE GIT_SSL_CAINFO GIT_SSH_COMMAND "
    # what Claude Code reads under names without a prefix of its own
    "CLAUDE_CONFIG_DIR CLAUDE_AUTOCOMPACT_PCT_OVERRIDE CLAUDE_BASH_MAINTAIN_PROJECT_WORKING_DIR "
    "CLAUDE_STREAM_IDLE_TIMEOUT_MS CLAUDE_ENV_FILE API_TIMEOUT_MS IS_SANDBOX USE_BUILTIN_RIPGREP "
    "MAX_THINKING_TOKENS MAX_MCP_OUTPUT_TOKENS MAX_STRUCTURED_OUTPUT_RETRIES "
    "TASK_MAX_OUTPUT_LENGTH SLASH_COMMAND_TOOL_CHAR_BUDGET CLOUD_ML_REGION GCLOUD_PROJECT "
    "FORCE_AUTOUPDATE_PLUGINS FORCE_PROMPT_CACHING_5M"
)
_PREFIXES = (
    *("LC_", "XDG_"),
    *("ANTHROPIC_", "CLAUDE_CODE_", "DISABLE_", "ENABLE_", "MCP_", "BASH_", "OTEL_"),
    *("AWS_", "GOOGLE_", "CLOUDSDK_", "VERTEX_", "AZURE_"),
)
_FROM_A_PARENT = re.compile(
    r"CLAUDE_CODE_(?:"
    r"(?:CHILD|SESSION|MESSAGING|PARENT|REMOTE|WEBSOCKET|BRIDGE)(?:_.*)?"
    r"|ENTRYPOINT|EXECPATH|SSE_PORT|CONTAINER_ID|.*_FILE_DESCRIPTOR)"
)
_DEFAULTS = {
    "TERM": "xterm-256color",
    "COLORTERM": "truecolor",
    "CLAUDE_CODE_TMUX_TRUECOLOR": "1",
    "CLAUDE_CODE_ENABLE_PROMPT_SUGGESTION": "false",
}
_USABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def claude_environment(
    environ: Mapping[str, str], *, secrets: Iterable[str] = ()
) -> dict[str, str]:
    """The part of `environ` that Claude Code may see, and what it should have in any case.

    Args:
        secrets: values that must not be in any variable.
    """
    hidden = [secret for secret in secrets if secret]
    allowed = {
        name: value
        for name, value in environ.items()
        if _is_allowed(name) and not any(secret in value for secret in hidden)
    }
    return _DEFAULTS | allowed


def _is_allowed(name: str) -> bool:
    if not _USABLE_NAME.fullmatch(name) or _FROM_A_PARENT.fullmatch(name):
        return False
    return name in _NAMES or name.startswith(_PREFIXES)
