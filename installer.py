"""What install.sh runs once the packages are there: checks, settings, service, pairing.

* Running it again is safe: it asks only for what is not known yet, writes only what is missing,
  and restarts the service only if what it runs has changed, or if it doesn't run.
* The service has no shell behind it. So settings in the environment go to config.toml, unless it
  has them already, and from then on config.toml alone counts here, as it does for the service.
* The bot token is typed unseen, kept in config.toml (0600), and printed, passed or logged nowhere.
* Exit status: 1 when something is missing or failed, 2 for a missing or wrong setting, 130 for
  Ctrl-C.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import getpass
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from telegram import Bot, User
from telegram.error import InvalidToken, NetworkError, TelegramError
from telegram.request import HTTPXRequest

from claude_login import HOW_TO_LOG_IN, find_login
from core.config import Config, Secret, config_path, environment_name, load_config
from core.config_text import has_setting, put_setting
from core.errors import BridgeError, ConfigError
from core.service_files import service_environment
from durable import reason_for, replace_file
from page_link import offer_link
from people import CODE_SECONDS, People
from qr_code import render_qr
from service import Program, bring_up, find_service, remove_services

CHECKOUT = Path(__file__).resolve().parent

_OLDEST_TMUX = (3, 2)
_TRIES = 3
_VERSION_SECONDS = 60.0
_PAIRING_POLL_SECONDS = 0.5
_TOKEN = re.compile(r"[0-9]+:[A-Za-z0-9_-]+")
_PACKAGE_MANAGERS = {
    "apt-get": "apt install",
    "dnf": "dnf install",
    "pacman": "pacman -S",
    "zypper": "zypper install",
    "apk": "apk add",
}
_HOW_TO_GET_CLAUDE = (
    "curl -fsSL https://claude.ai/install.sh | bash"
    "   (or: npm install -g @anthropic-ai/claude-code)"
)


class InstallError(BridgeError):
    """Something outside the settings is missing or failed; exit status 1."""


class TokenRefusedError(ConfigError):
    """Telegram does not know the bot token."""


class SettingsFile:
    """config.toml: what it says, and what it will say after `save`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self.text = path.read_bytes().decode() if path.exists() else ""
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path} can't be read: {error}.") from error
        self._saved = self.text

    def has(self, name: str) -> bool:
        """Whether it has the setting; raises ConfigError."""
        return has_setting(self.text, name)

    def put(self, name: str, value: object) -> None:
        """Set one setting; raises ConfigError."""
        self.text = put_setting(self.text, name, value)

    def save(self) -> None:
        """Write the file if anything changed, and close it to other users; raises BridgeError."""
        try:
            target = self.path.resolve()
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self.text != self._saved:
                replace_file(target, self.text.encode())
                self._saved = self.text
            for path, mode in ((target.parent, 0o700), (target, 0o600)):
                if path.exists() and path.stat().st_mode & 0o077:
                    path.chmod(mode)
        except OSError as error:
            raise InstallError(f"{self.path} can't be written: {reason_for(error)}.") from error


