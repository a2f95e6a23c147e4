"""What systemd and launchd are told: command and environment -> the bytes of a unit or an agent.

* What ends the bridge never ends tmux or Claude: `KillMode=process`, `AbandonProcessGroup`.
* A service has no shell behind it, so it is given what Claude needs of the installer's environment
  (core.environment). The bot token is never among it.
"""

import plistlib
import re
from collections.abc import Iterable, Mapping, Sequence

from core.environment import claude_environment

NAME = "claude-telegram"

# What belongs to one login, which the service outlives, or what every service is given anyway.
_OF_A_LOGIN = re.compile(
    r"TERM|COLORTERM|HOME|USER|LOGNAME|SHELL|SSH_AUTH_SOCK|DBUS_SESSION_BUS_ADDRESS"
    r"|DISPLAY|WAYLAND_DISPLAY|XAUTHORITY|WSL_INTEROP|XDG_(?!(CONFIG|DATA|STATE|CACHE)_HOME).*"
)
# systemd runs no executable with a quote or a backslash in its name.
_PLAIN_EXECUTABLE = re.compile(r"[\w ./+,:@-]+")

_UNIT = """\
# Written by install.sh of claude-telegram, which replaces it.
[Unit]
Description=Claude Code in Telegram ({name})
StartLimitIntervalSec=0

[Service]
Type=simple
ExecStart={command}
{variables}KillMode=process
Restart=on-failure
RestartSec=5
RestartPreventExitStatus=2 75
TimeoutStopSec=30
OOMPolicy=continue
UMask=0077

[Install]
WantedBy=default.target
"""


def service_environment(environ: Mapping[str, str], *, secrets: Iterable[str]) -> dict[str, str]:
    """What the service gets of the environment: all that Claude may see, but for one login's."""
    return {
        name: value
        for name, value in sorted(claude_environment(environ, secrets=secrets).items())
        if name in environ and not _OF_A_LOGIN.fullmatch(name) and value.isprintable()
    }


def render_systemd_unit(command: Sequence[str], environment: Mapping[str, str]) -> bytes:
    """The unit that runs the command; its first word is an absolute path."""
    if not _PLAIN_EXECUTABLE.fullmatch(command[0]):
        command = ["/bin/sh", "-c", 'exec "$0" "$@"', *command]
    words = " ".join(_quote(word).replace("$", "$$") for word in command)
    variables = "".join(
        f"Environment={_quote(f'{name}={value}')}\n" for name, value in environment.items()
    )
    return _UNIT.format(name=NAME, command=words, variables=variables).encode()


def render_launchd_agent(
    command: Sequence[str], environment: Mapping[str, str], error_file: str
) -> bytes:
    """The property list of the agent that runs the command; its standard error goes to a file."""
    return plistlib.dumps(
        {
            "Label": NAME,
            "ProgramArguments": list(command),
            "EnvironmentVariables": dict(environment),
            "RunAtLoad": True,
            "KeepAlive": {"SuccessfulExit": False},
            "AbandonProcessGroup": True,
            "ProcessType": "Interactive",
            "Umask": 0o077,
            "StandardOutPath": "/dev/null",
            "StandardErrorPath": error_file,
        }
    )


def _quote(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"'
