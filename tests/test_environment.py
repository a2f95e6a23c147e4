"""What passes into Claude Code's environment, and what never does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.environment import claude_environment

DEFAULTS = {
    "TERM": "xterm-256color",
    "COLORTERM": "truecolor",
    "CLAUDE_CODE_TMUX_TRUECOLOR": "1",
    "CLAUDE_CODE_ENABLE_PROMPT_SUGGESTION": "false",
}
TOKEN = "123456789:AAEhBOweik6ad9r_QXMENQjcrGbqCr4K-bc"

# What 2.1.330 puts into the environment of a command that it runs.
SET_BY_A_PARENT_CLAUDE = {
    "AI_AGENT": "claude-code_2-1-330_agent",
    "CLAUDECODE": "1",
    "CLAUDE_CODE_CHILD_NOTES_DIR": "/tmp/notes",
    "CLAUDE_CODE_CHILD_SESSION": "1",
    "CLAUDE_CODE_ENTRYPOINT": "cli",
    "CLAUDE_CODE_EXECPATH": "/opt/claude",
    "CLAUDE_CODE_MESSAGING_SOCKET": "/tmp/s.sock",
    "CLAUDE_CODE_MESSAGING_TOKEN": "ee5395266bbb02bf",
    "CLAUDE_CODE_SESSION_ATTENDED": "1",
    "CLAUDE_CODE_SESSION_ID": "341b206a-b3fc-419e-8234-d4c6b30f2442",
    "CLAUDE_CODE_SSE_PORT": "4711",
    "CLAUDE_EFFORT": "medium",
    "CLAUDE_PID": "21103",
    "GIT_EDITOR": "true",
    "TMUX": "/tmp/t.sock,21099,0",
    "TMUX_PANE": "%0",
}


def test_what_a_person_and_claude_code_need_passes() -> None:
    needed = {
        "PATH": "/usr/bin",
        "HOME": "/home/ada",
        "LANG": "de_DE.UTF-8",
        "LC_TIME": "C",
        "XDG_RUNTIME_DIR": "/run/user/1000",
        "SSH_AUTH_SOCK": "/run/agent",
        "https_proxy": "http://proxy:3128",
        "HTTPS_PROXY": "http://proxy:3128",
        "NODE_EXTRA_CA_CERTS": "/etc/ca.pem",
        "ANTHROPIC_API_KEY": "sk-ant-x",
        "CLAUDE_CODE_OAUTH_TOKEN": "x",
        "CLAUDE_CODE_USE_BEDROCK": "1",
        "CLAUDE_CODE_SESSIONEND_HOOKS_TIMEOUT_MS": "5000",
        "CLAUDE_CONFIG_DIR": "/home/ada/.claude",
        "AWS_PROFILE": "work",
        "BASH_DEFAULT_TIMEOUT_MS": "1000",
        "TERM": "screen",
    }
    assert claude_environment(needed) == DEFAULTS | needed


@pytest.mark.parametrize("name", sorted(SET_BY_A_PARENT_CLAUDE))
def test_what_a_parent_claude_sets_does_not_pass(name: str) -> None:
    assert name not in claude_environment(SET_BY_A_PARENT_CLAUDE)


@pytest.mark.parametrize(
    "name",
    ["TELEGRAM_BOT_TOKEN", "BRIDGE_STATE_DIR", "OPENAI_API_KEY", "LD_PRELOAD", "BASH_FUNC_x%%", ""],
)
def test_what_nobody_asked_for_does_not_pass(name: str) -> None:
    assert name not in claude_environment({name: "value"})


def test_a_secret_passes_under_no_name() -> None:
    environ = {"ANTHROPIC_CUSTOM_HEADERS": f"X-Bot: {TOKEN}", "LC_ALL": TOKEN, "PATH": "/usr/bin"}
    assert claude_environment(environ, secrets=[TOKEN, ""]) == DEFAULTS | {"PATH": "/usr/bin"}


def test_a_missing_term_is_given_colours_are_true_and_no_prompt_is_guessed() -> None:
    assert claude_environment({}) == DEFAULTS


def test_the_persons_own_word_on_colours_and_guessed_prompts_counts() -> None:
    own = {"CLAUDE_CODE_ENABLE_PROMPT_SUGGESTION": "true", "CLAUDE_CODE_TMUX_TRUECOLOR": "0"}
    assert claude_environment(own) == DEFAULTS | own


@given(st.dictionaries(st.text(), st.text()), st.text(min_size=1))
def test_the_result_is_part_of_what_was_given(environ: dict[str, str], secret: str) -> None:
    allowed = claude_environment(environ, secrets=[secret])
    assert allowed.items() <= (DEFAULTS | environ).items()
    assert not any(secret in allowed[name] for name in allowed.keys() & environ.keys())
    assert claude_environment(allowed, secrets=[secret]) == allowed
