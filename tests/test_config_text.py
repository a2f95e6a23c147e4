"""core.config_text: one setting is put in, and all else stays as it was written."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.config import Secret, load_config
from core.config_text import has_setting, put_setting
from core.errors import ConfigError


def test_a_new_setting_goes_to_the_end() -> None:
    assert put_setting("", "idle_minutes", 5.0) == "idle_minutes = 5\n"
    assert put_setting("# mine", "idle_minutes", 0.5) == "# mine\nidle_minutes = 0.5\n"


def test_a_setting_that_is_there_keeps_its_place() -> None:
    text = "# a\r\nidle_minutes=3 # b\r\n\r\nshell = true\r\n"
    changed = put_setting(text, "idle_minutes", 7.0)
    assert changed == "# a\r\nidle_minutes = 7\r\n\r\nshell = true\r\n"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("shell", True),
        ("allowed_users", (1, -2)),
        ("allowed_users", ()),
        ("claude_command", ("/opt/my claude", "--model", 'o"p\\us')),
        ("project_dir", Path("/home/ada/Ünï \t'q' \"d\" \\n")),
        ("tmux_socket", "a-b_c"),
        ("retention_days", 12345.678901),
    ],
)
def test_what_is_put_is_read_back(name: str, value: object) -> None:
    text = put_setting("", name, value)
    assert getattr(load_config({"HOME": "/home/ada"}, text), name) == value


def test_a_secret_is_put_as_it_is() -> None:
    text = put_setting("", "telegram_bot_token", Secret('1:x"y'))
    assert load_config({}, text).telegram_bot_token.reveal() == '1:x"y'


def test_an_empty_setting_counts_as_none() -> None:
    assert not has_setting('telegram_bot_token = ""', "telegram_bot_token")
    assert has_setting("shell = false", "shell")
    assert not has_setting("# shell = false", "shell")


@pytest.mark.parametrize(
    "text",
    [
        "allowed_users = [\n  1,\n  2,\n]\n",
        'project_dir = """\nallowed_users = 3\n"""\nallowed_users = [\n1]\n',
        '"allowed_users" = [1]\n',
    ],
)
def test_what_is_no_single_line_is_left_to_the_person(text: str) -> None:
    with pytest.raises(ConfigError, match="by hand"):
        put_setting(text, "allowed_users", (5,))


def test_no_toml_is_an_error() -> None:
    for wrong in ("x = ", "= 1", "shell = true\nshell = false"):
        with pytest.raises(ConfigError, match="can't be read"):
            has_setting(wrong, "shell")
        with pytest.raises(ConfigError, match="can't be read"):
            put_setting(wrong, "shell", True)
