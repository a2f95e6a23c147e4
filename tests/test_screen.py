"""Screens that the real CLI drew in tmux, and what may be read off them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.screen import (
    Option,
    find_dialog,
    find_options,
    is_quiet,
    next_key,
    read_input_box,
    read_retry,
    render_screen,
)

SCREENS: dict[str, str] = json.loads(
    (Path(__file__).parent / "fixtures" / "screens-2.1.330.json").read_text()
)
DIALOGS: dict[str, dict[str, str]] = json.loads(
    (Path(__file__).parent / "fixtures" / "dialogs.json").read_text()
)
RULE = "─" * 40
LINE = "─" * 120
WORDS = " ".join(["word"] * 24)


def box(*lines: str, above: str = "● An answer") -> str:
    return "\n".join([above, "", RULE, *lines, RULE, "  ? for shortcuts", ""])


@pytest.mark.parametrize(
    "name",
    [
        *("empty_box", "cleared", "after_answer", "after_permission_escape", "after_interrupt"),
        *("api_error", "after_compact", "busy", "shortcuts"),
    ],
)
def test_an_empty_box_is_seen_wherever_it_stands(name: str) -> None:
    assert read_input_box(SCREENS[name]) == ""


@pytest.mark.parametrize("name", ["queued", "queued_mid_turn"])
def test_a_greyed_example_is_no_draft(name: str) -> None:
    assert "Press up to edit queued messages" in render_screen(SCREENS[name])
    assert read_input_box(SCREENS[name]) == ""


@pytest.mark.parametrize(
    ("name", "draft"),
    [
        ("draft", "half a thought"),
        ("draft_of_three_lines", "one\ntwo\nthree"),
        ("draft_with_blank_line", "a\n\nb"),
        ("draft_that_wraps", f"{WORDS[:-5]}\n{WORDS[:-5]}\n{' '.join(['word'] * 14)}"),
        ("pasted_text", "[Pasted text #1 +30 lines]"),
        ("slash_menu", "/"),
        ("draft_beginning_with_sign", "❤ x"),
        ("draft_with_prompt_sign", "❯ not a prompt"),
        ("draft_with_rule", f"x\n{'─' * 30}\ny"),
    ],
)
def test_a_draft_is_read(name: str, draft: str) -> None:
    assert read_input_box(SCREENS[name]) == draft


@pytest.mark.parametrize(
    "name",
    ["permission_dialog", "model_dialog", "history_search", "transcript_view", "shell_mode"],
)
def test_a_screen_that_is_no_prompt_has_no_box(name: str) -> None:
    assert read_input_box(SCREENS[name]) is None


@pytest.mark.parametrize(
    "screen",
    ["", "\n\n", "❯ x", f"{RULE}\n❯ x", f"❯ x\n{RULE}", f"{RULE}\n  ❯ x\n{RULE}", "bash$ "],
)
def test_less_than_a_box_between_two_rules_is_none(screen: str) -> None:
    assert read_input_box(screen) is None


def test_a_prompt_in_the_history_is_no_box() -> None:
    assert read_input_box(f"❯ hello\n\n● Echo: hello\n\n{RULE}\n Bash command\n ❯ 1. Yes\n") is None


def test_a_greyed_example_of_several_lines_is_no_draft() -> None:
    example = ["❯\xa0\x1b[7mT\x1b[0;2mry to edit", "  the file and then", "  run it\x1b[0m"]
    assert read_input_box(box(*example)) == ""


def test_a_style_from_the_lines_above_reaches_into_the_box() -> None:
    dim_above = "\x1b[2mdim and never switched off"
    assert read_input_box(box("❯\xa0Try this", above=dim_above)) == ""
    assert read_input_box(box("❯\xa0\x1b[22mTry this", above=dim_above)) == "Try this"


@pytest.mark.parametrize(
    "style", ["38;5;2", "48;5;2", "1;38;5;2", "38;2;2;2;2", "38;5;2;1", "58;5;2", "4;48;2;0;2;2"]
)
def test_a_colour_called_2_is_not_dim(style: str) -> None:
    assert read_input_box(box(f"❯\xa0\x1b[{style}mgreen text")) == "green text"


@pytest.mark.parametrize("style", ["2", "0;2", "2;38;5;0", "22;2", ";2", "38;2;0;0;0;2"])
def test_dim_is_seen_among_other_codes(style: str) -> None:
    assert read_input_box(box(f"❯\xa0T\x1b[{style}mry this")) == ""


def test_a_draft_with_a_dim_part_is_a_draft() -> None:
    assert read_input_box(box("❯\xa0/com\x1b[2mpact\x1b[22m")) == "/compact"


def test_one_character_is_a_draft_and_no_cursor() -> None:
    assert read_input_box(box("❯\xa0\x1b[2mx\x1b[0m")) == "x"


@settings(deadline=None)
@given(st.text(alphabet=st.sampled_from("❯─━ \xa0\n\x1b[0m2;[a"), max_size=120))
def test_no_screen_raises(screen: str) -> None:
    read_input_box(screen)
    render_screen(screen)


def test_a_screen_for_a_chat_is_short_and_plain() -> None:
    shown = render_screen(f"\n\n\x1b[1mHello\x1b[0m   \n\n\n\n{'═' * 100}\n  there\n\n\n")
    assert shown == f"Hello\n\n{'═' * 30}\n  there"


def test_the_columns_of_a_choice_are_closed_up_for_a_phone() -> None:
    shown = render_screen(
        "  ❯ 1. Default (recommended) ✔   Opus\n    2. Haiku           x    y\n    z"
    )
    assert shown == "  ❯ 1. Default (recommended) ✔  Opus\n    2. Haiku  x  y\n    z"


@pytest.mark.parametrize("name", sorted(SCREENS))
def test_a_real_screen_keeps_its_words(name: str) -> None:
    shown = render_screen(SCREENS[name])
    assert "\x1b" not in shown
    assert "\n\n\n" not in shown
    assert shown == render_screen(shown)


# --- at rest, or a dialog -------------------------------------------------------------------------

FOOTER = "  ? for shortcuts"
# As captured, with the colours left out where nothing depends on them.
IDLE = {
    "2.1.0": f"❯ hold a\n\n● Held a.\n  And done.\n\n{LINE}\n❯\n{LINE}\n{FOOTER}",
    "2.1.50, with a greyed example": (
        f"  /model to try Opus 4.6\n\n\x1b[38;5;244m{LINE}\n\x1b[39m❯\xa0\x1b[7mT\x1b[0;2mry "
        f'"fix typecheck errors"\x1b[0m\n\x1b[38;5;244m{LINE}\n\x1b[39m{FOOTER}'
    ),
    "2.1.100, with a notice": (
        f"● Held a.\n  And done.\n\n{LINE}\n❯\n{LINE}\n"
        "                    Failed to install Anthropic marketplace · Will retry on next startup"
    ),
    "2.1.150, after a turn": f"● Held a.\n\n✻ Brewed for 3s\n\n{LINE}\n❯\n{LINE}\n{FOOTER}",
    "2.1.330": (
        f"{' ' * 100}◐ medium · /effort\n{LINE}\n❯\n{LINE}\n"
        "  ⏸ manual mode on · ? for shortcuts · ← for agents"
    ),
    "an answer that speaks of it": (
        f"● Press esc to interrupt me.\n\n\n\n\n\n\n\n{LINE}\n❯\n{LINE}\n{FOOTER}"
    ),
}
BUSY = {
    "2.1.0": f"❯ hold a\n\n✻ Metamorphosing… (esc to interrupt)\n\n{LINE}\n❯\n{LINE}\n{FOOTER}",
    "2.1.50, with a notice over the footer": (
        "  ⎿  Running…\n\n✽ Newspapering…\n  ⎿  Tip: Use Plan Mode to prepare for a request.\n\n"
        f"{LINE}\n❯\n{LINE}\n   Claude Code has switched from npm to native installer."
    ),
    "2.1.100, while an answer is written": (
        f"❯ hold a\n\n● Held a.\n\n{LINE}\n❯\n{LINE}\n  esc to interrupt"
    ),
    "2.1.150, while a tool runs": (
        f"  ⎿  Running…\n\n✽ Prestidigitating… (1s · ↓ 12 tokens)\n\n{LINE}\n❯\n{LINE}\n{FOOTER}"
    ),
    "2.1.330": (
        f"· Doing… (1s · ↓ 12 tokens)\n  ⎿  Tip: Start small\n{' ' * 100}◐ medium · /effort\n"
        f"{LINE}\n❯\n{LINE}\n  ⏸ manual mode on · esc to interrupt · ← for agents"
    ),
}
DIALOG = {
    "trust": f"{LINE}\n Do you trust the files in this folder?\n\n ❯ 1. Yes, proceed",
    "settings": f"{LINE}\n  Settings Warning\n\n  ❯ 1. Continue\n    2. Exit and fix manually",
    "model": f"❯ /model\n{LINE}\n Select model\n\n ❯ 1. Default (recommended)\n   2. Opus",
}


@pytest.mark.parametrize("screen", IDLE.values(), ids=IDLE.keys())
def test_an_empty_box_at_rest_is_quiet(screen: str) -> None:
    assert is_quiet(screen)
    assert read_input_box(screen) == ""
    assert find_dialog(screen) is None


@pytest.mark.parametrize("screen", BUSY.values(), ids=BUSY.keys())
def test_what_spins_or_can_be_interrupted_is_not_quiet(screen: str) -> None:
    assert not is_quiet(screen)


@pytest.mark.parametrize(("name", "screen"), DIALOG.items(), ids=DIALOG.keys())
def test_a_dialog_is_known_and_never_quiet(name: str, screen: str) -> None:
    dialog = find_dialog(screen)
    assert dialog is not None and dialog.name == name
    assert not is_quiet(screen)


@pytest.mark.parametrize(
    "screen",
    [
        "",
        "$ ls\nfile",
        f"{LINE}\n❯\n",
        f"❯\n{LINE}",
    ],
    ids=["nothing", "a shell", "half a box", "no rule above"],
)
def test_anything_else_is_neither_quiet_nor_a_dialog(screen: str) -> None:
    assert not is_quiet(screen)
    assert find_dialog(screen) is None


def test_a_draft_is_quiet_and_what_an_answer_quotes_is_no_dialog() -> None:
    screen = f"● It said: Settings Error\n\n{LINE}\n❯ a draft\n{LINE}\n{FOOTER}"
    assert is_quiet(screen)
    assert find_dialog(screen) is None


# --- options -------------------------------------------------------------------------------------

OLD_THEMES = [
    *("Dark mode ✔", "Light mode", "Dark mode (colorblind-friendly)"),
    *("Light mode (colorblind-friendly)", "Dark mode (ANSI colors only)"),
    "Light mode (ANSI colors only)",
]
ALWAYS = "Yes, and always allow access to project/ from this project"
ALWAYS_HERE = "Yes, and always allow access to /home/ada/project from this project"
AUTO = "Yes, and switch to auto mode · auto mode handles these prompts for you"
# What is chosen first, and the labels; "1." where the dialog has numbers.
OPTIONS: list[tuple[str, str, int, str, list[str]]] = [
    *(
        (version, "trust", 0, "1.", ["Yes, I trust this folder", "No, exit"])
        for version in ("2.1.50", "2.1.100", "2.1.197")
    ),
    ("2.1.250", "trust", 0, "", ["No, exit", "Yes, I trust this folder"]),
    ("2.1.330", "trust", 0, "", ["No, exit", "Yes, I trust this folder"]),
    ("2.1.50", "permission", 0, "1.", ["Yes", ALWAYS, "No"]),
    ("2.1.100", "permission", 0, "1.", ["Yes", ALWAYS, "No"]),
    ("2.1.197", "permission_second", 1, "1.", ["Yes", ALWAYS, "No"]),
    ("2.1.330", "permission", 0, "1.", ["Yes", ALWAYS_HERE, AUTO, "No"]),
    ("2.1.330", "permission_second", 1, "1.", ["Yes", ALWAYS_HERE, AUTO, "No"]),
    ("2.1.50", "theme", 0, "1.", OLD_THEMES),
    ("2.1.100", "theme", 0, "1.", OLD_THEMES),
    *(
        (version, "question", 0, "1.", ["Red", "Blue", "Type something.", "Chat about this"])
        for version in DIALOGS
    ),
    *(
        (version, "export", 0, "1.", ["Copy to clipboard", "Save to file"])
        for version in ("2.1.50", "2.1.100", "2.1.197", "2.1.250")
    ),
    ("2.1.50", "plan", 0, "1.", ["Yes", "No"]),
    (
        *("2.1.330", "plan", 0, "1."),
        ["Yes, and switch to default (ask each time) for this session", "No"],
    ),
    ("2.1.50", "bypass", 0, "1.", ["No, exit", "Yes, I accept"]),
    ("2.1.330", "bypass", 0, "", ["No, exit", "Yes, I accept"]),
    ("2.1.330", "api_key", 1, "", ["Yes", "No (recommended)"]),
    (
        *("2.1.330", "mcp_new", 2, ""),
        [
            *("Use this MCP server", "Use this and all future MCP servers in this project"),
            "Continue without using this MCP server",
        ],
    ),
    (
        *("2.1.330", "model", 0, "1."),
        ["Default (recommended) ✔", "Opus", "Fable", "Sonnet", "Haiku"],
    ),
]


@pytest.mark.parametrize(("version", "name", "chosen", "numbers", "labels"), OPTIONS)
def test_the_options_of_a_dialog_are_read(
    version: str, name: str, chosen: int, numbers: str, labels: list[str]
) -> None:
    assert find_options(DIALOGS[version][name]) == [
        Option(index + 1 if numbers else None, label, index == chosen)
        for index, label in enumerate(labels)
    ]


@pytest.mark.parametrize("version", DIALOGS)
@pytest.mark.parametrize(
    "name", ["idle", "config", "permissions", "rewind", "list_answer", "draft_option"]
)
def test_what_is_no_plain_choice_has_no_options(version: str, name: str) -> None:
    assert find_options(DIALOGS[version][name]) is None


@pytest.mark.parametrize("name", sorted(SCREENS))
def test_only_dialogs_have_options(name: str) -> None:
    has_options = find_options(SCREENS[name]) is not None
    assert has_options == (name in ("permission_dialog", "model_dialog"))


def test_the_options_of_a_coloured_screen_are_the_same() -> None:
    options = find_options(SCREENS["permission_dialog"])
    assert options is not None
    assert [option.label for option in options][::3] == ["Yes", "No"]


SMALL_DIALOG = f"{RULE}\n Do it?\n ❯ 1. Yes\n   2. No\n\n Esc to cancel"


def test_a_small_dialog_has_options() -> None:
    assert find_options(SMALL_DIALOG) == [Option(1, "Yes", True), Option(2, "No", False)]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (RULE, ""),  # no frame
        (RULE, f"{RULE}\n● It asks:"),  # said in the conversation
        ("Esc to cancel", ""),  # ends with other text than a footer…
        ("Esc to cancel", "and then some more"),
        ("❯ 1", "  1"),  # nothing is marked
        ("  2", "❯ 2"),  # two are
        ("2. No", "3. No"),  # one is missing
        ("   2", "     2"),  # not in one column
        ("   2. No", " text\n   2. No"),
        ("1. Yes", "0. Yes"),
        ("   2. No", ""),
        (" Esc to cancel", f"{RULE}\n❯ \n{RULE}\n Esc to cancel"),  # an input box is open
    ],
)
def test_a_screen_that_is_nearly_a_dialog_has_no_options(old: str, new: str) -> None:
    screen = SMALL_DIALOG.replace(old, new, 1)
    if new:
        assert find_options(screen) is None


def test_a_prompt_that_looks_like_an_option_is_none() -> None:
    said = f"{RULE}\n❯ 1. Yes\n  2. No\n\n● Echo\n\n{RULE}\n❯ \n{RULE}\n  ? for shortcuts"
    assert find_options(said) is None


def test_a_choice_without_numbers_that_may_go_on_in_the_next_line_is_not_certain() -> None:
    labels = ["❯ " + "word " * 7 + "word", "  continued or another", "  No"]
    screen = "\n".join([RULE, "", *labels, "", "Enter to confirm · Esc to cancel"])
    assert find_options(screen) is None


def marked(chosen: int, *labels: str) -> list[Option]:
    return [Option(None, label, index == chosen) for index, label in enumerate(labels)]


def test_a_numbered_option_is_chosen_by_its_digit() -> None:
    options = find_options(DIALOGS["2.1.330"]["permission"])
    assert options is not None
    keys = [next_key(options, option.number, option.label) for option in options]
    assert keys == ["1", "2", "3", "4"]


def test_enter_is_pressed_only_on_the_option_that_is_marked() -> None:
    assert next_key(marked(0, "a", "b", "c"), None, "c") == "Down"
    assert next_key(marked(1, "a", "b", "c"), None, "c") == "Down"
    assert next_key(marked(2, "a", "b", "c"), None, "c") == "Enter"
    assert next_key(marked(2, "a", "b", "c"), None, "a") == "Up"


def test_an_option_that_is_not_there_or_there_twice_is_not_chosen() -> None:
    assert next_key(marked(0, "a", "b"), None, "c") is None
    assert next_key(marked(0, "a", "a"), None, "a") is None
    assert next_key(marked(0, "a", "b"), 1, "a") is None


def test_a_tenth_option_is_gone_to() -> None:
    options = [Option(number, f"{number}", number == 9) for number in range(1, 12)]
    assert next_key(options, 10, "10") == "Down"


@settings(deadline=None)
@given(
    st.lists(st.sampled_from([*SMALL_DIALOG.split("\n"), *"❯─▔12. \n", "  ", RULE]), max_size=30)
)
def test_no_screen_raises_when_options_are_looked_for(parts: list[str]) -> None:
    for screen in ("\n".join(parts), "".join(parts)):
        options = find_options(screen)
        assert options is None or sum(option.is_selected for option in options) == 1


@pytest.mark.parametrize(
    ("screen", "said"),
    [
        (
            "● Hi\n\n✻ 529 Overloaded · retrying in 36s · attempt 7/10\n\n❯ ",
            "529 Overloaded · retrying in 36s · attempt 7/10",
        ),
        (
            "✻ API error · retrying in 1s · attempt 1/10",
            "API error · retrying in 1s · attempt 1/10",
        ),
        ("retrying in a minute", None),
        ("", None),
    ],
)
def test_that_claude_tries_to_reach_the_model_again_is_read(screen: str, said: str | None) -> None:
    assert read_retry(screen) == said
