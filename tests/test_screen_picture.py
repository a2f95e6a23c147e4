"""Pictures of screens: pixels where the terminal has cells, and a process that may fail."""

from __future__ import annotations

import asyncio
import io
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from core.errors import PictureError
from core.model import PaneScreen
from core.redaction import Redactor
from core.screen_colours import DARK, LIGHT, PALETTE, Rgb, contrast
from core.screen_secrets import SIGN
from screen_cells import LARGEST_COLUMNS, LARGEST_ROWS, read_cells
from screen_fonts import FontFiles, find_font_files
from screen_painter import Order, render_picture
from screen_picture import ScreenPictures
from tests.world import wait_until

ROOT = Path(__file__).resolve().parent.parent
SCREENS: dict[str, str] = json.loads(
    (ROOT / "tests/fixtures/screens-2.1.330.json").read_text(encoding="utf-8")
)
# What every machine has, so that pixels are the same everywhere.
OWN = FontFiles(find_font_files([]).upright, find_font_files([]).italic)
WIDTH, HEIGHT, MARGIN = 15, 32, 24
KEY = "sk-ant-api03-" + "A1b2C3d4E5" * 6

Picture = Image.Image


def draw(
    capture: str, columns: int = 20, rows: int = 5, cursor: tuple[int, int] | None = None
) -> Picture:
    png = render_picture(Order(capture, columns, rows, cursor), OWN)
    return Image.open(io.BytesIO(png)).convert("RGB")


def cell(picture: Picture, column: int, row: int, columns: int = 1) -> Picture:
    left, top = MARGIN + column * WIDTH, MARGIN + row * HEIGHT
    return picture.crop((left, top, left + columns * WIDTH, top + HEIGHT))


def colours(picture: Picture) -> set[Rgb]:
    found = picture.getcolors(1 << 20)
    assert found is not None
    return {(red, green, blue) for _, (red, green, blue) in found}  # type: ignore[misc]


def most(picture: Picture) -> Rgb:
    found = picture.getcolors(1 << 20)
    assert found is not None
    return max(found)[1]  # type: ignore[return-value]


# --- cells ---------------------------------------------------------------------------------------


def test_a_background_fills_its_cell_and_no_other() -> None:
    picture = draw("a\x1b[41m \x1b[0mb")
    assert colours(cell(picture, 1, 0)) == {PALETTE[1]}
    assert PALETTE[1] not in colours(cell(picture, 0, 0)) | colours(cell(picture, 2, 0))


@pytest.mark.parametrize(
    ("style", "colour"),
    [
        ("48;5;174", PALETTE[174]),
        ("48;2;1;2;3", (1, 2, 3)),
        ("48:2::1:2:3", (1, 2, 3)),
        ("101", PALETTE[9]),
        ("7", DARK.foreground),
        ("38;2;9;8;7;7", (9, 8, 7)),
    ],
)
def test_a_cell_has_its_real_colour(style: str, colour: Rgb) -> None:
    assert colours(cell(draw(f"\x1b[{style}m "), 0, 0)) == {colour}


def test_a_style_lasts_beyond_the_end_of_its_line() -> None:
    picture = draw("\x1b[42ma\nb\n\x1b[49mc")
    assert most(cell(picture, 0, 1)) == PALETTE[2]
    assert most(cell(picture, 0, 2)) == DARK.background


def test_letters_have_their_colour_and_smooth_edges() -> None:
    shown = colours(cell(draw("\x1b[38;2;255;0;0mM"), 0, 0))
    assert {(255, 0, 0), DARK.background} <= shown
    assert 2 < len(shown) <= 16


def test_dim_is_darker_and_bold_is_thicker() -> None:
    def ink(capture: str) -> int:
        return sum(cell(draw(capture), 0, 0).convert("L").tobytes())

    assert ink("\x1b[2mM") < ink("M") < ink("\x1b[1mM")


def test_italic_is_another_shape() -> None:
    assert cell(draw("\x1b[3mf"), 0, 0).tobytes() != cell(draw("f"), 0, 0).tobytes()


@pytest.mark.parametrize("style", ["4", "4:2", "4:3", "4:4", "4:5", "9", "53", "4;58;5;9"])
def test_lines_under_through_and_over_are_drawn_on_blanks_too(style: str) -> None:
    assert len(colours(cell(draw(f"\x1b[{style}m "), 0, 0))) > 1


def test_an_underline_has_its_own_colour() -> None:
    assert PALETTE[9] in colours(cell(draw("\x1b[4;58;5;9m "), 0, 0))


def test_concealed_text_is_not_drawn() -> None:
    assert colours(cell(draw("\x1b[8mM\x1b[0m."), 0, 0)) == {DARK.background}


def test_lines_join_across_cells() -> None:
    picture = draw("┌──┐\n│  │\n└──┘")
    middle = MARGIN + HEIGHT // 2
    along = {picture.getpixel((x, middle)) for x in range(MARGIN + 8, MARGIN + 3 * WIDTH + 6)}
    down = {picture.getpixel((MARGIN + 7, y)) for y in range(middle, middle + 2 * HEIGHT)}
    assert along == down == {DARK.foreground}


