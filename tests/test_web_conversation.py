"""The page from end to end: the real Claude Code, the real bridge, and Chromium."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, FilePayload, Page, ViewportSize, expect

from devices import Devices
from tests.pictures import make_png
from tests.standins.telegram_state import Message
from tests.test_bridge_takeover import Terminal
from tests.web_world import (
    WebWorld,
    free_port,
    is_ready,
    message,
    open_link,
    reads,
    say,
    watched,
)
from tests.world import World, wait_until

COPIES_A_PICTURE = """bytes => navigator.clipboard.write([new ClipboardItem({
    "image/png": new Blob([new Uint8Array(bytes)], { type: "image/png" }),
})])"""


def use_tool(page: Page, name: str, **arguments: Any) -> None:
    """Have the model use a tool."""
    say(page, f"tool {name} {json.dumps(arguments)}")


def texts(page: Page) -> list[str]:
    """What the conversation shows, without the cards of turns."""
    found = page.locator("article:not(.card) > .text").all_inner_texts()
    return [text.strip() for text in found]


def shows(page: Page, *wanted: str) -> None:
    """Wait until these are the last texts of the conversation."""

    def is_shown() -> bool:
        page.wait_for_timeout(20)  # lets the page go on
        return texts(page)[-len(wanted) :] == list(wanted)

    try:
        wait_until(is_shown, "the texts", seconds=10)
    except AssertionError:
        assert texts(page)[-len(wanted) :] == list(wanted)


def test_a_permission_is_given_and_a_question_is_answered_by_buttons(
    web_world: WebWorld, browser_context: BrowserContext
) -> None:
    web_world.start_bridge()
    page = web_world.open_page(browser_context)
    use_tool(page, "Bash", command="touch made", description="make it")
    asked = reads(page, "Run this command?")
    asked.get_by_role("button", name="Allow", exact=False).first.click()
    reads(page, "The tool said")
    assert (web_world.project / "made").exists()
    expect(asked.get_by_role("group", name="Answers")).to_have_count(0)
    options = [{"label": "Red", "description": "warm"}, {"label": "Blue", "description": "cool"}]
    question = {"question": "Which colour?", "header": "Colour", "options": options}
    use_tool(page, "AskUserQuestion", questions=[{**question, "multiSelect": False}])
    reads(page, "Which colour?").get_by_role("button", name="2. Blue").click()
    reads(page, '"Which colour?"="Blue"')
    reads(page, "✅ Blue")


def test_a_plan_is_approved_its_work_is_shown_as_a_diff_and_the_conversation_saved(
    web_world: WebWorld, browser_context: BrowserContext
) -> None:
    web_world.settings["BRIDGE_PERMISSION_MODE"] = "plan"
    web_world.start_bridge()
    page = web_world.open_page(browser_context)
    say(page, "hello")
    reads(page, "Echo: hello")
    folder = web_world.home / ".claude" / "plans"
    told = re.search(rf"{folder}/[a-z0-9-]+\.md", json.dumps(web_world.model.turns[-1].body))
    assert told is not None
    folder.mkdir(exist_ok=True)
    Path(told[0]).write_text("# Plan\n\n1. do **A**\n2. do B")
    use_tool(page, "ExitPlanMode")
    asked = reads(page, "Is this plan right?")
    expect(asked.get_by_text("A", exact=True)).to_be_visible()
    asked.get_by_role("button", name="Approve: accept edits").click()
    expect(message(page, "✅ Approved").last).to_be_visible()
    reads(page, "The tool said")
    path = web_world.project / "new.py"
    use_tool(page, "Write", file_path=str(path), content="def f():\n    pass\n")
    added = reads(page, "new new.py +2").locator(".c-gi")
    expect(added).to_have_text(["+def f():", "+    pass"])
    assert path.exists()
    page.get_by_role("button", name="Save this conversation").click()
    with page.expect_download() as saving:
        page.get_by_role("link", name=re.compile(r"\.md")).click()
    assert "Echo: hello" in saving.value.path().read_text()


def test_a_reload_and_a_second_tab_miss_and_repeat_nothing_and_both_hold_the_queue_and_the_card(
    web_world: WebWorld, browser_context: BrowserContext
) -> None:
    web_world.start_bridge()
    first = web_world.open_page(browser_context)
    say(first, "hold paint")
    expect(message(first, "Held paint.").last).to_be_visible()
    second = browser_context.new_page()
    second.goto(first.url)
    first.reload()
    for page in (first, second):
        expect(message(page, "Held paint.").last).to_be_visible()
    web_world.model.release("paint")
    for page in (first, second):
        reads(page, "And done.")
        shows(page, "hold paint", "Held paint.\nAnd done.")
        assert len(texts(page)) == 2
    say(second, "hello")
    for page in (first, second):
        reads(page, "Echo: hello")
        shows(page, "hello", "Echo: hello")
        assert len(texts(page)) == 4
    say(second, "hold ink")
    expect(message(second, "Held ink.").last).to_be_visible()
    for text in ("one", "two"):
        say(second, text)
        mine = first.locator("article.mine").filter(has_text=text)
        expect(mine.get_by_role("img", name="Kept, waits for Claude")).to_be_visible()
    mine.get_by_role("button", name="Change").click()
    say(first, "three")
    changed = second.locator("article.mine").filter(has_text="changed")
    expect(changed.locator(".text")).to_have_text("three")
    second.locator("article.card").last.get_by_role("button", name="Stop").click()
    reads(first, "Echo: three")
    asked = [turn.user_texts[-1] for turn in web_world.model.turns]
    assert asked == ["hold paint", "hello", "hold ink", "one", "three"]
    say(first, "/history")
    expect(reads(first, "hold paint")).to_contain_text("Held paint.")


def test_a_bridge_killed_in_an_answer_and_a_lost_network_lose_nothing_and_repeat_nothing(
    web_world: WebWorld, browser_context: BrowserContext
) -> None:
    web_world.start_bridge()
    page = web_world.open_page(browser_context)
    page.evaluate("window.old = true")
    say(page, "hold paint")
    expect(message(page, "Held paint.").last).to_be_visible()
    web_world.kill_bridge(at_rest=False)
    expect(page.locator("#state")).to_have_text("Not connected")
    say(page, "are you there")
    expect(page.locator(".waiting")).to_have_count(1)
    web_world.model.release("paint")
    wait_until(lambda: "And done." in web_world.transcripts(), "Claude has gone on without it")
    web_world.start_bridge()
    reads(page, "Echo: are you there")
    expect(page.locator("#state")).to_have_text("")
    said = ["hold paint", "Held paint.\nAnd done.", "are you there", "Echo: are you there"]
    shows(page, *said)
    say(page, "hold ink")
    expect(message(page, "Held ink.").last).to_be_visible()
    browser_context.set_offline(True)
    say(page, "and now")
    expect(page.locator(".waiting")).to_have_count(1)
    web_world.model.release("ink")
    wait_until(lambda: web_world.keeps("Held ink.\nAnd done."), "the bridge has the answer")
    assert looked_at(page) == [*said, "hold ink", "and now"]
    browser_context.set_offline(False)
    reads(page, "Echo: and now")
    said += ["hold ink", "Held ink.\nAnd done.", "and now", "Echo: and now"]
    shows(page, *said)
    expect(page.locator(".waiting")).to_have_count(0)
    assert texts(page) == said
    for once in ("Held paint.", "Held ink."):  # among the cards of turns neither
        expect(message(page, once)).to_have_count(1)
    assert page.evaluate("window.old")
    asked = [turn.user_texts[-1] for turn in web_world.model.turns]
    assert asked == ["hold paint", "are you there", "hold ink", "and now"]


def test_on_this_machine_alone_each_conversation_has_a_session_of_its_own(
    web_world: WebWorld, browser_context: BrowserContext
) -> None:
    web_world.start_bridge()
    assert web_world.listens_at() == [("127.0.0.1", web_world.port)]
    page = web_world.open_page(browser_context)
    assert "key=" not in page.url
    say(page, "hello")
    reads(page, "Echo: hello")
    sign = message(page, "hello").first.get_by_role("img", name="Answered")
    expect(sign).to_be_visible()
    page.get_by_role("button", name="New conversation").click()
    say(page, "another")
    reads(page, "Echo: another")
    assert texts(page) == ["another", "Echo: another"]
    wait_until(lambda: len(web_world.sessions()) == 2, "two sessions")
    assert {session.state["channel"] for session in web_world.sessions()} == {"web"}
    page.locator("#topics").get_by_role("button", name="hello").click()
    say(page, "recall")
    reads(page, "You told me: hello")
    assert texts(page) == ["hello", "Echo: hello", "recall", "You told me: hello"]


def test_files_and_pasted_pictures_go_in_and_files_come_out(
    web_world: WebWorld, browser_context: BrowserContext
) -> None:
    web_world.start_bridge()
    page = web_world.open_page(browser_context)
    browser_context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.evaluate(COPIES_A_PICTURE, list(make_png(255, 0, 0, size=16)))
    page.get_by_role("textbox", name="Message Claude").press("Control+v")
    note = FilePayload(name="note.txt", mimeType="text/plain", buffer=b"forty-two")
    page.locator("#file").set_input_files([note])
    expect(page.locator("#uploads li")).to_have_count(2)
    page.get_by_role("textbox", name="Message Claude").fill("what is in them?")
    page.get_by_role("button", name="Send").click()
    expect(message(page, "note.txt").first).to_be_visible()
    page.wait_for_function("() => document.querySelector('.mine img')?.naturalWidth === 16")
    reads(page, "Echo: what is in them?")
    seen = " ".join(str(turn.body) for turn in web_world.model.turns)
    assert "forty-two" in seen
    assert "'media_type': 'image/png'" in seen
    (web_world.project / "report.txt").write_text("fifty-four")
    say(page, "/get report.txt")
    with page.expect_download() as saving:
        page.get_by_role("link", name="report.txt").click()
    assert Path(saving.value.path()).read_text() == "fifty-four"


def test_the_terminal_is_live_beside_the_chat_and_takes_keys_and_no_other_host_is_asked_anything(
    web_world: WebWorld, browser_context: BrowserContext
) -> None:
    asked: list[str] = []
    browser_context.on("request", lambda request: asked.append(request.url))
    browser_context.on("page", lambda made: made.on("websocket", lambda s: asked.append(s.url)))
    web_world.start_bridge()
    page = web_world.open_page(browser_context)
    say(page, "say ![x](http://evil.example/a.png) <img src=http://evil.example/b.png> **hello**")
    expect(reads(page, "hello").locator("strong")).to_have_text("hello")
    web_world.wait_for_process("idle")
    page.get_by_role("button", name="Terminal").click()
    terminal = page.get_by_role("application", name="Terminal")
    expect(terminal).to_contain_text("evil.example/b.png")
    colours = terminal.locator("span").evaluate_all("all => all.map(one => one.style.color)")
    assert "rgb(215, 119, 87)" in colours  # Claude Code's logo has no other
    say(page, "again")
    expect(terminal).to_contain_text("Echo: again")
    web_world.wait_for_process("idle")
    terminal.focus()
    page.keyboard.type("say it")
    expect(terminal).to_contain_text("say it")
    page.keyboard.press("Enter")
    shows(page, "it")
    page.reload()
    expect(terminal).to_contain_text("say it")
    hosts = {(urlsplit(url).scheme, urlsplit(url).netloc) for url in asked}
    assert hosts == {(scheme, f"127.0.0.1:{web_world.port}") for scheme in ("http", "ws")}


def test_a_phone_is_let_in_allows_by_tap_and_is_removed(
    web_world: WebWorld, browser_context: BrowserContext, chromium: Browser
) -> None:
    web_world.start_bridge()
    page = web_world.open_page(browser_context)
    say(page, "/devices")
    shown = reads(page, "These browsers may use the page")
    shown.get_by_role("button", name="Let one more in").click()
    link = reads(page, "This lets in one browser").get_by_role("link").get_attribute("href")
    screen = ViewportSize(width=360, height=740)
    with watched(chromium.new_context(viewport=screen, is_mobile=True, has_touch=True)) as context:
        phone = open_link(context, str(link))
        box = phone.get_by_role("textbox", name="Message Claude")
        box.tap()
        box.fill('tool Bash {"command": "touch made", "description": "make it"}')
        phone.get_by_role("button", name="Send").tap()
        allow = reads(phone, "Run this command?").get_by_role("button", name="Allow", exact=True)
        expect(allow).to_be_in_viewport()
        allow.tap()
        reads(phone, "The tool said")
        assert (web_world.project / "made").exists()
        assert phone.evaluate("document.documentElement.scrollWidth <= innerWidth")
        say(page, "/devices")
        shown = reads(page, "(2), since ")
        shown.get_by_role("button", name=re.compile(r"Remove .* \(2\)")).click()
        heading = phone.get_by_role("heading", level=1)
        expect(heading).to_have_text("This browser is not let in")
        phone.goto(web_world.url)
        expect(heading).to_have_text("This browser is not let in")
    say(page, "hello")
    reads(page, "Echo: hello")


def test_a_session_of_the_machine_is_listed_and_goes_on_in_the_page(
    web_world: WebWorld, browser_context: BrowserContext
) -> None:
    terminal = Terminal(web_world)
    try:
        terminal.begins("my cat is called Grace")
        web_world.start_bridge()
        page = web_world.open_page(browser_context)
        machine = page.get_by_role("region", name="On this machine")
        machine.get_by_role("button", name="my cat is called Grace").click()
        expect(machine).to_contain_text("open in tmux “work”")
        machine.get_by_role("button", name="Continue here").click()
        reads(page, "Joined where it is open")
        say(page, "recall")
        reads(page, "You told me: my cat is called Grace")
        expect(machine).to_be_hidden()
    finally:
        terminal.tmux("kill-server")


def test_a_conversation_goes_from_telegram_to_the_page_and_back(
    world: World, browser_context: BrowserContext
) -> None:
    """The bridge with both channels; nothing is said twice."""
    port = free_port()
    world.settings.update({"BRIDGE_WEB": "on", "BRIDGE_WEB_PORT": str(port)})
    world.start_bridge()
    world.ask("my cat is called Grace", "Echo: my cat is called Grace")
    world.wait_for_process("idle")
    asked = world.reads("Where to?", after=world.say("/handoff"))
    world.telegram.press(world.chat, world.user, asked.message_id, "The page")
    wait_until(lambda: "Move it" in now(world, asked).labels, "how to hand it over")
    world.telegram.press(world.chat, world.user, asked.message_id, "Move it")
    wait_until(lambda: "Open it: " in now(world, asked).text, "the link")
    link = now(world, asked).text.partition("Open it: ")[2]
    key = Devices(world.state / "bridge").issue_key()
    page = open_link(browser_context, f"http://127.0.0.1:{port}/?key={key}")
    page.goto(link)
    is_ready(page)
    reads(page, "Handed over from Ada's chat")
    handed_over = world.texts()
    assert len(handed_over) == 2
    say(page, "recall")
    answer = "You told me: my cat is called Grace"
    reads(page, answer)
    assert [text.partition(",")[0] for text in texts(page)] == [
        *("Handed over from Ada's chat: “my cat is called Grace”", "recall", answer)
    ]
    assert world.texts() == handed_over
    sign = message(page, "recall").first.get_by_role("img", name="Answered")
    expect(sign).to_be_visible()
    world.wait_for_process("idle")
    wait_until(lambda: "card" not in world.sessions()[0].state, "the turn is over")
    say(page, "/handoff")
    asked_here = reads(page, "Where to?")
    asked_here.get_by_role("button", name="Ada's chat").click()
    reads(page, "move it, or send a copy?").get_by_role("button", name="Move it").click()
    wait_until(lambda: "https://t.me/" in " ".join(looked_at(page)), f"the link: {texts(page)}")
    shown = texts(page)
    world.ask("recall", f"{answer} | recall")
    world.wait_for_process("idle")
    assert looked_at(page) == shown
    assert [text.partition(",")[0] for text in world.texts()] == [
        *handed_over,
        "Handed over from The page: “my cat is called Grace”",
        f"{answer} | recall",
    ]
    assert len(world.sessions()) == 1


def looked_at(page: Page) -> list[str]:
    page.wait_for_timeout(20)  # lets the page go on
    return texts(page)


def now(world: World, message: Message) -> Message:
    return world.telegram.message(world.chat, message.message_id)
