"""The page from end to end: the real Claude Code, the real bridge, and Chromium."""

from __future__ import annotations

from playwright.sync_api import BrowserContext, expect

from tests.web_world import PATIENCE, WebWorld, message, reads, say


def test_a_text_goes_in_and_the_answer_comes_out(
    web_world: WebWorld, browser_context: BrowserContext
) -> None:
    web_world.start_bridge()
    page = web_world.open_page(browser_context)
    assert "key=" not in page.url
    say(page, "hello")
    reads(page, "Echo: hello")
    sign = message(page, "hello").first.get_by_role("img", name="Answered")
    expect(sign).to_be_visible(timeout=PATIENCE)
    say(page, "and again")
    reads(page, "Echo: and again")
    assert page.locator("article.mine").count() == 2
    assert page.locator("article.markdown").count() == 2
