"""The page in Chromium, with a channel behind it whose posts the test decides."""

from __future__ import annotations

import re
from http import HTTPStatus
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, FilePayload, Page, Route, expect

from core.errors import ChatUnreachableError
from core.model import Attachment
from tests.web_rig import WebRig, keys
from tests.web_world import is_ready, message, open_link, open_topic, say, watched

pytest_plugins = ["tests.standins.web_fixtures"]


def test_nothing_runs_that_is_not_the_pages_own(rig: WebRig, page: Page) -> None:
    topic = rig.make_topic("attack")
    open_topic(page, topic)
    evil = (
        "<img src=x onerror=alert(1)> <script>alert(1)</script>\n\n"
        "<div onclick=alert(1)>\n\n[a](javascript:alert(1)) ![b](javascript:alert(1)) "
        "[c](data:text/html,x) <javascript:alert(1)>\n\n"
        '```"><script>alert(1)</script>\n</code></pre><script>alert(1)</script>\n```\n'
        "| <b>x</b> |\n|-|\n| <svg onload=alert(1)> |"
    )
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: dialogs.append(dialog.message))
    for style in ("markdown", "card", "notice", "screen"):
        rig.show(evil, topic=topic, style=style, details=evil, keyboard=keys("<b>x</b>"))
    expect(page.get_by_role("article")).to_have_count(4)
    log = page.locator("#log")
    assert log.locator("script, img, svg, iframe, [onclick], [onerror], b").count() == 0
    links = log.locator("a").evaluate_all("all => all.map(one => one.getAttribute('href'))")
    assert links == []
    assert log.inner_text().count("<script>alert(1)</script>") >= 4
    assert dialogs == []
    refused = page.evaluate(
        """() => new Promise((done) => {
            document.addEventListener("securitypolicyviolation", (e) => done(e.violatedDirective));
            const script = document.createElement("script");
            try { script.text = "window.ran = true"; } catch (error) { done(String(error)); }
            document.body.append(script);
        })"""
    )
    assert refused
    assert page.evaluate("window.ran") is None


def test_a_reply_and_a_press_reach_the_bridge_and_its_answer_the_person(
    rig: WebRig, page: Page
) -> None:
    topic = rig.make_topic("ask")
    open_topic(page, topic)
    asked = rig.show("May I?", topic=topic, keyboard=keys("Yes|No"))
    message(page, "May I?").hover()
    page.get_by_role("button", name="Reply", exact=True).click()
    say(page, "why?")
    expect(page.locator("article.mine:not(.waiting) .quote")).to_have_text(re.compile("May I"))
    assert rig.hear("message")["reply_to"] == asked
    button = page.get_by_role("button", name="Yes")
    button.click()
    expect(button).to_have_class(re.compile("waits"))
    rig.wait(lambda: len(rig.heard) == 2)
    (pressed,) = [raw for _, raw in rig.heard if raw["kind"] == "press"]
    assert (pressed["press"], pressed["message"]) == ("press Yes", asked)
    rig.do(lambda: rig.channel.answer_press(pressed["press_key"], "Allowed."))
    expect(page.get_by_role("status").filter(has_text="Allowed.")).to_be_visible()
    rig.change(asked, "✅ Allowed", topic=topic)
    expect(page.get_by_role("button", name="Yes")).to_have_count(0)
    expect(page.locator("article:not(.mine)").filter(has_text="May I?")).to_have_count(0)


def test_a_message_that_waits_can_be_changed(rig: WebRig, page: Page) -> None:
    say(page, "helo")
    expect(page.locator("article.mine:not(.waiting)")).to_be_visible()
    number = int(page.locator("article.mine").get_attribute("data-id") or 0)
    rig.do(lambda: rig.channel._store.sign(number, "received"))
    box = page.get_by_role("textbox", name="Message Claude")
    box.fill("the next thought")
    page.locator("article.mine").hover()
    change = page.get_by_role("button", name="Change")
    change.click()
    expect(box).to_have_value("helo")
    page.keyboard.press("Escape")
    expect(box).to_have_value("the next thought")  # it is not lost by that
    change.click()
    box.fill("hello")
    box.press("Enter")
    expect(message(page, "changed").filter(has_text="hello")).to_be_visible()
    rig.wait(lambda: [raw["kind"] for _, raw in rig.heard] == ["message", "edit"])
    expect(box).to_have_value("the next thought")