def test_a_wide_character_takes_two_cells() -> None:
    picture = draw("日x")
    assert colours(cell(picture, 0, 0)) != {DARK.background}
    assert colours(cell(picture, 1, 0)) != {DARK.background}
    assert cell(picture, 2, 0).tobytes() == cell(draw("  x"), 2, 0).tobytes()


def test_a_family_is_one_wide_character() -> None:
    cells = read_cells("👨\u200d👩\u200d👧x", 6, 1)[0]
    assert [(found.text, found.columns) for found in cells[:3]] == [
        ("👨\u200d👩\u200d👧", 2),
        ("", 1),
        ("x", 1),
    ]


def test_the_cursor_is_seen_and_the_letter_below_it_too() -> None:
    picture = draw("abc", cursor=(1, 0))
    assert most(cell(picture, 1, 0)) == DARK.foreground
    assert DARK.background in colours(cell(picture, 1, 0))
    assert cell(picture, 0, 0).tobytes() == cell(draw("abc"), 0, 0).tobytes()


def test_a_cursor_below_the_text_is_seen() -> None:
    assert colours(cell(draw("abc", cursor=(2, 3)), 2, 3)) == {DARK.foreground}


def test_the_empty_end_of_a_screen_is_not_drawn() -> None:
    assert draw("a\n\nb\n\n\n", rows=30).height == draw("a\n\nb", rows=3).height


def test_line_drawing_as_tmux_writes_it_is_drawn() -> None:
    assert draw("\x0eqqq\x0f q").tobytes() == draw("─── q").tobytes()


def test_colours_meant_for_a_light_screen_get_one() -> None:
    picture = draw("\x1b[38;2;20;20;20mdark letters, everywhere\x1b[39m and plain ones", 60)
    assert most(picture) == LIGHT.background
    assert contrast(LIGHT.foreground, LIGHT.background) > 10


@pytest.mark.parametrize(
    "hostile",
    [
        "\x1b[2J\x1b[Hx",
        "\x1b]0;title\x07x",
        "\x1b]4;1;#00ff00\x07x",
        "\x1bcx",
        "\x1b[?3hx",
        "\x1b[10;10Hx",
        "\x1bPq#0\x1b\\x",
        "\x1b]8;;http://x\x1b\\x\x1b]8;;\x1b\\",
        "\x9bx",
        "\r\tx\b",
        "\x1b[1\x1b[0mx",
    ],
)
def test_what_is_neither_text_nor_style_changes_nothing(hostile: str) -> None:
    assert draw(hostile).tobytes() == draw("x").tobytes()


def test_a_line_that_is_too_long_does_not_reach_the_next() -> None:
    cells = read_cells("a" * 50 + "\nb", 10, 2)
    assert "".join(found.text for found in cells[1]).strip() == "b"


# --- the picture ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(SCREENS))
def test_a_real_screen_is_small_enough_to_send(name: str) -> None:
    png = render_picture(Order(SCREENS[name], 120, 40), OWN)
    assert len(png) < 300_000
    assert Image.open(io.BytesIO(png)).width == 120 * WIDTH + 2 * MARGIN


@pytest.mark.parametrize(
    ("columns", "rows"),
    [(1, 1), (1, 200), (400, 1), (400, 200), (10**9, 10**9), (-5, 0), (120, 40)],
)
def test_a_picture_has_a_shape_that_telegram_takes(columns: int, rows: int) -> None:
    picture = draw("\n".join(["x"] * LARGEST_ROWS), columns, rows)
    assert sum(picture.size) <= 10_000
    assert max(picture.size) / min(picture.size) <= 20
    assert picture.width <= LARGEST_COLUMNS * WIDTH + 2 * MARGIN


def test_the_same_screen_gives_the_same_bytes() -> None:
    order = Order(SCREENS["permission_dialog"], 120, 40, (3, 4))
    assert render_picture(order, OWN) == render_picture(order, OWN)


def test_letters_are_printed_without_any_font(tmp_path: Path) -> None:
    (tmp_path / "broken.ttf").write_bytes(b"no font")
    broken = tmp_path / "broken.ttf"
    for files in (
        FontFiles(None, None),
        FontFiles(broken, broken, (broken,), ((broken, 109),)),
        FontFiles(tmp_path / "gone", None),
    ):
        png = render_picture(Order("Ab \x1b[1;3m日 😀 ❤\ufe0f", 20, 1), files)
        picture = Image.open(io.BytesIO(png)).convert("RGB")
        for column in (0, 1, 3, 6):
            assert len(colours(cell(picture, column, 0))) > 1  # a frame in its place


def test_whatever_fonts_this_machine_has_a_screen_is_drawn() -> None:
    text = "A é Ж ⏺ ⛁ ★ ℹ 日本 한 😀 👍🏽 🇩🇪 ❤️ e\u0301 \U0010f123 ༀ \u202e \ufeff"
    assert render_picture(Order(text, 60, 1)).startswith(b"\x89PNG")


