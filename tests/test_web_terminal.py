"""The terminal beside the chat: drawn as it is, live, and a keyboard for it."""

from __future__ import annotations

from playwright.sync_api import Page, ViewportSize, expect

from core.screen_rows import Run
from tests.web_rig import WebRig
from tests.web_world import open_topic

pytest_plugins = ["tests.standins.web_fixtures"]

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


def test_it_is_drawn_in_its_colours_and_again_whenever_it_changes(rig: WebRig, page: Page) -> None:
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


def test_it_takes_keys_from_the_keyboard_and_from_the_pad(rig: WebRig, page: Page) -> None:
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


def test_it_is_beside_the_chat_where_there_is_room(rig: WebRig, page: Page) -> None:
    rig.equip()
    open_topic(page, rig.make_topic("work"))
    page.get_by_role("button", name="Terminal", exact=True).click()
    for width, is_placed in ((1440, _IS_BESIDE), (900, _COVERS_ALL)):
        page.set_viewport_size(ViewportSize(width=width, height=800))
        page.wait_for_function(is_placed)
