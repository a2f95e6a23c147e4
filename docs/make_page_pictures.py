"""Makes the README's pictures of the page, docs/page-*.png, and its icons.

    .venv/bin/python docs/make_page_pictures.py    (after ./install.sh --test; takes a minute)

* The page, the bridge, tmux and Claude Code are the real ones; a script stands in for the model.
* Needs Chromium; uses pngquant and an emoji font where they are.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

DOCS = Path(__file__).resolve().parent
sys.path.insert(0, str(DOCS.parent))

from playwright.sync_api import Browser, BrowserContext, Page, expect  # noqa: E402

from tests.standins.messages_api import ModelRequest, Reply, Say, UseTool  # noqa: E402
from tests.web_world import PATIENCE, WebWorld, message, reads, running_chromium, say  # noqa: E402
from tests.world import find_claude  # noqa: E402

PAGE = DOCS.parent / "channels" / "web_page"

EARLIER = {
    "Why is the build slow?": "**The tests run twice**: once in `make`, once in the hook.",
    "Write the release notes": "They are in `CHANGES.md`; I took the merges since May.",
}
QUESTION = "Accents get lost in my slugs: “Crème brûlée” becomes “crme-brle”. Mend that, please."
FIXED = """\
**Mended.** `encode("ascii", "ignore")` threw the whole letter away, not only its accent; now \
`NFKD` takes the accents off first.

| title | slug |
|:--|:--|
| Crème brûlée | `creme-brulee` |
| Żurek à la Zoë | `zurek-a-la-zoe` |
| Pizza 🍕 night | `pizza-night` |

- [x] new titles
- [ ] old links are as they were
"""
PUSH = "Good. Commit it, and push."
BROKEN = """\
import re


def slugify(title):
    flat = title.encode("ascii", "ignore")
"""
MENDED = """\
import re
from unicodedata import normalize


def slugify(title):
    flat = normalize("NFKD", title)
    flat = flat.encode("ascii", "ignore")
"""
REST = """\
    words = re.findall(r"\\w+", flat.decode())
    return "-".join(words).lower()
"""
THINKING_SECONDS = 3.0


def mend(module: Path) -> Iterator[Reply]:
    """What Claude does, one answer of the model after the other."""
    yield UseTool("Read", {"file_path": str(module)})
    change = {"old_string": BROKEN, "new_string": MENDED}
    yield UseTool("Edit", {"file_path": str(module), **change})
    yield Say((FIXED,))
    time.sleep(THINKING_SECONDS)
    command = 'git commit -am "Accents are taken off, letters stay" && git push'
    yield UseTool("Bash", {"command": command, "description": "Commit and push"})


def play(world: WebWorld, page: Page) -> None:
    """The conversation of the pictures, up to the question whether Claude may push."""
    world.project.joinpath("slugs.py").write_text(BROKEN + REST)
    folder = world.home / ".claude"
    folder.mkdir(exist_ok=True)
    allowed = {"permissions": {"allow": ["Read", "Edit"]}}
    folder.joinpath("settings.json").write_text(json.dumps(allowed))
    for question, answer in EARLIER.items():
        world.model.answer = _say(answer)
        page.get_by_role("button", name="New conversation").click()
        say(page, question)
        reads(page, answer.split("`")[1])
    page.get_by_role("button", name="New conversation").click()
    script = mend(world.project / "slugs.py")
    world.model.answer = lambda request: next(script)
    say(page, QUESTION)
    reads(page, "Mended.")
    say(page, PUSH)
    reads(page, "Run this command?")


def _say(text: str) -> Callable[[ModelRequest], Reply]:
    def answer(request: ModelRequest) -> Reply:
        return Say((text,))

    return answer


def take_pictures(world: WebWorld, browser: Browser, folder: Path) -> None:
    """All pictures of one conversation."""
    with _opened(browser, 1440, 900) as context:
        page = world.open_page(context)
        play(world, page)
        page.get_by_role("button", name="Terminal").click()
        terminal = page.get_by_role("application")
        expect(terminal).to_contain_text("Do you want to proceed?", timeout=PATIENCE)
        page.get_by_role("textbox", name="Message Claude").focus()
        expect(page.locator("#topics [aria-current] .asks")).to_be_visible()
        _keep(page, folder / "page-desk.png")
        address = page.url
    with _opened(browser, 390, 800, scheme="dark", is_phone=True) as context:
        page = world.open_page(context)
        page.goto(address)
        reads(page, "Run this command?")
        page.wait_for_timeout(500)
        _keep(page, folder / "page-phone.png")
        message(page, "import normalize").evaluate("change => change.scrollIntoView()")
        page.wait_for_timeout(300)
        _keep(page, folder / "page-phone-answer.png")


def _opened(
    browser: Browser, width: int, height: int, *, scheme: str = "light", is_phone: bool = False
) -> BrowserContext:
    return browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if scheme == "dark" else "light",
        device_scale_factor=2,
        is_mobile=is_phone,
        has_touch=is_phone,
        locale="en-GB",
    )


def _keep(page: Page, path: Path) -> None:
    page.screenshot(path=path)
    if program := shutil.which("pngquant"):
        options = ["--force", "--strip", "--speed=1", "--quality=60-95"]
        subprocess.run([program, *options, "--output", str(path), str(path)], check=True)


def make_icons(browser: Browser) -> None:
    """The icon as PNG, in the sizes that a home screen wants."""
    drawing = PAGE.joinpath("icon.svg").read_text()
    for size in (192, 512):
        context = browser.new_context(viewport={"width": size, "height": size})
        page = context.new_page()
        page.set_content(
            f"<style>*{{margin:0}}body{{background:#b4552f}}svg{{width:{size}px}}</style>{drawing}"
        )
        _keep(page, PAGE / f"icon-{size}.png")
        context.close()


def main() -> None:
    """Take them all."""
    claude = find_claude()
    if claude is None:
        raise SystemExit("Claude Code is missing. ./install.sh --test installs it.")
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else DOCS
    with tempfile.TemporaryDirectory() as root, running_chromium() as browser:
        make_icons(browser)
        world = WebWorld(Path(root), claude)
        world.project = world.home / "slugs"
        with world:
            world.start_bridge()
            take_pictures(world, browser, folder)


if __name__ == "__main__":
    main()
