"""What there is to read has colours in every light, and a screen reader says each thing once."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.web_rig import WebRig, keys
from tests.web_world import message, open_topic, say

pytest_plugins = ["tests.standins.web_fixtures"]

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
