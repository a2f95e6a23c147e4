"""A page that listens, and browsers: one that was let in, one that was not, and Chromium."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize

from tests.web_rig import WebRig
from tests.web_site import Site, enter
from tests.web_world import open_link, without_failures


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    made = Site(tmp_path)
    await made.channel.start([])
    made.receive()
    yield made
    await made.stop()


@pytest.fixture
async def stranger() -> AsyncIterator[aiohttp.ClientSession]:
    """A browser that nobody let in."""
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(cookie_jar=jar) as session:
        yield session


@pytest.fixture
async def browser(site: Site) -> AsyncIterator[aiohttp.ClientSession]:
    """A browser that was let in; what it posts says where it comes from."""
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(cookie_jar=jar, headers={"Origin": site.origin}) as session:
        assert await enter(session, site, site.devices.issue_key()) == 200
        yield session


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[WebRig]:
    """A page whose posts the test decides."""
    with WebRig(tmp_path) as made:
        yield made


@pytest.fixture(scope="module")
def usual_context(chromium: Browser) -> Iterator[BrowserContext]:
    """A person's browser, for tests that leave nothing behind in it but cookies."""
    size = ViewportSize(width=1000, height=640)  # what is drawn costs time
    context = chromium.new_context(viewport=size, reduced_motion="reduce")
    yield context
    context.close()


@pytest.fixture
def page(rig: WebRig, usual_context: BrowserContext) -> Iterator[Page]:
    """The page of `rig`, open at no conversation."""
    with without_failures(usual_context):
        yield open_link(usual_context, rig.link())
        for tab in usual_context.pages:
            tab.close()
