"""Another site's page, open in the browser that was let in, can do nothing at the bridge's page."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from aiohttp import web
from playwright.sync_api import Page

from channels.web_guard import Guard
from tests.standins.loop_thread import LoopThread
from tests.web_rig import WebRig

pytest_plugins = ["tests.standins.web_fixtures"]

ATTACK = """<!doctype html><title>attack</title><script>
const page = "%s", got = [];
const note = (what) => (value) => got.push(`${what}: ${value}`);
const body = JSON.stringify({ key: "attack-attack", text: "rm -rf", topic: 0 });
const post = { method: "POST", credentials: "include", body };
const add = (name, more) => {
  const made = Object.assign(document.createElement(name), more);
  document.documentElement.append(made);
  return made;
};
const loaded = (frame) => new Promise((done) => { frame.onload = done; });
(async () => {
  for (const path of ["api/send", "api/files", "enter"])
    for (const mode of ["cors", "no-cors"])
      await fetch(page + path, { ...post, mode }).then((answer) => answer.text()).then(
        (text) => { if (text) note(path)(text); }, () => 0);
  await fetch(page + "api/history", { credentials: "include" }).then(
    (answer) => answer.text()).then(note("read"), () => 0);
  const target = add("iframe", { name: "target" });
  const form = add("form", {
    action: page + "api/files", method: "POST", enctype: "text/plain", target: "target" });
  form.append(Object.assign(document.createElement("input"), { name: body }));
  form.submit();
  await loaded(target);
  await new Promise((done) => {
    const socket = new WebSocket(page.replace("http", "ws") + "api/live?since=0");
    socket.onmessage = (event) => { note("socket")(event.data); done(); };
    socket.onclose = done;
  });
  await loaded(add("iframe", { src: page }));
  window.got = got;
})();
</script>"""


@pytest.fixture
def attack(rig: WebRig) -> Iterator[str]:
    """A page of another origin, at a server of its own.

    One that Playwright fulfils is no page of this machine: Chromium itself would stop what it does.
    """

    async def give(request: web.Request) -> web.Response:
        return web.Response(text=ATTACK % rig.url, content_type="text/html")

    def make() -> web.Application:
        made = web.Application()
        made.router.add_get("/", give)
        return made

    server = LoopThread(make, name="attack")
    server.start()
    yield server.url
    server.stop()


@pytest.fixture
def verdicts(rig: WebRig, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, bool]]:
    """The path of each request of other pages that reached the guard, and whether it refused it."""
    found: list[tuple[str, bool]] = []
    find_refusal = Guard._find_refusal

    def note(guard: Guard, request: web.Request) -> tuple[int, str] | None:
        refusal = find_refusal(guard, request)
        if not is_from_the_page(rig, request):
            found.append((request.path, refusal is not None))
        return refusal

    monkeypatch.setattr(Guard, "_find_refusal", note)
    return found


def is_from_the_page(rig: WebRig, request: web.Request) -> bool:
    """Whether the bridge's own page, which goes on meanwhile, asks for it."""
    is_named = f"{request.headers.get('Origin')}/" == rig.url
    return is_named or request.headers.get("Sec-Fetch-Site") == "same-origin"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])  # the same site, and another one
def test_an_attack_page_on_another_origin_can_do_nothing(
    rig: WebRig, page: Page, attack: str, verdicts: list[tuple[str, bool]], host: str
) -> None:
    rig.show("private")
    verdicts.clear()  # the link that opened it
    tab = page.context.new_page()
    tab.goto(attack.replace("127.0.0.1", host))
    tab.wait_for_function("() => window.got")
    assert tab.evaluate("window.got") == []
    assert [frame.url for frame in tab.frames if frame.url.startswith(rig.url)] == []
    refused = {path for path, is_refused in verdicts if is_refused}
    assert refused == {"/enter", "/api/send", "/api/files", "/api/history", "/api/live"}
    assert {path for path, is_refused in verdicts if not is_refused} == {"/"}  # and framed nowhere
    assert rig.heard == []
    assert len(rig.devices.everybody()) == 1