class Installer:
    """One run of install.sh.

    Args:
        environ: the environment; its PATH is also the service's.
        bridge: the script the service runs.
        settle_seconds: how long the bridge has to stay up to count as started.
        is_terminal: whether there is somebody to ask.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        *,
        bridge: Path = CHECKOUT / "bridge.py",
        settle_seconds: float = 3.0,
        is_terminal: bool | None = None,
    ) -> None:
        self._environ = _with_local_bin(environ)
        names = {environment_name(setting.name) for setting in dataclasses.fields(Config)}
        self._plain_environ = {
            name: value for name, value in self._environ.items() if name not in names
        }
        self._bridge = bridge
        self._settle_seconds = settle_seconds
        self._is_terminal = sys.stdin.isatty() if is_terminal is None else is_terminal
        self._settings = SettingsFile(config_path(self._environ))

    def install(self, *, with_page: bool = False, with_telegram: bool = False) -> None:
        """Everything from the checks to the pairing; raises BridgeError.

        Without a bot token there is the page alone, unless a bot is asked for.
        """
        self._take_settings()
        self._check_tools()
        if with_page:
            self._settings.put("web", True)
        bot = self._settle_bot(with_telegram=with_telegram)
        self._settle_project_dir()
        self._settings.save()
        self._run_service()
        if bot is not None:
            self._pair(bot)
        config = self._load()
        if config.web:
            for line in offer_link(config, seconds=5 * self._settle_seconds):
                print(line)
        for line in self._next_steps(bot):
            print(line)

    def pair(self) -> None:
        """Print a new code and wait for the phone; raises BridgeError."""
        self._take_settings()
        if not self._load().telegram_bot_token:
            raise ConfigError("There is no bot yet. Add one with ./install.sh --telegram.")
        bot = self._settle_token()
        self._settings.save()
        people = self._open_people()
        if people.owner is not None:
            print(f"Already paired with {_describe_owner(people)}.")
            print(f"To pair another account, remove {people.path} first;")
            print("those whom you have invited are then to be invited anew.")
            return
        self._offer_code(people, bot)

    def uninstall(self) -> None:
        """Stop and remove the service; what the person has stays."""
        try:
            config = self._load()
        except ConfigError as error:
            print(error)
            config = load_config(self._plain_environ)
        was_there = remove_services(self._program(config))
        print("The service is stopped and removed." if was_there else "No service was installed.")
        print(f"Your data stays: {config.state_dir} (sessions), {config.files_dir} (files)")
        print(f"and {self._settings.path} (settings).")
        tmux = _tmux(config.tmux_socket)
        if self._ask_version([*tmux, "list-sessions"]) is not None:
            end = shlex.join([*tmux, "kill-server"])
            print(f"Claude sessions still open in tmux end with: {end}")

    def _load(self) -> Config:
        return load_config(self._plain_environ, self._settings.text)

    def _take_settings(self) -> None:
        """Put the environment's settings into the file, where it lacks them."""
        given = load_config(self._environ)
        for setting in dataclasses.fields(Config):
            variable = environment_name(setting.name)
            if not self._environ.get(variable):
                continue
            value = getattr(given, setting.name)
            if not self._settings.has(setting.name):
                self._settings.put(setting.name, value)
            elif _plain(getattr(self._load(), setting.name)) != _plain(value):
                print(f"{setting.name} stays as it is in {self._settings.path}, not as {variable}.")
        self._load()

    def _check_tools(self) -> None:
        problems = [self._find_tmux_problem(), self._find_claude_problem()]
        found = [problem for problem in problems if problem]
        if found:
            raise InstallError("\n".join(found))

    def _find_tmux_problem(self) -> str | None:
        answer = self._ask_version(["tmux", "-V"])
        if answer is None:
            return f"tmux is missing. Get it with: {self._how_to_get('tmux')}"
        version = re.search(r"(\d+)\.(\d+)", answer)
        if version and (int(version[1]), int(version[2])) < _OLDEST_TMUX:
            return f"{answer} is too old, 3.2 is needed. Get it with: {self._how_to_get('tmux')}"
        print(f"{answer} is here.")
        return None

    def _find_claude_problem(self) -> str | None:
        command = self._load().claude_command
        answer = self._ask_version([*command, "--version"])
        if answer is None and shutil.which(command[0], path=self._environ.get("PATH")):
            return f"`{shlex.join([*command, '--version'])}` failed. Run it yourself to see why."
        if answer is None:
            return f"Claude Code is missing ({command[0]}). Get it with: {_HOW_TO_GET_CLAUDE}"
        print(f"Claude Code {answer.removesuffix(' (Claude Code)')} is here.")
        if find_login(self._plain_environ, lambda *words: self._ask_version(words)) is None:
            print(f"It is not logged in yet: {HOW_TO_LOG_IN}.")
        return None

    def _ask_version(self, words: Sequence[str]) -> str | None:
        """The first line of what a program says about its version; None if it can't be run."""
        path = shutil.which(words[0], path=self._plain_environ.get("PATH"))
        if path is None:
            return None
        try:
            done = subprocess.run(
                [path, *words[1:]],
                env=self._plain_environ,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=_VERSION_SECONDS,
                check=True,
            )
        except (OSError, subprocess.SubprocessError):
            return None
        return next(iter(done.stdout.strip().splitlines()), words[0])

    def _how_to_get(self, package: str) -> str:
        path = self._environ.get("PATH")
        if shutil.which("brew", path=path):
            return f"brew install {package}"
        sudo = "" if os.geteuid() == 0 else "sudo "
        for program, words in _PACKAGE_MANAGERS.items():
            if shutil.which(program, path=path):
                return f"{sudo}{words} {package}"
        return f"the package manager of this system (package {package})"

    def _settle_bot(self, *, with_telegram: bool) -> User | None:
        """The bot, if there is or shall be one; else the page is switched on."""
        config = self._load()
        if config.telegram_bot_token or with_telegram:
            return self._settle_token()
        if self._is_terminal and not config.web:
            print("The page in a browser needs no bot: just press Enter.")
            if token := self._ask_token():
                self._settings.put("telegram_bot_token", token)
                return self._settle_token()
        self._settings.put("web", True)
        return None

    def _settle_token(self) -> User:
        """The bot of the token in the settings; asks for one if there is none, or a wrong one."""
        config = self._load()
        token = config.telegram_bot_token.reveal()
        for _ in range(_TRIES):
            if not token:
                token = self._ask_token()
            if not token:
                raise ConfigError("No bot token was given, and nothing was changed.")
            try:
                bot = check_token(token, config.telegram_api_url)
            except TokenRefusedError as error:
                if not self._is_terminal:
                    raise
                print(error)
                token = ""
                continue
            if token != config.telegram_bot_token.reveal():
                self._settings.put("telegram_bot_token", token)
            print(f"The bot is @{bot.username}.")
            return bot
        raise TokenRefusedError("That was no token that Telegram knows. Run ./install.sh again.")

    def _ask_token(self) -> str:
        if not self._is_terminal:
            raise ConfigError(
                "The bot token is missing. Get one from @BotFather in Telegram, and run "
                "./install.sh at a terminal, or with TELEGRAM_BOT_TOKEN set."
            )
        return getpass.getpass("Bot token from @BotFather (stays unseen): ").strip()

    def _settle_project_dir(self) -> None:
        default = self._load().project_dir
        if not self._settings.has("project_dir") and self._is_terminal:
            default = self._ask_project_dir(default)
            self._settings.put("project_dir", default)
        if not default.is_dir():
            raise ConfigError(f"project_dir is {default}, and there is no such folder.")

    def _ask_project_dir(self, default: Path) -> Path:
        for _ in range(_TRIES):
            answer = input(f"Folder that Claude Code works in [{default}]: ").strip()
            folder = load_config({**self._plain_environ, "BRIDGE_PROJECT_DIR": answer}).project_dir
            if folder.is_dir():
                return folder
            print(f"There is no folder {folder}.")
        raise ConfigError("Make the folder first, then run ./install.sh again.")

    def _program(self, config: Config) -> Program:
        secrets = [config.telegram_bot_token.reveal()]
        return Program(
            python=Path(sys.executable),
            script=self._bridge,
            home=Path(self._environ.get("HOME") or Path.home()),
            folder=config.bridge_dir,
            environment=service_environment(self._environ, secrets=secrets),
            commands=self._plain_environ,
        )

    def _run_service(self) -> None:
        config = self._load()
        for folder in (config.state_dir, config.bridge_dir):
            try:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                folder.chmod(0o700)
            except OSError as error:
                raise InstallError(f"{folder} can't be used: {reason_for(error)}.") from error
        program = self._program(config)
        service = find_service(program)
        content = b"\0".join([_read_code(self._bridge), self._settings.text.encode()])
        is_new = bring_up(service, program, content=content, settle_seconds=self._settle_seconds)
        print(f"The bridge {'is started' if is_new else 'runs already'} ({service.title}).")
        if advice := service.find_advice():
            print(advice)

    def _open_people(self) -> People:
        config = self._load()
        return People(config.bridge_dir, allowed_users=config.allowed_users)

    def _pair(self, bot: User) -> None:
        people = self._open_people()
        users = self._load().allowed_users
        if people.owner is not None:
            print(f"Paired with {_describe_owner(people)}.")
        elif users:
            print(f"These users may use it: {', '.join(map(str, users))}.")
        else:
            self._offer_code(people, bot)

    def _offer_code(self, people: People, bot: User) -> None:
        if people.broken:
            print(people.broken)
        code = people.issue_code()
        link = f"https://t.me/{bot.username}?start={code}"
        print("\nPair your phone. This works once, within 10 minutes:")
        print(render_qr(link))
        print(f"Scan it, or open {link}\nor send the bot this: /start {code}\n")
        if self._is_terminal:
            wait_for_owner(people)

    def _next_steps(self, bot: User | None) -> list[str]:
        attach = shlex.join([*_tmux(self._load().tmux_socket), "attach"])
        if bot is None:
            telegram = "Telegram on your phone as well: ./install.sh --telegram"
            return [telegram, f"Once you have sent a text, its session in a terminal: {attach}"]
        return [
            f"1. Open the chat: https://t.me/{bot.username}",
            "2. Send a text, and Claude Code answers. /help shows what else there is.",
            f"3. Then see and use the same session on this machine: {attach}",
        ]


