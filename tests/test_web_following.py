"""The newest message stays in sight of whoever is at the end, and of nobody else."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.web_rig import WebRig
from tests.web_world import open_topic

pytest_plugins = ["tests.standins.web_fixtures"]

_LONG = "\n\n".join(f"line {number}" for number in range(30))
# A message and the one after it come between two frames; what was scrolled is told in the next.
_GROWS_AND_TELLS = """pane => {
    document.querySelector("#log > :last-child").style.paddingBottom = "400px";
    pane.dispatchEvent(new Event("scroll"));
}"""
_IS_AT_THE_END = """() => {
    const pane = document.getElementById("scroll");
    return pane.scrollHeight - pane.scrollTop - pane.clientHeight < 2;
}"""


def test_two_messages_at_once_are_followed_to_the_end(rig: WebRig, page: Page) -> None:
    topic = rig.make_topic("Fast")
    open_topic(page, topic)
    rig.show(_LONG, topic=topic, style="markdown")
    page.wait_for_function(_IS_AT_THE_END)
    page.locator("#scroll").evaluate(_GROWS_AND_TELLS)
    page.wait_for_function(_IS_AT_THE_END)
    rig.show("the last", topic=topic)
    expect(page.get_by_text("the last")).to_be_in_viewport()


def test_who_has_gone_up_stays_there(rig: WebRig, page: Page) -> None:
    topic = rig.make_topic("Calm")
    open_topic(page, topic)
    rig.show(_LONG, topic=topic, style="markdown")
    page.wait_for_function(_IS_AT_THE_END)
    page.locator("#scroll").evaluate("pane => { pane.scrollTop -= 300; }")
    expect(page.locator("#down")).to_be_visible()
    rig.show("the last", topic=topic)
    expect(page.locator("#down")).to_have_text("↓ 1 new")
    expect(page.get_by_text("the last")).not_to_be_in_viewport()
    page.locator("#down").click()
    expect(page.get_by_text("the last")).to_be_in_viewport()