def test_a_picture_is_pasted_a_file_is_dropped_and_one_is_saved(rig: WebRig, page: Page) -> None:
    page.evaluate(
        """() => {
            const png = new Uint8Array([137, 80, 78, 71, 13, 10, 26, 10, 1, 2, 3]);
            const pasted = new DataTransfer();
            pasted.items.add(new File([png], "shot.png", { type: "image/png" }));
            document.querySelector("#composer-text").dispatchEvent(
                new ClipboardEvent("paste", { clipboardData: pasted, bubbles: true }));
            const dropped = new DataTransfer();
            dropped.items.add(new File(["text"], "notes.txt"));
            document.body.dispatchEvent(
                new DragEvent("drop", { dataTransfer: dropped, bubbles: true, cancelable: true }));
        }"""
    )
    expect(page.locator("#uploads li")).to_have_count(2)
    expect(page.get_by_role("button", name="Send")).to_be_enabled()
    page.get_by_role("button", name="Send").click()
    expect(page.locator("article.mine .picture img")).to_have_count(1)
    expect(page.locator("article.mine").get_by_role("link", name="notes.txt")).to_be_visible()
    sent = rig.hear("message")
    assert [file["name"] for file in sent["files"]] == ["shot.png", "notes.txt"]
    shown = (Attachment("a.html", text="<b>x</b>"),)
    rig.show("here", topic=sent["topic"], attachments=shown)
    with page.expect_download() as saving:
        page.get_by_role("link", name="a.html").click()
    assert Path(saving.value.path()).read_text() == "<b>x</b>"
    assert saving.value.suggested_filename == "a.html"


def test_everything_can_be_done_with_the_keyboard(rig: WebRig, page: Page) -> None:
    box = page.get_by_role("textbox", name="Message Claude")
    expect(box).to_be_focused()
    page.keyboard.type("/sta")
    expect(page.get_by_role("option", name="/status")).to_be_visible()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(box).to_have_value("/status ")
    page.keyboard.press("Enter")
    expect(page.locator("article.mine")).to_have_text(re.compile("/status"))
    page.keyboard.type("one")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("two")
    page.keyboard.press("Enter")
    expect(page.locator("article.mine:not(.waiting)").last).to_have_text(re.compile("one\ntwo"))
    is_ready(page)
    page.keyboard.press("Control+k")
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.keyboard.type("two")
    expect(page.locator("#found button")).to_have_count(1)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("article.shown")).to_have_text(re.compile("one\ntwo"))
    rig.show("May I?", topic=rig.heard[0][1]["topic"], keyboard=keys("Yes|No"))
    answer = page.get_by_role("button", name="Yes")
    expect(answer).to_be_visible()
    box.focus()
    for _ in range(4):  # past what adds a file, Reply and No
        page.keyboard.press("Shift+Tab")
    expect(answer).to_be_focused()
    page.keyboard.press("Enter")
    assert rig.hear("press")["press"] == "press Yes"


