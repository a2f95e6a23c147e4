"""What is beside a conversation: the machine's sessions, each to be found, and the terminal."""

from __future__ import annotations

from playwright.sync_api import Locator, Page, ViewportSize, expect

from channels.web_sessions import pick_sessions
from core.screen_rows import Run
from tests.web_rig import WebRig, machine_session
from tests.web_world import is_ready, open_topic

pytest_plugins = ["tests.standins.web_fixtures"]

MANY = 250
_ROWS = (
    (Run("ready"),),
    (Run("warm", "#010203", "#fdfeff", "b"), Run(" plain "), Run("turned", "#040506", flags="r")),
    (Run("struck", flags="s"),),
)
_IS_BESIDE = """() => {
    const [chat, terminal] = ["chat", "terminal"].map(
        (id) => document.getElementById(id).getBoundingClientRect());
    return terminal.left >= chat.right && chat.width > 400 && terminal.right <= innerWidth;
}"""
_COVERS_ALL = """() => {
    const place = document.getElementById("terminal").getBoundingClientRect();
    return place.left === 0 && place.width === innerWidth && place.height === innerHeight;
}"""


def machine(page: Page) -> Locator:
    return page.get_by_role("region", name="On this machine")


def rows(page: Page) -> Locator:
    return machine(page).locator("[data-session]")


def test_each_session_shows_what_it_does(rig: WebRig, page: Page) -> None:
    topic = rig.make_topic("at the page")
    states = {
        "by hand": ("open in tmux “work”", "awake"),
        "busy": ("open in a terminal (pts/3), working", "at work"),
        "runs a command": ("awake, a command runs", "at work"),
        "asks": ("open elsewhere, asks something", "asks something"),
        "sleeps": ("asleep", "asleep"),
    }
    sessions = [
        machine_session(number, title, state=state)
        for number, (title, (state, _)) in enumerate(states.items())
    ]
    mine = machine_session(99, "mine", state="awake, asks something", topic=topic)
    rig.equip(*sessions, mine)
    page.reload()
    is_ready(page)
    expect(rows(page)).to_have_count(len(states))  # the page's own is among the conversations
    for title, (state, mark) in states.items():
        row = machine(page).get_by_role("button", name=title)
        expect(row.get_by_role("img", name=mark, exact=True)).to_be_visible()
        expect(row).to_contain_text(f"desk (main) · 1 h · {state}")
    own = page.locator(f"#topics [data-topic='{topic}']")
    expect(own.get_by_role("img", name="asks something")).to_be_visible()


def test_a_session_among_many_is_found_by_its_name_folder_or_branch_and_all_can_be_listed(
    rig: WebRig, page: Page
) -> None:
    sessions = [machine_session(number, f"session {number}") for number in range(MANY - 2)]
    elsewhere = machine_session(1000, "moved", directory="/home/ada/Attic")
    branched = machine_session(1001, "branched", branch="paint-the-wall")
    rig.equip(*sessions, elsewhere, branched)
    page.reload()
    is_ready(page)
    expect(rows(page)).to_have_count(12)
    search = page.get_by_role("searchbox")
    for words, found in (
        *(("Session 247", "session 247"), ("ada/attic", "moved"), ("THE-WALL", "branched")),
    ):
        search.fill(words)
        expect(rows(page)).to_have_count(1)
        expect(rows(page)).to_contain_text(found)
    search.fill("nobody has this")
    expect(machine(page)).to_be_hidden()
    search.fill("")
    machine(page).get_by_role("button", name=f"{MANY - 12} more").press("Enter")
    expect(rows(page)).to_have_count(50)
    expect(rows(page).nth(12)).to_be_focused()  # the keyboard goes on where it was
    for count in (100, 200, MANY):
        machine(page).locator(".more").click()
        expect(rows(page)).to_have_count(count)
    expect(machine(page).locator(".more")).to_have_count(0)
    names = rows(page).locator(".name").all_inner_texts()
    assert names == [one["title"] for one in (*sessions, elsewhere, branched)]


def test_of_the_pages_own_conversations_it_gets_what_their_sessions_do() -> None:
    here = machine_session(1, "here", topic=3, state="awake")
    root = machine_session(2, "in no conversation", topic=0)
    others = [machine_session(number, f"other {number}") for number in range(3, 6)]
    picked = pick_sessions([here, root, *others], "OTHER", 2)
    assert picked == {"sessions": others[:2], "more": 1, "states": [(3, "awake")]}
    assert pick_sessions([here, *others], "", 0)["more"] == 3


def test_the_terminal_is_drawn_in_its_colours_and_again_whenever_it_changes(
    rig: WebRig, page: Page
) -> None:
    desk = rig.equip()
    desk.rows = _ROWS
    open_topic(page, rig.make_topic("work"))
    page.get_by_role("button", name="Terminal", exact=True).click()
    terminal = page.get_by_role("application", name="Terminal")
    warm, turned = terminal.get_by_text("warm"), terminal.get_by_text("turned")
    expect(warm).to_have_css("color", "rgb(1, 2, 3)")
    expect(warm).to_have_css("background-color", "rgb(253, 254, 255)")
    expect(warm).to_have_css("font-weight", "700")
    expect(turned).to_have_css("background-color", "rgb(4, 5, 6)")
    expect(terminal.get_by_text("struck")).to_have_css("text-decoration-line", "line-through")
    desk.rows = ((Run("changed"),),)
    expect(terminal).to_have_text("changed")


def test_the_terminal_takes_keys_from_the_keyboard_and_from_the_pad(
    rig: WebRig, page: Page
) -> None:
    desk = rig.equip()
    open_topic(page, rig.make_topic("work"))
    switch = page.get_by_role("button", name="Terminal", exact=True)
    switch.click()
    terminal = page.get_by_role("application", name="Terminal")
    expect(terminal).to_have_text("ready")
    page.get_by_role("group", name="Keys").get_by_role("button", name="Esc").click()
    rig.wait(lambda: desk.pressed == ["Escape"])
    terminal.focus()
    for key in ("a", "ArrowUp", "Control+c", "Escape", "Shift+Escape"):
        page.keyboard.press(key)
    expect(switch).to_be_focused()  # the last of them leaves
    rig.wait(lambda: desk.pressed == ["Escape", "a", "Up", "C-c", "Escape"])
    terminal.focus()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="1", exact=True)).to_be_focused()


def test_the_terminal_is_beside_the_chat_where_there_is_room(rig: WebRig, page: Page) -> None:
    rig.equip()
    open_topic(page, rig.make_topic("work"))
    page.get_by_role("button", name="Terminal", exact=True).click()
    for width, is_placed in ((1440, _IS_BESIDE), (900, _COVERS_ALL)):
        page.set_viewport_size(ViewportSize(width=width, height=800))
        page.wait_for_function(is_placed)
