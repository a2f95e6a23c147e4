"""A world whose person sits at the page: the bridge with the web channel alone, and Chromium."""

from __future__ import annotations

import os
import shutil
import socket
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import psutil
import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    Locator,
    Page,
    WebError,
    expect,
    sync_playwright,
)

from devices import Devices
from tests.world import World

# Without these it looks for Google's hosts at every start.
_OPTIONS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
_INSTALL_SECONDS = 300.0
PATIENCE = 30_000
"""Milliseconds for what a real Claude Code does, and a page on a busy machine."""
expect.set_options(timeout=PATIENCE)


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def find_chromium() -> str | None:
    """Debian's Chromium, or another."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


@contextmanager
def running_chromium() -> Iterator[Browser]:
    """A headless Chromium; skips where there is none, and fails in CI."""
    path = find_chromium()
    if path is None:
        if os.environ.get("BRIDGE_TEST_REQUIRE_REAL"):
            pytest.fail("Chromium is missing")
        pytest.skip("Chromium is missing")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(_OPTIONS))
        yield browser
        browser.close()


@contextmanager
def watched(context: BrowserContext) -> Iterator[BrowserContext]:
    """The context, closed at the end, in which no script of the page's may have failed."""
    with without_failures(context):
        yield context
        context.close()


@contextmanager
def without_failures(context: BrowserContext) -> Iterator[None]:
    """No script of the page's may fail meanwhile."""
    troubles: list[str] = []

    def note(found: WebError) -> None:
        troubles.append(str(found.error))

    context.on("weberror", note)
    yield
    context.remove_listener("weberror", note)
    assert troubles == []


class WebWorld(World):
    """One person, one page, one project, one bridge without Telegram."""

    def __init__(self, root: Path, claude: Path) -> None:
        super().__init__(root, claude)
        self.port = free_port()

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://127.0.0.1:{self.port}/"

    @property
    def environment(self) -> dict[str, str]:
        """As it is without a token."""
        telegram = ("TELEGRAM_BOT_TOKEN", "BRIDGE_TELEGRAM_API_URL", "BRIDGE_ALLOWED_USERS")
        inherited = {k: v for k, v in super().environment.items() if k not in telegram}
        web = {"BRIDGE_WEB": "on", "BRIDGE_WEB_PORT": str(self.port)}
        return {**inherited, **web, **self.settings}

    def start_bridge(self) -> None:
        """Run `bridge.py` in the foreground, until its page answers."""

        def answers() -> bool:
            with suppress(URLError, ConnectionError):
                urlopen(self.url, timeout=5).close()
                return True
            return False

        self._launch(answers, "the page answers")

    def install(self, *words: str, **more: str) -> str:
        """What the installer that `words` run prints: it has no token, no terminal, no systemd."""
        fakes = self.root / "fakes"
        fakes.mkdir(exist_ok=True)
        for name in ("systemctl", "launchctl"):
            (fakes / name).write_text("#!/bin/sh\nexit 1\n")
            (fakes / name).chmod(0o755)
        environment = {k: v for k, v in self.environment.items() if k != "BRIDGE_WEB"}
        done = subprocess.run(
            words,
            env={**environment, "PATH": f"{fakes}:{environment['PATH']}", **more},
            cwd=self.root,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_INSTALL_SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def end_installed(self) -> None:
        """End the bridge that the installer left in the background, if it did."""
        path = self.state / "bridge" / "bridge.pid"
        if path.exists():
            process = psutil.Process(int(path.read_text()))
            process.terminate()
            process.wait(_INSTALL_SECONDS)

    def keeps(self, words: str) -> bool:
        """Whether a message of just these words is kept for the page, which may not have it yet."""
        path = self.state / "bridge" / "web" / "page.db"
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as kept:
            found = kept.execute("SELECT 1 FROM messages WHERE words = ?", (words,))
            return found.fetchone() is not None

    def link(self) -> str:
        """A link that lets a browser in, as the installer prints it."""
        return f"{self.url}?key={Devices(self.state / 'bridge').issue_key()}"

    def open_page(self, context: BrowserContext) -> Page:
        """The page, in a browser that is let in by a link."""
        return open_link(context, self.link())


def open_link(context: BrowserContext, link: str) -> Page:
    """A page that hears what the person does, at that link."""
    page = context.new_page()
    page.goto(link)
    is_ready(page)
    return page


def open_topic(page: Page, topic: int) -> None:
    """Another conversation, opened as by its link."""
    page.evaluate(f"location.hash = '#t{topic}'")
    expect(page.locator("#topics [aria-current]")).to_have_attribute("data-topic", str(topic))
    is_ready(page)


def is_ready(page: Page) -> None:
    """Wait until the page hears what the person does, and shows what was said."""
    expect(page.locator("body[data-ready]")).to_be_visible()
    expect(page.locator("#log")).not_to_have_attribute("aria-busy", "true")


def say(page: Page, text: str) -> None:
    """Send a text as a person does."""
    box = page.get_by_role("textbox", name="Message Claude")
    box.fill(text)
    box.press("Enter")


def message(page: Page, text: str) -> Locator:
    """The messages that say it."""
    return page.get_by_role("article").filter(has_text=text)


def reads(page: Page, text: str) -> Locator:
    """Wait until a message of the bridge's says it; that message."""
    found = page.locator("article:not(.mine, .card)").filter(has_text=text).last
    expect(found).to_be_visible()
    return found