def test_on_a_phone_there_is_one_column_and_a_drawer(rig: WebRig, chromium: Browser) -> None:
    topic = rig.make_topic("On the way")
    rig.show(
        "A long word: " + "x" * 300 + "\n\n```\n" + "y" * 300 + "\n```",
        topic=topic,
        style="markdown",
    )
    phone = chromium.new_context(
        viewport={"width": 360, "height": 740}, is_mobile=True, has_touch=True
    )
    with watched(phone) as context:
        page = open_link(context, rig.link())
        expect(message(page, "A long word")).to_be_visible()
        wide = "document.documentElement.scrollWidth > innerWidth"
        assert page.evaluate(wide) is False
        drawer = page.get_by_role("navigation", name="Conversations")
        expect(drawer).to_be_hidden()
        page.get_by_role("button", name="Conversations").tap()
        expect(drawer.get_by_role("button", name="On the way")).to_be_visible()
        drawer.get_by_role("button", name="New conversation").tap()
        expect(drawer).to_be_hidden()
        box = page.get_by_role("textbox", name="Message Claude")
        box.tap()
        box.fill("hello")
        page.get_by_role("button", name="Send").tap()
        expect(message(page, "hello")).to_be_visible()
        targets = page.locator("header button:visible, #composer button:visible")
        sizes = [targets.nth(n).bounding_box() for n in range(targets.count())]
        assert all(box and min(box["width"], box["height"]) >= 40 for box in sizes)


def test_a_link_on_another_site_opens_the_page_signed_in(
    rig: WebRig, browser_context: BrowserContext
) -> None:
    topic = rig.make_topic("Build")
    rig.show("it is built", topic=topic)
    links = f"<a href='{rig.link()}#t{topic}'>first</a> <a href='{rig.url}#t{topic}'>later</a>"
    chat = browser_context.new_page()
    chat.route(
        "http://chat.example/",
        lambda route: route.fulfill(content_type="text/html", body=links),
    )
    for link in ("first", "later"):
        chat.goto("http://chat.example/")
        chat.get_by_role("link", name=link).click()
        expect(message(chat, "it is built")).to_be_visible()
        is_ready(chat)
        assert chat.url == f"{rig.url}#t{topic}"
    assert len(rig.devices.everybody()) == 1
    (cookie,) = browser_context.cookies()
    assert (cookie.get("sameSite"), cookie.get("httpOnly")) == ("Strict", True)


def test_a_browser_that_is_removed_shows_nothing_more_in_any_of_its_tabs(
    rig: WebRig, page: Page
) -> None:
    topic = rig.make_topic("private")
    rig.show("a private thing", topic=topic)
    open_topic(page, topic)
    page.get_by_role("button", name="Terminal").click()
    tabs = [page, open_link(page.context, f"{rig.url}#t{topic}")]
    for tab in tabs:
        expect(message(tab, "a private thing")).to_be_visible()

    def pass_on_slowly(route: Route) -> None:
        page.wait_for_timeout(1_600)  # meanwhile the page notices that it is not connected
        route.continue_()

    page.route("**/closed.html", pass_on_slowly)
    (device,) = rig.devices.everybody()
    rig.do(lambda: rig.devices.remove(device.id))
    for tab in tabs:
        expect(tab.get_by_role("heading", level=1)).to_have_text("This browser is not let in")
        assert "private" not in tab.content()
    page.go_back()
    expect(page.get_by_role("heading", level=1)).to_have_text("This browser is not let in")


def test_code_has_one_face_and_the_lines_of_a_diff_are_coloured_as_far_as_the_longest_goes(
    rig: WebRig, page: Page
) -> None:
    topic = rig.make_topic("a diff")
    open_topic(page, topic)
    rig.show(f"`x`\n```diff\n-old\n+new {'far ' * 200}\n```", topic=topic, style="markdown")
    expect(message(page, "far far")).to_be_visible()
    widths, faces = page.evaluate(
        """[
            [...document.querySelectorAll("pre code, .c-gd, .c-gi")].map((one) => one.offsetWidth),
            [...document.querySelectorAll("code")].map((one) => getComputedStyle(one).fontFamily),
        ]"""
    )
    assert (len(widths), len(set(widths))) == (3, 1)
    assert (len(faces), len(set(faces))) == (2, 1)


