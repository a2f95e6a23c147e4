"""From a real terminal to a picture of it, and from the options on it to the one that is chosen."""

from __future__ import annotations

import asyncio
import io
import os
import shutil
import uuid
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from PIL import Image

from core.claude_code import typing_for
from core.errors import PaneNotFoundError
from core.redaction import Redactor
from core.screen import Option, find_options
from core.screen_colours import PALETTE
from option_choice import choose_option
from screen_picture import ScreenPictures
from terminal import Terminal
from tests.world import World, wait_until
from tmux_control import TmuxControl

pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")


@pytest.fixture
def control(tmp_path: Path) -> Iterator[TmuxControl]:
    made = TmuxControl(
        socket=f"bridge-test-{uuid.uuid4().hex[:12]}",
        environment={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
        folder=tmp_path / "typing",
        typing=typing_for(()),
    )
    yield made
    made.kill_server()


def show(control: TmuxControl, folder: Path, drawn: str) -> None:
    control.open("drawn", ["sh", "-c", f"printf '{drawn}'; sleep 60"], folder)


def test_a_snapshot_has_blank_coloured_cells_the_size_and_the_cursor(
    control: TmuxControl, tmp_path: Path
) -> None:
    show(control, tmp_path, r"\033[41mred   \033[0m\n\n\033[2;5H")
    screen = wait_until(
        lambda: (shown := control.snapshot("drawn")).cursor == (4, 1) and shown, "it is drawn"
    )
    assert (screen.columns, screen.rows) == (120, 40)
    assert screen.capture.startswith("\x1b[41mred   ")


def test_an_empty_screen_has_a_snapshot(control: TmuxControl, tmp_path: Path) -> None:
    control.open("empty", ["sleep", "60"], tmp_path)
    screen = control.snapshot("empty")
    assert (screen.capture, screen.cursor, screen.columns) == ("", (0, 0), 120)


def test_a_hidden_cursor_is_none(control: TmuxControl, tmp_path: Path) -> None:
    show(control, tmp_path, r"x\033[?25l")
    wait_until(lambda: control.snapshot("drawn").cursor is None, "it is hidden")


def test_lines_that_look_like_an_answer_of_tmux_are_the_screen(
    control: TmuxControl, tmp_path: Path
) -> None:
    show(control, tmp_path, r"\n1|2|3|4|5\n#{pane_id}\n")
    screen = wait_until(
        lambda: "pane_id" in (shown := control.snapshot("drawn")).capture and shown, "it is drawn"
    )
    assert screen.capture.split("\n")[:3] == ["", "1|2|3|4|5", "#{pane_id}"]


def test_a_snapshot_of_no_pane_is_refused(control: TmuxControl) -> None:
    with pytest.raises(PaneNotFoundError):
        control.snapshot("nobody")


async def test_what_a_terminal_shows_is_what_the_picture_shows(
    control: TmuxControl, tmp_path: Path
) -> None:
    show(control, tmp_path, r"\n  \033[41m    \033[0m \342\235\257 \033[44m end\033[?25l")
    await asyncio.to_thread(
        wait_until, lambda: control.snapshot("drawn").cursor is None, "it is drawn"
    )
    screen = await Terminal(control).snapshot("drawn")
    png = await ScreenPictures(redactor=Redactor(), environment=os.environ).draw(screen)
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    middle_of_row_two = 24 + 32 + 16
    assert picture.getpixel((24 + 15 * 2, middle_of_row_two)) == PALETTE[1]
    assert picture.getpixel((24 + 15 * 6 - 1, middle_of_row_two)) == PALETTE[1]
    assert picture.getpixel((24 + 15 * 9 + 2, middle_of_row_two)) == PALETTE[4]


def test_an_option_is_chosen_key_by_key_in_the_real_dialog(world: World) -> None:
    """The first one is "No, exit", and marked; below, the dialog's options are numbered."""
    world.write_claude_settings(trusted=[])
    environment = {k: v for k, v in world.environment.items() if not k.startswith("TELEGRAM")}
    folder = world.root / "typing"
    control = TmuxControl(
        socket=world.socket, environment=environment, folder=folder, typing=typing_for(())
    )
    control.open("real", [str(world.claude), "--permission-mode", "default"], world.project)

    seen: list[list[Option]] = []

    def find_still(label: str) -> Option | None:
        """The option, once the dialog stands still: a key is lost while one opens."""
        seen.append(find_options(control.capture("real")) or [])
        is_still = len(seen) > 10 and all(options == seen[-1] for options in seen[-10:])
        return next((o for o in seen[-1] if o.label == label and is_still), None)

    def choose(label: str) -> None:
        option = wait_until(partial(find_still, label), label)
        terminal = Terminal(control)
        said = asyncio.run(choose_option(terminal, "real", option.number, label, looks=1000))
        assert said == ""

    choose("Yes, I trust this folder")
    world.wait_for_process("idle")
    control.type_text("real", 'tool Bash {"command":"touch made","description":"Make it"}')
    choose("Yes")
    wait_until((world.project / "made").exists, "the command ran")