@settings(deadline=None, max_examples=60)
@given(
    st.one_of(st.text(max_size=80), st.binary(max_size=80).map(lambda b: b.decode("latin-1"))),
    st.integers(-1, 30),
    st.integers(-1, 8),
    st.none() | st.tuples(st.integers(-2, 40), st.integers(-2, 10)),
)
def test_no_screen_raises(
    capture: str, columns: int, rows: int, cursor: tuple[int, int] | None
) -> None:
    assert render_picture(Order(capture, columns, rows, cursor), OWN).startswith(b"\x89PNG")


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.one_of(
            st.lists(st.integers(0, 110) | st.just(99999999999), max_size=6).map(
                lambda codes: f"\x1b[{';'.join(map(str, codes))}m"
            ),
            st.sampled_from(["\x1b[38;2m", "\x1b[48:2:1m", "\x1b[4:9m", "x", "日", "\n", "\ud800"]),
        ),
        max_size=20,
    ).map("".join)
)
def test_no_style_raises(capture: str) -> None:
    assert render_picture(Order(capture, 10, 4), OWN).startswith(b"\x89PNG")


# --- the process ---------------------------------------------------------------------------------


def pictures(*command: str, masks: bool = True, timeout: float = 30.0) -> ScreenPictures:
    redactor = Redactor() if masks else None
    if not command:
        return ScreenPictures(redactor=redactor, environment=os.environ, timeout=timeout)
    return ScreenPictures(
        redactor=redactor, environment=os.environ, timeout=timeout, command=command
    )


async def test_a_secret_is_drawn_as_its_mask_also_over_two_lines() -> None:
    before = PaneScreen(f"  key = {KEY[:50]}\n  {KEY[50:]} end", 60, 2)
    masked = PaneScreen(f"  key = {SIGN * 50}\n  {SIGN * (len(KEY) - 50)} end", 60, 2)
    drawn = await pictures().draw(before)
    assert drawn == await pictures(masks=False).draw(masked)
    assert drawn != await pictures(masks=False).draw(before)


async def test_the_cursor_reaches_the_picture() -> None:
    without = await pictures().draw(PaneScreen("abc", 10, 2))
    assert await pictures().draw(PaneScreen("abc", 10, 2, (1, 0))) != without


async def test_a_text_that_is_no_unicode_is_drawn() -> None:
    assert (await pictures().draw(PaneScreen("a\ud800b", 10, 1))).startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "code",
    ["import sys; sys.exit(3)", "print('no picture')", "import os; os.abort()", "import gone"],
)
async def test_a_painter_that_fails_is_one_clear_error(code: str) -> None:
    with pytest.raises(PictureError, match="could not be drawn"):
        await pictures(sys.executable, "-c", code).draw(PaneScreen("x", 1, 1))


async def test_a_painter_that_reads_nothing_is_one_clear_error() -> None:
    with pytest.raises(PictureError):
        await pictures("true").draw(PaneScreen("x" * 1_000_000, 1, 1))


async def test_a_painter_that_is_not_there_is_one_clear_error() -> None:
    with pytest.raises(PictureError, match=r"draws the screen can.t be run: No such file"):
        await pictures("/nowhere/painter").draw(PaneScreen("x", 1, 1))


async def test_a_painter_that_hangs_is_ended(tmp_path: Path) -> None:
    noted = tmp_path / "pid"
    code = f"import os,time; open({str(noted)!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    started = time.monotonic()
    with pytest.raises(PictureError, match="did not end within 2 s"):
        await pictures(sys.executable, "-c", code, timeout=2.0).draw(PaneScreen("x", 1, 1))
    assert time.monotonic() - started < 30
    with pytest.raises(ProcessLookupError):
        os.kill(int(noted.read_text()), 0)


async def test_giving_up_ends_the_painter(tmp_path: Path) -> None:
    noted = tmp_path / "pid"
    code = f"import os,time; open({str(noted)!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    painter = pictures(sys.executable, "-c", code)
    task = asyncio.create_task(painter.draw(PaneScreen("x", 1, 1)))
    await asyncio.to_thread(
        wait_until, lambda: noted.exists() and noted.read_text(), "the painter runs"
    )
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(ProcessLookupError):
        os.kill(int(noted.read_text()), 0)


async def test_the_painter_sees_no_variable_of_the_bridge(tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    code = f"import os; open({str(seen)!r}, 'w').write(' '.join(os.environ))"
    environment = {"PATH": os.environ["PATH"], "TELEGRAM_BOT_TOKEN": "x", "HOME": "/"}
    painter = ScreenPictures(
        redactor=None, environment=environment, command=(sys.executable, "-c", code)
    )
    with pytest.raises(PictureError):
        await painter.draw(PaneScreen("x", 1, 1))
    assert set(seen.read_text().split()) <= {"PATH", "HOME", "LC_CTYPE"}


def test_the_bridge_does_not_load_what_draws() -> None:
    code = "import bridge, screen_picture, sys; print(sorted({'PIL', 'bittty'} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