def check_token(token: str, api_url: str) -> User:
    """The bot that Telegram knows by this token; raises TokenRefusedError or InstallError."""
    if not _TOKEN.fullmatch(token):
        raise TokenRefusedError("That is no bot token. It looks like 123456789:AAF… (@BotFather).")
    # "from None": the library's errors carry the token.
    try:
        return asyncio.run(_get_me(token, f"{api_url.rstrip('/')}/bot"))
    except InvalidToken:
        raise TokenRefusedError(
            "Telegram does not know this bot token. @BotFather shows the right one: /mybots."
        ) from None
    except NetworkError:
        raise InstallError(
            f"{api_url} can't be reached. Check the network, then run ./install.sh again."
        ) from None
    except TelegramError as error:
        raise InstallError(
            f"Telegram could not check the token now ({type(error).__name__}). Try again later."
        ) from None


async def _get_me(token: str, base_url: str) -> User:
    request = HTTPXRequest(connect_timeout=10, read_timeout=20)
    async with Bot(token, base_url=base_url, request=request) as bot:
        return bot.bot


def wait_for_owner(people: People, *, seconds: float = CODE_SECONDS) -> None:
    """Wait at the terminal until somebody used the code, it expired, or Ctrl-C."""
    again = "A new code: ./install.sh --pair"
    until = time.monotonic() + seconds
    try:
        print("Waiting for your phone. Ctrl-C ends the waiting; the code works on.", flush=True)
        while people.owner is None:
            if time.monotonic() > until:
                print(f"Nobody used the code within 10 minutes. {again}")
                return
            time.sleep(_PAIRING_POLL_SECONDS)
    except KeyboardInterrupt:
        print(f"\nNot paired yet. {again}")
        return
    print(f"Paired with {_describe_owner(people)}.")


