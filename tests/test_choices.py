"""Choices to a command line, and nothing else gets there."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.choices import (
    Choices,
    is_outdated,
    is_usable,
    list_efforts,
    list_modes,
    mode_in_effect,
    note_launched,
    read_choices,
    render_options,
)

NEW = (2, 1, 330)


@pytest.mark.parametrize(
    "value",
    ["opus", "claude-opus-5-5", "sonnet[1m]", "us.anthropic.claude-v1:0", "my_agent", "plug:sec"],
)
def test_a_name_is_usable(value: str) -> None:
    assert is_usable(value)


@pytest.mark.parametrize(
    "value", ["", "-p", "--resume", "a b", "a;b", "$(x)", "a\n", "a/b", "ä", "x" * 101, "`x`"]
)
def test_an_option_or_a_shell_line_is_not(value: str) -> None:
    assert not is_usable(value)
    assert read_choices({"model": value}).model == ""


@pytest.mark.parametrize("state", [None, 7, [], {}, {"model": None, "agent": 5.5, "effort": []}])
def test_a_state_of_any_kind_has_choices(state: Any) -> None:
    assert isinstance(read_choices(state), Choices)


@pytest.mark.parametrize(
    ("choices", "is_resumed", "version", "options"),
    [
        (Choices(), False, NEW, []),
        (Choices(model="opus", effort="max"), True, NEW, ["--model", "opus", "--effort", "max"]),
        (Choices(agent="pm"), False, NEW, ["--agent", "pm"]),
        (Choices(effort="max"), False, (2, 1, 80), ["--effort", "max"]),
        (Choices(effort="max"), False, (2, 1, 50), []),
        (Choices(effort="low"), False, (2, 1, 50), ["--effort", "low"]),
        (Choices(model="opus", effort="low"), False, (2, 1, 0), ["--model", "opus"]),
        (Choices(effort="tomorrow"), False, (), ["--effort", "tomorrow"]),
        (Choices(agent="pm"), True, (2, 1, 250), ["--agent", "pm"]),
        (
            Choices(agent="pm"),
            True,
            (2, 1, 300),
            ["--agent", "pm", "--system-prompt-snapshot", "off"],
        ),
        (
            Choices(agent="pm"),
            True,
            NEW,
            ["--agent", "pm", "--system-prompt-snapshot", "off"],
        ),
    ],
)
def test_the_command_line(
    choices: Choices, is_resumed: bool, version: tuple[int, ...], options: list[str]
) -> None:
    made = render_options(choices, mode="plan", is_resumed=is_resumed, version=version)
    assert made == ["--permission-mode", "plan", *options]


@given(st.dictionaries(st.sampled_from(["model", "effort", "permission_mode", "agent"]), st.text()))
def test_whatever_is_stored_only_names_get_onto_the_command_line(state: dict[str, str]) -> None:
    options = render_options(read_choices(state), mode="default", is_resumed=True, version=NEW)
    assert all(is_usable(value) for value in options[1::2])
    assert all(option.startswith("--") for option in options[::2])


def test_a_process_is_outdated_when_it_was_started_with_something_else() -> None:
    assert not is_outdated({})
    assert is_outdated({"model": "opus"})
    launched = note_launched(Choices(model="opus"))
    assert not is_outdated({"model": "opus", "launched": launched})
    assert is_outdated({"model": "sonnet", "launched": launched})
    assert is_outdated({"launched": launched})


@pytest.mark.parametrize(
    ("chosen", "configured", "with_bypass", "mode"),
    [
        ("", "default", False, "default"),
        ("plan", "default", False, "plan"),
        ("bypassPermissions", "default", False, "default"),
        ("bypassPermissions", "default", True, "bypassPermissions"),
        ("", "bypassPermissions", True, "bypassPermissions"),
    ],
)
def test_the_mode_that_never_asks_needs_the_owners_word(
    chosen: str, configured: str, with_bypass: bool, mode: str
) -> None:
    choices = Choices(permission_mode=chosen)
    assert mode_in_effect(choices, configured, with_bypass=with_bypass, version=NEW) == mode


@pytest.mark.parametrize(
    ("mode", "version", "in_effect"),
    [
        ("auto", (2, 1, 50), "default"),
        ("auto", NEW, "auto"),
        ("manual", (2, 1, 197), "default"),
        ("manual", (2, 1, 250), "manual"),
        ("plan", (2, 1, 0), "plan"),
        ("auto", (), "auto"),
    ],
)
def test_a_mode_that_the_version_does_not_know_is_asking_each_time(
    mode: str, version: tuple[int, ...], in_effect: str
) -> None:
    for chosen, configured in ((mode, "acceptEdits"), ("", mode)):
        choices = Choices(permission_mode=chosen)
        found = mode_in_effect(choices, configured, with_bypass=False, version=version)
        assert found == in_effect


def test_the_efforts_are_those_that_the_version_knows() -> None:
    levels = ("low", "high", "xhigh", "max")
    assert list_efforts(levels, NEW) == levels
    assert list_efforts(levels, (2, 1, 80)) == ("low", "high", "max")
    assert list_efforts(levels, (2, 1, 0)) == ()


def test_the_modes_are_those_that_the_version_knows() -> None:
    assert list(list_modes(NEW, with_bypass=False)) == ["default", "acceptEdits", "plan", "auto"]
    assert list(list_modes((2, 1, 50), with_bypass=True)) == [
        "default",
        "acceptEdits",
        "plan",
        "bypassPermissions",
    ]
