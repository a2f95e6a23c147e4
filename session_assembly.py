"""The sessions and what they stand on (tmux, the launcher, the store), wired by the settings."""

from __future__ import annotations

import logging
import subprocess
from collections.abc import Mapping

from claude_launcher import ClaudeLauncher
from claude_registry import ClaudeRegistry
from core.claude_code import REGISTRY_FOLDER, TRANSCRIPTS_FOLDER, typing_for
from core.config import Config, claude_config_dir
from core.hooks import parse_version
from inbox import Inbox
from outbox import Outbox
from replay import Replays
from session import SessionStore
from session_files import SessionFiles
from sessions import Sessions
from state_folder import typing_folder
from terminal import Terminal
from tmux_control import TmuxControl
from transcript_keeper import TranscriptKeeper

log = logging.getLogger(__name__)


def build_sessions(
    config: Config,
    environ: Mapping[str, str],
    environment: Mapping[str, str],
    version: tuple[int, ...],
    inbox: Inbox,
    outbox: Outbox,
    files: SessionFiles,
    replays: Replays,
) -> Sessions:
    """The sessions of these settings. Raises BridgeError."""
    control = TmuxControl(
        socket=config.tmux_socket,
        environment=environment,
        folder=typing_folder(config),
        typing=typing_for(version),
    )
    control.check()
    terminal = Terminal(control)
    claude = claude_config_dir(environ)
    keeper = TranscriptKeeper(config.bridge_dir / "transcripts")
    launcher = ClaudeLauncher(
        terminal,
        ClaudeRegistry(claude / REGISTRY_FOLDER),
        command=config.claude_command,
        permission_mode=config.permission_mode,
        version=version,
        directory=config.bridge_dir,
        projects=claude / TRANSCRIPTS_FOLDER,
        environment=environment,
        keeper=keeper,
        allows_bypass=config.allows_bypass,
        files=files,
        replays=replays,
    )
    return Sessions(
        store=SessionStore(config.state_dir),
        launcher=launcher,
        terminal=terminal,
        inbox=inbox,
        outbox=outbox,
        directory=config.bridge_dir,
        keeper=keeper,
        idle_seconds=config.idle_minutes * 60,
    )


def find_version(config: Config, environment: Mapping[str, str]) -> tuple[int, ...]:
    """The installed version; () when it can't be had, which the first message will tell."""
    try:
        said = subprocess.run(
            [*config.claude_command, "--version"],
            env=dict(environment),
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=20,
            check=False,
        ).stdout
    except (OSError, subprocess.TimeoutExpired) as error:
        log.warning("claude --version did not work: %s", error)
        return ()
    return parse_version(said)
