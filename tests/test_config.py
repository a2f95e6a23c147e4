"""core.config: what the settings may be, and what is said about the ones that may not."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.config import Config, claude_config_dir, config_path, load_config
from core.errors import ConfigError

HOME = {"HOME": "/home/ada"}


def test_without_any_setting_the_defaults_hold() -> None:
    config = load_config(HOME)
    assert config.project_dir == Path("/home/ada")
    assert config.state_dir == Path("/home/ada/.claude/sessions/telegram")
    assert config.claude_command == ("claude",)
    assert (config.idle_minutes, config.retention_days) == (60.0, 30.0)
    assert config.permission_mode == "default"
    assert not config.telegram_bot_token


def test_the_environment_goes_before_the_file() -> None:
    text = 'idle_minutes = 5\nretention_days = 7\nproject_dir = "~/work"\nallowed_users = [1, 2]'
    config = load_config({**HOME, "BRIDGE_IDLE_MINUTES": "0.5"}, text)
    assert (config.idle_minutes, config.retention_days) == (0.5, 7.0)
    assert config.project_dir == Path("/home/ada/work")
    assert config.allowed_users == (1, 2)


def test_files_lie_outside_of_claudes_own_folder_and_apart_for_each_state() -> None:
    one = load_config(HOME).files_dir
    assert one.parent == Path("/home/ada/.local/share/claude-telegram")
    assert one.name.startswith("files-")
    other = load_config({**HOME, "XDG_DATA_HOME": "/data", "BRIDGE_STATE_DIR": "/state"}).files_dir
    assert other.parent == Path("/data/claude-telegram")
    assert other.name != one.name
    assert load_config({**HOME, "BRIDGE_FILES_DIR": "~/x"}).files_dir == Path("/home/ada/x")


def test_the_settings_of_uploads_and_voice_messages() -> None:
    config = load_config(HOME)
    assert (config.upload_megabytes, config.transcribe_command) == (20, ())
    assert config.whisper_model == "base"
    text = (
        'upload_megabytes = 5\ntranscribe_command = "whisper --in {file}"\nwhisper_model = "tiny"'
    )
    config = load_config(HOME, text)
    assert (config.upload_megabytes, config.whisper_model) == (5, "tiny")
    assert config.transcribe_command == ("whisper", "--in", "{file}")


@pytest.mark.parametrize(
    ("setting", "roots"),
    [
        ("", ["/home/ada/shop"]),
        ("~/work:/srv/code", ["/home/ada/shop", "/home/ada/work", "/srv/code"]),
        ("~", ["/home/ada"]),
        ("~/shop", ["/home/ada/shop"]),
        (" /srv/code :: /srv/code", ["/home/ada/shop", "/srv/code"]),
    ],
)
def test_the_project_lies_below_a_root_whatever_is_set(setting: str, roots: list[str]) -> None:
    environ = {**HOME, "BRIDGE_PROJECT_DIR": "~/shop", "BRIDGE_PROJECT_ROOTS": setting}
    assert list(load_config(environ).roots) == [Path(root) for root in roots]
    listed = [part.strip() for part in setting.split(":")]
    text = f"project_roots = {listed!r}"
    assert list(load_config({**HOME, "BRIDGE_PROJECT_DIR": "~/shop"}, text).roots) == [
        Path(root) for root in roots
    ]


@pytest.mark.parametrize("value", ["3", "[3]", "{}"])
def test_roots_that_are_no_paths_are_refused(value: str) -> None:
    with pytest.raises(ConfigError, match="project_roots in"):
        load_config(HOME, f"project_roots = {value}")


def test_an_empty_variable_counts_as_not_set() -> None:
    assert load_config({**HOME, "BRIDGE_IDLE_MINUTES": ""}).idle_minutes == 60


def test_the_state_follows_claudes_own_folder() -> None:
    environ = {**HOME, "CLAUDE_CONFIG_DIR": "/data/claude"}
    assert load_config(environ).state_dir == Path("/data/claude/sessions/telegram")
    assert claude_config_dir(environ) == Path("/data/claude")


def test_users_are_listed_with_commas_or_blanks() -> None:
    config = load_config({**HOME, "BRIDGE_ALLOWED_USERS": "1, 2,3", "BRIDGE_ALLOWED_GROUPS": "-5"})
    assert config.allowed_users == (1, 2, 3)
    assert config.allowed_groups == (-5,)


def test_the_claude_command_may_carry_arguments() -> None:
    config = load_config({**HOME, "BRIDGE_CLAUDE_COMMAND": "'/opt/my claude' --model opus"})
    assert config.claude_command == ("/opt/my claude", "--model", "opus")


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("BRIDGE_IDLE_MINUTES", "soon", "it should be a number."),
        ("BRIDGE_WEB", "perhaps", "it should be on or off."),
        ("BRIDGE_IDLE_MINUTES", "0", "it should be a number > 0."),
        ("BRIDGE_IDLE_MINUTES", "nan", "it should be a number"),
        ("BRIDGE_ALLOWED_USERS", "ada", "it should be a whole number."),
        ("BRIDGE_PERMISSION_MODE", "yolo", "it should be one of default, "),
        ("BRIDGE_TELEGRAM_API_URL", "ftp://x", "it should be a text matching"),
        ("BRIDGE_CLAUDE_COMMAND", "'unclosed", "no command line"),
        ("BRIDGE_TMUX_SOCKET", "a;b", "it should be a text matching"),
        ("BRIDGE_UPLOAD_MEGABYTES", "0", "it should be a number > 0."),
        ("BRIDGE_TRANSCRIBE_COMMAND", "'unclosed", "no command line"),
        ("BRIDGE_WHISPER_MODEL", "--help", "it should be a text matching"),
    ],
)
def test_a_wrong_setting_is_one_line_that_names_it(name: str, value: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config({**HOME, name: value})
    message = str(caught.value)
    assert message.startswith(name)
    assert said in message
    assert "\n" not in message


def test_a_name_that_is_no_setting_is_refused() -> None:
    with pytest.raises(ConfigError, match="'idle_minuts', which is no setting"):
        load_config(HOME, "idle_minuts = 5")


def test_text_that_is_no_toml_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"config\.toml can't be read"):
        load_config(HOME, "idle_minutes = ")


def test_the_token_shows_in_no_representation() -> None:
    config = load_config({**HOME, "TELEGRAM_BOT_TOKEN": "123:fake"})
    assert config.telegram_bot_token.reveal() == "123:fake"
    assert "fake" not in repr(config)
    assert isinstance(config, Config)


def test_the_file_lives_below_the_configuration_folder() -> None:
    assert config_path(HOME) == Path("/home/ada/.config/claude-telegram/config.toml")
    assert config_path({**HOME, "XDG_CONFIG_HOME": "/x"}) == Path("/x/claude-telegram/config.toml")