def _describe_owner(people: People) -> str:
    return f"{people.owner_name or 'user'} (id {people.owner})"


def _plain(value: object) -> object:
    return value.reveal() if isinstance(value, Secret) else value


def _with_local_bin(environ: Mapping[str, str]) -> dict[str, str]:
    """With `~/.local/bin` in the PATH: Claude's installer puts it there before the shell knows."""
    path = environ.get("PATH") or os.defpath
    local = Path(environ.get("HOME") or Path.home()) / ".local" / "bin"
    if local.is_dir() and str(local) not in path.split(os.pathsep):
        path = f"{path}{os.pathsep}{local}"
    return {**environ, "PATH": path}


def _read_code(bridge: Path) -> bytes:
    """All that the running bridge has read of its own code."""
    folder = bridge.parent
    modules = [*folder.glob("*.py"), *folder.glob("core/**/*.py"), *folder.glob("channels/**/*.py")]
    packages = folder / "requirements.txt"
    parts = [path for path in sorted(modules) if not path.name.startswith("test_")]
    if packages.exists():
        parts.append(packages)
    return b"\0".join(path.read_bytes() for path in parts)


def _tmux(socket: str) -> list[str]:
    return ["tmux", "-S" if "/" in socket else "-L", socket]


def main(arguments: Sequence[str], installer: Installer | None = None) -> int:
    """Run what the arguments ask for; the exit status."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # see installer_start.py
    parser = argparse.ArgumentParser(prog="./install.sh")
    parser.add_argument("--pair", action="store_true", help="print a new pairing code")
    parser.add_argument("--web", action="store_true", help="with the page, and a link to it")
    parser.add_argument("--telegram", action="store_true", help="with a Telegram bot")
    parser.add_argument("--uninstall", action="store_true", help="remove the service")
    options = parser.parse_args(arguments)
    os.umask(0o077)
    try:
        installer = installer or Installer(os.environ)
        if options.uninstall:
            installer.uninstall()
        elif options.pair:
            installer.pair()
        else:
            installer.install(with_page=options.web, with_telegram=options.telegram)
    except BridgeError as error:
        print(error, file=sys.stderr)
        return 2 if isinstance(error, ConfigError) else 1
    except (KeyboardInterrupt, EOFError):
        print("\nStopped. ./install.sh goes on from here.", file=sys.stderr)
        return 130
    return 0
