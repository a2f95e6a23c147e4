"""The page is quick with a long history, and can be used by everybody; measured in Chromium.

Times are those of the processor, in the thread that draws the page: however busy the machine is,
they are the same.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, FilePayload, Page, expect

from core.model import AT_THE_PAGE, Attachment, Chat
from core.screen_rows import Run
from tests.web_rig import WebRig, keys, machine_session
from tests.web_world import is_ready, message, open_link, open_topic, say, watched

pytest_plugins = ["tests.standins.web_fixtures"]

AXE = Path(__file__).resolve().parent / "axe" / "node_modules" / "axe-core" / "axe.min.js"
MANY = 5_000
MOST_ELEMENTS = 240
FIRST_PAINT_MS = 1_000
LONG_TASK_MS = 100
ANSWER = (
    "Here is what I found in **module {n}**, and what `it` does:\n\n- one\n- two\n\n"
    "```python\ndef number_{n}(x: int) -> int:\n    return x + {n}\n```\n\n"
    "| a | b |\n|-|-|\n| 1 | 2 |"
)

_CODE = "```python\ndef f(): return 'x'\n```\n```diff\n-old\n+new\n```"
_COLOURS = """() => {
    const look = (selector) => getComputedStyle(document.querySelector(selector));
    return [
        look("body").backgroundColor, look("pre code").color, look(".c-k").color,
        look(".c-s1").color, look(".c-gi").backgroundColor, look(".c-gd").backgroundColor,
    ];
}"""
# A screen reader says what is added to a log, unless that says that it is not to be said.
_LISTENS = """() => {
    const log = document.querySelector("#log");
    window.spoken = [];
    new MutationObserver((changes) => {
        for (const { addedNodes } of changes) {
            for (const node of addedNodes) {
                if (log.ariaLive !== "polite" || node.ariaLive === "off") continue;
                const text = node.querySelector(".text");
                if (text) window.spoken.push(text.innerText);
            }
        }
    }).observe(log, { childList: true });
}"""


def fill(rig: WebRig, topic: int, count: int) -> None:
    """So many messages, turn and turn about a person's and Claude's, in one write."""
    store = rig.channel._store

    def row(number: int) -> tuple[object, ...]:
        turn, is_mine = number // 2, number % 2 == 0
        text = f"question {turn}" if is_mine else f"answer {turn}"
        nodes = [["p", {}, ANSWER.format(n=turn)], ["pre", {"language": ""}, "x = 1\n" * 5]]
        body = {"text": text} if is_mine else {"style": "markdown", "nodes": nodes}
        change = store.upto + number + 1
        return topic, change, f"fill {change}", time.time(), is_mine, json.dumps(body), text

    def write() -> None:
        query = (
            "INSERT INTO messages (topic, change, key, at, is_mine, body, words) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)"
        )
        rows = [row(number) for number in range(count)]
        with store._changing():
            store._db.executemany(query, rows)
            store._last += count

    rig.do(write)


def tasks_of(page: Page, work: Callable[[], None]) -> list[float]:
    """How long each task of the page took while `work` was done, in milliseconds."""
    browser = page.context.browser
    assert browser is not None
    browser.start_tracing(page=page, categories=["toplevel", "__metadata"])
    work()
    events = json.loads(browser.stop_tracing())["traceEvents"]
    threads = [event for event in events if event["name"] == "thread_name"]
    drawing = [(e["pid"], e["tid"]) for e in threads if e["args"]["name"] == "CrRendererMain"]
    tasks = [
        event["tdur"] / 1000
        for event in events
        if event["name"].endswith("RunTask") and (event["pid"], event["tid"]) in drawing
        if "tdur" in event
    ]
    assert tasks
    return tasks


def ids_of(page: Page) -> list[int]:
    found: list[int] = page.locator("article[data-id]").evaluate_all(
        "all => all.map((one) => Number(one.dataset.id))"
    )
    return found


def test_five_thousand_messages_are_there_within_a_second_and_stream_without_a_hitch(
    rig: WebRig, page: Page
) -> None:
    topic = rig.make_topic("long")
    fill(rig, topic, MANY)

    def opens() -> None:
        page.goto(f"{rig.url}?again#t{topic}")
        expect(message(page, "question 2499")).to_be_visible()
        is_ready(page)

    assert sum(tasks_of(page, opens)) < FIRST_PAINT_MS

    def streams() -> None:
        text = ANSWER.format(n=1) * 4
        live = rig.show("⏳", topic=topic, style="card", silent=True)
        for end in range(1, len(text), 24):
            rig.change(live, text[:end], topic=topic, style="card")
        rig.change(live, text, topic=topic, style="markdown")
        expect(page.locator("article").last.locator("table")).to_have_count(4)

    assert max(tasks_of(page, streams)) < LONG_TASK_MS
    assert page.locator("article").count() <= MOST_ELEMENTS


def test_two_thousand_sessions_of_the_machine_are_listed_without_a_hitch(
    rig: WebRig, page: Page
) -> None:
    rig.equip(*(machine_session(number, f"session {number}") for number in range(2_000)))
    page.reload()
    rows, more = page.locator("#machine-list [data-session]"), page.locator("#machine-list .more")

    def grows() -> None:
        for count in (50, 100, 200, 400, 800, 1_600, 2_000):
            more.click()
            expect(rows).to_have_count(count)
        expect(more).to_have_count(0)

    assert max(tasks_of(page, grows)) < LONG_TASK_MS


def test_history_of_any_length_is_walked_through_in_a_window(rig: WebRig, page: Page) -> None:
    topic = rig.make_topic("long")
    count = MOST_ELEMENTS + 80
    fill(rig, topic, count)
    open_topic(page, topic)
    pane, state = page.locator("#scroll"), "document.querySelector('%s').hidden"
    seen: set[int] = set()

    def walks(where: str, until: str) -> None:
        """To one end of the conversation, a page at a time."""
        while True:
            ids = ids_of(page)
            assert ids == list(range(ids[0], ids[-1] + 1)) and len(ids) <= MOST_ELEMENTS
            seen.update(ids)
            if page.evaluate(state % until):
                return
            pane.evaluate(f"pane => {{ pane.scrollTop = {where}; }}")
            page.wait_for_function(
                """([first, last, until]) => {
                    const all = document.querySelectorAll("article[data-id]");
                    return document.querySelector(until).hidden
                        || all[0].dataset.id !== first || all[all.length - 1].dataset.id !== last;
                }""",
                arg=[str(ids[0]), str(ids[-1]), until],
            )

    def goes_up_and_down() -> None:
        walks("0", "#older")
        rig.show("said meanwhile", topic=topic)
        expect(page.locator("#down")).to_have_text("↓ 1 new")
        expect(message(page, "said meanwhile")).to_have_count(0)
        walks("pane.scrollHeight", "#newer")

    assert max(tasks_of(page, goes_up_and_down)) < LONG_TASK_MS
    assert seen == set(range(1, count + 2))
    assert page.get_by_role("heading", level=2).filter(has_text="20").count() == 1  # the day
    pane.focus()
    jumps(page)


def jumps(page: Page) -> None:
    """To both ends, to what was found, and to what is sent."""
    page.keyboard.press("Home")
    expect(message(page, "question 0").first).to_be_in_viewport()
    is_ready(page)
    page.keyboard.press("End")
    expect(message(page, "said meanwhile")).to_be_in_viewport()
    expect(page.locator("#log")).to_have_attribute("aria-live", "polite")
    page.keyboard.press("Control+k")
    page.keyboard.type("question 100")
    page.get_by_role("list", name="Messages found").get_by_role("button").click()
    expect(page.locator("article.shown")).to_have_text(_starts("question 100"))
    expect(page.locator("article.shown")).to_be_in_viewport()
    say(page, "and now?")
    expect(message(page, "and now?")).to_be_in_viewport()
    expect(message(page, "said meanwhile")).to_be_visible()


def _starts(text: str) -> re.Pattern[str]:
    return re.compile(f"^{text}")


def find_violations(page: Page) -> list[str]:
    found: dict[str, Any] = page.evaluate("axe.run({ resultTypes: ['violations'] })")
    return [
        f"{one['id']}: {node['target']} {node['failureSummary']}"
        for one in found["violations"]
        for node in one["nodes"]
    ]


@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_that_keeps_anybody_out(
    rig: WebRig, chromium: Browser, scheme: Any, width: int
) -> None:
    """In whatever state the page is."""
    if not AXE.exists():
        if os.environ.get("BRIDGE_TEST_REQUIRE_REAL"):
            pytest.fail("axe-core is missing")
        pytest.skip("axe-core is missing (./install.sh --test installs it)")
    topic = rig.make_topic("Everything at once")
    working = rig.make_topic("⏳ at work")
    show_everything(rig, topic)
    desk = rig.equip(
        machine_session(1, "Do the taxes", state="open in tmux “work”"),
        machine_session(2, "Paint the wall"),
        machine_session(3, "at work", state="awake, asks something", topic=working),
    )
    desk.rows = (
        (Run("warm", "#d77757"), Run(" plain "), Run("grey", "#999999"), Run("dim", flags="d")),
        (Run(" chosen ", "#000000", "#b1b9f9", "b"), Run("struck", flags="s")),
    )
    context = chromium.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, reduced_motion="reduce"
    )
    context.add_init_script(AXE.read_text())  # before the page: its policy lets no other in
    with watched(context) as made:
        page = open_link(made, f"{rig.link()}#t{topic}")
        for states in (states_of(rig, page, topic), states_beside(rig, page, topic, working)):
            for state in states:
                assert (state, find_violations(page)) == (state, [])


def states_of(rig: WebRig, page: Page, topic: int) -> Iterator[str]:
    """Brings the page into each state, and says which."""
    say(page, "hello")
    expect(page.locator("article.mine:not(.waiting)")).to_have_count(1)
    message(page, "hello").hover()
    yield "a conversation"
    page.route("**/api/send", lambda route: route.fulfill(status=400, body="No."))
    say(page, "refused")
    expect(page.get_by_role("button", name="Take back")).to_be_visible()
    rig.do(lambda: rig.channel.show_typing(Chat("web", AT_THE_PAGE, topic)))
    page.get_by_role("textbox", name="Message Claude").fill("/s")
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("option", selected=True)).to_be_visible()
    yield "what was refused, and the commands"
    page.keyboard.press("Escape")
    drawer = page.get_by_role("button", name="Conversations")
    if drawer.is_visible():
        drawer.click()
    page.get_by_role("searchbox").fill("module")
    expect(page.locator("#found mark").first).to_be_visible()
    yield "what was found, on a phone in the drawer"
    page.get_by_role("searchbox").fill("")
    page.keyboard.press("Escape")


def states_beside(rig: WebRig, page: Page, topic: int, other: int) -> Iterator[str]:
    """The same for what is beside a conversation, and in place of one."""
    for number in range(10):  # axe looks at no text of one letter
        rig.show(f"said elsewhere {number}", topic=other)
    if page.get_by_role("button", name="Conversations").is_visible():
        page.get_by_role("button", name="Conversations").click()
    page.get_by_role("button", name="Do the taxes").click()
    expect(page.get_by_role("button", name="Continue here")).to_be_visible()
    expect(page.locator(".badge")).to_have_text("10")
    yield "a session of the machine, unfolded and under the mouse"
    page.keyboard.press("Escape")
    sent = FilePayload(name="x.txt", mimeType="text/plain", buffer=b"x")
    page.locator("#file").set_input_files([sent])
    expect(page.locator("#uploads progress")).to_have_count(0)
    page.route("**/api/files*", lambda route: route.fulfill(status=400, body="No."))
    page.locator("#file").set_input_files([sent])
    expect(page.locator("#uploads em")).to_be_visible()
    page.evaluate(
        """() => {
            const toast = document.querySelector("#toast");
            toast.textContent = "Allowed."; toast.hidden = false;
        }"""
    )
    yield "files to send, and a word in passing"
    page.get_by_role("button", name="Terminal", exact=True).click()
    expect(page.get_by_role("application", name="Terminal")).to_contain_text("chosen")
    yield "the terminal"
    page.get_by_role("button", name="Close the terminal").click()
    page.evaluate("location.hash = '#new'")
    expect(page.get_by_text("What shall Claude do?")).to_be_visible()
    yield "nothing yet"
    page.goto(f"{rig.url}closed.html")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    yield "not let in"


def test_code_and_diffs_have_colours_in_light_and_in_dark(rig: WebRig, page: Page) -> None:
    topic = rig.make_topic("code")
    open_topic(page, topic)
    rig.show(_CODE, topic=topic, style="markdown")
    expect(page.locator(".c-gi")).to_be_visible()
    looks = []
    page.emulate_media(color_scheme="light")
    looks.append(page.evaluate(_COLOURS))
    page.emulate_media(color_scheme="dark")
    looks.append(page.evaluate(_COLOURS))
    for look in looks:  # none is another's, and none is no colour at all
        assert len({*look, "rgba(0, 0, 0, 0)"}) == len(look) + 1
    assert all(light != dark for light, dark in zip(*looks, strict=True))


def test_a_screen_reader_says_what_is_said_once_and_no_card(rig: WebRig, page: Page) -> None:
    topic = rig.make_topic("aloud")
    open_topic(page, topic)
    expect(page.locator("#log")).to_have_attribute("aria-live", "polite")
    page.evaluate(_LISTENS)
    say(page, "hello")
    expect(page.locator("article.mine:not(.waiting)")).to_be_visible()
    number = int(page.locator("article.mine").get_attribute("data-id") or 0)
    live = rig.show("word 0", topic=topic, style="card", silent=True, keyboard=keys("Stop"))
    rig.do(lambda: rig.channel._store.sign(number, "delivered"))
    rig.change(live, "word 1", topic=topic, style="card", keyboard=keys("Stop"))
    expect(message(page, "word 1")).to_be_visible()
    rig.change(live, "The answer", topic=topic, style="markdown")
    asked = rig.show("May I?", topic=topic, keyboard=keys("Yes|No"))
    rig.do(lambda: rig.channel._store.sign(number, "answered"))
    expect(page.get_by_role("img", name="Answered")).to_be_visible()
    rig.change(asked, "May I?", topic=topic)
    expect(page.get_by_role("button", name="Yes")).to_have_count(0)
    rig.change(asked, "✅ Allowed", topic=topic)
    expect(message(page, "Allowed")).to_be_visible()
    assert page.evaluate("window.spoken") == ["hello", "The answer", "May I?", "✅ Allowed"]


def show_everything(rig: WebRig, topic: int) -> None:
    """Every kind of message that there is."""
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
