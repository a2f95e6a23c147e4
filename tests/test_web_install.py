"""In a minute: the real installer starts the real bridge, and its links open it."""

from __future__ import annotations

import io
import re
import sys
from contextlib import redirect_stdout

from playwright.sync_api import BrowserContext

from qr_code import render_qr
from tests.web_world import WebWorld, open_link, reads, say
from tests.world import ROOT


def run_installer(world: WebWorld, *arguments: str, **more: str) -> str:
    return world.install(sys.executable, str(ROOT / "installer_start.py"), *arguments, **more)


def draw(link: str) -> str:
    """Its code, as it is drawn where there is no terminal."""
    with redirect_stdout(io.TextIOWrapper(io.BytesIO(), encoding="utf-8")):
        return render_qr(link)


def test_the_installer_prints_a_link_that_opens_the_chat_and_later_one_that_pairs_with_the_bot(
    web_world: WebWorld, browser_context: BrowserContext
) -> None:
    try:
        printed = run_installer(web_world)
        (link,) = re.findall(r"http://127\.0\.0\.1:\d+/\?key=\S+", printed)
        assert "./install.sh --telegram" in printed
        assert f"\n{draw(link)}\n" in printed
        page = open_link(browser_context, link)
        say(page, "hello")
        reads(page, "Echo: hello")
        (again,) = re.findall(r"http://\S+\?key=\S+", run_installer(web_world, "--web"))
        assert again != link
        said = " ".join((web_world.state / "bridge" / "bridge.log").read_text().split())
        assert link.partition("=")[2] not in said
        api = web_world.telegram
        given = {"TELEGRAM_BOT_TOKEN": api.token, "BRIDGE_TELEGRAM_API_URL": api.url}
        printed = run_installer(web_world, "--telegram", **given)
        (code,) = re.findall(r"https://t\.me/bridge_test_bot\?start=(\S+)", printed)
        assert api.token not in printed
        stranger = api.user(first_name="Eve")
        elsewhere = api.private_chat(stranger)
        api.send_text(elsewhere, stranger, "hello")
        web_world.ask(f"/start {code}", "Paired")
        web_world.ask("and from here", "Echo: and from here")
        assert api.messages(elsewhere, from_bot=True) == []
    finally:
        web_world.end_installed()
