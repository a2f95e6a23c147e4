"""What the features stand on, by the settings: whether secrets are masked in what is shown."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from base_assembly import Base, build_base
from core.config import load_config
from core.history import Record
from core.model import Attachment, Chat, Person, Post
from core.redaction import MASK, Redactor

SECRET = "ghp_" + "a1B2" * 9
CHAT = Chat("telegram", 42)


def build(folder: Path, **settings: str) -> Base:
    environ = {
        "HOME": str(folder),
        "PATH": os.environ["PATH"],
        "BRIDGE_CLAUDE_COMMAND": str(folder / "nothing"),
        "TELEGRAM_BOT_TOKEN": "1:x",
        "BRIDGE_STATE_DIR": str(folder / "state"),
        "BRIDGE_FILES_DIR": str(folder / "files"),
        **settings,
    }
    config = load_config(environ)
    config.bridge_dir.mkdir(parents=True)
    return build_base(config, environ, Redactor())


def below(folder: Path) -> str:
    return "".join(path.read_text() for path in folder.rglob("*") if path.is_file())


def show(base: Base) -> str:
    """What is kept to be shown of a text and of a file's text."""
    file = Attachment(f"{SECRET}.txt", text=f"file {SECRET}")
    base.outbox.put(Post("k", CHAT, f"text {SECRET}", details=SECRET, attachments=(file,)))
    return below(base.directory)


@pytest.mark.parametrize("settings", [{}, {"BRIDGE_MASK_SECRETS": "true"}])
def test_secrets_are_masked_in_what_is_shown_unless_the_user_says_otherwise(
    tmp_path: Path, settings: dict[str, str]
) -> None:
    base = build(tmp_path, **settings)
    shown = show(base)
    assert f"text {MASK}" in shown and f"file {MASK}" in shown and SECRET not in shown
    assert base.masks is not None  # for requests, screens and the page's terminal


def test_where_masking_is_switched_off_everything_is_shown_as_it_is(tmp_path: Path) -> None:
    base = build(tmp_path, BRIDGE_MASK_SECRETS="false")
    shown = show(base)
    assert f"text {SECRET}" in shown and f"file {SECRET}" in shown and MASK not in shown
    assert base.masks is None


def test_the_audit_log_and_the_histories_are_masked_all_the_same(tmp_path: Path) -> None:
    base = build(tmp_path, BRIDGE_MASK_SECRETS="false")
    base.admission.note_action(Person(42), CHAT, f"sent /x {SECRET}", "accepted")
    base.histories.note("one", [Record("k", 1.0, "prompt", f"text {SECRET}", "Ada", 42)])
    kept = below(base.directory)
    assert f"sent /x {MASK}" in kept and f"text {MASK}" in kept and SECRET not in kept
