"""The page is quick with a long history, and can be used by everybody; measured in Chromium."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from core.model import Attachment
from tests.web_rig import WebRig, keys
from tests.web_world import message, say, watched

AXE = Path(__file__).resolve().parent / "axe" / "node_modules" / "axe-core" / "axe.min.js"
MANY = 5_000
FIRST_PAINT_MS = 1_000
LONG_TASK_MS = 100
ANSWER = (
    "Here is what I found in **module {n}**, and what `it` does:\n\n- one\n- two\n\n"
    "```python\ndef number_{n}(x: int) -> int:\n    return x + {n}\n```\n\n"
    "| a | b |\n|-|-|\n| 1 | 2 |"
)


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[WebRig]:
    """A page whose posts the test decides."""
    with WebRig(tmp_path) as made:
        yield made


def fill(rig: WebRig, topic: int, count: int) -> None:
    """So many messages, turn and turn about a person's and Claude's, in one write."""

    def write() -> None:
        store = rig.channel._store
        store._db.execute("PRAGMA synchronous=OFF")
        for number in range(count // 2):
            rig.channel._store.take_message(
                *(f"fill-{topic}-{number:06}", topic, {"text": f"question {number}"}),
                *(f"question {number}", lambda taken: {}),
            )
            nodes = [["p", {}, ANSWER.format(n=number)], ["pre", {"language": ""}, "x = 1\n" * 5]]
            body = {"style": "markdown", "nodes": nodes}
            store.post(f"fill-{topic}-{number}", topic, body, f"answer {number}")
        store._db.execute("PRAGMA synchronous=FULL")

    rig.do(write)


def open_page(rig: WebRig, context: BrowserContext) -> Page:
    page = context.new_page()
    page.goto(rig.link())
    expect(page.locator("body[data-ready]")).to_be_visible()
    return page


def watch_long_tasks(page: Page) -> None:
    page.evaluate(
        """() => {
            window.longTasks = [];
            new PerformanceObserver((list) => {
                for (const entry of list.getEntries()) window.longTasks.push(entry.duration);
            }).observe({ entryTypes: ["longtask"] });
        }"""
    )


def test_five_thousand_messages_are_painted_within_a_second_and_stream_without_a_hitch(
    rig: WebRig, browser_context: BrowserContext
) -> None:
    topic = rig.make_topic("long")
    fill(rig, topic, MANY)
    page = open_page(rig, browser_context)
    page.goto(f"{rig.url}#t{topic}")
    page.reload()
    expect(message(page, "question 2499")).to_be_visible()
    painted = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    shown = page.evaluate(
        """() => performance.getEntriesByType('resource')
            .find((entry) => entry.name.includes('api/history')).responseEnd"""
    )
    assert painted < FIRST_PAINT_MS
    assert shown < FIRST_PAINT_MS
    watch_long_tasks(page)
    text = ANSWER.format(n=1)
    live = rig.show("⏳", topic=topic, style="card", silent=True)
    for end in range(1, len(text) * 4, 12):
        rig.change(live, (text * 4)[:end], topic=topic, style="card")
    expect(message(page, "number_1").last).to_be_visible()
    assert max(page.evaluate("window.longTasks"), default=0) < LONG_TASK_MS


def test_history_goes_back_to_the_first_message_without_a_hitch(
    rig: WebRig, browser_context: BrowserContext
) -> None:
    topic = rig.make_topic("long")
    fill(rig, topic, 1_000)
    page = open_page(rig, browser_context)
    page.goto(f"{rig.url}#t{topic}")
    expect(message(page, "question 499")).to_be_visible()
    watch_long_tasks(page)
    pane = page.locator("#scroll")
    for _ in range(200):
        pane.evaluate("pane => { pane.scrollTop = 0; }")
        page.wait_for_function("document.querySelector('#older').hidden || scroll.scrollTop !== 0")
        if page.locator("#older").is_hidden():
            break
        page.wait_for_timeout(10)  # lets it load
    first = page.locator("article").first
    expect(first).to_contain_text("question 0")
    assert page.locator("article").count() == 1_000
    assert max(page.evaluate("window.longTasks"), default=0) < LONG_TASK_MS
    ids = page.locator("article").evaluate_all("all => all.map((one) => Number(one.dataset.id))")
    assert ids == sorted(set(ids))


def find_violations(page: Page) -> list[str]:
    if not AXE.exists():
        if os.environ.get("BRIDGE_TEST_REQUIRE_REAL"):
            pytest.fail("axe-core is missing")
        pytest.skip("axe-core is missing (./install.sh --test installs it)")
    page.context.add_init_script(AXE.read_text())  # before the page: its policy lets no other in
    page.reload()
    page.wait_for_function("window.axe")
    page.wait_for_timeout(300)  # what fades in has come
    found: dict[str, Any] = page.evaluate("axe.run()")
    return [
        f"{one['id']}: {node['target']} {node['failureSummary']}"
        for one in found["violations"]
        for node in one["nodes"]
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1440])
def test_axe_finds_nothing_that_keeps_anybody_out(
    rig: WebRig, chromium: Browser, scheme: Any, width: int
) -> None:
    topic = rig.make_topic("Everything at once")
    rig.make_topic("⏳ at work")
    rig.show(
        ANSWER.format(n=1) + "\n\n> quoted\n\n- [x] done\n- [ ] to do",
        topic=topic,
        style="markdown",
    )
    rig.show("⏳ Running", topic=topic, style="card", details="one\ntwo", keyboard=keys("Stop"))
    rig.show("✅ Done in 3 s", topic=topic, style="card")
    rig.show("Resumed after a nap.", topic=topic)
    rig.show("$ make\nok", topic=topic, style="screen")
    rig.show("here", topic=topic, attachments=(Attachment("a.txt", text="A"),))
    rig.show("May I?", topic=topic, keyboard=keys("Yes|No", "Why"))
    context = chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    with watched(context) as made:
        page = open_page(rig, made)
        page.evaluate(f"location.hash = '#t{topic}'")
        say(page, "hello")
        expect(message(page, "hello")).to_be_visible()
        if width > 1200:
            page.get_by_role("button", name="Terminal").click()
        assert find_violations(page) == []
