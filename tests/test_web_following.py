"""The page keeps up: the newest stays in sight of who is at the end, and a dead line is noticed."""

from __future__ import annotations

from playwright.sync_api import Page, WebSocketRoute, expect

from tests.web_rig import WebRig
from tests.web_world import is_ready, message, open_topic

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


def test_who_missed_more_than_the_line_tells_begins_anew(rig: WebRig, page: Page) -> None:
    topic = rig.make_topic("much")
    open_topic(page, topic)
    changed = rig.show("before", topic=topic)
    expect(message(page, "before")).to_be_visible()
    page.keyboard.type("half a thought")
    page.evaluate("window.old = true")

    def go_on() -> None:
        for number in range(600):
            body = {"nodes": [f"line {number}"]}
            rig.channel._store.post(f"line {number}", topic, body, f"line {number}")

    rig.do(rig.channel._pages.close)
    rig.change(changed, "after", topic=topic)
    rig.show("elsewhere", topic=rig.make_topic("made meanwhile"))
    rig.do(go_on)
    expect(message(page, "line 599")).to_be_in_viewport()
    is_ready(page)
    shown = page.locator("article .text").all_inner_texts()
    assert shown == [f"line {number}" for number in range(560, 600)]
    expect(page.locator("#topics").get_by_role("button", name="made meanwhile")).to_be_visible()
    expect(page.get_by_role("textbox", name="Message Claude")).to_have_value("half a thought")
    rig.show("and on it goes", topic=topic)
    expect(message(page, "and on it goes")).to_be_in_viewport()
    page.locator("#scroll").focus()
    page.keyboard.press("Home")
    expect(message(page, "after")).to_be_in_viewport()
    expect(message(page, "before")).to_have_count(0)
    assert page.evaluate("window.old")


def test_a_line_that_is_dead_without_a_word_is_opened_anew(rig: WebRig, page: Page) -> None:
    topic = rig.make_topic("far away")
    lines: list[WebSocketRoute] = []

    def connect(line: WebSocketRoute) -> None:
        lines.append(line)
        bridge = line.connect_to_server()
        if len(lines) == 1:  # what is said on the first gets lost
            bridge.on_message(lambda _: None)

    page.route_web_socket("**/api/live*", connect)
    page.clock.install()
    page.goto(f"{rig.url}?again#t{topic}")
    is_ready(page)
    rig.show("said meanwhile", topic=topic)
    page.clock.fast_forward(59_000)
    assert len(lines) == 1
    page.clock.fast_forward(1_000)
    expect(message(page, "said meanwhile")).to_be_visible()
    assert len(lines) == 2