def test_a_conversation_opens_with_the_click(rig: WebRig, page: Page) -> None:
    first, second = rig.make_topic("first"), rig.make_topic("second")
    open_topic(page, first)
    page.locator("#file").set_input_files(
        [FilePayload(name="of the first.txt", mimeType="text/plain", buffer=b"x")]
    )
    expect(page.locator("#uploads progress")).to_have_count(0)
    page.get_by_role("textbox", name="Message Claude").fill("begun in the first")
    page.evaluate(
        """() => {
            const buttons = [...document.querySelectorAll("#topics button")];
            buttons.find((one) => one.textContent === "second").click();
            const box = document.querySelector("#composer-text");
            box.value += "for the second";
            box.dispatchEvent(new Event("input", { bubbles: true }));
            document.querySelector("#composer").requestSubmit();
        }"""
    )
    expect(page.locator("article.mine:not(.waiting)")).to_have_text(re.compile("for the second"))
    sent = rig.hear("message")
    assert (sent["text"], sent["topic"], sent["files"]) == ("for the second", second, [])
    page.go_back()
    expect(page.get_by_role("heading", level=1)).to_have_text("first")
    expect(page.get_by_role("textbox", name="Message Claude")).to_have_value("begun in the first")
    expect(page.locator("#uploads li")).to_have_text(re.compile("of the first"))


KEEPS_NOTHING = """
    Object.defineProperty(window, "sessionStorage", {
        get() { throw new DOMException("", "SecurityError"); }
    });
    Storage.prototype.setItem = () => { throw new DOMException("", "QuotaExceededError"); };
"""


@pytest.mark.parametrize("keeps", [True, False])
def test_no_text_is_lost_whether_or_not_the_browser_keeps_any(
    rig: WebRig, browser_context: BrowserContext, keeps: bool
) -> None:
    if not keeps:
        browser_context.add_init_script(KEEPS_NOTHING)
    topics = [rig.make_topic(name) for name in ("first", "second")[: 1 + keeps]]
    browser_context.route("**/api/send", lambda route: route.abort())  # the network is gone
    tabs = []
    for number, topic in enumerate(topics):
        link = rig.link() if number == 0 else rig.url
        page = open_link(browser_context, f"{link}#t{topic}")
        say(page, f"unsent {number}")
        expect(page.locator("article.waiting")).to_have_text(re.compile(f"unsent {number}"))
        page.keyboard.type("half a thought")
        page.get_by_role("button", name="New conversation").click()
        box = page.get_by_role("textbox", name="Message Claude")
        expect(box).to_have_value("")
        page.go_back()
        expect(box).to_have_value("half a thought")
        tabs.append(page)
    for page in tabs:
        if keeps:
            page.reload()
            is_ready(page)
        else:  # the browser asks first
            with page.expect_event("dialog") as asking:
                page.evaluate("() => { setTimeout(() => location.reload()); }")
            assert asking.value.type == "beforeunload"
            asking.value.dismiss()
        expect(page.get_by_role("textbox", name="Message Claude")).to_have_value("half a thought")
        expect(page.locator("article.waiting")).to_have_count(1)
    browser_context.unroute("**/api/send")
    for number, page in enumerate(tabs):
        sent = page.locator("article.mine:not(.waiting)")
        expect(sent).to_have_text(re.compile(f"unsent {number}"))
    texts = sorted((raw["topic"], raw["text"]) for _, raw in rig.heard)
    assert texts == [(topic, f"unsent {number}") for number, topic in enumerate(topics)]


def test_a_break_while_an_answer_is_streamed_loses_and_repeats_nothing(
    rig: WebRig, page: Page
) -> None:
    topic = rig.make_topic("stream")
    open_topic(page, topic)
    live = rig.show("word 0", topic=topic, style="card", silent=True)
    expect(message(page, "word 0")).to_be_visible()
    for number in range(1, 4):
        rig.do(rig.channel._pages.close)
        rig.change(live, f"word {number}", topic=topic, style="card")
        rig.show(f"line {number}", topic=topic)
    rig.change(live, "the end", topic=topic, style="markdown")
    expect(message(page, "the end")).to_be_visible()
    shown = page.locator("article .text")
    expect(shown).to_have_text(["the end", "line 1", "line 2", "line 3"])
    expect(page.locator("#state")).to_have_text("")


