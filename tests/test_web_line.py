"""The page's live line: what it misses is made good, and a dead one is noticed."""

from __future__ import annotations

from playwright.sync_api import Page, WebSocketRoute, expect

from tests.web_rig import WebRig
from tests.web_world import is_ready, message, open_topic

pytest_plugins = ["tests.standins.web_fixtures"]


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