def test_more_texts_than_are_taken_at_once_all_arrive_in_order(rig: WebRig, page: Page) -> None:
    open_topic(page, rig.make_topic("fast"))
    guard, moment = rig.channel._guard, 0.0
    guard._clock = lambda: moment
    with page.expect_response(lambda answer: answer.status == HTTPStatus.TOO_MANY_REQUESTS):
        page.evaluate(
            """() => {
                const box = document.querySelector("#composer-text");
                for (let number = 0; number < 70; number += 1) {
                    box.value = `text ${number}`;
                    box.dispatchEvent(new Event("input", { bubbles: true }));
                    document.querySelector("#composer").requestSubmit();
                }
            }"""
        )
    expect(page.locator("article.waiting")).to_have_count(10)
    moment = 10.0
    expect(page.locator("article.waiting")).to_have_count(0)
    texts = [f"text {number}" for number in range(70)]
    assert [raw["text"] for _, raw in rig.heard] == texts
    assert page.locator("article.mine .text").all_inner_texts() == texts


def test_a_conversation_is_deleted_for_good_with_its_files(rig: WebRig, page: Page) -> None:
    topic = rig.make_topic("private")
    rig.show("a very private thing", topic=topic, attachments=(Attachment("a.txt", text="A"),))
    open_topic(page, topic)
    expect(message(page, "a very private thing")).to_be_visible()
    page.once("dialog", lambda dialog: dialog.dismiss())
    page.get_by_role("button", name="Delete this conversation").click()
    expect(message(page, "a very private thing")).to_be_visible()
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Delete this conversation").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("New conversation")
    expect(page.get_by_role("button", name="private")).to_have_count(0)
    folder = rig.config.bridge_dir / "web"
    assert list((folder / "files").iterdir()) == []
    kept = b"".join(path.read_bytes() for path in folder.glob("page.db*"))
    assert b"very private" not in kept
    with pytest.raises(ChatUnreachableError):
        rig.show("too late", topic=topic)


def test_what_is_not_silent_notifies_who_looks_elsewhere(
    rig: WebRig, browser_context: BrowserContext
) -> None:
    browser_context.add_init_script(
        """window.rung = [];
        window.Notification = class {
            static permission = "granted";
            constructor(title, { body }) { window.rung.push([title, body]); }
            addEventListener() {}
        };
        document.hasFocus = () => false;"""
    )
    topic = rig.make_topic("Build")
    page = open_link(browser_context, rig.link())
    rig.show("quiet", topic=topic, silent=True)
    loud = rig.show("**Done** now", topic=topic, style="markdown")
    rig.change(loud, "changed", topic=topic, style="markdown")
    expect(message(page, "changed")).to_be_visible()
    assert page.evaluate("window.rung") == [["Build", "Done now"]]
    expect(page).to_have_title(re.compile(r"^\(1\) Build"))


def test_what_is_sent_at_once_in_a_new_conversation_is_one_conversation(
    rig: WebRig, page: Page
) -> None:

    def pass_on_slowly(route: Route) -> None:
        page.wait_for_timeout(200)  # a slow network
        route.continue_()

    page.route("**/api/send", pass_on_slowly)
    for text in ("one", "two", "three"):
        say(page, text)
    for text in ("one", "two", "three"):
        expect(page.locator("article.mine:not(.waiting)").filter(has_text=text)).to_be_visible()
    sent = [raw for _, raw in rig.heard]
    assert [raw["text"] for raw in sent] == ["one", "two", "three"]
    assert len({raw["topic"] for raw in sent}) == 1
